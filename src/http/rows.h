/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What top, series and changes share: asking the store, and the envelope around the rows. */

#include "http/question.h"

/* Reads the call's parameters. False: the reply says why not. */
bool http_rows_question(struct http_call *call, enum question_kind kind, struct http_question *ret) MUST_USE;
/* The status for an error of the store: of the question's own making, for now, or the store's fault. */
unsigned http_rows_status(int code);
/* Runs a query with a reader of the pool. False: the reply says why not. */
bool http_rows_query(struct http_call *call, const struct query *q, struct query_result *ret) MUST_USE;
/* The result as JSON or CSV, as the question asks. by: the columns of its rows. */
void http_rows_reply(struct http_call *call, const struct http_question *question,
	const enum dimension *by, size_t by_count, const struct query_result *result);

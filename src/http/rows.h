/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the endpoints that ask the store share: reading the question, asking, and the envelope around the rows. */

#include "http/question.h"
#include "http/render.h"

/* Reads the call's parameters. False: the reply says why not. */
bool http_rows_question(struct http_call *call, enum question_kind kind, struct http_question *ret) MUST_USE;
/* The status for an error of the store: of the question's own making, for now, or the store's fault. */
unsigned http_rows_status(int code);

/* One reader of the pool for all queries of a call. Queries with keep_snapshot are seen by the next one, where
 * the store can do that. False everywhere: the reply says why not. */
struct http_asking {
	struct http_call *call;
	struct store_reader *reader;
	bool sound, snapshot;
};
/* Also lets what was acknowledged reach the store. */
bool http_asking_begin(struct http_call *call, struct http_asking *ret) MUST_USE;
bool http_ask(struct http_asking *a, const struct query *q, struct query_result *ret) MUST_USE;
void http_asking_end(struct http_asking *a);
/* All of it for one query. */
bool http_ask_once(struct http_call *call, const struct query *q, struct query_result *ret) MUST_USE;

/* With `compare`: an earlier range, as long as what has passed of the one that was answered for, to the minute, so that a range that ends
 * now is not compared with a longer one. False: the reply says that there is no such time. */
bool http_rows_earlier(struct http_call *call, const struct http_question *q, const struct query_result *now, struct query *ret) MUST_USE;

struct throughput;

/* An answer of rows. previous: the same rows, total and other of another range, or NULL. With time, each or NULL: others, the
 * sums of all other groups by bucket; earlier, those of all of them in another range; throughput, of the groups and the whole. */
struct http_rows {
	const struct http_question *question;
	const enum dimension *by;
	size_t by_count;
	const struct query_result *result, *previous, *others, *earlier;
	const struct throughput *throughput;
};
/* A whole answer, as JSON or CSV, that a function writes: 0, or negative when memory is out. */
typedef int http_write_fn(void *ctx, FILE *out);
void http_rows_reply_by(struct http_call *call, const struct http_question *q, http_write_fn *fn, void *ctx);
/* Rows as JSON or CSV, as the question asks. */
void http_rows_reply(struct http_call *call, const struct http_rows *rows);
/* "from":"...","to":"..." with a brace before. */
void http_rows_write_range(uint64_t from_s, uint64_t to_s, FILE *out);

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The parameters of top and series as a query. Errors name the parameter. Pure, but for memory. */

#include "http/call.h"
#include "query/query.h"

#define QUESTION_LIMIT_TOP    20
#define QUESTION_LIMIT_SERIES 10
#define QUESTION_LAST_S       3600

struct http_question {
	struct query query; /* with series, by has no time: the buckets come on top */
	struct filter *filter;
	const char *filter_text; /* view into the parameters; "" when not given */
	bool csv;
};

enum question_kind { QUESTION_TOP, QUESTION_SERIES };

/* On error nothing needs to be freed. */
int question_parse(const struct http_params *params, enum question_kind kind, uint64_t now_s,
	struct http_question *ret, struct error *err) MUST_USE;
void question_done(struct http_question *q);

/* "now", "-2h", "now-2h", RFC 3339 or seconds since 1970; before the year 10000. -EINVAL. */
int question_time_parse(const char *text, uint64_t now_s, uint64_t *ret_ms) MUST_USE;

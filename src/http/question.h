/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The parameters of the endpoints that ask the store as a query. Errors name the parameter, and the character when
 * they are about one. Pure, but for memory. */

#include "http/call.h"
#include "query/query.h"

#define QUESTION_LIMIT_TOP     20
#define QUESTION_LIMIT_SERIES  10
#define QUESTION_LIMIT_CHANGES 100
#define QUESTION_LAST_S        3600
#define QUESTION_POINTS_MIN    10
#define QUESTION_POINTS_MAX    5000
#define QUESTION_KEYS_MAX      200

struct http_question {
	struct query query; /* with series, by has no time: the buckets come on top */
	struct filter *filter;
	const char *filter_text; /* view into the parameters; "" when not given */
	bool csv;
	uint64_t fields;     /* as in struct render */
	bool compare;        /* with an earlier range: */
	uint64_t compare_s;  /*   so long ago; 0: the one right before */
	unsigned percentile; /* of the throughput, of series; 0: not asked for */
	uint32_t nodes;      /* of a stage of paths */
	struct filter *keys; /* of sparklines: one term with the values; NULL: the first by sort */
	const char *typed;   /* of complete: view into the parameters, "" when not given. The dimension is by[0]; by_count 0: all that have names */
	/* Changes. Of the query they have the range, the limit and the deadline. */
	const char *router;   /* view into the parameters; NULL: any */
	struct prefix prefix; /* ADDR_NONE: any */
	bool within;          /* and everything inside the prefix */
	bool behind;          /* only what comes behind this place: */
	struct store_change_place place;
};

enum question_kind {
	QUESTION_TOP,
	QUESTION_SERIES,
	QUESTION_CHANGES,
	QUESTION_TYPES,
	QUESTION_COUNTRIES,
	QUESTION_COMPLETE,
	QUESTION_PATHS,
	QUESTION_SPARKLINES,
	QUESTION_SUSPECTS,
	QUESTION_INCIDENTS,
	QUESTION_COMPARE, /* by[1] is what is compared */
	QUESTION_PEERING,
};

/* On error nothing needs to be freed. */
int question_parse(const struct http_params *params, enum question_kind kind, uint64_t now_s,
	struct http_question *ret, struct error *err) MUST_USE;
void question_done(struct http_question *q);

/* A place as it goes out and comes back in `after`: "TIME-BATCH-NUMBER-COLLECTOR". */
#define QUESTION_PLACE_MAX (3 * 21 + STORE_COLLECTOR_MAX)
const char *question_place_format(const struct store_change_place *place, char buf[static QUESTION_PLACE_MAX]);

/* The parameter `limit`: 1 to QUERY_LIMIT_MAX. -EINVAL. */
int question_limit_parse(const char *text, uint32_t *ret, struct error *err) MUST_USE;

/* "now", "-2h", "now-2h", RFC 3339 or seconds since 1970; before the year 10000. -EINVAL. */
int question_time_parse(const char *text, uint64_t now_s, uint64_t *ret_ms) MUST_USE;

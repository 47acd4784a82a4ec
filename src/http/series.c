/* SPDX-License-Identifier: BSD-2-Clause */

/* Traffic over time: the buckets of the largest groups, and everything else by bucket and as one sum.
 *
 * Without groups it is one query by time. With groups there are three, in one view of the store where it can do that:
 * which groups are the largest of the whole range; their buckets; and the sums by bucket, of which the groups'
 * are taken away. A store without such views may have got more traffic before the last query, which is then among the
 * others, or have lost a bucket, which counts with what its groups had: so rows + other = total holds by construction,
 * bucket by bucket too. With `via` rows overlap, and there is no other. */

#include <string.h>

#include "http/rows.h"
#include "query/rank.h"

struct series {
	struct http_asking asking;
	struct http_question *question;
	enum dimension by[QUERY_DIMS_MAX]; /* time first */
	size_t by_count;
};

/* The largest groups of the whole range, without sums. */
static bool ask_groups(struct series *s, struct query_result *ret)
{
	struct query q = s->question->query;
	q.step_s = 0;
	q.measures = rank_measures(q.sort);
	q.keep_snapshot = true;
	return http_ask(&s->asking, &q, ret);
}

static bool ask_buckets(struct series *s, const struct query_result *groups, struct query_result *ret)
{
	struct query q = s->question->query;
	memcpy(q.by, s->by, sizeof(q.by));
	q.by_count = s->by_count;
	q.only = groups->rows;
	q.only_count = groups->row_count;
	q.keep_snapshot = true;
	return http_ask(&s->asking, &q, ret);
}

/* Everything by time: every row, or none and an error. */
static bool ask_times(struct series *s, struct query_result *ret)
{
	struct query q = s->question->query;
	q.by[0] = DIM_time;
	q.by_count = 1;
	q.sort = MEASURE_bytes_sent;
	q.ascending = false;
	q.limit = 0;
	if (!http_ask(&s->asking, &q, ret))
		return false;
	if (ret->row_count < QUERY_LIMIT_MAX)
		return true;
	query_result_done(ret);
	http_reply_error(s->asking.call, 400, "more than %d rows: take a larger 'step' or a shorter range", QUERY_LIMIT_MAX);
	return false;
}

/* From sums by time to those of all other groups; both are in the order of time. */
static void leave_others(struct query_result *times, struct query_result *buckets)
{
	size_t at = 0;
	struct measures sum = {0};
	buckets->other = (struct measures){0};
	for (size_t i = 0; i < times->row_count; i++) {
		uint64_t time = times->rows[i].values[0].number;
		for (; at < buckets->row_count && buckets->rows[at].values[0].number <= time; at++) {
			measures_take_away(&times->rows[i].m, &buckets->rows[at].m);
			measures_add(&sum, &buckets->rows[at].m);
		}
		measures_add(&buckets->other, &times->rows[i].m);
	}
	for (; at < buckets->row_count; at++)
		measures_add(&sum, &buckets->rows[at].m);
	buckets->has_other = true;
	buckets->total = sum;
	measures_add(&buckets->total, &buckets->other);
}

static bool has_via(const struct series *s)
{
	for (size_t i = 0; i < s->by_count; i++)
		if (s->by[i] == DIM_via)
			return true;
	return false;
}

static void reply(struct series *s, struct query_result *buckets, struct query_result *times)
{
	struct http_rows rows = {.question = s->question, .by = s->by, .by_count = s->by_count, .result = buckets};
	if (has_via(s)) {
		buckets->total = times->total;
	} else {
		leave_others(times, buckets);
		rows.others = times;
	}
	http_rows_reply(s->asking.call, &rows);
}

static void answer_groups(struct series *s)
{
	struct query_result groups, buckets, times;
	if (!ask_groups(s, &groups))
		return;
	if (ask_buckets(s, &groups, &buckets)) {
		if (ask_times(s, &times)) {
			reply(s, &buckets, &times);
			query_result_done(&times);
		}
		query_result_done(&buckets);
	}
	query_result_done(&groups);
}

static void answer_time(struct series *s)
{
	struct query_result times;
	if (!ask_times(s, &times))
		return;
	http_rows_reply(s->asking.call, &(struct http_rows){.question = s->question, .by = s->by, .by_count = 1, .result = &times});
	query_result_done(&times);
}

void http_series(struct http_call *call)
{
	struct http_question question;
	if (!http_rows_question(call, QUESTION_SERIES, &question))
		return;
	struct series s = {.question = &question, .by = {DIM_time}, .by_count = 1};
	for (size_t i = 0; i < question.query.by_count; i++)
		s.by[s.by_count++] = question.query.by[i];
	if (http_asking_begin(call, &s.asking)) {
		if (s.by_count == 1)
			answer_time(&s);
		else
			answer_groups(&s);
		http_asking_end(&s.asking);
	}
	question_done(&question);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Traffic over time: the buckets of the largest groups, and everything else by bucket and as one sum.
 *
 * Without groups it is one query by time. With groups there are three, in one view of the store where it can do that:
 * which groups are the largest of the whole range; their buckets; and the sums by bucket, of which the groups'
 * are taken away. A store without such views may have got more traffic before the last query, which is then among the
 * others, or have lost a bucket, which counts with what its groups had: so rows + other = total holds by construction,
 * bucket by bucket too. With `via` rows overlap, and there is no other.
 *
 * With `compare` one more question brings the sums by time of an earlier range, in the same steps or, where those are gone, wider
 * ones; with `percentile` some more bring the throughput as it is billed (http/throughput.c). CSV has rows alone: without groups the earlier
 * range's stand beside them. */

#include <errno.h>
#include <string.h>

#include "http/throughput.h"
#include "query/rank.h"

struct series {
	struct http_asking asking;
	struct http_question *question;
	enum dimension by[QUERY_DIMS_MAX]; /* time first */
	size_t by_count;
	const struct query_result *groups; /* NULL: none */
	struct query_result earlier;
	struct throughput throughput;
	bool has_earlier, has_throughput;
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
static bool ask_times(struct series *s, struct query q, struct query_result *ret)
{
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

/* The same of an earlier range. */
static bool ask_earlier(struct series *s, const struct query_result *times, struct query_result *ret)
{
	struct query q = s->question->query;
	q.step_min_s = times->step_s;
	q.step_s = 0;
	q.points_max = QUESTION_POINTS_MAX;
	return http_rows_earlier(s->asking.call, s->question, times, &q) && ask_times(s, q, ret);
}

static bool has_via(const struct series *s)
{
	for (size_t i = 0; i < s->by_count; i++)
		if (s->by[i] == DIM_via)
			return true;
	return false;
}

/* What `compare` and `percentile` want. False: the reply says why not. */
static bool ask_more(struct series *s, const struct query_result *times)
{
	const struct http_question *q = s->question;
	if (q->csv && (s->groups || !q->compare))
		return true;
	s->has_earlier = q->compare && ask_earlier(s, times, &s->earlier);
	if (q->compare && !s->has_earlier)
		return false;
	if (q->csv)
		return true;
	s->has_throughput = q->percentile && throughput_ask(&s->asking, q, times, s->groups, &s->throughput);
	return s->has_throughput || !q->percentile;
}

static void more_done(struct series *s)
{
	if (s->has_earlier)
		query_result_done(&s->earlier);
	if (s->has_throughput)
		throughput_done(&s->throughput);
}

/* The bucket of this range where one of the earlier range stands, or the nearest. */
static uint64_t moved(const struct series *s, const struct query_result *times, size_t i)
{
	uint64_t shift_s = times->from_s - s->earlier.from_s, at_s = s->earlier.rows[i].values[0].number + shift_s;
	return (at_s + times->step_s / 2) / times->step_s * times->step_s;
}

/* Rows for every bucket that has traffic in either range, in *ret_rows of this one and in *ret_previous of the earlier one; both are in the order
 * of time. Their memory is that of times. -ENOMEM. */
static int pair_rows(struct series *s, struct query_result *times, struct query_result *ret_rows, struct query_result *ret_previous)
{
	const struct query_result *earlier = &s->earlier;
	size_t room = times->row_count + earlier->row_count, n = 0;
	struct query_row *rows = arena_alloc(&times->arena, (room + 1) * sizeof(*rows)), *previous = arena_alloc(&times->arena, (room + 1) * sizeof(*previous));
	struct dim_value *values = arena_alloc(&times->arena, (room + 1) * sizeof(*values));
	if (!rows || !previous || !values)
		return -ENOMEM;
	for (size_t i = 0, k = 0; i < times->row_count || k < earlier->row_count; n++) {
		uint64_t now_s = i < times->row_count ? times->rows[i].values[0].number : UINT64_MAX;
		uint64_t then_s = k < earlier->row_count ? moved(s, times, k) : UINT64_MAX;
		values[n] = (struct dim_value){.known = true, .number = now_s < then_s ? now_s : then_s};
		rows[n] = (struct query_row){.values = &values[n]};
		previous[n] = rows[n];
		if (now_s <= then_s)
			rows[n].m = times->rows[i++].m;
		if (then_s <= now_s)
			previous[n].m = earlier->rows[k++].m;
	}
	*ret_rows = (struct query_result){.from_s = times->from_s, .to_s = times->to_s, .step_s = times->step_s, .rows = rows, .row_count = n,
		.total = times->total};
	*ret_previous = (struct query_result){.rows = previous, .row_count = n, .total = earlier->total};
	return 0;
}

static void reply_pairs(struct series *s, struct query_result *times)
{
	struct query_result rows, previous;
	struct http_call *call = s->asking.call;
	if (s->earlier.step_s != times->step_s)
		http_reply_error(call, 400, "the earlier range is kept in steps of %u seconds: no rows to stand beside these of %u; ask with step=%us or wider",
			s->earlier.step_s, times->step_s, s->earlier.step_s);
	else if (pair_rows(s, times, &rows, &previous) < 0)
		http_reply_error(call, 500, "out of memory");
	else
		http_rows_reply(call, &(struct http_rows){.question = s->question, .by = s->by, .by_count = s->by_count, .result = &rows, .previous = &previous});
}

/* rows: the answer's; times: everything by time, which the others are made of; without groups both are the same. */
static void reply(struct series *s, struct query_result *rows, struct query_result *times)
{
	struct http_rows answer = {.question = s->question, .by = s->by, .by_count = s->by_count, .result = rows};
	if (s->groups && has_via(s)) {
		rows->total = times->total;
	} else if (s->groups) {
		leave_others(times, rows);
		answer.others = times;
	}
	answer.earlier = s->has_earlier ? &s->earlier : NULL;
	answer.throughput = s->has_throughput ? &s->throughput : NULL;
	http_rows_reply(s->asking.call, &answer);
}

static void answer_times(struct series *s, struct query_result *rows, struct query_result *times)
{
	bool ok = ask_more(s, times);
	if (ok && s->question->csv && s->has_earlier)
		reply_pairs(s, times);
	else if (ok)
		reply(s, rows, times);
	more_done(s);
}

static void answer_groups(struct series *s)
{
	struct query_result groups, buckets, times;
	if (!ask_groups(s, &groups))
		return;
	s->groups = &groups;
	if (ask_buckets(s, &groups, &buckets)) {
		if (ask_times(s, s->question->query, &times)) {
			answer_times(s, &buckets, &times);
			query_result_done(&times);
		}
		query_result_done(&buckets);
	}
	query_result_done(&groups);
}

static void answer_time(struct series *s)
{
	struct query_result times;
	if (!ask_times(s, s->question->query, &times))
		return;
	answer_times(s, &times, &times);
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

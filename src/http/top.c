/* SPDX-License-Identifier: BSD-2-Clause */

/* The largest groups, and with `compare` the same groups in an earlier range (http/rows.c). */

#include "http/rows.h"

/* The other, and with it the total: rows + other = total also when the store has got or lost something since the total was read. */
static void set_sums(struct query_result *r, const struct measures *total, bool has_other)
{
	r->total = r->other = *total;
	if (!has_other)
		return;
	for (size_t i = 0; i < r->row_count; i++)
		measures_take_away(&r->other, &r->rows[i].m);
	r->total = r->other;
	for (size_t i = 0; i < r->row_count; i++)
		measures_add(&r->total, &r->rows[i].m);
}

/* The total of the earlier range, then the rows' groups in it, in their order. */
static bool ask_earlier(struct http_asking *a, const struct http_question *q, const struct query_result *now,
	struct query_result *ret)
{
	struct query groups = q->query;
	struct query_result total;
	if (!http_rows_earlier(a->call, q, now, &groups))
		return false;
	struct query whole = groups;
	whole.by_count = 0;
	whole.keep_snapshot = true;
	groups.only = now->rows;
	groups.only_count = now->row_count;
	if (!http_ask(a, &whole, &total))
		return false;
	bool ok = http_ask(a, &groups, ret);
	if (ok)
		set_sums(ret, &total.total, now->has_other);
	query_result_done(&total);
	return ok;
}

static bool ask_all(struct http_asking *a, struct http_question *q, struct query_result *now, struct query_result *earlier)
{
	q->query.keep_snapshot = q->compare;
	if (!http_ask(a, &q->query, now))
		return false;
	if (!q->compare || ask_earlier(a, q, now, earlier))
		return true;
	query_result_done(now);
	return false;
}

static void answer(struct http_call *call, struct http_question *q)
{
	struct http_asking a;
	struct query_result now, earlier;
	if (!http_asking_begin(call, &a))
		return;
	bool ok = ask_all(&a, q, &now, &earlier);
	http_asking_end(&a);
	if (!ok)
		return;
	http_rows_reply(call, &(struct http_rows){.question = q, .by = q->query.by, .by_count = q->query.by_count,
		.result = &now, .previous = q->compare ? &earlier : NULL});
	query_result_done(&now);
	if (q->compare)
		query_result_done(&earlier);
}

static void answer_kind(struct http_call *call, enum question_kind kind)
{
	struct http_question q;
	if (!http_rows_question(call, kind, &q))
		return;
	answer(call, &q);
	question_done(&q);
}

void http_top(struct http_call *call)
{
	answer_kind(call, QUESTION_TOP);
}

void http_types(struct http_call *call)
{
	answer_kind(call, QUESTION_TYPES);
}

void http_countries(struct http_call *call)
{
	answer_kind(call, QUESTION_COUNTRIES);
}

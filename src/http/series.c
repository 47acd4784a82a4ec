/* SPDX-License-Identifier: BSD-2-Clause */

/* Traffic over time: the buckets of the largest groups, and everything else as one sum.
 *
 * Without groups it is one query by time. With groups there are two: the largest groups over the
 * whole range, then time and group together for just those. To keep the second one small its filter
 * names the groups' values; with two dimensions or more that lets some other combinations through,
 * which are dropped here.
 *
 * rows + other = total, exactly: other is the first query's, total is the rows' sum plus other. New
 * traffic that arrives between the two is in the rows and in total. With `via` rows overlap: total is
 * the first query's and there is no other.
 *
 * Both queries have to cover the same range. How far the range is widened can depend on the width of
 * the buckets, so the first query is asked again when the second turns out to cover another one. */

#include <stdlib.h>
#include <string.h>

#include "http/rows.h"
#include "route/path.h"

#define NARROW_GROUPS_MAX 200 /* more groups than this are picked out of all here, not by the filter */
#define RANGE_ATTEMPTS    3

/* ---- groups: the rows of the first query, findable by their values ---- */

struct group {
	const struct dim_value *values;
	uint32_t rank;
};

struct groups {
	const enum dimension *by;
	size_t by_count;
	struct group *list; /* sorted by values */
	size_t count;
};

static int number_cmp(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int value_cmp(enum dimension_kind kind, const struct dim_value *a, const struct dim_value *b)
{
	if (a->known != b->known || !a->known)
		return (int)a->known - (int)b->known;
	if (kind == KIND_PREFIX)
		return prefix_cmp(&a->prefix, &b->prefix);
	if (kind != KIND_TEXT && kind != KIND_PATH)
		return number_cmp(a->number, b->number);
	size_t n = a->bytes.len < b->bytes.len ? a->bytes.len : b->bytes.len;
	int c = n ? memcmp(a->bytes.data, b->bytes.data, n) : 0;
	return c ? c : number_cmp(a->bytes.len, b->bytes.len);
}

static int values_cmp(const struct groups *g, const struct dim_value *a, const struct dim_value *b)
{
	for (size_t i = 0; i < g->by_count; i++) {
		int c = value_cmp(dimension_table[g->by[i]].kind, &a[i], &b[i]);
		if (c)
			return c;
	}
	return 0;
}

static int group_cmp(const void *a, const void *b, void *groups)
{
	return values_cmp(groups, ((const struct group *)a)->values, ((const struct group *)b)->values);
}

/* The group with these values, or NULL. */
static const struct group *groups_get(struct groups *g, const struct dim_value *values)
{
	size_t lo = 0, hi = g->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = values_cmp(g, values, g->list[mid].values);
		if (c == 0)
			return &g->list[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static bool groups_init(struct groups *g, const struct query *q, const struct query_result *result)
{
	*g = (struct groups){.by = q->by, .by_count = q->by_count, .count = result->row_count};
	g->list = calloc(g->count + 1, sizeof(*g->list));
	if (!g->list)
		return false;
	for (size_t i = 0; i < g->count; i++)
		g->list[i] = (struct group){result->rows[i].values, (uint32_t)i};
	qsort_r(g->list, g->count, sizeof(*g->list), group_cmp, g);
	return true;
}

/* ---- a filter that lets the groups through ---- */

static bool write_quoted(struct view text, FILE *out)
{
	(void)fputc('"', out);
	for (size_t i = 0; i < text.len; i++) {
		if (!text.data[i])
			return false;
		if (text.data[i] == '"' || text.data[i] == '\\')
			(void)fputc('\\', out);
		(void)fputc(text.data[i], out);
	}
	(void)fputc('"', out);
	return true;
}

/* In the filter language; false when the value cannot be written in it. */
static bool write_value(enum dimension dim, const struct dim_value *v, FILE *out)
{
	char text[PREFIX_TEXT_MAX];
	if (!v->known) {
		(void)fputs("null", out);
		return true;
	}
	switch (dimension_table[dim].kind) {
	case KIND_ASN:
		(void)fprintf(out, "%llu", (unsigned long long)v->number);
		return true;
	case KIND_PREFIX:
		(void)fputs(prefix_format(&v->prefix, text), out);
		return true;
	case KIND_COUNTRY:
		(void)fprintf(out, "%c%c", (int)(v->number >> 8 & 0x7f), (int)(v->number & 0x7f));
		return true;
	case KIND_MATCH:
		(void)fputs(v->number < MATCH_COUNT ? route_match_names[v->number] : "none", out);
		return true;
	case KIND_TEXT:
		return write_quoted(v->bytes, out);
	default:
		return false;
	}
}

/* " DIM:VALUE,VALUE" for one column of the groups, or "" when a value cannot be written. On the heap;
 * NULL when memory is out. */
static char *narrow_column(const struct groups *g, size_t column)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	bool ok = g->by[column] != DIM_path && g->count && g->count <= NARROW_GROUPS_MAX;
	(void)fprintf(out, " %s:", dimension_table[g->by[column]].name);
	for (size_t i = 0; i < g->count && ok; i++) {
		if (i)
			(void)fputc(',', out);
		ok = write_value(g->by[column], &g->list[i].values[column], out);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	if (!ok)
		text[0] = '\0';
	return text;
}

static int narrow(const struct groups *g, const char *filter_text, struct filter **ret)
{
	char *text = strdup(filter_text);
	for (size_t i = 0; i < g->by_count && text; i++) {
		char *column = narrow_column(g, i), *both = NULL;
		if (column && asprintf(&both, "%s%s", text, column) < 0)
			both = NULL;
		free(column);
		free(text);
		text = both;
	}
	struct error err;
	int r = text ? filter_parse(text, ret, &err) : -1;
	free(text);
	return r;
}

/* ---- the rows of the second query ---- */

static int row_cmp(const void *a, const void *b, void *groups)
{
	const struct query_row *x = a, *y = b;
	int c = number_cmp(x->values[0].number, y->values[0].number);
	if (c || !groups)
		return c;
	const struct group *gx = groups_get(groups, x->values + 1), *gy = groups_get(groups, y->values + 1);
	return number_cmp(gx->rank, gy->rank);
}

/* Keeps the rows of the groups, in order of time and rank, and makes total and other right. */
static void keep_groups(struct groups *g, const struct query_result *top, struct query_result *buckets)
{
	size_t kept = 0;
	struct measures sum = {0};
	for (size_t i = 0; i < buckets->row_count; i++) {
		if (!groups_get(g, buckets->rows[i].values + 1))
			continue;
		buckets->rows[kept] = buckets->rows[i];
		measures_add(&sum, &buckets->rows[kept++].m);
	}
	buckets->row_count = kept;
	buckets->has_other = top->has_other;
	buckets->other = top->other;
	buckets->total = top->total;
	if (top->has_other) {
		measures_add(&sum, &top->other);
		buckets->total = sum;
	}
	qsort_r(buckets->rows, kept, sizeof(*buckets->rows), row_cmp, g);
}

/* ---- the two queries ---- */

struct series {
	struct http_call *call;
	struct http_question *question;
	enum dimension by[QUERY_DIMS_MAX]; /* time first */
	size_t by_count;
};

/* Time and group for what the filter lets through: every row, or none and an error. */
static bool query_buckets(struct series *s, const struct filter *filter, struct query_result *ret)
{
	struct query q = s->question->query;
	memcpy(q.by, s->by, sizeof(q.by));
	q.by_count = s->by_count;
	q.filter = filter;
	q.sort = MEASURE_bytes_sent;
	q.ascending = false;
	q.limit = 0;
	if (!http_rows_query(s->call, &q, ret))
		return false;
	if (ret->row_count < QUERY_LIMIT_MAX)
		return true;
	query_result_done(ret);
	http_reply_error(s->call, 400,
		"more than %d rows: take a larger 'step', a shorter range or fewer dimensions", QUERY_LIMIT_MAX);
	return false;
}

static bool query_narrowed(struct series *s, struct groups *g, struct query_result *ret)
{
	struct filter *filter = NULL;
	if (narrow(g, s->question->filter_text, &filter) < 0) {
		/* Too many terms for one filter: all groups, then. */
		return query_buckets(s, s->question->filter, ret);
	}
	bool ok = query_buckets(s, filter, ret);
	filter_free(filter);
	return ok;
}

/* One attempt. *ret_again: the ranges differ; the question has been set to the wider one. */
static bool answer_groups(struct series *s, bool last_attempt, bool *ret_again)
{
	struct query *q = &s->question->query, whole = *q;
	struct query_result top, buckets;
	struct groups groups;
	*ret_again = false;
	whole.step_s = 0;
	if (!http_rows_query(s->call, &whole, &top))
		return false;
	bool ok = groups_init(&groups, q, &top);
	if (!ok)
		http_reply_error(s->call, 500, "out of memory");
	ok = ok && query_narrowed(s, &groups, &buckets);
	if (ok) {
		bool same = top.from_s == buckets.from_s && top.to_s == buckets.to_s;
		if (same || last_attempt) {
			keep_groups(&groups, &top, &buckets);
			http_rows_reply(s->call, s->question, s->by, s->by_count, &buckets);
		} else {
			q->from_s = buckets.from_s;
			q->to_s = buckets.to_s;
			*ret_again = true;
		}
		query_result_done(&buckets);
	}
	free(groups.list);
	query_result_done(&top);
	return ok;
}

static void answer_time(struct series *s)
{
	struct query_result buckets;
	if (!query_buckets(s, s->question->filter, &buckets))
		return;
	qsort_r(buckets.rows, buckets.row_count, sizeof(*buckets.rows), row_cmp, NULL);
	http_rows_reply(s->call, s->question, s->by, s->by_count, &buckets);
	query_result_done(&buckets);
}

void http_series(struct http_call *call)
{
	struct http_backend *backend = &call->server->backend;
	struct http_question question;
	if (!http_rows_question(call, QUESTION_SERIES, &question))
		return;
	struct series s = {.call = call, .question = &question, .by = {DIM_time}, .by_count = 1};
	for (size_t i = 0; i < question.query.by_count; i++)
		s.by[s.by_count++] = question.query.by[i];
	if (backend->settle)
		backend->settle(backend->ctx);
	if (s.by_count == 1)
		answer_time(&s);
	bool again = s.by_count > 1;
	for (int i = 1; again; i++)
		if (!answer_groups(&s, i == RANGE_ATTEMPTS, &again))
			break;
	question_done(&question);
}

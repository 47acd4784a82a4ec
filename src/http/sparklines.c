/* SPDX-License-Identifier: BSD-2-Clause */

/* Figures over time as lists, one place a bucket, for many values of one dimension in one answer: a table's small charts.
 * The values are given, or they are the first of the range by `sort`. */

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "http/rows.h"
#include "query/filter.h"
#include "query/rank.h"
#include "query/values.h"

#define CELLS_MAX 200000 /* lines times buckets */

struct lines {
	struct http_call *call;
	const struct http_question *q;
	const enum dimension *by; /* time, and the dimension */
	struct render render;
	const struct query_row *keys;
	size_t key_count;
	uint64_t start_s;
	size_t points;
	const struct measures **cells; /* by line, then by bucket; NULL: nothing */
	FILE *out;
};

static const struct measures nothing;

static const struct measures *cell(const struct lines *l, size_t line, size_t point)
{
	const struct measures *m = l->cells[line * l->points + point];
	return m ? m : &nothing;
}

/* Rows come in the order of time and then of the keys; some are not there. */
static int place(struct lines *l, const struct query_result *result)
{
	l->start_s = result->step_s ? result->from_s - result->from_s % result->step_s : 0;
	l->points = result->step_s ? (result->to_s - l->start_s + result->step_s - 1) / result->step_s : 0;
	if (l->points * l->key_count > CELLS_MAX)
		return -E2BIG;
	l->cells = calloc(l->points * l->key_count + 1, sizeof(const struct measures *));
	if (!l->cells)
		return -ENOMEM;
	size_t line = 0;
	uint64_t time = 0;
	for (size_t i = 0; i < result->row_count; i++) {
		const struct query_row *row = &result->rows[i];
		if (row->values[0].number != time)
			line = 0;
		time = row->values[0].number;
		while (value_cmp(dimension_table[l->by[1]].kind, &l->keys[line].values[0], &row->values[1]) != 0)
			line++;
		l->cells[line * l->points + (time - l->start_s) / result->step_s] = &row->m;
	}
	return 0;
}

static json_t *list_of(const struct lines *l, size_t line, int field)
{
	json_t *list = json_array();
	for (size_t p = 0; p < l->points; p++)
		if (json_array_append_new(list, render_field(&l->render, field, cell(l, line, p))) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int write_line(const struct lines *l, size_t line)
{
	json_t *obj = json_object();
	const struct dim_value *value = &l->keys[line].values[0];
	CLEANUP(free_p) char *name = render_name(&l->call->server->backend, l->by[1], value);
	int rc = json_object_set_new(obj, "key", render_value(l->by[1], value));
	rc |= json_object_set_new(obj, "name", name ? json_string(name) : json_null());
	for (int i = render_next_field(l->q->fields, 0); i >= 0; i = render_next_field(l->q->fields, i + 1))
		rc |= json_object_set_new(obj, render_field_name(i), list_of(l, line, i));
	if (rc) {
		json_decref(obj);
		obj = NULL;
	}
	return render_object_write(obj, l->out);
}

static int write_json(const struct lines *l, const struct query_result *result)
{
	char start[TIME_TEXT_MAX];
	http_rows_write_range(result->from_s, result->to_s, l->out);
	(void)fprintf(l->out, ",\"step\":%u,\"by\":\"%s\",\"start\":\"%s\",\"points\":%zu,\"rows\":[", result->step_s,
		dimension_table[l->by[1]].name, time_format(l->start_s * 1000, start), l->points);
	for (size_t i = 0; i < l->key_count; i++) {
		if (i)
			(void)fputc(',', l->out);
		int rc = write_line(l, i);
		if (rc < 0)
			return rc;
	}
	(void)fputs("]}", l->out);
	return 0;
}

static int write_csv(const struct lines *l, const struct query_result *result)
{
	render_csv_dimensions_header(&l->render, l->out);
	render_csv_figures_header(&l->render, "", l->out);
	(void)fputs("\r\n", l->out);
	for (size_t i = 0; i < l->key_count; i++)
		for (size_t p = 0; p < l->points; p++) {
			struct dim_value values[] = {{.known = true, .number = l->start_s + p * result->step_s}, l->keys[i].values[0]};
			if (render_csv_dimensions(&l->render, &(struct query_row){.values = values}, l->out) < 0)
				return -ENOMEM;
			render_csv_figures(&l->render, cell(l, i, p), l->out);
			(void)fputs("\r\n", l->out);
		}
	return 0;
}

static void reply(struct lines *l, const struct query_result *result)
{
	int rc = place(l, result);
	if (rc == -E2BIG) {
		http_reply_error(l->call, 400, "more than %d points: ask for fewer 'points', a larger 'step' or fewer values", CELLS_MAX);
		return;
	}
	l->out = rc == 0 ? http_reply_begin(l->call, 200, l->q->csv ? HTTP_TYPE_CSV : HTTP_TYPE_JSON) : NULL;
	if (l->out) {
		rc = l->q->csv ? write_csv(l, result) : write_json(l, result);
		http_reply_end(l->call, l->out);
	}
	if (rc < 0)
		http_reply_error(l->call, 500, "out of memory");
}

static void answer_keys(struct http_asking *a, const struct http_question *q, const struct query_row *keys, size_t key_count)
{
	enum dimension by[] = {DIM_time, q->query.by[0]};
	struct query lines = q->query;
	struct query_result result;
	lines.by[0] = by[0];
	lines.by[1] = by[1];
	lines.by_count = 2;
	lines.only = keys;
	lines.only_count = key_count;
	lines.keep_snapshot = false;
	if (!http_ask(a, &lines, &result))
		return;
	struct lines l = {
		.call = a->call,
		.q = q,
		.by = by,
		/* A share would need the sums by time. */
		.render = {by, 2, q->query.sort, &nothing, &a->call->server->backend, q->fields},
		.keys = keys,
		.key_count = key_count,
	};
	reply(&l, &result);
	free(l.cells);
	query_result_done(&result);
}

/* The values that were asked for, each once. */
static void answer_given(struct http_asking *a, const struct http_question *q)
{
	const struct store_filter *given = &q->keys->items[0];
	struct query_row keys[QUESTION_KEYS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < given->value_count; i++) {
		bool seen = false;
		for (size_t k = 0; k < count && !seen; k++)
			seen = value_cmp(dimension_table[given->dim].kind, keys[k].values, &given->values[i]) == 0;
		if (!seen)
			keys[count++] = (struct query_row){.values = &given->values[i]};
	}
	answer_keys(a, q, keys, count);
}

static void answer_first(struct http_asking *a, const struct http_question *q)
{
	struct query first = q->query;
	struct query_result result;
	first.step_s = first.points_max = 0;
	first.measures = rank_measures(first.sort);
	first.keep_snapshot = true;
	if (!http_ask(a, &first, &result))
		return;
	answer_keys(a, q, result.rows, result.row_count);
	query_result_done(&result);
}

void http_sparklines(struct http_call *call)
{
	struct http_question q;
	struct http_asking a;
	if (!http_rows_question(call, QUESTION_SPARKLINES, &q))
		return;
	if (http_asking_begin(call, &a)) {
		if (q.keys)
			answer_given(&a, &q);
		else
			answer_first(&a, &q);
		http_asking_end(&a);
	}
	question_done(&q);
}

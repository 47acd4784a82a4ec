/* SPDX-License-Identifier: BSD-2-Clause */

/* The same network by several routers or neighbours, with a verdict (query/compare.h). The store is asked once, for all networks by side. */

#include <errno.h>
#include <math.h>

#include "http/rows.h"
#include "query/compare.h"

static const char *const figure_names[COMPARE_FIGURES] = {[COMPARE_RETRANSMITS] = "retransmits", [COMPARE_RTT] = "rtt"};

struct answer {
	const struct http_question *q;
	const struct query_result *result;
	const struct compare *compare;
	struct render network, side; /* without the total that shares are of */
	FILE *out;
};

/* The row's sums, as far as there are any: a total. */
static struct measures row_total(const struct compare_row *row)
{
	return (struct measures){.v = {[MEASURE_bytes_sent] = row->bytes}};
}

static json_t *number_or_null(double v)
{
	return isnan(v) ? json_null() : json_real(v);
}

/* ---- JSON ---- */

static json_t *why_json(enum compare_why why)
{
	return why ? json_string(compare_why_texts[why]) : json_null();
}

/* What a side is said to be beside the best one: worse where that one is better. The best side has the network's verdict. */
static const char *side_verdict(const struct compare_row *row, uint32_t side, enum compare_figure figure)
{
	const struct compare_judgement *j = &row->sides[side].against_best[figure];
	if (row->best[figure] == (int)side)
		return compare_verdict_names[row->verdict[figure]];
	return j->verdict == COMPARE_BETTER ? "worse" : compare_verdict_names[j->verdict];
}

static enum compare_why side_why(const struct compare_row *row, uint32_t side, enum compare_figure figure)
{
	return row->best[figure] == (int)side ? row->why[figure] : row->sides[side].against_best[figure].why;
}

/* A side's own figure, and what comes of it. The difference is from the best side; null for that side itself. */
static json_t *side_figure(const struct compare_row *row, uint32_t side, enum compare_figure figure)
{
	const struct measures *m = &row->sides[side].m;
	const struct compare_judgement *j = &row->sides[side].against_best[figure];
	struct stats_interval own = compare_interval(figure, m);
	json_t *obj = json_object();
	int rc = json_object_set_new(obj, "value", number_or_null(compare_value(figure, m)));
	rc |= json_object_set_new(obj, "low", number_or_null(own.low));
	rc |= json_object_set_new(obj, "high", number_or_null(own.high));
	rc |= json_object_set_new(obj, "verdict", json_string(side_verdict(row, side, figure)));
	rc |= json_object_set_new(obj, "why", why_json(side_why(row, side, figure)));
	rc |= json_object_set_new(obj, "difference", number_or_null(j->difference));
	rc |= json_object_set_new(obj, "difference_low", number_or_null(j->within.low));
	rc |= json_object_set_new(obj, "difference_high", number_or_null(j->within.high));
	if (rc) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

static json_t *side_json(const struct answer *a, const struct compare_row *row, uint32_t side)
{
	struct measures total = row_total(row);
	struct render render = a->side;
	render.total = &total;
	json_t *obj = render_json(&render, &(struct query_row){&row->sides[side].value, row->sides[side].m});
	int rc = !obj;
	for (int f = 0; f < COMPARE_FIGURES; f++)
		rc |= json_object_set_new(obj, figure_names[f], side_figure(row, side, (enum compare_figure)f));
	if (rc) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

/* The best side is told where it is better than another one. */
static json_t *row_figure(const struct answer *a, const struct compare_row *row, enum compare_figure figure)
{
	json_t *obj = json_object();
	bool better = row->verdict[figure] == COMPARE_BETTER;
	int rc = json_object_set_new(obj, "verdict", json_string(compare_verdict_names[row->verdict[figure]]));
	rc |= json_object_set_new(obj, "best", better ? render_value(*a->side.by, &row->sides[row->best[figure]].value) : json_null());
	rc |= json_object_set_new(obj, "why", why_json(row->why[figure]));
	if (rc) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

static json_t *row_json(const struct answer *a, const struct compare_row *row)
{
	json_t *obj = render_json(&a->network, &(struct query_row){&row->network, row_total(row)}), *sides = json_array();
	int rc = json_object_set_new(obj, "at_stake_bytes", json_integer((json_int_t)row->at_stake));
	for (int f = 0; f < COMPARE_FIGURES; f++)
		rc |= json_object_set_new(obj, figure_names[f], row_figure(a, row, (enum compare_figure)f));
	for (uint32_t i = 0; i < row->side_count; i++)
		rc |= json_array_append_new(sides, side_json(a, row, i));
	rc |= json_object_set_new(obj, "sides", sides);
	rc |= json_object_set_new(obj, "sides_left_out", json_integer(row->left_out));
	if (rc) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

/* How many networks have which verdict, shown or not. */
static int write_counts(const struct answer *a)
{
	const struct compare *c = a->compare;
	json_t *obj = json_object();
	int rc = json_object_set_new(obj, "compared", json_integer((json_int_t)c->networks));
	rc |= json_object_set_new(obj, "bytes_sent", json_integer((json_int_t)c->bytes));
	rc |= json_object_set_new(obj, "at_stake_bytes", json_integer((json_int_t)c->at_stake));
	for (int f = 0; f < COMPARE_FIGURES; f++) {
		json_t *counts = json_object();
		for (int v = 0; v < COMPARE_VERDICTS; v++)
			rc |= json_object_set_new(counts, compare_verdict_names[v], json_integer((json_int_t)c->verdicts[f][v]));
		rc |= json_object_set_new(obj, figure_names[f], counts);
	}
	if (rc) {
		json_decref(obj);
		obj = NULL;
	}
	(void)fputs(",\"networks\":", a->out);
	return render_object_write(obj, a->out);
}

static int write_json(const struct answer *a)
{
	http_rows_write_range(a->result->from_s, a->result->to_s, a->out);
	(void)fprintf(a->out, ",\"by\":\"%s\",\"between\":\"%s\",\"rows\":[", dimension_table[*a->network.by].name, dimension_table[*a->side.by].name);
	int rc = 0;
	for (size_t i = 0; i < a->compare->row_count && rc == 0; i++) {
		(void)fputs(i ? "," : "", a->out);
		rc = render_object_write(row_json(a, &a->compare->rows[i]), a->out);
	}
	(void)fputs("]", a->out);
	rc = rc ? rc : write_counts(a);
	(void)fprintf(a->out, ",\"total\":{\"bytes_sent\":%llu}}", (unsigned long long)a->result->total.v[MEASURE_bytes_sent]);
	return rc;
}

/* ---- CSV ---- */

static void write_csv_number(double v, FILE *out)
{
	(void)fputc(',', out);
	if (!isnan(v))
		(void)fprintf(out, "%.17g", v);
}

static void write_csv_figure(const struct compare_row *row, uint32_t side, enum compare_figure figure, FILE *out)
{
	const struct compare_judgement *j = &row->sides[side].against_best[figure];
	struct stats_interval own = compare_interval(figure, &row->sides[side].m);
	enum compare_why why = side_why(row, side, figure);
	write_csv_number(compare_value(figure, &row->sides[side].m), out);
	write_csv_number(own.low, out);
	write_csv_number(own.high, out);
	(void)fprintf(out, ",%s,%s", side_verdict(row, side, figure), why ? compare_why_texts[why] : "");
	write_csv_number(j->difference, out);
	write_csv_number(j->within.low, out);
	write_csv_number(j->within.high, out);
}

static int write_csv_side(const struct answer *a, const struct compare_row *row, uint32_t side)
{
	struct measures total = row_total(row);
	struct render render = a->side;
	render.total = &total;
	if (render_csv_dimensions(&a->network, &(struct query_row){.values = &row->network}, a->out) < 0 ||
		render_csv_dimensions(&render, &(struct query_row){.values = &row->sides[side].value}, a->out) < 0)
		return -ENOMEM;
	render_csv_figures(&render, &row->sides[side].m, a->out);
	for (int f = 0; f < COMPARE_FIGURES; f++)
		write_csv_figure(row, side, (enum compare_figure)f, a->out);
	(void)fputs("\r\n", a->out);
	return 0;
}

/* A line a side. */
static int write_csv(const struct answer *a)
{
	static const char *const columns[] = {"value", "low", "high", "verdict", "why", "difference", "difference_low", "difference_high"};
	render_csv_dimensions_header(&a->network, a->out);
	render_csv_dimensions_header(&a->side, a->out);
	render_csv_figures_header(&a->side, "", a->out);
	for (int f = 0; f < COMPARE_FIGURES; f++)
		for (size_t i = 0; i < ARRAY_LEN(columns); i++)
			(void)fprintf(a->out, ",%s_%s", figure_names[f], columns[i]);
	(void)fputs("\r\n", a->out);
	for (size_t i = 0; i < a->compare->row_count; i++)
		for (uint32_t k = 0; k < a->compare->rows[i].side_count; k++)
			if (write_csv_side(a, &a->compare->rows[i], k) < 0)
				return -ENOMEM;
	return 0;
}

/* ---- the answer ---- */

static int write_answer(void *ctx, FILE *out)
{
	struct answer *a = ctx;
	a->out = out;
	return a->q->csv ? write_csv(a) : write_json(a);
}

static void reply(struct http_call *call, const struct http_question *q, const struct query_result *result, const struct compare *compare)
{
	const struct http_backend *backend = &call->server->backend;
	const struct query *query = &q->query;
	struct answer a = {
		.q = q,
		.result = result,
		.compare = compare,
		.network = {&query->by[0], 1, query->sort, &result->total, backend, MEASURE_BIT(MEASURE_bytes_sent)},
		.side = {&query->by[1], 1, query->sort, NULL, backend, q->fields},
	};
	http_rows_reply_by(call, q, write_answer, &a);
}

struct making {
	uint32_t limit;
	struct compare compare;
};

static int make(void *ctx, const struct query_groups *all)
{
	struct making *m = ctx;
	return compare_make(all, m->limit, &m->compare);
}

void http_compare(struct http_call *call)
{
	struct http_question q;
	struct query_result result;
	if (!http_rows_question(call, QUESTION_COMPARE, &q))
		return;
	struct making making = {.limit = q.query.limit};
	struct query query = q.query;
	query.measures |= compare_measures();
	query.limit = 1; /* the rows are made of all groups */
	query.shared = true;
	query.all = make;
	query.all_ctx = &making;
	if (http_ask_once(call, &query, &result)) {
		reply(call, &q, &result, &making.compare);
		query_result_done(&result);
	}
	compare_done(&making.compare);
	question_done(&q);
}

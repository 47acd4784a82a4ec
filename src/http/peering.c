/* SPDX-License-Identifier: BSD-2-Clause */

/* Whom to peer with: origins to which traffic goes by transit (query/peering.h). The store is asked once, for all origins by neighbour and
 * router. */

#include <errno.h>
#include <string.h>

#include "http/rows.h"
#include "query/peering.h"

static const enum dimension by[] = {DIM_origin, DIM_neighbour, DIM_router};

struct answer {
	const struct http_question *q;
	const struct query_result *result;
	const struct peering *peering;
	struct render sums, origin, neighbour; /* figures alone, and of a row of each */
	FILE *out;
};

/* ---- JSON ---- */

static json_t *figures(const struct answer *a, const struct measures *m)
{
	return render_json(&a->sums, &(struct query_row){.m = *m});
}

/* "routers" and how many of them are not told. */
static int set_routers(json_t *obj, const struct peering_routers *routers)
{
	json_t *names = json_array();
	int rc = 0;
	for (uint32_t i = 0; i < routers->count; i++)
		rc |= json_array_append_new(names, render_value(DIM_router, &routers->names[i]));
	rc |= json_object_set_new(obj, "routers", names);
	return rc | json_object_set_new(obj, "routers_left_out", json_integer(routers->left_out));
}

/* Shares are of what goes there by transit. */
static json_t *ways_json(const struct answer *a, const struct peering_row *row)
{
	struct render render = a->neighbour;
	json_t *ways = json_array();
	int rc = 0;
	render.total = &row->transit;
	for (uint32_t i = 0; i < row->way_count; i++)
		rc |= json_array_append_new(ways, render_json(&render, &(struct query_row){&row->ways[i].neighbour, row->ways[i].m}));
	if (rc) {
		json_decref(ways);
		return NULL;
	}
	return ways;
}

static json_t *direct_json(const struct answer *a, const struct peering_row *row)
{
	if (measures_zero(&row->direct))
		return json_null();
	json_t *obj = figures(a, &row->direct);
	if (set_routers(obj, &row->direct_by)) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

static json_t *row_json(const struct answer *a, const struct peering_row *row)
{
	json_t *obj = render_json(&a->origin, &(struct query_row){&row->origin, row->transit});
	int rc = set_routers(obj, &row->by);
	rc |= json_object_set_new(obj, "transit", ways_json(a, row));
	rc |= json_object_set_new(obj, "transit_left_out", json_integer(row->other_count));
	rc |= json_object_set_new(obj, "direct", direct_json(a, row));
	if (rc) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

static int write_sums(const struct answer *a, const char *name, const struct measures *m)
{
	(void)fprintf(a->out, ",\"%s\":", name);
	return render_object_write(figures(a, m), a->out);
}

static int write_json(const struct answer *a)
{
	int rc = 0;
	http_rows_write_range(a->result->from_s, a->result->to_s, a->out);
	(void)fprintf(a->out, ",\"origins\":%llu,\"rows\":[", (unsigned long long)a->peering->origins);
	for (size_t i = 0; i < a->peering->row_count && rc == 0; i++) {
		(void)fputs(i ? "," : "", a->out);
		rc = render_object_write(row_json(a, &a->peering->rows[i]), a->out);
	}
	(void)fputc(']', a->out);
	rc = rc ? rc : write_sums(a, "transit", &a->peering->transit);
	rc = rc ? rc : write_sums(a, "total", &a->result->total);
	(void)fputc('}', a->out);
	return rc;
}

/* ---- CSV ---- */

/* A line a neighbour; what goes there directly, which is of the origin, stands on each. */
static int write_csv(const struct answer *a)
{
	render_csv_dimensions_header(&a->origin, a->out);
	render_csv_dimensions_header(&a->neighbour, a->out);
	render_csv_figures_header(&a->neighbour, "", a->out);
	(void)fputs(",direct_bytes_sent\r\n", a->out);
	for (size_t i = 0; i < a->peering->row_count; i++) {
		const struct peering_row *row = &a->peering->rows[i];
		struct render render = a->neighbour;
		render.total = &row->transit;
		for (uint32_t k = 0; k < row->way_count; k++) {
			const struct peering_way *way = &row->ways[k];
			if (render_csv_dimensions(&a->origin, &(struct query_row){.values = &row->origin}, a->out) < 0 ||
				render_csv_dimensions(&render, &(struct query_row){.values = &way->neighbour}, a->out) < 0)
				return -ENOMEM;
			render_csv_figures(&render, &way->m, a->out);
			(void)fprintf(a->out, ",%llu\r\n", (unsigned long long)row->direct.v[MEASURE_bytes_sent]);
		}
	}
	return 0;
}

/* ---- the answer ---- */

static int write_answer(void *ctx, FILE *out)
{
	struct answer *a = ctx;
	a->out = out;
	return a->q->csv ? write_csv(a) : write_json(a);
}

static void reply(struct http_call *call, const struct http_question *q, const struct query_result *result, const struct peering *peering)
{
	struct render sums = {NULL, 0, q->query.sort, &result->total, &call->server->backend, q->fields};
	struct answer a = {
		.q = q,
		.result = result,
		.peering = peering,
		.sums = sums,
		.origin = sums,
		.neighbour = sums,
	};
	a.origin.by = &by[0];
	a.neighbour.by = &by[1];
	a.origin.by_count = a.neighbour.by_count = 1;
	http_rows_reply_by(call, q, write_answer, &a);
}

struct making {
	uint32_t limit;
	struct peering peering;
};

static int make(void *ctx, const struct query_groups *all)
{
	struct making *m = ctx;
	return peering_make(all, m->limit, &m->peering);
}

void http_peering(struct http_call *call)
{
	struct http_question q;
	struct query_result result;
	if (!http_rows_question(call, QUESTION_PEERING, &q))
		return;
	struct making making = {.limit = q.query.limit};
	struct query query = q.query;
	memcpy(query.by, by, sizeof(by));
	query.by_count = ARRAY_LEN(by);
	query.limit = 1; /* the rows are made of all groups */
	query.all = make;
	query.all_ctx = &making;
	if (http_ask_once(call, &query, &result)) {
		reply(call, &q, &result, &making.peering);
		query_result_done(&result);
	}
	peering_done(&making.peering);
	question_done(&q);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* The paths that carry the most, and the flow of all traffic over them (query/flows.h). The store is asked once, for every
 * router and path with the few measures that are shown. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/rows.h"
#include "http/table.h"
#include "query/flows.h"
#include "query/rank.h"

static const enum dimension by[] = {DIM_router, DIM_path};
static const char *const stage_names[STAGE_COUNT] = {"router", "neighbour", "transit", "origin"};

struct answer {
	struct http_call *call;
	const struct http_question *q;
	const struct query_result *result;
	const struct flows *flows;
	struct render render;
	FILE *out;
};

/* An AS as a value; 0: unknown. */
static struct dim_value as_value(uint32_t as)
{
	return (struct dim_value){.known = as, .number = as};
}

static json_t *as_name(const struct answer *a, uint32_t as)
{
	struct dim_value v = as_value(as);
	return render_name_json(&a->call->server->backend, DIM_origin, &v);
}

/* Ends an object with the figures and lets it go. bad: it could not be made whole. */
static int write_with_figures(const struct answer *a, json_t *take_obj, int bad, const struct measures *m)
{
	json_t *figures = render_json(&a->render, &(struct query_row){.m = *m});
	bad |= json_object_update_missing(take_obj, figures);
	json_decref(figures);
	if (bad) {
		json_decref(take_obj);
		take_obj = NULL;
	}
	return render_object_write(take_obj, a->out);
}

/* ---- rows ---- */

/* Also where the path leads, which the figures follow. */
static int write_path(const struct answer *a, const struct query_row *row)
{
	json_t *obj = json_object();
	const struct dim_value *path = &row->values[1];
	int rc = json_object_set_new(obj, "router", render_value(DIM_router, &row->values[0]));
	rc |= json_object_set_new(obj, "path", render_value(DIM_path, path));
	for (int stage = STAGE_NEIGHBOUR; stage < STAGE_COUNT; stage++)
		rc |= json_object_set_new(obj, stage_names[stage], render_as(flows_as((enum flows_stage)stage, path)));
	rc |= json_object_set_new(obj, "hops", table_hops(a->call, path));
	return write_with_figures(a, obj, rc, &row->m);
}

/* ---- the graph ---- */

/* Whether a name could be taken for one of an id's words, or for a quoted name. */
static bool needs_quotes(const char *name)
{
	return *name == '"' || strcmp(name, "null") == 0 || strcmp(name, "other") == 0;
}

/* "router:edge1", "transit:64500", "origin:null", "origin:other": to be freed. A router of such a name is in quotes. */
static char *node_id(const struct flows_node *n)
{
	enum dimension dim = n->stage == STAGE_ROUTER ? DIM_router : DIM_origin;
	char *id = NULL;
	if (n->other)
		return asprintf(&id, "%s:other", stage_names[n->stage]) < 0 ? NULL : id;
	CLEANUP(free_p) char *text = render_text(dim, &n->value);
	const char *quote = text && n->value.known && needs_quotes(text) ? "\"" : "";
	if (!text || asprintf(&id, "%s:%s%s%s", stage_names[n->stage], quote, n->value.known ? text : "null", quote) < 0)
		return NULL;
	return id;
}

static int add_text(json_t *obj, const char *key, char *take_text)
{
	CLEANUP(free_p) char *text = take_text;
	return json_object_set_new(obj, key, text ? render_string(text) : NULL);
}

static json_t *node_value(const struct flows_node *n)
{
	if (!n->value.known) /* also of the others */
		return json_null();
	return n->stage == STAGE_ROUTER ? render_value(DIM_router, &n->value) : render_as((uint32_t)n->value.number);
}

static int write_node(const struct answer *a, const struct flows_node *n)
{
	json_t *obj = json_object();
	int rc = add_text(obj, "id", node_id(n));
	rc |= json_object_set_new(obj, "stage", json_string(stage_names[n->stage]));
	rc |= json_object_set_new(obj, "value", node_value(n));
	rc |= json_object_set_new(obj, "name", n->stage == STAGE_ROUTER || n->other ? json_null()
											     : as_name(a, (uint32_t)n->value.number));
	rc |= json_object_set_new(obj, "other", json_boolean(n->other));
	return write_with_figures(a, obj, rc, &n->m);
}

static int write_link(const struct answer *a, const struct flows_link *l)
{
	json_t *obj = json_object();
	int rc = add_text(obj, "source", node_id(&a->flows->nodes[l->from]));
	rc |= add_text(obj, "target", node_id(&a->flows->nodes[l->to]));
	return write_with_figures(a, obj, rc, &l->m);
}

/* ---- the answer ---- */

static int write_sums(const struct answer *a, const char *name, const struct measures *m)
{
	(void)fprintf(a->out, ",\"%s\":", name);
	return render_json_write(&a->render, &(struct query_row){.m = *m}, a->out);
}

static int write_json(const struct answer *a)
{
	int rc = 0;
	http_rows_write_range(a->result->from_s, a->result->to_s, a->out);
	(void)fputs(",\"rows\":[", a->out);
	for (size_t i = 0; i < a->result->row_count && rc == 0; i++) {
		(void)fputs(i ? "," : "", a->out);
		rc = write_path(a, &a->result->rows[i]);
	}
	(void)fputs("]", a->out);
	rc = rc ? rc : write_sums(a, "total", &a->result->total);
	rc = rc ? rc : write_sums(a, "other", &a->result->other);
	(void)fputs(",\"nodes\":[", a->out);
	for (size_t i = 0; i < a->flows->node_count && rc == 0; i++) {
		(void)fputs(i ? "," : "", a->out);
		rc = write_node(a, &a->flows->nodes[i]);
	}
	(void)fputs("],\"links\":[", a->out);
	for (size_t i = 0; i < a->flows->link_count && rc == 0; i++) {
		(void)fputs(i ? "," : "", a->out);
		rc = write_link(a, &a->flows->links[i]);
	}
	(void)fputs("]}", a->out);
	return rc;
}

/* The paths alone. */
static int write_csv(const struct answer *a)
{
	(void)fputs("router,path,neighbour,transit,origin,", a->out);
	render_csv_figures_header(&a->render, "", a->out);
	(void)fputs("\r\n", a->out);
	for (size_t i = 0; i < a->result->row_count; i++) {
		const struct query_row *row = &a->result->rows[i];
		if (render_csv_dimensions(&a->render, row, a->out) < 0)
			return -ENOMEM;
		for (int stage = STAGE_NEIGHBOUR; stage < STAGE_COUNT; stage++) {
			struct dim_value as = as_value(flows_as((enum flows_stage)stage, &row->values[1]));
			if (render_csv_value(DIM_origin, &as, a->out) < 0)
				return -ENOMEM;
			(void)fputc(',', a->out);
		}
		render_csv_figures(&a->render, &row->m, a->out);
		(void)fputs("\r\n", a->out);
	}
	return 0;
}

static int write_answer(void *ctx, FILE *out)
{
	struct answer *a = ctx;
	a->out = out;
	return a->q->csv ? write_csv(a) : write_json(a);
}

static void reply(struct http_call *call, const struct http_question *q, const struct query_result *result,
	const struct flows *flows)
{
	struct answer a = {
		.call = call,
		.q = q,
		.result = result,
		.flows = flows,
		.render = {by, ARRAY_LEN(by), q->query.sort, &result->total, &call->server->backend, q->fields},
	};
	http_rows_reply_by(call, q, write_answer, &a);
}

struct graph {
	const struct http_question *q;
	struct flows flows;
};

static int make_graph(void *ctx, const struct query_groups *all)
{
	struct graph *g = ctx;
	return flows_make(all, g->q->query.sort, g->q->nodes, &g->flows);
}

void http_paths(struct http_call *call)
{
	struct http_question q;
	struct query_result result;
	if (!http_rows_question(call, QUESTION_PATHS, &q))
		return;
	struct graph graph = {.q = &q};
	struct query query = q.query;
	memcpy(query.by, by, sizeof(by));
	query.by_count = ARRAY_LEN(by);
	query.all = make_graph;
	query.all_ctx = &graph;
	if (http_ask_once(call, &query, &result)) {
		reply(call, &q, &result, &graph.flows);
		query_result_done(&result);
	}
	flows_done(&graph.flows);
	question_done(&q);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* What happened when (query/incidents.h), in one view of the store where it can do that. The routers and ASes with the most that was sent
 * again are looked at; each kind of line is one question over time. Only when two or more incidents are found the sums of every
 * router and path are asked for, which tell which is in which. Buckets are wide enough that such a question reads no more than
 * some millions of rows: of minutes, of hours, of days by the length of the range that has traffic. Last the changes of paths are read, the newest so many. */

#include "http/incidents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/rows.h"
#include "http/since.h"
#include "http/table.h"
#include "query/filter.h"

#define CHANGES_MAX 20000

static const struct {
	uint32_t range_s, step_s; /* up to so long a range */
} widths[] = {{2 * 3600, 60}, {8 * 3600, 300}, {3 * 86400 + 3600, 3600}, {UINT32_MAX, 86400}};

struct asked {
	struct http_call *call;
	const struct http_question *q;
	struct http_asking asking;
	uint64_t since_s; /* the first traffic that there is; 0: none */
	struct query_result routers, vias; /* the largest; what is covered */
	struct query_result everything;    /* over time */
	struct incident_lines lines;
	struct incidents found;
	struct incident_moves moves;
	enum { CHANGES_ALL, CHANGES_NEWEST, CHANGES_NONE } changes;
	struct incidents_said said;
	struct render render;
	FILE *out;
};

/* ---- asking ---- */

/* No narrower. */
static uint32_t width_of(uint64_t range_s)
{
	size_t i = 0;
	while (range_s > widths[i].range_s && i + 1 < ARRAY_LEN(widths))
		i++;
	uint32_t step_s = widths[i].step_s;
	while (range_s / step_s + 2 > STRETCH_BUCKETS_MAX) /* of days, some years */
		step_s *= 2;
	return step_s;
}

static bool out_of_memory(struct asked *a)
{
	http_reply_error(a->call, 500, "out of memory");
	return false;
}

static bool ask_most(struct asked *a, enum dimension dim, size_t limit, struct query_result *ret)
{
	struct query most = a->q->query;
	most.by[0] = dim;
	most.by_count = 1;
	most.sort = MEASURE_packets_retransmitted;
	most.limit = (uint32_t)limit;
	most.measures = MEASURE_BIT(MEASURE_packets_retransmitted);
	most.keep_snapshot = true;
	return http_ask(&a->asking, &most, ret);
}

/* The question over time of what there is of the range. Nothing before the first traffic is looked at: a short past has narrow buckets in a long
 * range, too. */
static struct query over_time(const struct asked *a)
{
	struct query q = a->q->query;
	q.by[0] = DIM_time;
	q.by_count = 1;
	q.from_s = a->since_s > a->routers.from_s && a->since_s < a->routers.to_s ? a->since_s : a->routers.from_s;
	q.to_s = a->routers.to_s;
	q.exact_range = true;
	q.limit = 0;
	q.keep_snapshot = true;
	return q;
}

/* In buckets as wide as the length asks for, or as they are kept so long ago. */
static bool ask_everything(struct asked *a)
{
	struct query q = over_time(a);
	q.points_max = STRETCH_BUCKETS_MAX;
	q.step_min_s = width_of(q.to_s - q.from_s);
	return http_ask(&a->asking, &q, &a->everything);
}

/* The bucket that is still filling would look like an end. */
static size_t set_buckets(struct asked *a)
{
	uint64_t now_s = clock_wall_ms() / 1000, to_s = a->routers.to_s < now_s ? a->routers.to_s : now_s;
	uint32_t step_s = a->everything.step_s;
	uint64_t start_s = a->everything.from_s - a->everything.from_s % step_s;
	a->said = (struct incidents_said){.start_s = start_s, .to_s = a->routers.to_s, .step_s = step_s, .over = a->routers.to_s + step_s <= now_s,
		.backend = &a->call->server->backend};
	size_t points = to_s > start_s ? (to_s - start_s) / step_s : 0;
	return points < STRETCH_BUCKETS_MAX ? points : STRETCH_BUCKETS_MAX;
}

static bool choose_lines(struct asked *a)
{
	if (!since_ask(&a->asking, &a->since_s) || !ask_most(a, DIM_router, INCIDENTS_ROUTERS_MAX + 1, &a->routers) ||
		!ask_most(a, DIM_via, INCIDENTS_ASES_MAX + 1, &a->vias) || !ask_everything(a))
		return false;
	size_t points = set_buckets(a);
	return incident_lines_make(&a->routers, &a->vias, points, &a->lines) == 0 || out_of_memory(a);
}

static void set_bucket(struct asked *a, size_t line, const struct query_row *row)
{
	uint64_t time_s = row->values[0].number, bucket = (time_s - a->said.start_s) / a->said.step_s;
	if (time_s >= a->said.start_s && bucket < a->lines.points)
		a->lines.list[line].buckets[bucket] = row->m;
}

/* The lines first..first + count of one dimension over time. Rows come by time, and of one time in the order of the lines, of which some may
 * be missing. False: the reply says why not. */
static bool ask_times(struct asked *a, size_t first, size_t count)
{
	struct query_row keys[INCIDENTS_LINES_MAX];
	struct query q = over_time(a);
	struct query_result result;
	enum dimension dim = a->lines.list[first].dim;
	q.by[q.by_count++] = dim;
	q.step_s = a->said.step_s;
	q.only = keys;
	for (size_t i = 0; i < count; i++)
		keys[q.only_count++] = (struct query_row){.values = &a->lines.list[first + i].value};
	if (!http_ask(&a->asking, &q, &result))
		return false;
	size_t at = 0;
	for (size_t i = 0; i < result.row_count; i++) {
		const struct query_row *row = &result.rows[i];
		if (i == 0 || row->values[0].number != result.rows[i - 1].values[0].number)
			at = 0;
		while (at < count && value_cmp(dimension_table[dim].kind, &keys[at].values[0], &row->values[1]) != 0)
			at++;
		if (at < count)
			set_bucket(a, first + at, row);
	}
	query_result_done(&result);
	return true;
}

static int share(void *ctx, const struct query_groups *all)
{
	return incident_lines_share(ctx, all);
}

static bool ask_paths(struct asked *a)
{
	struct query paths = a->q->query;
	struct query_result none;
	paths.by[0] = DIM_router;
	paths.by[1] = DIM_path;
	paths.by_count = 2;
	paths.limit = 1;
	paths.measures = MEASURE_BIT(MEASURE_packets_sent);
	paths.sort = MEASURE_packets_sent;
	paths.all = share;
	paths.all_ctx = &a->lines;
	paths.keep_snapshot = true;
	if (!http_ask(&a->asking, &paths, &none))
		return false;
	query_result_done(&none);
	return true;
}

static bool ask_lines(struct asked *a)
{
	size_t routers = a->lines.router_count, ases = a->lines.count - 1 - routers;
	for (size_t i = 0; i < a->everything.row_count; i++)
		set_bucket(a, 0, &a->everything.rows[i]);
	if ((routers && !ask_times(a, 1, routers)) || (ases && !ask_times(a, 1 + routers, ases)))
		return false;
	if (incidents_find(&a->lines, &a->found) < 0)
		return out_of_memory(a);
	if (a->found.found_count > 1 && !ask_paths(a))
		return false;
	return incidents_settle(&a->lines, &a->found) == 0 || out_of_memory(a);
}

static int on_change(void *ctx, const struct store_change *c)
{
	return incident_moves_add(ctx, c);
}

static bool ask_changes(struct asked *a)
{
	struct error err = {.text = "out of memory"};
	struct store_change_query q = {.from_ms = a->q->query.from_s * 1000, .to_ms = a->q->query.to_s * 1000, .limit = CHANGES_MAX,
		.deadline_ns = a->q->query.deadline_ns};
	incident_moves_init(&a->moves);
	if (filter_beside(a->q->filter, FILTER_ROUTE_DIMENSIONS) != DIMENSION_COUNT) {
		a->changes = CHANGES_NONE;
		return true;
	}
	int r = query_changes(a->asking.reader, &q, a->q->filter, on_change, &a->moves, &err);
	uint64_t read = 0;
	for (size_t i = 0; i < a->moves.count; i++)
		read += a->moves.list[i].changes;
	a->changes = r == -E2BIG || read >= CHANGES_MAX ? CHANGES_NEWEST : CHANGES_ALL;
	incident_moves_sort(&a->moves);
	if (r >= 0 || r == -E2BIG)
		return true;
	a->asking.sound = http_rows_status(r) != 500;
	http_reply_error(a->call, http_rows_status(r), "%s", err.text);
	return false;
}

/* ---- what is answered: the incidents, and of the moves those that go with one and the largest ---- */

struct event {
	const struct incident *incident; /* or: */
	const struct incident_move *move;
	uint64_t begin_ms; /* 0: before the range */
	bool wanted;       /* the move goes with an incident */
};

struct events {
	struct event *list;
	size_t count;
};

static bool go_together(const struct asked *a, const struct event *x, const struct event *y)
{
	if (x->incident && y->move)
		return incident_goes_with(x->incident, y->move, a->said.start_s, a->said.step_s);
	return x->move && y->incident && incident_goes_with(y->incident, x->move, a->said.start_s, a->said.step_s);
}

/* The more there is to say of it, the earlier. */
static int by_weight(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	if (!x->incident != !y->incident)
		return x->incident ? -1 : 1;
	if (x->wanted != y->wanted)
		return x->wanted ? -1 : 1;
	double weight_x = x->incident ? x->incident->excess : x->move->changes, weight_y = y->incident ? y->incident->excess : y->move->changes;
	return (weight_x < weight_y) - (weight_x > weight_y);
}

static int latest_first(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	return (x->begin_ms < y->begin_ms) - (x->begin_ms > y->begin_ms);
}

static bool choose_events(const struct asked *a, struct events *ret)
{
	size_t count = a->found.count + a->moves.count, n = 0;
	ret->list = calloc(count + 1, sizeof(*ret->list));
	if (!ret->list)
		return false;
	for (size_t i = 0; i < a->found.count; i++) {
		const struct incident *x = &a->found.list[i];
		ret->list[n++] = (struct event){.incident = x, .begin_ms = x->before ? 0 : (a->said.start_s + x->from * a->said.step_s) * 1000};
	}
	for (size_t i = 0; i < a->moves.count; i++) {
		struct event e = {.move = &a->moves.list[i], .begin_ms = a->moves.list[i].from_ms};
		for (size_t k = 0; k < a->found.count && !e.wanted; k++)
			e.wanted = go_together(a, &ret->list[k], &e);
		ret->list[n++] = e;
	}
	qsort(ret->list, n, sizeof(*ret->list), by_weight);
	ret->count = n < a->q->query.limit ? n : a->q->query.limit;
	qsort(ret->list, ret->count, sizeof(*ret->list), latest_first);
	return true;
}

/* ---- a row ---- */

static json_t *name_of(const struct asked *a, enum dimension dim, const struct dim_value *v)
{
	return render_name_json(&a->call->server->backend, dim, v);
}

static json_t *as_name(const struct asked *a, uint32_t as)
{
	return name_of(a, DIM_via, &(struct dim_value){.known = as, .number = as});
}

static json_t *string_of(char *take_text)
{
	CLEANUP(free_p) char *text = take_text;
	return render_string(text);
}

static json_t *filter_of(enum dimension dim, const struct dim_value *v)
{
	return string_of(dim == INCIDENT_EVERYTHING ? strdup("") : render_term(dim, v));
}

/* dim, value, name: null for everything. */
static json_t *line_json(const struct asked *a, const struct incident_line *l)
{
	if (l->dim == INCIDENT_EVERYTHING)
		return json_pack("{s:n, s:n, s:n}", "dim", "value", "name");
	return json_pack("{s:s, s:o, s:o}", "dim", dimension_table[l->dim].name, "value", render_value(l->dim, &l->value), "name",
		name_of(a, l->dim, &l->value));
}

static json_t *also_of(const struct asked *a, const struct incident *i)
{
	json_t *list = json_array();
	for (size_t k = 0; k < i->also_count; k++)
		if (json_array_append_new(list, line_json(a, i->also[k])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *figures(const struct asked *a, const struct measures *m)
{
	return render_json(&a->render, &(struct query_row){.m = *m});
}

/* Of all that was sent again in its time. */
static json_t *share_of(const struct incident *i)
{
	double all = (double)i->all.v[MEASURE_packets_retransmitted];
	return i->kind == INCIDENT_LOSS && all > 0 ? json_real((double)i->in.v[MEASURE_packets_retransmitted] / all) : json_null();
}

static json_t *incident_json(const struct asked *a, const struct incident *i)
{
	uint64_t begin_s = a->said.start_s + i->from * a->said.step_s, end_s = a->said.start_s + i->to * a->said.step_s;
	json_t *row = json_pack("{s:s, s:o, s:o}", "kind", i->kind == INCIDENT_LOSS ? "loss" : "rtt", "begin", render_time(i->before ? 0 : begin_s * 1000),
		"end", render_time(i->beyond ? 0 : end_s * 1000));
	json_t *line = line_json(a, i->line);
	int rc = json_object_update(row, line);
	json_decref(line);
	rc |= json_object_set_new(row, "filter", filter_of(i->line->dim, &i->line->value));
	rc |= json_object_set_new(row, "inside", figures(a, &i->in));
	rc |= json_object_set_new(row, "outside", figures(a, &i->out));
	rc |= json_object_set_new(row, "retransmit_share", share_of(i));
	rc |= json_object_set_new(row, "excess", json_integer((json_int_t)i->excess));
	rc |= json_object_set_new(row, "also", also_of(a, i));
	rc |= json_object_set_new(row, "verdict", string_of(incidents_verdict(&a->said, i)));
	if (!rc)
		return row;
	json_decref(row);
	return NULL;
}

static json_t *move_json(const struct asked *a, const struct incident_move *m)
{
	json_t *row = json_pack("{s:s, s:o, s:o, s:s, s:o, s:n, s:o}", "kind", "path", "begin", render_time(m->from_ms), "end", render_time(m->to_ms),
		"dim", "router", "value", render_value(DIM_router, &m->router), "name", "filter", filter_of(DIM_router, &m->router));
	int rc = json_object_set_new(row, "hop", render_as(m->hop)) | json_object_set_new(row, "hop_name", as_name(a, m->hop));
	rc |= json_object_set_new(row, "before_as", render_as(m->before_as)) | json_object_set_new(row, "before_name", as_name(a, m->before_as));
	rc |= json_object_set_new(row, "after_as", render_as(m->after_as)) | json_object_set_new(row, "after_name", as_name(a, m->after_as));
	rc |= json_object_set_new(row, "changes", json_integer(m->changes)) | json_object_set_new(row, "networks", json_integer(m->networks));
	rc |= json_object_set_new(row, "prefix", render_value(DIM_prefix, &m->prefix));
	rc |= json_object_set_new(row, "before", render_value(DIM_path, &m->before));
	rc |= json_object_set_new(row, "after", render_value(DIM_path, &m->after));
	rc |= json_object_set_new(row, "verdict", string_of(incidents_move_verdict(&a->said, m)));
	if (!rc)
		return row;
	json_decref(row);
	return NULL;
}

/* The numbers of the rows that go with it. */
static json_t *with_of(const struct asked *a, const struct events *events, size_t at)
{
	json_t *list = json_array();
	for (size_t i = 0; i < events->count; i++)
		if (go_together(a, &events->list[at], &events->list[i]) && json_array_append_new(list, json_integer((json_int_t)i)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *row_of(const struct asked *a, const struct events *events, size_t at)
{
	const struct event *e = &events->list[at];
	json_t *row = e->incident ? incident_json(a, e->incident) : move_json(a, e->move);
	if (!row || json_object_set_new(row, "with", with_of(a, events, at)) == 0)
		return row;
	json_decref(row);
	return NULL;
}

/* ---- the answer ---- */

static int write_json(const struct asked *a, const struct events *events)
{
	static const char *const changes[] = {[CHANGES_ALL] = "all", [CHANGES_NEWEST] = "newest", [CHANGES_NONE] = "none"};
	int rc = 0;
	http_rows_write_range(a->routers.from_s, a->routers.to_s, a->out);
	(void)fprintf(a->out, ",\"step\":%u,\"changes\":\"%s\",\"more\":%zu,\"rows\":[", a->said.step_s, changes[a->changes],
		a->found.count + a->found.more + a->moves.count - events->count);
	for (size_t i = 0; i < events->count && rc == 0; i++) {
		(void)fputs(i ? "," : "", a->out);
		rc = render_object_write(row_of(a, events, i), a->out);
	}
	(void)fprintf(a->out, "],\"total\":{\"bytes_sent\":%llu}}", (unsigned long long)a->everything.total.v[MEASURE_bytes_sent]);
	return rc;
}

static int write_csv(const struct asked *a, const struct events *events)
{
	static const char *const columns[] = {"kind", "begin", "end", "dim", "value", "name", "inside.bytes_sent", "inside.packets_sent",
		"inside.packets_retransmitted", "inside.retransmit_rate", "outside.retransmit_rate", "inside.rtt_p50_us", "outside.rtt_p50_us", "retransmit_share",
		"excess", "hop", "before_as", "after_as", "changes", "networks", "prefix", "before", "after", "verdict"};
	table_csv_header(columns, ARRAY_LEN(columns), a->out);
	for (size_t i = 0; i < events->count; i++) {
		json_t *row = row_of(a, events, i);
		if (!row)
			return -ENOMEM;
		table_csv_row(row, columns, ARRAY_LEN(columns), a->out);
		json_decref(row);
	}
	return 0;
}

static void reply(struct asked *a)
{
	struct events events;
	a->render = (struct render){.sort = a->q->query.sort, .total = &a->routers.total, .fields = a->q->fields};
	a->out = choose_events(a, &events) ? http_reply_begin(a->call, 200, a->q->csv ? HTTP_TYPE_CSV : HTTP_TYPE_JSON) : NULL;
	int rc = !a->out ? -ENOMEM : a->q->csv ? write_csv(a, &events) : write_json(a, &events);
	if (a->out)
		http_reply_end(a->call, a->out);
	if (rc < 0)
		http_reply_error(a->call, 500, "out of memory");
	free(events.list);
}

static void answer(struct asked *a)
{
	bool ok = choose_lines(a) && ask_lines(a) && ask_changes(a);
	http_asking_end(&a->asking);
	if (ok)
		reply(a);
	incidents_done(&a->found);
	incident_moves_done(&a->moves);
	incident_lines_done(&a->lines);
	query_result_done(&a->routers);
	query_result_done(&a->vias);
	query_result_done(&a->everything);
}

void http_incidents(struct http_call *call)
{
	struct http_question q;
	if (!http_rows_question(call, QUESTION_INCIDENTS, &q))
		return;
	struct asked a = {.call = call, .q = &q};
	if (http_asking_begin(call, &a.asking))
		answer(&a);
	question_done(&q);
}

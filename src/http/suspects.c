/* SPDX-License-Identifier: BSD-2-Clause */

/* Where it is lost (query/suspects.h), in one view of the store where it can do that: the sums by country, those of every router
 * and path, which are the same that /api/v1/paths asks for, and then of each that is named its sums over time.
 *
 * Since when is asked with a filter that finds the suspect's paths, without those of ASes named before it. It is told when the
 * sums found so are nearly those of its paths; of ways between two they may not be, for a path can have both ASes and another
 * one between. Ranges of more than a week have no such question (nobody else would ask it), and all of them together have a few
 * seconds: then it is not known, and the answer is there. */

#include "http/suspects.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/rows.h"
#include "http/table.h"
#include "query/filter.h"

#define SINCE_RANGE_MAX_S (8u * 86400)
#define SINCE_DEADLINE_S  5
#define SINCE_POINTS      120
#define SAME              0.02 /* packets, of those of its paths */
#define TERMS_MAX         3    /* of a suspect, and of those before it */

static const enum dimension by_path[] = {DIM_router, DIM_path};

struct asked {
	struct http_call *call;
	const struct http_question *q;
	struct http_asking asking;
	struct query_result countries, paths; /* of the paths only the range */
	struct suspects found;
	struct suspect_time *times;
	struct suspects_said said;
	struct render render;
};

/* ---- asking ---- */

static int find(void *ctx, const struct query_groups *all)
{
	struct asked *a = ctx;
	return suspects_find(all, a->countries.rows, a->countries.row_count, a->q->query.limit, &a->found);
}

static bool ask_paths(struct asked *a)
{
	struct query countries = a->q->query, paths = a->q->query;
	countries.by[0] = DIM_country;
	countries.by_count = 1;
	countries.limit = 0;
	countries.keep_snapshot = true;
	memcpy(paths.by, by_path, sizeof(by_path));
	paths.by_count = ARRAY_LEN(by_path);
	paths.limit = 1;
	paths.all = find;
	paths.all_ctx = a;
	paths.keep_snapshot = true;
	return http_ask(&a->asking, &countries, &a->countries) && http_ask(&a->asking, &paths, &a->paths);
}

/* ---- since when ---- */

/* The question's filter, and which paths are the suspect's. False: there is no room for it. */
static bool make_filter(const struct asked *a, size_t i, struct dim_value *before, struct filter *ret)
{
	const struct suspect *s = &a->found.list[i];
	const struct suspect_kind_info *info = &suspect_kinds[s->kind];
	size_t before_count = 0;
	ret->count = a->q->filter ? a->q->filter->count : 0;
	if (ret->count + TERMS_MAX > QUERY_FILTERS_MAX)
		return false;
	if (a->q->filter)
		memcpy(ret->items, a->q->filter->items, ret->count * sizeof(*ret->items));
	for (unsigned v = 0; v < info->dim_count; v++)
		ret->items[ret->count++] = (struct store_filter){.dim = info->dims[v], .values = &s->values[v], .value_count = 1};
	for (size_t k = 0; k < i; k++)
		if (a->found.list[k].kind == SUSPECT_VIA)
			before[before_count++] = a->found.list[k].values[0];
	if (before_count)
		ret->items[ret->count++] = (struct store_filter){.dim = DIM_via, .negate = true, .values = before, .value_count = before_count};
	return true;
}

/* Buckets from the first that has any of its packets to the last that is over. Returns how many; 0: this is not its traffic. */
static size_t read_buckets(const struct suspect *s, const struct query_result *times, struct evidence *of, uint64_t *ret_first_s)
{
	uint64_t now_s = clock_wall_ms() / 1000, packets = 0, first_s = times->row_count ? times->rows[0].values[0].number : 0;
	size_t count = 0;
	for (size_t i = 0; i < times->row_count; i++) {
		const struct measures *m = &times->rows[i].m;
		uint64_t time_s = times->rows[i].values[0].number;
		size_t at = (time_s - first_s) / times->step_s;
		packets += m->v[MEASURE_packets_sent];
		if (at >= SUSPECTS_BUCKETS_MAX || time_s + times->step_s > now_s)
			continue;
		of[at] = evidence_of_loss(m);
		count = at + 1;
	}
	double own = (double)s->own.packets;
	*ret_first_s = first_s;
	return fabs((double)packets - own) <= SAME * own ? count : 0;
}

static struct suspect_time time_of(const struct suspect *s, const struct query_result *times)
{
	struct evidence of[SUSPECTS_BUCKETS_MAX] = {0};
	uint64_t first_s;
	size_t count = read_buckets(s, times, of, &first_s);
	struct suspects_stretch stretch = suspects_since(of, count, evidence_rate(&s->elsewhere));
	struct suspect_time t = {.before_s = stretch.earlier ? first_s : 0};
	if (stretch.found) {
		t.since_s = stretch.from ? first_s + stretch.from * times->step_s : 0;
		t.until_s = stretch.to < count ? first_s + stretch.to * times->step_s : 0;
	}
	return t;
}

/* False: the reply says why not. */
static bool ask_since(struct asked *a, size_t i, uint64_t deadline_ns)
{
	struct filter filter;
	struct dim_value before[SUSPECTS_MAX];
	struct query_result times;
	struct query q = {
		.by = {DIM_time},
		.by_count = 1,
		.filter = &filter,
		.from_s = a->paths.from_s,
		.to_s = a->paths.to_s,
		.exact_range = true,
		.points_max = SINCE_POINTS,
		.measures = SUSPECTS_MEASURES,
		.keep_snapshot = true,
		.deadline_ns = deadline_ns,
	};
	if (!make_filter(a, i, before, &filter))
		return true;
	if (!http_ask(&a->asking, &q, &times))
		return a->call->reply.status == 503; /* not known in time: what is known is answered */
	a->times[i] = time_of(&a->found.list[i], &times);
	query_result_done(&times);
	return true;
}

static bool ask_times(struct asked *a)
{
	uint64_t deadline_ns = clock_mono_ns() + SINCE_DEADLINE_S * NS_PER_S;
	if (deadline_ns > a->q->query.deadline_ns)
		deadline_ns = a->q->query.deadline_ns;
	a->times = calloc(a->found.count + 1, sizeof(*a->times));
	if (!a->times) {
		http_reply_error(a->call, 500, "out of memory");
		return false;
	}
	bool ok = true;
	for (size_t i = 0; i < a->found.count && ok && a->paths.to_s - a->paths.from_s <= SINCE_RANGE_MAX_S; i++)
		ok = ask_since(a, i, deadline_ns);
	return ok;
}

/* ---- a row ---- */

static const char *const role_names[] = {[SUSPECT_TRANSIT] = "transit", [SUSPECT_NEIGHBOUR] = "neighbour", [SUSPECT_ORIGIN] = "origin"};

static json_t *name_of(const struct asked *a, enum dimension dim, const struct dim_value *v)
{
	return render_name_json(&a->call->server->backend, dim, v);
}

/* "router:edge1 neighbour:64500"; null: a value cannot be written. */
static json_t *filter_of(const struct suspect *s)
{
	const struct suspect_kind_info *info = &suspect_kinds[s->kind];
	CLEANUP(free_p) char *first = render_term(info->dims[0], &s->values[0]);
	CLEANUP(free_p) char *second = info->dim_count > 1 ? render_term(info->dims[1], &s->values[1]) : NULL;
	CLEANUP(free_p) char *both = NULL;
	if (!first || info->dim_count == 1)
		return render_string(first);
	if (!second || asprintf(&both, "%s %s", first, second) < 0)
		return json_null();
	return render_string(both);
}

static json_t *rate_of(const struct measures *m)
{
	return m->v[MEASURE_packets_sent] ? json_real(measures_retransmit_rate(m)) : json_null();
}

/* With the figures of each, where they are told. */
static json_t *as_list(const struct asked *a, const struct suspect_list *list, bool figures)
{
	json_t *all = json_array();
	for (size_t i = 0; i < list->count; i++) {
		const struct measures *m = &list->list[i].m;
		struct dim_value as = {.known = true, .number = list->list[i].as};
		json_t *one = json_pack("{s:I, s:o}", "as", (json_int_t)as.number, "name", name_of(a, DIM_via, &as));
		if (figures)
			(void)json_object_update_new(one, json_pack("{s:I, s:I, s:o}", "packets_sent", (json_int_t)m->v[MEASURE_packets_sent],
				"packets_retransmitted", (json_int_t)m->v[MEASURE_packets_retransmitted], "retransmit_rate", rate_of(m)));
		if (json_array_append_new(all, one) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

static int set_rates(const struct asked *a, const struct suspect *s, json_t *row)
{
	struct stats_interval own = evidence_interval(&s->own), elsewhere = evidence_interval(&s->elsewhere);
	double all = (double)a->found.total.v[MEASURE_packets_retransmitted];
	int rc = json_object_set_new(row, "retransmit_rate_low", json_real(own.low));
	rc |= json_object_set_new(row, "retransmit_rate_high", json_real(own.high));
	rc |= json_object_set_new(row, "elsewhere_rate", json_real(evidence_rate(&s->elsewhere)));
	rc |= json_object_set_new(row, "elsewhere_rate_low", json_real(elsewhere.low));
	rc |= json_object_set_new(row, "elsewhere_rate_high", json_real(elsewhere.high));
	rc |= json_object_set_new(row, "retransmit_share", json_real((double)s->own.retransmits / all));
	rc |= json_object_set_new(row, "excess", json_integer((json_int_t)llround(s->excess)));
	return rc;
}

static int set_rest(const struct asked *a, size_t i, json_t *row)
{
	const struct suspect *s = &a->found.list[i];
	CLEANUP(free_p) char *verdict = suspects_verdict(&a->said, i);
	int rc = json_object_set_new(row, "twins", as_list(a, &s->twins, false));
	rc |= json_object_set_new(row, "before", as_list(a, &s->before, true));
	rc |= json_object_set_new(row, "behind", as_list(a, &s->behind, false));
	rc |= json_object_set_new(row, "since", render_time(a->times[i].since_s * 1000));
	rc |= json_object_set_new(row, "until", render_time(a->times[i].until_s * 1000));
	rc |= json_object_set_new(row, "since_before", render_time(a->times[i].before_s * 1000));
	return rc | json_object_set_new(row, "verdict", render_string(verdict));
}

/* NULL: memory is out. */
static json_t *row_of(const struct asked *a, size_t i)
{
	const struct suspect *s = &a->found.list[i];
	const struct suspect_kind_info *info = &suspect_kinds[s->kind];
	json_t *row = json_object(), *values = json_array(), *names = json_array();
	int rc = json_object_set_new(row, "dim", json_string(info->name));
	for (unsigned v = 0; v < info->dim_count; v++) {
		rc |= json_array_append_new(values, render_value(info->dims[v], &s->values[v]));
		rc |= json_array_append_new(names, name_of(a, info->dims[v], &s->values[v]));
	}
	rc |= json_object_set_new(row, "values", values);
	rc |= json_object_set_new(row, "names", names);
	rc |= json_object_set_new(row, "filter", filter_of(s));
	rc |= json_object_set_new(row, "role", s->kind == SUSPECT_VIA ? json_string(role_names[s->role]) : json_null());
	json_t *figures = render_json(&a->render, &(struct query_row){.m = s->m});
	rc |= json_object_update(row, figures);
	json_decref(figures);
	rc |= set_rates(a, s, row) | set_rest(a, i, row);
	if (rc) {
		json_decref(row);
		return NULL;
	}
	return row;
}

/* ---- the answer ---- */

static int write_sums(const struct asked *a, const char *name, const struct measures *m, FILE *out)
{
	(void)fprintf(out, ",\"%s\":", name);
	return render_json_write(&a->render, &(struct query_row){.m = *m}, out);
}

/* ,"verdict":"..." */
static int write_verdict(const struct asked *a, FILE *out)
{
	CLEANUP(free_p) char *verdict = suspects_verdict(&a->said, 0);
	json_t *text = verdict ? render_string(verdict) : NULL;
	(void)fputs(",\"verdict\":", out);
	int rc = text && json_dumpf(text, out, JSON_ENCODE_ANY) == 0 ? 0 : -ENOMEM;
	json_decref(text);
	return rc;
}

static int write_json(const struct asked *a, FILE *out)
{
	http_rows_write_range(a->paths.from_s, a->paths.to_s, out);
	int rc = write_verdict(a, out);
	(void)fprintf(out, ",\"compared\":%s,\"rows\":[", a->found.compared ? "true" : "false");
	for (size_t i = 0; i < a->found.count && rc == 0; i++) {
		(void)fputs(i ? "," : "", out);
		rc = render_object_write(row_of(a, i), out);
	}
	(void)fputs("]", out);
	rc = rc ? rc : write_sums(a, "total", &a->found.total, out);
	rc = rc ? rc : write_sums(a, "other", &a->found.other, out);
	(void)fputs("}", out);
	return rc;
}

/* A cell has one value: those of lists get columns of their own, or stand in one with blanks between. */
static int flatten(json_t *row)
{
	static const char *const columns[][2] = {{"value", "name"}, {"value_2", "name_2"}};
	char twins[300] = "";
	const json_t *twin;
	size_t i;
	int rc = 0;
	for (i = 0; i < ARRAY_LEN(columns); i++) {
		rc |= json_object_set(row, columns[i][0], json_array_get(json_object_get(row, "values"), i));
		rc |= json_object_set(row, columns[i][1], json_array_get(json_object_get(row, "names"), i));
		if (i + 1 == json_array_size(json_object_get(row, "values")))
			break;
	}
	json_array_foreach(json_object_get(row, "twins"), i, twin)
		(void)snprintf(twins + strlen(twins), sizeof(twins) - strlen(twins), "%s%lld", i ? " " : "",
			(long long)json_integer_value(json_object_get(twin, "as")));
	return rc | json_object_set_new(row, "twins", json_string(twins));
}

static int write_csv(const struct asked *a, FILE *out)
{
	static const char *const columns[] = {"dim", "value", "name", "value_2", "name_2", "role", "bytes_sent", "packets_sent",
		"packets_retransmitted", "connections", "connections_with_retransmit", "retransmit_rate", "share", "approximate",
		"retransmit_rate_low", "retransmit_rate_high", "elsewhere_rate", "elsewhere_rate_low", "elsewhere_rate_high", "retransmit_share",
		"excess", "twins", "since", "until", "since_before", "verdict"};
	table_csv_header(columns, ARRAY_LEN(columns), out);
	for (size_t i = 0; i < a->found.count; i++) {
		json_t *row = row_of(a, i);
		int rc = row ? flatten(row) : -1;
		if (rc == 0)
			table_csv_row(row, columns, ARRAY_LEN(columns), out);
		json_decref(row);
		if (rc)
			return -ENOMEM;
	}
	return 0;
}

static void reply(struct asked *a)
{
	a->said = (struct suspects_said){&a->found, a->times, a->paths.to_s, &a->call->server->backend};
	a->render = (struct render){.sort = a->q->query.sort, .total = &a->found.total, .fields = a->q->fields};
	FILE *out = http_reply_begin(a->call, 200, a->q->csv ? HTTP_TYPE_CSV : HTTP_TYPE_JSON);
	if (!out)
		return;
	int rc = a->q->csv ? write_csv(a, out) : write_json(a, out);
	http_reply_end(a->call, out);
	if (rc < 0)
		http_reply_error(a->call, 500, "out of memory");
}

static void answer(struct asked *a)
{
	bool ok = ask_paths(a) && ask_times(a);
	http_asking_end(&a->asking);
	if (ok)
		reply(a);
	free(a->times);
	suspects_done(&a->found);
	query_result_done(&a->countries);
	query_result_done(&a->paths);
}

void http_suspects(struct http_call *call)
{
	struct http_question q;
	if (!http_rows_question(call, QUESTION_SUSPECTS, &q))
		return;
	struct asked a = {.call = call, .q = &q};
	if (http_asking_begin(call, &a.asking))
		answer(&a);
	question_done(&q);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* The usual rule of transit and colocation bills: the mean rate of every five minutes is a sample; samples are sorted, the
 * highest 5 % are thrown away, and the highest that is left is what is paid for. Every sample counts, also one in which
 * nothing was sent. With p per cent of n samples kept that is the sample at place ceil(n p / 100), whatever n.
 *
 * Samples are the whole ones that lie in the range, are over, and are not from before the store had any traffic at all: a
 * part of five minutes is no sample, and time that nobody measured is not time without traffic. Where minutes are gone, or
 * there would be too many samples for one answer, they are longer; the answer says how long, for a percentile of hourly means is lower
 * than one of five minutes.
 *
 * The groups are those of the answer, in one query; the others are what they leave of the whole, sample by sample. */

#include "http/throughput.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "http/since.h"
#include "query/values.h"

#define SAMPLE_S 300

struct sampling {
	struct throughput *t;
	const struct http_question *q;
	uint64_t *bytes; /* by line, then by sample: the groups', the others', the total's */
	size_t lines;
};

static uint64_t *line_of(const struct sampling *s, size_t line)
{
	return s->bytes + line * s->t->samples;
}

static void add_sample(const struct sampling *s, size_t line, const struct query_row *row)
{
	const struct throughput *t = s->t;
	uint64_t time_s = row->values[0].number;
	if (time_s >= t->from_s && time_s < t->to_s)
		line_of(s, line)[(time_s - t->from_s) / t->step_s] += row->m.v[MEASURE_bytes_sent];
}

/* ---- reading ---- */

static struct query query_of(const struct http_question *q, const struct query_result *covered)
{
	struct query samples = q->query;
	samples.by[0] = DIM_time;
	samples.by_count = 1;
	samples.from_s = covered->from_s;
	samples.to_s = covered->to_s;
	samples.exact_range = true;
	samples.step_s = 0;
	samples.measures = MEASURE_BIT(MEASURE_bytes_sent);
	samples.sort = MEASURE_bytes_sent;
	samples.limit = 0;
	samples.keep_snapshot = true;
	return samples;
}

static bool ask_total(struct http_asking *a, const struct http_question *q, const struct query_result *covered, size_t groups,
	struct query_result *ret)
{
	struct query samples = query_of(q, covered);
	samples.step_min_s = SAMPLE_S;
	uint32_t points = (uint32_t)(QUERY_LIMIT_MAX / (groups + 1));
	samples.points_max = points > QUESTION_POINTS_MIN ? points : QUESTION_POINTS_MIN;
	return http_ask(a, &samples, ret);
}

/* As many steps as the total was read in. */
static bool ask_groups(struct http_asking *a, const struct sampling *s, const struct query_result *covered, struct query_result *ret)
{
	struct query samples = query_of(s->q, covered);
	for (size_t i = 0; i < s->q->query.by_count; i++)
		samples.by[samples.by_count++] = s->q->query.by[i];
	samples.step_s = s->t->step_s;
	samples.only = s->t->groups;
	samples.only_count = s->t->group_count;
	return http_ask(a, &samples, ret);
}

static bool is_of_group(const struct sampling *s, const struct query_row *row, const struct query_row *group)
{
	for (size_t i = 0; i < s->q->query.by_count; i++)
		if (value_cmp(dimension_table[s->q->query.by[i]].kind, &row->values[i + 1], &group->values[i]) != 0)
			return false;
	return true;
}

/* Rows come in the order of time and then of the groups; some are not there. */
static void add_groups(const struct sampling *s, const struct query_result *result)
{
	size_t group = 0;
	uint64_t time_s = 0;
	for (size_t i = 0; i < result->row_count; i++) {
		const struct query_row *row = &result->rows[i];
		if (row->values[0].number != time_s)
			group = 0;
		time_s = row->values[0].number;
		while (!is_of_group(s, row, &s->t->groups[group]))
			group++;
		add_sample(s, group, row);
	}
}

/* What the groups leave of the total; a store without snapshots may have got more for them meanwhile. */
static void set_others(const struct sampling *s)
{
	const uint64_t *total = line_of(s, s->lines - 1);
	uint64_t *others = line_of(s, s->lines - 2);
	for (size_t i = 0; i < s->t->samples; i++) {
		uint64_t sum = 0;
		for (size_t line = 0; line < s->t->group_count; line++)
			sum += line_of(s, line)[i];
		others[i] = total[i] > sum ? total[i] - sum : 0;
	}
}

/* Whole samples that are over, of the time that the store knows. */
static void set_range(struct throughput *t, const struct query_result *total, uint64_t since_s)
{
	uint64_t now_s = clock_wall_ms() / 1000;
	uint64_t from_s = total->from_s > since_s ? total->from_s : since_s, to_s = total->to_s < now_s ? total->to_s : now_s;
	t->step_s = total->step_s;
	t->from_s = (from_s + t->step_s - 1) / t->step_s * t->step_s;
	t->to_s = to_s / t->step_s * t->step_s;
	t->samples = since_s && t->to_s > t->from_s ? (t->to_s - t->from_s) / t->step_s : 0;
	if (!t->samples)
		t->to_s = t->from_s;
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static struct throughput_figures figures_of(const struct sampling *s, size_t line)
{
	uint64_t *bytes = line_of(s, line), sum = 0;
	size_t n = s->t->samples;
	double bps = 8.0 / s->t->step_s;
	qsort(bytes, n, sizeof(*bytes), compare);
	for (size_t i = 0; i < n; i++)
		sum += bytes[i];
	size_t place = (n * s->t->percentile + 99) / 100;
	return (struct throughput_figures){(double)sum * bps / (double)n, (double)bytes[place - 1] * bps, (double)bytes[n - 1] * bps};
}

static void set_figures(const struct sampling *s)
{
	struct throughput *t = s->t;
	for (size_t i = 0; i < t->group_count; i++)
		t->rows[i] = figures_of(s, i);
	t->other = figures_of(s, s->lines - 2);
	t->total = figures_of(s, s->lines - 1);
}

static bool sample(struct http_asking *a, struct sampling *s, const struct query_result *covered, const struct query_result *total)
{
	struct throughput *t = s->t;
	struct query_result groups;
	for (size_t i = 0; i < total->row_count; i++)
		add_sample(s, s->lines - 1, &total->rows[i]);
	if (t->group_count) {
		if (!ask_groups(a, s, covered, &groups))
			return false;
		add_groups(s, &groups);
		query_result_done(&groups);
	}
	set_others(s);
	set_figures(s);
	return true;
}

static bool sample_all(struct http_asking *a, struct throughput *t, const struct http_question *q, const struct query_result *covered,
	const struct query_result *total)
{
	struct sampling s = {.t = t, .q = q, .lines = t->group_count + 2};
	if (!t->samples)
		return true;
	t->rows = calloc(t->group_count + 1, sizeof(*t->rows));
	s.bytes = calloc(s.lines * t->samples, sizeof(*s.bytes));
	bool ok = t->rows && s.bytes;
	if (!ok)
		http_reply_error(a->call, 500, "out of memory");
	ok = ok && sample(a, &s, covered, total);
	free(s.bytes);
	return ok;
}

static bool has_via(const struct http_question *q)
{
	for (size_t i = 0; i < q->query.by_count; i++)
		if (q->query.by[i] == DIM_via)
			return true;
	return false;
}

bool throughput_ask(struct http_asking *a, const struct http_question *q, const struct query_result *covered,
	const struct query_result *groups, struct throughput *ret)
{
	struct throughput t = {.percentile = q->percentile, .groups = groups ? groups->rows : NULL,
		.group_count = groups ? groups->row_count : 0, .has_other = groups && !has_via(q)};
	struct query_result total;
	uint64_t since_s;
	if (!since_ask(a, &since_s) || !ask_total(a, q, covered, t.group_count, &total))
		return false;
	set_range(&t, &total, since_s);
	bool ok = sample_all(a, &t, q, covered, &total);
	query_result_done(&total);
	if (ok)
		*ret = t;
	else
		throughput_done(&t);
	return ok;
}

void throughput_done(struct throughput *t)
{
	free(t->rows);
	t->rows = NULL;
}

/* ---- writing ---- */

static int add_figures(const struct throughput *t, const struct throughput_figures *f, json_t *obj)
{
	bool known = t->samples > 0;
	int rc = json_object_set_new_nocheck(obj, "mean_bps", known ? json_real(f->mean_bps) : json_null());
	rc |= json_object_set_new_nocheck(obj, "percentile_bps", known ? json_real(f->percentile_bps) : json_null());
	rc |= json_object_set_new_nocheck(obj, "max_bps", known ? json_real(f->max_bps) : json_null());
	return rc;
}

static json_t *group_json(const struct throughput *t, const struct render *render, size_t i)
{
	json_t *obj = json_object();
	int rc = render_json_dimensions(render, &t->groups[i], obj);
	rc |= add_figures(t, t->rows ? &t->rows[i] : NULL, obj);
	if (rc) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

static json_t *groups_json(const struct throughput *t, const struct render *render)
{
	json_t *list = json_array();
	for (size_t i = 0; i < t->group_count; i++)
		if (json_array_append_new(list, group_json(t, render, i)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

int throughput_write(const struct throughput *t, const struct render *render, FILE *out)
{
	char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
	json_t *total = json_object(), *other = t->has_other ? json_object() : json_null();
	json_t *obj = json_pack("{s:s, s:s, s:i, s:i, s:i, s:o, s:o, s:o}", "from", time_format(t->from_s * 1000, from), "to",
		time_format(t->to_s * 1000, to), "step", (int)t->step_s, "samples", (int)t->samples, "percentile", (int)t->percentile,
		"rows", groups_json(t, render), "total", total, "other", other);
	if (obj && (add_figures(t, &t->total, total) != 0 || (t->has_other && add_figures(t, &t->other, other) != 0))) {
		json_decref(obj);
		obj = NULL;
	}
	return render_object_write(obj, out);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Traffic over time. Without groups: a line a bucket with a bar. With groups: a line a group with one
 * small column a bucket; neighbouring buckets are drawn as one when the screen has not room for all. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"

#define BAR_COLUMNS   40
#define CHART_DEFAULT 96 /* columns when the output is no terminal */
#define CHART_BESIDE  56 /* columns left to the rest of the line */
#define CHART_MAX     240

struct series {
	struct screen screen;
	const char *measure;
	const json_t *answer, *rows;
	uint64_t from_s, to_s, step_s;
};

static uint64_t time_at(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));
	uint64_t ms = 0;
	if (!text || time_parse(text, &ms) < 0)
		return 0;
	return ms / 1000;
}

static double max_of(const struct series *s)
{
	double max = 0;
	const json_t *row;
	size_t i;
	json_array_foreach(s->rows, i, row)
		if (rows_number(row, s->measure) > max)
			max = rows_number(row, s->measure);
	return max;
}

/* ---- a line a bucket ---- */

/* Seconds of the bucket that lie within the range: the first and the last may stick out. */
static double seconds_of(const struct series *s, const json_t *row)
{
	uint64_t from = time_at(row, "time"), to = from + s->step_s;
	from = from < s->from_s ? s->from_s : from;
	to = to > s->to_s ? s->to_s : to;
	return to > from ? (double)(to - from) : 1;
}

static void add_bucket(const struct series *s, struct table *t, const json_t *row, double max)
{
	const char *time = json_string_value(json_object_get(row, "time"));
	char text[UNITS_TEXT_MAX], bar[UNITS_BAR_MAX];
	double v = rows_number(row, s->measure);
	bool bytes = strncmp(s->measure, "bytes_", 6) == 0;
	table_cell(t, STYLE_PLAIN, "%.10s %.5s", time ? time : "", time && strlen(time) > 16 ? time + 11 : "");
	table_cell(t, STYLE_PLAIN, "%s", rows_amount(s->measure, v, text));
	table_cell(t, STYLE_PLAIN, "%s", bytes ? units_bit_rate(v * 8 / seconds_of(s, row), text) : "");
	table_cell(t, STYLE_BAR, "%s", units_bar(max > 0 ? v / max : 0, BAR_COLUMNS, bar));
	rows_retransmit_cell(t, row);
	rows_rtt_cell(t, row, "rtt_p50_us");
	table_row(t);
}

static int print_buckets(const struct series *s)
{
	static const struct table_column columns[] = {
		{"TIME (UTC)", false, 0, 0}, {"AMOUNT", true, 0, 0}, {"RATE", true, 2, 0}, {"", false, 0, 8},
		{"RETRANS", true, 0, 0}, {"RTT P50", true, 1, 0},
	};
	struct table *t;
	const json_t *row;
	double max = max_of(s);
	size_t i;
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(s->rows, i, row)
		add_bucket(s, t, row, max);
	int r = table_print(t, &s->screen, stdout);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* ---- a line a group ---- */

struct group {
	char *name;
	double columns[CHART_MAX];
	double sum, sent, retransmitted;
	bool approximate;
};

struct groups {
	struct group *list;
	size_t count;
	unsigned columns; /* drawn */
};

/* The dimensions' values beside each other, time left out. */
static char *group_name(const json_t *row)
{
	const char *dims[ROWS_DIMS_MAX];
	size_t n = rows_dimensions(row, dims);
	char *name = strdup("");
	for (size_t i = 0; i < n && name; i++) {
		if (strcmp(dims[i], "time") == 0)
			continue;
		char *text = rows_dimension_text(row, dims[i]), *both = NULL;
		if (!text || asprintf(&both, "%s%s%s", name, *name ? ", " : "", text) < 0)
			both = NULL;
		free(text);
		free(name);
		name = both;
	}
	return name;
}

/* The group of a row, made if new. NULL when memory is out. */
static struct group *group_get(struct groups *g, const json_t *row)
{
	char *name = group_name(row);
	for (size_t i = 0; i < g->count && name; i++)
		if (strcmp(g->list[i].name, name) == 0) {
			free(name);
			return &g->list[i];
		}
	struct group *list = name ? reallocarray(g->list, g->count + 1, sizeof(*list)) : NULL;
	if (!list) {
		free(name);
		return NULL;
	}
	g->list = list;
	list[g->count] = (struct group){.name = name};
	return &list[g->count++];
}

static int collect(const struct series *s, struct groups *g)
{
	const json_t *row;
	size_t i;
	uint64_t range = s->to_s > s->from_s ? s->to_s - s->from_s : 1;
	json_array_foreach(s->rows, i, row) {
		struct group *group = group_get(g, row);
		uint64_t t = time_at(row, "time");
		if (!group)
			return -1;
		uint64_t column = t > s->from_s ? (t - s->from_s) * g->columns / range : 0;
		double v = rows_number(row, s->measure);
		group->columns[column < g->columns ? column : g->columns - 1] += v;
		group->sum += v;
		group->sent += rows_number(row, "packets_sent");
		group->retransmitted += rows_number(row, "packets_retransmitted");
		group->approximate |= json_is_true(json_object_get(row, "approximate"));
	}
	return 0;
}

/* Heights are relative to the highest column of all groups, so that lines can be compared. */
static void add_group(const struct series *s, struct table *t, const struct group *group, unsigned columns, double max)
{
	char text[UNITS_TEXT_MAX], chart[CHART_MAX * 4 + 1] = "", *p = chart;
	for (unsigned i = 0; i < columns; i++)
		p = stpcpy(p, units_height(group->columns[i] / max));
	table_cell(t, STYLE_PLAIN, "%s", group->name);
	table_cell(t, STYLE_BAR, "%s", chart);
	table_cell(t, STYLE_PLAIN, "%s", rows_amount(s->measure, group->sum, text));
	if (group->sent > 0)
		table_cell(t, STYLE_PLAIN, "%s%s", group->approximate ? "~" : "",
			units_percent(group->retransmitted / group->sent, text));
	table_row(t);
}

static int print_groups(const struct series *s)
{
	static const struct table_column columns[] = {
		{"GROUP", false, 0, 12}, {"", false, 0, 0}, {"AMOUNT", true, 0, 0}, {"RETRANS", true, 1, 0},
	};
	uint64_t buckets = s->step_s && s->to_s > s->from_s ? (s->to_s - s->from_s + s->step_s - 1) / s->step_s : 1;
	uint64_t room = s->screen.width ? s->screen.width > CHART_BESIDE + 10 ? s->screen.width - CHART_BESIDE : 10
					: CHART_DEFAULT;
	struct groups g = {.columns = (unsigned)(buckets < room ? buckets : room)};
	struct table *t = NULL;
	double max = 0;
	if (g.columns > CHART_MAX)
		g.columns = CHART_MAX;
	int r = collect(s, &g);
	if (r == 0)
		r = table_new(columns, ARRAY_LEN(columns), &t);
	for (size_t i = 0; i < g.count; i++)
		for (unsigned k = 0; k < g.columns; k++)
			max = g.list[i].columns[k] > max ? g.list[i].columns[k] : max;
	for (size_t i = 0; i < g.count && r == 0; i++)
		add_group(s, t, &g.list[i], g.columns, max > 0 ? max : 1);
	if (r == 0)
		r = table_print(t, &s->screen, stdout);
	table_free(t);
	for (size_t i = 0; i < g.count; i++)
		free(g.list[i].name);
	free(g.list);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static void print_sums(const struct series *s)
{
	char text[UNITS_TEXT_MAX];
	const json_t *other = json_object_get(s->answer, "other"), *total = json_object_get(s->answer, "total");
	printf("total %s", rows_amount(s->measure, rows_number(total, s->measure), text));
	if (json_is_object(other) && rows_number(other, s->measure) > 0)
		printf(", of which other groups %s", rows_amount(s->measure, rows_number(other, s->measure), text));
	(void)putchar('\n');
}

static int print_answer(const struct options *o, const json_t *answer)
{
	struct series s = {screen_get(), rows_measure(o), answer, json_object_get(answer, "rows"),
		time_at(answer, "from"), time_at(answer, "to"), (uint64_t)rows_number(answer, "step")};
	const char *dims[ROWS_DIMS_MAX];
	char text[UNITS_TEXT_MAX];
	rows_print_range(answer, stdout);
	if (!json_array_size(s.rows)) {
		(void)fputs("\n\nno traffic in this time\n", stdout);
		return EXIT_DONE;
	}
	printf(", buckets of %s\n\n", units_age(s.step_s, text));
	int r = rows_dimensions(json_array_get(s.rows, 0), dims) > 1 ? print_groups(&s) : print_buckets(&s);
	print_sums(&s);
	rows_print_notes(answer, &s.screen, stdout);
	return r;
}

int command_series(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_SERIES, .path = "/api/v1/series", .print = print_answer};
	return client_command(argc, argv, &question);
}

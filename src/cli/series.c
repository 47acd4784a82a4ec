/* SPDX-License-Identifier: BSD-2-Clause */

/* Traffic over time. Without groups: a chart on a terminal, elsewhere and with --table a line a bucket. With groups: a line a group
 * with one small column for each bucket or some.
 *
 * The API is asked for as many buckets as there is room for, so that each has a column, or several, of its own; only with --step
 * are neighbouring buckets drawn as one. A sum is divided by the seconds of its bucket that lie within the range and have passed:
 * the first and the last bucket may stick out, and the last is still running. One that began a moment ago is left out, for
 * connections that go on are reported every ten seconds.
 *
 * With --compare the earlier range is moved to this one's place (cli/before.c): a line over the bars, columns of the table; the API has it of all
 * groups together, so beside groups it is one sentence.
 *
 * Beside bytes the API is asked for their percentile as it is billed, which it makes of samples of its own. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/before.h"
#include "cli/chart.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"

#define BAR_COLUMNS    40
#define CHART_DEFAULT  96  /* columns when the output is no terminal */
#define CHART_MAX      500
#define CHART_AROUND   8   /* lines of the screen that are not bars */
#define LINES_MAX      20  /* of bars */
#define GROUP_COLUMNS  24  /* of a name, and */
#define GROUP_BESIDE   36  /* of the figures that are always there, with their gaps */
#define GROUP_MORE     21  /* of the others, */
#define GROUP_WIDE     100 /*   from this width on */
#define GROUP_EACH     4   /* columns of a bucket, at most */
#define YOUNG_S        10
#define PERCENTILE     "95" /* what most bills are by */

struct series {
	struct screen screen;
	struct figure figure;
	const struct client_answer *a;
	const json_t *rows;
	const char *dims[ROWS_DIMS_MAX]; /* of the rows */
	size_t dim_count;
	struct before before;
	bool compare;                   /* there is a range before */
	const json_t *throughput;       /* NULL: not asked for, or another figure is drawn */
	uint64_t from_s, end_s, step_s; /* the range up to now; of a bucket */
	uint64_t start_s, column_s;     /* the first column's begin; what a column spans: one bucket or several */
	size_t columns;
};

/* ---- time ---- */

/* Seconds of a span that lie within the range, have passed, and may have had traffic. */
static double seconds_of(const struct series *s, uint64_t from_s, uint64_t len_s)
{
	uint64_t to_s = from_s + len_s < s->end_s ? from_s + len_s : s->end_s;
	uint64_t first_s = s->from_s < s->a->since_s ? s->a->since_s : s->from_s;
	from_s = from_s < first_s ? first_s : from_s;
	return to_s > from_s ? (double)(to_s - from_s) : 0;
}

/* Whether the span is running, and has just begun. */
static bool is_young(const struct series *s, uint64_t from_s, uint64_t len_s)
{
	uint64_t now_s = s->a->now_s;
	return from_s + len_s > now_s && now_s < from_s + YOUNG_S && now_s <= s->end_s;
}

static double value_of(const struct series *s, const struct figure_sum *sum, uint64_t from_s, uint64_t len_s)
{
	if (s->figure.kind == FIGURE_SUM && is_young(s, from_s, len_s))
		return NAN;
	return figure_value(&s->figure, sum, seconds_of(s, from_s, len_s));
}

/* At most `room` columns. */
static void set_columns(struct series *s, size_t room)
{
	s->start_s = s->from_s / s->step_s * s->step_s;
	uint64_t buckets = (s->end_s - s->start_s + s->step_s - 1) / s->step_s, each = (buckets + room - 1) / room;
	s->column_s = each * s->step_s;
	s->columns = (buckets + each - 1) / each;
}

static void add_to_column(const struct series *s, const json_t *row, struct figure_sum *columns)
{
	uint64_t at_s = rows_time(row, "time");
	size_t column = at_s > s->start_s ? (at_s - s->start_s) / s->column_s : 0;
	figure_add(&s->figure, row, &columns[column < s->columns ? column : s->columns - 1]);
}

static double column_value(const struct series *s, const struct figure_sum *columns, size_t i)
{
	return value_of(s, &columns[i], s->start_s + i * s->column_s, s->column_s);
}

/* ---- the percentile ---- */

/* "P95" or "p95". */
static const char *percentile_title(const struct series *s, char letter, char buf[static UNITS_TEXT_MAX])
{
	(void)snprintf(buf, UNITS_TEXT_MAX, "%c%.0f", letter, rows_number(s->throughput, "percentile"));
	return buf;
}

/* What it is of. */
static void print_percentile_note(const struct series *s)
{
	char title[UNITS_TEXT_MAX], step[UNITS_TEXT_MAX];
	if (!s->throughput || rows_number(s->throughput, "samples") == 0)
		return;
	printf("\n%s: %.0f %% of %.0f means of %s are at most this (payload: headers and retransmits come on top)\n", percentile_title(s, 'p', title),
		rows_number(s->throughput, "percentile"), rows_number(s->throughput, "samples"), units_age((uint64_t)rows_number(s->throughput, "step"), step));
}

/* ---- the range before ---- */

static double whole_value(const struct series *s)
{
	struct figure_sum sum = {0};
	figure_add(&s->figure, json_object_get(s->a->json, "total"), &sum);
	return figure_value(&s->figure, &sum, seconds_of(s, s->from_s, s->end_s - s->from_s));
}

/* line: that is how it is drawn. */
static void print_before(const struct series *s, bool line)
{
	char text[UNITS_TEXT_MAX], change[UNITS_TEXT_MAX];
	double was = before_whole(&s->before, &s->figure);
	if (!s->compare)
		return;
	printf("%s%severything from ", line ? CHART_LINE " " : "", line ? "" : "\n");
	rows_print_earlier(s->before.range, s->a->json, stdout);
	printf(": %s %s", s->figure.kind == FIGURE_SUM ? "mean" : "overall", isnan(was) ? "-" : figure_text(&s->figure, was, text));
	printf(", now %s\n", before_change(&s->figure, whole_value(s), was, change));
}

/* ---- a chart ---- */

static unsigned print_at(const struct series *s, const char *what, double v, size_t column)
{
	char text[UNITS_TEXT_MAX], time[TIME_TEXT_MAX], day[CHART_TIME_MAX];
	uint64_t at_s = s->start_s + column * s->column_s;
	(void)chart_time(at_s, s->end_s - s->from_s, day);
	(void)time_format(at_s * 1000, time);
	bool both = day[2] != ':' && s->column_s < 86400;
	return (unsigned)printf("%s %s (%s%s%.*s)  ", what, figure_text(&s->figure, v, text), day, both ? " " : "", both ? 5 : 0, time + 11);
}

/* The extremes of what is over. Returns how many columns they take. */
static unsigned print_extremes(const struct series *s, const double *values)
{
	size_t most = 0, least = 0;
	for (size_t i = 1; i < s->columns && s->start_s + (i + 1) * s->column_s <= s->a->now_s; i++) {
		most = isnan(values[most]) || values[i] > values[most] ? i : most;
		least = isnan(values[least]) || values[i] < values[least] ? i : least;
	}
	if (isnan(values[most]))
		return 0;
	return print_at(s, "max", values[most], most) + print_at(s, "min", values[least], least);
}

/* Extremes, and the figure of the whole range: in a line of their own when they have no room beside. */
static void print_summary(const struct series *s, const double *values)
{
	char rest[100], text[UNITS_TEXT_MAX];
	const json_t *total = json_object_get(s->a->json, "total");
	unsigned used = print_extremes(s, values);
	double whole = whole_value(s);
	int n = snprintf(rest, sizeof(rest), "%s %s", s->figure.kind == FIGURE_SUM ? "mean" : "overall",
		isnan(whole) ? "-" : figure_text(&s->figure, whole, text));
	if (s->figure.kind == FIGURE_SUM)
		n += snprintf(rest + n, sizeof(rest) - (size_t)n, "  total %s",
			rows_amount(s->figure.measure, rows_number(total, s->figure.measure), text));
	if (s->throughput && n < (int)sizeof(rest)) {
		char title[UNITS_TEXT_MAX];
		const json_t *p = json_object_get(json_object_get(s->throughput, "total"), "percentile_bps");
		n += snprintf(rest + n, sizeof(rest) - (size_t)n, "  %s %s", percentile_title(s, 'p', title), json_is_number(p) ? units_bit_rate(json_number_value(p), text) : "-");
	}
	printf("%s%s\n", used && used + (unsigned)n > s->screen.width ? "\n" : "", rest);
}

static void print_chart(struct series *s)
{
	struct figure_sum columns[CHART_MAX] = {0};
	double values[CHART_MAX], before[CHART_MAX];
	const json_t *row;
	size_t i;
	unsigned width = s->screen.width > CHART_SCALE + CHART_VALUES_MIN ? s->screen.width - CHART_SCALE : CHART_VALUES_MIN;
	unsigned lines = s->screen.height > CHART_AROUND ? s->screen.height - CHART_AROUND : 0;
	set_columns(s, width < CHART_MAX ? width : CHART_MAX);
	json_array_foreach(s->rows, i, row)
		add_to_column(s, row, columns);
	for (i = 0; i < s->columns; i++)
		values[i] = column_value(s, columns, i);
	for (i = 0; i < s->columns && s->compare; i++)
		before[i] = before_value(&s->before, &s->figure, s->start_s + i * s->column_s, s->column_s);
	struct chart chart = {&s->figure, values, s->compare ? before : NULL, s->columns, s->start_s, s->column_s};
	chart_print(&chart, &s->screen, lines < 4 ? 4 : lines > LINES_MAX ? LINES_MAX : lines / 4 * 4, stdout);
	(void)putchar('\n');
	print_summary(s, values);
	print_before(s, true);
}

/* ---- a line a bucket ---- */

static double bucket_value(const struct series *s, const json_t *row)
{
	struct figure_sum sum = {0};
	figure_add(&s->figure, row, &sum);
	return value_of(s, &sum, rows_time(row, "time"), s->step_s);
}

static bool is_median(const struct figure *f)
{
	return strcmp(f->measure, "rtt_p50_us") == 0;
}

static void add_bucket(const struct series *s, struct table *t, const json_t *row, double max)
{
	char text[UNITS_TEXT_MAX], time[TIME_TEXT_MAX];
	double v = bucket_value(s, row);
	(void)time_format(rows_time(row, "time") * 1000, time);
	table_cell(t, STYLE_PLAIN, "%.10s %.5s", time, time + 11);
	table_cell(t, STYLE_PLAIN, "%s", rows_amount("bytes_sent", rows_number(row, "bytes_sent"), text));
	table_cell(t, isnan(v) ? STYLE_FAINT : STYLE_PLAIN, "%s", isnan(v) ? "-" : figure_text(&s->figure, v, text));
	if (s->compare) {
		double was = before_value(&s->before, &s->figure, rows_time(row, "time"), s->step_s);
		table_cell(t, isnan(was) ? STYLE_FAINT : STYLE_PLAIN, "%s", isnan(was) ? "-" : figure_text(&s->figure, was, text));
		table_cell(t, STYLE_PLAIN, "%s", before_change(&s->figure, v, was, text));
	}
	table_bar(t, v > 0 ? v / max : 0, BAR_COLUMNS);
	if (s->figure.kind != FIGURE_RETRANSMITS)
		rows_retransmit_cell(t, row);
	if (!is_median(&s->figure))
		rows_rtt_cell(t, row, "rtt_p50_us");
	table_row(t);
}

static int print_buckets(const struct series *s)
{
	char title[UNITS_TEXT_MAX];
	struct table_column columns[8] = {{"TIME (UTC)", false, 0, 0}, {"BYTES", true, s->compare ? 3 : 2, 0}, {figure_title(&s->figure, title), true, 0, 0}};
	size_t count = 3;
	if (s->compare) {
		columns[count++] = (struct table_column){"BEFORE", true, 0, 0};
		columns[count++] = (struct table_column){"CHANGE", true, 0, 0};
	}
	columns[count++] = (struct table_column){"", false, s->compare ? 4 : 1, 8};
	if (s->figure.kind != FIGURE_RETRANSMITS)
		columns[count++] = (struct table_column){"RETRANS", true, 0, 0};
	if (!is_median(&s->figure))
		columns[count++] = (struct table_column){"RTT P50", true, s->compare ? 2 : 3, 0};
	struct table *t;
	const json_t *row;
	double max = 0;
	size_t i;
	json_array_foreach(s->rows, i, row)
		max = fmax(max, bucket_value(s, row)); /* of a number and none the number */
	if (table_new(columns, count, &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(s->rows, i, row)
		add_bucket(s, t, row, max);
	int r = table_print(t, &s->screen, stdout);
	table_free(t);
	print_before(s, false);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* ---- a line a group ---- */

struct group {
	char *name;
	struct figure_sum *columns, all;
	double bytes, sent, retransmitted;
	double percentile, max; /* of the throughput's samples; NAN: not known */
	bool approximate, other;
};

struct groups {
	struct group *list;
	size_t count;
};

/* The dimensions' values beside each other, time left out. */
static char *group_name(const struct series *s, const json_t *row)
{
	char *name = strdup("");
	for (size_t i = 0; i < s->dim_count && name; i++) {
		if (strcmp(s->dims[i], "time") == 0)
			continue;
		char *text = rows_dimension_text(row, s->dims[i]), *both = NULL;
		if (!text || asprintf(&both, "%s%s%s", name, *name ? ", " : "", text) < 0)
			both = NULL;
		free(text);
		free(name);
		name = both;
	}
	return name;
}

/* The group of that name, made if new. NULL when memory is out. */
static struct group *group_get(const struct series *s, struct groups *g, char *take_name)
{
	for (size_t i = 0; i < g->count && take_name; i++)
		if (strcmp(g->list[i].name, take_name) == 0) {
			free(take_name);
			return &g->list[i];
		}
	struct group *list = take_name ? reallocarray(g->list, g->count + 1, sizeof(*list)) : NULL;
	struct figure_sum *columns = list ? calloc(s->columns, sizeof(*columns)) : NULL;
	g->list = list ? list : g->list;
	if (!columns) {
		free(take_name);
		return NULL;
	}
	list[g->count] = (struct group){.name = take_name, .columns = columns, .percentile = NAN, .max = NAN};
	return &list[g->count++];
}

static void groups_done(struct groups *g)
{
	for (size_t i = 0; i < g->count; i++) {
		free(g->list[i].name);
		free(g->list[i].columns);
	}
	free(g->list);
}

/* name: of all rows; NULL: each has its own. */
static int collect(const struct series *s, const json_t *rows, const char *name, struct groups *g)
{
	const json_t *row;
	size_t i;
	json_array_foreach(rows, i, row) {
		struct group *group = group_get(s, g, name ? strdup(name) : group_name(s, row));
		if (!group)
			return -1;
		add_to_column(s, row, group->columns);
		figure_add(&s->figure, row, &group->all);
		group->bytes += rows_number(row, "bytes_sent");
		group->sent += rows_number(row, "packets_sent");
		group->retransmitted += rows_number(row, "packets_retransmitted");
		group->approximate |= json_is_true(json_object_get(row, "approximate"));
	}
	return 0;
}

static double number_or_nan(const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);
	return json_is_number(v) ? json_number_value(v) : NAN;
}

static void set_percentile(struct group *group, const json_t *row)
{
	group->percentile = number_or_nan(row, "percentile_bps");
	group->max = number_or_nan(row, "max_bps");
}

/* Rows of the throughput are of the same groups; all others have one of their own. */
static int collect_percentiles(const struct series *s, struct groups *g)
{
	const json_t *row;
	size_t i;
	json_array_foreach(json_object_get(s->throughput, "rows"), i, row) {
		struct group *group = group_get(s, g, group_name(s, row));
		if (!group)
			return -1;
		set_percentile(group, row);
	}
	for (i = 0; i < g->count; i++)
		if (g->list[i].other)
			set_percentile(&g->list[i], json_object_get(s->throughput, "other"));
	return 0;
}

static double highest(const struct series *s, const struct group *group)
{
	double max = 0;
	for (size_t i = 0; i < s->columns; i++)
		max = fmax(max, column_value(s, group->columns, i));
	return max;
}

/* Heights are relative to the highest column of all groups, so that lines can be compared; the others are no group. */
static void add_chart(const struct series *s, struct table *t, const struct group *group, unsigned room, double max)
{
	char chart[CHART_MAX * 4 + 1] = "", *p = chart;
	size_t width = s->columns * GROUP_EACH < room ? s->columns * GROUP_EACH : room;
	for (size_t i = 0; i < width && !group->other; i++)
		p = stpcpy(p, units_height(column_value(s, group->columns, i * s->columns / width) / max));
	table_cell(t, STYLE_BAR, "%s", chart);
}

static void add_group(const struct series *s, struct table *t, const struct group *group, unsigned room, double max)
{
	char text[UNITS_TEXT_MAX];
	double mean = figure_value(&s->figure, &group->all, seconds_of(s, s->from_s, s->end_s - s->from_s));
	table_cell(t, group->other ? STYLE_FAINT : STYLE_PLAIN, "%s", group->name);
	add_chart(s, t, group, room, max);
	table_cell(t, STYLE_PLAIN, "%s", isnan(mean) ? "-" : figure_text(&s->figure, mean, text));
	if (s->throughput)
		table_cell(t, STYLE_PLAIN, "%s", isnan(group->percentile) ? "-" : units_bit_rate(group->percentile, text));
	table_cell(t, STYLE_PLAIN, "%s", figure_text(&s->figure, isnan(group->max) ? highest(s, group) : group->max, text));
	table_cell(t, STYLE_PLAIN, "%s", units_bytes(group->bytes, text));
	if (group->sent > 0)
		table_cell(t, rows_rate_style(group->retransmitted / group->sent), "%s%s", group->approximate ? "~" : "",
			units_percent(group->retransmitted / group->sent, text));
	table_row(t);
}

/* Columns of the screen for a group's chart, beside names of that width. */
static unsigned group_room(const struct screen *screen, unsigned name_columns)
{
	unsigned beside = name_columns + GROUP_BESIDE + (screen->width >= GROUP_WIDE ? GROUP_MORE : 0);
	unsigned room = !screen->width ? CHART_DEFAULT : screen->width > beside + CHART_VALUES_MIN ? screen->width - beside : CHART_VALUES_MIN;
	return room < CHART_MAX ? room : CHART_MAX;
}

static int print_table(const struct series *s, const struct groups *g)
{
	char title[64], text[UNITS_TEXT_MAX], percentile[UNITS_TEXT_MAX];
	unsigned name_columns = 0;
	double max = 0;
	for (size_t i = 0; i < g->count; i++) {
		unsigned width = text_width(g->list[i].name);
		name_columns = width > name_columns ? width : name_columns;
		max = g->list[i].other ? max : fmax(max, highest(s, &g->list[i]));
	}
	unsigned room = group_room(&s->screen, name_columns < GROUP_COLUMNS ? name_columns : GROUP_COLUMNS);
	(void)snprintf(title, sizeof(title), "0 to %s", figure_text(&s->figure, max, text));
	struct table_column columns[7] = {{"GROUP", false, 0, 8}, {title, false, 0, 0}, {"MEAN", true, 2, 0}};
	size_t count = 3;
	if (s->throughput)
		columns[count++] = (struct table_column){percentile_title(s, 'P', percentile), true, 1, 0};
	columns[count++] = (struct table_column){"MAX", true, 4, 0};
	columns[count++] = (struct table_column){"BYTES", true, 5, 0};
	columns[count++] = (struct table_column){"RETRANS", true, s->figure.kind == FIGURE_RETRANSMITS ? 6 : 3, 0};
	struct table *t;
	if (table_new(columns, count, &t) < 0)
		return -1;
	for (size_t i = 0; i < g->count; i++)
		if (!g->list[i].other || g->list[i].bytes > 0)
			add_group(s, t, &g->list[i], room, max > 0 ? max : 1);
	int r = table_print(t, &s->screen, stdout);
	table_free(t);
	return r;
}

static int print_groups(struct series *s)
{
	struct groups g = {0};
	size_t own;
	set_columns(s, group_room(&s->screen, GROUP_COLUMNS));
	int r = collect(s, s->rows, NULL, &g);
	own = g.count;
	if (r == 0)
		r = collect(s, json_object_get(s->a->json, "other_rows"), "all others", &g);
	for (size_t i = own; i < g.count; i++)
		g.list[i].other = true;
	if (r == 0 && s->throughput)
		r = collect_percentiles(s, &g);
	if (r == 0)
		r = print_table(s, &g);
	if (r == 0)
		print_before(s, false);
	groups_done(&g);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* ---- the answer ---- */

static int print_answer(const struct options *o, const struct client_answer *a)
{
	const json_t *answer = a->json;
	struct series s = {.screen = screen_get(), .a = a, .rows = json_object_get(answer, "rows"), .from_s = rows_time(answer, "from"),
		.end_s = rows_end(answer, a), .step_s = (uint64_t)rows_number(answer, "step")};
	char text[UNITS_TEXT_MAX];
	rows_print_range(answer, a, stdout);
	if (!json_array_size(s.rows) || !s.step_s) {
		(void)fputs("\n\nno traffic in this time\n", stdout);
		return EXIT_DONE;
	}
	if (!s.from_s) /* forever */
		s.from_s = rows_time(json_array_get(s.rows, 0), "time");
	if (figure_parse(o->values[OPTION_figure], &s.figure) < 0)
		return EXIT_USAGE; /* not after prepare */
	if (s.figure.kind == FIGURE_SUM && strcmp(s.figure.measure, "bytes_sent") == 0)
		s.throughput = json_object_get(answer, "throughput");
	printf(", %s in steps of %s\n\n", figure_title(&s.figure, text), units_age(s.step_s, (char[UNITS_TEXT_MAX]){0}));
	int r = EXIT_DONE;
	s.compare = before_read(a, s.from_s, &s.before);
	s.dim_count = rows_dimensions(json_array_get(s.rows, 0), s.dims);
	if (s.dim_count > 1)
		r = print_groups(&s);
	else if (s.screen.width && !o->values[OPTION_table])
		print_chart(&s);
	else
		r = print_buckets(&s);
	print_percentile_note(&s);
	rows_print_notes(answer, &s.screen, stdout);
	return r;
}

/* What is drawn, and how many buckets there is room for. */
static int prepare(struct options *o)
{
	static char fields[FIGURE_FIELDS_MAX], points[16];
	struct figure f;
	struct screen screen = screen_get();
	const char *sort = o->values[OPTION_sort], *text = o->values[OPTION_figure] ? o->values[OPTION_figure] : sort ? sort : "bytes";
	bool groups = o->values[OPTION_by] && *o->values[OPTION_by];
	if (figure_parse(text, &f) < 0) {
		if (o->values[OPTION_figure])
			return command_usage(o->command, "--figure is bytes, connections, requests, retransmit_rate, rtt_p50, rtt_p95, goodput_rate, spurious_rate or a sum of the API's");
		text = "bytes";
		(void)!figure_parse(text, &f);
	}
	if (o->values[OPTION_compare] && !*o->values[OPTION_compare])
		o->values[OPTION_compare] = "previous";
	if (o->values[OPTION_compare] && o->values[OPTION_csv] && groups)
		return command_usage(o->command, "--compare with --csv is of everything: no --by");
	if (o->values[OPTION_json] || o->values[OPTION_csv])
		return EXIT_DONE;
	o->values[OPTION_figure] = text;
	o->values[OPTION_fields] = figure_fields(&f, fields);
	if (!o->values[OPTION_percentile] && f.kind == FIGURE_SUM && strcmp(f.measure, "bytes_sent") == 0)
		o->values[OPTION_percentile] = PERCENTILE;
	if (groups || (screen.width && !o->values[OPTION_table]))
		(void)snprintf(points, sizeof(points), "%u", groups ? group_room(&screen, GROUP_COLUMNS) : screen.width > CHART_SCALE + CHART_VALUES_MIN
			? screen.width - CHART_SCALE : CHART_VALUES_MIN);
	if (*points && !o->values[OPTION_step] && !o->values[OPTION_points])
		o->values[OPTION_points] = points;
	return EXIT_DONE;
}

int command_series(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_series, .path = "/api/v1/series", .since = true, .prepare = prepare, .print = print_answer};
	return client_command(argc, argv, &question);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* The largest groups as a table: dimensions, amount, rate, share, quality; with --compare what has changed.
 *
 * Which columns there are depends on the question. Rates are over what has passed of the range, so that one that is still
 * running is not told too low, and changes are of rates, for two ranges may be of different lengths. The live view has rates
 * instead of sums, which mean little while the range moves: it begins at a whole minute. Bars are relative to the largest group. */

#include "cli/top.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/figure.h"
#include "cli/rows.h"
#include "cli/units.h"

#define BAR_COLUMNS   20
#define ENOUGH        0.5 /* of an earlier range must have had traffic to be compared with */
#define WATCH_SECONDS 2
#define TITLE_MAX     64

enum column {
	COLUMN_AMOUNT, /* of the measure that is sorted by */
	COLUMN_RATE,
	COLUMN_CHANGE,
	COLUMN_SHARE,
	COLUMN_BAR,
	COLUMN_RETRANS,
	COLUMN_RETRANS_CHANGE,
	COLUMN_SORTED, /* the rate sorted by, when it has no other column */
	COLUMN_P50,
	COLUMN_P95,
	COLUMN_CONNECTIONS,
	COLUMN_REQUESTS,
	COLUMN_COUNT
};

struct top {
	struct screen screen;
	bool watch, compare, since, no_rates; /* no_rates: how long a time a row is of is not known */
	const char *measure;
	struct figure rate;             /* that is sorted by: goodput or needless retransmits; else of another kind */
	double seconds, seconds_before; /* of the range and of the earlier one; 0: there is too little of that to compare with */
	double largest;                 /* share of a group */
	const char *dims[ROWS_DIMS_MAX];
	size_t dim_count, column_count;
	char titles[ROWS_DIMS_MAX + 1][TITLE_MAX], rate_title[UNITS_TEXT_MAX];
	enum column kinds[COLUMN_COUNT];
	struct table_column columns[ROWS_DIMS_MAX + COLUMN_COUNT];
};

/* ---- columns ---- */

static void title_of(const char *name, char ret[static TITLE_MAX])
{
	(void)snprintf(ret, TITLE_MAX, "%s", name);
	(void)rows_title(ret);
}

static bool sorted_by(const struct top *top, const char *measure)
{
	return strcmp(top->measure, measure) == 0;
}

static bool wants(const struct top *top, enum column f)
{
	switch (f) {
	case COLUMN_AMOUNT:
		return !top->watch;
	case COLUMN_RATE:
		return !top->no_rates;
	case COLUMN_CHANGE:
	case COLUMN_RETRANS_CHANGE:
		return top->compare;
	case COLUMN_SORTED:
		return top->rate.kind == FIGURE_GOODPUT || top->rate.kind == FIGURE_SPURIOUS;
	case COLUMN_CONNECTIONS:
		return !sorted_by(top, "connections");
	case COLUMN_REQUESTS:
		return !sorted_by(top, "requests");
	default:
		return true;
	}
}

/* Beside the amount it needs not say of what. */
static const char *rate_title(const struct top *top)
{
	if (sorted_by(top, "bytes_sent"))
		return "BIT/S";
	return top->watch ? top->titles[ROWS_DIMS_MAX] : rows_measure_is_bytes(top->measure) ? "BIT/S" : "PER S";
}

/* In a narrow window what is news stays longest: with a comparison the changes, else bars and connections. */
static struct table_column column_of(const struct top *top, enum column f)
{
	const bool w = top->watch, c = top->compare;
	switch (f) {
	case COLUMN_AMOUNT: return (struct table_column){top->titles[ROWS_DIMS_MAX], true, sorted_by(top, "bytes_sent") ? 1 : 0, 0};
	case COLUMN_RATE: return (struct table_column){rate_title(top), true, 0, 0};
	case COLUMN_CHANGE: return (struct table_column){"CHANGE", true, 0, 0};
	case COLUMN_SHARE: return (struct table_column){"SHARE", true, 7, 0};
	case COLUMN_BAR: return (struct table_column){"", false, 3, 6};
	case COLUMN_RETRANS: return (struct table_column){"RETRANS", true, 0, 0};
	case COLUMN_RETRANS_CHANGE: return (struct table_column){"CHANGE", true, 0, 0};
	case COLUMN_SORTED: return (struct table_column){top->rate_title, true, 0, 0};
	case COLUMN_P50: return (struct table_column){"RTT P50", true, c ? 5 : 2, 0};
	case COLUMN_P95: return (struct table_column){"RTT P95", true, 8, 0};
	case COLUMN_CONNECTIONS: return (struct table_column){w ? "CONN/S" : "CONNS", true, c ? 6 : 4, 0};
	case COLUMN_REQUESTS: return (struct table_column){w ? "REQ/S" : "REQUESTS", true, 9, 0};
	default: return (struct table_column){"", false, 1, 0};
	}
}

static void set_columns(struct top *top)
{
	size_t n = 0;
	for (; n < top->dim_count; n++) {
		title_of(top->dims[n], top->titles[n]);
		top->columns[n] = (struct table_column){top->titles[n], false, 0, 8};
	}
	title_of(sorted_by(top, "bytes_sent") ? "bytes" : top->measure, top->titles[ROWS_DIMS_MAX]);
	if (top->watch)
		(void)strncat(top->titles[ROWS_DIMS_MAX], rows_measure_is_bytes(top->measure) ? " BIT/S" : "/S",
			TITLE_MAX - 1 - strlen(top->titles[ROWS_DIMS_MAX]));
	for (enum column f = 0; f < COLUMN_COUNT; f++)
		if (wants(top, f)) {
			top->kinds[n - top->dim_count] = f;
			top->columns[n++] = column_of(top, f);
		}
	top->column_count = n;
}

/* ---- cells ---- */

static double rate_of(const struct top *top, const json_t *row, const char *measure)
{
	return rows_number(row, measure) / top->seconds;
}

/* Under a title that has the unit. */
static void add_rate(struct table *t, const char *measure, double per_s)
{
	char text[UNITS_TEXT_MAX];
	if (rows_measure_is_bytes(measure))
		(void)units_count(per_s * 8, text);
	else
		text[strcspn(units_per_second(per_s, text), "/")] = '\0';
	table_cell(t, STYLE_PLAIN, "%s", text);
}

static void add_count(const struct top *top, struct table *t, const json_t *row, const char *measure)
{
	if (top->watch)
		add_rate(t, measure, rate_of(top, row, measure));
	else
		rows_amount_cell(t, row, measure);
}

static void add_change(const struct top *top, struct table *t, const json_t *row)
{
	char text[UNITS_TEXT_MAX];
	if (top->seconds_before <= 0) {
		table_cell(t, STYLE_FAINT, "-");
		return;
	}
	double before = rows_number(json_object_get(row, "previous"), top->measure) / top->seconds_before;
	(void)units_change(rate_of(top, row, top->measure), before, text);
	table_cell(t, strcmp(text, "same") == 0 ? STYLE_FAINT : STYLE_PLAIN, "%s", text);
}

/* A rise is as bad as where it leads to. */
static void add_retransmit_change(const struct top *top, struct table *t, const json_t *row)
{
	const json_t *now = json_object_get(row, "retransmit_rate");
	const json_t *before = json_object_get(json_object_get(row, "previous"), "retransmit_rate");
	char text[UNITS_TEXT_MAX];
	if (top->seconds_before <= 0 || !json_is_number(now) || !json_is_number(before)) {
		table_cell(t, STYLE_FAINT, "-");
		return;
	}
	double rate = json_number_value(now), was = json_number_value(before);
	(void)units_points(rate, was, text);
	bool same = strcmp(text, "same") == 0 || rows_few(row) || rows_few(json_object_get(row, "previous"));
	table_cell(t, same ? STYLE_FAINT : rate < was ? STYLE_GOOD : rows_rate_style(rate) == STYLE_GOOD ? STYLE_PLAIN : rows_rate_style(rate),
		"%s", text);
}

static void add_share(struct table *t, const json_t *row)
{
	char text[UNITS_TEXT_MAX];
	const json_t *share = json_object_get(row, "share");
	table_cell(t, STYLE_PLAIN, "%s", json_is_number(share) ? units_percent(json_number_value(share), text) : "-");
}

static void add_sorted(const struct top *top, struct table *t, const json_t *row)
{
	char text[UNITS_TEXT_MAX];
	struct figure_sum sum = {0};
	figure_add(&top->rate, row, &sum);
	double v = figure_value(&top->rate, &sum, 0);
	table_cell(t, isnan(v) ? STYLE_FAINT : STYLE_PLAIN, "%s", isnan(v) ? "-" : figure_text(&top->rate, v, text));
}

static void add_figure(const struct top *top, struct table *t, const json_t *row, enum column f, bool group)
{
	switch (f) {
	case COLUMN_AMOUNT: rows_amount_cell(t, row, top->measure); break;
	case COLUMN_RATE: add_rate(t, top->measure, rate_of(top, row, top->measure)); break;
	case COLUMN_CHANGE: add_change(top, t, row); break;
	case COLUMN_SHARE: add_share(t, row); break;
	case COLUMN_BAR: table_bar(t, group && top->largest > 0 ? rows_number(row, "share") / top->largest : 0, BAR_COLUMNS); break;
	case COLUMN_RETRANS: rows_retransmit_cell(t, row); break;
	case COLUMN_RETRANS_CHANGE: add_retransmit_change(top, t, row); break;
	case COLUMN_SORTED: add_sorted(top, t, row); break;
	case COLUMN_P50: rows_rtt_cell(t, row, "rtt_p50_us"); break;
	case COLUMN_P95: rows_rtt_cell(t, row, "rtt_p95_us"); break;
	case COLUMN_CONNECTIONS: add_count(top, t, row, "connections"); break;
	case COLUMN_REQUESTS: add_count(top, t, row, "requests"); break;
	case COLUMN_COUNT: break;
	}
}

/* The cells behind the dimensions. */
static void add_figures(const struct top *top, struct table *t, const json_t *row, bool group)
{
	for (size_t i = top->dim_count; i < top->column_count; i++)
		add_figure(top, t, row, top->kinds[i - top->dim_count], group);
	table_row(t);
}

static void add_sum(const struct top *top, struct table *t, const json_t *answer, const char *name)
{
	const json_t *sum = json_object_get(answer, name);
	if (!json_is_object(sum))
		return;
	for (size_t i = 0; i < top->dim_count; i++)
		table_cell(t, STYLE_FAINT, "%s", i ? "" : name);
	add_figures(top, t, sum, false);
}

/* ---- the answer ---- */

static int print_rows(struct top *top, const json_t *answer, FILE *out)
{
	const json_t *rows = json_object_get(answer, "rows"), *row;
	struct table *t;
	size_t i;
	top->dim_count = rows_dimensions(json_array_get(rows, 0), top->dims);
	top->no_rates = !rows_time(answer, "from") && !top->since; /* forever */
	for (size_t k = 0; k < top->dim_count; k++)
		top->no_rates |= strcmp(top->dims[k], "time") == 0;
	top->watch &= !top->no_rates;
	set_columns(top);
	if (table_new(top->columns, top->column_count, &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(rows, i, row)
		if (rows_number(row, "share") > top->largest)
			top->largest = rows_number(row, "share");
	json_array_foreach(rows, i, row) {
		for (size_t k = 0; k < top->dim_count; k++)
			rows_dimension_cell(t, row, top->dims[k]);
		add_figures(top, t, row, true);
	}
	if (top->dim_count) {
		add_sum(top, t, answer, "other");
		add_sum(top, t, answer, "total");
	}
	int r = table_print(t, &top->screen, out);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int print_answer(struct top *top, const struct client_answer *a, FILE *out)
{
	const json_t *previous = json_object_get(a->json, "previous");
	top->since = a->since_s;
	top->seconds = rows_seconds(a->json, a);
	top->seconds_before = rows_seconds(previous, a);
	if (top->seconds_before < ENOUGH * (double)(rows_time(previous, "to") - rows_time(previous, "from")))
		top->seconds_before = 0;
	rows_print_range(a->json, a, out);
	if (top->compare) {
		(void)fputs(", compared with ", out);
		rows_print_earlier(previous, a->json, out);
	}
	(void)fputs("\n\n", out);
	if (!json_array_size(json_object_get(a->json, "rows"))) {
		(void)fputs("no traffic in this time\n", out);
		return EXIT_DONE;
	}
	int r = print_rows(top, a->json, out);
	rows_print_notes(a->json, &top->screen, out);
	return r;
}

int top_print(const struct options *o, const struct screen *screen, FILE *out)
{
	struct top top = {.screen = *screen, .measure = rows_measure(o), .watch = o->values[OPTION_watch],
		.compare = o->values[OPTION_compare]};
	struct client_answer a;
	if (o->values[OPTION_sort] && figure_parse(o->values[OPTION_sort], &top.rate) == 0)
		(void)figure_title(&top.rate, top.rate_title);
	int r = client_get(o, "/api/v1/top", NULL, NULL, &a);
	if (r != EXIT_DONE)
		return r;
	r = client_get_since(o, &a);
	if (r == EXIT_DONE && !client_print_raw(o, &a, &r))
		r = print_answer(&top, &a, out);
	client_answer_done(&a);
	return r;
}

int command_top(int argc, char **argv)
{
	struct options o;
	int r = options_parse(argc, argv, OPTIONS_top, NULL, &o);
	if (r != OPTIONS_GO_ON)
		return r;
	const char *seconds = o.values[OPTION_watch];
	if (seconds && (seconds[strspn(seconds, "0123456789")] || strlen(seconds) > 5))
		return command_usage(argv[0], "--watch takes whole seconds");
	if (seconds && (o.values[OPTION_json] || o.values[OPTION_csv]))
		return command_usage(argv[0], "--watch draws a table: no --json, no --csv");
	if (o.values[OPTION_compare] && !*o.values[OPTION_compare])
		o.values[OPTION_compare] = "previous";
	struct screen screen = screen_get();
	unsigned pause = seconds ? (unsigned)strtoul(seconds, NULL, 10) : 0;
	return seconds ? top_watch(&o, pause ? pause : WATCH_SECONDS) : top_print(&o, &screen, stdout);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* The largest groups as a table: dimensions, amount, share, quality. */

#include "cli/top.h"

#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"

#define BAR_COLUMNS   12
#define WATCH_SECONDS 2

/* The columns behind the dimensions, in this order. */
static const struct table_column figures[] = {
	{"", true, 0, 0}, /* the measure that is sorted by */
	{"SHARE", true, 4, 0},
	{"", false, 6, 0},
	{"RETRANS", true, 0, 0},
	{"RTT P50", true, 2, 0},
	{"RTT P95", true, 5, 0},
	{"CONNS", true, 7, 0},
	{"REQUESTS", true, 8, 0},
};

struct top {
	struct screen screen;
	const char *measure;
	const char *dims[ROWS_DIMS_MAX];
	size_t dim_count;
	char titles[ROWS_DIMS_MAX + 1][64];
	struct table_column columns[ROWS_DIMS_MAX + ARRAY_LEN(figures)];
};

static void title_of(const char *name, char ret[static 64])
{
	size_t i = 0;
	for (; name[i] && i < 63; i++)
		ret[i] = (char)(name[i] == '_' ? ' ' : name[i] >= 'a' && name[i] <= 'z' ? name[i] - 32 : name[i]);
	ret[i] = '\0';
}

static void set_columns(struct top *top)
{
	for (size_t i = 0; i < top->dim_count; i++) {
		title_of(top->dims[i], top->titles[i]);
		top->columns[i] = (struct table_column){top->titles[i], false, 0, 8};
	}
	memcpy(top->columns + top->dim_count, figures, sizeof(figures));
	title_of(strcmp(top->measure, "bytes_sent") == 0 ? "bytes" : top->measure, top->titles[ROWS_DIMS_MAX]);
	top->columns[top->dim_count].title = top->titles[ROWS_DIMS_MAX];
}

/* The cells behind the dimensions. */
static void add_figures(const struct top *top, struct table *t, const json_t *row)
{
	char text[UNITS_TEXT_MAX], bar[UNITS_BAR_MAX];
	const json_t *share = json_object_get(row, "share");
	rows_amount_cell(t, row, top->measure);
	table_cell(t, STYLE_PLAIN, "%s",
		json_is_number(share) ? units_percent(json_number_value(share), text) : "-");
	table_cell(t, STYLE_BAR, "%s", units_bar(json_number_value(share), BAR_COLUMNS, bar));
	rows_retransmit_cell(t, row);
	rows_rtt_cell(t, row, "rtt_p50_us");
	rows_rtt_cell(t, row, "rtt_p95_us");
	rows_amount_cell(t, row, "connections");
	rows_amount_cell(t, row, "requests");
	table_row(t);
}

static void add_sum(const struct top *top, struct table *t, const json_t *answer, const char *name)
{
	const json_t *sum = json_object_get(answer, name);
	if (!json_is_object(sum))
		return;
	for (size_t i = 0; i < top->dim_count; i++)
		table_cell(t, STYLE_FAINT, "%s", i ? "" : name);
	add_figures(top, t, sum);
}

static int print_rows(struct top *top, const json_t *answer, FILE *out)
{
	const json_t *rows = json_object_get(answer, "rows"), *row;
	struct table *t;
	size_t i;
	top->dim_count = rows_dimensions(json_array_get(rows, 0), top->dims);
	set_columns(top);
	if (table_new(top->columns, top->dim_count + ARRAY_LEN(figures), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(rows, i, row) {
		for (size_t k = 0; k < top->dim_count; k++)
			rows_dimension_cell(t, row, top->dims[k]);
		add_figures(top, t, row);
	}
	if (top->dim_count) {
		add_sum(top, t, answer, "other");
		add_sum(top, t, answer, "total");
	}
	int r = table_print(t, &top->screen, out);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int print_answer(struct top *top, const json_t *answer, FILE *out)
{
	rows_print_range(answer, out);
	(void)fputs("\n\n", out);
	if (!json_array_size(json_object_get(answer, "rows"))) {
		(void)fputs("no traffic in this time\n", out);
		return EXIT_DONE;
	}
	int r = print_rows(top, answer, out);
	rows_print_notes(answer, &top->screen, out);
	return r;
}

int top_print(const struct options *o, const struct screen *screen, FILE *out)
{
	struct top top = {.screen = *screen, .measure = rows_measure(o)};
	struct client_answer a;
	int r = client_get(o, "/api/v1/top", NULL, NULL, &a);
	if (r != EXIT_DONE)
		return r;
	if (!client_print_raw(o, &a, &r))
		r = print_answer(&top, a.json, out);
	client_answer_done(&a);
	return r;
}

int command_top(int argc, char **argv)
{
	struct options o;
	int r = options_parse(argc, argv, OPTIONS_TOP, NULL, &o);
	if (r != OPTIONS_GO_ON)
		return r;
	const char *seconds = o.values[OPTION_watch];
	if (seconds && (seconds[strspn(seconds, "0123456789")] || strlen(seconds) > 5))
		return command_usage(argv[0], "--watch takes whole seconds");
	if (seconds && (o.values[OPTION_json] || o.values[OPTION_csv]))
		return command_usage(argv[0], "--watch draws a table: no --json, no --csv");
	struct screen screen = screen_get();
	unsigned pause = seconds ? (unsigned)strtoul(seconds, NULL, 10) : 0;
	return seconds ? top_watch(&o, pause ? pause : WATCH_SECONDS) : top_print(&o, &screen, stdout);
}

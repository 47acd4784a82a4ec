/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"

/* "2026-11-23T10:00:00.500Z" as "2026-11-23 10:00:00". */
static void add_time(struct table *t, const json_t *row)
{
	const char *time = json_string_value(json_object_get(row, "time"));
	if (time && strlen(time) >= 19)
		table_cell(t, STYLE_PLAIN, "%.10s %.8s", time, time + 11);
	else
		table_cell(t, STYLE_FAINT, "?");
}

static void add_path(struct table *t, const json_t *row, const char *key, const char *mark)
{
	const char *path = json_string_value(json_object_get(row, key));
	if (!path)
		table_cell(t, STYLE_BAD, "%sno route", mark);
	else
		table_cell(t, STYLE_PLAIN, "%s%s", mark, *path ? path : "(its own network)");
}

static void add_change(struct table *t, const json_t *row)
{
	add_time(t, row);
	rows_dimension_cell(t, row, "router");
	rows_dimension_cell(t, row, "prefix");
	add_path(t, row, "before", "");
	add_path(t, row, "after", "-> ");
	table_row(t);
}

static int print_rows(const json_t *rows)
{
	static const struct table_column columns[] = {
		{"TIME", false, 1, 0}, {"ROUTER", false, 3, 8}, {"PREFIX", false, 0, 0}, {"BEFORE", false, 2, 12},
		{"-> AFTER", false, 0, 12},
	};
	struct screen screen = screen_get();
	struct table *t;
	const json_t *row;
	size_t i;
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(rows, i, row)
		add_change(t, row);
	int r = table_print(t, &screen, stdout);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int print_answer(const struct options *o, const struct client_answer *a)
{
	const json_t *answer = a->json;
	const json_t *rows = json_object_get(answer, "rows");
	rows_print_range(answer, a, stdout);
	(void)fputs("\n\n", stdout);
	if (!json_array_size(rows)) {
		(void)puts("no path changed in this time");
		return EXIT_DONE;
	}
	int r = print_rows(rows);
	const char *next = json_string_value(json_object_get(answer, "next"));
	if (next)
		(void)printf("\nthere are older ones: --after %s, or a larger --limit\n", next);
	return r;
}

int command_changes(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_changes, .path = "/api/v1/changes", .print = print_answer};
	return client_command(argc, argv, &question);
}

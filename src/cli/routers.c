/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"

static const char *text_at(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));
	return text ? text : "";
}

/* The networks with blanks between. On the heap; NULL when memory is out. */
static char *list_networks(const json_t *serves)
{
	char *text = NULL;
	size_t len, i;
	const json_t *v;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	json_array_foreach(serves, i, v)
		(void)fprintf(out, "%s%s", i ? " " : "", json_is_string(v) ? json_string_value(v) : "");
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* A line a source; router, networks and prefixes stand on the first. */
static void add_source(struct table *t, const json_t *source)
{
	char text[UNITS_TEXT_MAX];
	uint64_t loaded_ms, now_ms = clock_wall_ms();
	const char *state = text_at(source, "state"), *error = text_at(source, "error");
	const char *where = *text_at(source, "file") ? text_at(source, "file") : text_at(source, "peer");
	table_cell(t, STYLE_PLAIN, "%s %s", text_at(source, "kind"), where);
	table_cell(t, *error ? STYLE_BAD : STYLE_GOOD, "%s", state);
	table_cell(t, STYLE_PLAIN, "%lld", (long long)json_integer_value(json_object_get(source, "routes")));
	if (time_parse(text_at(source, "loaded"), &loaded_ms) == 0)
		table_cell(t, STYLE_PLAIN, "%s", units_age(now_ms > loaded_ms ? (now_ms - loaded_ms) / 1000 : 0, text));
	else
		table_cell(t, STYLE_FAINT, "-");
	table_cell(t, STYLE_BAD, "%s", error);
	table_row(t);
}

static void add_router(struct table *t, const json_t *row)
{
	const json_t *sources = json_object_get(row, "sources");
	char *serves = list_networks(json_object_get(row, "serves"));
	table_cell(t, STYLE_PLAIN, "%s", text_at(row, "name"));
	table_cell(t, STYLE_PLAIN, "%s", serves ? serves : "?");
	table_cell(t, STYLE_PLAIN, "%lld", (long long)json_integer_value(json_object_get(row, "prefixes")));
	free(serves);
	for (size_t i = 0; i < json_array_size(sources); i++) {
		for (int k = 0; i && k < 3; k++)
			table_cell(t, STYLE_PLAIN, "%s", "");
		add_source(t, json_array_get(sources, i));
	}
	table_row(t);
}

static int print_answer(const struct options *o, const json_t *answer)
{
	static const struct table_column columns[] = {
		{"ROUTER", false, 0, 0}, {"SERVES", false, 3, 12}, {"PREFIXES", true, 0, 0}, {"SOURCE", false, 0, 12},
		{"STATE", false, 0, 0}, {"ROUTES", true, 2, 0}, {"AGE", true, 1, 0}, {"", false, 0, 20},
	};
	struct screen screen = screen_get();
	struct table *t;
	const json_t *row, *rows = json_object_get(answer, "rows");
	size_t i;
	if (!json_array_size(rows)) {
		(void)puts("no routers are configured");
		return EXIT_DONE;
	}
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(rows, i, row)
		add_router(t, row);
	int r = table_print(t, &screen, stdout);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int command_routers(int argc, char **argv)
{
	const struct client_question question = {OPTIONS_ROUTERS, NULL, "/api/v1/routers", NULL, print_answer};
	return client_command(argc, argv, &question);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

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

static const char *where_from(const json_t *source)
{
	static const char *const keys[] = {"file", "from", "peer"};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (*text_at(source, keys[i]))
			return text_at(source, keys[i]);
	return "";
}

static void add_age(struct table *t, const char *time)
{
	char text[UNITS_TEXT_MAX];
	const char *age = units_since(time, text);
	table_cell(t, age ? STYLE_PLAIN : STYLE_FAINT, "%s", age ? age : "-");
}

static long long count_at(const json_t *obj, const char *key)
{
	return (long long)json_integer_value(json_object_get(obj, key));
}

/* up and loaded are good, stale is not yet bad. */
static enum table_style style_of(const char *state)
{
	if (strcmp(state, "up") == 0 || strcmp(state, "loaded") == 0)
		return STYLE_GOOD;
	return strcmp(state, "stale") == 0 ? STYLE_WARN : STYLE_BAD;
}

/* A line a source; router, networks and prefixes stand on the first. */
static void add_source(struct table *t, const json_t *source)
{
	const char *state = text_at(source, "state"), *vrf = text_at(source, "vrf");
	table_cell(t, STYLE_PLAIN, "%s %s%s%s", text_at(source, "kind"), where_from(source), *vrf ? " vrf " : "", vrf);
	table_cell(t, style_of(state), "%s", state);
	add_age(t, text_at(source, "since"));
	table_cell(t, STYLE_PLAIN, "%lld", count_at(source, "peers"));
	table_cell(t, STYLE_PLAIN, "%lld", count_at(source, "routes"));
	table_cell(t, STYLE_PLAIN, "%.1f", json_number_value(json_object_get(source, "updates_per_s")));
	add_age(t, text_at(source, "last_change"));
	table_cell(t, STYLE_BAD, "%s", text_at(source, "error"));
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

static int print_answer(const struct options *o, const struct client_answer *a)
{
	const json_t *answer = a->json;
	static const struct table_column columns[] = {
		{"ROUTER", false, 0, 0}, {"SERVES", false, 3, 12}, {"PREFIXES", true, 0, 0}, {"SOURCE", false, 0, 12},
		{"STATE", false, 0, 0}, {"SINCE", true, 1, 0}, {"PEERS", true, 4, 0}, {"ROUTES", true, 2, 0},
		{"UPDATES/S", true, 5, 0}, {"CHANGED", true, 6, 0}, {"", false, 0, 20},
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
	const struct client_question question = {.command = OPTIONS_routers, .path = "/api/v1/routers", .print = print_answer};
	return client_command(argc, argv, &question);
}

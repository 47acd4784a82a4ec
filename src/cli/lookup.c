/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"

static void add_text(struct table *t, const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);
	if (json_is_integer(v))
		table_cell(t, STYLE_PLAIN, "%lld", (long long)json_integer_value(v));
	else
		table_cell(t, STYLE_PLAIN, "%s", json_is_string(v) ? json_string_value(v) : "-");
}

static void add_route(struct table *t, const json_t *row)
{
	char text[UNITS_TEXT_MAX];
	add_text(t, row, "router");
	if (!json_is_string(json_object_get(row, "prefix"))) {
		table_cell(t, STYLE_FAINT, "no route");
		table_row(t);
		return;
	}
	static const char *const keys[] = {"prefix", "path", "next_hop", "communities", "match", "source"};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		add_text(t, row, keys[i]);
	const json_t *age = json_object_get(row, "age_s");
	if (json_is_number(age))
		table_cell(t, STYLE_PLAIN, "%s", units_age((uint64_t)json_number_value(age), text));
	table_row(t);
}

static int print_answer(const struct options *o, const json_t *answer)
{
	static const struct table_column columns[] = {
		{"ROUTER", false, 0, 0}, {"PREFIX", false, 0, 0}, {"PATH", false, 0, 10}, {"NEXT HOP", false, 3, 0},
		{"COMMUNITIES", false, 5, 12}, {"MATCH", false, 2, 0}, {"SOURCE", false, 4, 0}, {"AGE", true, 1, 0},
	};
	struct screen screen = screen_get();
	const char *address = json_string_value(json_object_get(answer, "address"));
	const char *country = json_string_value(json_object_get(answer, "country"));
	struct table *t;
	const json_t *row;
	size_t i;
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(json_object_get(answer, "rows"), i, row)
		add_route(t, row);
	printf("%s  country %s\n\n", address ? address : "", country ? country : "unknown");
	int r = 0;
	if (i)
		r = table_print(t, &screen, stdout);
	else
		(void)puts("no routers are configured");
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int command_lookup(int argc, char **argv)
{
	const struct client_question question = {OPTIONS_LOOKUP, "ADDRESS", "/api/v1/lookup", "address", print_answer};
	return client_command(argc, argv, &question);
}

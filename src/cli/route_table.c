/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/route_table.h"

#include "cli/command.h"
#include "cli/table.h"
#include "cli/units.h"

static void add_text(struct table *t, const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);
	if (json_is_integer(v))
		table_cell(t, STYLE_PLAIN, "%lld", (long long)json_integer_value(v));
	else
		table_cell(t, STYLE_PLAIN, "%s", json_is_string(v) ? json_string_value(v) : "-");
}

/* Ordinary and large ones alike. */
static void add_communities(struct table *t, const json_t *row)
{
	const char *plain = json_string_value(json_object_get(row, "communities"));
	const char *large = json_string_value(json_object_get(row, "large_communities"));
	table_cell(t, STYLE_PLAIN, "%s%s%s", plain ? plain : large ? "" : "-", plain && large ? " " : "", large ? large : "");
}

static void add_match(struct table *t, const json_t *row)
{
	const char *match = json_string_value(json_object_get(row, "match"));
	bool own = match && match[0] == 'o';
	table_cell(t, own ? STYLE_GOOD : STYLE_WARN, "%s", match ? match : "-");
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
	add_text(t, row, "prefix");
	add_text(t, row, "path");
	add_text(t, row, "next_hop");
	add_text(t, row, "local_pref");
	add_text(t, row, "med");
	add_communities(t, row);
	add_match(t, row);
	add_text(t, row, "source");
	add_text(t, row, "peer");
	const json_t *age = json_object_get(row, "age_s");
	if (json_is_number(age))
		table_cell(t, STYLE_PLAIN, "%s", units_age((uint64_t)json_number_value(age), text));
	table_row(t);
}

int route_table_print(const json_t *rows, const char *empty)
{
	static const struct table_column columns[] = {
		{"ROUTER", false, 0, 0}, {"PREFIX", false, 0, 0}, {"PATH", false, 0, 10}, {"NEXT HOP", false, 3, 0},
		{"PREF", true, 6, 0}, {"MED", true, 7, 0}, {"COMMUNITIES", false, 8, 12}, {"MATCH", false, 2, 0},
		{"SOURCE", false, 4, 0}, {"PEER", false, 5, 0}, {"AGE", true, 1, 0},
	};
	struct screen screen = screen_get();
	struct table *t;
	const json_t *row;
	size_t i;
	if (!json_array_size(rows)) {
		(void)puts(empty);
		return EXIT_DONE;
	}
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(rows, i, row)
		add_route(t, row);
	int r = table_print(t, &screen, stdout);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

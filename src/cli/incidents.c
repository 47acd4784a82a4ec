/* SPDX-License-Identifier: BSD-2-Clause */

/* What happened when, the latest first. What goes with something else, a loss and the move of networks beside it, says with which line. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"

static bool is_kind(const json_t *row, const char *kind)
{
	const char *text = json_string_value(json_object_get(row, "kind"));
	return text && strcmp(text, kind) == 0;
}

/* "11-27 14:05" of "2026-11-27T14:05:00Z". */
static void add_begin(struct table *t, const json_t *row)
{
	const char *time = json_string_value(json_object_get(row, "begin"));
	if (time && strlen(time) >= 16)
		table_cell(t, STYLE_PLAIN, "%.5s %.5s", time + 5, time + 11);
	else
		table_cell(t, STYLE_FAINT, "before");
}

/* over: the range has an end, and what went on then may not any more. */
static void add_length(struct table *t, const json_t *row, bool over)
{
	char text[UNITS_TEXT_MAX];
	uint64_t begin = rows_time(row, "begin"), end = rows_time(row, "end");
	if (is_kind(row, "path"))
		table_cell(t, STYLE_PLAIN, "%s", "");
	else if (!end)
		table_cell(t, over ? STYLE_PLAIN : STYLE_BAD, over ? "to the end" : "ongoing");
	else if (!begin)
		table_cell(t, STYLE_PLAIN, "?");
	else
		table_cell(t, STYLE_PLAIN, "%s", units_age(end - begin, text));
}

static const char *figure(const json_t *sums, bool is_rtt, char buf[static UNITS_TEXT_MAX])
{
	const char *key = is_rtt ? "rtt_p50_us" : "retransmit_rate";
	return !json_is_number(json_object_get(sums, key)) ? "-" : is_rtt ? units_rtt(rows_number(sums, key), buf) : units_percent(rows_number(sums, key), buf);
}

static void add_quality(struct table *t, const json_t *row)
{
	char text[UNITS_TEXT_MAX];
	bool is_rtt = is_kind(row, "rtt");
	CLEANUP(free_p) char *value = rows_dimension_text(row, "value");
	const char *name = json_string_value(json_object_get(row, "name"));
	if (json_is_null(json_object_get(row, "value")))
		table_cell(t, STYLE_PLAIN, "all traffic");
	else
		table_cell(t, STYLE_PLAIN, "%s%s%s", value ? value : "?", name ? " " : "", name ? name : "");
	table_cell(t, is_rtt ? STYLE_PLAIN : rows_rate_style(rows_number(json_object_get(row, "inside"), "retransmit_rate")), "%s",
		figure(json_object_get(row, "inside"), is_rtt, text));
	table_cell(t, STYLE_PLAIN, "%s", figure(json_object_get(row, "outside"), is_rtt, text));
	table_cell(t, STYLE_PLAIN, "%s", is_rtt ? "" : units_percent(rows_number(row, "retransmit_share"), text));
}

/* "64500", or where there is none what that means. */
static void put_end(const json_t *row, const char *as, const char *path, FILE *out)
{
	const json_t *number = json_object_get(row, as);
	if (json_is_integer(number))
		(void)fprintf(out, "%lld", (long long)json_integer_value(number));
	else
		(void)fputs(json_is_null(json_object_get(row, path)) ? "no route" : "itself", out);
}

static bool is_there(const json_t *row, const char *key)
{
	return !json_is_null(json_object_get(row, key));
}

/* "64500 > 64510", "no route > 64510"; where only its length is another: "prepending". */
static void put_ends(const json_t *row, FILE *out)
{
	if (!is_there(row, "before_as") && !is_there(row, "after_as") && is_there(row, "before") && is_there(row, "after")) {
		(void)fputs("prepending", out);
		return;
	}
	put_end(row, "before_as", "before", out);
	(void)fputs(" > ", out);
	put_end(row, "after_as", "after", out);
}

/* "edge1: 64500 > 64510, 37 paths, 120 times". */
static void put_move(const json_t *row, FILE *out)
{
	CLEANUP(free_p) char *router = rows_dimension_text(row, "value");
	CLEANUP(free_p) char *prefix = rows_dimension_text(row, "prefix");
	long long changes = json_integer_value(json_object_get(row, "changes")), networks = json_integer_value(json_object_get(row, "networks"));
	(void)fprintf(out, "%s: ", router ? router : "?");
	put_ends(row, out);
	if (networks == 1)
		(void)fprintf(out, ", %s", prefix ? prefix : "?");
	else
		(void)fprintf(out, ", %lld paths", networks);
	if (changes > networks)
		(void)fprintf(out, networks == 1 ? ", %lld times" : " (%lld changes)", changes);
}

/* The numbers of lines, with blanks between. */
static void put_with(const json_t *row, FILE *out)
{
	const json_t *number;
	size_t i;
	json_array_foreach(json_object_get(row, "with"), i, number)
		(void)fprintf(out, "%s%lld", i ? " " : "", (long long)json_integer_value(number) + 1);
}

static void add_text(struct table *t, const json_t *row, void (*put)(const json_t *row, FILE *out))
{
	CLEANUP(free_p) char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (out)
		put(row, out);
	table_cell(t, STYLE_PLAIN, "%s", out && fclose(out) == 0 ? text : "?");
}

static void add_move(struct table *t, const json_t *row)
{
	add_text(t, row, put_move);
	for (int i = 0; i < 3; i++) /* what only an episode has */
		table_cell(t, STYLE_PLAIN, "%s", "");
}

static int print_rows(const json_t *rows, bool over, const struct screen *screen)
{
	static const struct table_column columns[] = {
		{"#", true, 1, 0}, {"BEGAN UTC", false, 0, 0}, {"LASTED", true, 3, 0}, {"WHAT", false, 0, 0}, {"WHERE", false, 0, 10}, {"DURING", true, 0, 0},
		{"OTHERWISE", true, 2, 0}, {"OF LOSS", true, 4, 0}, {"WITH", false, 5, 0},
	};
	struct table *t;
	const json_t *row;
	size_t i;
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(rows, i, row) {
		const char *kind = json_string_value(json_object_get(row, "kind"));
		table_cell(t, STYLE_FAINT, "%zu", i + 1);
		add_begin(t, row);
		add_length(t, row, over);
		table_cell(t, STYLE_PLAIN, "%s", kind ? kind : "?");
		(is_kind(row, "path") ? add_move : add_quality)(t, row);
		add_text(t, row, put_with);
		table_row(t);
	}
	int r = table_print(t, screen, stdout);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Of a range without an event. */
static const char *nothing(const json_t *answer)
{
	return rows_number(json_object_get(answer, "total"), "bytes_sent") > 0
		? "nothing happened: no time of more loss or slower answers than at other times"
		: "no traffic in this time";
}

static int print_answer(const struct options *o, const struct client_answer *a)
{
	uint64_t end_s = rows_time(a->json, "to") + (uint64_t)rows_number(a->json, "step");
	const json_t *rows = json_object_get(a->json, "rows");
	const char *changes = json_string_value(json_object_get(a->json, "changes"));
	struct screen screen = screen_get();
	rows_print_range(a->json, a, stdout);
	(void)fputs("\n\n", stdout);
	int r = EXIT_DONE;
	if (json_array_size(rows))
		r = print_rows(rows, end_s * 1000 <= clock_wall_ms(), &screen);
	else
		(void)puts(nothing(a->json));
	if (json_integer_value(json_object_get(a->json, "more")))
		(void)printf("\n%lld more of less weight (--limit)\n", (long long)json_integer_value(json_object_get(a->json, "more")));
	if (changes && strcmp(changes, "newest") == 0)
		(void)puts("older changes of paths were not looked at: there are too many");
	else if (changes && strcmp(changes, "none") == 0)
		(void)puts("path changes are left out: they cannot be filtered by type, country or match");
	else if (!json_array_size(rows))
		(void)puts("no path changed");
	return r;
}

int command_incidents(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_incidents, .path = "/api/v1/incidents", .print = print_answer};
	return client_command(argc, argv, &question);
}

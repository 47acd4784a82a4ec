/* SPDX-License-Identifier: BSD-2-Clause */

/* The same network by several routers or neighbours: a line a side, the network's name on the first. What a side is said to be stands
 * behind each figure: better, worse or the same as the best one, or that there is not enough data to say so. Sides and networks come in the
 * API's order, the most at stake first. */

#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"

#define LIMIT "10"

static const char *const figures[] = {"retransmits", "rtt"};

/* ---- cells ---- */

static void add_verdict(struct table *t, const json_t *figure)
{
	const char *verdict = json_string_value(json_object_get(figure, "verdict"));
	if (!verdict || strcmp(verdict, "not enough data") == 0)
		table_cell(t, STYLE_FAINT, "not enough");
	else
		table_cell(t, strcmp(verdict, "worse") == 0 ? STYLE_BAD : strcmp(verdict, "better") == 0 ? STYLE_GOOD : STYLE_PLAIN, "%s", verdict);
}

/* "14.6 % (11.8 - 18.0)". */
static void add_share(struct table *t, const json_t *figure)
{
	char value[UNITS_TEXT_MAX];
	if (!json_is_number(json_object_get(figure, "value"))) {
		table_cell(t, STYLE_FAINT, "-");
		return;
	}
	(void)units_percent(rows_number(figure, "value"), value);
	table_cell(t, STYLE_PLAIN, "%s (%.1f - %.1f)", value, 100 * rows_number(figure, "low"), 100 * rows_number(figure, "high"));
}

static void add_rtt(struct table *t, const json_t *figure)
{
	char value[UNITS_TEXT_MAX];
	if (!json_is_number(json_object_get(figure, "value"))) {
		table_cell(t, STYLE_FAINT, "-");
		table_cell(t, STYLE_FAINT, "-");
		return;
	}
	table_cell(t, STYLE_PLAIN, "%s", units_rtt(rows_number(figure, "value"), value));
	table_cell(t, STYLE_PLAIN, "%.1f - %.1f ms", rows_number(figure, "low") / 1000, rows_number(figure, "high") / 1000);
}

static void add_side(struct table *t, const json_t *row, const json_t *side, const char *by, const char *between, bool first)
{
	if (first)
		rows_dimension_cell(t, row, by);
	else
		table_cell(t, STYLE_PLAIN, "%s", "");
	rows_dimension_cell(t, side, between);
	rows_amount_cell(t, side, "bytes_sent");
	rows_retransmit_cell(t, side);
	add_share(t, json_object_get(side, figures[0]));
	add_verdict(t, json_object_get(side, figures[0]));
	add_rtt(t, json_object_get(side, figures[1]));
	add_verdict(t, json_object_get(side, figures[1]));
	table_row(t);
}

/* ---- the answer ---- */

static int print_table(const json_t *answer, const struct screen *screen)
{
	char by[16], between[16];
	const char *by_name = json_string_value(json_object_get(answer, "by"));
	const char *between_name = json_string_value(json_object_get(answer, "between"));
	if (!by_name || !between_name)
		return EXIT_FAILED;
	(void)snprintf(by, sizeof(by), "%s", by_name);
	(void)snprintf(between, sizeof(between), "%s", between_name);
	const struct table_column columns[] = {
		{rows_title(by), false, 0, 11}, {rows_title(between), false, 0, 8}, {"BYTES", true, 1, 0}, {"RETRANS", true, 0, 0},
		{"OF CONNS (95 IN 100)", true, 3, 0}, {"", false, 0, 0}, {"RTT", true, 0, 0}, {"95 IN 100", true, 2, 0}, {"", false, 0, 0},
	};
	const json_t *row, *side;
	struct table *t;
	size_t i, k;
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(json_object_get(answer, "rows"), i, row)
		json_array_foreach(json_object_get(row, "sides"), k, side)
			add_side(t, row, side, by_name, between_name, k == 0);
	int r = table_print(t, screen, stdout);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static double better(const json_t *networks, const char *figure)
{
	return rows_number(json_object_get(networks, figure), "better");
}

/* "prefixes", "origins", "countries"; of one "prefix" and so on. */
static const char *networks_word(const json_t *answer, double count)
{
	const char *by = json_string_value(json_object_get(answer, "by"));
	return by && count == 1 ? by : !by ? "networks" : strcmp(by, "prefix") == 0 ? "prefixes" : strcmp(by, "country") == 0 ? "countries" : "origins";
}

/* What comes of all networks, shown or not. */
static void print_sum(const json_t *answer)
{
	const json_t *networks = json_object_get(answer, "networks");
	const char *between = json_string_value(json_object_get(answer, "between"));
	char stake[UNITS_TEXT_MAX], bytes[UNITS_TEXT_MAX];
	double compared = rows_number(networks, "compared");
	(void)printf("%.0f %s had traffic by two %ss or more: for %.0f of them one has fewer\nretransmits, for %.0f one is faster;"
		" %s of %s went by a worse one\n\n", compared, networks_word(answer, compared), between ? between : "side",
		better(networks, figures[0]), better(networks, figures[1]), units_bytes(rows_number(networks, "at_stake_bytes"), stake),
		units_bytes(rows_number(networks, "bytes_sent"), bytes));
}

static void print_nothing(const json_t *answer)
{
	const char *between = json_string_value(json_object_get(answer, "between"));
	if (!rows_number(json_object_get(answer, "total"), "bytes_sent")) {
		(void)puts("no traffic in this time");
		return;
	}
	(void)printf("no %s had traffic by two %ss in this time\n", networks_word(answer, 0), between ? between : "side");
	(void)printf("a longer time (--last 7d), wider networks (--by origin, --by country) or --between %s may have some\n",
		between && strcmp(between, "neighbour") == 0 ? "router" : "neighbour");
}

static void print_notes(const json_t *answer, const struct screen *screen)
{
	const json_t *row, *side;
	size_t i, k;
	bool approximate = false;
	json_array_foreach(json_object_get(answer, "rows"), i, row)
		json_array_foreach(json_object_get(row, "sides"), k, side)
			approximate |= json_is_true(json_object_get(side, "approximate"));
	(void)putchar('\n');
	style_print(screen, STYLE_FAINT, "beside the one that looks best; not enough: too little data to tell\n", stdout);
	if (approximate)
		rows_print_approximate(screen, stdout);
}

static int print_answer(const struct options *o, const struct client_answer *a)
{
	struct screen screen = screen_get();
	rows_print_range(a->json, a, stdout);
	(void)fputs("\n\n", stdout);
	if (!json_array_size(json_object_get(a->json, "rows"))) {
		print_nothing(a->json);
		return EXIT_DONE;
	}
	print_sum(a->json);
	int r = print_table(a->json, &screen);
	print_notes(a->json, &screen);
	return r;
}

/* As many networks as can be looked at; --json and --csv have what the API gives of itself. */
static int prepare(struct options *o)
{
	if (!o->values[OPTION_json] && !o->values[OPTION_csv] && !o->values[OPTION_limit])
		o->values[OPTION_limit] = LIMIT;
	return EXIT_DONE;
}

int command_compare(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_compare, .path = "/api/v1/compare", .prepare = prepare,
		.print = print_answer};
	return client_command(argc, argv, &question);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Whom to peer with: origins to which traffic goes by transit, how much, by whom, how well, and where one is a neighbour already. */

#include <stdlib.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"

#define TRANSITS_SHOWN 2

/* "64496 62 %, 64497 38 %", the rest as "+2". */
static void add_transit(struct table *t, const json_t *row)
{
	const json_t *ways = json_object_get(row, "transit"), *way;
	char *text = NULL;
	size_t len, i, left = json_array_size(ways) + (size_t)rows_number(row, "transit_left_out");
	FILE *out = open_memstream(&text, &len);
	if (!out) {
		table_cell(t, STYLE_FAINT, "?");
		return;
	}
	json_array_foreach(ways, i, way) {
		if (i == TRANSITS_SHOWN)
			break;
		(void)fprintf(out, "%s%.0f %.0f %%", i ? ", " : "", rows_number(way, "neighbour"), 100 * rows_number(way, "share"));
		left--;
	}
	if (left)
		(void)fprintf(out, " +%zu", left);
	if (fclose(out) == 0)
		table_cell(t, STYLE_PLAIN, "%s", text);
	free(text);
}

/* The routers where the origin is a neighbour already. */
static void add_direct(struct table *t, const json_t *row)
{
	const json_t *direct = json_object_get(row, "direct"), *router;
	char *text = NULL;
	size_t len, i;
	FILE *out = json_is_object(direct) ? open_memstream(&text, &len) : NULL;
	if (!out) {
		table_cell(t, STYLE_FAINT, "-");
		return;
	}
	json_array_foreach(json_object_get(direct, "routers"), i, router)
		(void)fprintf(out, "%s%s", i ? ", " : "", json_is_string(router) ? json_string_value(router) : "no router");
	if (rows_number(direct, "routers_left_out") > 0)
		(void)fprintf(out, " +%.0f", rows_number(direct, "routers_left_out"));
	if (fclose(out) == 0)
		table_cell(t, STYLE_PLAIN, "%s", text);
	free(text);
}

static void add_row(struct table *t, const json_t *row, double seconds)
{
	char text[UNITS_TEXT_MAX];
	rows_dimension_cell(t, row, "origin");
	rows_amount_cell(t, row, "bytes_sent");
	table_cell(t, STYLE_PLAIN, "%s", seconds > 0 ? units_count(rows_number(row, "bytes_sent") * 8 / seconds, text) : "-");
	table_cell(t, STYLE_PLAIN, "%s", units_percent(rows_number(row, "share"), text));
	add_transit(t, row);
	rows_retransmit_cell(t, row);
	rows_rtt_cell(t, row, "rtt_p50_us");
	add_direct(t, row);
	table_row(t);
}

static int print_table(const json_t *answer, double seconds, const struct screen *screen)
{
	static const struct table_column columns[] = {
		{"ORIGIN", false, 0, 12}, {"BYTES", true, 4, 0}, {"BIT/S", true, 0, 0}, {"SHARE", true, 3, 0}, {"BY TRANSIT", false, 0, 12},
		{"RETRANS", true, 1, 0}, {"RTT P50", true, 2, 0}, {"DIRECT AT", false, 0, 9},
	};
	const json_t *row;
	struct table *t;
	size_t i;
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(json_object_get(answer, "rows"), i, row)
		add_row(t, row, seconds);
	int r = table_print(t, screen, stdout);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int print_answer(const struct options *o, const struct client_answer *a)
{
	const json_t *transit = json_object_get(a->json, "transit");
	struct screen screen = screen_get();
	char bytes[UNITS_TEXT_MAX], share[UNITS_TEXT_MAX];
	rows_print_range(a->json, a, stdout);
	(void)fputs("\n\n", stdout);
	if (!json_array_size(json_object_get(a->json, "rows"))) {
		(void)puts(rows_number(json_object_get(a->json, "total"), "bytes_sent") > 0
			? "no traffic is known to have gone by transit in this time: where its path is known, the origin is the neighbour" : "no traffic in this time");
		return EXIT_DONE;
	}
	double origins = rows_number(a->json, "origins");
	(void)printf("%s, %s of all, went to %.0f origin%s by transit\n\n", units_bytes(rows_number(transit, "bytes_sent"), bytes),
		units_percent(rows_number(transit, "share"), share), origins, origins > 1 ? "s" : "");
	int r = print_table(a->json, rows_time(a->json, "from") ? rows_seconds(a->json, a) : 0, &screen);
	rows_print_notes(a->json, &screen, stdout);
	return r;
}

int command_peering(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_peering, .path = "/api/v1/peering", .since = true, .print = print_answer};
	return client_command(argc, argv, &question);
}

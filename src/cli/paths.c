/* SPDX-License-Identifier: BSD-2-Clause */

/* The paths that carry the most, the flow of all traffic by its stages, and where it is lost: one table, so that all its figures
 * stand below each other. "OF LOSS" is the part of all retransmitted packets: where it is far above the part of the traffic,
 * packets are lost on the way there, or behind it.
 *
 * A path has the names of its ASes as far as there is room: the origin's first, for it tells whose traffic it is, then an even
 * part for each on the way. */

#include <stdlib.h>
#include <string.h>

#include "base/words.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"

#define LIMIT       "10"
#define NODES       "4"
#define FIELDS      "bytes_sent,packets_sent,packets_retransmitted,connections,retransmit_rate,share,approximate"
#define BAR_COLUMNS 20
#define BESIDE      41 /* columns of the figures that are always there, with the gaps before them */
#define BESIDE_WIDE 16 /* and of the others */
#define PATH_MIN    24
#define NAME_MIN    5 /* of a name that is worth showing */
#define BETWEEN     " › "
#define BETWEEN_COLUMNS 3
#define LOST_MIN    0.2 /* of all that is lost, for a sentence about it */

struct paths {
	struct screen screen;
	const char *measure;
	const json_t *answer, *total;
	double seconds, largest; /* of the range, 0: forever; the largest share of the section */
	unsigned path_room;      /* 0: no limit */
};

/* ---- a path ---- */

static long long number_of(const json_t *hop)
{
	return (long long)json_integer_value(json_object_get(hop, "as"));
}

static const char *name_of(const json_t *hop)
{
	const char *name = json_string_value(json_object_get(hop, "name"));
	return name ? name : "";
}

static unsigned number_columns(const json_t *hop)
{
	return (unsigned)snprintf(NULL, 0, "%lld", number_of(hop));
}

/* " NAME", cut to so many columns; nothing when little would be left. */
static void print_name(const json_t *hop, unsigned room, FILE *out)
{
	char *name = strdup(name_of(hop));
	if (!name)
		return;
	text_clean(name);
	if (*name && (text_width(name) < room || room > NAME_MIN)) {
		(void)fputc(' ', out);
		(void)text_cut(name, room - 1, out);
	}
	free(name);
}

/* What a name, and the blank before it, would take. */
static unsigned name_columns(const json_t *hop)
{
	unsigned width = text_width(name_of(hop));
	return width ? width + 1 : 0;
}

/* The hops within `room` columns if that can be; 0: with all names. To be freed; NULL when memory is out. */
static char *path_text(const json_t *hops, unsigned room)
{
	char *text = NULL;
	size_t len, count = json_array_size(hops), i;
	const json_t *hop;
	unsigned numbers = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	json_array_foreach(hops, i, hop)
		numbers += number_columns(hop) + (i ? BETWEEN_COLUMNS : 0);
	unsigned left = !room ? UINT16_MAX : room > numbers ? room - numbers : 0;
	unsigned last = count ? name_columns(json_array_get(hops, count - 1)) : 0;
	last = last < left ? last : left;
	unsigned each = count > 1 ? (left - last) / (unsigned)(count - 1) : 0;
	json_array_foreach(hops, i, hop) {
		(void)fprintf(out, "%s%lld", i ? BETWEEN : "", number_of(hop));
		print_name(hop, i + 1 == count ? last : each, out);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void add_path(const struct paths *p, struct table *t, const json_t *row)
{
	const json_t *hops = json_object_get(row, "hops");
	CLEANUP(free_p) char *text = path_text(hops, p->path_room);
	if (!json_is_array(hops))
		table_cell(t, STYLE_FAINT, "no route");
	else if (!json_array_size(hops))
		table_cell(t, STYLE_FAINT, "(its own network)");
	else
		table_cell(t, STYLE_PLAIN, "%s", text ? text : "?");
}

/* ---- figures ---- */

static double loss_share(const struct paths *p, const json_t *row)
{
	double all = rows_number(p->total, "packets_retransmitted");
	return all > 0 ? rows_number(row, "packets_retransmitted") / all : 0;
}

/* Marked where it is twice the part of the traffic or more, and much. */
static void add_loss(const struct paths *p, struct table *t, const json_t *row)
{
	char text[UNITS_TEXT_MAX];
	double loss = loss_share(p, row), packets = rows_number(p->total, "packets_sent");
	bool much = packets > 0 && loss > 2 * rows_number(row, "packets_sent") / packets && loss > 0.02;
	table_cell(t, much ? rows_rate_style(rows_number(row, "retransmit_rate")) : STYLE_PLAIN, "%s", units_percent(loss, text));
}

/* bars: whether it is one of those that are compared with each other. */
static void add_figures(const struct paths *p, struct table *t, const json_t *row, bool bars)
{
	char text[UNITS_TEXT_MAX];
	double share = rows_number(row, "share");
	rows_amount_cell(t, row, p->measure);
	table_cell(t, STYLE_PLAIN, "%s", p->seconds > 0 ? units_count(rows_number(row, "bytes_sent") * 8 / p->seconds, text) : "-");
	table_cell(t, STYLE_PLAIN, "%s", units_percent(share, text));
	table_bar(t, bars && p->largest > 0 ? share / p->largest : 0, BAR_COLUMNS);
	rows_retransmit_cell(t, row);
	add_loss(p, t, row);
	rows_amount_cell(t, row, "connections");
	table_row(t);
}

static void set_largest(struct paths *p, const json_t *rows)
{
	const json_t *row;
	size_t i;
	p->largest = 0;
	json_array_foreach(rows, i, row)
		if (rows_number(row, "share") > p->largest && !json_is_true(json_object_get(row, "other")))
			p->largest = rows_number(row, "share");
}

/* ---- the two parts of the table ---- */

static void add_paths(struct paths *p, struct table *t)
{
	static const char *const sums[] = {"other", "total"};
	const json_t *rows = json_object_get(p->answer, "rows"), *row;
	size_t i;
	set_largest(p, rows);
	json_array_foreach(rows, i, row) {
		rows_dimension_cell(t, row, "router");
		add_path(p, t, row);
		add_figures(p, t, row, true);
	}
	for (i = 0; i < ARRAY_LEN(sums); i++) {
		table_cell(t, STYLE_FAINT, "%s", sums[i]);
		table_cell(t, STYLE_PLAIN, "%s", "");
		add_figures(p, t, json_object_get(p->answer, sums[i]), false);
	}
}

static void add_node(const struct paths *p, struct table *t, const json_t *node)
{
	bool other = json_is_true(json_object_get(node, "other"));
	CLEANUP(free_p) char *text = rows_dimension_text(node, "value");
	const char *name = json_string_value(json_object_get(node, "name"));
	if (other)
		table_cell(t, STYLE_FAINT, "other");
	else
		table_cell(t, STYLE_PLAIN, "%s%s%s", text ? text : "?", name ? " " : "", name ? name : "");
	add_figures(p, t, node, !other);
}

static void add_stages(struct paths *p, struct table *t)
{
	const json_t *nodes = json_object_get(p->answer, "nodes"), *node;
	const char *before = "";
	size_t i;
	set_largest(p, nodes);
	table_cell(t, STYLE_PLAIN, "%s", "");
	table_row(t);
	table_cell(t, STYLE_TITLE, "STAGE");
	table_cell(t, STYLE_TITLE, "FLOW");
	table_row(t);
	json_array_foreach(nodes, i, node) {
		const char *stage = json_string_value(json_object_get(node, "stage"));
		table_cell(t, STYLE_FAINT, "%s", stage && strcmp(stage, before) != 0 ? stage : "");
		before = stage ? stage : before;
		add_node(p, t, node);
	}
}

/* The AS on the way, the first or the second, by which far more is lost than goes by it. NULL: none. */
static const json_t *most_lost(const struct paths *p)
{
	const json_t *node, *most = NULL;
	double beyond = 0, packets = rows_number(p->total, "packets_sent");
	size_t i;
	json_array_foreach(json_object_get(p->answer, "nodes"), i, node) {
		const char *stage = json_string_value(json_object_get(node, "stage"));
		bool way = stage && (strcmp(stage, "neighbour") == 0 || strcmp(stage, "transit") == 0);
		double loss = loss_share(p, node), share = packets > 0 ? rows_number(node, "packets_sent") / packets : 1;
		if (!way || rows_few(node) || !json_is_integer(json_object_get(node, "value")) || loss < LOST_MIN || loss < 1.5 * share ||
			loss - share <= beyond)
			continue;
		beyond = loss - share;
		most = node;
	}
	return most;
}

static void print_lost(const struct paths *p)
{
	const json_t *node = most_lost(p);
	char loss[UNITS_TEXT_MAX];
	if (!node)
		return;
	const char *name = json_string_value(json_object_get(node, "name"));
	CLEANUP(free_p) char *text = NULL;
	if (asprintf(&text, "%s of all retransmits go by %s %lld%s%s", units_percent(loss_share(p, node), loss),
		    json_string_value(json_object_get(node, "stage")), (long long)json_integer_value(json_object_get(node, "value")),
		    name ? " " : "", name ? name : "") < 0)
		return;
	text_clean(text);
	(void)putchar('\n');
	style_print(&p->screen, rows_rate_style(rows_number(node, "retransmit_rate")), text, stdout);
	(void)putchar('\n');
}

/* ---- the answer ---- */

/* What routers' names and the figures leave over. */
static unsigned path_room(const struct screen *screen, const json_t *rows)
{
	unsigned first = (unsigned)sizeof("neighbour") - 1;
	const json_t *row;
	size_t i;
	json_array_foreach(rows, i, row) {
		const char *router = json_string_value(json_object_get(row, "router"));
		if (router && text_width(router) > first)
			first = text_width(router);
	}
	unsigned beside = first + 2 + BESIDE + (screen->width >= 110 ? BESIDE_WIDE : 0);
	if (!screen->width)
		return 0;
	return screen->width > beside + PATH_MIN ? screen->width - beside : PATH_MIN;
}

static int print_table(struct paths *p)
{
	const struct table_column columns[] = {
		{"ROUTER", false, 0, 7}, {"PATH", false, 0, 13},
		{rows_measure_is_bytes(p->measure) ? "BYTES" : "AMOUNT", true, strcmp(p->measure, "bytes_sent") == 0 ? 4 : 0, 0},
		{"BIT/S", true, 1, 0}, {"SHARE", true, 3, 0}, {"", false, 2, 6}, {"RETRANS", true, 0, 0}, {"OF LOSS", true, 0, 0},
		{"CONNS", true, 5, 0},
	};
	struct table *t;
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	add_paths(p, t);
	add_stages(p, t);
	int r = table_print(t, &p->screen, stdout);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int print_answer(const struct options *o, const struct client_answer *a)
{
	const json_t *rows = json_object_get(a->json, "rows");
	struct screen screen = screen_get();
	struct paths p = {.screen = screen, .measure = rows_measure(o), .answer = a->json, .total = json_object_get(a->json, "total"),
		.seconds = rows_time(a->json, "from") || a->since_s ? rows_seconds(a->json, a) : 0, .path_room = path_room(&screen, rows)};
	rows_print_range(a->json, a, stdout);
	(void)fputs("\n\n", stdout);
	if (!json_array_size(rows)) {
		(void)puts("no traffic in this time");
		return EXIT_DONE;
	}
	int r = print_table(&p);
	print_lost(&p);
	rows_print_notes(a->json, &p.screen, stdout);
	return r;
}

/* As many rows and nodes as can be looked at; --json and --csv have what the API gives of itself. */
static int prepare(struct options *o)
{
	static char fields[256];
	const char *measure = rows_measure(o);
	if (o->values[OPTION_json] || o->values[OPTION_csv])
		return EXIT_DONE;
	o->values[OPTION_limit] = o->values[OPTION_limit] ? o->values[OPTION_limit] : LIMIT;
	o->values[OPTION_nodes] = o->values[OPTION_nodes] ? o->values[OPTION_nodes] : NODES;
	bool more = strlen(measure) < 64 && !words_have(FIELDS, ',', measure);
	(void)snprintf(fields, sizeof(fields), FIELDS "%s%s", more ? "," : "", more ? measure : "");
	o->values[OPTION_fields] = fields;
	return EXIT_DONE;
}

int command_paths(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_paths, .path = "/api/v1/paths", .since = true, .prepare = prepare, .print = print_answer};
	return client_command(argc, argv, &question);
}

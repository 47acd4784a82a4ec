/* SPDX-License-Identifier: BSD-2-Clause */

/* Where it is lost: the collector's sentence, and the figures it is made of, each that is named with those by whom it is reached.
 * Rows and other are the total, for no path belongs to two of them. */

#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/rows.h"
#include "cli/units.h"

#define WIDTH_MAX    100  /* of a sentence on a terminal; elsewhere it is one line */
#define BEFORE_MAX   4
#define BEFORE_SHARE 0.05 /* of its packets: who hands less is left out */

struct suspects {
	struct screen screen;
	const json_t *answer, *total;
};

/* ---- the sentence ---- */

/* Broken between words. */
static void print_wrapped(const char *text, unsigned width, FILE *out)
{
	unsigned column = 0;
	while (*text) {
		char word[256];
		size_t n = strcspn(text, " ");
		(void)snprintf(word, sizeof(word), "%.*s", (int)n, text);
		unsigned columns = text_width(word);
		if (column)
			(void)fputc(column + 1 + columns > width ? '\n' : ' ', out);
		column = column && column + 1 + columns <= width ? column + 1 + columns : columns;
		(void)fwrite(text, 1, n, out);
		text += n + strspn(text + n, " ");
	}
	(void)fputc('\n', out);
}

static void print_sentence(const struct suspects *s, const char *verdict, enum table_style style)
{
	CLEANUP(free_p) char *clean = strdup(verdict ? verdict : "");
	CLEANUP(free_p) char *wrapped = NULL;
	size_t len;
	FILE *out = open_memstream(&wrapped, &len);
	if (!out)
		return;
	if (clean) {
		text_clean(clean);
		print_wrapped(clean, !s->screen.width ? UINT16_MAX : s->screen.width < WIDTH_MAX ? s->screen.width : WIDTH_MAX, out);
	}
	if (fclose(out) == 0)
		style_print(&s->screen, style, wrapped, stdout);
}

static void print_sentences(const struct suspects *s)
{
	const json_t *rows = json_object_get(s->answer, "rows"), *row;
	size_t i;
	if (!json_array_size(rows))
		print_sentence(s, json_string_value(json_object_get(s->answer, "verdict")), STYLE_PLAIN);
	json_array_foreach(rows, i, row)
		print_sentence(s, json_string_value(json_object_get(row, "verdict")), STYLE_TITLE);
}

/* ---- the table ---- */

/* "64500 Example Transit", "edge1 > 64500 Example Transit". To be freed; NULL: memory is out. */
static char *where_text(const json_t *row)
{
	char *text = NULL;
	size_t len, i;
	const json_t *value;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	json_array_foreach(json_object_get(row, "values"), i, value) {
		const char *name = json_string_value(json_array_get(json_object_get(row, "names"), i));
		(void)fputs(i ? " > " : "", out);
		if (json_is_integer(value))
			(void)fprintf(out, "%lld", (long long)json_integer_value(value));
		else
			(void)fputs(json_string_value(value) ? json_string_value(value) : "?", out);
		(void)fprintf(out, "%s%s", name ? " " : "", name ? name : "");
	}
	const json_t *twin;
	json_array_foreach(json_object_get(row, "twins"), i, twin)
		(void)fprintf(out, " = %lld", (long long)json_integer_value(json_object_get(twin, "as")));
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* Of all retransmits. */
static void add_share(const struct suspects *s, struct table *t, const json_t *row)
{
	char text[UNITS_TEXT_MAX];
	double all = rows_number(s->total, "packets_retransmitted");
	table_cell(t, STYLE_PLAIN, "%s", all > 0 ? units_percent(rows_number(row, "packets_retransmitted") / all, text) : "-");
}

static void add_interval(struct table *t, const json_t *row, const char *low, const char *high)
{
	char from[UNITS_TEXT_MAX], to[UNITS_TEXT_MAX];
	table_cell(t, STYLE_FAINT, "%.*s - %s", (int)strcspn(units_percent(rows_number(row, low), from), " "), from,
		units_percent(rows_number(row, high), to));
}

static void add_time(struct table *t, const json_t *row)
{
	const char *since = json_string_value(json_object_get(row, "since"));
	const char *before = json_string_value(json_object_get(row, "since_before"));
	const char *time = since ? since : before;
	if (time && strlen(time) >= 16)
		table_cell(t, STYLE_PLAIN, "%s%.5s %.5s", since ? "" : "< ", time + 5, time + 11);
	else
		table_cell(t, STYLE_FAINT, "-");
}

static void add_suspect(const struct suspects *s, struct table *t, const json_t *row)
{
	char text[UNITS_TEXT_MAX];
	CLEANUP(free_p) char *where = where_text(row);
	table_cell(t, STYLE_PLAIN, "%s", where ? where : "?");
	add_share(s, t, row);
	rows_retransmit_cell(t, row);
	add_interval(t, row, "retransmit_rate_low", "retransmit_rate_high");
	table_cell(t, STYLE_PLAIN, "%s", units_percent(rows_number(row, "elsewhere_rate"), text));
	table_cell(t, STYLE_PLAIN, "%s", units_count(rows_number(row, "excess"), text));
	rows_amount_cell(t, row, "bytes_sent");
	add_time(t, row);
	table_row(t);
}

static void add_before(const struct suspects *s, struct table *t, const json_t *row)
{
	const json_t *before;
	size_t i, shown = 0;
	json_array_foreach(json_object_get(row, "before"), i, before) {
		CLEANUP(free_p) char *as = rows_dimension_text(before, "as");
		const char *name = json_string_value(json_object_get(before, "name"));
		if (shown == BEFORE_MAX || rows_few(before) || rows_number(before, "packets_sent") < BEFORE_SHARE * rows_number(row, "packets_sent"))
			break;
		table_cell(t, STYLE_FAINT, "  by %s%s%s", as ? as : "?", name ? " " : "", name ? name : "");
		add_share(s, t, before);
		rows_retransmit_cell(t, before);
		table_row(t);
		shown++;
	}
}

static void add_sums(const struct suspects *s, struct table *t, const char *name)
{
	const json_t *row = json_object_get(s->answer, name);
	table_cell(t, STYLE_FAINT, "%s", name);
	add_share(s, t, row);
	rows_retransmit_cell(t, row);
	for (int i = 0; i < 3; i++) /* only of suspects */
		table_cell(t, STYLE_PLAIN, "%s", "");
	rows_amount_cell(t, row, "bytes_sent");
	table_row(t);
}

static int print_table(const struct suspects *s)
{
	static const struct table_column columns[] = {
		{"WHERE", false, 0, 20}, {"OF LOSS", true, 0, 0}, {"RETRANS", true, 0, 0}, {"95 %", true, 4, 0}, {"ELSEWHERE", true, 1, 0},
		{"EXCESS", true, 3, 0}, {"BYTES", true, 2, 0}, {"SINCE", false, 5, 0},
	};
	const json_t *row;
	size_t i;
	struct table *t;
	if (table_new(columns, ARRAY_LEN(columns), &t) < 0)
		return EXIT_FAILED;
	json_array_foreach(json_object_get(s->answer, "rows"), i, row) {
		add_suspect(s, t, row);
		add_before(s, t, row);
	}
	add_sums(s, t, "other");
	add_sums(s, t, "total");
	int r = table_print(t, &s->screen, stdout);
	table_free(t);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* ---- the answer ---- */

static int print_answer(const struct options *o, const struct client_answer *a)
{
	struct suspects s = {.screen = screen_get(), .answer = a->json, .total = json_object_get(a->json, "total")};
	print_sentences(&s);
	(void)fputc('\n', stdout);
	rows_print_range(a->json, a, stdout);
	(void)fputc('\n', stdout);
	if (!json_array_size(json_object_get(a->json, "rows")))
		return EXIT_DONE;
	(void)fputc('\n', stdout);
	int r = print_table(&s);
	rows_print_notes(a->json, &s.screen, stdout);
	return r;
}

int command_suspects(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_suspects, .path = "/api/v1/suspects", .print = print_answer};
	return client_command(argc, argv, &question);
}

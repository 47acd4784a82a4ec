/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>

#include "cli/units.h"

/* Retransmit rates that deserve a look, and that somebody should be called about. */
#define RATE_WARN 0.01
#define RATE_BAD  0.03

size_t rows_dimensions(const json_t *row, const char *ret[static ROWS_DIMS_MAX])
{
	size_t n = 0;
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)row, key, value) {
		size_t len = strlen(key);
		if (strcmp(key, "bytes_sent") == 0 || n == ROWS_DIMS_MAX)
			break;
		if (len < 5 || strcmp(key + len - 5, "_name") != 0)
			ret[n++] = key;
	}
	return n;
}

char *rows_dimension_text(const json_t *row, const char *dimension)
{
	const json_t *v = json_object_get(row, dimension);
	char key[64], *text = NULL;
	int n;
	(void)snprintf(key, sizeof(key), "%s_name", dimension);
	const char *name = json_string_value(json_object_get(row, key));
	if (json_is_integer(v))
		n = asprintf(&text, "%lld%s%s", (long long)json_integer_value(v), name ? " " : "", name ? name : "");
	else
		n = asprintf(&text, "%s", json_is_string(v) ? json_string_value(v) : "unknown");
	return n < 0 ? NULL : text;
}

void rows_dimension_cell(struct table *t, const json_t *row, const char *dimension)
{
	char *text = rows_dimension_text(row, dimension);
	bool known = !json_is_null(json_object_get(row, dimension));
	table_cell(t, known ? STYLE_PLAIN : STYLE_FAINT, "%s", text ? text : "?");
	free(text);
}

double rows_number(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

const char *rows_amount(const char *measure, double v, char *buf)
{
	return strncmp(measure, "bytes_", 6) == 0 ? units_bytes(v, buf) : units_count(v, buf);
}

void rows_amount_cell(struct table *t, const json_t *row, const char *measure)
{
	char buf[UNITS_TEXT_MAX];
	table_cell(t, STYLE_PLAIN, "%s", rows_amount(measure, rows_number(row, measure), buf));
}

void rows_retransmit_cell(struct table *t, const json_t *row)
{
	const json_t *v = json_object_get(row, "retransmit_rate");
	char buf[UNITS_TEXT_MAX];
	if (!json_is_number(v)) {
		table_cell(t, STYLE_FAINT, "-");
		return;
	}
	double rate = json_number_value(v);
	enum table_style style = rate >= RATE_BAD ? STYLE_BAD : rate >= RATE_WARN ? STYLE_WARN : STYLE_GOOD;
	bool approximate = json_is_true(json_object_get(row, "approximate"));
	table_cell(t, style, "%s%s", approximate ? "~" : "", units_percent(rate, buf));
}

void rows_rtt_cell(struct table *t, const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);
	char buf[UNITS_TEXT_MAX];
	if (json_is_number(v))
		table_cell(t, STYLE_PLAIN, "%s", units_rtt(json_number_value(v), buf));
	else
		table_cell(t, STYLE_FAINT, "-");
}

const char *rows_measure(const struct options *o)
{
	const char *sort = o->values[OPTION_sort];
	if (!sort || strcmp(sort, "retransmit_rate") == 0 || strncmp(sort, "rtt_", 4) == 0)
		return "bytes_sent";
	return sort;
}

/* "2026-11-23T10:00:00Z" as "2026-11-23 10:00"; the date is left out when it is the same as `date`'s. */
static void print_minute(const char *time, const char *date, FILE *out)
{
	if (!date || strncmp(time, date, 10) != 0)
		(void)fprintf(out, "%.10s ", time);
	(void)fprintf(out, "%.5s", strlen(time) >= 16 ? time + 11 : "");
}

void rows_print_range(const json_t *answer, FILE *out)
{
	const char *from = json_string_value(json_object_get(answer, "from"));
	const char *to = json_string_value(json_object_get(answer, "to"));
	if (!from || !to)
		return;
	print_minute(from, NULL, out);
	(void)fputs(" to ", out);
	print_minute(to, from, out);
	(void)fputs(" UTC", out);
}

void rows_print_notes(const json_t *answer, const struct screen *screen, FILE *out)
{
	const json_t *total = json_object_get(answer, "total");
	if (json_is_true(json_object_get(total, "approximate")))
		style_print(screen, STYLE_FAINT,
			"~ at least: some figures were read before their connection was over\n", out);
}

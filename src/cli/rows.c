/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/figure.h"
#include "cli/units.h"

/* Retransmit rates that deserve a look, and that somebody should be called about. */
#define RATE_WARN 0.01
#define RATE_BAD  0.03
#define FEW       1000 /* packets that say little about a rate */

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

char *rows_title(char *name)
{
	for (char *p = name; *p; p++)
		*p = (char)(*p == '_' ? ' ' : *p >= 'a' && *p <= 'z' ? *p - 32 : *p);
	return name;
}

double rows_number(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

bool rows_measure_is_bytes(const char *measure)
{
	return strncmp(measure, "bytes_", 6) == 0;
}

const char *rows_amount(const char *measure, double v, char *buf)
{
	return rows_measure_is_bytes(measure) ? units_bytes(v, buf) : units_count(v, buf);
}

void rows_amount_cell(struct table *t, const json_t *row, const char *measure)
{
	char buf[UNITS_TEXT_MAX];
	table_cell(t, STYLE_PLAIN, "%s", rows_amount(measure, rows_number(row, measure), buf));
}

bool rows_few(const json_t *row)
{
	const json_t *packets = json_object_get(row, "packets_sent");
	return packets && json_number_value(packets) < FEW;
}

enum table_style rows_rate_style(double rate)
{
	return rate >= RATE_BAD ? STYLE_BAD : rate >= RATE_WARN ? STYLE_WARN : STYLE_GOOD;
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
	enum table_style style = rows_few(row) ? STYLE_FAINT : rows_rate_style(rate);
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
	struct figure f;
	return !sort || (figure_parse(sort, &f) == 0 && f.kind != FIGURE_SUM) ? "bytes_sent" : sort;
}

uint64_t rows_time(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));
	uint64_t ms = 0;
	if (!text || time_parse(text, &ms) < 0)
		return 0;
	return ms / 1000;
}

uint64_t rows_end(const json_t *range, const struct client_answer *a)
{
	uint64_t to_s = rows_time(range, "to");
	return a->now_s < to_s && a->now_s > rows_time(range, "from") ? a->now_s : to_s;
}

double rows_seconds(const json_t *range, const struct client_answer *a)
{
	uint64_t from_s = rows_time(range, "from"), end_s = rows_end(range, a);
	from_s = from_s < a->since_s ? a->since_s : from_s;
	return end_s > from_s ? (double)(end_s - from_s) : 1;
}

/* With the date unless it is that of `beside`, and with seconds unless there are none. */
static void print_time(uint64_t s, uint64_t beside, FILE *out)
{
	char text[TIME_TEXT_MAX];
	(void)time_format(s * 1000, text);
	if (s / 86400 != beside / 86400)
		(void)fprintf(out, "%.10s ", text);
	(void)fprintf(out, "%.*s", s % 60 ? 8 : 5, text + 11);
}

void rows_print_range(const json_t *range, const struct client_answer *a, FILE *out)
{
	uint64_t from_s = rows_time(range, "from"), end_s = rows_end(range, a);
	if (!end_s)
		return;
	if (from_s)
		print_time(from_s, 0, out);
	(void)fputs(from_s ? " to " : "up to ", out);
	print_time(end_s, from_s, out);
	(void)fputs(" UTC", out);
	if (a->since_s > from_s && a->since_s < end_s) {
		(void)fputs(", traffic since ", out);
		print_time(a->since_s, end_s, out);
	}
}

void rows_print_earlier(const json_t *earlier, const json_t *range, FILE *out)
{
	uint64_t from_s = rows_time(earlier, "from");
	print_time(from_s, rows_time(range, "from"), out);
	(void)fputs(" to ", out);
	print_time(rows_time(earlier, "to"), from_s, out);
}

void rows_print_approximate(const struct screen *screen, FILE *out)
{
	style_print(screen, STYLE_FAINT, "~ at least: some figures were read before their connection was over\n", out);
}

void rows_print_notes(const json_t *answer, const struct screen *screen, FILE *out)
{
	const json_t *total = json_object_get(answer, "total");
	if (json_is_true(json_object_get(total, "approximate")))
		rows_print_approximate(screen, out);
}

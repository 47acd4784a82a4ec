/* SPDX-License-Identifier: BSD-2-Clause */

/* A bar is a column of full blocks with one of eight heights on top, so a line of the screen shows eight steps. What is more
 * than nothing is never shown as nothing; where nothing is known there is a gap. A line of an earlier time takes the place of what it
 * crosses. Retransmit rates have the colours that they have in tables. */

#include "cli/chart.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "cli/rows.h"

#define STEPS        4  /* of the scale */
#define LABEL_EVERY  12 /* columns between times, at least */
#define COLUMNS_EACH 8  /* of a value, at most */
#define COLUMNS_MAX  1000
#define DAY_S        86400u

double chart_scale(double max)
{
	static const double nice[] = {1, 2, 2.5, 5, 10};
	double step = max / STEPS, power = step > 0 ? pow(10, floor(log10(step))) : 1;
	for (size_t i = 0; i < ARRAY_LEN(nice); i++)
		if (nice[i] * power * STEPS >= max * (1 - 1e-9))
			return nice[i] * power * STEPS;
	return max;
}

const char *chart_time(uint64_t s, uint64_t range_s, char buf[static CHART_TIME_MAX])
{
	char text[TIME_TEXT_MAX];
	(void)time_format(s * 1000, text);
	if (range_s <= 2 * DAY_S)
		(void)snprintf(buf, CHART_TIME_MAX, "%.5s", text + 11);
	else if (range_s <= 300 * DAY_S)
		(void)snprintf(buf, CHART_TIME_MAX, "%.5s", text + 5);
	else
		(void)snprintf(buf, CHART_TIME_MAX, "%.7s", text);
	return buf;
}

/* Seconds between two times below the chart. */
static uint64_t tick_of(uint64_t at_least_s)
{
	static const uint64_t ticks_s[] = {60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, DAY_S, 2 * DAY_S, 5 * DAY_S,
		10 * DAY_S, 30 * DAY_S, 90 * DAY_S};
	for (size_t i = 0; i < ARRAY_LEN(ticks_s); i++)
		if (ticks_s[i] >= at_least_s)
			return ticks_s[i];
	return at_least_s;
}

/* The part of a bar that is in this line, counted from below. */
static const char *block(double v, double scale, unsigned lines, unsigned line)
{
	double height = v / scale * lines - line;
	if (isnan(v) || (height < 1.0 / 16 && (line || !(v > 0))))
		return " ";
	return units_height(fmin(round(height * 8) / 8, 1) > 0 ? fmin(round(height * 8) / 8, 1) : 1.0 / 8);
}

struct drawing {
	const struct chart *c;
	const struct screen *screen;
	double scale;
	unsigned lines, label_columns, columns; /* columns: of the bars */
};

static enum table_style style_of(const struct drawing *d, double v)
{
	return d->c->figure->kind == FIGURE_RETRANSMITS && !isnan(v) ? rows_rate_style(v) : STYLE_BAR;
}

/* Whether the line of before is in this line of the screen: in the one where a bar of that height would end. */
static bool is_before(const struct drawing *d, unsigned column, unsigned line)
{
	if (!d->c->before)
		return false;
	double v = d->c->before[column * d->c->count / d->columns], height = v / d->scale * d->lines;
	return !isnan(v) && (unsigned)fmin(fmax(ceil(height) - 1, 0), d->lines - 1) == line;
}

/* What looks the same is written as one piece. */
static void print_bars(const struct drawing *d, unsigned line, FILE *out)
{
	char text[COLUMNS_MAX * 3 + 1] = "", *p = text;
	enum table_style style = STYLE_BAR;
	for (unsigned column = 0; column < d->columns; column++) {
		double v = d->c->values[column * d->c->count / d->columns];
		bool before = is_before(d, column, line);
		enum table_style own = before ? STYLE_PLAIN : style_of(d, v);
		if (own != style) {
			style_print(d->screen, style, text, out);
			style = own;
			p = text;
			*p = '\0';
		}
		p = stpcpy(p, before ? CHART_LINE : block(v, d->scale, d->lines, line));
	}
	style_print(d->screen, style, text, out);
	(void)fputc('\n', out);
}

/* With a label at each step, on the line whose upper end it is. */
static void print_line(const struct drawing *d, unsigned line, FILE *out)
{
	unsigned each = d->lines / STEPS;
	bool labelled = (line + 1) % each == 0;
	char text[UNITS_TEXT_MAX] = "";
	if (labelled)
		(void)figure_text(d->c->figure, d->scale * ((line + 1) / each) / STEPS, text);
	(void)fprintf(out, "%*s %s", (int)d->label_columns, text, labelled ? "┤" : "│");
	print_bars(d, line, out);
}

/* The axis with a mark at each time, and the times below. */
static void print_times(const struct drawing *d, FILE *out)
{
	const struct chart *c = d->c;
	uint64_t range_s = c->value_s * c->count, tick_s = tick_of((range_s * LABEL_EVERY + d->columns - 1) / d->columns);
	char zero[UNITS_TEXT_MAX], text[CHART_TIME_MAX], times[COLUMNS_MAX + 1] = "";
	size_t used = 0;
	(void)fprintf(out, "%*s └", (int)d->label_columns, figure_text(c->figure, 0, zero));
	for (size_t column = 0; column < d->columns; column++) {
		uint64_t from_s = c->start_s + column * range_s / d->columns, to_s = c->start_s + (column + 1) * range_s / d->columns;
		uint64_t tick_at_s = (from_s + tick_s - 1) / tick_s * tick_s;
		bool mark = tick_at_s < to_s;
		(void)fputs(mark ? "┬" : "─", out);
		size_t end = mark ? column + strlen(chart_time(tick_at_s, range_s, text)) : 0;
		if (mark && column >= used && end <= d->columns && end < sizeof(times)) {
			(void)snprintf(times + used, sizeof(times) - used, "%*s%s", (int)(column - used), "", text);
			used = end;
		}
	}
	(void)fprintf(out, "\n%*s  %s\n", (int)d->label_columns, "", times);
}

void chart_print(const struct chart *c, const struct screen *screen, unsigned lines, FILE *out)
{
	double max = 0;
	for (size_t i = 0; i < c->count; i++)
		max = fmax(max, fmax(c->values[i], c->before ? c->before[i] : NAN)); /* of a number and none the number */
	struct drawing d = {.c = c, .screen = screen, .scale = chart_scale(max > 0 ? max : 1), .lines = lines, .columns = CHART_VALUES_MIN};
	for (unsigned step = 0; step <= STEPS; step++) {
		char text[UNITS_TEXT_MAX];
		unsigned width = text_width(figure_text(c->figure, d.scale * step / STEPS, text));
		d.label_columns = width > d.label_columns ? width : d.label_columns;
	}
	if (screen->width > d.label_columns + 2 + CHART_VALUES_MIN)
		d.columns = screen->width - d.label_columns - 2;
	d.columns = d.columns < c->count * COLUMNS_EACH ? d.columns : (unsigned)c->count * COLUMNS_EACH;
	d.columns = d.columns < COLUMNS_MAX ? d.columns : COLUMNS_MAX;
	for (unsigned line = lines; line--;)
		print_line(&d, line, out);
	print_times(&d, out);
}

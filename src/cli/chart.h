/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A chart of one figure over time for a terminal: bars of blocks, a scale with the figure's unit on the left, times below. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/figure.h"
#include "cli/table.h"

/* Columns of the screen that the scale takes at most. */
#define CHART_SCALE 14
/* Columns of the bars in however narrow a window. */
#define CHART_VALUES_MIN 10

/* What the line of an earlier time is drawn with. */
#define CHART_LINE "─"

struct chart {
	const struct figure *figure;
	const double *values; /* NAN: nothing is known */
	const double *before; /* as many of an earlier time, drawn as a line over the bars; NULL: none */
	size_t count;
	uint64_t start_s, value_s; /* when the first value begins; how long each is */
};

/* lines: of the bars, a multiple of four. The values are spread over the columns that the screen has, eight each at most. */
void chart_print(const struct chart *c, const struct screen *screen, unsigned lines, FILE *out);

/* The end of a scale that begins at 0 and has four even steps, each a 1, 2, 2.5 or 5 with noughts: at least max. */
double chart_scale(double max);
/* "10:40" in a range of hours, "11-27" in one of weeks, "2026-11" in a longer one. UTC. */
#define CHART_TIME_MAX 16
const char *chart_time(uint64_t s, uint64_t range_s, char buf[static CHART_TIME_MAX]);

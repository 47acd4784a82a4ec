/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a chart shows of the API's rows: a sum a second (bytes as bits), a rate (of retransmits, of goodput, of needless retransmits), or a percentile of the round-trip
 * times. Values of several rows are a weighted mean of theirs: figure_add gathers, figure_value divides. */

#include <jansson.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "cli/units.h"

struct figure {
	const char *measure; /* the API's name of it */
	enum { FIGURE_SUM, FIGURE_RETRANSMITS, FIGURE_GOODPUT, FIGURE_SPURIOUS, FIGURE_RTT } kind;
};

/* "bytes", "bit/s", "connections", "retransmit_rate", "rtt_p95", ... and every name of the API's. -EINVAL. */
int figure_parse(const char *text, struct figure *ret) MUST_USE;
/* The i-th name that people are offered, from 0; NULL behind the last. */
const char *figure_name(size_t i);
/* The fields of rows that figure_add, and cells of bytes, retransmits and round trips, want. */
#define FIGURE_FIELDS_MAX 256
const char *figure_fields(const struct figure *f, char buf[static FIGURE_FIELDS_MAX]);
/* Whether it is a share of something. */
bool figure_is_rate(const struct figure *f);
/* "BIT/S", "CONNECTIONS/S", "RETRANS", "RTT P95" */
const char *figure_title(const struct figure *f, char buf[static UNITS_TEXT_MAX]);
/* With its unit. */
const char *figure_text(const struct figure *f, double v, char buf[static UNITS_TEXT_MAX]);

struct figure_sum {
	double value, weight; /* weight: of sums it stays 0, for theirs are seconds */
};
void figure_add(const struct figure *f, const json_t *row, struct figure_sum *sum);
/* In bit/s, a second, as a share or in us. seconds: that the rows are of. NAN where there is nothing to divide by. */
double figure_value(const struct figure *f, const struct figure_sum *sum, double seconds);

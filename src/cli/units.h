/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Figures as people read them: three digits and a unit. Each returns buf. */

#include <stddef.h>
#include <stdint.h>

#define UNITS_TEXT_MAX 32
#define UNITS_BAR_MAX  256 /* bytes; three a column */

/* "999 B", "1.20 kB", "34.5 MB": powers of a thousand. */
const char *units_bytes(double bytes, char buf[static UNITS_TEXT_MAX]);
/* "9999", "12.3k", "4.56M". */
const char *units_count(double n, char buf[static UNITS_TEXT_MAX]);
/* "950 bit/s", "12.3 Mbit/s". */
const char *units_bit_rate(double bits_per_s, char buf[static UNITS_TEXT_MAX]);
/* "0.42/s", "12.3/s", "1.20k/s". */
const char *units_per_second(double n, char buf[static UNITS_TEXT_MAX]);
/* What a figure that was `before` has changed by: "+12 %", "-5.0 %", "x 12.3" when it is that many times as much, "same"
 * within half a hundredth, "new" when it was nothing. */
const char *units_change(double now, double before, char buf[static UNITS_TEXT_MAX]);
/* The difference of two shares in percentage points: "+0.35 pp"; "same" within two hundredths of a point. */
const char *units_points(double now, double before, char buf[static UNITS_TEXT_MAX]);
/* 0.0123 is "1.23 %"; what is more than nothing never shows as 0. */
const char *units_percent(double share, char buf[static UNITS_TEXT_MAX]);
/* "850 us", "18.3 ms", "1.20 s". */
const char *units_rtt(double us, char buf[static UNITS_TEXT_MAX]);
/* "12 s", "3 m 20 s", "2 h 5 m", "3 d 4 h". */
const char *units_age(uint64_t seconds, char buf[static UNITS_TEXT_MAX]);
/* The age of a time of the API's ("2026-11-23T10:00:00Z"); NULL when that is none, or NULL. */
const char *units_since(const char *time, char buf[static UNITS_TEXT_MAX]);

/* A bar of share (0..1) of `columns` columns in eighths of a block; more than nothing shows at least an
 * eighth. At most UNITS_BAR_MAX / 3 - 1 columns. */
const char *units_bar(double share, unsigned columns, char buf[static UNITS_BAR_MAX]);
/* One of eight heights as a block; a blank for nothing. Static text. */
const char *units_height(double share);

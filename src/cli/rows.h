/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The API's rows as cells of a table, and its ranges: what top, series and paths share. A range ("from", "to") that
 * ends now is widened to the end of the minute by the API; the answer (client.h) says how much of it has passed, and since when there is
 * traffic. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/client.h"
#include "cli/table.h"

#define ROWS_DIMS_MAX 8

/* The dimensions of the rows, in their order: the keys in front of the first measure that are no names.
 * Views into the answer. Returns how many. */
size_t rows_dimensions(const json_t *row, const char *ret[static ROWS_DIMS_MAX]);
/* The text of a dimension's value, an AS with its name; "unknown" for null. */
void rows_dimension_cell(struct table *t, const json_t *row, const char *dimension);
/* The text alone, to be freed; NULL when memory is out. */
char *rows_dimension_text(const json_t *row, const char *dimension);

/* A name of the API's as a column's title, in place: "rtt_p50" becomes "RTT P50". Returns it. */
char *rows_title(char *name);

/* A figure, 0 when it is absent or null. */
double rows_number(const json_t *row, const char *key);

void rows_amount_cell(struct table *t, const json_t *row, const char *measure);
/* So few packets that they say little about a rate; false where they are not told. */
bool rows_few(const json_t *row);
/* Of a retransmit rate. */
enum table_style rows_rate_style(double rate);
/* Faint when it is of few packets. */
void rows_retransmit_cell(struct table *t, const json_t *row);
void rows_rtt_cell(struct table *t, const json_t *row, const char *key);

/* The measure that bars and amounts show: the sort measure when it is a sum, else bytes_sent. */
const char *rows_measure(const struct options *o);
/* v of that measure, in its unit. */
const char *rows_amount(const char *measure, double v, char *buf);
bool rows_measure_is_bytes(const char *measure);

/* A time of the API's under this key, in seconds since 1970; 0 when it is none. */
uint64_t rows_time(const json_t *obj, const char *key);
/* Where the range ends, or is now. */
uint64_t rows_end(const json_t *range, const struct client_answer *a);
/* Seconds of the range that have passed, and in which there may have been traffic; at least 1. */
double rows_seconds(const json_t *range, const struct client_answer *a);
/* "2026-11-23 10:00 to 11:00 UTC"; a range that is not over: "... to 10:47:23 UTC"; one that begins before there was traffic:
 * "..., traffic since 2026-11-23 10:30". */
void rows_print_range(const json_t *range, const struct client_answer *a, FILE *out);
/* "09:10 to 10:10" beside that range, with its date when it is another. */
void rows_print_earlier(const json_t *earlier, const json_t *range, FILE *out);
/* What '~' means; always, and when any row is marked. */
void rows_print_approximate(const struct screen *screen, FILE *out);
void rows_print_notes(const json_t *answer, const struct screen *screen, FILE *out);

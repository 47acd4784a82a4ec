/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The API's rows as cells of a table: what top and series share. */

#include <jansson.h>

#include "cli/options.h"
#include "cli/table.h"

#define ROWS_DIMS_MAX 8

/* The dimensions of the rows, in their order: the keys in front of the first measure that are no names.
 * Views into the answer. Returns how many. */
size_t rows_dimensions(const json_t *row, const char *ret[static ROWS_DIMS_MAX]);
/* The text of a dimension's value, an AS with its name; "unknown" for null. */
void rows_dimension_cell(struct table *t, const json_t *row, const char *dimension);
/* The text alone, to be freed; NULL when memory is out. */
char *rows_dimension_text(const json_t *row, const char *dimension);

/* A figure, 0 when it is absent or null. */
double rows_number(const json_t *row, const char *key);

void rows_amount_cell(struct table *t, const json_t *row, const char *measure);
void rows_retransmit_cell(struct table *t, const json_t *row);
void rows_rtt_cell(struct table *t, const json_t *row, const char *key);

/* The measure that bars and amounts show: the sort measure when it is a sum, else bytes_sent. */
const char *rows_measure(const struct options *o);
/* v of that measure, in its unit. */
const char *rows_amount(const char *measure, double v, char *buf);

/* "2026-11-23 10:00 to 11:00 UTC". */
void rows_print_range(const json_t *answer, FILE *out);
/* What '~' means, when any row is marked. */
void rows_print_notes(const json_t *answer, const struct screen *screen, FILE *out);

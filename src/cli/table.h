/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Tables for a terminal: aligned columns by what a character takes on the screen, fitted into the
 * terminal's width, colours only where they are wanted. Text that comes from elsewhere is harmless:
 * what cannot be printed becomes '?'. */

#include <stdbool.h>
#include <stdio.h>

#include "base/compiler.h"

#define TABLE_COLUMNS_MAX 16

enum table_style { STYLE_PLAIN, STYLE_TITLE, STYLE_FAINT, STYLE_BAR, STYLE_GOOD, STYLE_WARN, STYLE_BAD };

struct screen {
	unsigned width; /* columns; 0: no limit (not a terminal) */
	bool colour;    /* a terminal, and NO_COLOR is not set */
	unsigned height; /* lines; 0 like width */
	bool moves;      /* a terminal whose cursor can be moved: TERM is not dumb */
};
/* Standard output's. */
struct screen screen_get(void);

struct table_column {
	const char *title;
	bool right;         /* aligned to the right */
	unsigned drop;      /* when the screen is too narrow the highest goes first; 0: stays */
	unsigned min_width; /* how far the text may be cut, or a bar made shorter; 0: not at all */
};

struct table;

/* columns must outlive the table. -ENOMEM. */
int table_new(const struct table_column *columns, size_t count, struct table **ret) MUST_USE;
void table_free(struct table *t);
/* table_cell fills a row from the left, table_row ends it: cells not given are empty. Memory that runs
 * out makes table_print fail. */
void table_cell(struct table *t, enum table_style style, const char *fmt, ...) PRINTF(3, 4);
/* A bar of share (0..1) of the column; with 0 none. columns: how long a whole one is where there is room. */
void table_bar(struct table *t, double share, unsigned columns);
void table_row(struct table *t);
/* The line of titles and the rows. -ENOMEM. */
int table_print(const struct table *t, const struct screen *screen, FILE *out) MUST_USE;

/* Text in a style, the end of the style behind it. */
void style_print(const struct screen *screen, enum table_style style, const char *text, FILE *out);

/* Columns that the text takes. */
unsigned text_width(const char *text);
/* Writes at most width columns of it, the last an ellipsis when it does not fit; returns the columns written. */
unsigned text_cut(const char *text, unsigned width, FILE *out);
/* Makes the text printable in place. Never makes it longer. */
void text_clean(char *text);

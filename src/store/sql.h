/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* SQL text under construction: grows as needed, with a sticky failure when memory is out, so that a
 * statement is put together without a check on each piece. Only names of schema.def and numbers go
 * into it; values from outside are always bound. */

#include <stdbool.h>

#include "base/compiler.h"

struct sql {
	char *text; /* ends with a NUL */
	size_t len, cap;
	bool failed;
};

/* {0} is an empty text; sql_done frees it: CLEANUP(sql_done). */
void sql_done(struct sql *s);
void sql_clear(struct sql *s);
void sql_add(struct sql *s, const char *fmt, ...) PRINTF(2, 3);
/* The text; "" when nothing was added; NULL when memory ran out. */
const char *sql_text(const struct sql *s);

/* Databases' numbers end at 2^63 - 1. */
static inline int64_t sql_int64_of(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

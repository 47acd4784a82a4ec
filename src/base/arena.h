/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* An arena: memory that is given back as a whole. Blocks are kept at a reset and used again, so a
 * batch that is filled and emptied each second allocates only while it grows. Not thread-safe. */

#include "base/compiler.h"

struct arena {
	struct arena_block *first, *current;
	size_t used;        /* in the current block */
	size_t total_bytes; /* handed out since the last reset */
};

void arena_init(struct arena *a);
void arena_done(struct arena *a);
void arena_reset(struct arena *a);
/* n bytes aligned for any type; NULL when memory is out. */
void *arena_alloc(struct arena *a, size_t n) MUST_USE;
/* A copy of n bytes; NULL when memory is out. */
void *arena_copy(struct arena *a, const void *data, size_t n) MUST_USE;

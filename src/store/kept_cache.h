/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Sums of runs of buckets, kept for the next time that they are asked for: shared by a store's readers, bounded,
 * the least recently used go first. An entry is what one question found in one state of the buckets, so one of
 * another state is never given out. Thread-safe; what was taken does not change and lives until it is released. */

#include "store/store.h"

struct kept_cache;

/* Of the buckets of a run (kept_blocks.c): how often they were changed, the greatest number of a change, their sum. */
struct kept_state {
	uint64_t changes, greatest, sum;
};

struct kept_sums {
	struct view data;
	uint64_t rows;
	bool made; /* of what is kept, not of rows that were read */
};

int kept_cache_new(size_t max_bytes, struct kept_cache **ret) MUST_USE;
void kept_cache_free(struct kept_cache *c);
void kept_cache_count(struct kept_cache *c, struct store_kept *ret);

/* What was given for this key in this state; NULL: nothing is there. */
const struct kept_sums *kept_cache_take(struct kept_cache *c, struct view key, const struct kept_state *state);
void kept_cache_release(struct kept_cache *c, const struct kept_sums *e);
/* A copy of the key and of the data, in the place of what was there under the key. What is too large, or finds no
 * memory, is not kept. */
void kept_cache_give(struct kept_cache *c, struct view key, const struct kept_state *state, const struct kept_sums *e);

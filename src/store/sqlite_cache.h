/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Sums of runs of buckets, kept for the next time that they are asked for: shared by a store's readers, bounded,
 * the least recently used go first. An entry is what one question found in one state of the buckets, so one of
 * another state is never given out. Thread-safe; what was taken does not change and lives until it is released. */

#include "store/store.h"

struct sqlite_cache;

/* See sqlite_blocks.c. */
struct bucket_state {
	int64_t buckets, last_change, all_changes;
};

struct cached {
	struct view data;
	uint64_t rows;
};

int sqlite_cache_new(size_t max_bytes, struct sqlite_cache **ret) MUST_USE;
void sqlite_cache_free(struct sqlite_cache *c);
void sqlite_cache_count(struct sqlite_cache *c, struct store_kept *ret);

/* What was given for this key in this state; NULL: nothing is there. */
const struct cached *sqlite_cache_take(struct sqlite_cache *c, struct view key, const struct bucket_state *state);
void sqlite_cache_release(struct sqlite_cache *c, const struct cached *e);
/* A copy of the key and of the data, in the place of what was there under the key. What is too large, or finds no
 * memory, is not kept. */
void sqlite_cache_give(struct sqlite_cache *c, struct view key, const struct bucket_state *state, const struct cached *e);

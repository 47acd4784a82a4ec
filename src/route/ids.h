/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: small numbers for things that come and go. An id is free, live or dead; a dead
 * one keeps its meaning until ids_release, and may come back to life before. The lowest free id is
 * given out first, so arrays indexed by ids stay short. Two bits an id. */

#include <stdbool.h>

#include "base/compiler.h"

#define IDS_NONE UINT32_MAX

struct ids {
	uint64_t *dead, *free;
	uint32_t cap;  /* of the bitmaps; callers grow their arrays along */
	uint32_t used; /* one more than the highest id ever given out */
	uint32_t dead_count, free_count;
	uint32_t hint; /* no word of `free` below this one has a bit */
};

void ids_init(struct ids *ids);
void ids_done(struct ids *ids);

/* A free id, now live; IDS_NONE when memory is out. */
uint32_t ids_get(struct ids *ids) MUST_USE;
/* live to dead, dead to live, dead to free */
void ids_bury(struct ids *ids, uint32_t id);
void ids_revive(struct ids *ids, uint32_t id);
void ids_release(struct ids *ids, uint32_t id);
/* The first dead id that is not below from, or IDS_NONE. */
uint32_t ids_next_dead(const struct ids *ids, uint32_t from);

static inline uint32_t ids_live(const struct ids *ids)
{
	return ids->used - ids->dead_count - ids->free_count;
}

static inline size_t ids_memory_bytes(const struct ids *ids)
{
	return (size_t)ids->cap / 4;
}

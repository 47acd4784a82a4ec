/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: blocks of 1 to POOL_BLOCK_MAX units out of one growing memory, named by 32-bit
 * numbers. A freed block is used again for its own size first, then cut up for smaller ones; blocks
 * are never joined again, so the waste is bounded by what each size once needed at its peak.
 *
 * A flat pool is one array that may move whenever pool_alloc runs: keep references, not pointers. A
 * chunked pool never moves anything. Memory goes back to the system with pool_done only. */

#include <stdbool.h>

#include "base/compiler.h"

#define POOL_NONE        UINT32_MAX
#define POOL_BLOCK_MAX   64u
#define POOL_CHUNK_SHIFT 16

struct pool {
	uint8_t *flat;
	uint8_t **chunks;
	uint32_t unit_bytes; /* 4 at least: a free block holds the next one's reference */
	uint32_t used, cap;  /* units: ever handed out, allocated */
	uint32_t free_units;
	uint64_t free_mask; /* bit n - 1: there is a free block of n units */
	uint32_t free_heads[POOL_BLOCK_MAX];
};

void pool_init_flat(struct pool *p, size_t unit_bytes);
void pool_init_chunked(struct pool *p, size_t unit_bytes);
void pool_done(struct pool *p);

/* A block of 1 to POOL_BLOCK_MAX units, content unspecified; POOL_NONE when memory is out. */
uint32_t pool_alloc(struct pool *p, uint32_t units) MUST_USE;
/* units: as at the allocation, or a part of it: the rest of the block stays allocated. */
void pool_free(struct pool *p, uint32_t ref, uint32_t units);

/* Moves a block of units (0: there is none yet) to one that has room for one more, in front of the
 * unit `at`, content unspecified. POOL_NONE when memory is out: then nothing has changed. */
uint32_t pool_insert(struct pool *p, uint32_t block, uint32_t units, uint32_t at) MUST_USE;
/* Moves a block to one without the unit `at`. Cannot fail; the result means nothing for the last. */
uint32_t pool_remove(struct pool *p, uint32_t block, uint32_t units, uint32_t at) MUST_USE;

size_t pool_memory_bytes(const struct pool *p);

static inline void *pool_at(const struct pool *p, uint32_t ref)
{
	if (p->chunks) {
		uint8_t *chunk = p->chunks[ref >> POOL_CHUNK_SHIFT];
		return chunk + (size_t)(ref & ((1u << POOL_CHUNK_SHIFT) - 1)) * p->unit_bytes;
	}
	return p->flat + (size_t)ref * p->unit_bytes;
}

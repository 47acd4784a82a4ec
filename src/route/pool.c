/* SPDX-License-Identifier: BSD-2-Clause */

/* See pool.h. Free blocks of each size form a list threaded through the blocks themselves; a bitmap of
 * the sizes that have one finds the smallest that is large enough in one instruction. Allocation and
 * freeing take constant time, apart from growth: a flat pool grows by an eighth, 4 MiB at most (area.h
 * says what that costs), a chunked one by one chunk. */

#include "route/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "route/area.h"

#define CHUNK_UNITS    (1u << POOL_CHUNK_SHIFT)
#define FLAT_MAX_BYTES (4u << 20) /* of one growth */

static void init(struct pool *p, size_t unit_bytes)
{
	assert(unit_bytes >= sizeof(uint32_t));
	*p = (struct pool){.unit_bytes = (uint32_t)unit_bytes};
	memset(p->free_heads, 0xff, sizeof(p->free_heads));
}

void pool_init_flat(struct pool *p, size_t unit_bytes)
{
	init(p, unit_bytes);
}

static uint8_t *no_chunks[1]; /* tells an empty chunked pool from a flat one */

void pool_init_chunked(struct pool *p, size_t unit_bytes)
{
	init(p, unit_bytes);
	p->chunks = no_chunks;
}

void pool_done(struct pool *p)
{
	if (p->chunks && p->chunks != no_chunks) {
		for (uint32_t i = 0; i < p->cap / CHUNK_UNITS; i++)
			free(p->chunks[i]);
		free(p->chunks);
	}
	area_free(p->flat, (size_t)p->cap * p->unit_bytes);
	*p = (struct pool){0};
}

static void push_free(struct pool *p, uint32_t ref, uint32_t units)
{
	memcpy(pool_at(p, ref), &p->free_heads[units - 1], sizeof(uint32_t));
	p->free_heads[units - 1] = ref;
	p->free_mask |= 1ull << (units - 1);
	p->free_units += units;
}

static uint32_t pop_free(struct pool *p, uint32_t units)
{
	uint32_t ref = p->free_heads[units - 1];
	memcpy(&p->free_heads[units - 1], pool_at(p, ref), sizeof(uint32_t));
	if (p->free_heads[units - 1] == POOL_NONE)
		p->free_mask &= ~(1ull << (units - 1));
	p->free_units -= units;
	return ref;
}

static bool grow_flat(struct pool *p)
{
	size_t bytes = (size_t)p->cap * p->unit_bytes, more = bytes / 8;
	more = more < FLAT_MAX_BYTES ? more : FLAT_MAX_BYTES;
	uint64_t cap = (uint64_t)p->cap + POOL_BLOCK_MAX + more / p->unit_bytes;
	if (cap >= POOL_NONE)
		return false;
	uint8_t *flat = area_grow(p->flat, bytes, cap * p->unit_bytes);
	if (!flat)
		return false;
	p->flat = flat;
	p->cap = (uint32_t)cap;
	return true;
}

/* A block lies within one chunk, so what is left of the last one becomes a free block. */
static bool grow_chunked(struct pool *p)
{
	size_t n = p->cap / CHUNK_UNITS;
	if ((uint64_t)p->cap + CHUNK_UNITS >= POOL_NONE)
		return false;
	uint8_t **chunks = realloc(n ? p->chunks : NULL, (n + 1) * sizeof(*chunks));
	if (!chunks)
		return false;
	p->chunks = chunks;
	chunks[n] = malloc((size_t)CHUNK_UNITS * p->unit_bytes);
	if (!chunks[n]) {
		if (n == 0) {
			free(chunks);
			p->chunks = no_chunks;
		}
		return false;
	}
	if (p->used < p->cap)
		push_free(p, p->used, p->cap - p->used);
	p->used = p->cap;
	p->cap += CHUNK_UNITS;
	return true;
}

uint32_t pool_alloc(struct pool *p, uint32_t units)
{
	assert(units >= 1 && units <= POOL_BLOCK_MAX);
	uint64_t enough = p->free_mask >> (units - 1);
	if (enough) {
		uint32_t size = units + (uint32_t)__builtin_ctzll(enough);
		uint32_t ref = pop_free(p, size);
		if (size > units)
			push_free(p, ref + units, size - units);
		return ref;
	}
	if (p->cap - p->used < units && !(p->chunks ? grow_chunked(p) : grow_flat(p)))
		return POOL_NONE;
	uint32_t ref = p->used;
	p->used += units;
	return ref;
}

void pool_free(struct pool *p, uint32_t ref, uint32_t units)
{
	assert(units >= 1 && units <= POOL_BLOCK_MAX && ref < p->used);
	push_free(p, ref, units);
}

uint32_t pool_insert(struct pool *p, uint32_t block, uint32_t units, uint32_t at)
{
	uint32_t fresh = pool_alloc(p, units + 1);
	if (fresh == POOL_NONE || units == 0)
		return fresh;
	memcpy(pool_at(p, fresh), pool_at(p, block), (size_t)at * p->unit_bytes);
	memcpy(pool_at(p, fresh + at + 1), pool_at(p, block + at), (size_t)(units - at) * p->unit_bytes);
	pool_free(p, block, units);
	return fresh;
}

uint32_t pool_remove(struct pool *p, uint32_t block, uint32_t units, uint32_t at)
{
	uint32_t fresh = units > 1 ? pool_alloc(p, units - 1) : POOL_NONE;
	uint32_t rest = units - at - 1;
	if (fresh == POOL_NONE) {
		memmove(pool_at(p, block + at), pool_at(p, block + at + 1), (size_t)rest * p->unit_bytes);
		pool_free(p, block + units - 1, 1);
		return block;
	}
	memcpy(pool_at(p, fresh), pool_at(p, block), (size_t)at * p->unit_bytes);
	memcpy(pool_at(p, fresh + at), pool_at(p, block + at + 1), (size_t)rest * p->unit_bytes);
	pool_free(p, block, units);
	return fresh;
}

size_t pool_memory_bytes(const struct pool *p)
{
	size_t chunks = p->chunks ? p->cap / CHUNK_UNITS * sizeof(*p->chunks) : 0;
	return (size_t)p->cap * p->unit_bytes + chunks;
}

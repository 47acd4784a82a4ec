/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A hash index over an array that somebody else owns: hash and key live with the caller, the index
 * keeps (hash, position) pairs, open addressing with linear probing, at most 3/4 full. Used wherever
 * a thing gets a small number: prefixes, paths, names, cells.
 *
 *     uint32_t slot, pos;
 *     INDEX_FOR_EACH(&idx, hash, slot, pos)
 *             if (equal(&array[pos], key))
 *                     return pos;
 *     return index_add(&idx, hash, new_pos);
 *
 * Positions are below INDEX_NONE. Not thread-safe. */

#include "base/compiler.h"

#define INDEX_NONE UINT32_MAX

struct index_slot {
	uint32_t hash;
	uint32_t pos; /* INDEX_NONE: empty */
};

struct index {
	struct index_slot *slots;
	uint32_t mask; /* slots - 1; slots is a power of two, or the table is absent */
	uint32_t count;
};

void index_init(struct index *idx);
void index_done(struct index *idx);
/* Forgets every entry, keeps the memory. */
void index_clear(struct index *idx);
/* -ENOMEM. The caller has looked first: entries are not compared. */
int index_add(struct index *idx, uint64_t hash, uint32_t pos) MUST_USE;
/* Removes the entry (hash, pos), which must exist. */
void index_del(struct index *idx, uint64_t hash, uint32_t pos);
/* Makes room for count entries in all. */
int index_reserve(struct index *idx, uint32_t count) MUST_USE;

static inline uint32_t index_fold(uint64_t hash)
{
	return (uint32_t)(hash ^ hash >> 32);
}

/* The next position whose hash matches, from *slot on; INDEX_NONE when there is none. */
static inline uint32_t index_probe(const struct index *idx, uint32_t hash, uint32_t *slot)
{
	if (!idx->slots)
		return INDEX_NONE;
	for (;; (*slot)++) {
		const struct index_slot *s = &idx->slots[*slot & idx->mask];
		if (s->pos == INDEX_NONE)
			return INDEX_NONE;
		if (s->hash == hash)
			return s->pos;
	}
}

/* An index in parts: growing one part is short, where growing a whole index of a million entries would hold its
 * thread for long. The part for a hash is used like any index. */
#define INDEX_PARTS 64u
struct index_parts {
	struct index parts[INDEX_PARTS];
};
void index_parts_init(struct index_parts *p);
void index_parts_done(struct index_parts *p);
size_t index_parts_memory_bytes(const struct index_parts *p);

/* By the bits that an index does not use. */
static inline struct index *index_part(struct index_parts *p, uint64_t hash)
{
	return &p->parts[(hash >> 32) * INDEX_PARTS >> 32];
}

#define INDEX_FOR_EACH(idx, hash64, slot, found)                                                   \
	for ((slot) = index_fold(hash64), (found) = index_probe((idx), index_fold(hash64), &(slot)); \
		(found) != INDEX_NONE;                                                             \
		(slot)++, (found) = index_probe((idx), index_fold(hash64), &(slot)))

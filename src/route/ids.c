/* SPDX-License-Identifier: BSD-2-Clause */

/* See ids.h for what an id lives through: free, live, dead. Two bitmaps of 64-bit words; `hint` is the lowest
 * word that may still have a free bit, so looking for one walks forward only, and the lowest ids are
 * used first: views are arrays over ids and stay short that way. Growing adds an eighth at a time. */

#include "route/ids.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WORD     64u
#define MIN_MORE 1024u
#define CAP_MAX  (UINT32_MAX - UINT32_MAX / 8)

void ids_init(struct ids *ids)
{
	*ids = (struct ids){0};
}

void ids_done(struct ids *ids)
{
	free(ids->dead);
	free(ids->free);
	ids_init(ids);
}

static bool get_bit(const uint64_t *words, uint32_t id)
{
	return words[id / WORD] >> id % WORD & 1;
}

static void flip_bit(uint64_t *words, uint32_t id)
{
	words[id / WORD] ^= 1ull << id % WORD;
}

static bool grow_words(uint64_t **words, uint32_t old_cap, uint32_t cap)
{
	uint64_t *grown = realloc(*words, cap / WORD * sizeof(*grown));
	if (!grown)
		return false;
	memset(grown + old_cap / WORD, 0, (cap - old_cap) / WORD * sizeof(*grown));
	*words = grown;
	return true;
}

static bool grow(struct ids *ids)
{
	uint32_t more = ids->cap / 8 > MIN_MORE ? ids->cap / 8 / WORD * WORD : MIN_MORE;
	if (ids->cap >= CAP_MAX)
		return false;
	if (!grow_words(&ids->dead, ids->cap, ids->cap + more) ||
		!grow_words(&ids->free, ids->cap, ids->cap + more))
		return false;
	ids->cap += more;
	return true;
}

static uint32_t lowest_free(struct ids *ids)
{
	while (!ids->free[ids->hint])
		ids->hint++;
	return ids->hint * WORD + (uint32_t)__builtin_ctzll(ids->free[ids->hint]);
}

uint32_t ids_get(struct ids *ids)
{
	if (ids->free_count) {
		uint32_t id = lowest_free(ids);
		flip_bit(ids->free, id);
		ids->free_count--;
		return id;
	}
	if (ids->used == ids->cap && !grow(ids))
		return IDS_NONE;
	return ids->used++;
}

void ids_bury(struct ids *ids, uint32_t id)
{
	assert(id < ids->used && !get_bit(ids->dead, id) && !get_bit(ids->free, id));
	flip_bit(ids->dead, id);
	ids->dead_count++;
}

void ids_revive(struct ids *ids, uint32_t id)
{
	assert(id < ids->used && get_bit(ids->dead, id));
	flip_bit(ids->dead, id);
	ids->dead_count--;
}

void ids_release(struct ids *ids, uint32_t id)
{
	ids_revive(ids, id);
	flip_bit(ids->free, id);
	ids->free_count++;
	if (id / WORD < ids->hint)
		ids->hint = id / WORD;
}

uint32_t ids_next_dead(const struct ids *ids, uint32_t from)
{
	if (!ids->dead_count || from >= ids->used)
		return IDS_NONE;
	uint32_t word = from / WORD, words = ids->cap / WORD;
	uint64_t bits = ids->dead[word] & ~0ull << from % WORD;
	while (!bits) {
		if (++word == words)
			return IDS_NONE;
		bits = ids->dead[word];
	}
	return word * WORD + (uint32_t)__builtin_ctzll(bits);
}

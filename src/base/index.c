/* SPDX-License-Identifier: BSD-2-Clause */

/* Linear probing with deletion that closes the gap (Knuth 6.4, algorithm R): no tombstones, so a table
 * that has many come and go stays as fast as a new one. The hash is folded to 32 bits and kept in the
 * slot, which makes growing a matter of placing and lets nearly every wrong candidate be passed over
 * without looking at the caller's array. */

#include "base/index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_MIN_SLOTS 16u

void index_init(struct index *idx)
{
	*idx = (struct index){0};
}

void index_done(struct index *idx)
{
	free(idx->slots);
	index_init(idx);
}

void index_clear(struct index *idx)
{
	if (idx->slots)
		memset(idx->slots, 0xff, ((size_t)idx->mask + 1) * sizeof(*idx->slots));
	idx->count = 0;
}

static void place(struct index_slot *slots, uint32_t mask, struct index_slot entry)
{
	uint32_t i = entry.hash & mask;
	while (slots[i].pos != INDEX_NONE)
		i = (i + 1) & mask;
	slots[i] = entry;
}

static int resize(struct index *idx, uint32_t slots)
{
	struct index_slot *fresh = malloc((size_t)slots * sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	memset(fresh, 0xff, (size_t)slots * sizeof(*fresh));
	if (idx->slots)
		for (uint32_t i = 0; i <= idx->mask; i++)
			if (idx->slots[i].pos != INDEX_NONE)
				place(fresh, slots - 1, idx->slots[i]);
	free(idx->slots);
	idx->slots = fresh;
	idx->mask = slots - 1;
	return 0;
}

static uint32_t capacity(const struct index *idx)
{
	return idx->slots ? (idx->mask / 4 + 1) * 3 - 1 : 0;
}

int index_reserve(struct index *idx, uint32_t count)
{
	uint32_t slots = idx->slots ? idx->mask + 1 : INDEX_MIN_SLOTS;
	while (slots / 4 * 3 <= count) {
		if (slots >= 1u << 31)
			return -ENOMEM;
		slots *= 2;
	}
	if (idx->slots && slots == idx->mask + 1)
		return 0;
	return resize(idx, slots);
}

int index_add(struct index *idx, uint64_t hash, uint32_t pos)
{
	assert(pos != INDEX_NONE);
	if (idx->count >= capacity(idx)) {
		int r = index_reserve(idx, idx->count + 1);
		if (r < 0)
			return r;
	}
	place(idx->slots, idx->mask, (struct index_slot){index_fold(hash), pos});
	idx->count++;
	return 0;
}

void index_del(struct index *idx, uint64_t hash, uint32_t pos)
{
	uint32_t i = index_fold(hash) & idx->mask;
	while (idx->slots[i].pos != pos || idx->slots[i].hash != index_fold(hash)) {
		assert(idx->slots[i].pos != INDEX_NONE);
		i = (i + 1) & idx->mask;
	}
	/* Close the gap: move back every later entry of the run that may stand here. */
	for (uint32_t j = (i + 1) & idx->mask; idx->slots[j].pos != INDEX_NONE; j = (j + 1) & idx->mask) {
		uint32_t home = idx->slots[j].hash & idx->mask;
		if (((j - home) & idx->mask) >= ((j - i) & idx->mask)) {
			idx->slots[i] = idx->slots[j];
			i = j;
		}
	}
	idx->slots[i].pos = INDEX_NONE;
	idx->count--;
}

void index_parts_init(struct index_parts *p)
{
	for (unsigned i = 0; i < INDEX_PARTS; i++)
		index_init(&p->parts[i]);
}

void index_parts_done(struct index_parts *p)
{
	for (unsigned i = 0; i < INDEX_PARTS; i++)
		index_done(&p->parts[i]);
}

size_t index_parts_memory_bytes(const struct index_parts *p)
{
	size_t bytes = 0;
	for (unsigned i = 0; i < INDEX_PARTS; i++)
		bytes += p->parts[i].slots ? ((size_t)p->parts[i].mask + 1) * sizeof(*p->parts[i].slots) : 0;
	return bytes;
}

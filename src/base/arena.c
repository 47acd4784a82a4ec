/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (64u * 1024)

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(16) uint8_t data[];
};

void arena_init(struct arena *a)
{
	*a = (struct arena){0};
}

void arena_done(struct arena *a)
{
	for (struct arena_block *b = a->first, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	arena_init(a);
}

void arena_reset(struct arena *a)
{
	a->current = a->first;
	a->used = 0;
	a->total_bytes = 0;
}

/* Makes current a block with room for n bytes: the next kept one if it is large enough, else a new
 * one linked in front of it. */
static int next_block(struct arena *a, size_t n)
{
	struct arena_block *next = a->current ? a->current->next : a->first;
	if (!next || next->size < n) {
		size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
		struct arena_block *b = malloc(sizeof(*b) + size);
		if (!b)
			return -1;
		b->size = size;
		b->next = next;
		if (a->current)
			a->current->next = b;
		else
			a->first = b;
		next = b;
	}
	a->current = next;
	a->used = 0;
	return 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
	n = (n + 15) & ~(size_t)15;
	if (!a->current || a->current->size - a->used < n)
		if (next_block(a, n) < 0)
			return NULL;
	void *p = a->current->data + a->used;
	a->used += n;
	a->total_bytes += n;
	return p;
}

void *arena_copy(struct arena *a, const void *data, size_t n)
{
	void *p = arena_alloc(a, n ? n : 1);
	if (p && n)
		memcpy(p, data, n);
	return p;
}

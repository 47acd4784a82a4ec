/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Positions by keys of one or two small words (the ids of a dictionary, most AS numbers), without a hash: each word has so
 * many bits of its slot's number, as many as the largest so far needs, while all together are few. What does not fit
 * is its owner's to find otherwise, and never fits later. Not thread-safe. */

#include <stdbool.h>

#include "base/index.h"

#define DIRECT_WORDS 2
#define DIRECT_BITS  22 /* 16 MB */

struct direct {
	unsigned words; /* of a key; 0: no key fits */
	unsigned bits[DIRECT_WORDS];
	uint32_t *slots; /* position + 1; 0: none. By the first word, then the second */
	size_t end, cap; /* of slots; from end on there is memory and nothing else */
};

void direct_done(struct direct *d);
/* Forgets every key, keeps the memory. Keys of more than DIRECT_WORDS words do not fit. */
void direct_reset(struct direct *d, unsigned words);

static inline bool direct_fits(const struct direct *d, const uint64_t *key)
{
	for (unsigned i = 0; i < d->words; i++)
		if (key[i] >> d->bits[i])
			return false;
	return d->words;
}

static inline size_t direct_slot(const struct direct *d, const uint64_t *key)
{
	return d->words == 1 ? key[0] : key[0] << d->bits[1] | key[1];
}

/* Of a key that fits; INDEX_NONE. */
static inline uint32_t direct_find(const struct direct *d, const uint64_t *key)
{
	size_t slot = direct_slot(d, key);
	return slot < d->end ? d->slots[slot] - 1 : INDEX_NONE; /* 0 - 1 is INDEX_NONE */
}

/* Notes the position of a key. 1; 0: it does not fit. -ENOMEM. */
int direct_add(struct direct *d, const uint64_t *key, uint32_t pos) MUST_USE;

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Rows in the order of their keys, those of one key added up: what a hash aggregate and sorting its rows give, for
 * many rows at once and several times faster. Keys are compared word by word. Not thread-safe. */

#include "store/groups.h"

struct order_entry;

struct order {
	unsigned key_words, key_words_max;
	uint32_t count, max;
	uint64_t *keys;
	const uint64_t **sums;
	struct order_entry *entries, *spare;
};

/* For so many rows at most. -ENOMEM. */
int order_init(struct order *o, uint32_t max, unsigned key_words_max) MUST_USE;
void order_done(struct order *o);
void order_reset(struct order *o, unsigned key_words);

/* One more row; the sums stay where they are until order_sum. */
static inline void order_add(struct order *o, const uint64_t *key, const uint64_t *sums)
{
	uint64_t *to = o->keys + (size_t)o->count * o->key_words;
	for (unsigned i = 0; i < o->key_words; i++)
		to[i] = key[i];
	o->sums[o->count++] = sums;
}

/* What was added, into ret, which is reset: walked and appended to it can be, but no key looked up. -ENOMEM, -E2BIG. */
int order_sum(struct order *o, unsigned sum_words, struct groups *ret) MUST_USE;

/* SPDX-License-Identifier: BSD-2-Clause */

/* Keys are many words and few bits: a column whose values lie between a least and a largest one has the bits of their
 * difference. So many leading bits of a key as fit into one number stand for it; rows are sorted by these numbers, digit
 * by digit from the last (radix sort), and only those whose numbers are equal are compared by their keys. Then rows are
 * walked in order, each read once. Cost: some 20 ns a row and its additions. */

#include "store/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS     (1u << DIGIT_BITS)
#define AHEAD      8 /* rows whose sums are fetched before they are needed */

struct order_entry {
	uint64_t code;
	uint32_t row;
};

int order_init(struct order *o, uint32_t max, unsigned key_words_max)
{
	size_t n = (size_t)max + 1;
	*o = (struct order){.max = max, .key_words_max = key_words_max};
	o->keys = malloc(n * (key_words_max + 1) * sizeof(*o->keys));
	o->sums = malloc(n * sizeof(*o->sums));
	o->entries = malloc(n * sizeof(*o->entries));
	o->spare = malloc(n * sizeof(*o->spare));
	if (o->keys && o->sums && o->entries && o->spare)
		return 0;
	order_done(o);
	return -ENOMEM;
}

void order_done(struct order *o)
{
	free(o->keys);
	free(o->sums);
	free(o->entries);
	free(o->spare);
	*o = (struct order){0};
}

void order_reset(struct order *o, unsigned key_words)
{
	o->key_words = key_words;
	o->count = 0;
}

static const uint64_t *key_of(const struct order *o, uint32_t row)
{
	return o->keys + (size_t)row * o->key_words;
}

/* ---- numbers that stand for keys ---- */

static unsigned bits_of(uint64_t v)
{
	return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* Puts the column behind what is in the numbers, or as much of it as they have room for. Returns the bits it took. */
static unsigned add_column(struct order *o, unsigned column, unsigned used, bool *ret_all)
{
	uint64_t least = UINT64_MAX, most = 0;
	for (uint32_t i = 0; i < o->count; i++) {
		uint64_t v = key_of(o, i)[column];
		least = v < least ? v : least;
		most = v > most ? v : most;
	}
	unsigned bits = bits_of(most - least), room = 64 - used, take = bits < room ? bits : room;
	*ret_all = take == bits;
	for (uint32_t i = 0; i < o->count && take; i++) {
		uint64_t v = (key_of(o, i)[column] - least) >> (bits - take);
		o->entries[i].code = take < 64 ? o->entries[i].code << take | v : v;
	}
	return take;
}

/* Returns the bits of the longest number; *ret_all: equal numbers are equal keys. */
static unsigned make_codes(struct order *o, bool *ret_all)
{
	unsigned used = 0;
	*ret_all = true;
	for (uint32_t i = 0; i < o->count; i++)
		o->entries[i] = (struct order_entry){.row = i};
	for (unsigned column = 0; column < o->key_words && *ret_all && o->count; column++)
		used += add_column(o, column, used, ret_all);
	return used;
}

/* ---- sorting ---- */

static void sort_by_digit(struct order *o, unsigned shift)
{
	uint32_t starts[DIGITS] = {0}, sum = 0;
	for (uint32_t i = 0; i < o->count; i++)
		starts[o->entries[i].code >> shift & (DIGITS - 1)]++;
	for (unsigned d = 0; d < DIGITS; d++) {
		uint32_t of_digit = starts[d];
		starts[d] = sum;
		sum += of_digit;
	}
	for (uint32_t i = 0; i < o->count; i++)
		o->spare[starts[o->entries[i].code >> shift & (DIGITS - 1)]++] = o->entries[i];
	struct order_entry *swap = o->entries;
	o->entries = o->spare;
	o->spare = swap;
}

static int cmp_keys(const void *a, const void *b, void *ctx)
{
	const struct order *o = ctx;
	const uint64_t *k = key_of(o, ((const struct order_entry *)a)->row), *l = key_of(o, ((const struct order_entry *)b)->row);
	for (unsigned i = 0; i < o->key_words; i++)
		if (k[i] != l[i])
			return k[i] < l[i] ? -1 : 1;
	return 0;
}

static void sort_equal_codes(struct order *o)
{
	for (uint32_t from = 0, to; from < o->count; from = to) {
		for (to = from + 1; to < o->count && o->entries[to].code == o->entries[from].code; )
			to++;
		if (to - from > 1)
			qsort_r(o->entries + from, to - from, sizeof(*o->entries), cmp_keys, o);
	}
}

static void sort(struct order *o)
{
	bool all;
	unsigned bits = make_codes(o, &all);
	for (unsigned shift = 0; shift < bits; shift += DIGIT_BITS)
		sort_by_digit(o, shift);
	if (!all)
		sort_equal_codes(o);
}

/* ---- sums ---- */

int order_sum(struct order *o, unsigned sum_words, struct groups *ret)
{
	uint64_t *last = NULL;
	groups_reset(ret, o->key_words, sum_words);
	sort(o);
	for (uint32_t i = 0; i < o->count; i++) {
		const uint64_t *key = key_of(o, o->entries[i].row), *sums = o->sums[o->entries[i].row];
		if (i + AHEAD < o->count) {
			const uint64_t *soon = o->sums[o->entries[i + AHEAD].row];
			for (unsigned word = 0; word < sum_words; word += 8)
				__builtin_prefetch(soon + word);
		}
		if (!last || memcmp(last, key, o->key_words * sizeof(*key)) != 0) {
			int r = groups_append(ret, key, &last);
			if (r < 0)
				return r;
		}
		for (unsigned word = 0; word < sum_words; word++)
			last[o->key_words + word] += sums[word];
	}
	return 0;
}

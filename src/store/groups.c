/* SPDX-License-Identifier: BSD-2-Clause */

/* Rows stand in one array of words, key before sums, and a hash index finds them: a look-up is a hash
 * of the key and, nearly always, one comparison. Growing copies the array, never the keys' meaning:
 * a row is its number. Keys of one small word (the ids of a dictionary, most AS numbers) need no hash: an array
 * has their rows. About 100 ns a row that is added to, 10 by that array. Sorting sorts the first words of the keys
 * and then moves each row once. */

#include "store/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_ROWS 64u
#define DIRECT_MAX (1u << 20) /* words below; 4 MB */
#define SORT_WORDS 3

void groups_init(struct groups *g, unsigned key_words, unsigned sum_words, uint32_t max)
{
	*g = (struct groups){.key_words = key_words, .sum_words = sum_words, .max = max};
	index_init(&g->index);
}

void groups_done(struct groups *g)
{
	free(g->cells);
	free(g->direct);
	index_done(&g->index);
	*g = (struct groups){0};
}

static void forget_keys(struct groups *g)
{
	index_clear(&g->index);
	if (g->direct_end)
		memset(g->direct, 0, g->direct_end * sizeof(*g->direct));
}

void groups_reset(struct groups *g, unsigned key_words, unsigned sum_words)
{
	size_t words = (size_t)g->cap * (g->key_words + g->sum_words);
	g->key_words = key_words;
	g->sum_words = sum_words;
	g->cap = key_words + sum_words ? (uint32_t)(words / (key_words + sum_words)) : 0;
	g->count = 0;
	forget_keys(g);
}

void groups_limit(struct groups *g, size_t bytes)
{
	g->max = (uint32_t)(bytes / ((g->key_words + g->sum_words + 2) * sizeof(*g->cells)));
}

void groups_trim(struct groups *g, size_t bytes)
{
	if ((size_t)g->cap * (g->key_words + g->sum_words) * sizeof(*g->cells) <= bytes)
		return;
	unsigned key_words = g->key_words, sum_words = g->sum_words;
	uint32_t max = g->max;
	groups_done(g);
	groups_init(g, key_words, sum_words, max);
}

static uint64_t hash_key(const struct groups *g, const uint64_t *key)
{
	return hash_bytes(key, g->key_words * sizeof(*key));
}

static uint32_t find(const struct groups *g, const uint64_t *key, uint64_t hash)
{
	uint32_t slot, row;
	INDEX_FOR_EACH(&g->index, hash, slot, row)
		if (memcmp(groups_key(g, row), key, g->key_words * sizeof(*key)) == 0)
			return row;
	return INDEX_NONE;
}

static bool is_direct(const struct groups *g, const uint64_t *key)
{
	return g->key_words == 1 && *key < DIRECT_MAX;
}

uint32_t groups_find(const struct groups *g, const uint64_t *key)
{
	if (is_direct(g, key)) /* 0 - 1 is INDEX_NONE */
		return *key < g->direct_end ? g->direct[*key] - 1 : INDEX_NONE;
	return find(g, key, hash_key(g, key));
}

static int grow_direct(struct groups *g, uint64_t key)
{
	uint32_t end = g->direct_end ? g->direct_end : 1024;
	while (end <= key)
		end *= 2;
	uint32_t *direct = realloc(g->direct, end * sizeof(*direct));
	if (!direct)
		return -ENOMEM;
	memset(direct + g->direct_end, 0, (end - g->direct_end) * sizeof(*direct));
	g->direct = direct;
	g->direct_end = end;
	return 0;
}

/* Notes that the next row is this key's. */
static int index_next(struct groups *g, const uint64_t *key)
{
	if (!is_direct(g, key))
		return index_add(&g->index, hash_key(g, key), g->count);
	int r = *key < g->direct_end ? 0 : grow_direct(g, *key);
	if (r == 0)
		g->direct[*key] = g->count + 1;
	return r;
}

static int grow(struct groups *g)
{
	uint32_t cap = g->cap < FIRST_ROWS ? FIRST_ROWS : g->cap > UINT32_MAX / 2 ? UINT32_MAX : g->cap * 2;
	if (cap > g->max)
		cap = g->max;
	size_t row_bytes = (g->key_words + g->sum_words) * sizeof(*g->cells);
	uint64_t *cells = realloc(g->cells, cap * (row_bytes ? row_bytes : 1));
	if (!cells)
		return -ENOMEM;
	g->cells = cells;
	g->cap = cap;
	return 0;
}

int groups_get(struct groups *g, const uint64_t *key, uint32_t *ret_row)
{
	uint32_t row = groups_find(g, key);
	if (row != INDEX_NONE) {
		*ret_row = row;
		return 0;
	}
	if (g->count >= g->max)
		return -E2BIG;
	int r = g->count == g->cap ? grow(g) : 0;
	if (r == 0)
		r = index_next(g, key);
	if (r < 0)
		return r;
	if (g->key_words)
		memcpy(groups_key(g, g->count), key, g->key_words * sizeof(*key));
	memset(groups_sums(g, g->count), 0, g->sum_words * sizeof(*key));
	*ret_row = g->count++;
	return 0;
}

/* ---- order ---- */

/* The first words of a row's key, beside it so that comparing needs not look there; nearly always they tell. */
struct place {
	uint64_t words[SORT_WORDS];
	uint32_t row;
};

static int cmp_places(const void *a, const void *b, void *ctx)
{
	const struct groups *g = ctx;
	const struct place *x = a, *y = b;
	for (unsigned i = 0; i < SORT_WORDS; i++)
		if (x->words[i] != y->words[i])
			return x->words[i] < y->words[i] ? -1 : 1;
	const uint64_t *k = groups_key(g, x->row), *l = groups_key(g, y->row);
	for (unsigned i = SORT_WORDS; i < g->key_words; i++)
		if (k[i] != l[i])
			return k[i] < l[i] ? -1 : 1;
	return 0;
}

/* Moves each row to where it belongs, along the circles in which they stand in each other's places; one row is
 * kept aside meanwhile. */
static void move_rows(struct groups *g, struct place *places, uint64_t *aside)
{
	size_t bytes = (g->key_words + g->sum_words) * sizeof(*g->cells);
	for (uint32_t i = 0; i < g->count; i++) {
		uint32_t at = i;
		if (places[i].row == i)
			continue;
		memcpy(aside, groups_key(g, i), bytes);
		for (uint32_t from; (from = places[at].row) != i; at = from) {
			memcpy(groups_key(g, at), groups_key(g, from), bytes);
			places[at].row = at;
		}
		memcpy(groups_key(g, at), aside, bytes);
		places[at].row = at;
	}
}

int groups_sort(struct groups *g)
{
	CLEANUP(free_p) struct place *places = malloc(((size_t)g->count + 1) * sizeof(*places));
	CLEANUP(free_p) uint64_t *aside = malloc((g->key_words + g->sum_words + 1) * sizeof(*aside));
	if (!places || !aside)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->count; i++) {
		places[i] = (struct place){.row = i};
		memcpy(places[i].words, groups_key(g, i), (g->key_words < SORT_WORDS ? g->key_words : SORT_WORDS) * sizeof(uint64_t));
	}
	forget_keys(g);
	if (g->count < 2)
		return 0;
	qsort_r(places, g->count, sizeof(*places), cmp_places, g);
	move_rows(g, places, aside);
	return 0;
}

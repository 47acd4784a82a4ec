/* SPDX-License-Identifier: BSD-2-Clause */

/* Rows stand in one array of words, key before sums, and a hash index finds them: a look-up is a hash
 * of the key and, nearly always, one comparison. Growing copies the array, never the keys' meaning:
 * a row is its number. About 100 ns a row that is added to; sorting moves whole rows once. */

#include "store/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_ROWS 64u

void groups_init(struct groups *g, unsigned key_words, unsigned sum_words, uint32_t max)
{
	*g = (struct groups){.key_words = key_words, .sum_words = sum_words, .max = max};
	index_init(&g->index);
}

void groups_done(struct groups *g)
{
	free(g->cells);
	index_done(&g->index);
	*g = (struct groups){0};
}

void groups_reset(struct groups *g, unsigned key_words, unsigned sum_words)
{
	size_t words = (size_t)g->cap * (g->key_words + g->sum_words);
	g->key_words = key_words;
	g->sum_words = sum_words;
	g->cap = key_words + sum_words ? (uint32_t)(words / (key_words + sum_words)) : 0;
	g->count = 0;
	index_clear(&g->index);
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

uint32_t groups_find(const struct groups *g, const uint64_t *key)
{
	return find(g, key, hash_key(g, key));
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
	uint64_t hash = hash_key(g, key);
	uint32_t row = find(g, key, hash);
	if (row != INDEX_NONE) {
		*ret_row = row;
		return 0;
	}
	if (g->count >= g->max)
		return -E2BIG;
	int r = g->count == g->cap ? grow(g) : 0;
	if (r < 0)
		return r;
	r = index_add(&g->index, hash, g->count);
	if (r < 0)
		return r;
	if (g->key_words)
		memcpy(groups_key(g, g->count), key, g->key_words * sizeof(*key));
	memset(groups_sums(g, g->count), 0, g->sum_words * sizeof(*key));
	*ret_row = g->count++;
	return 0;
}

static int cmp_rows(const void *a, const void *b, void *ctx)
{
	const struct groups *g = ctx;
	const uint64_t *x = a, *y = b;
	for (unsigned i = 0; i < g->key_words; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

void groups_sort(struct groups *g)
{
	size_t row_bytes = (g->key_words + g->sum_words) * sizeof(*g->cells);
	if (g->count > 1)
		qsort_r(g->cells, g->count, row_bytes, cmp_rows, g);
	index_clear(&g->index);
}

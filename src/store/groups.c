/* SPDX-License-Identifier: BSD-2-Clause */

/* Rows stand in one array of words, key before sums, and a hash index finds them: a look-up is a hash
 * of the key and, nearly always, one comparison. Growing copies the array, never the keys' meaning:
 * a row is its number. Keys of one small word (the ids of a dictionary, most AS numbers) need no hash: an array
 * has their rows. About 100 ns a row that is added to, 10 by that array. */

#include "store/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_ROWS 64u
#define DIRECT_MAX (1u << 20) /* words below; 4 MB */

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

/* A row behind the others, its key not yet in the index. */
static int append(struct groups *g, const uint64_t *key)
{
	if (g->count >= g->max)
		return -E2BIG;
	int r = g->count == g->cap ? grow(g) : 0;
	if (r < 0)
		return r;
	if (g->key_words)
		memcpy(groups_key(g, g->count), key, g->key_words * sizeof(*key));
	memset(groups_sums(g, g->count), 0, g->sum_words * sizeof(*key));
	return 0;
}

int groups_get(struct groups *g, const uint64_t *key, uint32_t *ret_row)
{
	uint32_t row = groups_find(g, key);
	if (row != INDEX_NONE) {
		*ret_row = row;
		return 0;
	}
	int r = append(g, key);
	if (r == 0)
		r = index_next(g, key);
	if (r < 0)
		return r;
	*ret_row = g->count++;
	return 0;
}

int groups_append(struct groups *g, const uint64_t *key, uint64_t **ret_row)
{
	int r = append(g, key);
	if (r == 0)
		*ret_row = groups_key(g, g->count++);
	return r;
}

void groups_order(const struct groups *g, uint32_t *ret_rows)
{
	uint32_t n = 0;
	for (uint32_t key = 0; key < g->direct_end; key++)
		if (g->direct[key])
			ret_rows[n++] = g->direct[key] - 1;
	for (uint32_t row = 0; row < g->count; row++)
		if (!is_direct(g, groups_key(g, row)))
			ret_rows[n++] = row;
}

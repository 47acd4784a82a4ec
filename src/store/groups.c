/* SPDX-License-Identifier: BSD-2-Clause */

/* Rows stand in one array of words, key before sums, and a hash index finds them: a look-up is a hash
 * of the key and, nearly always, one comparison. Growing copies the array, never the keys' meaning:
 * a row is its number. Keys of one or two small words need no hash (direct.h). About 100 ns a row that is
 * added to, 10 without the hash. */

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
	direct_reset(&g->direct, key_words);
}

void groups_done(struct groups *g)
{
	free(g->cells);
	direct_done(&g->direct);
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
	direct_reset(&g->direct, key_words);
}

void groups_limit(struct groups *g, size_t bytes)
{
	g->max = (uint32_t)(bytes / ((g->key_words + g->sum_words + 2) * sizeof(*g->cells)));
}

void groups_trim(struct groups *g, size_t bytes)
{
	size_t cells = (size_t)g->cap * (g->key_words + g->sum_words);
	if (cells * sizeof(*g->cells) + g->direct.cap * sizeof(*g->direct.slots) <= bytes)
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
	return direct_fits(&g->direct, key) ? direct_find(&g->direct, key) : find(g, key, hash_key(g, key));
}

/* Notes that the next row is this key's. */
static int index_next(struct groups *g, const uint64_t *key)
{
	int r = direct_add(&g->direct, key, g->count);
	return r ? (r < 0 ? r : 0) : index_add(&g->index, hash_key(g, key), g->count);
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
	for (size_t slot = 0; slot < g->direct.end; slot++)
		if (g->direct.slots[slot])
			ret_rows[n++] = g->direct.slots[slot] - 1;
	for (uint32_t row = 0; row < g->count; row++)
		if (!direct_fits(&g->direct, groups_key(g, row)))
			ret_rows[n++] = row;
}

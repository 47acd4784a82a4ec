/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A hash aggregate: rows of a fixed number of key words and a fixed number of sums, found by key.
 * Cubes are built in it, a database's rows are added up in it, answers are ranked in it. Rows keep
 * the order in which they were made. Not thread-safe. */

#include <stdbool.h>

#include "store/direct.h"

struct groups {
	unsigned key_words, sum_words;
	uint64_t *cells; /* per row: the key, then the sums */
	uint32_t count, cap;
	uint32_t max; /* rows at most; -E2BIG beyond */
	struct index index;
	struct direct direct; /* of keys of small words; the index has the others */
};

void groups_init(struct groups *g, unsigned key_words, unsigned sum_words, uint32_t max);
void groups_done(struct groups *g);
/* Forgets every row and takes another shape; keeps the memory. */
void groups_reset(struct groups *g, unsigned key_words, unsigned sum_words);
/* Allows as many rows as fit into so many bytes. */
void groups_limit(struct groups *g, size_t bytes);

/* When the memory is more than this, forgets every row and gives it back. */
void groups_trim(struct groups *g, size_t bytes);

/* The row of a key, made with zero sums if new. -ENOMEM, -E2BIG. Row pointers last until the next
 * call. With no key words there is one row at most. */
int groups_get(struct groups *g, const uint64_t *key, uint32_t *ret_row) MUST_USE;
/* The row of a key; INDEX_NONE when there is none. */
uint32_t groups_find(const struct groups *g, const uint64_t *key);

/* Row numbers, those of keys of one or two small words by key: whoever adds them up later finds their rows side by
 * side. Not after groups_append. */
void groups_order(const struct groups *g, uint32_t *ret_rows);

static inline uint64_t *groups_key(const struct groups *g, uint32_t row)
{
	return g->cells + (size_t)row * (g->key_words + g->sum_words);
}

static inline uint64_t *groups_sums(const struct groups *g, uint32_t row)
{
	return groups_key(g, row) + g->key_words;
}

/* A row behind the others, without a look whether there is one of its key; none can be looked up from then on.
 * -ENOMEM, -E2BIG. *ret_row is its key, the sums behind it, until the next call. */
int groups_append(struct groups *g, const uint64_t *key, uint64_t **ret_row) MUST_USE;

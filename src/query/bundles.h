/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The groups of an answer (query.h), bundled by the first dimension of their keys: all groups of one network, say, one after the
 * other. Not thread-safe; the answer outlives the bundles. */

#include "query/query.h"

struct bundles {
	const struct query_groups *all;
	struct groups firsts; /* a row a bundle, by the code of its value; its sum is its first group + 1 */
	uint32_t *next;       /* by group */
};

/* Groups whose first value is unknown are in none. -ENOMEM. */
int bundles_make(const struct query_groups *all, struct bundles *ret) MUST_USE;
void bundles_done(struct bundles *b);

static inline uint32_t bundles_count(const struct bundles *b)
{
	return b->firsts.count;
}

/* Lives as long as the answer. */
struct dim_value bundles_value(const struct bundles *b, uint32_t bundle);
/* The value of a group in a dimension of its key. The same. */
struct dim_value bundles_group_value(const struct bundles *b, uint32_t group, unsigned dimension);
/* The bundle's first group, and the one behind a group; INDEX_NONE when there is none. */
uint32_t bundles_first(const struct bundles *b, uint32_t bundle);
uint32_t bundles_next(const struct bundles *b, uint32_t group);

/* What bundles are ordered by: the larger weight first, then the larger second one, then by value. */
struct bundle_weight {
	uint64_t weight, second;
	uint32_t bundle;
};
void bundles_order(const struct bundles *b, struct bundle_weight *weights, size_t count);

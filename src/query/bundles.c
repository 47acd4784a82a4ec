/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/bundles.h"

#include <errno.h>
#include <stdlib.h>

#define MEMORY_BYTES (256u << 20)

static int add(struct bundles *b, uint32_t group)
{
	const uint64_t *key = groups_key(b->all->groups, group);
	uint32_t at;
	int r = *key ? groups_get(&b->firsts, key, &at) : 0;
	if (r < 0 || !*key)
		return r == -E2BIG ? -ENOMEM : r;
	uint64_t *first = groups_sums(&b->firsts, at);
	b->next[group] = (uint32_t)*first - 1; /* 0 - 1 is INDEX_NONE */
	*first = group + UINT64_C(1);
	return 0;
}

int bundles_make(const struct query_groups *all, struct bundles *ret)
{
	struct bundles b = {.all = all, .next = malloc(((size_t)all->groups->count + 1) * sizeof(*b.next))};
	int r = b.next ? 0 : -ENOMEM;
	groups_init(&b.firsts, 1, 1, 0);
	groups_limit(&b.firsts, MEMORY_BYTES);
	for (uint32_t group = 0; group < all->groups->count && r == 0; group++)
		r = add(&b, group);
	if (r < 0)
		bundles_done(&b);
	else
		*ret = b;
	return r;
}

void bundles_done(struct bundles *b)
{
	groups_done(&b->firsts);
	free(b->next);
	b->next = NULL;
}

struct dim_value bundles_value(const struct bundles *b, uint32_t bundle)
{
	return value_set_value(&b->all->sets[0], *groups_key(&b->firsts, bundle));
}

struct dim_value bundles_group_value(const struct bundles *b, uint32_t group, unsigned dimension)
{
	return value_set_value(&b->all->sets[dimension], groups_key(b->all->groups, group)[dimension]);
}

uint32_t bundles_first(const struct bundles *b, uint32_t bundle)
{
	return (uint32_t)*groups_sums(&b->firsts, bundle) - 1;
}

uint32_t bundles_next(const struct bundles *b, uint32_t group)
{
	return b->next[group];
}

static int compare(const void *x, const void *y, void *ctx)
{
	const struct bundle_weight *a = x, *c = y;
	const struct bundles *b = ctx;
	if (a->weight != c->weight)
		return a->weight > c->weight ? -1 : 1;
	if (a->second != c->second)
		return a->second > c->second ? -1 : 1;
	struct dim_value u = bundles_value(b, a->bundle), v = bundles_value(b, c->bundle);
	return value_cmp(b->all->sets[0].kind, &u, &v);
}

void bundles_order(const struct bundles *b, struct bundle_weight *weights, size_t count)
{
	qsort_r(weights, count, sizeof(*weights), compare, (void *)b);
}

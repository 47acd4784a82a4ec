/* SPDX-License-Identifier: BSD-2-Clause */

/* Each origin's groups are added up by neighbour and by router. An origin has few of both, so they are looked up one by one; the most that
 * there are, of all routers times all neighbours, bounds the work. Only origins that are shown are added up, after all were weighed. */

#include "query/peering.h"

#include <errno.h>
#include <stdlib.h>

#include "query/bundles.h"

enum { NEIGHBOUR = 1, ROUTER = 2 }; /* dimensions of a key */

/* Sums by one value of the groups of an origin. */
struct tally {
	struct peering_way *ways;
	uint32_t count, cap;
};

static bool is_transit(const struct bundles *b, uint32_t group)
{
	const uint64_t *key = groups_key(b->all->groups, group);
	return key[NEIGHBOUR] && key[NEIGHBOUR] != key[0];
}

static bool is_direct(const struct bundles *b, uint32_t group)
{
	const uint64_t *key = groups_key(b->all->groups, group);
	return key[NEIGHBOUR] && key[NEIGHBOUR] == key[0];
}

static int tally_add(const struct bundles *b, struct tally *t, uint32_t group, unsigned dimension)
{
	struct dim_value v = bundles_group_value(b, group, dimension);
	struct measures m = query_groups_measures(b->all, group);
	for (uint32_t i = 0; i < t->count; i++)
		if (value_cmp(b->all->sets[dimension].kind, &t->ways[i].neighbour, &v) == 0) {
			measures_add(&t->ways[i].m, &m);
			return 0;
		}
	if (t->count == t->cap) {
		uint32_t cap = t->cap ? 2 * t->cap : 16;
		struct peering_way *ways = realloc(t->ways, cap * sizeof(*ways));
		if (!ways)
			return -ENOMEM;
		t->ways = ways;
		t->cap = cap;
	}
	t->ways[t->count++] = (struct peering_way){v, m};
	return 0;
}

static int cmp_ways(const void *x, const void *y, void *kind)
{
	const struct peering_way *a = x, *b = y;
	uint64_t more = a->m.v[MEASURE_bytes_sent], less = b->m.v[MEASURE_bytes_sent];
	return more != less ? more > less ? -1 : 1 : value_cmp(*(enum dimension_kind *)kind, &a->neighbour, &b->neighbour);
}

/* The groups of an origin by a dimension, the most bytes first. t->count is 0 before. */
static int tally_groups(const struct bundles *b, uint32_t bundle, bool (*counts)(const struct bundles *, uint32_t), unsigned dimension,
	struct tally *t)
{
	enum dimension_kind kind = b->all->sets[dimension].kind;
	int r = 0;
	t->count = 0;
	for (uint32_t g = bundles_first(b, bundle); g != INDEX_NONE && r == 0; g = bundles_next(b, g))
		if (counts(b, g))
			r = tally_add(b, t, g, dimension);
	if (t->count)
		qsort_r(t->ways, t->count, sizeof(*t->ways), cmp_ways, &kind);
	return r;
}

/* ---- a row ---- */

static int set_routers(const struct bundles *b, const struct tally *t, struct arena *arena, struct peering_routers *ret)
{
	uint32_t count = t->count < PEERING_ROUTERS_MAX ? t->count : PEERING_ROUTERS_MAX;
	*ret = (struct peering_routers){arena_alloc(arena, (count + 1) * sizeof(*ret->names)), count, t->count - count};
	int r = ret->names ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = value_keep(arena, b->all->sets[ROUTER].kind, &t->ways[i].neighbour, &ret->names[i]);
	return r;
}

static int set_ways(const struct tally *t, struct arena *arena, struct peering_row *row)
{
	row->way_count = t->count < PEERING_WAYS_MAX ? t->count : PEERING_WAYS_MAX;
	row->other_count = t->count - row->way_count;
	row->ways = arena_alloc(arena, (row->way_count + 1) * sizeof(*row->ways)); /* AS numbers, without bytes */
	if (!row->ways)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->count; i++) {
		measures_add(&row->transit, &t->ways[i].m);
		if (i < row->way_count)
			row->ways[i] = t->ways[i];
		else
			measures_add(&row->others, &t->ways[i].m);
	}
	return 0;
}

static int fill_row(const struct bundles *b, uint32_t bundle, struct tally *t, struct arena *arena, struct peering_row *row)
{
	*row = (struct peering_row){.origin = bundles_value(b, bundle)};
	int r = tally_groups(b, bundle, is_transit, NEIGHBOUR, t);
	if (r == 0)
		r = set_ways(t, arena, row);
	if (r == 0)
		r = tally_groups(b, bundle, is_transit, ROUTER, t);
	if (r == 0)
		r = set_routers(b, t, arena, &row->by);
	if (r == 0)
		r = tally_groups(b, bundle, is_direct, ROUTER, t);
	for (uint32_t i = 0; i < t->count && r == 0; i++)
		measures_add(&row->direct, &t->ways[i].m);
	return r < 0 ? r : set_routers(b, t, arena, &row->direct_by);
}

/* ---- all origins ---- */

static struct measures transit_of(const struct bundles *b, uint32_t bundle)
{
	struct measures sum = {0};
	for (uint32_t g = bundles_first(b, bundle); g != INDEX_NONE; g = bundles_next(b, g)) {
		struct measures m = query_groups_measures(b->all, g);
		if (is_transit(b, g))
			measures_add(&sum, &m);
	}
	return sum;
}

static int fill_rows(const struct bundles *b, const struct bundle_weight *weights, size_t count, struct peering *p)
{
	struct tally t = {.ways = NULL};
	p->rows = arena_alloc(&p->arena, (count + 1) * sizeof(*p->rows));
	int r = p->rows ? 0 : -ENOMEM;
	for (; p->row_count < count && r == 0; p->row_count++)
		r = fill_row(b, weights[p->row_count].bundle, &t, &p->arena, &p->rows[p->row_count]);
	free(t.ways);
	return r;
}

static int make(const struct bundles *b, uint32_t limit, struct peering *p)
{
	CLEANUP(free_p) struct bundle_weight *weights = malloc(((size_t)bundles_count(b) + 1) * sizeof(*weights));
	if (!weights)
		return -ENOMEM;
	for (uint32_t i = 0; i < bundles_count(b); i++) {
		struct measures m = transit_of(b, i);
		if (!m.v[MEASURE_bytes_sent])
			continue;
		measures_add(&p->transit, &m);
		weights[p->origins++] = (struct bundle_weight){m.v[MEASURE_bytes_sent], 0, i};
	}
	bundles_order(b, weights, p->origins);
	return fill_rows(b, weights, p->origins < limit ? p->origins : limit, p);
}

int peering_make(const struct query_groups *all, uint32_t limit, struct peering *ret)
{
	CLEANUP(peering_done) struct peering p = {.rows = NULL};
	CLEANUP(bundles_done) struct bundles b = {.all = NULL};
	arena_init(&p.arena);
	int r = bundles_make(all, &b);
	if (r == 0)
		r = make(&b, limit, &p);
	if (r < 0)
		return r;
	*ret = p;
	arena_init(&p.arena);
	return 0;
}

void peering_done(struct peering *p)
{
	arena_done(&p->arena);
	*p = (struct peering){0};
}

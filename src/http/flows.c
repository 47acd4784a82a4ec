/* SPDX-License-Identifier: BSD-2-Clause */

/* Each row is a way of up to four stops, kept as four codes. The first pass adds the rows up by stop, which tells the
 * largest; the second adds them up by pairs of stops next to each other, where stops that are not among the
 * largest count as `other`. A way without transit goes from its neighbour to its origin at once. */

#include "http/flows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "query/rank.h"
#include "route/path.h"

#define MEMORY_BYTES (256u << 20)
#define NO_STOP      (UINT64_MAX - 1) /* no transit */
#define MEMBERS_MAX  3                /* that are looked at of a path */

struct way {
	uint64_t stops[STAGE_COUNT];
};

struct making {
	struct flows flows;
	const struct query_row *rows;
	size_t count; /* of rows; one more way is that of the others */
	const struct measures *other;
	struct way *ways;
	struct groups stops; /* stage, code → sums */
	struct groups pairs; /* node, node → sums */
	int sort;
	uint32_t nodes_max;
};

uint32_t flows_as(enum flows_stage stage, const struct dim_value *path)
{
	uint32_t members[MEMBERS_MAX];
	if (!path->known)
		return 0;
	switch (stage) {
	case STAGE_NEIGHBOUR:
		return path_neighbour(path->bytes);
	case STAGE_ORIGIN:
		return path_origin(path->bytes);
	case STAGE_TRANSIT:
		return path_members(path->bytes, members, MEMBERS_MAX) >= MEMBERS_MAX ? members[1] : 0;
	case STAGE_ROUTER:
	case STAGE_COUNT:
		break;
	}
	return 0;
}

static const struct measures *sums_of(const struct making *m, size_t way)
{
	return way < m->count ? &m->rows[way].m : m->other;
}

static int find_ways(struct making *m)
{
	m->ways = calloc(m->count + 1, sizeof(*m->ways));
	if (!m->ways)
		return -ENOMEM;
	for (size_t i = 0; i < m->count; i++) {
		uint64_t *stops = m->ways[i].stops;
		const struct dim_value *path = &m->rows[i].values[1];
		int r = value_set_code(&m->flows.routers, &m->rows[i].values[0], &stops[STAGE_ROUTER]);
		if (r < 0)
			return r;
		for (int stage = STAGE_NEIGHBOUR; stage < STAGE_COUNT; stage++)
			stops[stage] = flows_as((enum flows_stage)stage, path);
		if (!stops[STAGE_TRANSIT])
			stops[STAGE_TRANSIT] = NO_STOP;
	}
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		m->ways[m->count].stops[stage] = FLOWS_OTHER;
	return 0;
}

static int add_sums(struct groups *g, uint64_t a, uint64_t b, const struct measures *m)
{
	uint64_t key[] = {a, b};
	uint32_t at;
	int r = groups_get(g, key, &at);
	for (int i = 0; i < MEASURE_COUNT && r == 0; i++)
		groups_sums(g, at)[i] += m->v[i];
	return r;
}

static int add_stops(struct making *m)
{
	int r = 0;
	for (size_t i = 0; i < m->count && r == 0; i++)
		for (int stage = 0; stage < STAGE_COUNT && r == 0; stage++)
			if (m->ways[i].stops[stage] != NO_STOP)
				r = add_sums(&m->stops, (uint64_t)stage, m->ways[i].stops[stage], sums_of(m, i));
	return r;
}

/* ---- nodes ---- */

static double figure(const struct measures *m, int sort)
{
	if (sort < MEASURE_COUNT)
		return (double)m->v[sort];
	if (sort == QUERY_SORT_RETRANSMIT_RATE)
		return measures_retransmit_rate(m);
	return measures_rtt_quantile(m, sort == QUERY_SORT_RTT_P50 ? 0.5 : 0.95);
}

static int cmp_figures(const struct measures *a, const struct measures *b, int sort)
{
	double x = figure(a, sort), y = figure(b, sort);
	return (x < y) - (x > y);
}

/* By stage; those of no certain AS and the rest behind the others; the largest first. */
static int cmp_nodes(const void *a, const void *b, void *ctx)
{
	const struct flows_node *x = a, *y = b;
	const struct making *m = ctx;
	if (x->stage != y->stage)
		return x->stage < y->stage ? -1 : 1;
	bool x_last = x->code == FLOWS_OTHER, y_last = y->code == FLOWS_OTHER;
	if (x_last != y_last)
		return x_last ? 1 : -1;
	int c = cmp_figures(&x->m, &y->m, m->sort);
	return c ? c : (x->code > y->code) - (x->code < y->code);
}

static void keep_largest(struct making *m, size_t count)
{
	struct flows *f = &m->flows;
	uint32_t of_stage[STAGE_COUNT] = {0};
	f->node_count = 0;
	for (size_t i = 0; i < count; i++)
		if (of_stage[f->nodes[i].stage]++ < m->nodes_max)
			f->nodes[f->node_count++] = f->nodes[i];
}

static int make_nodes(struct making *m)
{
	size_t count = m->stops.count;
	struct flows_node *nodes = calloc(count + 2 * STAGE_COUNT, sizeof(*nodes));
	m->flows.nodes = nodes;
	if (!nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const uint64_t *key = groups_key(&m->stops, i);
		nodes[i] = (struct flows_node){.stage = (enum flows_stage)key[0], .code = key[1]};
		memcpy(nodes[i].m.v, groups_sums(&m->stops, i), sizeof(nodes[i].m.v));
	}
	qsort_r(nodes, count, sizeof(*nodes), cmp_nodes, m);
	keep_largest(m, count);
	return 0;
}

/* The node of a stop; the rest's is made when it is first needed. */
static uint32_t node_at(struct making *m, enum flows_stage stage, uint64_t code)
{
	struct flows *f = &m->flows;
	uint32_t rest = UINT32_MAX;
	for (size_t i = 0; i < f->node_count; i++) {
		if (f->nodes[i].stage != stage)
			continue;
		if (f->nodes[i].code == code)
			return (uint32_t)i;
		if (f->nodes[i].code == FLOWS_OTHER)
			rest = (uint32_t)i;
	}
	if (rest != UINT32_MAX)
		return rest;
	f->nodes[f->node_count] = (struct flows_node){.stage = stage, .code = FLOWS_OTHER};
	return (uint32_t)f->node_count++;
}

/* ---- links ---- */

static int add_way(struct making *m, size_t way)
{
	const struct measures *sums = sums_of(m, way);
	uint32_t before = UINT32_MAX;
	int r = 0;
	if (measures_zero(sums))
		return 0;
	for (int stage = 0; stage < STAGE_COUNT && r == 0; stage++) {
		uint64_t code = m->ways[way].stops[stage];
		if (code == NO_STOP)
			continue;
		uint32_t node = node_at(m, (enum flows_stage)stage, code);
		if (m->flows.nodes[node].code == FLOWS_OTHER)
			measures_add(&m->flows.nodes[node].m, sums);
		if (before != UINT32_MAX)
			r = add_sums(&m->pairs, before, node, sums);
		before = node;
	}
	return r;
}

static int cmp_links(const void *a, const void *b, void *ctx)
{
	const struct flows_link *x = a, *y = b;
	const struct making *m = ctx;
	int c = cmp_figures(&x->m, &y->m, m->sort);
	if (!c)
		c = (x->from > y->from) - (x->from < y->from);
	return c ? c : (x->to > y->to) - (x->to < y->to);
}

static int make_links(struct making *m)
{
	int r = 0;
	for (size_t i = 0; i <= m->count && r == 0; i++)
		r = add_way(m, i);
	if (r < 0)
		return r;
	struct flows *f = &m->flows;
	f->link_count = m->pairs.count;
	f->links = calloc(f->link_count + 1, sizeof(*f->links));
	if (!f->links)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->link_count; i++) {
		const uint64_t *key = groups_key(&m->pairs, i);
		f->links[i] = (struct flows_link){.from = (uint32_t)key[0], .to = (uint32_t)key[1]};
		memcpy(f->links[i].m.v, groups_sums(&m->pairs, i), sizeof(f->links[i].m.v));
	}
	qsort_r(f->links, f->link_count, sizeof(*f->links), cmp_links, m);
	return 0;
}

int flows_make(const struct query_row *rows, size_t count, const struct measures *other, int sort, uint32_t nodes_max,
	struct flows *ret)
{
	struct making m = {.rows = rows, .count = count, .other = other, .sort = sort, .nodes_max = nodes_max};
	value_set_init(&m.flows.routers, KIND_TEXT);
	groups_init(&m.stops, 2, MEASURE_COUNT, 0);
	groups_init(&m.pairs, 2, MEASURE_COUNT, 0);
	groups_limit(&m.stops, MEMORY_BYTES);
	groups_limit(&m.pairs, MEMORY_BYTES);
	int r = find_ways(&m);
	if (r == 0)
		r = add_stops(&m);
	if (r == 0)
		r = make_nodes(&m);
	if (r == 0)
		r = make_links(&m);
	groups_done(&m.stops);
	groups_done(&m.pairs);
	free(m.ways);
	if (r == 0)
		*ret = m.flows;
	else
		flows_done(&m.flows);
	return r == -E2BIG ? -ENOMEM : r;
}

void flows_done(struct flows *f)
{
	value_set_done(&f->routers);
	free(f->nodes);
	free(f->links);
	*f = (struct flows){0};
}

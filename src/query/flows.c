/* SPDX-License-Identifier: BSD-2-Clause */

/* Each path is a way of up to three stops behind its router, read off it once. The first pass adds the groups up by stop,
 * which tells the largest; the second adds them up by pairs of nodes next to each other, where stops that are
 * not among the largest count as `other`. A way without transit goes from its neighbour to its origin at once.
 *
 * There may be hundreds of thousands of groups, and a dashboard waits: no value is looked at in a pass, every look-up is
 * one in an array. */

#include "query/flows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "query/rank.h"
#include "route/path.h"

#define MEMORY_BYTES (256u << 20)
#define NO_STOP      (UINT32_MAX - 1) /* no transit */
#define UNREAD       UINT32_MAX
#define NO_NODE      UINT32_MAX
#define MEMBERS_MAX  3                /* that are looked at of a path */

/* Where each stop's sums are; of a path, so the router's is not told here. */
struct way {
	uint32_t stops[STAGE_COUNT];
};

struct stage {
	struct groups sums;          /* a row a stop, by its code */
	const struct value_set *set; /* what codes are */
	uint32_t *nodes;             /* by stop */
};

struct making {
	struct flows flows;
	const struct query_groups *all;
	struct value_set ases; /* numbers, so it holds nothing */
	struct stage stages[STAGE_COUNT];
	struct way *ways;    /* by the path's code */
	struct groups pairs; /* of nodes next to each other, as one number */
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

static void add_sums(const struct making *m, uint64_t *to, uint32_t group)
{
	const uint64_t *sums = groups_sums(m->all->groups, group);
	for (unsigned i = 0; i < m->all->measure_count; i++)
		to[i] += sums[i];
}

/* ---- stops ---- */

static int read_way(struct making *m, uint64_t path_code, struct way *way)
{
	struct dim_value path = value_set_value(&m->all->sets[1], path_code);
	int r = 0;
	for (int i = STAGE_NEIGHBOUR; i < STAGE_COUNT && r == 0; i++) {
		uint32_t as = flows_as((enum flows_stage)i, &path);
		uint64_t code = as ? as + UINT64_C(1) : 0;
		way->stops[i] = NO_STOP;
		if (as || i != STAGE_TRANSIT)
			r = groups_get(&m->stages[i].sums, &code, &way->stops[i]);
	}
	return r;
}

/* The way of a group, with its router. */
static int way_of(struct making *m, uint32_t group, struct way *ret)
{
	const uint64_t *key = groups_key(m->all->groups, group);
	struct way *way = &m->ways[key[1]];
	int r = way->stops[STAGE_ORIGIN] == UNREAD ? read_way(m, key[1], way) : 0;
	*ret = *way;
	return r < 0 ? r : groups_get(&m->stages[STAGE_ROUTER].sums, &key[0], &ret->stops[STAGE_ROUTER]);
}

static int add_stops(struct making *m)
{
	size_t paths = (size_t)m->all->sets[1].count + 1;
	m->ways = malloc(paths * sizeof(*m->ways));
	if (!m->ways)
		return -ENOMEM;
	memset(m->ways, 0xff, paths * sizeof(*m->ways));
	for (uint32_t group = 0; group < m->all->groups->count; group++) {
		struct way way;
		int r = way_of(m, group, &way);
		if (r < 0)
			return r;
		for (int i = 0; i < STAGE_COUNT; i++)
			if (way.stops[i] != NO_STOP)
				add_sums(m, groups_sums(&m->stages[i].sums, way.stops[i]), group);
	}
	return 0;
}

/* ---- nodes ---- */

static struct query_groups view_of(const struct making *m, const struct groups *g, const struct value_set *set)
{
	return (struct query_groups){g, set, m->all->measures, m->all->measure_count};
}

static int add_node(struct making *m, enum flows_stage stage, uint32_t stop)
{
	struct flows *f = &m->flows;
	struct stage *s = &m->stages[stage];
	struct query_groups sums = view_of(m, &s->sums, s->set);
	struct dim_value value = value_set_value(s->set, *groups_key(&s->sums, stop));
	if (value_keep(&f->arena, s->set->kind, &value, &value) < 0)
		return -ENOMEM;
	s->nodes[stop] = (uint32_t)f->node_count;
	f->nodes[f->node_count++] = (struct flows_node){.stage = stage, .value = value, .m = query_groups_measures(&sums, stop)};
	return 0;
}

/* One node for all stops that have none. */
static void add_others(struct making *m, enum flows_stage stage)
{
	struct stage *s = &m->stages[stage];
	struct query_groups sums = view_of(m, &s->sums, s->set);
	struct flows_node *others = &m->flows.nodes[m->flows.node_count];
	*others = (struct flows_node){.stage = stage, .other = true};
	bool any = false;
	for (uint32_t stop = 0; stop < s->sums.count; stop++) {
		if (s->nodes[stop] != NO_NODE)
			continue;
		struct measures of_stop = query_groups_measures(&sums, stop);
		measures_add(&others->m, &of_stop);
		s->nodes[stop] = (uint32_t)m->flows.node_count;
		any = true;
	}
	m->flows.node_count += any;
}

static int add_nodes(struct making *m, enum flows_stage stage)
{
	struct stage *s = &m->stages[stage];
	struct ranking ranking = {view_of(m, &s->sums, s->set), m->sort, false};
	CLEANUP(free_p) uint32_t *largest = NULL;
	uint32_t count = 0;
	s->nodes = malloc(((size_t)s->sums.count + 1) * sizeof(*s->nodes));
	int r = s->nodes ? rank_top(&ranking, m->nodes_max, &largest, &count) : -ENOMEM;
	for (uint32_t stop = 0; stop < s->sums.count && r == 0; stop++)
		s->nodes[stop] = NO_NODE;
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = add_node(m, stage, largest[i]);
	if (r == 0)
		add_others(m, stage);
	return r;
}

static uint64_t nodes_end(const struct making *m)
{
	return STAGE_COUNT * ((uint64_t)m->nodes_max + 1);
}

static int make_nodes(struct making *m)
{
	m->flows.nodes = calloc(nodes_end(m), sizeof(*m->flows.nodes));
	int r = m->flows.nodes ? 0 : -ENOMEM;
	for (int i = 0; i < STAGE_COUNT && r == 0; i++)
		r = add_nodes(m, (enum flows_stage)i);
	return r;
}

/* ---- links ---- */

static int add_pair(struct making *m, uint32_t from, uint32_t to, uint32_t group)
{
	uint64_t key = from * nodes_end(m) + to;
	uint32_t at;
	int r = groups_get(&m->pairs, &key, &at);
	if (r == 0)
		add_sums(m, groups_sums(&m->pairs, at), group);
	return r;
}

static int add_pairs(struct making *m, uint32_t group)
{
	struct way way;
	uint32_t from = NO_NODE;
	int r = way_of(m, group, &way);
	for (int i = 0; i < STAGE_COUNT && r == 0; i++) {
		if (way.stops[i] == NO_STOP)
			continue;
		uint32_t to = m->stages[i].nodes[way.stops[i]];
		if (from != NO_NODE)
			r = add_pair(m, from, to, group);
		from = to;
	}
	return r;
}

/* Rows of pairs that have something in them. */
static uint32_t with_traffic(const struct query_groups *pairs, uint32_t *rows, uint32_t count)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct measures m = query_groups_measures(pairs, rows[i]);
		if (!measures_zero(&m))
			rows[n++] = rows[i];
	}
	return n;
}

static int make_links(struct making *m)
{
	struct flows *f = &m->flows;
	struct query_groups pairs = view_of(m, &m->pairs, &m->ases);
	CLEANUP(free_p) uint32_t *rows = NULL;
	uint32_t count = 0;
	int r = 0;
	for (uint32_t group = 0; group < m->all->groups->count && r == 0; group++)
		r = add_pairs(m, group);
	if (r == 0)
		r = rank_top(&(struct ranking){pairs, m->sort, false}, m->pairs.count, &rows, &count);
	if (r < 0)
		return r;
	count = with_traffic(&pairs, rows, count);
	f->links = calloc((size_t)count + 1, sizeof(*f->links));
	if (!f->links)
		return -ENOMEM;
	for (; f->link_count < count; f->link_count++) {
		uint64_t key = *groups_key(&m->pairs, rows[f->link_count]);
		f->links[f->link_count] = (struct flows_link){(uint32_t)(key / nodes_end(m)), (uint32_t)(key % nodes_end(m)),
			query_groups_measures(&pairs, rows[f->link_count])};
	}
	return 0;
}

/* ---- the whole ---- */

static void making_init(struct making *m)
{
	arena_init(&m->flows.arena);
	value_set_init(&m->ases, KIND_ASN);
	groups_init(&m->pairs, 1, m->all->measure_count, 0);
	groups_limit(&m->pairs, MEMORY_BYTES);
	for (int i = 0; i < STAGE_COUNT; i++) {
		m->stages[i].set = i == STAGE_ROUTER ? &m->all->sets[0] : &m->ases;
		groups_init(&m->stages[i].sums, 1, m->all->measure_count, 0);
		groups_limit(&m->stages[i].sums, MEMORY_BYTES);
	}
}

static void making_done(struct making *m)
{
	for (int i = 0; i < STAGE_COUNT; i++) {
		groups_done(&m->stages[i].sums);
		free(m->stages[i].nodes);
	}
	groups_done(&m->pairs);
	value_set_done(&m->ases);
	free(m->ways);
	flows_done(&m->flows);
}

int flows_make(const struct query_groups *all, int sort, uint32_t nodes_max, struct flows *ret)
{
	CLEANUP(making_done) struct making m = {.all = all, .sort = sort, .nodes_max = nodes_max};
	making_init(&m);
	int r = add_stops(&m);
	if (r == 0)
		r = make_nodes(&m);
	if (r == 0)
		r = make_links(&m);
	if (r < 0)
		return r == -E2BIG ? -ENOMEM : r;
	*ret = m.flows;
	m.flows = (struct flows){0};
	return 0;
}

void flows_done(struct flows *f)
{
	free(f->nodes);
	free(f->links);
	arena_done(&f->arena);
	*f = (struct flows){0};
}

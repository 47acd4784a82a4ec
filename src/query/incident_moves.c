/* SPDX-License-Identifier: BSD-2-Clause */

/* Changes of paths that are one event. When a link goes down, each of a thousand networks behind it changes: what they have in common is
 * the router, where the old path and the new one part, and the time. A move goes on while there is a change of its kind within five
 * minutes of the last one. Changes come from the newest to the oldest, so a move grows to earlier times. */

#include <errno.h>
#include <stdlib.h>

#include "query/incidents.h"
#include "route/path.h"

#define MEMBERS_MAX 64

struct incident_move_network {
	size_t move;
	struct prefix prefix;
};

struct parting {
	uint32_t before, after, hop;
};

static size_t members_of(const struct dim_value *path, uint32_t *ret)
{
	size_t count = path->known ? path_members(path->bytes, ret, MEMBERS_MAX) : 0;
	return count < MEMBERS_MAX ? count : MEMBERS_MAX;
}

static struct parting part(const struct store_change *c)
{
	uint32_t before[MEMBERS_MAX], after[MEMBERS_MAX];
	size_t n = members_of(&c->before, before), m = members_of(&c->after, after), i = 0;
	while (i < n && i < m && before[i] == after[i])
		i++;
	if (i == n && i == m && c->before.known && c->after.known)
		return (struct parting){0};
	return (struct parting){i < n ? before[i] : 0, i < m ? after[i] : 0, i ? before[i - 1] : 0};
}

static bool is_of(const struct incident_move *m, const struct store_change *c, const struct parting *p)
{
	return m->before_as == p->before && m->after_as == p->after && m->hop == p->hop && m->lost == !c->after.known &&
		m->won == !c->before.known && m->from_ms <= c->time_ms + INCIDENT_MOVE_S * 1000 &&
		value_cmp(dimension_table[DIM_router].kind, &m->router, &c->router) == 0;
}

void incident_moves_init(struct incident_moves *moves)
{
	*moves = (struct incident_moves){0};
	arena_init(&moves->arena);
}

void incident_moves_done(struct incident_moves *moves)
{
	free(moves->list);
	free(moves->networks);
	arena_done(&moves->arena);
	*moves = (struct incident_moves){0};
}

static int note_network(struct incident_moves *moves, const struct incident_move *m, const struct prefix *prefix)
{
	if (moves->network_count == moves->network_cap) {
		size_t cap = moves->network_cap ? moves->network_cap * 2 : 64;
		struct incident_move_network *networks = realloc(moves->networks, cap * sizeof(*networks));
		if (!networks)
			return -ENOMEM;
		moves->networks = networks;
		moves->network_cap = cap;
	}
	moves->networks[moves->network_count++] = (struct incident_move_network){(size_t)(m - moves->list), *prefix};
	return 0;
}

/* The example is of the first change, and so of the last that comes. */
static int set_example(struct incident_moves *moves, struct incident_move *m, const struct store_change *c)
{
	m->from_ms = c->time_ms;
	m->changes++;
	int r = note_network(moves, m, &c->prefix.prefix);
	if (r == 0)
		r = value_keep(&moves->arena, dimension_table[DIM_prefix].kind, &c->prefix, &m->prefix);
	if (r == 0)
		r = value_keep(&moves->arena, dimension_table[DIM_path].kind, &c->before, &m->before);
	return r < 0 ? r : value_keep(&moves->arena, dimension_table[DIM_path].kind, &c->after, &m->after);
}

static int new_move(struct incident_moves *moves, const struct store_change *c, const struct parting *p)
{
	if (moves->count == INCIDENT_MOVES_MAX)
		return -E2BIG;
	if (moves->count == moves->cap) {
		size_t cap = moves->cap ? moves->cap * 2 : 64;
		struct incident_move *list = realloc(moves->list, cap * sizeof(*list));
		if (!list)
			return -ENOMEM;
		moves->list = list;
		moves->cap = cap;
	}
	struct incident_move *m = &moves->list[moves->count++];
	*m = (struct incident_move){.to_ms = c->time_ms, .before_as = p->before, .after_as = p->after, .hop = p->hop,
		.lost = !c->after.known, .won = !c->before.known};
	int r = value_keep(&moves->arena, dimension_table[DIM_router].kind, &c->router, &m->router);
	return r < 0 ? r : set_example(moves, m, c);
}

int incident_moves_add(struct incident_moves *moves, const struct store_change *c)
{
	struct parting p = part(c);
	for (size_t i = moves->count; i-- > 0;)
		if (is_of(&moves->list[i], c, &p))
			return set_example(moves, &moves->list[i], c);
	return new_move(moves, c, &p);
}

static int by_begin(const void *a, const void *b)
{
	const struct incident_move *m = a, *n = b;
	return (m->from_ms > n->from_ms) - (m->from_ms < n->from_ms);
}

static int by_move(const void *a, const void *b)
{
	const struct incident_move_network *m = a, *n = b;
	return m->move != n->move ? m->move > n->move ? 1 : -1 : prefix_cmp(&m->prefix, &n->prefix);
}

static void count_networks(struct incident_moves *moves)
{
	if (moves->network_count)
		qsort(moves->networks, moves->network_count, sizeof(*moves->networks), by_move);
	for (size_t i = 0; i < moves->network_count; i++)
		moves->list[moves->networks[i].move].networks += i == 0 || by_move(&moves->networks[i - 1], &moves->networks[i]) != 0;
}

void incident_moves_sort(struct incident_moves *moves)
{
	count_networks(moves);
	if (moves->count)
		qsort(moves->list, moves->count, sizeof(*moves->list), by_begin);
}

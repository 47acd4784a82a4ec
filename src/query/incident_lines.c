/* SPDX-License-Identifier: BSD-2-Clause */

/* Which ASes and routers are looked at over time: those with the most that was sent again, for an incident of others is small. How
 * much of the traffic of two is the same is counted here as well, while the paths are at hand. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "query/incidents.h"
#include "query/rank.h"
#include "route/path.h"

#define MEMBERS_MAX  256
#define MEMORY_BYTES (64u << 20)

_Static_assert(INCIDENTS_LINES_MAX <= UINT8_MAX, "a line's number is small");

struct making {
	const struct query_groups *all;
	struct groups routers, ases; /* the measures of all, by code */
	struct value_set as_set;     /* numbers need none but for their kind */
	uint8_t *router_lines, *as_lines; /* of each row of them: its line; 0: none */
	struct incident_lines lines;
};

static size_t members_of(const struct making *m, uint32_t group, uint32_t *ret)
{
	struct dim_value path = value_set_value(&m->all->sets[1], groups_key(m->all->groups, group)[1]);
	size_t count = path.known ? path_members(path.bytes, ret, MEMBERS_MAX) : 0;
	return count < MEMBERS_MAX ? count : MEMBERS_MAX;
}

static int add_sums(struct groups *to, uint64_t key, const struct making *m, uint32_t group)
{
	uint32_t row;
	int r = groups_get(to, &key, &row);
	for (unsigned i = 0; i < m->all->measure_count && r == 0; i++)
		groups_sums(to, row)[i] += groups_sums(m->all->groups, group)[i];
	return r;
}

static int add_up(struct making *m)
{
	uint32_t members[MEMBERS_MAX];
	int r = 0;
	for (uint32_t group = 0; group < m->all->groups->count && r == 0; group++) {
		uint64_t router = groups_key(m->all->groups, group)[0];
		if (router) /* known */
			r = add_sums(&m->routers, router, m, group);
		size_t count = members_of(m, group, members);
		for (size_t i = 0; i < count && r == 0; i++)
			r = add_sums(&m->ases, (uint64_t)members[i] + 1, m, group);
	}
	return r;
}

/* The first ones of a table by what was sent again. */
static int choose(struct making *m, const struct groups *from, enum dimension dim, const struct value_set *set, size_t max, uint8_t **ret_lines)
{
	struct incident_lines *l = &m->lines;
	struct ranking ranking = {
		.all = {.groups = from, .sets = set, .measures = m->all->measures, .measure_count = m->all->measure_count},
		.sort = MEASURE_packets_retransmitted,
	};
	CLEANUP(free_p) uint32_t *rows = NULL;
	uint32_t count;
	uint8_t *lines = *ret_lines = calloc((size_t)from->count + 1, 1);
	int r = lines ? rank_top(&ranking, (uint32_t)max, &rows, &count) : -ENOMEM;
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < count && r == 0; i++) {
		struct dim_value value = value_set_value(set, *groups_key(from, rows[i]));
		if (value.bytes.len) {
			value.bytes.data = arena_copy(&l->arena, value.bytes.data, value.bytes.len);
			r = value.bytes.data ? 0 : -ENOMEM;
		}
		lines[rows[i]] = (uint8_t)l->count;
		l->list[l->count++] = (struct incident_line){.dim = dim, .value = value};
	}
	return r;
}

/* The lines of a group, everything among them; at most so many as there are. */
static size_t lines_of(const struct making *m, uint32_t group, size_t *ret)
{
	uint32_t members[MEMBERS_MAX];
	size_t count = 0, member_count = members_of(m, group, members);
	uint64_t router = groups_key(m->all->groups, group)[0];
	ret[count++] = 0;
	if (router && m->router_lines[groups_find(&m->routers, &router)])
		ret[count++] = m->router_lines[groups_find(&m->routers, &router)];
	for (size_t i = 0; i < member_count; i++) {
		uint64_t as = (uint64_t)members[i] + 1;
		uint8_t line = m->as_lines[groups_find(&m->ases, &as)];
		if (line)
			ret[count++] = line;
	}
	return count;
}

static void add_shared(struct making *m)
{
	size_t in[INCIDENTS_LINES_MAX];
	for (uint32_t group = 0; group < m->all->groups->count; group++) {
		uint64_t packets = query_groups_measure(m->all, group, MEASURE_packets_sent);
		size_t count = lines_of(m, group, in);
		for (size_t i = 0; i < count; i++)
			for (size_t k = 0; k < count; k++)
				m->lines.shared[in[i] * m->lines.count + in[k]] += packets;
	}
}

static int make_room(struct incident_lines *l, size_t points)
{
	size_t shared_bytes = l->count * l->count * sizeof(*l->shared), line_bytes = points * sizeof(struct measures);
	uint8_t *room = arena_alloc(&l->arena, shared_bytes + l->count * line_bytes + 1);
	if (!room)
		return -ENOMEM;
	(void)memset(room, 0, shared_bytes + l->count * line_bytes);
	l->shared = (uint64_t *)(void *)room;
	for (size_t i = 0; i < l->count; i++)
		l->list[i].buckets = (struct measures *)(void *)(room + shared_bytes + i * line_bytes);
	l->points = points;
	return 0;
}

static int make(struct making *m, size_t points)
{
	struct incident_lines *l = &m->lines;
	l->list = arena_alloc(&l->arena, INCIDENTS_LINES_MAX * sizeof(*l->list));
	int r = l->list ? add_up(m) : -ENOMEM;
	if (r < 0)
		return r;
	l->list[l->count++] = (struct incident_line){.dim = INCIDENT_EVERYTHING};
	r = choose(m, &m->routers, DIM_router, &m->all->sets[0], INCIDENTS_ROUTERS_MAX, &m->router_lines);
	l->router_count = l->count - 1;
	if (r == 0)
		r = choose(m, &m->ases, DIM_via, &m->as_set, INCIDENTS_LINES_MAX - l->count, &m->as_lines);
	if (r == 0)
		r = make_room(l, points);
	if (r == 0)
		add_shared(m);
	return r;
}

static void making_done(struct making *m)
{
	groups_done(&m->routers);
	groups_done(&m->ases);
	value_set_done(&m->as_set);
	free(m->router_lines);
	free(m->as_lines);
	incident_lines_done(&m->lines);
}

int incident_lines_make(const struct query_groups *all, size_t points, struct incident_lines *ret)
{
	CLEANUP(making_done) struct making m = {.all = all};
	arena_init(&m.lines.arena);
	value_set_init(&m.as_set, dimension_table[DIM_via].kind);
	groups_init(&m.routers, 1, all->measure_count, 0);
	groups_init(&m.ases, 1, all->measure_count, 0);
	groups_limit(&m.routers, MEMORY_BYTES);
	groups_limit(&m.ases, MEMORY_BYTES);
	int r = make(&m, points);
	if (r < 0)
		return r == -E2BIG ? -ENOMEM : r;
	*ret = m.lines;
	m.lines = (struct incident_lines){0};
	arena_init(&m.lines.arena);
	return 0;
}

void incident_lines_done(struct incident_lines *lines)
{
	arena_done(&lines->arena);
	*lines = (struct incident_lines){0};
}

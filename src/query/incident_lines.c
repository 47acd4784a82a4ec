/* SPDX-License-Identifier: BSD-2-Clause */

/* Which routers and ASes are looked at over time, and how much of the traffic of two of them is the same. A path is read once,
 * however many routers have it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "query/incidents.h"
#include "route/path.h"

#define MEMBERS_MAX 256

/* Which ASes' lines a path is of, a bit each. */
typedef uint64_t as_mask;
_Static_assert(INCIDENTS_ASES_MAX < 64, "a bit says that the path has been read");
#define WAS_READ ((as_mask)1 << 63)

static int add_line(struct incident_lines *l, enum dimension dim, const struct dim_value *value)
{
	struct incident_line *line = &l->list[l->count];
	*line = (struct incident_line){.dim = dim};
	int r = dim == INCIDENT_EVERYTHING ? 0 : value_keep(&l->arena, dimension_table[dim].kind, value, &line->value);
	l->count += r == 0;
	return r;
}

static int add_rows(struct incident_lines *l, enum dimension dim, const struct query_result *rows, size_t max)
{
	size_t end = l->count + max;
	int r = 0;
	for (size_t i = 0; i < rows->row_count && l->count < end && r == 0; i++)
		if (rows->rows[i].values[0].known)
			r = add_line(l, dim, &rows->rows[i].values[0]);
	return r;
}

static void *alloc_zero(struct arena *arena, size_t n, size_t size)
{
	void *room = arena_alloc(arena, n * size + 1);
	return room ? memset(room, 0, n * size) : NULL;
}

static int make(struct incident_lines *l, const struct query_result *routers, const struct query_result *vias, size_t points)
{
	l->list = arena_alloc(&l->arena, INCIDENTS_LINES_MAX * sizeof(*l->list));
	int r = l->list ? add_line(l, INCIDENT_EVERYTHING, &(struct dim_value){0}) : -ENOMEM;
	if (r == 0)
		r = add_rows(l, DIM_router, routers, INCIDENTS_ROUTERS_MAX);
	l->router_count = l->count - 1;
	if (r == 0)
		r = add_rows(l, DIM_via, vias, INCIDENTS_ASES_MAX);
	l->points = points;
	for (size_t i = 0; i < l->count && r == 0; i++) {
		l->list[i].buckets = alloc_zero(&l->arena, points, sizeof(*l->list[i].buckets));
		r = l->list[i].buckets ? 0 : -ENOMEM;
	}
	return r;
}

int incident_lines_make(const struct query_result *routers, const struct query_result *vias, size_t points, struct incident_lines *ret)
{
	struct incident_lines l = {0};
	arena_init(&l.arena);
	int r = make(&l, routers, vias, points);
	if (r < 0)
		incident_lines_done(&l);
	else
		*ret = l;
	return r;
}

void incident_lines_done(struct incident_lines *lines)
{
	arena_done(&lines->arena);
	*lines = (struct incident_lines){0};
}

/* ---- shares ---- */

static as_mask ases_of(const struct incident_lines *l, const struct dim_value *path)
{
	uint32_t members[MEMBERS_MAX];
	size_t count = path->known ? path_members(path->bytes, members, MEMBERS_MAX) : 0;
	const struct incident_line *ases = l->list + 1 + l->router_count;
	size_t as_count = l->count - 1 - l->router_count;
	as_mask mask = WAS_READ;
	for (size_t i = 0; i < count && i < MEMBERS_MAX; i++)
		for (size_t k = 0; k < as_count; k++)
			if (ases[k].value.number == members[i])
				mask |= (as_mask)1 << k;
	return mask;
}

/* 0: of none of them. */
static size_t router_line(const struct incident_lines *l, const struct dim_value *router)
{
	size_t i = l->router_count;
	while (i > 0 && value_cmp(dimension_table[DIM_router].kind, router, &l->list[i].value) != 0)
		i--;
	return i;
}

/* Of a group: everything, its router, its path's ASes. */
static size_t lines_of(const struct incident_lines *l, size_t router, as_mask ases, size_t ret[static INCIDENTS_LINES_MAX])
{
	size_t count = 0;
	ret[count++] = 0;
	if (router)
		ret[count++] = router;
	for (as_mask left = ases & ~WAS_READ; left; left &= left - 1)
		ret[count++] = 1 + l->router_count + (size_t)__builtin_ctzll(left);
	return count;
}

/* paths: a mask for each code, 0 at first. */
static void share(struct incident_lines *l, const struct query_groups *all, as_mask *paths)
{
	size_t in[INCIDENTS_LINES_MAX], line = 0;
	uint64_t router = 0; /* the last one's code */
	for (uint32_t group = 0; group < all->groups->count; group++) {
		const uint64_t *key = groups_key(all->groups, group);
		uint64_t packets = query_groups_measure(all, group, MEASURE_packets_sent);
		if (group == 0 || key[0] != router) {
			struct dim_value value = value_set_value(&all->sets[0], key[0]);
			router = key[0];
			line = router_line(l, &value);
		}
		if (!paths[key[1]]) {
			struct dim_value value = value_set_value(&all->sets[1], key[1]);
			paths[key[1]] = ases_of(l, &value);
		}
		size_t count = lines_of(l, line, paths[key[1]], in);
		for (size_t i = 0; i < count; i++)
			for (size_t k = 0; k < count; k++)
				l->shared[in[i] * l->count + in[k]] += packets;
	}
}

int incident_lines_share(struct incident_lines *lines, const struct query_groups *all)
{
	uint64_t codes = 1;
	for (uint32_t group = 0; group < all->groups->count; group++)
		codes = groups_key(all->groups, group)[1] >= codes ? groups_key(all->groups, group)[1] + 1 : codes;
	CLEANUP(free_p) as_mask *paths = calloc(codes, sizeof(*paths));
	lines->shared = alloc_zero(&lines->arena, lines->count * lines->count, sizeof(*lines->shared));
	if (!paths || !lines->shared)
		return -ENOMEM;
	share(lines, all, paths);
	return 0;
}

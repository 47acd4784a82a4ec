/* SPDX-License-Identifier: BSD-2-Clause */

/* Each path is read once: where in the tables of sums its ASes are, and then its links, but only those of two that each have
 * a tenth of all retransmits, which are few. A round adds every group up there, so it costs an addition for each AS of each router's
 * path and reads no path: half a million paths of five ASes take 0.3 s, most of it the first reading. */

#include "query/suspects_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "route/path.h"

#define SHARE (1.0 / SUSPECTS_MAX) /* what stands out has of all that was sent again */

/* ---- tables ---- */

void suspects_finding_init(struct suspects_finding *f, const struct query_groups *all)
{
	*f = (struct suspects_finding){.all = all};
	arena_init(&f->found.arena);
	for (int kind = 0; kind < SUSPECTS_PATH_KINDS; kind++) {
		groups_init(&f->sums[kind], 1, all->measure_count, 0);
		groups_limit(&f->sums[kind], SUSPECTS_MEMORY_BYTES);
	}
}

void suspects_finding_done(struct suspects_finding *f)
{
	for (int kind = 0; kind < SUSPECTS_PATH_KINDS; kind++)
		groups_done(&f->sums[kind]);
	free(f->ways);
	free(f->stops);
	free(f->places);
	free(f->explained);
	suspects_done(&f->found);
}

/* ---- paths ---- */

static int add_stop(struct suspects_finding *f, enum suspect_kind kind, uint64_t key)
{
	if (f->stop_count == f->stop_cap) {
		size_t cap = f->stop_cap ? f->stop_cap * 2 : 1024;
		uint32_t *stops = realloc(f->stops, cap * sizeof(*stops));
		if (!stops)
			return -ENOMEM;
		f->stops = stops;
		f->stop_cap = cap;
	}
	return groups_get(&f->sums[kind], &key, &f->stops[f->stop_count++]);
}

static uint64_t pair_key(uint64_t first, uint64_t second)
{
	return first << 32 | second;
}

static int read_way(struct suspects_finding *f, const struct dim_value *path, struct suspects_way *way)
{
	uint32_t members[SUSPECTS_MEMBERS_MAX];
	size_t count = path->known ? path_members(path->bytes, members, SUSPECTS_MEMBERS_MAX) : 0;
	int r = 0;
	*way = (struct suspects_way){.at = (uint32_t)f->stop_count};
	for (size_t i = 0; i < count && i < SUSPECTS_MEMBERS_MAX && r == 0; i++, way->members++)
		r = add_stop(f, SUSPECT_VIA, members[i]);
	return r;
}

static int read_place(struct suspects_finding *f, uint64_t router, const struct dim_value *path, struct suspects_place *place)
{
	uint32_t neighbour = path->known ? path_neighbour(path->bytes) : 0;
	uint64_t key = pair_key(router, neighbour);
	*place = (struct suspects_place){SUSPECTS_NOWHERE, SUSPECTS_NOWHERE};
	if (!router) /* unknown */
		return 0;
	int r = neighbour ? groups_get(&f->sums[SUSPECT_EXIT], &key, &place->exit) : 0;
	return r < 0 ? r : groups_get(&f->sums[SUSPECT_ROUTER], &router, &place->router);
}

int suspects_read_paths(struct suspects_finding *f)
{
	const struct query_groups *all = f->all;
	size_t paths = (size_t)all->sets[1].count + 1;
	f->ways = malloc(paths * sizeof(*f->ways));
	f->places = malloc(((size_t)all->groups->count + 1) * sizeof(*f->places));
	f->explained = calloc((size_t)all->groups->count + 1, sizeof(*f->explained));
	if (!f->ways || !f->places || !f->explained)
		return -ENOMEM;
	memset(f->ways, 0xff, paths * sizeof(*f->ways));
	int r = 0;
	for (uint32_t group = 0; group < all->groups->count && r == 0; group++) {
		const uint64_t *key = groups_key(all->groups, group);
		struct dim_value path = value_set_value(&all->sets[1], key[1]);
		struct suspects_way *way = &f->ways[key[1]];
		if (way->at == SUSPECTS_NOWHERE)
			r = read_way(f, &path, way);
		if (r == 0)
			r = read_place(f, key[0], &path, &f->places[group]);
	}
	return r;
}

/* ---- links ---- */

double suspects_needed(const struct suspects_finding *f)
{
	return SHARE * (double)f->found.total.v[MEASURE_packets_retransmitted];
}

static bool has_enough(const struct suspects_finding *f, uint64_t as)
{
	uint32_t row = groups_find(&f->sums[SUSPECT_VIA], &as);
	uint64_t retransmits = row == SUSPECTS_NOWHERE ? 0 : suspects_evidence(f, groups_sums(&f->sums[SUSPECT_VIA], row)).retransmits;
	return retransmits && (double)retransmits >= suspects_needed(f);
}

/* A link once, however often the path goes that way. */
static int add_link(struct suspects_finding *f, struct suspects_way *way, uint64_t key)
{
	int r = add_stop(f, SUSPECT_PAIR, key);
	const uint32_t *links = f->stops + way->links_at;
	for (unsigned i = 0; i < way->links && r == 0; i++)
		if (links[i] == links[way->links]) {
			f->stop_count--;
			return 0;
		}
	way->links += r == 0;
	return r;
}

size_t suspects_links(const struct suspects_finding *f, uint64_t path_code, uint32_t links[static SUSPECTS_MEMBERS_MAX][2])
{
	struct dim_value path = value_set_value(&f->all->sets[1], path_code);
	size_t count = path.known ? path_links(path.bytes, links, SUSPECTS_MEMBERS_MAX) : 0;
	return count < SUSPECTS_MEMBERS_MAX ? count : SUSPECTS_MEMBERS_MAX;
}

/* Those that can be named. The sums of ASes are there. */
int suspects_read_links(struct suspects_finding *f)
{
	int r = 0;
	for (uint64_t code = 0; code <= f->all->sets[1].count && r == 0; code++) {
		uint32_t links[SUSPECTS_MEMBERS_MAX][2];
		struct suspects_way *way = &f->ways[code];
		size_t count = way->at == SUSPECTS_NOWHERE || way->members < 2 ? 0 : suspects_links(f, code, links);
		way->links_at = (uint32_t)f->stop_count;
		for (size_t i = 0; i < count && r == 0; i++)
			if (has_enough(f, links[i][0]) && has_enough(f, links[i][1]))
				r = add_link(f, way, pair_key(links[i][0], links[i][1]));
	}
	return r;
}

/* ---- sums of a round ---- */

static void add_to(struct suspects_finding *f, enum suspect_kind kind, uint32_t row, const uint64_t *sums)
{
	suspects_add(f, groups_sums(&f->sums[kind], row), sums);
}

static void add_group(struct suspects_finding *f, uint32_t group)
{
	const uint64_t *sums = groups_sums(f->all->groups, group);
	const struct suspects_way *way = suspects_way(f, group);
	const uint32_t *stops = f->stops + way->at;
	const struct suspects_place *place = &f->places[group];
	for (unsigned i = 0; i < way->members; i++)
		add_to(f, SUSPECT_VIA, stops[i], sums);
	for (unsigned i = 0; i < way->links; i++)
		add_to(f, SUSPECT_PAIR, f->stops[way->links_at + i], sums);
	if (place->exit != SUSPECTS_NOWHERE)
		add_to(f, SUSPECT_EXIT, place->exit, sums);
	if (place->router != SUSPECTS_NOWHERE)
		add_to(f, SUSPECT_ROUTER, place->router, sums);
}

void suspects_add_up(struct suspects_finding *f)
{
	memset(f->left, 0, sizeof(f->left));
	for (int kind = 0; kind < SUSPECTS_PATH_KINDS; kind++)
		for (uint32_t row = 0; row < f->sums[kind].count; row++)
			memset(groups_sums(&f->sums[kind], row), 0, f->all->measure_count * sizeof(uint64_t));
	for (uint32_t group = 0; group < f->all->groups->count; group++) {
		if (f->explained[group])
			continue;
		suspects_add(f, f->left, groups_sums(f->all->groups, group));
		add_group(f, group);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* What else is to be said of who is named: its role, which ASes are always on its paths, who hands it the packets and who gets them by it. */

#include "query/suspects_parts.h"

#include <errno.h>
#include <stdlib.h>

#define SAME       0.98 /* packets that two ASes share, of those of either: not to be told apart */
#define MOST       0.95
#define BEFORE_MAX 16
#define BEHIND_MAX 200
#define TWINS_MAX  16

static uint64_t packets(const struct measures *m)
{
	return m->v[MEASURE_packets_sent];
}

bool suspects_has(const struct suspects_finding *f, const struct suspects_candidate *c, uint32_t group, unsigned *ret_until)
{
	const struct suspects_way *way = suspects_way(f, group);
	const uint32_t *stops = f->stops + way->at;
	uint32_t wanted = c->row;
	if (c->kind == SUSPECT_EXIT || c->kind == SUSPECT_ROUTER) {
		*ret_until = c->kind == SUSPECT_EXIT;
		return wanted == (c->kind == SUSPECT_EXIT ? f->places[group].exit : f->places[group].router);
	}
	if (c->kind == SUSPECT_PAIR) {
		unsigned link = 0;
		while (link < way->links && f->stops[way->links_at + link] != wanted)
			link++;
		if (link == way->links)
			return false;
		uint64_t second = suspects_key(f, SUSPECT_PAIR, wanted) & UINT32_MAX;
		wanted = groups_find(&f->sums[SUSPECT_VIA], &second);
	}
	for (*ret_until = 1; *ret_until <= way->members; ++*ret_until)
		if (stops[*ret_until - 1] == wanted)
			return true;
	return false;
}

/* Packets on the suspect's paths. */
struct shared {
	uint64_t *with, *behind; /* of each AS, by its row */
	uint64_t first, last;    /* where the suspect begins the path, and ends it */
};

static int share(const struct suspects_finding *f, const struct suspects_candidate *c, struct shared *ret)
{
	size_t count = f->sums[SUSPECT_VIA].count;
	ret->with = calloc(count + 1, sizeof(*ret->with));
	ret->behind = calloc(count + 1, sizeof(*ret->behind));
	if (!ret->with || !ret->behind)
		return -ENOMEM;
	for (uint32_t group = 0; group < f->all->groups->count; group++) {
		unsigned until;
		if (f->explained[group] || !suspects_has(f, c, group, &until))
			continue;
		const struct suspects_way *way = suspects_way(f, group);
		uint64_t n = query_groups_measure(f->all, group, MEASURE_packets_sent);
		for (unsigned i = 0; i < way->members; i++) {
			uint32_t row = f->stops[way->at + i];
			ret->with[row] += n;
			ret->behind[row] += i >= until ? n : 0;
		}
		ret->first += until == 1 ? n : 0;
		ret->last += until == way->members ? n : 0;
	}
	return 0;
}

static void shared_done(struct shared *s)
{
	free(s->with);
	free(s->behind);
}

/* ASes as they come, of which the first by `sort` stay. */
struct picking {
	struct suspect_as *list;
	size_t count, cap;
};

static void picking_done(struct picking *p)
{
	free(p->list);
}

static int pick_as(struct picking *p, uint32_t as, const struct measures *m)
{
	if (p->count == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct suspect_as *list = realloc(p->list, cap * sizeof(*list));
		if (!list)
			return -ENOMEM;
		p->list = list;
		p->cap = cap;
	}
	p->list[p->count++] = (struct suspect_as){as, *m};
	return 0;
}

static int by_measure(const struct suspect_as *a, const struct suspect_as *b, enum measure measure)
{
	if (a->m.v[measure] != b->m.v[measure])
		return a->m.v[measure] > b->m.v[measure] ? -1 : 1;
	return (a->as > b->as) - (a->as < b->as);
}

static int by_packets(const void *a, const void *b)
{
	return by_measure(a, b, MEASURE_packets_sent);
}

static int by_retransmits(const void *a, const void *b)
{
	return by_measure(a, b, MEASURE_packets_retransmitted);
}

static int keep(struct suspects_finding *f, struct picking *p, int (*cmp)(const void *, const void *), size_t max, struct suspect_list *ret)
{
	if (p->count)
		qsort(p->list, p->count, sizeof(*p->list), cmp);
	ret->count = p->count < max ? p->count : max;
	ret->list = arena_copy(&f->found.arena, p->list, ret->count * sizeof(*p->list));
	return ret->list || !ret->count ? 0 : -ENOMEM;
}

static int add_twins_and_behind(struct suspects_finding *f, const struct suspects_candidate *c, const struct shared *shared, struct suspect *s)
{
	CLEANUP(picking_done) struct picking twins = {0}, behind = {0};
	int r = 0;
	for (uint32_t row = 0; row < f->sums[SUSPECT_VIA].count && r == 0; row++) {
		struct measures m = suspects_sums(f, SUSPECT_VIA, row);
		double own = (double)packets(&s->m), its = (double)packets(&m);
		uint32_t as = (uint32_t)suspects_key(f, SUSPECT_VIA, row);
		if (c->kind == SUSPECT_VIA && row != c->row && (double)shared->with[row] >= SAME * (own > its ? own : its))
			r = pick_as(&twins, as, &m);
		if (r == 0 && c->kind != SUSPECT_ROUTER && shared->behind[row] && (double)shared->behind[row] >= MOST * its)
			r = pick_as(&behind, as, &m);
	}
	if (r == 0)
		r = keep(f, &twins, by_packets, TWINS_MAX, &s->twins);
	return r < 0 ? r : keep(f, &behind, by_retransmits, BEHIND_MAX, &s->behind);
}

/* Adds up the suspect's groups by the AS right before it. */
static int add_up_before(const struct suspects_finding *f, const struct suspects_candidate *c, struct groups *ret)
{
	uint64_t as = suspects_key(f, SUSPECT_VIA, c->row);
	int r = 0;
	for (uint32_t group = 0; group < f->all->groups->count && r == 0; group++) {
		unsigned until;
		uint32_t links[SUSPECTS_MEMBERS_MAX][2], row;
		if (f->explained[group] || !suspects_has(f, c, group, &until))
			continue;
		size_t i = 0, count = suspects_links(f, groups_key(f->all->groups, group)[1], links);
		while (i < count && links[i][1] != as)
			i++;
		r = i < count ? groups_get(ret, &(uint64_t){links[i][0]}, &row) : 0;
		if (i < count && r == 0)
			suspects_add(f, groups_sums(ret, row), groups_sums(f->all->groups, group));
	}
	return r;
}

static int add_before(struct suspects_finding *f, const struct suspects_candidate *c, struct suspect *s)
{
	CLEANUP(picking_done) struct picking before = {0};
	CLEANUP(groups_done) struct groups sums;
	groups_init(&sums, 1, f->all->measure_count, 0);
	groups_limit(&sums, SUSPECTS_MEMORY_BYTES);
	int r = add_up_before(f, c, &sums);
	for (uint32_t row = 0; row < sums.count && r == 0; row++) {
		struct measures m = suspects_measures(f, groups_sums(&sums, row));
		r = pick_as(&before, (uint32_t)*groups_key(&sums, row), &m);
	}
	return r < 0 ? r : keep(f, &before, by_packets, BEFORE_MAX, &s->before);
}

static int set_values(struct suspects_finding *f, const struct suspects_candidate *c, struct suspect *s)
{
	uint64_t key = suspects_key(f, c->kind, c->row), first = key >> 32, second = key & UINT32_MAX;
	const struct dim_value as = {.known = true, .number = second};
	struct dim_value router;
	switch (c->kind) {
	case SUSPECT_VIA:
		s->values[0] = as;
		return 0;
	case SUSPECT_PAIR:
		s->values[0] = (struct dim_value){.known = true, .number = first};
		s->values[1] = as;
		return 0;
	default:
		s->values[1] = as;
		router = value_set_value(&f->all->sets[0], c->kind == SUSPECT_EXIT ? first : key);
		return value_keep(&f->found.arena, KIND_TEXT, &router, &s->values[0]);
	}
}

int suspects_describe(struct suspects_finding *f, const struct suspects_candidate *c, struct suspect *s)
{
	CLEANUP(shared_done) struct shared shared = {0};
	s->m = suspects_sums(f, c->kind, c->row);
	double most = MOST * (double)packets(&s->m);
	int r = set_values(f, c, s);
	if (r == 0)
		r = share(f, c, &shared);
	if (r == 0)
		r = add_twins_and_behind(f, c, &shared, s);
	if (r == 0 && c->kind == SUSPECT_VIA)
		r = add_before(f, c, s);
	s->role = (double)shared.last >= most ? SUSPECT_ORIGIN : (double)shared.first >= most ? SUSPECT_NEIGHBOUR : SUSPECT_TRANSIT;
	return r;
}

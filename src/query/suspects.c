/* SPDX-License-Identifier: BSD-2-Clause */

/* A group of paths has something in common: an AS, a link between two ASes, a router, the way from a router to a neighbour. Its
 * excess is what was sent again of it beyond what its packets would have at the rate of everybody else. A group stands out when
 * that is a tenth of all that was sent again and its rate is apart from the others' (evidence.h); few packets never do.
 *
 * Groups of like excess are mostly one within the other: a transit that loses, the neighbour before it, a network behind it. Of
 * those with half of the largest excess the one is named that parts lossy from clean best, which is a likelihood: what is wider has
 * clean traffic besides, what is narrower leaves lossy traffic out.
 *
 * A link is a claim about two, so more is asked: what either of them carries elsewhere is there and apart from it, and the link's
 * likelihood is clearly the larger one. So it is with a router and its neighbour; and a router, or a country, is named only
 * when it explains clearly more than any AS, because an AS can be called. Of countries paths are not known: that is told by
 * their excess, and nobody is named after one.
 *
 * Whether another one stands out by itself is asked of what is left without the paths of the first; and so on. Each of them has a
 * tenth of all that was sent again, so there are ten rounds at most.
 *
 * Votes in the sense of 007 (B. Arzani et al., "007: Democratically Finding the Cause of Packet Drops", NSDI 2018), where each flow
 * that lost something gives the h hops of its path 1/h each, were tried on the random worlds of the test: a lossy transit got the most
 * votes in 38 of 88, the most for each packet in 68, and is named in all 88; and votes always name somebody. Links of a
 * regular topology carry alike, and ASes do not. So the votes are not here; the idea that every path is a witness is.
 */

#include "query/suspects_parts.h"

#include <errno.h>

#define CLEARLY 1.25 /* a country explains so much more than what has a path */

const struct suspect_kind_info suspect_kinds[SUSPECT_KIND_COUNT] = {
	[SUSPECT_VIA] = {"via", {DIM_via}, 1},
	[SUSPECT_PAIR] = {"pair", {DIM_via, DIM_via}, 2},
	[SUSPECT_EXIT] = {"router,neighbour", {DIM_router, DIM_neighbour}, 2},
	[SUSPECT_ROUTER] = {"router", {DIM_router}, 1},
	[SUSPECT_COUNTRY] = {"country", {DIM_country}, 1},
};

static struct suspect *new_suspect(struct suspects_finding *f, const struct suspects_candidate *c)
{
	struct suspect *s = &f->found.list[f->found.count++];
	*s = (struct suspect){.kind = c->kind, .own = c->own, .elsewhere = c->rest, .excess = c->excess};
	return s;
}

static int name(struct suspects_finding *f, const struct suspects_candidate *c)
{
	int r = suspects_describe(f, c, new_suspect(f, c));
	for (uint32_t group = 0; group < f->all->groups->count && r == 0; group++) {
		unsigned until;
		f->explained[group] |= suspects_has(f, c, group, &until);
	}
	return r;
}

static int name_country(struct suspects_finding *f, const struct suspects_candidate *c, const struct query_row *row)
{
	struct suspect *s = new_suspect(f, c);
	s->m = row->m;
	return value_keep(&f->found.arena, dimension_table[DIM_country].kind, &row->values[0], &s->values[0]);
}

static int find(struct suspects_finding *f, const struct query_row *countries, size_t country_count, uint32_t limit)
{
	f->found.list = arena_alloc(&f->found.arena, SUSPECTS_MAX * sizeof(*f->found.list));
	int r = f->found.list ? suspects_read_paths(f) : -ENOMEM;
	if (r < 0)
		return r;
	suspects_add_up(f);
	f->found.total = suspects_measures(f, f->left);
	r = suspects_read_links(f);
	if (r < 0)
		return r;
	suspects_add_up(f);
	f->found.compared = suspects_can_compare(f, countries, country_count);
	struct suspects_candidate next = suspects_choose(f), country = suspects_choose_country(f, countries, country_count);
	if (limit && country.row != SUSPECTS_NOWHERE && (next.row == SUSPECTS_NOWHERE || country.excess > CLEARLY * next.excess))
		return name_country(f, &country, &countries[country.row]);
	while (next.row != SUSPECTS_NOWHERE && f->found.count < limit && f->found.count < SUSPECTS_MAX && r == 0) {
		r = name(f, &next);
		suspects_add_up(f);
		next = suspects_choose(f);
	}
	if (!f->found.count)
		f->found.unsure = suspects_unsure(f);
	return r;
}

/* A country's sums are of another question, which may have seen a little more: so all are added up again. */
static void set_other(struct suspects *s)
{
	s->other = s->total;
	for (size_t i = 0; i < s->count; i++)
		measures_take_away(&s->other, &s->list[i].m);
	s->total = s->other;
	for (size_t i = 0; i < s->count; i++)
		measures_add(&s->total, &s->list[i].m);
}

int suspects_find(const struct query_groups *all, const struct query_row *countries, size_t country_count, uint32_t limit,
	struct suspects *ret)
{
	CLEANUP(suspects_finding_done) struct suspects_finding f;
	suspects_finding_init(&f, all);
	int r = find(&f, countries, country_count, limit);
	if (r < 0)
		return r == -E2BIG ? -ENOMEM : r;
	set_other(&f.found);
	*ret = f.found;
	f.found = (struct suspects){0};
	arena_init(&f.found.arena);
	return 0;
}

void suspects_done(struct suspects *s)
{
	arena_done(&s->arena);
	*s = (struct suspects){0};
}

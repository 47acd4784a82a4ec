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
 * Each path is read once: where in the tables of sums its ASes are, and then its links, but only those of two that each have
 * a tenth of all retransmits, which are few. A round adds every group up there, so it costs an addition for each AS of each router's
 * path and reads no path: half a million paths of five ASes take 0.3 s, most of it the first reading.
 *
 * Votes in the sense of 007 (B. Arzani et al., "007: Democratically Finding the Cause of Packet Drops", NSDI 2018), where each flow
 * that lost something gives the h hops of its path 1/h each, were tried on the random worlds of the test: a lossy transit got the most
 * votes in 38 of 88, the most for each packet in 68, and is named in all 88; and votes always name somebody. Links of a
 * regular topology carry alike, and ASes do not. So the votes are not here; the idea that every path is a witness is.
 */

#include "query/suspects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "route/path.h"

#define MEMORY_BYTES (256u << 20)
#define MEMBERS_MAX  256            /* of a path that are looked at */
#define NOWHERE      UINT32_MAX

#define SHARE     (1.0 / SUSPECTS_MAX) /* what stands out has of all that was sent again */
#define NEAR      0.5  /* of the largest excess: those below explain too little to be asked how well they part lossy from clean */
#define CLEARLY   1.25 /* a country explains so much more than what has a path */
#define DECIDED   8    /* likelihood, as a logarithm, that is clearly larger: three thousand to one */
#define SAME      0.98 /* packets that two ASes share, of those of either: not to be told apart */
#define MOST      0.95
#define BEFORE_MAX 16
#define BEHIND_MAX 200
#define TWINS_MAX  16

const struct suspect_kind_info suspect_kinds[SUSPECT_KIND_COUNT] = {
	[SUSPECT_VIA] = {"via", {DIM_via}, 1},
	[SUSPECT_PAIR] = {"pair", {DIM_via, DIM_via}, 2},
	[SUSPECT_EXIT] = {"router,neighbour", {DIM_router, DIM_neighbour}, 2},
	[SUSPECT_ROUTER] = {"router", {DIM_router}, 1},
	[SUSPECT_COUNTRY] = {"country", {DIM_country}, 1},
};
#define KINDS SUSPECT_COUNTRY /* of which paths are known */

/* Where the ASes and links of a path are in their tables. */
struct way {
	uint32_t at, links_at; /* in stops; NOWHERE: not read yet */
	uint16_t members, links;
};

/* Where a router and a path are in the tables of what has a router. */
struct place {
	uint32_t exit, router;
};

struct finding {
	const struct query_groups *all;
	struct groups sums[KINDS]; /* one word a key: an AS; two of them; a router's code, and with an AS */
	struct way *ways;          /* by the path's code */
	uint32_t *stops;
	size_t stop_count, stop_cap;
	struct place *places;      /* by group */
	bool *explained;           /* by group: by a suspect that is named */
	uint64_t left[MEASURE_COUNT]; /* sums of all that are not */
	struct suspects found;
};

struct candidate {
	enum suspect_kind kind;
	uint32_t row; /* in the kind's table; of a country, in the list */
	struct evidence own, rest;
	double excess, likelihood;
};

static struct evidence evidence_of(const struct measures *m)
{
	return (struct evidence){m->v[MEASURE_packets_sent], m->v[MEASURE_packets_retransmitted], m->v[MEASURE_connections],
		m->v[MEASURE_connections_with_retransmit]};
}

/* Sums by column as measures; and as evidence, which is all that the search looks at. */
static struct measures measures_from(const struct finding *f, const uint64_t *sums)
{
	struct measures m = {0};
	for (unsigned i = 0; i < f->all->measure_count; i++)
		m.v[f->all->measures[i]] = sums[i];
	return m;
}

static struct evidence evidence_from(const struct finding *f, const uint64_t *sums)
{
	struct measures m = measures_from(f, sums);
	return evidence_of(&m);
}

static struct measures sums_at(const struct finding *f, enum suspect_kind kind, uint32_t row)
{
	return measures_from(f, groups_sums(&f->sums[kind], row));
}

static uint64_t key_at(const struct finding *f, enum suspect_kind kind, uint32_t row)
{
	return *groups_key(&f->sums[kind], row);
}

static uint64_t packets(const struct measures *m)
{
	return m->v[MEASURE_packets_sent];
}

/* ---- paths ---- */

static int add_stop(struct finding *f, enum suspect_kind kind, uint64_t key)
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

static int read_way(struct finding *f, const struct dim_value *path, struct way *way)
{
	uint32_t members[MEMBERS_MAX];
	size_t count = path->known ? path_members(path->bytes, members, MEMBERS_MAX) : 0;
	int r = 0;
	*way = (struct way){.at = (uint32_t)f->stop_count};
	for (size_t i = 0; i < count && i < MEMBERS_MAX && r == 0; i++, way->members++)
		r = add_stop(f, SUSPECT_VIA, members[i]);
	return r;
}

static int read_place(struct finding *f, uint64_t router, const struct dim_value *path, struct place *place)
{
	uint32_t neighbour = path->known ? path_neighbour(path->bytes) : 0;
	uint64_t key = pair_key(router, neighbour);
	*place = (struct place){NOWHERE, NOWHERE};
	if (!router) /* unknown */
		return 0;
	int r = neighbour ? groups_get(&f->sums[SUSPECT_EXIT], &key, &place->exit) : 0;
	return r < 0 ? r : groups_get(&f->sums[SUSPECT_ROUTER], &router, &place->router);
}

static int read_paths(struct finding *f)
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
		struct way *way = &f->ways[key[1]];
		if (way->at == NOWHERE)
			r = read_way(f, &path, way);
		if (r == 0)
			r = read_place(f, key[0], &path, &f->places[group]);
	}
	return r;
}

static const struct way *way_of(const struct finding *f, uint32_t group)
{
	return &f->ways[groups_key(f->all->groups, group)[1]];
}

/* ---- links ---- */

/* Of all that was sent again, what is needed to be named. */
static double needed(const struct finding *f)
{
	return SHARE * (double)f->found.total.v[MEASURE_packets_retransmitted];
}

static bool has_enough(const struct finding *f, uint64_t as)
{
	uint32_t row = groups_find(&f->sums[SUSPECT_VIA], &as);
	uint64_t retransmits = row == NOWHERE ? 0 : evidence_from(f, groups_sums(&f->sums[SUSPECT_VIA], row)).retransmits;
	return retransmits && (double)retransmits >= needed(f);
}

/* A link once, however often the path goes that way. */
static int add_link(struct finding *f, struct way *way, uint64_t key)
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

static size_t links_of(const struct finding *f, uint64_t path_code, uint32_t links[static MEMBERS_MAX][2])
{
	struct dim_value path = value_set_value(&f->all->sets[1], path_code);
	size_t count = path.known ? path_links(path.bytes, links, MEMBERS_MAX) : 0;
	return count < MEMBERS_MAX ? count : MEMBERS_MAX;
}

/* Those that can be named. The sums of ASes are there. */
static int read_links(struct finding *f)
{
	int r = 0;
	for (uint64_t code = 0; code <= f->all->sets[1].count && r == 0; code++) {
		uint32_t links[MEMBERS_MAX][2];
		struct way *way = &f->ways[code];
		size_t count = way->at == NOWHERE || way->members < 2 ? 0 : links_of(f, code, links);
		way->links_at = (uint32_t)f->stop_count;
		for (size_t i = 0; i < count && r == 0; i++)
			if (has_enough(f, links[i][0]) && has_enough(f, links[i][1]))
				r = add_link(f, way, pair_key(links[i][0], links[i][1]));
	}
	return r;
}

/* ---- sums of a round ---- */

static void add(const struct finding *f, uint64_t *to, const uint64_t *sums)
{
	for (unsigned i = 0; i < f->all->measure_count; i++)
		to[i] += sums[i];
}

static void add_to(struct finding *f, enum suspect_kind kind, uint32_t row, const uint64_t *sums)
{
	add(f, groups_sums(&f->sums[kind], row), sums);
}

static void add_group(struct finding *f, uint32_t group)
{
	const uint64_t *sums = groups_sums(f->all->groups, group);
	const struct way *way = way_of(f, group);
	const uint32_t *stops = f->stops + way->at;
	const struct place *place = &f->places[group];
	for (unsigned i = 0; i < way->members; i++)
		add_to(f, SUSPECT_VIA, stops[i], sums);
	for (unsigned i = 0; i < way->links; i++)
		add_to(f, SUSPECT_PAIR, f->stops[way->links_at + i], sums);
	if (place->exit != NOWHERE)
		add_to(f, SUSPECT_EXIT, place->exit, sums);
	if (place->router != NOWHERE)
		add_to(f, SUSPECT_ROUTER, place->router, sums);
}

static void add_up(struct finding *f)
{
	memset(f->left, 0, sizeof(f->left));
	for (int kind = 0; kind < KINDS; kind++)
		for (uint32_t row = 0; row < f->sums[kind].count; row++)
			memset(groups_sums(&f->sums[kind], row), 0, f->all->measure_count * sizeof(uint64_t));
	for (uint32_t group = 0; group < f->all->groups->count; group++) {
		if (f->explained[group])
			continue;
		add(f, f->left, groups_sums(f->all->groups, group));
		add_group(f, group);
	}
}

/* ---- who it is ---- */

static bool weigh(const struct finding *f, enum suspect_kind kind, uint32_t row, const struct evidence *own, struct candidate *ret)
{
	if ((double)own->retransmits < needed(f)) /* most */
		return false;
	struct evidence left = evidence_from(f, f->left), rest = evidence_rest(&left, own);
	struct candidate c = {kind, row, *own, rest, evidence_excess(own, &rest), 0};
	if (c.excess <= 0 || c.excess < needed(f) || !evidence_apart(own, &rest))
		return false;
	c.likelihood = evidence_likelihood(own, &rest);
	*ret = c;
	return true;
}

static bool weigh_row(const struct finding *f, enum suspect_kind kind, uint32_t row, struct candidate *ret)
{
	struct evidence own = evidence_from(f, groups_sums(&f->sums[kind], row));
	return weigh(f, kind, row, &own, ret);
}

/* What has this in its key carries something beside the link, which is apart from it, and not from everything else. */
static bool clean_beside(const struct finding *f, enum suspect_kind kind, uint64_t key, const struct candidate *link)
{
	uint32_t row = groups_find(&f->sums[kind], &key);
	if (row == NOWHERE)
		return false;
	struct evidence end = evidence_from(f, groups_sums(&f->sums[kind], row)), beside = evidence_rest(&end, &link->own);
	return evidence_apart(&link->own, &beside) && !evidence_apart(&beside, &link->rest);
}

/* Of a link whether both its ends are clean otherwise. */
static bool clean_ends(const struct finding *f, const struct candidate *c)
{
	if (c->kind == SUSPECT_VIA || c->kind == SUSPECT_ROUTER)
		return true;
	uint64_t key = key_at(f, c->kind, c->row);
	enum suspect_kind first = c->kind == SUSPECT_EXIT ? SUSPECT_ROUTER : SUSPECT_VIA;
	return clean_beside(f, first, key >> 32, c) && clean_beside(f, SUSPECT_VIA, key & UINT32_MAX, c);
}

/* Equals are told apart by their keys, so that the order of the rows does not matter. */
static bool is_better(const struct finding *f, const struct candidate *c, const struct candidate *best)
{
	if (best->row == NOWHERE || c->likelihood != best->likelihood)
		return best->row == NOWHERE || c->likelihood > best->likelihood;
	return c->kind < best->kind || (c->kind == best->kind && key_at(f, c->kind, c->row) < key_at(f, best->kind, best->row));
}

static double largest_excess(const struct finding *f, enum suspect_kind kind)
{
	struct candidate c;
	double most = 0;
	for (uint32_t row = 0; row < f->sums[kind].count; row++)
		if (weigh_row(f, kind, row, &c) && c.excess > most)
			most = c.excess;
	return most;
}

/* Of this kind, the one that parts best among those that explain so much. Its row is NOWHERE: there is none. */
static struct candidate best_of(const struct finding *f, enum suspect_kind kind, double excess_min)
{
	struct candidate best = {.row = NOWHERE}, c;
	for (uint32_t row = 0; row < f->sums[kind].count; row++)
		if (weigh_row(f, kind, row, &c) && c.excess >= excess_min && is_better(f, &c, &best) && clean_ends(f, &c))
			best = c;
	return best;
}

static struct candidate choose(const struct finding *f)
{
	double most = largest_excess(f, SUSPECT_VIA);
	struct candidate best = best_of(f, SUSPECT_VIA, NEAR * most), closer = {.row = NOWHERE};
	for (int kind = SUSPECT_VIA + 1; kind < KINDS; kind++) {
		struct candidate c = best_of(f, (enum suspect_kind)kind, NEAR * most);
		if (c.row != NOWHERE && is_better(f, &c, &closer))
			closer = c;
	}
	bool decided = closer.row != NOWHERE && (best.row == NOWHERE || closer.likelihood >= best.likelihood + DECIDED);
	return decided ? closer : best;
}

static struct candidate choose_country(const struct finding *f, const struct query_row *countries, size_t count)
{
	struct candidate best = {.row = NOWHERE}, c;
	for (size_t i = 0; i < count; i++) {
		struct evidence own = evidence_of(&countries[i].m);
		if (countries[i].values[0].known && weigh(f, SUSPECT_COUNTRY, (uint32_t)i, &own, &c) &&
			(best.row == NOWHERE || c.likelihood > best.likelihood))
			best = c;
	}
	return best;
}

/* ---- what else is to be said of it ---- */

/* Whether the group is one of the suspect's, and how many ASes its path has up to where the suspect ends. */
static bool has(const struct finding *f, const struct candidate *c, uint32_t group, unsigned *ret_until)
{
	const struct way *way = way_of(f, group);
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
		uint64_t second = key_at(f, SUSPECT_PAIR, wanted) & UINT32_MAX;
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

static int share(const struct finding *f, const struct candidate *c, struct shared *ret)
{
	size_t count = f->sums[SUSPECT_VIA].count;
	ret->with = calloc(count + 1, sizeof(*ret->with));
	ret->behind = calloc(count + 1, sizeof(*ret->behind));
	if (!ret->with || !ret->behind)
		return -ENOMEM;
	for (uint32_t group = 0; group < f->all->groups->count; group++) {
		unsigned until;
		if (f->explained[group] || !has(f, c, group, &until))
			continue;
		const struct way *way = way_of(f, group);
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

static int keep(struct finding *f, struct picking *p, int (*cmp)(const void *, const void *), size_t max, struct suspect_list *ret)
{
	if (p->count)
		qsort(p->list, p->count, sizeof(*p->list), cmp);
	ret->count = p->count < max ? p->count : max;
	ret->list = arena_copy(&f->found.arena, p->list, ret->count * sizeof(*p->list));
	return ret->list || !ret->count ? 0 : -ENOMEM;
}

static int add_twins_and_behind(struct finding *f, const struct candidate *c, const struct shared *shared, struct suspect *s)
{
	CLEANUP(picking_done) struct picking twins = {0}, behind = {0};
	int r = 0;
	for (uint32_t row = 0; row < f->sums[SUSPECT_VIA].count && r == 0; row++) {
		struct measures m = sums_at(f, SUSPECT_VIA, row);
		double own = (double)packets(&s->m), its = (double)packets(&m);
		uint32_t as = (uint32_t)key_at(f, SUSPECT_VIA, row);
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
static int add_up_before(const struct finding *f, const struct candidate *c, struct groups *ret)
{
	uint64_t as = key_at(f, SUSPECT_VIA, c->row);
	int r = 0;
	for (uint32_t group = 0; group < f->all->groups->count && r == 0; group++) {
		unsigned until;
		uint32_t links[MEMBERS_MAX][2], row;
		if (f->explained[group] || !has(f, c, group, &until))
			continue;
		size_t i = 0, count = links_of(f, groups_key(f->all->groups, group)[1], links);
		while (i < count && links[i][1] != as)
			i++;
		r = i < count ? groups_get(ret, &(uint64_t){links[i][0]}, &row) : 0;
		if (i < count && r == 0)
			add(f, groups_sums(ret, row), groups_sums(f->all->groups, group));
	}
	return r;
}

static int add_before(struct finding *f, const struct candidate *c, struct suspect *s)
{
	CLEANUP(picking_done) struct picking before = {0};
	CLEANUP(groups_done) struct groups sums;
	groups_init(&sums, 1, f->all->measure_count, 0);
	groups_limit(&sums, MEMORY_BYTES);
	int r = add_up_before(f, c, &sums);
	for (uint32_t row = 0; row < sums.count && r == 0; row++) {
		struct measures m = measures_from(f, groups_sums(&sums, row));
		r = pick_as(&before, (uint32_t)*groups_key(&sums, row), &m);
	}
	return r < 0 ? r : keep(f, &before, by_packets, BEFORE_MAX, &s->before);
}

static int set_values(struct finding *f, const struct candidate *c, struct suspect *s)
{
	uint64_t key = key_at(f, c->kind, c->row), first = key >> 32, second = key & UINT32_MAX;
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

static int describe(struct finding *f, const struct candidate *c, struct suspect *s)
{
	CLEANUP(shared_done) struct shared shared = {0};
	s->m = sums_at(f, c->kind, c->row);
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

/* ---- one after the other ---- */

static struct suspect *new_suspect(struct finding *f, const struct candidate *c)
{
	struct suspect *s = &f->found.list[f->found.count++];
	*s = (struct suspect){.kind = c->kind, .own = c->own, .elsewhere = c->rest, .excess = c->excess};
	return s;
}

static int name(struct finding *f, const struct candidate *c)
{
	int r = describe(f, c, new_suspect(f, c));
	for (uint32_t group = 0; group < f->all->groups->count && r == 0; group++) {
		unsigned until;
		f->explained[group] |= has(f, c, group, &until);
	}
	return r;
}

static int name_country(struct finding *f, const struct candidate *c, const struct query_row *row)
{
	struct suspect *s = new_suspect(f, c);
	s->m = row->m;
	return value_keep(&f->found.arena, dimension_table[DIM_country].kind, &row->values[0], &s->values[0]);
}

static int find(struct finding *f, const struct query_row *countries, size_t country_count, uint32_t limit)
{
	f->found.list = arena_alloc(&f->found.arena, SUSPECTS_MAX * sizeof(*f->found.list));
	int r = f->found.list ? read_paths(f) : -ENOMEM;
	if (r < 0)
		return r;
	add_up(f);
	f->found.total = measures_from(f, f->left);
	r = read_links(f);
	if (r < 0)
		return r;
	add_up(f);
	struct candidate next = choose(f), country = choose_country(f, countries, country_count);
	if (limit && country.row != NOWHERE && (next.row == NOWHERE || country.excess > CLEARLY * next.excess))
		return name_country(f, &country, &countries[country.row]);
	while (next.row != NOWHERE && f->found.count < limit && f->found.count < SUSPECTS_MAX && r == 0) {
		r = name(f, &next);
		add_up(f);
		next = choose(f);
	}
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

static void finding_done(struct finding *f)
{
	for (int kind = 0; kind < KINDS; kind++)
		groups_done(&f->sums[kind]);
	free(f->ways);
	free(f->stops);
	free(f->places);
	free(f->explained);
	suspects_done(&f->found);
}

int suspects_find(const struct query_groups *all, const struct query_row *countries, size_t country_count, uint32_t limit,
	struct suspects *ret)
{
	CLEANUP(finding_done) struct finding f = {.all = all};
	arena_init(&f.found.arena);
	for (int kind = 0; kind < KINDS; kind++) {
		groups_init(&f.sums[kind], 1, all->measure_count, 0);
		groups_limit(&f.sums[kind], MEMORY_BYTES);
	}
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

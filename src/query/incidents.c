/* SPDX-License-Identifier: BSD-2-Clause */

/* Each line - an AS, a router, everything - is compared with itself at other times (stretch.h): so what is bad all the time is no
 * incident. A stretch in which its rate is apart from that of the rest of its time (evidence.h) is one, unless the rest of the
 * traffic did the same at that time: then it is everything's. Two rates must be likelier than one by so much that chance seldom makes
 * it (stretch.h). And it must be worth a look: what is too much is a twentieth of all that was sent again in that time, or the slow
 * ones are of a hundredth of the packets.
 *
 * Most incidents show in many lines: a transit that loses packets for an hour, its neighbour, the networks behind it, the router before
 * it. The likeliest AS is named. Another one of about the same time belongs to it where most packets of the one are packets of the
 * other, or where it is explained by it: without the packets that both have, it would not be apart. (How many both have is known of the
 * whole range; what was lost on them is taken to be that part of what the named one lost.) A router, or everything, is named, and
 * ASes then belong to it, when neither one AS explains it nor several, with a rest of it that was as usual. One whose packets are all that AS's
 * stands beside it, for they cannot be told apart.
 *
 * Round trips are looked at as packets are: a slow one, in place of one sent again, is one above a bound of the histogram that about a
 * quarter of the line's were above. So both need one statistic. Samples are of connections, one each or few, and count as
 * independent. The median must have moved by a quarter as well, lest an edge of a bucket is taken for an event. */

#include "query/incidents.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "route/path.h"

#define LINE_MAX     4    /* incidents of a line and kind */
#define LOSS_SHARE   0.05 /* of all that was sent again in its time: too much */
#define RTT_SHARE    0.01 /* of all packets in its time */
#define RISE         2    /* above what the rest of the traffic rose by */
#define EVERYWHERE   0.9  /* of everything: there is no rest to compare with */
#define SLOW_SHARE   0.25 /* of a line's round trips are above its bound, or fewer */
#define MEDIAN_RISE  1.25
#define REST         0.1  /* of a router's packets, or everything's: so many speak for it */
#define SAME_TIME    0.5  /* of the shorter one: that both have */
#define SAME_TRAFFIC 0.5  /* of the smaller one's packets */
#define SAME         0.98 /* of the larger one's */
#define MEMBERS_MAX  256

struct incident_found {
	struct incident incident;
	struct stretch stretch;
	double weight;  /* its likelihood, in what was sent again: so that one line's can be compared with another's */
	unsigned bound; /* of round trips */
};

struct finding {
	const struct incident_lines *lines;
	struct incident_found *list;
	size_t count;
};

static struct measures sums(const struct incident_line *line, size_t from, size_t to)
{
	struct measures m = {0};
	for (size_t i = from; i < to; i++)
		measures_add(&m, &line->buckets[i]);
	return m;
}

/* ---- what is counted ---- */

/* Round trips in the buckets of the histogram from this one on. */
static uint64_t slower(const struct measures *m, unsigned bound)
{
	uint64_t n = 0;
	for (unsigned i = bound; i < RTT_BUCKETS; i++)
		n += m->v[MEASURE_rtt_h0 + i];
	return n;
}

static struct evidence slow_of(const struct measures *m, unsigned bound)
{
	uint64_t slow = slower(m, bound);
	return (struct evidence){m->v[MEASURE_rtt_count], slow, m->v[MEASURE_rtt_count], slow};
}

static unsigned bound_of(const struct measures *all)
{
	unsigned bound = 1;
	while (bound < RTT_BUCKETS - 1 && (double)slower(all, bound) > SLOW_SHARE * (double)all->v[MEASURE_rtt_count])
		bound++;
	return bound;
}

static struct evidence evidence_of(enum incident_kind kind, unsigned bound, const struct measures *m)
{
	return kind == INCIDENT_LOSS ? evidence_of_loss(m) : slow_of(m, bound);
}

/* ---- the incidents of a line ---- */

/* By how much the rest of the traffic rose in that time, above its median rate at other times, in which it may have had incidents of its own; 1
 * where little is known of it. */
static double rise_of_the_rest(const struct finding *f, const struct incident_found *found)
{
	const struct incident *i = &found->incident;
	double rates[STRETCH_BUCKETS_MAX];
	struct evidence inside = {0};
	size_t n = 0;
	for (size_t b = 0; b < f->lines->points; b++) {
		struct measures m = f->lines->list[0].buckets[b];
		measures_take_away(&m, &i->line->buckets[b]);
		struct evidence rest = evidence_of(i->kind, found->bound, &m);
		if (b >= i->from && b < i->to)
			inside = evidence_sum(&inside, &rest);
		else if (rest.packets >= EVIDENCE_PACKETS_MIN)
			rates[n++] = evidence_rate(&rest);
	}
	struct evidence all = evidence_of(i->kind, found->bound, &i->all);
	if (!n || (double)inside.packets < (1 - EVERYWHERE) * (double)all.packets)
		return 1;
	double usual = stats_median(rates, n);
	return usual > 0 ? evidence_rate(&inside) / usual : 1;
}

/* The rest of the traffic may have risen, too: what is left of the rise must do. */
static bool is_its_own(const struct finding *f, const struct incident_found *found)
{
	if (found->incident.line == &f->lines->list[0])
		return true;
	double rise = rise_of_the_rest(f, found);
	return rise <= 1 || evidence_rate(&found->stretch.in) >= RISE * rise * evidence_rate(&found->stretch.out);
}

static double weight_of(const struct stretch *s)
{
	struct evidence whole = evidence_sum(&s->in, &s->out);
	return evidence_likelihood(&s->in, &s->out) * (double)whole.retransmits / evidence_events(&whole);
}

static bool is_worth_a_look(const struct incident *i)
{
	return i->kind == INCIDENT_LOSS ? i->excess >= LOSS_SHARE * (double)i->all.v[MEASURE_packets_retransmitted]
		: (double)i->in.v[MEASURE_packets_sent] >= RTT_SHARE * (double)i->all.v[MEASURE_packets_sent];
}

static bool median_rose(const struct incident *i)
{
	return measures_rtt_quantile(&i->in, 0.5) >= MEDIAN_RISE * measures_rtt_quantile(&i->out, 0.5);
}

static void look_at(struct finding *f, const struct incident_line *line, enum incident_kind kind)
{
	struct evidence of[STRETCH_BUCKETS_MAX];
	struct stretch stretches[LINE_MAX];
	size_t points = f->lines->points;
	struct measures rest = sums(line, 0, points);
	unsigned bound = bound_of(&rest);
	for (size_t i = 0; i < points; i++)
		of[i] = evidence_of(kind, bound, &line->buckets[i]);
	size_t count = stretch_all(of, points, stretch_likelihood_min(of, points, 2 * (double)f->lines->count), stretches, LINE_MAX);
	for (size_t i = 0; i < count; i++) {
		struct measures in = sums(line, stretches[i].from, stretches[i].to);
		measures_sub(&rest, &in);
	}
	for (size_t i = 0; i < count; i++) {
		const struct stretch *s = &stretches[i];
		struct incident_found found = {
			.incident = {.kind = kind, .line = line, .from = s->from, .to = s->to, .before = !sums(line, 0, s->from).v[MEASURE_packets_sent], .beyond = s->to == points,
				.in = sums(line, s->from, s->to), .out = rest, .all = sums(&f->lines->list[0], s->from, s->to),
				.excess = evidence_excess(&s->in, &s->out)},
			.stretch = *s,
			.weight = weight_of(s),
			.bound = bound,
		};
		if (is_worth_a_look(&found.incident) && is_its_own(f, &found) && (kind == INCIDENT_LOSS || median_rose(&found.incident)))
			f->list[f->count++] = found;
	}
}

/* ---- one in the other ---- */

static size_t line_number(const struct finding *f, const struct incident *i)
{
	return (size_t)(i->line - f->lines->list);
}

static bool same_time(const struct incident *a, const struct incident *b)
{
	size_t from = a->from > b->from ? a->from : b->from, to = a->to < b->to ? a->to : b->to;
	size_t shorter = a->to - a->from < b->to - b->from ? a->to - a->from : b->to - b->from;
	return to > from && (double)(to - from) >= SAME_TIME * (double)shorter;
}

static double shared(const struct finding *f, const struct incident *a, const struct incident *b)
{
	return (double)f->lines->shared[line_number(f, a) * f->lines->count + line_number(f, b)];
}

/* left, which is of other in its time, without what first has of it: of all that first sent then, as much as its packets are shared. */
static struct evidence without(const struct finding *f, struct evidence left, const struct incident_found *other, const struct incident_found *first)
{
	struct measures then = sums(first->incident.line, other->incident.from, other->incident.to);
	struct evidence own = evidence_of(other->incident.kind, other->bound, &then);
	double all = shared(f, &first->incident, &first->incident), part = all > 0 ? shared(f, &first->incident, &other->incident) / all : 0;
	own = (struct evidence){(uint64_t)(part * (double)own.packets), (uint64_t)(part * (double)own.retransmits),
		(uint64_t)(part * (double)own.connections), (uint64_t)(part * (double)own.lossy)};
	return evidence_rest(&left, &own);
}

static bool concurrent(const struct incident_found *a, const struct incident_found *b)
{
	return a->incident.kind == b->incident.kind && same_time(&a->incident, &b->incident);
}

/* Without first it would not be one. */
static bool is_explained(const struct finding *f, const struct incident_found *other, const struct incident_found *first)
{
	struct evidence left = without(f, other->stretch.in, other, first);
	return !evidence_apart(&left, &other->stretch.out);
}

static bool belongs_to(const struct finding *f, const struct incident_found *other, const struct incident_found *first)
{
	double a = shared(f, &first->incident, &first->incident), b = shared(f, &other->incident, &other->incident);
	double both = shared(f, &first->incident, &other->incident);
	return concurrent(first, other) && both > 0 && (both >= SAME_TRAFFIC * (a < b ? a : b) || is_explained(f, other, first));
}

/* A router, or everything, is at fault when no AS alone explains it, nor several of them with the rest of it as usual. */
static struct incident_found *explanation(const struct finding *f, size_t named, const struct incident_found *other, bool *ret_by_several)
{
	struct evidence left = other->stretch.in;
	for (size_t i = 0; i < named; i++) {
		if (!concurrent(&f->list[i], other))
			continue;
		left = without(f, left, other, &f->list[i]);
		if (is_explained(f, other, &f->list[i]))
			return &f->list[i];
	}
	*ret_by_several = (double)left.packets >= REST * (double)other->stretch.in.packets && !evidence_apart(&left, &other->stretch.out);
	return NULL;
}

/* ASes first, for who can be called; then routers, then everything; each by weight. */
static int class_of(const struct incident_found *x)
{
	return x->incident.line->dim == DIM_via ? 0 : x->incident.line->dim == DIM_router ? 1 : 2;
}

static int by_class(const void *a, const void *b)
{
	const struct incident_found *x = a, *y = b;
	if (class_of(x) != class_of(y))
		return class_of(x) - class_of(y);
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return (x->incident.line > y->incident.line) - (x->incident.line < y->incident.line);
}

static void note(struct incident *i, const struct incident_line *line)
{
	bool there = i->line == line;
	for (size_t k = 0; k < i->also_count && !there; k++)
		there = i->also[k] == line;
	if (!there && i->also_count < INCIDENTS_ALSO_MAX)
		i->also[i->also_count++] = line;
}

/* Those named before that belong to it are named no more. Returns how many are left. */
static size_t take_over(struct finding *f, size_t named, struct incident_found *by)
{
	size_t left = 0;
	for (size_t i = 0; i < named; i++) {
		const struct incident *gone = &f->list[i].incident;
		if (!belongs_to(f, &f->list[i], by)) {
			f->list[left++] = f->list[i];
			continue;
		}
		note(&by->incident, gone->line);
		for (size_t k = 0; k < gone->also_count; k++)
			note(&by->incident, gone->also[k]);
	}
	return left;
}

static size_t settle_as(struct finding *f, size_t named, const struct incident_found *other)
{
	for (size_t i = 0; i < named; i++)
		if (belongs_to(f, other, &f->list[i])) {
			note(&f->list[i].incident, other->incident.line);
			return named;
		}
	f->list[named] = *other;
	return named + 1;
}

/* The one cannot be told apart from the other. */
static bool is_same_traffic(const struct finding *f, const struct incident_found *a, const struct incident_found *b)
{
	double most = fmax(shared(f, &a->incident, &a->incident), shared(f, &b->incident, &b->incident));
	return shared(f, &a->incident, &b->incident) >= SAME * most;
}

static size_t settle_wider(struct finding *f, size_t named, const struct incident_found *other)
{
	bool by_several = false;
	struct incident_found *by = explanation(f, named, other, &by_several);
	if (by && is_same_traffic(f, by, other))
		note(&by->incident, other->incident.line);
	if (by || by_several)
		return named;
	struct incident_found wider = *other;
	named = take_over(f, named, &wider);
	f->list[named] = wider;
	return named + 1;
}

/* Each is named, or belongs to one that is. Returns how many are: the first of the list. */
static size_t settle(struct finding *f)
{
	size_t named = 0;
	qsort(f->list, f->count, sizeof(*f->list), by_class);
	for (size_t i = 0; i < f->count; i++)
		named = class_of(&f->list[i]) == 0 ? settle_as(f, named, &f->list[i]) : settle_wider(f, named, &f->list[i]);
	return named;
}

static int latest_first(const void *a, const void *b)
{
	const struct incident *x = a, *y = b;
	if (x->from != y->from)
		return x->from > y->from ? -1 : 1;
	return (x->excess < y->excess) - (x->excess > y->excess);
}

int incidents_find(const struct incident_lines *lines, struct incidents *ret)
{
	struct finding f = {.lines = lines, .list = calloc(lines->count * LINE_MAX * 2 + 1, sizeof(*f.list))};
	if (!f.list)
		return -ENOMEM;
	for (size_t i = 0; i < lines->count; i++) {
		look_at(&f, &lines->list[i], INCIDENT_LOSS);
		look_at(&f, &lines->list[i], INCIDENT_RTT);
	}
	*ret = (struct incidents){.found = f.list, .found_count = f.count};
	return 0;
}

int incidents_settle(const struct incident_lines *lines, struct incidents *i)
{
	struct finding f = {.lines = lines, .list = i->found, .count = i->found_count};
	size_t named = f.count > 1 ? settle(&f) : f.count;
	i->count = named < INCIDENTS_MAX ? named : INCIDENTS_MAX;
	i->more = named - i->count;
	i->list = calloc(i->count + 1, sizeof(*i->list));
	if (!i->list)
		return -ENOMEM;
	for (size_t k = 0; k < i->count; k++)
		i->list[k] = f.list[k].incident;
	qsort(i->list, i->count, sizeof(*i->list), latest_first);
	return 0;
}

void incidents_done(struct incidents *i)
{
	free(i->list);
	free(i->found);
	*i = (struct incidents){0};
}

/* ---- moves ---- */

static bool has_as(const struct dim_value *path, uint64_t as)
{
	uint32_t members[MEMBERS_MAX];
	size_t count = path->known ? path_members(path->bytes, members, MEMBERS_MAX) : 0;
	for (size_t i = 0; i < count && i < MEMBERS_MAX; i++)
		if (members[i] == as)
			return true;
	return false;
}

/* Whether it happened within a bucket of this time. What goes on in the last bucket may end in the next. */
static bool is_near(const struct incident_move *m, uint64_t time_s, uint32_t step_s)
{
	return m->to_ms + step_s * 1000ull >= time_s * 1000 && m->from_ms < (time_s + step_s) * 1000;
}

bool incident_goes_with(const struct incident *i, const struct incident_move *m, uint64_t start_s, uint32_t step_s)
{
	bool near = (!i->before && is_near(m, start_s + i->from * step_s, step_s)) ||
		is_near(m, start_s + i->to * step_s, step_s);
	const struct dim_value *v = &i->line->value;
	switch (i->line->dim) {
	case DIM_router:
		return near && value_cmp(dimension_table[DIM_router].kind, v, &m->router) == 0;
	case DIM_via:
		return near && (has_as(&m->before, v->number) || has_as(&m->after, v->number));
	default:
		return near;
	}
}

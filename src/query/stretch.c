/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/stretch.h"

#include <math.h>

#define CHANCE             0.01   /* of a stretch where there is none */
#define CHI_SQUARED_MEDIAN 0.4549 /* of one degree of freedom */

/* Buckets from..to in which the next stretch may be: those beside the ones that were found. */
struct gap {
	size_t from, to;
};

struct series {
	struct evidence until[STRETCH_BUCKETS_MAX + 1];
	struct evidence left; /* of all buckets that are in no stretch */
};

static size_t series_init(struct series *s, const struct evidence *of, size_t count)
{
	count = count < STRETCH_BUCKETS_MAX ? count : STRETCH_BUCKETS_MAX;
	s->until[0] = (struct evidence){0};
	for (size_t i = 0; i < count; i++)
		s->until[i + 1] = evidence_sum(&s->until[i], &of[i]);
	s->left = s->until[count];
	return count;
}

static struct evidence between(const struct series *s, size_t from, size_t to)
{
	return evidence_rest(&s->until[to], &s->until[from]);
}

static struct stretch weighed(const struct series *s, size_t from, size_t to)
{
	struct evidence in = between(s, from, to), out = evidence_rest(&s->left, &in);
	return (struct stretch){from, to, in, out, evidence_likelihood(&in, &out)};
}

static bool has_packets(const struct series *s, size_t bucket)
{
	return s->until[bucket + 1].packets > s->until[bucket].packets;
}

/* It begins and ends where there was traffic: nothing is known of the time before and after. */
static bool best_in(const struct series *s, const struct gap *gap, struct stretch *best)
{
	best->likelihood = 0;
	for (size_t from = gap->from; from < gap->to; from++)
		for (size_t to = from + 1; to <= gap->to && has_packets(s, from); to++) {
			if (!has_packets(s, to - 1))
				continue;
			struct stretch here = weighed(s, from, to);
			if (here.likelihood > best->likelihood)
				*best = here;
		}
	return best->likelihood > 0;
}

/* A time inside a stretch from which the rest of it is apart. */
static bool find_hole(const struct series *s, const struct stretch *of, double likelihood_min, struct gap *ret)
{
	double most = 0;
	bool found = false;
	for (size_t from = of->from + 1; from + 1 < of->to; from++)
		for (size_t to = from + 1; to < of->to; to++) {
			struct evidence hole = between(s, from, to), around = evidence_rest(&of->in, &hole);
			double likelihood = evidence_likelihood(&around, &hole);
			if (likelihood <= most)
				continue;
			most = likelihood;
			found = likelihood >= likelihood_min && evidence_apart(&around, &hole);
			*ret = (struct gap){from, to};
		}
	return found;
}

/* The likelier side of each hole; what is on the other one is found later. */
static struct stretch without_holes(const struct series *s, struct stretch of, double likelihood_min)
{
	struct gap hole;
	while (find_hole(s, &of, likelihood_min, &hole)) {
		struct stretch first = weighed(s, of.from, hole.from), second = weighed(s, hole.to, of.to);
		of = first.likelihood >= second.likelihood ? first : second;
	}
	return of;
}

bool stretch_best(const struct evidence *of, size_t count, struct stretch *ret)
{
	struct series s;
	return best_in(&s, &(struct gap){0, series_init(&s, of, count)}, ret);
}

/* Where the likeliest one of all gaps is. */
static size_t best_of(const struct series *s, const struct gap *gaps, size_t gap_count, struct stretch *best)
{
	size_t at = 0;
	best->likelihood = 0;
	for (size_t i = 0; i < gap_count; i++) {
		struct stretch here;
		if (best_in(s, &gaps[i], &here) && here.likelihood > best->likelihood) {
			*best = here;
			at = i;
		}
	}
	return at;
}

/* Each stretch that is found parts its gap into two. */
size_t stretch_all(const struct evidence *of, size_t count, double likelihood_min, struct stretch *ret, size_t max)
{
	struct series s;
	struct gap gaps[STRETCH_BUCKETS_MAX + 1] = {{0, series_init(&s, of, count)}};
	size_t gap_count = 1, found = 0;
	while (found < max) {
		struct stretch best;
		size_t at = best_of(&s, gaps, gap_count, &best);
		if (best.likelihood <= 0 || best.likelihood < likelihood_min || !evidence_apart(&best.in, &best.out))
			break;
		best = without_holes(&s, best, likelihood_min);
		gaps[gap_count++] = (struct gap){best.to, gaps[at].to};
		gaps[at].to = best.from;
		s.left = best.out;
		ret[found++] = best;
	}
	for (size_t i = 0; i < found; i++)
		ret[i].out = s.left;
	return found;
}

/* ---- how much a rate varies by itself ---- */

/* How far the rates of two buckets are from each other, squared, in what that would be by chance. per_event: retransmits to one witness. */
static double off_squared(const struct evidence *a, const struct evidence *b, double per_event)
{
	double n = (double)a->packets / per_event, m = (double)b->packets / per_event;
	double both = (double)(a->retransmits + b->retransmits) / per_event / (n + m), off = evidence_rate(a) - evidence_rate(b);
	return both > 0 ? off * off / (both * (1 / n + 1 / m)) : 0;
}

/* By how much more than chance would the rate goes up and down from bucket to bucket; 1 at least. */
static double dispersion(const struct evidence *of, size_t count)
{
	double squares[STRETCH_BUCKETS_MAX], events = 0, retransmits = 0;
	const struct evidence *last = NULL;
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		events += evidence_events(&of[i]);
		retransmits += (double)of[i].retransmits;
	}
	for (size_t i = 0; i < count && events > 0; i++) {
		if (of[i].packets < EVIDENCE_PACKETS_MIN)
			continue;
		if (last)
			squares[n++] = off_squared(last, &of[i], retransmits / events);
		last = &of[i];
	}
	return n < 2 ? 1 : fmax(1, stats_median(squares, n) / CHI_SQUARED_MEDIAN);
}

double stretch_likelihood_min(const struct evidence *of, size_t count, double looks)
{
	count = count < STRETCH_BUCKETS_MAX ? count : STRETCH_BUCKETS_MAX;
	double stretches = (double)count * (double)(count + 1) / 2;
	return log(fmax(1, stretches * looks) / CHANCE) * dispersion(of, count);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Where it is lost, and so whom to call: which AS, which two ASes next to each other, which router (or neighbour at a router) or
 * country most of what was sent again has in common. Nothing is sent for it: every path votes by what was lost on it. Pure, but for
 * memory; not thread-safe. How one is chosen is told in suspects.c.
 *
 * What it cannot tell: which of two that are always on the same paths it is (both are named, as twins); what is lost on the way
 * back, which looks the same (an acknowledgement that is lost makes a sender repeat itself); what is inside an AS; anything
 * about traffic whose path is not known, which counts as elsewhere; two faults of which one's paths are nearly all of the other's.
 * Spurious retransmits count like others, and those that a sender does not see (approximate records) are none, so who is told in
 * full looks worse beside others. A network with customers behind bad radio is named as well as one with a broken router. */

#include "query/evidence.h"
#include "query/query.h"

enum suspect_kind {
	SUSPECT_VIA,     /* an AS */
	SUSPECT_PAIR,    /* an AS and the next on the path, and neither of them elsewhere */
	SUSPECT_EXIT,    /* a router and a neighbour: the same of the way from one to the other */
	SUSPECT_ROUTER,
	SUSPECT_COUNTRY,
	SUSPECT_KIND_COUNT,
};

struct suspect_kind_info {
	const char *name;
	enum dimension dims[2]; /* of its values; what a filter finds it by */
	unsigned dim_count;
};
extern const struct suspect_kind_info suspect_kinds[SUSPECT_KIND_COUNT];

/* Where an AS stands on nearly all its paths; a neighbour whose own all the traffic is is an origin. */
enum suspect_role { SUSPECT_TRANSIT, SUSPECT_NEIGHBOUR, SUSPECT_ORIGIN };

struct suspect_as {
	uint32_t as;
	struct measures m;
};

struct suspect_list {
	struct suspect_as *list;
	size_t count;
};

struct suspect {
	enum suspect_kind kind;
	enum suspect_role role; /* of an AS */
	struct dim_value values[2];
	struct measures m;      /* its own: without the paths of those named before it */
	struct evidence own, elsewhere;
	double excess;
	struct suspect_list twins;  /* ASes that cannot be told apart from it */
	struct suspect_list before; /* who hands it the packets, by their number; of an AS */
	struct suspect_list behind; /* who gets nearly all packets by it, by what was sent again of them */
};

struct suspects {
	struct suspect *list; /* the one that explains most first; none shares a path with another */
	size_t count;
	struct suspect_as unsure; /* nobody is named: an AS with much that was sent again, by connections that are too few to speak for it; as is 0: none */
	bool compared; /* false: nobody has packets enough, and leaves enough to others: all goes the same way, as far as that is known */
	struct measures total, other; /* all in the list and other are the total, exactly */
	struct arena arena;           /* owns all lists and values */
};

/* Each has a tenth of all that was sent again. */
#define SUSPECTS_MAX 10

/* What is asked for. */
#define SUSPECTS_MEASURES                                                                                          \
	(MEASURE_BIT(MEASURE_packets_sent) | MEASURE_BIT(MEASURE_packets_retransmitted) | MEASURE_BIT(MEASURE_connections) | \
		MEASURE_BIT(MEASURE_connections_with_retransmit))

/* all: by router and path, all of them, with these measures at least. countries: the same traffic by country, or none. limit: so
 * many at most. -ENOMEM. */
int suspects_find(const struct query_groups *all, const struct query_row *countries, size_t country_count, uint32_t limit,
	struct suspects *ret) MUST_USE;
void suspects_done(struct suspects *s);

/* ---- since when ---- */

/* When it was so. */
struct suspects_stretch {
	bool found;    /* in one stretch of time the rate was twice that of the rest, not by chance, and the rest is not twice that of elsewhere */
	bool earlier;  /* it was high from the first bucket on, and no beginning can be told */
	size_t from, to; /* buckets, half open */
};

#define SUSPECTS_BUCKETS_MAX 240

/* of: the suspect's sums by bucket, none left out, so many at most; elsewhere: the rate there. */
struct suspects_stretch suspects_since(const struct evidence *of, size_t count, double elsewhere);

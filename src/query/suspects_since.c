/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/suspects.h"

#define HIGH 2 /* times the rate of elsewhere */

/* The buckets of one stretch: sums from the first bucket up to each are subtracted, which is what makes all pairs affordable. */
static struct evidence between(const struct evidence *until, size_t from, size_t to)
{
	return evidence_rest(&until[to], &until[from]);
}

static void add(struct evidence *to, const struct evidence *e)
{
	to->packets += e->packets;
	to->retransmits += e->retransmits;
	to->connections += e->connections;
	to->lossy += e->lossy;
}

static bool is_high(const struct evidence *e, double elsewhere)
{
	return e->packets >= EVIDENCE_PACKETS_MIN && e->retransmits && evidence_rate(e) >= HIGH * elsewhere;
}

struct suspects_stretch suspects_since(const struct evidence *of, size_t count, double elsewhere)
{
	struct evidence until[SUSPECTS_BUCKETS_MAX + 1] = {0};
	struct suspects_stretch best = {0};
	double most = 0;
	count = count < SUSPECTS_BUCKETS_MAX ? count : SUSPECTS_BUCKETS_MAX;
	for (size_t i = 0; i < count; i++) {
		until[i + 1] = until[i];
		add(&until[i + 1], &of[i]);
	}
	for (size_t from = 0; from < count; from++)
		for (size_t to = from + 1; to <= count; to++) {
			struct evidence in = between(until, from, to), rest = evidence_rest(&until[count], &in);
			double likelihood = evidence_likelihood(&in, &rest);
			if (likelihood <= most)
				continue;
			most = likelihood;
			best = (struct suspects_stretch){.found = evidence_apart(&in, &rest), .from = from, .to = to};
		}
	size_t tenth = (count + 9) / 10;
	if (!best.found)
		best = (struct suspects_stretch){.earlier = is_high(&until[tenth], elsewhere), .to = count};
	return best;
}

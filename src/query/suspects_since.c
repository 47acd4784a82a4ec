/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/stretch.h"
#include "query/suspects.h"

#define HIGH 2 /* times the rate of elsewhere */

_Static_assert(SUSPECTS_BUCKETS_MAX <= STRETCH_BUCKETS_MAX, "all buckets are looked at");

/* Of the first tenth of the buckets. */
static bool begins_high(const struct evidence *of, size_t count, double elsewhere)
{
	struct evidence e = {0};
	for (size_t i = 0; i < (count + 9) / 10; i++)
		e = (struct evidence){e.packets + of[i].packets, e.retransmits + of[i].retransmits, 0, 0};
	return e.packets >= EVIDENCE_PACKETS_MIN && e.retransmits && evidence_rate(&e) >= HIGH * elsewhere;
}

/* Not by chance; and at other times it is no suspect. */
static bool is_sure(const struct stretch *s, const struct evidence *of, size_t count, double elsewhere)
{
	return evidence_apart(&s->in, &s->out) && evidence_rate(&s->out) < HIGH * elsewhere &&
		s->likelihood >= stretch_likelihood_min(of, count, SUSPECTS_MAX);
}

struct suspects_stretch suspects_since(const struct evidence *of, size_t count, double elsewhere)
{
	struct stretch best;
	count = count < SUSPECTS_BUCKETS_MAX ? count : SUSPECTS_BUCKETS_MAX;
	if (stretch_best(of, count, &best) && is_sure(&best, of, count, elsewhere))
		return (struct suspects_stretch){.found = true, .from = best.from, .to = best.to};
	return (struct suspects_stretch){.earlier = begins_high(of, count, elsewhere), .to = count};
}

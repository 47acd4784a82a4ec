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

struct suspects_stretch suspects_since(const struct evidence *of, size_t count, double elsewhere)
{
	struct stretch best;
	count = count < SUSPECTS_BUCKETS_MAX ? count : SUSPECTS_BUCKETS_MAX;
	if (stretch_best(of, count, &best) && evidence_apart(&best.in, &best.out))
		return (struct suspects_stretch){.found = true, .from = best.from, .to = best.to};
	return (struct suspects_stretch){.earlier = begins_high(of, count, elsewhere), .to = count};
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/ages.h"

#include <assert.h>

#define SPAN_MIN_MS   1000u
#define LABELS_MERGE  250u /* from here on they are running out */
#define LABELS_ENOUGH 192u /* after it, as a rule */
#define SHARE_BEST    16u  /* a span is at most this part of its age */

void ages_init(struct ages *a)
{
	*a = (struct ages){.count = 1};
}

void ages_clock(struct ages *a, uint64_t now_ms)
{
	if (now_ms > a->now_ms)
		a->now_ms = now_ms;
	if (!a->used || a->now_ms - a->begin_ms[a->count - 1] < SPAN_MIN_MS || a->count == AGES_LABELS)
		return;
	a->count++;
	a->used = false;
	a->begin_ms[a->count - 1] = a->end_ms[a->count - 1] = a->now_ms;
}

/* From the oldest label on, as many with the next as fit into a share of their age. The last stays alone, as
 * it grows. */
static unsigned group(const struct ages *a, unsigned share, uint8_t ret_group[static AGES_LABELS])
{
	unsigned first = 0, groups = 0;
	for (unsigned i = 0; i < a->count; i++) {
		uint64_t span = a->end_ms[i] - a->begin_ms[first], age = a->now_ms - a->end_ms[i];
		bool fits = span <= SPAN_MIN_MS || span <= age / share;
		if (i == 0 || i == a->count - 1 || !fits) {
			first = i;
			groups++;
		}
		ret_group[i] = (uint8_t)(groups - 1);
	}
	return groups;
}

void ages_merge(struct ages *a)
{
	assert(!a->converting);
	if (a->count < LABELS_MERGE)
		return;
	unsigned share = SHARE_BEST, groups;
	while ((groups = group(a, share, a->new_label)) > LABELS_ENOUGH && share > 1)
		share--;
	for (unsigned i = 0; i < a->count; i++) {
		unsigned to = a->new_label[i];
		if (i == 0 || a->new_label[i - 1] != to)
			a->begin_ms[to] = a->begin_ms[i];
		a->end_ms[to] = a->end_ms[i];
	}
	a->count = groups;
	a->generation ^= 1;
	a->converting = true;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: when things changed, in one byte each. A label stands for a span of time, a second long
 * while it is new. When the labels are used up, neighbours are put together so that a span is a small share of
 * its age: labels then get new numbers, and the owner of the bytes converts these in pieces. Until it has done
 * so it keeps with every piece which of two numberings its bytes are in (`generation`).
 *
 * What a byte says is at most half a second or 1/32 of the age off at first; 1/20 for a table that holds routes
 * of a year and of every age below. A label stands for the clock's value when it was used. */

#include <stdbool.h>

#include "base/compiler.h"

#define AGES_LABELS 256u

struct ages {
	uint64_t now_ms;
	uint64_t begin_ms[AGES_LABELS], end_ms[AGES_LABELS]; /* by label, in order of time */
	uint8_t new_label[AGES_LABELS];                      /* of one of the generation before */
	unsigned count;                                      /* of labels; the last one is the present */
	bool used;                                           /* the last one */
	bool converting;                                     /* there may be bytes of the generation before */
	uint8_t generation;                                  /* 0 or 1 */
};

void ages_init(struct ages *a);
/* Time goes on; a step back is passed over. */
void ages_clock(struct ages *a, uint64_t now_ms);
/* Puts labels together if they are running out; the generation is another one afterwards. Not while converting. */
void ages_merge(struct ages *a);

static inline uint8_t ages_label(struct ages *a)
{
	unsigned last = a->count - 1;
	if (!a->used)
		a->begin_ms[last] = a->now_ms;
	a->end_ms[last] = a->now_ms;
	a->used = true;
	return (uint8_t)last;
}

static inline void ages_convert(const struct ages *a, uint8_t *labels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		labels[i] = a->new_label[labels[i]];
}

static inline uint64_t ages_ms(const struct ages *a, uint8_t label, uint8_t generation)
{
	if (generation != a->generation)
		label = a->new_label[label];
	return a->begin_ms[label] + (a->end_ms[label] - a->begin_ms[label]) / 2;
}

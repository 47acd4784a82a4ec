/* SPDX-License-Identifier: BSD-2-Clause */

/* A word that needs more bits moves what is there to where it is by the new ones: each time twice as many slots, so that
 * moving costs less in all than filling them did. */

#include "store/direct.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void direct_done(struct direct *d)
{
	free(d->slots);
	*d = (struct direct){0};
}

void direct_reset(struct direct *d, unsigned words)
{
	*d = (struct direct){.words = words <= DIRECT_WORDS ? words : 0, .slots = d->slots, .cap = d->cap};
}

static unsigned width_of(uint64_t word)
{
	return word ? 64 - (unsigned)__builtin_clzll(word) : 0;
}

static int make_room(struct direct *d, size_t end)
{
	if (end <= d->cap)
		return 0;
	uint32_t *slots = realloc(d->slots, end * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	d->slots = slots;
	d->cap = end;
	return 0;
}

/* Upwards only, so it begins with the last row of slots; a row's old place and new one may overlap. */
static void spread(struct direct *d, unsigned from_bits, unsigned to_bits)
{
	size_t from = (size_t)1 << from_bits, to = (size_t)1 << to_bits;
	for (size_t row = d->end >> from_bits; from < to && row-- > 0;) {
		memmove(d->slots + row * to, d->slots + row * from, from * sizeof(*d->slots));
		memset(d->slots + row * to + from, 0, (to - from) * sizeof(*d->slots));
	}
}

/* Gives each word the bits that it needs now. */
static int widen(struct direct *d, const unsigned *bits)
{
	unsigned last = d->words - 1, sum = 0;
	for (unsigned i = 0; i < d->words; i++)
		sum += bits[i];
	size_t end = (size_t)1 << sum;
	int r = make_room(d, end);
	if (r < 0)
		return r;
	spread(d, d->bits[last], bits[last]);
	size_t used = d->end >> d->bits[last] << bits[last];
	memset(d->slots + used, 0, (end - used) * sizeof(*d->slots));
	memcpy(d->bits, bits, d->words * sizeof(*bits));
	d->end = end;
	return 0;
}

int direct_add(struct direct *d, const uint64_t *key, uint32_t pos)
{
	unsigned bits[DIRECT_WORDS], sum = 0;
	for (unsigned i = 0; i < d->words; i++) {
		unsigned width = width_of(key[i]);
		bits[i] = width > d->bits[i] ? width : d->bits[i];
		sum += bits[i];
	}
	if (!d->words || sum > DIRECT_BITS)
		return 0;
	int r = direct_fits(d, key) && d->end ? 0 : widen(d, bits);
	if (r < 0)
		return r;
	d->slots[direct_slot(d, key)] = pos + 1;
	return 1;
}

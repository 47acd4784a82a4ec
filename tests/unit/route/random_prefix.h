/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Prefixes and addresses from so few values that they often cover, equal and neighbour each other. */

#include "wt_test.h"

#include "base/address.h"

static inline struct addr random_addr(bool v6)
{
	struct addr a = {.family = v6 ? ADDR_V6 : ADDR_V4};
	static const uint8_t bytes[] = {0x00, 0x20, 0x7f, 0x80, 0xc0, 0xfe, 0xff};
	for (unsigned i = 0; i < addr_size(&a); i++)
		a.bytes[i] = wt_random_below(3) ? bytes[wt_random_below(sizeof(bytes))] : (uint8_t)wt_random();
	return a;
}

/* Now and then of length 0 or of a single address. */
static inline struct prefix random_prefix(bool v6)
{
	struct addr a = random_addr(v6);
	unsigned bits = addr_bits(&a);
	switch (wt_random_below(20)) {
	case 0:
		return prefix_make(&a, 0);
	case 1:
		return prefix_make(&a, bits);
	default:
		return prefix_make(&a, (unsigned)wt_random_below(wt_random_below(2) ? 33 : bits + 1));
	}
}

/* An address in the prefix: its first, its last, or a random one. */
static inline struct addr random_addr_in(const struct prefix *p)
{
	struct addr a = p->addr;
	uint64_t kind = wt_random_below(3);
	for (unsigned i = p->len; kind && i < addr_bits(&a); i++)
		if (kind == 1 || wt_random_below(2))
			a.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return a;
}

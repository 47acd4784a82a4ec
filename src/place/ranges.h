/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* From overlapping ranges of addresses to a table that tells an address's value.
 *
 * A *list* collects ranges in order of precedence, the later one wins where two overlap. A *map* is
 * made from it once and then only read, by any number of threads: the starts of the stretches of
 * equal value, sorted, in one family. IPv4 addresses are the numbers below 2^32. */

#include <stdbool.h>

#include "base/address.h"

__extension__ typedef unsigned __int128 u128;

/* 0 stands for "no value" and fills the gaps. */
struct range {
	u128 first, last;
	uint32_t order;
	uint16_t value;
};

struct range_list {
	struct range *items;
	size_t count, cap;
};

void range_list_done(struct range_list *list);
/* -ENOMEM. first <= last. */
int range_list_add(struct range_list *list, u128 first, u128 last, uint16_t value) MUST_USE;

struct range_map {
	uint32_t *starts_v4; /* one of the two; the first start is 0 */
	u128 *starts_v6;
	uint16_t *values;
	uint32_t *index; /* by the first 16 - drop bits: the stretch that holds the first address with them */
	unsigned drop;
	uint32_t count;
	size_t ranges; /* stretches that have a value */
};

/* Sorts the list, so its order is lost. -ENOMEM. family: ADDR_V4, ADDR_V6. */
int range_map_init(struct range_map *map, struct range_list *list, unsigned family) MUST_USE;
void range_map_done(struct range_map *map);
uint16_t range_map_get_v4(const struct range_map *map, uint32_t addr);
uint16_t range_map_get_v6(const struct range_map *map, u128 addr);
size_t range_map_bytes(const struct range_map *map);

static inline uint32_t range_number_v4(const struct addr *a)
{
	return (uint32_t)a->bytes[0] << 24 | (uint32_t)a->bytes[1] << 16 | (uint32_t)a->bytes[2] << 8 |
		a->bytes[3];
}

static inline u128 range_number_v6(const struct addr *a)
{
	u128 v = 0;
	for (unsigned i = 0; i < 16; i++)
		v = v << 8 | a->bytes[i];
	return v;
}

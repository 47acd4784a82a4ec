/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The prefixes of a full table, for the benchmarks: a real list from a file, or made up with the lengths and
 * the clustering of real ones, the same at every run. And the random numbers that make them. Programs that
 * can't go on say why and end. */

#include "base/address.h"

#define PREFIXES_V4 1000000u
#define PREFIXES_V6 220000u

struct prefixes {
	struct prefix *items;
	size_t count, cap;
};

void random_seed(uint64_t seed);
uint64_t random_u64(void);
double random_unit(void); /* from 0 to below 1 */

void *need(void *p);                  /* ends the program when p is NULL */
void check(int r, const char *what);  /* when r is negative */

void prefixes_add(struct prefixes *l, const struct prefix *p);
/* Adds the prefixes of one family that stand in a file, one a line, compressed or not. */
void prefixes_read(const char *file, uint8_t family, struct prefixes *l);
/* Adds made-up ones, near those of the list where it has some, until it has `count`. Of one family. */
void prefixes_make(struct prefixes *l, uint8_t family, size_t count);
void prefixes_sort(struct prefixes *l);
/* Leaves out so many, evenly over the list, that count stay. */
void prefixes_thin(struct prefixes *l, size_t count);

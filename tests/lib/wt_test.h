/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What every unit test includes: cmocka, and a random generator whose seed is printed and can be set
 * with WT_SEED, so that a failure can be had again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static uint64_t wt_random_state;

/* Call first in main. */
static inline void wt_random_init(void)
{
	const char *env = getenv("WT_SEED");
	struct timespec ts;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	wt_random_state = env ? strtoull(env, NULL, 10) : (uint64_t)ts.tv_nsec * 2654435761u + (uint64_t)ts.tv_sec;
	fprintf(stderr, "# WT_SEED=%llu\n", (unsigned long long)wt_random_state);
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t wt_random(void)
{
	uint64_t z = wt_random_state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* 0 <= result < n. */
static inline uint64_t wt_random_below(uint64_t n)
{
	return wt_random() % n;
}

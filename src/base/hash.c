/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

static uint64_t seed;
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void choose_seed(void)
{
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		abort();
}

uint64_t hash_bytes(const void *data, size_t n)
{
	(void)pthread_once(&seeded, choose_seed);
	return XXH3_64bits_withSeed(data, n, seed);
}

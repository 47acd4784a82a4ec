/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Answers kept for clients that take older ones (Cache-Control: max-age in a request), such as a dashboard that draws itself
 * again: a month of paths is read from the store once for all who look at it. Who says nothing always gets a
 * fresh one. When several ask the same at once, one is answered and the others get its answer. Bounded in number and
 * bytes; the oldest go first. Any thread. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define CACHE_ENTRIES    128
#define CACHE_BYTES_MAX  ((size_t)64 << 20)
#define CACHE_BODY_MAX   ((size_t)8 << 20)

struct cache_entry {
	char *key;        /* NULL: a free place */
	char *body;       /* NULL: being made, or made in vain */
	const char *type; /* static text */
	size_t len;
	uint64_t made_ns; /* 0: being made */
};

struct http_cache {
	pthread_mutex_t lock;
	pthread_cond_t made;
	struct cache_entry entries[CACHE_ENTRIES];
	size_t bytes;
};

void http_cache_init(struct http_cache *c);
void http_cache_done(struct http_cache *c);

struct cache_hit {
	char *body; /* a copy, the caller's */
	const char *type;
	size_t len;
	uint64_t age_ns;
};
/* An answer to the key that is not older. False: there is none, and the caller is to make one and give it to
 * http_cache_put, also in vain; others that ask wait for that. */
bool http_cache_get(struct http_cache *c, const char *key, uint64_t max_age_ns, struct cache_hit *ret);
/* Copies the body; NULL: there is no good answer. */
void http_cache_put(struct http_cache *c, const char *key, const char *type, const char *body, size_t len);

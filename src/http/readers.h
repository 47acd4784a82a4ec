/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The store readers of the pool's threads: one is taken for a query and given back behind it, so each
 * is used by one thread at a time and there are never more of them than threads. Opened when first
 * needed, kept open. */

#include <pthread.h>

#include "store/store.h"

struct http_readers {
	struct store *store;
	pthread_mutex_t lock;
	struct store_reader **idle;
	size_t idle_count, idle_cap;
};

int http_readers_init(struct http_readers *r, struct store *store, size_t threads) MUST_USE;
void http_readers_done(struct http_readers *r);
int http_readers_take(struct http_readers *r, struct store_reader **ret, struct error *err) MUST_USE;
/* sound false: the reader met an error of the store and is closed instead of kept. */
void http_readers_give(struct http_readers *r, struct store_reader *take_reader, bool sound);

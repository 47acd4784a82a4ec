/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/readers.h"

#include <errno.h>
#include <stdlib.h>

int http_readers_init(struct http_readers *r, struct store *store, size_t threads)
{
	*r = (struct http_readers){.store = store};
	r->idle = calloc(threads ? threads : 1, sizeof(*r->idle));
	if (!r->idle)
		return -ENOMEM;
	r->idle_cap = threads ? threads : 1;
	(void)pthread_mutex_init(&r->lock, NULL);
	return 0;
}

void http_readers_done(struct http_readers *r)
{
	if (!r->idle)
		return;
	for (size_t i = 0; i < r->idle_count; i++)
		r->store->ops->reader_close(r->idle[i]);
	(void)pthread_mutex_destroy(&r->lock);
	free(r->idle);
	*r = (struct http_readers){0};
}

int http_readers_take(struct http_readers *r, struct store_reader **ret, struct error *err)
{
	struct store_reader *reader = NULL;
	(void)pthread_mutex_lock(&r->lock);
	if (r->idle_count)
		reader = r->idle[--r->idle_count];
	(void)pthread_mutex_unlock(&r->lock);
	if (!reader)
		return r->store->ops->reader_open(r->store, ret, err);
	*ret = reader;
	return 0;
}

void http_readers_give(struct http_readers *r, struct store_reader *take_reader, bool sound)
{
	if (sound) {
		(void)pthread_mutex_lock(&r->lock);
		if (r->idle_count < r->idle_cap) {
			r->idle[r->idle_count++] = take_reader;
			take_reader = NULL;
		}
		(void)pthread_mutex_unlock(&r->lock);
	}
	if (take_reader)
		r->store->ops->reader_close(take_reader);
}

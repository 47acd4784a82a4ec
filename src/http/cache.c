/* SPDX-License-Identifier: BSD-2-Clause */

/* A short array that is walked: a look costs a microsecond, an answer that is worth keeping many thousand. */

#include "http/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void http_cache_init(struct http_cache *c)
{
	*c = (struct http_cache){.bytes = 0};
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->made, NULL);
}

static void clear(struct http_cache *c, struct cache_entry *e)
{
	c->bytes -= e->len;
	free(e->key);
	free(e->body);
	*e = (struct cache_entry){.key = NULL};
}

void http_cache_done(struct http_cache *c)
{
	for (size_t i = 0; i < CACHE_ENTRIES; i++)
		clear(c, &c->entries[i]);
	(void)pthread_cond_destroy(&c->made);
	(void)pthread_mutex_destroy(&c->lock);
}

static struct cache_entry *find(struct http_cache *c, const char *key)
{
	for (size_t i = 0; i < CACHE_ENTRIES; i++)
		if (c->entries[i].key && strcmp(c->entries[i].key, key) == 0)
			return &c->entries[i];
	return NULL;
}

/* A free place, or the oldest answer's; NULL when all are being made. */
static struct cache_entry *place_for(struct http_cache *c)
{
	struct cache_entry *oldest = NULL;
	for (size_t i = 0; i < CACHE_ENTRIES; i++) {
		struct cache_entry *e = &c->entries[i];
		if (!e->key)
			return e;
		if (e->made_ns && (!oldest || e->made_ns < oldest->made_ns))
			oldest = e;
	}
	if (oldest)
		clear(c, oldest);
	return oldest;
}

/* A copy of an answer that is young enough; its body NULL: none. */
static struct cache_hit copy_of(const struct cache_entry *e, uint64_t max_age_ns)
{
	struct cache_hit hit = {.type = e->type, .len = e->len, .age_ns = clock_mono_ns() - e->made_ns};
	if (!e->made_ns || !e->body || hit.age_ns > max_age_ns)
		return hit;
	hit.body = malloc(e->len + 1);
	if (hit.body)
		memcpy(hit.body, e->body, e->len);
	return hit;
}

bool http_cache_get(struct http_cache *c, const char *key, uint64_t max_age_ns, struct cache_hit *ret)
{
	struct cache_entry *e;
	struct cache_hit hit = {.body = NULL};
	(void)pthread_mutex_lock(&c->lock);
	while ((e = find(c, key)) && !e->made_ns)
		(void)pthread_cond_wait(&c->made, &c->lock);
	if (e)
		hit = copy_of(e, max_age_ns);
	if (e && !hit.body)
		clear(c, e);
	if (!hit.body) {
		e = place_for(c);
		char *copy = e ? strdup(key) : NULL;
		if (copy)
			e->key = copy;
	}
	(void)pthread_mutex_unlock(&c->lock);
	*ret = hit;
	return hit.body;
}

/* Others go for it, the oldest first. */
static bool make_room(struct http_cache *c, size_t len)
{
	while (c->bytes + len > CACHE_BYTES_MAX) {
		struct cache_entry *oldest = NULL;
		for (size_t i = 0; i < CACHE_ENTRIES; i++)
			if (c->entries[i].body && (!oldest || c->entries[i].made_ns < oldest->made_ns))
				oldest = &c->entries[i];
		if (!oldest)
			return false;
		clear(c, oldest);
	}
	return true;
}

void http_cache_put(struct http_cache *c, const char *key, const char *type, const char *body, size_t len)
{
	bool good = body && len <= CACHE_BODY_MAX;
	char *copy = good ? malloc(len + 1) : NULL;
	if (copy)
		memcpy(copy, body, len);
	(void)pthread_mutex_lock(&c->lock);
	struct cache_entry *e = find(c, key);
	if (e && copy && make_room(c, len)) {
		e->type = type;
		e->body = copy;
		e->len = len;
		e->made_ns = clock_mono_ns();
		c->bytes += len;
		copy = NULL;
	} else if (e) {
		clear(c, e);
	}
	(void)pthread_cond_broadcast(&c->made);
	(void)pthread_mutex_unlock(&c->lock);
	free(copy);
}

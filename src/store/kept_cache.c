/* SPDX-License-Identifier: BSD-2-Clause */

/* A hash table of chains and a list in the order of use, under one lock that is held for a look-up and never for
 * the data: an entry is copied in before it is seen, and counted by those who use it, so it can leave the table
 * while somebody reads it. What is kept costs its bytes and some hundred more. */

#include "store/kept_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"

#define CHAINS    4096
#define SHARE_MAX 8 /* one entry takes an eighth of the memory at most */

struct entry {
	struct kept_sums base; /* first: it is what the others see */
	struct kept_state state;
	uint64_t hash;
	size_t key_len;
	unsigned users;        /* who took it; with the table itself */
	struct entry *next;    /* in its chain */
	struct entry *newer, *older;
	uint8_t bytes[];       /* key, data */
};

struct kept_cache {
	pthread_mutex_t lock;
	size_t bytes, max_bytes;
	uint64_t found, given;
	struct entry *newest, *oldest;
	struct entry *chains[CHAINS];
};

int kept_cache_new(size_t max_bytes, struct kept_cache **ret)
{
	struct kept_cache *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->max_bytes = max_bytes;
	(void)pthread_mutex_init(&c->lock, NULL);
	*ret = c;
	return 0;
}

static size_t entry_bytes(const struct entry *e)
{
	return sizeof(*e) + e->key_len + e->base.data.len;
}

static void unuse(struct entry *e)
{
	if (--e->users == 0)
		free(e);
}

/* ---- the order of use ---- */

static void take_out(struct kept_cache *c, struct entry *e)
{
	*(e->newer ? &e->newer->older : &c->newest) = e->older;
	*(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void put_first(struct kept_cache *c, struct entry *e)
{
	e->newer = NULL;
	e->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = e;
	c->newest = e;
}

/* ---- the table ---- */

static struct entry **find(struct kept_cache *c, uint64_t hash, struct view key)
{
	struct entry **at = &c->chains[hash % CHAINS];
	while (*at && ((*at)->hash != hash || (*at)->key_len != key.len || memcmp((*at)->bytes, key.data, key.len) != 0))
		at = &(*at)->next;
	return at;
}

static void drop(struct kept_cache *c, struct entry **at)
{
	struct entry *e = *at;
	*at = e->next;
	take_out(c, e);
	c->bytes -= entry_bytes(e);
	unuse(e);
}

void kept_cache_free(struct kept_cache *c)
{
	if (!c)
		return;
	while (c->oldest)
		drop(c, find(c, c->oldest->hash, (struct view){c->oldest->bytes, c->oldest->key_len}));
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

const struct kept_sums *kept_cache_take(struct kept_cache *c, struct view key, const struct kept_state *state)
{
	(void)pthread_mutex_lock(&c->lock);
	struct entry *e = *find(c, hash_bytes(key.data, key.len), key);
	if (e && memcmp(&e->state, state, sizeof(*state)) != 0)
		e = NULL;
	if (e) {
		e->users++;
		take_out(c, e);
		put_first(c, e);
	}
	c->found += e != NULL;
	(void)pthread_mutex_unlock(&c->lock);
	return e ? &e->base : NULL;
}

void kept_cache_count(struct kept_cache *c, struct store_kept *ret)
{
	(void)pthread_mutex_lock(&c->lock);
	*ret = (struct store_kept){c->found, c->given, c->bytes};
	(void)pthread_mutex_unlock(&c->lock);
}

void kept_cache_release(struct kept_cache *c, const struct kept_sums *cached)
{
	(void)pthread_mutex_lock(&c->lock);
	unuse(CONTAINER_OF(cached, struct entry, base));
	(void)pthread_mutex_unlock(&c->lock);
}

void kept_cache_give(struct kept_cache *c, struct view key, const struct kept_state *state, const struct kept_sums *from)
{
	size_t bytes = sizeof(struct entry) + key.len + from->data.len;
	struct entry *e = bytes <= c->max_bytes / SHARE_MAX ? malloc(bytes) : NULL;
	if (!e)
		return;
	*e = (struct entry){.base = {{e->bytes + key.len, from->data.len}, from->rows}, .state = *state,
		.hash = hash_bytes(key.data, key.len), .key_len = key.len, .users = 1};
	memcpy(e->bytes, key.data, key.len);
	if (from->data.len)
		memcpy(e->bytes + key.len, from->data.data, from->data.len);

	(void)pthread_mutex_lock(&c->lock);
	struct entry **at = find(c, e->hash, key);
	c->given += !from->made;
	if (*at)
		drop(c, at);
	while (c->bytes + bytes > c->max_bytes && c->oldest)
		drop(c, find(c, c->oldest->hash, (struct view){c->oldest->bytes, c->oldest->key_len}));
	e->next = c->chains[e->hash % CHAINS];
	c->chains[e->hash % CHAINS] = e;
	put_first(c, e);
	c->bytes += bytes;
	(void)pthread_mutex_unlock(&c->lock);
}

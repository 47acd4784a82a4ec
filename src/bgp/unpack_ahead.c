/* SPDX-License-Identifier: BSD-2-Clause */

/* A ring of chunks between two threads. `filled` and `taken` count chunks; the thread fills chunk filled %
 * CHUNKS without the lock, since the reader keeps its hands off until `filled` says so, and the other way
 * around. The last chunk carries the end or the error. A mutex and a condition for a quarter of a MiB
 * cost nothing that could be measured. */

#include "bgp/unpack_ahead.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHUNKS      4u
#define CHUNK_BYTES (256u * 1024)

struct chunk {
	ssize_t len; /* 0: the end; negative: the error */
	uint8_t data[CHUNK_BYTES];
};

struct unpack_ahead {
	struct unpack *unpack;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t filled, taken;
	bool stop;
	struct error err; /* with a negative len */
	size_t offset;    /* in the chunk being taken */
	struct chunk chunks[CHUNKS];
};

/* A chunk to fill; NULL: nobody wants any more. */
static struct chunk *next_to_fill(struct unpack_ahead *a)
{
	(void)pthread_mutex_lock(&a->lock);
	while (!a->stop && a->filled - a->taken == CHUNKS)
		(void)pthread_cond_wait(&a->changed, &a->lock);
	struct chunk *chunk = a->stop ? NULL : &a->chunks[a->filled % CHUNKS];
	(void)pthread_mutex_unlock(&a->lock);
	return chunk;
}

static void advance(struct unpack_ahead *a, uint64_t *count)
{
	(void)pthread_mutex_lock(&a->lock);
	(*count)++;
	(void)pthread_cond_signal(&a->changed);
	(void)pthread_mutex_unlock(&a->lock);
}

static void *run(void *ctx)
{
	struct unpack_ahead *a = ctx;
	struct chunk *chunk;
	ssize_t len = 1;
	while (len > 0 && (chunk = next_to_fill(a))) {
		len = chunk->len = unpack_read(a->unpack, chunk->data, CHUNK_BYTES, &a->err);
		advance(a, &a->filled);
	}
	return NULL;
}

int unpack_ahead_new(struct unpack *u, struct unpack_ahead **ret)
{
	sigset_t all, before;
	struct unpack_ahead *a = malloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->unpack = u;
	a->filled = a->taken = 0;
	a->stop = false;
	a->offset = 0;
	a->err.text[0] = '\0';
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->changed, NULL);
	/* Signals are for threads that know what to do with them. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = -pthread_create(&a->thread, NULL, run, a);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r < 0) {
		(void)pthread_cond_destroy(&a->changed);
		(void)pthread_mutex_destroy(&a->lock);
		free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void unpack_ahead_free(struct unpack_ahead *a)
{
	if (!a)
		return;
	(void)pthread_mutex_lock(&a->lock);
	a->stop = true;
	(void)pthread_cond_signal(&a->changed);
	(void)pthread_mutex_unlock(&a->lock);
	(void)pthread_join(a->thread, NULL);
	(void)pthread_cond_destroy(&a->changed);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}

static const struct chunk *next_to_take(struct unpack_ahead *a)
{
	(void)pthread_mutex_lock(&a->lock);
	while (a->filled == a->taken)
		(void)pthread_cond_wait(&a->changed, &a->lock);
	(void)pthread_mutex_unlock(&a->lock);
	return &a->chunks[a->taken % CHUNKS];
}

ssize_t unpack_ahead_read(struct unpack_ahead *a, void *buf, size_t cap, struct error *err)
{
	const struct chunk *chunk = next_to_take(a);
	if (chunk->len < 0)
		return error_set(err, (int)chunk->len, "%s", a->err.text);
	size_t n = (size_t)chunk->len - a->offset;
	n = n < cap ? n : cap;
	memcpy(buf, chunk->data + a->offset, n);
	a->offset += n;
	if (chunk->len && a->offset == (size_t)chunk->len) { /* the last chunk stays */
		a->offset = 0;
		advance(a, &a->taken);
	}
	return (ssize_t)n;
}

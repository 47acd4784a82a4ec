/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Of clients that have gone: what is worked on for one of them is given up (base/deadline.h), and need not be begun.
 *
 * Against clients that hold connections: the library closes those on which nothing moves, which a byte now and then
 * gets around. Here each connection has a time by which its request must have come, and its answer be taken;
 * and when most places are taken, those that have waited longest go first. The collector's own time for an answer
 * does not count. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum guard_state {
	GUARD_WAITS,   /* for a request, or the rest of one */
	GUARD_WORKED,  /* on by us */
	GUARD_SENDS,   /* an answer */
	GUARD_CUT,     /* off by the guard; the library is on its way to close it */
};

struct guarded {
	struct guarded *prev, *next;
	int fd;
	enum guard_state state;
	uint64_t since_ns;
	_Atomic bool gone; /* the other end has closed the connection: nobody waits for the answer */
};

struct http_guard_times {
	uint64_t request_ns; /* for a request, from the connection's begin or its last answer; to take an answer when others want the place */
	uint64_t answer_ns;  /* to take one */
	uint64_t crowded_ns; /* for a request when others want the place */
	uint64_t look_ns;    /* between looks */
};

struct http_guard {
	struct http_guard_times times;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct guarded *first;
	size_t count, places;
	uint64_t closed; /* since the start */
	bool running, stopping;
	pthread_t thread;
};

/* places: connections that the library takes on one listener; with several, so many are enough for all. */
int http_guard_init(struct http_guard *g, size_t places, const struct http_guard_times *times) MUST_USE;
void http_guard_done(struct http_guard *g);
/* NULL: memory is out, the connection goes unguarded. */
struct guarded *http_guard_add(struct http_guard *g, int fd);
/* Before the socket is closed. NULL is fine, here and below. */
void http_guard_del(struct http_guard *g, struct guarded *c);
void http_guard_state(struct http_guard *g, struct guarded *c, enum guard_state state);
size_t http_guard_count(struct http_guard *g);
uint64_t http_guard_closed(struct http_guard *g);

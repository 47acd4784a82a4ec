/* SPDX-License-Identifier: BSD-2-Clause */

/* A thread looks at all connections now and then, and shuts down those whose time is over; the library sees the end of the
 * stream and does the rest. A connection is in the list for as long as its socket is open, so no other's is shut
 * down by mistake. */

#include "http/guard.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/cond.h"

/* More than this many of the places taken is crowded. */
static size_t crowded_from(const struct http_guard *g)
{
	return g->places - g->places / 8;
}

static bool is_over(const struct http_guard *g, const struct guarded *c, uint64_t now_ns)
{
	uint64_t age_ns = now_ns > c->since_ns ? now_ns - c->since_ns : 0;
	return (c->state == GUARD_WAITS && age_ns > g->times.request_ns) ||
		(c->state == GUARD_SENDS && age_ns > g->times.answer_ns);
}

static void cut(struct http_guard *g, struct guarded *c)
{
	(void)shutdown(c->fd, SHUT_RDWR);
	c->state = GUARD_CUT;
	g->closed++;
}

/* Whether its place may go to others who want it. Who reads an answer gets the time of a request for it. */
static bool may_go(const struct http_guard *g, const struct guarded *c, uint64_t now_ns)
{
	return (c->state == GUARD_WAITS && now_ns > c->since_ns + g->times.crowded_ns) ||
		(c->state == GUARD_SENDS && now_ns > c->since_ns + g->times.request_ns);
}

static struct guarded *longest_waiting(struct http_guard *g, uint64_t now_ns)
{
	struct guarded *found = NULL;
	for (struct guarded *c = g->first; c; c = c->next)
		if (may_go(g, c, now_ns) && (!found || c->since_ns < found->since_ns))
			found = c;
	return found;
}

/* A client that has only ended its half of the connection is taken for gone, too, as elsewhere. */
static void look_for_gone(struct guarded *c)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLRDHUP};
	if (c->state == GUARD_WORKED && !c->gone && poll(&pfd, 1, 0) == 1)
		atomic_store(&c->gone, true);
}

static void look(struct http_guard *g, uint64_t now_ns)
{
	for (struct guarded *c = g->first; c; c = c->next)
		look_for_gone(c);
	size_t left = 0;
	for (struct guarded *c = g->first; c; c = c->next) {
		if (is_over(g, c, now_ns))
			cut(g, c);
		left += c->state != GUARD_CUT;
	}
	for (; left > crowded_from(g); left--) {
		struct guarded *c = longest_waiting(g, now_ns);
		if (!c)
			break;
		cut(g, c);
	}
}

static void *watch(void *arg)
{
	struct http_guard *g = arg;
	(void)pthread_mutex_lock(&g->lock);
	while (!g->stopping) {
		cond_wait_ns(&g->wake, &g->lock, g->times.look_ns);
		look(g, clock_mono_ns());
	}
	(void)pthread_mutex_unlock(&g->lock);
	return NULL;
}

int http_guard_init(struct http_guard *g, size_t places, const struct http_guard_times *times)
{
	*g = (struct http_guard){.places = places, .times = *times};
	(void)pthread_mutex_init(&g->lock, NULL);
	cond_init(&g->wake);
	g->running = pthread_create(&g->thread, NULL, watch, g) == 0;
	return g->running ? 0 : -EAGAIN;
}

void http_guard_done(struct http_guard *g)
{
	if (!g->running)
		return;
	(void)pthread_mutex_lock(&g->lock);
	g->stopping = true;
	(void)pthread_cond_signal(&g->wake);
	(void)pthread_mutex_unlock(&g->lock);
	(void)pthread_join(g->thread, NULL);
	(void)pthread_cond_destroy(&g->wake);
	(void)pthread_mutex_destroy(&g->lock);
	g->running = false;
}

struct guarded *http_guard_add(struct http_guard *g, int fd)
{
	struct guarded *c = malloc(sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct guarded){.fd = fd, .state = GUARD_WAITS, .since_ns = clock_mono_ns()};
	(void)pthread_mutex_lock(&g->lock);
	c->next = g->first;
	if (c->next)
		c->next->prev = c;
	g->first = c;
	g->count++;
	(void)pthread_mutex_unlock(&g->lock);
	return c;
}

void http_guard_del(struct http_guard *g, struct guarded *c)
{
	if (!c)
		return;
	(void)pthread_mutex_lock(&g->lock);
	if (c->prev)
		c->prev->next = c->next;
	else
		g->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	g->count--;
	(void)pthread_mutex_unlock(&g->lock);
	free(c);
}

void http_guard_state(struct http_guard *g, struct guarded *c, enum guard_state state)
{
	if (!c)
		return;
	(void)pthread_mutex_lock(&g->lock);
	if (c->state != GUARD_CUT)
		c->state = state;
	c->since_ns = clock_mono_ns();
	(void)pthread_mutex_unlock(&g->lock);
}

size_t http_guard_count(struct http_guard *g)
{
	(void)pthread_mutex_lock(&g->lock);
	size_t n = g->count;
	(void)pthread_mutex_unlock(&g->lock);
	return n;
}

uint64_t http_guard_closed(struct http_guard *g)
{
	(void)pthread_mutex_lock(&g->lock);
	uint64_t n = g->closed;
	(void)pthread_mutex_unlock(&g->lock);
	return n;
}

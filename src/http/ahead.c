/* SPDX-License-Identifier: BSD-2-Clause */

/* Questions go through their endpoints, like a client's, and the answers are thrown away: so what is kept is exactly
 * what a client's question looks for. A question that was given up has kept what it had found by then, so that asking it
 * again goes on from there. What it takes is bounded as for a client: by the store's reader, and what is kept by the store. */

#include "http/ahead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/deadline.h"
#include "http/call.h"

#define ROUND_EVERY_MS 300000
#define QUIET_LOOK_MS  200 /* while others ask: time until the next look whether they still do */
#define LOWEST         19

static const char *const ranges[] = {
#define AHEAD_LAST(range) range,
#define AHEAD(endpoint, parameters)
#include "http/ahead.def"
#undef AHEAD_LAST
#undef AHEAD
};

static const struct {
	const struct http_endpoint *endpoint;
	const char *parameters;
} questions[] = {
#define AHEAD_LAST(range)
#define AHEAD(endpoint, parameters) {&http_endpoints[ENDPOINT_##endpoint], parameters},
#include "http/ahead.def"
#undef AHEAD_LAST
#undef AHEAD
};

/* text is cut into the parameters. */
static void read_params(char *text, const char *last, struct http_params *ret)
{
	ret->list[ret->count++] = (struct http_param){"last", last};
	for (char *rest = text, *one; (one = strsep(&rest, "&"));) {
		char *value = strchr(one, '=');
		if (!value)
			continue;
		*value = '\0';
		ret->list[ret->count++] = (struct http_param){one, value + 1};
	}
}

static void ask(struct http_ahead *a, size_t question, const char *last)
{
	CLEANUP(free_p) char *text = strdup(questions[question].parameters);
	struct http_call call = {
		.server = a->server,
		.endpoint = questions[question].endpoint,
		.path = questions[question].endpoint->path,
		.if_none_match = "",
		.authorization = "",
		.cookie = "",
		.ahead = true,
	};
	if (!text)
		return;
	read_params(text, last, &call.params);
	call.endpoint->answer(&call);
	free(call.reply.body);
}

/* False: to be stopped. */
static bool rest(struct http_ahead *a, uint64_t ms)
{
	(void)pthread_mutex_lock(&a->lock);
	uint64_t until_ns = clock_mono_ns() + ms * NS_PER_MS, now_ns;
	while (!a->stopping && (now_ns = clock_mono_ns()) < until_ns)
		cond_wait_ns(&a->changed, &a->lock, until_ns - now_ns);
	bool go_on = !a->stopping;
	(void)pthread_mutex_unlock(&a->lock);
	return go_on;
}

static bool is_stopping(struct http_ahead *a)
{
	(void)pthread_mutex_lock(&a->lock);
	bool stopping = a->stopping;
	if (!stopping)
		atomic_store(&a->given_up, false);
	(void)pthread_mutex_unlock(&a->lock);
	return stopping;
}

/* Until it is answered. False: to be stopped. */
static bool ask_until_answered(struct http_ahead *a, size_t question, const char *last)
{
	do {
		do {
			if (is_stopping(a))
				return false;
		} while (http_jobs_busy(&a->server->queries) && rest(a, QUIET_LOOK_MS));
		ask(a, question, last);
	} while (atomic_load(&a->given_up));
	return true;
}

static bool ask_all(struct http_ahead *a)
{
	for (size_t r = 0; r < ARRAY_LEN(ranges); r++)
		for (size_t q = 0; q < ARRAY_LEN(questions); q++)
			if (!ask_until_answered(a, q, ranges[r]))
				return false;
	return true;
}

static void *work(void *arg)
{
	struct http_ahead *a = arg;
	(void)setpriority(PRIO_PROCESS, 0, LOWEST); /* on Linux, of this thread */
	deadline_watch(&a->given_up);
	while (ask_all(a)) {
		(void)pthread_mutex_lock(&a->lock);
		a->rounds++;
		(void)pthread_cond_broadcast(&a->changed);
		(void)pthread_mutex_unlock(&a->lock);
		if (!rest(a, ROUND_EVERY_MS))
			break;
	}
	return NULL;
}

int http_ahead_start(struct http_ahead *a, struct http_server *s)
{
	if (!s->backend.store || !s->backend.store->ops->kept)
		return 0;
	a->server = s;
	cond_init(&a->changed);
	(void)pthread_mutex_init(&a->lock, NULL);
	a->started = pthread_create(&a->thread, NULL, work, a) == 0;
	if (a->started)
		return 0;
	(void)pthread_cond_destroy(&a->changed);
	(void)pthread_mutex_destroy(&a->lock);
	return -EAGAIN;
}

void http_ahead_stop(struct http_ahead *a)
{
	if (!a->started)
		return;
	(void)pthread_mutex_lock(&a->lock);
	a->stopping = true;
	atomic_store(&a->given_up, true);
	(void)pthread_cond_broadcast(&a->changed);
	(void)pthread_mutex_unlock(&a->lock);
	(void)pthread_join(a->thread, NULL);
	(void)pthread_cond_destroy(&a->changed);
	(void)pthread_mutex_destroy(&a->lock);
	a->started = false;
}

void http_ahead_give_way(struct http_ahead *a)
{
	if (a->started)
		atomic_store(&a->given_up, true);
}

uint64_t http_ahead_rounds(struct http_ahead *a)
{
	return atomic_load(&a->rounds);
}

void http_ahead_wait(struct http_ahead *a, uint64_t rounds)
{
	(void)pthread_mutex_lock(&a->lock);
	while (a->rounds < rounds)
		(void)pthread_cond_wait(&a->changed, &a->lock);
	(void)pthread_mutex_unlock(&a->lock);
}

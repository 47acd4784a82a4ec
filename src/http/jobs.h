/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Threads that answer requests which take their time, so that the thread of the connections never waits: a long query
 * delays no other client, nor /healthz. A request's connection is suspended in the library meanwhile. First come,
 * first served; when too many wait, the next is refused at once. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct http_request;

struct http_jobs {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct http_request *first, **last;
	size_t waiting, worked_on;
	bool stopping;
	pthread_t *threads;
	size_t thread_count;
};

int http_jobs_init(struct http_jobs *j, unsigned threads) MUST_USE;
/* Ends the threads when all that was given is answered; what comes later is refused. */
void http_jobs_stop(struct http_jobs *j);
void http_jobs_done(struct http_jobs *j);
/* Suspends the connection and queues the request. False: too many are waiting, or it is too late. */
bool http_jobs_give(struct http_jobs *j, struct http_request *request);
size_t http_jobs_waiting(struct http_jobs *j);
/* Whether any waits or is worked on. */
bool http_jobs_busy(struct http_jobs *j);

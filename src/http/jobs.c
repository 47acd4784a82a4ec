/* SPDX-License-Identifier: BSD-2-Clause */

/* A queue under one lock, and threads that wait for it. A request belongs to the queue from where its connection is suspended
 * until the connection is resumed; then it is the library's again and may be gone at once. */

#include "http/jobs.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>

#include "http/call.h"

#define WAITING_MAX 1024

static void *work(void *arg)
{
	struct http_jobs *j = arg;
	(void)pthread_mutex_lock(&j->lock);
	for (;;) {
		while (!j->first && !j->stopping)
			(void)pthread_cond_wait(&j->more, &j->lock);
		struct http_request *r = j->first;
		if (!r)
			break;
		j->first = r->next;
		if (!j->first)
			j->last = &j->first;
		j->waiting--;
		j->worked_on++;
		(void)pthread_mutex_unlock(&j->lock);
		struct MHD_Connection *conn = r->conn;
		http_serve_work(r);
		MHD_resume_connection(conn); /* from here on the request is the library's thread's */
		(void)pthread_mutex_lock(&j->lock);
		j->worked_on--;
	}
	(void)pthread_mutex_unlock(&j->lock);
	return NULL;
}

int http_jobs_init(struct http_jobs *j, unsigned threads)
{
	*j = (struct http_jobs){.last = &j->first};
	j->threads = calloc(threads, sizeof(*j->threads));
	if (!j->threads)
		return -ENOMEM;
	(void)pthread_mutex_init(&j->lock, NULL);
	(void)pthread_cond_init(&j->more, NULL);
	for (; j->thread_count < threads; j->thread_count++)
		if (pthread_create(&j->threads[j->thread_count], NULL, work, j) != 0)
			return -EAGAIN;
	return 0;
}

void http_jobs_stop(struct http_jobs *j)
{
	if (!j->threads)
		return;
	(void)pthread_mutex_lock(&j->lock);
	j->stopping = true;
	(void)pthread_cond_broadcast(&j->more);
	(void)pthread_mutex_unlock(&j->lock);
	for (; j->thread_count; j->thread_count--)
		(void)pthread_join(j->threads[j->thread_count - 1], NULL);
}

void http_jobs_done(struct http_jobs *j)
{
	if (!j->threads)
		return;
	http_jobs_stop(j);
	(void)pthread_cond_destroy(&j->more);
	(void)pthread_mutex_destroy(&j->lock);
	free(j->threads);
	j->threads = NULL;
}

bool http_jobs_give(struct http_jobs *j, struct http_request *request)
{
	(void)pthread_mutex_lock(&j->lock);
	bool taken = !j->stopping && j->waiting < WAITING_MAX;
	if (taken) {
		/* Under the lock: nobody may resume it before. */
		MHD_suspend_connection(request->conn);
		request->next = NULL;
		*j->last = request;
		j->last = &request->next;
		j->waiting++;
		(void)pthread_cond_signal(&j->more);
	}
	(void)pthread_mutex_unlock(&j->lock);
	return taken;
}

size_t http_jobs_waiting(struct http_jobs *j)
{
	(void)pthread_mutex_lock(&j->lock);
	size_t n = j->waiting;
	(void)pthread_mutex_unlock(&j->lock);
	return n;
}

bool http_jobs_busy(struct http_jobs *j)
{
	(void)pthread_mutex_lock(&j->lock);
	bool busy = j->waiting || j->worked_on;
	(void)pthread_mutex_unlock(&j->lock);
	return busy;
}

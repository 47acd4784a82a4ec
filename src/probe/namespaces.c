/* SPDX-License-Identifier: BSD-2-Clause */

/* A thread's network namespace is its own affair in Linux, so one that has entered one stays there when the process has
 * given up the right to. It gives up its own rights, and its user, at once. Threads sleep but for the moments they are asked something. */

#include "probe/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/privileges.h"

struct worker {
	int fd;
	const char *user;
	uint32_t id;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int (*fn)(void *ctx); /* what is asked; NULL: nothing */
	void *ctx;
	int result;
	struct error why; /* it could not be entered */
	bool end;
};

struct namespaces {
	struct worker workers[NAMESPACES_MAX];
	uint32_t count;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	int entered = setns(w->fd, CLONE_NEWNET) < 0 ? error_set(&w->why, -errno, "%s", strerror(errno)) :
		privileges_drop(w->user, &w->why);
	pthread_mutex_lock(&w->lock);
	while (!w->end) {
		if (w->fn) {
			w->result = entered < 0 ? entered : w->fn(w->ctx);
			w->fn = NULL;
			pthread_cond_broadcast(&w->changed);
		}
		pthread_cond_wait(&w->changed, &w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int namespaces_run(struct namespaces *n, uint32_t i, int (*fn)(void *ctx), void *ctx)
{
	struct worker *w = &n->workers[i];
	if (!w->has_thread)
		return fn(ctx);
	pthread_mutex_lock(&w->lock);
	w->fn = fn;
	w->ctx = ctx;
	pthread_cond_broadcast(&w->changed);
	while (w->fn)
		pthread_cond_wait(&w->changed, &w->lock);
	int result = w->result;
	pthread_mutex_unlock(&w->lock);
	return result;
}

static int nothing(void *ctx)
{
	return 0;
}

static int open_file(struct worker *w, const char *file, struct error *err)
{
	struct stat st;
	w->fd = open(file, O_RDONLY | O_CLOEXEC);
	if (w->fd < 0 || fstat(w->fd, &st) < 0)
		return error_set(err, -errno, "namespace %s: %s", file, strerror(errno));
	w->id = (uint32_t)st.st_ino;
	return 0;
}

/* Signals stay with the thread that has always had them. */
static int start_thread(struct worker *w)
{
	sigset_t all, before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = -pthread_create(&w->thread, NULL, work, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->has_thread = r == 0;
	return r;
}

int namespaces_open(char *const *files, size_t count, const char *user, struct namespaces **ret, struct error *err)
{
	struct namespaces *n = calloc(1, sizeof(*n));
	if (!n)
		return error_set(err, -ENOMEM, "out of memory");
	int r = count ? 0 : open_file(&n->workers[n->count++], "/proc/self/ns/net", err);
	for (size_t i = 0; i < count && n->count < NAMESPACES_MAX && r == 0; i++) {
		struct worker *w = &n->workers[n->count++];
		w->user = user;
		(void)pthread_mutex_init(&w->lock, NULL);
		(void)pthread_cond_init(&w->changed, NULL);
		r = open_file(w, files[i], err);
		if (r < 0)
			break;
		r = start_thread(w);
		if (r == 0)
			r = namespaces_run(n, n->count - 1, nothing, NULL);
		if (r < 0)
			(void)error_set(err, r, "namespace %s cannot be entered: %s", files[i], *w->why.text ? w->why.text : strerror(-r));
	}
	if (r < 0) {
		namespaces_close(n);
		return r;
	}
	*ret = n;
	return 0;
}

void namespaces_close(struct namespaces *n)
{
	for (uint32_t i = 0; n && i < n->count; i++) {
		struct worker *w = &n->workers[i];
		if (w->has_thread) {
			pthread_mutex_lock(&w->lock);
			w->end = true;
			pthread_cond_broadcast(&w->changed);
			pthread_mutex_unlock(&w->lock);
			(void)pthread_join(w->thread, NULL);
		}
		close_p(&w->fd);
	}
	free(n);
}

uint32_t namespaces_count(const struct namespaces *n)
{
	return n->count;
}

uint32_t namespaces_id(const struct namespaces *n, uint32_t i)
{
	return n->workers[i].id;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* One epoll set holds every descriptor, plus an eventfd that other threads ring and a signalfd.
 * Timers are a binary heap on their due time. Work is a queue: who has more to do goes to its end. Calls from other threads go through a list under a
 * mutex; the loop takes the whole list at once, so a call costs the data plane two short locks.
 *
 * Removing a descriptor inside a callback: events already fetched for it are cancelled by walking
 * the fetched array, so no callback ever sees a descriptor that was removed. */

#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"

#define EVENTS_MAX  64
#define SIGNALS_MAX 8

struct call {
	struct call *next;
	void (*fn)(void *ctx);
	void *ctx;
	bool waited; /* somebody waits for it: on that thread's stack, not ours to free */
	bool done;
};

struct signal_handler {
	int signo;
	void (*fn)(void *ctx);
	void *ctx;
};

struct loop {
	int epoll_fd;
	struct loop_fd bell;    /* eventfd */
	struct loop_fd signals; /* signalfd */
	sigset_t signal_set;
	struct signal_handler handlers[SIGNALS_MAX];
	size_t handler_count;

	struct loop_timer **heap;
	uint32_t heap_len, heap_cap;

	struct loop_work *work, **work_tail;

	struct epoll_event events[EVENTS_MAX];
	int event_count;
	uint64_t longest_hold_ns;

	pthread_mutex_t lock;
	pthread_cond_t call_done;
	struct call *calls, **calls_tail;
	bool stopping, ended;
};

/* ---- timers ---- */

static void heap_put(struct loop *loop, uint32_t pos, struct loop_timer *t)
{
	loop->heap[pos] = t;
	t->heap_pos = pos;
}

static void heap_up(struct loop *loop, uint32_t pos)
{
	struct loop_timer *t = loop->heap[pos];
	while (pos > 0 && loop->heap[(pos - 1) / 2]->due_ns > t->due_ns) {
		heap_put(loop, pos, loop->heap[(pos - 1) / 2]);
		pos = (pos - 1) / 2;
	}
	heap_put(loop, pos, t);
}

static void heap_down(struct loop *loop, uint32_t pos)
{
	struct loop_timer *t = loop->heap[pos];
	for (;;) {
		uint32_t child = 2 * pos + 1;
		if (child >= loop->heap_len)
			break;
		if (child + 1 < loop->heap_len && loop->heap[child + 1]->due_ns < loop->heap[child]->due_ns)
			child++;
		if (loop->heap[child]->due_ns >= t->due_ns)
			break;
		heap_put(loop, pos, loop->heap[child]);
		pos = child;
	}
	heap_put(loop, pos, t);
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t after_ns)
{
	loop_timer_clear(loop, timer);
	if (loop->heap_len == loop->heap_cap) {
		uint32_t cap = loop->heap_cap ? loop->heap_cap * 2 : 16;
		struct loop_timer **heap = realloc(loop->heap, cap * sizeof(struct loop_timer *));
		if (!heap)
			return -ENOMEM;
		loop->heap = heap;
		loop->heap_cap = cap;
	}
	timer->due_ns = clock_mono_ns() + after_ns;
	heap_put(loop, loop->heap_len++, timer);
	heap_up(loop, loop->heap_len - 1);
	return 0;
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	if (!timer->due_ns)
		return;
	timer->due_ns = 0;
	uint32_t pos = timer->heap_pos;
	struct loop_timer *last = loop->heap[--loop->heap_len];
	if (last == timer)
		return;
	heap_put(loop, pos, last);
	heap_up(loop, pos);
	heap_down(loop, last->heap_pos);
}

static void run_timers(struct loop *loop)
{
	uint64_t now = clock_mono_ns();
	while (loop->heap_len && loop->heap[0]->due_ns <= now) {
		struct loop_timer *t = loop->heap[0];
		loop_timer_clear(loop, t);
		t->fn(t);
	}
}

/* Milliseconds epoll may sleep. */
static int sleep_ms(const struct loop *loop)
{
	if (loop->work)
		return 0;
	if (!loop->heap_len)
		return -1;
	uint64_t now = clock_mono_ns(), due = loop->heap[0]->due_ns;
	if (due <= now)
		return 0;
	uint64_t ms = (due - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms > 60000 ? 60000 : (int)ms;
}

/* ---- work ---- */

void loop_work_add(struct loop *loop, struct loop_work *work)
{
	if (work->waiting)
		return;
	work->waiting = true;
	work->next = NULL;
	*loop->work_tail = work;
	loop->work_tail = &work->next;
}

void loop_work_del(struct loop *loop, struct loop_work *work)
{
	struct loop_work **link = &loop->work;
	if (!work->waiting)
		return;
	while (*link != work)
		link = &(*link)->next;
	*link = work->next;
	if (loop->work_tail == &work->next)
		loop->work_tail = link;
	work->waiting = false;
}

static struct loop_work *take_work(struct loop *loop)
{
	struct loop_work *work = loop->work;
	loop_work_del(loop, work);
	return work;
}

static void run_work(struct loop *loop)
{
	uint64_t now = clock_mono_ns(), end = now + LOOP_WORK_NS;
	uint64_t waiting = 0;
	for (const struct loop_work *w = loop->work; w; w = w->next)
		waiting++;
	while (loop->work && now < end) {
		struct loop_work *work = take_work(loop);
		if (work->fn(work, now + LOOP_WORK_NS / waiting))
			loop_work_add(loop, work);
		now = clock_mono_ns();
	}
}

/* ---- descriptors ---- */

int loop_fd_add(struct loop *loop, struct loop_fd *fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = fd};
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd->fd, &ev) < 0 ? -errno : 0;
}

int loop_fd_set(struct loop *loop, struct loop_fd *fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = fd};
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd->fd, &ev) < 0 ? -errno : 0;
}

void loop_fd_del(struct loop *loop, struct loop_fd *fd)
{
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd->fd, NULL);
	for (int i = 0; i < loop->event_count; i++)
		if (loop->events[i].data.ptr == fd)
			loop->events[i].data.ptr = NULL;
}

/* ---- calls from other threads ---- */

static void ring(struct loop *loop)
{
	uint64_t one = 1;
	(void)!write(loop->bell.fd, &one, sizeof(one));
}

static int enqueue(struct loop *loop, struct call *call)
{
	if (loop->ended)
		return -ESHUTDOWN;
	*loop->calls_tail = call;
	loop->calls_tail = &call->next;
	ring(loop);
	return 0;
}

int loop_ask(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
	struct call call = {.fn = fn, .ctx = ctx, .waited = true};
	pthread_mutex_lock(&loop->lock);
	int r = enqueue(loop, &call);
	while (r == 0 && !call.done)
		pthread_cond_wait(&loop->call_done, &loop->lock);
	pthread_mutex_unlock(&loop->lock);
	return r;
}

int loop_post(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
	struct call *call = malloc(sizeof(*call));
	if (!call)
		return -ENOMEM;
	*call = (struct call){.fn = fn, .ctx = ctx};
	pthread_mutex_lock(&loop->lock);
	int r = enqueue(loop, call);
	pthread_mutex_unlock(&loop->lock);
	if (r < 0)
		free(call);
	return r;
}

static void run_calls(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	struct call *list = loop->calls;
	loop->calls = NULL;
	loop->calls_tail = &loop->calls;
	pthread_mutex_unlock(&loop->lock);

	while (list) {
		struct call *call = list;
		list = call->next;
		call->fn(call->ctx);
		if (!call->waited) {
			free(call);
			continue;
		}
		pthread_mutex_lock(&loop->lock);
		call->done = true;
		pthread_cond_broadcast(&loop->call_done);
		pthread_mutex_unlock(&loop->lock);
	}
}

static void on_bell(struct loop_fd *self, uint32_t events)
{
	(void)events;
	uint64_t n;
	(void)!read(self->fd, &n, sizeof(n));
	run_calls(self->ctx);
}

/* ---- signals ---- */

static void on_signal(struct loop_fd *self, uint32_t events)
{
	(void)events;
	struct loop *loop = self->ctx;
	struct signalfd_siginfo info;
	while (read(self->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		for (size_t i = 0; i < loop->handler_count; i++)
			if (loop->handlers[i].signo == (int)info.ssi_signo)
				loop->handlers[i].fn(loop->handlers[i].ctx);
}

int loop_signal(struct loop *loop, int signo, void (*fn)(void *ctx), void *ctx)
{
	if (loop->handler_count == SIGNALS_MAX)
		return -ENOSPC;
	sigaddset(&loop->signal_set, signo);
	int r = pthread_sigmask(SIG_BLOCK, &loop->signal_set, NULL);
	if (r)
		return -r;
	bool fresh = loop->signals.fd < 0;
	int fd = signalfd(loop->signals.fd, &loop->signal_set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	loop->signals.fd = fd;
	loop->handlers[loop->handler_count++] = (struct signal_handler){signo, fn, ctx};
	return fresh ? loop_fd_add(loop, &loop->signals, EPOLLIN) : 0;
}

/* ---- life ---- */

int loop_new(struct loop **ret)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	loop->calls_tail = &loop->calls;
	loop->work_tail = &loop->work;
	loop->signals = (struct loop_fd){.fd = -1, .fn = on_signal, .ctx = loop};
	loop->bell = (struct loop_fd){.fd = -1, .fn = on_bell, .ctx = loop};
	(void)sigemptyset(&loop->signal_set);
	(void)pthread_mutex_init(&loop->lock, NULL);
	(void)pthread_cond_init(&loop->call_done, NULL);

	int r;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->bell.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->epoll_fd < 0 || loop->bell.fd < 0)
		r = -errno;
	else
		r = loop_fd_add(loop, &loop->bell, EPOLLIN);
	if (r < 0) {
		loop_free(loop);
		return r;
	}
	*ret = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close_p(&loop->signals.fd);
	close_p(&loop->bell.fd);
	close_p(&loop->epoll_fd);
	free(loop->heap);
	(void)pthread_mutex_destroy(&loop->lock);
	(void)pthread_cond_destroy(&loop->call_done);
	free(loop);
}

void loop_stop(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->stopping = true;
	ring(loop);
	pthread_mutex_unlock(&loop->lock);
}

static bool is_stopping(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	bool stopping = loop->stopping;
	pthread_mutex_unlock(&loop->lock);
	return stopping;
}

static int run_once(struct loop *loop)
{
	loop->event_count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_MAX, sleep_ms(loop));
	if (loop->event_count < 0) {
		loop->event_count = 0;
		return errno == EINTR ? 0 : -errno;
	}
	uint64_t start = clock_mono_ns();
	for (int i = 0; i < loop->event_count; i++) {
		struct loop_fd *fd = loop->events[i].data.ptr;
		if (fd)
			fd->fn(fd, loop->events[i].events);
	}
	loop->event_count = 0;
	run_timers(loop);
	if (loop->work)
		run_work(loop);
	uint64_t held = clock_mono_ns() - start;
	if (held > loop->longest_hold_ns)
		loop->longest_hold_ns = held;
	return 0;
}

uint64_t loop_longest_hold_ns(const struct loop *loop)
{
	return loop->longest_hold_ns;
}

int loop_run(struct loop *loop)
{
	int r = 0;
	while (r == 0 && !is_stopping(loop))
		r = run_once(loop);
	pthread_mutex_lock(&loop->lock);
	loop->ended = true;
	pthread_mutex_unlock(&loop->lock);
	run_calls(loop);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The event loop: epoll, timers, signals, and calls from other threads. One thread runs it and owns
 * everything registered with it; only loop_ask, loop_post and loop_stop may be called from another
 * thread. The fd and timer structures belong to the caller and must stay until removed. */

#include <stdbool.h>

#include "base/compiler.h"

struct loop;

struct loop_fd {
	int fd;
	void (*fn)(struct loop_fd *self, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
	void *ctx;
};

struct loop_timer {
	void (*fn)(struct loop_timer *self);
	void *ctx;
	uint64_t due_ns; /* monotonic; 0: not set */
	uint32_t heap_pos;
};

int loop_new(struct loop **ret) MUST_USE;
void loop_free(struct loop *loop);

/* events as for epoll_ctl. -errno. */
int loop_fd_add(struct loop *loop, struct loop_fd *fd, uint32_t events) MUST_USE;
int loop_fd_set(struct loop *loop, struct loop_fd *fd, uint32_t events) MUST_USE;
/* Safe inside any callback: no further event of this fd is delivered. Does not close it. */
void loop_fd_del(struct loop *loop, struct loop_fd *fd);

/* Sets or moves a timer to fire once, after_ns from now. -ENOMEM. */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t after_ns) MUST_USE;
/* No-op when it is not set. */
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* Long work, done in slices between looks at the descriptors. All that waits shares LOOP_WORK_NS a turn of the
 * loop, in equal parts, one after the other. fn works until about until_ns (monotonic) and returns whether
 * there is more. It may add and remove work, also the one it was called for: then it returns false. */
#define LOOP_WORK_NS 4000000u
struct loop_work {
	bool (*fn)(struct loop_work *self, uint64_t until_ns);
	void *ctx;
	struct loop_work *next;
	bool waiting;
};
/* No-op when it waits already. */
void loop_work_add(struct loop *loop, struct loop_work *work);
/* No-op when it doesn't wait. */
void loop_work_del(struct loop *loop, struct loop_work *work);

/* Blocks the signal for the process (call before threads are made) and runs fn in the loop. */
int loop_signal(struct loop *loop, int signo, void (*fn)(void *ctx), void *ctx) MUST_USE;

/* From another thread: runs fn(ctx) on the loop's thread and waits until it has run. -ESHUTDOWN when
 * the loop has ended (fn did not run). */
int loop_ask(struct loop *loop, void (*fn)(void *ctx), void *ctx) MUST_USE;
/* From another thread: runs fn(ctx) on the loop's thread later. -ENOMEM or -ESHUTDOWN. */
int loop_post(struct loop *loop, void (*fn)(void *ctx), void *ctx) MUST_USE;

/* The longest time that went by between two looks at the descriptors, since the start: what one of them may
 * have had to wait for the others. On the loop's thread. */
uint64_t loop_longest_hold_ns(const struct loop *loop);

/* Runs until loop_stop; then everything posted so far has run. 0 or -errno. */
int loop_run(struct loop *loop) MUST_USE;
void loop_stop(struct loop *loop);

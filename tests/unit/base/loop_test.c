/* SPDX-License-Identifier: BSD-2-Clause */
#include "wt_test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

struct world {
	struct loop *loop;
	struct loop_timer timers[50];
	int fired[50], fired_count;
	int asked, posted, signals, reads;
};

static void on_timer(struct loop_timer *t)
{
	struct world *w = t->ctx;
	w->fired[w->fired_count++] = (int)(t - w->timers);
	if (w->fired_count == 40)
		loop_stop(w->loop);
}

/* Fifty timers in random order, ten of them cleared again: the others fire by their due time. */
static void timers_fire_in_order(void **state)
{
	struct world w = {0};
	uint64_t due[50];
	assert_int_equal(loop_new(&w.loop), 0);
	for (int i = 0; i < 50; i++) {
		w.timers[i] = (struct loop_timer){.fn = on_timer, .ctx = &w};
		assert_int_equal(loop_timer_set(w.loop, &w.timers[i], wt_random_below(20) * NS_PER_MS), 0);
		due[i] = w.timers[i].due_ns; /* counted from when it was set */
	}
	for (int i = 0; i < 10; i++)
		loop_timer_clear(w.loop, &w.timers[i * 5]);
	uint64_t start = clock_mono_ns();
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.fired_count, 40);
	for (int i = 0; i < 40; i++) {
		assert_int_not_equal(w.fired[i] % 5, 0);
		if (i)
			assert_true(due[w.fired[i - 1]] <= due[w.fired[i]]);
	}
	assert_true(clock_mono_ns() >= start);
	loop_free(w.loop);
}

static void count_ask(void *ctx)
{
	((struct world *)ctx)->asked++;
}

static void count_post(void *ctx)
{
	((struct world *)ctx)->posted++;
}

static void *asker(void *arg)
{
	struct world *w = arg;
	for (int i = 0; i < 500; i++) {
		int before = w->asked;
		assert_int_equal(loop_post(w->loop, count_post, w), 0);
		assert_int_equal(loop_ask(w->loop, count_ask, w), 0);
		assert_int_equal(w->asked, before + 1); /* it has run when ask returns */
	}
	loop_stop(w->loop);
	return NULL;
}

static void other_threads_can_ask(void **state)
{
	struct world w = {0};
	pthread_t thread;
	assert_int_equal(loop_new(&w.loop), 0);
	assert_int_equal(pthread_create(&thread, NULL, asker, &w), 0);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(w.asked, 500);
	assert_int_equal(w.posted, 500);
	assert_int_equal(loop_ask(w.loop, count_ask, &w), -ESHUTDOWN);
	assert_int_equal(w.asked, 500);
	loop_free(w.loop);
}

static void on_signal(void *ctx)
{
	struct world *w = ctx;
	w->signals++;
	loop_stop(w->loop);
}

static void signals_arrive(void **state)
{
	struct world w = {0};
	assert_int_equal(loop_new(&w.loop), 0);
	assert_int_equal(loop_signal(w.loop, SIGUSR1, on_signal, &w), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.signals, 1);
	loop_free(w.loop);
}

static struct loop_fd pair[2];

/* Whichever runs first removes the other: only one may run. */
static void on_readable(struct loop_fd *self, uint32_t events)
{
	struct world *w = self->ctx;
	w->reads++;
	assert_true(events & EPOLLIN);
	loop_fd_del(w->loop, self == &pair[0] ? &pair[1] : &pair[0]);
	loop_fd_del(w->loop, self);
	loop_stop(w->loop);
}

static void a_removed_descriptor_is_silent(void **state)
{
	struct world w = {0};
	int pipes[2][2];
	assert_int_equal(loop_new(&w.loop), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
		pair[i] = (struct loop_fd){pipes[i][0], on_readable, &w};
		assert_int_equal(loop_fd_add(w.loop, &pair[i], EPOLLIN), 0);
	}
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.reads, 1);
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 2; j++)
			(void)close(pipes[i][j]);
	loop_free(w.loop);
}

struct worker {
	struct loop_work work;
	struct loop *loop;
	int left, done;
	struct worker *other; /* removed when this one is done */
};

static bool on_work(struct loop_work *work, uint64_t until_ns)
{
	struct worker *w = work->ctx;
	while (w->left && clock_mono_ns() < until_ns) {
		w->left--;
		w->done++;
	}
	if (w->left)
		return true;
	if (w->other)
		loop_work_del(w->loop, &w->other->work);
	else
		loop_stop(w->loop);
	return false;
}

/* Work goes on while a timer and a descriptor get their turns; one may take another out of the queue. */
static void work_is_done_in_slices(void **state)
{
	struct world w = {.fired_count = 38};
	struct worker workers[3];
	assert_int_equal(loop_new(&w.loop), 0);
	for (int i = 0; i < 3; i++) {
		workers[i] = (struct worker){.loop = w.loop, .left = i == 2 ? 400000000 : 200000 * (i + 1)};
		workers[i].work = (struct loop_work){.fn = on_work, .ctx = &workers[i]};
		loop_work_add(w.loop, &workers[i].work);
		loop_work_add(w.loop, &workers[i].work);
	}
	workers[1].other = &workers[2];
	workers[0].left = 400000;
	w.timers[0] = (struct loop_timer){.fn = on_timer, .ctx = &w};
	assert_int_equal(loop_timer_set(w.loop, &w.timers[0], NS_PER_MS), 0);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.fired_count, 39);
	assert_int_equal(workers[0].left, 0);
	loop_work_del(w.loop, &workers[0].work);
	loop_work_del(w.loop, &workers[1].work);
	loop_work_del(w.loop, &workers[2].work);
	loop_free(w.loop);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order),
		cmocka_unit_test(other_threads_can_ask),
		cmocka_unit_test(signals_arrive),
		cmocka_unit_test(a_removed_descriptor_is_silent),
		cmocka_unit_test(work_is_done_in_slices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

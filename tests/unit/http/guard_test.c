/* SPDX-License-Identifier: BSD-2-Clause */

/* Connections whose time is over are shut down, and no others; when places are few, those that have had them longest go. */

#include "http/guard.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "wt_test.h"

#define MS       (NS_PER_S / 1000)
#define PLACES   16
#define LONG_MS  20000
#define SOON_MS  400 /* longer than a busy machine takes from opening a pair to saying what it does */

struct pair {
	int ours, theirs;
	struct guarded *guarded;
};

static void open_pair(struct http_guard *g, struct pair *ret)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	*ret = (struct pair){fds[0], fds[1], http_guard_add(g, fds[0])};
	assert_non_null(ret->guarded);
}

static void close_pair(struct http_guard *g, struct pair *p)
{
	http_guard_del(g, p->guarded);
	(void)close(p->ours);
	(void)close(p->theirs);
}

/* Whether the other end sees the stream's end; waits for it so long. */
static bool ends(const struct pair *p, int ms)
{
	struct pollfd pfd = {.fd = p->theirs, .events = POLLIN};
	char byte;
	return poll(&pfd, 1, ms) == 1 && read(p->theirs, &byte, 1) == 0;
}

/* One waits for a request, one has brought it, one doesn't take its answer. */
static void time_is_over(void **state)
{
	const struct http_guard_times times = {.request_ns = SOON_MS * MS, .answer_ns = 2 * SOON_MS * MS, .crowded_ns = MS, .look_ns = 10 * MS};
	struct http_guard g;
	struct pair waits, worked, sends;
	uint64_t start = clock_mono_ns();
	assert_int_equal(http_guard_init(&g, PLACES, &times), 0);
	open_pair(&g, &worked);
	http_guard_state(&g, worked.guarded, GUARD_WORKED);
	open_pair(&g, &waits);
	open_pair(&g, &sends);
	http_guard_state(&g, sends.guarded, GUARD_SENDS);
	assert_true(ends(&waits, LONG_MS));
	assert_true(clock_mono_ns() - start >= SOON_MS * MS);
	assert_true(ends(&sends, LONG_MS));
	assert_true(clock_mono_ns() - start >= 2 * SOON_MS * MS);
	assert_false(ends(&worked, 0));
	assert_int_equal(http_guard_closed(&g), 2);
	/* It has its answer, and the time for a next request begins. */
	http_guard_state(&g, worked.guarded, GUARD_WAITS);
	assert_true(ends(&worked, LONG_MS));
	assert_int_equal(http_guard_count(&g), 3);
	close_pair(&g, &waits);
	close_pair(&g, &worked);
	close_pair(&g, &sends);
	assert_int_equal(http_guard_count(&g), 0);
	http_guard_done(&g);
}

/* Of sixteen places two are to be free: the two that wait longest go, who is worked on stays. */
static void places_are_few(void **state)
{
	const struct http_guard_times times = {.request_ns = 1000 * NS_PER_S, .answer_ns = 1000 * NS_PER_S, .crowded_ns = MS,
		.look_ns = 5 * MS};
	struct http_guard g;
	struct pair pairs[PLACES];
	assert_int_equal(http_guard_init(&g, PLACES, &times), 0);
	for (size_t i = 0; i < PLACES; i++) {
		open_pair(&g, &pairs[i]);
		if (i == 0)
			http_guard_state(&g, pairs[0].guarded, GUARD_WORKED);
	}
	assert_true(ends(&pairs[1], LONG_MS));
	assert_true(ends(&pairs[2], LONG_MS));
	close_pair(&g, &pairs[1]);
	close_pair(&g, &pairs[2]);
	/* Any further one would have gone in the same look, or in the next. */
	struct pair last;
	open_pair(&g, &last);
	assert_true(ends(&pairs[3], LONG_MS));
	assert_false(ends(&pairs[0], 0));
	for (size_t i = 4; i < PLACES; i++)
		assert_false(ends(&pairs[i], 0));
	assert_int_equal(http_guard_closed(&g), 3);
	close_pair(&g, &last);
	close_pair(&g, &pairs[0]);
	for (size_t i = 3; i < PLACES; i++)
		close_pair(&g, &pairs[i]);
	http_guard_done(&g);
}

/* Who does not read its answer goes, too, when its time is over and places are few; who has begun just now stays. */
static void readers_are_slow(void **state)
{
	const struct http_guard_times times = {.request_ns = SOON_MS * MS, .answer_ns = 1000 * NS_PER_S, .crowded_ns = MS, .look_ns = 5 * MS};
	struct http_guard g;
	struct pair pairs[PLACES];
	uint64_t start = clock_mono_ns();
	assert_int_equal(http_guard_init(&g, PLACES, &times), 0);
	for (size_t i = 0; i < PLACES; i++) {
		open_pair(&g, &pairs[i]);
		http_guard_state(&g, pairs[i].guarded, GUARD_SENDS);
	}
	assert_true(ends(&pairs[0], LONG_MS));
	assert_true(ends(&pairs[1], LONG_MS));
	assert_true(clock_mono_ns() - start >= SOON_MS * MS);
	for (size_t i = 2; i < PLACES; i++)
		assert_false(ends(&pairs[i], 0));
	assert_int_equal(http_guard_closed(&g), 2);
	for (size_t i = 0; i < PLACES; i++)
		close_pair(&g, &pairs[i]);
	http_guard_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(time_is_over), cmocka_unit_test(places_are_few),
		cmocka_unit_test(readers_are_slow)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* A router that vanished without a word is noticed by the kernel: there may be nothing else to notice it by. */

#include "collector/stream.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wt_test.h"

static enum stream_next take_nothing(struct stream *self, struct rd *r, uint64_t until_ns)
{
	return STREAM_WAIT;
}

static void never_ends(struct stream *self, int error)
{
	fail();
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void a_stream_is_watched_over(void **state)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	struct loop *loop;
	struct stream s = {.input = take_nothing, .ended = never_ends};
	int listener = socket(AF_INET, SOCK_STREAM, 0), router = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(connect(router, (struct sockaddr *)&sa, len), 0);
	int fd = accept(listener, NULL, NULL);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(stream_open(&s, loop, fd, 4096), 0);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	int silence_s = option(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
		option(fd, IPPROTO_TCP, TCP_KEEPINTVL) * option(fd, IPPROTO_TCP, TCP_KEEPCNT);
	assert_in_range(silence_s, 1, 180);
	stream_close(&s);
	loop_free(loop);
	(void)close(router);
	(void)close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_stream_is_watched_over)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* While queries take their time: what everybody may ask is answered, what asks the data plane too, other queries wait their turn, and a query
 * whose client has gone is given up. */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake.h"
#include "wt_test.h"

#define THREADS 2
#define QUERY   "/api/v1/top?by="

static struct http_server *serve(struct fake_store *store)
{
	struct http_backend backend = fake_backend(store);
	struct hostport at = {.port = 0};
	struct http_server *server;
	struct error err;
	assert_int_equal(addr_parse("127.0.0.1", &at.addr), 0);
	if (http_new(&(struct http_config){.listen = &at, .listen_count = 1, .threads = THREADS}, &backend, &server, &err) < 0)
		fail_msg("%s", err.text);
	return server;
}

/* Asks on a connection of its own and leaves the answer there. */
static int ask(const struct http_server *server, const char *path)
{
	char text[256];
	struct hostport at = http_bound(server, 0);
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(&at.addr, at.port, &ss);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, ss_len), 0);
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
	assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
	return fd;
}

/* Reads the answer to the end: its status. */
static int status_of(int fd)
{
	char buf[65536];
	size_t len = 0;
	for (ssize_t n; (n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0;)
		len += (size_t)n;
	buf[len] = '\0';
	(void)close(fd);
	return len > 12 ? atoi(buf + 9) : 0;
}

static void wait_running(struct fake_store *store, int count)
{
	uint64_t end_ns = clock_mono_ns() + 20 * NS_PER_S;
	while (atomic_load(&store->running) != count) {
		assert_true(clock_mono_ns() < end_ns);
		(void)sched_yield();
	}
}

static void health_does_not_wait(void **state)
{
	struct fake_store *store = fake_store_new();
	struct http_server *server = serve(store);
	int waiting[THREADS + 3];
	store->slow = true;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		waiting[i] = ask(server, QUERY);
	wait_running(store, THREADS);
	assert_int_equal(status_of(ask(server, "/healthz")), 200);
	assert_int_equal(status_of(ask(server, "/api/v1/session")), 200);
	assert_int_equal(status_of(ask(server, "/api/v1/senders")), 200);
	assert_int_equal(status_of(ask(server, "/api/v1/lookup?address=192.0.2.1")), 200);
	assert_int_equal(store->running, THREADS);
	store->slow = false;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		assert_int_equal(status_of(waiting[i]), 200);
	http_free(server);
	fake_store_free(store);
}

/* Two that work and two that wait are abandoned: nobody works for them, and the next is answered. */
static void abandoned(void **state)
{
	struct fake_store *store = fake_store_new();
	struct http_server *server = serve(store);
	int waiting[THREADS + 2];
	store->slow = true;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		waiting[i] = ask(server, QUERY);
	wait_running(store, THREADS);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		(void)close(waiting[i]);
	wait_running(store, 0);
	store->slow = false;
	assert_int_equal(status_of(ask(server, QUERY)), 200);
	http_free(server);
	fake_store_free(store);
}

/* Stopping waits for what was begun. */
static void stop(void **state)
{
	struct fake_store *store = fake_store_new();
	struct http_server *server = serve(store);
	store->slow = true;
	int fd = ask(server, QUERY);
	wait_running(store, 1);
	store->slow = false;
	http_free(server);
	assert_int_equal(store->readers_open, 0);
	(void)close(fd);
	fake_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(health_does_not_wait), cmocka_unit_test(abandoned), cmocka_unit_test(stop)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

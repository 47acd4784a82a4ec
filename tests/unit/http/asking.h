/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A server on a port of loopback, and questions to it on connections of their own. */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake.h"
#include "wt_test.h"

#define THREADS 2 /* that ask the store */

static inline struct http_server *serve_backend(const struct http_backend *backend)
{
	struct hostport at = {.port = 0};
	struct http_server *server;
	struct error err;
	assert_int_equal(addr_parse("127.0.0.1", &at.addr), 0);
	if (http_new(&(struct http_config){.listen = &at, .listen_count = 1, .threads = THREADS}, backend, &server, &err) < 0)
		fail_msg("%s", err.text);
	return server;
}

/* Asks on a connection of its own and leaves the answer there. */
static inline int ask(const struct http_server *server, const char *path)
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
static inline int status_of(int fd)
{
	char buf[65536];
	size_t len = 0;
	for (ssize_t n; (n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0;)
		len += (size_t)n;
	buf[len] = '\0';
	(void)close(fd);
	return len > 12 ? atoi(buf + 9) : 0;
}

static inline struct http_server *serve(struct fake_store *store)
{
	struct http_backend backend = fake_backend(store);
	return serve_backend(&backend);
}

static inline void wait_running(struct fake_store *store, int count)
{
	uint64_t end_ns = clock_mono_ns() + 20 * NS_PER_S;
	while (atomic_load(&store->running) != count) {
		assert_true(clock_mono_ns() < end_ns);
		(void)sched_yield();
	}
}

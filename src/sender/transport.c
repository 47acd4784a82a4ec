/* SPDX-License-Identifier: BSD-2-Clause */

/* A datagram that the kernel does not take now, or that an earlier one's answer says nobody is there for, is as
 * good as lost on the way: the sender sends it again in time. Only what will never work is an error. */

#include "sender/transport.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "wire/datagram.h"

static int open_socket(const char *to, int *ret, struct error *err)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int r = hostport_resolve(to, &sa, &len, err);
	if (r < 0)
		return r;
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, -errno, "%s: no socket: %s", to, strerror(errno));
	if (connect(fd, (struct sockaddr *)&sa, len) < 0) {
		r = -errno;
		close_p(&fd);
		return error_set(err, r, "%s: %s", to, strerror(-r));
	}
	*ret = fd;
	return 0;
}

int transport_open(const char *const *to, uint32_t count, struct transport *ret, struct error *err)
{
	struct transport t = {.count = 0};
	for (; t.count < count; t.count++) {
		int r = open_socket(to[t.count], &t.fds[t.count], err);
		if (r < 0) {
			transport_close(&t);
			return r;
		}
	}
	*ret = t;
	return 0;
}

void transport_close(struct transport *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		close_p(&t->fds[i]);
}

/* ECONNREFUSED and friends are reports about an earlier datagram: the collector is away. */
static bool is_passing(int error)
{
	return error == EAGAIN || error == EINTR || error == ECONNREFUSED || error == ENOBUFS ||
		error == EHOSTUNREACH || error == ENETUNREACH || error == ENETDOWN || error == EPERM;
}

static int receive_acks(struct transport *t, uint32_t from, struct fleet *f)
{
	uint8_t buf[DATAGRAM_RECEIVE_MAX];
	for (;;) {
		ssize_t n = recv(t->fds[from], buf, sizeof(buf), 0);
		if (n < 0 && errno == ECONNREFUSED)
			continue; /* the error is taken off the socket by reading it */
		if (n < 0)
			return is_passing(errno) ? 0 : -errno;
		(void)!fleet_receive(f, from, (struct view){buf, (size_t)n}, clock_mono_ns());
	}
}

int transport_pump(struct transport *t, struct fleet *f)
{
	int r = 0;
	for (uint32_t i = 0; i < t->count && r == 0; i++)
		r = receive_acks(t, i, f);
	struct view datagram;
	uint32_t to;
	while (r == 0 && fleet_next(f, clock_mono_ns(), &to, &datagram)) {
		ssize_t n = send(t->fds[to], datagram.data, datagram.len, 0);
		if (n < 0 && !is_passing(errno))
			return -errno;
		if (n < 0 && errno == EAGAIN)
			break;
	}
	return r;
}

void transport_wait(const struct transport *t, const struct fleet *f, int max_ms)
{
	uint64_t due = fleet_deadline_ns(f), now = clock_mono_ns();
	int ms = max_ms;
	if (due != UINT64_MAX) {
		uint64_t left = due <= now ? 0 : (due - now + NS_PER_MS - 1) / NS_PER_MS;
		if (left < (uint64_t)max_ms)
			ms = (int)left;
	}
	struct pollfd polled[FLEET_MAX];
	for (uint32_t i = 0; i < t->count; i++)
		polled[i] = (struct pollfd){.fd = t->fds[i], .events = POLLIN};
	(void)poll(polled, t->count, ms);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Epoll only wakes: the descriptor is armed for one event, and reading and taking messages is the stream's
 * work, which goes on until the socket is empty and then arms it again. Bytes are moved to the front of the
 * buffer only when the owner waits for more, so a message half applied stays where it is.
 *
 * A BMP station only listens, and so does a BGP speaker whose neighbour wants no hold time: a router that has vanished is
 * known by TCP keepalives alone. */

#include "collector/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define INPUT_FIRST 65536u
#define ARMED       (EPOLLIN | EPOLLONESHOT)
#define DRAIN_BYTES (1u << 20)

#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_COUNT      6

static void on_readable(struct loop_fd *self, uint32_t events)
{
	struct stream *s = CONTAINER_OF(self, struct stream, fd);
	loop_work_add(s->loop, &s->work);
}

/* Makes room behind what is there: by moving it to the front, or else by doubling. */
static int make_room(struct stream *s)
{
	if (s->from) {
		memmove(s->bytes, s->bytes + s->from, s->to - s->from);
		s->to -= s->from;
		s->from = 0;
	}
	if (s->to < s->cap)
		return 0;
	size_t cap = 2 * s->cap < s->max ? 2 * s->cap : s->max;
	if (cap <= s->cap)
		return -EMSGSIZE; /* the owner refuses what is longer than it said */
	uint8_t *grown = realloc(s->bytes, cap);
	if (!grown)
		return -ENOMEM;
	s->bytes = grown;
	s->cap = cap;
	return 0;
}

/* 1: something was read; 0: there is nothing now; negative: there will be nothing any more. */
static int receive(struct stream *s)
{
	int r = make_room(s);
	if (r < 0)
		return r;
	ssize_t n = recv(s->fd.fd, s->bytes + s->to, s->cap - s->to, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return n < 0 ? -errno : -ENODATA;
	s->to += (size_t)n;
	s->received_bytes += (uint64_t)n;
	return 1;
}

/* Nothing is left to take: more from the socket. True when there is. */
static bool refill(struct stream *s)
{
	int r = receive(s);
	if (r == 0)
		r = loop_fd_set(s->loop, &s->fd, ARMED);
	if (r < 0) {
		s->over = true;
		s->error = r == -ENODATA ? 0 : -r;
		s->ended(s, s->error);
	}
	return r > 0;
}

static bool on_work(struct loop_work *self, uint64_t until_ns)
{
	struct stream *s = self->ctx;
	do {
		struct rd r = rd_make(s->bytes + s->from, s->to - s->from);
		enum stream_next next = s->input(s, &r, until_ns);
		if (next == STREAM_GONE)
			return false;
		s->from = s->to - rd_left(&r);
		if (next == STREAM_MORE || clock_mono_ns() >= until_ns)
			return true;
	} while (refill(s));
	return false;
}

static void watch_over(int fd)
{
	const int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, n = KEEPALIVE_COUNT;
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &n, sizeof(n));
}

int stream_open(struct stream *s, struct loop *loop, int fd, size_t input_max)
{
	s->loop = loop;
	s->fd = (struct loop_fd){fd, on_readable, s};
	s->work = (struct loop_work){.fn = on_work, .ctx = s};
	s->from = s->to = 0;
	s->max = input_max;
	s->cap = input_max < INPUT_FIRST ? input_max : INPUT_FIRST;
	s->bytes = malloc(s->cap);
	s->over = false;
	watch_over(fd);
	int r = s->bytes ? loop_fd_add(loop, &s->fd, ARMED) : -ENOMEM;
	if (r < 0)
		stream_close(s);
	return r;
}

/* Unread bytes would make the kernel reset the connection, and the reset overtakes what was sent last. */
static void drain(int fd)
{
	uint8_t bytes[4096];
	(void)shutdown(fd, SHUT_WR);
	for (size_t n = 0; n < DRAIN_BYTES && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0; n += sizeof(bytes))
		;
}

void stream_close(struct stream *s)
{
	if (s->fd.fd < 0)
		return;
	loop_work_del(s->loop, &s->work);
	loop_fd_del(s->loop, &s->fd);
	drain(s->fd.fd);
	close_p(&s->fd.fd);
	free(s->bytes);
	s->bytes = NULL;
}

int stream_send(struct stream *s, struct view bytes)
{
	ssize_t n = send(s->fd.fd, bytes.data, bytes.len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? -ENOBUFS : -errno;
	return (size_t)n == bytes.len ? 0 : -ENOBUFS;
}

bool stream_pending(const struct stream *s)
{
	int waiting = 0;
	return s->work.waiting || (ioctl(s->fd.fd, FIONREAD, &waiting) == 0 && waiting > 0);
}

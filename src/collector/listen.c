/* SPDX-License-Identifier: BSD-2-Clause */

/* A listener that finds no descriptor or no memory for a connection does not look again for a moment: the
 * connection waits with the kernel, and epoll would name it at once and for ever. */

#include "collector/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"

#define BACKLOG         64
#define ACCEPTS_A_TURN  16
#define PAUSE_NS        (500 * NS_PER_MS)

int listen_open(const struct listen_addr *at, int type, const char *section, int *ret_fd, uint16_t *ret_port,
	struct error *err)
{
	char where[HOSTPORT_TEXT_MAX];
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&at->addr, at->port, &sa);
	int one = 1;
	hostport_format(&at->addr, at->port, where);
	int fd = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, -errno, "%s %s: %s", section, where, strerror(errno));
	if (sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 || getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
		(type == SOCK_STREAM && listen(fd, BACKLOG) < 0)) {
		int code = -errno;
		close_p(&fd);
		return error_set(err, code, "%s %s: cannot be bound: %s", section, where, strerror(-code));
	}
	(void)addr_from_sockaddr((struct sockaddr *)&sa, ret_port);
	*ret_fd = fd;
	return 0;
}

static void watch(struct listener *l, uint32_t events)
{
	for (size_t i = 0; i < l->count; i++)
		(void)!loop_fd_set(l->loop, &l->sockets[i].fd, events);
}

static void on_pause_over(struct loop_timer *timer)
{
	watch(timer->ctx, EPOLLIN);
}

/* No descriptors, no memory: asking again at once would be asking for ever. */
static void pause_accepting(struct listener *l, int code)
{
	log_limited(&l->log, LOG_LEVEL_ERROR, "a connection cannot be accepted: %s", strerror(code));
	if (loop_timer_set(l->loop, &l->pause, PAUSE_NS) == 0)
		watch(l, 0);
}

static void on_readable(struct loop_fd *self, uint32_t events)
{
	struct listener *l = self->ctx;
	struct sockaddr_storage sa;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		socklen_t len = sizeof(sa);
		int fd = accept4(self->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				pause_accepting(l, errno);
			return;
		}
		struct addr from = addr_from_sockaddr((struct sockaddr *)&sa, NULL);
		l->accepted(l->ctx, fd, &from);
	}
}

int listener_open(struct listener *l, struct loop *loop, const struct listen_addr *listen, size_t count,
	const char *section, struct error *err)
{
	l->loop = loop;
	l->pause = (struct loop_timer){.fn = on_pause_over, .ctx = l};
	for (size_t i = 0; i < count && i < LISTEN_MAX; i++) {
		struct listener_socket *s = &l->sockets[i];
		int fd, r = listen_open(&listen[i], SOCK_STREAM, section, &fd, &s->port, err);
		if (r < 0)
			return r;
		s->fd = (struct loop_fd){fd, on_readable, l};
		s->addr = listen[i].addr;
		l->count++;
	}
	return 0;
}

int listener_start(struct listener *l, struct error *err)
{
	for (size_t i = 0; i < l->count; i++) {
		int r = loop_fd_add(l->loop, &l->sockets[i].fd, EPOLLIN);
		if (r < 0)
			return error_set(err, r, "epoll: %s", strerror(-r));
	}
	return 0;
}

void listener_close(struct listener *l)
{
	if (l->loop)
		loop_timer_clear(l->loop, &l->pause);
	for (size_t i = 0; i < l->count; i++) {
		loop_fd_del(l->loop, &l->sockets[i].fd);
		close_p(&l->sockets[i].fd.fd);
	}
	l->count = 0;
}

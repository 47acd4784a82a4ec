/* SPDX-License-Identifier: BSD-2-Clause */

/* An answer fits a socket's buffer, so it is given in one piece and nobody is waited for. */

#include "probe/status.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX     65536
#define ASK_TIMEOUT_S  10

struct status {
	struct loop *loop;
	struct loop_fd listen;
	json_t *(*make)(void *ctx);
	void *ctx;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static int make_address(const char *path, struct sockaddr_un *ret, struct error *err)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ret->sun_path))
		return error_set(err, -ENAMETOOLONG, "%s: too long for a socket's name", path);
	memcpy(ret->sun_path, path, strlen(path));
	return 0;
}

static int connect_to(const char *path, struct error *err)
{
	struct sockaddr_un address;
	int r = make_address(path, &address, err);
	CLEANUP(close_p) int fd = r < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (r == 0 && (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0))
		r = error_set(err, -errno, "no probe answers on %s: %s", path, strerror(errno));
	if (r < 0)
		return r;
	int given = fd;
	fd = -1;
	return given;
}

int status_ask(const char *path, json_t **ret, struct error *err)
{
	CLEANUP(close_p) int fd = connect_to(path, err);
	if (fd < 0)
		return fd;
	const struct timeval limit = {.tv_sec = ASK_TIMEOUT_S};
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	char text[ANSWER_MAX];
	size_t len = 0;
	ssize_t n;
	while (len < sizeof(text) && (n = read(fd, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	*ret = json_loadb(text, len, 0, NULL);
	return *ret ? 0 : error_set(err, -EBADMSG, "%s: the probe's answer cannot be read", path);
}

static void answer(struct loop_fd *self, uint32_t events)
{
	struct status *s = self->ctx;
	CLEANUP(close_p) int fd = accept4(self->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	json_t *told = fd < 0 ? NULL : s->make(s->ctx);
	char *text = told ? json_dumps(told, JSON_COMPACT) : NULL;
	if (text)
		(void)!send(fd, text, strlen(text), MSG_NOSIGNAL); /* the socket's buffer is larger */
	free(text);
	json_decref(told);
}

/* /run/whereto, say, which is gone after a reboot. */
static void make_parent(const char *path)
{
	char parent[PATH_MAX];
	(void)snprintf(parent, sizeof(parent), "%s", path);
	char *slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		(void)mkdir(parent, 0755); /* what goes wrong, bind says */
	}
}

static int bind_to(const char *path, struct error *err)
{
	struct sockaddr_un address;
	struct stat st;
	CLEANUP(close_p) int other = connect_to(path, NULL);
	if (other >= 0)
		return error_set(err, -EADDRINUSE, "%s is another probe's", path);
	if (make_address(path, &address, err) < 0)
		return -ENAMETOOLONG;
	make_parent(path);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	CLEANUP(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	int given = fd;
	fd = -1;
	return given;
}

int status_open(const char *path, struct loop *loop, json_t *(*make)(void *ctx), void *ctx, struct status **ret,
	struct error *err)
{
	struct status *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	*s = (struct status){.loop = loop, .make = make, .ctx = ctx, .listen = {.fn = answer, .ctx = s}};
	s->listen.fd = bind_to(path, err);
	int r = s->listen.fd < 0 ? s->listen.fd : loop_fd_add(loop, &s->listen, EPOLLIN);
	if (r < 0) {
		close_p(&s->listen.fd);
		free(s);
		return r;
	}
	memcpy(s->path, path, strlen(path) + 1);
	*ret = s;
	return 0;
}

void status_close(struct status *s)
{
	if (!s)
		return;
	loop_fd_del(s->loop, &s->listen);
	close_p(&s->listen.fd);
	(void)unlink(s->path);
	free(s);
}

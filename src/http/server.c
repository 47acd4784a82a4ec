/* SPDX-License-Identifier: BSD-2-Clause */

/* The server's life: sockets, one MHD daemon a listener, each with its share of the threads.
 *
 * libmicrohttpd binds one socket a daemon, so several listen addresses are several daemons over one
 * struct http_server. The sockets are made here: errors can name the address, port 0 can be asked
 * back, and an IPv6 listener takes IPv6 only, so 0.0.0.0 and :: can both be listened on.
 *
 * A thread serves its connections one after the other, so a query delays the others of its
 * thread; the query deadline bounds that. Connections, idle time and the size of a request's head are
 * limited. */

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/call.h"

#define CONNECTIONS_MAX         512u /* a listener */
#define IDLE_SECONDS_MAX        30u
#define CONNECTION_MEMORY_BYTES ((size_t)64 << 10) /* a request's head must fit */
#define LISTEN_BACKLOG          128

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *path, const char *method,
	const char *version, const char *upload, size_t *upload_size, void **con_cls)
{
	static char seen;
	bool wait;
	int r = http_serve(cls, conn, path, method, *con_cls != &seen, &wait);
	if (wait)
		*con_cls = &seen;
	return r ? MHD_YES : MHD_NO;
}

static int socket_error(const struct hostport *at, int code, const char *what, struct error *err)
{
	char text[HOSTPORT_TEXT_MAX];
	return error_set(err, -code, "http: cannot %s %s: %s", what, hostport_format(&at->addr, at->port, text),
		strerror(code));
}

/* A listening socket; *ret_bound is the address it really has. */
static int socket_open(const struct hostport *at, int *ret, struct hostport *ret_bound, struct error *err)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&at->addr, at->port, &ss);
	CLEANUP(close_p) int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;
	if (fd < 0)
		return socket_error(at, errno, "open a socket for", err);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		(ss.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
		bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return socket_error(at, errno, "listen on", err);
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return socket_error(at, errno, "ask the port of", err);
	ret_bound->addr = addr_from_sockaddr((struct sockaddr *)&ss, &ret_bound->port);
	*ret = fd;
	fd = -1;
	return 0;
}

static int listener_open(struct http_server *s, const struct hostport *at, unsigned threads, struct error *err)
{
	struct http_listener *l = &s->listeners[s->listener_count];
	int fd = -1;
	int r = socket_open(at, &fd, &l->bound, err);
	if (r < 0)
		return r;
	/* A pool of one is refused by the library: then the daemon's own thread does it. */
	struct MHD_OptionItem pool[] = {
		{threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	/* poll, not epoll: with epoll, libmicrohttpd 0.9.75 now and then dies on a NULL pointer while it answers a
	 * malformed request whose client has gone (tests/unit/http: hostile_bytes, WT_SEED=20 and 45). */
	l->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, s,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		CONNECTION_MEMORY_BYTES, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
	/* Most ways to fail have closed the socket, so it is not closed here again. */
	if (!l->daemon)
		return socket_error(at, errno ? errno : EIO, "start threads for", err);
	s->listener_count++;
	return 0;
}

static int token_set(struct http_server *s, const char *token, struct error *err)
{
	if (!*token)
		return error_set(err, -EINVAL, "http: the token is empty");
	if (!EVP_Digest(token, strlen(token), s->token_digest, NULL, EVP_sha256(), NULL))
		return error_set(err, -ENOMEM, "http: cannot compute the token's digest");
	s->has_token = true;
	return 0;
}

int http_new(const struct hostport *listen, size_t listen_count, const char *token, unsigned threads,
	const struct http_backend *backend, struct http_server **ret, struct error *err)
{
	struct http_server *s = calloc(1, sizeof(*s) + listen_count * sizeof(s->listeners[0]));
	if (!s)
		return error_set(err, -ENOMEM, "http: out of memory");
	s->backend = *backend;
	s->backend.name = s->name = strdup(backend->name ? backend->name : "");
	s->backend.notice = s->notice = backend->notice ? strdup(backend->notice) : NULL;
	unsigned each = listen_count && threads > listen_count ? threads / (unsigned)listen_count : 1;
	int r = !s->name || (backend->notice && !s->notice) ? error_set(err, -ENOMEM, "http: out of memory") : 0;
	if (r == 0 && token)
		r = token_set(s, token, err);
	if (r < 0)
		goto fail;
	r = http_readers_init(&s->readers, backend->store, each * listen_count);
	if (r < 0) {
		(void)error_set(err, r, "http: out of memory");
		goto fail;
	}
	for (size_t i = 0; i < listen_count; i++) {
		r = listener_open(s, &listen[i], each, err);
		if (r < 0)
			goto fail;
	}
	*ret = s;
	return 0;
fail:
	http_free(s);
	return r;
}

void http_free(struct http_server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->listener_count; i++)
		MHD_stop_daemon(s->listeners[i].daemon);
	http_readers_done(&s->readers);
	free(s->name);
	free(s->notice);
	free(s);
}

struct hostport http_bound(const struct http_server *s, size_t i)
{
	return s->listeners[i].bound;
}

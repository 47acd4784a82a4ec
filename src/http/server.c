/* SPDX-License-Identifier: BSD-2-Clause */

/* The server's life: sockets, one MHD daemon a listener with a thread of its own, and the threads that answer.
 *
 * libmicrohttpd binds one socket a daemon, so several listen addresses are several daemons over one
 * struct http_server. The sockets are made here: errors can name the address, port 0 can be asked
 * back, and an IPv6 listener takes IPv6 only, so 0.0.0.0 and :: can both be listened on.
 *
 * A listener's thread does what is ready at once; what takes its time is for the jobs' threads (jobs.h), so no client waits for
 * another's query. Connections, their idle time, the time of a request and the size of its head are limited (guard.h). */

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/call.h"

#define CONNECTIONS_MAX         2048u /* a listener */
#define IDLE_SECONDS_MAX        30u
#define CONNECTION_MEMORY_BYTES ((size_t)64 << 10) /* a request's head must fit */
#define TABLE_THREADS           2u
#define LISTEN_BACKLOG          1024

static char tls_priorities[] = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"; /* the library's lists take no const */

static const struct http_guard_times guard_times = {
	.request_ns = IDLE_SECONDS_MAX * NS_PER_S,
	.answer_ns = 300 * NS_PER_S,
	.crowded_ns = NS_PER_S,
	.look_ns = NS_PER_S,
};

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *path, const char *method,
	const char *version, const char *upload, size_t *upload_size, void **con_cls)
{
	struct http_request *request = *con_cls;
	int r = http_serve(cls, conn, path, method, &request);
	*con_cls = request;
	return r ? MHD_YES : MHD_NO;
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls, enum MHD_RequestTerminationCode code)
{
	http_serve_end(*con_cls);
	*con_cls = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *conn, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct http_listener *l = cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
		*context = info ? http_guard_add(&l->server->guard, info->connect_fd) : NULL;
	} else {
		http_guard_del(&l->server->guard, *context);
		*context = NULL;
	}
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

/* On a listening socket, which is the daemon's from then on. NULL: errno may say why. */
static struct MHD_Daemon *daemon_start(struct http_listener *l, int fd, const char *certificate, const char *key)
{
	/* poll, not epoll: with epoll, libmicrohttpd 0.9.75 now and then dies on a NULL pointer while it answers a
	 * malformed request whose client has gone (tests/unit/http: hostile_bytes, WT_SEED=20 and 45). */
	unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | (certificate ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{certificate ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, (void *)(uintptr_t)certificate},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, tls_priorities},
		{MHD_OPTION_END, 0, NULL},
	};
	errno = 0;
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, l, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		CONNECTION_MEMORY_BYTES, MHD_OPTION_NOTIFY_COMPLETED, on_completed, l, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, l, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

/* Until when a certificate is in force, in seconds since 1970; 0 when that cannot be read. */
static uint64_t certificate_end_s(const char *pem)
{
	struct tm end = {0};
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	bool read = x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &end) == 1;
	X509_free(x);
	BIO_free(in);
	return read ? (uint64_t)timegm(&end) : 0;
}

static int bad_certificate(struct error *err)
{
	return error_set(err, -EINVAL, "http.tls: the certificate and its key cannot be used");
}

static int listener_open(struct http_server *s, const struct hostport *at, const struct http_config *config,
	struct error *err)
{
	struct http_listener *l = &s->listeners[s->listener_count];
	int fd = -1;
	l->server = s;
	int r = socket_open(at, &fd, &l->bound, err);
	if (r < 0)
		return r;
	l->daemon = daemon_start(l, fd, config->certificate, config->key);
	/* Most ways to fail have closed the socket, so it is not closed here again. */
	if (!l->daemon)
		return errno || !config->certificate ? socket_error(at, errno ? errno : EIO, "start threads for", err)
						     : bad_certificate(err);
	s->listener_count++;
	return 0;
}

/* ---- a renewed certificate ---- */

static bool is_empty(struct MHD_Daemon *daemon)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	return info && info->num_connections == 0;
}

/* Stops the retired daemons that have no connection left, or all of them. */
static void retired_stop(struct http_server *s, bool all)
{
	for (struct http_retired **at = &s->retired, *r; (r = *at);) {
		if (!all && !is_empty(r->daemon)) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		MHD_stop_daemon(r->daemon);
		free(r);
	}
}

/* The new daemon gets a socket of its own for the same queue of connections, so that failing costs nothing. */
static int listener_renew(struct http_listener *l, const char *certificate, const char *key, struct error *err)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_LISTEN_FD);
	struct http_retired *r = calloc(1, sizeof(*r));
	int fd = info && r ? fcntl(info->listen_fd, F_DUPFD_CLOEXEC, 0) : -1;
	struct MHD_Daemon *daemon = fd >= 0 ? daemon_start(l, fd, certificate, key) : NULL;
	if (!daemon) {
		free(r);
		return bad_certificate(err);
	}
	int old_fd = MHD_quiesce_daemon(l->daemon);
	if (old_fd >= 0)
		(void)close(old_fd);
	*r = (struct http_retired){l->daemon, l->server->retired};
	l->server->retired = r;
	l->daemon = daemon;
	return 0;
}

int http_renew(struct http_server *s, const char *certificate, const char *key, struct error *err)
{
	int r = 0;
	retired_stop(s, false);
	for (size_t i = 0; i < s->listener_count && r == 0; i++)
		r = listener_renew(&s->listeners[i], certificate, key, err);
	if (r == 0)
		atomic_store(&s->certificate_end_s, certificate_end_s(certificate));
	return r;
}

int http_reconfigure(struct http_server *s, const struct http_config *config, struct error *err)
{
	return http_rules_set(&s->rules, config->token, config->hosts, config->host_count, err);
}

static int words_copy(struct http_server *s)
{
	const struct http_backend *b = &s->backend;
	s->name = strdup(b->name ? b->name : "");
	s->notice = b->notice ? strdup(b->notice) : NULL;
	if (!s->name || (b->notice && !s->notice))
		return -ENOMEM;
	s->backend.name = s->name;
	s->backend.notice = s->notice;
	return 0;
}

static int parts_init(struct http_server *s, const struct http_config *config, struct error *err)
{
	unsigned threads = config->threads ? config->threads : 1;
	http_cache_init(&s->cache);
	http_rules_init(&s->rules);
	http_strikes_init(&s->strikes);
	s->has_cache = true;
	if (s->has_tls)
		atomic_store(&s->certificate_end_s, certificate_end_s(config->certificate));
	int r = http_reconfigure(s, config, err);
	if (r < 0)
		return r;
	r = words_copy(s);
	if (r == 0)
		r = http_readers_init(&s->readers, s->backend.store, threads);
	if (r == 0)
		r = http_guard_init(&s->guard, CONNECTIONS_MAX, &guard_times);
	if (r == 0)
		r = http_jobs_init(&s->queries, threads);
	if (r == 0)
		r = http_jobs_init(&s->tables, TABLE_THREADS);
	return r < 0 ? error_set(err, r, "http: %s", strerror(-r)) : 0;
}

int http_new(const struct http_config *config, const struct http_backend *backend, struct http_server **ret, struct error *err)
{
	struct http_server *s = calloc(1, sizeof(*s) + config->listen_count * sizeof(s->listeners[0]));
	if (!s)
		return error_set(err, -ENOMEM, "http: out of memory");
	s->backend = *backend;
	s->has_tls = config->certificate;
	int r = parts_init(s, config, err);
	for (size_t i = 0; i < config->listen_count && r == 0; i++)
		r = listener_open(s, &config->listen[i], config, err);
	if (r == 0 && http_ahead_start(&s->ahead, s) < 0)
		r = error_set(err, -EAGAIN, "http: cannot start a thread");
	if (r < 0) {
		http_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* The jobs first: the library must not stop while one has a connection of it. */
void http_free(struct http_server *s)
{
	if (!s)
		return;
	http_ahead_stop(&s->ahead);
	http_jobs_stop(&s->queries);
	http_jobs_stop(&s->tables);
	for (size_t i = 0; i < s->listener_count; i++)
		MHD_stop_daemon(s->listeners[i].daemon);
	retired_stop(s, true);
	http_jobs_done(&s->queries);
	http_jobs_done(&s->tables);
	http_guard_done(&s->guard);
	if (s->has_cache) {
		http_cache_done(&s->cache);
		http_rules_done(&s->rules);
		http_strikes_done(&s->strikes);
	}
	http_readers_done(&s->readers);
	free(s->name);
	free(s->notice);
	free(s);
}

struct hostport http_bound(const struct http_server *s, size_t i)
{
	return s->listeners[i].bound;
}

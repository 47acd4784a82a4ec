/* SPDX-License-Identifier: BSD-2-Clause */

/* A visit is one connection from one address: connect, a few requests with pauses between them, close.
 * Four in ten make one request and say so (Connection: close), the others keep the connection alive.
 * Which of the nearby networks a visitor comes from follows Zipf's law, as popularity does: the n-th network gets 1/n of
 * the first one's visits. Every network leans to one of the two routers, so that both are worth a look. There are few
 * visits beside what the made-up senders tell, so that the whole looks before the demo's start as it does after.
 *
 * A slot per visit, none of them allocated later; a tick starts a few visits where slots are free, which bounds
 * connections (SLOTS) and requests (some seventeen a second) whatever nginx does. A
 * response is counted when it is complete; nothing of one that is not is counted at all, so a failure
 * shows as a difference to what the collector has, never as a smaller figure on both sides. */

#include "cli/demo_clients.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "cli/demo_data.h"

#define SLOTS         256
#define TICK_NS       (200 * NS_PER_MS)
#define VISITS_MAX    2  /* a tick; 0 to this many, evenly */
#define REQUESTS_MAX  9  /* a visit */
#define PAUSE_NS      (20 * NS_PER_MS)
#define PAUSES        16 /* 1 to this many PAUSE_NS between two requests */
#define TIMEOUT_NS    (20 * NS_PER_S)
#define HEAD_MAX      2048
#define REQUEST_MAX   256

enum visit_state { VISIT_NONE, VISIT_CONNECTING, VISIT_WAITING, VISIT_PAUSING };

struct visit {
	struct demo_clients *clients;
	enum visit_state state;
	struct loop_fd fd;
	struct loop_timer timer; /* the pause's end, or the patience's */
	unsigned requests_left;
	bool video, persistent;
	char head[HEAD_MAX + 1]; /* of the response, as far as it has come */
	size_t head_len;
	bool in_body;
	uint64_t response_bytes, body_left;
};

struct demo_clients {
	struct loop *loop;
	uint16_t port;
	uint64_t random;
	struct loop_timer tick;
	double popularity[256]; /* cumulative, by nearby network */
	struct demo_clients_stats stats;
	void (*drained)(void *ctx);
	void *drained_ctx;
	unsigned active;
	struct visit visits[SLOTS];
	char buf[65536];
};

/* 0 to n - 1. */
static unsigned below(struct demo_clients *c, unsigned n)
{
	return (unsigned)((demo_data_random(&c->random) >> 32) * n >> 32);
}

static unsigned choose_network(struct demo_clients *c)
{
	unsigned count = demo_data_networks() - demo_data_distant(), i = 0;
	double at = (double)(demo_data_random(&c->random) >> 11) / (double)(1ull << 53) * c->popularity[count - 1];
	while (i + 1 < count && c->popularity[i] <= at)
		i++;
	return demo_data_distant() + i;
}

/* ---- the end of a visit ---- */

static void visit_end(struct visit *v)
{
	struct demo_clients *c = v->clients;
	loop_timer_clear(c->loop, &v->timer);
	loop_fd_del(c->loop, &v->fd);
	close_p(&v->fd.fd);
	v->state = VISIT_NONE;
	c->active--;
	if (c->drained && !c->active)
		c->drained(c->drained_ctx);
}

static void visit_fail(struct visit *v, const char *doing, const char *why)
{
	struct demo_clients_stats *stats = &v->clients->stats;
	stats->failed++;
	(void)snprintf(stats->failure, sizeof(stats->failure), "%s: %s", doing, why);
	visit_end(v);
}

/* ---- requests ---- */

static const char *choose_file(struct visit *v)
{
	static const char *const web[] = {"index.html", "index.html", "style.css", "style.css", "photo.jpg"};
	static const char *const video[] = {"240p.m4s", "480p.m4s", "720p.m4s"};
	if (v->video)
		return video[below(v->clients, ARRAY_LEN(video))];
	return web[below(v->clients, ARRAY_LEN(web))];
}

static void send_request(struct visit *v)
{
	char text[REQUEST_MAX];
	bool last = --v->requests_left == 0;
	int n = snprintf(text, sizeof(text), "GET /%s HTTP/1.1\r\nHost: %s.example\r\nUser-Agent: whereto-demo\r\n"
		"%s\r\n", choose_file(v), v->video ? "video" : "www",
		last && !v->persistent ? "Connection: close\r\n" : "");
	v->head_len = v->response_bytes = v->body_left = 0;
	v->in_body = false;
	v->state = VISIT_WAITING;
	int r = loop_timer_set(v->clients->loop, &v->timer, TIMEOUT_NS);
	/* The buffer of a connection with nothing under way takes this whole. */
	ssize_t sent = send(v->fd.fd, text, (size_t)n, MSG_NOSIGNAL);
	if (r < 0 || sent != n)
		visit_fail(v, "sending a request", r < 0 || sent >= 0 ? "no memory" : strerror(errno));
}

static void response_done(struct visit *v)
{
	struct demo_clients *c = v->clients;
	c->stats.requests++;
	c->stats.bytes_received += v->response_bytes;
	v->state = VISIT_PAUSING;
	if (!v->requests_left || c->drained)
		visit_end(v);
	else if (loop_timer_set(c->loop, &v->timer, (1 + below(c, PAUSES)) * PAUSE_NS) < 0)
		visit_fail(v, "pausing", "no memory");
}

/* ---- responses ---- */

/* The head is whole: how long is the body? */
static bool parse_head(struct visit *v)
{
	static const char length[] = "\r\nContent-Length: ";
	const char *at = strstr(v->head, length);
	if (strncmp(v->head, "HTTP/1.1 200 ", 13) != 0 || !at)
		return false;
	v->body_left = strtoull(at + strlen(length), NULL, 10);
	return true;
}

/* Takes bytes into the head up to its end; returns how many were taken. -EPROTO. */
static ssize_t take_head(struct visit *v, const char *data, size_t len)
{
	size_t before = v->head_len, room = HEAD_MAX - before, n = len < room ? len : room;
	memcpy(v->head + before, data, n);
	v->head[before + n] = '\0';
	const char *end = strstr(v->head, "\r\n\r\n");
	if (!end) {
		v->head_len += n;
		return n == room ? -EPROTO : (ssize_t)n;
	}
	v->head_len = (size_t)(end - v->head) + 4;
	v->head[v->head_len] = '\0';
	v->in_body = true;
	return parse_head(v) ? (ssize_t)(v->head_len - before) : -EPROTO;
}

/* False when the visit has failed. */
static bool take_bytes(struct visit *v, const char *data, size_t len)
{
	v->response_bytes += len;
	if (!v->in_body) {
		ssize_t n = take_head(v, data, len);
		if (n < 0) {
			visit_fail(v, "reading a response", v->in_body ? "not a 200 with a length" : "an endless head");
			return false;
		}
		len -= (size_t)n;
	}
	if (v->in_body && len > v->body_left) {
		visit_fail(v, "reading a response", "more than it said");
		return false;
	}
	v->body_left -= v->in_body ? len : 0;
	return true;
}

static void on_readable(struct visit *v)
{
	struct demo_clients *c = v->clients;
	ssize_t n = recv(v->fd.fd, c->buf, sizeof(c->buf), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (v->state != VISIT_WAITING || n <= 0)
		visit_fail(v, v->state == VISIT_WAITING ? "reading a response" : "between two requests",
			n < 0 ? strerror(errno) : n == 0 ? "closed by nginx" : "bytes nobody asked for");
	else if (take_bytes(v, c->buf, (size_t)n) && v->in_body && !v->body_left)
		response_done(v);
}

/* ---- events ---- */

static void on_connected(struct visit *v)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(v->fd.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
		visit_fail(v, "connecting", strerror(error ? error : errno));
		return;
	}
	v->clients->stats.connections++;
	int r = loop_fd_set(v->clients->loop, &v->fd, EPOLLIN);
	if (r < 0)
		visit_fail(v, "connecting", strerror(-r));
	else
		send_request(v);
}

static void on_event(struct loop_fd *self, uint32_t events)
{
	struct visit *v = self->ctx;
	if (v->state == VISIT_CONNECTING)
		on_connected(v);
	else
		on_readable(v);
}

static void on_timer(struct loop_timer *self)
{
	struct visit *v = self->ctx;
	if (v->state == VISIT_PAUSING)
		send_request(v);
	else
		visit_fail(v, "waiting for nginx", "it took too long");
}

/* ---- the beginning of a visit ---- */

/* A socket on its way from the client's address to the server's. -errno. */
static int connect_from(const struct addr *client, const struct addr *server, uint16_t port)
{
	struct sockaddr_storage from, to;
	socklen_t from_len = addr_to_sockaddr(client, 0, &from), to_len = addr_to_sockaddr(server, port, &to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), late = 1;
	if (fd < 0)
		return -errno;
	/* The port is chosen when connecting, so each client address has all ports to each server. */
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof(late)) < 0 ||
		bind(fd, (struct sockaddr *)&from, from_len) < 0 ||
		(connect(fd, (struct sockaddr *)&to, to_len) < 0 && errno != EINPROGRESS)) {
		int r = -errno;
		close_p(&fd);
		return r;
	}
	return fd;
}

static void visit_begin(struct demo_clients *c, struct visit *v)
{
	unsigned network = choose_network(c), leaning = network % DEMO_EDGES;
	struct addr client = demo_data_client(network, demo_data_random(&c->random));
	struct addr server = demo_data_server(below(c, 10) < 7 ? leaning : below(c, DEMO_EDGES));
	v->persistent = below(c, 10) >= 4;
	v->requests_left = v->persistent ? 2 + below(c, REQUESTS_MAX - 1) : 1;
	v->video = below(c, 100) < 12;
	v->state = VISIT_CONNECTING;
	v->fd = (struct loop_fd){connect_from(&client, &server, c->port), on_event, v};
	c->active++;
	int r = v->fd.fd < 0 ? v->fd.fd : loop_fd_add(c->loop, &v->fd, EPOLLOUT);
	if (r == 0)
		r = loop_timer_set(c->loop, &v->timer, TIMEOUT_NS);
	if (r < 0)
		visit_fail(v, "connecting", strerror(-r));
}

static void on_tick(struct loop_timer *self)
{
	struct demo_clients *c = self->ctx;
	unsigned n = below(c, VISITS_MAX + 1);
	for (size_t i = 0; i < SLOTS && n; i++) {
		if (c->visits[i].state != VISIT_NONE)
			continue;
		visit_begin(c, &c->visits[i]);
		n--;
	}
	if (loop_timer_set(c->loop, &c->tick, TICK_NS) < 0) {
		c->stats.failed++;
		(void)snprintf(c->stats.failure, sizeof(c->stats.failure), "out of memory");
	}
}

/* ---- life ---- */

int demo_clients_new(struct loop *loop, uint16_t port, struct demo_clients **ret)
{
	struct demo_clients *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->port = port;
	c->random = clock_mono_ns() | 1;
	c->tick = (struct loop_timer){.fn = on_tick, .ctx = c};
	double sum = 0;
	for (unsigned i = 0; i < demo_data_networks() - demo_data_distant(); i++)
		c->popularity[i] = sum += 1.0 / (i + 1);
	for (size_t i = 0; i < SLOTS; i++) {
		c->visits[i].clients = c;
		c->visits[i].fd.fd = -1;
		c->visits[i].timer = (struct loop_timer){.fn = on_timer, .ctx = &c->visits[i]};
	}
	int r = loop_timer_set(loop, &c->tick, TICK_NS);
	if (r < 0)
		free(c);
	else
		*ret = c;
	return r;
}

void demo_clients_free(struct demo_clients *c)
{
	if (!c)
		return;
	c->drained = NULL;
	loop_timer_clear(c->loop, &c->tick);
	for (size_t i = 0; i < SLOTS; i++)
		if (c->visits[i].state != VISIT_NONE)
			visit_end(&c->visits[i]);
	free(c);
}

void demo_clients_drain(struct demo_clients *c, void (*done)(void *ctx), void *ctx)
{
	loop_timer_clear(c->loop, &c->tick);
	for (size_t i = 0; i < SLOTS; i++)
		if (c->visits[i].state == VISIT_PAUSING || c->visits[i].state == VISIT_CONNECTING)
			visit_end(&c->visits[i]);
	c->drained = done;
	c->drained_ctx = ctx;
	if (!c->active)
		done(ctx);
}

struct demo_clients_stats demo_clients_stats(const struct demo_clients *c)
{
	return c->stats;
}

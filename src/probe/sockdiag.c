/* SPDX-License-Identifier: BSD-2-Clause */

/* The probe without eBPF: the kernel's socket diagnosis over netlink, which anybody may use. It announces each TCP socket that
 * is freed, with its counters, and lists those that live.
 *
 * What it can't do, and why its records are flagged approximate:
 *   - a connection that its server closed by a reset (SO_LINGER 0) comes with counters of 0; so does one that was never
 *     accepted
 *   - connections are announced when they are freed, not when they end; those of clients too. A server's are known by the
 *     port: somebody listens on it, or did at the last look. Of one that began and ended to listen between two looks, nothing is known
 *   - the kernel counts the peer's FIN as a byte received, and whether it has come isn't told with the end: where it has, it is
 *     one byte too much
 *   - no mark, no cgroup, no tag
 *   - what a burst overruns in the socket's buffer is gone
 *
 * Connections that live at a look and have done something are kept in a table, by cookie, with what was told of them;
 * it is bounded, and what finds no room there is told whole at its end. */

#include "probe/backend.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/index.h"
#include "probe/namespaces.h"

#define KNOWN_MAX      262144
#define ROOM_BYTES     (8 << 20) /* of a socket that is told of ends */
#define ANSWER_BYTES   (1 << 17)
#define PORTS          65536
#define GONE_NS        (60 * NS_PER_S)
#define PORT_LOOKS     3 /* a port counts as listened on for so many looks, the first one included */

enum { ESTABLISHED = 1, SYN_SENT = 2, SYN_RECV = 3, TIME_WAIT = 6, CLOSE = 7, CLOSE_WAIT = 8, LAST_ACK = 9, LISTEN = 10,
	CLOSING = 11, NEW_SYN_RECV = 12 };
#define STATES_LIVE  (0xfffu & ~(1u << SYN_SENT | 1u << SYN_RECV | 1u << TIME_WAIT | 1u << CLOSE | 1u << LISTEN | 1u << NEW_SYN_RECV))

struct counters {
	uint64_t bytes_sent, bytes_retransmitted, bytes_received; /* sent: each once */
	uint32_t packets_sent, packets_retransmitted, packets_spurious, rtt_min_us;
};

struct connection {
	uint64_t cookie; /* 0: free */
	struct counters told;
	uint64_t time_ns;
	uint32_t look; /* at which it was seen last, and when that was */
	uint64_t seen_ns;
	bool before; /* in an event */
};

/* A network namespace's two sockets. */
struct place {
	int ends, asks;
	uint8_t listens[PORTS]; /* looks for which a port counts as listened on */
};

struct backend {
	struct namespaces *namespaces;
	struct place *places;
	int epoll;
	struct connection *known;
	uint32_t known_count, *free, free_count;
	struct index index;
	uint32_t look;
	uint64_t look_start_ns;
	bool baseline;
	uint64_t events, lost, lost_taken, empty, overruns, looks, look_ns;
	void (*fn)(void *ctx, const struct probe_event *e); /* while reading */
	void *ctx;
	struct probe_event *waiting; /* what a look has found, for the next read */
	uint32_t waiting_count, waiting_cap;
	uint8_t answer[ANSWER_BYTES];
};

/* A message about one socket. */
struct message {
	const struct inet_diag_msg *diag;
	struct tcp_info info;
	bool has_info, is_tcp;
};

/* ---- messages ---- */

static struct message read_message(const struct nlmsghdr *n)
{
	struct message m = {.diag = NLMSG_DATA(n), .is_tcp = true};
	const struct rtattr *a = (const struct rtattr *)(const void *)(m.diag + 1);
	int left = (int)n->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m.diag));
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == INET_DIAG_PROTOCOL && RTA_PAYLOAD(a) >= 1)
			m.is_tcp = *(const uint8_t *)RTA_DATA(a) == IPPROTO_TCP;
		if (a->rta_type != INET_DIAG_INFO)
			continue;
		size_t len = RTA_PAYLOAD(a);
		memcpy(&m.info, RTA_DATA(a), len < sizeof(m.info) ? len : sizeof(m.info));
		m.has_info = true;
	}
	return m;
}

static uint64_t cookie_of(const struct message *m)
{
	return (uint64_t)m->diag->id.idiag_cookie[1] << 32 | m->diag->id.idiag_cookie[0];
}

static struct counters counters_of(const struct message *m)
{
	const struct tcp_info *i = &m->info;
	uint8_t state = m->diag->idiag_state;
	bool fin = state == CLOSE_WAIT || state == LAST_ACK || state == CLOSING;
	return (struct counters){
		.bytes_sent = i->tcpi_bytes_sent - i->tcpi_bytes_retrans,
		.bytes_retransmitted = i->tcpi_bytes_retrans,
		.bytes_received = i->tcpi_bytes_received - (fin && i->tcpi_bytes_received),
		.packets_sent = i->tcpi_data_segs_out,
		.packets_retransmitted = i->tcpi_total_retrans,
		.packets_spurious = i->tcpi_dsack_dups,
		.rtt_min_us = i->tcpi_min_rtt == UINT32_MAX ? 0 : i->tcpi_min_rtt,
	};
}

/* ---- connections that are known ---- */

static struct connection *find(struct backend *b, uint64_t cookie)
{
	uint32_t slot, pos;
	INDEX_FOR_EACH(&b->index, hash_bytes(&cookie, sizeof(cookie)), slot, pos)
		if (b->known[pos].cookie == cookie)
			return &b->known[pos];
	return NULL;
}

static struct connection *add(struct backend *b, uint64_t cookie)
{
	if (!b->free_count)
		return NULL;
	uint32_t pos = b->free[b->free_count - 1];
	if (index_add(&b->index, hash_bytes(&cookie, sizeof(cookie)), pos) < 0)
		return NULL;
	b->free_count--;
	b->known_count++;
	b->known[pos] = (struct connection){.cookie = cookie, .look = b->look, .seen_ns = b->look_start_ns};
	return &b->known[pos];
}

static void del(struct backend *b, struct connection *c)
{
	uint32_t pos = (uint32_t)(c - b->known);
	index_del(&b->index, hash_bytes(&c->cookie, sizeof(c->cookie)), pos);
	c->cookie = 0;
	b->free[b->free_count++] = pos;
	b->known_count--;
}

/* ---- events ---- */

static struct probe_event make_event(const struct message *m, const struct counters *now, const struct connection *c)
{
	const struct counters none = {0}, *last = c ? &c->told : &none;
	struct probe_event e = {
		.time_ns = clock_mono_ns(),
		.begin_ns = c ? c->time_ns : 0,
		.bytes_sent = now->bytes_sent - last->bytes_sent,
		.bytes_retransmitted = now->bytes_retransmitted - last->bytes_retransmitted,
		.bytes_received = now->bytes_received - last->bytes_received,
		.packets_sent = now->packets_sent - last->packets_sent,
		.packets_retransmitted = now->packets_retransmitted - last->packets_retransmitted,
		.packets_spurious = now->packets_spurious - last->packets_spurious,
		.rtt_min_us = now->rtt_min_us,
		.local_port = ntohs(m->diag->id.idiag_sport),
		.family = m->diag->idiag_family,
		.flags = PROBE_APPROXIMATE,
	};
	memcpy(e.local, m->diag->id.idiag_src, sizeof(e.local));
	memcpy(e.remote, m->diag->id.idiag_dst, sizeof(e.remote));
	e.flags |= c && c->before ? 0 : PROBE_FIRST;
	if (e.packets_retransmitted && !last->packets_retransmitted)
		e.flags |= PROBE_FIRST_RETRANSMIT;
	return e;
}

static bool is_new(const struct counters *now, const struct counters *last)
{
	return now->packets_sent != last->packets_sent || now->packets_retransmitted != last->packets_retransmitted ||
		now->bytes_received > last->bytes_received;
}

/* All counters are 0 where they were not before: the kernel has cleared them. */
static bool is_cleared(const struct counters *now, const struct counters *last)
{
	return now->bytes_sent < last->bytes_sent || now->packets_sent < last->packets_sent ||
		now->bytes_received + 1 < last->bytes_received;
}

static void on_end(struct backend *b, const struct message *m)
{
	struct counters now = counters_of(m), none = {0};
	struct connection *c = find(b, cookie_of(m));
	const struct counters *last = c ? &c->told : &none;
	if (is_cleared(&now, last)) {
		b->lost++;
	} else if (!is_new(&now, last) && !c) {
		b->empty++;
	} else {
		struct probe_event e = make_event(m, &now, c);
		e.kind = PROBE_CLOSE;
		b->events++;
		b->fn(b->ctx, &e);
	}
	if (c)
		del(b, c);
}

static void wait_for_read(struct backend *b, const struct probe_event *e)
{
	if (b->waiting_count == b->waiting_cap) {
		uint32_t cap = b->waiting_cap ? b->waiting_cap * 2 : 64;
		struct probe_event *p = reallocarray(b->waiting, cap, sizeof(*p));
		if (!p) {
			b->lost++;
			return;
		}
		b->waiting = p;
		b->waiting_cap = cap;
	}
	b->waiting[b->waiting_count++] = *e;
}

static void on_live(struct backend *b, const struct message *m, uint16_t place)
{
	struct counters now = counters_of(m), none = {0};
	uint64_t cookie = cookie_of(m);
	struct connection *c = find(b, cookie);
	if (c) {
		c->look = b->look;
		c->seen_ns = b->look_start_ns;
	}
	if (!b->baseline && !is_new(&now, c ? &c->told : &none))
		return;
	if (!b->places[place].listens[ntohs(m->diag->id.idiag_sport)])
		return;
	struct probe_event e = make_event(m, &now, c);
	e.kind = PROBE_LOOK;
	if (!c)
		c = add(b, cookie);
	if (!c)
		return; /* told at its end */
	if (!b->baseline) {
		b->events++;
		wait_for_read(b, &e);
	}
	c->told = now;
	c->time_ns = e.time_ns;
	c->before = true;
}

/* ---- asking ---- */

typedef void (*message_fn)(struct backend *b, const struct message *m, uint16_t place);

static void on_listen(struct backend *b, const struct message *m, uint16_t place)
{
	b->places[place].listens[ntohs(m->diag->id.idiag_sport)] = PORT_LOOKS;
}

/* One answer's messages. 1: there are more answers; 0: that was all; -errno. */
static int read_answer(struct backend *b, uint16_t place, int n, message_fn fn)
{
	for (struct nlmsghdr *h = (void *)b->answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			continue;
		struct message m = read_message(h);
		if (m.has_info || m.diag->idiag_state == LISTEN)
			fn(b, &m, place);
	}
	return 1;
}

static int ask(struct backend *b, uint16_t place, uint8_t family, uint32_t states, message_fn fn)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} q = {
		.head = {sizeof(q), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
		.body = {.sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = states,
			.idiag_ext = states == 1u << LISTEN ? 0 : 1 << (INET_DIAG_INFO - 1)},
	};
	int fd = b->places[place].asks;
	if (send(fd, &q, sizeof(q), 0) < 0)
		return -errno;
	int r = 1;
	while (r == 1) {
		ssize_t n = recv(fd, b->answer, sizeof(b->answer), 0);
		if (n < 0 && errno == EINTR)
			continue;
		r = n < 0 ? -errno : read_answer(b, place, (int)n, fn);
	}
	return r;
}

static int ask_both(struct backend *b, uint16_t place, uint32_t states, message_fn fn)
{
	int r = ask(b, place, AF_INET, states, fn);
	return r < 0 ? r : ask(b, place, AF_INET6, states, fn);
}

/* ---- ends that are announced ---- */

static bool is_end(const struct message *m)
{
	return m->is_tcp && m->has_info && m->diag->id.idiag_dport && m->diag->idiag_state != LISTEN;
}

/* Somebody may have begun to listen since the last look. */
static bool is_server(struct backend *b, const struct message *m, uint16_t place, bool *asked)
{
	const uint8_t *listens = &b->places[place].listens[ntohs(m->diag->id.idiag_sport)];
	if (!*listens && !*asked)
		*asked = ask_both(b, place, 1u << LISTEN, on_listen) == 0;
	return *listens;
}

static void read_ends(struct backend *b, uint16_t place)
{
	uint8_t data[ANSWER_BYTES / 4];
	bool asked = false;
	for (;;) {
		ssize_t n = recv(b->places[place].ends, data, sizeof(data), MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS) {
			b->overruns++;
			b->lost++;
			continue;
		}
		if (n < 0)
			return;
		int left = (int)n;
		for (struct nlmsghdr *h = (void *)data; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
				continue;
			struct message m = read_message(h);
			if (is_end(&m) && (find(b, cookie_of(&m)) || is_server(b, &m, place, &asked)))
				on_end(b, &m);
		}
	}
}

/* ---- as a backend ---- */

static int open_sockets(void *ctx)
{
	struct place *p = ctx;
	const int room = ROOM_BYTES;
	p->ends = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	p->asks = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (p->ends < 0 || p->asks < 0)
		return -errno;
	const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	if (bind(p->ends, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	if (setsockopt(p->ends, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(p->ends, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	const int groups[] = {SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY};
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (setsockopt(p->ends, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
			return -errno;
	return 0;
}

static void sockdiag_close(struct backend *b)
{
	if (!b)
		return;
	for (uint32_t i = 0; b->places && i < namespaces_count(b->namespaces); i++) {
		close_p(&b->places[i].ends);
		close_p(&b->places[i].asks);
	}
	namespaces_close(b->namespaces);
	close_p(&b->epoll);
	index_done(&b->index);
	free(b->places);
	free(b->known);
	free(b->free);
	free(b->waiting);
	free(b);
}

static int open_places(struct backend *b, struct error *err)
{
	uint32_t count = namespaces_count(b->namespaces);
	b->places = calloc(count, sizeof(*b->places));
	if (!b->places)
		return error_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < count; i++)
		b->places[i].ends = b->places[i].asks = -1;
	int r = 0;
	for (uint32_t i = 0; i < count && r == 0; i++) {
		struct epoll_event event = {.events = EPOLLIN};
		r = namespaces_run(b->namespaces, i, open_sockets, &b->places[i]);
		if (r == 0 && epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->places[i].ends, &event) < 0)
			r = -errno;
	}
	return r < 0 ? error_set(err, r, "socket diagnosis: %s", strerror(-r)) : 0;
}

static int sockdiag_open(const struct config_probe *config, struct backend **ret, struct error *err)
{
	struct backend *b = calloc(1, sizeof(*b));
	if (!b)
		return error_set(err, -ENOMEM, "out of memory");
	index_init(&b->index);
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	b->known = calloc(KNOWN_MAX, sizeof(*b->known));
	b->free = calloc(KNOWN_MAX, sizeof(*b->free));
	int r = b->epoll < 0 || !b->known || !b->free ? error_set(err, -ENOMEM, "out of memory") : 0;
	while (r == 0 && b->free_count < KNOWN_MAX) {
		b->free[b->free_count] = KNOWN_MAX - 1 - b->free_count;
		b->free_count++;
	}
	if (r == 0)
		r = namespaces_open(config->namespaces, config->namespace_count, config->user, &b->namespaces, err);
	if (r == 0)
		r = open_places(b, err);
	if (r == 0 && config->tagging == PROBE_TAGGING_ON)
		r = error_set(err, -ENOTSUP, "tags need eBPF");
	if (r < 0) {
		sockdiag_close(b);
		return r;
	}
	*ret = b;
	return 0;
}

/* A connection that is no longer there, though nobody said so: what it did last is lost. The kernel takes its time to say
 * so, and an end that came after its connection was forgotten would be told from the beginning. */
static void forget_gone(struct backend *b)
{
	for (uint32_t i = 0; i < KNOWN_MAX && b->known_count; i++) {
		struct connection *c = &b->known[i];
		if (!c->cookie || c->look + 1 >= b->look || b->look_start_ns - c->seen_ns < GONE_NS)
			continue;
		b->lost += b->overruns > 0;
		del(b, c);
	}
}

static int sockdiag_look(struct backend *b)
{
	int r = 0;
	b->look++;
	b->look_start_ns = clock_mono_ns();
	for (uint32_t i = 0; i < namespaces_count(b->namespaces) && r == 0; i++) {
		for (uint32_t port = 0; port < PORTS; port++)
			b->places[i].listens[port] -= b->places[i].listens[port] > 0;
		r = ask_both(b, (uint16_t)i, 1u << LISTEN, on_listen);
		if (r == 0)
			r = ask_both(b, (uint16_t)i, STATES_LIVE, on_live);
	}
	forget_gone(b);
	b->looks++;
	b->look_ns += clock_mono_ns() - b->look_start_ns;
	return r;
}

static int sockdiag_start(struct backend *b, struct error *err)
{
	b->baseline = true;
	int r = sockdiag_look(b);
	b->baseline = false;
	return r < 0 ? error_set(err, r, "the first look at all connections: %s", strerror(-r)) : 0;
}

static int sockdiag_fd(const struct backend *b)
{
	return b->epoll;
}

static int sockdiag_read(struct backend *b, void (*fn)(void *ctx, const struct probe_event *e), void *ctx)
{
	b->fn = fn;
	b->ctx = ctx;
	for (uint32_t i = 0; i < b->waiting_count; i++)
		fn(ctx, &b->waiting[i]);
	b->waiting_count = 0;
	for (uint32_t i = 0; i < namespaces_count(b->namespaces); i++)
		read_ends(b, (uint16_t)i);
	return 0;
}

static uint64_t sockdiag_take_lost(struct backend *b)
{
	uint64_t fresh = b->lost - b->lost_taken;
	b->lost_taken = b->lost;
	return fresh;
}

static void sockdiag_stats(const struct backend *b, struct backend_stats *ret)
{
	*ret = (struct backend_stats){.events = b->events, .lost = b->lost, .empty = b->empty, .looks = b->looks,
		.look_ns = b->look_ns};
	(void)snprintf(ret->note, sizeof(ret->note), "figures are approximate; no tags, marks and cgroups%s",
		b->overruns ? "; ends were announced faster than they could be read" : "");
}

const struct backend_ops backend_sockdiag = {
	.name = "sockdiag",
	.open = sockdiag_open,
	.start = sockdiag_start,
	.fd = sockdiag_fd,
	.read = sockdiag_read,
	.look = sockdiag_look,
	.end = sockdiag_look,
	.take_lost = sockdiag_take_lost,
	.stats = sockdiag_stats,
	.close = sockdiag_close,
};

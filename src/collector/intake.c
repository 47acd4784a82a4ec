/* SPDX-License-Identifier: BSD-2-Clause */

/* The way of a datagram:
 *
 *   recvmmsg → header → session or key → open the seal → body → window → records → delta row
 *
 * Everything before the seal has verified changes nothing but a counter: no state, no answer, and of the log some lines a
 * minute that say where it came from, for who set a sender up wrongly looks there. The window decides whether the number is new; only then are the records
 * looked at. For each record: router of the server (looked up once a datagram and server address),
 * route of the client in that router's own table (asked for many records at once, which waits for memory
 * once for all of them), country, and the sums are added to a row.
 *
 * Nothing is acknowledged here: freeze.c collects what changed and the writer makes it durable first.
 *
 * What a record is rejected for (too old, too far ahead, figures out of range) is counted in its
 * session's ledger, and the datagram is acknowledged all the same: sending it again would not help. */

#include "collector/intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "collector/listen.h"

#define BATCH            32                 /* datagrams a system call */
#define JOIN_MAX         64                 /* records joined together */
#define BATCHES_PER_TURN 16                 /* then other descriptors get their turn */
#define SOCKET_BUFFER    (32 * 1024 * 1024) /* asked for; what the kernel grants is logged */
#define CLOCK_SKEW_MS    (3600ull * 1000)    /* of a sender ahead of us; telemetry.max_future if that is more */

const struct counter_info counter_table[COUNTER_COUNT] = {
#define COUNTER(name, help) {#name, help, false},
#define REFUSED(name, help) {#name, help, true},
#include "collector/counters.def"
#undef COUNTER
#undef REFUSED
};

struct receive_buffers {
	struct mmsghdr headers[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage from[BATCH];
	_Alignas(struct cmsghdr) uint8_t control[BATCH][64];
	uint8_t bytes[BATCH][DATAGRAM_RECEIVE_MAX];
	uint8_t plain[DATAGRAM_RECEIVE_MAX];
};

/* What the servers and types of one datagram are here; found at first use. */
struct translation {
	uint32_t routers[BODY_SERVERS_MAX]; /* indexes; ROUTER_NONE */
	uint32_t router_names[BODY_SERVERS_MAX];
	uint32_t types[BODY_TYPES_MAX];
	bool have_server[BODY_SERVERS_MAX], have_type[BODY_TYPES_MAX];
};

/* ---- records ---- */

static int translate_server(struct intake *in, const struct body *b, int i, struct translation *tr)
{
	if (tr->have_server[i])
		return 0;
	uint32_t router = world_router(in->world, &b->servers[i]);
	struct view name = {0};
	if (router != ROUTER_NONE) {
		const char *text = in->world->config->routers[router].name;
		name = (struct view){(const uint8_t *)text, strlen(text)};
	}
	tr->routers[i] = router;
	tr->have_server[i] = true;
	return delta_name(in->delta, name, &tr->router_names[i]);
}

static int translate_type(struct intake *in, const struct body *b, int i, struct translation *tr)
{
	if (i < 0 || tr->have_type[i])
		return 0;
	tr->have_type[i] = true;
	return delta_name(in->delta, b->types[i], &tr->types[i]);
}

/* Records of a datagram on their way to their rows, a few together: the table is asked once for many. */
struct joining {
	uint32_t count;
	struct record records[JOIN_MAX];
	struct addr clients[JOIN_MAX];
	uint32_t routers[JOIN_MAX], router_names[JOIN_MAX], types[JOIN_MAX];
	struct table_answer answers[JOIN_MAX]; /* source NULL: no route */
};

/* One call to the tables for each run of records of the same router. */
static void find_routes(const struct intake *in, struct joining *j)
{
	for (uint32_t from = 0, to; from < j->count; from = to) {
		uint32_t router = j->routers[from];
		for (to = from + 1; to < j->count && j->routers[to] == router; to++)
			;
		if (router != ROUTER_NONE)
			tables_lookup_many(in->tables, router, j->clients + from, to - from, j->answers + from);
	}
}

/* Joins a record with route and country and adds it to its row. */
static int account(struct intake *in, const struct joining *j, uint32_t i)
{
	const struct record *rec = &j->records[i];
	struct delta_key key = {.time_ms = rec->time_ms, .router = j->router_names[i], .type = j->types[i],
		.match = MATCH_NONE};
	if (j->routers[i] == ROUTER_NONE) {
		in->counters[COUNTER_records_without_router]++;
	} else if (j->answers[i].source) {
		key.route = &j->answers[i].hit;
		key.match = j->answers[i].match;
		tables_traffic(in->tables, j->routers[i], key.route->prefix);
	} else {
		in->counters[COUNTER_records_without_route]++;
	}
	key.country = countries_lookup(in->world->countries, &rec->client);
	in->counters[COUNTER_records_without_country] += key.country == COUNTRY_UNKNOWN;
	struct measures *m = delta_row(in->delta, tables_routes(in->tables), &key);
	if (!m)
		return -ENOMEM;
	measures_add_record(m, rec);
	return 0;
}

static int account_all(struct intake *in, struct joining *j)
{
	int r = 0;
	find_routes(in, j);
	for (uint32_t i = 0; r == 0 && i < j->count; i++)
		r = account(in, j, i);
	j->count = 0;
	return r;
}

/* Adds a record to those that are joined together. */
static int join(struct intake *in, struct joining *j, const struct body *b, int server, int type, struct translation *tr)
{
	if (translate_server(in, b, server, tr) < 0 || translate_type(in, b, type, tr) < 0)
		return -ENOMEM;
	uint32_t i = j->count++;
	j->clients[i] = j->records[i].client;
	j->routers[i] = tr->routers[server];
	j->router_names[i] = tr->router_names[server];
	j->types[i] = type < 0 ? 0 : tr->types[type];
	return j->count == JOIN_MAX ? account_all(in, j) : 0;
}

static int reject_reason(const struct intake *in, const struct record *rec, uint64_t now_ms)
{
	if (rec->time_ms > now_ms && rec->time_ms - now_ms > in->world->config->telemetry.max_future_ms)
		return LEDGER_rejected_future;
	if (rec->time_ms < now_ms && now_ms - rec->time_ms > in->world->config->telemetry.max_age_ms)
		return LEDGER_rejected_past;
	return -1;
}

/* The journal has all that was acknowledged. */
static void need_memory(int r)
{
	if (r >= 0)
		return;
	log_error("intake: out of memory");
	abort();
}

/* All records of an accepted body; each ends in exactly one column of the ledger. */
static void take_records(struct intake *in, struct ledger *ledger, struct body *b, uint64_t now_ms)
{
	struct translation tr = {0};
	struct joining j;
	int server, type, r;
	uint32_t count = b->record_count, stored = 0;
	j.count = 0;
	while ((r = body_next(b, &j.records[j.count], &server, &type)) != 0) {
		if (r == -EBADMSG) {
			ledger->v[LEDGER_rejected_invalid] += b->record_count + 1;
			break;
		}
		int reason = r == -ERANGE ? LEDGER_rejected_invalid : reject_reason(in, &j.records[j.count], now_ms);
		if (reason >= 0) {
			ledger->v[reason]++;
			continue;
		}
		need_memory(join(in, &j, b, server, type, &tr));
		stored++;
	}
	need_memory(account_all(in, &j));
	ledger->v[LEDGER_stored] += stored;
	in->counters[COUNTER_records] += stored;
	in->counters[COUNTER_records_rejected] += count - stored;
}

/* ---- sessions ---- */

static void refuse(struct intake *in, const struct arrival *a, enum counter why)
{
	char text[HOSTPORT_TEXT_MAX];
	uint16_t port = 0;
	struct addr from = addr_from_sockaddr((const struct sockaddr *)a->from, &port);
	in->counters[why]++;
	log_limited(&in->refused_logs[why], LOG_LEVEL_WARNING, "telemetry: refused from %s: %s", hostport_format(&from, port, text),
		counter_table[why].help);
}

/* Opens the datagram under the session's key, or the key it names; fresh is set when a seal had to be
 * derived and belongs to the caller then. Returns plain bytes or -1, counted. */
static int open_sealed(struct intake *in, const struct arrival *a, const struct header *h, struct session *s,
	struct seal **ret_fresh)
{
	struct seal *seal = s ? s->seal : NULL;
	*ret_fresh = NULL;
	const struct key *key = world_key(in->world, h->key_id);
	if (!key) {
		refuse(in, a, COUNTER_unknown_key);
		return -1;
	}
	if (s && s->state.key_id != h->key_id) {
		refuse(in, a, COUNTER_bad_tag);
		return -1;
	}
	if (!seal) {
		if (records_seal_new(key, h->session, &seal) < 0) {
			refuse(in, a, COUNTER_bad_tag);
			return -1;
		}
		*ret_fresh = seal;
	}
	int n = seal_open(seal, h->seq, h->clear, h->sealed, in->buffers->plain);
	if (n < 0) {
		refuse(in, a, COUNTER_bad_tag);
		seal_free(*ret_fresh);
		*ret_fresh = NULL;
	}
	return n;
}

/* A verified datagram of a session not known: make it, unless its beginning is so long ago that it may
 * be one that was known and retired, or its number is beyond any window. NULL: refused and counted. */
static struct session *begin_session(struct intake *in, const struct arrival *a, const struct header *h, const struct body *b)
{
	uint64_t now_ms = a->now_ms;
	uint64_t max_future_ms = in->world->config->telemetry.max_future_ms;
	uint64_t skew_ms = max_future_ms > CLOCK_SKEW_MS ? max_future_ms : CLOCK_SKEW_MS;
	if (b->time_ms + SESSION_IDLE_MS < now_ms + skew_ms) {
		refuse(in, a, COUNTER_too_old);
		return NULL;
	}
	struct session_state state = {.key_id = h->key_id, .name_len = (uint8_t)b->name.len, .first_ms = now_ms};
	memcpy(state.id, h->session, sizeof(state.id));
	memcpy(state.name, b->name.data, b->name.len);
	window_forward(&state.window, b->oldest);
	state.ledger.v[LEDGER_earlier] = b->acknowledged;
	struct session *s = sessions_add(&in->sessions, &state);
	if (!s)
		refuse(in, a, COUNTER_sessions_full);
	return s;
}

/* Notes where to acknowledge the datagram to. */
static void note_peer(struct session *s, const struct arrival *a, enum window_verdict verdict)
{
	bool same = s->peer.len == a->from_len && memcmp(&s->peer.addr, a->from, a->from_len) == 0;
	struct session_peer *peer = verdict != WINDOW_SEEN || !s->peer.len ? &s->peer : &s->elsewhere;
	if (same && peer == &s->elsewhere)
		return;
	memcpy(&peer->addr, a->from, a->from_len);
	peer->len = a->from_len;
	peer->fd = a->fd;
}

/* The body of a datagram whose seal has verified, in its session. */
static void take_body(struct intake *in, struct session *s, const struct arrival *a, uint64_t seq, struct body *b)
{
	struct ledger *ledger = &s->state.ledger;
	/* No-op but for a session that was forgotten: what the sender has had acknowledged is done with. */
	window_forward(&s->state.window, b->oldest);
	enum window_verdict verdict = window_check(&s->state.window, seq);
	if (verdict == WINDOW_AHEAD) {
		in->counters[COUNTER_ahead]++;
		return;
	}
	note_peer(s, a, verdict);
	s->state.last_ms = a->now_ms;
	freeze_mark(in, s);
	if (verdict == WINDOW_SEEN) {
		ledger->v[seq < s->durable_base ? LEDGER_replayed : LEDGER_duplicates]++;
		return;
	}
	window_accept(&s->state.window, seq);
	in->prompt |= b->flags & BODY_FLAG_PROMPT;
	in->waiting_datagrams++;
	ledger->v[LEDGER_datagrams]++;
	ledger->v[LEDGER_reordered] += verdict == WINDOW_REORDERED;
	if (b->records_before + b->record_count > ledger->v[LEDGER_sent])
		ledger->v[LEDGER_sent] = b->records_before + b->record_count;
	if (b->dropped > ledger->v[LEDGER_dropped])
		ledger->v[LEDGER_dropped] = b->dropped;
	take_records(in, ledger, b, a->now_ms);
}

void intake_datagram(struct intake *in, const struct arrival *a)
{
	struct header h;
	struct body b;
	struct seal *fresh;
	in->counters[COUNTER_datagrams]++;
	if (header_read(a->bytes, &h) < 0 || h.kind != DATAGRAM_RECORDS) {
		in->counters[COUNTER_malformed]++;
		return;
	}
	struct session *s = sessions_find(&in->sessions, h.session);
	int n = open_sealed(in, a, &h, s, &fresh);
	if (n < 0)
		return;
	if (body_read((struct view){in->buffers->plain, (size_t)n}, &b) < 0 || b.oldest > h.seq) {
		in->counters[COUNTER_malformed]++;
		seal_free(fresh);
		return;
	}
	if (!s)
		s = begin_session(in, a, &h, &b);
	if (!s) {
		seal_free(fresh);
		return;
	}
	if (fresh)
		s->seal = fresh;
	take_body(in, s, a, h.seq, &b);
}

/* ---- sockets ---- */

static void note_drops(struct intake *in, struct intake_socket *socket, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		uint32_t drops;
		memcpy(&drops, CMSG_DATA(c), sizeof(drops));
		in->counters[COUNTER_kernel_drops] += drops - socket->drops_seen;
		socket->drops_seen = drops;
	}
}

/* Returns how many datagrams were read. */
static int read_batch(struct intake *in, struct intake_socket *socket)
{
	struct receive_buffers *b = in->buffers;
	for (int i = 0; i < BATCH; i++) {
		b->iov[i] = (struct iovec){b->bytes[i], sizeof(b->bytes[i])};
		b->headers[i].msg_hdr = (struct msghdr){
			.msg_name = &b->from[i],
			.msg_namelen = sizeof(b->from[i]),
			.msg_iov = &b->iov[i],
			.msg_iovlen = 1,
			.msg_control = b->control[i],
			.msg_controllen = sizeof(b->control[i]),
		};
	}
	int n = recvmmsg(socket->fd.fd, b->headers, BATCH, MSG_DONTWAIT, NULL);
	uint64_t now_ms = clock_wall_ms();
	for (int i = 0; i < n; i++) {
		struct msghdr *msg = &b->headers[i].msg_hdr;
		note_drops(in, socket, msg);
		struct arrival a = {{b->bytes[i], b->headers[i].msg_len}, &b->from[i], msg->msg_namelen,
			socket->fd.fd, now_ms};
		if (msg->msg_flags & MSG_TRUNC) {
			in->counters[COUNTER_datagrams]++;
			in->counters[COUNTER_malformed]++;
			continue;
		}
		intake_datagram(in, &a);
	}
	return n < 0 ? 0 : n;
}

static void on_readable(struct loop_fd *fd, uint32_t events)
{
	struct intake *in = fd->ctx;
	struct intake_socket *socket = CONTAINER_OF(fd, struct intake_socket, fd);
	for (int i = 0; i < BATCHES_PER_TURN && !in->paused; i++) {
		int n = read_batch(in, socket);
		freeze_consider(in);
		if (n < BATCH)
			break;
	}
}

/* A large receive buffer rides out the moments when the disk is slow. */
static void enlarge_buffer(int fd, const char *where)
{
	int want = SOCKET_BUFFER, got = 0;
	socklen_t len = sizeof(got);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &want, sizeof(want)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof(want));
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len) == 0 && got < 2 * 1024 * 1024)
		log_warning("telemetry %s: receive buffer is only %d kB; raise net.core.rmem_max for bursts", where,
			got / 1024);
}

static int open_socket(struct intake *in, const struct listen_addr *listen, struct error *err)
{
	char where[HOSTPORT_TEXT_MAX];
	struct intake_socket *s = &in->sockets[in->socket_count];
	int one = 1, fd, r = listen_open(listen, SOCK_DGRAM, "telemetry", &fd, &s->port, err);
	if (r < 0)
		return r;
	(void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
	enlarge_buffer(fd, hostport_format(&listen->addr, s->port, where));
	s->fd = (struct loop_fd){fd, on_readable, in};
	s->addr = listen->addr;
	in->socket_count++;
	return 0;
}

/* ---- life ---- */

static int take_book(struct intake *in, const struct book *book)
{
	for (size_t i = 0; i < book->session_count; i++)
		if (!sessions_add(&in->sessions, &book->sessions[i]))
			return -ENOMEM;
	for (size_t i = 0; i < book->retired_count; i++)
		if (book_put_retired(&in->sessions.retired, &book->retired[i]) < 0)
			return -ENOMEM;
	return 0;
}

int intake_new(struct loop *loop, const struct world *world, struct tables *tables, struct writer *writer,
	const struct book *book, struct intake **ret, struct error *err)
{
	struct intake *in = calloc(1, sizeof(*in));
	if (!in)
		return error_set(err, -ENOMEM, "out of memory");
	in->loop = loop;
	in->world = world;
	in->tables = tables;
	in->writer = writer;
	in->name_len = strnlen(world->config->name, sizeof(in->name));
	memcpy(in->name, world->config->name, in->name_len);
	sessions_init(&in->sessions);
	in->buffers = calloc(1, sizeof(*in->buffers));
	int r = in->buffers && getrandom(in->run, sizeof(in->run), 0) == (ssize_t)sizeof(in->run) ? 0 : -ENOMEM;
	if (r == 0)
		r = delta_new(&in->delta);
	if (r == 0)
		r = freeze_init(in);
	if (r == 0)
		r = take_book(in, book);
	if (r < 0)
		(void)error_set(err, r, "out of memory");
	const struct config *c = world->config;
	for (size_t i = 0; r == 0 && i < c->telemetry.listen_count && i < LISTEN_MAX; i++)
		r = open_socket(in, &c->telemetry.listen[i], err);
	if (r < 0) {
		intake_free(in);
		return r;
	}
	*ret = in;
	return 0;
}

int intake_start(struct intake *in, struct error *err)
{
	for (size_t i = 0; i < in->socket_count; i++) {
		int r = loop_fd_add(in->loop, &in->sockets[i].fd, EPOLLIN);
		if (r < 0)
			return error_set(err, r, "telemetry: epoll: %s", strerror(-r));
	}
	return 0;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	for (size_t i = 0; i < in->socket_count; i++)
		close_p(&in->sockets[i].fd.fd);
	freeze_done(in);
	delta_free(in->delta);
	sessions_done(&in->sessions);
	free(in->buffers);
	free(in);
}

/* ---- the ledger by sender ---- */

static int compare_reports(const void *a, const void *b)
{
	const struct sender_report *x = a, *y = b;
	size_t n = x->name_len < y->name_len ? x->name_len : y->name_len;
	int c = memcmp(x->name, y->name, n);
	return c ? c : (x->name_len > y->name_len) - (x->name_len < y->name_len);
}

static void merge_report(struct sender_report *into, const struct sender_report *from)
{
	into->sessions += from->sessions;
	into->first_ms = into->first_ms < from->first_ms ? into->first_ms : from->first_ms;
	into->last_ms = into->last_ms > from->last_ms ? into->last_ms : from->last_ms;
	ledger_add(&into->ledger, &from->ledger);
}

struct sender_report *intake_senders(const struct intake *in, size_t *ret_count)
{
	size_t n = in->sessions.count + in->sessions.retired.retired_count, out = 0;
	struct sender_report *list = calloc(n + 1, sizeof(*list));
	if (!list)
		return NULL;
	for (uint32_t i = 0; i < in->sessions.count; i++) {
		const struct session_state *s = &in->sessions.list[i]->state;
		list[i] = (struct sender_report){s->name, s->name_len, 1, s->first_ms, s->last_ms, s->ledger};
	}
	for (size_t i = 0; i < in->sessions.retired.retired_count; i++) {
		const struct retired_state *r = &in->sessions.retired.retired[i];
		list[in->sessions.count + i] =
			(struct sender_report){r->name, r->name_len, r->sessions, r->first_ms, r->last_ms, r->ledger};
	}
	qsort(list, n, sizeof(*list), compare_reports);
	for (size_t i = 0; i < n; i++) {
		if (out && compare_reports(&list[out - 1], &list[i]) == 0)
			merge_report(&list[out - 1], &list[i]);
		else
			list[out++] = list[i];
	}
	*ret_count = out;
	return list;
}

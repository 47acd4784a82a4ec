/* SPDX-License-Identifier: BSD-2-Clause */

/* bgp/fsm.h says what the owner of a machine has to do; this is the owner.
 *
 * A neighbour has up to two connections, as a router that lost one may open the next before we know. Of a
 * third, the one that waits for an OPEN gives way. Events of one machine can ask for events of the other
 * (collisions); these are carried out behind its own, and a machine that has ended is out of the pair, so
 * that is at most one step deep.
 *
 * Routes belong to the neighbour, not the connection: what a session that takes over tells is told again.
 * Graceful restart (RFC 4724): families that the router says it has not preserved are removed when it is back;
 * all others stay until told again, with or without that capability, so that the figures have no gap.
 * How long stale routes are kept is the configuration's word, not the neighbour's. */

#include "collector/bgp_speaker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bgp/fsm.h"
#include "collector/stream.h"

#define HOLD_S      90
#define SOON_NS     (100 * NS_PER_MS)
#define CONNECTIONS 2

struct connection {
	struct neighbour *neighbour; /* NULL: there is none */
	struct stream stream;
	struct bgp_fsm fsm;
	struct loop_timer timer;
};

struct neighbour {
	struct bgp_speaker *speaker;
	struct neighbour *next;
	struct table_source *source;
	struct bgp_fsm_config config;
	struct connection connections[CONNECTIONS];
	struct connection *applying; /* whose message is being applied */
	struct peer peer;
	char name[ADDR_TEXT_MAX + 96]; /* "router edge1: bgp 192.0.2.1", for messages */
	char md5[CONFIG_MD5_BYTES_MAX + 1];
	bool locked; /* its password could not be set: it is refused */
	struct log_limit log;
};

struct bgp_speaker {
	struct peers *all;
	struct listener listener;
	struct neighbour *neighbours;
	uint32_t local_as;
	uint8_t local_id[4];
	uint64_t refused;
	struct log_limit refused_log;
};

/* ---- connections ---- */

static void carry_out(struct connection *c, const struct bgp_actions *act, const struct bgp_changes *changes);

static struct connection *other_of(struct connection *c)
{
	struct neighbour *n = c->neighbour;
	return c == &n->connections[0] ? &n->connections[1] : &n->connections[0];
}

/* A timer that is set too early is left: most deadlines move on with every message. One that has passed while
 * bytes wait is looked at again soon. */
static void arm(struct connection *c)
{
	uint64_t at = bgp_fsm_deadline(&c->fsm);
	struct loop *loop = c->neighbour->speaker->all->loop;
	if (at == UINT64_MAX) {
		loop_timer_clear(loop, &c->timer);
	} else if (!c->timer.due_ns || c->timer.due_ns > at) {
		uint64_t soon = clock_mono_ns() + SOON_NS;
		(void)!loop_timer_set(loop, &c->timer, at > soon ? at - soon + SOON_NS : SOON_NS);
	}
}

static void on_timer(struct loop_timer *timer)
{
	struct connection *c = timer->ctx;
	struct bgp_actions act;
	bgp_fsm_tick(&c->fsm, clock_mono_ns(), stream_pending(&c->stream), &act);
	carry_out(c, &act, NULL);
}

static const char *why_text(const struct bgp_actions *act, char *buf, size_t cap)
{
	static const char *const texts[] = {
		[BGP_DOWN_LOST] = "the connection was closed",
		[BGP_DOWN_RECEIVED] = "it sent",
		[BGP_DOWN_SILENT] = "it was silent for the hold time",
		[BGP_DOWN_FAULT] = "it was told",
		[BGP_DOWN_STOPPED] = "it was told",
		[BGP_DOWN_COLLISION] = "it made another connection",
	};
	char notification[BGP_NOTIFICATION_TEXT_MAX];
	bool said = act->down == BGP_DOWN_RECEIVED || act->down == BGP_DOWN_FAULT || act->down == BGP_DOWN_STOPPED;
	(void)snprintf(buf, cap, "%s%s%s", texts[act->down], said ? " " : "",
		said ? bgp_notification_format(&act->notification, notification) : "");
	return buf;
}

static bool is_bad_as(const struct bgp_notification *n)
{
	return (n->code << 8 | n->subcode) == BGP_ERROR_OPEN_PEER_AS;
}

static void lose_session(struct neighbour *n, const char *why)
{
	table_source_down(n->source, why);
	peer_lost(&n->peer);
}

static void close_connection(struct connection *c, const struct bgp_actions *act)
{
	struct neighbour *n = c->neighbour;
	char why[BGP_NOTIFICATION_TEXT_MAX + 128];
	(void)why_text(act, why, sizeof(why));
	if (act->down == BGP_DOWN_FAULT && is_bad_as(&act->notification))
		(void)snprintf(why, sizeof(why), "it is AS %u where AS %u is configured", c->fsm.peer.as, n->config.peer_as);
	if (n->applying == c)
		n->applying = NULL;
	if (act->was_up) {
		log_info("%s: session is down: %s", n->name, why);
		lose_session(n, why);
	} else {
		log_limited(&n->log, LOG_LEVEL_WARNING, "%s: no session: %s", n->name, why);
		table_source_failed(n->source, why);
	}
	bgp_fsm_unpair(&c->fsm);
	loop_timer_clear(n->speaker->all->loop, &c->timer);
	stream_close(&c->stream);
	c->neighbour = NULL;
}

/* ---- sessions ---- */

/* Removes what the router said it has lost over its restart, and families that it does not send any more; the rest
 * stays until it is told again. */
static void settle_restart(struct neighbour *n, const struct bgp_negotiated *on)
{
	uint8_t lost = (on->graceful & (uint8_t)~on->preserved) | (BGP_ALL_FAMILIES & (uint8_t)~on->families);
	if (lost)
		peer_complete(&n->peer, TABLE_ONLY, lost);
}

static void begin_session(struct connection *c)
{
	struct neighbour *n = c->neighbour;
	const struct bgp_negotiated *on = &c->fsm.on;
	struct rib_peer_info info = {.addr = n->source->from, .bgp_id = bgp_id_number(c->fsm.peer.id),
		.external = on->external};
	n->peer.add_path = on->add_path ? 1u << TABLE_ONLY : 0;
	if (peer_up(&n->peer, &info) < 0) {
		log_error("%s: out of memory", n->name);
		abort();
	}
	settle_restart(n, on);
	table_source_up(n->source);
	log_info("%s: session is up", n->name);
}

static void refresh(struct connection *c, const struct bgp_actions *act)
{
	struct peer *p = &c->neighbour->peer;
	uint8_t family = (uint8_t)(1u << act->refresh_family);
	if (act->refresh_kind == BGP_REFRESH_END)
		peer_complete(p, TABLE_ONLY, family);
	else if (act->refresh_kind == BGP_REFRESH_BEGIN && peer_resync(p, TABLE_ONLY, family) < 0)
		log_error("%s: out of memory", c->neighbour->name); /* it is as if it had not been said */
}

static void begin_update(struct connection *c, const struct bgp_changes *changes)
{
	struct neighbour *n = c->neighbour;
	if (peer_begin(&n->peer, TABLE_ONLY, changes) < 0) {
		log_error("%s: out of memory", n->name);
		abort();
	}
	n->applying = c;
}

/* What the other connection's machine shall do, if there is one. */
static void tell_other(struct connection *other, bool stop)
{
	struct bgp_actions act;
	if (!other->neighbour)
		return;
	if (stop)
		bgp_fsm_replace(&other->fsm, &act);
	else
		bgp_fsm_probe(&other->fsm, clock_mono_ns(), &act);
	carry_out(other, &act, NULL);
}

static void carry_out(struct connection *c, const struct bgp_actions *act, const struct bgp_changes *changes)
{
	struct connection *other = other_of(c);
	if (act->send.len && stream_send(&c->stream, act->send) < 0 && !act->down) {
		struct bgp_actions lost;
		bgp_fsm_lost(&c->fsm, &lost);
		close_connection(c, &lost);
		return;
	}
	if (act->up)
		begin_session(c);
	if (act->update)
		begin_update(c, changes);
	if (act->refresh)
		refresh(c, act);
	if (act->stop_other)
		tell_other(other, true);
	if (act->probe_other)
		tell_other(other, false);
	if (act->down)
		close_connection(c, act);
	else
		arm(c);
}

static enum stream_next on_input(struct stream *stream, struct rd *r, uint64_t until_ns)
{
	struct connection *c = CONTAINER_OF(stream, struct connection, stream);
	struct neighbour *n = c->neighbour;
	struct bgp_actions act;
	struct bgp_changes changes;
	size_t before = rd_left(r), looked = before;
	uint64_t now = clock_mono_ns();
	peers_clock(n->speaker->all);
	for (;;) {
		if (n->applying == c && !peer_apply(&n->peer, until_ns))
			return STREAM_MORE;
		n->applying = n->applying == c ? NULL : n->applying;
		if (looked - before >= PEERS_BYTES_A_LOOK) {
			looked = before;
			now = clock_mono_ns();
		}
		if (now >= until_ns)
			return STREAM_MORE;
		if (!bgp_fsm_input(&c->fsm, r, now, &act, &changes))
			return STREAM_WAIT;
		n->source->counters[SOURCE_messages]++;
		n->source->counters[SOURCE_bytes] += before - rd_left(r);
		n->source->counters[SOURCE_malformed] += act.down == BGP_DOWN_FAULT;
		before = rd_left(r);
		carry_out(c, &act, &changes);
		if (!c->neighbour)
			return STREAM_GONE;
	}
}

static void on_ended(struct stream *stream, int error)
{
	struct connection *c = CONTAINER_OF(stream, struct connection, stream);
	struct bgp_actions act;
	bgp_fsm_lost(&c->fsm, &act);
	carry_out(c, &act, NULL);
}

static void open_connection(struct neighbour *n, struct connection *c, int fd)
{
	struct bgp_actions act;
	struct connection *other;
	c->neighbour = n;
	c->timer = (struct loop_timer){.fn = on_timer, .ctx = c};
	c->stream = (struct stream){.input = on_input, .ended = on_ended, .ctx = c};
	if (stream_open(&c->stream, n->speaker->all->loop, fd, BGP_FSM_INPUT_BYTES) < 0) {
		log_error("%s: the connection cannot be served", n->name);
		c->neighbour = NULL;
		return;
	}
	bgp_fsm_init(&c->fsm, &n->config);
	other = other_of(c);
	bgp_fsm_pair(&c->fsm, other->neighbour ? &other->fsm : NULL);
	bgp_fsm_connected(&c->fsm, clock_mono_ns(), &act);
	carry_out(c, &act, NULL);
}

/* A place for one more: a free one, or that of a connection that waits for its OPEN. NULL: both are in use. */
static struct connection *find_place(struct neighbour *n)
{
	struct bgp_actions act;
	for (int i = 0; i < CONNECTIONS; i++)
		if (!n->connections[i].neighbour)
			return &n->connections[i];
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &n->connections[i];
		if (c->fsm.state != BGP_OPEN_SENT)
			continue;
		bgp_fsm_replace(&c->fsm, &act);
		carry_out(c, &act, NULL);
		return c;
	}
	return NULL;
}

static void on_accepted(void *ctx, int fd, const struct addr *from)
{
	struct bgp_speaker *s = ctx;
	char text[ADDR_TEXT_MAX];
	struct table_source *source = tables_find(s->all->tables, SOURCE_BGP, from, NULL);
	struct neighbour *n = source ? source->feeder : NULL;
	struct connection *c = n && !n->locked ? find_place(n) : NULL;
	if (c) {
		open_connection(n, c, fd);
		return;
	}
	close_p(&fd);
	if (n && !n->locked)
		return; /* a third connection while two are alive */
	s->refused++;
	log_limited(&s->refused_log, LOG_LEVEL_WARNING, "bgp: refused a connection from %s, %s",
		addr_format(from, text), n ? "whose password could not be set" : "which is nobody's address here");
}

/* ---- neighbours ---- */

static void on_gone(struct peer *peer)
{
	table_source_gone(peer->source);
}

static void stop_connections(struct neighbour *n, enum bgp_error error)
{
	struct bgp_actions act;
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &n->connections[i];
		if (!c->neighbour)
			continue;
		bgp_fsm_stop(&c->fsm, error, &act);
		carry_out(c, &act, NULL);
	}
}

/* On every listening socket of the address's family; an empty password removes it. */
static int set_md5(struct bgp_speaker *s, struct neighbour *n, const char *md5, struct error *err)
{
	struct tcp_md5sig sig = {.tcpm_keylen = (uint16_t)strlen(md5)};
	memcpy(sig.tcpm_key, md5, sig.tcpm_keylen);
	(void)addr_to_sockaddr(&n->source->from, 0, (struct sockaddr_storage *)&sig.tcpm_addr);
	int r = 0;
	for (size_t i = 0; r == 0 && i < s->listener.count; i++)
		if (s->listener.sockets[i].addr.family == n->source->from.family &&
			setsockopt(s->listener.sockets[i].fd.fd, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof(sig)) < 0)
			r = -errno;
	explicit_bzero(&sig, sizeof(sig));
	if (r < 0)
		return error_set(err, r, "%s: the kernel takes no TCP-MD5 password: %s", n->name, strerror(-r));
	(void)snprintf(n->md5, sizeof(n->md5), "%s", md5);
	return 0;
}

static struct neighbour *neighbour_new(struct bgp_speaker *s, struct table_source *source)
{
	char text[ADDR_TEXT_MAX];
	struct neighbour *n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->speaker = s;
	n->source = source;
	(void)snprintf(n->name, sizeof(n->name), "router %s: bgp %s", source->router, addr_format(&source->from, text));
	n->config = (struct bgp_fsm_config){.local_as = s->local_as, .peer_as = source->as, .hold_s = HOLD_S,
		.offer = bgp_fsm_offer(s->local_as, BGP_ALL_FAMILIES)};
	memcpy(n->config.local_id, s->local_id, sizeof(s->local_id));
	for (int i = 0; i < CONNECTIONS; i++)
		n->connections[i].stream.fd.fd = -1;
	peer_init(&n->peer, s->all, source, on_gone, n);
	source->feeder = n;
	n->next = s->neighbours;
	s->neighbours = n;
	return n;
}

void bgp_speaker_drop(struct bgp_speaker *s, struct table_source *source)
{
	struct neighbour **link = &s->neighbours;
	struct error ignored = {0};
	while (*link && (*link)->source != source)
		link = &(*link)->next;
	struct neighbour *n = *link;
	if (!n)
		return;
	*link = n->next;
	stop_connections(n, BGP_ERROR_CEASE_DECONFIGURED);
	if (*n->md5)
		(void)!set_md5(s, n, "", &ignored);
	peer_done(&n->peer);
	source->feeder = NULL;
	explicit_bzero(n->md5, sizeof(n->md5));
	free(n);
}

int bgp_speaker_configure(struct bgp_speaker *s, const struct world *world, struct error *err)
{
	const struct config *config = world->config;
	int r = 0;
	for (uint32_t i = 0; i < config->router_count; i++) {
		struct table_source *const *sources;
		size_t count = tables_sources(s->all->tables, i, &sources);
		for (size_t j = 0; j < count; j++) {
			if (sources[j]->kind != SOURCE_BGP)
				continue;
			struct neighbour *n = sources[j]->feeder ? sources[j]->feeder : neighbour_new(s, sources[j]);
			const char *md5 = world->sources[world->first_view[i] + j].md5;
			if (!n)
				return error_set(err, -ENOMEM, "out of memory");
			n->locked = strcmp(n->md5, md5) != 0 && set_md5(s, n, md5, err) < 0;
			if (n->locked)
				r = err->code;
		}
	}
	return r;
}

/* ---- life ---- */

int bgp_speaker_new(struct peers *all, const struct world *world, struct bgp_speaker **ret, struct error *err)
{
	const struct config *config = world->config;
	struct bgp_speaker *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	s->all = all;
	s->local_as = config->bgp.as;
	memcpy(s->local_id, config->bgp.router_id.bytes, sizeof(s->local_id));
	s->listener.accepted = on_accepted;
	s->listener.ctx = s;
	int r = listener_open(&s->listener, all->loop, config->bgp.listen, config->bgp.listen_count, "bgp", err);
	if (r == 0)
		r = bgp_speaker_configure(s, world, err);
	if (r < 0) {
		bgp_speaker_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void bgp_speaker_free(struct bgp_speaker *s)
{
	if (!s)
		return;
	while (s->neighbours) {
		struct neighbour *n = s->neighbours;
		s->neighbours = n->next;
		stop_connections(n, BGP_ERROR_CEASE_SHUTDOWN);
		peer_done(&n->peer);
		n->source->feeder = NULL;
		explicit_bzero(n->md5, sizeof(n->md5));
		free(n);
	}
	listener_close(&s->listener);
	free(s);
}

int bgp_speaker_start(struct bgp_speaker *s, struct error *err)
{
	return listener_start(&s->listener, err);
}

const struct listener *bgp_speaker_listener(const struct bgp_speaker *s)
{
	return &s->listener;
}

uint64_t bgp_speaker_refused(const struct bgp_speaker *s)
{
	return s->refused;
}

const char *bgp_speaker_state(const struct table_source *source)
{
	const struct neighbour *n = source->feeder;
	enum bgp_state state = BGP_IDLE;
	for (int i = 0; n && i < CONNECTIONS; i++)
		if (n->connections[i].neighbour && n->connections[i].fsm.state > state)
			state = n->connections[i].fsm.state;
	return state == BGP_IDLE ? NULL : bgp_state_name(state);
}

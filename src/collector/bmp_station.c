/* SPDX-License-Identifier: BSD-2-Clause */

/* bgp/bmp.h says what a station has to know; this is the station.
 *
 * A router is its address; it has one connection, and a new one replaces the old, which is dead more often
 * than not. Below it are the peers that it told of, found by their key. A peer belongs to the source of its
 * VRF, or to none: then it is remembered, so that what is told of it is passed over cheaply. Peers outlive
 * the connection by the source's `stale` time.
 *
 * Peer Up. Some send a second one for the tables after policy: one that says the same as before changes
 * nothing. Routes of a peer without one make the peer (Loc-RIB mostly).
 *
 * The tables of one peer, before and after policy, go to different ribs (collector/tables.h); Adj-RIB-Out is
 * passed over unless asked for. Statistics and mirrored messages are read over. */

#include "collector/bmp_station.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/index.h"
#include "base/log.h"
#include "bgp/bmp.h"
#include "collector/stream.h"

#define ONLY_WITHDRAWALS 1000 /* messages of a peer without a route: worth a warning */

/* A peer of a router. */
struct monitored {
	struct router *router;
	struct bmp_key key;
	uint32_t pos; /* in the router's list */
	struct bmp_add_path add_path;
	uint64_t opens_hash; /* of its last Peer Up */
	bool has_add_path;   /* a Peer Up told */
	bool up;
	uint64_t messages;   /* with routes */
	struct peer peer;    /* source NULL: not wanted */
};

struct router {
	struct bmp_station *station;
	struct router *next;
	struct addr addr;
	bool connected;
	struct stream stream;
	struct monitored **peers;
	uint32_t count, cap;
	struct index index; /* of peers, by key */
	struct monitored *applying;
	uint64_t messages, bytes;
	struct log_limit log;
	char name[ADDR_TEXT_MAX + 96]; /* "router edge1: bmp 192.0.2.1", for messages */
};

struct bmp_station {
	struct peers *all;
	struct listener listener;
	struct router *routers;
	uint64_t refused;
	struct log_limit refused_log;
};

/* ---- sources of a router ---- */

static struct table_source *next_source(const struct router *r, const struct table_source *after)
{
	return tables_find(r->station->all->tables, SOURCE_BMP, &r->addr, after);
}

/* Whose table this is; NULL: nobody's here. table: the VRF's name, where it was told. */
static struct table_source *source_of(const struct router *r, const struct bmp_peer *p, struct view table)
{
	static const uint8_t global[8];
	char rd[BMP_DISTINGUISHER_TEXT_MAX];
	bool is_global = memcmp(p->distinguisher, global, sizeof(global)) == 0;
	(void)bmp_distinguisher_format(p->distinguisher, rd);
	for (struct table_source *s = next_source(r, NULL); s; s = next_source(r, s)) {
		if (is_global ? !s->vrf : s->vrf && strcmp(s->vrf, rd) == 0)
			return s;
		if (s->vrf && table.len == strlen(s->vrf) && memcmp(s->vrf, table.data, table.len) == 0)
			return s;
	}
	return NULL;
}

/* Where routes of a table go; -1: nowhere. */
static int level_of(const struct table_source *s, enum bmp_rib rib)
{
	static const int levels[BMP_TABLES][BMP_RIBS] = {
		[BMP_TABLE_AUTO] = {TABLE_PRE_POLICY, TABLE_POST_POLICY, -1, -1, TABLE_LOC_RIB},
		[BMP_TABLE_LOC_RIB] = {-1, -1, -1, -1, TABLE_ONLY},
		[BMP_TABLE_POST_POLICY] = {-1, TABLE_ONLY, -1, -1, -1},
		[BMP_TABLE_PRE_POLICY] = {TABLE_ONLY, -1, -1, -1, -1},
		[BMP_TABLE_ADJ_RIB_OUT] = {-1, -1, TABLE_PRE_POLICY, TABLE_POST_POLICY, -1},
	};
	return levels[s->table][rib];
}

static void count(const struct router *r, enum source_counter counter, uint64_t n)
{
	for (struct table_source *s = next_source(r, NULL); s; s = next_source(r, s))
		s->counters[counter] += n;
}

static void settle_gone(const struct router *r, struct table_source *s)
{
	bool used = r->connected;
	for (uint32_t i = 0; i < r->count; i++)
		used |= r->peers[i]->peer.source == s;
	if (!used)
		table_source_gone(s);
}

/* ---- peers of a router ---- */

static uint64_t hash_key(const struct bmp_key *key)
{
	return hash_bytes(key->bytes, sizeof(key->bytes));
}

static struct monitored *find_peer(const struct router *r, const struct bmp_key *key)
{
	uint32_t slot, pos;
	INDEX_FOR_EACH(&r->index, hash_key(key), slot, pos)
		if (bmp_key_equal(&r->peers[pos]->key, key))
			return r->peers[pos];
	return NULL;
}

/* Takes it off the list and frees it; its routes are no longer its business. */
static void forget_peer(struct monitored *m)
{
	struct router *r = m->router;
	uint32_t pos = m->pos, last = --r->count;
	index_del(&r->index, hash_key(&m->key), pos);
	if (pos != last) {
		uint64_t hash = hash_key(&r->peers[last]->key);
		index_del(&r->index, hash, last);
		r->peers[pos] = r->peers[last];
		r->peers[pos]->pos = pos;
		(void)!index_add(&r->index, hash, pos); /* there is room: one was just removed */
	}
	if (r->applying == m)
		r->applying = NULL;
	free(m);
}

static void remove_peer(struct monitored *m)
{
	if (m->peer.source)
		peer_done(&m->peer);
	forget_peer(m);
}

static void on_gone(struct peer *peer)
{
	struct monitored *m = peer->ctx;
	const struct router *r = m->router;
	struct table_source *s = peer->source;
	remove_peer(m);
	settle_gone(r, s);
}

static int grow_peers(struct router *r)
{
	if (r->count < r->cap)
		return 0;
	uint32_t cap = r->cap ? 2 * r->cap : 16;
	struct monitored **grown = realloc(r->peers, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	r->peers = grown;
	r->cap = cap;
	return 0;
}

static struct monitored *add_peer(struct router *r, const struct bmp_peer *p, struct view table)
{
	if (r->count == BMP_PEERS_MAX) {
		log_limited(&r->log, LOG_LEVEL_WARNING, "%s: more than %d peers", r->name, BMP_PEERS_MAX);
		return NULL;
	}
	struct monitored *m = calloc(1, sizeof(*m));
	if (!m || grow_peers(r) < 0 || index_add(&r->index, hash_key(&p->key), r->count) < 0) {
		free(m);
		log_error("%s: out of memory", r->name);
		return NULL;
	}
	m->router = r;
	m->key = p->key;
	m->pos = r->count;
	r->peers[r->count++] = m;
	struct table_source *s = source_of(r, p, table);
	if (s)
		peer_init(&m->peer, r->station->all, s, on_gone, m);
	return m;
}

static struct rib_peer_info info_of(const struct bmp_peer *p, bool external)
{
	return (struct rib_peer_info){.addr = p->addr, .bgp_id = bgp_id_number(p->id), .external = external};
}

static void rename_peer(struct monitored *m, const struct bmp_peer *p, bool external)
{
	struct rib_peer_info info = info_of(p, external);
	peer_rename(&m->peer, &info);
}

/* The peer is there, with a Peer Up or without. */
static void bring_up(struct monitored *m, const struct bmp_peer *p, bool external)
{
	struct rib_peer_info info = info_of(p, external);
	m->up = true;
	if (m->peer.source && peer_up(&m->peer, &info) < 0) {
		log_error("%s: out of memory", m->router->name);
		abort();
	}
}

static void take_down(struct monitored *m)
{
	m->up = false;
	if (m->router->applying == m)
		m->router->applying = NULL;
	if (m->peer.source)
		peer_lost(&m->peer);
}

/* ---- messages ---- */

static uint64_t hash_opens(const struct bmp_peer_up *up)
{
	return hash_bytes(up->sent_message.data, up->sent_message.len) ^
		3 * hash_bytes(up->received_message.data, up->received_message.len);
}

/* The levels of a source whose routes come with path identifiers. */
static uint8_t add_path_levels(const struct table_source *s, const struct bmp_add_path *a)
{
	const uint8_t families[BMP_RIBS] = {
		[BMP_IN_PRE] = a->in, [BMP_IN_POST] = a->in, [BMP_OUT_PRE] = a->out, [BMP_OUT_POST] = a->out, [BMP_LOC] = a->loc};
	uint8_t levels = 0;
	for (int rib = 0; rib < BMP_RIBS; rib++) {
		int level = level_of(s, (enum bmp_rib)rib);
		if (level >= 0 && families[rib])
			levels |= (uint8_t)(1u << level);
	}
	return levels;
}

static const char *peer_text(const struct bmp_peer *p, char buf[static ADDR_TEXT_MAX])
{
	return p->addr.family == ADDR_NONE ? "Loc-RIB" : addr_format(&p->addr, buf);
}

static void on_peer_up(struct router *r, const struct bmp_message *message)
{
	struct bmp_peer_up up;
	char text[ADDR_TEXT_MAX];
	if (bmp_peer_up_decode(message, &up) < 0) {
		count(r, SOURCE_malformed, 1);
		return;
	}
	struct monitored *m = find_peer(r, &up.peer.key);
	uint64_t hash = hash_opens(&up);
	if (m && m->up && m->has_add_path && m->opens_hash == hash)
		return;
	if (!m)
		m = add_peer(r, &up.peer, up.info.table);
	if (!m)
		return;
	bool known = m->up && !m->has_add_path; /* by its routes */
	bool again = m->up && m->has_add_path;  /* another session, and we were not told that the last one ended */
	bool external = up.opens_valid && up.sent.as != up.received.as;
	if (again)
		take_down(m);
	m->opens_hash = hash;
	m->add_path = up.add_path;
	m->has_add_path = true;
	if (m->peer.source) {
		m->peer.add_path = add_path_levels(m->peer.source, &up.add_path);
		bool in = up.peer.type != BMP_PEER_LOC_RIB && m->peer.source->table != BMP_TABLE_ADJ_RIB_OUT;
		m->peer.strip_as = external && in ? up.sent.as : 0;
	}
	if (known && m->peer.source)
		rename_peer(m, &up.peer, external);
	else if (!known)
		bring_up(m, &up.peer, external);
	log_limited(&r->log, LOG_LEVEL_INFO, "%s: peer %s is up", r->name, peer_text(&up.peer, text));
}

static void on_peer_down(struct router *r, const struct bmp_message *message)
{
	struct bmp_peer_down down;
	char text[ADDR_TEXT_MAX], notification[BGP_NOTIFICATION_TEXT_MAX];
	if (bmp_peer_down_decode(message, &down) < 0) {
		count(r, SOURCE_malformed, 1);
		return;
	}
	struct monitored *m = find_peer(r, &down.peer.key);
	if (!m || !m->up)
		return;
	log_limited(&r->log, LOG_LEVEL_INFO, "%s: peer %s is down: %s%s%s", r->name, peer_text(&down.peer, text),
		bmp_down_reason_text(down.reason),
		down.notification.code ? ": " : "",
		down.notification.code ? bgp_notification_format(&down.notification, notification) : "");
	take_down(m);
}

static void warn_of_withdrawals(struct monitored *m)
{
	char text[ADDR_TEXT_MAX];
	if (++m->messages == ONLY_WITHDRAWALS && !m->peer.told)
		log_warning("%s: peer %s has sent %d messages and not one route. FRR sends only withdrawals before policy "
			    "unless its neighbours have `soft-reconfiguration inbound`: let it send post-policy",
			m->router->name, addr_format(&m->peer.info.addr, text), ONLY_WITHDRAWALS);
}

/* Whether the prefixes that are announced come with path identifiers. */
static bool announces_path_ids(const struct bgp_changes *c)
{
	for (unsigned i = 0; i < c->list_count; i++)
		if (c->lists[i].add_path && !c->lists[i].withdrawn)
			return true;
	return false;
}

static void on_route(struct router *r, const struct bmp_message *message)
{
	struct bmp_route route;
	struct bgp_changes changes;
	struct bgp_notification fault;
	if (bmp_route_decode(message, &route) < 0) {
		count(r, SOURCE_malformed, 1);
		return;
	}
	struct monitored *m = find_peer(r, &route.peer.key);
	if (!m)
		m = add_peer(r, &route.peer, (struct view){NULL, 0});
	int level = m && m->peer.source ? level_of(m->peer.source, (enum bmp_rib)route.peer.rib) : -1;
	if (level < 0) {
		count(r, SOURCE_passed_over, 1);
		return;
	}
	if (!m->up) {
		m->has_add_path = false;
		bring_up(m, &route.peer, false);
	}
	struct bgp_update_rules rules =
		bmp_update_rules(&route.peer, m->has_add_path ? &m->add_path : NULL, BGP_ALL_FAMILIES);
	if (bgp_update_begin(route.update, &rules, &changes, &fault) < 0) {
		m->peer.source->counters[SOURCE_malformed]++;
		return;
	}
	m->peer.add_path |= announces_path_ids(&changes) ? (uint8_t)(1u << level) : 0;
	if (peer_begin(&m->peer, (enum table_level)level, &changes) < 0) {
		log_error("%s: out of memory", r->name);
		abort();
	}
	warn_of_withdrawals(m);
	r->applying = m;
}

static void on_initiation(struct router *r, const struct bmp_message *message)
{
	struct bmp_info info;
	char name[128];
	if (bmp_initiation_decode(message, &info) < 0) {
		count(r, SOURCE_malformed, 1);
		return;
	}
	size_t len = info.name.len < sizeof(name) - 1 ? info.name.len : sizeof(name) - 1;
	for (size_t i = 0; i < len; i++)
		name[i] = info.name.data[i] >= ' ' && info.name.data[i] < 127 ? (char)info.name.data[i] : '?';
	name[len] = '\0';
	log_limited(&r->log, LOG_LEVEL_INFO, "%s: is %s", r->name, name);
}

static void disconnect(struct router *r, const char *why);

static enum stream_next on_message(struct router *r, const struct bmp_message *message)
{
	struct bmp_termination end;
	char why[128];
	switch (message->type) {
	case BMP_ROUTE:
		on_route(r, message);
		break;
	case BMP_PEER_UP:
		on_peer_up(r, message);
		break;
	case BMP_PEER_DOWN:
		on_peer_down(r, message);
		break;
	case BMP_INITIATION:
		on_initiation(r, message);
		break;
	case BMP_TERMINATION:
		(void)snprintf(why, sizeof(why), "it ended: %s",
			bmp_termination_decode(message, &end) == 0 && end.has_reason ? bmp_termination_text(end.reason) :
										      "no reason given");
		disconnect(r, why);
		return STREAM_GONE;
	default: /* statistics, mirrored messages, what is yet to be invented */
		break;
	}
	return STREAM_WAIT;
}

/* ---- connections ---- */

/* One message. WAIT: there is no whole one. MORE: it is under way. */
static enum stream_next take_message(struct router *r, struct rd *input)
{
	struct bmp_message message;
	size_t before = rd_left(input);
	int got = bmp_message_next(input, &message);
	if (got == 0)
		return STREAM_WAIT;
	r->messages++;
	r->bytes += before - rd_left(input);
	if (got < 0) {
		count(r, SOURCE_malformed, 1);
		disconnect(r, "what it sends is not BMP");
		return STREAM_GONE;
	}
	return on_message(r, &message) == STREAM_GONE ? STREAM_GONE : STREAM_MORE;
}

/* The counters of the sources, which all share the connection, are brought up to date now and then. */
static void count_messages(struct router *r)
{
	count(r, SOURCE_messages, r->messages);
	count(r, SOURCE_bytes, r->bytes);
	r->messages = r->bytes = 0;
}

static enum stream_next on_input(struct stream *stream, struct rd *input, uint64_t until_ns)
{
	struct router *r = CONTAINER_OF(stream, struct router, stream);
	enum stream_next next = STREAM_MORE;
	size_t looked = rd_left(input);
	peers_clock(r->station->all);
	while (next == STREAM_MORE) {
		if (r->applying && !peer_apply(&r->applying->peer, until_ns))
			break;
		r->applying = NULL;
		if (looked - rd_left(input) >= PEERS_BYTES_A_LOOK) {
			looked = rd_left(input);
			if (clock_mono_ns() >= until_ns)
				break;
		}
		next = take_message(r, input);
	}
	count_messages(r);
	return next;
}

static void disconnect(struct router *r, const char *why)
{
	if (!r->connected)
		return;
	log_limited(&r->log, LOG_LEVEL_INFO, "%s: disconnected: %s", r->name, why);
	r->connected = false;
	r->applying = NULL;
	stream_close(&r->stream);
	for (struct table_source *s = next_source(r, NULL); s; s = next_source(r, s))
		table_source_down(s, why);
	/* From the last one down, as those that are kept for no time at all go at once. */
	for (uint32_t i = r->count; i-- > 0;) {
		struct monitored *m = r->peers[i];
		if (m->peer.source && m->up)
			take_down(m);
		else if (!m->peer.source || !m->peer.timer.due_ns)
			remove_peer(m); /* nothing is kept of it */
	}
	for (struct table_source *s = next_source(r, NULL); s; s = next_source(r, s))
		settle_gone(r, s);
}

static void on_ended(struct stream *stream, int error)
{
	struct router *r = CONTAINER_OF(stream, struct router, stream);
	disconnect(r, error ? strerror(error) : "the connection was closed");
}

static struct router *find_router(const struct bmp_station *s, const struct addr *addr)
{
	struct router *r = s->routers;
	while (r && !addr_equal(&r->addr, addr))
		r = r->next;
	return r;
}

static void on_accepted(void *ctx, int fd, const struct addr *from)
{
	struct bmp_station *s = ctx;
	char text[ADDR_TEXT_MAX];
	struct router *r = find_router(s, from);
	if (!r) {
		close_p(&fd);
		s->refused++;
		log_limited(&s->refused_log, LOG_LEVEL_WARNING,
			"bmp: refused a connection from %s, which is nobody's address here", addr_format(from, text));
		return;
	}
	disconnect(r, "it made another connection");
	r->stream = (struct stream){.input = on_input, .ended = on_ended, .ctx = r};
	if (stream_open(&r->stream, s->all->loop, fd, BMP_MESSAGE_MAX) < 0) {
		log_error("%s: the connection cannot be served", r->name);
		return;
	}
	r->connected = true;
	log_limited(&r->log, LOG_LEVEL_INFO, "%s: connected", r->name);
	for (struct table_source *source = next_source(r, NULL); source; source = next_source(r, source))
		table_source_up(source);
}

/* ---- configuration ---- */

static struct router *router_new(struct bmp_station *s, const struct addr *addr)
{
	struct router *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->station = s;
	r->addr = *addr;
	r->stream.fd.fd = -1;
	index_init(&r->index);
	r->next = s->routers;
	s->routers = r;
	return r;
}

static void name_router(struct router *r)
{
	char text[ADDR_TEXT_MAX];
	const struct table_source *first = next_source(r, NULL);
	(void)snprintf(r->name, sizeof(r->name), "router %s%s: bmp %s", first->router, next_source(r, first) ? " and others" : "",
		addr_format(&r->addr, text));
}

static void router_free(struct router *r)
{
	disconnect(r, "it is not configured any more");
	while (r->count)
		remove_peer(r->peers[r->count - 1]);
	index_done(&r->index);
	free(r->peers);
	free(r);
}

static void drop_unused(struct bmp_station *s)
{
	for (struct router **link = &s->routers; *link;) {
		struct router *r = *link;
		if (next_source(r, NULL)) {
			link = &r->next;
			continue;
		}
		*link = r->next;
		router_free(r);
	}
}

/* A source that is new to a router: it is its feeder's from now on. */
static int take_source(struct bmp_station *s, struct table_source *source)
{
	struct router *r = find_router(s, &source->from);
	if (!r)
		r = router_new(s, &source->from);
	if (!r)
		return -ENOMEM;
	source->feeder = r;
	disconnect(r, "its tables go elsewhere from now on");
	name_router(r);
	return 0;
}

int bmp_station_configure(struct bmp_station *s, const struct world *world, struct error *err)
{
	for (uint32_t i = 0; i < world->config->router_count; i++) {
		struct table_source *const *sources;
		size_t n = tables_sources(s->all->tables, i, &sources);
		for (size_t j = 0; j < n; j++)
			if (sources[j]->kind == SOURCE_BMP && !sources[j]->feeder && take_source(s, sources[j]) < 0)
				return error_set(err, -ENOMEM, "out of memory");
	}
	drop_unused(s);
	return 0;
}

void bmp_station_drop(struct bmp_station *s, struct table_source *source)
{
	struct router *r = find_router(s, &source->from);
	for (uint32_t i = r ? r->count : 0; i-- > 0;)
		if (r->peers[i]->peer.source == source)
			remove_peer(r->peers[i]);
	source->feeder = NULL;
}

/* ---- life ---- */

int bmp_station_new(struct peers *all, const struct world *world, struct bmp_station **ret, struct error *err)
{
	const struct config *config = world->config;
	struct bmp_station *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	s->all = all;
	s->listener.accepted = on_accepted;
	s->listener.ctx = s;
	int r = listener_open(&s->listener, all->loop, config->bmp.listen, config->bmp.listen_count, "bmp", err);
	if (r == 0)
		r = bmp_station_configure(s, world, err);
	if (r < 0) {
		bmp_station_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void bmp_station_free(struct bmp_station *s)
{
	if (!s)
		return;
	while (s->routers) {
		struct router *r = s->routers;
		s->routers = r->next;
		router_free(r);
	}
	listener_close(&s->listener);
	free(s);
}

int bmp_station_start(struct bmp_station *s, struct error *err)
{
	return listener_start(&s->listener, err);
}

const struct listener *bmp_station_listener(const struct bmp_station *s)
{
	return &s->listener;
}

uint64_t bmp_station_refused(const struct bmp_station *s)
{
	return s->refused;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Applying messages to a table that is read later.
 *
 * Best of all peers means that a withdrawal brings the next best peer's route back, so the losers have to
 * be known. A loader that kept them would pay for every route of every peer, though messages touch few.
 * Here the messages are read first; only their outcome is kept, and the table, read afterwards, has all
 * the peers' routes to a prefix at hand anyway. A file without messages costs nothing.
 *
 * The end of a session (a state that leaves Established, a NOTIFICATION of either side where nobody writes
 * states) makes everything from before void: of the table, and of changes whose epoch is older. A
 * NOTIFICATION that resolves a collision of connections ends the other one.
 *
 * RFC 4271, RFC 7606 (by bgp/update.h), RFC 7911. Left out: what the collector sent (the LOCAL
 * subtypes), End-of-RIB, graceful restart: routes that a peer does not tell again are gone at once. */

#include "route/changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "bgp/update.h"
#include "route/convert.h"

#define STATE_ESTABLISHED 6

int changes_init(struct changes *c, struct route_table *table, struct peer_list *peers, uint32_t max)
{
	*c = (struct changes){.table = table, .peers = peers, .max = max};
	index_init(&c->index);
	c->path = malloc(BGP_PATH_MAX);
	return c->path ? 0 : -ENOMEM;
}

void changes_done(struct changes *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->list[i].attrs != ROUTE_NONE)
			route_attrs_release(c->table, c->list[i].attrs);
	index_done(&c->index);
	free(c->list);
	free(c->prefixes);
	free(c->flushed);
	free(c->path);
	*c = (struct changes){0};
}

bool changes_none(const struct changes *c)
{
	return !c->count && !c->epoch;
}

bool changes_flushed(const struct changes *c, uint32_t peer)
{
	return peer < c->flushed_cap && c->flushed[peer];
}

bool changes_live(const struct changes *c, const struct change *change)
{
	return change->attrs != ROUTE_NONE &&
		(change->peer >= c->flushed_cap || change->epoch >= c->flushed[change->peer]);
}

static uint64_t hash_prefix(const struct prefix *p)
{
	return hash_bytes(p, sizeof(*p));
}

uint32_t changes_find(const struct changes *c, const struct prefix *prefix)
{
	uint32_t slot, pos;
	INDEX_FOR_EACH (&c->index, hash_prefix(prefix), slot, pos)
		if (prefix_equal(&c->prefixes[pos].prefix, prefix))
			break;
	return pos == INDEX_NONE ? CHANGES_NONE : pos;
}

static bool same_path(uint32_t a, uint32_t b)
{
	return a == b || !a || !b;
}

bool changes_replace(const struct changes *c, uint32_t changed_prefix, uint32_t peer, uint32_t path_id)
{
	for (uint32_t i = c->prefixes[changed_prefix].first; i != CHANGES_NONE; i = c->list[i].next)
		if (c->list[i].peer == peer && same_path(c->list[i].path_id, path_id))
			return true;
	return false;
}

/* Room for one element more; *cap counts elements. */
static int grow(void *array, uint32_t *cap, uint32_t count, size_t size)
{
	void **p = array;
	if (count < *cap)
		return 0;
	uint32_t bigger = *cap ? 2 * *cap : 1024;
	void *grown = realloc(*p, bigger * size);
	if (!grown)
		return -ENOMEM;
	*p = grown;
	*cap = bigger;
	return 0;
}

static int prefix_position(struct changes *c, const struct prefix *prefix, uint32_t *ret)
{
	*ret = changes_find(c, prefix);
	if (*ret != CHANGES_NONE)
		return 0;
	if (grow(&c->prefixes, &c->prefix_cap, c->prefix_count, sizeof(*c->prefixes)) < 0 ||
		index_add(&c->index, hash_prefix(prefix), c->prefix_count) < 0)
		return -ENOMEM;
	c->prefixes[c->prefix_count] = (struct changed_prefix){.prefix = *prefix, .first = CHANGES_NONE};
	*ret = c->prefix_count++;
	return 0;
}

static int add(struct changes *c, struct changed_prefix *p, uint32_t peer, uint32_t path_id, struct change **ret)
{
	if (c->count >= c->max) {
		c->refused++;
		return -ENOSPC;
	}
	if (grow(&c->list, &c->cap, c->count, sizeof(*c->list)) < 0)
		return -ENOMEM;
	c->list[c->count] = (struct change){.peer = peer, .path_id = path_id, .attrs = ROUTE_NONE, .next = p->first};
	p->first = c->count;
	*ret = &c->list[c->count++];
	return 0;
}

/* attrs: ROUTE_NONE to withdraw. Takes a reference of its own. */
static int set(struct changes *c, uint32_t peer, const struct bgp_change *news, uint32_t attrs)
{
	struct change *change = NULL;
	uint32_t at;
	int r = prefix_position(c, &news->prefix, &at);
	if (r < 0)
		return r;
	for (uint32_t i = c->prefixes[at].first; i != CHANGES_NONE && !change; i = c->list[i].next)
		if (c->list[i].peer == peer && c->list[i].path_id == news->path_id)
			change = &c->list[i];
	if (!change)
		r = add(c, &c->prefixes[at], peer, news->path_id, &change);
	if (r < 0)
		return r;
	if (attrs != ROUTE_NONE)
		route_attrs_hold(c->table, attrs);
	if (change->attrs != ROUTE_NONE)
		route_attrs_release(c->table, change->attrs);
	change->attrs = attrs;
	change->epoch = c->epoch;
	return 0;
}

static int flush(struct changes *c, uint32_t peer)
{
	if (peer >= c->flushed_cap) {
		uint32_t cap = peer + 64;
		uint32_t *grown = realloc(c->flushed, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(grown + c->flushed_cap, 0, (cap - c->flushed_cap) * sizeof(*grown));
		c->flushed = grown;
		c->flushed_cap = cap;
	}
	c->flushed[peer] = ++c->epoch;
	return 0;
}

/* Of one message: attributes are interned for each next hop once, and there are two at most. */
struct interned {
	struct view path;
	struct addr next_hop;
	uint32_t attrs; /* ROUTE_NONE: not yet */
};

static int intern(struct changes *c, const struct bgp_changes *update, const struct addr *next_hop, struct interned *in)
{
	if (in->attrs != ROUTE_NONE) {
		if (addr_equal(&in->next_hop, next_hop))
			return 0;
		route_attrs_release(c->table, in->attrs);
	}
	in->attrs = ROUTE_NONE;
	in->next_hop = *next_hop;
	struct route_attrs attrs = convert_attrs(&update->attrs, in->path, next_hop);
	return route_attrs_intern(c->table, &attrs, &in->attrs);
}

static int apply_update(struct changes *c, struct bgp_changes *update, uint32_t peer)
{
	struct interned in = {.attrs = ROUTE_NONE};
	struct bgp_change news;
	bool path_good = bgp_path_merge(&update->attrs, c->path, BGP_PATH_MAX, &in.path);
	int r = 0;
	while (r == 0 && bgp_update_next(update, &news)) {
		uint32_t attrs = ROUTE_NONE;
		if (!news.withdrawn && path_good) {
			r = intern(c, update, &news.next_hop, &in);
			attrs = in.attrs;
		}
		if (r == -EINVAL) /* as RFC 7606 has it: withdrawn */
			r = 0;
		if (r == 0)
			r = set(c, peer, &news, attrs);
	}
	if (in.attrs != ROUTE_NONE)
		route_attrs_release(c->table, in.attrs);
	return r;
}

/* 1: of a peer that is wanted. */
static int session_peer(struct changes *c, const struct mrt_session *session, uint32_t *ret)
{
	static const struct addr nobody;
	if (memcmp(session->peer.bytes, nobody.bytes, sizeof(nobody.bytes)) == 0)
		return 0;
	int r = peer_list_position(c->peers, &session->peer, ret);
	return r < 0 ? r : peer_list_wants(c->peers, *ret);
}

static bool is_collision(struct view body)
{
	struct bgp_notification n;
	return bgp_notification_decode(body, &n) == 0 && (n.code << 8 | n.subcode) == BGP_ERROR_CEASE_COLLISION;
}

static int apply_message(struct changes *c, const struct mrt_record *record)
{
	struct mrt_message m;
	struct bgp_notification fault;
	struct bgp_changes update;
	uint32_t peer;
	if (mrt_message_decode(record, &m) < 0) {
		c->malformed++;
		return 0;
	}
	bool ends = m.type == BGP_MESSAGE_NOTIFICATION && !is_collision(m.body);
	if (!ends && (m.type != BGP_MESSAGE_UPDATE || m.session.sent)) {
		c->passed_over++;
		return 0;
	}
	int r = session_peer(c, &m.session, &peer);
	if (r <= 0)
		return r;
	if (ends)
		return flush(c, peer);
	const struct bgp_update_rules rules = {.as_bytes = m.session.as_bytes, .families = BGP_ALL_FAMILIES,
		.add_path = m.session.add_path ? BGP_ALL_FAMILIES : 0, .tolerant = true};
	if (m.cut || bgp_update_begin(m.body, &rules, &update, &fault) < 0) {
		c->malformed++;
		return 0;
	}
	c->malformed += update.severity == BGP_WITHDRAW;
	c->messages++;
	return apply_update(c, &update, peer);
}

static int apply_state(struct changes *c, const struct mrt_record *record)
{
	struct mrt_state s;
	uint32_t peer;
	if (mrt_state_decode(record, &s) < 0) {
		c->malformed++;
		return 0;
	}
	if (s.old_state != STATE_ESTABLISHED || s.new_state == STATE_ESTABLISHED)
		return 0;
	int r = session_peer(c, &s.session, &peer);
	return r <= 0 ? r : flush(c, peer);
}

int changes_apply(struct changes *c, const struct mrt_record *record)
{
	return mrt_kind(record) == MRT_STATE ? apply_state(c, record) : apply_message(c, record);
}

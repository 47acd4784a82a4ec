/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Visits what bgp/ decodes from messages and checks what must hold of it: for fuzz_bgp.c and
 * fuzz_bmp.c. */

#include "bgp/bmp.h"
#include "bgp/fsm.h"
#include "fuzz.h"

/* Goes through a message's changes; each is of a valid prefix, and there are no more than bytes. */
static inline void walk_changes(struct view body, struct bgp_changes *c)
{
	struct bgp_change change;
	size_t n = 0;
	FUZZ_CHECK(c->severity < BGP_RESET && c->end_of_rib < BGP_FAMILIES && c->list_count <= 4);
	while (bgp_update_next(c, &change)) {
		FUZZ_CHECK(change.family < BGP_FAMILIES &&
			   change.prefix.len <= addr_bits(&change.prefix.addr));
		FUZZ_CHECK(change.withdrawn || c->severity < BGP_WITHDRAW);
		FUZZ_CHECK(!change.withdrawn || change.next_hop.family == ADDR_NONE);
		n++;
	}
	FUZZ_CHECK(n <= body.len && (c->end_of_rib < 0 || !n));
	for (unsigned i = 0; i < c->list_count; i++)
		FUZZ_CHECK(rd_done(&c->lists[i].r));
	const struct view views[] = {c->attrs.path, c->attrs.as4_path, c->attrs.communities,
		c->attrs.ext_communities, c->attrs.large_communities, c->attrs.cluster_list,
		c->attrs.mp_next_hop, c->attrs.mp_nlri};
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		FUZZ_CHECK(fuzz_inside(body, views[i]));
}

static inline void walk_update(struct view body, const struct bgp_update_rules *rules)
{
	struct bgp_changes changes;
	struct bgp_notification fault;
	if (bgp_update_begin(body, rules, &changes, &fault) == 0)
		walk_changes(body, &changes);
	else
		FUZZ_CHECK(fault.code == 3);
}

/* What was decoded, encoded and decoded again, is the same. */
static inline void walk_open(struct view body)
{
	uint8_t first[BGP_OPEN_MAX], second[BGP_OPEN_MAX];
	struct bgp_open open, again;
	struct bgp_notification fault;
	struct bgp_message m;
	if (bgp_open_decode(body, &open, &fault) < 0) {
		FUZZ_CHECK(fault.code == 2);
		return;
	}
	struct wr w = wr_make(first, sizeof(first)), w2 = wr_make(second, sizeof(second));
	bgp_open_encode(&w, &open);
	struct rd r = rd_make(first, wr_len(&w));
	FUZZ_CHECK(
		wr_ok(&w) && bgp_message_next(&r, BGP_MESSAGE_MAX, &m, &fault) == 1 && rd_done(&r));
	FUZZ_CHECK(bgp_open_decode(m.body, &again, &fault) == 0);
	bgp_open_encode(&w2, &again);
	FUZZ_CHECK(wr_len(&w) == wr_len(&w2) && !memcmp(first, second, wr_len(&w)));
	FUZZ_CHECK(
		open.as == again.as && bgp_negotiate(&open, &again).families == open.can.families);
}

static inline void walk_notification(struct view outer, const struct bgp_notification *n)
{
	char text[BGP_NOTIFICATION_TEXT_MAX];
	FUZZ_CHECK(fuzz_inside(outer, n->data));
	FUZZ_CHECK(strlen(bgp_notification_format(n, text)) < sizeof(text) - 1);
}

/* mode: how updates are read. */
static inline void walk_message(const struct bgp_message *m, unsigned mode)
{
	struct bgp_update_rules rules = {.as_bytes = mode & 1   ? 0
						     : mode & 2 ? 2
								: 4,
		.families = BGP_ALL_FAMILIES,
		.add_path = mode & 4 ? BGP_ALL_FAMILIES : 0,
		.external = mode & 8,
		.tolerant = mode & 16};
	struct bgp_refresh refresh;
	struct bgp_notification n;
	if (m->type == BGP_MESSAGE_OPEN)
		walk_open(m->body);
	if (m->type == BGP_MESSAGE_UPDATE)
		walk_update(m->body, &rules);
	if (m->type == BGP_MESSAGE_NOTIFICATION && bgp_notification_decode(m->body, &n) == 0)
		walk_notification(m->body, &n);
	if (m->type == BGP_MESSAGE_REFRESH && bgp_refresh_decode(m, &refresh, &n) < 0)
		FUZZ_CHECK(n.code == 7);
}

/* A session of AS 64500 with 64501, or within 64500. */
static inline void walk_session_begin(struct bgp_fsm *f, unsigned mode)
{
	static struct bgp_fsm_config config;
	struct bgp_actions act;
	config = (struct bgp_fsm_config){.local_as = 64500,
		.peer_as = mode & 8 ? 64501 : 64500,
		.local_id = {10, 0, 0, 1},
		.hold_s = 90,
		.offer = bgp_fsm_offer(64500, BGP_ALL_FAMILIES)};
	bgp_fsm_init(f, &config);
	bgp_fsm_connected(f, 1, &act);
	FUZZ_CHECK(f->state == BGP_OPEN_SENT && act.send.len > BGP_HEADER_BYTES);
}

/* Feeds it all there is; returns how it ended. */
static inline enum bgp_down walk_session(struct bgp_fsm *f, struct rd *r)
{
	struct view input = {r->p, rd_left(r)};
	struct bgp_actions act;
	struct bgp_changes changes;
	enum bgp_down down = BGP_DOWN_NOT;
	while (bgp_fsm_input(f, r, 1, &act, &changes)) {
		FUZZ_CHECK(!down && (act.down != BGP_DOWN_NOT) == (f->state == BGP_IDLE));
		FUZZ_CHECK(!act.send.len || act.send.data[18] != BGP_MESSAGE_UPDATE);
		FUZZ_CHECK(act.down || f->state == BGP_OPEN_CONFIRM || f->state == BGP_ESTABLISHED);
		if (act.update)
			walk_changes(input, &changes);
		down = act.down;
	}
	return down;
}

static inline void walk_info(struct view body, const struct bmp_info *info)
{
	const struct view views[] = {
		info->text, info->description, info->name, info->table, info->label};
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		FUZZ_CHECK(fuzz_inside(body, views[i]));
}

static inline void walk_bmp_peer(const struct bmp_peer *peer)
{
	char text[BMP_DISTINGUISHER_TEXT_MAX];
	FUZZ_CHECK(peer->rib < BMP_RIBS && peer->key.bytes[0] == peer->type);
	FUZZ_CHECK(strlen(bmp_distinguisher_format(peer->distinguisher, text)) < sizeof(text) - 1);
}

static inline void walk_bmp_route(const struct bmp_message *m, const struct bmp_add_path *add_path)
{
	struct bmp_route route;
	if (bmp_route_decode(m, &route) < 0)
		return;
	walk_bmp_peer(&route.peer);
	FUZZ_CHECK(fuzz_inside(m->body, route.update));
	struct bgp_update_rules rules = bmp_update_rules(&route.peer, add_path, BGP_ALL_FAMILIES);
	walk_update(route.update, &rules);
}

static inline void walk_bmp_peer_up(const struct bmp_message *m, struct bmp_add_path *ret)
{
	struct bmp_peer_up up;
	if (bmp_peer_up_decode(m, &up) < 0)
		return;
	walk_bmp_peer(&up.peer);
	walk_info(m->body, &up.info);
	FUZZ_CHECK(
		fuzz_inside(m->body, up.sent_message) && fuzz_inside(m->body, up.received_message));
	FUZZ_CHECK(up.sent_message.len >= 29 && up.received_message.len >= 29);
	FUZZ_CHECK((up.add_path.in | up.add_path.out | up.add_path.loc) <= BGP_ALL_FAMILIES);
	*ret = up.add_path;
}

static inline void walk_bmp_lists(const struct bmp_message *m)
{
	struct bmp_stats stats;
	struct bmp_stat stat;
	struct bmp_mirror mirror;
	struct bmp_mirrored piece;
	size_t n = 0;
	if (m->type == BMP_STATISTICS && bmp_stats_begin(m, &stats) == 0)
		while (bmp_stats_next(&stats, &stat) > 0)
			n++;
	if (m->type == BMP_MIRRORING && bmp_mirror_begin(m, &mirror) == 0)
		while (bmp_mirror_next(&mirror, &piece) > 0) {
			FUZZ_CHECK(fuzz_inside(m->body, piece.messages));
			n++;
		}
	FUZZ_CHECK(n * 4 <= m->body.len);
}

static inline void walk_bmp_rest(const struct bmp_message *m)
{
	struct bmp_peer_down down;
	struct bmp_info info;
	struct bmp_termination end;
	if (m->type == BMP_PEER_DOWN && bmp_peer_down_decode(m, &down) == 0) {
		walk_bmp_peer(&down.peer);
		walk_notification(m->body, &down.notification);
		walk_info(m->body, &down.info);
	}
	if (m->type == BMP_INITIATION && bmp_initiation_decode(m, &info) == 0)
		walk_info(m->body, &info);
	if (m->type == BMP_TERMINATION && bmp_termination_decode(m, &end) == 0)
		FUZZ_CHECK(fuzz_inside(m->body, end.text));
}

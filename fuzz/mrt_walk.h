/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Visits everything in an MRT record and checks what must hold of it: for fuzz_mrt.c. */

#include "bgp/mrt.h"
#include "fuzz.h"
#include "route/changes.h"
#include "route/path.h"

static inline void walk_nlri(struct view list, uint16_t afi, bool add_path)
{
	struct rd r = rd_view(list);
	struct bgp_nlri nlri;
	size_t n = 0;
	while (bgp_nlri_next(&r, afi, add_path, &nlri)) {
		struct prefix masked = prefix_make(&nlri.written, nlri.prefix.len);
		FUZZ_CHECK(prefix_equal(&masked, &nlri.prefix));
		n++;
	}
	FUZZ_CHECK(n <= list.len);
}

static inline void walk_attrs(struct view block, unsigned as_bytes, bool dump)
{
	static uint8_t buf[BGP_PATH_MAX];
	struct bgp_attr_rules rules = {.as_bytes = (uint8_t)as_bytes, .dump = dump, .announces = !dump};
	struct bgp_attrs a;
	enum bgp_severity severity = bgp_attrs_decode(block, &rules, &a);
	FUZZ_CHECK(severity <= BGP_RESET && (severity != BGP_FINE || !a.fault));
	const struct view views[] = {a.path, a.as4_path, a.communities, a.ext_communities, a.large_communities,
		a.cluster_list, a.mp_next_hop, a.mp_nlri, a.mp_withdrawn};
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		FUZZ_CHECK(fuzz_inside(block, views[i]));
	struct view path;
	bool merged = bgp_path_merge(&a, buf, sizeof(buf), &path);
	FUZZ_CHECK(merged == bgp_path_valid(a.path, as_bytes));
	FUZZ_CHECK(!merged || (bgp_path_valid(path, 4) && bgp_path_length(path, 4) == bgp_path_length(a.path, as_bytes)));
	(void)bgp_attrs_next_hop(&a);
	walk_nlri(a.mp_nlri, BGP_AFI_IPV6, false);
	walk_nlri(a.mp_withdrawn, BGP_AFI_IPV4, true);
}

static inline void walk_rib(const struct mrt_record *record)
{
	struct mrt_rib rib;
	struct mrt_entry entry;
	size_t n = 0;
	if (mrt_rib_begin(record, &rib) < 0)
		return;
	FUZZ_CHECK(rib.prefix.len <= addr_bits(&rib.prefix.addr));
	FUZZ_CHECK(rib.safi >= 1 && rib.safi <= 3 && rib.afi == (rib.written.family == ADDR_V4 ? 1 : 2));
	while (mrt_rib_next(&rib, &entry) > 0) {
		FUZZ_CHECK(fuzz_inside(record->body, entry.attrs));
		walk_attrs(entry.attrs, 4, true);
		n++;
	}
	FUZZ_CHECK(n <= record->body.len);
}

static inline void walk_message(const struct mrt_record *record)
{
	struct mrt_message m;
	struct bgp_update update;
	if (mrt_message_decode(record, &m) < 0)
		return;
	FUZZ_CHECK(fuzz_inside(record->body, m.body));
	if (!bgp_update_split(m.body, &update))
		return;
	FUZZ_CHECK(update.withdrawn.len + update.attrs.len + update.nlri.len + 4 == m.body.len);
	walk_attrs(update.attrs, m.session.as_bytes, false);
	walk_nlri(update.nlri, BGP_AFI_IPV4, m.session.add_path);
	walk_nlri(update.withdrawn, BGP_AFI_IPV4, m.session.add_path);
}

static inline void walk_peers(const struct mrt_record *record)
{
	struct mrt_peers peers;
	struct mrt_peer peer;
	size_t n = 0;
	if (mrt_peers_begin(record, &peers) < 0)
		return;
	FUZZ_CHECK(fuzz_inside(record->body, peers.view_name));
	while (mrt_peers_next(&peers, &peer) > 0)
		n++;
	FUZZ_CHECK(n <= record->body.len && n <= peers.count);
}

static inline void walk_record(const struct mrt_record *record)
{
	struct mrt_table table;
	struct mrt_state state;
	switch (mrt_kind(record)) {
	case MRT_PEERS:
		walk_peers(record);
		break;
	case MRT_RIB:
		walk_rib(record);
		break;
	case MRT_TABLE:
		if (mrt_table_decode(record, &table) == 0)
			walk_attrs(table.attrs, table.as_bytes, true);
		break;
	case MRT_MESSAGE:
		walk_message(record);
		break;
	case MRT_STATE:
		if (mrt_state_decode(record, &state) == 0)
			FUZZ_CHECK(state.session.peer.family == state.session.local.family);
		break;
	case MRT_OTHER:
		break;
	}
}

/* What messages come to: every change is in the list of one prefix, once for each peer and path. */
static inline void check_changes(const struct changes *c)
{
	uint32_t seen = 0;
	for (uint32_t p = 0; p < c->prefix_count; p++) {
		FUZZ_CHECK(changes_find(c, &c->prefixes[p].prefix) == p);
		for (uint32_t i = c->prefixes[p].first; i != CHANGES_NONE; i = c->list[i].next, seen++) {
			const struct change *change = &c->list[i];
			FUZZ_CHECK(change->peer < c->peers->count && change->epoch <= c->epoch);
			FUZZ_CHECK(changes_replace(c, p, change->peer, change->path_id));
			FUZZ_CHECK(!changes_live(c, change) || path_valid(route_attrs(c->table, change->attrs).path));
		}
	}
	FUZZ_CHECK(seen == c->count && c->count <= c->max);
}

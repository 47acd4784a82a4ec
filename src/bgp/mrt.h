/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* MRT routing information export format (RFC 6396, RFC 8050): the decoder. Pure: no I/O, no malloc,
 * no log; results are scalars and views into the bytes given. Who reads files is bgp/mrt_file.h.
 *
 *     switch (mrt_kind(&record)) {
 *     case MRT_PEERS:
 *             if (mrt_peers_begin(&record, &peers) < 0) ...
 *             while ((r = mrt_peers_next(&peers, &peer)) > 0) ...
 *     case MRT_RIB:
 *             if (mrt_rib_begin(&record, &rib) < 0) ...
 *             while ((r = mrt_rib_next(&rib, &entry)) > 0) ...
 *
 * A function that finds the record malformed returns -EBADMSG; what was decoded before stays good.
 * Addresses are as written: an IPv4-mapped one stays IPv6 here, so that a dump prints as it is. Fold it
 * with addr_from_v6 before comparing with others. */

#include <errno.h>

#include "bgp/message.h"

#define MRT_HEADER_BYTES 12
/* Longest record that is believed; RFC 6396 sets no limit. 65,535 entries of a full kilobyte fit. */
#define MRT_BODY_MAX (64u << 20)

/* RFC 6396 section 4. */
enum mrt_type {
	MRT_TYPE_BGP = 5, /* deprecated; RIS wrote it until 2000 */
	MRT_TYPE_TABLE_DUMP = 12,
	MRT_TYPE_TABLE_DUMP_V2 = 13,
	MRT_TYPE_BGP4MP = 16,
	MRT_TYPE_BGP4MP_ET = 17,
};

/* time (4) | type (2) | subtype (2) | length (4), then for the extended types microseconds (4), which
 * count in the length. */
struct mrt_header {
	uint32_t time; /* seconds since 1970 */
	uint16_t type, subtype;
	uint32_t length;
};
struct mrt_header mrt_header_decode(const uint8_t bytes[static MRT_HEADER_BYTES]);

struct mrt_record {
	uint32_t time;
	uint32_t microseconds; /* as written; 0 where the type has none */
	uint16_t type, subtype;
	struct view body;
};
/* body: header.length bytes. -EBADMSG for an extended type too short to hold its microseconds. */
int mrt_record_init(const struct mrt_header *header, struct view body, struct mrt_record *ret) MUST_USE;

enum mrt_kind {
	MRT_OTHER,   /* nothing that is decoded here */
	MRT_PEERS,   /* TABLE_DUMP_V2 PEER_INDEX_TABLE */
	MRT_RIB,     /* TABLE_DUMP_V2: the tables, multicast, generic and ADD-PATH ones included */
	MRT_TABLE,   /* TABLE_DUMP: one prefix of one peer */
	MRT_MESSAGE, /* BGP4MP, BGP4MP_ET and BGP: a BGP message */
	MRT_STATE,   /* the same types: a change of a session's state */
};
enum mrt_kind mrt_kind(const struct mrt_record *record);

/* PEER_INDEX_TABLE (RFC 6396 section 4.3.1). */
struct mrt_peers {
	uint8_t collector_id[4];
	struct view view_name;
	uint16_t count, left;
	struct rd r;
};
struct mrt_peer {
	struct addr addr;
	uint32_t as;
	uint8_t router_id[4];
};
int mrt_peers_begin(const struct mrt_record *record, struct mrt_peers *ret) MUST_USE;
/* 1: a peer, in the order of their indices; 0: that was all; -EBADMSG. */
int mrt_peers_next(struct mrt_peers *peers, struct mrt_peer *ret) MUST_USE;

/* A prefix with the routes that the peers have for it (sections 4.3.2 to 4.3.4, RFC 8050 section 4). */
struct mrt_rib {
	struct prefix prefix;
	struct addr written; /* the prefix's address with the bits behind its length as written */
	uint16_t afi;        /* BGP_AFI_IPV4 or BGP_AFI_IPV6 */
	uint8_t safi;        /* 1 unicast, 2 multicast, 3 both */
	bool generic;        /* from a RIB_GENERIC record */
	bool add_path;
	bool ids_inside;     /* each entry has a path identifier; else path_id is that of all */
	uint32_t sequence, path_id;
	uint16_t count, left;
	struct rd r;
};
struct mrt_entry {
	uint16_t peer; /* index in the peer table; whether there is such a peer is for the caller to see */
	uint32_t originated; /* seconds since 1970 */
	uint32_t path_id;    /* 0 without ADD-PATH */
	struct view attrs;   /* for bgp_attrs_decode with mrt_dump_rules */
};
/* -EAFNOSUPPORT: a generic table of something else than prefixes. */
int mrt_rib_begin(const struct mrt_record *record, struct mrt_rib *ret) MUST_USE;

/* 1: an entry; 0: that was all; -EBADMSG. Inline, since a reader that wants one peer of forty does
 * little else.
 *
 * peer index (2) | originated (4) | path identifier (4, ADD-PATH only) | length (2) | attributes */
static inline int mrt_rib_next(struct mrt_rib *rib, struct mrt_entry *ret)
{
	if (!rib->left)
		return 0;
	rib->left--;
	struct rd *r = &rib->r;
	ret->peer = rd_u16(r);
	ret->originated = rd_u32(r);
	ret->path_id = rib->ids_inside ? rd_u32(r) : rib->path_id;
	ret->attrs = rd_bytes(r, rd_u16(r));
	return rd_ok(r) ? 1 : -EBADMSG;
}

/* TABLE_DUMP (section 4.2). */
struct mrt_table {
	struct prefix prefix;
	struct addr written;
	struct addr peer;
	uint32_t peer_as, originated;
	uint16_t view, sequence;
	uint8_t as_bytes; /* in attrs; 4 for the subtypes 3 and 4 that some collectors wrote */
	struct view attrs;
};
int mrt_table_decode(const struct mrt_record *record, struct mrt_table *ret) MUST_USE;

/* What a session's message and state records begin with (sections 4.4.1 to 4.4.3, RFC 8050 section 3). */
struct mrt_session {
	uint32_t peer_as, local_as;
	uint16_t interface;
	struct addr peer, local;
	uint8_t as_bytes; /* in the message's attributes */
	bool add_path;
	bool sent; /* by the collector to the peer (the LOCAL subtypes) */
};

struct mrt_message {
	struct mrt_session session;
	uint8_t type;      /* enum bgp_message_type */
	struct view body;  /* behind the BGP header */
	bool cut;          /* the record ends before the message does */
};
int mrt_message_decode(const struct mrt_record *record, struct mrt_message *ret) MUST_USE;

struct mrt_state {
	struct mrt_session session;
	uint16_t old_state, new_state; /* RFC 4271 section 8.2.2: 1 Idle to 6 Established */
};
int mrt_state_decode(const struct mrt_record *record, struct mrt_state *ret) MUST_USE;

/* How to read attributes of a table's entries. */
static inline struct bgp_attr_rules mrt_dump_rules(unsigned as_bytes)
{
	return (struct bgp_attr_rules){.as_bytes = (uint8_t)as_bytes, .dump = true};
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* BGP Monitoring Protocol: RFC 7854, Adj-RIB-Out (RFC 8671) and Loc-RIB (RFC 9069). The decoder.
 * Pure: no I/O, no malloc, no log; results are scalars and views into the message; work linear in
 * its bytes.
 *
 *     while ((got = bmp_message_next(&r, &m)) > 0)
 *             switch (m.type) {
 *             case BMP_PEER_UP:    bmp_peer_up_decode: remember up.add_path under up.peer.key
 *             case BMP_ROUTE:      bmp_route_decode: find the peer by route.peer.key, then
 *                                  bgp_update_begin(route.update, ...) with bmp_update_rules
 *             case BMP_PEER_DOWN:  bmp_peer_down_decode: its routes go stale, in all its RIBs
 *             ...
 *
 * What the station that uses this has to know (what real exporters do is in bmp.c):
 *  - A peer is its key: never its flags, which differ between a Peer Up and the routes. The RIB
 *    that a route belongs to comes from the flags; a peer can have several at once, kept apart. So
 *    a route's place is (key, rib, prefix, path id).
 *  - Which of them is the router's: Loc-RIB where there is one; else of its peers' post-policy,
 *    else pre-policy routes the best (route/best.h has the decision process; best.h's peer is
 *    peer.addr). Adj-RIB-Out is not the router's own table. Distinguishers other than zero, and
 *    Loc-RIB with a distinguisher, are VRFs: tables of their own.
 *  - Routes may come for a peer that never came up (Loc-RIB mostly): make the peer. One may come up
 *    twice: the second time replaces the first. Or go down without having been up: nothing happens.
 *  - End-of-RIB may come once, twice or never; a table that has been quiet for a while is complete
 *    too. After a reconnect some exporters leave out what didn't change, so unseen routes go by
 *    time, not by End-of-RIB alone.
 *  - A peer that only ever sends withdrawals is an FRR without soft-reconfiguration: worth a
 *    warning.
 *  - Reading has to go on while the table works: an exporter cuts off a station that doesn't read.
 *    Nothing is ever sent to it; don't half-close the connection, as some close when that happens.
 *  - The input buffer may start small; when it is full and bmp_message_next wants more, double it,
 *    up to BMP_MESSAGE_MAX. How many peers and tables a router may have is the station's to bound.
 *  - Worth counting: messages by type, malformed ones, changes.severity by attribute,
 *    guessed_as_bytes, guessed_add_path, passed_over, peers up and down by reason.
 *
 * A decoder that finds a message malformed returns -EBADMSG and leaves *ret alone; the next message
 * can be read all the same. */

#include "bgp/open.h"
#include "bgp/update.h"

#define BMP_HEADER_BYTES 6
/* Longest message that is believed: two OPENs, an UPDATE of 64 KiB or a mirrored burst of them fit. */
#define BMP_MESSAGE_MAX (1u << 20)

/* RFC 7854 section 4.1. */
enum bmp_type {
	BMP_ROUTE = 0, /* Route Monitoring */
	BMP_STATISTICS = 1,
	BMP_PEER_DOWN = 2,
	BMP_PEER_UP = 3,
	BMP_INITIATION = 4,
	BMP_TERMINATION = 5,
	BMP_MIRRORING = 6,
};

struct bmp_message {
	uint8_t version, type; /* 3, or 4; types above may come and are to be passed over */
	struct view body;      /* behind the common header */
};
/* Takes one message off a stream. 1: *ret, and r stands behind it. 0: more bytes are needed, and r
 * stands where it stood. -EBADMSG: this is not BMP, or a length that isn't believed: the connection
 * is of no more use. */
int bmp_message_next(struct rd *r, struct bmp_message *ret) MUST_USE;

/* RFC 7854 section 4.2, RFC 9069 section 4.1. */
enum bmp_peer_type {
	BMP_PEER_GLOBAL = 0,
	BMP_PEER_DISTINGUISHED = 1, /* a VRF's: the distinguisher is its route distinguisher */
	BMP_PEER_LOCAL = 2,         /* BIRD 2.19 uses it for all peers */
	BMP_PEER_LOC_RIB = 3,       /* not a peer but a routing table: of the VRF, or global */
};

/* Which table a route is in. */
enum bmp_rib { BMP_IN_PRE, BMP_IN_POST, BMP_OUT_PRE, BMP_OUT_POST, BMP_LOC, BMP_RIBS };

/* What tells one peer from another within a connection: type (1), distinguisher (8), address (16),
 * as received. To be compared and hashed as bytes. */
struct bmp_key {
	uint8_t bytes[25];
};

struct bmp_peer {
	struct bmp_key key;
	uint8_t type;                 /* enum bmp_peer_type, or higher */
	uint8_t rib;                  /* enum bmp_rib; counts for BMP_ROUTE */
	/* A: AS_PATH has two-byte AS numbers. When clear, look at the path */
	bool two_byte_path;
	bool filtered;                /* F, of Loc-RIB: not all of the table is sent */
	uint8_t distinguisher[8];
	struct addr addr;             /* ADDR_NONE: all zero */
	uint32_t as;
	uint8_t id[4];
	/* as written: 0, or nonsense from some; use the time of arrival */
	uint32_t seconds, microseconds;
};
bool bmp_key_equal(const struct bmp_key *a, const struct bmp_key *b);

#define BMP_DISTINGUISHER_TEXT_MAX 24
/* RFC 4364 section 4.2: "64500:1", "192.0.2.1:1"; hexadecimal for other types. Returns buf. */
const char *bmp_distinguisher_format(const uint8_t distinguisher[static 8],
	char buf[static BMP_DISTINGUISHER_TEXT_MAX]);

/* Route Monitoring. */
struct bmp_route {
	struct bmp_peer peer;
	struct view update; /* an UPDATE's body, for bgp_update_begin */
};
int bmp_route_decode(const struct bmp_message *m, struct bmp_route *ret) MUST_USE;

/* What a station remembers of a Peer Up to read the peer's routes: families with path ids, by
 * direction. */
struct bmp_add_path {
	uint8_t in, out, loc;
};
/* How to read a route's update. add_path: NULL for a peer without a Peer Up. families: those
 * wanted. */
struct bgp_update_rules bmp_update_rules(
	const struct bmp_peer *peer, const struct bmp_add_path *add_path, uint8_t families);

struct bmp_tlv {
	uint16_t type;
	struct view value;
};
/* type (2) | length (2) | value. False at the end, and r has failed when one reaches past it. */
bool bmp_tlv_next(struct rd *r, struct bmp_tlv *ret);

/* Information TLVs of Initiation, Peer Up and Peer Down. Texts are as received: not necessarily
 * UTF-8. The first of each kind; empty: there was none. */
struct bmp_info {
	struct view text;        /* 0 */
	struct view description; /* 1: sysDescr */
	struct view name;        /* 2: sysName */
	struct view table;       /* 3: VRF or table name (RFC 9069) */
	struct view label;       /* 4: admin label (RFC 8671) */
};

struct bmp_peer_up {
	struct bmp_peer peer;
	struct addr local; /* ADDR_NONE: all zero */
	uint16_t local_port, remote_port;
	struct view sent_message, received_message; /* the OPENs, header and all */
	bool opens_valid; /* both could be decoded; else sent and received are zero */
	struct bgp_open sent, received; /* sent: by the router. received: from its peer */
	struct bmp_add_path add_path;
	struct bmp_info info;
};
int bmp_peer_up_decode(const struct bmp_message *m, struct bmp_peer_up *ret) MUST_USE;

/* RFC 7854 section 4.9, RFC 9069 section 5.3. */
enum bmp_down_reason {
	BMP_DOWN_LOCAL_NOTIFICATION = 1,
	BMP_DOWN_LOCAL = 2,
	BMP_DOWN_REMOTE_NOTIFICATION = 3,
	BMP_DOWN_REMOTE = 4,
	BMP_DOWN_DECONFIGURED = 5,
	BMP_DOWN_TABLE = 6, /* Loc-RIB: the table is no longer monitored */
};
const char *bmp_down_reason_text(uint8_t reason);

struct bmp_peer_down {
	struct bmp_peer peer;
	uint8_t reason;                       /* enum bmp_down_reason, or anything */
	struct bgp_notification notification; /* code 0: none, or not readable */
	uint16_t fsm_event;                   /* of BMP_DOWN_LOCAL: RFC 4271 section 8.1; 0: none */
	struct bmp_info info;                 /* of BMP_DOWN_TABLE */
};
/* What stands behind the reason may be missing or damaged: the peer is down all the same. */
int bmp_peer_down_decode(const struct bmp_message *m, struct bmp_peer_down *ret) MUST_USE;

enum bmp_stat_type {
#define BMP_STAT(name, type, text) BMP_STAT_##name = (type),
#include "bgp/bmp_stats.def"
#undef BMP_STAT
};
struct bmp_stats {
	struct bmp_peer peer;
	uint32_t left; /* as the message says; what is there counts */
	struct rd r;
};
struct bmp_stat {
	uint16_t type; /* enum bmp_stat_type, or anything */
	bool has_family;
	uint16_t afi; /* with has_family */
	uint8_t safi;
	uint64_t value;
};
int bmp_stats_begin(const struct bmp_message *m, struct bmp_stats *ret) MUST_USE;
/* 1: a statistic, those of a size that can't be a number passed over; 0: that was all; -EBADMSG. */
int bmp_stats_next(struct bmp_stats *stats, struct bmp_stat *ret) MUST_USE;
const char *bmp_stat_text(uint16_t type); /* NULL: unknown */

int bmp_initiation_decode(const struct bmp_message *m, struct bmp_info *ret) MUST_USE;

struct bmp_termination {
	bool has_reason;
	uint16_t reason;
	struct view text; /* as received */
};
int bmp_termination_decode(const struct bmp_message *m, struct bmp_termination *ret) MUST_USE;
const char *bmp_termination_text(uint16_t reason);

/* Route Mirroring: messages as they were received by the router, to be looked at, not applied. */
struct bmp_mirror {
	struct bmp_peer peer;
	struct rd r;
};
struct bmp_mirrored {
	struct view messages; /* whole BGP messages, perhaps malformed; empty: */
	uint16_t information; /* 0: the message mirrored is erroneous, 1: messages were lost */
};
int bmp_mirror_begin(const struct bmp_message *m, struct bmp_mirror *ret) MUST_USE;
/* 1: the next piece; 0: that was all; -EBADMSG. */
int bmp_mirror_next(struct bmp_mirror *mirror, struct bmp_mirrored *ret) MUST_USE;

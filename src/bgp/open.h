/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* OPEN messages and what two of them agree on: the session's (bgp/fsm.h) and those in a BMP Peer
 * Up. Pure: no I/O, no malloc, no log; nothing decoded points into the message. */

#include "bgp/message.h"

enum bgp_capability {
#define CAPABILITY(name, code, base, step, severity) BGP_CAPABILITY_##name = (code),
#include "bgp/capabilities.def"
#undef CAPABILITY
};

/* What an OPEN announces. Sets of families name only those taken here. */
struct bgp_capabilities {
	bool multiprotocol; /* any family at all was announced; without, families is IPv4 unicast */
	bool as4, route_refresh, enhanced_refresh, extended_messages;
	uint32_t as4_number; /* with as4 */
	uint8_t families;
	uint8_t add_path_send, add_path_receive;
	uint8_t extended_next_hop; /* prefixes of the family may have an IPv6 next hop */

	bool graceful;              /* RFC 4724: the capability is there, be it without families */
	bool restarting;            /* R: has just restarted */
	bool graceful_notification; /* N of RFC 8538 */
	uint8_t graceful_families;  /* whose routes shall be kept over a restart */
	uint8_t graceful_preserved; /* F: whose forwarding state has been kept */
	uint16_t restart_s;

	uint8_t long_lived_families, long_lived_preserved; /* RFC 9494 */
	uint32_t long_lived_s[BGP_FAMILIES];

	uint16_t unknown;   /* how many other capabilities there were */
	uint16_t malformed; /* how many were of a wrong size and left out */
};

struct bgp_open {
	uint32_t as;       /* of the AS4 capability where there is one */
	uint16_t as_field; /* as written in the fixed part */
	uint16_t hold_s;
	uint8_t id[4];
	struct bgp_capabilities can;
};

/* RFC 4271 section 4.2, RFC 5492, RFC 9072; form only: whether number, identifier and hold time are
 * acceptable is for the session to say. -EBADMSG, and *ret_fault says what to answer. */
int bgp_open_decode(
	struct view body, struct bgp_open *ret, struct bgp_notification *ret_fault) MUST_USE;
/* A whole message. as_field, unknown and malformed don't matter. At most BGP_OPEN_MAX bytes. */
void bgp_open_encode(struct wr *w, const struct bgp_open *open);
#define BGP_OPEN_MAX 128

/* What holds for routes that go from one speaker to another. */
struct bgp_negotiated {
	uint8_t families;
	uint8_t as_bytes;          /* 2 or 4: AS numbers in paths */
	uint8_t add_path;          /* families whose prefixes carry path ids in this direction */
	uint8_t extended_next_hop;
	/* the sender of the routes can be asked for them again */
	bool route_refresh, enhanced_refresh;
	bool external;             /* the two have different AS numbers */
	uint16_t hold_s;           /* 0: no keepalives */

	bool graceful_notification; /* RFC 8538: a NOTIFICATION is survived too */
	/* families whose routes the receiver shall keep when the sender restarts */
	uint8_t graceful;
	/* of these, whose forwarding state the sender kept over its last restart; routes of the
	 * others that were kept have to go at once */
	uint8_t preserved;
	uint16_t restart_s;
};
struct bgp_negotiated bgp_negotiate(const struct bgp_open *from, const struct bgp_open *to);

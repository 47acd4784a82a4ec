/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* An UPDATE as a list of changes: one prefix announced or withdrawn at a time, in the order in
 * which they are to be applied, with RFC 7606 done. For the session (bgp/fsm.h), BMP and MRT's
 * BGP4MP alike. Pure: no I/O, no malloc, no log; the work is linear in the bytes; views point into
 * the message.
 *
 *     if (bgp_update_begin(body, &rules, &changes, &fault) < 0) ...      nothing may be applied
 *     while (bgp_update_next(&changes, &change))
 *             change.withdrawn ? remove : set it, with changes.attrs and change.next_hop
 *
 * The attributes belong to all announced prefixes of the message: whoever keeps routes interns them
 * once, at the first change that is not a withdrawal, for each next hop (there can be two). */

#include "bgp/message.h"

struct bgp_update_rules {
	/* 2 or 4; 0: 4, unless the path can only be read as 2 (BMP, when the exporter doesn't
	 * say) */
	uint8_t as_bytes;
	uint8_t families; /* whose routes are wanted; lists of others are passed over */
	uint8_t add_path; /* families whose prefixes carry path ids */
	bool external;    /* see struct bgp_attr_rules */
	/* there is no session to end (BMP, MRT): a list of prefixes that can't be read as add_path says is read the
	 * other way, for exporters that don't announce what they do; RFC 7606 section 5.2 does not count, nor 3 c for what may be discarded */
	bool tolerant;
};

struct bgp_change {
	struct prefix prefix;
	uint32_t path_id;     /* 0 without ADD-PATH */
	uint8_t family;       /* enum bgp_family */
	bool withdrawn;
	struct addr next_hop; /* of an announced prefix; ADDR_NONE: none that can be read */
};

struct bgp_change_list {
	struct rd r;
	struct addr next_hop;
	uint8_t family;
	bool add_path, withdrawn;
};

struct bgp_changes {
	struct bgp_attrs attrs;
	/* FINE, DISCARD: attrs.fault is missing from attrs. WITHDRAW: what the message announces
	 * comes out as withdrawn. Never RESET */
	enum bgp_severity severity;
	/* the family whose table is complete (RFC 4724 section 2), or -1 */
	int8_t end_of_rib;
	uint8_t passed_over;        /* lists of families not wanted */
	/* rules.as_bytes was 0 and 2 was needed; rules.add_path didn't fit. To be counted */
	bool guessed_as_bytes, guessed_add_path;

	struct bgp_change_list lists[4]; /* from here on for bgp_update_next */
	uint8_t list, list_count;
};

/* Looks at the whole message, so that nothing is handed out of one that can't be trusted. -EBADMSG:
 * the lengths don't add up or a prefix is malformed; a session ends with *ret_fault, a BMP station
 * drops the message and counts it. *ret is written only on success. */
int bgp_update_begin(struct view body, const struct bgp_update_rules *rules,
	struct bgp_changes *ret, struct bgp_notification *ret_fault) MUST_USE;
/* The next change; false: that was all. */
bool bgp_update_next(struct bgp_changes *changes, struct bgp_change *ret);

/* How to read a list of prefixes: as *add_path says, if that goes, or else (tolerant) the other way; false:
 * neither goes. */
bool bgp_nlri_choose(struct view list, uint16_t afi, bool tolerant, bool *add_path);
/* Whether a list of prefixes can be read this way. */
bool bgp_nlri_valid(struct view list, uint16_t afi, bool add_path);

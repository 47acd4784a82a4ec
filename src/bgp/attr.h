/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* BGP path attributes (RFC 4271 section 4.3), as they stand in an UPDATE or in an entry of an MRT
 * file. Pure: no I/O, no malloc, no log. Results are scalars and views into the bytes given, valid as
 * long as those are. The work is linear in the bytes.
 *
 * What is malformed is a result, not an end: the decoder takes what it can, keeps the rest out, and
 * tells the worst severity of RFC 7606 that it met. A live session acts on it; a dump's reader keeps
 * or drops the one route. */

#include "base/address.h"
#include "base/cursor.h"

enum bgp_attr_code {
#define ATTRIBUTE(name, code, flags, rule, size, severity) BGP_ATTR_##name = (code),
#include "bgp/attributes.def"
#undef ATTRIBUTE
};

#define BGP_ATTR_FLAG_OPTIONAL   0x80
#define BGP_ATTR_FLAG_TRANSITIVE 0x40
#define BGP_ATTR_FLAG_EXTENDED   0x10 /* the length has two bytes */

#define BGP_AFI_IPV4 1
#define BGP_AFI_IPV6 2
#define BGP_SAFI_UNICAST 1

#define BGP_AS_TRANS 23456 /* RFC 6793: stands for an AS number that has no two-byte form */

/* RFC 7606 section 2, mildest first. */
enum bgp_severity {
	BGP_FINE,     /* nothing wrong */
	BGP_DISCARD,  /* attribute discard: the route stays, without that attribute */
	BGP_WITHDRAW, /* treat-as-withdraw: the routes of this block are gone */
	BGP_RESET,    /* even the prefixes can't be trusted: the session has to go */
};

/* Where a block of attributes comes from. */
struct bgp_attr_rules {
	uint8_t as_bytes; /* 2 or 4: AS numbers in AS_PATH and AGGREGATOR */
	bool dump;        /* entry of an MRT table: MP_REACH may be abbreviated (RFC 6396 section
	                   * 4.3.4), flags and missing attributes don't matter */
	bool external;    /* eBGP: LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST are discarded */
	bool announces;   /* the UPDATE carries NLRI, so the mandatory attributes must be there */
	bool reported;    /* by a router that has judged it (BMP, MRT): many keep a route with wrong flags of an attribute that may be discarded */
};

struct bgp_attr {
	uint8_t flags, code;
	struct view value;
};

struct bgp_attrs {
	uint64_t present; /* bit `code` for each attribute below that was there and well-formed */
	struct view path; /* AS_PATH and AS4_PATH as received, malformed or not */
	struct view as4_path;
	struct view communities, ext_communities, large_communities, cluster_list;
	struct view mp_next_hop; /* of MP_REACH, as received: 4, 16, 32 bytes, with a zero RD before
	                          * each address 12, 24, 48; anything in a dump */
	struct view mp_nlri, mp_withdrawn;
	uint16_t mp_afi, mp_withdrawn_afi; /* mp_afi is 0 for the abbreviated form of a dump */
	uint8_t mp_safi, mp_withdrawn_safi;
	uint8_t as_bytes;    /* of path: from the rules */
	uint8_t origin_code; /* 0 IGP, 1 EGP, 2 INCOMPLETE, also when absent or none of these */
	bool as4_ignored;    /* RFC 6793 section 4.2.3: AS4_PATH and AS4_AGGREGATOR don't count */
	uint8_t fault;       /* code of the attribute with the worst severity; 0: the list, its framing or what is in it */
	uint32_t med, local_pref;
	uint32_t aggregator_as; /* AS4_AGGREGATOR merged in */
	uint8_t aggregator[4], next_hop[4], originator_id[4];
};

static inline bool bgp_attrs_has(const struct bgp_attrs *a, enum bgp_attr_code code)
{
	return a->present >> code & 1;
}

/* Fills ret from a block of attributes, whatever it holds. Duplicates: the first counts (RFC 7606
 * section 3 g). Optional attributes without a row in attributes.def are passed over. */
enum bgp_severity bgp_attrs_decode(struct view block, const struct bgp_attr_rules *rules, struct bgp_attrs *ret);

/* The next attribute of a block, known or not; false at the end, and r has failed when the framing is
 * broken. */
bool bgp_attr_next(struct rd *r, struct bgp_attr *ret);

/* The next hop of a prefix of this family: MP_REACH's when it has one, NEXT_HOP otherwise; the global
 * address of two; ADDR_NONE: there is none. */
struct addr bgp_attrs_next_hop(const struct bgp_attrs *a);

/* Whole segments of known types, none of them empty, AS numbers of as_bytes. */
bool bgp_path_valid(struct view path, unsigned as_bytes);
/* Path length as the decision process counts (RFC 4271 section 9.1.2.2 a, RFC 5065 section 5.3): a
 * set is 1, confederations are 0. Of a valid path. */
unsigned bgp_path_length(struct view path, unsigned as_bytes);

/* Bytes that bgp_path_merge may need, for a block of at most 64 KiB. */
#define BGP_PATH_MAX (2 * 65536)

/* The path with four-byte AS numbers: AS_PATH itself where it has them; otherwise AS_PATH widened into
 * buf, its tail replaced by AS4_PATH (RFC 6793 section 4.2.3: counted from the right; ignored when it
 * is longer, malformed, or not there; without its confederation segments). False when AS_PATH is malformed, or cap too small. */
bool bgp_path_merge(const struct bgp_attrs *a, uint8_t *buf, size_t cap, struct view *ret) MUST_USE;

/* One prefix out of a list (RFC 4271 section 4.3, RFC 7911 section 3). */
struct bgp_nlri {
	struct prefix prefix;
	struct addr written; /* the prefix's address with the bits behind its length as written */
	uint32_t path_id;    /* 0 without ADD-PATH */
};

/* The next prefix; false at the end, and r has failed when the list is malformed: a length over 32 or
 * 128, or past the end. afi: BGP_AFI_IPV4 or BGP_AFI_IPV6. IPv4-mapped addresses stay IPv6. */
bool bgp_nlri_next(struct rd *r, uint16_t afi, bool add_path, struct bgp_nlri *ret);

/* An UPDATE's body (RFC 4271 section 4.3), behind the message header, cut in three. */
struct bgp_update {
	struct view withdrawn, attrs, nlri;
};
/* False when the lengths don't add up. */
bool bgp_update_split(struct view body, struct bgp_update *ret) MUST_USE;

/* SPDX-License-Identifier: BSD-2-Clause */

/* MRT records.
 *
 * The wire diagrams stand above each decoder. A table's entries are pulled one at a time, so that a
 * reader that wants one peer of forty steps over the others without looking inside: per entry three
 * reads and a skip. Lengths only ever carve smaller parts out of the record.
 *
 * What files in the wild do: entries of more than 64 KiB in one record (RIBs of many peers); an empty
 * peer table (a dump taken before any session was up); host bits set behind the prefix length; TABLE_DUMP
 * with four-byte AS numbers under subtypes 3 and 4; several TABLE_DUMP entries in one record (RIS in
 * 2000: only the first is read, as RFC 6396 knows only one); STATE records with nothing but AS numbers
 * and states (Zebra).
 *
 * Generic tables with ADD-PATH come in two forms: RFC 8050 section 4.2 has one path identifier in front
 * of the prefix, GoBGP and OpenBGPD write one into each entry as in the other ADD-PATH tables. The form
 * whose entries end where the record ends is taken, theirs first.
 *
 * Left out and reported as MRT_OTHER: GEO_PEER_TABLE (RFC 6397), OSPF and IS-IS, the deprecated types
 * but for BGP's updates and states, BGP4MP_ENTRY and BGP4MP_SNAPSHOT.
 *
 * RFC 6396, RFC 8050. */

#include "bgp/mrt.h"

/* TABLE_DUMP_V2 subtypes. */
enum {
	PEER_INDEX_TABLE = 1,
	RIB_IPV4_UNICAST = 2,
	RIB_IPV4_MULTICAST = 3,
	RIB_IPV6_UNICAST = 4,
	RIB_IPV6_MULTICAST = 5,
	RIB_GENERIC = 6,
	RIB_IPV4_UNICAST_ADDPATH = 8,
	RIB_IPV4_MULTICAST_ADDPATH = 9,
	RIB_IPV6_UNICAST_ADDPATH = 10,
	RIB_IPV6_MULTICAST_ADDPATH = 11,
	RIB_GENERIC_ADDPATH = 12,
};

/* Of the deprecated type BGP. */
enum {
	OLD_UPDATE = 1,
	OLD_STATE_CHANGE = 3,
};

/* BGP4MP subtypes. */
enum {
	STATE_CHANGE = 0,
	MESSAGE = 1,
	MESSAGE_AS4 = 4,
	STATE_CHANGE_AS4 = 5,
	MESSAGE_LOCAL = 6,
	MESSAGE_AS4_LOCAL = 7,
	MESSAGE_ADDPATH = 8,
	MESSAGE_AS4_ADDPATH = 9,
	MESSAGE_LOCAL_ADDPATH = 10,
	MESSAGE_AS4_LOCAL_ADDPATH = 11,
};

struct mrt_header mrt_header_decode(const uint8_t bytes[static MRT_HEADER_BYTES])
{
	struct rd r = rd_make(bytes, MRT_HEADER_BYTES);
	struct mrt_header h;
	h.time = rd_u32(&r);
	h.type = rd_u16(&r);
	h.subtype = rd_u16(&r);
	h.length = rd_u32(&r);
	return h;
}

int mrt_record_init(const struct mrt_header *header, struct view body, struct mrt_record *ret)
{
	/* Types that end in _ET (section 3): BGP4MP_ET, ISIS_ET, OSPFv3_ET. */
	bool extended = header->type == MRT_TYPE_BGP4MP_ET || header->type == 33 || header->type == 49;
	struct rd r = rd_view(body);
	uint32_t microseconds = extended ? rd_u32(&r) : 0;
	if (!rd_ok(&r))
		return -EBADMSG;
	*ret = (struct mrt_record){header->time, microseconds, header->type, header->subtype, rd_rest(&r)};
	return 0;
}

static enum mrt_kind bgp4mp_kind(unsigned subtype)
{
	if (subtype == STATE_CHANGE || subtype == STATE_CHANGE_AS4)
		return MRT_STATE;
	if (subtype == MESSAGE || subtype == MESSAGE_AS4)
		return MRT_MESSAGE;
	return subtype >= MESSAGE_LOCAL && subtype <= MESSAGE_AS4_LOCAL_ADDPATH ? MRT_MESSAGE : MRT_OTHER;
}

enum mrt_kind mrt_kind(const struct mrt_record *record)
{
	switch (record->type) {
	case MRT_TYPE_TABLE_DUMP:
		return record->subtype >= 1 && record->subtype <= 4 ? MRT_TABLE : MRT_OTHER;
	case MRT_TYPE_BGP:
		return record->subtype == OLD_UPDATE ? MRT_MESSAGE
			: record->subtype == OLD_STATE_CHANGE ? MRT_STATE : MRT_OTHER;
	case MRT_TYPE_BGP4MP:
	case MRT_TYPE_BGP4MP_ET:
		return bgp4mp_kind(record->subtype);
	case MRT_TYPE_TABLE_DUMP_V2:
		break;
	default:
		return MRT_OTHER;
	}
	if (record->subtype == PEER_INDEX_TABLE)
		return MRT_PEERS;
	bool plain = record->subtype >= RIB_IPV4_UNICAST && record->subtype <= RIB_GENERIC;
	bool add_path = record->subtype >= RIB_IPV4_UNICAST_ADDPATH && record->subtype <= RIB_GENERIC_ADDPATH;
	return plain || add_path ? MRT_RIB : MRT_OTHER;
}

/* An address as written, in a fixed field. */
static struct addr read_addr(struct rd *r, bool ipv6)
{
	struct addr a = {.family = ipv6 ? ADDR_V6 : ADDR_V4};
	rd_copy(r, a.bytes, ipv6 ? 16 : 4);
	return a;
}

/* collector id (4) | view name length (2) | view name | peer count (2) | peers */
int mrt_peers_begin(const struct mrt_record *record, struct mrt_peers *ret)
{
	struct mrt_peers p = {.r = rd_view(record->body)};
	rd_copy(&p.r, p.collector_id, sizeof(p.collector_id));
	p.view_name = rd_bytes(&p.r, rd_u16(&p.r));
	p.count = p.left = rd_u16(&p.r);
	if (!rd_ok(&p.r))
		return -EBADMSG;
	*ret = p;
	return 0;
}

/* type (1): bit 0 IPv6, bit 1 four-byte AS number | router id (4) | address (4 or 16) | AS (2 or 4) */
int mrt_peers_next(struct mrt_peers *peers, struct mrt_peer *ret)
{
	if (!peers->left)
		return 0;
	peers->left--;
	struct mrt_peer p;
	unsigned type = rd_u8(&peers->r);
	rd_copy(&peers->r, p.router_id, sizeof(p.router_id));
	p.addr = read_addr(&peers->r, type & 1);
	p.as = type & 2 ? rd_u32(&peers->r) : rd_u16(&peers->r);
	if (!rd_ok(&peers->r))
		return -EBADMSG;
	*ret = p;
	return 1;
}

/* length (1) | as many bytes as it takes */
static void read_prefix(struct rd *r, struct mrt_rib *rib)
{
	bool ipv6 = rib->afi == BGP_AFI_IPV6;
	unsigned len = rd_u8(r);
	if (len > (ipv6 ? 128 : 32))
		rd_fail(r);
	struct view bytes = rd_bytes(r, (len + 7) / 8);
	if (!rd_ok(r))
		return;
	rib->written = (struct addr){.family = ipv6 ? ADDR_V6 : ADDR_V4};
	if (bytes.len)
		memcpy(rib->written.bytes, bytes.data, bytes.len);
	rib->prefix = prefix_make(&rib->written, len);
}

/* Prefix, entry count (2), entries. False: this is not how the bytes are to be read. */
static bool begin_entries(struct mrt_rib *rib)
{
	read_prefix(&rib->r, rib);
	rib->count = rib->left = rd_u16(&rib->r);
	return rd_ok(&rib->r);
}

/* Whether the entries end where the record does. */
static bool entries_fit(struct mrt_rib rib)
{
	struct mrt_entry entry;
	while (mrt_rib_next(&rib, &entry) > 0)
		;
	return rd_done(&rib.r);
}

static bool begin_generic_add_path(struct mrt_rib *rib)
{
	struct mrt_rib as_entries = *rib, as_nlri = *rib;
	as_entries.ids_inside = true;
	as_nlri.path_id = rd_u32(&as_nlri.r);
	if (begin_entries(&as_entries) && entries_fit(as_entries))
		*rib = as_entries;
	else if (begin_entries(&as_nlri) && entries_fit(as_nlri))
		*rib = as_nlri;
	else
		return false;
	return true;
}

/* sequence (4) | AFI (2) | SAFI (1) | NLRI | entry count (2) | entries */
static int begin_generic(struct mrt_rib *rib)
{
	rib->generic = true;
	rib->afi = rd_u16(&rib->r);
	rib->safi = rd_u8(&rib->r);
	if (!rd_ok(&rib->r))
		return -EBADMSG;
	bool ip = rib->afi == BGP_AFI_IPV4 || rib->afi == BGP_AFI_IPV6;
	if (!ip || rib->safi < 1 || rib->safi > 3)
		return -EAFNOSUPPORT;
	return (rib->add_path ? begin_generic_add_path(rib) : begin_entries(rib)) ? 0 : -EBADMSG;
}

/* sequence (4) | prefix length (1) | prefix (as many bytes as it takes) | entry count (2) | entries */
int mrt_rib_begin(const struct mrt_record *record, struct mrt_rib *ret)
{
	unsigned subtype = record->subtype;
	struct mrt_rib rib = {.r = rd_view(record->body), .add_path = subtype >= RIB_IPV4_UNICAST_ADDPATH};
	if (rib.add_path)
		subtype -= RIB_IPV4_UNICAST_ADDPATH - RIB_IPV4_UNICAST;
	rib.sequence = rd_u32(&rib.r);
	if (subtype == RIB_GENERIC) {
		int r = begin_generic(&rib);
		if (r < 0)
			return r;
	} else {
		rib.afi = subtype >= RIB_IPV6_UNICAST ? BGP_AFI_IPV6 : BGP_AFI_IPV4;
		rib.safi = subtype == RIB_IPV4_MULTICAST || subtype == RIB_IPV6_MULTICAST ? 2 : BGP_SAFI_UNICAST;
		rib.ids_inside = rib.add_path;
		if (!begin_entries(&rib))
			return -EBADMSG;
	}
	*ret = rib;
	return 0;
}

/* view (2) | sequence (2) | prefix (4 or 16) | prefix length (1) | status (1) | originated (4) |
 * peer address (4 or 16) | peer AS (2) | length (2) | attributes */
int mrt_table_decode(const struct mrt_record *record, struct mrt_table *ret)
{
	bool ipv6 = record->subtype == 2 || record->subtype == 4;
	struct mrt_table t = {.as_bytes = record->subtype >= 3 ? 4 : 2};
	struct rd r = rd_view(record->body);
	t.view = rd_u16(&r);
	t.sequence = rd_u16(&r);
	t.written = read_addr(&r, ipv6);
	unsigned len = rd_u8(&r);
	if (len > (ipv6 ? 128 : 32))
		rd_fail(&r);
	rd_skip(&r, 1);
	t.originated = rd_u32(&r);
	t.peer = read_addr(&r, ipv6);
	t.peer_as = t.as_bytes == 4 ? rd_u32(&r) : rd_u16(&r);
	t.attrs = rd_bytes(&r, rd_u16(&r));
	if (!rd_ok(&r))
		return -EBADMSG;
	t.prefix = prefix_make(&t.written, len);
	*ret = t;
	return 0;
}

/* The deprecated type: peer AS (2) | peer address (4) | in messages, local AS (2) | local address (4) */
static struct mrt_session read_old_session(struct rd *r, bool message)
{
	struct mrt_session s = {.as_bytes = 2, .peer_as = rd_u16(r)};
	s.peer = read_addr(r, false);
	s.local_as = message ? rd_u16(r) : 0;
	s.local.family = ADDR_V4;
	if (message)
		s.local = read_addr(r, false);
	return s;
}

/* peer AS | local AS (2 or 4 each) | interface (2) | address family (2) | peer address | local address */
static struct mrt_session read_session(const struct mrt_record *record, struct rd *r)
{
	unsigned subtype = record->subtype;
	struct mrt_session s = {
		.as_bytes = subtype == MESSAGE_AS4 || subtype == STATE_CHANGE_AS4 ||
				subtype == MESSAGE_AS4_LOCAL || subtype == MESSAGE_AS4_ADDPATH ||
				subtype == MESSAGE_AS4_LOCAL_ADDPATH ? 4 : 2,
		.add_path = subtype >= MESSAGE_ADDPATH,
		.sent = subtype == MESSAGE_LOCAL || subtype == MESSAGE_AS4_LOCAL ||
			subtype == MESSAGE_LOCAL_ADDPATH || subtype == MESSAGE_AS4_LOCAL_ADDPATH,
	};
	s.peer_as = s.as_bytes == 4 ? rd_u32(r) : rd_u16(r);
	s.local_as = s.as_bytes == 4 ? rd_u32(r) : rd_u16(r);
	if (subtype == STATE_CHANGE && record->body.len == 8) { /* Zebra: no addresses at all */
		s.peer.family = s.local.family = ADDR_V4;
		return s;
	}
	s.interface = rd_u16(r);
	unsigned afi = rd_u16(r);
	if (afi != BGP_AFI_IPV4 && afi != BGP_AFI_IPV6)
		rd_fail(r);
	s.peer = read_addr(r, afi == BGP_AFI_IPV6);
	s.local = read_addr(r, afi == BGP_AFI_IPV6);
	return s;
}

/* An UPDATE without a message header. */
static int decode_old_message(struct rd *r, struct mrt_message *ret)
{
	struct mrt_message m = {.session = read_old_session(r, true), .type = BGP_MESSAGE_UPDATE};
	m.body = rd_rest(r);
	if (!rd_ok(r))
		return -EBADMSG;
	*ret = m;
	return 0;
}

/* session | marker (16) | length (2), of the message with its header | type (1) | body */
int mrt_message_decode(const struct mrt_record *record, struct mrt_message *ret)
{
	struct rd r = rd_view(record->body);
	if (record->type == MRT_TYPE_BGP)
		return decode_old_message(&r, ret);
	struct mrt_message m = {.session = read_session(record, &r)};
	static const uint8_t marker[16] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		255, 255};
	uint8_t got[16];
	rd_copy(&r, got, sizeof(got));
	unsigned len = rd_u16(&r);
	m.type = rd_u8(&r);
	if (!rd_ok(&r) || memcmp(got, marker, sizeof(marker)) != 0 || len < 19)
		return -EBADMSG;
	len -= 19;
	m.cut = len > rd_left(&r);
	m.body = rd_bytes(&r, m.cut ? rd_left(&r) : len);
	*ret = m;
	return 0;
}

/* session | old state (2) | new state (2) */
int mrt_state_decode(const struct mrt_record *record, struct mrt_state *ret)
{
	struct rd r = rd_view(record->body);
	bool old = record->type == MRT_TYPE_BGP;
	struct mrt_state s = {.session = old ? read_old_session(&r, false) : read_session(record, &r)};
	s.old_state = rd_u16(&r);
	s.new_state = rd_u16(&r);
	if (!rd_ok(&r))
		return -EBADMSG;
	*ret = s;
	return 0;
}

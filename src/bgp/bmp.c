/* SPDX-License-Identifier: BSD-2-Clause */

/* BMP messages.
 *
 *     common header: version (1) | length (4), header included | type (1)
 *     per-peer header, in all but Initiation and Termination (RFC 7854 section 4.2):
 *             type (1) | flags (1) | distinguisher (8) | address (16) | AS (4) | BGP id (4) |
 *             seconds (4) | microseconds (4)
 *
 * A message is carved out by its length, and within it everything again by its own: the OPENs of a
 * Peer Up and the UPDATE of a Route Monitoring go through BGP's own framing. Only a length or
 * version that isn't believed ends a connection; a message that is malformed inside costs that
 * message.
 *
 * What exporters do, and what is made of it:
 *  - FRR and GoBGP send Peer Up with flags 00 and routes with 40; Huawei and Cisco send a second
 *    Peer Up with 40: the flags are not in a peer's key.
 *  - The flags' meaning depends on the type: 80 is V (the address is IPv6) of peers and F
 *    (filtered) of Loc-RIB. Where V is clear and the address needs sixteen bytes, it is IPv6
 *    nonetheless.
 *  - The O flag (Adj-RIB-Out) is for routes and statistics only (RFC 8671 section 5.2); a Peer Up
 *    covers all of a peer's RIBs.
 *  - A (two-byte paths) is trusted when set. When it is clear, paths are looked at (bgp/update.h).
 *  - ADD-PATH is directional: a peer's routes into the router are written as the OPEN received says
 *    "send" and the one sent "receive"; Adj-RIB-Out the other way round. Loc-RIB has no session:
 *    its OPENs are made up (RFC 9069 section 5.1), so any mention of a family in either counts.
 *    What doesn't fit is read the other way (rules.tolerant).
 *  - A Peer Up's OPENs of AS 0, identifier 0.0.0.0 or hold time 1: none of our business. OPENs that
 *    can't be decoded leave the Peer Up valid, without what they would have told.
 *  - LOCAL_PREF in routes of external peers is the router's own, put there by policy: attributes
 *    are read as internal ones always.
 *
 * Version 4 (draft-ietf-grow-bmp-tlv) is let through: what is not a Route Monitoring is the same.
 * Its Route Monitoring is read where the UPDATE comes first and TLVs behind it; else it is
 * malformed here.
 *
 * RFC 7854, 8671, 9069, 4364 section 4.2 (distinguishers).
 *
 * Left out: what draft versions put into TLVs (path status, VRF tables' groups), and statistics
 * whose value isn't a number of 4 or 8 bytes, or 8 with a family. */

#include "bgp/bmp.h"

#include <errno.h>
#include <stdio.h>

enum { FLAG_V = 0x80, FLAG_L = 0x40, FLAG_A = 0x20, FLAG_O = 0x10, FLAG_F = 0x80 };

int bmp_message_next(struct rd *r, struct bmp_message *ret)
{
	if (!rd_more(r))
		return 0;
	struct rd h = *r;
	uint8_t version = rd_u8(&h);
	if (version != 3 && version != 4)
		return -EBADMSG;
	if (rd_left(r) < BMP_HEADER_BYTES)
		return 0;
	uint32_t len = rd_u32(&h);
	uint8_t type = rd_u8(&h);
	if (len < BMP_HEADER_BYTES || len > BMP_MESSAGE_MAX)
		return -EBADMSG;
	if (len > rd_left(r))
		return 0;
	struct view body = rd_bytes(&h, len - BMP_HEADER_BYTES);
	*ret = (struct bmp_message){version, type, body};
	*r = h;
	return 1;
}

/* Sixteen bytes that hold an IPv4 address in the last four, or an IPv6 one. */
static struct addr to_addr(const uint8_t bytes[static 16], bool ipv6)
{
	static const uint8_t zero[16];
	if (!memcmp(bytes, zero, 16))
		return (struct addr){.family = ADDR_NONE};
	if (ipv6 || memcmp(bytes, zero, 12) != 0)
		return addr_from_v6(bytes);
	return addr_from_v4(bytes + 12);
}

static enum bmp_rib rib_of(uint8_t type, uint8_t flags)
{
	if (type == BMP_PEER_LOC_RIB)
		return BMP_LOC;
	if (flags & FLAG_O)
		return flags & FLAG_L ? BMP_OUT_POST : BMP_OUT_PRE;
	return flags & FLAG_L ? BMP_IN_POST : BMP_IN_PRE;
}

/* Whether the peer's addresses are IPv6 ones. */
static bool is_ipv6(uint8_t type, uint8_t flags)
{
	return type != BMP_PEER_LOC_RIB && flags & FLAG_V;
}

static struct bmp_peer read_peer(struct rd *r, bool *ret_ipv6)
{
	struct bmp_peer p = {0};
	uint8_t address[16];
	p.type = rd_u8(r);
	uint8_t flags = rd_u8(r);
	rd_copy(r, p.distinguisher, sizeof(p.distinguisher));
	rd_copy(r, address, sizeof(address));
	p.as = rd_u32(r);
	rd_copy(r, p.id, sizeof(p.id));
	p.seconds = rd_u32(r);
	p.microseconds = rd_u32(r);
	p.rib = (uint8_t)rib_of(p.type, flags);
	p.filtered = p.type == BMP_PEER_LOC_RIB && flags & FLAG_F;
	p.two_byte_path = p.type != BMP_PEER_LOC_RIB && flags & FLAG_A;
	*ret_ipv6 = is_ipv6(p.type, flags);
	p.addr = to_addr(address, *ret_ipv6);
	p.key.bytes[0] = p.type;
	memcpy(p.key.bytes + 1, p.distinguisher, sizeof(p.distinguisher));
	memcpy(p.key.bytes + 9, address, sizeof(address));
	return p;
}

bool bmp_key_equal(const struct bmp_key *a, const struct bmp_key *b)
{
	return !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

const char *bmp_distinguisher_format(const uint8_t distinguisher[static 8],
	char buf[static BMP_DISTINGUISHER_TEXT_MAX])
{
	struct rd r = rd_make(distinguisher, 8);
	unsigned type = rd_u16(&r), high = rd_u16(&r), middle = rd_u16(&r), low = rd_u16(&r);
	unsigned long whole = (unsigned long)middle << 16 | low;
	if (type == 0)
		(void)snprintf(buf, BMP_DISTINGUISHER_TEXT_MAX, "%u:%lu", high, whole);
	else if (type == 1)
		(void)snprintf(buf, BMP_DISTINGUISHER_TEXT_MAX, "%u.%u.%u.%u:%u", high >> 8,
			high & 255, middle >> 8, middle & 255, low);
	else if (type == 2)
		(void)snprintf(buf, BMP_DISTINGUISHER_TEXT_MAX, "%lu:%u",
			(unsigned long)high << 16 | middle, low);
	else
		(void)snprintf(buf, BMP_DISTINGUISHER_TEXT_MAX, "0x%04x%04x%04x%04x", type, high,
			middle, low);
	return buf;
}

/* per-peer header | BGP UPDATE */
int bmp_route_decode(const struct bmp_message *m, struct bmp_route *ret)
{
	struct rd r = rd_view(m->body);
	bool ipv6;
	struct bmp_route route = {.peer = read_peer(&r, &ipv6)};
	struct bgp_message update;
	struct bgp_notification fault;
	if (bgp_message_next(&r, BGP_EXTENDED_MESSAGE_MAX, &update, &fault) <= 0 ||
		update.type != BGP_MESSAGE_UPDATE)
		return -EBADMSG;
	if (rd_more(&r) && m->version < 4)
		return -EBADMSG;
	route.update = update.body;
	*ret = route;
	return 0;
}

struct bgp_update_rules bmp_update_rules(
	const struct bmp_peer *peer, const struct bmp_add_path *add_path, uint8_t families)
{
	static const struct bmp_add_path none;
	const struct bmp_add_path *a = add_path ? add_path : &none;
	bool out = peer->rib == BMP_OUT_PRE || peer->rib == BMP_OUT_POST;
	return (struct bgp_update_rules){
		.as_bytes = peer->two_byte_path ? 2 : 0,
		.families = families,
		.add_path = peer->rib == BMP_LOC ? a->loc : out ? a->out : a->in,
		.tolerant = true,
	};
}

bool bmp_tlv_next(struct rd *r, struct bmp_tlv *ret)
{
	if (!rd_more(r))
		return false;
	ret->type = rd_u16(r);
	ret->value = rd_bytes(r, rd_u16(r));
	return rd_ok(r);
}

static void keep_first(struct view *place, struct view value)
{
	if (!place->len)
		*place = value;
}

static bool read_info(struct rd *r, struct bmp_info *ret)
{
	struct bmp_tlv tlv;
	while (bmp_tlv_next(r, &tlv)) {
		struct view *const places[] = {
			&ret->text, &ret->description, &ret->name, &ret->table, &ret->label};
		if (tlv.type < ARRAY_LEN(places))
			keep_first(places[tlv.type], tlv.value);
	}
	return rd_ok(r);
}

/* An OPEN, carved by its own length. False: there is none. */
static bool read_open(struct rd *r, struct bgp_message *ret)
{
	struct bgp_notification fault;
	return bgp_message_next(r, BGP_EXTENDED_MESSAGE_MAX, ret, &fault) > 0 && ret->type == BGP_MESSAGE_OPEN;
}

static void use_opens(
	const struct bgp_message *sent, const struct bgp_message *received, struct bmp_peer_up *up)
{
	struct bgp_open s, r;
	struct bgp_notification fault;
	if (bgp_open_decode(sent->body, &s, &fault) < 0 ||
		bgp_open_decode(received->body, &r, &fault) < 0)
		return;
	up->opens_valid = true;
	up->sent = s;
	up->received = r;
	up->add_path.in = bgp_negotiate(&r, &s).add_path;
	up->add_path.out = bgp_negotiate(&s, &r).add_path;
	up->add_path.loc = s.can.add_path_send | s.can.add_path_receive | r.can.add_path_send |
			   r.can.add_path_receive;
}

/* per-peer header | local address (16) | local port (2) | remote port (2) | OPEN sent | OPEN
 * received | TLVs */
int bmp_peer_up_decode(const struct bmp_message *m, struct bmp_peer_up *ret)
{
	struct rd r = rd_view(m->body);
	struct bmp_peer_up up = {0};
	struct bgp_message sent, received;
	uint8_t local[16];
	bool ipv6;
	up.peer = read_peer(&r, &ipv6);
	rd_copy(&r, local, sizeof(local));
	up.local = to_addr(local, ipv6);
	up.local_port = rd_u16(&r);
	up.remote_port = rd_u16(&r);
	if (!read_open(&r, &sent) || !read_open(&r, &received))
		return -EBADMSG;
	up.sent_message = sent.whole;
	up.received_message = received.whole;
	use_opens(&sent, &received, &up);
	if (!read_info(&r, &up.info))
		return -EBADMSG;
	*ret = up;
	return 0;
}

static void read_notification(struct rd *r, struct bgp_notification *ret)
{
	struct bgp_message message;
	struct bgp_notification fault;
	if (bgp_message_next(r, BGP_EXTENDED_MESSAGE_MAX, &message, &fault) <= 0 ||
		message.type != BGP_MESSAGE_NOTIFICATION)
		return;
	if (bgp_notification_decode(message.body, ret) < 0)
		ret->code = 0;
}

/* per-peer header | reason (1) | NOTIFICATION, FSM event (2), TLVs or nothing */
int bmp_peer_down_decode(const struct bmp_message *m, struct bmp_peer_down *ret)
{
	struct rd r = rd_view(m->body);
	bool ipv6;
	struct bmp_peer_down down = {.peer = read_peer(&r, &ipv6)};
	down.reason = rd_u8(&r);
	if (!rd_ok(&r))
		return -EBADMSG;
	switch (down.reason) {
	case BMP_DOWN_LOCAL_NOTIFICATION:
	case BMP_DOWN_REMOTE_NOTIFICATION:
		read_notification(&r, &down.notification);
		break;
	case BMP_DOWN_LOCAL:
		down.fsm_event = rd_u16(&r);
		break;
	case BMP_DOWN_TABLE:
		(void)read_info(&r, &down.info);
		break;
	}
	*ret = down;
	return 0;
}

const char *bmp_down_reason_text(uint8_t reason)
{
	static const char *const texts[] = {
		[BMP_DOWN_LOCAL_NOTIFICATION] = "the router closed the session with a NOTIFICATION",
		[BMP_DOWN_LOCAL] = "the router closed the session",
		[BMP_DOWN_REMOTE_NOTIFICATION] = "the peer closed the session with a NOTIFICATION",
		[BMP_DOWN_REMOTE] = "the peer closed the session",
		[BMP_DOWN_DECONFIGURED] = "the router stopped monitoring the peer",
		[BMP_DOWN_TABLE] = "the router stopped monitoring the table",
	};
	return reason < ARRAY_LEN(texts) && texts[reason] ? texts[reason] : "for a reason unknown";
}

/* per-peer header | count (4) | type (2), length (2), value, again and again */
int bmp_stats_begin(const struct bmp_message *m, struct bmp_stats *ret)
{
	struct rd r = rd_view(m->body);
	bool ipv6;
	struct bmp_stats stats = {.peer = read_peer(&r, &ipv6)};
	stats.left = rd_u32(&r);
	if (!rd_ok(&r))
		return -EBADMSG;
	stats.r = r;
	*ret = stats;
	return 0;
}

static bool read_stat(const struct bmp_tlv *tlv, struct bmp_stat *ret)
{
	struct rd r = rd_view(tlv->value);
	*ret = (struct bmp_stat){.type = tlv->type, .has_family = tlv->value.len == 11};
	if (ret->has_family) {
		ret->afi = rd_u16(&r);
		ret->safi = rd_u8(&r);
	}
	ret->value = rd_left(&r) == 4 ? rd_u32(&r) : rd_u64(&r);
	return rd_done(&r);
}

int bmp_stats_next(struct bmp_stats *stats, struct bmp_stat *ret)
{
	struct bmp_tlv tlv;
	while (stats->left && bmp_tlv_next(&stats->r, &tlv)) {
		struct bmp_stat stat;
		stats->left--;
		if (!read_stat(&tlv, &stat))
			continue;
		*ret = stat;
		return 1;
	}
	return rd_ok(&stats->r) ? 0 : -EBADMSG;
}

const char *bmp_stat_text(uint16_t type)
{
	switch (type) {
#define BMP_STAT(name, type, text) \
	case BMP_STAT_##name:      \
		return text;
#include "bgp/bmp_stats.def"
#undef BMP_STAT
	}
	return NULL;
}

int bmp_initiation_decode(const struct bmp_message *m, struct bmp_info *ret)
{
	struct rd r = rd_view(m->body);
	struct bmp_info info = {0};
	if (!read_info(&r, &info))
		return -EBADMSG;
	*ret = info;
	return 0;
}

/* TLVs: 0 text, 1 reason (2) */
int bmp_termination_decode(const struct bmp_message *m, struct bmp_termination *ret)
{
	struct rd r = rd_view(m->body);
	struct bmp_termination t = {0};
	struct bmp_tlv tlv;
	while (bmp_tlv_next(&r, &tlv)) {
		struct rd value = rd_view(tlv.value);
		if (tlv.type == 0) {
			keep_first(&t.text, tlv.value);
		} else if (tlv.type == 1 && tlv.value.len == 2 && !t.has_reason) {
			t.has_reason = true;
			t.reason = rd_u16(&value);
		}
	}
	if (!rd_ok(&r))
		return -EBADMSG;
	*ret = t;
	return 0;
}

const char *bmp_termination_text(uint16_t reason)
{
	static const char *const texts[] = {"administratively closed", "unspecified",
		"out of resources", "redundant connection", "permanently administratively closed"};
	return reason < ARRAY_LEN(texts) ? texts[reason] : "for a reason unknown";
}

int bmp_mirror_begin(const struct bmp_message *m, struct bmp_mirror *ret)
{
	struct rd r = rd_view(m->body);
	bool ipv6;
	struct bmp_mirror mirror = {.peer = read_peer(&r, &ipv6)};
	if (!rd_ok(&r))
		return -EBADMSG;
	mirror.r = r;
	*ret = mirror;
	return 0;
}

/* TLVs: 0 BGP message, 1 information (2) */
int bmp_mirror_next(struct bmp_mirror *mirror, struct bmp_mirrored *ret)
{
	struct bmp_tlv tlv;
	while (bmp_tlv_next(&mirror->r, &tlv)) {
		struct rd value = rd_view(tlv.value);
		if (tlv.type == 0 && tlv.value.len)
			*ret = (struct bmp_mirrored){.messages = tlv.value};
		else if (tlv.type == 1 && tlv.value.len == 2)
			*ret = (struct bmp_mirrored){.information = rd_u16(&value)};
		else
			continue;
		return 1;
	}
	return rd_ok(&mirror->r) ? 0 : -EBADMSG;
}

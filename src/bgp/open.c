/* SPDX-License-Identifier: BSD-2-Clause */

/* OPEN, its capabilities, and what two OPENs agree on.
 *
 * The optional parameters are carved one by one, and each capability within. capabilities.def says
 * which sizes are right. A capability that decides how routes are read (families, AS numbers, path
 * ids) and has a wrong size makes the OPEN malformed; any other is left out and counted. Several of
 * one kind add up, except graceful restart and long-lived graceful restart, whose last one counts
 * (RFC 4724 section 3). The parameters may be one per capability (FRR) or one for all (BIRD); RFC
 * 9072's longer form is told by its first parameter's type, 255.
 *
 * Negotiation is by direction: bgp_negotiate(from, to) tells how routes that go from one to the
 * other are written. A session asks it for (the neighbour, us), BMP for (the OPEN received, the
 * OPEN sent) or, of Adj-RIB-Out, the other way round.
 *
 * RFC 4271 section 4.2, 5492 and 9072 (parameters), 4760, 2918, 7313, 8950, 8654, 4724, 8538, 6793,
 * 7911, 9494 (capabilities).
 *
 * Left out: families other than IPv4 and IPv6 unicast, roles (RFC 9234), and encoding more than 255
 * bytes of parameters, which ours never have. */

#include "bgp/open.h"

#include <errno.h>

#define NOTHING ((struct view){NULL, 0})

static int refuse(enum bgp_error error, struct view data, struct bgp_notification *ret_fault)
{
	*ret_fault = bgp_fault(error, data);
	return -EBADMSG;
}

/* The bit of a family, 0 for one that isn't taken. */
static uint8_t family_bit(uint16_t afi, uint8_t safi)
{
	int family = bgp_family(afi, safi);
	return (uint8_t)(family < 0 ? 0 : 1u << family);
}

/* RFC 4760 section 8: AFI (2) | reserved (1) | SAFI (1) */
static void take_multiprotocol(struct rd *r, struct bgp_capabilities *can)
{
	uint16_t afi = rd_u16(r);
	rd_skip(r, 1);
	can->families |= family_bit(afi, rd_u8(r));
	can->multiprotocol = true;
}

/* RFC 8950 section 4: prefix AFI (2) | prefix SAFI (2) | next hop AFI (2), again and again */
static void take_extended_next_hop(struct rd *r, struct bgp_capabilities *can)
{
	while (rd_more(r)) {
		uint16_t afi = rd_u16(r), safi = rd_u16(r), next_hop = rd_u16(r);
		if (safi <= UINT8_MAX && next_hop == BGP_AFI_IPV6)
			can->extended_next_hop |= family_bit(afi, (uint8_t)safi);
	}
}

/* RFC 4724 section 3, RFC 8538 section 2: flags R, N, time (4 + 12 bits), then AFI (2) | SAFI (1) |
 * flags (1) */
static void take_graceful(struct rd *r, struct bgp_capabilities *can)
{
	uint16_t head = rd_u16(r);
	can->graceful = true;
	can->restarting = head & 0x8000;
	can->graceful_notification = head & 0x4000;
	can->restart_s = head & 0xfff;
	can->graceful_families = can->graceful_preserved = 0;
	while (rd_more(r)) {
		uint16_t afi = rd_u16(r);
		uint8_t bit = family_bit(afi, rd_u8(r));
		can->graceful_families |= bit;
		if (rd_u8(r) & 0x80)
			can->graceful_preserved |= bit;
	}
}

/* RFC 7911 section 4: AFI (2) | SAFI (1) | 1 receive, 2 send, 3 both; of a family named twice the
 * last counts; other values are ignored */
static void take_add_path(struct rd *r, struct bgp_capabilities *can)
{
	while (rd_more(r)) {
		uint16_t afi = rd_u16(r);
		uint8_t bit = family_bit(afi, rd_u8(r)), mode = rd_u8(r);
		if (mode < 1 || mode > 3)
			continue;
		can->add_path_receive =
			(uint8_t)((can->add_path_receive & ~bit) | (mode & 1 ? bit : 0));
		can->add_path_send = (uint8_t)((can->add_path_send & ~bit) | (mode & 2 ? bit : 0));
	}
}

/* RFC 9494 section 3: AFI (2) | SAFI (1) | flags (1) | time (3) */
static void take_long_lived(struct rd *r, struct bgp_capabilities *can)
{
	can->long_lived_families = can->long_lived_preserved = 0;
	memset(can->long_lived_s, 0, sizeof(can->long_lived_s));
	while (rd_more(r)) {
		uint16_t afi = rd_u16(r);
		int family = bgp_family(afi, rd_u8(r));
		uint8_t flags = rd_u8(r);
		uint32_t time_s = (uint32_t)rd_u8(r) << 16;
		time_s |= rd_u16(r);
		if (family < 0)
			continue;
		can->long_lived_families |= (uint8_t)(1u << family);
		if (flags & 0x80)
			can->long_lived_preserved |= (uint8_t)(1u << family);
		can->long_lived_s[family] = time_s;
	}
}

enum wrong_size { IGNORE = 1, REFUSE };

static const struct capability_row {
	uint8_t base, step, wrong_size; /* wrong_size 0: no such row */
} rows[256] = {
#define CAPABILITY(name, code, base, step, wrong_size) [code] = {base, step, wrong_size},
#include "bgp/capabilities.def"
#undef CAPABILITY
};

static bool size_ok(const struct capability_row *row, size_t n)
{
	if (n < row->base)
		return false;
	return row->step ? (n - row->base) % row->step == 0 : n == row->base;
}

/* The value's size is right already. */
static void take_capability(uint8_t code, struct view value, struct bgp_capabilities *can)
{
	struct rd r = rd_view(value);
	switch ((enum bgp_capability)code) {
	case BGP_CAPABILITY_MULTIPROTOCOL:
		take_multiprotocol(&r, can);
		break;
	case BGP_CAPABILITY_ROUTE_REFRESH:
		can->route_refresh = true;
		break;
	case BGP_CAPABILITY_EXTENDED_NEXT_HOP:
		take_extended_next_hop(&r, can);
		break;
	case BGP_CAPABILITY_EXTENDED_MESSAGES:
		can->extended_messages = true;
		break;
	case BGP_CAPABILITY_GRACEFUL_RESTART:
		take_graceful(&r, can);
		break;
	case BGP_CAPABILITY_AS4:
		can->as4 = true;
		can->as4_number = rd_u32(&r);
		break;
	case BGP_CAPABILITY_ADD_PATH:
		take_add_path(&r, can);
		break;
	case BGP_CAPABILITY_ENHANCED_REFRESH:
		can->enhanced_refresh = true;
		break;
	case BGP_CAPABILITY_LONG_LIVED:
		take_long_lived(&r, can);
		break;
	}
}

/* RFC 5492 section 4: code (1) | length (1) | value, again and again */
static bool take_capabilities(struct rd *r, struct bgp_capabilities *can)
{
	while (rd_more(r)) {
		uint8_t code = rd_u8(r);
		struct view value = rd_bytes(r, rd_u8(r));
		const struct capability_row *row = &rows[code];
		if (!rd_ok(r))
			return false;
		if (!row->wrong_size) {
			can->unknown++;
		} else if (size_ok(row, value.len)) {
			take_capability(code, value, can);
		} else {
			can->malformed++;
			if (row->wrong_size == REFUSE)
				return false;
		}
	}
	return true;
}

enum { PARAMETER_CAPABILITIES = 2, PARAMETER_EXTENDED = 255 };

/* The parameters' bytes: length (1) | parameters, or RFC 9072: length (1), not 0 | 255 (1) | length
 * (2) | parameters. They end where the message does. */
static struct rd carve_parameters(struct rd *r, bool *ret_extended)
{
	size_t len = rd_u8(r);
	struct rd peek = *r;
	*ret_extended = len && rd_u8(&peek) == PARAMETER_EXTENDED;
	if (*ret_extended) {
		rd_skip(r, 1);
		len = rd_u16(r);
	}
	struct rd parameters = rd_carve(r, len);
	if (!rd_done(r))
		rd_fail(&parameters);
	return parameters;
}

/* type (1) | length (1, or 2 in the extended form) | value, again and again */
static int take_parameters(
	struct rd *r, struct bgp_capabilities *can, struct bgp_notification *ret_fault)
{
	bool extended;
	struct rd parameters = carve_parameters(r, &extended);
	while (rd_more(&parameters)) {
		uint8_t type = rd_u8(&parameters);
		size_t len = extended ? rd_u16(&parameters) : rd_u8(&parameters);
		struct rd value = rd_carve(&parameters, len);
		if (!rd_ok(&parameters))
			break;
		if (type != PARAMETER_CAPABILITIES)
			return refuse(BGP_ERROR_OPEN_PARAMETER, NOTHING, ret_fault);
		if (!take_capabilities(&value, can))
			return refuse(BGP_ERROR_OPEN, NOTHING, ret_fault);
	}
	return rd_ok(&parameters) ? 0 : refuse(BGP_ERROR_OPEN, NOTHING, ret_fault);
}

/* RFC 4271 section 4.2: version (1) | AS (2) | hold time (2) | identifier (4) | parameters */
int bgp_open_decode(struct view body, struct bgp_open *ret, struct bgp_notification *ret_fault)
{
	static const uint8_t best_version[2] = {0, 4};
	struct rd r = rd_view(body);
	struct bgp_open open = {0};
	uint8_t version = rd_u8(&r);
	open.as = open.as_field = rd_u16(&r);
	open.hold_s = rd_u16(&r);
	rd_copy(&r, open.id, sizeof(open.id));
	if (!rd_more(&r))
		return refuse(BGP_ERROR_OPEN, NOTHING, ret_fault);
	if (version != 4)
		return refuse(BGP_ERROR_OPEN_VERSION, (struct view){best_version, 2}, ret_fault);
	int error = take_parameters(&r, &open.can, ret_fault);
	if (error < 0)
		return error;
	if (!open.can.multiprotocol)
		open.can.families = 1u << BGP_IPV4_UNICAST;
	if (open.can.as4)
		open.as = open.can.as4_number;
	*ret = open;
	return 0;
}

static void put_family(struct wr *w, unsigned family)
{
	wr_u16(w, bgp_family_afi((enum bgp_family)family));
	wr_u8(w, BGP_SAFI_UNICAST);
}

static void put_head(struct wr *w, enum bgp_capability code, size_t n)
{
	wr_u8(w, (uint8_t)code);
	wr_u8(w, (uint8_t)n);
}

/* How many bytes a capability with one element a family has. */
static size_t size_of(size_t base, size_t step, unsigned families)
{
	return base + step * (size_t)__builtin_popcount(families);
}

#define EACH_FAMILY(family, set)                                         \
	for (unsigned family = 0; family < BGP_FAMILIES; family++)       \
		if ((set) >> family & 1)

static void put_graceful(struct wr *w, const struct bgp_capabilities *can)
{
	put_head(w, BGP_CAPABILITY_GRACEFUL_RESTART, size_of(2, 4, can->graceful_families));
	wr_u16(w, (uint16_t)((can->restarting ? 0x8000 : 0) |
			     (can->graceful_notification ? 0x4000 : 0) | (can->restart_s & 0xfff)));
	EACH_FAMILY (family, can->graceful_families) {
		put_family(w, family);
		wr_u8(w, can->graceful_preserved >> family & 1 ? 0x80 : 0);
	}
}

static void put_add_path(struct wr *w, const struct bgp_capabilities *can)
{
	unsigned set = can->add_path_send | can->add_path_receive;
	put_head(w, BGP_CAPABILITY_ADD_PATH, size_of(0, 4, set));
	EACH_FAMILY (family, set) {
		put_family(w, family);
		wr_u8(w, (uint8_t)((can->add_path_receive >> family & 1) |
				   (can->add_path_send >> family & 1) << 1));
	}
}

static void put_long_lived(struct wr *w, const struct bgp_capabilities *can)
{
	put_head(w, BGP_CAPABILITY_LONG_LIVED, size_of(0, 7, can->long_lived_families));
	EACH_FAMILY (family, can->long_lived_families) {
		put_family(w, family);
		wr_u8(w, can->long_lived_preserved >> family & 1 ? 0x80 : 0);
		wr_u8(w, (uint8_t)(can->long_lived_s[family] >> 16));
		wr_u16(w, (uint16_t)can->long_lived_s[family]);
	}
}

static void put_families(struct wr *w, const struct bgp_capabilities *can)
{
	EACH_FAMILY (family, can->multiprotocol ? can->families : 0) {
		put_head(w, BGP_CAPABILITY_MULTIPROTOCOL, 4);
		wr_u16(w, bgp_family_afi((enum bgp_family)family));
		wr_u8(w, 0);
		wr_u8(w, BGP_SAFI_UNICAST);
	}
	if (can->extended_next_hop)
		put_head(
			w, BGP_CAPABILITY_EXTENDED_NEXT_HOP, size_of(0, 6, can->extended_next_hop));
	EACH_FAMILY (family, can->extended_next_hop) {
		wr_u16(w, bgp_family_afi((enum bgp_family)family));
		wr_u16(w, BGP_SAFI_UNICAST);
		wr_u16(w, BGP_AFI_IPV6);
	}
}

static void put_capabilities(struct wr *w, const struct bgp_capabilities *can)
{
	put_families(w, can);
	if (can->route_refresh)
		put_head(w, BGP_CAPABILITY_ROUTE_REFRESH, 0);
	if (can->extended_messages)
		put_head(w, BGP_CAPABILITY_EXTENDED_MESSAGES, 0);
	if (can->graceful)
		put_graceful(w, can);
	if (can->as4) {
		put_head(w, BGP_CAPABILITY_AS4, 4);
		wr_u32(w, can->as4_number);
	}
	if (can->add_path_send | can->add_path_receive)
		put_add_path(w, can);
	if (can->enhanced_refresh)
		put_head(w, BGP_CAPABILITY_ENHANCED_REFRESH, 0);
	if (can->long_lived_families)
		put_long_lived(w, can);
}

void bgp_open_encode(struct wr *w, const struct bgp_open *open)
{
	uint8_t buf[255];
	struct wr can = wr_make(buf, sizeof(buf));
	put_capabilities(&can, &open->can);
	size_t n = wr_len(&can);
	size_t at = bgp_message_begin(w, BGP_MESSAGE_OPEN);
	wr_u8(w, 4);
	wr_u16(w, (uint16_t)(open->as > UINT16_MAX ? BGP_AS_TRANS : open->as));
	wr_u16(w, open->hold_s);
	wr_bytes(w, open->id, sizeof(open->id));
	wr_u8(w, (uint8_t)(n ? n + 2 : 0));
	if (n) {
		wr_u8(w, PARAMETER_CAPABILITIES);
		wr_u8(w, (uint8_t)n);
		wr_bytes(w, buf, n);
	}
	bgp_message_end(w, at);
}

struct bgp_negotiated bgp_negotiate(const struct bgp_open *from, const struct bgp_open *to)
{
	const struct bgp_capabilities *f = &from->can, *t = &to->can;
	struct bgp_negotiated on = {
		.families = f->families & t->families,
		.as_bytes = f->as4 && t->as4 ? 4 : 2,
		.extended_next_hop = f->extended_next_hop & t->extended_next_hop,
		.route_refresh = f->route_refresh,
		.enhanced_refresh = f->enhanced_refresh && t->enhanced_refresh,
		.external = from->as != to->as,
		.hold_s = from->hold_s < to->hold_s ? from->hold_s : to->hold_s,
	};
	on.add_path = f->add_path_send & t->add_path_receive & on.families;
	if (f->graceful && t->graceful) {
		on.graceful_notification = f->graceful_notification && t->graceful_notification;
		on.graceful = f->graceful_families & on.families;
		on.preserved = f->graceful_preserved & on.graceful;
		on.restart_s = f->restart_s;
	}
	return on;
}

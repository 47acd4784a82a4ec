/* SPDX-License-Identifier: BSD-2-Clause */

/* Path attributes.
 *
 * A block is a list of flags, code, length, value. attributes.def says per code which flags and size
 * are right and what a wrong size costs; the switch in take() copies the value out. Content rules that
 * fit no table stand there too: path segments, next hop lengths, AGGREGATOR's size. Each attribute is
 * looked at once and each path walked once, so the work is linear.
 *
 * Severities follow RFC 7606 section 7; a broken framing is treat-as-withdraw (section 4) because
 * prefixes of MP_REACH decoded before it are whole. A dump (rules.dump) has no session to reset:
 * its writer may abbreviate MP_REACH to the next hop (RFC 6396 section 4.3.4), told apart by the first
 * octet, a length that is never 0, where the full form begins with an address family below 256. FRR and
 * GoBGP write the full form, BIRD and OpenBGPD the short one.
 *
 * An attribute that nobody here knows and that is not marked optional is either an optional one with wrong flags or a
 * well-known one, for which RFC 4271 section 6.3 would end the session: treat-as-withdraw, as for other wrong flags.
 *
 * Two-byte AS numbers (RFC 6793): AS_PATH holds 23456 for what does not fit, AS4_PATH the true tail.
 * bgp_path_merge keeps as much of AS_PATH's head as AS4_PATH lacks; confederation segments have no place in AS4_PATH
 * and are left out of it (section 6).
 *
 * Left out: attributes that whereto has no use for (DPA, PMSI tunnel, AIGP, ...), flowspec and VPN
 * NLRI, whose bytes stay reachable as mp_nlri. */

#include "bgp/attr.h"

enum size_rule { FIXED, MULTIPLE, FREE };
enum { OPTIONAL = BGP_ATTR_FLAG_OPTIONAL, TRANSITIVE = BGP_ATTR_FLAG_TRANSITIVE, BOTH = OPTIONAL | TRANSITIVE };

static const struct attr_row {
	uint8_t known, flags, rule, size, severity;
} rows[64] = {
#define ATTRIBUTE(name, code, flags, rule, size, severity) [code] = {1, flags, rule, size, BGP_##severity},
#include "bgp/attributes.def"
#undef ATTRIBUTE
};

bool bgp_attr_next(struct rd *r, struct bgp_attr *ret)
{
	if (!rd_more(r))
		return false;
	ret->flags = rd_u8(r);
	ret->code = rd_u8(r);
	size_t len = ret->flags & BGP_ATTR_FLAG_EXTENDED ? rd_u16(r) : rd_u8(r);
	ret->value = rd_bytes(r, len);
	return rd_ok(r);
}

static bool next_hop_size_ok(size_t n)
{
	return n == 4 || n == 16 || n == 32 || n == 12 || n == 24 || n == 48;
}

/* RFC 4760 section 3:
 *
 *     AFI (2) | SAFI (1) | next hop length (1) | next hop | reserved (1) | NLRI
 *
 * RFC 6396 section 4.3.4: next hop length (1) | next hop. The reserved octet was a count of SNPAs
 * once and is ignored. */
static enum bgp_severity take_mp_reach(struct view value, bool dump, struct bgp_attrs *ret)
{
	struct rd r = rd_view(value);
	if (dump && value.len && value.data[0]) {
		struct view next_hop = rd_bytes(&r, rd_u8(&r));
		if (!rd_ok(&r))
			return BGP_DISCARD;
		ret->mp_next_hop = next_hop;
		return BGP_FINE;
	}
	uint16_t afi = rd_u16(&r);
	uint8_t safi = rd_u8(&r);
	struct view next_hop = rd_bytes(&r, rd_u8(&r));
	if (!dump || rd_more(&r))
		(void)rd_u8(&r);
	if (!rd_ok(&r))
		return dump ? BGP_DISCARD : BGP_RESET;
	bool ip = afi == BGP_AFI_IPV4 || afi == BGP_AFI_IPV6;
	if (!dump && ip && safi == BGP_SAFI_UNICAST && !next_hop_size_ok(next_hop.len))
		return BGP_RESET;
	ret->mp_afi = afi;
	ret->mp_safi = safi;
	ret->mp_next_hop = next_hop;
	ret->mp_nlri = rd_rest(&r);
	return BGP_FINE;
}

static enum bgp_severity take_mp_unreach(struct view value, struct bgp_attrs *ret)
{
	struct rd r = rd_view(value);
	uint16_t afi = rd_u16(&r);
	uint8_t safi = rd_u8(&r);
	if (!rd_ok(&r))
		return BGP_RESET;
	ret->mp_withdrawn_afi = afi;
	ret->mp_withdrawn_safi = safi;
	ret->mp_withdrawn = rd_rest(&r);
	return BGP_FINE;
}

/* RFC 4271 section 4.3 g, RFC 6793 section 3. An AS number of 0 is let through: seen in the wild, and
 * whoever looks at routes wants to see it (RFC 7607 speaks to routers). */
static enum bgp_severity take_aggregator(struct view value, unsigned as_bytes, struct bgp_attrs *ret)
{
	struct rd r = rd_view(value);
	uint32_t as = as_bytes == 4 ? rd_u32(&r) : rd_u16(&r);
	struct view address = rd_bytes(&r, 4);
	if (!rd_done(&r))
		return BGP_DISCARD;
	ret->aggregator_as = as;
	memcpy(ret->aggregator, address.data, 4);
	return BGP_FINE;
}

static uint32_t value_u32(struct view value)
{
	struct rd r = rd_view(value);
	return rd_u32(&r);
}

struct decoder {
	const struct bgp_attr_rules *rules;
	struct view as4_aggregator;
	struct bgp_attrs *ret;
};

/* The value's size is right already. */
static enum bgp_severity take(struct decoder *d, uint8_t code, struct view value)
{
	struct bgp_attrs *ret = d->ret;
	switch ((enum bgp_attr_code)code) {
	case BGP_ATTR_ORIGIN:
		ret->origin_code = value.data[0] < 2 ? value.data[0] : 2;
		return value.data[0] <= 2 ? BGP_FINE : BGP_WITHDRAW;
	case BGP_ATTR_AS_PATH:
		ret->path = value;
		return bgp_path_valid(value, ret->as_bytes) ? BGP_FINE : BGP_WITHDRAW;
	case BGP_ATTR_NEXT_HOP:
		memcpy(ret->next_hop, value.data, 4);
		return BGP_FINE;
	case BGP_ATTR_MED:
		ret->med = value_u32(value);
		return BGP_FINE;
	case BGP_ATTR_LOCAL_PREF:
		ret->local_pref = value_u32(value);
		return BGP_FINE;
	case BGP_ATTR_ATOMIC_AGGREGATE:
		return BGP_FINE;
	case BGP_ATTR_AGGREGATOR:
		/* OpenBGPD writes four-byte AS numbers here into dumps whose paths have two. */
		return take_aggregator(value, d->rules->dump && value.len == 8 ? 4 : ret->as_bytes, ret);
	case BGP_ATTR_COMMUNITIES:
		ret->communities = value;
		return BGP_FINE;
	case BGP_ATTR_ORIGINATOR_ID:
		memcpy(ret->originator_id, value.data, 4);
		return BGP_FINE;
	case BGP_ATTR_CLUSTER_LIST:
		ret->cluster_list = value;
		return BGP_FINE;
	case BGP_ATTR_MP_REACH:
		return take_mp_reach(value, d->rules->dump, ret);
	case BGP_ATTR_MP_UNREACH:
		return take_mp_unreach(value, ret);
	case BGP_ATTR_EXT_COMMUNITIES:
		ret->ext_communities = value;
		return BGP_FINE;
	case BGP_ATTR_AS4_PATH:
		ret->as4_path = value;
		return bgp_path_valid(value, 4) ? BGP_FINE : BGP_DISCARD;
	case BGP_ATTR_AS4_AGGREGATOR:
		d->as4_aggregator = value;
		return BGP_FINE;
	case BGP_ATTR_LARGE_COMMUNITIES:
		ret->large_communities = value;
		return BGP_FINE;
	}
	return BGP_FINE;
}

/* Not to be looked at when it comes from another AS (RFC 7606 sections 7.5, 7.9, 7.10). */
static bool is_internal(uint8_t code)
{
	return code == BGP_ATTR_LOCAL_PREF || code == BGP_ATTR_ORIGINATOR_ID || code == BGP_ATTR_CLUSTER_LIST;
}

static enum bgp_severity take_checked(struct decoder *d, const struct bgp_attr *attr)
{
	const struct attr_row *row = &rows[attr->code];
	if (!d->rules->dump && ((attr->flags ^ row->flags) & BOTH)) {
		/* The prefixes in it are needed to withdraw them. */
		if (row->severity == BGP_RESET && take(d, attr->code, attr->value) == BGP_RESET)
			return BGP_RESET;
		return d->rules->reported && row->severity == BGP_DISCARD ? BGP_DISCARD : BGP_WITHDRAW;
	}
	if (d->rules->external && is_internal(attr->code))
		return BGP_DISCARD;
	if (row->rule == FIXED && attr->value.len != row->size)
		return row->severity;
	if (row->rule == MULTIPLE && (!attr->value.len || attr->value.len % row->size))
		return row->severity;
	return take(d, attr->code, attr->value);
}

/* RFC 6793 section 4.2.3: an AGGREGATOR that is not AS_TRANS was written by someone who did not know
 * of the AS4 attributes, so those are stale. */
static void merge_aggregator(struct decoder *d)
{
	struct bgp_attrs *ret = d->ret;
	if (ret->as_bytes == 4 || !bgp_attrs_has(ret, BGP_ATTR_AGGREGATOR) || !d->as4_aggregator.len)
		return;
	if (ret->aggregator_as != BGP_AS_TRANS) {
		ret->as4_ignored = true;
		return;
	}
	struct rd r = rd_view(d->as4_aggregator);
	ret->aggregator_as = rd_u32(&r);
	rd_copy(&r, ret->aggregator, 4);
}

/* RFC 7606 section 3 d: treat-as-withdraw. NEXT_HOP is needed unless all prefixes are MP_REACH's;
 * announces says that there are others. */
static enum bgp_severity check_missing(const struct bgp_attr_rules *rules, const struct bgp_attrs *a)
{
	uint64_t need = 0;
	if (rules->announces || bgp_attrs_has(a, BGP_ATTR_MP_REACH))
		need = 1u << BGP_ATTR_ORIGIN | 1u << BGP_ATTR_AS_PATH;
	if (rules->announces)
		need |= 1u << BGP_ATTR_NEXT_HOP;
	return need & ~a->present ? BGP_WITHDRAW : BGP_FINE;
}

enum bgp_severity bgp_attrs_decode(struct view block, const struct bgp_attr_rules *rules, struct bgp_attrs *ret)
{
	*ret = (struct bgp_attrs){.as_bytes = rules->as_bytes, .origin_code = 2};
	struct decoder d = {.rules = rules, .ret = ret};
	struct rd r = rd_view(block);
	struct bgp_attr attr;
	enum bgp_severity worst = BGP_FINE;
	uint64_t seen = 0;
	while (bgp_attr_next(&r, &attr)) {
		enum bgp_severity s = BGP_FINE;
		bool known = attr.code < ARRAY_LEN(rows) && rows[attr.code].known;
		uint64_t bit = known ? UINT64_C(1) << attr.code : 0;
		bool twice = seen & bit, mp = attr.code == BGP_ATTR_MP_REACH || attr.code == BGP_ATTR_MP_UNREACH;
		if (!known)
			s = rules->dump || attr.flags & OPTIONAL ? BGP_FINE : BGP_WITHDRAW;
		else if (twice)
			s = mp && !rules->dump ? BGP_RESET : BGP_DISCARD;
		else
			s = take_checked(&d, &attr);
		if (s == BGP_FINE)
			ret->present |= bit;
		seen |= bit;
		if (UNLIKELY(s > worst)) {
			worst = s;
			ret->fault = s == BGP_RESET && twice ? 0 : attr.code;
		}
	}
	merge_aggregator(&d);
	enum bgp_severity s = rd_ok(&r) ? BGP_FINE : BGP_WITHDRAW;
	if (s == BGP_FINE && !rules->dump)
		s = check_missing(rules, ret);
	if (s > worst) {
		worst = s;
		ret->fault = 0;
	}
	return worst;
}

struct addr bgp_attrs_next_hop(const struct bgp_attrs *a)
{
	const uint8_t *p = a->mp_next_hop.data;
	switch (a->mp_next_hop.len) {
	case 4:
		return addr_from_v4(p);
	case 12: /* behind a route distinguisher */
		return addr_from_v4(p + 8);
	case 16:
	case 32: /* and a link-local one */
		return addr_from_v6(p);
	case 24:
	case 48:
		return addr_from_v6(p + 8);
	}
	if (bgp_attrs_has(a, BGP_ATTR_NEXT_HOP))
		return addr_from_v4(a->next_hop);
	return (struct addr){.family = ADDR_NONE};
}

/* RFC 4271 section 4.3 b, RFC 5065 section 3: type (1) | count (1) | count AS numbers. */
enum { SEGMENT_SET = 1, SEGMENT_SEQUENCE = 2, SEGMENT_CONFED_SET = 4 };

static unsigned segment_length(unsigned type, unsigned count)
{
	return type == SEGMENT_SEQUENCE ? count : type == SEGMENT_SET ? 1 : 0;
}

bool bgp_path_valid(struct view path, unsigned as_bytes)
{
	struct rd r = rd_view(path);
	while (rd_more(&r)) {
		unsigned type = rd_u8(&r), count = rd_u8(&r);
		if (type < SEGMENT_SET || type > SEGMENT_CONFED_SET || !count)
			return false;
		rd_skip(&r, (size_t)count * as_bytes);
	}
	return rd_ok(&r);
}

unsigned bgp_path_length(struct view path, unsigned as_bytes)
{
	struct rd r = rd_view(path);
	unsigned length = 0;
	while (rd_more(&r)) {
		unsigned type = rd_u8(&r), count = rd_u8(&r);
		rd_skip(&r, (size_t)count * as_bytes);
		length += segment_length(type, count);
	}
	return length;
}

/* Widens the head of a two-byte path: as many segments and AS numbers as have the given length, and
 * the confederation segments among them or next to them. */
static void widen_head(struct view path, unsigned length, struct wr *w)
{
	struct rd r = rd_view(path);
	while (rd_more(&r)) {
		unsigned type = rd_u8(&r), count = rd_u8(&r);
		struct rd members = rd_carve(&r, (size_t)count * 2);
		unsigned has = segment_length(type, count);
		if (has && !length)
			return;
		if (has > length) {
			count = length;
			has = length;
		}
		length -= has;
		wr_u8(w, (uint8_t)type);
		wr_u8(w, (uint8_t)count);
		for (unsigned i = 0; i < count; i++)
			wr_u32(w, rd_u16(&members));
	}
}

/* AS4_PATH without confederation segments (RFC 6793 section 6). */
static void put_tail(struct view as4_path, struct wr *w)
{
	struct rd r = rd_view(as4_path);
	while (rd_more(&r)) {
		unsigned type = rd_u8(&r), count = rd_u8(&r);
		struct view members = rd_bytes(&r, (size_t)count * 4);
		if (!segment_length(type, count))
			continue;
		wr_u8(w, (uint8_t)type);
		wr_u8(w, (uint8_t)count);
		wr_bytes(w, members.data, members.len);
	}
}

bool bgp_path_merge(const struct bgp_attrs *a, uint8_t *buf, size_t cap, struct view *ret)
{
	if (!bgp_attrs_has(a, BGP_ATTR_AS_PATH) && a->path.len) /* it was there, and malformed */
		return false;
	if (a->as_bytes == 4) {
		*ret = a->path;
		return true;
	}
	struct wr w = wr_make(buf, cap);
	unsigned length = bgp_path_length(a->path, 2), tail = 0;
	bool merge = bgp_attrs_has(a, BGP_ATTR_AS4_PATH) && !a->as4_ignored;
	if (merge)
		tail = bgp_path_length(a->as4_path, 4);
	if (tail > length || !merge) {
		merge = false;
		tail = 0;
	}
	widen_head(a->path, merge ? length - tail : UINT32_MAX, &w);
	if (merge)
		put_tail(a->as4_path, &w);
	if (!wr_ok(&w))
		return false;
	*ret = (struct view){buf, wr_len(&w)};
	return true;
}

bool bgp_nlri_next(struct rd *r, uint16_t afi, bool add_path, struct bgp_nlri *ret)
{
	if (!rd_more(r))
		return false;
	uint32_t path_id = add_path ? rd_u32(r) : 0;
	unsigned len = rd_u8(r);
	if (len > (afi == BGP_AFI_IPV4 ? 32 : 128))
		rd_fail(r);
	struct view bytes = rd_bytes(r, (len + 7) / 8);
	if (!rd_ok(r))
		return false;
	struct addr a = {.family = afi == BGP_AFI_IPV4 ? ADDR_V4 : ADDR_V6};
	if (bytes.len)
		memcpy(a.bytes, bytes.data, bytes.len);
	ret->prefix = prefix_make(&a, len);
	ret->written = a;
	ret->path_id = path_id;
	return true;
}

bool bgp_update_split(struct view body, struct bgp_update *ret)
{
	struct rd r = rd_view(body);
	struct view withdrawn = rd_bytes(&r, rd_u16(&r));
	struct view attrs = rd_bytes(&r, rd_u16(&r));
	if (!rd_ok(&r))
		return false;
	*ret = (struct bgp_update){withdrawn, attrs, rd_rest(&r)};
	return true;
}

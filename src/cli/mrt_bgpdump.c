/* SPDX-License-Identifier: BSD-2-Clause */

/* The lines of `bgpdump -m` (bgpdump 1.6.2), byte for byte, since scripts of twenty years read them:
 *
 *     TABLE_DUMP2|time|B|peer|peer AS|prefix|path|origin|next hop|local pref|MED|communities|AG or NAG|aggregator|
 *     BGP4MP|time|A|... likewise     BGP4MP|time|W|peer|peer AS|prefix     BGP4MP|time|STATE|peer|peer AS|old|new
 *
 * An absent local preference or MED is 0, an absent next hop 255.255.255.255, an absent origin
 * INCOMPLETE. What looks odd below is what that program does:
 * - IPv6 addresses are shortened at the first longest run of zeros even if it is one group long, and ::a.b.c.d is
 *   printed dotted;
 * - a path's text ends in "..." behind 7,900 characters, communities are cut at 8,191;
 * - MP_REACH for IPv4 prints local preference and MED as signed; a next hop of unknown length takes the
 *   fields before it along;
 * - messages of the LOCAL subtypes with ADD-PATH show the local end as the peer;
 * - TABLE_DUMP's IPv6 table with four-byte AS numbers prints addresses as IPv4, from their first bytes;
 * - multicast and generic tables are not printed.
 *
 * What is not imitated, because it is wrong, is listed in docs/mrt.md. */

#include "cli/mrt_row.h"

#define PATH_TEXT_MAX 7900
#define PATH_RESERVE (256u * 1024)
#define COMMUNITIES_TEXT_MAX 8191

static void put_ipv6_groups(struct text *t, const uint8_t *p)
{
	unsigned best = 8, best_len = 0;
	uint16_t group[8];
	for (unsigned i = 0; i < 8; i++)
		group[i] = (uint16_t)(p[2 * i] << 8 | p[2 * i + 1]);
	for (unsigned i = 0, run; i < 8; i += run + 1) {
		for (run = 0; i + run < 8 && !group[i + run]; run++)
			;
		if (run > best_len) {
			best = i;
			best_len = run;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == best) {
			if (!i)
				text_char(t, ':');
			text_char(t, ':');
			i += best_len - 1;
			continue;
		}
		for (int shift = 12; shift >= 0; shift -= 4)
			if (group[i] >> shift || !shift)
				text_char(t, "0123456789abcdef"[group[i] >> shift & 15]);
		if (i != 7)
			text_char(t, ':');
	}
}

static void put_ipv6(struct text *t, const uint8_t p[static 16])
{
	static const uint8_t zeros[12];
	bool zero80 = memcmp(p, zeros, 10) == 0;
	bool mapped = zero80 && p[10] == 0xff && p[11] == 0xff;
	bool compat = zero80 && !p[10] && !p[11] && (p[12] || p[13] || p[14] || p[15] > 1);
	if (!mapped && !compat) {
		put_ipv6_groups(t, p);
		return;
	}
	text_string(t, mapped ? "::ffff:" : "::");
	text_ipv4(t, p + 12);
}

static void put_addr(struct text *t, const struct addr *a)
{
	if (a->family == ADDR_V6)
		put_ipv6(t, a->bytes);
	else
		text_ipv4(t, a->bytes);
}

static void put_members(struct text *t, struct rd *members, unsigned as_bytes, char between, size_t start,
	bool *ret_full)
{
	for (bool first = true; rd_more(members); first = false) {
		if (!first)
			text_char(t, between);
		text_u32(t, as_bytes == 4 ? rd_u32(members) : rd_u16(members));
		if (t->len - start > PATH_TEXT_MAX) {
			text_string(t, "...");
			*ret_full = true;
			return;
		}
	}
}

static void put_path(struct text *t, struct view path, unsigned as_bytes)
{
	static const char open[] = " { ([", close[] = " } )]";
	text_reserve(t, PATH_RESERVE);
	size_t start = t->len;
	struct rd r = rd_view(path);
	unsigned previous = 2;
	bool space = false, full = false;
	while (rd_more(&r)) {
		unsigned type = rd_u8(&r), count = rd_u8(&r);
		struct rd members = rd_carve(&r, (size_t)count * as_bytes);
		if (!rd_ok(&r) || type < 1 || type > 4) {
			t->len = start;
			text_string(t, "! Error !");
			return;
		}
		if (previous != 2)
			text_char(t, close[previous]);
		if (space)
			text_char(t, ' ');
		if (type != 2)
			text_char(t, open[type]);
		space = count > 0;
		put_members(t, &members, as_bytes, type == 1 || type == 4 ? ',' : ' ', start, &full);
		if (full)
			return;
		previous = type;
	}
	if (previous != 2)
		text_char(t, close[previous]);
}

/* Each with a space in front; the first space is dropped. */
static void put_communities(struct text *t, struct view communities)
{
	text_reserve(t, COMMUNITIES_TEXT_MAX + 64);
	size_t start = t->len, limit = start + COMMUNITIES_TEXT_MAX;
	struct rd r = rd_view(communities);
	while (rd_more(&r)) {
		uint32_t c = rd_u32(&r);
		const char *name = c == 0xffffff01 ? " no-export" : c == 0xffffff02 ? " no-advertise" :
			c == 0xffffff03 ? " local-AS" : NULL;
		if (name) {
			if (t->len + strlen(name) <= limit)
				text_string(t, name);
			continue;
		}
		text_char(t, ' ');
		text_u32(t, c >> 16);
		text_char(t, ':');
		text_u32(t, c & 0xffff);
		if (t->len > limit)
			t->len = limit;
	}
	if (t->len > start) {
		memmove(t->buf + start, t->buf + start + 1, t->len - start - 1);
		t->len--;
	}
}

static void put_next_hop(struct text *t, const struct mrt_row *row)
{
	const struct bgp_attrs *a = row->attrs;
	bool unicast = bgp_attrs_has(a, BGP_ATTR_MP_REACH) &&
		(!a->mp_afi || (a->mp_afi <= BGP_AFI_IPV6 && a->mp_safi == BGP_SAFI_UNICAST));
	bool mp = row->source == ROW_MP || (row->source == ROW_RIB && unicast) ||
		(row->source == ROW_TABLE && unicast && a->mp_afi != BGP_AFI_IPV4);
	uint8_t first[16] = {0};
	size_t n = a->mp_next_hop.len;
	if (mp && (n == 4 || n == 16 || n == 32)) {
		memcpy(first, a->mp_next_hop.data, n == 4 ? 4 : 16);
		if (n == 4 && row->source != ROW_TABLE)
			text_ipv4(t, first);
		else
			put_ipv6(t, first);
		return;
	}
	struct addr next_hop = bgp_attrs_next_hop(a);
	if (mp && next_hop.family != ADDR_NONE)
		put_addr(t, &next_hop);
	else if (bgp_attrs_has(a, BGP_ATTR_NEXT_HOP))
		text_ipv4(t, a->next_hop);
	else
		text_string(t, "255.255.255.255");
}

static void put_path_and_origin(struct text *t, const struct mrt_row *row)
{
	static const char *const origins[] = {"IGP", "EGP", "INCOMPLETE"};
	put_path(t, row->path, row->path_broken ? row->attrs->as_bytes : 4);
	text_reserve(t, 512);
	text_char(t, '|');
	text_string(t, origins[row->attrs->origin_code]);
	text_char(t, '|');
}

static void put_next_hop_and_preferences(struct text *t, const struct mrt_row *row, bool as_signed)
{
	const struct bgp_attrs *a = row->attrs;
	uint32_t local_pref = bgp_attrs_has(a, BGP_ATTR_LOCAL_PREF) ? a->local_pref : 0;
	uint32_t med = bgp_attrs_has(a, BGP_ATTR_MED) ? a->med : 0;
	put_next_hop(t, row);
	text_char(t, '|');
	if (as_signed)
		text_i32(t, (int32_t)local_pref);
	else
		text_u32(t, local_pref);
	text_char(t, '|');
	if (as_signed)
		text_i32(t, (int32_t)med);
	else
		text_u32(t, med);
	text_char(t, '|');
}

static void put_attrs(struct text *t, const struct mrt_row *row)
{
	const struct bgp_attrs *a = row->attrs;
	size_t n = a->mp_next_hop.len;
	bool odd = row->source == ROW_MP && n != 4 && n != 16 && n != 32;
	bool mp4 = row->source == ROW_MP && row->written.family == ADDR_V4;
	if (!odd || mp4)
		put_path_and_origin(t, row);
	if (!odd)
		put_next_hop_and_preferences(t, row, mp4);
	put_communities(t, a->communities);
	text_reserve(t, 64);
	text_string(t, bgp_attrs_has(a, BGP_ATTR_ATOMIC_AGGREGATE) ? "|AG|" : "|NAG|");
	static const uint8_t none[4] = {255, 255, 255, 255};
	if (bgp_attrs_has(a, BGP_ATTR_AGGREGATOR) && memcmp(a->aggregator, none, 4) != 0) {
		text_u32(t, a->aggregator_as);
		text_char(t, ' ');
		text_ipv4(t, a->aggregator);
	}
	text_char(t, '|');
}

static void put_time(struct text *t, const struct mrt_record *record)
{
	text_u32(t, record->time);
	if (record->type == MRT_TYPE_BGP4MP_ET) {
		text_char(t, '.');
		text_u32_six(t, record->microseconds);
	}
}

static void put_tag(struct text *t, const struct mrt_row *row)
{
	if (row->source == ROW_RIB) {
		text_string(t, row->add_path ? "TABLE_DUMP2_AP" : "TABLE_DUMP2");
		return;
	}
	if (row->source == ROW_TABLE) {
		text_string(t, "TABLE_DUMP");
		return;
	}
	if (row->record->type == MRT_TYPE_BGP) {
		text_string(t, "BGP");
		return;
	}
	text_string(t, row->record->type == MRT_TYPE_BGP4MP_ET ? "BGP4MP_ET" : "BGP4MP");
	if (row->session->sent && !row->add_path)
		text_string(t, "_LOCAL");
	if (row->add_path)
		text_string(t, "_AP");
}

static void put_peer(struct text *t, const struct mrt_row *row)
{
	struct addr peer = row->peer;
	uint32_t as = row->peer_as;
	if (row->session && row->session->sent && row->add_path) {
		peer = row->session->local;
		as = row->session->local_as;
	}
	if (row->source == ROW_TABLE && row->record->subtype == 4)
		peer.family = ADDR_V4;
	if (row->withdrawn && row->source == ROW_MP && row->written.family == ADDR_V6 && row->session->sent &&
		!row->add_path)
		peer.family = ADDR_V6;
	put_addr(t, &peer);
	text_char(t, '|');
	text_u32(t, as);
	text_char(t, '|');
}

/* Multicast and generic tables are passed over, as bgpdump does. */
static bool is_shown(const struct mrt_row *row)
{
	return row->source != ROW_RIB || (row->safi == BGP_SAFI_UNICAST && !row->generic);
}

static void put_row(struct text *t, const struct mrt_row *row)
{
	if (!is_shown(row))
		return;
	text_reserve(t, 512);
	put_tag(t, row);
	text_char(t, '|');
	put_time(t, row->record);
	text_string(t, row->withdrawn ? "|W|" : row->source <= ROW_TABLE ? "|B|" : "|A|");
	put_peer(t, row);
	struct addr prefix = row->written;
	if (row->source == ROW_TABLE && row->record->subtype == 4)
		prefix.family = ADDR_V4;
	put_addr(t, &prefix);
	text_char(t, '/');
	text_u32(t, row->len);
	if (row->add_path) {
		text_char(t, '|');
		text_u32(t, row->path_id);
	}
	if (!row->withdrawn) {
		text_char(t, '|');
		put_attrs(t, row);
	}
	text_char(t, '\n');
}

static void put_state(struct text *t, const struct mrt_record *record, const struct mrt_state *state)
{
	text_reserve(t, 512);
	text_string(t, record->type == MRT_TYPE_BGP4MP_ET ? "BGP4MP_ET|" : record->type == MRT_TYPE_BGP ? "BGP|" : "BGP4MP|");
	put_time(t, record);
	text_string(t, "|STATE|");
	put_addr(t, &state->session.peer);
	text_char(t, '|');
	text_u32(t, state->session.peer_as);
	text_char(t, '|');
	text_u32(t, state->old_state);
	text_char(t, '|');
	text_u32(t, state->new_state);
	text_char(t, '\n');
}

const struct mrt_format mrt_format_bgpdump = {.row = put_row, .state = put_state};

/* SPDX-License-Identifier: BSD-2-Clause */

/* `whereto mrt --format json`: one object a line with everything the record says. Keys are always
 * there; null means that the attribute is absent. Attributes that whereto does not know are listed under
 * "unknown" as hexadecimal text, those it knows but found malformed under "malformed". */

#include "cli/mrt_row.h"

#define LIST_RESERVE (400u * 1024)

static void put_key(struct text *t, const char *key)
{
	text_reserve(t, 512);
	text_string(t, ",\"");
	text_string(t, key);
	text_string(t, "\":");
}

static void put_addr(struct text *t, const struct addr *a)
{
	char buf[ADDR_TEXT_MAX];
	if (a->family == ADDR_NONE) {
		text_string(t, "null");
		return;
	}
	text_char(t, '"');
	text_string(t, addr_format(a, buf));
	text_char(t, '"');
}

static void put_number(struct text *t, const char *key, bool known, uint32_t value)
{
	put_key(t, key);
	if (known)
		text_u32(t, value);
	else
		text_string(t, "null");
}

/* "64500 174 {7381,15169}", confederations in () and []. */
static void put_path(struct text *t, struct view path)
{
	static const char open[] = " { ([", close[] = " } )]";
	text_reserve(t, LIST_RESERVE);
	text_char(t, '"');
	struct rd r = rd_view(path);
	for (bool first = true; rd_more(&r); first = false) {
		unsigned type = rd_u8(&r), count = rd_u8(&r);
		if (!first)
			text_char(t, ' ');
		if (type != 2)
			text_char(t, open[type]);
		for (unsigned i = 0; i < count; i++) {
			if (i)
				text_char(t, type == 1 || type == 4 ? ',' : ' ');
			text_u32(t, rd_u32(&r));
		}
		if (type != 2)
			text_char(t, close[type]);
	}
	text_char(t, '"');
}

/* A list of numbers, `words` of `size` bytes joined by colons each; size 0: whole, as hexadecimal. */
static void put_list(struct text *t, const char *key, struct view list, unsigned words, unsigned size)
{
	put_key(t, key);
	if (!list.data) {
		text_string(t, "null");
		return;
	}
	text_reserve(t, LIST_RESERVE);
	text_char(t, '[');
	struct rd r = rd_view(list);
	for (bool first = true; rd_more(&r); first = false) {
		text_string(t, first ? "\"" : ",\"");
		if (!size)
			text_hex(t, rd_bytes(&r, words));
		for (unsigned i = 0; size && i < words; i++) {
			if (i)
				text_char(t, ':');
			text_u32(t, size == 4 ? rd_u32(&r) : rd_u16(&r));
		}
		text_char(t, '"');
	}
	text_char(t, ']');
}

static void put_router_ids(struct text *t, const struct bgp_attrs *a)
{
	put_key(t, "originator_id");
	struct addr id = {.family = ADDR_NONE};
	if (bgp_attrs_has(a, BGP_ATTR_ORIGINATOR_ID))
		id = addr_from_v4(a->originator_id);
	put_addr(t, &id);
	put_key(t, "cluster_list");
	if (!a->cluster_list.data) {
		text_string(t, "null");
		return;
	}
	text_reserve(t, LIST_RESERVE);
	text_char(t, '[');
	struct rd r = rd_view(a->cluster_list);
	for (bool first = true; rd_more(&r); first = false) {
		struct view v = rd_bytes(&r, 4);
		text_string(t, first ? "\"" : ",\"");
		text_ipv4(t, v.data);
		text_char(t, '"');
	}
	text_char(t, ']');
}

static bool is_known(uint8_t code)
{
	switch ((enum bgp_attr_code)code) {
#define ATTRIBUTE(name, code, flags, rule, size, severity) case BGP_ATTR_##name:
#include "bgp/attributes.def"
#undef ATTRIBUTE
		return true;
	}
	return false;
}

/* Attributes that are not shown under a name of their own: unknown ones, or known ones that the decoder
 * kept out. */
static void put_others(struct text *t, const struct mrt_row *row, const char *key, bool known)
{
	put_key(t, key);
	text_char(t, '[');
	struct rd r = rd_view(row->block);
	struct bgp_attr attr;
	for (bool first = true; bgp_attr_next(&r, &attr);) {
		if (is_known(attr.code) != known ||
			(known && bgp_attrs_has(row->attrs, (enum bgp_attr_code)attr.code)))
			continue;
		text_reserve(t, LIST_RESERVE);
		text_string(t, first ? "{\"flags\":" : ",{\"flags\":");
		text_u32(t, attr.flags);
		text_string(t, ",\"code\":");
		text_u32(t, attr.code);
		text_string(t, ",\"value\":\"");
		text_hex(t, attr.value);
		text_string(t, "\"}");
		first = false;
	}
	text_char(t, ']');
}

static void put_aggregator(struct text *t, const struct bgp_attrs *a)
{
	put_key(t, "aggregator");
	if (!bgp_attrs_has(a, BGP_ATTR_AGGREGATOR)) {
		text_string(t, "null");
		return;
	}
	text_string(t, "{\"as\":");
	text_u32(t, a->aggregator_as);
	text_string(t, ",\"address\":\"");
	text_ipv4(t, a->aggregator);
	text_string(t, "\"}");
}

static struct view if_has(const struct bgp_attrs *a, enum bgp_attr_code code, struct view v)
{
	return bgp_attrs_has(a, code) ? v : (struct view){NULL, 0};
}

static struct addr next_hop_of(const struct mrt_row *row)
{
	if (row->source != ROW_NLRI)
		return bgp_attrs_next_hop(row->attrs);
	if (bgp_attrs_has(row->attrs, BGP_ATTR_NEXT_HOP))
		return addr_from_v4(row->attrs->next_hop);
	return (struct addr){.family = ADDR_NONE};
}

static void put_attrs(struct text *t, const struct mrt_row *row)
{
	static const char *const origins[] = {"\"IGP\"", "\"EGP\"", "\"INCOMPLETE\""};
	const struct bgp_attrs *a = row->attrs;
	put_key(t, "path");
	if (row->path_broken || !bgp_attrs_has(a, BGP_ATTR_AS_PATH))
		text_string(t, "null");
	else
		put_path(t, row->path);
	put_key(t, "origin_code");
	text_string(t, bgp_attrs_has(a, BGP_ATTR_ORIGIN) ? origins[a->origin_code] : "null");
	put_key(t, "next_hop");
	struct addr next_hop = next_hop_of(row);
	put_addr(t, &next_hop);
	put_number(t, "local_pref", bgp_attrs_has(a, BGP_ATTR_LOCAL_PREF), a->local_pref);
	put_number(t, "med", bgp_attrs_has(a, BGP_ATTR_MED), a->med);
	put_list(t, "communities", if_has(a, BGP_ATTR_COMMUNITIES, a->communities), 2, 2);
	put_list(t, "ext_communities", if_has(a, BGP_ATTR_EXT_COMMUNITIES, a->ext_communities), 8, 0);
	put_list(t, "large_communities", if_has(a, BGP_ATTR_LARGE_COMMUNITIES, a->large_communities), 3, 4);
	put_key(t, "atomic_aggregate");
	text_string(t, bgp_attrs_has(a, BGP_ATTR_ATOMIC_AGGREGATE) ? "true" : "false");
	put_aggregator(t, a);
	put_router_ids(t, a);
	put_others(t, row, "unknown", false);
	put_others(t, row, "malformed", true);
}

static void put_time(struct text *t, const struct mrt_record *record)
{
	text_string(t, ",\"time\":");
	text_u32(t, record->time);
	if (record->type == MRT_TYPE_BGP4MP_ET) {
		text_char(t, '.');
		text_u32_six(t, record->microseconds % 1000000);
	}
}

static void put_session(struct text *t, const struct mrt_session *session)
{
	put_key(t, "local");
	put_addr(t, &session->local);
	put_number(t, "local_as", true, session->local_as);
	put_key(t, "sent");
	text_string(t, session->sent ? "true" : "false");
}

static void put_row(struct text *t, const struct mrt_row *row)
{
	struct prefix prefix = prefix_make(&row->written, row->len);
	char buf[PREFIX_TEXT_MAX];
	text_reserve(t, 512);
	text_string(t, "{\"kind\":\"");
	text_string(t, row->withdrawn ? "withdraw" : row->source <= ROW_TABLE ? "rib" : "announce");
	text_char(t, '"');
	put_time(t, row->record);
	text_string(t, ",\"prefix\":\"");
	text_string(t, prefix_format(&prefix, buf));
	text_char(t, '"');
	put_number(t, "safi", true, row->safi);
	put_number(t, "path_id", row->add_path, row->path_id);
	put_key(t, "peer");
	put_addr(t, &row->peer);
	put_number(t, "peer_as", true, row->peer_as);
	if (row->has_originated)
		put_number(t, "originated", true, row->originated);
	if (row->session)
		put_session(t, row->session);
	if (!row->withdrawn)
		put_attrs(t, row);
	text_reserve(t, 16);
	text_string(t, "}\n");
}

static void put_state(struct text *t, const struct mrt_record *record, const struct mrt_state *state)
{
	text_reserve(t, 512);
	text_string(t, "{\"kind\":\"state\"");
	put_time(t, record);
	put_key(t, "peer");
	put_addr(t, &state->session.peer);
	put_number(t, "peer_as", true, state->session.peer_as);
	put_session(t, &state->session);
	put_number(t, "old_state", true, state->old_state);
	put_number(t, "new_state", true, state->new_state);
	text_string(t, "}\n");
}

const struct mrt_format mrt_format_json = {.row = put_row, .state = put_state};

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Random traffic for tests of stores and queries, kept in a form in which every answer can be computed
 * naively: a list of samples over a small world of names, prefixes and paths. What the world knows
 * about a path (origin, neighbour, members) it knows from making it, not from route/path.c. */

#include "base/address.h"
#include "store/store.h"
#include "wt_test.h"

#define WORLD_NAMES    7
#define WORLD_PREFIXES 40
#define WORLD_PATHS    40
#define WORLD_MEMBERS  12
#define WORLD_ASNS     15
#define WORLD_AS(i)    (64500u + (uint32_t)(i) * 100000007u % 4000000000u)

struct world_path {
	uint8_t bytes[512];
	size_t len;
	uint32_t origin, neighbour;
	uint32_t members[64];
	size_t member_count;
};

/* Entry 0 of each is unknown. */
struct world {
	char names[WORLD_NAMES][16];
	struct prefix prefixes[WORLD_PREFIXES];
	struct world_path paths[WORLD_PATHS];
};

struct sample {
	uint32_t minute;
	uint8_t router, type, match;
	uint16_t country;
	uint32_t prefix, path;
	struct measures m;
};

static inline void world_path_add(struct world_path *p, uint32_t asn)
{
	for (size_t i = 0; i < p->member_count; i++)
		if (p->members[i] == asn)
			return;
	p->members[p->member_count++] = asn;
}

/* A sequence with prepending, sometimes with a set behind it. */
static inline void world_path_make(struct world_path *p)
{
	struct wr w = wr_make(p->bytes, sizeof(p->bytes));
	size_t n = wt_random_below(WORLD_MEMBERS);
	bool with_set = n && wt_random_below(4) == 0;
	if (n) {
		wr_u8(&w, 2);
		wr_u8(&w, (uint8_t)n);
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t asn = WORLD_AS(wt_random_below(WORLD_ASNS));
		wr_u32(&w, asn);
		world_path_add(p, asn);
		if (i == 0)
			p->neighbour = asn;
		p->origin = asn;
	}
	if (with_set) {
		size_t members = 1 + wt_random_below(3);
		wr_u8(&w, 1);
		wr_u8(&w, (uint8_t)members);
		uint32_t asn = 0;
		for (size_t i = 0; i < members; i++) {
			asn = WORLD_AS(wt_random_below(WORLD_ASNS)) + (uint32_t)i;
			wr_u32(&w, asn);
			world_path_add(p, asn);
		}
		p->origin = members == 1 ? asn : 0;
	}
	p->len = wr_len(&w);
}

/* One of the paths before `end` has the same bytes: a store would take both for one. */
static inline bool world_has_path(const struct world *w, unsigned end, const struct world_path *p)
{
	for (unsigned i = 1; i < end; i++)
		if (w->paths[i].len == p->len && memcmp(w->paths[i].bytes, p->bytes, p->len) == 0)
			return true;
	return false;
}

static inline void world_make(struct world *w)
{
	*w = (struct world){0};
	for (int i = 1; i < WORLD_NAMES; i++)
		snprintf(w->names[i], sizeof(w->names[i]), i == 3 ? "ü \"q, %d" : "name%d", i);
	for (unsigned i = 1; i < WORLD_PREFIXES; i++) {
		uint8_t bytes[16] = {0x20, 1, 0xd, 0xb8, (uint8_t)i};
		struct addr v6 = addr_from_v6(bytes);
		bytes[0] = 10;
		bytes[1] = (uint8_t)i;
		struct addr v4 = addr_from_v4(bytes);
		w->prefixes[i] = i % 3 ? prefix_make(&v4, 16 + i % 17) : prefix_make(&v6, 40 + i);
	}
	for (unsigned i = 1; i < WORLD_PATHS; i++) {
		do {
			w->paths[i] = (struct world_path){0};
			world_path_make(&w->paths[i]);
		} while (world_has_path(w, i, &w->paths[i]));
	}
}

static inline void sample_make(struct sample *s, uint32_t minute)
{
	*s = (struct sample){
		.minute = minute,
		.router = (uint8_t)wt_random_below(3),
		.type = (uint8_t)(wt_random_below(3) ? 3 + wt_random_below(WORLD_NAMES - 3) : 0),
		.match = (uint8_t)wt_random_below(MATCH_COUNT),
		.country = wt_random_below(4) ? (uint16_t)('D' << 8 | ('A' + wt_random_below(5))) : 0,
		.prefix = (uint32_t)wt_random_below(WORLD_PREFIXES),
		.path = (uint32_t)wt_random_below(WORLD_PATHS),
	};
	for (int i = 0; i < MEASURE_COUNT; i++)
		s->m.v[i] = wt_random_below(3) ? wt_random_below(100) : wt_random_below(1ull << 40);
}

static inline void samples_to_table(const struct world *w, const struct sample *s, size_t n, struct flow_table *t)
{
	for (size_t i = 0; i < n; i++, s++) {
		struct flow_key key = {.minute = s->minute, .country = s->country, .match = s->match};
		const struct world_path *p = &w->paths[s->path];
		int r = 0;
		if (s->router)
			r |= flow_table_name(t, (struct view){(const uint8_t *)w->names[s->router],
				strlen(w->names[s->router])}, &key.router);
		if (s->type)
			r |= flow_table_name(t, (struct view){(const uint8_t *)w->names[s->type],
				strlen(w->names[s->type])}, &key.type);
		if (s->prefix)
			r |= flow_table_prefix(t, &w->prefixes[s->prefix], &key.prefix);
		if (s->path)
			r |= flow_table_path(t, (struct view){p->bytes, p->len}, &key.path);
		assert_int_equal(r, 0);
		struct flow_row *row = flow_table_row(t, &key);
		assert_non_null(row);
		measures_add(&row->m, &s->m);
	}
}

/* A sample's value of a dimension as a number: 0 unknown, else the number itself or an index into the
 * world. */
static inline uint64_t sample_number(const struct world *w, const struct sample *s, enum dimension dim)
{
	switch (dim) {
	case DIM_router:
		return s->router;
	case DIM_type:
		return s->type;
	case DIM_prefix:
		return s->prefix;
	case DIM_path:
		return s->path;
	case DIM_origin:
		return w->paths[s->path].origin;
	case DIM_neighbour:
		return w->paths[s->path].neighbour;
	case DIM_country:
		return s->country;
	case DIM_match:
		return s->match;
	default:
		fail();
		return 0;
	}
}

/* The same number from what a store handed out. */
static inline uint64_t value_number(const struct world *w, enum dimension dim, const struct dim_value *v)
{
	if (!v->known)
		return 0;
	switch (dimension_table[dim].kind) {
	case KIND_TEXT:
		for (uint64_t i = 1; i < WORLD_NAMES; i++)
			if (strlen(w->names[i]) == v->bytes.len && memcmp(w->names[i], v->bytes.data, v->bytes.len) == 0)
				return i;
		break;
	case KIND_PREFIX:
		for (uint64_t i = 1; i < WORLD_PREFIXES; i++)
			if (prefix_equal(&w->prefixes[i], &v->prefix))
				return i;
		break;
	case KIND_PATH:
		for (uint64_t i = 1; i < WORLD_PATHS; i++)
			if (w->paths[i].len == v->bytes.len && memcmp(w->paths[i].bytes, v->bytes.data, v->bytes.len) == 0)
				return i;
		break;
	default:
		assert_true(v->number != 0 || dim == DIM_match);
		return v->number;
	}
	fail_msg("a value of %s that was never written", dimension_table[dim].name);
	return 0;
}

static inline struct dim_value value_from_number(const struct world *w, enum dimension dim, uint64_t n)
{
	struct dim_value v = {.known = n != 0 || dim == DIM_match};
	if (!v.known)
		return v;
	switch (dimension_table[dim].kind) {
	case KIND_TEXT:
		v.bytes = (struct view){(const uint8_t *)w->names[n], strlen(w->names[n])};
		break;
	case KIND_PREFIX:
		v.prefix = w->prefixes[n];
		break;
	case KIND_PATH:
		v.bytes = (struct view){w->paths[n].bytes, w->paths[n].len};
		break;
	default:
		v.number = n;
	}
	return v;
}

/* A filter's condition, without its negation. */
static inline bool sample_matches(const struct world *w, const struct sample *s, const struct store_filter *f)
{
	const struct world_path *p = &w->paths[s->path];
	for (size_t i = 0; i < f->value_count; i++) {
		if (f->dim != DIM_via) {
			if (value_number(w, f->dim, &f->values[i]) == sample_number(w, s, f->dim))
				return true;
			continue;
		}
		if (!f->values[i].known && !p->member_count)
			return true;
		for (size_t m = 0; m < p->member_count && f->values[i].known; m++)
			if (p->members[m] == f->values[i].number)
				return true;
	}
	return false;
}

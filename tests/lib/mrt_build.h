/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Encodes path attributes and MRT records for tests, and runs a decoder over damaged copies. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "bgp/attr.h"

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

static inline void build_attr(struct wr *w, unsigned flags, unsigned code, const void *value, size_t n)
{
	wr_u8(w, (uint8_t)(n > 255 ? flags | BGP_ATTR_FLAG_EXTENDED : flags));
	wr_u8(w, (uint8_t)code);
	if (n > 255)
		wr_u16(w, (uint16_t)n);
	else
		wr_u8(w, (uint8_t)n);
	wr_bytes(w, value, n);
}

static inline void build_attr_u32(struct wr *w, unsigned flags, unsigned code, uint32_t value)
{
	uint8_t b[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
	build_attr(w, flags, code, b, 4);
}

/* AS_PATH of one sequence. */
static inline void build_path(struct wr *w, unsigned as_bytes, const uint32_t *as, size_t n)
{
	uint8_t buf[1024];
	struct wr v = wr_make(buf, sizeof(buf));
	if (n) {
		wr_u8(&v, 2);
		wr_u8(&v, (uint8_t)n);
	}
	for (size_t i = 0; i < n; i++) {
		if (as_bytes == 4)
			wr_u32(&v, as[i]);
		else
			wr_u16(&v, (uint16_t)as[i]);
	}
	assert(wr_ok(&v));
	build_attr(w, 0x40, BGP_ATTR_AS_PATH, buf, wr_len(&v));
}

/* Everything that decoders look at. 192.0.2.1, path 64500 4200000000 {7,8}. */
static inline void build_full_block(struct wr *w)
{
	build_attr(w, 0x40, BGP_ATTR_ORIGIN, BYTES(1));
	build_attr(w, 0x40, BGP_ATTR_AS_PATH, BYTES(2, 2, 0, 0, 0xfb, 0xf4, 0xfa, 0x56, 0xea, 0, 1, 2, 0, 0, 0, 7, 0, 0, 0, 8));
	build_attr(w, 0x40, BGP_ATTR_NEXT_HOP, BYTES(192, 0, 2, 1));
	build_attr_u32(w, 0x80, BGP_ATTR_MED, 77);
	build_attr_u32(w, 0x40, BGP_ATTR_LOCAL_PREF, 200);
	build_attr(w, 0x40, BGP_ATTR_ATOMIC_AGGREGATE, "", 0);
	build_attr(w, 0xc0, BGP_ATTR_AGGREGATOR, BYTES(0, 1, 0, 1, 203, 0, 113, 9));
	build_attr(w, 0xc0, BGP_ATTR_COMMUNITIES, BYTES(0, 174, 0, 1, 255, 255, 255, 1));
	build_attr_u32(w, 0x80, BGP_ATTR_ORIGINATOR_ID, 0xc0000221);
	build_attr(w, 0x80, BGP_ATTR_CLUSTER_LIST, BYTES(192, 0, 2, 34, 192, 0, 2, 35));
	build_attr(w, 0xc0, BGP_ATTR_EXT_COMMUNITIES, BYTES(0, 2, 0xfd, 0xe8, 0, 0, 0, 100));
	build_attr(w, 0xc0, BGP_ATTR_LARGE_COMMUNITIES, BYTES(0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2));
	build_attr(w, 0xc0, 99, BYTES(1, 2, 3));
}

/* Starts a record; build_record_end fills in its length. Returns where it starts. */
static inline size_t build_record(struct wr *w, unsigned type, unsigned subtype)
{
	size_t at = wr_len(w);
	wr_u32(w, 1700000000);
	wr_u16(w, (uint16_t)type);
	wr_u16(w, (uint16_t)subtype);
	wr_u32(w, 0);
	return at;
}

static inline void build_record_end(struct wr *w, size_t at)
{
	assert(wr_ok(w));
	struct wr length = wr_make(w->start + at + 8, 4);
	wr_u32(&length, (uint32_t)(wr_len(w) - at - 12));
}

/* A peer index table of n IPv4 peers 192.0.2.1 ..., AS 64500 ... */
static inline void build_peers(struct wr *w, unsigned n)
{
	size_t at = build_record(w, 13, 1);
	wr_bytes(w, BYTES(192, 0, 2, 255, 0, 2, 'v', 'w'));
	wr_u16(w, (uint16_t)n);
	for (unsigned i = 0; i < n; i++) {
		wr_u8(w, 2);
		wr_u32(w, 0x0a000000 + i);
		wr_u32(w, 0xc0000201 + i);
		wr_u32(w, 64500 + i);
	}
	build_record_end(w, at);
}

struct build_entry {
	unsigned peer;
	uint32_t path_id;
	struct view attrs;
};

/* A RIB record for a prefix of len bits. */
static inline void build_rib(struct wr *w, bool ipv6, bool add_path, const void *addr, unsigned len,
	const struct build_entry *entries, unsigned n)
{
	size_t at = build_record(w, 13, (ipv6 ? 4 : 2) + (add_path ? 6 : 0));
	wr_u32(w, 5);
	wr_u8(w, (uint8_t)len);
	wr_bytes(w, addr, (len + 7) / 8);
	wr_u16(w, (uint16_t)n);
	for (unsigned i = 0; i < n; i++) {
		wr_u16(w, (uint16_t)entries[i].peer);
		wr_u32(w, 1699999999);
		if (add_path)
			wr_u32(w, entries[i].path_id);
		wr_u16(w, (uint16_t)entries[i].attrs.len);
		wr_bytes(w, entries[i].attrs.data, entries[i].attrs.len);
	}
	build_record_end(w, at);
}

/* Calls fn with each proper prefix of the sample, in memory of exactly that size. */
static inline void each_truncation(const void *sample, size_t n, void (*fn)(struct view v, void *ctx), void *ctx)
{
	for (size_t len = 0; len < n; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		memcpy(copy, sample, len);
		fn((struct view){copy, len}, ctx);
		free(copy);
	}
}

/* Calls fn with every copy of the sample that differs from it in one byte. */
static inline void each_change(const void *sample, size_t n, void (*fn)(struct view v, void *ctx), void *ctx)
{
	uint8_t *copy = malloc(n ? n : 1);
	memcpy(copy, sample, n);
	for (size_t at = 0; at < n; at++) {
		uint8_t before = copy[at];
		for (unsigned add = 1; add < 256; add++) {
			copy[at] = (uint8_t)(before + add);
			fn((struct view){copy, n}, ctx);
		}
		copy[at] = before;
	}
	free(copy);
}

static inline bool view_inside(struct view outer, struct view inner)
{
	return !inner.len || (inner.data >= outer.data && inner.len <= outer.len &&
				     (size_t)(inner.data - outer.data) <= outer.len - inner.len);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Encodes BGP and BMP messages for tests, from bytes: not with the encoders under test. */

#include "mrt_build.h"

/* Starts a BGP message; build_message_end fills in its length. Returns where it starts. */
static inline size_t build_message(struct wr *w, unsigned type)
{
	size_t at = wr_len(w);
	for (int i = 0; i < 16; i++)
		wr_u8(w, 0xff);
	wr_u16(w, 0);
	wr_u8(w, (uint8_t)type);
	return at;
}

static inline void build_message_end(struct wr *w, size_t at)
{
	assert(wr_ok(w));
	struct wr length = wr_make(w->start + at + 16, 2);
	wr_u16(&length, (uint16_t)(wr_len(w) - at));
}

/* An OPEN with these parameters, length included. */
static inline void build_open(
	struct wr *w, unsigned as, unsigned hold, uint32_t id, const void *parameters, size_t n)
{
	size_t at = build_message(w, 1);
	wr_u8(w, 4);
	wr_u16(w, (uint16_t)as);
	wr_u16(w, (uint16_t)hold);
	wr_u32(w, id);
	wr_bytes(w, parameters, n);
	build_message_end(w, at);
}

/* An UPDATE's body. */
static inline void build_update_body(
	struct wr *w, struct view withdrawn, struct view attrs, struct view nlri)
{
	wr_u16(w, (uint16_t)withdrawn.len);
	wr_bytes(w, withdrawn.data, withdrawn.len);
	wr_u16(w, (uint16_t)attrs.len);
	wr_bytes(w, attrs.data, attrs.len);
	wr_bytes(w, nlri.data, nlri.len);
}

#define VIEW(...)                                                                                  \
	((struct view){((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})})
#define NO_VIEW ((struct view){NULL, 0})

/* ORIGIN, AS_PATH 64501 of as_bytes, NEXT_HOP 192.0.2.1 */
static inline void build_plain_attrs(struct wr *w, unsigned as_bytes)
{
	build_attr(w, 0x40, BGP_ATTR_ORIGIN, BYTES(0));
	build_path(w, as_bytes, (const uint32_t[]){64501}, 1);
	build_attr(w, 0x40, BGP_ATTR_NEXT_HOP, BYTES(192, 0, 2, 1));
}

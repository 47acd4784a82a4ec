/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The cursors: the only code that turns bytes into numbers and back.
 *
 * A reader is a pointer, an end and a sticky error. A failed read returns zero and sets the error;
 * every later read of that reader fails too, so a decoder reads a whole structure and asks once,
 * before a result leaves it. A part with a length in front is *carved* into a child reader, which
 * cannot see past its end; an over-long carve fails the parent and gives an empty child.
 *
 * A writer has a fixed buffer and the same sticky error, set when the buffer is full.
 *
 * Nothing here allocates or logs. Results are scalars and views into the bytes read. All multi-byte
 * numbers are big-endian, as on the wire, but those of rd_le and wr_le; varints are little-endian base
 * 128 (LEB128), at most ten bytes. */

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "base/compiler.h"

struct view {
	const uint8_t *data;
	size_t len;
};

struct rd {
	const uint8_t *p;
	const uint8_t *end;
	bool failed;
};

static inline struct rd rd_make(const void *data, size_t len)
{
	const uint8_t *p = (const uint8_t *)data;
	return (struct rd){p, p + len, false};
}

static inline struct rd rd_view(struct view v)
{
	return rd_make(v.data, v.len);
}

static inline size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

/* No read has failed so far. */
static inline bool rd_ok(const struct rd *r)
{
	return !r->failed;
}

/* No read has failed and every byte was consumed. */
static inline bool rd_done(const struct rd *r)
{
	return !r->failed && r->p == r->end;
}

/* More bytes can be read: the condition of every loop over a list. */
static inline bool rd_more(const struct rd *r)
{
	return !r->failed && r->p < r->end;
}

static inline void rd_fail(struct rd *r)
{
	r->failed = true;
	r->p = r->end;
}

static inline bool rd_need(struct rd *r, size_t n)
{
	if (LIKELY(!r->failed && rd_left(r) >= n))
		return true;
	rd_fail(r);
	return false;
}

static inline uint8_t rd_u8(struct rd *r)
{
	if (!rd_need(r, 1))
		return 0;
	return *r->p++;
}

static inline uint16_t rd_u16(struct rd *r)
{
	if (!rd_need(r, 2))
		return 0;
	uint16_t v = (uint16_t)(r->p[0] << 8 | r->p[1]);
	r->p += 2;
	return v;
}

static inline uint32_t rd_u32(struct rd *r)
{
	if (!rd_need(r, 4))
		return 0;
	uint32_t v = (uint32_t)r->p[0] << 24 | (uint32_t)r->p[1] << 16 | (uint32_t)r->p[2] << 8 | r->p[3];
	r->p += 4;
	return v;
}

static inline uint64_t rd_u64(struct rd *r)
{
	uint64_t hi = rd_u32(r);
	uint64_t lo = rd_u32(r);
	return hi << 32 | lo;
}

/* A number of n bytes (8 at most), the least significant first. */
static inline uint64_t rd_le(struct rd *r, unsigned n)
{
	uint64_t le = 0;
	if (!rd_need(r, n))
		return 0;
	memcpy(&le, r->p, n);
	r->p += n;
	return le64toh(le);
}

/* LEB128; more than ten bytes, or bits past the 64th, fail. */
static inline uint64_t rd_varint(struct rd *r)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t b = rd_u8(r);
		if (shift == 63 && b > 1)
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return r->failed ? 0 : v;
	}
	rd_fail(r);
	return 0;
}

/* Zigzag-coded signed varint. */
static inline int64_t rd_zigzag(struct rd *r)
{
	uint64_t v = rd_varint(r);
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* A view of the next n bytes; empty (and the reader failed) when there are fewer. */
static inline struct view rd_bytes(struct rd *r, size_t n)
{
	if (!rd_need(r, n))
		return (struct view){r->end, 0};
	struct view v = {r->p, n};
	r->p += n;
	return v;
}

/* The next n bytes as a reader of their own; the parent moves on behind them. */
static inline struct rd rd_carve(struct rd *r, size_t n)
{
	struct view v = rd_bytes(r, n);
	return (struct rd){v.data, v.data + v.len, r->failed};
}

static inline struct view rd_rest(struct rd *r)
{
	return rd_bytes(r, rd_left(r));
}

static inline void rd_skip(struct rd *r, size_t n)
{
	(void)rd_bytes(r, n);
}

/* Copies the next n bytes out; on failure the destination is zeroed. */
static inline void rd_copy(struct rd *r, void *dest, size_t n)
{
	struct view v = rd_bytes(r, n);
	if (v.len == n && n)
		memcpy(dest, v.data, n);
	else
		memset(dest, 0, n);
}

struct wr {
	uint8_t *start;
	uint8_t *p;
	uint8_t *end;
	bool failed;
};

static inline struct wr wr_make(void *data, size_t cap)
{
	uint8_t *p = (uint8_t *)data;
	return (struct wr){p, p, p + cap, false};
}

static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

static inline size_t wr_left(const struct wr *w)
{
	return (size_t)(w->end - w->p);
}

static inline bool wr_ok(const struct wr *w)
{
	return !w->failed;
}

static inline bool wr_need(struct wr *w, size_t n)
{
	if (LIKELY(!w->failed && wr_left(w) >= n))
		return true;
	w->failed = true;
	return false;
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	if (wr_need(w, 1))
		*w->p++ = v;
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
	wr_u8(w, (uint8_t)(v >> 8));
	wr_u8(w, (uint8_t)v);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	wr_u16(w, (uint16_t)(v >> 16));
	wr_u16(w, (uint16_t)v);
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

/* The n low bytes of a number, the least significant first. */
static inline void wr_le(struct wr *w, uint64_t v, unsigned n)
{
	uint64_t le = htole64(v);
	if (!wr_need(w, n))
		return;
	memcpy(w->p, &le, n);
	w->p += n;
}

static inline void wr_varint(struct wr *w, uint64_t v)
{
	while (v >= 0x80) {
		wr_u8(w, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	wr_u8(w, (uint8_t)v);
}

static inline void wr_zigzag(struct wr *w, int64_t v)
{
	wr_varint(w, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static inline void wr_bytes(struct wr *w, const void *data, size_t n)
{
	if (wr_need(w, n) && n) {
		memcpy(w->p, data, n);
		w->p += n;
	}
}

/* The next n bytes as a writer of their own; the parent moves on behind them. */
static inline struct wr wr_carve(struct wr *w, size_t n)
{
	if (!wr_need(w, n))
		return (struct wr){w->p, w->p, w->p, true};
	struct wr child = wr_make(w->p, n);
	w->p += n;
	return child;
}

/* Bytes a varint takes. */
static inline size_t varint_size(uint64_t v)
{
	size_t n = 1;
	while (v >= 0x80) {
		v >>= 7;
		n++;
	}
	return n;
}

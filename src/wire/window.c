/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/window.h"

static bool get_bit(const struct window *w, uint64_t seq)
{
	return w->bits[seq % WINDOW_SIZE / 64] >> (seq % 64) & 1;
}

static void set_bit(struct window *w, uint64_t seq)
{
	w->bits[seq % WINDOW_SIZE / 64] |= 1ull << (seq % 64);
}

static void clear_bit(struct window *w, uint64_t seq)
{
	w->bits[seq % WINDOW_SIZE / 64] &= ~(1ull << (seq % 64));
}

enum window_verdict window_check(const struct window *w, uint64_t seq)
{
	if (seq < w->base)
		return WINDOW_SEEN;
	if (seq >= w->end)
		return seq - w->base < WINDOW_SIZE ? WINDOW_NEW : WINDOW_AHEAD;
	return get_bit(w, seq) ? WINDOW_SEEN : WINDOW_REORDERED;
}

/* Moves base over what has been accepted. */
static void settle(struct window *w)
{
	while (w->base < w->end && get_bit(w, w->base))
		clear_bit(w, w->base++);
}

void window_forward(struct window *w, uint64_t seq)
{
	for (; w->base < seq && w->base < w->end; w->base++)
		clear_bit(w, w->base);
	if (w->base < seq)
		w->base = w->end = seq;
	settle(w);
}

void window_accept(struct window *w, uint64_t seq)
{
	set_bit(w, seq);
	if (seq >= w->end)
		w->end = seq + 1;
	settle(w);
}

void window_write(const struct window *w, struct wr *out)
{
	size_t numbers = w->end > w->base ? (size_t)(w->end - w->base - 1) : 0;
	size_t bytes = (numbers + 7) / 8;
	wr_u64(out, w->base);
	wr_u16(out, (uint16_t)bytes);
	for (size_t j = 0; j < bytes; j++) {
		uint8_t b = 0;
		for (unsigned i = 0; i < 8; i++) {
			uint64_t seq = w->base + 1 + 8 * j + i;
			if (seq < w->end && get_bit(w, seq))
				b |= (uint8_t)(1u << i);
		}
		wr_u8(out, b);
	}
}

void window_read(struct rd *in, struct window *ret)
{
	struct window w = {.base = rd_u64(in)};
	size_t bytes = rd_u16(in);
	if (bytes > WINDOW_ACK_BYTES || w.base > WINDOW_SEQ_MAX + 1) {
		rd_fail(in);
		return;
	}
	struct rd bitmap = rd_carve(in, bytes);
	w.end = w.base;
	for (size_t j = 0; rd_more(&bitmap); j++) {
		uint8_t b = rd_u8(&bitmap);
		for (unsigned i = 0; i < 8; i++) {
			uint64_t seq = w.base + 1 + 8 * j + i;
			if (!(b >> i & 1))
				continue;
			if (seq - w.base >= WINDOW_SIZE) {
				rd_fail(in);
				return;
			}
			set_bit(&w, seq);
			w.end = seq + 1;
		}
	}
	if (rd_ok(in))
		*ret = w;
}

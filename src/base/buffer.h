/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A growing run of bytes, written through the writer of base/cursor.h piece by piece:
 *
 *     struct wr w = buffer_reserve(&b, 100);     room for 100 bytes behind what is there
 *     wr_u32(&w, 7);
 *     buffer_commit(&b, &w);
 *
 * When memory is out the writer given is a failed one and the buffer stays failed. */

#include "base/cursor.h"

struct buffer {
	uint8_t *data;
	size_t len, cap;
	bool failed;
};

void buffer_init(struct buffer *b);
void buffer_done(struct buffer *b);
/* Empties it, keeps the memory. */
void buffer_clear(struct buffer *b);
struct wr buffer_reserve(struct buffer *b, size_t n);
void buffer_commit(struct buffer *b, const struct wr *w);

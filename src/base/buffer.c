/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buffer.h"

#include <stdlib.h>

void buffer_init(struct buffer *b)
{
	*b = (struct buffer){0};
}

void buffer_done(struct buffer *b)
{
	free(b->data);
	buffer_init(b);
}

void buffer_clear(struct buffer *b)
{
	b->len = 0;
	b->failed = false;
}

struct wr buffer_reserve(struct buffer *b, size_t n)
{
	if (b->cap - b->len < n) {
		size_t cap = b->cap ? b->cap : 4096;
		while (cap - b->len < n)
			cap *= 2;
		uint8_t *p = realloc(b->data, cap);
		if (p) {
			b->data = p;
			b->cap = cap;
		} else {
			b->failed = true;
		}
	}
	if (b->failed)
		return (struct wr){.failed = true};
	return wr_make(b->data + b->len, n);
}

void buffer_commit(struct buffer *b, const struct wr *w)
{
	if (!wr_ok(w))
		b->failed = true;
	else
		b->len += wr_len(w);
}

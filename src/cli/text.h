/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Text on its way to standard output, a mebibyte at a time: for commands that print millions of lines.
 * A failed write is sticky and found out at the end. One thread. */

#include <stdbool.h>
#include <string.h>

#include "base/address.h"
#include "base/cursor.h"

#define TEXT_ROOM_MAX (512u * 1024) /* most that one text_reserve may ask for */

struct text {
	char *buf;
	size_t len, cap;
	int fd;
	int error; /* errno of the first failed write; 0 */
};

/* -ENOMEM. */
int text_init(struct text *t, int fd) MUST_USE;
void text_done(struct text *t);
/* Writes what is there. -errno of the first write that failed since text_init. */
int text_flush(struct text *t);

/* Makes room for n characters; then up to n may be put without a flush, so what was put can be taken
 * back by setting len. */
void text_reserve(struct text *t, size_t n);

/* The rest put, within what was reserved. */
static inline void text_char(struct text *t, char c)
{
	t->buf[t->len++] = c;
}

static inline void text_bytes(struct text *t, const char *s, size_t n)
{
	memcpy(t->buf + t->len, s, n);
	t->len += n;
}

static inline void text_string(struct text *t, const char *s)
{
	text_bytes(t, s, strlen(s));
}

void text_u32(struct text *t, uint32_t v);
void text_i32(struct text *t, int32_t v);
/* With leading zeros up to six digits. */
void text_u32_six(struct text *t, uint32_t v);
void text_hex(struct text *t, struct view bytes);
void text_ipv4(struct text *t, const uint8_t bytes[static 4]);

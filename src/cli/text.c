/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/text.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_BUFFER_BYTES (1u << 20)

int text_init(struct text *t, int fd)
{
	*t = (struct text){.buf = malloc(TEXT_BUFFER_BYTES), .cap = TEXT_BUFFER_BYTES, .fd = fd};
	return t->buf ? 0 : -ENOMEM;
}

void text_done(struct text *t)
{
	free(t->buf);
	t->buf = NULL;
}

int text_flush(struct text *t)
{
	size_t at = 0;
	while (!t->error && at < t->len) {
		ssize_t n = write(t->fd, t->buf + at, t->len - at);
		if (n < 0 && errno != EINTR)
			t->error = errno;
		at += n > 0 ? (size_t)n : 0;
	}
	t->len = 0;
	return -t->error;
}

void text_reserve(struct text *t, size_t n)
{
	if (t->cap - t->len < n)
		(void)text_flush(t);
}

void text_u32(struct text *t, uint32_t v)
{
	static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940"
				    "4142434445464748495051525354555657585960616263646566676869707172737475767778798081"
				    "828384858687888990919293949596979899";
	char digits[10];
	unsigned at = sizeof(digits);
	while (v >= 100) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * (v % 100), 2);
		v /= 100;
	}
	if (v >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * v, 2);
	} else {
		digits[--at] = (char)('0' + v);
	}
	text_bytes(t, digits + at, sizeof(digits) - at);
}

void text_i32(struct text *t, int32_t v)
{
	if (v < 0)
		text_char(t, '-');
	text_u32(t, v < 0 ? -(uint32_t)v : (uint32_t)v);
}

void text_u32_six(struct text *t, uint32_t v)
{
	for (uint32_t limit = 100000; limit > 1 && v < limit; limit /= 10)
		text_char(t, '0');
	text_u32(t, v);
}

void text_hex(struct text *t, struct view bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		text_char(t, "0123456789abcdef"[bytes.data[i] >> 4]);
		text_char(t, "0123456789abcdef"[bytes.data[i] & 15]);
	}
}

void text_ipv4(struct text *t, const uint8_t bytes[static 4])
{
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			text_char(t, '.');
		text_u32(t, bytes[i]);
	}
}

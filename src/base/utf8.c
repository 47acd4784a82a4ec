/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/utf8.h"

#include "base/cursor.h"

/* The bytes that follow a first byte, and its own bits; false for one that begins nothing. */
static bool first_byte(uint8_t b, unsigned *ret_follow, uint32_t *ret_code)
{
	unsigned follow = b < 0x80 ? 0 : b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
	*ret_follow = follow;
	*ret_code = follow == 0 ? b : b & (0x3fu >> follow);
	return b < 0x80 || (b >= 0xc2 && b < 0xf5);
}

static bool printable(uint32_t code, unsigned follow)
{
	static const uint32_t smallest[] = {0x20, 0xa0, 0x800, 0x10000};
	return code >= smallest[follow] && code <= 0x10ffff && code != 0x7f &&
		(code < 0xd800 || code > 0xdfff);
}

bool utf8_printable(const char *text, size_t len)
{
	struct rd r = rd_make(text, len);
	while (rd_more(&r)) {
		unsigned follow;
		uint32_t code;
		if (!first_byte(rd_u8(&r), &follow, &code))
			return false;
		for (unsigned i = 0; i < follow; i++) {
			uint8_t b = rd_u8(&r);
			if ((b & 0xc0) != 0x80)
				return false;
			code = code << 6 | (b & 0x3f);
		}
		if (!printable(code, follow))
			return false;
	}
	return rd_ok(&r);
}

void utf8_trim(char *text)
{
	size_t len = strlen(text), tail = 0;
	unsigned follow;
	uint32_t code;
	while (tail < len && tail < 3 && (text[len - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail < len && first_byte((uint8_t)text[len - 1 - tail], &follow, &code) && follow > tail)
		text[len - 1 - tail] = '\0';
}

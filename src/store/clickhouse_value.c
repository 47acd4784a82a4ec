/* SPDX-License-Identifier: BSD-2-Clause */

/* Values stand in the rows themselves: there is no dictionary whose numbers two collectors would have to agree on,
 * columns of equal neighbours are packed to next to nothing, and a row can be read by hand.
 *
 *     router, type         the text
 *     prefix               family, address, length (schema.h)
 *     path                 its text; a path whose text reads back as other bytes (route/path.h: not joined) has a NUL and
 *                          the bytes behind it
 *
 * An empty String is unknown. A text that is empty, or begins with byte 1, has a byte 1 before it: so a known empty
 * one, such as the path to a network of one's own, is told apart. */

#include "store/clickhouse.h"

#include <stdlib.h>
#include <string.h>

#include "route/path.h"

#define ESCAPE 1

void ch_scratch_done(struct ch_scratch *s)
{
	buffer_done(&s->text);
	free(s->path);
	s->path = NULL;
}

unsigned ch_width(enum dimension dim)
{
	switch (dimension_table[dim].kind) {
	case KIND_TEXT:
	case KIND_PREFIX:
	case KIND_PATH:
		return 0;
	case KIND_MATCH:
		return 1;
	case KIND_COUNTRY:
		return 2;
	case KIND_ASN:
	case KIND_TIME:
		break;
	}
	return 4;
}

const char *ch_type(enum dimension dim)
{
	static const char *const types[] = {"String", "UInt8", "UInt16", NULL, "UInt32"};
	return types[ch_width(dim)];
}

/* ---- writing ---- */

static void encode_text(struct view text, struct buffer *out)
{
	struct wr w = buffer_reserve(out, text.len + 1);
	if (!text.len || text.data[0] == ESCAPE)
		wr_u8(&w, ESCAPE);
	wr_bytes(&w, text.data, text.len);
	buffer_commit(out, &w);
}

static void encode_path(struct view path, struct buffer *out)
{
	size_t len = path_format(path, NULL, 0);
	struct wr w = buffer_reserve(out, len + path.len + 2);
	if (!len)
		wr_u8(&w, ESCAPE);
	struct wr text = wr_carve(&w, len);
	if (wr_ok(&text)) /* its NUL is overwritten, or left behind the end */
		(void)path_format(path, (char *)text.p, len + 1);
	if (!path_is_joined(path)) {
		wr_u8(&w, 0);
		wr_bytes(&w, path.data, path.len);
	}
	buffer_commit(out, &w);
}

void ch_encode(enum dimension_kind kind, const struct dim_value *v, struct buffer *out)
{
	uint8_t bytes[PREFIX_BYTES_MAX];
	if (!v->known)
		return;
	if (kind == KIND_PATH) {
		encode_path(v->bytes, out);
		return;
	}
	encode_text(kind == KIND_PREFIX ? prefix_to_bytes(&v->prefix, bytes) : v->bytes, out);
}

/* ---- reading ---- */

struct view ch_read_string(struct rd *r)
{
	uint64_t len = rd_varint(r);
	if (len > rd_left(r)) {
		rd_fail(r);
		return (struct view){0};
	}
	return rd_bytes(r, (size_t)len);
}

static int read_path(struct view stored, struct ch_scratch *s, struct dim_value *ret)
{
	const uint8_t *nul = memchr(stored.data, 0, stored.len);
	struct rd r = rd_view(stored);
	ret->bytes = (struct view){0};
	if (nul) {
		rd_skip(&r, (size_t)(nul - stored.data) + 1);
		ret->bytes = rd_rest(&r);
		return path_valid(ret->bytes) ? 0 : -EBADMSG;
	}
	if (!s->path)
		s->path = malloc(PATH_BYTES_MAX);
	buffer_clear(&s->text);
	struct wr w = buffer_reserve(&s->text, stored.len + 1);
	wr_bytes(&w, stored.data, stored.len);
	wr_u8(&w, 0);
	buffer_commit(&s->text, &w);
	if (!s->path || s->text.failed)
		return -ENOMEM;
	int n = path_parse((const char *)s->text.data, s->path, PATH_BYTES_MAX);
	if (n < 0)
		return -EBADMSG;
	ret->bytes = (struct view){s->path, (size_t)n};
	return 0;
}

int ch_read_value(struct rd *r, enum dimension dim, struct ch_scratch *s, struct dim_value *ret)
{
	unsigned width = ch_width(dim);
	*ret = (struct dim_value){0};
	if (width) {
		ret->number = rd_le(r, width);
		/* "none" is a match like the others; of everything else 0 says unknown. */
		ret->known = ret->number || dim == DIM_match;
		return 0;
	}
	struct view stored = ch_read_string(r);
	ret->known = stored.len > 0;
	if (!rd_ok(r) || !ret->known)
		return 0;
	struct rd rest = rd_view(stored);
	if (stored.data[0] == ESCAPE)
		rd_skip(&rest, 1);
	ret->bytes = rd_rest(&rest);
	if (dimension_table[dim].kind == KIND_PREFIX)
		return prefix_from_bytes(ret->bytes, &ret->prefix) ? 0 : -EBADMSG;
	return dimension_table[dim].kind == KIND_PATH ? read_path(ret->bytes, s, ret) : 0;
}

/* ---- SQL ---- */

void ch_quote(struct sql *s, struct view v)
{
	sql_add(s, "'");
	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = v.data[i];
		sql_add(s, c < ' ' || c > '~' || c == '\'' || c == '\\' ? "\\x%02x" : "%c", c);
	}
	sql_add(s, "'");
}

void ch_quote_text(struct sql *s, const char *text)
{
	ch_quote(s, (struct view){(const uint8_t *)text, strlen(text)});
}

void ch_readable(struct sql *s, const char *c, enum dimension dim)
{
	switch (dimension_table[dim].kind) {
	case KIND_TEXT:
		sql_add(s, "if(%s = '', NULL, if(substring(%s, 1, 1) = '\\x01', substring(%s, 2), %s))", c, c, c, c);
		break;
	case KIND_PATH:
		sql_add(s, "if(%s = '', NULL, if(position(%s, '\\0') > 0, substring(%s, 1, toUInt32(position(%s, '\\0') - 1)),"
			" if(%s = '\\x01', '', %s)))", c, c, c, c, c, c);
		break;
	case KIND_PREFIX:
		sql_add(s, "if(%s = '', NULL, concat(if(length(%s) = 6,"
			" IPv4NumToString(reinterpretAsUInt32(reverse(substring(%s, 2, 4)))),"
			" IPv6NumToString(toFixedString(if(length(%s) = 6, '::::::::::::::::', substring(%s, 2, 16)), 16))), '/',"
			" toString(reinterpretAsUInt8(substring(%s, length(%s), 1)))))", c, c, c, c, c, c, c);
		break;
	case KIND_COUNTRY:
		sql_add(s, "if(%s = 0, NULL, reverse(reinterpretAsString(%s)))", c, c);
		break;
	case KIND_MATCH:
		sql_add(s, "transform(%s, [0, 1, 2, 3], ['%s', '%s', '%s', '%s'], '')", c, route_match_names[0],
			route_match_names[1], route_match_names[2], route_match_names[3]);
		break;
	case KIND_ASN:
	case KIND_TIME:
		sql_add(s, "nullIf(%s, 0)", c);
		break;
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* AS paths in the form of the AS_PATH attribute (RFC 4271 section 4.3) with four-byte numbers:
 *
 *      0        1        2                  2 + 4 * count
 *     +--------+--------+------------------+--
 *     | type   | count  | AS numbers       | next segment ...
 *     +--------+--------+------------------+--
 *
 * Every function is one walk over the segments. Confederation segments (RFC 5065) name parts of one
 * AS, so origin and neighbour pass over them. path_members marks what it has seen in a hash table on
 * the stack, sized by the path, that holds positions instead of numbers: every AS number, like every
 * segment header, begins at an even offset, so half of it fits in two bytes and is never zero. Every
 * function takes time linear in the path; the stack used is 128 KiB at most.
 *
 * The text form joins segments with one blank. A sequence has no brackets, so two sequences in a row
 * read back as one, cut anew at 255 numbers. */

#include "route/path.h"

#include <errno.h>
#include <stdio.h>

#include "base/hash.h"

#define SEGMENT_MAX 255
#define SEEN_SLOTS  (PATH_BYTES_MAX / 2)

struct segment {
	uint8_t type, count;
	struct rd numbers;
};

static bool next_segment(struct rd *r, struct segment *ret)
{
	if (!rd_more(r))
		return false;
	uint8_t type = rd_u8(r);
	uint8_t count = rd_u8(r);
	struct rd numbers = rd_carve(r, (size_t)count * 4);
	if (!rd_ok(r))
		return false;
	*ret = (struct segment){type, count, numbers};
	return true;
}

static bool is_confed(const struct segment *s)
{
	return s->type == PATH_CONFED_SEQUENCE || s->type == PATH_CONFED_SET;
}

bool path_valid(struct view path)
{
	if (path.len > PATH_BYTES_MAX)
		return false;
	struct rd r = rd_view(path);
	struct segment s;
	while (next_segment(&r, &s))
		if (s.type < PATH_SET || s.type > PATH_CONFED_SET || s.count == 0)
			return false;
	return rd_done(&r);
}

/* The only member of a set; 0 when there are several. */
static uint32_t only_member(struct rd numbers)
{
	uint32_t as = rd_u32(&numbers);
	while (rd_more(&numbers))
		if (rd_u32(&numbers) != as)
			return 0;
	return as;
}

uint32_t path_origin(struct view path)
{
	struct rd r = rd_view(path);
	struct segment s, last = {0};
	while (next_segment(&r, &s))
		if (!is_confed(&s))
			last = s;
	if (last.count == 0)
		return 0;
	if (last.type == PATH_SET)
		return only_member(last.numbers);
	rd_skip(&last.numbers, (size_t)(last.count - 1) * 4);
	return rd_u32(&last.numbers);
}

uint32_t path_neighbour(struct view path)
{
	struct rd r = rd_view(path);
	struct segment s;
	while (next_segment(&r, &s)) {
		if (is_confed(&s))
			continue;
		return s.type == PATH_SET ? only_member(s.numbers) : rd_u32(&s.numbers);
	}
	return 0;
}

static uint32_t number_at(struct view path, size_t offset)
{
	struct rd r = rd_make(path.data + offset, 4);
	return rd_u32(&r);
}

/* Marks the number at this offset; false when an equal one was marked before. */
static bool mark(struct view path, uint16_t *seen, size_t mask, size_t offset)
{
	uint32_t as = number_at(path, offset);
	size_t slot = hash_bytes(&as, sizeof(as)) & mask;
	for (; seen[slot]; slot = (slot + 1) & mask)
		if (number_at(path, (size_t)seen[slot] * 2) == as)
			return false;
	seen[slot] = (uint16_t)(offset / 2);
	return true;
}

size_t path_members(struct view path, uint32_t *ret, size_t cap)
{
	uint16_t seen[SEEN_SLOTS];
	size_t slots = 16;
	while (slots < path.len / 2)
		slots *= 2;
	memset(seen, 0, slots * sizeof(*seen));

	size_t n = 0;
	struct rd r = rd_view(path);
	struct segment s;
	while (next_segment(&r, &s)) {
		while (rd_more(&s.numbers)) {
			size_t offset = (size_t)(s.numbers.p - path.data);
			uint32_t as = rd_u32(&s.numbers);
			if (!mark(path, seen, slots - 1, offset))
				continue;
			if (n < cap)
				ret[n] = as;
			n++;
		}
	}
	return n;
}

size_t path_links(struct view path, uint32_t (*ret)[2], size_t cap)
{
	size_t n = 0;
	uint32_t before = 0;
	struct rd r = rd_view(path);
	struct segment s;
	while (next_segment(&r, &s)) {
		bool ordered = s.type == PATH_SEQUENCE || s.type == PATH_CONFED_SEQUENCE;
		while (ordered && rd_more(&s.numbers)) {
			uint32_t as = rd_u32(&s.numbers);
			if (before && as != before && n++ < cap) {
				ret[n - 1][0] = before;
				ret[n - 1][1] = as;
			}
			before = as;
		}
		if (!ordered)
			before = 0;
	}
	return n;
}

struct text {
	char *buf;
	size_t cap, len;
};

static void put(struct text *t, const char *s)
{
	for (; *s; s++, t->len++)
		if (t->len + 1 < t->cap)
			t->buf[t->len] = *s;
}

static const struct {
	const char *open, *between, *close;
} marks[] = {
	[PATH_SET] = {"{", ",", "}"},
	[PATH_SEQUENCE] = {"", " ", ""},
	[PATH_CONFED_SEQUENCE] = {"(", " ", ")"},
	[PATH_CONFED_SET] = {"[", ",", "]"},
};

size_t path_format(struct view path, char *buf, size_t cap)
{
	struct text t = {buf, cap, 0};
	struct rd r = rd_view(path);
	struct segment s;
	while (next_segment(&r, &s)) {
		put(&t, t.len ? " " : "");
		put(&t, marks[s.type].open);
		for (unsigned i = 0; i < s.count; i++) {
			char number[12];
			(void)snprintf(number, sizeof(number), "%u", rd_u32(&s.numbers));
			put(&t, i ? marks[s.type].between : "");
			put(&t, number);
		}
		put(&t, marks[s.type].close);
	}
	if (cap)
		buf[t.len < cap ? t.len : cap - 1] = '\0';
	return t.len;
}

/* Decimal digits only, 0 to 4294967295. Moves on behind them. */
static bool parse_number(const char **text, uint32_t *ret)
{
	const char *p = *text;
	uint64_t v = 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > UINT32_MAX)
			return false;
	}
	if (p == *text)
		return false;
	*text = p;
	*ret = (uint32_t)v;
	return true;
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ')
		p++;
	return p;
}

/* The members of a bracketed segment up to its closing bracket. */
static int parse_members(const char **text, uint8_t type, struct wr *w)
{
	char between = *marks[type].between, close = *marks[type].close;
	uint8_t *header = w->p;
	unsigned count = 0;
	const char *p = *text;
	wr_u16(w, 0);
	for (;;) {
		uint32_t as;
		p = skip_blanks(p);
		if (++count > SEGMENT_MAX || !parse_number(&p, &as))
			return -EINVAL;
		wr_u32(w, as);
		const char *end = skip_blanks(p);
		if (*end == close) {
			*text = end + 1;
			break;
		}
		if (between == ',' ? *end != ',' : end == p)
			return -EINVAL;
		p = between == ',' ? end + 1 : end;
	}
	struct wr patch = wr_make(header, wr_ok(w) ? 2 : 0);
	wr_u8(&patch, type);
	wr_u8(&patch, (uint8_t)count);
	return 0;
}

/* One number of a sequence: into the sequence that ends here, or into a new one. */
static void add_to_sequence(struct wr *w, uint8_t **sequence, uint32_t as)
{
	if (!*sequence || (*sequence)[1] == SEGMENT_MAX) {
		*sequence = w->p;
		wr_u8(w, PATH_SEQUENCE);
		wr_u8(w, 0);
	}
	wr_u32(w, as);
	if (wr_ok(w))
		(*sequence)[1]++;
}

bool path_is_joined(struct view path)
{
	struct rd r = rd_view(path);
	struct segment s;
	bool has_room = false; /* the segment before is a sequence that could take more */
	while (next_segment(&r, &s)) {
		if (has_room && s.type == PATH_SEQUENCE)
			return false;
		has_room = s.type == PATH_SEQUENCE && s.count < SEGMENT_MAX;
	}
	return true;
}

size_t path_join(struct view path, uint8_t *buf)
{
	struct wr w = wr_make(buf, path.len);
	uint8_t *sequence = NULL;
	struct rd r = rd_view(path);
	struct segment s;
	while (next_segment(&r, &s)) {
		if (s.type == PATH_SEQUENCE) {
			while (rd_more(&s.numbers))
				add_to_sequence(&w, &sequence, rd_u32(&s.numbers));
			continue;
		}
		sequence = NULL;
		wr_u8(&w, s.type);
		wr_u8(&w, s.count);
		wr_bytes(&w, s.numbers.p, rd_left(&s.numbers));
	}
	return wr_len(&w);
}

int path_parse(const char *text, uint8_t *buf, size_t cap)
{
	struct wr w = wr_make(buf, cap);
	uint8_t *sequence = NULL; /* the header of the sequence that a further number joins */
	for (const char *p = skip_blanks(text); *p; p = skip_blanks(p)) {
		uint8_t type = *p == '{' ? PATH_SET : *p == '[' ? PATH_CONFED_SET : PATH_CONFED_SEQUENCE;
		if (*p == *marks[type].open) {
			p++;
			if (parse_members(&p, type, &w) < 0)
				return -EINVAL;
			sequence = NULL;
		} else {
			uint32_t as;
			if (!parse_number(&p, &as))
				return -EINVAL;
			add_to_sequence(&w, &sequence, as);
		}
		if (*p && *p != ' ')
			return -EINVAL;
		if (!wr_ok(&w))
			return -ENOSPC;
	}
	return wr_len(&w) > PATH_BYTES_MAX ? -EINVAL : (int)wr_len(&w);
}

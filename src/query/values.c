/* SPDX-License-Identifier: BSD-2-Clause */

/* A value that comes with a store's number is found by it in an array, and its bytes are looked at the first time only.
 * As long as all come so, a new number is a new value and nothing is hashed; the hash index is made when the first
 * comes without one (a group that a question names, a store that has no numbers). */

#include "query/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define NUMBERS_MAX (1u << 23) /* larger ones are looked up each time: 32 MB */

void value_set_init(struct value_set *s, enum dimension_kind kind)
{
	*s = (struct value_set){.kind = kind};
	arena_init(&s->arena);
	index_init(&s->index);
}

void value_set_done(struct value_set *s)
{
	arena_done(&s->arena);
	index_done(&s->index);
	free(s->values);
	free(s->by_number);
	*s = (struct value_set){0};
}

static int bytes_cmp(struct view a, struct view b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.data, b.data, n) : 0;
	if (c)
		return c < 0 ? -1 : 1;
	return (a.len > b.len) - (a.len < b.len);
}

int value_cmp(enum dimension_kind kind, const struct dim_value *a, const struct dim_value *b)
{
	if (!a->known || !b->known)
		return (int)b->known - (int)a->known;
	if (kind == KIND_PREFIX)
		return prefix_cmp(&a->prefix, &b->prefix);
	if (kind_is_number(kind))
		return (a->number > b->number) - (a->number < b->number);
	return bytes_cmp(a->bytes, b->bytes);
}

static uint64_t hash_of(const struct value_set *s, const struct dim_value *v)
{
	return s->kind == KIND_PREFIX ? hash_bytes(&v->prefix, sizeof(v->prefix)) : hash_bytes(v->bytes.data, v->bytes.len);
}

static int add_value(struct value_set *s, const struct dim_value *v, uint64_t *ret)
{
	if (s->count == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 64;
		struct dim_value *values = realloc(s->values, cap * sizeof(*values));
		if (!values)
			return -ENOMEM;
		s->values = values;
		s->cap = cap;
	}
	struct dim_value *to = &s->values[s->count];
	*to = *v;
	to->bytes.data = arena_copy(&s->arena, v->bytes.data, v->bytes.len);
	if (!to->bytes.data)
		return -ENOMEM;
	*ret = ++s->count;
	return 0;
}

static int index_values(struct value_set *s)
{
	int r = 0;
	for (; s->indexed < s->count && r == 0; s->indexed += r == 0)
		r = index_add(&s->index, hash_of(s, &s->values[s->indexed]), s->indexed);
	return r;
}

static int look_up(struct value_set *s, const struct dim_value *v, uint64_t *ret)
{
	uint32_t slot, at;
	int r = index_values(s);
	if (r < 0)
		return r;
	INDEX_FOR_EACH(&s->index, hash_of(s, v), slot, at) {
		if (value_cmp(s->kind, &s->values[at], v) == 0) {
			*ret = (uint64_t)at + 1;
			return 0;
		}
	}
	return add_value(s, v, ret);
}

/* ---- numbers ---- */

/* -ENOMEM. */
static int make_room_for(struct value_set *s, uint64_t number)
{
	uint32_t end = s->number_end ? s->number_end : 256;
	while (end <= number)
		end *= 2;
	uint32_t *by_number = realloc(s->by_number, end * sizeof(*by_number));
	if (!by_number)
		return -ENOMEM;
	memset(by_number + s->number_end, 0, (end - s->number_end) * sizeof(*by_number));
	s->by_number = by_number;
	s->number_end = end;
	return 0;
}

/* The code of a value with such a number. One with a new number is new, unless others came without. */
static int code_by_number(struct value_set *s, const struct dim_value *v, uint64_t *ret)
{
	int r = v->number < s->number_end ? 0 : make_room_for(s, v->number);
	if (r == 0 && !s->by_number[v->number]) {
		r = s->unnumbered ? look_up(s, v, ret) : add_value(s, v, ret);
		s->by_number[v->number] = r == 0 ? (uint32_t)*ret : 0;
	}
	if (r == 0)
		*ret = s->by_number[v->number];
	return r;
}

int value_set_code(struct value_set *s, const struct dim_value *v, uint64_t *ret)
{
	if (!v->known || kind_is_number(s->kind)) {
		*ret = v->known ? v->number + 1 : 0;
		return 0;
	}
	if (v->number && v->number < NUMBERS_MAX)
		return code_by_number(s, v, ret);
	s->unnumbered = true;
	return look_up(s, v, ret);
}

struct dim_value value_set_value(const struct value_set *s, uint64_t code)
{
	if (!code)
		return (struct dim_value){0};
	if (kind_is_number(s->kind))
		return (struct dim_value){.known = true, .number = code - 1};
	return s->values[code - 1];
}

int value_keep(struct arena *arena, enum dimension_kind kind, const struct dim_value *from, struct dim_value *ret)
{
	struct dim_value v = *from;
	if (!kind_is_number(kind))
		v.number = 0;
	if (from->bytes.data)
		v.bytes.data = arena_copy(arena, from->bytes.data, from->bytes.len);
	if (from->bytes.data && !v.bytes.data)
		return -ENOMEM;
	*ret = v;
	return 0;
}

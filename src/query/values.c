/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/values.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

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
	*s = (struct value_set){0};
}

static bool is_number(enum dimension_kind kind)
{
	return kind != KIND_TEXT && kind != KIND_PREFIX && kind != KIND_PATH;
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
	if (is_number(kind))
		return (a->number > b->number) - (a->number < b->number);
	return bytes_cmp(a->bytes, b->bytes);
}

static int add_value(struct value_set *s, uint64_t hash, const struct dim_value *v)
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
	return index_add(&s->index, hash, s->count++);
}

int value_set_code(struct value_set *s, const struct dim_value *v, uint64_t *ret)
{
	if (!v->known || is_number(s->kind)) {
		*ret = v->known ? v->number + 1 : 0;
		return 0;
	}
	uint64_t hash = s->kind == KIND_PREFIX ? hash_bytes(&v->prefix, sizeof(v->prefix))
					       : hash_bytes(v->bytes.data, v->bytes.len);
	uint32_t slot, at;
	INDEX_FOR_EACH(&s->index, hash, slot, at) {
		if (value_cmp(s->kind, &s->values[at], v) == 0) {
			*ret = (uint64_t)at + 1;
			return 0;
		}
	}
	int r = add_value(s, hash, v);
	if (r == 0)
		*ret = s->count;
	return r;
}

struct dim_value value_set_value(const struct value_set *s, uint64_t code)
{
	if (!code)
		return (struct dim_value){0};
	if (is_number(s->kind))
		return (struct dim_value){.known = true, .number = code - 1};
	return s->values[code - 1];
}

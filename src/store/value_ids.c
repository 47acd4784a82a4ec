/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/value_ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define IDS_MAX   (1u << 20)
#define BYTES_MAX (64u << 20)

struct value_id {
	struct view value;
	uint64_t id;
};

void value_ids_init(struct value_ids *d)
{
	*d = (struct value_ids){0};
	arena_init(&d->arena);
	index_init(&d->index);
}

void value_ids_done(struct value_ids *d)
{
	arena_done(&d->arena);
	index_done(&d->index);
	free(d->entries);
	*d = (struct value_ids){0};
}

void value_ids_clear(struct value_ids *d)
{
	index_clear(&d->index);
	arena_reset(&d->arena);
	d->count = 0;
}

void value_ids_trim(struct value_ids *d)
{
	if (d->count > IDS_MAX || d->arena.total_bytes > BYTES_MAX)
		value_ids_clear(d);
}

bool value_ids_find(const struct value_ids *d, struct view value, uint64_t *ret)
{
	uint32_t slot, pos;
	INDEX_FOR_EACH(&d->index, hash_bytes(value.data, value.len), slot, pos) {
		const struct value_id *e = &d->entries[pos];
		if (e->value.len == value.len && (!value.len || memcmp(e->value.data, value.data, value.len) == 0)) {
			*ret = e->id;
			return true;
		}
	}
	return false;
}

int value_ids_add(struct value_ids *d, struct view value, uint64_t id)
{
	if (d->count == d->cap) {
		uint32_t cap = d->cap ? d->cap * 2 : 256;
		struct value_id *entries = realloc(d->entries, cap * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		d->entries = entries;
		d->cap = cap;
	}
	const uint8_t *copy = arena_copy(&d->arena, value.data, value.len);
	if (!copy || index_add(&d->index, hash_bytes(value.data, value.len), d->count) < 0)
		return -ENOMEM;
	d->entries[d->count++] = (struct value_id){{copy, value.len}, id};
	return 0;
}

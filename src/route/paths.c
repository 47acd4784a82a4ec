/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/paths.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

static uint64_t hash_prefix(uint32_t prefix)
{
	return hash_bytes(&prefix, sizeof(prefix));
}

/* The part of the index that has a prefix's paths. */
static struct index *part_of(const struct paths *p, uint32_t prefix)
{
	return index_part((struct index_parts *)&p->index, hash_prefix(prefix));
}

int paths_new(struct paths **ret)
{
	struct paths *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	index_parts_init(&p->index);
	*ret = p;
	return 0;
}

void paths_free(struct paths *p, struct route_table *t)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->count; i++)
		route_attrs_release(t, p->list[i].attrs);
	index_parts_done(&p->index);
	free(p->list);
	free(p);
}

/* From *slot on. */
static uint32_t look_on(const struct paths *p, uint32_t prefix, uint32_t *slot)
{
	const struct index *index = part_of(p, prefix);
	uint32_t hash = index_fold(hash_prefix(prefix)), pos;
	while ((pos = index_probe(index, hash, slot)) != INDEX_NONE && p->list[pos].prefix != prefix)
		(*slot)++;
	return pos;
}

uint32_t paths_first(const struct paths *p, uint32_t prefix, uint32_t *slot)
{
	*slot = index_fold(hash_prefix(prefix));
	return look_on(p, prefix, slot);
}

uint32_t paths_next(const struct paths *p, uint32_t prefix, uint32_t *slot)
{
	(*slot)++;
	return look_on(p, prefix, slot);
}

uint32_t paths_find(const struct paths *p, uint32_t prefix, uint32_t path_id, uint32_t *ret_others)
{
	uint32_t slot, others = 0, pos = paths_first(p, prefix, &slot);
	for (; pos != PATHS_NONE && p->list[pos].path_id != path_id; pos = paths_next(p, prefix, &slot))
		others++;
	*ret_others = others;
	return pos;
}

int paths_add(struct paths *p, struct route_table *t, const struct path *path)
{
	if (p->count == p->cap) {
		uint32_t cap = p->cap ? 2 * p->cap : 64;
		struct path *grown = realloc(p->list, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		p->list = grown;
		p->cap = cap;
	}
	if (index_add(part_of(p, path->prefix), hash_prefix(path->prefix), p->count) < 0)
		return -ENOMEM;
	route_attrs_hold(t, path->attrs);
	p->list[p->count++] = *path;
	return 0;
}

void paths_del(struct paths *p, struct route_table *t, uint32_t pos)
{
	struct path gone = p->list[pos], moved = p->list[p->count - 1];
	uint32_t last = --p->count;
	index_del(part_of(p, gone.prefix), hash_prefix(gone.prefix), pos);
	if (pos != last) {
		index_del(part_of(p, moved.prefix), hash_prefix(moved.prefix), last);
		p->list[pos] = moved;
		/* There is room: one was just removed. */
		(void)!index_add(part_of(p, moved.prefix), hash_prefix(moved.prefix), pos);
	}
	route_attrs_release(t, gone.attrs);
}

void paths_set(struct paths *p, struct route_table *t, uint32_t pos, uint32_t attrs)
{
	route_attrs_hold(t, attrs);
	route_attrs_release(t, p->list[pos].attrs);
	p->list[pos].attrs = attrs;
}

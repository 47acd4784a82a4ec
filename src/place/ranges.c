/* SPDX-License-Identifier: BSD-2-Clause */

/* Registries describe the address space by ranges of any length that may overlap between files. A
 * lookup wants none of that: it wants sorted, disjoint stretches.
 *
 * Making them: the ranges are sorted by their first address and a sweep goes over the space. A heap
 * holds the ranges that cover the sweep's place, the one with the highest precedence on top; at each
 * place where a range begins, or the top one ends, a stretch is finished. A range whose end has
 * passed leaves the heap only when it comes to the top. Every turn either takes in a range or drops
 * one, so n ranges give at most 2n stretches (and as many gaps) in O(n log n). Neighbouring
 * stretches with equal values become one.
 *
 * Looking up: a table by the address's first 16 bits (8 where there is little to find) gives the few stretches that may hold it (at
 * most a dozen for most IPv4 blocks), a binary search without unpredictable branches does the rest.
 * There is a stretch that starts at 0, so a search always ends at one. */

#include "place/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_BITS 16
#define SMALL_DROP 8    /* bits less for a map with */
#define SMALL_COUNT 512 /* fewer stretches than this */

void range_list_done(struct range_list *list)
{
	free(list->items);
	*list = (struct range_list){0};
}

int range_list_add(struct range_list *list, u128 first, u128 last, uint16_t value)
{
	struct range *prev = list->count ? &list->items[list->count - 1] : NULL;
	if (prev && prev->value == value && prev->last != ~(u128)0 && prev->last + 1 == first) {
		prev->last = last;
		return 0;
	}
	if (list->count == UINT32_MAX / 8)
		return -ENOMEM;
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 256;
		struct range *items = reallocarray(list->items, cap, sizeof(*items));
		if (!items)
			return -ENOMEM;
		list->items = items;
		list->cap = cap;
	}
	list->items[list->count] = (struct range){first, last, (uint32_t)list->count, value};
	list->count++;
	return 0;
}

/* ---- the sweep ---- */

struct stretch {
	u128 start;
	uint16_t value;
};

struct sweep {
	const struct range *ranges; /* sorted by first */
	size_t count, next;
	const struct range **heap;
	size_t heap_count;
	struct stretch *out;
	size_t out_count;
};

static void heap_push(struct sweep *s, const struct range *r)
{
	size_t i = s->heap_count++;
	for (; i && s->heap[(i - 1) / 2]->order < r->order; i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = r;
}

static void heap_pop(struct sweep *s)
{
	const struct range *r = s->heap[--s->heap_count];
	size_t i = 0;
	for (;;) {
		size_t child = 2 * i + 1;
		if (child + 1 < s->heap_count && s->heap[child + 1]->order > s->heap[child]->order)
			child++;
		if (child >= s->heap_count || s->heap[child]->order < r->order)
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = r;
}

static void emit(struct sweep *s, u128 start, uint16_t value)
{
	if (s->out_count && s->out[s->out_count - 1].value == value)
		return;
	s->out[s->out_count++] = (struct stretch){start, value};
}

static void take_in(struct sweep *s, u128 place)
{
	while (s->next < s->count && s->ranges[s->next].first == place)
		heap_push(s, &s->ranges[s->next++]);
}

/* The stretch that begins at place; returns false at the end of the space or of the ranges. */
static bool sweep_step(struct sweep *s, u128 *place)
{
	take_in(s, *place);
	while (s->heap_count && s->heap[0]->last < *place)
		heap_pop(s);
	emit(s, *place, s->heap_count ? s->heap[0]->value : 0);
	bool more = s->next < s->count;
	if (s->heap_count) {
		u128 last = s->heap[0]->last;
		if (!more || s->ranges[s->next].first > last) {
			*place = last + 1;
			return last != ~(u128)0;
		}
	}
	if (more)
		*place = s->ranges[s->next].first;
	return more;
}

static int compare_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static int flatten(struct range_list *list, struct stretch **ret, size_t *ret_count)
{
	CLEANUP(free_p) struct stretch *out = reallocarray(NULL, 2 * list->count + 2, sizeof(*out));
	CLEANUP(free_p) const struct range **heap = reallocarray(NULL, list->count + 1, sizeof(*heap));
	if (!out || !heap)
		return -ENOMEM;
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare_first);
	struct sweep s = {.ranges = list->items, .count = list->count, .heap = heap, .out = out};
	u128 place = 0;
	while (sweep_step(&s, &place))
		;
	*ret = out;
	*ret_count = s.out_count;
	out = NULL;
	return 0;
}

/* ---- the map ---- */

static u128 start_of(const struct range_map *map, uint32_t i)
{
	return map->starts_v4 ? map->starts_v4[i] : map->starts_v6[i];
}

/* One more than blocks, so that each block's end can be read. */
static size_t index_entries(const struct range_map *map)
{
	return ((size_t)1 << (INDEX_BITS - map->drop)) + 1;
}

static int allocate(struct range_map *map, size_t count, unsigned family)
{
	map->drop = count < SMALL_COUNT ? SMALL_DROP : 0;
	map->values = reallocarray(NULL, count, sizeof(*map->values));
	map->index = reallocarray(NULL, index_entries(map), sizeof(*map->index));
	if (family == ADDR_V4)
		map->starts_v4 = reallocarray(NULL, count, sizeof(*map->starts_v4));
	else
		map->starts_v6 = reallocarray(NULL, count, sizeof(*map->starts_v6));
	return map->values && map->index && (map->starts_v4 || map->starts_v6) ? 0 : -ENOMEM;
}

/* The first block whose first address lies in stretch i or behind it. */
static uint32_t first_block(const struct range_map *map, uint32_t i, unsigned shift)
{
	u128 start = start_of(map, i);
	return (uint32_t)(start >> shift) + ((start & (((u128)1 << shift) - 1)) != 0);
}

static void fill_index(struct range_map *map, unsigned family)
{
	unsigned shift = (family == ADDR_V4 ? 32 : 128) - INDEX_BITS + map->drop;
	uint32_t block = 0, *index = map->index;
	for (uint32_t i = 1; i < map->count; i++)
		for (uint32_t end = first_block(map, i, shift); block < end; block++)
			index[block] = i - 1;
	for (; block < index_entries(map); block++)
		index[block] = map->count - 1;
}

int range_map_init(struct range_map *map, struct range_list *list, unsigned family)
{
	*map = (struct range_map){0};
	CLEANUP(free_p) struct stretch *stretches = NULL;
	size_t count;
	int r = flatten(list, &stretches, &count);
	if (r < 0)
		return r;
	/* The stretch behind a range that ends the IPv4 space begins outside of it. */
	if (family == ADDR_V4 && stretches[count - 1].start > UINT32_MAX)
		count--;
	r = allocate(map, count, family);
	if (r < 0) {
		range_map_done(map);
		return r;
	}
	map->count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		map->values[i] = stretches[i].value;
		map->ranges += stretches[i].value != 0;
		if (family == ADDR_V4)
			map->starts_v4[i] = (uint32_t)stretches[i].start;
		else
			map->starts_v6[i] = stretches[i].start;
	}
	fill_index(map, family);
	return 0;
}

void range_map_done(struct range_map *map)
{
	free(map->starts_v4);
	free(map->starts_v6);
	free(map->values);
	free(map->index);
	*map = (struct range_map){0};
}

/* Both searches keep starts[at] <= addr, and the answer among the `left` stretches from `at` on. */

uint16_t range_map_get_v4(const struct range_map *map, uint32_t addr)
{
	uint32_t top = addr >> (32 - INDEX_BITS) >> map->drop;
	uint32_t at = map->index[top];
	uint32_t left = map->index[top + 1] - at + 1;
	const uint32_t *starts = map->starts_v4;
	while (left > 1) {
		uint32_t half = left / 2;
		at += starts[at + half] <= addr ? half : 0;
		left -= half;
	}
	return map->values[at];
}

uint16_t range_map_get_v6(const struct range_map *map, u128 addr)
{
	uint32_t top = (uint32_t)(addr >> (128 - INDEX_BITS)) >> map->drop;
	uint32_t at = map->index[top];
	uint32_t left = map->index[top + 1] - at + 1;
	const u128 *starts = map->starts_v6;
	while (left > 1) {
		uint32_t half = left / 2;
		at += starts[at + half] <= addr ? half : 0;
		left -= half;
	}
	return map->values[at];
}

size_t range_map_bytes(const struct range_map *map)
{
	size_t start = map->starts_v4 ? sizeof(*map->starts_v4) : sizeof(*map->starts_v6);
	return map->count * (start + sizeof(*map->values)) + index_entries(map) * sizeof(*map->index);
}

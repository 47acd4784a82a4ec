/* SPDX-License-Identifier: BSD-2-Clause */

/* Interned path attributes. A full table has one set for four or five prefixes, and most sets are
 * short, so the sets are kept packed:
 *
 *     flags (1) | origin code (1) | path length (varint) | communities length (varint)
 *     [ext. length (varint) large length (varint) clusters and whether an originator follows (1)
 *     [originator (4)]] [MED (varint)] [local preference (varint)]
 *     [next hop (4 or 16)] [aggregator AS (4) aggregator (4 or 16)]
 *     path | communities | extended communities | large communities
 *
 * Packing is a function of what the set means (a MED that is absent has no value, a path is joined), so
 * equal sets are equal bytes, and finding one is a hash and one comparison.
 *
 * A packed set of up to 255 bytes lies in the pool behind one byte of length; a longer one has memory
 * of its own, and the block in the pool says 0 and where. Neither ever moves. Freed blocks are used
 * again for sets of the same size, of which a table has few. The index is in parts, as growing one takes as long
 * as it is large. Per set: 8 bytes of entry, 8 to 16 of index, and its bytes rounded up to four. What can be had
 * from the path is not kept beside it. */

#include "route/attrs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "route/area.h"
#include "route/path.h"

#define UNIT_BYTES  4u
#define SMALL_MAX   255u
#define LARGE_UNITS 3u /* the length byte, padding, a pointer */
#define FIXED_MAX   (2 + 4 * 10 + 1 + 4 + 5 + 5 + 16 + 4 + 16)
#define BYTES_MAX   (1u << 28)

enum {
	HAS_MED = 1,
	HAS_LOCAL_PREF = 2,
	ATOMIC_AGGREGATE = 4,
	HAS_NEXT_HOP = 8,
	NEXT_HOP_V6 = 16,
	HAS_AGGREGATOR = 32,
	AGGREGATOR_V6 = 64,
	HAS_MORE = 128,
};

struct large {
	size_t len;
	uint8_t data[];
};

void attrs_init(struct attrs *a)
{
	*a = (struct attrs){0};
	ids_init(&a->ids);
	index_parts_init(&a->index);
	pool_init_chunked(&a->blobs, UNIT_BYTES);
}

static struct large *large_at(const uint8_t *block)
{
	struct large *large;
	memcpy(&large, block + UNIT_BYTES, sizeof(large));
	return large;
}

static struct view packed(const struct attrs *a, uint32_t id)
{
	const uint8_t *block = pool_at(&a->blobs, a->entries[id].blob);
	if (block[0])
		return (struct view){block + 1, block[0]};
	const struct large *large = large_at(block);
	return (struct view){large->data, large->len};
}

static uint32_t small_units(size_t len)
{
	return (uint32_t)(1 + len + UNIT_BYTES - 1) / UNIT_BYTES;
}

static void free_blob(struct attrs *a, uint32_t blob)
{
	const uint8_t *block = pool_at(&a->blobs, blob);
	if (block[0]) {
		pool_free(&a->blobs, blob, small_units(block[0]));
		return;
	}
	struct large *large = large_at(block);
	a->large_bytes -= sizeof(*large) + large->len;
	free(large);
	pool_free(&a->blobs, blob, LARGE_UNITS);
}

void attrs_done(struct attrs *a)
{
	for (uint32_t id = 0; id < a->ids.used; id++)
		if (a->entries[id].blob != POOL_NONE)
			free_blob(a, a->entries[id].blob);
	ids_done(&a->ids);
	index_parts_done(&a->index);
	pool_done(&a->blobs);
	area_free(a->entries, a->cap * sizeof(*a->entries));
	free(a->scratch);
}

static void put_view(struct wr *w, struct view v)
{
	wr_bytes(w, v.data, v.len);
}

static uint8_t flags_of(const struct route_attrs *s)
{
	unsigned flags = 0;
	flags |= s->has_med ? HAS_MED : 0;
	flags |= s->has_local_pref ? HAS_LOCAL_PREF : 0;
	flags |= s->atomic_aggregate ? ATOMIC_AGGREGATE : 0;
	if (s->next_hop.family != ADDR_NONE)
		flags |= s->next_hop.family == ADDR_V4 ? HAS_NEXT_HOP : HAS_NEXT_HOP | NEXT_HOP_V6;
	if (s->aggregator.family != ADDR_NONE)
		flags |= s->aggregator.family == ADDR_V4 ? HAS_AGGREGATOR : HAS_AGGREGATOR | AGGREGATOR_V6;
	flags |= s->ext_communities.len || s->large_communities.len || s->originator_id || s->cluster_length ? HAS_MORE : 0;
	return (uint8_t)flags;
}

static void pack(struct wr *w, const struct route_attrs *s)
{
	unsigned flags = flags_of(s);
	wr_u8(w, (uint8_t)flags);
	wr_u8(w, s->origin_code);
	wr_varint(w, s->path.len);
	wr_varint(w, s->communities.len);
	if (flags & HAS_MORE) {
		wr_varint(w, s->ext_communities.len);
		wr_varint(w, s->large_communities.len);
		wr_u8(w, (uint8_t)(s->cluster_length << 1 | (s->originator_id != 0)));
		if (s->originator_id)
			wr_u32(w, s->originator_id);
	}
	if (flags & HAS_MED)
		wr_varint(w, s->med);
	if (flags & HAS_LOCAL_PREF)
		wr_varint(w, s->local_pref);
	if (flags & HAS_NEXT_HOP)
		wr_bytes(w, s->next_hop.bytes, flags & NEXT_HOP_V6 ? 16 : 4);
	if (flags & HAS_AGGREGATOR) {
		wr_u32(w, s->aggregator_as);
		wr_bytes(w, s->aggregator.bytes, flags & AGGREGATOR_V6 ? 16 : 4);
	}
	put_view(w, s->path);
	put_view(w, s->communities);
	put_view(w, s->ext_communities);
	put_view(w, s->large_communities);
}

static struct addr get_addr(struct rd *r, bool v6)
{
	struct addr a = {.family = v6 ? ADDR_V6 : ADDR_V4};
	rd_copy(r, a.bytes, v6 ? 16 : 4);
	return a;
}

struct route_attrs attrs_get(const struct attrs *a, uint32_t id)
{
	assert(id < a->ids.used && a->entries[id].blob != POOL_NONE);
	struct rd r = rd_view(packed(a, id));
	unsigned flags = rd_u8(&r);
	struct route_attrs s = {.has_med = flags & HAS_MED, .has_local_pref = flags & HAS_LOCAL_PREF,
		.atomic_aggregate = flags & ATOMIC_AGGREGATE};
	s.origin_code = rd_u8(&r);
	s.path.len = rd_varint(&r);
	s.communities.len = rd_varint(&r);
	if (flags & HAS_MORE) {
		s.ext_communities.len = rd_varint(&r);
		s.large_communities.len = rd_varint(&r);
		unsigned reflected = rd_u8(&r);
		s.cluster_length = (uint8_t)(reflected >> 1);
		s.originator_id = reflected & 1 ? rd_u32(&r) : 0;
	}
	if (flags & HAS_MED)
		s.med = (uint32_t)rd_varint(&r);
	if (flags & HAS_LOCAL_PREF)
		s.local_pref = (uint32_t)rd_varint(&r);
	if (flags & HAS_NEXT_HOP)
		s.next_hop = get_addr(&r, flags & NEXT_HOP_V6);
	if (flags & HAS_AGGREGATOR) {
		s.aggregator_as = rd_u32(&r);
		s.aggregator = get_addr(&r, flags & AGGREGATOR_V6);
	}
	s.path = rd_bytes(&r, s.path.len);
	s.communities = rd_bytes(&r, s.communities.len);
	s.ext_communities = rd_bytes(&r, s.ext_communities.len);
	s.large_communities = rd_bytes(&r, s.large_communities.len);
	assert(rd_done(&r));
	return s;
}

/* Packs the set into the scratch memory. */
static int pack_scratch(struct attrs *a, const struct route_attrs *s, struct view *ret)
{
	if (s->path.len > BYTES_MAX || s->communities.len > BYTES_MAX || s->ext_communities.len > BYTES_MAX ||
		s->large_communities.len > BYTES_MAX)
		return -EINVAL;
	size_t need = FIXED_MAX + s->path.len + s->communities.len + s->ext_communities.len +
		s->large_communities.len;
	if (need > a->scratch_bytes) {
		uint8_t *grown = realloc(a->scratch, need * 2);
		if (!grown)
			return -ENOMEM;
		a->scratch = grown;
		a->scratch_bytes = need * 2;
	}
	struct wr w = wr_make(a->scratch, a->scratch_bytes);
	pack(&w, s);
	assert(wr_ok(&w));
	*ret = (struct view){a->scratch, wr_len(&w)};
	return 0;
}

static uint32_t new_large(struct attrs *a, struct view data)
{
	struct large *large = malloc(sizeof(*large) + data.len);
	if (!large)
		return POOL_NONE;
	uint32_t blob = pool_alloc(&a->blobs, LARGE_UNITS);
	if (blob == POOL_NONE) {
		free(large);
		return POOL_NONE;
	}
	large->len = data.len;
	memcpy(large->data, data.data, data.len);
	uint8_t *block = pool_at(&a->blobs, blob);
	block[0] = 0;
	memcpy(block + UNIT_BYTES, &large, sizeof(large));
	a->large_bytes += sizeof(*large) + data.len;
	return blob;
}

static uint32_t new_blob(struct attrs *a, struct view data)
{
	if (data.len > SMALL_MAX)
		return new_large(a, data);
	uint32_t blob = pool_alloc(&a->blobs, small_units(data.len));
	if (blob == POOL_NONE)
		return POOL_NONE;
	uint8_t *block = pool_at(&a->blobs, blob);
	block[0] = (uint8_t)data.len;
	memcpy(block + 1, data.data, data.len);
	return blob;
}

static int new_id(struct attrs *a, uint32_t *ret_id)
{
	uint32_t id = ids_get(&a->ids);
	if (id == IDS_NONE)
		return -ENOMEM;
	if (id >= a->cap) {
		struct attrs_entry *grown = area_grow(a->entries, a->cap * sizeof(*grown), a->ids.cap * sizeof(*grown));
		if (!grown) {
			a->ids.used--; /* a fresh id, the last one given out */
			return -ENOMEM;
		}
		a->entries = grown;
		a->cap = a->ids.cap;
	}
	a->entries[id] = (struct attrs_entry){.blob = POOL_NONE};
	*ret_id = id;
	return 0;
}

static void drop_id(struct attrs *a, uint32_t id)
{
	ids_bury(&a->ids, id);
	ids_release(&a->ids, id);
}

static int add(struct attrs *a, const struct route_attrs *s, struct view data, uint64_t hash, uint32_t *ret_id)
{
	uint32_t id;
	if (!path_valid(s->path))
		return -EINVAL;
	if (new_id(a, &id) < 0)
		return -ENOMEM;
	uint32_t blob = new_blob(a, data);
	if (blob == POOL_NONE) {
		drop_id(a, id);
		return -ENOMEM;
	}
	if (index_add(index_part(&a->index, hash), hash, id) < 0) {
		free_blob(a, blob);
		drop_id(a, id);
		return -ENOMEM;
	}
	a->entries[id] = (struct attrs_entry){1, blob};
	*ret_id = id;
	return 0;
}

/* The same set with its path joined. */
static int intern_joined(struct attrs *a, const struct route_attrs *s, uint32_t *ret_id)
{
	if (!path_valid(s->path))
		return -EINVAL;
	uint8_t *bytes = malloc(s->path.len);
	if (!bytes)
		return -ENOMEM;
	struct route_attrs joined = *s;
	joined.path = (struct view){bytes, path_join(s->path, bytes)};
	int r = attrs_intern(a, &joined, ret_id);
	free(bytes);
	return r;
}

int attrs_intern(struct attrs *a, const struct route_attrs *s, uint32_t *ret_id)
{
	struct view data;
	if (UNLIKELY(!path_is_joined(s->path)))
		return intern_joined(a, s, ret_id);
	int r = pack_scratch(a, s, &data);
	if (r < 0)
		return r;
	uint64_t hash = hash_bytes(data.data, data.len);
	const struct index *part = index_part(&a->index, hash);
	uint32_t slot, id;
	INDEX_FOR_EACH (part, hash, slot, id) {
		struct view known = packed(a, id);
		if (known.len == data.len && memcmp(known.data, data.data, data.len) == 0) {
			attrs_ref(a, id);
			*ret_id = id;
			return 0;
		}
	}
	return add(a, s, data, hash, ret_id);
}

void attrs_ref(struct attrs *a, uint32_t id)
{
	assert(id < a->ids.used && a->entries[id].blob != POOL_NONE && a->entries[id].refs < UINT32_MAX);
	if (a->entries[id].refs++ == 0)
		ids_revive(&a->ids, id);
}

void attrs_unref(struct attrs *a, uint32_t id)
{
	assert(id < a->ids.used && a->entries[id].refs > 0);
	if (--a->entries[id].refs == 0)
		ids_bury(&a->ids, id);
}

bool attrs_reclaim(struct attrs *a, size_t max)
{
	uint32_t id = 0;
	for (; (id = ids_next_dead(&a->ids, id)) != IDS_NONE; max--) {
		if (!max)
			return true;
		struct view data = packed(a, id);
		uint64_t hash = hash_bytes(data.data, data.len);
		index_del(index_part(&a->index, hash), hash, id);
		free_blob(a, a->entries[id].blob);
		a->entries[id].blob = POOL_NONE;
		ids_release(&a->ids, id);
	}
	return false;
}

size_t attrs_memory_bytes(const struct attrs *a)
{
	return ids_memory_bytes(&a->ids) + a->cap * sizeof(*a->entries) + index_parts_memory_bytes(&a->index) +
		pool_memory_bytes(&a->blobs) + a->large_bytes + a->scratch_bytes;
}

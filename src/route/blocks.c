/* SPDX-License-Identifier: BSD-2-Clause */

/* A direct-mapped cache: a block's hash names its slot, and what stands there is the block or gives way to
 * it. A hit costs the hash of some sixty bytes and their comparison. A miss decodes; packing and interning
 * wait until somebody asks for the id, since of forty peers' routes to a prefix one is kept. */

#include "route/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "route/best.h"
#include "route/convert.h"
#include "route/path.h"


enum state { EMPTY, GOOD, LEFT_OUT };

struct block {
	uint64_t hash;
	uint32_t attrs; /* ROUTE_NONE: not interned yet */
	struct block_rank rank;
	uint8_t state, as_bytes;
	uint8_t len;
	uint8_t data[BLOCKS_BYTES_MAX];
};
_Static_assert(sizeof(struct block) <= 192 && BLOCKS_BYTES_MAX < 256, "as the header says");

int blocks_init(struct blocks *b, struct route_table *table)
{
	*b = (struct blocks){.table = table};
	b->slots = calloc(BLOCKS_SLOTS + 1, sizeof(*b->slots));
	b->path = malloc(BGP_PATH_MAX);
	if (b->slots && b->path)
		return 0;
	blocks_done(b);
	return -ENOMEM;
}

void blocks_done(struct blocks *b)
{
	free(b->slots);
	free(b->path);
	*b = (struct blocks){0};
}

static int decode(struct blocks *b, struct view raw, unsigned as_bytes, struct bgp_attrs *ret, struct view *ret_path)
{
	/* As mrt_dump_rules in bgp/mrt.h. */
	struct bgp_attr_rules rules = {.as_bytes = (uint8_t)as_bytes, .dump = true};
	enum bgp_severity severity = bgp_attrs_decode(raw, &rules, ret);
	if (UNLIKELY(severity >= BGP_WITHDRAW))
		return ret->fault ? 0 : -EBADMSG;
	return bgp_path_merge(ret, b->path, BGP_PATH_MAX, ret_path);
}

static void fill(struct block *block, const struct bgp_attrs *a, struct view path)
{
	static const struct addr nowhere;
	struct route_attrs set = convert_attrs(a, path, &nowhere);
	block->state = GOOD;
	block->attrs = ROUTE_NONE;
	block->rank = (struct block_rank){
		.local_pref = set.has_local_pref ? set.local_pref : BEST_LOCAL_PREF_DEFAULT,
		.path_length = bgp_path_length(path, 4),
		.med = a->med,
		.neighbour = path_neighbour(path),
		.originator_id = set.originator_id,
		.cluster_length = set.cluster_length,
		.origin_code = a->origin_code,
	};
}

/* The block's slot, where it stands now. attrs and path are written when it had to be decoded, and
 * *ret_decoded says so. */
static int find(struct blocks *b, struct view raw, unsigned as_bytes, struct block **ret, struct bgp_attrs *attrs,
	struct view *path, bool *ret_decoded)
{
	struct block *block = &b->slots[BLOCKS_SLOTS];
	uint64_t hash = 0;
	*ret_decoded = false;
	if (LIKELY(raw.len <= BLOCKS_BYTES_MAX)) {
		hash = hash_bytes(raw.data, raw.len);
		block = &b->slots[hash & (BLOCKS_SLOTS - 1)];
		if (block->hash == hash && block->state != EMPTY && block->len == raw.len &&
			block->as_bytes == as_bytes && memcmp(block->data, raw.data, raw.len) == 0) {
			*ret = block;
			return block->state == GOOD;
		}
	}
	block->state = EMPTY;
	int r = decode(b, raw, as_bytes, attrs, path);
	if (r < 0)
		return r;
	if (r > 0)
		fill(block, attrs, *path);
	else
		block->state = LEFT_OUT;
	*ret_decoded = r > 0;
	block->hash = hash;
	block->as_bytes = (uint8_t)as_bytes;
	block->len = (uint8_t)raw.len;
	if (raw.len && raw.len <= BLOCKS_BYTES_MAX)
		memcpy(block->data, raw.data, raw.len);
	*ret = block;
	return r;
}

int blocks_rank(struct blocks *b, struct view raw, unsigned as_bytes, struct block_rank *ret)
{
	struct block *block;
	struct bgp_attrs attrs;
	struct view path;
	bool decoded;
	int r = find(b, raw, as_bytes, &block, &attrs, &path, &decoded);
	if (r > 0)
		*ret = block->rank;
	return r;
}

int blocks_attrs(struct blocks *b, struct view raw, unsigned as_bytes, uint32_t *ret_attrs)
{
	struct block *block;
	struct bgp_attrs attrs;
	struct view path;
	bool decoded;
	int r = find(b, raw, as_bytes, &block, &attrs, &path, &decoded);
	if (r <= 0)
		return r;
	if (block->attrs == ROUTE_NONE) {
		if (!decoded)
			(void)decode(b, raw, as_bytes, &attrs, &path); /* it was good before */
		struct addr next_hop = bgp_attrs_next_hop(&attrs);
		struct route_attrs set = convert_attrs(&attrs, path, &next_hop);
		r = route_attrs_intern(b->table, &set, &block->attrs);
		if (r < 0) {
			block->state = r == -EINVAL ? LEFT_OUT : EMPTY;
			return r == -EINVAL ? 0 : r;
		}
		route_attrs_release(b->table, block->attrs);
	}
	*ret_attrs = block->attrs;
	return 1;
}

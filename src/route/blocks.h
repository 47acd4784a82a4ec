/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: what blocks of path attributes, as they stand in a table dump, come to: their rank
 * among routes, and their id in the table. A cache of fixed size in front of the decoder: the prefixes of
 * a network follow each other in a dump and mostly have the same block of each peer.
 *
 * Memory: BLOCKS_SLOTS times 192 bytes. Holds no references: route_reclaim must not run while it is used. */

#include "bgp/attr.h"
#include "route/route.h"

#define BLOCKS_SLOTS     2048u /* a power of two; more would not fit into a core's own cache */
#define BLOCKS_BYTES_MAX 150u   /* a longer block is decoded each time */

struct block_rank {
	uint32_t local_pref; /* 100 where the block has none */
	uint32_t path_length, med, neighbour;
	uint32_t originator_id; /* 0: none */
	uint8_t cluster_length, origin_code;
};

struct block;

struct blocks {
	struct route_table *table;
	struct block *slots; /* one more, for blocks that are too long */
	uint8_t *path;       /* BGP_PATH_MAX bytes */
};

int blocks_init(struct blocks *b, struct route_table *table) MUST_USE;
void blocks_done(struct blocks *b);

/* 1; 0: malformed so that RFC 7606 would withdraw the route; -EBADMSG: attributes that don't fit the
 * block's length; -ENOMEM. */
int blocks_rank(struct blocks *b, struct view raw, unsigned as_bytes, struct block_rank *ret) MUST_USE;
/* The same results. The id is good until route_reclaim. */
int blocks_attrs(struct blocks *b, struct view raw, unsigned as_bytes, uint32_t *ret_attrs) MUST_USE;

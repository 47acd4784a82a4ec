/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Whom to peer with: networks to which traffic goes by somebody else's, how much, by whom, how well, and whether the network is a
 * neighbour already, somewhere. An origin (last AS of the path) is reached by transit where the neighbour (first AS) is another one.
 * A route server at an exchange adds nothing to paths, so what goes through one is direct. Pure. */

#include "query/query.h"

#define PEERING_WAYS_MAX    8  /* neighbours of an origin that are told one by one, the largest; the others as one */
#define PEERING_ROUTERS_MAX 16 /* routers that are told by name */

/* A neighbour on the way to an origin. */
struct peering_way {
	struct dim_value neighbour;
	struct measures m;
};

struct peering_routers {
	struct dim_value *names; /* the most bytes first */
	uint32_t count, left_out;
};

struct peering_row {
	struct dim_value origin;
	struct measures transit;      /* of all ways through another network */
	struct peering_way *ways;     /* the most bytes first */
	uint32_t way_count, other_count;
	struct measures others;       /* of the ways that are left out */
	struct peering_routers by;    /* whose traffic that is */
	struct measures direct;       /* where the origin is the neighbour; nothing in it: nowhere */
	struct peering_routers direct_by;
};

struct peering {
	struct peering_row *rows; /* the most bytes by transit first; those without any are none */
	size_t row_count;
	uint64_t origins;         /* rows that there are, shown or not */
	struct measures transit;  /* of them */
	struct arena arena;
};

/* all: by origin, neighbour and router, with bytes_sent. -ENOMEM. */
int peering_make(const struct query_groups *all, uint32_t limit, struct peering *ret) MUST_USE;
void peering_done(struct peering *p);

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The flow of traffic from routers by neighbours and transit ASes to origins, as nodes and links of a graph. Each
 * stage has so many nodes of its own and one for all others, so that what leaves the routers is what arrives at the
 * origins, exactly, whatever is shown. Not thread-safe. */

#include "query/query.h"

enum flows_stage {
	STAGE_ROUTER,
	STAGE_NEIGHBOUR, /* first AS of the path */
	STAGE_TRANSIT,   /* the AS behind the neighbour, unless that is the origin: then there is none */
	STAGE_ORIGIN,    /* last AS of the path */
	STAGE_COUNT,
};

struct flows_node {
	enum flows_stage stage;
	bool other;             /* all that have no node of their own */
	struct dim_value value; /* a router or an AS; lives as long as the flows */
	struct measures m;
};

struct flows_link {
	uint32_t from, to; /* nodes */
	struct measures m;
};

struct flows {
	struct flows_node *nodes; /* by stage, the largest first; then the others */
	size_t node_count;
	struct flows_link *links; /* the largest first */
	size_t link_count;
	struct arena arena;       /* owns values */
};

/* all: by router and path. sort: what the largest nodes are the largest by. nodes_max: of a stage. -ENOMEM. */
int flows_make(const struct query_groups *all, int sort, uint32_t nodes_max, struct flows *ret) MUST_USE;
void flows_done(struct flows *f);

/* The AS of the stage in a path; 0: unknown, or none. */
uint32_t flows_as(enum flows_stage stage, const struct dim_value *path);

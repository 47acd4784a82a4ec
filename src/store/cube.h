/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* From a flow table to the rows of every cube and level. A row's key is its bucket's start, then the
 * cube's dimensions in key order (schema.h): numbers as they are, and for router, type, prefix and
 * path the number that the maps give for the table's own (a store's dictionary ids). 0 is unknown in
 * every one of them. Sums are the measures. */

#include "store/groups.h"
#include "store/schema.h"

struct cube_source {
	const struct flow_table *flows;
	/* By the table's numbers; owned. */
	uint64_t *names, *prefixes, *paths;
	uint32_t *origins, *neighbours; /* of each path */
	bool *name_used, *prefix_used, *path_used; /* by a row that has something in it, or a change */
};

/* Maps are the identity at first. -ENOMEM. */
int cube_source_init(struct cube_source *s, const struct flow_table *flows) MUST_USE;
void cube_source_done(struct cube_source *s);

/* The minute rows of a cube, in key order. ret is reset. -ENOMEM, -E2BIG. */
int cube_minutes(const struct cube_source *s, enum store_cube cube, struct groups *ret) MUST_USE;
/* The rows of a coarser level from those of a finer one. */
int cube_rollup(const struct groups *fine, enum store_level level, struct groups *ret) MUST_USE;

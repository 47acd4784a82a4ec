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

/* Maps are the identity at first. With `only`, as in struct store_batch, what that table's key does not hold
 * is not used by rows. -ENOMEM. */
int cube_source_init(struct cube_source *s, const struct flow_table *flows, const struct store_table *only) MUST_USE;
void cube_source_done(struct cube_source *s);

/* Takes one table's rows, in key order; they live until it returns. A negative return ends the walk. When `rows` is what it was
 * at the finer level of the same cube, nothing but the times in it has changed: all of a batch is in one bucket. */
typedef int cube_rows_fn(void *ctx, enum store_cube cube, enum store_level level, const struct groups *rows);

/* The rows of every table (or of `only`, as in struct store_batch), cube by cube from fine to coarse levels.
 * scratch holds them meanwhile. -ENOMEM, -E2BIG, or what fn returned. */
int cube_walk(const struct cube_source *s, const struct store_table *only, struct groups scratch[static 2],
	cube_rows_fn *fn, void *ctx) MUST_USE;

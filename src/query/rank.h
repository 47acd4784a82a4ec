/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The first N of a table of sums, in an order that does not depend on the order of the rows. */

#include "query/query.h"

/* A mask of the measures that a sort looks at. */
uint64_t rank_measures(int sort);

struct ranking {
	struct query_groups all;
	int sort; /* as in struct query */
	bool ascending;
};

/* The rows of the first `limit`, best first; *ret is the caller's to free. Rows whose figure is not
 * defined (a rate of nothing) come last whichever way the sort goes; equals are told apart by their
 * keys. -ENOMEM. */
int rank_top(const struct ranking *r, uint32_t limit, uint32_t **ret, uint32_t *ret_count) MUST_USE;

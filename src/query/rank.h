/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The first N of a table of sums, in an order that does not depend on the order of the rows. */

#include "query/query.h"
#include "query/values.h"
#include "store/groups.h"

/* A mask of the measures that a sort looks at. */
uint64_t rank_measures(int sort);

struct ranking {
	const struct groups *groups;   /* key: a code per dimension; sums: columns of the measures */
	const struct value_set *sets;  /* one per key word */
	const uint8_t *measures;       /* which measure each column is */
	unsigned measure_count;
	int sort;                      /* as in struct query */
	bool ascending;
};

/* The rows of the first `limit`, best first; *ret is the caller's to free. Rows whose figure is not
 * defined (a rate of nothing) come last whichever way the sort goes; equals are told apart by their
 * keys. -ENOMEM. */
int rank_top(const struct ranking *r, uint32_t limit, uint32_t **ret, uint32_t *ret_count) MUST_USE;

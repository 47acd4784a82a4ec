/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The inside of a parsed filter, for query_run. */

#include "base/arena.h"
#include "query/query.h"

struct filter {
	struct store_filter items[QUERY_FILTERS_MAX];
	size_t count;
	struct arena arena; /* owns the values */
};

/* What a route has and a change of one: filters on other dimensions are of traffic. */
#define FILTER_ROUTE_DIMENSIONS                                                                                 \
	(DIM_BIT(DIM_router) | DIM_BIT(DIM_prefix) | DIM_BIT(DIM_origin) | DIM_BIT(DIM_neighbour) | DIM_BIT(DIM_via) | DIM_BIT(DIM_path))

/* The first dimension of its terms that is none of these (a mask); DIMENSION_COUNT: there is none. NULL: no terms. */
enum dimension filter_beside(const struct filter *f, uint64_t dims);

/* Whether a path (as DIM_path; unknown: no route) has this origin, neighbour, member (DIM_via), or is this one. */
bool filter_path_is(const struct dim_value *path, enum dimension dim, const struct dim_value *v);
/* Whether two texts or paths, as they stand in struct dim_value, are the same; both may be unknown. */
bool filter_same_bytes(const struct dim_value *a, const struct dim_value *b);

/* Whether all terms hold for something, whose values `is` knows. NULL passes everything. */
typedef bool filter_is_fn(const void *subject, enum dimension dim, const struct dim_value *v);
bool filter_passes(const struct filter *f, filter_is_fn *is, const void *subject);

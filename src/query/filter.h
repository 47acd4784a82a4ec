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

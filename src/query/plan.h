/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Which tables answer a question: the cube, and the levels that cover the range. Pure. */

#include "query/query.h"

struct plan {
	enum store_cube cube;       /* holds every dimension */
	enum store_cube total_cube; /* holds the filters' dimensions: enough for the total */
	struct store_segment segments[STORE_SEGMENTS_MAX]; /* in order, each beginning where the last ended */
	size_t segment_count;       /* 0: nothing of the range is kept */
	uint64_t from_s, to_s;
	uint32_t step_s;            /* with DIM_time among the dimensions, else 0 */
};

/* -EINVAL with err set: an empty range or a step that no level fits. */
int plan_make(const struct query *q, const uint64_t retention_s[static LEVEL_COUNT], uint64_t now_s,
	struct plan *ret, struct error *err) MUST_USE;

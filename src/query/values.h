/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Values as numbers, so that answers are added up by keys of a fixed size: 0 is unknown, numbers are
 * themselves plus one, and texts, prefixes and paths are numbered as they come. */

#include "base/arena.h"
#include "base/index.h"
#include "store/store.h"

struct value_set {
	enum dimension_kind kind;
	struct arena arena;
	struct index index;
	struct dim_value *values;
	uint32_t count, cap;
};

void value_set_init(struct value_set *s, enum dimension_kind kind);
void value_set_done(struct value_set *s);
/* -ENOMEM. */
int value_set_code(struct value_set *s, const struct dim_value *v, uint64_t *ret) MUST_USE;
/* Valid until value_set_done, or the next value_set_code for where the struct itself stands. */
struct dim_value value_set_value(const struct value_set *s, uint64_t code);

/* Known before unknown, then by value: -1, 0, 1. */
int value_cmp(enum dimension_kind kind, const struct dim_value *a, const struct dim_value *b);

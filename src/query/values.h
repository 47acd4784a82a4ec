/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Values as numbers, so that answers are added up by keys of a fixed size: 0 is unknown, numbers are
 * themselves plus one, and texts, prefixes and paths are numbered as they come. Those that a store has numbered
 * (struct dim_value) are looked at once, and known by its number from then on. */

#include "base/arena.h"
#include "base/index.h"
#include "store/store.h"

struct value_set {
	enum dimension_kind kind;
	struct arena arena;
	struct dim_value *values;
	uint32_t count, cap;
	struct index index;  /* of the first so many: the others wait until one comes without a number */
	uint32_t indexed;
	bool unnumbered;     /* one came */
	uint32_t *by_number; /* the store's number → code; 0: not seen yet */
	uint32_t number_end;
};

void value_set_init(struct value_set *s, enum dimension_kind kind);
void value_set_done(struct value_set *s);
/* The code of a value of a row or a question. Values with a number are all of one store and one snapshot. -ENOMEM. */
int value_set_code(struct value_set *s, const struct dim_value *v, uint64_t *ret) MUST_USE;
/* Valid until value_set_done, or the next value_set_code for where the struct itself stands. */
struct dim_value value_set_value(const struct value_set *s, uint64_t code);

/* Known before unknown, then by value: -1, 0, 1. */
int value_cmp(enum dimension_kind kind, const struct dim_value *a, const struct dim_value *b);
/* A copy for longer than the answer: its bytes, if it has any, are the arena's, and it has no number of the store's. -ENOMEM. */
int value_keep(struct arena *arena, enum dimension_kind kind, const struct dim_value *from, struct dim_value *ret) MUST_USE;

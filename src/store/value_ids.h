/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The ids that a store's dictionary gave to byte strings, as its writer remembers them. Dictionaries are only ever added
 * to, so an id that was committed stays true; what a rollback takes away again has to be forgotten here (value_ids_clear).
 * Owns copies of the strings. Bounded: past its bound value_ids_trim has it start anew, which costs look-ups and nothing else.
 * For one thread. */

#include "base/arena.h"
#include "base/cursor.h"
#include "base/index.h"

struct value_ids {
	struct arena arena;
	struct index index;
	struct value_id *entries;
	uint32_t count, cap;
};

void value_ids_init(struct value_ids *d);
void value_ids_done(struct value_ids *d);
void value_ids_clear(struct value_ids *d);
/* Clears it when it has outgrown its bound. */
void value_ids_trim(struct value_ids *d);
/* False: it is not known here. */
bool value_ids_find(const struct value_ids *d, struct view value, uint64_t *ret);
/* A value that is not known yet. -ENOMEM. */
int value_ids_add(struct value_ids *d, struct view value, uint64_t id) MUST_USE;

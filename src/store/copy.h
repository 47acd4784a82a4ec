/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Everything in one store, brought into another one of any kind; see copy.c for how. One thread. The target
 * holds nothing else: it is empty, or has what an earlier copy of the same store brought there. */

#include "store/store.h"

enum copy_side { COPY_FROM, COPY_TO };

struct copy_progress {
	const char *table;   /* its name */
	uint64_t rows;       /* read from it by now, more or less */
	double share;        /* of the whole work, 0 to 1; estimated */
	bool table_done;     /* the last word about this table */
};
typedef void copy_progress_fn(void *ctx, const struct copy_progress *p);

struct copy_config {
	const char *urls[2];
	uint32_t batch_rows; /* at most; 0: what is good for real stores */
	copy_progress_fn *progress;
	void *ctx;
};

struct copy_table {
	bool any;          /* there is a row in the source */
	uint64_t range[2]; /* starts of the oldest and the newest bucket there */
	struct measures sums[2];
};

struct copy_report {
	char names[2][sizeof(((struct store_look *)NULL)->name)]; /* of the stores, for people */
	struct copy_table tables[CUBE_COUNT][LEVEL_COUNT];
	uint64_t changes[2];
	bool equal; /* every sum and the number of changes; only then are the collectors' batch numbers in the target */
};

/* Negative: it did not come to the comparison, and err says why; what was copied stays, and the same call again
 * goes on. 0: the report tells. */
int store_copy(const struct copy_config *config, struct copy_report *ret, struct error *err) MUST_USE;

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the files of a copy share. See copy.c. */

#include "store/copy.h"
#include "store/schema.h"

struct copy {
	const struct copy_config *config;
	const struct store_ops *ops[2];
	struct store *stores[2];
	struct store_reader *readers[2];
	char name[sizeof("copy of ") + sizeof(((struct store_look *)NULL)->name)]; /* under which its batches are written */
	uint64_t next_id;
	struct flow_table *flows; /* the batch being filled */
	struct copy_report *report;
	struct error *err;
	uint64_t rows; /* read of the present table */
	double rows_expected[CUBE_COUNT][LEVEL_COUNT], rows_total, rows_before; /* estimates: a table, all, those that are over */
};

/* Asks for rows of one table in [from_s, to_s), of the source as it was at the start. dims 0: the sums. */
int copy_ask(struct copy *c, enum copy_side side, struct store_table table, uint64_t from_s, uint64_t to_s, uint32_t dims,
	store_row_fn *fn, void *ctx);
/* The sums of a store's rows of a table in [from_s, to_s). */
int copy_sums(struct copy *c, enum copy_side side, struct store_table table, uint64_t from_s, uint64_t to_s,
	struct measures *ret);
/* Writes c->flows as the next batch: rows of a table, or (NULL) what belongs to none. */
int copy_write(struct copy *c, const struct store_table *table);
int copy_no_memory(struct copy *c);
/* Progress: so much of this table is done. */
void copy_tell(struct copy *c, struct store_table table, double done, bool over);

/* A value's place in a flow table's dictionaries, 0 when it is unknown. */
int copy_name(struct flow_table *t, const struct dim_value *v, uint32_t *ret);
int copy_prefix(struct flow_table *t, const struct dim_value *v, uint32_t *ret);
int copy_path(struct flow_table *t, const struct dim_value *v, uint32_t *ret);

/* Brings the rows of [from_s, to_s) that the target lacks (copy_rows.c). */
int copy_rows(struct copy *c, struct store_table table, uint64_t from_s, uint64_t to_s);
/* Brings the path changes that the target lacks, and counts those on both sides (copy_changes.c). */
int copy_changes(struct copy *c);

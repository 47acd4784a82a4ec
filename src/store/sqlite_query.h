/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One query on its way: what sqlite_query.c and sqlite_blocks.c share. */

#include "store/sqlite.h"

struct sqlite_job {
	struct sqlite_reader *reader;
	const struct store_query *q;
	store_row_fn *fn;
	void *ctx;
	struct error *err;
	bool as_they_are; /* each row of the tables is one of the answer */
	bool with_time;
	enum dimension dims[CUBE_KEY_MAX]; /* in the key of the sums, after the time if asked for */
	unsigned dim_count;
	unsigned column_count; /* of them, from the first, that are columns of the cube: all, or all but the last, which is via */
	uint8_t measures[MEASURE_COUNT];
	unsigned measure_count;
	int path_column; /* where the path stands for via; -1: not needed */
	struct sql where;
	bool empty; /* no row can match */
	uint64_t list_values;    /* numbers listed for the key's first dimension; 0: none */
	uint8_t *prefix_bits;    /* by id, of filters by prefix that are not negated; NULL: there is none */
	uint64_t prefix_end;     /* ids from here on are not listed */
	uint8_t *path_answers;   /* enum path_answer by path id */
	size_t path_answer_cap;
	uint32_t *members;
	size_t member_cap;
	int error; /* an errno that is no SQLite error, or what fn returned */
};

/* A run of buckets to read, and into what. */
struct row_run {
	enum store_level level;
	uint64_t from_s, to_s;
	const char *origins;   /* a list of numbers to which the rows are narrowed; NULL: not */
	uint64_t origin_count;
	struct groups *into;
	uint64_t rows;         /* that were read */
};

/* Reads a run from the tables. Both: SQLITE_OK or an SQLite error code; job.error may be set. */
int sqlite_read_run(struct sqlite_job *j, struct row_run *run);
/* Reads a segment into the reader's sums, by way of what is kept where that is worth it (sqlite_blocks.c). */
int sqlite_read_blocks(struct sqlite_job *j, const struct store_segment *seg);

/* Of sums: no memory, or too many of them. */
void sqlite_groups_failed(struct sqlite_job *j, int error);

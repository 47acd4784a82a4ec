/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* How questions are answered from sums that are kept: one way for every store that has numbers for names, prefixes and
 * paths (SQLite, PostgreSQL).
 *
 * A question is a job. It is planned: its columns, and its conditions as SQL in which each value is its number
 * (kept_plan). Then segment after segment is walked, block by block (kept_walk): the sums of a block are in memory and its
 * buckets are as they were, or its rows are read from the tables (kept_blocks.c tells why that is exact). Last, those sums
 * that can be among the best get their values and are handed out (kept_hand_out).
 *
 * What is different from store to store is in struct kept_ops: how a bucket's marks are read, how rows are added up, what a
 * number stands for. All that a job reads it reads in one snapshot, which is the store's to begin and to end.
 *
 * A job and its reader are one thread's; the cache is shared by a store's readers. Functions return 0, or a negative errno
 * with the job's err set. */

#include "store/groups.h"
#include "store/kept_cache.h"
#include "store/schema.h"

#define KEPT_CACHE_BYTES   (192u << 20) /* a store keeps */
#define KEPT_SUMS_BYTES    (256u << 20) /* of sums in one question; more is -E2BIG */
#define KEPT_SCRATCH_BYTES (16u << 20)  /* of it kept by a reader for its next one */
#define KEPT_BLOCK_BUCKETS 16           /* a block at most */
#define KEPT_RUNS_MAX      256          /* read at once */
#define KEPT_SEEKS_MAX     20000        /* buckets times values: beyond, a scan is cheaper */

/* A bucket whose rows can be kept. Each transaction that changes a bucket's sums also changes its mark, to one that it never
 * had; what is read of both in one snapshot belongs together. */
struct kept_mark {
	uint64_t ts;
	uint64_t changes, number;
};

/* What a reader has beside its store's own. */
struct kept_reader {
	struct kept_cache *cache;    /* the store's */
	struct groups groups, block; /* sums, of the answer and of a part of it; here for their memory */
	struct kept_mark *marks;     /* of the present segment, in the order of time */
	size_t mark_count, mark_cap;
	uint64_t newest_s; /* the newest bucket of its level that has a mark, when one of the segment has */
};

void kept_reader_init(struct kept_reader *r, struct kept_cache *cache);
void kept_reader_done(struct kept_reader *r);
/* After a question. */
void kept_reader_trim(struct kept_reader *r);
/* For kept_ops.marks. -ENOMEM. */
int kept_reader_mark(struct kept_reader *r, const struct kept_mark *mark) MUST_USE;

/* Which values of one word of a key two keys or more have (kept_sift.c). */
struct kept_sift {
	bool on, noting;      /* keys are noted, and no row is wanted yet */
	unsigned word, words; /* of a key */
	struct groups values; /* by the value: the rest of the first key that had it, and how many there are, two being many; then those that have many */
};

struct kept_job {
	const struct kept_ops *ops;
	struct kept_reader *reader;
	const struct store_query *q;
	store_row_fn *fn;
	void *ctx;
	struct error *err;
	/* The rest is of kept_plan. */
	bool as_they_are; /* each row of the tables is one of the answer: nothing to keep */
	bool with_time;
	bool counted_time;     /* in the reader's groups a time is the number of its bucket from first_s on: small words are found faster */
	uint64_t first_s;      /* begin of the first bucket */
	enum dimension dims[CUBE_KEY_MAX]; /* in the key of the sums, after the time if asked for */
	unsigned dim_count;
	unsigned column_count; /* of them, from the first, that are columns of the cube: all, or all but the last, which is via */
	uint8_t measures[MEASURE_COUNT];
	unsigned measure_count;
	struct sql where;     /* " AND ...": conditions on the cube's columns */
	bool empty;           /* no row can meet them */
	uint64_t *vias;       /* those that are wanted as they stand in a key, in their order; NULL: all */
	size_t via_count;
	struct kept_sift sift;
	uint64_t list_values; /* numbers listed for the first dimension of the cube's key; 0: none */
};

void kept_job_done(struct kept_job *j);

/* Buckets to read, and into what: a row's key is the time if asked for, then the dimensions' numbers. */
struct kept_run {
	enum store_level level;
	uint64_t from_s, to_s;
	struct groups *into;
	uint64_t rows; /* that it was summed up from */
	bool keep, made; /* as in struct kept_sums */
};

/* Gets the sums of a row of a block; a negative return ends it. */
typedef int kept_sums_fn(void *ctx, const uint64_t *key, const uint64_t *sums);

/* Runs to read, each beginning where the one before ends. */
struct kept_stretch {
	struct kept_run runs[KEPT_RUNS_MAX];
	size_t count, at;
	kept_sums_fn *fn;
	void *ctx;
};

#define KEPT_NOWHERE UINT64_MAX

struct kept_ops {
	/* The numbers of a filter's values, which are known ones of a name, a prefix or a path; KEPT_NOWHERE: no row can have it. */
	int (*find)(struct kept_job *j, const struct store_filter *f, uint64_t *ret);
	/* Adds to `where` which rows pass a filter by via. NULL: `read` sees to it. */
	int (*add_via)(struct kept_job *j, const struct store_filter *f);
	/* The segment's marks, by kept_reader_mark and in the order of time, and the reader's newest_s. */
	int (*marks)(struct kept_job *j, const struct store_segment *seg);
	/* Adds up the rows that meet the conditions: those of the run at which the stretch stands into what it says, and then
	 * kept_next, until all are done. */
	int (*read)(struct kept_job *j, struct kept_stretch *s);
	/* Makes ready what `value` will be asked for by so many rows of the reader's groups. NULL: nothing to do. */
	int (*fetch)(struct kept_job *j, const uint32_t *rows, size_t count);
	/* What a number of a name, a prefix or a path stands for; it lives until the next fetch, or the end of the question. */
	int (*value)(struct kept_job *j, enum dimension dim, uint64_t number, struct dim_value *ret);
	uint64_t rows_min;     /* fewer rows are read again as fast as they are found */
	const char *unindexed; /* stands before a column that is better not looked up in an index */
};

/* ---- planning (kept_plan.c) ---- */

int kept_plan(struct kept_job *j) MUST_USE;
/* Of the last word of a key, when there are vias. */
bool kept_wants_via(const struct kept_job *j, uint64_t via);
/* " WHERE ts ...": of the run. Its buckets are listed where that leads straight to the rows of so many values listed for the
 * key's first dimension (0: none is). */
void kept_add_range(struct sql *s, const struct kept_run *run, uint64_t listed);

/* ---- rows that need not be added up (kept_sift.c) ---- */

/* True when a question wants shared values only: its segments are to be walked, by which keys are noted and no row is added, then
 * kept_sift_noted to be called, and then they are walked again. */
bool kept_sift_first(struct kept_job *j);
void kept_sift_noted(struct kept_job *j);
/* Whether the row of a key is to be added up. */
bool kept_wants(struct kept_job *j, const uint64_t *key);

/* ---- blocks (kept_blocks.c) ---- */

/* Gets a part of a segment that is not kept: up to KEPT_BLOCK_BUCKETS buckets, of which the first has a mark. It adds what it
 * finds by kept_add_block. */
typedef int kept_block_fn(struct kept_job *j, const struct kept_run *run);
/* Adds a segment to the reader's groups: from what is kept, and else from the tables, block by block through fn where that is not
 * NULL; the sums are kept then. */
int kept_walk(struct kept_job *j, const struct store_segment *seg, kept_block_fn *fn) MUST_USE;
/* Adds a block's rows to the reader's groups, from the tables; the sums are kept. */
int kept_add_block(struct kept_job *j, const struct kept_run *run) MUST_USE;
/* Gives each row of a block's sums to fn. */
int kept_read_block(struct kept_job *j, const struct kept_run *run, kept_sums_fn *fn, void *ctx) MUST_USE;
/* For kept_ops.read: the run at which the stretch stands has been read. */
int kept_next(struct kept_job *j, struct kept_stretch *s) MUST_USE;

/* ---- handing out (kept_out.c) ---- */

/* Gives what is in the reader's groups, or what of it can be among the best, to the job's fn. */
int kept_hand_out(struct kept_job *j) MUST_USE;
/* The values and sums of one row. */
int kept_fill_row(struct kept_job *j, const uint64_t *key, const uint64_t *sums, struct store_row *row) MUST_USE;
/* Of a dimension whose numbers stand for nothing else; false: a dictionary knows. */
bool kept_plain_value(enum dimension dim, uint64_t number, struct dim_value *ret);

/* ---- errors ---- */

int kept_no_memory(struct kept_job *j);
/* Of groups_get: no memory, or too many groups. */
int kept_no_room(struct kept_job *j, int error);
int kept_too_late(struct error *err);

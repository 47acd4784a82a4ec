/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Questions and their answers: top-N and series over any dimensions, with one filter language.
 *
 *     router:edge1 country:DE,AT via:1299 type:video -origin:64500
 *
 * Terms are all required; commas are alternatives; a leading '-' negates; values may be quoted with
 * "..."; "null" (unquoted) means unknown. A prefix value matches that prefix exactly. Errors point at
 * the character.
 *
 * The planner takes the smallest cube that has every dimension, and covers the range with the
 * coarsest levels that fit: days in the middle, hours at the ends, minutes at the edges, as far as
 * retention has kept them. The range really covered is in the answer.
 *
 * rows + other = total, exactly, for every measure. With DIM_via among the dimensions rows overlap
 * and there is no other. A query runs on the calling thread with that thread's reader. */

#include <stdio.h>

#include "query/values.h"
#include "store/groups.h"

#define QUERY_DIMS_MAX    4
#define QUERY_FILTERS_MAX 32
#define QUERY_LIMIT_MAX   100000

struct filter; /* a parsed filter */

/* text NULL or empty: no terms. On error err->text says what and at which character, which err->at is. */
int filter_parse(const char *text, struct filter **ret, struct error *err) MUST_USE;
/* The values of one dimension as they stand behind its name: "64500,AS64501,null". One term. */
int filter_parse_values(enum dimension dim, const char *text, struct filter **ret, struct error *err) MUST_USE;
/* A value as filter_parse reads it; false when it cannot be written (a zero byte in a name, or a time). */
bool filter_write_value(enum dimension dim, const struct dim_value *v, FILE *out);
void filter_free(struct filter *f);

/* The sums of every group of an answer. */
struct query_groups {
	const struct groups *groups;  /* key: a code per dimension; sums: columns of the measures */
	const struct value_set *sets; /* one per key word */
	const uint8_t *measures;      /* which measure each column is */
	unsigned measure_count;
};

static inline struct measures query_groups_measures(const struct query_groups *all, uint32_t group)
{
	struct measures m = {0};
	for (unsigned i = 0; i < all->measure_count; i++)
		m.v[all->measures[i]] = groups_sums(all->groups, group)[i];
	return m;
}

static inline uint64_t query_groups_measure(const struct query_groups *all, uint32_t group, enum measure measure)
{
	for (unsigned i = 0; i < all->measure_count; i++)
		if (all->measures[i] == measure)
			return groups_sums(all->groups, group)[i];
	return 0;
}

/* Not negative, or the error with which the query ends. */
typedef int query_groups_fn(void *ctx, const struct query_groups *all);

struct query {
	enum dimension by[QUERY_DIMS_MAX]; /* in the order of the row's columns; may be empty: one row */
	size_t by_count;
	const struct filter *filter; /* NULL: none */
	uint64_t from_s, to_s;       /* half open; widened to the buckets used */
	bool exact_range;            /* cut the edges to the minute where minutes are kept; else to the minute up to
				      * three hours, to the hour beyond, and to step_s where it is given */
	uint32_t step_s;             /* with DIM_time in by: bucket width, whole minutes; 0: chosen by range */
	uint32_t points_max;         /* and then so that there are at most so many buckets (10 at least); 0: as usual */
	uint32_t step_min_s;         /* where it is chosen: no narrower than this */
	int sort;                    /* enum measure, or a QUERY_SORT_... */
	bool ascending;
	uint32_t limit;              /* rows at most, chosen by sort; 0: as many as there are, up to QUERY_LIMIT_MAX */
	uint64_t measures;           /* mask of MEASURE_BIT: what rows, total and other have, the rest is 0; 0: all */
	/* The groups to answer for, instead of the first by sort: their values without the time, in the order of by.
	 * The answer has them in this order (without DIM_time also those that have no traffic), and neither
	 * total nor other. They live as long as the query. */
	const struct query_row *only;
	size_t only_count;
	query_groups_fn *all;        /* NULL, or: looks at all groups before the first are chosen */
	void *all_ctx;
	bool shared;                 /* `all` needs no group whose first value no other group has, and rows may lack them; the total is
				      * of all. Not with DIM_time or DIM_via */
	bool keep_snapshot;          /* the reader's next query sees the same rows, where the store can do that */
	uint64_t deadline_ns;
};

#define QUERY_SORT_RETRANSMIT_RATE (MEASURE_COUNT + 0)
#define QUERY_SORT_RTT_P50         (MEASURE_COUNT + 1)
#define QUERY_SORT_RTT_P95         (MEASURE_COUNT + 2)
#define QUERY_SORT_GOODPUT_RATE    (MEASURE_COUNT + 3)
#define QUERY_SORT_SPURIOUS_RATE   (MEASURE_COUNT + 4)
#define QUERY_SORT_COUNT           (MEASURE_COUNT + 5)

struct query_row {
	const struct dim_value *values; /* by_count of them, in the order of by */
	struct measures m;
};

struct query_result {
	uint64_t from_s, to_s; /* covered */
	uint32_t step_s;       /* with DIM_time */
	struct query_row *rows; /* best first; with DIM_time in the order of time, then best first */
	size_t row_count;
	struct measures total, other;
	bool has_other;        /* false with DIM_via, and with only */
	struct arena arena;    /* owns values */
};

/* retention_s: what the store keeps per level (seconds back from now_s), so that the planner does not
 * ask for minutes that are gone. -EINVAL (bad question), -ETIMEDOUT, -E2BIG (more groups than
 * memory allows), or the store's error. */
int query_run(struct store_reader *reader, const uint64_t retention_s[static LEVEL_COUNT], uint64_t now_s,
	const struct query *q, struct query_result *ret, struct error *err) MUST_USE;
void query_result_done(struct query_result *r);
/* After a query with keep_snapshot that no other follows. */
void query_end_snapshot(struct store_reader *reader);

/* As the store's changes (store.h), of those only that pass a filter on what a change has (FILTER_ROUTE_DIMENSIONS); NULL:
 * all. A term about a path holds when it holds for the one before or the one after. */
int query_changes(struct store_reader *reader, const struct store_change_query *q, const struct filter *filter, store_change_fn *fn,
	void *ctx, struct error *err) MUST_USE;

/* A measure's name or retransmit_rate, rtt_p50_us, rtt_p95_us, goodput_rate, spurious_rate: a value for query.sort; -ENOENT. */
int query_sort_by_name(const char *name) MUST_USE;

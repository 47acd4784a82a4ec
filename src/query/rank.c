/* SPDX-License-Identifier: BSD-2-Clause */

/* The first N of many: a heap of N candidates with the last of them on top, against which every further
 * row is compared once and nearly always dropped. The order is total (figure, then values), so the
 * answer does not depend on the order in which rows came. */

#include "query/rank.h"

#include <errno.h>
#include <stdlib.h>

/* A row with its figure. Sums are compared as whole numbers, rates and quantiles as fractions. */
struct candidate {
	uint64_t sum;
	double fraction;
	bool undefined;
	uint32_t row;
};

uint64_t rank_measures(int sort)
{
	if (sort < MEASURE_COUNT)
		return MEASURE_BIT(sort);
	if (sort == QUERY_SORT_RETRANSMIT_RATE)
		return MEASURE_BIT(MEASURE_packets_sent) | MEASURE_BIT(MEASURE_packets_retransmitted);
	if (sort == QUERY_SORT_GOODPUT_RATE)
		return MEASURE_BIT(MEASURE_goodput_tested) | MEASURE_BIT(MEASURE_goodput_met);
	if (sort == QUERY_SORT_SPURIOUS_RATE)
		return MEASURE_BIT(MEASURE_packets_retransmitted) | MEASURE_BIT(MEASURE_packets_spurious);
	uint64_t mask = MEASURE_BIT(MEASURE_rtt_count) | MEASURE_BIT(MEASURE_rtt_sum_us);
	for (int i = 0; i < RTT_BUCKETS; i++)
		mask |= MEASURE_BIT(MEASURE_rtt_h0 + i);
	return mask;
}

static struct candidate candidate_of(const struct ranking *r, uint32_t row)
{
	struct candidate c = {.row = row};
	if (r->sort < MEASURE_COUNT) {
		c.sum = query_groups_measure(&r->all, row, (enum measure)r->sort);
		return c;
	}
	struct measures m = query_groups_measures(&r->all, row);
	if (r->sort == QUERY_SORT_RETRANSMIT_RATE)
		c.fraction = measures_retransmit_rate(&m);
	else if (r->sort == QUERY_SORT_GOODPUT_RATE)
		c.fraction = measures_goodput_rate(&m);
	else if (r->sort == QUERY_SORT_SPURIOUS_RATE)
		c.fraction = measures_spurious_rate(&m);
	else
		c.fraction = measures_rtt_quantile(&m, r->sort == QUERY_SORT_RTT_P50 ? 0.5 : 0.95);
	c.undefined = c.fraction < 0;
	return c;
}

/* < 0: a comes before b. */
static int compare(const struct ranking *r, const struct candidate *a, const struct candidate *b)
{
	if (a->undefined != b->undefined)
		return a->undefined ? 1 : -1;
	int c = (a->sum < b->sum) - (a->sum > b->sum);
	if (!c)
		c = (a->fraction < b->fraction) - (a->fraction > b->fraction);
	if (c)
		return r->ascending ? -c : c;
	const uint64_t *x = groups_key(r->all.groups, a->row), *y = groups_key(r->all.groups, b->row);
	for (unsigned i = 0; i < r->all.groups->key_words && !c; i++) {
		struct dim_value u = value_set_value(&r->all.sets[i], x[i]), v = value_set_value(&r->all.sets[i], y[i]);
		c = value_cmp(r->all.sets[i].kind, &u, &v);
	}
	return c;
}

static int compare_forward(const void *a, const void *b, void *ctx)
{
	return compare(ctx, a, b);
}

static int compare_reversed(const void *a, const void *b, void *ctx)
{
	return compare(ctx, b, a);
}

/* A heap with the last of the kept candidates on top: replaces the top and sinks it. */
static void replace_top(const struct ranking *r, struct candidate *heap, uint32_t n, struct candidate c)
{
	uint32_t at = 0;
	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child >= n)
			break;
		if (child + 1 < n && compare(r, &heap[child + 1], &heap[child]) > 0)
			child++;
		if (compare(r, &heap[child], &c) <= 0)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = c;
}

int rank_top(const struct ranking *r, uint32_t limit, uint32_t **ret, uint32_t *ret_count)
{
	uint32_t count = r->all.groups->count, n = limit < count ? limit : count;
	CLEANUP(free_p) struct candidate *heap = malloc(((size_t)n + 1) * sizeof(*heap));
	uint32_t *rows = malloc(((size_t)n + 1) * sizeof(*rows));
	if (!heap || !rows) {
		free(rows);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		heap[i] = candidate_of(r, i);
	/* Sorted from last to first, the candidates are a heap. */
	qsort_r(heap, n, sizeof(*heap), compare_reversed, (void *)r);
	for (uint32_t i = n; i < count && n; i++) {
		struct candidate c = candidate_of(r, i);
		if (compare(r, &c, &heap[0]) < 0)
			replace_top(r, heap, n, c);
	}
	qsort_r(heap, n, sizeof(*heap), compare_forward, (void *)r);
	for (uint32_t i = 0; i < n; i++)
		rows[i] = heap[i].row;
	*ret = rows;
	*ret_count = n;
	return 0;
}

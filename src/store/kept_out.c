/* SPDX-License-Identifier: BSD-2-Clause */

/* Of many sums only few are handed out, when a question wants the first by a sum or a rate: those below a bound that so many
 * others reach are left out before they are given names, prefixes and paths. The rest goes out some thousands at once, so that
 * a store whose values are at a server asks for them together. */

#include "store/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"

#define ROWS_AT_ONCE 4096

/* ---- the best ---- */

static int cmp_figures(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* What the best have most of: a sum, or one by another. */
struct figure {
	unsigned by, per; /* columns; per is by when there is no other */
};

/* As a fraction: sums above 2^53 may become equal ones, never the larger one the smaller. */
static double figure_of(const struct figure *f, const uint64_t *sums)
{
	if (f->per == f->by)
		return (double)sums[f->by];
	return sums[f->per] ? (double)sums[f->by] / (double)sums[f->per] : -1;
}

/* Below this figure there is nobody among the best: the smallest of the best so far is looked at
 * first, and they are put in order only now and then, so that many rows cost one comparison each. */
static double least_of_best(const struct groups *g, const struct figure *f, uint32_t best, double *scratch)
{
	uint32_t n = 0;
	double least = -1;
	for (uint32_t i = 0; i < g->count; i++) {
		double figure = figure_of(f, groups_sums(g, i));
		if (figure < least)
			continue;
		scratch[n++] = figure;
		if (n < 2 * best)
			continue;
		qsort(scratch, n, sizeof(*scratch), cmp_figures);
		memmove(scratch, scratch + n - best, best * sizeof(*scratch));
		n = best;
		least = scratch[0];
	}
	qsort(scratch, n, sizeof(*scratch), cmp_figures);
	return n > best ? scratch[n - best] : least;
}

static bool column_of(const struct kept_job *j, enum measure m, unsigned *ret)
{
	for (unsigned i = 0; i < j->measure_count; i++)
		if (j->measures[i] == m) {
			*ret = i;
			return true;
		}
	return false;
}

/* Rows with less than *ret_least of the figure are not handed out. */
static int leave_out(const struct kept_job *j, struct figure *ret, double *ret_least)
{
	const struct store_query *q = j->q;
	struct figure f = {0};
	*ret = f;
	*ret_least = -1;
	if (!q->best || j->reader->groups.count / 4 < q->best || !column_of(j, q->best_by, &f.by) ||
		!column_of(j, q->best_per ? *q->best_per : q->best_by, &f.per))
		return 0;
	CLEANUP(free_p) double *scratch = malloc(2 * (size_t)q->best * sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	*ret_least = least_of_best(&j->reader->groups, &f, q->best, scratch);
	*ret = f;
	return 0;
}

/* ---- rows ---- */

bool kept_plain_value(enum dimension dim, uint64_t number, struct dim_value *ret)
{
	enum dimension_kind kind = dimension_table[dim].kind;
	/* "none" is a match like the others; of everything else 0 says unknown. */
	*ret = (struct dim_value){.known = number || dim == DIM_match};
	if (ret->known && !kind_is_number(kind))
		return false;
	ret->number = dim == DIM_via && number ? number - 1 : number;
	return true;
}

int kept_fill_row(struct kept_job *j, const uint64_t *key, const uint64_t *sums, struct store_row *row)
{
	if (j->with_time)
		row->values[DIM_time] = (struct dim_value){.known = true, .number = j->counted_time ? j->first_s + *key * j->q->step_s : *key};
	key += j->with_time;
	for (unsigned i = 0; i < j->dim_count; i++, key++) {
		enum dimension dim = j->dims[i];
		if (kept_plain_value(dim, *key, &row->values[dim]))
			continue;
		int r = j->ops->value(j, dim, *key, &row->values[dim]);
		if (r < 0)
			return r;
		row->values[dim].number = *key;
	}
	for (unsigned i = 0; i < j->measure_count; i++)
		row->m.v[j->measures[i]] = sums[i];
	return 0;
}

static int give_rows(struct kept_job *j, const uint32_t *rows, size_t count)
{
	const struct groups *g = &j->reader->groups;
	struct store_row row = {0};
	int r = j->ops->fetch ? j->ops->fetch(j, rows, count) : 0;
	for (size_t i = 0; i < count && r >= 0; i++) {
		if (i % 1024 == 0 && deadline_past(j->q->deadline_ns))
			return kept_too_late(j->err);
		r = kept_fill_row(j, groups_key(g, rows[i]), groups_sums(g, rows[i]), &row);
		if (r >= 0)
			r = j->fn(j->ctx, &row);
	}
	return r;
}

int kept_hand_out(struct kept_job *j)
{
	const struct groups *g = &j->reader->groups;
	uint32_t rows[ROWS_AT_ONCE];
	size_t count = 0;
	struct figure figure;
	double least;
	int r = leave_out(j, &figure, &least) < 0 ? kept_no_memory(j) : 0;
	for (uint32_t i = 0; i < g->count && r >= 0; i++) {
		if (least >= 0 && figure_of(&figure, groups_sums(g, i)) < least)
			continue;
		rows[count++] = i;
		if (count < ROWS_AT_ONCE)
			continue;
		r = give_rows(j, rows, count);
		count = 0;
	}
	if (r >= 0)
		r = give_rows(j, rows, count);
	return r < 0 ? r : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Conditions become lists of numbers in the SQL text. When the first dimension of the key has one and the buckets are few,
 * the buckets are listed too, so that the database walks straight to the few rows instead of passing over whole buckets. */

#include "store/kept.h"

#include <errno.h>
#include <stdlib.h>

#include "route/path.h"

#define SEEK_PREFIXES_MAX 8 /* more are picked from the rows of their origins */

int kept_no_memory(struct kept_job *j)
{
	return error_set(j->err, -ENOMEM, "out of memory");
}

int kept_no_room(struct kept_job *j, int error)
{
	return error_set(j->err, error, "the answer has more groups than memory allows: ask for a shorter range, fewer"
		" dimensions or a narrower filter");
}

int kept_too_late(struct error *err)
{
	return error_set(err, -ETIMEDOUT, "the query took too long: ask for a shorter range, fewer dimensions or a"
		" narrower filter");
}

void kept_job_done(struct kept_job *j)
{
	sql_done(&j->where);
	free(j->vias);
	groups_done(&j->sift.values);
}

/* ---- columns ---- */

static void plan_columns(struct kept_job *j)
{
	const struct store_query *q = j->q;
	bool by_via = q->dims & DIM_BIT(DIM_via);
	j->with_time = q->dims & DIM_BIT(DIM_time);
	j->dim_count = j->column_count = query_dims(q, j->dims);
	if (by_via)
		j->dims[j->dim_count++] = DIM_via;
	j->measure_count = query_measures(q, j->measures);
	j->as_they_are = j->with_time && !by_via && (q->dims & cube_dims[q->cube]) == cube_dims[q->cube];
	j->first_s = UINT64_MAX;
	for (size_t i = 0; i < q->segment_count; i++) {
		uint64_t from_s = q->segments[i].from_s;
		j->as_they_are &= q->step_s == level_seconds[q->segments[i].level];
		if (j->with_time && from_s - from_s % q->step_s < j->first_s)
			j->first_s = from_s - from_s % q->step_s;
	}
}

/* ---- conditions ---- */

static int add_condition(struct kept_job *j, const struct store_filter *f, bool leads_key)
{
	CLEANUP(free_p) uint64_t *numbers = calloc(f->value_count + 1, sizeof(*numbers));
	CLEANUP(sql_done) struct sql list = {0};
	/* An index would be asked for each prefix under each origin of any of them. */
	bool many = f->dim == DIM_prefix && f->value_count > SEEK_PREFIXES_MAX;
	size_t listed = 0;
	if (!numbers)
		return kept_no_memory(j);
	bool in_dictionary = !kind_is_number(dimension_table[f->dim].kind);
	int r = in_dictionary ? j->ops->find(j, f, numbers) : 0;
	for (size_t i = 0; i < f->value_count; i++) {
		uint64_t number = !f->values[i].known ? 0 : in_dictionary ? numbers[i] : f->values[i].number;
		if (number != KEPT_NOWHERE)
			sql_add(&list, "%s%llu", listed++ ? "," : "", (unsigned long long)number);
	}
	if (listed && sql_text(&list))
		sql_add(&j->where, " AND %s%s %sIN (%s)", many ? j->ops->unindexed : "", dimension_table[f->dim].name,
			f->negate ? "NOT " : "", sql_text(&list));
	j->empty |= !listed && !f->negate;
	j->where.failed |= list.failed;
	if (leads_key && !f->negate)
		j->list_values = listed;
	return r;
}

/* A path's origin is known from the path: rows of certain paths are rows of certain origins, which lead the key. */
static void add_origins_of(struct kept_job *j, const struct store_filter *f)
{
	sql_add(&j->where, " AND origin IN (");
	for (size_t i = 0; i < f->value_count; i++)
		sql_add(&j->where, "%s%u", i ? "," : "", f->values[i].known ? path_origin(f->values[i].bytes) : 0);
	sql_add(&j->where, ")");
	j->list_values = f->value_count;
}

static int add_conditions(struct kept_job *j)
{
	enum dimension key[CUBE_KEY_MAX];
	int r = 0;
	(void)cube_key(j->q->cube, key);
	for (size_t i = 0; i < j->q->filter_count && r == 0; i++) {
		const struct store_filter *f = &j->q->filters[i];
		if (f->dim != DIM_via)
			r = add_condition(j, f, f->dim == key[0]);
		else if (j->ops->add_via)
			r = j->ops->add_via(j, f);
	}
	for (size_t i = 0; i < j->q->filter_count && r == 0 && key[0] == DIM_origin && !j->list_values; i++)
		if (j->q->filters[i].dim == DIM_path && !j->q->filters[i].negate)
			add_origins_of(j, &j->q->filters[i]);
	return r == 0 && !sql_text(&j->where) ? kept_no_memory(j) : r;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static int plan_vias(struct kept_job *j)
{
	const struct store_query *q = j->q;
	if (!q->via_count || !(q->dims & DIM_BIT(DIM_via)))
		return 0;
	j->vias = malloc(q->via_count * sizeof(*j->vias));
	if (!j->vias)
		return kept_no_memory(j);
	for (size_t i = 0; i < q->via_count; i++)
		j->vias[j->via_count++] = q->vias[i].known ? q->vias[i].number + 1 : 0;
	qsort(j->vias, j->via_count, sizeof(*j->vias), by_number);
	return 0;
}

bool kept_wants_via(const struct kept_job *j, uint64_t via)
{
	return bsearch(&via, j->vias, j->via_count, sizeof(via), by_number);
}

int kept_plan(struct kept_job *j)
{
	plan_columns(j);
	if (plan_vias(j) < 0)
		return -ENOMEM;
	groups_reset(&j->reader->groups, j->with_time + j->dim_count, j->measure_count);
	groups_limit(&j->reader->groups, KEPT_SUMS_BYTES);
	return add_conditions(j);
}

void kept_add_range(struct sql *s, const struct kept_run *run, uint64_t listed)
{
	uint64_t width = level_seconds[run->level], buckets = (run->to_s - run->from_s) / width;
	if (!listed || buckets * listed > KEPT_SEEKS_MAX) {
		sql_add(s, " WHERE ts >= %llu AND ts < %llu", (unsigned long long)sql_int64_of(run->from_s),
			(unsigned long long)sql_int64_of(run->to_s));
		return;
	}
	sql_add(s, " WHERE ts IN (");
	for (uint64_t ts = run->from_s; ts < run->to_s; ts += width)
		sql_add(s, "%s%llu", ts > run->from_s ? "," : "", (unsigned long long)ts);
	sql_add(s, ")");
}

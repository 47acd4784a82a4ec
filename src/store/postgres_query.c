/* SPDX-License-Identifier: BSD-2-Clause */

/* Answering: a segment is one SELECT ... GROUP BY over the cube's table at its level, which PostgreSQL adds up
 * in a hash table; names, prefixes and paths are looked up for the groups, not for the rows. What a filter
 * lists becomes a condition on the ids of those values; membership in a path (via) is asked of the table of
 * paths, which lists each path's members under an index.
 *
 * All statements of a query, and of a snapshot, run in one transaction of one view. Sums are made by our aggregate, which
 * adds bigints and fails past 2^63 - 1 (PostgreSQL's makes numerics, in twice the time); then the segment is asked again. */

#include "store/postgres.h"

#include <errno.h>
#include <stdlib.h>

struct job {
	struct postgres_reader *reader;
	const struct store_query *q;
	store_row_fn *fn;
	void *ctx;
	enum dimension dims[CUBE_KEY_MAX];
	unsigned dim_count;
	bool with_time;
	uint8_t measures[MEASURE_COUNT];
	unsigned measure_count;
	struct sql where;
	struct pg_params params;
	bool wide; /* sums that end at 2^63 - 1 instead of failing there; they take twice as long */
};

/* ---- conditions ---- */

/* The known values of a filter, as a list; a value that cannot be sent ends it with -E2BIG. */
static int add_list(struct job *j, const struct store_filter *f, struct sql *s)
{
	char text[PREFIX_TEXT_MAX];
	const char *comma = "";
	for (size_t i = 0; i < f->value_count; i++) {
		const struct dim_value *v = &f->values[i];
		int n = 0;
		if (!v->known)
			continue;
		switch (dimension_table[f->dim].kind) {
		case KIND_PREFIX:
			sql_add(s, "%s'%s'::iprange", comma, prefix_format(&v->prefix, text));
			break;
		case KIND_TEXT:
		case KIND_PATH:
			n = pg_param(&j->params, v->bytes);
			if (!n)
				return -E2BIG;
			sql_add(s, dimension_table[f->dim].kind == KIND_PATH ? "%ssha256($%d)" : "%s$%d", comma, n);
			break;
		default:
			sql_add(s, "%s%llu", comma, (unsigned long long)pg_int64_of(v->number));
		}
		comma = ", ";
	}
	return 0;
}

/* How rows are chosen by a list of each kind of value; members of a path apart. */
static void add_choice(struct sql *s, enum dimension dim, const char *list)
{
	const char *name = dimension_table[dim].name;
	switch (dimension_table[dim].kind) {
	case KIND_TEXT: /* in bytes: what is no UTF-8 is a value like others */
		sql_add(s, " OR %s IN (SELECT id FROM names WHERE convert_to(name, 'UTF8') IN (%s))", name, list);
		break;
	case KIND_PREFIX:
		sql_add(s, " OR %s IN (SELECT id FROM prefixes WHERE prefix IN (%s))", name, list);
		break;
	case KIND_PATH:
		sql_add(s, " OR %s IN (SELECT id FROM paths WHERE sha256(bytes) IN (%s))", name, list);
		break;
	default:
		if (dim == DIM_via)
			sql_add(s, " OR path IN (SELECT id FROM paths WHERE members && ARRAY[%s]::bigint[])", list);
		else
			sql_add(s, " OR %s IN (%s)", name, list);
	}
}

static int add_condition(struct job *j, const struct store_filter *f)
{
	CLEANUP(sql_done) struct sql list = {0};
	bool unknown = false;
	for (size_t i = 0; i < f->value_count; i++)
		unknown |= !f->values[i].known;
	sql_add(&j->where, " AND %s(false", f->negate ? "NOT " : "");
	if (unknown && f->dim == DIM_via)
		sql_add(&j->where, " OR path = 0 OR path IN (SELECT id FROM paths WHERE members = '{}')");
	else if (unknown)
		sql_add(&j->where, " OR %s = 0", dimension_table[f->dim].name);
	int r = add_list(j, f, &list);
	const char *text = sql_text(&list);
	if (r < 0 || !text)
		return r < 0 ? r : -ENOMEM;
	if (*text)
		add_choice(&j->where, f->dim, text);
	sql_add(&j->where, ")");
	return 0;
}

/* ---- the statement ---- */

static void plan_columns(struct job *j)
{
	const struct store_query *q = j->q;
	j->with_time = q->dims & DIM_BIT(DIM_time);
	j->dim_count = query_dims(q, j->dims);
	j->measure_count = query_measures(q, j->measures);
}

/* The groups: "(SELECT ... GROUP BY ...) t". Without a key there is one, unless there is no row. n is the number of groups,
 * for which the server must have them all before it gives the first one out: after that no sum fails. */
static void add_groups(struct sql *s, const struct job *j, const struct store_segment *seg)
{
	const char *comma = "";
	sql_add(s, "(SELECT count(*) OVER () AS n");
	if (j->with_time)
		sql_add(s, ", ts - ts %% %u AS bucket", j->q->step_s);
	for (unsigned i = 0; i < j->dim_count; i++)
		sql_add(s, ", %s", dimension_table[j->dims[i]].name);
	for (unsigned i = 0; i < j->measure_count; i++) {
		const char *name = measure_table[j->measures[i]].name;
		sql_add(s, j->wide ? ", least(coalesce(sum(%s), 0), 9223372036854775807)::bigint AS %s" : ", coalesce(add(%s), 0) AS %s",
			name, name);
	}
	sql_add(s, " FROM (");
	pg_add_parts(s, (struct store_table){j->q->cube, seg->level}, pg_column_plain);
	sql_add(s, ") r WHERE ts >= %llu AND ts < %llu%s", (unsigned long long)pg_int64_of(seg->from_s),
		(unsigned long long)pg_int64_of(seg->to_s), sql_text(&j->where));
	if (j->with_time || j->dim_count)
		sql_add(s, " GROUP BY ");
	if (j->with_time) {
		sql_add(s, "bucket");
		comma = ", ";
	}
	for (unsigned i = 0; i < j->dim_count; i++, comma = ", ")
		sql_add(s, "%s%s", comma, dimension_table[j->dims[i]].name);
	sql_add(s, " HAVING count(*) > 0) t");
}

static void add_select(struct sql *s, const struct job *j, const struct store_segment *seg)
{
	sql_add(s, "SELECT t.n%s", j->with_time ? ", t.bucket" : "");
	for (unsigned i = 0; i < j->dim_count; i++) {
		sql_add(s, ", ");
		pg_value_expression(s, dimension_table[j->dims[i]].name, j->dims[i]);
	}
	for (unsigned i = 0; i < j->measure_count; i++)
		sql_add(s, ", t.%s", measure_table[j->measures[i]].name);
	sql_add(s, " FROM ");
	add_groups(s, j, seg);
	for (unsigned i = 0; i < j->dim_count; i++)
		pg_value_join(s, dimension_table[j->dims[i]].name, j->dims[i]);
}

static int on_row(void *ctx, const PGresult *res, struct error *err)
{
	struct job *j = ctx;
	struct store_row row = {0};
	int column = 1;
	if (j->with_time)
		row.values[DIM_time] = (struct dim_value){.known = true, .number = pg_column_number(res, column++)};
	for (unsigned i = 0; i < j->dim_count; i++)
		if (pg_column_value(res, column++, j->dims[i], &row.values[j->dims[i]]) < 0)
			return error_set(err, -EBADMSG, "postgresql store %s: a %s in it cannot be read", j->reader->store->name,
				dimension_table[j->dims[i]].name);
	for (unsigned i = 0; i < j->measure_count; i++)
		row.m.v[j->measures[i]] = pg_column_number(res, column++);
	return j->fn(j->ctx, &row);
}

static int run_segment(struct job *j, const struct store_segment *seg, struct error *err)
{
	CLEANUP(sql_done) struct sql s = {0};
	add_select(&s, j, seg);
	return pg_select(j->reader, &s, &j->params, j->q->deadline_ns, on_row, j, err);
}

/* A failed statement ends its transaction, unless there is a point to go back to. */
static int answer_segment(struct job *j, const struct store_segment *seg, struct error *err)
{
	int r = pg_reader_run(j->reader, "SAVEPOINT segment", j->q->deadline_ns, err);
	if (r == 0)
		r = run_segment(j, seg, err);
	if (r == -ERANGE && !j->wide) {
		j->wide = true;
		r = pg_reader_run(j->reader, "ROLLBACK TO SAVEPOINT segment", j->q->deadline_ns, err);
		if (r == 0)
			r = run_segment(j, seg, err);
	}
	/* Points of one name would stand on each other, thousands of them in the snapshot of a copy. */
	return r == 0 && j->q->keep_snapshot ? pg_reader_run(j->reader, "RELEASE SAVEPOINT segment", j->q->deadline_ns, err) : r;
}

static int run(struct job *j, struct error *err)
{
	int r = 0;
	plan_columns(j);
	for (size_t i = 0; i < j->q->filter_count && r == 0; i++)
		r = add_condition(j, &j->q->filters[i]);
	if (r == 0 && !sql_text(&j->where))
		r = -ENOMEM;
	if (r < 0)
		return error_set(err, r, r == -E2BIG ? "the filter has more values than one question takes" : "out of memory");
	for (size_t i = 0; i < j->q->segment_count && r == 0; i++)
		r = answer_segment(j, &j->q->segments[i], err);
	return r;
}

static void job_free(struct job **j)
{
	if (*j)
		sql_done(&(*j)->where);
	free(*j);
}

int postgres_query(struct store_reader *base, const struct store_query *q, store_row_fn *fn, void *ctx,
	struct error *err)
{
	struct postgres_reader *reader = CONTAINER_OF(base, struct postgres_reader, base);
	CLEANUP(job_free) struct job *j = calloc(1, sizeof(*j));
	if (!j)
		return pg_no_memory(reader->store->name, err);
	*j = (struct job){.reader = reader, .q = q, .fn = fn, .ctx = ctx};
	int r = q->segment_count ? pg_reader_begin(reader, q->deadline_ns, err) : 0;
	if (r == 0 && q->segment_count)
		r = run(j, err);
	if (r < 0 || !q->keep_snapshot)
		pg_reader_end(reader);
	return r;
}

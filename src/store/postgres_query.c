/* SPDX-License-Identifier: BSD-2-Clause */

/* Answering: PostgreSQL's own part of how stores with numbers do it (kept.h). What is not kept of a segment is one SELECT
 * ... GROUP BY over the cube's table at its level, which the server adds up in a hash table, run by run. What comes are
 * numbers, and only what is handed out gets its names, prefixes and paths (postgres_values.c). Membership in a path (via)
 * is asked of the table of paths, which lists each path's members under an index; sums by via are made of those by path.
 *
 * When a row of the answer is a row of the table (a store is copied), nothing is kept: a segment is one statement that
 * joins the values, and its rows go out as they come.
 *
 * All statements of a query, and of a snapshot, run in one transaction of one view. Sums are made by our aggregate, which
 * adds bigints and fails past 2^63 - 1 (PostgreSQL's makes numerics, in twice the time); then the runs are read again. */

#include "store/postgres.h"

#include <errno.h>
#include <stdlib.h>

struct pg_job {
	struct kept_job base;
	struct postgres_reader *reader;
	bool wide; /* sums that end at 2^63 - 1 instead of failing there; they take twice as long */
};

static struct pg_job *job_of(struct kept_job *j)
{
	return CONTAINER_OF(j, struct pg_job, base);
}

static void job_done(struct pg_job *j)
{
	kept_job_done(&j->base);
}

/* ---- the groups of a run ---- */

static void add_column(struct sql *s, enum dimension dim)
{
	if (dim == DIM_via)
		sql_add(s, "coalesce(member + 1, 0)"); /* 0: a path without any; AS 0 is seen in the wild */
	else
		sql_add(s, "%s", dimension_table[dim].name);
}

/* ", width_bucket(ts, '{START OF THE SECOND RUN, ...}')": its number, from 0. */
static void add_run_number(struct sql *s, const struct kept_stretch *runs)
{
	sql_add(s, ", width_bucket(ts, '{");
	for (size_t i = 1; i < runs->count; i++)
		sql_add(s, "%s%llu", i > 1 ? "," : "", (unsigned long long)sql_int64_of(runs->runs[i].from_s));
	sql_add(s, "}'::bigint[]) AS run");
}

/* ", run, bucket, origin, ...": the key, of which the run's number (when there are several) and the time are made of ts, or
 * were. */
static void add_key(struct sql *s, const struct kept_job *j, const struct kept_stretch *runs, unsigned dim_count, bool make)
{
	if (runs->count > 1 && make)
		add_run_number(s, runs);
	else if (runs->count > 1)
		sql_add(s, ", run");
	if (j->with_time && make)
		sql_add(s, ", ts - ts %% %u AS bucket", j->q->step_s);
	else if (j->with_time)
		sql_add(s, ", bucket");
	for (unsigned i = 0; i < dim_count; i++) {
		sql_add(s, ", ");
		add_column(s, j->dims[i]);
	}
}

static void add_sums(struct sql *s, const struct pg_job *j)
{
	for (unsigned i = 0; i < j->base.measure_count; i++) {
		const char *name = measure_table[j->base.measures[i]].name;
		sql_add(s, j->wide ? ", least(coalesce(sum(%s), 0), 9223372036854775807)::bigint AS %s" : ", coalesce(add(%s), 0) AS %s",
			name, name);
	}
}

/* Without a key there is one group, unless there is no row. */
static void add_group_by(struct sql *s, const struct kept_job *j, const struct kept_stretch *runs, unsigned dim_count,
	const char *last)
{
	CLEANUP(sql_done) struct sql key = {0};
	add_key(&key, j, runs, dim_count, false);
	sql_add(&key, "%s", last);
	const char *text = sql_text(&key);
	s->failed |= !text;
	if (text && *text)
		sql_add(s, " GROUP BY %s", text + strlen(", "));
	sql_add(s, " HAVING count(*) > 0");
}

static void add_rows(struct sql *s, const struct kept_job *j, const struct kept_stretch *runs)
{
	struct kept_run all = runs->runs[0];
	all.to_s = runs->runs[runs->count - 1].to_s;
	sql_add(s, " FROM (");
	pg_add_parts(s, (struct store_table){j->q->cube, all.level}, pg_column_plain);
	sql_add(s, ") r");
	kept_add_range(s, &all, j->list_values);
	sql_add(s, "%s", sql_text(&j->where) ? sql_text(&j->where) : "");
}

/* n is the number of groups, for which the server must have them all before it gives the first one out: after that no sum
 * fails. */
static void add_groups(struct sql *s, const struct pg_job *job, const struct kept_stretch *runs)
{
	const struct kept_job *j = &job->base;
	bool by_via = j->dim_count > j->column_count;
	sql_add(s, "SELECT count(*) OVER () AS n");
	if (by_via) {
		add_key(s, j, runs, j->dim_count, false);
		add_sums(s, job);
		sql_add(s, " FROM (SELECT g.*, unnest(coalesce(nullif(members, '{}'), '{NULL}')) AS member FROM (SELECT path AS of_path");
	}
	add_key(s, j, runs, j->column_count, true);
	add_sums(s, job);
	add_rows(s, j, runs);
	add_group_by(s, j, runs, j->column_count, by_via ? ", of_path" : "");
	if (by_via) {
		sql_add(s, ") g LEFT JOIN paths p ON p.id = g.of_path) m");
		add_group_by(s, j, runs, j->dim_count, "");
	}
	if (runs->count > 1)
		sql_add(s, " ORDER BY run");
}

struct reading {
	struct kept_job *job;
	struct kept_stretch *runs;
};

static int on_sums(void *ctx, const PGresult *res, struct error *err)
{
	const struct reading *to = ctx;
	struct groups *into = to->runs->runs[0].into;
	uint64_t key[1 + CUBE_KEY_MAX];
	uint32_t row;
	int column = 1, r = 0;
	uint64_t run = to->runs->count > 1 ? pg_column_number(res, column++) : 0;
	while (to->runs->at < run && r == 0)
		r = kept_next(to->job, to->runs);
	for (unsigned i = 0; i < into->key_words; i++)
		key[i] = pg_column_number(res, column++);
	if (r < 0)
		return r;
	r = groups_get(into, key, &row);
	if (r < 0)
		return kept_no_room(to->job, r);
	uint64_t *sums = groups_sums(into, row);
	for (unsigned i = 0; i < into->sum_words; i++)
		sums[i] += pg_column_number(res, column++);
	return 0;
}

/* ---- rows as they are ---- */

static void add_values(struct sql *s, const struct pg_job *job, const struct kept_stretch *runs)
{
	const struct kept_job *j = &job->base;
	sql_add(s, "SELECT t.n%s", j->with_time ? ", t.bucket" : "");
	for (unsigned i = 0; i < j->dim_count; i++) {
		sql_add(s, ", ");
		pg_value_expression(s, dimension_table[j->dims[i]].name, j->dims[i]);
	}
	for (unsigned i = 0; i < j->measure_count; i++)
		sql_add(s, ", t.%s", measure_table[j->measures[i]].name);
	sql_add(s, " FROM (");
	add_groups(s, job, runs);
	sql_add(s, ") t");
	for (unsigned i = 0; i < j->dim_count; i++)
		pg_value_join(s, dimension_table[j->dims[i]].name, j->dims[i]);
}

static int on_values(void *ctx, const PGresult *res, struct error *err)
{
	const struct reading *to = ctx;
	const struct kept_job *j = to->job;
	struct store_row row = {0};
	int column = 1;
	if (j->with_time)
		row.values[DIM_time] = (struct dim_value){.known = true, .number = pg_column_number(res, column++)};
	for (unsigned i = 0; i < j->dim_count; i++)
		if (pg_column_value(res, column++, j->dims[i], &row.values[j->dims[i]]) < 0)
			return error_set(err, -EBADMSG, "postgresql store %s: a %s in it cannot be read",
				CONTAINER_OF(j, struct pg_job, base)->reader->store->name, dimension_table[j->dims[i]].name);
	for (unsigned i = 0; i < j->measure_count; i++)
		row.m.v[j->measures[i]] = pg_column_number(res, column++);
	return j->fn(j->ctx, &row);
}

/* ---- a statement ---- */

static int select_runs(struct pg_job *j, struct kept_stretch *runs)
{
	CLEANUP(sql_done) struct sql s = {0};
	static const struct pg_params none;
	struct reading to = {&j->base, runs};
	(j->base.as_they_are ? add_values : add_groups)(&s, j, runs);
	return pg_select(j->reader, &s, &none, j->base.q->deadline_ns, j->base.as_they_are ? on_values : on_sums, &to, j->base.err);
}

/* A failed statement ends its transaction, unless there is a point to go back to. */
static int read_runs(struct pg_job *j, struct kept_stretch *runs)
{
	uint64_t deadline_ns = j->base.q->deadline_ns;
	int r = pg_reader_run(j->reader, "SAVEPOINT runs", deadline_ns, j->base.err);
	if (r == 0)
		r = select_runs(j, runs);
	if (r == -ERANGE && !j->wide) {
		j->wide = true;
		j->reader->timeout_ms = -1; /* undone too */
		r = pg_reader_run(j->reader, "ROLLBACK TO SAVEPOINT runs", deadline_ns, j->base.err);
		if (r == 0)
			r = select_runs(j, runs);
	}
	/* Points of one name would stand on each other, thousands of them in the snapshot of a copy. */
	return r == 0 ? pg_reader_run(j->reader, "RELEASE SAVEPOINT runs", deadline_ns, j->base.err) : r;
}

static int on_read(struct kept_job *base, struct kept_stretch *s)
{
	int r = read_runs(job_of(base), s);
	while (s->at < s->count && r == 0)
		r = kept_next(base, s);
	return r;
}

/* ---- the other hooks ---- */

static int on_find(struct kept_job *base, const struct store_filter *f, uint64_t *ret)
{
	return pg_values_find(job_of(base)->reader, f, base->q->deadline_ns, ret, base->err);
}

static int on_add_via(struct kept_job *base, const struct store_filter *f)
{
	CLEANUP(sql_done) struct sql list = {0};
	sql_add(&base->where, " AND %s(false", f->negate ? "NOT " : "");
	for (size_t i = 0; i < f->value_count; i++) {
		if (f->values[i].known)
			sql_add(&list, "%s%llu", list.len ? "," : "", (unsigned long long)sql_int64_of(f->values[i].number));
		else
			sql_add(&base->where, " OR path = 0 OR path IN (SELECT id FROM paths WHERE members = '{}')");
	}
	if (list.len)
		sql_add(&base->where, " OR path IN (SELECT id FROM paths WHERE members && ARRAY[%s]::bigint[])", list.text);
	sql_add(&base->where, ")");
	return list.failed ? kept_no_memory(base) : 0;
}

static int on_mark(void *ctx, const PGresult *res, struct error *err)
{
	struct postgres_reader *r = ctx;
	struct kept_mark mark = {pg_column_number(res, 0), pg_column_number(res, 1), pg_column_number(res, 2)};
	r->kept.newest_s = pg_column_number(res, 3);
	return kept_reader_mark(&r->kept, &mark) < 0 ? pg_no_memory(r->store->name, err) : 0;
}

static int on_marks(struct kept_job *base, const struct store_segment *seg)
{
	CLEANUP(sql_done) struct sql s = {0};
	static const struct pg_params none;
	unsigned width = level_seconds[seg->level];
	struct postgres_reader *r = job_of(base)->reader;
	sql_add(&s, "SELECT ts, sum(changes)::bigint, sum(number)::bigint, (SELECT max(ts) FROM bucket_change WHERE seconds = %u)"
		" FROM bucket_change WHERE seconds = %u AND ts >= %llu AND ts < %llu GROUP BY ts ORDER BY ts", width, width,
		(unsigned long long)sql_int64_of(seg->from_s), (unsigned long long)sql_int64_of(seg->to_s));
	return pg_select(r, &s, &none, base->q->deadline_ns, on_mark, r, base->err);
}

static int on_fetch(struct kept_job *base, const uint32_t *rows, size_t count)
{
	int r = 0;
	for (unsigned i = 0; i < base->dim_count && r == 0; i++)
		r = pg_values_fetch(job_of(base)->reader, base->dims[i], &base->reader->groups, base->with_time + i, rows, count,
			base->q->deadline_ns, base->err);
	return r;
}

static int on_value(struct kept_job *base, enum dimension dim, uint64_t number, struct dim_value *ret)
{
	return pg_values_get(job_of(base)->reader, dim, number, ret, base->err);
}

static const struct kept_ops kept_ops = {
	.find = on_find,
	.add_via = on_add_via,
	.marks = on_marks,
	.read = on_read,
	.fetch = on_fetch,
	.value = on_value,
	.rows_min = 0, /* a statement costs more than its row */
	.unindexed = "",
};

/* ---- the query ---- */

static int read_segment(struct pg_job *j, const struct store_segment *seg)
{
	struct kept_stretch all = {.runs = {{.level = seg->level, .from_s = seg->from_s, .to_s = seg->to_s}}, .count = 1};
	return j->base.as_they_are ? read_runs(j, &all) : kept_walk(&j->base, seg, NULL);
}

static int read_segments(struct pg_job *j)
{
	const struct store_query *q = j->base.q;
	int r = 0;
	for (size_t i = 0; i < q->segment_count && !j->base.empty && r == 0; i++)
		r = read_segment(j, &q->segments[i]);
	return r;
}

static int run(struct pg_job *j)
{
	int r = kept_plan(&j->base);
	if (r == 0 && kept_sift_first(&j->base)) {
		r = read_segments(j);
		kept_sift_noted(&j->base);
	}
	if (r == 0)
		r = read_segments(j);
	return r < 0 ? r : kept_hand_out(&j->base);
}

int postgres_query(struct store_reader *base, const struct store_query *q, store_row_fn *fn, void *ctx,
	struct error *err)
{
	struct postgres_reader *reader = CONTAINER_OF(base, struct postgres_reader, base);
	CLEANUP(job_done) struct pg_job j = {.base = {.ops = &kept_ops, .reader = &reader->kept, .q = q, .fn = fn, .ctx = ctx,
		.err = err}, .reader = reader};
	int r = q->segment_count ? pg_reader_begin(reader, q->deadline_ns, err) : 0;
	if (r == 0 && q->segment_count)
		r = run(&j);
	if (r < 0 || !q->keep_snapshot)
		pg_reader_end(reader);
	kept_reader_trim(&reader->kept);
	for (int dict = 0; dict < PG_DICT_COUNT; dict++)
		pg_values_trim(&reader->values[dict]);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Merging: what batches brought (CUBE_new) goes to the tables that keep it (CUBE_LEVEL_merged). Minutes are copied as they
 * came; for hours and days the rows of one key are added up first, and the sums are put beside those that are there: a
 * piece more of that bucket. Nothing is changed in place, so there is no key to look up, and no room to keep for it. What
 * the pieces of a bucket have in common is added up later (postgres_pieces.c).
 *
 * A step takes whole minutes of one cube, PG_MERGE_SLICE rows or so, and adds the sums in the order of the index, which grows at
 * its end then. It is one transaction of one view: what it adds is exactly
 * what it deletes, batches that come meanwhile stay for the next, and a reader sees all of it or nothing. One
 * collector merges at a time; the others go on writing. New parts are vacuumed when they are through, so they stay small.
 *
 * Cost: about 3 us for each row that came and 4 us for each that it becomes, at each level. */

#include "store/postgres.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char merging[] = "merging rows";

/* Sums of bigint are numeric in PostgreSQL, which takes longer than all the rest; our aggregate adds bigints, and fails
 * where one has no room (-ERANGE). */
void pg_column_sum(struct sql *s, const char *name)
{
	sql_add(s, "add(%s) AS %s", name, name);
}

void pg_column_wide_sum(struct sql *s, const char *name)
{
	sql_add(s, "nullif(least(coalesce(sum(%s), 0), 9223372036854775807), 0)::bigint AS %s", name, name);
}

/* The rows of CUBE_new that a step takes. */
struct step {
	enum store_cube cube;
	uint64_t before_s; /* of earlier minutes than this */
	int64_t rows;      /* about */
	bool all;
};

/* ", origin, prefix, ...": the key without ts. NULL: out of memory. */
static const char *other_keys(struct sql *key, enum store_cube cube)
{
	schema_key_columns(key, cube);
	const char *k = sql_text(key);
	return k ? k + strlen("ts") : NULL;
}

/* "INSERT INTO flow_hour_merged(ts, origin, ..., bytes_sent, ...) " */
void pg_add_insert(struct sql *s, struct store_table table)
{
	sql_add(s, "INSERT INTO ");
	schema_table(s, table.cube, table.level);
	sql_add(s, "_merged(");
	schema_key_columns(s, table.cube);
	schema_measures(s, pg_column_plain);
	sql_add(s, ") ");
}

/* "WHERE levels & 2 <> 0 AND ts + 3600 > CUTOFF": what the level keeps. */
static void add_kept(struct sql *s, const struct postgres_store *st, enum store_level level)
{
	sql_add(s, " WHERE levels & %d <> 0 AND ts - ts %% %u + %u > %llu", 1 << level, level_seconds[level], level_seconds[level],
		(unsigned long long)sql_int64_of(st->cutoff_s[level]));
}

void pg_add_order(struct sql *s, enum store_cube cube)
{
	enum dimension key[CUBE_KEY_MAX];
	(void)cube_key(cube, key);
	sql_add(s, " ORDER BY 1, %s", dimension_table[key[0]].name);
}

static void add_minutes(struct sql *s, const struct postgres_store *st, const struct step *step)
{
	pg_add_insert(s, (struct store_table){step->cube, LEVEL_minute});
	sql_add(s, "SELECT ");
	schema_key_columns(s, step->cube);
	schema_measures(s, pg_column_plain);
	sql_add(s, " FROM %s_new", cube_names[step->cube]);
	add_kept(s, st, LEVEL_minute);
	sql_add(s, " AND ts < %llu", (unsigned long long)step->before_s);
}

/* The hours are added up once, and days of those: what a level needs alone comes with its own `levels`. Each bucket that
 * got rows is noted. A key that has other `levels` here and there is in two rows, which is nothing new. */
static void add_hours_and_days(struct sql *s, const struct postgres_store *st, const struct step *step, const char *dims,
	void (*sum)(struct sql *s, const char *name))
{
	struct store_table hour = {step->cube, LEVEL_hour}, day = {step->cube, LEVEL_day};
	sql_add(s, "WITH h AS (SELECT ts - ts %% 3600 AS ts, levels%s", dims);
	schema_measures(s, sum);
	sql_add(s, " FROM %s_new WHERE levels & 6 <> 0 AND ts < %llu GROUP BY ts - ts %% 3600, levels%s), hours AS (",
		cube_names[step->cube], (unsigned long long)step->before_s, dims);
	pg_add_insert(s, hour);
	sql_add(s, "SELECT ts%s", dims);
	schema_measures(s, pg_column_plain);
	sql_add(s, " FROM h");
	add_kept(s, st, LEVEL_hour);
	pg_add_order(s, step->cube);
	sql_add(s, " RETURNING ts), days AS (");
	pg_add_insert(s, day);
	sql_add(s, "SELECT ts - ts %% 86400%s", dims);
	schema_measures(s, sum);
	sql_add(s, " FROM h");
	add_kept(s, st, LEVEL_day);
	sql_add(s, " GROUP BY ts - ts %% 86400%s", dims);
	pg_add_order(s, step->cube);
	sql_add(s, " RETURNING ts) ");
	pg_add_pieces(s, step->cube);
}

/* Which minutes the step takes, and what partitions those need. */
static int plan_step(struct postgres_store *s, struct step *step, struct pg_parts *wanted, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "SELECT ts, bit_or(levels), count(*) FROM %s_new GROUP BY ts ORDER BY ts", cube_names[step->cube]);
	if (!sql_text(&sql))
		return pg_no_memory(s->name, err);
	CLEANUP(pg_result_done) PGresult *res = pg_exec(s->pq, sql_text(&sql));
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(s->pq, res, s->name, merging, err);
	int r = 0, i = 0;
	step->rows = 0;
	for (; i < PQntuples(res) && r == 0 && step->rows < PG_MERGE_SLICE; i++) {
		uint64_t ts = strtoull(PQgetvalue(res, i, 0), NULL, 10);
		long levels = strtol(PQgetvalue(res, i, 1), NULL, 10);
		for (int level = 0; level < LEVEL_COUNT && r == 0; level++) {
			uint64_t bucket = level_floor((enum store_level)level, ts);
			if (levels & 1 << level && bucket + level_seconds[level] > s->cutoff_s[level])
				r = pg_parts_want(s, (struct store_table){step->cube, (enum store_level)level}, bucket, wanted);
		}
		step->rows += strtoll(PQgetvalue(res, i, 2), NULL, 10);
		step->before_s = sql_int64_of(ts + 1);
	}
	step->all = i == PQntuples(res);
	return r < 0 ? pg_no_memory(s->name, err) : 0;
}

static int move_rows(struct postgres_store *s, const struct step *step, bool wide, struct error *err)
{
	CLEANUP(sql_done) struct sql minutes = {0}, others = {0}, gone = {0}, key = {0};
	const char *dims = other_keys(&key, step->cube);
	if (!dims)
		return pg_no_memory(s->name, err);
	add_minutes(&minutes, s, step);
	add_hours_and_days(&others, s, step, dims, wide ? pg_column_wide_sum : pg_column_sum);
	sql_add(&gone, "DELETE FROM %s_new WHERE ts < %llu", cube_names[step->cube], (unsigned long long)step->before_s);
	int r = pg_run(s->pq, s->name, PG_BEGIN_MERGE, merging, err);
	if (r == 0)
		r = pg_marks_left_out(s, step->cube, step->before_s, err);
	if (r == 0)
		r = pg_run(s->pq, s->name, sql_text(&minutes), merging, err);
	if (r == 0)
		r = pg_run(s->pq, s->name, sql_text(&others), merging, err);
	if (r == 0)
		r = pg_run(s->pq, s->name, sql_text(&gone), merging, err);
	return r == 0 ? pg_run(s->pq, s->name, "COMMIT", merging, err) : r;
}

/* A part of a cube, or all of it. */
static int merge_cube(struct postgres_store *s, struct step *step, struct error *err)
{
	CLEANUP(pg_parts_done) struct pg_parts wanted = {0};
	CLEANUP(sql_done) struct sql vacuum = {0};
	int r = plan_step(s, step, &wanted, err);
	if (r < 0 || !step->rows)
		return r;
	r = pg_parts_make(s, &wanted, err);
	if (r == 0)
		r = move_rows(s, step, false, err);
	if (r == -ERANGE) {
		r = pg_run(s->pq, s->name, "ROLLBACK", merging, err);
		if (r == 0)
			r = move_rows(s, step, true, err);
	}
	if (r < 0 || !step->all)
		return r;
	sql_add(&vacuum, "VACUUM %s_new", cube_names[step->cube]);
	return pg_run(s->pq, s->name, sql_text(&vacuum), merging, err);
}

/* From where the last call stopped; *ret_more: it stopped again. */
static int merge_cubes(struct postgres_store *s, bool *ret_more, struct error *err)
{
	int64_t total = 0;
	while (s->merge_next < CUBE_COUNT) {
		struct step step = {.cube = (enum store_cube)s->merge_next};
		if (total >= PG_MERGE_SLICE) {
			*ret_more = true;
			return 0;
		}
		int r = merge_cube(s, &step, err);
		if (r < 0)
			return r;
		total += step.rows;
		s->merge_next += step.all;
		if (s->merge_next == CUBE_COUNT)
			s->unmerged = 0;
	}
	s->merge_next = 0;
	return 0;
}

int pg_merge(struct postgres_store *s, uint64_t now_s, struct error *err)
{
	struct error ignored;
	int64_t ours = 0;
	bool more = false;
	int r = postgres_writer_begin(s, "SELECT 1", err);
	if (r == 0)
		r = pg_number(s->pq, s->name, "SELECT pg_try_advisory_lock(hashtext('whereto merge'))::int", merging, &ours, err);
	if (r < 0 || !ours)
		return r;
	int backend = PQbackendPID(s->pq);
	r = merge_cubes(s, &more, err);
	if (r == 0 && !more && now_s)
		r = pg_join_pieces(s, now_s, &more, err);
	if (r == 0 && !more && now_s)
		r = pg_marks_tidy(s, err);
	if (r < 0) {
		postgres_writer_give_up(s);
		pg_parts_clear(&s->parts); /* one may have been missing */
	}
	/* The lock went with its connection, if that broke; two who merge get in each other's way, and no more. */
	if (s->pq && PQbackendPID(s->pq) == backend &&
		pg_run(s->pq, s->name, "SELECT pg_advisory_unlock(hashtext('whereto merge'))", merging, &ignored) < 0)
		postgres_writer_give_up(s);
	return r < 0 ? r : more;
}

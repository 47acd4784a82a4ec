/* SPDX-License-Identifier: BSD-2-Clause */

/* Merging: what batches brought (CUBE_new) is added up for each level and goes to the rows that are there
 * (CUBE_LEVEL_merged), some minutes' worth at once. One upsert then takes the place of many: a batch itself
 * only appends, several times as fast, and whoever reads sums over both parts anyway.
 *
 * A cube's merge is one transaction of one view: what it adds is exactly what it deletes, batches that
 * come meanwhile stay for the next, and a reader sees all of it or nothing. One collector merges at a time;
 * the others go on writing. New parts are vacuumed at once, so they stay small.
 *
 * Cost: about 2 us for each row that came and 10 us for each that it becomes, at each level. */

#include "store/postgres.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char merging[] = "merging rows";

/* The sum of what is there and what comes ends at 2^63 - 1. */
static void add_to_column(struct sql *s, const char *name)
{
	sql_add(s, "%s = t.%s + least(excluded.%s, 9223372036854775807 - t.%s)", name, name, name, name);
}

static void column_plain(struct sql *s, const char *name)
{
	sql_add(s, "%s", name);
}

/* Sums of bigint are numeric in PostgreSQL, which takes longer than all the rest; our aggregate adds bigints, and fails
 * where one has no room (-ERANGE). */
static void column_sum(struct sql *s, const char *name)
{
	sql_add(s, "add(%s)", name);
}

static void column_wide_sum(struct sql *s, const char *name)
{
	sql_add(s, "least(sum(%s), 9223372036854775807)::bigint", name);
}

/* The buckets that the level keeps: of CUBE_new, as n. */
static void add_new_rows(struct sql *s, const struct postgres_store *st, struct store_table table)
{
	sql_add(s, "(SELECT *, ts - ts %% %u AS bucket FROM %s_new WHERE levels & %d <> 0) n WHERE bucket + %u > %llu",
		level_seconds[table.level], cube_names[table.cube], 1 << table.level, level_seconds[table.level],
		(unsigned long long)pg_int64_of(st->cutoff_s[table.level]));
}

/* In the order of the key, in which every merge locks rows. */
static void add_merge(struct sql *s, const struct postgres_store *st, struct store_table table, bool wide)
{
	CLEANUP(sql_done) struct sql key = {0}, set = {0};
	schema_key_columns(&key, table.cube);
	schema_measures(&set, add_to_column);
	const char *k = sql_text(&key), *columns = sql_text(&set);
	if (!k || !columns) {
		s->failed = true;
		return;
	}
	const char *dims = k + strlen("ts");
	sql_add(s, "INSERT INTO ");
	schema_table(s, table.cube, table.level);
	sql_add(s, "_merged AS t (%s", k);
	schema_measures(s, column_plain);
	sql_add(s, ") SELECT bucket%s", dims);
	schema_measures(s, wide ? column_wide_sum : column_sum);
	sql_add(s, " FROM ");
	add_new_rows(s, st, table);
	sql_add(s, " GROUP BY bucket%s ORDER BY bucket%s", dims, dims);
	if (table.level != LEVEL_minute)
		sql_add(s, " ON CONFLICT (%s) DO UPDATE SET %s", k, columns + strlen(", "));
}

/* Adds the partitions that its rows need. */
static int want_parts(struct postgres_store *s, struct store_table table, struct pg_parts *wanted, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "SELECT DISTINCT bucket FROM ");
	add_new_rows(&sql, s, table);
	if (!sql_text(&sql))
		return pg_no_memory(s->name, err);
	CLEANUP(pg_result_done) PGresult *res = PQexec(s->pq, sql_text(&sql));
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(s->pq, res, s->name, merging, err);
	int r = 0;
	for (int i = 0; i < PQntuples(res) && r == 0; i++)
		r = pg_parts_want(s, table, strtoull(PQgetvalue(res, i, 0), NULL, 10), wanted);
	return r < 0 ? pg_no_memory(s->name, err) : 0;
}

static int make_parts(struct postgres_store *s, enum store_cube cube, struct error *err)
{
	CLEANUP(pg_parts_done) struct pg_parts wanted = {0};
	int r = 0;
	for (int level = 0; level < LEVEL_COUNT && r == 0; level++)
		r = want_parts(s, (struct store_table){cube, (enum store_level)level}, &wanted, err);
	return r < 0 ? r : pg_parts_make(s, &wanted, err);
}

static int move_rows(struct postgres_store *s, enum store_cube cube, bool wide, int64_t *ret_rows, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	int r = pg_run(s->pq, s->name, "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL work_mem = '64MB'", merging, err);
	for (int level = 0; level < LEVEL_COUNT && r == 0; level++) {
		sql_clear(&sql);
		add_merge(&sql, s, (struct store_table){cube, (enum store_level)level}, wide);
		r = pg_run(s->pq, s->name, sql_text(&sql), merging, err);
	}
	sql_clear(&sql);
	sql_add(&sql, "DELETE FROM %s_new", cube_names[cube]);
	if (r < 0 || !sql_text(&sql))
		return r < 0 ? r : pg_no_memory(s->name, err);
	CLEANUP(pg_result_done) PGresult *res = PQexec(s->pq, sql_text(&sql));
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		return pg_error(s->pq, res, s->name, merging, err);
	*ret_rows = strtoll(PQcmdTuples(res), NULL, 10);
	return pg_run(s->pq, s->name, "COMMIT", merging, err);
}

static int merge_cube(struct postgres_store *s, enum store_cube cube, int64_t *ret_rows, struct error *err)
{
	CLEANUP(sql_done) struct sql any = {0}, vacuum = {0};
	int64_t found = 0;
	sql_add(&any, "SELECT EXISTS (SELECT FROM %s_new)::int", cube_names[cube]);
	sql_add(&vacuum, "VACUUM %s_new", cube_names[cube]);
	*ret_rows = 0;
	int r = pg_number(s->pq, s->name, sql_text(&any), merging, &found, err);
	if (r < 0 || !found)
		return r;
	r = make_parts(s, cube, err);
	if (r == 0)
		r = move_rows(s, cube, false, ret_rows, err);
	if (r == -ERANGE) {
		r = pg_run(s->pq, s->name, "ROLLBACK", merging, err);
		if (r == 0)
			r = move_rows(s, cube, true, ret_rows, err);
	}
	return r < 0 ? r : pg_run(s->pq, s->name, sql_text(&vacuum), merging, err);
}

/* From where the last call stopped; *ret_more: it stopped again. */
static int merge_cubes(struct postgres_store *s, bool *ret_more, struct error *err)
{
	int64_t total = 0, rows = 0;
	for (; s->merge_next < CUBE_COUNT; s->merge_next++) {
		if (total >= PG_MERGE_SHARE) {
			*ret_more = true;
			return 0;
		}
		int r = merge_cube(s, (enum store_cube)s->merge_next, &rows, err);
		if (r < 0)
			return r;
		total += rows;
	}
	s->merge_next = 0;
	s->unmerged = 0;
	return 0;
}

int pg_merge(struct postgres_store *s, struct error *err)
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

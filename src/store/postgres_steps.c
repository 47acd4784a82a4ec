/* SPDX-License-Identifier: BSD-2-Clause */

/* The steps from one version of the PostgreSQL schema to the next, for tables that an older program made. A new
 * database gets the present version at once (postgres_schema.c); step 1 is where steps begin, and what tests make.
 * What a step does is never changed once it is released. */

#include "store/postgres.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const char updating[] = "updating the schema";

static void column_not_null(struct sql *s, const char *name)
{
	sql_add(s, "%s bigint NOT NULL", name);
}

static void add_cube_table(struct sql *s, enum store_cube cube, enum store_level level)
{
	sql_add(s, "CREATE TABLE ");
	schema_table(s, cube, level);
	pg_add_columns(s, cube, "", column_not_null);
	sql_add(s, ", PRIMARY KEY (");
	schema_key_columns(s, cube);
	sql_add(s, ")) WITH (fillfactor = %d, autovacuum_vacuum_scale_factor = 0.05);\n", level == LEVEL_minute ? 100 : 70);
	pg_add_prefix_index(s, cube, level, "");
}

/* A new database gets the present version at once; this is where steps begin, and what tests make. */
static int step_1(PGconn *pq, const char *name, struct error *err)
{
	CLEANUP(sql_done) struct sql s = {0};
	pg_add_base_tables(&s);
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		for (int level = 0; level < LEVEL_COUNT; level++) {
			add_cube_table(&s, (enum store_cube)cube, (enum store_level)level);
			pg_add_cube_view(&s, (enum store_cube)cube, (enum store_level)level);
		}
	}
	return pg_run(pq, name, sql_text(&s), updating, err);
}

/* What stands in the table of version 1 becomes the first partition, up to the first boundary after it and
 * after now: nothing is copied. An empty one goes. */
static int keep_rows(PGconn *pq, const char *name, struct store_table table, struct error *err)
{
	CLEANUP(sql_done) struct sql x = {0}, s = {0};
	int64_t last = -1, now = (int64_t)(clock_wall_ms() / 1000);
	schema_table(&x, table.cube, table.level);
	const char *t = sql_text(&x);
	if (!t)
		return pg_no_memory(name, err);
	sql_add(&s, "SELECT max(ts) FROM %s_before", t);
	int r = pg_number(pq, name, sql_text(&s), updating, &last, err);
	if (r < 0)
		return r;
	sql_clear(&s);
	if (last < 0) {
		sql_add(&s, "DROP TABLE %s_before", t);
		return pg_run(pq, name, sql_text(&s), updating, err);
	}
	if (table.level == LEVEL_minute)
		sql_add(&s, "ALTER TABLE %s_before DROP CONSTRAINT %s_pkey;", t, t);
	sql_add(&s, "ALTER TABLE %s_merged ATTACH PARTITION %s_before FOR VALUES FROM (MINVALUE) TO (%llu)", t, t,
		(unsigned long long)pg_part_end(table.level, (uint64_t)(last > now ? last : now)));
	return pg_run(pq, name, sql_text(&s), updating, err);
}

static void add_new_table_2(struct sql *s, enum store_cube cube)
{
	sql_add(s, "CREATE TABLE %s_new", cube_names[cube]);
	pg_add_columns(s, cube, ", levels smallint NOT NULL", column_not_null);
	sql_add(s, ") WITH (autovacuum_vacuum_scale_factor = 0.05);\n");
}

static void add_merged_table_2(struct sql *s, enum store_cube cube, enum store_level level)
{
	sql_add(s, "CREATE TABLE ");
	schema_table(s, cube, level);
	sql_add(s, "_merged");
	pg_add_columns(s, cube, "", column_not_null);
	if (level != LEVEL_minute) {
		sql_add(s, ", PRIMARY KEY (");
		schema_key_columns(s, cube);
		sql_add(s, ")");
	}
	sql_add(s, ") PARTITION BY RANGE (ts);\n");
	if (level == LEVEL_minute)
		pg_add_ts_index(s, (struct store_table){cube, level});
	pg_add_prefix_index(s, cube, level, "_merged");
}

static int partition(PGconn *pq, const char *name, struct store_table table, struct error *err)
{
	CLEANUP(sql_done) struct sql s = {0};
	sql_add(&s, "ALTER TABLE ");
	schema_table(&s, table.cube, table.level);
	sql_add(&s, " RENAME TO ");
	schema_table(&s, table.cube, table.level);
	sql_add(&s, "_before;\n");
	if (table.level == LEVEL_minute)
		add_new_table_2(&s, table.cube);
	add_merged_table_2(&s, table.cube, table.level);
	pg_add_view(&s, table, pg_column_plain);
	pg_add_cube_view(&s, table.cube, table.level);
	int r = pg_run(pq, name, sql_text(&s), updating, err);
	return r < 0 ? r : keep_rows(pq, name, table, err);
}

/* Partitions, country ranges. */
static int step_2(PGconn *pq, const char *name, struct error *err)
{
	int r = pg_run(pq, name, pg_ddl_2, updating, err);
	for (int cube = 0; cube < CUBE_COUNT; cube++)
		for (int level = 0; level < LEVEL_COUNT && r == 0; level++)
			r = partition(pq, name, (struct store_table){(enum store_cube)cube, (enum store_level)level}, err);
	return r;
}

static void column_drop_not_null(struct sql *s, const char *name)
{
	sql_add(s, "ALTER %s DROP NOT NULL", name);
}

static void add_nulls(struct sql *s, const char *table)
{
	CLEANUP(sql_done) struct sql list = {0};
	schema_measures(&list, column_drop_not_null);
	s->failed |= !sql_text(&list);
	sql_add(s, "ALTER TABLE %s %s;\n", table, sql_text(&list) ? sql_text(&list) + strlen(", ") : "");
}

/* Rows that are there stay as they are. Keys go, of all partitions, and the index that minutes have comes in their place. */
static void add_table_3(struct sql *s, struct store_table table)
{
	char name[PG_PART_NAME_MAX];
	(void)snprintf(name, sizeof(name), "%s_%s_merged", cube_names[table.cube], level_names[table.level]);
	add_nulls(s, name);
	if (table.level != LEVEL_minute) {
		sql_add(s, "ALTER TABLE %s DROP CONSTRAINT %s_pkey;\n", name, name);
		pg_add_ts_index(s, table);
	}
	pg_add_view(s, table, pg_column_shown);
}

/* NULL for 0, no keys. */
static int step_3(PGconn *pq, const char *name, struct error *err)
{
	CLEANUP(sql_done) struct sql s = {0};
	sql_add(&s, "%s", pg_ddl_3);
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		char table[PG_PART_NAME_MAX];
		(void)snprintf(table, sizeof(table), "%s_new", cube_names[cube]);
		add_nulls(&s, table);
	}
	for (int i = 0; i < TABLE_COUNT; i++)
		add_table_3(&s, table_at(i));
	return pg_run(pq, name, sql_text(&s), updating, err);
}

/* Marks of buckets. Of those that are there the smallest cube knows. */
static int step_4(PGconn *pq, const char *name, struct error *err)
{
	CLEANUP(sql_done) struct sql s = {0};
	sql_add(&s, "%s", pg_ddl_4);
	for (int level = 0; level < LEVEL_COUNT; level++)
		sql_add(&s, "INSERT INTO bucket_change SELECT %u, ts, %s"
			" FROM (SELECT DISTINCT ts FROM total_%s) b;\n", level_seconds[level], pg_mark, level_names[level]);
	return pg_run(pq, name, sql_text(&s), updating, err);
}

static int (*const steps[])(PGconn *pq, const char *name, struct error *err) = {step_1, step_2, step_3, step_4};
_Static_assert(ARRAY_LEN(steps) == POSTGRES_SCHEMA_VERSION, "one step a version");

int pg_step(int to, PGconn *pq, const char *name, struct error *err)
{
	return steps[to - 1](pq, name, err);
}

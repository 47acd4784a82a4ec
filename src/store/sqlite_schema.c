/* SPDX-License-Identifier: BSD-2-Clause */

/* Tables and views of the SQLite store, and the steps from one version of them to the next.
 *
 * The version stands in the table meta. Steps are numbered, run one transaction each, and are never
 * changed once released: a change of schema.def, measures.def or dimensions.def that touches stored
 * columns is a new step here. A file that is newer than the program is left alone. Views and indexes that are missing in a
 * file of the present version are made again. */

#include "store/sqlite.h"

#include <errno.h>

static void column_definition(struct sql *s, const char *name)
{
	sql_add(s, "%s INTEGER NOT NULL", name);
}

static void add_cube_table(struct sql *s, enum store_cube cube, enum store_level level)
{
	enum dimension key[CUBE_KEY_MAX];
	size_t n = cube_key(cube, key);

	sql_add(s, "CREATE TABLE ");
	schema_table(s, cube, level);
	sql_add(s, "(ts INTEGER NOT NULL");
	for (size_t i = 0; i < n; i++)
		sql_add(s, ", %s INTEGER NOT NULL", dimension_table[key[i]].name);
	schema_measures(s, column_definition);
	sql_add(s, ", PRIMARY KEY (");
	schema_key_columns(s, cube);
	sql_add(s, ")) WITHOUT ROWID;\n");
}

static const struct schema_dialect dialect = {.readable = {
	[KIND_TEXT] = "(SELECT name FROM names WHERE id = t.$)",
	[KIND_PREFIX] = "(SELECT prefix FROM prefixes WHERE id = t.$)",
	[KIND_PATH] = "(SELECT path FROM paths WHERE id = t.$)",
	[KIND_COUNTRY] = "CASE WHEN t.$ > 0 THEN char(t.$ >> 8, t.$ & 255) END",
}};

static void add_readable(struct sql *s, enum dimension dim)
{
	const char *name = dimension_table[dim].name;
	sql_add(s, ",\n  ");
	schema_readable(s, &dialect, name, dim);
	sql_add(s, " AS %s", name);
}

static void column_plain(struct sql *s, const char *name)
{
	sql_add(s, "%s", name);
}

static void add_cube_view(struct sql *s, enum store_cube cube, enum store_level level)
{
	enum dimension key[CUBE_KEY_MAX];
	size_t n = cube_key(cube, key);

	sql_add(s, "CREATE VIEW v_");
	schema_table(s, cube, level);
	sql_add(s, " AS SELECT ts, strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', ts, 'unixepoch') AS time");
	for (size_t i = 0; i < n; i++)
		add_readable(s, key[i]);
	schema_measures(s, column_plain);
	sql_add(s, " FROM ");
	schema_table(s, cube, level);
	sql_add(s, " t;\n");
}

/* Version 1: everything. */
static void step_1(struct sql *s)
{
	sql_add(s, "CREATE TABLE batches(collector TEXT NOT NULL, id INTEGER NOT NULL, flows INTEGER NOT NULL,"
		   " PRIMARY KEY (collector, id)) WITHOUT ROWID;\n"
		   "CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);\n"
		   "CREATE TABLE prefixes(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL UNIQUE, prefix TEXT NOT NULL);\n"
		   "CREATE TABLE paths(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL UNIQUE, path TEXT NOT NULL);\n");
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		for (int level = 0; level < LEVEL_COUNT; level++) {
			add_cube_table(s, (enum store_cube)cube, (enum store_level)level);
			add_cube_view(s, (enum store_cube)cube, (enum store_level)level);
		}
	}
}

/* Version 2: path changes. */
static void step_2(struct sql *s)
{
	sql_add(s, "ALTER TABLE batches ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;\n"
		   "ALTER TABLE batches ADD COLUMN changes_left_out INTEGER NOT NULL DEFAULT 0;\n"
		   "CREATE TABLE path_change(time_ms INTEGER NOT NULL, collector INTEGER NOT NULL, batch INTEGER NOT NULL,"
		   " number INTEGER NOT NULL, router INTEGER NOT NULL, prefix INTEGER NOT NULL,"
		   " path_before INTEGER NOT NULL, path_after INTEGER NOT NULL,"
		   " PRIMARY KEY (time_ms, collector, batch, number)) WITHOUT ROWID;\n"
		   "CREATE INDEX path_change_prefix ON path_change(prefix, time_ms);\n"
		   "CREATE VIEW v_path_change AS SELECT time_ms,"
		   " strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', time_ms / 1000.0, 'unixepoch') AS time,\n"
		   "  (SELECT name FROM names WHERE id = t.collector) AS collector, batch, number,\n"
		   "  (SELECT name FROM names WHERE id = t.router) AS router,\n"
		   "  (SELECT prefix FROM prefixes WHERE id = t.prefix) AS prefix,\n"
		   "  (SELECT path FROM paths WHERE id = t.path_before) AS path_before,\n"
		   "  (SELECT path FROM paths WHERE id = t.path_after) AS path_after FROM path_change t;\n");
}

/* Version 3: when each bucket was changed. Those that are there were by change 1; each is found by one look into
 * the tree. */
static void step_3(struct sql *s)
{
	sql_add(s, "INSERT INTO meta VALUES('change', 1);\n"
		   "CREATE TABLE bucket_change(seconds INTEGER NOT NULL, ts INTEGER NOT NULL, change INTEGER NOT NULL,"
		   " PRIMARY KEY (seconds, ts)) WITHOUT ROWID;\n");
	for (int i = 0; i < TABLE_COUNT; i++) {
		CLEANUP(sql_done) struct sql table = {0};
		schema_table(&table, table_at(i).cube, table_at(i).level);
		sql_add(s, "WITH RECURSIVE b(ts) AS (SELECT min(ts) FROM %s UNION ALL SELECT (SELECT min(ts) FROM %s WHERE ts > b.ts)"
			" FROM b WHERE b.ts IS NOT NULL) INSERT OR IGNORE INTO bucket_change SELECT %u, ts, 1 FROM b"
			" WHERE ts IS NOT NULL;\n", sql_text(&table) ? sql_text(&table) : "", sql_text(&table) ? sql_text(&table) : "",
			level_seconds[table_at(i).level]);
	}
}

static void (*const steps[])(struct sql *s) = {step_1, step_2, step_3};
_Static_assert(ARRAY_LEN(steps) == SQLITE_SCHEMA_VERSION, "one step a version");

int sqlite_version(sqlite3 *db, const char *path, int64_t *ret, struct error *err)
{
	int64_t tables = 0, metas = 0, version = -1;
	int r = sqlite_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r == SQLITE_OK)
		r = sqlite_number(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'", &metas);
	if (r == SQLITE_OK && metas)
		r = sqlite_number(db, "SELECT value FROM meta WHERE key = 'schema_version'", &version);
	if (r != SQLITE_OK)
		return sqlite_error(db, path, r, "reading the schema version", err);
	if (tables && (!metas || version < 1))
		return error_set(err, -EPROTO, "sqlite store %s: this database was not made by whereto; give it a file"
			" of its own", path);
	if (version > SQLITE_SCHEMA_VERSION)
		return error_set(err, -EPROTO, "sqlite store %s: schema version %lld was made by a newer whereto; this"
			" program knows versions up to %d: upgrade it, or use another file", path,
			(long long)version, SQLITE_SCHEMA_VERSION);
	*ret = tables ? version : 0;
	return 0;
}

static void add_step(struct sql *s, int64_t step)
{
	if (step == 0)
		sql_add(s, "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;\n");
	steps[step](s);
	sql_add(s, "INSERT INTO meta VALUES('schema_version', %lld)"
		" ON CONFLICT DO UPDATE SET value = excluded.value;\n", (long long)step + 1);
}

int sqlite_ddl(const char *url, enum store_ddl what, struct sql *ret, struct error *err)
{
	if (what != STORE_DDL_SCHEMA)
		return error_set(err, -EOPNOTSUPP, "there are no such views for sqlite");
	for (int64_t step = 0; step < SQLITE_SCHEMA_VERSION; step++)
		add_step(ret, step);
	return 0;
}

/* As ddl.h wants it. */
static int read_catalogue(sqlite3 *db, struct sql *ret)
{
	sqlite3_stmt *stmt;
	int r = sqlite3_prepare_v2(db, "SELECT group_concat(CASE type WHEN 'index' THEN 'index ' || tbl_name || ' btree ' ||"
		" substr(sql, instr(sql, '(')) ELSE type || ' ' || name END, char(10)) FROM sqlite_schema", -1, &stmt, NULL);
	if (r != SQLITE_OK)
		return r;
	const char *text = sqlite3_step(stmt) == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
	sql_add(ret, "%s", text ? text : "");
	return sqlite3_finalize(stmt);
}

int sqlite_missing(sqlite3 *db, ddl_fn *fn, void *ctx)
{
	CLEANUP(sql_done) struct sql wanted = {0}, there = {0};
	for (int64_t step = 0; step < SQLITE_SCHEMA_VERSION; step++)
		add_step(&wanted, step);
	int r = read_catalogue(db, &there);
	if (r == SQLITE_OK && (!sql_text(&wanted) || !sql_text(&there)))
		r = SQLITE_NOMEM;
	if (r == SQLITE_OK && ddl_missing(wanted.text, there.text, fn, ctx) < 0)
		r = SQLITE_NOMEM;
	return r;
}

static int run_step(sqlite3 *db, int64_t step)
{
	CLEANUP(sql_done) struct sql s = {0};
	add_step(&s, step);
	const char *text = sql_text(&s);
	return text ? sqlite_run(db, text) : SQLITE_NOMEM;
}

/* Within a transaction. */
static int repair(sqlite3 *db, const char *path, struct error *err)
{
	CLEANUP(ddl_repair_done) struct ddl_repair repair = {0};
	int code = sqlite_missing(db, ddl_repair_add, &repair);
	ddl_names_end(&repair.lost);
	if (code == SQLITE_OK && repair.lost.count)
		return error_set(err, -EPROTO, "sqlite store %s: missing: %s; its rows are gone with it: restore the file from a backup", path,
			repair.lost.text);
	if (code == SQLITE_OK)
		code = sql_text(&repair.sql) ? sqlite_run(db, sql_text(&repair.sql)) : SQLITE_NOMEM;
	return code == SQLITE_OK ? 0 : sqlite_error(db, path, code, "making views again", err);
}

static int mend(sqlite3 *db, const char *path, struct error *err)
{
	struct ddl_names missing = {0};
	int r = 0, code = sqlite_missing(db, ddl_names_add, &missing);
	if (code == SQLITE_OK && missing.count)
		code = sqlite_run(db, "BEGIN IMMEDIATE");
	if (code == SQLITE_OK && missing.count)
		r = repair(db, path, err);
	if (code == SQLITE_OK && r == 0 && missing.count)
		code = sqlite_run(db, "COMMIT");
	if (code != SQLITE_OK)
		r = sqlite_error(db, path, code, "making views again", err);
	if (!sqlite3_get_autocommit(db))
		(void)sqlite_run(db, "ROLLBACK");
	return r;
}

/* Under the write lock, so that two programs do not take the same step. */
int sqlite_migrate(sqlite3 *db, const char *path, struct error *err)
{
	int64_t version;
	int r = sqlite_version(db, path, &version, err);
	if (r < 0 || version == SQLITE_SCHEMA_VERSION)
		return r < 0 ? r : mend(db, path, err);
	int code = sqlite_run(db, "BEGIN IMMEDIATE");
	if (code == SQLITE_OK) {
		r = sqlite_version(db, path, &version, err);
		while (r == 0 && code == SQLITE_OK && version < SQLITE_SCHEMA_VERSION)
			code = run_step(db, version++);
		if (r == 0 && code == SQLITE_OK)
			code = sqlite_run(db, "COMMIT");
	}
	if (code != SQLITE_OK)
		r = sqlite_error(db, path, code, "updating the schema", err);
	if (!sqlite3_get_autocommit(db))
		(void)sqlite_run(db, "ROLLBACK");
	return r;
}

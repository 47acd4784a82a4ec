/* SPDX-License-Identifier: BSD-2-Clause */

/* Tables and views of the PostgreSQL store, and the steps from one version of them to the next.
 *
 * The version stands in whereto.meta. A new database gets the present one at once. Steps are numbered and never
 * changed once released; all that are due run in one transaction, under a lock that other collectors wait for. A schema that is newer than the
 * program is left alone. What is missing of the present one is made again where that is safe (postgres_mend.c).
 *
 * Rows hold small numbers for names, prefixes and paths, as wide as they need. The prefix itself is an
 * iprange in the table prefixes, under a GiST index; each flow table has an index by (prefix, ts) beside
 * its key. "Which rows cover this address" is then the few prefixes that do, and their rows. (An iprange
 * with its GiST index in each row would make a batch several times slower.)
 *
 * CUBE_new takes what batches bring, as it comes and without any index: rows of minutes that stand for all three
 * levels (the column `levels` says for which; 1, 2 and 4). From there they are merged (postgres_merge.c) into
 * CUBE_LEVEL_merged, which are partitioned by day, month or year (postgres_parts.c). CUBE_LEVEL is a view of both, and so
 * is always complete.
 *
 * A measure that is 0 is NULL in these tables: a NULL takes a bit, and half of the measures are 0 in most rows. The views
 * say 0. Steps to older versions' tables stand in postgres_steps.c. */

#include "store/postgres.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char updating[] = "updating the schema";

unsigned pg_column_width(enum dimension dim)
{
	switch (dimension_table[dim].kind) {
	case KIND_TEXT:
	case KIND_PREFIX:
	case KIND_PATH:
		return 4;
	case KIND_COUNTRY:
	case KIND_MATCH:
		return 2;
	case KIND_ASN:
	case KIND_TIME:
		break;
	}
	return 8;
}

static const char *column_type(enum dimension dim)
{
	unsigned bytes = pg_column_width(dim);
	return bytes == 8 ? "bigint" : bytes == 4 ? "integer" : "smallint";
}

static void column_definition(struct sql *s, const char *name)
{
	sql_add(s, "%s bigint", name);
}

void pg_column_plain(struct sql *s, const char *name)
{
	sql_add(s, "%s", name);
}

void pg_column_shown(struct sql *s, const char *name)
{
	sql_add(s, "coalesce(%s, 0) AS %s", name, name);
}

void pg_add_columns(struct sql *s, enum store_cube cube, const char *beside_the_key, void (*measure)(struct sql *s, const char *name))
{
	enum dimension key[CUBE_KEY_MAX];
	size_t n = cube_key(cube, key);
	sql_add(s, "(ts bigint NOT NULL");
	for (size_t i = 0; i < n; i++)
		sql_add(s, ", %s %s NOT NULL", dimension_table[key[i]].name, column_type(key[i]));
	sql_add(s, "%s", beside_the_key);
	schema_measures(s, measure);
}

void pg_add_prefix_index(struct sql *s, enum store_cube cube, enum store_level level, const char *part)
{
	if (!(cube_dims[cube] & DIM_BIT(DIM_prefix)))
		return;
	sql_add(s, "CREATE INDEX ON ");
	schema_table(s, cube, level);
	sql_add(s, "%s(prefix, ts);\n", part);
}

/* Of the joins of pg_value_join. */
static const struct schema_dialect dialect = {.readable = {
#define DICT(NAME, kind, table, shown, ...) [kind] = "d_$." shown,
#include "store/postgres_dicts.def"
#undef DICT
	[KIND_COUNTRY] = "CASE WHEN t.$ > 0 THEN chr(t.$ >> 8) || chr(t.$ & 255) END",
}};

static void add_readable(struct sql *s, enum dimension dim)
{
	const char *name = dimension_table[dim].name;
	sql_add(s, ", ");
	schema_readable(s, &dialect, name, dim);
	sql_add(s, " AS %s", name);
}

void pg_add_cube_view(struct sql *s, enum store_cube cube, enum store_level level)
{
	enum dimension key[CUBE_KEY_MAX];
	size_t n = cube_key(cube, key);

	sql_add(s, "CREATE OR REPLACE VIEW v_");
	schema_table(s, cube, level);
	sql_add(s, " AS SELECT ts, to_timestamp(ts) AS time");
	for (size_t i = 0; i < n; i++)
		add_readable(s, key[i]);
	schema_measures(s, pg_column_plain);
	sql_add(s, " FROM ");
	schema_table(s, cube, level);
	sql_add(s, " t");
	for (size_t i = 0; i < n; i++)
		pg_value_join(s, dimension_table[key[i]].name, key[i]);
	sql_add(s, ";\n");
}

/* All but the cubes. A path can be longer than an index takes, its hash cannot. */
void pg_add_base_tables(struct sql *s)
{
	sql_add(s, "CREATE TABLE batches(collector text NOT NULL, id bigint NOT NULL, flows bigint NOT NULL,"
		   " changes bigint NOT NULL, changes_left_out bigint NOT NULL, PRIMARY KEY (collector, id));\n"
		   "CREATE TABLE names(id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);\n"
		   "CREATE TABLE prefixes(id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, prefix iprange NOT NULL UNIQUE);\n"
		   "CREATE INDEX prefixes_covering ON prefixes USING gist (prefix);\n"
		   "CREATE TABLE paths(id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, bytes bytea NOT NULL,"
		   " path text NOT NULL, members bigint[] NOT NULL);\n"
		   "CREATE UNIQUE INDEX paths_hash ON paths (sha256(bytes));\n"
		   "CREATE INDEX paths_members ON paths USING gin (members);\n"
		   "CREATE TABLE path_change(time_ms bigint NOT NULL, collector integer NOT NULL, batch bigint NOT NULL,"
		   " number integer NOT NULL, router integer NOT NULL, prefix integer NOT NULL,"
		   " path_before integer NOT NULL, path_after integer NOT NULL,"
		   " PRIMARY KEY (time_ms, collector, batch, number));\n"
		   "CREATE INDEX ON path_change(prefix, time_ms);\n"
		   "CREATE VIEW v_path_change AS SELECT time_ms, to_timestamp(time_ms / 1000.0) AS time,"
		   " (SELECT name FROM names WHERE id = t.collector) AS collector, batch, number,"
		   " d_router.name AS router, d_prefix.prefix AS prefix, d_path_before.path AS path_before,"
		   " d_path_after.path AS path_after FROM path_change t");
	pg_value_join(s, "router", DIM_router);
	pg_value_join(s, "prefix", DIM_prefix);
	pg_value_join(s, "path_before", DIM_path);
	pg_value_join(s, "path_after", DIM_path);
	sql_add(s, ";\n");
}

static void add_new_table(struct sql *s, enum store_cube cube)
{
	sql_add(s, "CREATE TABLE %s_new", cube_names[cube]);
	pg_add_columns(s, cube, ", levels smallint NOT NULL", column_definition);
	sql_add(s, ") WITH (autovacuum_vacuum_scale_factor = 0.05);\n");
}

void pg_add_ts_index(struct sql *s, struct store_table table)
{
	enum dimension key[CUBE_KEY_MAX];
	(void)cube_key(table.cube, key);
	sql_add(s, "CREATE INDEX ON ");
	schema_table(s, table.cube, table.level);
	sql_add(s, "_merged(ts, %s);\n", dimension_table[key[0]].name);
}

/* No key: its index would take half as much room as the table. That of ts and the first dimension takes some ten bytes a row. */
static void add_merged_table(struct sql *s, struct store_table table)
{
	sql_add(s, "CREATE TABLE ");
	schema_table(s, table.cube, table.level);
	sql_add(s, "_merged");
	pg_add_columns(s, table.cube, "", column_definition);
	sql_add(s, ") PARTITION BY RANGE (ts);\n");
	pg_add_ts_index(s, table);
	pg_add_prefix_index(s, table.cube, table.level, "_merged");
}

void pg_add_parts(struct sql *s, struct store_table table, void (*measure)(struct sql *s, const char *name))
{
	enum dimension key[CUBE_KEY_MAX];
	size_t n = cube_key(table.cube, key);
	sql_add(s, "SELECT ");
	schema_key_columns(s, table.cube);
	schema_measures(s, measure);
	sql_add(s, " FROM ");
	schema_table(s, table.cube, table.level);
	sql_add(s, "_merged UNION ALL SELECT ts - ts %% %u", level_seconds[table.level]);
	for (size_t i = 0; i < n; i++)
		sql_add(s, ", %s", dimension_table[key[i]].name);
	schema_measures(s, measure);
	sql_add(s, " FROM %s_new WHERE levels & %d <> 0", cube_names[table.cube], 1 << table.level);
}

void pg_add_view(struct sql *s, struct store_table table, void (*measure)(struct sql *s, const char *name))
{
	sql_add(s, "CREATE OR REPLACE VIEW ");
	schema_table(s, table.cube, table.level);
	sql_add(s, " AS ");
	pg_add_parts(s, table, measure);
	sql_add(s, ";\n");
}

const char pg_ddl_2[] =
	"CREATE AGGREGATE add(bigint) (SFUNC = int8pl, STYPE = bigint, COMBINEFUNC = int8pl, PARALLEL = SAFE);\n"
	"CREATE TABLE country_ranges(range iprange NOT NULL, country text NOT NULL);\n"
	"CREATE INDEX country_ranges_covering ON country_ranges USING gist (range);\n";

const char pg_ddl_3[] =
	"CREATE TABLE pieces(cube text NOT NULL, level text NOT NULL, ts bigint NOT NULL, compact bigint NOT NULL,"
	" added bigint NOT NULL, PRIMARY KEY (cube, level, ts));\n";

/* The column without a default keeps batches out that do not mark, an older program's. */
const char pg_ddl_4[] =
	"CREATE TABLE bucket_change(seconds integer NOT NULL, ts bigint NOT NULL, changes bigint NOT NULL, number bigint NOT NULL)"
	" WITH (autovacuum_vacuum_scale_factor = 0.05);\n"
	"CREATE INDEX ON bucket_change(seconds, ts);\n"
	"ALTER TABLE batches ADD COLUMN mark bigint NOT NULL DEFAULT 0;\n"
	"ALTER TABLE batches ALTER COLUMN mark DROP DEFAULT;\n";

static void add_version(struct sql *s, int version)
{
	sql_add(s, "INSERT INTO meta VALUES('schema_version', '%d') ON CONFLICT (key) DO UPDATE SET value = excluded.value;\n", version);
}

void pg_add_schema(struct sql *s)
{
	pg_add_base_tables(s);
	sql_add(s, "%s%s%s", pg_ddl_2, pg_ddl_3, pg_ddl_4);
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		add_new_table(s, (enum store_cube)cube);
		for (int level = 0; level < LEVEL_COUNT; level++) {
			struct store_table table = {(enum store_cube)cube, (enum store_level)level};
			add_merged_table(s, table);
			pg_add_view(s, table, pg_column_shown);
			pg_add_cube_view(s, table.cube, table.level);
		}
	}
	add_version(s, POSTGRES_SCHEMA_VERSION);
}

static const char make_schema[] = "CREATE SCHEMA IF NOT EXISTS whereto;\n",
	make_meta[] = "CREATE TABLE whereto.meta(key text PRIMARY KEY, value text NOT NULL);\n";

int postgres_ddl(const char *url, enum store_ddl what, struct sql *ret, struct error *err)
{
	if (what == STORE_DDL_LEGACY) {
		pg_legacy_views(ret);
		return 0;
	}
	sql_add(ret, "-- CREATE EXTENSION ip4r, once, as a superuser; elsewhere than in public, name its schema here too.\n"
		"%s%sSET search_path = whereto, public;\n", make_schema, make_meta);
	pg_add_schema(ret);
	return 0;
}

int pg_version(PGconn *pq, const char *name, int64_t *ret, struct error *err)
{
	int64_t there = 0, meta = 0, version = 0;
	struct error why = {0};
	int r = pg_number(pq, name, "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
		" WHERE n.nspname = 'whereto'", "reading the schema version", &there, err);
	if (r == 0)
		r = pg_number(pq, name, "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
			" WHERE n.nspname = 'whereto' AND c.relname = 'meta'", "reading the schema version", &meta, err);
	if (r == 0 && meta)
		r = pg_number(pq, name, "SELECT value::bigint FROM whereto.meta WHERE key = 'schema_version'",
			"reading the schema version", &version, &why);
	if (why.code)
		return error_set(err, r, "%s%s", why.text, r == -EACCES ? "; docs/schema.md (Somebody who only asks) has the rights that it takes" : "");
	if (r < 0)
		return r;
	if (there && version < 1)
		return error_set(err, -EPROTO, "postgresql store %s: its schema whereto was not made by whereto; give it a"
			" database of its own", name);
	if (version > POSTGRES_SCHEMA_VERSION)
		return error_set(err, -EPROTO, "postgresql store %s: schema version %lld was made by a newer whereto; this"
			" program knows versions up to %d: upgrade it, or use another database", name,
			(long long)version, POSTGRES_SCHEMA_VERSION);
	*ret = version;
	return 0;
}

/* The schema may be made by somebody else for this role, who may then be without the right to make one. *ret_there: it is. */
static int need_place(PGconn *pq, const char *name, bool *ret_there, struct error *err)
{
	CLEANUP(sql_done) struct sql hint = {0};
	const char *encoding = PQparameterStatus(pq, "server_encoding");
	if (encoding && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0)
		return error_set(err, -EINVAL, "postgresql store %s: the database's encoding is %s, which has no room for every traffic type and"
			" router; make one by: createdb -T template0 -E UTF8", name, encoding);
	CLEANUP(pg_result_done) PGresult *res = pg_exec(pq, "SELECT current_user, has_database_privilege(current_database(), 'CREATE'),"
		" (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = 'whereto')");
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(pq, res, name, updating, err);
	*ret_there = !PQgetisnull(res, 0, 2);
	if (*PQgetvalue(res, 0, *ret_there ? 2 : 1) == 't')
		return 0;
	pg_add_command(&hint, pq, *ret_there ? "ALTER SCHEMA whereto OWNER TO " : "CREATE SCHEMA whereto AUTHORIZATION ", PQgetvalue(res, 0, 0));
	return error_set(err, -EACCES, "postgresql store %s: the role %s may not make %s; as a superuser run: %s", name, PQgetvalue(res, 0, 0),
		*ret_there ? "tables in the schema whereto" : "the schema whereto", sql_text(&hint) ? sql_text(&hint) : "");
}

/* Only a superuser may bring ip4r in, and only where its package is. */
static int need_ip4r(PGconn *pq, const char *name, struct error *err)
{
	CLEANUP(sql_done) struct sql hint = {0};
	int64_t there = 0;
	struct error why = {0};
	int r = pg_number(pq, name, "SELECT count(*) FROM pg_extension WHERE extname = 'ip4r'", updating, &there, err);
	if (r < 0 || there)
		return r;
	r = pg_run(pq, name, "SAVEPOINT ip4r; CREATE EXTENSION ip4r SCHEMA public", updating, &why);
	if (r == 0)
		return 0;
	if (r == -EBUSY || PQstatus(pq) != CONNECTION_OK)
		return error_set(err, r, "%s", why.text);
	pg_add_command(&hint, pq, "CREATE EXTENSION ip4r", NULL);
	return error_set(err, r, "postgresql store %s: the extension ip4r is missing (%s); install its package on the"
		" database's host (Debian: postgresql-15-ip4r) and, as a superuser, run: %s", name,
		strrchr(why.text, ':') ? strrchr(why.text, ':') + 2 : why.text, sql_text(&hint) ? sql_text(&hint) : "");
}

/* there: the schema is. */
static int run_steps(PGconn *pq, const char *name, int64_t version, int to, bool there, struct error *err)
{
	CLEANUP(sql_done) struct sql s = {0};
	bool at_once = version == 0 && to == POSTGRES_SCHEMA_VERSION;
	if (version == 0)
		sql_add(&s, "%s%s", there ? "" : make_schema, make_meta);
	sql_add(&s, "SET LOCAL search_path = whereto, public;\n"
		    "SELECT set_config('search_path', 'whereto, ' || quote_ident(n.nspname), true)"
		    " FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'ip4r';\n");
	if (at_once)
		pg_add_schema(&s);
	else
		add_version(&s, to);
	int r = pg_run(pq, name, sql_text(&s), updating, err);
	for (; r == 0 && !at_once && version < to; version++)
		r = pg_step((int)version + 1, pq, name, err);
	return r;
}

int pg_migrate_to(PGconn *pq, const char *name, int to, struct error *err)
{
	int64_t version;
	bool there = true;
	int r = pg_version(pq, name, &version, err);
	if (r < 0 || version >= to)
		return r;
	r = pg_run(pq, name, "BEGIN; " PG_LOCK_SCHEMA, updating, err);
	if (r == 0)
		r = pg_version(pq, name, &version, err);
	if (r == 0 && version == 0)
		r = need_place(pq, name, &there, err);
	if (r == 0 && version < to) {
		r = need_ip4r(pq, name, err);
		if (r == 0)
			r = run_steps(pq, name, version, to, there, err);
	}
	if (r == 0)
		return pg_run(pq, name, "COMMIT", updating, err);
	PQclear(pg_exec(pq, "ROLLBACK"));
	return r;
}

int pg_migrate(PGconn *pq, const char *name, struct error *err)
{
	int64_t version;
	int r = pg_version(pq, name, &version, err);
	if (r == 0 && version)
		r = pg_need_rights(pq, name, err);
	if (r == 0)
		r = pg_migrate_to(pq, name, POSTGRES_SCHEMA_VERSION, err);
	return r < 0 ? r : pg_mend(pq, name, err);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* What a schema of the present version lacks, and what this role may not do with it.
 *
 * Views and indexes that are gone are made again under the lock of the schema's steps; so are tables that are filled by
 * somebody else or fill by themselves. The list is the schema's own statements (ddl.h).
 *
 * The tables have to belong to the collector's role, or to one that it is a member of: partitions of a table are made and dropped
 * by its owner alone, and no GRANT gives that. */

#include "store/postgres.h"

#include <stdio.h>
#include <string.h>

static const char mending[] = "making views again", looking[] = "reading the schema";

static const char *const spare[] = {"country_ranges", "pieces", NULL};

/* ---- what is missing ---- */

static const char catalogue[] =
	"SELECT string_agg(line, E'\\n') FROM (SELECT CASE c.relkind WHEN 'v' THEN 'view ' ELSE 'table ' END || c.relname AS line"
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'whereto' AND c.relkind IN ('r', 'p', 'v')"
	" UNION ALL SELECT 'index ' || t.relname || ' ' || m.amname || substring(pg_get_indexdef(i.indexrelid) FROM ' \\(.*$')"
	" FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam JOIN pg_class t ON t.oid = i.indrelid"
	" JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = 'whereto' AND NOT t.relispartition) lines";

int pg_find_missing(PGconn *pq, const char *name, ddl_fn *fn, void *ctx, struct error *err)
{
	CLEANUP(sql_done) struct sql wanted = {0};
	CLEANUP(pg_result_done) PGresult *res = pg_exec(pq, catalogue);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(pq, res, name, looking, err);
	pg_add_schema(&wanted);
	return sql_text(&wanted) ? ddl_missing(wanted.text, PQgetvalue(res, 0, 0), fn, ctx) : pg_no_memory(name, err);
}

static int repair(PGconn *pq, const char *name, struct error *err)
{
	CLEANUP(ddl_repair_done) struct ddl_repair repair = {.spare = spare};
	int r = pg_find_missing(pq, name, ddl_repair_add, &repair, err);
	ddl_names_end(&repair.lost);
	if (r == 0 && repair.lost.count)
		return error_set(err, -EPROTO, "postgresql store %s: missing: %s; its rows are gone with it: restore it from a backup", name,
			repair.lost.text);
	return r < 0 ? r : pg_run(pq, name, sql_text(&repair.sql), mending, err);
}

int pg_mend(PGconn *pq, const char *name, struct error *err)
{
	struct ddl_names missing = {0};
	int r = pg_find_missing(pq, name, ddl_names_add, &missing, err);
	if (r < 0 || !missing.count)
		return r;
	r = pg_run(pq, name, "BEGIN; " PG_LOCK_SCHEMA, mending, err);
	if (r == 0)
		r = repair(pq, name, err);
	if (r == 0)
		return pg_run(pq, name, "COMMIT", mending, err);
	PQclear(pg_exec(pq, "ROLLBACK"));
	return r;
}

/* ---- rights ---- */

static int add_name(void *ctx, const struct ddl_made *made)
{
	struct sql *s = ctx;
	if (made->kind != DDL_INDEX)
		sql_add(s, "%s'%.*s'", s->len ? ", " : "", (int)made->name.len, (const char *)made->name.data);
	return 0;
}

/* One row: a relation of ours that belongs to somebody else (NULL: none does), its owner, how many there are, this role,
 * whether it may make what a collector makes, and whether it may write at all. */
static void add_question(struct sql *s)
{
	CLEANUP(sql_done) struct sql schema = {0}, names = {0};
	pg_add_schema(&schema);
	s->failed |= !sql_text(&schema) || ddl_missing(schema.text, "", add_name, &names) < 0 || !sql_text(&names);
	sql_add(s, "SELECT min(c.relname::text), min(pg_get_userbyid(c.relowner)::text), count(*), current_user,"
		   " has_schema_privilege('whereto', 'CREATE') AND has_database_privilege(current_database(), 'TEMP'),"
		   " (SELECT bool_and(has_table_privilege(b.oid, 'INSERT')) FROM pg_class b WHERE b.relname = 'batches'"
		   " AND b.relnamespace = 'whereto'::regnamespace)"
		   " FROM pg_class c WHERE c.relnamespace = 'whereto'::regnamespace AND c.relkind IN ('r', 'p', 'v')"
		   " AND (c.relispartition OR c.relname IN (%s)) AND NOT pg_has_role(c.relowner, 'USAGE')", names.text ? names.text : "''");
}

/* For a shell. */
static void add_word(struct sql *s, const char *text)
{
	sql_add(s, "'");
	for (; *text; text++)
		sql_add(s, *text == '\'' ? "'\\%c'" : "%c", *text);
	sql_add(s, "'");
}

static void add_identifier(struct sql *s, const char *text)
{
	sql_add(s, "\"");
	for (; *text; text++)
		sql_add(s, *text == '"' ? "\"%c" : "%c", *text);
	sql_add(s, "\"");
}

void pg_add_command(struct sql *s, PGconn *pq, const char *statement, const char *role)
{
	CLEANUP(sql_done) struct sql text = {0};
	if (!s->len) {
		sql_add(s, "psql -d ");
		add_word(s, PQdb(pq));
	}
	sql_add(&text, "%s", statement);
	if (role)
		add_identifier(&text, role);
	sql_add(s, " -c ");
	add_word(s, sql_text(&text) ? sql_text(&text) : "");
}

static void explain(PGconn *pq, const PGresult *res, const char *name, struct error *ret)
{
	CLEANUP(sql_done) struct sql command = {0}, statement = {0};
	const char *relation = PQgetvalue(res, 0, 0), *role = PQgetvalue(res, 0, 3);
	if (PQgetisnull(res, 0, 0)) {
		sql_add(&statement, "GRANT TEMP ON DATABASE ");
		add_identifier(&statement, PQdb(pq));
		sql_add(&statement, " TO ");
		pg_add_command(&command, pq, "ALTER SCHEMA whereto OWNER TO ", role);
		pg_add_command(&command, pq, sql_text(&statement) ? sql_text(&statement) : "", role);
		(void)error_set(ret, -EACCES, "postgresql store %s: the role %s may not make tables in the schema whereto, or temporary ones; as a"
			" superuser run: %s", name, role, sql_text(&command) ? sql_text(&command) : "");
		return;
	}
	sql_add(&statement, "ALTER TABLE whereto.%s OWNER TO ", relation);
	pg_add_command(&command, pq, sql_text(&statement) ? sql_text(&statement) : "", role);
	(void)error_set(ret, -EACCES, "postgresql store %s: %s belongs to %s, as do %s tables and views in all, and has to belong to the"
		" collector's role, %s; as a superuser run: %s, and so for each (docs/schema.md has it in one)", name, relation,
		PQgetvalue(res, 0, 1), PQgetvalue(res, 0, 2), role, sql_text(&command) ? sql_text(&command) : "");
}

int pg_rights(PGconn *pq, const char *name, bool *ret_reader, struct error *ret_lack, struct error *err)
{
	CLEANUP(sql_done) struct sql s = {0};
	add_question(&s);
	if (!sql_text(&s))
		return pg_no_memory(name, err);
	CLEANUP(pg_result_done) PGresult *res = pg_exec(pq, sql_text(&s));
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(pq, res, name, looking, err);
	*ret_lack = (struct error){0};
	*ret_reader = strcmp(PQgetvalue(res, 0, 5), "f") == 0;
	if (!PQgetisnull(res, 0, 0) || strcmp(PQgetvalue(res, 0, 4), "f") == 0)
		explain(pq, res, name, ret_lack);
	return 0;
}

int pg_need_rights(PGconn *pq, const char *name, struct error *err)
{
	struct error lack;
	bool reader;
	int r = pg_rights(pq, name, &reader, &lack, err);
	return r < 0 || !lack.code ? r : error_set(err, lack.code, "%s", lack.text);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Rows in memory as a table of SQLite's, so that one statement takes thousands of them (INSERT ... SELECT). A statement
 * a row would bind each column, begin and end the statement's work and open its cursor anew, each time from the root
 * of the tree. */

#include "store/sqlite.h"

#include <stdlib.h>

struct rows_table {
	sqlite3_vtab base;
	const struct sqlite_rows *rows;
};

struct rows_cursor {
	sqlite3_vtab_cursor base;
	const uint64_t *cells, *end;
	unsigned width;
	sqlite3_int64 number;
};

static int on_connect(sqlite3 *db, void *rows, int argc, const char *const *argv, sqlite3_vtab **ret, char **err)
{
	CLEANUP(sql_done) struct sql s = {0};
	sql_add(&s, "CREATE TABLE x(");
	for (int i = 0; i < SQLITE_ROWS_COLUMNS; i++)
		sql_add(&s, "%sc%d INTEGER", i ? ", " : "", i);
	sql_add(&s, ")");
	struct rows_table *t = sqlite3_malloc(sizeof(*t));
	int r = t && sql_text(&s) ? sqlite3_declare_vtab(db, sql_text(&s)) : SQLITE_NOMEM;
	if (r != SQLITE_OK) {
		sqlite3_free(t);
		return r;
	}
	*t = (struct rows_table){.rows = rows};
	*ret = &t->base;
	return SQLITE_OK;
}

static int on_disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

static int on_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	info->estimatedCost = 1e6;
	return SQLITE_OK;
}

static int on_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret)
{
	struct rows_cursor *c = sqlite3_malloc(sizeof(*c));
	if (!c)
		return SQLITE_NOMEM;
	*c = (struct rows_cursor){.cells = NULL};
	*ret = &c->base;
	return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *cursor)
{
	sqlite3_free(cursor);
	return SQLITE_OK;
}

static int on_filter(sqlite3_vtab_cursor *cursor, int index, const char *text, int argc, sqlite3_value **argv)
{
	struct rows_cursor *c = (struct rows_cursor *)cursor;
	const struct sqlite_rows *rows = ((struct rows_table *)cursor->pVtab)->rows;
	c->width = rows->groups->key_words + rows->groups->sum_words;
	c->cells = groups_key(rows->groups, rows->from);
	c->end = groups_key(rows->groups, rows->to);
	c->number = 0;
	return SQLITE_OK;
}

static int on_next(sqlite3_vtab_cursor *cursor)
{
	struct rows_cursor *c = (struct rows_cursor *)cursor;
	c->cells += c->width;
	c->number++;
	return SQLITE_OK;
}

static int on_eof(sqlite3_vtab_cursor *cursor)
{
	const struct rows_cursor *c = (struct rows_cursor *)cursor;
	return c->cells == c->end;
}

static int on_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int column)
{
	const struct rows_cursor *c = (struct rows_cursor *)cursor;
	if ((unsigned)column < c->width)
		sqlite3_result_int64(ctx, sql_int64_of(c->cells[column]));
	return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
	*ret = ((const struct rows_cursor *)cursor)->number;
	return SQLITE_OK;
}

/* Without xCreate the table is there by the module's name, in this connection only. */
static const sqlite3_module rows_module = {
	.xConnect = on_connect,
	.xBestIndex = on_best_index,
	.xDisconnect = on_disconnect,
	.xOpen = on_open,
	.xClose = on_close,
	.xFilter = on_filter,
	.xNext = on_next,
	.xEof = on_eof,
	.xColumn = on_column,
	.xRowid = on_rowid,
};

int sqlite_rows_make(sqlite3 *db, const struct sqlite_rows *rows)
{
	return sqlite3_create_module(db, SQLITE_ROWS_TABLE, &rows_module, (void *)rows);
}

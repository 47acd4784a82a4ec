/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int find_missing(sqlite3 *db, const char *path, struct store_look *ret, struct error *err)
{
	struct ddl_names names = {0};
	int code = sqlite_missing(db, ddl_names_add, &names);
	if (code != SQLITE_OK)
		return sqlite_error(db, path, code, "reading the schema", err);
	ddl_names_end(&names);
	(void)snprintf(ret->missing, sizeof(ret->missing), "%s", names.text);
	return 0;
}

int sqlite_look(const char *url, struct store_look *ret, struct error *err)
{
	const char *path = NULL;
	sqlite3 *db = NULL;
	int64_t version = 0;
	int r = sqlite_path(url, &path, err);
	if (r < 0)
		return r;
	*ret = (struct store_look){.known = SQLITE_SCHEMA_VERSION};
	(void)snprintf(ret->name, sizeof(ret->name), "sqlite store %s", path);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	r = code != SQLITE_OK ? sqlite_error(db, path, code, "opening", err) : sqlite_version(db, path, &version, err);
	ret->reader = access(path, W_OK) < 0;
	if (ret->reader)
		(void)error_set(&ret->lack, -errno, "%s: writing: %s", ret->name, strerror(errno));
	if (r == 0 && version == SQLITE_SCHEMA_VERSION)
		r = find_missing(db, path, ret, err);
	(void)sqlite3_close(db);
	ret->version = (unsigned)version;
	return r;
}

int sqlite_range(struct store *store, struct store_table table, uint64_t ret[static 2], struct error *err)
{
	struct sqlite_store *s = CONTAINER_OF(store, struct sqlite_store, base);
	static const char *const ends[2] = {"min", "max"};
	int code = SQLITE_OK;
	for (int i = 0; i < 2 && code == SQLITE_OK; i++) {
		CLEANUP(sql_done) struct sql sql = {0};
		int64_t ts = -1;
		sql_add(&sql, "SELECT coalesce(%s(ts), -1) FROM ", ends[i]);
		schema_table(&sql, table.cube, table.level);
		code = sql_text(&sql) ? sqlite_number(s->db, sql_text(&sql), &ts) : SQLITE_NOMEM;
		if (code == SQLITE_OK && ts < 0)
			return 0;
		ret[i] = (uint64_t)ts;
	}
	return code == SQLITE_OK ? 1 : sqlite_error(s->db, s->path, code, "reading a table's range", err);
}

int sqlite_collectors(struct store *store, store_collector_fn *fn, void *ctx, struct error *err)
{
	struct sqlite_store *s = CONTAINER_OF(store, struct sqlite_store, base);
	sqlite3_stmt *stmt = NULL;
	int result = 0;
	int code = sqlite3_prepare_v2(s->db, "SELECT collector, max(id) FROM batches GROUP BY collector ORDER BY collector", -1,
		&stmt, NULL);
	while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		code = name ? SQLITE_OK : SQLITE_NOMEM;
		if (name)
			result = fn(ctx, name, (uint64_t)sqlite3_column_int64(stmt, 1));
	}
	if (code != SQLITE_OK && code != SQLITE_DONE)
		result = sqlite_error(s->db, s->path, code, "listing the collectors", err);
	(void)sqlite3_finalize(stmt);
	return result;
}

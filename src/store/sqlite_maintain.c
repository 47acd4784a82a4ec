/* SPDX-License-Identifier: BSD-2-Clause */

/* Retention: buckets that ended before the level's cutoff are deleted, oldest first, in pieces, and so are the
 * path changes of hours that are gone. A piece
 * is a run of the key: all of a bucket, or its keys up to one found by stepping over PIECE_ROWS of
 * them. A transaction takes pieces until it has PIECE_ROWS rows, a call makes transactions until it has its
 * share (store_config.share_rows): so neither the log nor the wait grows with a backlog, which several calls
 * work off. Freed pages are used again; the file does not shrink.
 * Dictionaries and batch ids are kept: together they grow by some ten megabytes a year. */

#include "store/sqlite.h"

#include <errno.h>

#define PIECE_ROWS 50000

static int64_t piece_rows(const struct sqlite_store *s)
{
	return s->share_rows < PIECE_ROWS ? s->share_rows : PIECE_ROWS;
}

/* Where the bucket's first piece ends: *ret_last is the value of the cube's first dimension, or -1 when
 * the rest of the bucket is small enough. */
static int piece_end(struct sqlite_store *s, enum store_cube cube, enum store_level level, int64_t ts,
	int64_t *ret_last)
{
	enum dimension key[CUBE_KEY_MAX];
	CLEANUP(sql_done) struct sql sql = {0};
	(void)cube_key(cube, key);
	sql_add(&sql, "SELECT %s FROM ", dimension_table[key[0]].name);
	schema_table(&sql, cube, level);
	sql_add(&sql, " WHERE ts = %lld ORDER BY ts", (long long)ts);
	for (size_t i = 0, n = cube_key(cube, key); i < n; i++)
		sql_add(&sql, ", %s", dimension_table[key[i]].name);
	sql_add(&sql, " LIMIT 1 OFFSET %lld", (long long)piece_rows(s));
	*ret_last = -1;
	return sql_text(&sql) ? sqlite_number(s->db, sql_text(&sql), ret_last) : SQLITE_NOMEM;
}

/* Deletes one piece of the oldest bucket; *ret_rows is 0 when nothing is old enough. */
static int delete_piece(struct sqlite_store *s, enum store_cube cube, enum store_level level, int64_t *ret_rows)
{
	enum dimension key[CUBE_KEY_MAX];
	CLEANUP(sql_done) struct sql sql = {0};
	int64_t ts = INT64_MAX, last;

	*ret_rows = 0;
	(void)cube_key(cube, key);
	sql_add(&sql, "SELECT ts FROM ");
	schema_table(&sql, cube, level);
	sql_add(&sql, " ORDER BY ts LIMIT 1");
	int r = sql_text(&sql) ? sqlite_number(s->db, sql_text(&sql), &ts) : SQLITE_NOMEM;
	if (r != SQLITE_OK || ts == INT64_MAX || (uint64_t)ts + level_seconds[level] > s->cutoff_s[level])
		return r;
	r = piece_end(s, cube, level, ts, &last);
	if (r != SQLITE_OK)
		return r;
	sql_clear(&sql);
	sql_add(&sql, "DELETE FROM ");
	schema_table(&sql, cube, level);
	sql_add(&sql, " WHERE ts = %lld", (long long)ts);
	if (last >= 0)
		sql_add(&sql, " AND %s <= %lld", dimension_table[key[0]].name, (long long)last);
	r = sql_text(&sql) ? sqlite_run(s->db, sql_text(&sql)) : SQLITE_NOMEM;
	*ret_rows = sqlite3_changes64(s->db);
	return r == SQLITE_OK ? sqlite_mark_bucket(s, level, (uint64_t)ts) : r;
}

/* One transaction's worth: *ret_rows is 0 when nothing is old enough any more. */
static int delete_some(struct sqlite_store *s, int64_t *ret_rows)
{
	int64_t total = 0, most = piece_rows(s);
	int r = sqlite_run(s->db, "BEGIN IMMEDIATE");
	if (r == SQLITE_OK)
		r = sqlite_next_change(s);
	for (int level = 0; level < LEVEL_COUNT; level++) {
		for (int cube = 0; cube < CUBE_COUNT; cube++) {
			int64_t rows = 1;
			while (r == SQLITE_OK && rows > 0 && total < most) {
				r = delete_piece(s, (enum store_cube)cube, (enum store_level)level, &rows);
				total += rows;
			}
		}
	}
	if (r == SQLITE_OK && total < most) {
		int64_t rows = 0;
		r = sqlite_delete_changes(s, most - total, &rows);
		total += rows;
	}
	if (r == SQLITE_OK)
		r = sqlite_run(s->db, total ? "COMMIT" : "ROLLBACK");
	if (!sqlite3_get_autocommit(s->db))
		(void)sqlite_run(s->db, "ROLLBACK");
	*ret_rows = total;
	return r;
}

/* Of buckets that are gone. */
static int delete_marks(struct sqlite_store *s)
{
	int r = SQLITE_OK;
	for (int level = 0; level < LEVEL_COUNT && r == SQLITE_OK; level++) {
		CLEANUP(sql_done) struct sql sql = {0};
		uint32_t width = level_seconds[level];
		sql_add(&sql, "DELETE FROM bucket_change WHERE seconds = %u AND ts <= %lld", width,
			(long long)sql_int64_of(s->cutoff_s[level]) - width);
		r = sql_text(&sql) ? sqlite_run(s->db, sql_text(&sql)) : SQLITE_NOMEM;
	}
	return r;
}

int sqlite_maintain(struct store *store, uint64_t now_s, struct error *err)
{
	struct sqlite_store *s = CONTAINER_OF(store, struct sqlite_store, base);
	int64_t total = 0, rows = 1;
	for (int level = 0; level < LEVEL_COUNT; level++)
		s->cutoff_s[level] = level_cutoff(s->retention_s, (enum store_level)level, now_s);
	while (rows > 0 && total < s->share_rows) {
		int r = delete_some(s, &rows);
		if (r == SQLITE_OK && !rows)
			r = delete_marks(s);
		if (r != SQLITE_OK)
			return sqlite_error(s->db, s->path, r, "dropping what is older than its retention", err);
		total += rows;
	}
	(void)sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return rows > 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Applying a batch: one transaction that writes its id, the dictionary entries it brings and its
 * rows at every cube and level and its path changes, or nothing at all.
 *
 * The id goes first: if it is there already, the batch was applied before and nothing is done. Rows
 * are upserts that add, so it does not matter whether a bucket exists. A cube's minutes are sorted by
 * key and rolled up in that order, so that neighbours in the table are written together, and one statement takes
 * thousands of them (sqlite_rows.c). Each bucket that gets
 * a row is marked with the transaction's number (kept_blocks.c). Cost: about
 * 2 us an upsert; a minute of 200,000 flows is some 1.2 million of them. */

#include "store/sqlite.h"

#include <errno.h>

#define ROWS_AT_ONCE 16384 /* SQLite keeps what a statement changes until its end, to undo it */

static void add_to_column(struct sql *s, const char *name)
{
	sql_add(s, "%s = %s + excluded.%s", name, name, name);
}

static void column_name(struct sql *s, const char *name)
{
	sql_add(s, "%s", name);
}

static int prepare_upsert(struct sqlite_store *s, enum store_cube cube, enum store_level level)
{
	enum dimension key[CUBE_KEY_MAX];
	size_t columns = 1 + cube_key(cube, key) + MEASURE_COUNT;
	CLEANUP(sql_done) struct sql list = {0}, sql = {0};

	sql_add(&sql, "INSERT INTO ");
	schema_table(&sql, cube, level);
	sql_add(&sql, "(");
	schema_key_columns(&sql, cube);
	schema_measures(&sql, column_name);
	sql_add(&sql, ") SELECT c0");
	for (size_t i = 1; i < columns; i++)
		sql_add(&sql, ", c%zu", i);
	sql_add(&sql, " FROM " SQLITE_ROWS_TABLE " WHERE true"); /* without WHERE, ON would belong to a join */
	schema_measures(&list, add_to_column);
	const char *sums = sql_text(&list);
	sql_add(&sql, " ON CONFLICT DO UPDATE SET %s", sums ? sums + strlen(", ") : "");
	if (!sums)
		return SQLITE_NOMEM;
	return sqlite_prepare(s->db, &sql, &s->upserts[cube][level]);
}

int sqlite_prepare_writer(struct sqlite_store *s, struct error *err)
{
	int r = sqlite_rows_make(s->db, &s->rows);
	for (int cube = 0; cube < CUBE_COUNT && r == SQLITE_OK; cube++)
		for (int level = 0; level < LEVEL_COUNT && r == SQLITE_OK; level++)
			r = prepare_upsert(s, (enum store_cube)cube, (enum store_level)level);
	for (int kind = 0; kind < DICT_COUNT && r == SQLITE_OK; kind++)
		r = dict_ids_init(&s->dicts[kind], s->db, (enum sqlite_dict_kind)kind);
	if (r == SQLITE_OK) {
		struct sql sql = {0};
		sql_add(&sql, "INSERT INTO batches(collector, id, flows, changes, changes_left_out)"
			" VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING");
		r = sqlite_prepare(s->db, &sql, &s->insert_batch);
		sql_done(&sql);
	}
	if (r == SQLITE_OK)
		r = sqlite_prepare_changes(s);
	if (r == SQLITE_OK)
		r = sqlite3_prepare_v3(s->db, "INSERT INTO bucket_change VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET change ="
			" excluded.change", -1, SQLITE_PREPARE_PERSISTENT, &s->mark_bucket, NULL);
	return r == SQLITE_OK ? 0 : sqlite_error(s->db, s->path, r, "preparing to write", err);
}

void sqlite_finalize_writer(struct sqlite_store *s)
{
	for (int cube = 0; cube < CUBE_COUNT; cube++)
		for (int level = 0; level < LEVEL_COUNT; level++)
			(void)sqlite3_finalize(s->upserts[cube][level]);
	for (int kind = 0; kind < DICT_COUNT; kind++)
		dict_ids_done(&s->dicts[kind]);
	(void)sqlite3_finalize(s->insert_batch);
	(void)sqlite3_finalize(s->insert_change);
	(void)sqlite3_finalize(s->mark_bucket);
}

int sqlite_next_change(struct sqlite_store *s)
{
	int r = sqlite_run(s->db, "UPDATE meta SET value = value + 1 WHERE key = 'change'");
	return r == SQLITE_OK ? sqlite_number(s->db, "SELECT value FROM meta WHERE key = 'change'", &s->change) : r;
}

int sqlite_mark_bucket(struct sqlite_store *s, enum store_level level, uint64_t ts)
{
	(void)sqlite3_bind_int64(s->mark_bucket, 1, level_seconds[level]);
	(void)sqlite3_bind_int64(s->mark_bucket, 2, (int64_t)ts);
	(void)sqlite3_bind_int64(s->mark_bucket, 3, s->change);
	(void)sqlite3_step(s->mark_bucket);
	return sqlite3_reset(s->mark_bucket);
}

/* Replaces the flow table's own numbers by dictionary ids, for entries that rows or changes use. */
static int map_dictionaries(struct sqlite_store *s, struct cube_source *src)
{
	const struct flow_table *flows = src->flows;
	uint8_t buf[PREFIX_BYTES_MAX];
	int r = SQLITE_OK;
	for (uint32_t i = 1; i < flows->name_count && r == SQLITE_OK; i++)
		if (src->name_used[i])
			r = dict_ids_get(&s->dicts[DICT_NAMES], s->db, DICT_NAMES, flows->names[i], &src->names[i]);
	for (uint32_t i = 1; i < flows->prefix_count && r == SQLITE_OK; i++)
		if (src->prefix_used[i])
			r = dict_ids_get(&s->dicts[DICT_PREFIXES], s->db, DICT_PREFIXES,
				prefix_to_bytes(&flows->prefixes[i], buf), &src->prefixes[i]);
	for (uint32_t i = 1; i < flows->path_count && r == SQLITE_OK; i++)
		if (src->path_used[i])
			r = dict_ids_get(&s->dicts[DICT_PATHS], s->db, DICT_PATHS, flows->paths[i], &src->paths[i]);
	return r;
}

struct rows_job {
	struct sqlite_store *s;
	int code; /* SQLite's, of what failed */
};

static int upsert_some(struct sqlite_store *s, sqlite3_stmt *stmt, const struct groups *rows, uint32_t from)
{
	uint32_t left = rows->count - from;
	s->rows = (struct sqlite_rows){rows, from, from + (left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE)};
	(void)sqlite3_step(stmt);
	return sqlite3_reset(stmt);
}

/* Rows are in the order of time. */
static int mark_buckets(struct sqlite_store *s, enum store_level level, const struct groups *rows, uint32_t from)
{
	uint64_t marked = UINT64_MAX;
	int r = SQLITE_OK;
	for (uint32_t i = from; i < rows->count && r == SQLITE_OK; i++) {
		if (*groups_key(rows, i) == marked)
			continue;
		marked = *groups_key(rows, i);
		r = sqlite_mark_bucket(s, level, marked);
	}
	return r;
}

static int upsert_rows(void *ctx, enum store_cube cube, enum store_level level, const struct groups *rows)
{
	struct rows_job *j = ctx;
	struct sqlite_store *s = j->s;
	uint32_t first = 0;
	while (first < rows->count && *groups_key(rows, first) + level_seconds[level] <= s->cutoff_s[level])
		first++;
	j->code = mark_buckets(s, level, rows, first);
	for (uint32_t i = first; i < rows->count && j->code == SQLITE_OK; i = s->rows.to)
		j->code = upsert_some(s, s->upserts[cube][level], rows, i);
	return j->code == SQLITE_OK ? 0 : -EIO;
}

static int write_rows(struct sqlite_store *s, const struct cube_source *src, const struct store_table *only)
{
	struct rows_job j = {.s = s, .code = SQLITE_OK};
	int r = cube_walk(src, only, s->scratch, upsert_rows, &j);
	return r < 0 && j.code == SQLITE_OK ? SQLITE_NOMEM : j.code;
}

static int write_content(struct sqlite_store *s, const struct store_batch *batch)
{
	CLEANUP(cube_source_done) struct cube_source src = {0};
	if (cube_source_init(&src, batch->flows, batch->only) < 0)
		return SQLITE_NOMEM;
	int r = map_dictionaries(s, &src);
	if (r == SQLITE_OK)
		r = sqlite_next_change(s);
	if (r == SQLITE_OK)
		r = write_rows(s, &src, batch->only);
	return r == SQLITE_OK ? sqlite_write_changes(s, batch, &src) : r;
}

static int insert_batch(struct sqlite_store *s, const struct store_batch *batch, bool *ret_new)
{
	(void)sqlite3_bind_text(s->insert_batch, 1, batch->collector, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(s->insert_batch, 2, sql_int64_of(batch->id));
	(void)sqlite3_bind_int64(s->insert_batch, 3, batch->flows->row_count);
	(void)sqlite3_bind_int64(s->insert_batch, 4, batch->flows->change_count);
	(void)sqlite3_bind_int64(s->insert_batch, 5, sql_int64_of(batch->flows->changes_left_out));
	(void)sqlite3_step(s->insert_batch);
	int r = sqlite3_reset(s->insert_batch);
	*ret_new = sqlite3_changes(s->db) > 0;
	return r;
}

/* In the open transaction. */
static int apply(struct sqlite_store *s, const struct store_batch *batch, bool *ret_new)
{
	int r = insert_batch(s, batch, ret_new);
	if (r != SQLITE_OK || !*ret_new)
		return r;
	r = write_content(s, batch);
	return r == SQLITE_OK ? sqlite_run(s->db, "COMMIT") : r;
}

static enum store_result result_of(int error)
{
	return error == -EBADMSG || error == -EPROTO ? STORE_FATAL : STORE_RETRY;
}

enum store_result sqlite_write_batch(struct store *store, const struct store_batch *batch, struct error *err)
{
	struct sqlite_store *s = CONTAINER_OF(store, struct sqlite_store, base);
	bool is_new = false;
	for (int kind = 0; kind < DICT_COUNT; kind++)
		value_ids_trim(&s->dicts[kind].known);

	int r = sqlite_run(s->db, "BEGIN IMMEDIATE");
	if (r == SQLITE_OK)
		r = apply(s, batch, &is_new);
	int error = r == SQLITE_OK ? 0 : sqlite_error(s->db, s->path, r, "writing a batch", err);
	if (!sqlite3_get_autocommit(s->db))
		(void)sqlite_run(s->db, "ROLLBACK");
	if (error < 0) {
		/* The ids given out in this transaction are gone with it. */
		for (int kind = 0; kind < DICT_COUNT; kind++)
			value_ids_clear(&s->dicts[kind].known);
		return result_of(error);
	}
	if (!is_new)
		return STORE_DUPLICATE;
	/* The batch is safe in the log already; what cannot be copied back now is copied next time. */
	(void)sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return STORE_OK;
}

int sqlite_last_batch(struct store *store, const char *collector, uint64_t *ret, struct error *err)
{
	struct sqlite_store *s = CONTAINER_OF(store, struct sqlite_store, base);
	sqlite3_stmt *stmt;
	int64_t id = 0;
	int r = sqlite3_prepare_v2(s->db, "SELECT max(id) FROM batches WHERE collector = ?1", -1, &stmt, NULL);
	if (r == SQLITE_OK) {
		(void)sqlite3_bind_text(stmt, 1, collector, -1, SQLITE_STATIC);
		if (sqlite3_step(stmt) == SQLITE_ROW)
			id = sqlite3_column_int64(stmt, 0);
		r = sqlite3_finalize(stmt);
	}
	if (r != SQLITE_OK)
		return sqlite_error(s->db, s->path, r, "reading the last batch", err);
	*ret = (uint64_t)id;
	return 0;
}

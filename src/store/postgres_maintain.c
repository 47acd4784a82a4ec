/* SPDX-License-Identifier: BSD-2-Clause */

/* Housekeeping: partitions are made ahead, what batches brought is merged every some minutes, and what is older
 * than its retention goes.
 *
 * Retention drops partitions that are too old as a whole, so a level is kept up to one partition longer than its
 * retention says. Where the retention is shorter than a partition that would be many times as much: there, and
 * of path changes, the oldest rows are deleted, some thousands a statement, until they are gone or the call has
 * done its share; the next call goes on. Each statement is a transaction of its own, so that neither the
 * log nor a reader's snapshot has to hold more than that. The space is PostgreSQL's to use again
 * (autovacuum). */

#include "store/postgres.h"

#include <errno.h>

#define PIECE_ROWS 50000
#define MERGE_S    900

static int64_t piece_rows(const struct postgres_store *s)
{
	return s->share_rows < PIECE_ROWS ? s->share_rows : PIECE_ROWS;
}

/* How much longer than its retention a level may be kept. */
static const uint64_t part_seconds[LEVEL_COUNT] = {[LEVEL_minute] = 86400, [LEVEL_hour] = 31 * 86400, [LEVEL_day] = 366 * 86400};

/* Deletes from `table` what is older than `before` by `column`: whole moments, about PIECE_ROWS rows. Those of buckets of so many seconds
 * are marked; 0: they are no buckets'. */
static int delete_piece(struct postgres_store *s, const char *table, const char *column, unsigned seconds, uint64_t before,
	int64_t *ret_rows, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	unsigned long long limit = (unsigned long long)sql_int64_of(before);
	sql_add(&sql, "WITH gone AS (DELETE FROM %s WHERE %s < %llu AND %s <= coalesce((SELECT %s FROM %s WHERE %s < %llu"
		" ORDER BY %s OFFSET %lld LIMIT 1), %llu) RETURNING %s)",
		table, column, limit, column, column, table, column, limit, column, (long long)piece_rows(s), limit, column);
	if (seconds)
		sql_add(&sql, ", marked AS (INSERT INTO bucket_change SELECT %u, ts, %s FROM (SELECT DISTINCT ts FROM gone) b)", seconds, pg_mark);
	sql_add(&sql, " SELECT count(*) FROM gone");
	*ret_rows = 0;
	return pg_number(s->pq, s->name, sql_text(&sql), "dropping what is older than its retention", ret_rows, err);
}

static int delete_old(struct postgres_store *s, const char *table, const char *column, unsigned seconds, uint64_t before,
	int64_t *total, struct error *err)
{
	int64_t rows = piece_rows(s);
	int r = 0;
	while (r == 0 && rows >= piece_rows(s) && *total < s->share_rows) {
		r = delete_piece(s, table, column, seconds, before, &rows, err);
		*total += rows;
	}
	return r;
}

/* A bucket is gone when it ends by the cutoff. */
static int delete_level(struct postgres_store *s, enum store_level level, int64_t *total, struct error *err)
{
	uint64_t cutoff = s->cutoff_s[level], width = level_seconds[level];
	int r = 0;
	for (int cube = 0; cube < CUBE_COUNT && r == 0 && cutoff >= width; cube++) {
		CLEANUP(sql_done) struct sql table = {0};
		schema_table(&table, (enum store_cube)cube, level);
		sql_add(&table, "_merged");
		r = sql_text(&table) ? delete_old(s, sql_text(&table), "ts", (unsigned)width, cutoff - width + 1, total, err)
				     : pg_no_memory(s->name, err);
	}
	return r;
}

/* A partition that cannot be dropped keeps nothing else, unless the server is away. */
static int drop_old(struct postgres_store *s, int64_t *total, struct error *err)
{
	struct error other, *second = &other;
	int first = pg_parts_drop(s, err), r = s->pq ? 0 : first;
	if (first == 0)
		second = err;
	for (int level = 0; level < LEVEL_COUNT && r == 0; level++)
		if (s->retention_s[level] < part_seconds[level])
			r = delete_level(s, (enum store_level)level, total, second);
	uint64_t changes_ms = changes_cutoff_ms(s->cutoff_s[LEVEL_hour]);
	if (r == 0 && changes_ms)
		r = delete_old(s, "path_change", "time_ms", 0, changes_ms, total, second);
	return first < 0 ? first : r;
}

/* 1: not all of it yet. */
static int merge_when_due(struct postgres_store *s, uint64_t now_s, struct error *err)
{
	bool due = s->merge_next || s->unmerged >= PG_UNMERGED_MAX || now_s < s->merged_at_s || now_s - s->merged_at_s >= MERGE_S;
	int r = due ? pg_merge(s, now_s, err) : 0;
	if (due && r == 0)
		s->merged_at_s = now_s;
	return r;
}

int postgres_maintain(struct store *store, uint64_t now_s, struct error *err)
{
	struct postgres_store *s = CONTAINER_OF(store, struct postgres_store, base);
	int64_t total = 0;
	int more = 0;
	for (int level = 0; level < LEVEL_COUNT; level++)
		s->cutoff_s[level] = level_cutoff(s->retention_s, (enum store_level)level, now_s);
	int r = postgres_writer_begin(s, "SELECT 1", err);
	if (r == 0 && !s->parts.count)
		r = pg_parts_ahead(s, now_s, err); /* to know what is there */
	if (r < 0 && r != -ENOSPC)
		return r;
	/* Dropping comes first, because it makes room: a full disk lets nothing else succeed. A reader that holds it back
	 * holds nothing else back. */
	struct error why = {0};
	int dropped = drop_old(s, &total, &why);
	r = pg_parts_ahead(s, now_s, err);
	if (r == 0)
		r = more = merge_when_due(s, now_s, err);
	if (r >= 0 && dropped < 0)
		r = error_set(err, dropped, "%s", why.text);
	return r < 0 ? r : more || total >= s->share_rows;
}

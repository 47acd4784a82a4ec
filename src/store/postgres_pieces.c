/* SPDX-License-Identifier: BSD-2-Clause */

/* Pieces: each merge puts its sums beside those that an hour or a day has already, so a key may stand in as many rows of
 * a bucket as there were merges. They are joined into one row a key when that pays: while the bucket is not over, when
 * the rows that came since are twice those it had, and once more when it is over. So a bucket is written about three
 * times, whatever its size, and never has more than three times its rows. Rows that come late wait until they are an
 * eighth of their bucket.
 *
 * The table pieces tells it: for each bucket that got rows lately, how many rows stood there when its keys were
 * last joined (compact) and how many came since (added), in the transaction that brought them. */

#include "store/postgres.h"

#include <stdlib.h>
#include <string.h>

#define OVER_S   900    /* after a bucket's end most of its rows are there */
#define FORGET_S 259200 /* after that nothing is known of its pieces, until it gets more */

static const char joining[] = "joining pieces";

/* `rows`: a table of (ts, added). The first rows of a bucket are one a key. */
static void add_noted(struct sql *s, struct store_table table, const char *rows)
{
	const char *cube = cube_names[table.cube], *level = level_names[table.level];
	sql_add(s, "SELECT '%s', '%s', ts, added, CASE WHEN EXISTS (SELECT FROM pieces p WHERE p.cube = '%s'"
		" AND p.level = '%s' AND p.ts = n.ts) THEN 0 ELSE (SELECT count(*) FROM %s_%s_merged m WHERE m.ts = n.ts) END AS there"
		" FROM %s n(ts, added)", cube, level, cube, level, cube, level, rows);
}

#define NOTE_BEGIN "INSERT INTO pieces AS p SELECT cube, level, ts, CASE WHEN there = 0 THEN added ELSE there END," \
	" CASE WHEN there = 0 THEN 0 ELSE added END FROM ("
#define NOTE_END ") n(cube, level, ts, added, there) ON CONFLICT (cube, level, ts) DO UPDATE SET" \
	" added = p.added + excluded.compact + excluded.added"

void pg_add_pieces(struct sql *s, enum store_cube cube)
{
	sql_add(s, NOTE_BEGIN);
	add_noted(s, (struct store_table){cube, LEVEL_hour}, "(SELECT ts, count(*) FROM hours GROUP BY ts)");
	sql_add(s, " UNION ALL ");
	add_noted(s, (struct store_table){cube, LEVEL_day}, "(SELECT ts, count(*) FROM days GROUP BY ts)");
	sql_add(s, NOTE_END);
}

int pg_note_pieces(struct postgres_store *s, struct store_table table, const char *rows, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, NOTE_BEGIN);
	add_noted(&sql, table, rows);
	sql_add(&sql, NOTE_END);
	return pg_run(s->pq, s->name, sql_text(&sql), "noting rows", err);
}

struct bucket {
	struct store_table table;
	uint64_t ts;
	int64_t rows;
};

static void add_join(struct sql *s, const struct bucket *b, void (*sum)(struct sql *s, const char *name))
{
	const char *cube = cube_names[b->table.cube], *level = level_names[b->table.level];
	unsigned long long ts = (unsigned long long)b->ts;
	sql_add(s, "WITH gone AS (DELETE FROM %s_%s_merged WHERE ts = %llu RETURNING *), kept AS (", cube, level, ts);
	pg_add_insert(s, b->table);
	sql_add(s, "SELECT ");
	schema_key_columns(s, b->table.cube);
	schema_measures(s, sum);
	sql_add(s, " FROM gone GROUP BY ");
	schema_key_columns(s, b->table.cube);
	pg_add_order(s, b->table.cube);
	sql_add(s, " RETURNING 1) UPDATE pieces SET compact = (SELECT count(*) FROM kept), added = 0"
		" WHERE cube = '%s' AND level = '%s' AND ts = %llu; COMMIT", cube, level, ts);
}

static int join_bucket(struct postgres_store *s, const struct bucket *b, struct error *err)
{
	CLEANUP(sql_done) struct sql narrow = {0}, wide = {0};
	add_join(&narrow, b, pg_column_sum);
	add_join(&wide, b, pg_column_wide_sum);
	int r = pg_run(s->pq, s->name, PG_BEGIN_MERGE, joining, err);
	if (r == 0)
		r = pg_run(s->pq, s->name, sql_text(&narrow), joining, err);
	if (r == -ERANGE) {
		r = pg_run(s->pq, s->name, "ROLLBACK; " PG_BEGIN_MERGE, joining, err);
		if (r == 0)
			r = pg_run(s->pq, s->name, sql_text(&wide), joining, err);
	}
	return r;
}

/* 1: found. */
static int find_bucket(struct postgres_store *s, uint64_t now_s, struct bucket *ret, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "SELECT cube, level, ts, compact + added FROM pieces WHERE added > 0 AND (added > 2 * compact OR"
		" added * 8 > compact AND ts + CASE level WHEN 'hour' THEN 3600 ELSE 86400 END + %d <= %llu) ORDER BY ts, cube, level",
		OVER_S, (unsigned long long)sql_int64_of(now_s));
	if (!sql_text(&sql))
		return pg_no_memory(s->name, err);
	CLEANUP(pg_result_done) PGresult *res = pg_exec(s->pq, sql_text(&sql));
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(s->pq, res, s->name, joining, err);
	for (int i = 0; i < PQntuples(res); i++) {
		for (int t = 0; t < TABLE_COUNT; t++) {
			struct store_table table = table_at(t);
			if (strcmp(PQgetvalue(res, i, 0), cube_names[table.cube]) != 0 ||
				strcmp(PQgetvalue(res, i, 1), level_names[table.level]) != 0)
				continue;
			*ret = (struct bucket){table, strtoull(PQgetvalue(res, i, 2), NULL, 10), strtoll(PQgetvalue(res, i, 3), NULL, 10)};
			return 1;
		}
	}
	return 0;
}

static int forget(struct postgres_store *s, uint64_t now_s, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "DELETE FROM pieces WHERE ts + 86400 + %d < %llu", FORGET_S, (unsigned long long)sql_int64_of(now_s));
	return pg_run(s->pq, s->name, sql_text(&sql), joining, err);
}

int pg_join_pieces(struct postgres_store *s, uint64_t now_s, bool *ret_more, struct error *err)
{
	int64_t total = 0;
	for (;;) {
		struct bucket b;
		int r = find_bucket(s, now_s, &b, err);
		if (r == 0)
			return forget(s, now_s, err);
		if (r > 0 && total >= PG_MERGE_SLICE) {
			s->merge_next = CUBE_COUNT; /* go on here */
			*ret_more = true;
			return 0;
		}
		if (r > 0)
			r = join_bucket(s, &b, err);
		if (r < 0)
			return r;
		total += b.rows;
	}
}

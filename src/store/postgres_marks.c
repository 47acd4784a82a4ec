/* SPDX-License-Identifier: BSD-2-Clause */

/* Marks of buckets, by which readers know that the sums they have in memory are those of the tables (kept_blocks.c).
 *
 * Each change of a bucket's sums adds a row to bucket_change, in the transaction that changes them: who sees the rows sees
 * the mark, and nobody waits for another collector. A row has `changes`, which is 1, and a `number`; a bucket is what it was
 * while the sums of both over its rows are. Of two snapshots one has every change that the other has, so `changes` tells
 * them apart. Numbers are for where that does not hold (marks were removed, a backup was restored), and random, because a
 * sequence is restored as well and would give the same numbers to other changes.
 *
 * Who marks: a batch (with the number that stands beside its id), retention, which deletes rows or drops a partition, and
 * a merge, of what it leaves out because it is too old by then. Else merging, and joining pieces, change no sum.
 *
 * Tidying adds up the rows of a bucket, by which no sum changes, and removes those of buckets that are not kept any more:
 * what has no mark is read from the tables. */

#include "store/kept.h"
#include "store/postgres.h"

#include <stdlib.h>

const char pg_mark[] = "1, " PG_RANDOM;

static const char marking[] = "marking buckets";

/* ---- a batch's ---- */

int pg_marks_note(struct postgres_store *s, unsigned levels, uint64_t ts)
{
	int r = 0;
	for (int level = 0; level < LEVEL_COUNT && r == 0; level++) {
		const uint64_t key[] = {level_seconds[level], level_floor((enum store_level)level, ts)};
		uint32_t row;
		if (levels & 1u << level)
			r = groups_get(&s->marks, key, &row);
	}
	return r;
}

int pg_marks_write(struct postgres_store *s, const struct store_batch *batch, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	if (!s->marks.count)
		return 0;
	sql_add(&sql, "INSERT INTO bucket_change SELECT m.seconds, m.ts, 1, b.mark FROM batches b, (VALUES ");
	for (uint32_t i = 0; i < s->marks.count; i++) {
		const uint64_t *key = groups_key(&s->marks, i);
		sql_add(&sql, "%s(%llu, %llu)", i ? "," : "", (unsigned long long)key[0], (unsigned long long)sql_int64_of(key[1]));
	}
	sql_add(&sql, ") m(seconds, ts) WHERE b.collector = $1 AND b.id = %llu", (unsigned long long)sql_int64_of(batch->id));
	if (!sql_text(&sql))
		return pg_no_memory(s->name, err);
	CLEANUP(pg_result_done) PGresult *res = pg_exec_with(s->pq, sql_text(&sql), batch->collector);
	return PQresultStatus(res) == PGRES_COMMAND_OK ? 0 : pg_error(s->pq, res, s->name, marking, err);
}

/* ---- others' ---- */

/* A block that has rows of the partition begins so much before it at most. */
void pg_add_mark_part(struct sql *s, const struct pg_part *p)
{
	unsigned width = level_seconds[p->table.level], before = (KEPT_BLOCK_BUCKETS - 1) * width;
	sql_add(s, "INSERT INTO bucket_change SELECT seconds, ts, %s FROM (SELECT DISTINCT seconds, ts FROM bucket_change"
		" WHERE seconds = %u AND ts >= %llu AND ts < %llu) b", pg_mark, width,
		(unsigned long long)(p->from_s > before ? p->from_s - before : 0), (unsigned long long)sql_int64_of(p->to_s));
}

/* Of CUBE_new, in the snapshot of a merge: what add_kept of postgres_merge.c does not take. */
int pg_marks_left_out(struct postgres_store *s, enum store_cube cube, uint64_t before_s, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	uint64_t last_s = 0;
	for (int level = 0; level < LEVEL_COUNT; level++)
		last_s = s->cutoff_s[level] > last_s ? s->cutoff_s[level] : last_s;
	sql_add(&sql, "INSERT INTO bucket_change SELECT seconds, bucket, %s FROM (SELECT DISTINCT seconds, ts - ts %% seconds AS bucket"
		" FROM (SELECT DISTINCT ts, levels FROM %s_new WHERE ts < %llu) n, (VALUES ", pg_mark, cube_names[cube],
		(unsigned long long)sql_int64_of(last_s < before_s ? last_s : before_s));
	for (int level = 0; level < LEVEL_COUNT; level++)
		sql_add(&sql, "%s(%d, %u, %llu)", level ? "," : "", 1 << level, level_seconds[level],
			(unsigned long long)sql_int64_of(s->cutoff_s[level]));
	sql_add(&sql, ") l(bit, seconds, cutoff) WHERE levels & bit <> 0 AND ts - ts %% seconds + seconds <= cutoff) b");
	return last_s ? pg_run(s->pq, s->name, sql_text(&sql), marking, err) : 0;
}

/* ---- tidying ---- */

int pg_marks_tidy(struct postgres_store *s, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "WITH gone AS (DELETE FROM bucket_change b USING (SELECT seconds, ts FROM bucket_change GROUP BY seconds, ts"
		" HAVING count(*) > 1) m WHERE b.seconds = m.seconds AND b.ts = m.ts RETURNING b.*) INSERT INTO bucket_change"
		" SELECT seconds, ts, sum(changes)::bigint, sum(number)::bigint FROM gone GROUP BY seconds, ts;");
	for (int level = 0; level < LEVEL_COUNT; level++)
		sql_add(&sql, "DELETE FROM bucket_change WHERE seconds = %u AND ts <= %lld;", level_seconds[level],
			(long long)sql_int64_of(s->cutoff_s[level]) - (long long)level_seconds[level]);
	return pg_run(s->pq, s->name, sql_text(&sql), "tidying marks", err);
}

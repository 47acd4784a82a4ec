/* SPDX-License-Identifier: BSD-2-Clause */

/* Applying a batch: one transaction that writes its id, the dictionary entries it brings, its rows at every
 * cube and level, the marks of their buckets (postgres_marks.c) and its path changes, or nothing at all.
 *
 * The id goes first: if it is there already, the batch was applied before and nothing is done. Rows are only
 * ever added here, by COPY and in the order of the key: those of minutes, which stand for hours and days as
 * well until they are merged (postgres_merge.c). Rows of one table (a copy's) go there at once, as one more piece of each
 * bucket (postgres_pieces.c), and there is nothing to merge. */

#include "store/postgres.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The levels that keep a row, as bits; 0: none does. */
static unsigned levels_of(const struct postgres_store *s, uint64_t ts)
{
	unsigned levels = 0;
	for (int level = 0; level < LEVEL_COUNT; level++)
		if (level_floor((enum store_level)level, ts) + level_seconds[level] > s->cutoff_s[level])
			levels |= 1u << level;
	return levels;
}

struct rows_job {
	struct postgres_store *s;
	const struct store_table *only; /* the batch's */
	struct pg_copy *copy;
	struct error *err;
};

/* The time a row gets in its table; false: it is not kept. */
static bool place_row(const struct rows_job *j, uint64_t minute, uint64_t *ret_ts, unsigned *ret_levels)
{
	*ret_levels = levels_of(j->s, minute) & (j->only ? 1u << j->only->level : UINT_MAX);
	*ret_ts = j->only ? level_floor(j->only->level, minute) : minute;
	return *ret_levels;
}

static void copy_rows(const struct rows_job *j, enum store_cube cube, const struct groups *rows)
{
	enum dimension key[CUBE_KEY_MAX];
	size_t n = cube_key(cube, key);
	struct pg_copy *c = j->copy;
	for (uint32_t i = 0; i < rows->count; i++) {
		const uint64_t *cells = groups_key(rows, i);
		unsigned levels;
		uint64_t ts;
		if (!place_row(j, cells[0], &ts, &levels))
			continue;
		pg_copy_row(c, rows->key_words + !j->only + rows->sum_words);
		pg_copy_number(c, 8, ts);
		for (size_t k = 0; k < n; k++)
			pg_copy_number(c, pg_column_width(key[k]), cells[1 + k]);
		if (!j->only)
			pg_copy_number(c, 2, levels);
		for (unsigned m = 0; m < rows->sum_words; m++)
			pg_copy_measure(c, sql_int64_of(cells[rows->key_words + m]));
	}
}

/* "flow_new(ts, origin, ..., levels, bytes_sent, ...)", "flow_hour_merged(ts, origin, ..., bytes_sent, ...)" */
static void add_target(struct sql *s, enum store_cube cube, const struct store_table *only)
{
	if (only)
		schema_table(s, cube, only->level);
	else
		sql_add(s, "%s", cube_names[cube]);
	sql_add(s, only ? "_merged(" : "_new(");
	schema_key_columns(s, cube);
	sql_add(s, only ? "" : ", levels");
	schema_measures(s, pg_column_plain);
	sql_add(s, ")");
}

/* Rows come in the order of time. */
static int note_buckets(const struct rows_job *j, const struct groups *rows)
{
	CLEANUP(sql_done) struct sql values = {0};
	const char *comma = "(VALUES ";
	for (uint32_t i = 0, n; i < rows->count; i += n) {
		uint64_t ts, next;
		unsigned levels;
		bool kept = place_row(j, *groups_key(rows, i), &ts, &levels);
		for (n = 1; i + n < rows->count; n++) {
			(void)place_row(j, *groups_key(rows, i + n), &next, &levels);
			if (next != ts)
				break;
		}
		if (kept)
			sql_add(&values, "%s(%llu::bigint, %u::bigint)", comma, (unsigned long long)sql_int64_of(ts), n);
		comma = kept ? ", " : comma;
	}
	if (sql_text(&values) && !*sql_text(&values))
		return 0;
	sql_add(&values, ")");
	return sql_text(&values) ? pg_note_pieces(j->s, *j->only, sql_text(&values), j->err) : pg_no_memory(j->s->name, j->err);
}

static int mark_buckets(const struct rows_job *j, const struct groups *rows)
{
	uint64_t marked = UINT64_MAX, ts;
	unsigned levels;
	for (uint32_t i = 0; i < rows->count; i++) {
		uint64_t minute = *groups_key(rows, i);
		if (minute != marked && place_row(j, minute, &ts, &levels) && pg_marks_note(j->s, levels, ts) < 0)
			return pg_no_memory(j->s->name, j->err);
		marked = minute;
	}
	return 0;
}

static int write_rows(void *ctx, enum store_cube cube, enum store_level level, const struct groups *rows)
{
	const struct rows_job *j = ctx;
	struct postgres_store *s = j->s;
	CLEANUP(sql_done) struct sql table = {0};
	(void)level; /* see levels_of */
	if (!rows->count)
		return 0;
	add_target(&table, cube, j->only);
	int r = j->only && j->only->level != LEVEL_minute ? note_buckets(j, rows) : 0;
	if (r == 0)
		r = mark_buckets(j, rows);
	if (r == 0)
		r = sql_text(&table) ? pg_copy_begin(j->copy, s->pq, s->name, sql_text(&table), j->err) : pg_no_memory(s->name, j->err);
	if (r < 0)
		return r;
	copy_rows(j, cube, rows);
	s->unmerged += j->only ? 0 : rows->count;
	return pg_copy_end(j->copy, j->err);
}

/* The rows of the table that a batch is for, or of each cube's minutes. */
static int write_cubes(struct postgres_store *s, struct pg_copy *c, const struct store_batch *batch,
	const struct cube_source *src, struct error *err)
{
	struct rows_job j = {s, batch->only, c, err};
	int r = batch->only ? cube_walk(src, batch->only, s->scratch, write_rows, &j) : 0;
	for (int cube = 0; cube < CUBE_COUNT && r == 0 && !batch->only; cube++)
		r = cube_walk(src, &(struct store_table){(enum store_cube)cube, LEVEL_minute}, s->scratch, write_rows, &j);
	return r == -ENOMEM || r == -E2BIG ? pg_no_memory(s->name, err) : r;
}

static int write_changes(struct postgres_store *s, struct pg_copy *c, const struct store_batch *batch,
	const struct cube_source *src, struct error *err)
{
	const struct flow_table *flows = batch->flows;
	uint64_t collector = 0, kept_from_ms = changes_cutoff_ms(s->cutoff_s[LEVEL_hour]);
	if (!flows->change_count)
		return 0;
	int r = pg_name_id(s, batch->collector, &collector, err);
	if (r == 0)
		r = pg_copy_begin(c, s->pq, s->name, "path_change", err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < flows->change_count; i++) {
		const struct path_change *p = &flows->changes[i];
		if (p->time_ms < kept_from_ms)
			continue;
		const uint64_t numbers[] = {i, src->names[p->router], src->prefixes[p->prefix], src->paths[p->before],
			src->paths[p->after]};
		pg_copy_row(c, 8);
		pg_copy_number(c, 8, sql_int64_of(p->time_ms));
		pg_copy_number(c, 4, collector);
		pg_copy_number(c, 8, sql_int64_of(batch->id));
		for (size_t k = 0; k < ARRAY_LEN(numbers); k++)
			pg_copy_number(c, 4, numbers[k]);
	}
	return pg_copy_end(c, err);
}

static int write_content(struct postgres_store *s, const struct store_batch *batch, struct error *err)
{
	CLEANUP(cube_source_done) struct cube_source src = {0};
	CLEANUP(free_p) struct pg_copy *c = malloc(sizeof(*c));
	if (!c || cube_source_init(&src, batch->flows, batch->only) < 0)
		return pg_no_memory(s->name, err);
	groups_reset(&s->marks, 2, 0);
	int r = pg_map_dictionaries(s, &src, err);
	if (r == 0)
		r = write_cubes(s, c, batch, &src, err);
	if (r == 0)
		r = pg_marks_write(s, batch, err);
	return r == 0 ? write_changes(s, c, batch, &src, err) : r;
}

static int insert_batch(struct postgres_store *s, const struct store_batch *batch, bool *ret_new, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "INSERT INTO batches(collector, id, flows, changes, changes_left_out, mark) VALUES($1, %llu, %u, %u, %llu,"
		" " PG_RANDOM ") ON CONFLICT DO NOTHING", (unsigned long long)sql_int64_of(batch->id), batch->flows->row_count,
		batch->flows->change_count, (unsigned long long)sql_int64_of(batch->flows->changes_left_out));
	if (!sql_text(&sql))
		return pg_no_memory(s->name, err);
	CLEANUP(pg_result_done) PGresult *res = pg_exec_with(s->pq, sql_text(&sql), batch->collector);
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		return pg_error(s->pq, res, s->name, "writing a batch", err);
	*ret_new = strcmp(PQcmdTuples(res), "0") != 0;
	return 0;
}

/* One transaction of a collector at a time: a connection that was cut off may still be applying its last
 * batch, and whoever asks for the last one or sends another waits until that has ended. */
static int lock_collector(struct postgres_store *s, const char *collector, struct error *err)
{
	CLEANUP(pg_result_done) PGresult *res = pg_exec_with(s->pq, "SELECT pg_advisory_xact_lock(hashtext('whereto batch'),"
		" hashtext($1))", collector);
	return PQresultStatus(res) == PGRES_TUPLES_OK ? 0 : pg_error(s->pq, res, s->name, "waiting for a batch", err);
}

/* The partitions that a copy's rows go to; one that somebody dropped meanwhile is made at the next try. */
static int make_parts(struct postgres_store *s, const struct store_batch *batch, struct error *err)
{
	CLEANUP(pg_parts_done) struct pg_parts wanted = {0};
	uint64_t last = UINT64_MAX;
	for (uint32_t i = 0; i < batch->flows->row_count; i++) {
		uint64_t ts = level_floor(batch->only->level, batch->flows->rows[i].key.minute);
		if (ts == last || !(levels_of(s, ts) & 1u << batch->only->level))
			continue;
		if (pg_parts_want(s, *batch->only, ts, &wanted) < 0)
			return pg_no_memory(s->name, err);
		last = ts;
	}
	return pg_parts_make(s, &wanted, err);
}

static void forget(struct postgres_store *s, const struct store_batch *batch)
{
	pg_forget_ids(s);
	if (batch->only)
		pg_parts_clear(&s->parts);
}

enum store_result postgres_write_batch(struct store *store, const struct store_batch *batch, struct error *err)
{
	struct postgres_store *s = CONTAINER_OF(store, struct postgres_store, base);
	bool is_new = false;
	/* Merging can wait, batches cannot. */
	if (s->unmerged >= PG_UNMERGED_MAX && pg_merge(s, 0, err) < 0)
		s->unmerged = 0;
	int r = batch->only ? make_parts(s, batch, err) : 0;
	if (r == 0)
		r = postgres_writer_begin(s, "BEGIN", err);
	if (r == 0)
		r = lock_collector(s, batch->collector, err);
	if (r == 0)
		r = insert_batch(s, batch, &is_new, err);
	if (r == 0 && is_new)
		r = write_content(s, batch, err);
	if (r == 0)
		r = pg_run(s->pq, s->name, is_new ? "COMMIT" : "ROLLBACK", "writing a batch", err);
	if (r == 0)
		return is_new ? STORE_OK : STORE_DUPLICATE;
	forget(s, batch);
	postgres_writer_give_up(s);
	return r == -EBADMSG || r == -EPROTO ? STORE_FATAL : STORE_RETRY;
}

static int read_last(struct postgres_store *s, const char *collector, uint64_t *ret, struct error *err)
{
	CLEANUP(pg_result_done) PGresult *res = pg_exec_with(s->pq, "SELECT coalesce(max(id), 0) FROM batches"
		" WHERE collector = $1", collector);
	if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1)
		return pg_error(s->pq, res, s->name, "reading the last batch", err);
	*ret = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
	return 0;
}

int postgres_last_batch(struct store *store, const char *collector, uint64_t *ret, struct error *err)
{
	struct postgres_store *s = CONTAINER_OF(store, struct postgres_store, base);
	uint64_t last = 0;
	int r = postgres_writer_begin(s, "BEGIN", err);
	if (r == 0)
		r = lock_collector(s, collector, err);
	if (r == 0)
		r = read_last(s, collector, &last, err);
	if (r == 0)
		*ret = last;
	postgres_writer_give_up(s);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Sums of closed buckets, kept for the next time. Dashboards ask the same questions again and again, over ranges that
 * are nearly all past: a segment is cut into blocks, and what a question found in a block is kept in memory
 * (sqlite_cache.c), so that next time only what is new is read from the tables.
 *
 * Blocks are runs of 1, 2, 4, 8 or 16 buckets that begin at a multiple of their length. So a range that moves on by an hour
 * shares nearly all its blocks with the one before, and any range has few. The newest bucket of a level, which most
 * batches change, is a block of its own; what comes after it is always read from the tables.
 *
 * Exact, always. Each transaction that changes rows of a bucket (a batch, late rows among it, or retention) marks
 * the bucket with its own number, greater than any before, in the table bucket_change. What is kept is kept with
 * the state of its buckets: how many are marked, the greatest mark, their sum. The state is read in the transaction
 * in which the rows are, and another state is another answer. The key of what is kept is the whole question:
 * table, block, dimensions, measures, conditions. Rows of buckets without a mark (a hand was at work) are read
 * from the tables.
 *
 * Kept are rows of varints (seven bits a byte, the lowest first): most sums are small. 24 hours of 50,000 prefixes
 * by one measure take some 5 MB and are added up in 20 ms; reading them takes 0.7 s.
 *
 * Rows of certain prefixes are scattered over a bucket, because origins lead the key. So the pairs of origin and prefix
 * of each block are kept like any other question's rows; they tell of which origins the prefixes were, and with
 * those the key leads to the rows, which are kept too. */

#include "store/sqlite_query.h"

#include <errno.h>
#include <stdlib.h>

#include "base/deadline.h"

#define BLOCK_BUCKETS 16
#define ROWS_MIN      32 /* fewer are read again as fast */

int sqlite_prepare_blocks(struct sqlite_reader *reader)
{
	int r = sqlite3_prepare_v3(reader->db, "SELECT max(ts) FROM bucket_change WHERE seconds = ?1", -1,
		SQLITE_PREPARE_PERSISTENT, &reader->newest_bucket, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_prepare_v3(reader->db, "SELECT min(ts) FROM bucket_change WHERE seconds = ?1 AND ts >= ?2", -1,
			SQLITE_PREPARE_PERSISTENT, &reader->next_bucket, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_prepare_v3(reader->db, "SELECT count(*), max(change), sum(change) FROM bucket_change WHERE seconds = ?1"
			" AND ts >= ?2 AND ts < ?3", -1, SQLITE_PREPARE_PERSISTENT, &reader->bucket_state, NULL);
	return r;
}

void sqlite_finalize_blocks(struct sqlite_reader *reader)
{
	(void)sqlite3_finalize(reader->newest_bucket);
	(void)sqlite3_finalize(reader->next_bucket);
	(void)sqlite3_finalize(reader->bucket_state);
}

/* 0: there is none. */
static int read_newest(struct sqlite_reader *reader, enum store_level level, uint64_t *ret)
{
	sqlite3_stmt *stmt = reader->newest_bucket;
	(void)sqlite3_bind_int64(stmt, 1, level_seconds[level]);
	*ret = sqlite3_step(stmt) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
	return sqlite3_reset(stmt);
}

/* The first marked one from from_s on; to_s when there is none before. */
static int read_next(struct sqlite_reader *reader, const struct store_segment *seg, uint64_t from_s, uint64_t *ret)
{
	sqlite3_stmt *stmt = reader->next_bucket;
	(void)sqlite3_bind_int64(stmt, 1, level_seconds[seg->level]);
	(void)sqlite3_bind_int64(stmt, 2, sqlite_int64_of(from_s));
	*ret = seg->to_s;
	if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
		uint64_t ts = (uint64_t)sqlite3_column_int64(stmt, 0);
		*ret = ts < seg->to_s ? ts : seg->to_s;
	}
	return sqlite3_reset(stmt);
}

static int read_state(struct sqlite_reader *reader, const struct row_run *run, struct bucket_state *ret)
{
	sqlite3_stmt *stmt = reader->bucket_state;
	const uint64_t values[] = {level_seconds[run->level], run->from_s, run->to_s};
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		(void)sqlite3_bind_int64(stmt, (int)i + 1, sqlite_int64_of(values[i]));
	*ret = (struct bucket_state){0};
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = (struct bucket_state){sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
			sqlite3_column_int64(stmt, 2)};
	return sqlite3_reset(stmt);
}

/* ---- what is kept ---- */

static void add_key(struct sql *key, const struct sqlite_job *j, const struct row_run *run)
{
	schema_table(key, j->q->cube, run->level);
	sql_add(key, " %llu %llu by", (unsigned long long)run->from_s, (unsigned long long)run->to_s);
	if (j->with_time)
		sql_add(key, " time/%u", j->q->step_s);
	for (unsigned i = 0; i < j->dim_count; i++)
		sql_add(key, " %d", j->dims[i]);
	sql_add(key, " sums");
	for (unsigned i = 0; i < j->measure_count; i++)
		sql_add(key, " %u", j->measures[i]);
	sql_add(key, "%s", sql_text(&j->where) ? sql_text(&j->where) : "");
	for (size_t i = 0; i < j->q->filter_count; i++) {
		const struct store_filter *f = &j->q->filters[i];
		if (f->dim != DIM_via)
			continue;
		sql_add(key, f->negate ? " not via" : " via");
		for (size_t v = 0; v < f->value_count; v++)
			sql_add(key, " %lld", f->values[v].known ? (long long)f->values[v].number : -1);
	}
}

struct writing {
	uint8_t *data;
	size_t len, cap;
};

static bool put_row(struct writing *w, const uint64_t *words, unsigned count)
{
	if (w->len + count * 10u > w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 65536;
		uint8_t *data = realloc(w->data, cap);
		if (!data)
			return false;
		w->data = data;
		w->cap = cap;
	}
	for (unsigned i = 0; i < count; i++) {
		uint64_t v = words[i];
		for (; v >= 0x80; v >>= 7)
			w->data[w->len++] = (uint8_t)(v | 0x80);
		w->data[w->len++] = (uint8_t)v;
	}
	return true;
}

_Static_assert((1 + CUBE_KEY_MAX + MEASURE_COUNT) * 10 <= 65536, "a row fits into what is added");

static void keep(const struct sqlite_job *j, const struct sql *key, const struct bucket_state *state, const struct groups *g)
{
	struct writing w = {0};
	struct view k = {(const uint8_t *)sql_text(key), key->len};
	CLEANUP(free_p) uint32_t *rows = malloc(g->count * sizeof(*rows));
	bool ok = rows;
	if (ok)
		groups_order(g, rows);
	for (uint32_t i = 0; i < g->count && ok; i++)
		ok = put_row(&w, groups_key(g, rows[i]), g->key_words + g->sum_words);
	if (ok)
		sqlite_cache_give(j->reader->cache, k, state, &(struct cached){{w.data, w.len}, g->count});
	free(w.data);
}

/* ---- who uses it ---- */

/* Takes the rows of a block, one by one. */
struct user {
	struct sqlite_job *job;
	void (*row)(struct user *u, const uint64_t *key, const uint64_t *sums);
	struct groups *into;
};

static void add_sums(struct user *u, const uint64_t *key, const uint64_t *sums)
{
	uint32_t at;
	int r = groups_get(u->into, key, &at);
	if (r < 0) {
		sqlite_groups_failed(u->job, r);
		return;
	}
	uint64_t *to = groups_sums(u->into, at);
	for (unsigned i = 0; i < u->into->sum_words; i++)
		to[i] += sums[i];
}

static void use_kept(struct user *u, const struct cached *e, unsigned key_words, unsigned sum_words)
{
	uint64_t words[1 + CUBE_KEY_MAX + MEASURE_COUNT];
	const uint8_t *p = e->data.data;
	for (uint64_t row = 0; row < e->rows && u->job->error == 0; row++) {
		for (unsigned i = 0; i < key_words + sum_words; i++) {
			uint64_t v = *p & 0x7f;
			for (unsigned shift = 7; *p++ & 0x80; shift += 7)
				v |= (uint64_t)(*p & 0x7f) << shift;
			words[i] = v;
		}
		u->row(u, words, words + key_words);
	}
}

static void use_groups(struct user *u, const struct groups *g)
{
	for (uint32_t i = 0; i < g->count && u->job->error == 0; i++)
		u->row(u, groups_key(g, i), groups_sums(g, i));
}

/* ---- blocks ---- */

/* With the rows of certain origins only, when there is a list of them. */
static int read_and_keep(struct sqlite_job *j, const struct row_run *run, const struct sql *key,
	const struct bucket_state *state, struct user *u)
{
	struct groups *g = &j->reader->block;
	struct row_run block = *run;
	groups_reset(g, j->with_time + j->dim_count, j->measure_count);
	groups_limit(g, SQLITE_SUMS_BYTES);
	block.into = g;
	int r = sqlite_read_run(j, &block);
	if (r != SQLITE_OK || j->error)
		return r;
	if (block.rows >= ROWS_MIN && state->buckets)
		keep(j, key, state, g);
	use_groups(u, g);
	return SQLITE_OK;
}

static int read_by_origins(struct sqlite_job *j, const struct row_run *run, const struct sql *key,
	const struct bucket_state *state, struct user *u);

static int read_block(struct sqlite_job *j, const struct row_run *run, struct user *u)
{
	CLEANUP(sql_done) struct sql key = {0};
	struct bucket_state state;
	if (deadline_past(j->reader->deadline_ns))
		return SQLITE_INTERRUPT;
	int r = read_state(j->reader, run, &state);
	if (r != SQLITE_OK)
		return r;
	add_key(&key, j, run);
	if (!sql_text(&key))
		return SQLITE_NOMEM;
	const struct cached *e = sqlite_cache_take(j->reader->cache, (struct view){(const uint8_t *)sql_text(&key), key.len}, &state);
	if (!e)
		return (j->prefix_bits ? read_by_origins : read_and_keep)(j, run, &key, &state, u);
	use_kept(u, e, j->with_time + j->dim_count, j->measure_count);
	sqlite_cache_release(j->reader->cache, e);
	return SQLITE_OK;
}

/* ---- rows of certain prefixes ---- */

/* A pair of origin and prefix. */
static void note_origin(struct user *u, const uint64_t *key, const uint64_t *sums)
{
	const struct sqlite_job *j = u->job;
	uint32_t at;
	(void)sums;
	if (key[1] < j->prefix_end && j->prefix_bits[key[1] / 8] >> key[1] % 8 & 1 && groups_get(u->into, key, &at) < 0)
		sqlite_groups_failed(u->job, -ENOMEM);
}

static int find_origins(struct sqlite_job *j, const struct row_run *run, struct groups *ret)
{
	struct sqlite_job pairs = {.reader = j->reader, .q = &(struct store_query){.cube = j->q->cube}, .err = j->err,
		.dims = {DIM_origin, DIM_prefix}, .dim_count = 2, .column_count = 2, .path_column = -1};
	struct user u = {.job = j, .row = note_origin, .into = ret};
	int r = read_block(&pairs, run, &u);
	if (pairs.error && !j->error)
		j->error = pairs.error;
	return r;
}

static int read_by_origins(struct sqlite_job *j, const struct row_run *run, const struct sql *key,
	const struct bucket_state *state, struct user *u)
{
	CLEANUP(groups_done) struct groups origins;
	CLEANUP(sql_done) struct sql list = {0};
	groups_init(&origins, 1, 0, INDEX_NONE - 1);
	int r = find_origins(j, run, &origins);
	if (r != SQLITE_OK || j->error || !origins.count)
		return r;
	for (uint32_t i = 0; i < origins.count; i++)
		sql_add(&list, "%s%llu", i ? "," : "", (unsigned long long)*groups_key(&origins, i));
	struct row_run narrow = *run;
	narrow.origins = sql_text(&list);
	narrow.origin_count = origins.count;
	return narrow.origins ? read_and_keep(j, &narrow, key, state, u) : SQLITE_NOMEM;
}

/* ---- a segment ---- */

/* The longest block that begins at from_s and ends by to_s. */
static uint64_t block_end(uint64_t from_s, uint64_t to_s, uint64_t width)
{
	uint64_t n = BLOCK_BUCKETS;
	while (n > 1 && (from_s / width % n || from_s + n * width > to_s))
		n /= 2;
	return from_s + n * width;
}

int sqlite_read_blocks(struct sqlite_job *j, const struct store_segment *seg)
{
	struct row_run run = {.level = seg->level, .from_s = seg->from_s, .into = &j->reader->groups};
	struct user u = {.job = j, .row = add_sums, .into = run.into};
	uint64_t newest, width = level_seconds[seg->level];
	int r = read_newest(j->reader, seg->level, &newest);
	for (; run.from_s < seg->to_s && r == SQLITE_OK && j->error == 0; run.from_s = run.to_s) {
		uint64_t next, closed_s = run.from_s < newest ? newest : newest + width;
		r = read_next(j->reader, seg, run.from_s, &next);
		if (r != SQLITE_OK)
			break;
		if (next == run.from_s && next < seg->to_s) {
			run.to_s = block_end(run.from_s, closed_s < seg->to_s ? closed_s : seg->to_s, width);
			r = read_block(j, &run, &u);
		} else {
			run.to_s = next > run.from_s ? next : seg->to_s;
			r = sqlite_read_run(j, &run);
		}
	}
	return r;
}

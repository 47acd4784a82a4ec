/* SPDX-License-Identifier: BSD-2-Clause */

/* Answering: SQLite's own part of how stores with numbers do it (kept.h). Rows of one cube are read run by run and added up
 * here by numeric key in a hash table. SQLite has no hash aggregate: its GROUP BY sorts, at about 1 us a row; reading a row
 * and adding it up costs a fifth of that.
 *
 * Membership in a path (via) is decided here, once a path. Sums by via are made here, of sums by path of each run, so that they are
 * what is kept: there are fewer ASes than paths, and fewer paths than rows.
 *
 * Ways, sums by router and path with all measures, answer for what these tell: via, origin, neighbour, router or path, whatever the measures.
 * They are kept like the answers made of them. So of the many such questions of a page one reads the rows, of which there are
 * ten to twenty a way, and the others wait for it.
 *
 * When a row of the answer is a row of the table, it is handed out when it is read.
 *
 * Rows of certain prefixes are scattered over a bucket, because origins lead the key. So the pairs of origin and prefix
 * of each block are kept like any other question's rows; they tell of which origins the prefixes were, and with
 * those the key leads to the rows, whose sums are kept too.
 *
 * A reader that keeps a snapshot keeps its read transaction open between queries. */

#include "store/sqlite.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "route/path.h"

#define PROGRESS_OPS 20000 /* of SQLite's machine between looks at the clock: about a millisecond */
#define ROWS_MIN     32
#define WAY_LOOK_NS  (20 * NS_PER_MS) /* while another reads the same ways: time between looks at the clock */
#define WAYS_MAX     300000           /* of a block: more would not be kept */
#define ADD_ROW      "add_row" /* a function of a reader's connection */

enum path_answer { PATH_UNASKED, PATH_PASSES, PATH_FAILS };

struct sqlite_job {
	struct kept_job base;
	struct sqlite_reader *reader;
	int path_column;        /* where the path stands for via; -1: not needed */
	uint8_t *prefix_bits;   /* by id, of filters by prefix that are not negated; NULL: there is none */
	uint64_t prefix_end;    /* ids from here on are not listed */
	const char *origins;    /* a list of numbers to which rows are narrowed; NULL: not */
	uint64_t origin_count;
	uint8_t *path_answers;  /* enum path_answer by path id */
	size_t path_answer_cap;
	uint32_t *members;
	size_t member_cap;
	bool of_ways;
	struct kept_run *run; /* being read */
	int code;   /* of what was done with its rows */
	int result; /* not SQLite's, of a run: an errno, err being set, or what fn returned */
};

static struct sqlite_job *job_of(struct kept_job *j)
{
	return CONTAINER_OF(j, struct sqlite_job, base);
}

static void job_done(struct sqlite_job *j)
{
	kept_job_done(&j->base);
	free(j->prefix_bits);
	free(j->path_answers);
	free(j->members);
}

/* What a job's function returns, for SQLite's code and what was found beside it. */
static int result_of(struct sqlite_job *j, int code)
{
	if (code == SQLITE_INTERRUPT)
		return kept_too_late(j->base.err);
	return code == SQLITE_OK ? j->result : sqlite_error(j->reader->db, j->reader->path, code, "reading", j->base.err);
}

/* ---- numbers of values ---- */

static bool keep_prefix(struct sqlite_job *j, uint64_t number)
{
	if (number >= j->prefix_end) {
		uint64_t end = (number / 8 + 1) * 16;
		uint8_t *bits = realloc(j->prefix_bits, end / 8);
		if (!bits)
			return false;
		memset(bits + j->prefix_end / 8, 0, (end - j->prefix_end) / 8);
		j->prefix_bits = bits;
		j->prefix_end = end;
	}
	j->prefix_bits[number / 8] |= (uint8_t)(1 << number % 8);
	return true;
}

static int find_value(struct sqlite_job *j, const struct store_filter *f, const struct dim_value *v, uint64_t *ret)
{
	enum sqlite_dict_kind kind;
	uint8_t buf[PREFIX_BYTES_MAX];
	(void)dict_of(f->dim, &kind);
	int r = dict_find(j->reader->db, kind, kind == DICT_PREFIXES ? prefix_to_bytes(&v->prefix, buf) : v->bytes, ret);
	if (r == SQLITE_OK && !*ret)
		*ret = KEPT_NOWHERE;
	return r;
}

static int on_find(struct kept_job *base, const struct store_filter *f, uint64_t *ret)
{
	struct sqlite_job *j = job_of(base);
	int r = SQLITE_OK;
	for (size_t i = 0; i < f->value_count && r == SQLITE_OK; i++) {
		ret[i] = 0;
		if (f->values[i].known)
			r = find_value(j, f, &f->values[i], &ret[i]);
		if (r == SQLITE_OK && ret[i] != KEPT_NOWHERE && f->dim == DIM_prefix && !f->negate && !keep_prefix(j, ret[i]))
			r = SQLITE_NOMEM;
	}
	return result_of(j, r);
}

/* ---- ASes on the path ---- */

static bool member_matches(const struct store_filter *f, const uint32_t *members, size_t count)
{
	for (size_t i = 0; i < f->value_count; i++) {
		if (!f->values[i].known && !count)
			return true;
		for (size_t m = 0; m < count && f->values[i].known; m++)
			if (members[m] == f->values[i].number)
				return true;
	}
	return false;
}

/* Puts the path's members into j->members. */
static int read_members(struct sqlite_job *j, uint64_t path, size_t *ret)
{
	*ret = 0;
	if (!path)
		return SQLITE_OK;
	struct view v;
	int r = dict_values_get(&j->reader->dicts[DICT_PATHS], DICT_PATHS, path, &v);
	if (r != SQLITE_OK)
		return r;
	size_t count = path_members(v, j->members, j->member_cap);
	if (count > j->member_cap) {
		uint32_t *members = realloc(j->members, count * sizeof(*members));
		if (!members)
			return SQLITE_NOMEM;
		j->members = members;
		j->member_cap = count;
		count = path_members(v, members, count);
	}
	*ret = count;
	return SQLITE_OK;
}

static int ask_path(struct sqlite_job *j, uint64_t path, enum path_answer *ret)
{
	size_t count;
	int r = read_members(j, path, &count);
	if (r != SQLITE_OK)
		return r;
	*ret = PATH_PASSES;
	for (size_t i = 0; i < j->base.q->filter_count; i++) {
		const struct store_filter *f = &j->base.q->filters[i];
		if (f->dim == DIM_via && member_matches(f, j->members, count) == f->negate)
			*ret = PATH_FAILS;
	}
	return SQLITE_OK;
}

static int path_passes(struct sqlite_job *j, uint64_t path, bool *ret)
{
	if (path >= j->path_answer_cap) {
		size_t cap = path < 512 ? 1024 : path * 2;
		uint8_t *answers = realloc(j->path_answers, cap);
		if (!answers)
			return SQLITE_NOMEM;
		memset(answers + j->path_answer_cap, PATH_UNASKED, cap - j->path_answer_cap);
		j->path_answers = answers;
		j->path_answer_cap = cap;
	}
	enum path_answer answer = (enum path_answer)j->path_answers[path];
	if (answer == PATH_UNASKED) {
		int r = ask_path(j, path, &answer);
		if (r != SQLITE_OK)
			return r;
		j->path_answers[path] = (uint8_t)answer;
	}
	*ret = answer == PATH_PASSES;
	return SQLITE_OK;
}

/* ---- rows of the tables ---- */

/* A statement gives its rows to the function below instead of the caller: SQLite makes no row of them, and its values are read at once. */
static int prepare_run(const struct sqlite_job *job, const struct kept_run *run, sqlite3_stmt **ret)
{
	const struct kept_job *j = &job->base;
	CLEANUP(sql_done) struct sql s = {0};
	sql_add(&s, "SELECT " ADD_ROW "(ts");
	for (unsigned i = 0; i < j->column_count; i++)
		sql_add(&s, ", %s", dimension_table[j->dims[i]].name);
	for (unsigned i = 0; i < j->measure_count; i++)
		sql_add(&s, ", %s", measure_table[j->measures[i]].name);
	sql_add(&s, "%s) FROM ", job->path_column >= 0 ? ", path" : "");
	schema_table(&s, j->q->cube, run->level);
	kept_add_range(&s, run, job->origins ? job->origin_count : j->list_values);
	if (job->origins)
		sql_add(&s, " AND origin IN (%s)", job->origins);
	const char *where = sql_text(&j->where);
	if (!where)
		return SQLITE_NOMEM;
	sql_add(&s, "%s", where);
	return sqlite_prepare(job->reader->db, &s, ret);
}

/* Hands out a row. */
static void give_row(struct sqlite_job *j, const uint64_t *key, const uint64_t *sums)
{
	struct store_row row = {0};
	j->result = kept_fill_row(&j->base, key, sums, &row);
	if (j->result >= 0)
		j->result = j->base.fn(j->base.ctx, &row);
}

/* -E2BIG is the caller's. */
static int add_sums(struct sqlite_job *j, const uint64_t *key, const uint64_t *sums, struct groups *into)
{
	uint32_t row;
	int r = groups_get(into, key, &row);
	if (r < 0)
		return r;
	uint64_t *to = groups_sums(into, row);
	for (unsigned i = 0; i < j->base.measure_count; i++)
		to[i] += sums[i];
	return 0;
}

static void add_to_run(struct sqlite_job *j, const uint64_t *key, const uint64_t *sums)
{
	int r = add_sums(j, key, sums, j->run->into);
	j->result = r < 0 ? kept_no_room(&j->base, r) : 0;
}

/* Sums by path become sums of each AS on it, which stands in the place of the path, the last of the key. */
static int spread_path(struct sqlite_job *j, const uint64_t *path_key, const uint64_t *sums)
{
	uint64_t key[1 + CUBE_KEY_MAX];
	unsigned last = j->base.with_time + j->base.column_count;
	size_t count;
	memcpy(key, path_key, last * sizeof(*key));
	int r = read_members(j, path_key[last], &count);
	key[last] = 0;
	if (r == SQLITE_OK && !count)
		add_to_run(j, key, sums);
	for (size_t i = 0; i < count && r == SQLITE_OK && j->result >= 0; i++) {
		key[last] = (uint64_t)j->members[i] + 1; /* 0: a path without any; AS 0 is seen in the wild */
		add_to_run(j, key, sums);
	}
	return r;
}

static int spread_paths(struct sqlite_job *j)
{
	struct groups *g = &j->reader->by_path;
	int r = SQLITE_OK;
	for (uint32_t i = 0; i < g->count && r == SQLITE_OK && j->result >= 0; i++)
		r = spread_path(j, groups_key(g, i), groups_sums(g, i));
	groups_reset(g, g->key_words, g->sum_words);
	return r;
}

static int add_to_path(struct sqlite_job *j, const uint64_t *key, const uint64_t *sums)
{
	int r = add_sums(j, key, sums, &j->reader->by_path);
	if (r != -E2BIG)
		return r < 0 ? SQLITE_NOMEM : SQLITE_OK;
	r = spread_paths(j);
	return r == SQLITE_OK && add_sums(j, key, sums, &j->reader->by_path) < 0 ? SQLITE_NOMEM : r;
}

static uint64_t number_of(sqlite3_value *v)
{
	return (uint64_t)sqlite3_value_int64(v);
}

/* The columns of prepare_run. */
static int add_row(struct sqlite_job *j, sqlite3_value **columns)
{
	uint64_t key[1 + CUBE_KEY_MAX], sums[MEASURE_COUNT];
	unsigned n = 0, column = 1;
	bool passes = true;
	int r = j->path_column < 0 ? SQLITE_OK : path_passes(j, number_of(columns[j->path_column]), &passes);
	if (r != SQLITE_OK || !passes)
		return r;
	if (j->base.with_time) {
		uint64_t ts = number_of(columns[0]);
		key[n++] = ts - ts % j->base.q->step_s;
	}
	for (unsigned i = 0; i < j->base.column_count; i++)
		key[n++] = number_of(columns[column++]);
	for (unsigned i = 0; i < j->base.measure_count; i++)
		sums[i] = number_of(columns[column++]);
	if (j->base.dim_count > j->base.column_count) {
		key[n] = number_of(columns[j->path_column]);
		return add_to_path(j, key, sums);
	}
	(j->base.as_they_are ? give_row : add_to_run)(j, key, sums);
	return SQLITE_OK;
}

static void on_row(sqlite3_context *function, int count, sqlite3_value **columns)
{
	struct sqlite_job *j = ((struct sqlite_reader *)sqlite3_user_data(function))->job;
	(void)count;
	j->run->rows++;
	j->code = add_row(j, columns);
	if (j->code != SQLITE_OK || j->result < 0)
		sqlite3_result_error_code(function, SQLITE_ABORT);
}

static void on_end(sqlite3_context *function)
{
	(void)function;
}

int sqlite_make_add_row(struct sqlite_reader *reader)
{
	return sqlite3_create_function_v2(reader->db, ADD_ROW, -1, SQLITE_UTF8, reader, NULL, on_row, on_end, NULL);
}

static int read_run(struct sqlite_job *j, struct kept_run *run)
{
	sqlite3_stmt *stmt;
	int r = prepare_run(j, run, &stmt);
	if (r != SQLITE_OK)
		return r;
	j->run = run;
	j->code = SQLITE_OK;
	j->reader->job = j;
	groups_reset(&j->reader->by_path, j->base.with_time + j->base.dim_count, j->base.measure_count);
	groups_limit(&j->reader->by_path, KEPT_SCRATCH_BYTES);
	(void)sqlite3_step(stmt);
	r = sqlite3_finalize(stmt);
	if (j->code != SQLITE_OK || j->result < 0)
		return j->code;
	return r == SQLITE_OK ? spread_paths(j) : r;
}

/* ---- ways: sums by router and path ---- */

/* The newest bucket changes too often for all measures of it to be read by one who wants few. */
static bool is_in_ways(const struct sqlite_job *j, const struct kept_run *run)
{
	return j->of_ways && run->keep && run->to_s <= j->base.reader->newest_s && !atomic_load(&j->reader->of_store->many);
}

/* The key that the question has for a way; a path stands for vias too. */
static int key_of_way(struct sqlite_job *j, const uint64_t *way, uint64_t *ret)
{
	struct view path = {NULL, 0};
	int r = way[0] ? dict_values_get(&j->reader->dicts[DICT_PATHS], DICT_PATHS, way[0], &path) : SQLITE_OK;
	for (unsigned i = 0; i < j->base.dim_count && r == SQLITE_OK; i++) {
		enum dimension dim = j->base.dims[i];
		if (dim == DIM_origin || dim == DIM_neighbour)
			ret[i] = !way[0] ? 0 : dim == DIM_origin ? path_origin(path) : path_neighbour(path);
		else
			ret[i] = dim == DIM_router ? way[1] : way[0];
	}
	return r;
}

/* A kept_sums_fn. */
static int add_way(void *ctx, const uint64_t *way, const uint64_t *all)
{
	struct sqlite_job *j = ctx;
	uint64_t key[CUBE_KEY_MAX], sums[MEASURE_COUNT];
	j->run->rows++;
	for (unsigned i = 0; i < j->base.measure_count; i++)
		sums[i] = all[j->base.measures[i]];
	int r = key_of_way(j, way, key);
	if (r == SQLITE_OK && j->base.dim_count > j->base.column_count)
		r = spread_path(j, key, sums);
	else if (r == SQLITE_OK)
		add_to_run(j, key, sums);
	return result_of(j, r);
}

/* Who comes second for the same ways waits, and finds them. */
static int lock_ways(struct sqlite_job *j, pthread_mutex_t *lock)
{
	for (;;) {
		uint64_t look_ns = clock_mono_ns() + WAY_LOOK_NS;
		struct timespec until = {(time_t)(look_ns / NS_PER_S), (long)(look_ns % NS_PER_S)};
		if (pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until) == 0)
			return 0;
		if (deadline_past(j->base.q->deadline_ns))
			return kept_too_late(j->base.err);
	}
}

static pthread_mutex_t *lock_of_ways(struct sqlite_job *j, const struct kept_run *run)
{
	return &j->reader->of_store->locks[(run->from_s / (run->to_s - run->from_s) + run->level) % SQLITE_WAY_LOCKS];
}

/* Where there are too many, the answer may still fit: then it is read as it is asked for. */
static int read_ways(struct sqlite_job *j, struct kept_run *run)
{
	const struct kept_reader *own = j->base.reader;
	struct kept_reader *ways = &j->reader->ways;
	const struct store_query q = {.cube = CUBE_flow, .deadline_ns = j->base.q->deadline_ns};
	struct sqlite_job all = {.base = {.ops = j->base.ops, .reader = ways, .q = &q, .err = j->base.err, .dims = {DIM_path, DIM_router},
		.dim_count = 2, .column_count = 2}, .reader = j->reader, .path_column = -1};
	pthread_mutex_t *lock = lock_of_ways(j, run);
	all.base.measure_count = query_measures(&q, all.base.measures);
	int r = lock_ways(j, lock);
	if (r < 0)
		return r;
	ways->marks = own->marks;
	ways->mark_count = own->mark_count;
	j->run = run;
	run->made = true;
	r = kept_read_block(&all.base, &(struct kept_run){.level = run->level, .from_s = run->from_s, .to_s = run->to_s, .keep = true}, add_way, j);
	ways->marks = NULL;
	if (r == -E2BIG || ways->block.count > WAYS_MAX)
		atomic_store(&j->reader->of_store->many, true);
	(void)pthread_mutex_unlock(lock);
	if (r != -E2BIG)
		return r;
	run->made = false;
	j->result = 0;
	return result_of(j, read_run(j, run));
}

/* Without conditions, and by what a router and a path tell. */
static bool is_of_ways(const struct store_query *q)
{
	uint32_t told = DIM_BIT(DIM_router) | DIM_BIT(DIM_path) | DIM_BIT(DIM_via) | DIM_BIT(DIM_origin) | DIM_BIT(DIM_neighbour);
	return q->cube == CUBE_flow && !q->filter_count && q->dims && !(q->dims & ~told);
}

/* ---- reading ---- */

static int on_read(struct kept_job *base, struct kept_stretch *s)
{
	struct sqlite_job *j = job_of(base);
	int r = 0;
	while (s->at < s->count && r >= 0) {
		struct kept_run *run = &s->runs[s->at];
		r = is_in_ways(j, run) ? read_ways(j, run) : result_of(j, read_run(j, run));
		if (r >= 0)
			r = kept_next(base, s);
	}
	return r;
}

/* ---- marks ---- */

static int read_marks(struct sqlite_reader *reader, const struct store_segment *seg)
{
	sqlite3_stmt *newest = reader->newest_bucket, *marks = reader->bucket_marks;
	int r = SQLITE_OK;
	(void)sqlite3_bind_int64(newest, 1, level_seconds[seg->level]);
	if (sqlite3_step(newest) == SQLITE_ROW)
		reader->kept.newest_s = (uint64_t)sqlite3_column_int64(newest, 0);
	int end = sqlite3_reset(newest);
	(void)sqlite3_bind_int64(marks, 1, level_seconds[seg->level]);
	(void)sqlite3_bind_int64(marks, 2, sql_int64_of(seg->from_s));
	(void)sqlite3_bind_int64(marks, 3, sql_int64_of(seg->to_s));
	while (r == SQLITE_OK && end == SQLITE_OK && sqlite3_step(marks) == SQLITE_ROW) {
		struct kept_mark mark = {(uint64_t)sqlite3_column_int64(marks, 0), 1, (uint64_t)sqlite3_column_int64(marks, 1)};
		if (kept_reader_mark(&reader->kept, &mark) < 0)
			r = SQLITE_NOMEM;
	}
	if (end == SQLITE_OK)
		end = sqlite3_reset(marks);
	return end == SQLITE_OK ? r : end;
}

static int on_marks(struct kept_job *base, const struct store_segment *seg)
{
	struct sqlite_job *j = job_of(base);
	return result_of(j, read_marks(j->reader, seg));
}

int sqlite_prepare_marks(struct sqlite_reader *reader)
{
	int r = sqlite3_prepare_v3(reader->db, "SELECT max(ts) FROM bucket_change WHERE seconds = ?1", -1,
		SQLITE_PREPARE_PERSISTENT, &reader->newest_bucket, NULL);
	return r == SQLITE_OK ? sqlite3_prepare_v3(reader->db, "SELECT ts, change FROM bucket_change WHERE seconds = ?1"
		" AND ts >= ?2 AND ts < ?3 ORDER BY ts", -1, SQLITE_PREPARE_PERSISTENT, &reader->bucket_marks, NULL) : r;
}

/* ---- values ---- */

int sqlite_value_of(struct sqlite_reader *reader, enum dimension dim, uint64_t number, struct dim_value *ret)
{
	enum sqlite_dict_kind kind;
	struct view bytes;
	if (kept_plain_value(dim, number, ret))
		return SQLITE_OK;
	(void)dict_of(dim, &kind);
	int r = dict_values_get(&reader->dicts[kind], kind, number, &bytes);
	if (r != SQLITE_OK)
		return r;
	if (kind == DICT_PREFIXES)
		return prefix_from_bytes(bytes, &ret->prefix) ? SQLITE_OK : SQLITE_CORRUPT;
	ret->bytes = bytes;
	return SQLITE_OK;
}

static int on_value(struct kept_job *base, enum dimension dim, uint64_t number, struct dim_value *ret)
{
	struct sqlite_job *j = job_of(base);
	return result_of(j, sqlite_value_of(j->reader, dim, number, ret));
}

static const struct kept_ops kept_ops = {
	.find = on_find,
	.marks = on_marks,
	.read = on_read,
	.value = on_value,
	.rows_min = ROWS_MIN,
	.unindexed = "+",
};

/* ---- rows of certain prefixes ---- */

struct origins {
	struct sqlite_job *job;
	struct groups list;
};

static void origins_done(struct origins *o)
{
	groups_done(&o->list);
}

/* A pair of origin and prefix. */
static int note_origin(void *ctx, const uint64_t *key, const uint64_t *sums)
{
	struct origins *o = ctx;
	const struct sqlite_job *j = o->job;
	uint32_t at;
	bool listed = key[1] < j->prefix_end && j->prefix_bits[key[1] / 8] >> key[1] % 8 & 1;
	(void)sums;
	return listed && groups_get(&o->list, key, &at) < 0 ? kept_no_memory(&o->job->base) : 0;
}

static int find_origins(struct sqlite_job *j, const struct kept_run *run, struct origins *ret)
{
	const struct store_query q = {.cube = j->base.q->cube, .deadline_ns = j->base.q->deadline_ns};
	struct sqlite_job pairs = {.base = {.ops = &kept_ops, .reader = j->base.reader, .q = &q, .err = j->base.err,
		.dims = {DIM_origin, DIM_prefix}, .dim_count = 2, .column_count = 2}, .reader = j->reader, .path_column = -1};
	return kept_read_block(&pairs.base, run, note_origin, ret);
}

/* A kept_block_fn. */
static int read_by_origins(struct kept_job *base, const struct kept_run *run)
{
	struct sqlite_job *j = job_of(base);
	CLEANUP(origins_done) struct origins origins = {.job = j};
	CLEANUP(sql_done) struct sql list = {0};
	groups_init(&origins.list, 1, 0, INDEX_NONE - 1);
	int r = find_origins(j, run, &origins);
	if (r < 0 || !origins.list.count)
		return r;
	for (uint32_t i = 0; i < origins.list.count; i++)
		sql_add(&list, "%s%llu", i ? "," : "", (unsigned long long)*groups_key(&origins.list, i));
	if (!sql_text(&list))
		return kept_no_memory(base);
	j->origins = sql_text(&list);
	j->origin_count = origins.list.count;
	r = kept_add_block(base, run);
	j->origins = NULL;
	return r;
}

/* ---- the query ---- */

static int on_progress(void *ctx)
{
	const struct sqlite_reader *reader = ctx;
	return deadline_past(reader->deadline_ns);
}

void sqlite_set_deadline(struct sqlite_reader *reader, uint64_t deadline_ns)
{
	reader->deadline_ns = deadline_ns;
	sqlite3_progress_handler(reader->db, deadline_ns ? PROGRESS_OPS : 0, on_progress, reader);
}

/* Where an origin leads to few rows, or each row is one of the answer, there is nothing to keep. */
static bool keeps(const struct sqlite_job *j)
{
	enum dimension key[CUBE_KEY_MAX];
	(void)cube_key(j->base.q->cube, key);
	return !j->base.as_they_are && !(j->base.list_values && key[0] == DIM_origin);
}

static int read_segments(struct sqlite_job *j)
{
	const struct store_query *q = j->base.q;
	int r = 0;
	for (size_t i = 0; i < q->segment_count && !j->base.empty && r >= 0; i++) {
		const struct store_segment *seg = &q->segments[i];
		struct kept_run all = {.level = seg->level, .from_s = seg->from_s, .to_s = seg->to_s, .into = &j->base.reader->groups};
		r = keeps(j) ? kept_walk(&j->base, seg, j->prefix_bits ? read_by_origins : NULL) : result_of(j, read_run(j, &all));
	}
	return r;
}

static int run(struct sqlite_job *j)
{
	const struct store_query *q = j->base.q;
	int r = kept_plan(&j->base);
	bool by_path = j->base.dim_count > j->base.column_count;
	for (size_t i = 0; i < q->filter_count; i++)
		by_path |= q->filters[i].dim == DIM_via;
	j->of_ways = is_of_ways(q);
	j->path_column = by_path ? (int)(1 + j->base.column_count + j->base.measure_count) : -1;
	if (r >= 0 && keeps(j) && kept_sift_first(&j->base)) {
		r = read_segments(j);
		kept_sift_noted(&j->base);
	}
	if (r >= 0)
		r = read_segments(j);
	return r < 0 ? r : kept_hand_out(&j->base);
}

static void end_snapshot(struct sqlite_reader *reader)
{
	if (reader->in_snapshot && !sqlite3_get_autocommit(reader->db))
		(void)sqlite_run(reader->db, "COMMIT");
	reader->in_snapshot = false;
}

int sqlite_query(struct store_reader *base, const struct store_query *q, store_row_fn *fn, void *ctx,
	struct error *err)
{
	struct sqlite_reader *reader = CONTAINER_OF(base, struct sqlite_reader, base);
	CLEANUP(job_done) struct sqlite_job j = {.base = {.ops = &kept_ops, .reader = &reader->kept, .q = q, .fn = fn, .ctx = ctx,
		.err = err}, .reader = reader};
	int r = 0;
	sqlite_set_deadline(reader, q->deadline_ns);
	if (!reader->in_snapshot && q->segment_count) {
		r = result_of(&j, sqlite_run(reader->db, "BEGIN"));
		reader->in_snapshot = r == 0;
	}
	if (r == 0 && q->segment_count)
		r = run(&j);
	sqlite_set_deadline(reader, 0);
	if (r < 0 || !q->keep_snapshot)
		end_snapshot(reader);
	kept_reader_trim(&reader->kept);
	kept_reader_trim(&reader->ways);
	groups_trim(&reader->by_path, KEPT_SCRATCH_BYTES);
	for (int kind = 0; kind < DICT_COUNT && !reader->in_snapshot; kind++)
		dict_values_trim(&reader->dicts[kind]);
	return r < 0 ? r : 0;
}

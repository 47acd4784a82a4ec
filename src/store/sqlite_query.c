/* SPDX-License-Identifier: BSD-2-Clause */

/* Answering: rows of one cube are read per segment, added up here by numeric key in a hash table, and
 * only the sums are turned into values and handed out. SQLite has no hash aggregate: its GROUP BY
 * sorts, at about 1 us a row; reading a row and adding it up costs a fifth of that.
 *
 * What a run of buckets gave is kept for the next question (sqlite_blocks.c).
 *
 * Conditions become lists of numbers in the SQL text. When the first dimension of the key has one
 * and the buckets are few, the buckets are listed too, so that SQLite walks straight to the few rows
 * instead of passing over whole buckets. Membership in a path (via) is decided here, once a path; sums by via are made
 * here, row by row, so that they are what is kept: there are fewer ASes than paths.
 *
 * When a row of the answer is a row of the table, it is handed out when it is read.
 *
 * A reader that keeps a snapshot keeps its read transaction open between queries. */

#include "store/sqlite_query.h"

#include <errno.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "route/path.h"

#define PROGRESS_OPS  20000 /* of SQLite's machine between looks at the clock: about a millisecond */
#define SEEKS_MAX     20000 /* buckets times values: beyond, a scan is cheaper */
#define SEEK_PREFIXES_MAX 8 /* more are picked from the rows of their origins */
#define KEPT_BYTES    (16u << 20)  /* of it kept by a reader for its next one */

enum path_answer { PATH_UNASKED, PATH_PASSES, PATH_FAILS };

static void job_done(struct sqlite_job *j)
{
	sql_done(&j->where);
	free(j->prefix_bits);
	free(j->path_answers);
	free(j->members);
}

/* ---- conditions ---- */

/* The number that a value has in its column; false when nothing stored can equal it. */
static int number_of(struct sqlite_reader *reader, enum dimension dim, const struct dim_value *v, uint64_t *ret,
	bool *ret_exists)
{
	enum sqlite_dict_kind kind;
	uint8_t buf[PREFIX_BYTES_MAX];
	*ret = 0;
	*ret_exists = true;
	if (!v->known)
		return SQLITE_OK;
	if (!dict_of(dim, &kind)) {
		*ret = v->number;
		return SQLITE_OK;
	}
	struct view value = kind == DICT_PREFIXES ? prefix_to_bytes(&v->prefix, buf) : v->bytes;
	int r = dict_find(reader->db, kind, value, ret);
	*ret_exists = *ret != 0;
	return r;
}

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

static int add_condition(struct sqlite_job *j, const struct store_filter *f, bool leads_key)
{
	size_t listed = 0;
	const char *name = dimension_table[f->dim].name;
	/* Without the plus SQLite would look for each prefix under each origin of any of them. */
	bool many = f->dim == DIM_prefix && f->value_count > SEEK_PREFIXES_MAX;
	sql_add(&j->where, " AND %s%s %sIN (", many ? "+" : "", name, f->negate ? "NOT " : "");
	for (size_t i = 0; i < f->value_count; i++) {
		uint64_t number;
		bool exists;
		int r = number_of(j->reader, f->dim, &f->values[i], &number, &exists);
		if (r != SQLITE_OK)
			return r;
		if (exists)
			sql_add(&j->where, "%s%llu", listed++ ? "," : "", (unsigned long long)number);
		if (exists && f->dim == DIM_prefix && !f->negate && !keep_prefix(j, number))
			return SQLITE_NOMEM;
	}
	sql_add(&j->where, ")");
	if (!listed && !f->negate)
		j->empty = true;
	if (leads_key && !f->negate)
		j->list_values = listed;
	return SQLITE_OK;
}

/* A path's origin is known from the path: rows of certain paths are rows of certain origins, which lead the key. */
static void add_origins_of(struct sqlite_job *j, const struct store_filter *f)
{
	sql_add(&j->where, " AND origin IN (");
	for (size_t i = 0; i < f->value_count; i++)
		sql_add(&j->where, "%s%u", i ? "," : "", f->values[i].known ? path_origin(f->values[i].bytes) : 0);
	sql_add(&j->where, ")");
	j->list_values = f->value_count;
}

static int add_conditions(struct sqlite_job *j)
{
	enum dimension key[CUBE_KEY_MAX];
	(void)cube_key(j->q->cube, key);
	for (size_t i = 0; i < j->q->filter_count; i++) {
		const struct store_filter *f = &j->q->filters[i];
		if (f->dim == DIM_via)
			continue;
		int r = add_condition(j, f, f->dim == key[0]);
		if (r != SQLITE_OK)
			return r;
	}
	for (size_t i = 0; i < j->q->filter_count && key[0] == DIM_origin && !j->list_values; i++)
		if (j->q->filters[i].dim == DIM_path && !j->q->filters[i].negate)
			add_origins_of(j, &j->q->filters[i]);
	return SQLITE_OK;
}

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
	for (size_t i = 0; i < j->q->filter_count; i++) {
		const struct store_filter *f = &j->q->filters[i];
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

/* ---- reading ---- */

static void plan_columns(struct sqlite_job *j)
{
	const struct store_query *q = j->q;
	j->with_time = q->dims & DIM_BIT(DIM_time);
	bool by_via = q->dims & DIM_BIT(DIM_via), filters_via = false;
	j->dim_count = j->column_count = query_dims(q, j->dims);
	if (by_via)
		j->dims[j->dim_count++] = DIM_via;
	j->measure_count = query_measures(q, j->measures);
	j->as_they_are = j->with_time && !by_via && (q->dims & cube_dims[q->cube]) == cube_dims[q->cube];
	for (size_t i = 0; i < q->segment_count; i++)
		j->as_they_are &= q->step_s == level_seconds[q->segments[i].level];
	for (size_t i = 0; i < q->filter_count; i++)
		filters_via |= q->filters[i].dim == DIM_via;
	j->path_column = by_via || filters_via ? (int)(1 + j->column_count + j->measure_count) : -1;
}

static void add_range(struct sql *s, const struct sqlite_job *j, const struct row_run *run)
{
	uint64_t width = level_seconds[run->level], buckets = (run->to_s - run->from_s) / width;
	uint64_t listed = run->origins ? run->origin_count : j->list_values;
	if (!listed || buckets * listed > SEEKS_MAX) {
		sql_add(s, " WHERE ts >= %llu AND ts < %llu", (unsigned long long)run->from_s, (unsigned long long)run->to_s);
		return;
	}
	sql_add(s, " WHERE ts IN (");
	for (uint64_t ts = run->from_s; ts < run->to_s; ts += width)
		sql_add(s, "%s%llu", ts > run->from_s ? "," : "", (unsigned long long)ts);
	sql_add(s, ")");
}

static int prepare_run(const struct sqlite_job *j, const struct row_run *run, sqlite3_stmt **ret)
{
	CLEANUP(sql_done) struct sql s = {0};
	sql_add(&s, "SELECT ts");
	for (unsigned i = 0; i < j->column_count; i++)
		sql_add(&s, ", %s", dimension_table[j->dims[i]].name);
	for (unsigned i = 0; i < j->measure_count; i++)
		sql_add(&s, ", %s", measure_table[j->measures[i]].name);
	if (j->path_column >= 0)
		sql_add(&s, ", path");
	sql_add(&s, " FROM ");
	schema_table(&s, j->q->cube, run->level);
	add_range(&s, j, run);
	if (run->origins)
		sql_add(&s, " AND origin IN (%s)", run->origins);
	const char *where = sql_text(&j->where);
	if (!where)
		return SQLITE_NOMEM;
	sql_add(&s, "%s", where);
	return sqlite_prepare(j->reader->db, &s, ret);
}

/* ---- a row handed out ---- */

int sqlite_value_of(struct sqlite_reader *reader, enum dimension dim, uint64_t number, struct dim_value *ret)
{
	enum sqlite_dict_kind kind;
	struct view bytes;
	if (dim == DIM_via) {
		*ret = (struct dim_value){.known = number, .number = number ? number - 1 : 0};
		return SQLITE_OK;
	}
	/* "none" is a match like the others; of everything else 0 says unknown. */
	*ret = (struct dim_value){.known = number || dim == DIM_match};
	ret->number = number;
	if (!ret->known || !dict_of(dim, &kind))
		return SQLITE_OK;
	int r = dict_values_get(&reader->dicts[kind], kind, number, &bytes);
	if (r != SQLITE_OK)
		return r;
	if (kind == DICT_PREFIXES)
		return prefix_from_bytes(bytes, &ret->prefix) ? SQLITE_OK : SQLITE_CORRUPT;
	ret->bytes = bytes;
	return SQLITE_OK;
}

static int fill_row(struct sqlite_job *j, const uint64_t *key, const uint64_t *sums, struct store_row *row)
{
	if (j->with_time)
		row->values[DIM_time] = (struct dim_value){.known = true, .number = *key++};
	for (unsigned i = 0; i < j->dim_count; i++) {
		int r = sqlite_value_of(j->reader, j->dims[i], *key++, &row->values[j->dims[i]]);
		if (r != SQLITE_OK)
			return r;
	}
	for (unsigned i = 0; i < j->measure_count; i++)
		row->m.v[j->measures[i]] = sums[i];
	return SQLITE_OK;
}

/* Hands out the row on which the statement stands, its measures being in the columns from `column` on. */
static int give_row(struct sqlite_job *j, sqlite3_stmt *stmt, const uint64_t *key, int column)
{
	struct store_row row = {0};
	uint64_t sums[MEASURE_COUNT];
	for (unsigned i = 0; i < j->measure_count; i++)
		sums[i] = (uint64_t)sqlite3_column_int64(stmt, column++);
	int r = fill_row(j, key, sums, &row);
	if (r != SQLITE_OK)
		return r;
	int result = j->fn(j->ctx, &row);
	if (result < 0)
		j->error = result;
	return SQLITE_OK;
}

void sqlite_groups_failed(struct sqlite_job *j, int error)
{
	j->error = error_set(j->err, error, "the answer has more groups than memory allows: ask for a shorter range, fewer"
		" dimensions or a narrower filter");
}

/* Adds the measures of the row on which the statement stands. */
static void add_sums(struct sqlite_job *j, sqlite3_stmt *stmt, const uint64_t *key, struct groups *into)
{
	uint32_t row;
	int r = groups_get(into, key, &row);
	if (r < 0) {
		sqlite_groups_failed(j, r);
		return;
	}
	uint64_t *sums = groups_sums(into, row);
	for (unsigned i = 0; i < j->measure_count; i++)
		sums[i] += (uint64_t)sqlite3_column_int64(stmt, (int)(1 + j->column_count + i));
}

/* The same for each AS on its path, which is the last of the key. */
static int add_to_members(struct sqlite_job *j, sqlite3_stmt *stmt, uint64_t *key, unsigned last, struct groups *into)
{
	size_t count;
	int r = read_members(j, (uint64_t)sqlite3_column_int64(stmt, j->path_column), &count);
	key[last] = 0;
	if (r == SQLITE_OK && !count)
		add_sums(j, stmt, key, into);
	for (size_t i = 0; i < count && r == SQLITE_OK && j->error == 0; i++) {
		key[last] = (uint64_t)j->members[i] + 1; /* 0: a path without any; AS 0 is seen in the wild */
		add_sums(j, stmt, key, into);
	}
	return r;
}

/* Adds the row on which the statement stands. */
static int add_row(struct sqlite_job *j, sqlite3_stmt *stmt, struct groups *into)
{
	uint64_t key[1 + CUBE_KEY_MAX];
	unsigned n = 0;
	int column = 1;
	if (j->path_column >= 0) {
		bool passes;
		int r = path_passes(j, (uint64_t)sqlite3_column_int64(stmt, j->path_column), &passes);
		if (r != SQLITE_OK || !passes)
			return r;
	}
	if (j->with_time) {
		uint64_t ts = (uint64_t)sqlite3_column_int64(stmt, 0);
		key[n++] = ts - ts % j->q->step_s;
	}
	for (unsigned i = 0; i < j->column_count; i++)
		key[n++] = (uint64_t)sqlite3_column_int64(stmt, column++);
	if (j->as_they_are)
		return give_row(j, stmt, key, column);
	if (j->dim_count > j->column_count)
		return add_to_members(j, stmt, key, n, into);
	add_sums(j, stmt, key, into);
	return SQLITE_OK;
}

int sqlite_read_run(struct sqlite_job *j, struct row_run *run)
{
	sqlite3_stmt *stmt;
	int r = prepare_run(j, run, &stmt);
	if (r != SQLITE_OK)
		return r;
	while (r == SQLITE_OK && j->error == 0) {
		r = sqlite3_step(stmt);
		if (r != SQLITE_ROW)
			break;
		run->rows++;
		r = add_row(j, stmt, run->into);
	}
	int end = sqlite3_finalize(stmt);
	return r == SQLITE_DONE || r == SQLITE_ROW ? end : r;
}

/* ---- handing out ---- */

static int cmp_figures(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* What the best have most of: a sum, or one by another. */
struct figure {
	unsigned by, per; /* columns; per is by when there is no other */
};

/* As a fraction: sums above 2^53 may become equal ones, never the larger one the smaller. */
static double figure_of(const struct figure *f, const uint64_t *sums)
{
	if (f->per == f->by)
		return (double)sums[f->by];
	return sums[f->per] ? (double)sums[f->by] / (double)sums[f->per] : -1;
}

/* Below this figure there is nobody among the best: the smallest of the best so far is looked at
 * first, and they are put in order only now and then, so that many rows cost one comparison each. */
static double least_of_best(const struct groups *g, const struct figure *f, uint32_t best, double *scratch)
{
	uint32_t n = 0;
	double least = -1;
	for (uint32_t i = 0; i < g->count; i++) {
		double figure = figure_of(f, groups_sums(g, i));
		if (figure < least)
			continue;
		scratch[n++] = figure;
		if (n < 2 * best)
			continue;
		qsort(scratch, n, sizeof(*scratch), cmp_figures);
		memmove(scratch, scratch + n - best, best * sizeof(*scratch));
		n = best;
		least = scratch[0];
	}
	qsort(scratch, n, sizeof(*scratch), cmp_figures);
	return n > best ? scratch[n - best] : least;
}

static bool column_of(const struct sqlite_job *j, enum measure m, unsigned *ret)
{
	for (unsigned i = 0; i < j->measure_count; i++)
		if (j->measures[i] == m) {
			*ret = i;
			return true;
		}
	return false;
}

/* Rows with less than *ret_least of the figure are not handed out. */
static int leave_out(const struct sqlite_job *j, struct figure *ret, double *ret_least)
{
	const struct store_query *q = j->q;
	struct figure f = {0};
	*ret = f;
	*ret_least = -1;
	if (!q->best || j->reader->groups.count / 4 < q->best || !column_of(j, q->best_by, &f.by) ||
		!column_of(j, q->best_per ? *q->best_per : q->best_by, &f.per))
		return SQLITE_OK;
	CLEANUP(free_p) double *scratch = malloc(2 * (size_t)q->best * sizeof(*scratch));
	if (!scratch)
		return SQLITE_NOMEM;
	*ret_least = least_of_best(&j->reader->groups, &f, q->best, scratch);
	*ret = f;
	return SQLITE_OK;
}

static int hand_out(struct sqlite_job *j)
{
	const struct groups *g = &j->reader->groups;
	struct store_row row = {0};
	struct figure figure;
	double least;
	int r = leave_out(j, &figure, &least);
	for (uint32_t i = 0; i < g->count && j->error >= 0 && r == SQLITE_OK; i++) {
		if (i % 1024 == 0 && deadline_past(j->reader->deadline_ns))
			return SQLITE_INTERRUPT;
		if (least >= 0 && figure_of(&figure, groups_sums(g, i)) < least)
			continue;
		r = fill_row(j, groups_key(g, i), groups_sums(g, i), &row);
		if (r == SQLITE_OK)
			j->error = j->fn(j->ctx, &row);
	}
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
static int read_segment(struct sqlite_job *j, const struct store_segment *seg)
{
	enum dimension key[CUBE_KEY_MAX];
	(void)cube_key(j->q->cube, key);
	struct row_run all = {.level = seg->level, .from_s = seg->from_s, .to_s = seg->to_s, .into = &j->reader->groups};
	bool direct = j->as_they_are || (j->list_values && key[0] == DIM_origin);
	return direct ? sqlite_read_run(j, &all) : sqlite_read_blocks(j, seg);
}

static int run(struct sqlite_job *j)
{
	plan_columns(j);
	groups_reset(&j->reader->groups, j->with_time + j->dim_count, j->measure_count);
	groups_limit(&j->reader->groups, SQLITE_SUMS_BYTES);
	int r = add_conditions(j);
	for (size_t i = 0; i < j->q->segment_count && !j->empty && r == SQLITE_OK && j->error == 0; i++)
		r = read_segment(j, &j->q->segments[i]);
	if (r == SQLITE_OK && j->error == 0)
		r = hand_out(j);
	return r;
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
	CLEANUP(job_done) struct sqlite_job j = {.reader = reader, .q = q, .fn = fn, .ctx = ctx, .err = err};
	int r = SQLITE_OK;
	sqlite_set_deadline(reader, q->deadline_ns);
	if (!reader->in_snapshot && q->segment_count) {
		r = sqlite_run(reader->db, "BEGIN");
		reader->in_snapshot = r == SQLITE_OK;
	}
	if (r == SQLITE_OK && q->segment_count)
		r = run(&j);
	if (r == SQLITE_INTERRUPT)
		j.error = error_set(err, -ETIMEDOUT, "the query took too long: ask for a shorter range, fewer dimensions"
			" or a narrower filter");
	else if (r != SQLITE_OK)
		j.error = sqlite_error(reader->db, reader->path, r, "reading", err);
	sqlite_set_deadline(reader, 0);
	if (j.error < 0 || !q->keep_snapshot)
		end_snapshot(reader);
	groups_trim(&reader->groups, KEPT_BYTES);
	groups_trim(&reader->block, KEPT_BYTES);
	for (int kind = 0; kind < DICT_COUNT && !reader->in_snapshot; kind++)
		dict_values_trim(&reader->dicts[kind]);
	return j.error < 0 ? j.error : 0;
}

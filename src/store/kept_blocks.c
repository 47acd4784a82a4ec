/* SPDX-License-Identifier: BSD-2-Clause */

/* Sums of closed buckets, kept for the next time. Dashboards ask the same questions again and again, over ranges that
 * are nearly all past: a segment is cut into blocks, and what a question found in a block is kept in memory
 * (kept_cache.c), so that next time only what is new is read from the tables.
 *
 * Blocks are runs of 1, 2, 4, 8 or 16 buckets that begin at a multiple of their length. So a range that moves on by an hour
 * shares nearly all its blocks with the one before, and any range has few. The newest bucket of a level, which most
 * batches change, is a block of its own; what comes after it is always read from the tables.
 *
 * Exact, always. Each transaction that changes the sums of a bucket (a batch, late rows among it, or retention) changes its
 * mark in the table bucket_change. SQLite has a row for each bucket, and writes into it the number of the transaction, greater
 * than any before; PostgreSQL, where several write at once, adds a row each time (postgres_marks.c). What is kept is kept
 * with the state of its buckets: how often they were changed, the greatest mark, their sum. The state is read in the
 * snapshot in which the rows are, and another state is another answer. The key of what is kept is the whole question:
 * table, block, dimensions, measures, conditions. A block begins with a marked bucket; one without a mark is
 * empty, unless a hand was at work, and before the first marked one it is read from the tables.
 *
 * Kept are rows of varints (seven bits a byte, the lowest first): most sums are small. 24 hours of 50,000 prefixes
 * by one measure take some 5 MB and are added up in 20 ms; reading them takes 0.7 s. */

#include "store/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"

/* ---- a reader ---- */

void kept_reader_init(struct kept_reader *r, struct kept_cache *cache)
{
	*r = (struct kept_reader){.cache = cache};
	groups_init(&r->groups, 0, 0, INDEX_NONE - 1);
	groups_init(&r->block, 0, 0, INDEX_NONE - 1);
}

void kept_reader_done(struct kept_reader *r)
{
	groups_done(&r->groups);
	groups_done(&r->block);
	free(r->marks);
	*r = (struct kept_reader){0};
}

void kept_reader_trim(struct kept_reader *r)
{
	groups_trim(&r->groups, KEPT_SCRATCH_BYTES);
	groups_trim(&r->block, KEPT_SCRATCH_BYTES);
}

/* ---- marks ---- */

int kept_reader_mark(struct kept_reader *r, const struct kept_mark *mark)
{
	if (r->mark_count == r->mark_cap) {
		size_t cap = r->mark_cap ? r->mark_cap * 2 : 64;
		struct kept_mark *marks = realloc(r->marks, cap * sizeof(*marks));
		if (!marks)
			return -ENOMEM;
		r->marks = marks;
		r->mark_cap = cap;
	}
	r->marks[r->mark_count++] = *mark;
	return 0;
}

/* The first one at ts or later. */
static size_t find_mark(const struct kept_reader *r, uint64_t ts)
{
	size_t from = 0, to = r->mark_count;
	while (from < to) {
		size_t middle = (from + to) / 2;
		if (r->marks[middle].ts < ts)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static struct kept_state state_of(const struct kept_reader *r, const struct kept_run *run)
{
	struct kept_state state = {0};
	for (size_t i = find_mark(r, run->from_s); i < r->mark_count && r->marks[i].ts < run->to_s; i++) {
		const struct kept_mark *m = &r->marks[i];
		state.changes += m->changes;
		state.sum += m->number;
		state.greatest = m->number > state.greatest ? m->number : state.greatest;
	}
	return state;
}

/* ---- what is kept ---- */

static void add_key(struct sql *key, const struct kept_job *j, const struct kept_run *run)
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

static struct view view_of(const struct sql *key)
{
	return (struct view){(const uint8_t *)key->text, key->len};
}

static void keep(const struct kept_job *j, const struct kept_run *run, const struct groups *g)
{
	CLEANUP(sql_done) struct sql key = {0};
	struct writing w = {0};
	struct kept_state state = state_of(j->reader, run);
	CLEANUP(free_p) uint32_t *rows = malloc(((size_t)g->count + 1) * sizeof(*rows));
	add_key(&key, j, run);
	bool ok = rows && sql_text(&key);
	if (ok)
		groups_order(g, rows);
	for (uint32_t i = 0; i < g->count && ok; i++)
		ok = put_row(&w, groups_key(g, rows[i]), g->key_words + g->sum_words);
	if (ok)
		kept_cache_give(j->reader->cache, view_of(&key), &state, &(struct kept_sums){{w.data, w.len}, g->count, run->made});
	free(w.data);
}

/* ---- a block ---- */

static const uint8_t *get_words(const uint8_t *p, uint64_t *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t v = *p & 0x7f;
		for (unsigned shift = 7; *p++ & 0x80; shift += 7)
			v |= (uint64_t)(*p & 0x7f) << shift;
		words[i] = v;
	}
	return p;
}

/* Eight bytes at once hold as many words as bytes without the highest bit. */
static const uint8_t *skip_words(const uint8_t *p, const uint8_t *end, unsigned count)
{
	for (uint64_t eight; count >= sizeof(eight) && (size_t)(end - p) >= sizeof(eight); p += sizeof(eight)) {
		memcpy(&eight, p, sizeof(eight));
		count -= (unsigned)((~eight >> 7 & UINT64_C(0x0101010101010101)) * UINT64_C(0x0101010101010101) >> 56);
	}
	while (count)
		count -= !(*p++ & 0x80);
	return p;
}

static int use_kept(struct kept_job *j, const struct kept_sums *e, kept_sums_fn *fn, void *ctx)
{
	uint64_t words[1 + CUBE_KEY_MAX + MEASURE_COUNT];
	unsigned key_words = j->with_time + j->dim_count;
	const uint8_t *p = e->data.data, *end = p + e->data.len;
	int r = 0;
	for (uint64_t row = 0; row < e->rows && r >= 0; row++) {
		p = get_words(p, words, key_words);
		if (!kept_wants(j, words)) {
			p = skip_words(p, end, j->measure_count);
			continue;
		}
		p = get_words(p, words + key_words, j->measure_count);
		r = fn(ctx, words, words + key_words);
	}
	return r;
}

/* 1: it was kept, and given to fn. */
static int take_block(struct kept_job *j, const struct kept_run *run, kept_sums_fn *fn, void *ctx)
{
	CLEANUP(sql_done) struct sql key = {0};
	struct kept_state state = state_of(j->reader, run);
	if (deadline_past(j->q->deadline_ns))
		return kept_too_late(j->err);
	add_key(&key, j, run);
	if (!sql_text(&key))
		return kept_no_memory(j);
	const struct kept_sums *e = kept_cache_take(j->reader->cache, view_of(&key), &state);
	if (!e)
		return 0;
	int r = use_kept(j, e, fn, ctx);
	kept_cache_release(j->reader->cache, e);
	return r < 0 ? r : 1;
}

static void empty_block(struct kept_job *j)
{
	groups_reset(&j->reader->block, j->with_time + j->dim_count, j->measure_count);
	groups_limit(&j->reader->block, KEPT_SUMS_BYTES);
}

int kept_next(struct kept_job *j, struct kept_stretch *s)
{
	const struct groups *g = &j->reader->block;
	const struct kept_run *run = &s->runs[s->at++];
	int r = 0;
	if (run->keep && run->rows >= j->ops->rows_min)
		keep(j, run, g);
	for (uint32_t i = 0; i < g->count && r >= 0; i++)
		if (kept_wants(j, groups_key(g, i)))
			r = s->fn(s->ctx, groups_key(g, i), groups_sums(g, i));
	empty_block(j);
	return r < 0 ? r : 0;
}

static int read_stretch(struct kept_job *j, struct kept_stretch *s)
{
	int r = 0;
	empty_block(j);
	s->at = 0;
	if (s->count)
		r = j->ops->read(j, s);
	s->count = 0;
	return r < 0 ? r : 0;
}

/* What is read at once is kept all or not at all when the question is given up, so it is not too much. */
static const uint64_t stretch_buckets[LEVEL_COUNT] = {[LEVEL_minute] = 1024, [LEVEL_hour] = KEPT_BLOCK_BUCKETS, [LEVEL_day] = KEPT_BLOCK_BUCKETS};

static bool goes_with(const struct kept_stretch *s, const struct kept_run *run)
{
	uint64_t buckets = (run->to_s - s->runs[0].from_s) / level_seconds[run->level];
	return s->count < KEPT_RUNS_MAX && s->runs[s->count - 1].to_s == run->from_s && buckets <= stretch_buckets[run->level];
}

/* Reads what is there before when the run does not go with it. */
static int add_to_stretch(struct kept_job *j, struct kept_stretch *s, const struct kept_run *run)
{
	int r = s->count && !goes_with(s, run) ? read_stretch(j, s) : 0;
	s->runs[s->count] = *run;
	s->runs[s->count++].into = &j->reader->block;
	return r;
}

int kept_read_block(struct kept_job *j, const struct kept_run *run, kept_sums_fn *fn, void *ctx)
{
	int r = take_block(j, run, fn, ctx);
	if (r)
		return r < 0 ? r : 0;
	struct kept_stretch s = {.fn = fn, .ctx = ctx};
	r = add_to_stretch(j, &s, run);
	return r < 0 ? r : read_stretch(j, &s);
}

struct adding {
	struct kept_job *job;
	struct groups *into;
};

static int add_sums(void *ctx, const uint64_t *key, const uint64_t *sums)
{
	const struct adding *a = ctx;
	uint64_t counted[1 + CUBE_KEY_MAX];
	uint32_t at;
	if (a->job->counted_time) {
		memcpy(counted, key, a->into->key_words * sizeof(*key));
		counted[0] = (key[0] - a->job->first_s) / a->job->q->step_s;
		key = counted;
	}
	int r = groups_get(a->into, key, &at);
	if (r < 0)
		return kept_no_room(a->job, r);
	uint64_t *to = groups_sums(a->into, at);
	for (unsigned i = 0; i < a->into->sum_words; i++)
		to[i] += sums[i];
	return 0;
}

int kept_add_block(struct kept_job *j, const struct kept_run *run)
{
	struct adding adding = {j, &j->reader->groups};
	struct kept_stretch s = {.fn = add_sums, .ctx = &adding};
	int r = add_to_stretch(j, &s, run);
	return r < 0 ? r : read_stretch(j, &s);
}

/* ---- a segment ---- */

/* The longest block that begins at from_s and ends by to_s. */
static uint64_t block_end(uint64_t from_s, uint64_t to_s, uint64_t width)
{
	uint64_t n = KEPT_BLOCK_BUCKETS;
	while (n > 1 && (from_s / width % n || from_s + n * width > to_s))
		n /= 2;
	return from_s + n * width;
}

/* The start of the first marked bucket from ts on, or the segment's end. */
static uint64_t next_marked(const struct kept_reader *r, const struct store_segment *seg, uint64_t ts)
{
	size_t at = find_mark(r, ts);
	return at < r->mark_count && r->marks[at].ts < seg->to_s ? r->marks[at].ts : seg->to_s;
}

/* A piece of the segment that begins at from_s: buckets without marks, or a block. */
static struct kept_run cut(const struct kept_reader *r, const struct store_segment *seg, uint64_t from_s)
{
	uint64_t width = level_seconds[seg->level], marked = next_marked(r, seg, from_s);
	uint64_t closed_s = from_s < r->newest_s ? r->newest_s : r->newest_s + width;
	struct kept_run run = {.level = seg->level, .from_s = from_s, .to_s = marked, .keep = marked == from_s};
	if (run.keep)
		run.to_s = block_end(from_s, closed_s < seg->to_s ? closed_s : seg->to_s, width);
	return run;
}

int kept_walk(struct kept_job *j, const struct store_segment *seg, kept_block_fn *fn)
{
	struct adding adding = {j, &j->reader->groups};
	struct kept_stretch missing = {.fn = add_sums, .ctx = &adding};
	j->reader->mark_count = 0;
	j->counted_time = j->with_time;
	int r = j->ops->marks(j, seg);
	for (uint64_t from_s = seg->from_s; from_s < seg->to_s && r >= 0;) {
		struct kept_run run = cut(j->reader, seg, from_s);
		r = run.keep ? take_block(j, &run, add_sums, &adding) : 0;
		if (r == 0)
			r = run.keep && fn ? fn(j, &run) : add_to_stretch(j, &missing, &run);
		from_s = run.to_s;
	}
	return r < 0 ? r : read_stretch(j, &missing);
}

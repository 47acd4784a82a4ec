/* SPDX-License-Identifier: BSD-2-Clause */

/* Running a question: rows of sums come from the store, are added up by the dimensions asked for,
 * ranked, and cut to the limit.
 *
 * Two ways. *In one go*: every measure of every row is read and added up; the total is the sum of all
 * rows read. *In two*, when only the first few are wanted and a smaller cube knows the total: first
 * the sorting measure alone is read to find the winners, then everything of the winners, then the
 * total. Reading one column of thirty is several times faster. It takes a store whose reader sees
 * the same rows three times (snapshots), or sums would not agree; one that adds up what it leaves out (others) is asked in one
 * go. Winners by an AS on the path would be nearly
 * all rows again, so with via there is one go. A store that can is asked for sums by via, of which it may leave out those
 * that do not win, and then for the total; of others rows are by path, and added to each AS on it here.
 *
 * Or the groups are given: rows of others are passed over, and there is no total.
 *
 * Else other = total - rows, so rows + other = total holds by construction; what the tests hold
 * down is that total is right. With via a flow counts in the row of each AS on its path, once however
 * often the AS is prepended, and in that of the unknown when its path has none; rows overlap then
 * and there is no other. */

#include <errno.h>
#include <stdlib.h>

#include "query/filter.h"
#include "query/plan.h"
#include "query/rank.h"
#include "route/path.h"

#define MEMORY_BYTES      (256u << 20) /* of sums in one answer */
#define TWO_WAYS_LIMIT    1000         /* above so many rows one go is as fast */
#define FEW_MEASURES      3            /* so many more of all groups cost less than finding the winners' rows again */
#define NARROW_GROUPS_MAX 2000         /* more groups than this are picked out of all here, not by the store */
#define NARROW_TEXTS_MAX  200          /* values of a dimension that are sent one by one, as names and paths are; stores bound these */
#define FILTERS_MAX       (QUERY_FILTERS_MAX + QUERY_DIMS_MAX)

struct job {
	const struct query *q;
	struct plan plan;
	struct store_reader *reader;
	struct error *err;
	struct value_set sets[QUERY_DIMS_MAX];
	struct groups groups;
	uint8_t measures[MEASURE_COUNT]; /* columns of groups */
	unsigned measure_count;
	int via_at;      /* its place in by; -1 */
	bool store_via;  /* the store's rows are by via; else they are by path, and each counts for all that are on it */
	bool add_new;    /* rows of a new key make a group; else they are passed over */
	int time_at;     /* the time's place in by; -1 */
	struct groups wanted; /* of a question with groups given: their keys without the time, in its order */
	struct measures total;
	uint32_t *members;
	size_t member_cap;
	struct store_filter filters[FILTERS_MAX];
	size_t filter_count;
	const struct dim_value *vias; /* as in struct store_query */
	size_t via_count;
};

static void job_done(struct job *j)
{
	for (size_t i = 0; i < QUERY_DIMS_MAX; i++)
		value_set_done(&j->sets[i]);
	groups_done(&j->groups);
	groups_done(&j->wanted);
	free(j->members);
}

static int out_of_memory(struct job *j)
{
	return error_set(j->err, -ENOMEM, "out of memory");
}

static int too_large(struct job *j)
{
	return error_set(j->err, -E2BIG, "the answer has more than %u groups: ask for a shorter range, fewer"
		" dimensions or a narrower filter", j->groups.max);
}

/* ---- rows in ---- */

/* The key without the time: how many words it has then. */
static unsigned without_time(const struct job *j, const uint64_t *key, uint64_t *ret)
{
	unsigned n = 0;
	for (size_t i = 0; i < j->q->by_count; i++)
		if ((int)i != j->time_at)
			ret[n++] = key[i];
	return n;
}

/* The place of a row's group among those that were given; INDEX_NONE. */
static uint32_t wanted_at(const struct job *j, const uint64_t *key)
{
	uint64_t rest[QUERY_DIMS_MAX];
	(void)without_time(j, key, rest);
	return groups_find(&j->wanted, rest);
}

static int add_to_group(struct job *j, const uint64_t *key, const struct measures *m)
{
	if (j->q->only && wanted_at(j, key) == INDEX_NONE)
		return 0;
	uint32_t at = INDEX_NONE;
	int r = j->add_new ? groups_get(&j->groups, key, &at) : 0;
	if (r < 0)
		return r == -E2BIG ? too_large(j) : out_of_memory(j);
	if (!j->add_new)
		at = groups_find(&j->groups, key);
	if (at == INDEX_NONE)
		return 0;
	uint64_t *sums = groups_sums(&j->groups, at);
	for (unsigned i = 0; i < j->measure_count; i++)
		sums[i] += m->v[j->measures[i]];
	return 0;
}

static int read_members(struct job *j, const struct dim_value *path, size_t *ret)
{
	size_t count = path->known ? path_members(path->bytes, j->members, j->member_cap) : 0;
	if (count > j->member_cap) {
		uint32_t *members = realloc(j->members, count * sizeof(*members));
		if (!members)
			return out_of_memory(j);
		j->members = members;
		j->member_cap = count;
		count = path_members(path->bytes, members, count);
	}
	*ret = count;
	return 0;
}

/* One row of the store counts for each AS on its path. */
static int add_members(struct job *j, uint64_t *key, const struct store_row *row)
{
	size_t count;
	int r = read_members(j, &row->values[DIM_path], &count);
	if (r == 0 && !count) {
		key[j->via_at] = 0;
		return add_to_group(j, key, &row->m);
	}
	for (size_t i = 0; i < count && r == 0; i++) {
		struct dim_value as = {.known = true, .number = j->members[i]};
		r = value_set_code(&j->sets[j->via_at], &as, &key[j->via_at]);
		if (r == 0)
			r = add_to_group(j, key, &row->m);
	}
	return r;
}

static int on_row(void *ctx, const struct store_row *row)
{
	struct job *j = ctx;
	uint64_t key[QUERY_DIMS_MAX] = {0};
	measures_add(&j->total, &row->m);
	if (row->others)
		return 0;
	for (size_t i = 0; i < j->q->by_count; i++) {
		if ((int)i == j->via_at && !j->store_via)
			continue;
		int r = value_set_code(&j->sets[i], &row->values[j->q->by[i]], &key[i]);
		if (r < 0)
			return out_of_memory(j);
	}
	return j->via_at >= 0 && !j->store_via ? add_members(j, key, row) : add_to_group(j, key, &row->m);
}

static int on_total(void *ctx, const struct store_row *row)
{
	struct job *j = ctx;
	measures_add(&j->total, &row->m);
	return 0;
}

/* ---- asking the store ---- */

static uint32_t dims_mask(const struct job *j)
{
	uint32_t dims = 0;
	for (size_t i = 0; i < j->q->by_count; i++)
		dims |= DIM_BIT((int)i == j->via_at && !j->store_via ? DIM_path : j->q->by[i]);
	return dims;
}

/* How many rows the store may take for all: those that are among the first by what its rows have. */
static void set_best(const struct job *j, struct store_query *sq)
{
	static const enum measure per_sent = MEASURE_packets_sent;
	int sort = j->q->sort;
	if (j->q->ascending || !j->q->limit || (sort >= MEASURE_COUNT && sort != QUERY_SORT_RETRANSMIT_RATE))
		return;
	sq->best = j->q->limit;
	sq->best_by = sort < MEASURE_COUNT ? (enum measure)sort : MEASURE_packets_retransmitted;
	sq->best_per = sort < MEASURE_COUNT ? NULL : &per_sent;
}

/* Whether the store may leave out groups that share nothing with another: of a store with snapshots the total is asked for after it. */
static bool leaves_alone(const struct job *j)
{
	return j->q->shared && j->q->by_count > 1 && j->reader->ops->snapshots;
}

static int ask_best(struct job *j, enum store_cube cube, uint32_t dims, uint64_t measures, bool best, bool keep_snapshot,
	store_row_fn *fn)
{
	struct store_query sq = {
		.cube = cube,
		.segment_count = j->plan.segment_count,
		.dims = dims,
		.step_s = j->plan.step_s,
		.filters = j->filters,
		.filter_count = j->filter_count,
		.measures = measures,
		.vias = j->vias,
		.via_count = dims & DIM_BIT(DIM_via) ? j->via_count : 0,
		.keep_snapshot = keep_snapshot,
		.deadline_ns = j->q->deadline_ns,
	};
	memcpy(sq.segments, j->plan.segments, sizeof(sq.segments));
	if (best)
		set_best(j, &sq);
	if (dims && leaves_alone(j))
		sq.shared = j->q->by[0];
	return j->reader->ops->query(j->reader, &sq, fn, j, j->err);
}

static int ask(struct job *j, enum store_cube cube, uint32_t dims, uint64_t measures, bool keep_snapshot, store_row_fn *fn)
{
	return ask_best(j, cube, dims, measures, false, keep_snapshot, fn);
}

static int on_nothing(void *ctx, const struct store_row *row)
{
	return 0;
}

static void set_measures(struct job *j, uint64_t mask)
{
	j->measure_count = 0;
	for (unsigned m = 0; m < MEASURE_COUNT; m++)
		if (mask & MEASURE_BIT(m))
			j->measures[j->measure_count++] = (uint8_t)m;
	groups_reset(&j->groups, (unsigned)j->q->by_count, j->measure_count);
	groups_limit(&j->groups, MEMORY_BYTES);
}

#define ALL_MEASURES (MEASURE_BIT(MEASURE_COUNT) - 1)

/* What the answer has. */
static uint64_t answer_measures(const struct query *q)
{
	return q->measures ? q->measures & ALL_MEASURES : ALL_MEASURES;
}

/* What has to be read for it: also what it is sorted by. */
static uint64_t read_measures(const struct query *q)
{
	return answer_measures(q) | (q->only ? 0 : rank_measures(q->sort));
}

static uint32_t limit_of(const struct query *q)
{
	return q->limit ? q->limit : QUERY_LIMIT_MAX;
}

static struct query_groups groups_of(const struct job *j)
{
	return (struct query_groups){&j->groups, j->sets, j->measures, j->measure_count};
}

static int rank(struct job *j, uint32_t **ret, uint32_t *ret_count)
{
	struct ranking ranking = {groups_of(j), j->q->sort, j->q->ascending};
	return rank_top(&ranking, limit_of(j->q), ret, ret_count) < 0 ? out_of_memory(j) : 0;
}

/* ---- in one go ---- */

/* The total of rows that overlap, or of which not all came. */
static int ask_total(struct job *j, uint64_t measures)
{
	j->total = (struct measures){0};
	return ask(j, j->plan.total_cube, 0, measures, j->q->keep_snapshot, on_total);
}

static int show_all(struct job *j)
{
	struct query_groups all = groups_of(j);
	int r = j->q->all(j->q->all_ctx, &all);
	return r == -ENOMEM ? out_of_memory(j) : r;
}

/* best: rows that do not win need not come. */
static int run_at_once(struct job *j, bool best, uint32_t **ret, uint32_t *ret_count)
{
	bool total = (best && !j->reader->ops->others) || j->store_via || leaves_alone(j);
	set_measures(j, read_measures(j->q));
	j->add_new = true;
	int r = ask_best(j, j->plan.cube, dims_mask(j), read_measures(j->q), best, total || j->q->keep_snapshot, on_row);
	if (r == 0 && total)
		r = ask_total(j, read_measures(j->q));
	if (r == 0 && j->q->all)
		r = show_all(j);
	return r < 0 ? r : rank(j, ret, ret_count);
}

/* ---- in two ---- */

/* Leaves only the winners in groups, in their order and without sums yet. */
static int keep_winners(struct job *j, const uint32_t *rows, uint32_t count)
{
	size_t words = j->q->by_count;
	CLEANUP(free_p) uint64_t *keys = malloc((count * words + 1) * sizeof(*keys));
	if (!keys)
		return out_of_memory(j);
	for (uint32_t i = 0; i < count; i++)
		memcpy(keys + i * words, groups_key(&j->groups, rows[i]), words * sizeof(*keys));
	set_measures(j, answer_measures(j->q));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at;
		if (groups_get(&j->groups, keys + i * words, &at) < 0)
			return out_of_memory(j);
	}
	return 0;
}

/* The values that the groups have in one word of their keys, each once. */
static size_t group_values(const struct groups *g, unsigned word, const struct value_set *set, struct dim_value *values)
{
	size_t count = 0;
	for (uint32_t i = 0; i < g->count; i++) {
		uint64_t code = groups_key((struct groups *)g, i)[word];
		bool seen = false;
		for (uint32_t k = 0; k < i && !seen; k++)
			seen = groups_key((struct groups *)g, k)[word] == code;
		if (!seen)
			values[count++] = value_set_value(set, code);
	}
	return count;
}

/* One more condition, when it is worth it. */
static void narrow(struct job *j, enum dimension dim, const struct dim_value *values, size_t count)
{
	enum dimension_kind kind = dimension_table[dim].kind;
	if ((kind == KIND_TEXT || kind == KIND_PATH) && count > NARROW_TEXTS_MAX)
		return;
	j->filters[j->filter_count++] = (struct store_filter){.dim = dim, .values = values, .value_count = count};
}

/* Narrows the store's work to rows that can be one of these groups'. Their keys have no time. That saves time and changes no answer:
 * rows of other groups are passed over as they come. Of vias that are given the store is told without a condition: what it keeps is
 * then of all, and there when others are asked for. */
static int ask_for_groups(struct job *j, const struct groups *g, bool keep_snapshot)
{
	size_t per = (size_t)g->count + 1, filters = j->filter_count;
	CLEANUP(free_p) struct dim_value *values = malloc(per * QUERY_DIMS_MAX * sizeof(*values));
	unsigned word = 0;
	if (!values)
		return out_of_memory(j);
	for (size_t i = 0; i < j->q->by_count && g->count <= NARROW_GROUPS_MAX; i++) {
		if ((int)i == j->time_at)
			continue;
		size_t count = group_values(g, word++, &j->sets[i], values + i * per);
		if (!j->q->only || (int)i != j->via_at || !j->store_via) {
			narrow(j, j->q->by[i], values + i * per, count);
			continue;
		}
		j->vias = values + i * per;
		j->via_count = count;
	}
	int r = ask(j, j->plan.cube, dims_mask(j), answer_measures(j->q), keep_snapshot, on_row);
	j->filter_count = filters;
	j->via_count = 0;
	return r;
}

static int run_in_two(struct job *j, uint32_t **ret, uint32_t *ret_count)
{
	set_measures(j, rank_measures(j->q->sort));
	j->add_new = true;
	int r = ask_best(j, j->plan.cube, dims_mask(j), rank_measures(j->q->sort), true, true, on_row);
	if (r < 0)
		return r;
	bool all_win = j->groups.count < j->q->limit;
	r = rank(j, ret, ret_count);
	if (r == 0)
		r = keep_winners(j, *ret, *ret_count);
	for (uint32_t i = 0; i < *ret_count; i++)
		(*ret)[i] = i;
	j->add_new = false;
	if (r == 0 && all_win) /* nothing to narrow it by */
		r = ask(j, j->plan.cube, dims_mask(j), answer_measures(j->q), true, on_row);
	else if (r == 0)
		r = ask_for_groups(j, &j->groups, true);
	if (r < 0) {
		query_end_snapshot(j->reader);
		return r;
	}
	return ask_total(j, answer_measures(j->q));
}

/* ---- for groups that are given ---- */

static int want_groups(struct job *j)
{
	const struct query *q = j->q;
	unsigned words = (unsigned)q->by_count - (j->time_at >= 0);
	groups_reset(&j->wanted, words, 0);
	groups_limit(&j->wanted, MEMORY_BYTES);
	for (size_t i = 0; i < q->only_count; i++) {
		uint64_t key[QUERY_DIMS_MAX];
		unsigned word = 0;
		uint32_t at;
		for (size_t k = 0; k < q->by_count; k++)
			if ((int)k != j->time_at) {
				int r = value_set_code(&j->sets[k], &q->only[i].values[word], &key[word]);
				word += r == 0;
				if (r < 0)
					return out_of_memory(j);
			}
		if (groups_get(&j->wanted, key, &at) < 0 || (j->time_at < 0 && groups_get(&j->groups, key, &at) < 0))
			return out_of_memory(j);
	}
	return 0;
}

/* A row of the answer: its time, its place among those of one time, and where its sums are. */
struct placed {
	uint64_t time;
	uint32_t place, row;
};

static int cmp_placed(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->place < y->place ? -1 : 1;
}

/* The rows in the order of the groups that were given, or of time and then of these. */
static int place_groups(struct job *j, uint32_t **ret, uint32_t *ret_count)
{
	uint32_t n = j->groups.count;
	CLEANUP(free_p) struct placed *placed = malloc(((size_t)n + 1) * sizeof(*placed));
	uint32_t *rows = malloc(((size_t)n + 1) * sizeof(*rows));
	*ret = rows;
	if (!placed || !rows)
		return out_of_memory(j);
	for (uint32_t i = 0; i < n; i++) {
		const uint64_t *key = groups_key(&j->groups, i);
		placed[i] = (struct placed){j->time_at >= 0 ? key[j->time_at] : 0, wanted_at(j, key), i};
	}
	qsort(placed, n, sizeof(*placed), cmp_placed);
	for (uint32_t i = 0; i < n; i++)
		rows[i] = placed[i].row;
	*ret_count = n;
	return 0;
}

static int run_given(struct job *j, uint32_t **ret, uint32_t *ret_count)
{
	set_measures(j, answer_measures(j->q));
	j->add_new = true;
	int r = want_groups(j);
	if (r == 0)
		r = ask_for_groups(j, &j->wanted, j->q->keep_snapshot);
	if (r == 0 && j->groups.count > QUERY_LIMIT_MAX)
		r = error_set(j->err, -E2BIG, "the answer has more than %d rows: take wider buckets, a shorter range or fewer"
			" groups", QUERY_LIMIT_MAX);
	return r < 0 ? r : place_groups(j, ret, ret_count);
}

/* ---- the answer ---- */

static int fill_row(struct job *j, uint32_t at, struct arena *arena, struct query_row *ret)
{
	struct dim_value *values = arena_alloc(arena, (j->q->by_count + 1) * sizeof(*values));
	if (!values)
		return -ENOMEM;
	const uint64_t *key = groups_key(&j->groups, at);
	for (size_t i = 0; i < j->q->by_count; i++) {
		struct dim_value v = value_set_value(&j->sets[i], key[i]);
		if (value_keep(arena, dimension_table[j->q->by[i]].kind, &v, &values[i]) < 0)
			return -ENOMEM;
	}
	struct query_groups all = groups_of(j);
	*ret = (struct query_row){values, query_groups_measures(&all, at)};
	return 0;
}

/* Rows of a series stand in the order of time, those of one time as they were ranked. */
static int order_by_time(const struct job *j, uint32_t *rows, uint32_t count)
{
	CLEANUP(free_p) struct placed *placed = malloc(((size_t)count + 1) * sizeof(*placed));
	if (!placed)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		placed[i] = (struct placed){groups_key(&j->groups, rows[i])[j->time_at], i, rows[i]};
	qsort(placed, count, sizeof(*placed), cmp_placed);
	for (uint32_t i = 0; i < count; i++)
		rows[i] = placed[i].row;
	return 0;
}

static struct measures only_measures(const struct measures *m, uint64_t mask)
{
	struct measures some = {0};
	for (unsigned i = 0; i < MEASURE_COUNT; i++)
		if (mask & MEASURE_BIT(i))
			some.v[i] = m->v[i];
	return some;
}

static int fill_answer(struct job *j, uint32_t *rows, uint32_t count, struct query_result *ret)
{
	struct query_result res = {
		.from_s = j->plan.from_s,
		.to_s = j->plan.to_s,
		.step_s = j->plan.step_s,
		.has_other = j->via_at < 0 && !j->q->only,
	};
	if (!j->q->only)
		res.other = res.total = only_measures(&j->total, read_measures(j->q));
	arena_init(&res.arena);
	int r = j->plan.step_s && !j->q->only ? order_by_time(j, rows, count) : 0;
	res.rows = arena_alloc(&res.arena, ((size_t)count + 1) * sizeof(*res.rows));
	if (!res.rows)
		r = -ENOMEM;
	for (uint32_t i = 0; i < count && r == 0; i++) {
		r = fill_row(j, rows[i], &res.arena, &res.rows[i]);
		if (r == 0 && res.has_other)
			measures_sub(&res.other, &res.rows[i].m);
	}
	if (r < 0) {
		arena_done(&res.arena);
		return out_of_memory(j);
	}
	if (!res.has_other)
		res.other = (struct measures){0};
	res.row_count = count;
	*ret = res;
	return 0;
}

static int check(const struct query *q, struct error *err)
{
	if (q->by_count > QUERY_DIMS_MAX)
		return error_set(err, -EINVAL, "more than %d dimensions", QUERY_DIMS_MAX);
	for (size_t i = 0; i < q->by_count; i++)
		for (size_t k = 0; k < i; k++)
			if (q->by[i] == q->by[k])
				return error_set(err, -EINVAL, "dimension %s stands twice", dimension_table[q->by[i]].name);
	if (q->limit > QUERY_LIMIT_MAX)
		return error_set(err, -EINVAL, "limit %u is larger than %d", q->limit, QUERY_LIMIT_MAX);
	if (q->sort < 0 || q->sort >= QUERY_SORT_COUNT)
		return error_set(err, -EINVAL, "there is no such measure to sort by");
	return 0;
}

static void job_init(struct job *j)
{
	j->via_at = j->time_at = -1;
	groups_init(&j->groups, 0, 0, 0);
	groups_init(&j->wanted, 0, 0, 0);
	for (size_t i = 0; i < j->q->by_count; i++) {
		value_set_init(&j->sets[i], dimension_table[j->q->by[i]].kind);
		if (j->q->by[i] == DIM_via)
			j->via_at = (int)i;
		if (j->q->by[i] == DIM_time)
			j->time_at = (int)i;
	}
	j->store_via = j->via_at >= 0 && j->reader->ops->via && j->reader->ops->snapshots;
	if (!j->q->filter)
		return;
	j->filter_count = j->q->filter->count;
	memcpy(j->filters, j->q->filter->items, j->filter_count * sizeof(*j->filters));
}

int query_run(struct store_reader *reader, const uint64_t retention_s[static LEVEL_COUNT], uint64_t now_s,
	const struct query *q, struct query_result *ret, struct error *err)
{
	CLEANUP(job_done) struct job j = {.q = q, .reader = reader, .err = err};
	CLEANUP(free_p) uint32_t *rows = NULL;
	uint32_t count = 0;
	int r = check(q, err);
	if (r == 0)
		r = plan_make(q, retention_s, now_s, &j.plan, err);
	if (r < 0)
		return r;
	job_init(&j);
	bool winners = (reader->ops->snapshots || reader->ops->others) && !j.plan.step_s && q->by_count && q->limit &&
		q->limit <= TWO_WAYS_LIMIT && j.plan.total_cube != j.plan.cube && j.via_at < 0 && !q->all;
	bool two = winners && reader->ops->snapshots && __builtin_popcountll(answer_measures(q) & ~rank_measures(q->sort)) > FEW_MEASURES;
	if (q->only)
		r = run_given(&j, &rows, &count);
	else
		r = two ? run_in_two(&j, &rows, &count)
			: run_at_once(&j, winners || (j.store_via && j.time_at < 0 && !q->all), &rows, &count);
	if (r < 0)
		return r;
	if (!q->only && !q->by_count && !count) {
		/* The one row of a question without dimensions is there even when nothing was found. */
		uint64_t no_key = 0;
		if (groups_get(&j.groups, &no_key, &rows[count++]) < 0)
			return out_of_memory(&j);
	}
	return fill_answer(&j, rows, count, ret);
}

void query_end_snapshot(struct store_reader *reader)
{
	struct store_query none = {0};
	(void)reader->ops->query(reader, &none, on_nothing, NULL, NULL);
}

void query_result_done(struct query_result *r)
{
	arena_done(&r->arena);
	*r = (struct query_result){0};
}

int query_sort_by_name(const char *name)
{
	static const char *const names[] = {"retransmit_rate", "rtt_p50_us", "rtt_p95_us", "goodput_rate", "spurious_rate"};
	for (int i = 0; i < (int)ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return QUERY_SORT_RETRANSMIT_RATE + i;
	return measure_by_name(name);
}

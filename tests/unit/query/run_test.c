/* SPDX-License-Identifier: BSD-2-Clause */

/* Random traffic in a real store, random questions, and every answer computed again the simple way:
 * each sample is added to each group it belongs to, all groups are sorted, the first are taken. */

#include <errno.h>
#include <unistd.h>

#include "query/filter.h"
#include "wt_flows.h"

#define T0      1767312000u
#define SAMPLES 2500
#define GROUPS  (SAMPLES * 8)

static char folder[] = "/tmp/wt_query_XXXXXX";
static struct world world;
static struct sample samples[SAMPLES];
static const uint64_t forever[] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};

struct fixture {
	char path[64];
	const struct store_ops *ops;
	struct store *store;
	struct store_reader *reader;
};

static void open_fixture(struct fixture *f, const uint64_t retention_s[LEVEL_COUNT])
{
	static int files;
	char url[80];
	struct error err = {0};
	(void)snprintf(f->path, sizeof(f->path), "%s/%d.db", folder, files++);
	(void)snprintf(url, sizeof(url), "sqlite:%s", f->path);
	struct store_config config = {.url = url};
	memcpy(config.retention_s, retention_s, sizeof(config.retention_s));
	f->ops = store_find(url, &err);
	if (!f->ops || f->ops->open(&config, &f->store, &err) < 0 || f->ops->reader_open(f->store, &f->reader, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_fixture(struct fixture *f)
{
	char beside[80];
	f->ops->reader_close(f->reader);
	f->ops->close(f->store);
	(void)unlink(f->path);
	(void)snprintf(beside, sizeof(beside), "%s-wal", f->path);
	(void)unlink(beside);
	(void)snprintf(beside, sizeof(beside), "%s-shm", f->path);
	(void)unlink(beside);
}

static void write_all(struct fixture *f)
{
	struct flow_table *t;
	assert_int_equal(flow_table_new(&t), 0);
	samples_to_table(&world, samples, SAMPLES, t);
	struct store_batch batch = {.collector = "test1", .id = 1, .flows = t};
	assert_int_equal(f->ops->write_batch(f->store, &batch, NULL), STORE_OK);
	flow_table_free(t);
}

static void make_samples(void)
{
	world_make(&world);
	for (size_t i = 0; i < SAMPLES; i++) {
		sample_make(&samples[i], T0 + 60 * (uint32_t)(wt_random_below(2) ? wt_random_below(90) : wt_random_below(4320)));
		/* Many equals, so that the order of equals is looked at. */
		if (wt_random_below(2))
			samples[i].m = (struct measures){.v = {[MEASURE_bytes_sent] = 1 + wt_random_below(3),
				[MEASURE_packets_sent] = wt_random_below(2), [MEASURE_records] = 1}};
	}
}

/* ---- the simple way ---- */

struct group {
	uint64_t key[QUERY_DIMS_MAX];
	struct measures m;
};

struct naive {
	const struct query *q;
	uint64_t from_s, to_s;
	uint32_t step_s;
	struct group groups[GROUPS];
	size_t count;
	struct measures total;
};

static void add_to(struct naive *n, const uint64_t *key, const struct measures *m)
{
	size_t i = 0;
	while (i < n->count && memcmp(n->groups[i].key, key, sizeof(n->groups[i].key)) != 0)
		i++;
	if (i == n->count) {
		assert_true(n->count < GROUPS);
		n->groups[n->count] = (struct group){0};
		memcpy(n->groups[n->count++].key, key, sizeof(n->groups[i].key));
	}
	measures_add(&n->groups[i].m, m);
}

static void add_sample(struct naive *n, const struct sample *s)
{
	const struct query *q = n->q;
	uint64_t key[QUERY_DIMS_MAX] = {0};
	int via = -1;
	if (s->minute < n->from_s || s->minute >= n->to_s)
		return;
	for (size_t i = 0; q->filter && i < q->filter->count; i++)
		if (sample_matches(&world, s, &q->filter->items[i]) == q->filter->items[i].negate)
			return;
	for (size_t i = 0; i < q->by_count; i++) {
		if (q->by[i] == DIM_via)
			via = (int)i;
		else if (q->by[i] == DIM_time)
			key[i] = s->minute - s->minute % n->step_s;
		else
			key[i] = sample_number(&world, s, q->by[i]);
	}
	measures_add(&n->total, &s->m);
	const struct world_path *p = &world.paths[s->path];
	if (via < 0 || !p->member_count) {
		add_to(n, key, &s->m);
		return;
	}
	for (size_t i = 0; i < p->member_count; i++) {
		key[via] = p->members[i];
		add_to(n, key, &s->m);
	}
}

static double figure(const struct query *q, const struct measures *m)
{
	switch (q->sort) {
	case QUERY_SORT_RETRANSMIT_RATE:
		return measures_retransmit_rate(m);
	case QUERY_SORT_RTT_P50:
		return measures_rtt_quantile(m, 0.5);
	case QUERY_SORT_RTT_P95:
		return measures_rtt_quantile(m, 0.95);
	case QUERY_SORT_GOODPUT_RATE:
		return measures_goodput_rate(m);
	case QUERY_SORT_SPURIOUS_RATE:
		return measures_spurious_rate(m);
	default:
		return (double)m->v[q->sort]; /* below 2^53 */
	}
}

static int bytes_order(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return c ? c : (a_len > b_len) - (a_len < b_len);
}

static int key_order(enum dimension dim, uint64_t a, uint64_t b)
{
	if (a == b)
		return 0;
	if (dim != DIM_match && (!a || !b))
		return a ? -1 : 1;
	switch (dimension_table[dim].kind) {
	case KIND_TEXT:
		return bytes_order(world.names[a], strlen(world.names[a]), world.names[b], strlen(world.names[b]));
	case KIND_PREFIX:
		return prefix_cmp(&world.prefixes[a], &world.prefixes[b]);
	case KIND_PATH:
		return bytes_order(world.paths[a].bytes, world.paths[a].len, world.paths[b].bytes, world.paths[b].len);
	default:
		return a < b ? -1 : 1;
	}
}

static int group_order(const void *a, const void *b, void *ctx)
{
	const struct query *q = ctx;
	const struct group *x = a, *y = b;
	double f = figure(q, &x->m), g = figure(q, &y->m);
	if ((f < 0) != (g < 0))
		return f < 0 ? 1 : -1;
	if (f != g)
		return (f > g) == q->ascending ? 1 : -1;
	int c = 0;
	for (size_t i = 0; i < q->by_count && !c; i++)
		c = key_order(q->by[i], x->key[i], y->key[i]);
	return c;
}

/* Insertion keeps the order of equals. */
static void sort_by_time(const struct query *q, struct group *groups, size_t count)
{
	size_t by = 0;
	while (by < q->by_count && q->by[by] != DIM_time)
		by++;
	for (size_t i = 1; by < q->by_count && i < count; i++) {
		struct group g = groups[i];
		size_t k = i;
		for (; k && groups[k - 1].key[by] > g.key[by]; k--)
			groups[k] = groups[k - 1];
		groups[k] = g;
	}
}

static void compare(struct naive *n, const struct query_result *res)
{
	const struct query *q = n->q;
	struct measures sum = {0};
	if (!q->by_count && !n->count)
		n->groups[n->count++] = (struct group){0};
	qsort_r(n->groups, n->count, sizeof(*n->groups), group_order, (void *)q);
	size_t limit = q->limit ? q->limit : QUERY_LIMIT_MAX;
	size_t count = n->count < limit ? n->count : limit;
	sort_by_time(q, n->groups, count);
	assert_int_equal(res->row_count, count);
	for (size_t i = 0; i < count; i++) {
		for (size_t d = 0; d < q->by_count; d++)
			assert_int_equal(q->by[d] == DIM_time ? res->rows[i].values[d].number
						      : value_number(&world, q->by[d], &res->rows[i].values[d]),
				n->groups[i].key[d]);
		assert_memory_equal(&res->rows[i].m, &n->groups[i].m, sizeof(struct measures));
		measures_add(&sum, &res->rows[i].m);
	}
	assert_memory_equal(&res->total, &n->total, sizeof(n->total));
	if (res->has_other) {
		measures_add(&sum, &res->other);
		assert_memory_equal(&sum, &n->total, sizeof(sum));
	}
}

static void check(struct fixture *f, const struct query *q, const uint64_t *retention_s, uint64_t now_s)
{
	struct query_result res;
	struct error err = {0};
	static struct naive naive; /* large */
	struct naive *n = &naive;
	if (query_run(f->reader, retention_s, now_s, q, &res, &err) < 0)
		fail_msg("query_run: %s", err.text);
	n->q = q;
	n->from_s = res.from_s;
	n->to_s = res.to_s;
	n->step_s = res.step_s;
	n->count = 0;
	n->total = (struct measures){0};
	for (size_t i = 0; i < SAMPLES; i++)
		add_sample(n, &samples[i]);
	bool via = false;
	for (size_t i = 0; i < q->by_count; i++)
		via |= q->by[i] == DIM_via;
	assert_int_equal(res.has_other, !via);
	compare(n, &res);
	query_result_done(&res);
}

/* ---- questions ---- */

static void random_filter(struct filter *f, struct dim_value values[][3])
{
	f->count = wt_random_below(3);
	for (size_t i = 0; i < f->count; i++) {
		enum dimension dim = (enum dimension)(1 + wt_random_below(DIMENSION_COUNT - 1));
		size_t n = 1 + wt_random_below(3);
		for (size_t k = 0; k < n; k++) {
			const struct sample *s = &samples[wt_random_below(SAMPLES)];
			if (dim == DIM_via)
				values[i][k] = (struct dim_value){.known = wt_random_below(6),
					.number = WORLD_AS(wt_random_below(WORLD_ASNS))};
			else
				values[i][k] = value_from_number(&world, dim, sample_number(&world, s, dim));
		}
		f->items[i] = (struct store_filter){dim, wt_random_below(3) == 0, values[i], n};
	}
}

/* Often by what the store may choose the first by. */
static int random_sort(void)
{
	switch (wt_random_below(4)) {
	case 0:
		return (int)wt_random_below(QUERY_SORT_COUNT);
	case 1:
		return QUERY_SORT_RETRANSMIT_RATE;
	default:
		return MEASURE_bytes_sent;
	}
}

static void random_query(struct query *q)
{
	static const uint32_t steps[] = {0, 60, 300, 3600, 86400};
	*q = (struct query){
		.from_s = T0 + wt_random_below(86400),
		.exact_range = wt_random_below(2),
		.sort = random_sort(),
		.ascending = wt_random_below(4) == 0,
		.limit = wt_random_below(3) ? (uint32_t)wt_random_below(30) : 0,
		.step_s = steps[wt_random_below(ARRAY_LEN(steps))],
	};
	q->to_s = q->from_s + 1 + wt_random_below(wt_random_below(2) ? 20000 : 3 * 86400);
	uint32_t seen = 0;
	for (size_t n = wt_random_below(QUERY_DIMS_MAX); q->by_count < n;) {
		enum dimension dim = (enum dimension)wt_random_below(DIMENSION_COUNT);
		if (seen & DIM_BIT(dim))
			continue;
		seen |= DIM_BIT(dim);
		q->by[q->by_count++] = dim;
	}
}

static void test_random_questions(void **state)
{
	struct fixture f;
	open_fixture(&f, forever);
	make_samples();
	write_all(&f);
	for (int i = 0; i < 300; i++) {
		struct query q;
		struct filter filter = {.count = 0};
		struct dim_value values[3][3];
		random_filter(&filter, values);
		random_query(&q);
		q.filter = wt_random_below(4) ? &filter : NULL;
		check(&f, &q, forever, T0 + 3 * 86400);
	}
	close_fixture(&f);
}

/* ---- groups that share their first value ---- */

struct shown {
	uint64_t (*keys)[2];
	struct measures *m;
	size_t count;
};

static int show(void *ctx, const struct query_groups *all)
{
	struct shown *s = ctx;
	for (uint32_t i = 0; i < all->groups->count; i++) {
		for (int d = 0; d < 2; d++) {
			struct dim_value v = value_set_value(&all->sets[d], groups_key(all->groups, i)[d]);
			s->keys[s->count][d] = value_number(&world, d ? DIM_router : DIM_prefix, &v);
		}
		s->m[s->count++] = query_groups_measures(all, i);
	}
	return 0;
}

static const struct group *group_of(const struct naive *n, const uint64_t *key)
{
	for (size_t i = 0; i < n->count; i++)
		if (memcmp(n->groups[i].key, key, 2 * sizeof(*key)) == 0)
			return &n->groups[i];
	fail_msg("a group of no sample");
	return NULL;
}

/* All of them are shown, and the total is of the others too. */
static void test_shared_groups(void **state)
{
	static struct naive naive; /* large */
	static uint64_t keys[SAMPLES][2];
	static struct measures sums[SAMPLES];
	struct fixture f;
	open_fixture(&f, forever);
	make_samples();
	write_all(&f);
	for (uint64_t hours = 1; hours < 48; hours += 4) {
		struct shown shown = {keys, sums, 0};
		struct error err = {0};
		struct query_result res;
		struct query q = {.by = {DIM_prefix, DIM_router}, .by_count = 2, .from_s = T0, .to_s = T0 + hours * 3600, .sort = MEASURE_bytes_sent,
			.limit = 1, .shared = true, .all = show, .all_ctx = &shown};
		if (query_run(f.reader, forever, T0 + 3 * 86400, &q, &res, &err) < 0)
			fail_msg("query_run: %s", err.text);
		naive = (struct naive){.q = &q, .from_s = res.from_s, .to_s = res.to_s};
		for (size_t i = 0; i < SAMPLES; i++)
			add_sample(&naive, &samples[i]);
		size_t expected = 0, found = 0;
		for (size_t i = 0; i < naive.count; i++) {
			size_t same = 0;
			for (size_t k = 0; k < naive.count; k++)
				same += naive.groups[k].key[0] == naive.groups[i].key[0];
			expected += same > 1;
		}
		for (size_t i = 0; i < shown.count; i++) {
			size_t same = 0;
			for (size_t k = 0; k < naive.count; k++)
				same += naive.groups[k].key[0] == keys[i][0];
			assert_memory_equal(&sums[i], &group_of(&naive, keys[i])->m, sizeof(sums[i]));
			found += same > 1;
		}
		assert_int_equal(found, expected);
		assert_memory_equal(&res.total, &naive.total, sizeof(naive.total));
		query_result_done(&res);
	}
	close_fixture(&f);
}

/* ---- groups that are given, measures that are chosen ---- */

static struct measures some_of(const struct measures *m, uint64_t mask)
{
	struct measures some = {0};
	for (int i = 0; i < MEASURE_COUNT; i++)
		if (mask & MEASURE_BIT(i))
			some.v[i] = m->v[i];
	return some;
}

/* The place of a group of the simple way among those given; count: none. */
static size_t given_at(const struct query *q, const struct group *g)
{
	for (size_t i = 0; i < q->only_count; i++) {
		bool same = true;
		for (size_t d = 0, k = 0; d < q->by_count; d++)
			if (q->by[d] != DIM_time)
				same &= value_number(&world, q->by[d], &q->only[i].values[k++]) == g->key[d];
		if (same)
			return i;
	}
	return q->only_count;
}

static void check_given(struct fixture *f, const struct query *q, int time_at)
{
	static struct naive naive; /* large */
	struct query_result res;
	struct error err = {0};
	size_t expected = 0;
	if (query_run(f->reader, forever, T0 + 3 * 86400, q, &res, &err) < 0)
		fail_msg("query_run: %s", err.text);
	naive = (struct naive){.q = q, .from_s = res.from_s, .to_s = res.to_s, .step_s = res.step_s};
	for (size_t i = 0; i < SAMPLES; i++)
		add_sample(&naive, &samples[i]);
	assert_false(res.has_other);
	for (size_t i = 0; i < naive.count; i++)
		expected += given_at(q, &naive.groups[i]) < q->only_count;
	assert_int_equal(res.row_count, time_at < 0 ? q->only_count : expected);
	size_t last_at = 0;
	uint64_t last_time = 0;
	for (size_t i = 0; i < res.row_count; i++) {
		struct group want = {0};
		for (size_t d = 0; d < q->by_count; d++)
			want.key[d] = q->by[d] == DIM_time ? res.rows[i].values[d].number
							   : value_number(&world, q->by[d], &res.rows[i].values[d]);
		size_t at = given_at(q, &want);
		uint64_t time = time_at < 0 ? 0 : want.key[time_at];
		assert_true(i == 0 || time > last_time || (time == last_time && at > last_at));
		last_at = at;
		last_time = time;
		for (size_t k = 0; k < naive.count; k++)
			if (memcmp(naive.groups[k].key, want.key, sizeof(want.key)) == 0)
				want.m = some_of(&naive.groups[k].m, q->measures);
		assert_memory_equal(&res.rows[i].m, &want.m, sizeof(want.m));
	}
	query_result_done(&res);
}

static void test_given_groups(void **state)
{
	struct fixture f;
	open_fixture(&f, forever);
	make_samples();
	write_all(&f);
	for (int i = 0; i < 200; i++) {
		struct query q;
		struct query_result res;
		struct query_row only[40];
		struct error err = {0};
		do
			random_query(&q);
		while (q.by_count == QUERY_DIMS_MAX);
		int time_at = -1;
		for (size_t d = 0; d < q.by_count; d++)
			if (q.by[d] == DIM_time)
				q.by[d] = q.by[--q.by_count];
		q.limit = 30;
		q.measures = wt_random() | MEASURE_BIT(MEASURE_bytes_sent);
		q.keep_snapshot = true;
		assert_int_equal(query_run(f.reader, forever, T0 + 3 * 86400, &q, &res, &err), 0);
		q.only = only;
		for (size_t k = res.row_count; k-- > 0;)
			if (wt_random_below(2))
				only[q.only_count++] = res.rows[k];
		if (wt_random_below(2)) {
			time_at = (int)wt_random_below(q.by_count + 1);
			memmove(q.by + time_at + 1, q.by + time_at, (q.by_count++ - (size_t)time_at) * sizeof(*q.by));
			q.by[time_at] = DIM_time;
		}
		q.keep_snapshot = wt_random_below(2);
		check_given(&f, &q, time_at);
		if (q.keep_snapshot)
			query_end_snapshot(f.reader);
		query_result_done(&res);
	}
	close_fixture(&f);
}

/* Minutes and hours are dropped while being asked for: no answer may be short. */
static void test_after_retention(void **state)
{
	const uint64_t retention[] = {6 * 3600, 86400 + 3600, UINT64_MAX};
	struct fixture f;
	open_fixture(&f, retention);
	make_samples();
	write_all(&f);
	for (uint64_t now = T0 + 86400; now < T0 + 4 * 86400; now += 60 * (1 + wt_random_below(200))) {
		struct query q;
		assert_int_equal(f.ops->maintain(f.store, now, NULL), 0);
		random_query(&q);
		check(&f, &q, retention, now);
	}
	close_fixture(&f);
}

static void test_nothing_found(void **state)
{
	struct fixture f;
	struct query_result res;
	open_fixture(&f, forever);
	struct query q = {.from_s = T0, .to_s = T0 + 3600, .limit = 10};
	assert_int_equal(query_run(f.reader, forever, T0, &q, &res, NULL), 0);
	assert_int_equal(res.row_count, 1);
	assert_true(measures_zero(&res.rows[0].m) && measures_zero(&res.total) && measures_zero(&res.other));
	query_result_done(&res);
	q.by[q.by_count++] = DIM_origin;
	assert_int_equal(query_run(f.reader, forever, T0, &q, &res, NULL), 0);
	assert_int_equal(res.row_count, 0);
	assert_true(res.has_other && measures_zero(&res.total) && measures_zero(&res.other));
	query_result_done(&res);
	close_fixture(&f);
}

static void expect_error(struct fixture *f, const struct query *q, int code, const char *about)
{
	struct query_result res;
	struct error err = {0};
	assert_int_equal(query_run(f->reader, forever, T0, q, &res, &err), code);
	if (!strstr(err.text, about))
		fail_msg("%s", err.text);
}

static void test_refused(void **state)
{
	struct fixture f;
	open_fixture(&f, forever);
	make_samples();
	write_all(&f);
	const struct query good = {.by = {DIM_origin}, .by_count = 1, .from_s = T0, .to_s = T0 + 86400, .limit = 5};
	struct query q = good;
	q.by_count = 5;
	expect_error(&f, &q, -EINVAL, "dimensions");
	q = good;
	q.by[q.by_count++] = DIM_origin;
	expect_error(&f, &q, -EINVAL, "twice");
	q = good;
	q.limit = QUERY_LIMIT_MAX + 1;
	expect_error(&f, &q, -EINVAL, "limit");
	q = good;
	q.sort = QUERY_SORT_COUNT;
	expect_error(&f, &q, -EINVAL, "sort");
	q = good;
	q.to_s = T0;
	expect_error(&f, &q, -EINVAL, "range");
	q = good;
	q.deadline_ns = 1;
	expect_error(&f, &q, -ETIMEDOUT, "too long");
	/* The reader is as good as before. */
	check(&f, &good, forever, T0);
	close_fixture(&f);
}

static void test_sort_names(void **state)
{
	assert_int_equal(query_sort_by_name("bytes_sent"), MEASURE_bytes_sent);
	assert_int_equal(query_sort_by_name("retransmit_rate"), QUERY_SORT_RETRANSMIT_RATE);
	assert_int_equal(query_sort_by_name("rtt_p50_us"), QUERY_SORT_RTT_P50);
	assert_int_equal(query_sort_by_name("rtt_p95_us"), QUERY_SORT_RTT_P95);
	assert_int_equal(query_sort_by_name("goodput_rate"), QUERY_SORT_GOODPUT_RATE);
	assert_int_equal(query_sort_by_name("spurious_rate"), QUERY_SORT_SPURIOUS_RATE);
	assert_int_equal(query_sort_by_name("speed"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_questions),
		cmocka_unit_test(test_shared_groups),
		cmocka_unit_test(test_given_groups),
		cmocka_unit_test(test_after_retention),
		cmocka_unit_test(test_nothing_found),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sort_names),
	};
	wt_random_init();
	if (!mkdtemp(folder))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(folder);
	return failed;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Copies with batches so small that slices shrink, grow and are brought in parts; tests/e2e/store_copy_test.py has
 * the rest. What is compared is each row, read back from both stores. */

#include "base/hash.h"
#include "store/copy.h"
#include "store/schema.h"
#include "wt_files.h"
#include "wt_flows.h"

#define T0      1767312000u
#define SAMPLES 600

static struct world world;
static struct sample samples[SAMPLES];

static void fresh_url(char *buf, size_t cap)
{
	static int files;
	(void)snprintf(buf, cap, "sqlite:%.200s/%d.db", wt_folder(), files++);
}

static struct store *must_open(const char *url)
{
	struct store_config config = {.url = url, .retention_s = {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	struct store *s;
	struct error err;
	if (store_find(url, &err)->open(&config, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

/* Half of them in one minute, the rest over four days. */
static void write_source(const char *url, uint64_t id)
{
	struct store *s = must_open(url);
	struct flow_table *t;
	struct error err;
	for (size_t i = 0; i < SAMPLES; i++)
		sample_make(&samples[i], T0 + 60 * (uint32_t)(i % 2 ? 4000 : wt_random_below(4 * 1440)));
	assert_int_equal(flow_table_new(&t), 0);
	samples_to_table(&world, samples, SAMPLES, t);
	struct store_batch batch = {.collector = "ams1", .id = id, .flows = t};
	assert_int_equal(s->ops->write_batch(s, &batch, &err), STORE_OK);
	flow_table_free(t);
	s->ops->close(s);
}

struct sums {
	uint64_t rows, hash;
};

/* The order of rows does not matter, everything else does. */
static int add_row(void *ctx, const struct store_row *row)
{
	struct sums *s = ctx;
	uint64_t hash = 0;
	for (int d = 0; d < DIMENSION_COUNT; d++) {
		const struct dim_value *v = &row->values[d];
		enum dimension_kind kind = dimension_table[d].kind;
		bool own = kind == KIND_TEXT || kind == KIND_PREFIX || kind == KIND_PATH; /* numbers that are a store's own */
		hash = hash * 31 + v->known + (own ? 0 : v->number);
		if (v->bytes.len)
			hash = hash * 31 + hash_bytes(v->bytes.data, v->bytes.len);
		hash = hash * 31 + hash_bytes(&v->prefix, sizeof(v->prefix));
	}
	s->rows++;
	s->hash += hash * 31 + hash_bytes(&row->m, sizeof(row->m));
	return 0;
}

static void sums_of(const char *url, struct store_table table, struct sums *ret)
{
	struct store *s = must_open(url);
	struct store_reader *reader;
	struct store_query q = {.cube = table.cube, .segments = {{table.level, 0, T0 * 2ull - T0 * 2ull % 86400}}, .segment_count = 1,
		.dims = cube_dims[table.cube] | DIM_BIT(DIM_time), .step_s = level_seconds[table.level]};
	assert_int_equal(s->ops->reader_open(s, &reader, NULL), 0);
	assert_int_equal(s->ops->query(reader, &q, add_row, ret, NULL), 0);
	s->ops->reader_close(reader);
	s->ops->close(s);
}

struct told {
	double share;
	int tables;
};

static void on_progress(void *ctx, const struct copy_progress *p)
{
	struct told *t = ctx;
	assert_true(p->share >= 0 && p->share <= 1);
	t->share = p->share;
	t->tables += p->table_done;
}

static int keep_last(void *ctx, const char *name, uint64_t last)
{
	if (strcmp(name, "ams1") != 0)
		*(uint64_t *)ctx = last;
	return 0;
}

static uint64_t batches_of_copy(const char *url)
{
	struct store *s = must_open(url);
	uint64_t last = 0;
	assert_int_equal(s->ops->collectors(s, keep_last, &last, NULL), 0);
	s->ops->close(s);
	return last;
}

static void copy_and_compare(const char *from, const char *to, uint32_t batch_rows)
{
	static struct copy_report report;
	struct told told = {0};
	struct error err;
	struct copy_config config = {.urls = {from, to}, .batch_rows = batch_rows, .progress = on_progress, .ctx = &told};
	if (store_copy(&config, &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(report.equal);
	assert_int_equal(told.tables, TABLE_COUNT + 1);
	assert_true(told.share > 0.99);
	for (int i = 0; i < TABLE_COUNT; i++) {
		struct sums a = {0}, b = {0};
		sums_of(from, table_at(i), &a);
		sums_of(to, table_at(i), &b);
		assert_true(a.rows > 0);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

static void test_small_batches(void **state)
{
	static const uint32_t sizes[] = {0, 200, 40};
	char from[512], to[512];
	world_make(&world);
	fresh_url(from, sizeof(from));
	write_source(from, 5);
	uint64_t before = 0;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		fresh_url(to, sizeof(to));
		copy_and_compare(from, to, sizes[i]);
		assert_true(batches_of_copy(to) > before);
		before = batches_of_copy(to);
	}
}

/* Late rows everywhere, with another size each time. */
static void test_again_and_again(void **state)
{
	char from[512], to[512];
	world_make(&world);
	fresh_url(from, sizeof(from));
	fresh_url(to, sizeof(to));
	for (uint64_t id = 1; id < 4; id++) {
		write_source(from, id);
		copy_and_compare(from, to, 50 + (uint32_t)wt_random_below(500));
	}
	uint64_t batches = batches_of_copy(to);
	copy_and_compare(from, to, 0); /* nothing to bring: only the batch with which each begins */
	assert_int_equal(batches_of_copy(to), batches + 2);
}

static void write_once(void *ctx, const struct copy_progress *p)
{
	const char **from = ctx;
	if (*from)
		write_source(*from, 6);
	*from = NULL;
}

/* The source goes on meanwhile, and slices are too large at first: what is brought is of one moment, the batch
 * numbers' own. */
static void test_one_moment(void **state)
{
	static struct copy_report report;
	static struct sums before[TABLE_COUNT];
	char from[512], to[512];
	const char *once = from;
	struct error err;
	struct copy_config config = {.urls = {from, to}, .batch_rows = 40, .progress = write_once, .ctx = &once};
	world_make(&world);
	fresh_url(from, sizeof(from));
	fresh_url(to, sizeof(to));
	write_source(from, 5);
	memset(before, 0, sizeof(before));
	for (int i = 0; i < TABLE_COUNT; i++)
		sums_of(from, table_at(i), &before[i]);
	if (store_copy(&config, &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(report.equal);
	assert_null(once);
	for (int i = 0; i < TABLE_COUNT; i++) {
		struct sums after = {0};
		sums_of(to, table_at(i), &after);
		assert_memory_equal(&before[i], &after, sizeof(after));
	}
	copy_and_compare(from, to, 0);
}

/* Path changes of these times, in one batch. */
static void write_changes(const char *url, uint64_t id, const uint64_t *times_ms, size_t n)
{
	struct store *s = must_open(url);
	struct flow_table *t;
	struct error err;
	struct path_change c = {0};
	assert_int_equal(flow_table_new(&t), 0);
	assert_int_equal(flow_table_name(t, (struct view){(const uint8_t *)"edge1", 5}, &c.router), 0);
	assert_int_equal(flow_table_prefix(t, &world.prefixes[1], &c.prefix), 0);
	for (size_t i = 0; i < n; i++) {
		c.time_ms = times_ms[i];
		assert_int_equal(flow_table_change(t, &c), 0);
	}
	struct store_batch batch = {.collector = "ams1", .id = id, .flows = t};
	assert_int_equal(s->ops->write_batch(s, &batch, &err), STORE_OK);
	flow_table_free(t);
	s->ops->close(s);
}

static void copy_changes_of(const char *from, const char *to, uint64_t expected)
{
	static struct copy_report report;
	struct told told = {0};
	struct error err;
	struct copy_config config = {.urls = {from, to}, .progress = on_progress, .ctx = &told};
	if (store_copy(&config, &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(report.changes[COPY_FROM], expected);
	assert_int_equal(report.changes[COPY_TO], expected);
	assert_true(report.equal);
}

static void keep_hours(const char *url, uint64_t now_s)
{
	struct store_config config = {.url = url, .retention_s = {UINT64_MAX, 2 * 3600, UINT64_MAX}};
	struct store *s;
	struct error err;
	int r;
	assert_int_equal(store_find(url, &err)->open(&config, &s, &err), 0);
	while ((r = s->ops->maintain(s, now_s, &err)) > 0)
		;
	assert_int_equal(r, 0);
	s->ops->close(s);
}

/* Changes that the source's retention has dropped since they were copied are no difference: some of them, then all. */
static void test_expired_changes(void **state)
{
	static const uint64_t times_ms[] = {T0 * 1000ull, (T0 + 3600) * 1000ull + 7, (T0 + 86400) * 1000ull, (T0 + 86400) * 1000ull};
	char from[512], to[512];
	world_make(&world);
	fresh_url(from, sizeof(from));
	fresh_url(to, sizeof(to));
	write_changes(from, 1, times_ms, ARRAY_LEN(times_ms));
	copy_changes_of(from, to, 4);
	keep_hours(from, T0 + 86400 + 3600);
	copy_changes_of(from, to, 2);
	write_changes(from, 2, (const uint64_t[]){(T0 + 86400 + 60) * 1000ull}, 1);
	copy_changes_of(from, to, 3);
	keep_hours(from, T0 + 3 * 86400);
	copy_changes_of(from, to, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_batches),
		cmocka_unit_test(test_again_and_again),
		cmocka_unit_test(test_one_moment),
		cmocka_unit_test(test_expired_changes),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

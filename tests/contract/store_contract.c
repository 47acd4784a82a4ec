/* SPDX-License-Identifier: BSD-2-Clause */

/* The suite writes random traffic and compares every answer with one computed from the list of
 * samples. Nothing here knows how a store keeps its rows. */

#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "route/path.h"
#include "store/schema.h"

#define SAMPLES    1200
#define NAIVE_ROWS (SAMPLES * WORLD_MEMBERS)

const struct store_contract *contract;
static struct world world;
static struct sample samples[SAMPLES];

struct store *open_store(const char *url, const uint64_t retention_s[LEVEL_COUNT])
{
	struct store_config config = {.url = url};
	struct store *s;
	struct error err = {0};
	memcpy(config.retention_s, retention_s, sizeof(config.retention_s));
	int r = contract->ops->open(&config, &s, &err);
	if (r < 0)
		fail_msg("open: %s", err.text);
	return s;
}

void open_fixture(struct fixture *f, const uint64_t retention_s[LEVEL_COUNT])
{
	contract->fresh_url(f->url, sizeof(f->url));
	f->store = open_store(f->url, retention_s);
	assert_int_equal(contract->ops->reader_open(f->store, &f->reader, NULL), 0);
}

void close_fixture(struct fixture *f)
{
	contract->ops->reader_close(f->reader);
	contract->ops->close(f->store);
}

enum store_result contract_write(struct store *store, struct store_batch batch, const struct world *w, const struct sample *s,
	size_t n)
{
	struct flow_table *t;
	struct error err = {0};
	assert_int_equal(flow_table_new(&t), 0);
	samples_to_table(w, s, n, t);
	batch.flows = t;
	enum store_result r = contract->ops->write_batch(store, &batch, &err);
	if (r == STORE_RETRY || r == STORE_FATAL)
		print_error("write_batch: %s\n", err.text);
	flow_table_free(t);
	return r;
}

static enum store_result write_samples(struct store *store, uint64_t id, const struct sample *s, size_t n)
{
	return contract_write(store, (struct store_batch){.collector = "test1", .id = id}, &world, s, n);
}

/* Minutes over three days, most of them in one hour. */
static uint32_t random_minute(void)
{
	return T0 + 60 * (uint32_t)(wt_random_below(2) ? wt_random_below(60) : wt_random_below(3 * 1440));
}

static void make_samples(void)
{
	world_make(&world);
	for (size_t i = 0; i < SAMPLES; i++)
		sample_make(&samples[i], random_minute());
}

/* ---- the naive answer ---- */

struct naive_key {
	uint64_t time;
	uint64_t dims[DIMENSION_COUNT]; /* numbers, or indices into the world */
};

struct naive_row {
	struct naive_key key;
	struct measures m, found;
};

struct comparison {
	const struct store_query *q;
	struct naive_row rows[NAIVE_ROWS];
	size_t count;
	struct measures others; /* as the store told them */
};

static bool in_segments(const struct sample *s, const struct store_query *q)
{
	for (size_t i = 0; i < q->segment_count; i++)
		if (s->minute >= q->segments[i].from_s && s->minute < q->segments[i].to_s)
			return true;
	return false;
}

static struct naive_row *naive_row(struct comparison *c, const struct naive_key *key, bool make)
{
	for (size_t i = 0; i < c->count; i++)
		if (memcmp(&c->rows[i].key, key, sizeof(*key)) == 0)
			return &c->rows[i];
	if (!make)
		fail_msg("a row that nobody wrote");
	c->rows[c->count] = (struct naive_row){.key = *key};
	return &c->rows[c->count++];
}

static void add_to_row(struct comparison *c, const struct naive_key *key, const struct sample *s)
{
	struct naive_row *row = naive_row(c, key, true);
	for (int m = 0; m < MEASURE_COUNT; m++)
		if (!c->q->measures || c->q->measures & MEASURE_BIT(m))
			row->m.v[m] += s->m.v[m];
}

static void add_naive(struct comparison *c, const struct sample *s)
{
	const struct store_query *q = c->q;
	struct naive_key key = {0};
	if (!in_segments(s, q))
		return;
	for (size_t i = 0; i < q->filter_count; i++)
		if (sample_matches(&world, s, &q->filters[i]) == q->filters[i].negate)
			return;
	for (int d = 0; d < DIMENSION_COUNT; d++)
		if (d != DIM_time && d != DIM_via && q->dims & DIM_BIT(d))
			key.dims[d] = sample_number(&world, s, (enum dimension)d);
	if (q->dims & DIM_BIT(DIM_time))
		key.time = s->minute - s->minute % q->step_s;
	const struct world_path *path = &world.paths[s->path];
	bool by_via = q->dims & DIM_BIT(DIM_via);
	for (size_t i = 0; by_via && i < path->member_count; i++) {
		key.dims[DIM_via] = path->members[i];
		add_to_row(c, &key, s);
	}
	if (!by_via || !path->member_count) {
		key.dims[DIM_via] = 0;
		add_to_row(c, &key, s);
	}
}

static int compare_row(void *ctx, const struct store_row *row)
{
	struct comparison *c = ctx;
	struct naive_key key = {0};
	if (row->others) {
		measures_add(&c->others, &row->m);
		return 0;
	}
	for (int d = 0; d < DIMENSION_COUNT; d++)
		if (d != DIM_time && c->q->dims & DIM_BIT(d))
			key.dims[d] = value_number(&world, (enum dimension)d, &row->values[d]);
	if (c->q->dims & DIM_BIT(DIM_time))
		key.time = row->values[DIM_time].number;
	measures_add(&naive_row(c, &key, false)->found, &row->m);
	return 0;
}

/* What the best have most of; less than any other: of nothing. */
static double figure(const struct store_query *q, const struct measures *m)
{
	if (!q->best_per)
		return (double)m->v[q->best_by];
	return m->v[*q->best_per] ? (double)m->v[q->best_by] / (double)m->v[*q->best_per] : -1;
}

/* So many others have more that the row may be left out, or its via is not wanted, or nobody shares its value. */
static bool may_be_left_out(const struct comparison *c, const struct naive_row *row)
{
	size_t more = 0, wanted = 0, same = 0;
	for (size_t i = 0; c->q->shared != DIM_time && i < c->count; i++)
		same += c->rows[i].key.dims[c->q->shared] == row->key.dims[c->q->shared];
	if (same == 1)
		return true;
	while (wanted < c->q->via_count && (c->q->vias[wanted].known ? c->q->vias[wanted].number : 0) != row->key.dims[DIM_via])
		wanted++;
	if (c->q->via_count && wanted == c->q->via_count)
		return true;
	for (size_t i = 0; c->q->best && i < c->count; i++)
		more += figure(c->q, &c->rows[i].m) > figure(c->q, &row->m);
	return c->q->best && more >= c->q->best;
}

/* Asks, and holds the answer against the first `count` samples. */
static void check_query(struct store_reader *reader, const struct store_query *q, size_t count)
{
	struct comparison *c = calloc(1, sizeof(*c));
	struct error err = {0};
	assert_non_null(c);
	c->q = q;
	for (size_t i = 0; i < count; i++)
		add_naive(c, &samples[i]);
	int r = contract->ops->query(reader, q, compare_row, c, &err);
	if (r < 0)
		fail_msg("query: %s", err.text);
	struct measures left_out = {0};
	for (size_t i = 0; i < c->count; i++) {
		if (!measures_zero(&c->rows[i].found) || !may_be_left_out(c, &c->rows[i]))
			assert_memory_equal(&c->rows[i].m, &c->rows[i].found, sizeof(struct measures));
		else
			measures_add(&left_out, &c->rows[i].m);
	}
	if (contract->ops->others)
		assert_memory_equal(&c->others, &left_out, sizeof(left_out));
	free(c);
}

static void check_everything(struct store_reader *reader, size_t count)
{
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		for (int level = 0; level < LEVEL_COUNT; level++) {
			struct store_query q = {
				.cube = (enum store_cube)cube,
				.segments = {{(enum store_level)level, T0, T0 + 3 * 86400}},
				.segment_count = 1,
				.dims = cube_dims[cube] | DIM_BIT(DIM_time),
				.step_s = level_seconds[level],
			};
			check_query(reader, &q, count);
		}
	}
}

/* ---- the suite ---- */

static void test_every_cube_and_level(void **state)
{
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	assert_int_equal(write_samples(f.store, 1, samples, SAMPLES), STORE_OK);
	check_everything(f.reader, SAMPLES);
	close_fixture(&f);
}

static void test_batches_apply_once_and_add(void **state)
{
	struct fixture f;
	uint64_t last = 99;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	assert_int_equal(contract->ops->last_batch(f.store, "test1", &last, NULL), 0);
	assert_int_equal(last, 0);
	for (size_t i = 0; i < 10; i++) {
		size_t n = SAMPLES / 10;
		assert_int_equal(write_samples(f.store, i + 1, samples + i * n, n), STORE_OK);
		assert_int_equal(write_samples(f.store, i + 1, samples + i * n, n), STORE_DUPLICATE);
		assert_int_equal(write_samples(f.store, 1, samples, n), STORE_DUPLICATE);
	}
	/* One without rows counts all the same: of a segment in which only sessions changed. */
	assert_int_equal(write_samples(f.store, 11, samples, 0), STORE_OK);
	assert_int_equal(write_samples(f.store, 11, samples, 0), STORE_DUPLICATE);
	assert_int_equal(contract->ops->last_batch(f.store, "test1", &last, NULL), 0);
	assert_int_equal(last, 11);
	assert_int_equal(contract->ops->last_batch(f.store, "test2", &last, NULL), 0);
	assert_int_equal(last, 0);
	check_everything(f.reader, SAMPLES);
	close_fixture(&f);
}

static void test_reopening(void **state)
{
	struct fixture f;
	uint64_t last;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	assert_int_equal(write_samples(f.store, 1, samples, SAMPLES / 2), STORE_OK);
	close_fixture(&f);
	f.store = open_store(f.url, (const uint64_t[])FOREVER);
	assert_int_equal(contract->ops->reader_open(f.store, &f.reader, NULL), 0);
	assert_int_equal(contract->ops->last_batch(f.store, "test1", &last, NULL), 0);
	assert_int_equal(last, 1);
	assert_int_equal(write_samples(f.store, 1, samples, SAMPLES / 2), STORE_DUPLICATE);
	assert_int_equal(write_samples(f.store, 2, samples + SAMPLES / 2, SAMPLES / 2), STORE_OK);
	check_everything(f.reader, SAMPLES);
	close_fixture(&f);
}

static int count_row(void *ctx, const struct store_row *row)
{
	(*(size_t *)ctx)++;
	return 0;
}

static size_t count_rows(struct store_reader *reader, enum store_cube cube, enum store_level level)
{
	size_t n = 0;
	struct store_query q = {
		.cube = cube,
		.segments = {{level, 0, T0 + 100 * 86400}},
		.segment_count = 1,
		.dims = cube_dims[cube] | DIM_BIT(DIM_time),
		.step_s = level_seconds[level],
	};
	assert_int_equal(contract->ops->query(reader, &q, count_row, &n, NULL), 0);
	return n;
}

static void test_zero_rows_are_not_stored(void **state)
{
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	for (size_t i = 0; i < 10; i++)
		samples[i].m = (struct measures){0};
	assert_int_equal(write_samples(f.store, 1, samples, 10), STORE_OK);
	assert_int_equal(write_samples(f.store, 2, samples, 0), STORE_OK);
	for (int cube = 0; cube < CUBE_COUNT; cube++)
		for (int level = 0; level < LEVEL_COUNT; level++)
			assert_int_equal(count_rows(f.reader, (enum store_cube)cube, (enum store_level)level), 0);
	close_fixture(&f);
}

/* Some values of a dimension, unknown and never seen ones included. */
static size_t random_values(enum dimension dim, struct dim_value *ret)
{
	size_t n = wt_random_below(4);
	for (size_t i = 0; i < n; i++) {
		const struct sample *s = &samples[wt_random_below(SAMPLES)];
		if (dim == DIM_via)
			ret[i] = (struct dim_value){.known = wt_random_below(5), .number = WORLD_AS(wt_random_below(WORLD_ASNS))};
		else
			ret[i] = value_from_number(&world, dim, sample_number(&world, s, dim));
	}
	return n;
}

/* Asks only for the best, of a figure that is among the measures. */
static void random_best(struct store_query *q)
{
	static const enum measure per = MEASURE_packets_sent;
	if (wt_random_below(3))
		return;
	q->best = 1 + (uint32_t)wt_random_below(20);
	q->best_by = wt_random_below(2) ? MEASURE_packets_retransmitted : MEASURE_bytes_sent;
	q->best_per = wt_random_below(2) ? &per : NULL;
	if (q->measures)
		q->measures |= MEASURE_BIT(q->best_by) | MEASURE_BIT(per);
}

/* By via, asks for some only. */
static void random_vias(struct store_query *q)
{
	static struct dim_value vias[4];
	if (!(q->dims & DIM_BIT(DIM_via)) || q->best || wt_random_below(2))
		return;
	q->vias = vias;
	q->via_count = random_values(DIM_via, vias);
}

/* Asks only for values that rows share. */
static void random_shared(struct store_query *q)
{
	enum dimension dim = (enum dimension)wt_random_below(DIMENSION_COUNT);
	if (!q->best && !q->via_count && !(q->dims & DIM_BIT(DIM_time)) && q->dims & DIM_BIT(dim))
		q->shared = dim;
}

static void random_query(struct store_query *q, struct store_filter *filters, struct dim_value values[][4])
{
	*q = (struct store_query){.cube = (enum store_cube)wt_random_below(CUBE_COUNT), .filters = filters};
	uint32_t dims = cube_dims[q->cube];
	q->dims = dims & (uint32_t)wt_random();
	uint64_t t = T0 + 3600 * wt_random_below(24);
	for (size_t i = 0, n = 1 + wt_random_below(3); i < n; i++) {
		int level = (int)wt_random_below(LEVEL_COUNT);
		uint64_t width = level_seconds[level];
		t += width - 1 - (t + width - 1) % width;
		uint64_t end = t + width * (1 + wt_random_below(level ? 4 : 120));
		q->segments[q->segment_count++] = (struct store_segment){(enum store_level)level, t, end};
		t = end;
	}
	if (wt_random_below(2)) {
		q->dims |= DIM_BIT(DIM_time);
		q->step_s = 86400 * (uint32_t)(1 + wt_random_below(2));
	}
	if (wt_random_below(2))
		q->measures = wt_random() & (MEASURE_BIT(MEASURE_COUNT) - 1);
	random_best(q);
	if (dims & DIM_BIT(DIM_path)) {
		dims |= DIM_BIT(DIM_via);
		q->dims |= contract->ops->via && !wt_random_below(3) ? DIM_BIT(DIM_via) : 0;
		random_vias(q);
	}
	random_shared(q);
	for (int d = 0; d < DIMENSION_COUNT; d++) {
		if (!(dims & DIM_BIT(d)) || wt_random_below(4))
			continue;
		struct store_filter *f = &filters[q->filter_count];
		*f = (struct store_filter){.dim = (enum dimension)d, .negate = wt_random_below(2)};
		f->values = values[q->filter_count++];
		f->value_count = random_values(f->dim, values[q->filter_count - 1]);
	}
}

static void test_random_queries(void **state)
{
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	assert_int_equal(write_samples(f.store, 1, samples, SAMPLES), STORE_OK);
	for (int i = 0; i < 200; i++) {
		struct store_query q;
		struct store_filter filters[DIMENSION_COUNT];
		struct dim_value values[DIMENSION_COUNT][4];
		random_query(&q, filters, values);
		check_query(f.reader, &q, SAMPLES);
	}
	close_fixture(&f);
}

#define REPEATED 20

/* The same questions again and again, by two readers, while rows come, most of them late: no answer is an old one. */
static void test_asked_again(void **state)
{
	struct fixture f;
	struct store_reader *second;
	static struct store_query q[REPEATED];
	static struct store_filter filters[REPEATED][DIMENSION_COUNT];
	static struct dim_value values[REPEATED][DIMENSION_COUNT][4];
	open_fixture(&f, (const uint64_t[])FOREVER);
	assert_int_equal(contract->ops->reader_open(f.store, &second, NULL), 0);
	make_samples();
	for (size_t i = 0; i < REPEATED; i++)
		random_query(&q[i], filters[i], values[i]);
	for (size_t at = 0, n; at < SAMPLES; at += n) {
		n = at ? SAMPLES / 4 : SAMPLES / 2;
		assert_int_equal(write_samples(f.store, at + 1, samples + at, n), STORE_OK);
		for (size_t i = 0; i < REPEATED; i++) {
			check_query(f.reader, &q[i], at + n);
			check_query(i % 2 ? f.reader : second, &q[i], at + n);
		}
	}
	contract->ops->reader_close(second);
	close_fixture(&f);
}

/* Which AS, router and network a prefix or a path had traffic of is asked with nothing else to lead there. */
static void test_prefixes_and_paths_again(void **state)
{
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	for (size_t at = 0; at < SAMPLES; at += SAMPLES / 4) {
		assert_int_equal(write_samples(f.store, at + 1, samples + at, SAMPLES / 4), STORE_OK);
		for (size_t i = 0; i < 30; i++) {
			struct dim_value values[3];
			enum dimension dim = i % 2 ? DIM_prefix : DIM_path;
			struct store_filter filter = {.dim = dim, .values = values, .value_count = 1 + i % 3};
			for (size_t v = 0; v < filter.value_count; v++)
				values[v] = value_from_number(&world, dim, wt_random_below(dim == DIM_prefix ? WORLD_PREFIXES : WORLD_PATHS));
			int level = (int)(i / 2 % LEVEL_COUNT);
			struct store_query q = {.cube = CUBE_flow, .segments = {{(enum store_level)level, T0, T0 + 2 * 86400}},
				.segment_count = 1, .dims = DIM_BIT(dim) | (i % 5 ? 0 : DIM_BIT(DIM_router)), .filters = &filter,
				.filter_count = 1};
			check_query(f.reader, &q, at + SAMPLES / 4);
		}
	}
	close_fixture(&f);
}

static void test_values_never_written_match_nothing(void **state)
{
	struct fixture f;
	size_t n = 0;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	assert_int_equal(write_samples(f.store, 1, samples, SAMPLES), STORE_OK);
	struct dim_value stranger = {.known = true, .bytes = {(const uint8_t *)"never' OR 1", 11}};
	struct store_filter filter = {.dim = DIM_router, .values = &stranger, .value_count = 1};
	struct store_query q = {
		.cube = CUBE_total,
		.segments = {{LEVEL_day, T0, T0 + 3 * 86400}},
		.segment_count = 1,
		.filters = &filter,
		.filter_count = 1,
	};
	assert_int_equal(contract->ops->query(f.reader, &q, count_row, &n, NULL), 0);
	assert_int_equal(n, 0);
	filter.negate = true;
	assert_int_equal(contract->ops->query(f.reader, &q, count_row, &n, NULL), 0);
	assert_true(n > 0);
	close_fixture(&f);
}

static int keep_path(void *ctx, const struct store_row *row)
{
	struct view *v = ctx;
	uint8_t *copy = malloc(row->values[DIM_path].bytes.len);
	assert_true(row->values[DIM_path].known);
	memcpy(copy, row->values[DIM_path].bytes.data, row->values[DIM_path].bytes.len);
	*v = (struct view){copy, row->values[DIM_path].bytes.len};
	return 0;
}

static void test_longest_path(void **state)
{
	struct fixture f;
	struct flow_table *t;
	struct flow_key key = {.minute = T0};
	struct view back = {0};
	uint8_t *bytes = malloc(PATH_BYTES_MAX);
	struct wr w = wr_make(bytes, PATH_BYTES_MAX);
	uint32_t asn = 1;
	while (wr_left(&w) >= 2 + 255 * 4) {
		wr_u8(&w, PATH_SEQUENCE);
		wr_u8(&w, 255);
		for (int i = 0; i < 255; i++)
			wr_u32(&w, asn++ * 7);
	}
	struct view path = {bytes, wr_len(&w)};
	assert_true(path_valid(path));

	open_fixture(&f, (const uint64_t[])FOREVER);
	assert_int_equal(flow_table_new(&t), 0);
	assert_int_equal(flow_table_path(t, path, &key.path), 0);
	flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = 5;
	struct store_batch batch = {.collector = "test1", .id = 1, .flows = t};
	assert_int_equal(contract->ops->write_batch(f.store, &batch, NULL), STORE_OK);
	struct dim_value value = {.known = true, .bytes = path}, via = {.known = true, .number = (asn - 1) * 7};
	struct store_filter filters[] = {{.dim = DIM_path, .values = &value, .value_count = 1},
		{.dim = DIM_via, .values = &via, .value_count = 1}};
	struct store_query q = {
		.cube = CUBE_flow,
		.segments = {{LEVEL_minute, T0, T0 + 60}},
		.segment_count = 1,
		.dims = DIM_BIT(DIM_path),
		.filters = filters,
		.filter_count = 2,
	};
	assert_int_equal(contract->ops->query(f.reader, &q, keep_path, &back, NULL), 0);
	assert_int_equal(back.len, path.len);
	assert_memory_equal(back.data, path.data, path.len);
	free((void *)back.data);
	free(bytes);
	flow_table_free(t);
	close_fixture(&f);
}

static int keep_oldest(void *ctx, const struct store_row *row)
{
	uint64_t *t = ctx;
	if (row->values[DIM_time].number < *t)
		*t = row->values[DIM_time].number;
	return 0;
}

static uint64_t oldest(struct store_reader *reader, enum store_cube cube, enum store_level level)
{
	uint64_t t = UINT64_MAX;
	struct store_query q = {
		.cube = cube,
		.segments = {{level, 0, T0 + 100 * 86400}},
		.segment_count = 1,
		.dims = DIM_BIT(DIM_time),
		.step_s = level_seconds[level],
	};
	assert_int_equal(contract->ops->query(reader, &q, keep_oldest, &t, NULL), 0);
	return t;
}

/* Retention of two hours, one day, forever; now is two days and 30 minutes after T0. */
static void test_retention(void **state)
{
	struct fixture f;
	const uint64_t now = T0 + 2 * 86400 + 1800;
	open_fixture(&f, (const uint64_t[]){7200, 86400, UINT64_MAX});
	make_samples();
	for (size_t i = 0; i < SAMPLES; i++)
		samples[i].minute = T0 + 60 * (uint32_t)wt_random_below(2 * 1440 + 30);
	assert_int_equal(write_samples(f.store, 1, samples, SAMPLES), STORE_OK);
	for (int i = 0; i < 10; i++)
		assert_int_equal(contract->ops->maintain(f.store, now, NULL), 0);
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		/* Kept: what ended after now - retention. */
		assert_true(oldest(f.reader, (enum store_cube)cube, LEVEL_minute) + 60 > now - 7200);
		assert_int_equal(oldest(f.reader, (enum store_cube)cube, LEVEL_hour), T0 + 86400);
		assert_int_equal(oldest(f.reader, (enum store_cube)cube, LEVEL_day), T0);
	}
	/* Late rows go only where their bucket would still be kept. */
	for (size_t i = 0; i < 100; i++)
		samples[i].minute = T0 + 60 * (uint32_t)i;
	assert_int_equal(write_samples(f.store, 2, samples, 100), STORE_OK);
	assert_true(oldest(f.reader, CUBE_total, LEVEL_minute) + 60 > now - 7200);
	assert_int_equal(oldest(f.reader, CUBE_flow, LEVEL_hour), T0 + 86400);
	close_fixture(&f);
}

/* ---- batches of one table ---- */

/* The samples as rows of the table: at the start of its buckets. */
static enum store_result write_only(struct store *store, uint64_t id, struct store_table table, size_t from, size_t n)
{
	struct sample floored[SAMPLES];
	memcpy(floored, samples + from, n * sizeof(*floored));
	for (size_t i = 0; i < n; i++)
		floored[i].minute = (uint32_t)level_floor(table.level, floored[i].minute);
	return contract_write(store, (struct store_batch){.collector = "copy of a store", .id = id, .only = &table}, &world, floored, n);
}

/* Each table is written apart and gets its own rows only; in two halves, which add. */
static void test_batches_of_one_table(void **state)
{
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	for (int i = 0; i < TABLE_COUNT; i++) {
		struct store_table table = table_at(i);
		uint64_t id = 10 * (uint64_t)(i + 1);
		assert_int_equal(write_only(f.store, id, table, 0, SAMPLES / 2), STORE_OK);
		assert_int_equal(write_only(f.store, id, table, 0, SAMPLES / 2), STORE_DUPLICATE);
		assert_true(count_rows(f.reader, table.cube, table.level) > 0);
		for (int k = i + 1; k < TABLE_COUNT; k++)
			assert_int_equal(count_rows(f.reader, table_at(k).cube, table_at(k).level), 0);
		assert_int_equal(write_only(f.store, id + 1, table, SAMPLES / 2, SAMPLES / 2), STORE_OK);
	}
	check_everything(f.reader, SAMPLES);
	/* A collector's own batch adds to them like to any others. */
	assert_int_equal(write_samples(f.store, 1, samples, 0), STORE_OK);
	check_everything(f.reader, SAMPLES);
	close_fixture(&f);
}

static size_t rows_older(struct store_reader *reader, enum store_level level, uint64_t end)
{
	size_t n = 0;
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		struct store_query q = {.cube = (enum store_cube)cube, .segments = {{level, 0, level_floor(level, end)}},
			.segment_count = 1, .dims = cube_dims[cube] | DIM_BIT(DIM_time), .step_s = level_seconds[level]};
		assert_int_equal(contract->ops->query(reader, &q, count_row, &n, NULL), 0);
	}
	return n;
}

/* A backlog of old rows is worked off by several calls, each of which says so; nothing that is kept goes. */
static void test_retention_in_shares(void **state)
{
	struct fixture f;
	const uint64_t retention[] = {7200, 86400, UINT64_MAX};
	const uint64_t now = T0 + 3 * 86400;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	assert_int_equal(write_samples(f.store, 1, samples, SAMPLES), STORE_OK);
	/* What a store does with new rows is done. */
	assert_int_equal(contract->ops->maintain(f.store, now, NULL), 0);
	size_t kept = rows_older(f.reader, LEVEL_hour, now) - rows_older(f.reader, LEVEL_hour, now - 86400);
	close_fixture(&f);

	struct store_config config = {.url = f.url, .share_rows = 400};
	memcpy(config.retention_s, retention, sizeof(config.retention_s));
	assert_int_equal(contract->ops->open(&config, &f.store, NULL), 0);
	assert_int_equal(contract->ops->reader_open(f.store, &f.reader, NULL), 0);
	size_t old = rows_older(f.reader, LEVEL_minute, now - 7200) + rows_older(f.reader, LEVEL_hour, now - 86400);
	int r, calls = 0;
	while ((r = contract->ops->maintain(f.store, now, NULL)) == 1) {
		size_t left = rows_older(f.reader, LEVEL_minute, now - 7200) + rows_older(f.reader, LEVEL_hour, now - 86400);
		assert_true(left < old || !left);
		old = left;
		calls++;
	}
	assert_int_equal(r, 0);
	assert_true(contract->in_shares ? calls > 3 : calls == 0);
	assert_int_equal(rows_older(f.reader, LEVEL_minute, now - 7200), 0);
	assert_int_equal(rows_older(f.reader, LEVEL_hour, now - 86400), 0);
	assert_int_equal(rows_older(f.reader, LEVEL_hour, now), kept);
	assert_true(count_rows(f.reader, CUBE_flow, LEVEL_day) > 0);
	close_fixture(&f);
}

static int stop_at_once(void *ctx, const struct store_row *row)
{
	(*(int *)ctx)++;
	return -ECANCELED;
}

static void test_query_ends_early(void **state)
{
	struct fixture f;
	int calls = 0;
	struct error err;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	assert_int_equal(write_samples(f.store, 1, samples, SAMPLES), STORE_OK);
	struct store_query q = {
		.cube = CUBE_flow,
		.segments = {{LEVEL_minute, T0, T0 + 3 * 86400}},
		.segment_count = 1,
		.dims = cube_dims[CUBE_flow],
	};
	assert_int_equal(contract->ops->query(f.reader, &q, stop_at_once, &calls, NULL), -ECANCELED);
	assert_int_equal(calls, 1);
	q.deadline_ns = 1;
	assert_int_equal(contract->ops->query(f.reader, &q, stop_at_once, &calls, &err), -ETIMEDOUT);
	q.deadline_ns = 0;
	check_query(f.reader, &q, SAMPLES);
	close_fixture(&f);
}

/* ---- readers beside the writer ---- */

struct concurrent {
	struct store *store;
	atomic_bool done;
	atomic_int answers;
};

static int add_bytes(void *ctx, const struct store_row *row)
{
	*(uint64_t *)ctx += row->m.v[MEASURE_bytes_sent];
	return 0;
}

/* Within one snapshot every cube and level has the same total, and it never shrinks. */
static void *read_on(void *ctx)
{
	struct concurrent *c = ctx;
	struct store_reader *reader;
	uint64_t before = 0;
	bool ok = contract->ops->reader_open(c->store, &reader, NULL) == 0;
	while (ok && !atomic_load(&c->done)) {
		uint64_t sums[3] = {0};
		struct store_query q = {
			.segments = {{LEVEL_minute, T0, T0 + 3 * 86400}},
			.segment_count = 1,
			.keep_snapshot = true,
		};
		ok &= contract->ops->query(reader, &q, add_bytes, &sums[0], NULL) == 0;
		q.cube = CUBE_flow;
		q.segments[0].level = LEVEL_day;
		ok &= contract->ops->query(reader, &q, add_bytes, &sums[1], NULL) == 0;
		q.cube = CUBE_origin_by;
		q.segments[0].level = LEVEL_hour;
		q.keep_snapshot = false;
		ok &= contract->ops->query(reader, &q, add_bytes, &sums[2], NULL) == 0;
		if (contract->ops->snapshots)
			ok &= sums[0] == sums[1] && sums[1] == sums[2] && sums[0] >= before;
		before = sums[0];
		atomic_fetch_add(&c->answers, 1);
	}
	contract->ops->reader_close(reader);
	return ok ? ctx : NULL;
}

static void test_readers_beside_the_writer(void **state)
{
	struct fixture f;
	pthread_t threads[3];
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	struct concurrent c = {.store = f.store};
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, &c), 0);
	uint64_t id = 1;
	for (size_t at = 0; at < SAMPLES; at += 60) {
		assert_int_equal(write_samples(f.store, id++, samples + at, 60), STORE_OK);
		assert_int_equal(contract->ops->maintain(f.store, T0 + id * 3600, NULL), 0);
	}
	while (atomic_load(&c.answers) < 10)
		sched_yield();
	atomic_store(&c.done, true);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *ok;
		assert_int_equal(pthread_join(threads[i], &ok), 0);
		assert_non_null(ok);
	}
	check_everything(f.reader, SAMPLES);
	close_fixture(&f);
}

/* ---- killed in the middle ---- */

#define KILL_BATCH 40

static void write_until_killed(const char *url, int fd, uint64_t from)
{
	struct store *s = open_store(url, (const uint64_t[])FOREVER);
	for (uint64_t id = from; (id - 1) * KILL_BATCH < SAMPLES; id++) {
		if (write(fd, "b", 1) != 1)
			_exit(1);
		if (write_samples(s, id, samples + (id - 1) * KILL_BATCH, KILL_BATCH) != STORE_OK)
			_exit(1);
	}
	_exit(0);
}

void contract_kill_writer(const char *url, uint64_t from, contract_writer_fn *run)
{
	int fds[2];
	char c;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run(url, fds[1], from);
	close(fds[1]);
	/* Some batches later, at any point within one, going by how long the last one took. */
	uint64_t begin_ns = 0, took_ns = 0;
	for (uint64_t n = 2 + wt_random_below(4); n && read(fds[0], &c, 1) == 1; n--) {
		uint64_t now_ns = clock_mono_ns();
		took_ns = begin_ns ? now_ns - begin_ns : 0;
		begin_ns = now_ns;
	}
	uint64_t until = clock_mono_ns() + wt_random_below(took_ns + took_ns / 4 + 1);
	while (clock_mono_ns() < until)
		;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
}

static void test_killed_writer(void **state)
{
	struct fixture f;
	uint64_t last = 0;
	contract->fresh_url(f.url, sizeof(f.url));
	make_samples();
	for (int round = 0; round < 8 && last < SAMPLES / KILL_BATCH; round++) {
		contract_kill_writer(f.url, last + 1, write_until_killed);
		f.store = open_store(f.url, (const uint64_t[])FOREVER);
		assert_int_equal(contract->ops->last_batch(f.store, "test1", &last, NULL), 0);
		contract->ops->close(f.store);
	}
	f.store = open_store(f.url, (const uint64_t[])FOREVER);
	assert_int_equal(contract->ops->reader_open(f.store, &f.reader, NULL), 0);
	for (uint64_t id = 1; (id - 1) * KILL_BATCH < SAMPLES; id++)
		assert_int_equal(write_samples(f.store, id, samples + (id - 1) * KILL_BATCH, KILL_BATCH),
			id <= last ? STORE_DUPLICATE : STORE_OK);
	check_everything(f.reader, SAMPLES);
	close_fixture(&f);
}

int store_contract_run(const struct store_contract *c)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cube_and_level),
		cmocka_unit_test(test_batches_apply_once_and_add),
		cmocka_unit_test(test_reopening),
		cmocka_unit_test(test_zero_rows_are_not_stored),
		cmocka_unit_test(test_random_queries),
		cmocka_unit_test(test_asked_again),
		cmocka_unit_test(test_prefixes_and_paths_again),
		cmocka_unit_test(test_kept_is_found),
		cmocka_unit_test(test_ways_are_found),
		cmocka_unit_test(test_rows_that_share),
		cmocka_unit_test(test_kept_beside_a_snapshot),
		cmocka_unit_test(test_kept_and_retention),
		cmocka_unit_test(test_sums_by_via),
		cmocka_unit_test(test_values_never_written_match_nothing),
		cmocka_unit_test(test_longest_path),
		cmocka_unit_test(test_retention),
		cmocka_unit_test(test_retention_in_shares),
		cmocka_unit_test(test_batches_of_one_table),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_collectors),
		cmocka_unit_test(test_query_ends_early),
		cmocka_unit_test(test_readers_beside_the_writer),
		cmocka_unit_test(test_killed_writer),
		cmocka_unit_test(test_odd_values),
		cmocka_unit_test(test_largest_values),
		cmocka_unit_test(test_changes_come_back),
		cmocka_unit_test(test_changes_apply_once),
		cmocka_unit_test(test_changes_of_one_moment),
		cmocka_unit_test(test_changes_limit_and_range),
		cmocka_unit_test(test_changes_by_pages),
		cmocka_unit_test(test_changes_within_a_network),
		cmocka_unit_test(test_changes_with_odd_paths),
		cmocka_unit_test(test_changes_retention),
		cmocka_unit_test(test_changes_end_early),
		cmocka_unit_test(test_changes_beside_rows),
		cmocka_unit_test(test_changes_killed_writer),
		cmocka_unit_test(test_server_goes_away), /* the last: where there is a server */
	};
	contract = c;
	return _cmocka_run_group_tests("contract", tests, ARRAY_LEN(tests) - !c->server, NULL, NULL);
}

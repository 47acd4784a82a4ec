/* SPDX-License-Identifier: BSD-2-Clause */

/* Stores that keep sums (store_ops.kept): what they keep is never given for what the tables have no longer. Answers of a store
 * that was asked before are held against those of one that was just opened, which keeps nothing yet. */

#include "fixture.h"

#include "store/groups.h"

#define SAMPLES 800
#define LATE    20
#define DAYS    3

static struct world world;
static struct sample samples[SAMPLES];

static void make_samples(void)
{
	world_make(&world);
	for (size_t i = 0; i < SAMPLES; i++)
		sample_make(&samples[i], T0 + 60 * (uint32_t)wt_random_below(DAYS * 1440));
}

static enum store_result write_some(struct store *store, const char *collector, uint64_t id, size_t from, size_t n)
{
	return contract_write(store, (struct store_batch){.collector = collector, .id = id}, &world, samples + from, n);
}

/* ---- questions ---- */

static const struct {
	enum store_cube cube;
	enum store_level level;
	uint32_t dims;
} questions[] = {
	{CUBE_flow, LEVEL_hour, DIM_BIT(DIM_prefix)},
	{CUBE_flow, LEVEL_minute, DIM_BIT(DIM_path) | DIM_BIT(DIM_router)},
	{CUBE_flow, LEVEL_day, DIM_BIT(DIM_match)},
	{CUBE_flow, LEVEL_hour, DIM_BIT(DIM_via)},
	{CUBE_flow, LEVEL_hour, DIM_BIT(DIM_router) | DIM_BIT(DIM_path)},
	{CUBE_flow, LEVEL_hour, DIM_BIT(DIM_router) | DIM_BIT(DIM_neighbour) | DIM_BIT(DIM_origin)},
	{CUBE_origin, LEVEL_hour, DIM_BIT(DIM_origin) | DIM_BIT(DIM_time)},
	{CUBE_country, LEVEL_minute, DIM_BIT(DIM_country) | DIM_BIT(DIM_time)},
	{CUBE_total, LEVEL_day, 0},
	{CUBE_total, LEVEL_hour, DIM_BIT(DIM_type)},
};

struct answer {
	const struct store_query *q;
	struct groups sums;
};

static void answer_done(struct answer *a)
{
	groups_done(&a->sums);
}

static int on_row(void *ctx, const struct store_row *row)
{
	struct answer *a = ctx;
	uint64_t key[DIMENSION_COUNT] = {0};
	uint32_t at;
	for (int d = 0; d < DIMENSION_COUNT; d++) {
		const struct dim_value *v = &row->values[d];
		if (!(a->q->dims & DIM_BIT(d)))
			continue;
		key[d] = d == DIM_via ? v->known ? v->number + 1 : 0 : d == DIM_time ? v->number : value_number(&world, (enum dimension)d, v);
	}
	assert_int_equal(groups_get(&a->sums, key, &at), 0);
	for (int m = 0; m < MEASURE_COUNT; m++)
		groups_sums(&a->sums, at)[m] += row->m.v[m];
	return 0;
}

static void ask(struct store_reader *reader, size_t question, bool keep_snapshot, struct answer *ret)
{
	struct error err = {0};
	struct store_query q = {.cube = questions[question].cube, .segments = {{questions[question].level, T0, T0 + DAYS * 86400}},
		.segment_count = 1, .dims = questions[question].dims, .step_s = 86400, .keep_snapshot = keep_snapshot};
	*ret = (struct answer){.q = &q};
	groups_init(&ret->sums, DIMENSION_COUNT, MEASURE_COUNT, INDEX_NONE - 1);
	if (contract->ops->query(reader, &q, on_row, ret, &err) < 0)
		fail_msg("query: %s", err.text);
	ret->q = NULL;
}

static void check_same(const struct answer *a, const struct answer *b)
{
	assert_int_equal(a->sums.count, b->sums.count);
	for (uint32_t i = 0; i < a->sums.count; i++) {
		uint32_t at = groups_find(&b->sums, groups_key(&a->sums, i));
		assert_int_not_equal(at, INDEX_NONE);
		assert_memory_equal(groups_sums(&a->sums, i), groups_sums(&b->sums, at), MEASURE_COUNT * sizeof(uint64_t));
	}
}

static uint64_t bytes_of(const struct answer *a)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < a->sums.count; i++)
		sum += groups_sums(&a->sums, i)[MEASURE_bytes_sent];
	return sum;
}

static bool is_asked(size_t question)
{
	return contract->ops->via || !(questions[question].dims & DIM_BIT(DIM_via));
}

/* Every question, of the reader twice and of a store that was just opened. */
static void check_against_fresh(const struct fixture *f)
{
	struct store *fresh = open_store(f->url, (const uint64_t[])FOREVER);
	struct store_reader *reader;
	assert_int_equal(contract->ops->reader_open(fresh, &reader, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		if (!is_asked(i))
			continue;
		CLEANUP(answer_done) struct answer expected, first, second;
		ask(reader, i, false, &expected);
		ask(f->reader, i, false, &first);
		ask(f->reader, i, false, &second);
		check_same(&expected, &first);
		check_same(&expected, &second);
	}
	contract->ops->reader_close(reader);
	contract->ops->close(fresh);
}

static struct store_kept kept_of(const struct fixture *f)
{
	struct store_kept k;
	contract->ops->kept(f->store, &k);
	return k;
}

/* ---- the tests ---- */

/* Asked again nothing is read from the tables, by another reader neither; after a change only what changed. */
void test_kept_is_found(void **state)
{
	struct fixture f;
	struct store_reader *second;
	if (!contract->ops->kept)
		return;
	open_fixture(&f, (const uint64_t[])FOREVER);
	assert_int_equal(contract->ops->reader_open(f.store, &second, NULL), 0);
	make_samples();
	assert_int_equal(write_some(f.store, "a", 1, 0, SAMPLES - 1), STORE_OK);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		if (questions[i].level != LEVEL_hour || !is_asked(i))
			continue;
		CLEANUP(answer_done) struct answer first, again, other, late;
		ask(f.reader, i, false, &first);
		struct store_kept before = kept_of(&f);
		assert_true(before.read > 0 && before.bytes > 0);
		ask(f.reader, i, false, &again);
		ask(second, i, false, &other);
		struct store_kept after = kept_of(&f);
		assert_int_equal(after.read, before.read);
		assert_true(after.found >= before.found + 2 * DAYS);
		check_same(&first, &again);
		check_same(&first, &other);
		/* One hour more. */
		assert_int_equal(write_some(f.store, "a", 2 + i, SAMPLES - 1, 1), STORE_OK);
		ask(second, i, false, &late);
		assert_true(late.sums.count >= first.sums.count);
		assert_true(kept_of(&f).read <= after.read + 1);
		assert_true(kept_of(&f).found >= after.found + 2);
	}
	check_against_fresh(&f);
	contract->ops->reader_close(second);
	close_fixture(&f);
}

/* A reader in an older snapshot sees, and keeps, what that has; a batch of a second collector changes what the others see. */
void test_kept_beside_a_snapshot(void **state)
{
	struct fixture f;
	struct store_reader *second;
	if (!contract->ops->kept || !contract->ops->snapshots)
		return;
	open_fixture(&f, (const uint64_t[])FOREVER);
	struct store *other = open_store(f.url, (const uint64_t[])FOREVER);
	assert_int_equal(contract->ops->reader_open(f.store, &second, NULL), 0);
	make_samples();
	assert_int_equal(write_some(f.store, "a", 1, 0, SAMPLES / 2), STORE_OK);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		if (!is_asked(i))
			continue;
		CLEANUP(answer_done) struct answer old, fresh, kept, again, last;
		ask(f.reader, i, true, &old); /* begins the snapshot */
		assert_int_equal(write_some(other, "b", 1 + i, SAMPLES / 2 + i * LATE, LATE), STORE_OK);
		ask(second, i, false, &fresh);
		ask(f.reader, i, true, &kept);
		ask(second, i, false, &again);
		ask(f.reader, i, true, &last);
		check_same(&old, &kept);
		check_same(&old, &last);
		check_same(&fresh, &again);
		assert_true(bytes_of(&fresh) > bytes_of(&old));
		struct answer end;
		ask(f.reader, i, false, &end); /* still in it, and ends it */
		check_same(&old, &end);
		answer_done(&end);
		ask(f.reader, i, false, &end);
		check_same(&fresh, &end);
		answer_done(&end);
	}
	check_against_fresh(&f);
	contract->ops->reader_close(second);
	contract->ops->close(other);
	close_fixture(&f);
}

/* Rows go by retention, some at once and piece by piece, while others come late for what is going; two collectors keep house. */
void test_kept_and_retention(void **state)
{
	static const uint64_t retention[] = {7200, 86400, 2 * 86400};
	struct fixture f;
	struct store *other;
	struct error err = {0};
	if (!contract->ops->kept)
		return;
	contract->fresh_url(f.url, sizeof(f.url));
	struct store_config config = {.url = f.url, .share_rows = 100};
	memcpy(config.retention_s, retention, sizeof(config.retention_s));
	assert_int_equal(contract->ops->open(&config, &f.store, NULL), 0);
	assert_int_equal(contract->ops->open(&config, &other, NULL), 0);
	assert_int_equal(contract->ops->reader_open(f.store, &f.reader, NULL), 0);
	make_samples();
	assert_int_equal(write_some(f.store, "a", 1, 0, SAMPLES / 2), STORE_OK);
	for (uint64_t round = 0, now = T0 + 3600; now < T0 + 6 * 86400; round++, now += 6 * 3600 + wt_random_below(12 * 3600)) {
		check_against_fresh(&f);
		assert_int_equal(write_some(round % 2 ? f.store : other, round % 2 ? "a" : "b", 2 + round,
			wt_random_below(SAMPLES - LATE), LATE), STORE_OK);
		check_against_fresh(&f);
		int r = contract->ops->maintain(round % 3 ? f.store : other, now, &err);
		if (r < 0)
			fail_msg("maintain: %s", err.text);
	}
	check_against_fresh(&f);
	contract->ops->reader_close(f.reader);
	contract->ops->close(other);
	contract->ops->close(f.store);
}

/* Whatever routers and paths tell is found once one question has read the rows; the newest hour is not. */
void test_ways_are_found(void **state)
{
	struct fixture f;
	uint64_t read = 0;
	if (!contract->ops->kept || strcmp(contract->ops->scheme, "sqlite") != 0)
		return;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	assert_int_equal(write_some(f.store, "a", 1, 0, SAMPLES), STORE_OK);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		uint32_t told = DIM_BIT(DIM_router) | DIM_BIT(DIM_path) | DIM_BIT(DIM_via) | DIM_BIT(DIM_neighbour) | DIM_BIT(DIM_origin);
		CLEANUP(answer_done) struct answer found = {.q = NULL};
		if (questions[i].cube != CUBE_flow || questions[i].level != LEVEL_hour || questions[i].dims & ~told)
			continue;
		ask(f.reader, i, false, &found);
		assert_true(!read || kept_of(&f).read <= read + 1);
		read = kept_of(&f).read;
		assert_true(read >= DAYS);
	}
	check_against_fresh(&f);
	close_fixture(&f);
}

/* By prefix and router. */
static void ask_prefixes(const struct fixture *f, enum dimension shared, struct answer *ret)
{
	struct error err = {0};
	struct store_query q = {.cube = CUBE_flow, .segments = {{LEVEL_hour, T0, T0 + DAYS * 86400}}, .segment_count = 1,
		.dims = DIM_BIT(DIM_prefix) | DIM_BIT(DIM_router), .shared = shared};
	*ret = (struct answer){.q = &q};
	groups_init(&ret->sums, DIMENSION_COUNT, MEASURE_COUNT, INDEX_NONE - 1);
	if (contract->ops->query(f->reader, &q, on_row, ret, &err) < 0)
		fail_msg("query: %s", err.text);
	ret->q = NULL;
}

/* Of prefixes with one router no row comes where only those of several routers are wanted, of the others all do; the first time, and from what
 * is kept. */
void test_rows_that_share(void **state)
{
	struct fixture f;
	size_t alone = 0;
	if (!contract->ops->kept)
		return;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	for (uint64_t id = 1; id <= 8; id++) {
		CLEANUP(answer_done) struct answer first, again, all;
		assert_int_equal(write_some(f.store, "a", id, (id - 1) * 10, 10), STORE_OK);
		ask_prefixes(&f, DIM_prefix, &first);
		ask_prefixes(&f, DIM_prefix, &again);
		ask_prefixes(&f, DIM_time, &all);
		check_same(&first, &again);
		size_t expected = 0;
		for (uint32_t i = 0; i < all.sums.count; i++) {
			size_t same = 0;
			for (uint32_t k = 0; k < all.sums.count; k++)
				same += groups_key(&all.sums, k)[DIM_prefix] == groups_key(&all.sums, i)[DIM_prefix];
			uint32_t at = groups_find(&first.sums, groups_key(&all.sums, i));
			assert_int_equal(at != INDEX_NONE, same > 1);
			if (at != INDEX_NONE)
				assert_memory_equal(groups_sums(&first.sums, at), groups_sums(&all.sums, i), MEASURE_COUNT * sizeof(uint64_t));
			expected += same > 1;
		}
		assert_int_equal(first.sums.count, expected);
		alone += all.sums.count - expected;
	}
	assert_true(alone > 0);
	close_fixture(&f);
}

/* Sums by AS on the path, also of paths without any, against a list of the samples. */
void test_sums_by_via(void **state)
{
	struct fixture f;
	if (!contract->ops->via)
		return;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	assert_int_equal(write_some(f.store, "a", 1, 0, SAMPLES), STORE_OK);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		if (questions[i].dims != DIM_BIT(DIM_via))
			continue;
		CLEANUP(answer_done) struct answer found, expected = {.q = NULL};
		groups_init(&expected.sums, DIMENSION_COUNT, MEASURE_COUNT, INDEX_NONE - 1);
		for (size_t s = 0; s < SAMPLES; s++) {
			const struct world_path *p = &world.paths[samples[s].path];
			struct store_row row = {.m = samples[s].m};
			expected.q = &(struct store_query){.dims = DIM_BIT(DIM_via)};
			for (size_t m = 0; m < p->member_count; m++) {
				row.values[DIM_via] = (struct dim_value){.known = true, .number = p->members[m]};
				(void)on_row(&expected, &row);
			}
			if (!p->member_count)
				(void)on_row(&expected, &row);
		}
		ask(f.reader, i, false, &found);
		check_same(&expected, &found);
	}
	close_fixture(&f);
}

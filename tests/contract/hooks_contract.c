/* SPDX-License-Identifier: BSD-2-Clause */

/* What a store tells about itself: its version, the ranges of its tables, its collectors. */

#include "fixture.h"

#include <errno.h>

#include "store/schema.h"

static struct world world;
static struct sample samples[2];

static void make_samples(void)
{
	world_make(&world);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		sample_make(&samples[i], T0 + 60 * (uint32_t)wt_random_below(3 * 1440));
}

void test_look(void **state)
{
	struct fixture f;
	struct store_look look;
	contract->fresh_url(f.url, sizeof(f.url));
	for (int i = 0; i < 2; i++) { /* the first look has made nothing */
		assert_int_equal(contract->ops->look(f.url, &look, NULL), 0);
		assert_int_equal(look.version, 0);
		assert_true(look.known > 0 && *look.name);
	}
	f.store = open_store(f.url, (const uint64_t[])FOREVER);
	for (int i = 0; i < 2; i++) { /* while it is open, and after */
		assert_int_equal(contract->ops->look(f.url, &look, NULL), 0);
		assert_int_equal(look.version, look.known);
		if (i == 0)
			contract->ops->close(f.store);
	}
}

/* Where the table begins and ends by the first n samples; false: nowhere. */
static bool naive_range(struct store_table table, size_t n, uint64_t ret[static 2])
{
	for (size_t i = 0; i < n; i++) {
		uint64_t ts = level_floor(table.level, samples[i].minute);
		ret[0] = i == 0 || ts < ret[0] ? ts : ret[0];
		ret[1] = i == 0 || ts > ret[1] ? ts : ret[1];
	}
	return n > 0;
}

void test_range(void **state)
{
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	for (size_t n = 0; n <= 2; n++) {
		if (n)
			assert_int_equal(contract_write(f.store, (struct store_batch){.collector = "test1", .id = n}, &world, samples + n - 1, 1), STORE_OK);
		for (int i = 0; i < TABLE_COUNT; i++) {
			uint64_t range[2] = {0}, expected[2] = {0};
			bool any = naive_range(table_at(i), n, expected);
			assert_int_equal(contract->ops->range(f.store, table_at(i), range, NULL), any);
			assert_memory_equal(range, expected, sizeof(range));
		}
	}
	close_fixture(&f);
}

struct collector_list {
	const char *const *names;
	size_t at, stop_at;
};

static int on_collector(void *ctx, const char *name, uint64_t last)
{
	struct collector_list *l = ctx;
	assert_non_null(l->names[l->at]);
	assert_string_equal(name, l->names[l->at++]);
	assert_int_equal(last, 1000 + l->at);
	return l->at == l->stop_at ? -ECANCELED : 0;
}

void test_collectors(void **state)
{
	/* In the order of their bytes. */
	static const char *const names[] = {"Amsterdam", "ams-1", "ams1", "copy of a store", "o'neil \"x\"", "zürich", NULL};
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_samples();
	assert_int_equal(contract->ops->collectors(f.store, on_collector, &(struct collector_list){0}, NULL), 0);
	for (size_t i = ARRAY_LEN(names) - 1; i--; )
		for (uint64_t id = 999 + i; id < 1002 + i; id++)
			assert_int_equal(contract_write(f.store, (struct store_batch){.collector = names[i], .id = id}, &world, samples, id % 2),
				STORE_OK);
	struct collector_list l = {.names = names};
	assert_int_equal(contract->ops->collectors(f.store, on_collector, &l, NULL), 0);
	assert_null(names[l.at]);
	l = (struct collector_list){.names = names, .stop_at = 2};
	assert_int_equal(contract->ops->collectors(f.store, on_collector, &l, NULL), -ECANCELED);
	assert_int_equal(l.at, 2);
	close_fixture(&f);
}

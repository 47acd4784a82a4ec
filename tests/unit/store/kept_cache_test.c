/* SPDX-License-Identifier: BSD-2-Clause */

/* What is taken is what was given last under its key, in the same state; and the memory has a bound. */

#include <pthread.h>
#include <stdlib.h>

#include "store/kept_cache.h"
#include "wt_test.h"

#define KEYS     50
#define BYTES    100000
#define DATA_MAX 4000

static uint8_t data[DATA_MAX];

static struct view key_of(uint32_t n, char buf[static 16])
{
	return (struct view){(const uint8_t *)buf, (size_t)snprintf(buf, 16, "key %u", n)};
}

static void give(struct kept_cache *c, uint32_t n, uint64_t change, uint64_t rows, size_t len)
{
	char buf[16];
	kept_cache_give(c, key_of(n, buf), &(struct kept_state){1, change, change}, &(struct kept_sums){{data, len}, rows, false});
}

static const struct kept_sums *take(struct kept_cache *c, uint32_t n, uint64_t change)
{
	char buf[16];
	return kept_cache_take(c, key_of(n, buf), &(struct kept_state){1, change, change});
}

static void test_against_a_list(void **state)
{
	struct kept_cache *c;
	struct {
		uint64_t change;
		uint64_t rows;
		size_t len;
	} list[KEYS] = {{0}};
	uint64_t taken = 0;
	assert_int_equal(kept_cache_new(BYTES, &c), 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (uint64_t i = 1; i < 20000; i++) {
		uint32_t n = (uint32_t)wt_random_below(KEYS);
		if (wt_random_below(2)) {
			list[n].change = wt_random_below(3);
			list[n].rows = i;
			list[n].len = wt_random_below(DATA_MAX);
			give(c, n, list[n].change, list[n].rows, list[n].len);
		}
		uint64_t change = wt_random_below(3);
		const struct kept_sums *e = take(c, n, change);
		if (!e)
			continue;
		assert_true(list[n].rows && change == list[n].change);
		assert_int_equal(e->rows, list[n].rows);
		assert_int_equal(e->data.len, list[n].len);
		assert_memory_equal(e->data.data, data, list[n].len);
		kept_cache_release(c, e);
		taken++;
	}
	assert_true(taken > 1000);
	kept_cache_free(c);
}

static void test_the_oldest_go_first(void **state)
{
	struct kept_cache *c;
	assert_int_equal(kept_cache_new(BYTES, &c), 0);
	give(c, 0, 1, 1, DATA_MAX);
	const struct kept_sums *held = take(c, 0, 1);
	for (uint32_t n = 1; n < 200; n++) {
		give(c, n, 1, 1, DATA_MAX);
		const struct kept_sums *first = take(c, 1, 1); /* in use, so it stays */
		assert_non_null(first);
		kept_cache_release(c, first);
	}
	uint32_t there = 0;
	for (uint32_t n = 0; n < 200; n++) {
		const struct kept_sums *e = take(c, n, 1);
		there += e != NULL;
		if (e)
			kept_cache_release(c, e);
	}
	assert_true(there > BYTES / (DATA_MAX + 300) && there <= BYTES / DATA_MAX);
	assert_null(take(c, 0, 1));
	assert_memory_equal(held->data.data, data, DATA_MAX); /* gone from the table, and not from who has it */
	kept_cache_release(c, held);
	static uint8_t large[BYTES / 8 + 1];
	char buf[16];
	kept_cache_give(c, key_of(777, buf), &(struct kept_state){1, 1, 1}, &(struct kept_sums){{large, sizeof(large)}, 1, false});
	assert_null(take(c, 777, 1));
	kept_cache_free(c);
}

static void *use(void *ctx)
{
	for (uint32_t i = 0; i < 20000; i++) {
		give(ctx, i % KEYS, i % 3, i, i % DATA_MAX);
		const struct kept_sums *e = take(ctx, i * 7 % KEYS, i % 3);
		if (e && memcmp(e->data.data, data, e->data.len) != 0)
			return NULL;
		if (e)
			kept_cache_release(ctx, e);
	}
	return ctx;
}

static void test_threads(void **state)
{
	struct kept_cache *c;
	pthread_t threads[4];
	assert_int_equal(kept_cache_new(BYTES, &c), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, c), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *ok;
		assert_int_equal(pthread_join(threads[i], &ok), 0);
		assert_non_null(ok);
	}
	kept_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_the_oldest_go_first),
		cmocka_unit_test(test_threads),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

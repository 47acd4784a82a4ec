/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "store/groups.h"
#include "wt_test.h"

#define ROWS 500

/* Each row once; of keys of one or two words the small ones first, from the smallest up. */
static void check_order(const struct groups *g)
{
	uint32_t order[ROWS];
	bool seen[ROWS] = {false};
	groups_order(g, order);
	for (uint32_t i = 0; i < g->count; i++) {
		assert_true(order[i] < g->count && !seen[order[i]]);
		seen[order[i]] = true;
		const uint64_t *last = i > 0 ? groups_key(g, order[i - 1]) : NULL, *key = groups_key(g, order[i]);
		if (last && direct_fits(&g->direct, key)) {
			assert_true(direct_fits(&g->direct, last));
			assert_true(last[0] < key[0] || (g->key_words == 2 && last[0] == key[0] && last[1] < key[1]));
		}
	}
}

/* A word of so many bits at most. */
static uint64_t random_word(unsigned bits)
{
	return wt_random_below(UINT32_MAX) & ((1ull << wt_random_below(bits + 1)) - 1);
}

/* Random keys against a plain list, over several shapes in the same memory: of a few huge words, and of words that are
 * small in some rounds and in some not all of them. */
static void test_against_a_list(void **state)
{
	struct groups g;
	groups_init(&g, 0, 0, UINT32_MAX);
	for (int round = 0; round < 100; round++) {
		unsigned keys = 1 + (unsigned)wt_random_below(4), sums = (unsigned)wt_random_below(5);
		uint64_t list[ROWS][8] = {{0}};
		uint32_t count = 0;
		unsigned bits = 6 + (unsigned)wt_random_below(19);
		groups_reset(&g, keys, sums);
		for (int i = 0; i < ROWS; i++) {
			uint64_t key[4];
			uint32_t at = 0, row;
			for (unsigned k = 0; k < keys; k++)
				key[k] = round % 3 ? wt_random_below(5) << 62 >> wt_random_below(3) : random_word(bits);
			while (at < count && memcmp(list[at], key, keys * sizeof(*key)) != 0)
				at++;
			assert_int_equal(groups_find(&g, key), at < count ? at : INDEX_NONE);
			assert_int_equal(groups_get(&g, key, &row), 0);
			assert_int_equal(row, at);
			if (at == count)
				memcpy(list[count++], key, keys * sizeof(*key));
			for (unsigned s = 0; s < sums; s++) {
				list[at][4 + s % 4] += s < 4 ? s + (uint64_t)i : 0;
				groups_sums(&g, row)[s] += s + (uint64_t)i;
			}
		}
		assert_int_equal(g.count, count);
		if (round % 3 == 0 && keys <= DIRECT_WORDS && bits * keys <= DIRECT_BITS)
			assert_int_equal(g.index.count, 0);
		check_order(&g);
		for (uint32_t i = 0; i < count; i++) {
			assert_memory_equal(groups_key(&g, i), list[i], keys * sizeof(uint64_t));
			assert_memory_equal(groups_sums(&g, i), list[i] + 4, (sums < 4 ? sums : 4) * sizeof(uint64_t));
		}
		if (wt_random_below(4) == 0)
			groups_trim(&g, 0);
	}
	groups_done(&g);
}

static void test_limit(void **state)
{
	struct groups g;
	uint32_t row;
	groups_init(&g, 1, 1, 3);
	for (uint64_t key = 0; key < 3; key++)
		assert_int_equal(groups_get(&g, &key, &row), 0);
	uint64_t key = 3;
	assert_int_equal(groups_get(&g, &key, &row), -E2BIG);
	key = 1;
	assert_int_equal(groups_get(&g, &key, &row), 0);
	assert_int_equal(row, 1);
	groups_limit(&g, 1000);
	key = 3;
	assert_int_equal(groups_get(&g, &key, &row), 0);
	groups_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_limit),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

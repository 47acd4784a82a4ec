/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "store/order.h"
#include "wt_test.h"

#define ROWS  400
#define WORDS 5

static unsigned compared_words;

static int cmp_keys(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	for (unsigned i = 0; i < compared_words; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

/* Words of all widths: constant ones, a few bits far from zero, all 64. */
static uint64_t random_word(unsigned width)
{
	switch (width) {
	case 0:
		return 7;
	case 1:
		return (UINT64_C(1) << 40) + wt_random_below(3);
	case 2:
		return wt_random_below(1u << 20);
	case 3:
		return wt_random_below(4) ? wt_random() : wt_random_below(2) * UINT64_MAX;
	default:
		return UINT64_MAX - wt_random_below(2);
	}
}

/* Key words, and the row's number in the last one, which is its sum. */
static void add_rows(struct order *o, uint64_t rows[ROWS][WORDS + 1], uint32_t count)
{
	unsigned widths[WORDS];
	order_reset(o, compared_words);
	for (unsigned k = 0; k < compared_words; k++)
		widths[k] = (unsigned)wt_random_below(5);
	for (uint32_t i = 0; i < count; i++) {
		for (unsigned k = 0; k < compared_words; k++)
			rows[i][k] = random_word(widths[k]);
		if (i && wt_random_below(3) == 0)
			memcpy(rows[i], rows[wt_random_below(i)], compared_words * sizeof(uint64_t));
		rows[i][WORDS] = i + 1;
		order_add(o, rows[i], &rows[i][WORDS]);
	}
}

static void test_against_sorting(void **state)
{
	struct order o;
	struct groups g;
	assert_int_equal(order_init(&o, ROWS, WORDS), 0);
	groups_init(&g, 0, 0, INDEX_NONE - 1);
	for (int round = 0; round < 500; round++) {
		uint64_t rows[ROWS][WORDS + 1], sorted[ROWS][WORDS + 1];
		uint32_t count = round ? (uint32_t)wt_random_below(ROWS + 1) : 0, at = 0;
		compared_words = 1 + (unsigned)wt_random_below(WORDS);
		add_rows(&o, rows, count);
		memcpy(sorted, rows, sizeof(rows));
		qsort(sorted, count, sizeof(*sorted), cmp_keys);
		assert_int_equal(order_sum(&o, 1, &g), 0);
		for (uint32_t i = 0; i < g.count; i++) {
			uint64_t sum = 0;
			assert_memory_equal(groups_key(&g, i), sorted[at], compared_words * sizeof(uint64_t));
			do
				sum += sorted[at++][WORDS];
			while (at < count && cmp_keys(sorted[at - 1], sorted[at]) == 0);
			assert_int_equal(*groups_sums(&g, i), sum);
		}
		assert_int_equal(at, count);
	}
	groups_done(&g);
	order_done(&o);
}

static void test_limit(void **state)
{
	struct order o;
	struct groups g;
	uint64_t keys[] = {3, 1, 2, 1}, one = 1;
	assert_int_equal(order_init(&o, 4, 1), 0);
	groups_init(&g, 1, 1, 3);
	order_reset(&o, 1);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		order_add(&o, &keys[i], &one);
	assert_int_equal(order_sum(&o, 1, &g), 0);
	assert_int_equal(g.count, 3);
	g.max = 2;
	assert_int_equal(order_sum(&o, 1, &g), -E2BIG);
	groups_done(&g);
	order_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_sorting),
		cmocka_unit_test(test_limit),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

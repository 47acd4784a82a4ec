/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "query/values.h"
#include "wt_test.h"

#define VALUES 600

static char texts[VALUES][16];

static struct dim_value value_of(unsigned i, bool numbered)
{
	/* Some numbers are larger than those that are remembered. */
	uint64_t number = i % 50 ? i + 1 : (UINT64_C(1) << 40) + i;
	return (struct dim_value){.known = true, .number = numbered ? number : 0, .bytes = {(const uint8_t *)texts[i], strlen(texts[i])}};
}

/* The same text has one code, other texts have others, whether it comes with the store's number or without. */
static void check_round(unsigned numbered_percent)
{
	struct value_set set;
	uint64_t codes[VALUES] = {0};
	uint64_t count = 0;
	value_set_init(&set, KIND_TEXT);
	for (int i = 0; i < 20 * VALUES; i++) {
		unsigned at = (unsigned)wt_random_below(VALUES);
		struct dim_value v = value_of(at, wt_random_below(100) < numbered_percent);
		uint64_t code;
		assert_int_equal(value_set_code(&set, &v, &code), 0);
		assert_int_equal(code, codes[at] ? codes[at] : count + 1);
		count += !codes[at];
		codes[at] = code;
	}
	for (unsigned i = 0; i < VALUES; i++) {
		struct dim_value v = value_of(i, false), back = value_set_value(&set, codes[i]);
		if (codes[i])
			assert_int_equal(value_cmp(KIND_TEXT, &v, &back), 0);
	}
	value_set_done(&set);
}

static void test_texts(void **state)
{
	for (unsigned i = 0; i < VALUES; i++)
		(void)snprintf(texts[i], sizeof(texts[i]), "%x", i * 2654435761u);
	for (int round = 0; round < 5; round++) {
		check_round(0);
		check_round(50);
		check_round(100);
		check_round(99);
	}
}

static void test_numbers(void **state)
{
	struct value_set set;
	struct dim_value as = {.known = true, .number = UINT32_MAX}, unknown = {0};
	uint64_t code;
	value_set_init(&set, KIND_ASN);
	assert_int_equal(value_set_code(&set, &as, &code), 0);
	assert_int_equal(code, UINT64_C(1) << 32);
	assert_int_equal(value_set_value(&set, code).number, UINT32_MAX);
	assert_int_equal(value_set_code(&set, &unknown, &code), 0);
	assert_int_equal(code, 0);
	assert_false(value_set_value(&set, 0).known);
	value_set_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_numbers),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

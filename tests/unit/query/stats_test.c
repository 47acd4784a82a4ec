/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "base/compiler.h"
#include "query/stats.h"
#include "wt_test.h"

static void assert_near(double got, double expected, double within)
{
	if (!(fabs(got - expected) <= within))
		fail_msg("%.6f is not %.6f", got, expected);
}

static void test_z(void **state)
{
	assert_near(stats_z(0.05), 1.959963985, 1e-8);
	assert_near(stats_z(0.01), 2.575829304, 1e-8);
	assert_near(stats_z(0.001), 3.290526731, 1e-8);
	assert_near(stats_z(1e-9), 6.109410205, 1e-7);
}

/* Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I, method 3. */
static void test_wilson(void **state)
{
	static const struct {
		double hits, n, low, high;
	} table[] = {{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct stats_interval got = stats_wilson(table[i].hits, table[i].n, stats_z(0.05));
		assert_near(got.low, table[i].low, 5e-5);
		assert_near(got.high, table[i].high, 5e-5);
	}
	struct stats_interval none = stats_wilson(0, 0, 2), all = stats_wilson(7, 7, 2);
	assert_true(none.low == 0 && none.high == 1);
	assert_true(all.high == 1);
}

/* The same, "Interval estimation for the difference between independent proportions", table II, method 10. */
static void test_newcombe(void **state)
{
	static const struct {
		double hits1, n1, hits2, n2, low, high;
	} table[] = {
		{56, 70, 48, 80, 0.0524, 0.3339}, {9, 10, 3, 10, 0.1705, 0.8090}, {6, 7, 2, 7, 0.0582, 0.8062}, {5, 56, 0, 29, -0.0381, 0.1926},
		{0, 10, 0, 20, -0.1611, 0.2775}, {0, 10, 0, 10, -0.2775, 0.2775}, {10, 10, 0, 20, 0.6791, 1}, {10, 10, 0, 10, 0.6075, 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct stats_interval got = stats_newcombe(table[i].hits1, table[i].n1, table[i].hits2, table[i].n2, stats_z(0.05));
		struct stats_interval turned = stats_newcombe(table[i].hits2, table[i].n2, table[i].hits1, table[i].n1, stats_z(0.05));
		assert_near(got.low, table[i].low, 5e-5);
		assert_near(got.high, table[i].high, 5e-5);
		assert_near(turned.low, -got.high, 1e-12);
		assert_near(turned.high, -got.low, 1e-12);
	}
	struct stats_interval none = stats_newcombe(0, 0, 1, 10, 2);
	assert_true(none.low == -1 && none.high == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_z), cmocka_unit_test(test_wilson), cmocka_unit_test(test_newcombe)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

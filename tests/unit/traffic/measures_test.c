/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "traffic/measures.h"
#include "wt_test.h"

#define ROUNDS  300
#define SAMPLES 200

static void add(struct measures *m, uint32_t rtt_us)
{
	struct record r = {.rtt_count = 1, .rtt_us = {rtt_us}};
	measures_add_record(m, &r);
}

/* Round-trip times of any spread, up to where the open bucket is taken to end. */
static double random_rtt(double middle)
{
	double v = middle * exp(((double)wt_random_below(2001) - 1000) / 500);
	return fmin(v, 2e6);
}

/* The mean is that of the samples, and their variance is never more than the bound. */
static void test_rtt(void **state)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct measures m = {0};
		double sum = 0, squares = 0, middle = 100 * pow(2, (double)wt_random_below(13));
		for (int i = 0; i < SAMPLES; i++) {
			uint32_t us = (uint32_t)random_rtt(middle);
			add(&m, us);
			sum += us;
			squares += (double)us * us;
		}
		double mean = sum / SAMPLES, variance = squares / SAMPLES - mean * mean;
		assert_true(fabs(measures_rtt_mean(&m) - mean) < 1e-6);
		assert_true(measures_rtt_variance_max(&m) >= variance);
	}
}

/* Of samples at the ends of a bucket it is exact. */
static void test_bound(void **state)
{
	struct measures m = {0}, none = {0};
	for (int i = 0; i < 10; i++) {
		add(&m, 70001);
		add(&m, 100000);
	}
	assert_true(fabs(sqrt(measures_rtt_variance_max(&m)) - 15000) < 2);
	assert_true(measures_rtt_mean(&none) == -1 && measures_rtt_variance_max(&none) == 0 && measures_rtt_quantile(&none, 0.5) == -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rtt), cmocka_unit_test(test_bound)};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

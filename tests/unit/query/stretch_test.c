/* SPDX-License-Identifier: BSD-2-Clause */

/* A rate by bucket that rises and falls, and one that only varies: when a stretch is told, and that it ends where there was traffic. Noise
 * has fixed seeds: each run is the same. */

#include <math.h>

#include "query/stretch.h"
#include "query/suspects.h"
#include "wt_test.h"

#define POINTS_MAX  120
#define CONNECTIONS 400
#define LOSSY       20.0 /* of them, usually */

/* Nearly normal. */
static double noise(void)
{
	double sum = 0;
	for (int i = 0; i < 12; i++)
		sum += (double)wt_random_below(1000001) / 1e6;
	return sum - 6;
}

/* times: the usual rate; spread: the logarithm of the rate varies by that, beside chance. */
static struct evidence bucket(double times, double spread)
{
	double expected = LOSSY * times * exp(spread * noise()), lossy = fmax(0, floor(expected + sqrt(expected) * noise()));
	lossy = fmin(lossy, CONNECTIONS);
	return (struct evidence){CONNECTIONS * 100, (uint64_t)(lossy * 4), CONNECTIONS, (uint64_t)lossy};
}

static void fill(struct evidence *of, size_t count, size_t from, size_t to, double spread)
{
	for (size_t i = 0; i < count; i++)
		of[i] = bucket(i >= from && i < to ? 5 : 1, spread);
}

static bool is_told(const struct evidence *of, size_t count, size_t *ret_from, size_t *ret_to)
{
	struct stretch one;
	bool told = stretch_all(of, count, stretch_likelihood_min(of, count, 2), &one, 1) == 1;
	*ret_from = told ? one.from : 0;
	*ret_to = told ? one.to : 0;
	return told;
}

/* However much of the range it is: a day by hours, too. */
static void any_length_is_told(void **state)
{
	static const size_t counts[] = {24, 72, 120};
	struct evidence of[POINTS_MAX];
	size_t from, to;
	wt_random_state = 1;
	for (size_t c = 0; c < ARRAY_LEN(counts); c++)
		for (size_t sixths = 1; sixths <= 5; sixths++) {
			size_t length = counts[c] * sixths / 6;
			fill(of, counts[c], counts[c] - length, counts[c], 0.1);
			if (!is_told(of, counts[c], &from, &to) || from != counts[c] - length || to != counts[c])
				fail_msg("%zu of %zu: %zu-%zu", length, counts[c], from, to);
		}
}

static void noise_is_none(void **state)
{
	static const struct {
		double spread;
		size_t most; /* that may be told */
	} worlds[] = {{0, 0}, {0.3, 2}, {0.6, 12}};
	struct evidence of[POINTS_MAX];
	for (size_t w = 0; w < ARRAY_LEN(worlds); w++) {
		size_t told = 0, since = 0, from, to;
		wt_random_state = w;
		for (int i = 0; i < 100; i++) {
			fill(of, POINTS_MAX, 0, 0, worlds[w].spread);
			told += is_told(of, POINTS_MAX, &from, &to);
			since += suspects_since(of, POINTS_MAX, LOSSY / CONNECTIONS / 100).found;
		}
		(void)fprintf(stderr, "# spread %.1f: %zu of 100 out of nothing, %zu of a suspect\n", worlds[w].spread, told, since);
		assert_true(told <= worlds[w].most);
		assert_int_equal(since, 0); /* who is bad all the time */
	}
}

/* Nothing is known of a time without traffic, so that a stretch neither begins nor ends in one. */
static void empty_buckets_are_no_part(void **state)
{
	struct evidence of[POINTS_MAX];
	size_t from, to;
	wt_random_state = 3;
	fill(of, 60, 30, 40, 0);
	for (size_t i = 25; i < 30; i++)
		of[i] = of[i + 15] = (struct evidence){0};
	assert_true(is_told(of, 60, &from, &to));
	assert_int_equal(from, 30);
	assert_int_equal(to, 40);
	struct suspects_stretch since = suspects_since(of, 60, LOSSY / CONNECTIONS / 100 * 4);
	assert_true(since.found && since.from == 30 && since.to == 40);
}

/* What is high all the time has no beginning, however much worse it was for a while. */
static void since_is_of_what_is_usual_otherwise(void **state)
{
	struct evidence of[POINTS_MAX];
	double usual = LOSSY / CONNECTIONS / 100 * 4;
	wt_random_state = 4;
	fill(of, 60, 30, 40, 0);
	assert_true(suspects_since(of, 60, usual).found);
	struct suspects_stretch since = suspects_since(of, 60, usual / 4);
	assert_true(!since.found && since.earlier);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_length_is_told),
		cmocka_unit_test(noise_is_none),
		cmocka_unit_test(empty_buckets_are_no_part),
		cmocka_unit_test(since_is_of_what_is_usual_otherwise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/compiler.h"
#include "cli/units.h"
#include "wt_test.h"

struct sample {
	double v;
	const char *want;
};

static void check(const char *(*fn)(double v, char *buf), const struct sample *samples, size_t count)
{
	char buf[UNITS_TEXT_MAX];
	for (size_t i = 0; i < count; i++)
		assert_string_equal(fn(samples[i].v, buf), samples[i].want);
}

/* Where rounding would give a thousand, the next unit is taken. */
static void bytes(void **state)
{
	static const struct sample samples[] = {{0, "0 B"}, {1, "1 B"}, {999, "999 B"}, {999.6, "1.00 kB"},
		{1000, "1.00 kB"}, {1234, "1.23 kB"}, {9994, "9.99 kB"}, {9996, "10.0 kB"}, {99940, "99.9 kB"},
		{99960, "100 kB"}, {999400, "999 kB"}, {999600, "1.00 MB"}, {1.2e9, "1.20 GB"}, {5.5e12, "5.50 TB"},
		{18446744073709551615.0, "18.4 EB"}, {5e21, "5000 EB"}};
	check(units_bytes, samples, ARRAY_LEN(samples));
}

static void counts(void **state)
{
	static const struct sample samples[] = {{0, "0"}, {9999, "9999"}, {10000, "10.0k"}, {12345, "12.3k"},
		{999999, "1.00M"}, {4.56e9, "4.56G"}};
	check(units_count, samples, ARRAY_LEN(samples));
}

static void percents(void **state)
{
	static const struct sample samples[] = {{0, "0 %"}, {0.000001, "<0.01 %"}, {0.0001, "0.01 %"},
		{0.0123, "1.23 %"}, {0.1234, "12.3 %"}, {0.9999, "100 %"}, {1, "100 %"}};
	check(units_percent, samples, ARRAY_LEN(samples));
}

static void rtts(void **state)
{
	static const struct sample samples[] = {{0, "0 us"}, {850, "850 us"}, {18260, "18.3 ms"}, {999600, "1.00 s"},
		{1204000, "1.20 s"}};
	check(units_rtt, samples, ARRAY_LEN(samples));
}

static void bit_rates(void **state)
{
	static const struct sample samples[] = {{950, "950 bit/s"}, {12.34e6, "12.3 Mbit/s"}, {1e15, "1000 Tbit/s"}};
	check(units_bit_rate, samples, ARRAY_LEN(samples));
}

static void per_second(void **state)
{
	static const struct sample samples[] = {{0, "0/s"}, {0.4199, "0.42/s"}, {12.34, "12.3/s"}, {1234, "1234/s"}, {56789, "56.8k/s"}};
	check(units_per_second, samples, ARRAY_LEN(samples));
}

static void changes(void **state)
{
	static const struct {
		double now, before;
		const char *change, *points;
	} samples[] = {{0, 0, "same", "same"}, {1, 0, "new", "+100.0 pp"}, {0, 1, "-100 %", "-100.0 pp"}, {1.004, 1, "same", "+0.40 pp"},
		{0.0351, 0.0301, "+17 %", "+0.50 pp"}, {0.95, 1, "-5.0 %", "-5.00 pp"}, {1.0996, 1, "+10 %", "+9.96 pp"}, {1.0993, 1, "+9.9 %", "+9.93 pp"},
		{12, 1, "x 12", "+1100.0 pp"}, {0.00011, 0.0001, "+10 %", "same"}};
	char buf[UNITS_TEXT_MAX];
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		assert_string_equal(units_change(samples[i].now, samples[i].before, buf), samples[i].change);
		assert_string_equal(units_points(samples[i].now, samples[i].before, buf), samples[i].points);
	}
}

static void ages(void **state)
{
	static const struct {
		uint64_t v;
		const char *want;
	} samples[] = {{0, "0 s"}, {59, "59 s"}, {60, "1 m"}, {200, "3 m 20 s"}, {3600, "1 h"}, {7500, "2 h 5 m"},
		{86400 * 3 + 3600 * 4 + 59, "3 d 4 h"}, {86400 + 59, "1 d"}};
	char buf[UNITS_TEXT_MAX];
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		assert_string_equal(units_age(samples[i].v, buf), samples[i].want);
	assert_string_equal(units_since("9999-01-01T00:00:00Z", buf), "0 s"); /* not yet */
	assert_non_null(strstr(units_since("2026-01-01T00:00:00Z", buf), " d"));
	assert_null(units_since("", buf));
	assert_null(units_since(NULL, buf));
}

static void bars(void **state)
{
	char buf[UNITS_BAR_MAX];
	assert_string_equal(units_bar(0, 4, buf), "");
	assert_string_equal(units_bar(-1, 4, buf), "");
	assert_string_equal(units_bar(1e-9, 4, buf), "▏");
	assert_string_equal(units_bar(0.5, 4, buf), "██");
	assert_string_equal(units_bar(0.625, 4, buf), "██▌");
	assert_string_equal(units_bar(1, 4, buf), "████");
	assert_string_equal(units_bar(7, 4, buf), "████");
	assert_int_equal(strlen(units_bar(1, 100000, buf)), (UNITS_BAR_MAX / 3 - 1) * 3);
	assert_string_equal(units_height(0), " ");
	assert_string_equal(units_height(1e-9), "▁");
	assert_string_equal(units_height(0.5), "▄");
	assert_string_equal(units_height(1), "█");
	assert_string_equal(units_height(2), "█");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes), cmocka_unit_test(counts), cmocka_unit_test(percents), cmocka_unit_test(rtts),
		cmocka_unit_test(bit_rates), cmocka_unit_test(per_second), cmocka_unit_test(changes), cmocka_unit_test(ages), cmocka_unit_test(bars),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

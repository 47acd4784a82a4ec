/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/chart.h"

#include <math.h>
#include <string.h>

#include "wt_test.h"

static const struct figure bits = {"bytes_sent", FIGURE_SUM};

static char *drawn(const struct chart *c, struct screen screen, unsigned lines)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	chart_print(c, &screen, lines, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void scales(void **state)
{
	static const struct {
		double max, want;
	} samples[] = {{1, 1}, {4, 4}, {4.1, 8}, {9, 10}, {10.5, 20}, {497e6, 800e6}, {0.0125, 0.02}, {99, 100}, {100.1, 200}};
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		assert_true(fabs(chart_scale(samples[i].max) / samples[i].want - 1) < 1e-9);
	for (int i = 0; i < 10000; i++) {
		double max = pow(10, (double)(wt_random() % 1000) / 40 - 6), scale = chart_scale(max);
		assert_true(scale >= max * (1 - 1e-6) && scale <= max * 2.6);
	}
}

/* Half of the scale is half of the lines; what is little is seen; what is not known is a gap. */
static void a_chart(void **state)
{
	static const double values[] = {1e6, 4e6, NAN, 80, 0};
	struct chart c = {&bits, values, NULL, 5, 1767225600, 300};
	char *text = drawn(&c, (struct screen){.width = 23}, 4);
	assert_string_equal(text,
		"4.00 Mbit/s ┤  ██      \n"
		"3.00 Mbit/s ┤  ██      \n"
		"2.00 Mbit/s ┤  ██      \n"
		"1.00 Mbit/s ┤████  ▁▁  \n"
		"    0 bit/s └┬─────────\n"
		"             00:00\n");
	free(text);
}

/* An earlier time is a line where its bars would end, over or between those of this one; it is within the scale. */
static void before(void **state)
{
	static const double values[] = {1e6, 4e6, NAN, 80, 2e6}, earlier[] = {2e6, 1e6, 0, NAN, 7e6};
	struct chart c = {&bits, values, earlier, 5, 1767225600, 300};
	char *text = drawn(&c, (struct screen){.width = 23}, 4);
	assert_string_equal(text,
		"8.00 Mbit/s ┤        ──\n"
		"6.00 Mbit/s ┤          \n"
		"4.00 Mbit/s ┤  ██      \n"
		"2.00 Mbit/s ┤──────▁▁██\n"
		"    0 bit/s └┬─────────\n"
		"             00:00\n");
	free(text);
}

/* No line is wider than the screen, whatever there is to draw. */
static void never_wider(void **state)
{
	double values[700], earlier[ARRAY_LEN(values)];
	for (int round = 0; round < 300; round++) {
		size_t count = 1 + wt_random() % ARRAY_LEN(values);
		struct screen screen = {.width = 30 + (unsigned)(wt_random() % 300)};
		for (size_t i = 0; i < count; i++)
			values[i] = wt_random() % 5 ? (double)(wt_random() % 100000) : NAN;
		for (size_t i = 0; i < count; i++)
			earlier[i] = wt_random() % 5 ? (double)(wt_random() % 200000) : NAN;
		struct chart c = {&bits, values, wt_random() % 2 ? earlier : NULL, count, 1767225600 + 60 * (wt_random() % 1000), 60u << wt_random() % 12};
		char *text = drawn(&c, screen, 8), *rest = text;
		for (char *line; (line = strsep(&rest, "\n"));)
			assert_true(text_width(line) <= screen.width);
		free(text);
	}
}

/* A retransmit rate has the colours that it has in tables; an empty range is drawn too. */
static void colours(void **state)
{
	static const struct figure rate = {"retransmit_rate", FIGURE_RETRANSMITS};
	static const double values[] = {0.001, 0.05};
	char *text = drawn(&(struct chart){&rate, values, NULL, 2, 0, 60}, (struct screen){.width = 30, .colour = true}, 4);
	assert_non_null(strstr(text, "\033[32m▁"));
	assert_non_null(strstr(text, "\033[31m█"));
	free(text);
	text = drawn(&(struct chart){&rate, (const double[]){NAN}, NULL, 1, 0, 60}, (struct screen){.width = 30}, 4);
	assert_null(strstr(text, "█"));
	free(text);
}

static void times(void **state)
{
	char buf[CHART_TIME_MAX];
	assert_string_equal(chart_time(1767225600 + 3660, 3600, buf), "01:01");
	assert_string_equal(chart_time(1767225600 + 3660, 7 * 86400, buf), "01-01");
	assert_string_equal(chart_time(1767225600, 3 * 365 * 86400, buf), "2026-01");
}

static json_t *row(double bytes, double packets, double again, double p95, double samples)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "bytes_sent", bytes, "packets_sent", packets, "packets_retransmitted", again,
		"rtt_p95_us", p95, "rtt_count", samples);
}

static double value(const char *name, double seconds)
{
	struct figure f;
	struct figure_sum sum = {0};
	json_t *one = row(100, 90, 9, 1000, 1), *two = row(300, 10, 1, 2000, 3);
	assert_int_equal(figure_parse(name, &f), 0);
	figure_add(&f, one, &sum);
	figure_add(&f, two, &sum);
	json_decref(one);
	json_decref(two);
	return figure_value(&f, &sum, seconds);
}

static void figures(void **state)
{
	struct figure f;
	char buf[UNITS_TEXT_MAX], fields[FIGURE_FIELDS_MAX];
	assert_true(fabs(value("bytes", 50) - 64) < 1e-9);
	assert_true(fabs(value("retransmit_rate", 50) - 0.1) < 1e-9);
	assert_true(fabs(value("rtt_p95", 50) - 1750) < 1e-9);
	assert_true(isnan(value("bytes", 0)));
	assert_int_equal(figure_parse("connections", &f), 0);
	assert_string_equal(figure_title(&f, buf), "CONNECTIONS/S");
	assert_string_equal(figure_text(&f, 12.34, buf), "12.3/s");
	assert_non_null(strstr(figure_fields(&f, fields), ",connections"));
	assert_int_equal(figure_parse("rtt_p95_us", &f), 0);
	assert_string_equal(figure_title(&f, buf), "RTT P95");
	assert_string_equal(figure_text(&f, 18260, buf), "18.3 ms");
	assert_int_equal(figure_parse("bytes_sent", &f), 0);
	assert_string_equal(figure_title(&f, buf), "BIT/S");
	assert_string_equal(figure_text(&f, 1e6, buf), "1.00 Mbit/s");
	assert_true(figure_parse("nonsense", &f) < 0 && figure_parse("", &f) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(scales), cmocka_unit_test(a_chart), cmocka_unit_test(before), cmocka_unit_test(never_wider),
		cmocka_unit_test(colours), cmocka_unit_test(times), cmocka_unit_test(figures)};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

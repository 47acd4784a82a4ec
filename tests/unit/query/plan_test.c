/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "query/plan.h"
#include "wt_test.h"

#define DAY  86400ull
#define HOUR 3600ull
#define T0   1767312000ull /* a day's start */

static const uint64_t forever[] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};

/* "m 0-60 h 60-120 ..." in minutes from T0. */
static void write_plan(const struct plan *p, char *buf, size_t cap)
{
	size_t n = 0;
	buf[0] = '\0';
	for (size_t i = 0; i < p->segment_count && n < cap; i++)
		n += (size_t)snprintf(buf + n, cap - n, "%s%c %lld-%lld", i ? " " : "", "mhd"[p->segments[i].level],
			((long long)p->segments[i].from_s - (long long)T0) / 60,
			((long long)p->segments[i].to_s - (long long)T0) / 60);
}

static const struct {
	const char *name;
	long long from_min, to_min, now_min;
	uint64_t minutes_s, hours_s, days_s;
	bool exact, series;
	uint32_t step_s;
	const char *plan;
	uint32_t step;
} cases[] = {
	{"an hour of minutes", 10, 70, 2000, -1, -1, -1, false, false, 0, "m 10-70", 0},
	{"a whole hour in the middle", 50, 130, 2000, -1, -1, -1, false, false, 0, "m 50-60 h 60-120 m 120-130", 0},
	{"beyond three hours: whole hours", 50, 290, 2000, -1, -1, -1, false, false, 0, "h 0-300", 0},
	{"the same to the minute", 50, 290, 2000, -1, -1, -1, true, false, 0, "m 50-60 h 60-240 m 240-290", 0},
	{"days in the middle", 1430, 4330, 9000, -1, -1, -1, true, false, 0, "m 1430-1440 d 1440-4320 m 4320-4330", 0},
	{"all levels", 1370, 4390, 9000, -1, -1, -1, true, false, 0,
		"m 1370-1380 h 1380-1440 d 1440-4320 h 4320-4380 m 4380-4390", 0},
	{"days and hours, not to the minute", 1370, 5770, 9000, -1, -1, -1, false, false, 0,
		"h 1320-1440 d 1440-5760 h 5760-5820", 0},
	{"minutes gone: the edges grow to hours", 50, 290, 9000, HOUR, -1, -1, true, false, 0, "h 0-300", 0},
	{"minutes gone at the start only", 50, 290, 300, 2 * HOUR, -1, -1, true, false, 0, "h 0-240 m 240-290", 0},
	{"hours gone: days", 50, 290, 90000, HOUR, DAY, -1, true, false, 0, "d 0-1440", 0},
	{"nothing is kept so long", 50, 290, 90000, HOUR, DAY, 10 * DAY, true, false, 0, "", 0},
	{"the beginning is gone", 0, 2880, 2880, HOUR, HOUR, HOUR, true, false, 0, "h 2820-2880", 0},
	{"only minutes are kept", 0, 2880, 2880, HOUR, 0, 0, true, false, 0, "m 2820-2880", 0},
	{"series of minutes", 5, 130, 2000, -1, -1, -1, true, true, 60, "m 5-130", 60},
	{"series of five minutes, widened", 7, 128, 2000, -1, -1, -1, false, true, 300, "m 5-130", 300},
	{"series of hours to the minute", 50, 190, 2000, -1, -1, -1, true, true, 3600, "m 50-60 h 60-180 m 180-190", 3600},
	{"series of 90 minutes", 0, 180, 2000, -1, -1, -1, false, true, 5400, "m 0-180", 5400},
	{"series of days", 0, 2880, 9000, -1, -1, -1, false, true, 86400, "d 0-2880", 86400},
	{"series without step", 0, 60, 9000, -1, -1, -1, false, true, 0, "m 0-60", 60},
	{"series without step, a day", 0, 1440, 9000, -1, -1, -1, false, true, 0, "h 0-1440", 3600},
	{"series without step, minutes gone", 10, 70, 9000, HOUR, -1, -1, false, true, 0, "h 0-120", 3600},
	{"series without step, hours gone", 10, 70, 9000, HOUR, HOUR, -1, false, true, 0, "d 0-1440", 86400},
	{"series of minutes that are gone", 10, 70, 9000, HOUR, -1, -1, false, true, 60, "", 60},
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t retention[] = {cases[i].minutes_s, cases[i].hours_s, cases[i].days_s};
		struct query q = {
			.by = {DIM_time},
			.by_count = cases[i].series,
			.from_s = T0 + 60 * (uint64_t)cases[i].from_min,
			.to_s = T0 + 60 * (uint64_t)cases[i].to_min,
			.exact_range = cases[i].exact,
			.step_s = cases[i].step_s,
		};
		struct plan p;
		struct error err;
		char text[300];
		assert_int_equal(plan_make(&q, retention, T0 + 60 * (uint64_t)cases[i].now_min, &p, &err), 0);
		write_plan(&p, text, sizeof(text));
		if (strcmp(text, cases[i].plan) != 0 || (cases[i].step && p.step_s != cases[i].step))
			fail_msg("%s: %s, step %u", cases[i].name, text, p.step_s);
	}
}

static void test_seconds_are_widened(void **state)
{
	struct query q = {.from_s = T0 + 61, .to_s = T0 + 179, .exact_range = true};
	struct plan p;
	assert_int_equal(plan_make(&q, forever, T0 + DAY, &p, NULL), 0);
	assert_int_equal(p.from_s, T0 + 60);
	assert_int_equal(p.to_s, T0 + 180);
}

static void test_bad_ranges(void **state)
{
	struct query q = {.from_s = T0, .to_s = T0};
	struct plan p;
	struct error err;
	assert_int_equal(plan_make(&q, forever, T0, &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "empty"));
	q.to_s = UINT64_MAX;
	assert_int_equal(plan_make(&q, forever, T0, &p, &err), -EINVAL);
	q = (struct query){.from_s = 0, .to_s = 300 * 366 * DAY};
	assert_int_equal(plan_make(&q, forever, T0, &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "200 years"));
	q = (struct query){.by = {DIM_time}, .by_count = 1, .from_s = T0, .to_s = T0 + DAY, .step_s = 90};
	assert_int_equal(plan_make(&q, forever, T0, &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "step 90 s"));
	q.step_s = 60;
	q.to_s = T0 + 100 * DAY;
	assert_int_equal(plan_make(&q, forever, T0, &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "buckets"));
}

static void test_cubes(void **state)
{
	static const struct {
		const char *filter;
		enum dimension by[3];
		size_t by_count;
		enum store_cube cube, total;
	} c[] = {
		{"", {0}, 0, CUBE_total, CUBE_total},
		{"", {DIM_time}, 1, CUBE_total, CUBE_total},
		{"", {DIM_origin}, 1, CUBE_origin, CUBE_total},
		{"router:a", {DIM_origin, DIM_time}, 2, CUBE_origin_by, CUBE_total},
		{"origin:1", {DIM_country}, 1, CUBE_flow, CUBE_origin},
		{"", {DIM_country, DIM_type}, 2, CUBE_country, CUBE_total},
		{"country:DE", {DIM_router}, 1, CUBE_country, CUBE_country},
		{"", {DIM_neighbour}, 1, CUBE_neighbour, CUBE_total},
		{"", {DIM_via}, 1, CUBE_flow, CUBE_total},
		{"via:1", {DIM_router}, 1, CUBE_flow, CUBE_flow},
		{"", {DIM_match}, 1, CUBE_flow, CUBE_total},
	};
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct filter *f;
		struct plan p;
		assert_int_equal(filter_parse(c[i].filter, &f, NULL), 0);
		struct query q = {.by_count = c[i].by_count, .filter = f, .from_s = T0, .to_s = T0 + DAY};
		memcpy(q.by, c[i].by, sizeof(c[i].by));
		assert_int_equal(plan_make(&q, forever, T0 + DAY, &p, NULL), 0);
		assert_int_equal(p.cube, c[i].cube);
		assert_int_equal(p.total_cube, c[i].total);
		filter_free(f);
	}
}

/* Some spans are likely to be whole hours or days, where mistakes would be. */
static uint64_t random_span(uint64_t max)
{
	static const uint64_t units[] = {1, 60, HOUR, DAY};
	uint64_t unit = units[wt_random_below(4)];
	return wt_random_below(max / unit + 1) * unit;
}

static void check_segments(const struct query *q, const struct plan *p, const uint64_t *retention, uint64_t now)
{
	uint64_t at = p->from_s;
	for (size_t i = 0; i < p->segment_count; i++) {
		const struct store_segment *s = &p->segments[i];
		uint64_t width = level_seconds[s->level];
		assert_int_equal(s->from_s, at);
		assert_true(s->to_s > s->from_s);
		assert_int_equal(s->from_s % width, 0);
		assert_int_equal(s->to_s % width, 0);
		if (retention[s->level] < now)
			assert_true(s->from_s >= now - retention[s->level]);
		if (p->step_s)
			assert_int_equal(p->step_s % width, 0);
		if (i)
			assert_true(s->level != p->segments[i - 1].level);
		at = s->to_s;
	}
	assert_int_equal(p->to_s, at);
}

/* Sums of the last time and their series are of the same traffic, unless a step was asked for. */
static void test_same_range(void **state)
{
	for (int i = 0; i < 2000; i++) {
		struct plan sums, series;
		struct query q = {.from_s = T0 + random_span(DAY), .points_max = 10 + wt_random_below(300)};
		q.to_s = q.from_s + 60 + random_span(40 * DAY);
		assert_int_equal(plan_make(&q, forever, q.to_s, &sums, NULL), 0);
		q.by[q.by_count++] = DIM_time;
		assert_int_equal(plan_make(&q, forever, q.to_s, &series, NULL), 0);
		assert_true(series.step_s && sums.from_s == series.from_s && sums.to_s == series.to_s);
	}
}

/* Never narrower than the least, and wider only where that is gone or makes too many. */
static void test_least_step(void **state)
{
	static const struct {
		uint64_t range_s;
		uint32_t least_s, points, step_s;
	} steps[] = {{60, 300, 10, 300}, {3 * HOUR, 300, 5000, 300}, {DAY, 300, 5000, 300}, {4 * DAY, 300, 5000, HOUR}, {DAY, 300, 100, 900},
		{100 * DAY, 300, 5000, DAY}, {3 * HOUR, 2 * HOUR, 5000, 2 * HOUR}};
	const uint64_t retention[LEVEL_COUNT] = {2 * DAY, 90 * DAY, UINT64_MAX}, now = T0;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct plan p;
		struct query q = {.by = {DIM_time}, .by_count = 1, .exact_range = true, .from_s = now - steps[i].range_s, .to_s = now,
			.step_min_s = steps[i].least_s, .points_max = steps[i].points};
		assert_int_equal(plan_make(&q, retention, now, &p, NULL), 0);
		assert_int_equal(p.step_s, steps[i].step_s);
	}
}

static void test_random_ranges(void **state)
{
	static const uint32_t steps[] = {0, 60, 300, 3600, 7200, 86400};
	for (int i = 0; i < 20000; i++) {
		struct query q = {.by = {DIM_time}, .by_count = wt_random_below(2), .exact_range = wt_random_below(2)};
		struct plan p;
		struct error err;
		uint64_t now = T0 + random_span(5 * DAY), retention[LEVEL_COUNT];
		q.from_s = T0 + random_span(5 * DAY);
		q.to_s = q.from_s + 1 + random_span(5 * DAY);
		q.step_s = steps[wt_random_below(ARRAY_LEN(steps))];
		for (int level = 0; level < LEVEL_COUNT; level++)
			retention[level] = wt_random_below(3) ? random_span(6 * DAY) : UINT64_MAX;
		if (plan_make(&q, retention, now, &p, &err) < 0)
			fail_msg("%s", err.text);
		check_segments(&q, &p, retention, now);
		assert_true(!p.segment_count || p.to_s >= q.to_s);
		/* With everything kept the whole range is covered, and no more than the grain allows. */
		if (memcmp(retention, forever, sizeof(retention)) == 0) {
			uint64_t grain = q.exact_range ? 60 : q.step_s && p.step_s ? q.step_s : q.to_s - q.from_s <= 3 * HOUR ? 60 : HOUR;
			assert_true(p.from_s <= q.from_s && q.from_s - p.from_s < grain);
			assert_true(p.to_s - q.to_s < grain);
		}
		/* Whatever is kept of the range is covered. */
		for (int level = 0; level < LEVEL_COUNT && !p.step_s; level++)
			if (retention[level] >= now - T0 + DAY)
				assert_true(p.from_s <= q.from_s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_seconds_are_widened),
		cmocka_unit_test(test_bad_ranges),
		cmocka_unit_test(test_cubes),
		cmocka_unit_test(test_same_range),
		cmocka_unit_test(test_least_step),
		cmocka_unit_test(test_random_ranges),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

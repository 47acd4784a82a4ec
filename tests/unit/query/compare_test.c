/* SPDX-License-Identifier: BSD-2-Clause */

/* Verdicts on sides that are made client by client and connection by connection: each has a length and loses each packet by chance, who
 * loses one loses more, and those of one client share its line. What is promised holds for thousands of such worlds, with seeds that are always the same. */

#include <math.h>
#include <string.h>

#include "groups_fixture.h"
#include "query/compare.h"
#include "wt_test.h"

#define WORLDS 20000
#define SEED   20261127
#define CLIENT_MAX 16 /* connections of one */

/* ---- made-up sides ---- */

struct kind {
	unsigned connections, length; /* packets of one, on average */
	double loss;                  /* of a packet, on average */
	double rtt_us, spread_us;     /* evenly around */
};

static double chance(void)
{
	return (double)(wt_random() >> 11) / (double)(1ull << 53);
}

static void add_connection(struct measures *m, unsigned length, double loss, double rtt_us)
{
	struct record r = {.rtt_count = (uint8_t)(1 + wt_random_below(3))}; /* told so many times */
	unsigned again = 0;
	if (chance() < 1 - pow(1 - loss, length))
		do
			again++;
		while (again < length && chance() < 0.6);
	r.values[FIELD_packets_sent] = length;
	r.values[FIELD_packets_retransmitted] = again;
	r.values[FIELD_bytes_sent] = length * 1400ull;
	r.values[FIELD_connections] = 1;
	r.values[FIELD_connections_with_retransmit] = again > 0;
	for (int i = 0; i < r.rtt_count; i++)
		r.rtt_us[i] = (uint32_t)rtt_us;
	measures_add_record(m, &r);
}

/* Clients with a few connections each, which share its line: one in five loses six times as much as the others, and each is as far as it is. */
static struct measures make_side(struct kind k)
{
	struct measures m = {0};
	for (unsigned left = k.connections; left;) {
		unsigned of_client = 1 + (unsigned)wt_random_below(CLIENT_MAX);
		double loss = k.loss * (wt_random_below(5) ? 0.5 : 3), rtt_us = k.rtt_us + k.spread_us * (2 * chance() - 1);
		for (; of_client && left; of_client--, left--)
			add_connection(&m, 1 + (unsigned)wt_random_below(2 * k.length - 1), loss, rtt_us * (1 + 0.01 * chance()));
	}
	return m;
}

/* The verdict on two sides, by which of them looks better. */
static struct compare_judgement judge(enum compare_figure figure, struct kind a, struct kind b)
{
	struct measures x = make_side(a), y = make_side(b);
	bool swap = figure == COMPARE_RTT ? measures_rtt_mean(&x) > measures_rtt_mean(&y) : measures_retransmit_rate(&x) > measures_retransmit_rate(&y);
	struct compare_judgement j = compare_judge(figure, swap ? &y : &x, swap ? &x : &y, 1);
	if (!isnan(j.difference) && swap)
		j.difference = -j.difference;
	return j;
}

static void seed(void)
{
	wt_random_state = SEED;
}

static const struct kind plain = {6000, 40, 0.002, 60e3, 20e3};

/* ---- retransmits ---- */

static void test_retransmits(void **state)
{
	struct kind bad = plain, little = plain, more = plain;
	seed();
	bad.loss = 0.008;
	little.connections = 120;
	more.connections = 40000;
	struct compare_judgement j = judge(COMPARE_RETRANSMITS, plain, bad);
	assert_int_equal(j.verdict, COMPARE_BETTER);
	assert_true(j.difference > 0 && j.within.low > 0 && j.within.low < j.difference && j.difference < j.within.high);
	assert_int_equal(judge(COMPARE_RETRANSMITS, more, more).verdict, COMPARE_SAME);
	j = judge(COMPARE_RETRANSMITS, little, little);
	assert_int_equal(j.verdict, COMPARE_UNKNOWN);
	assert_int_equal(j.why, COMPARE_WHY_CHANCE);
	little.connections = COMPARE_SAMPLES - 1;
	j = judge(COMPARE_RETRANSMITS, little, bad);
	assert_int_equal(j.verdict, COMPARE_UNKNOWN);
	assert_int_equal(j.why, COMPARE_WHY_FEW);
	assert_true(isnan(j.difference) && isnan(j.within.low));
}

/* Long connections are likelier to lose something: at the same loss, that is no difference; nor is it the same. */
static void test_length(void **state)
{
	struct kind longer = plain, lossy = plain;
	seed();
	longer.connections = lossy.connections = 20000;
	longer.length = 200;
	struct compare_judgement j = judge(COMPARE_RETRANSMITS, lossy, longer);
	assert_int_equal(j.verdict, COMPARE_UNKNOWN);
	assert_int_equal(j.why, COMPARE_WHY_DISAGREE);
	/* Shorter ones that lose as often as longer ones lose more. */
	lossy.loss = 0.009;
	assert_int_equal(judge(COMPARE_RETRANSMITS, lossy, longer).verdict, COMPARE_UNKNOWN);
	/* What is worse both ways is worse. */
	longer.loss = 0.008;
	lossy.loss = 0.001;
	assert_int_equal(judge(COMPARE_RETRANSMITS, lossy, longer).verdict, COMPARE_BETTER);
}

/* Nearly all connections have a retransmit, and still one side loses half as much again. Where a difference is sure and small, that is said. */
static void test_saturated(void **state)
{
	struct kind long_ones = {20000, 400, 0.004, 60e3, 20e3}, worse = long_ones, bit_worse = plain, plenty = plain;
	seed();
	worse.loss = 0.006;
	assert_int_equal(judge(COMPARE_RETRANSMITS, long_ones, worse).verdict, COMPARE_BETTER);
	assert_int_equal(judge(COMPARE_RETRANSMITS, long_ones, long_ones).verdict, COMPARE_SAME);
	plenty.connections = bit_worse.connections = 40000;
	bit_worse.loss = plenty.loss * 1.17;
	struct compare_judgement j = judge(COMPARE_RETRANSMITS, plenty, bit_worse);
	assert_int_equal(j.verdict, COMPARE_UNKNOWN);
	assert_int_equal(j.why, COMPARE_WHY_SMALL);
}

static void test_approximate(void **state)
{
	struct kind bad = plain;
	seed();
	bad.loss = 0.02;
	struct measures x = make_side(plain), y = make_side(bad);
	assert_int_equal(compare_judge(COMPARE_RETRANSMITS, &x, &y, 1).verdict, COMPARE_BETTER);
	x.v[MEASURE_records_approximate] = x.v[MEASURE_records];
	struct compare_judgement j = compare_judge(COMPARE_RETRANSMITS, &x, &y, 1);
	assert_int_equal(j.verdict, COMPARE_UNKNOWN);
	assert_int_equal(j.why, COMPARE_WHY_APPROXIMATE);
	y.v[MEASURE_records_approximate] = y.v[MEASURE_records];
	assert_int_equal(compare_judge(COMPARE_RETRANSMITS, &x, &y, 1).verdict, COMPARE_BETTER);
}

/* Nothing lost on either side, and connections that began before the range. */
static void test_edges(void **state)
{
	struct measures x = {.v = {[MEASURE_connections] = 5000, [MEASURE_packets_sent] = 90000, [MEASURE_records] = 1}}, y = x;
	assert_int_equal(compare_judge(COMPARE_RETRANSMITS, &x, &y, 1).verdict, COMPARE_SAME);
	y.v[MEASURE_connections] = 140;
	y.v[MEASURE_connections_with_retransmit] = 150;
	y.v[MEASURE_packets_retransmitted] = 200;
	y.v[MEASURE_packets_sent] = 2800;
	assert_int_equal(compare_judge(COMPARE_RETRANSMITS, &x, &y, 1).verdict, COMPARE_BETTER);
	assert_true(compare_value(COMPARE_RETRANSMITS, &y) == 1);
	struct stats_interval i = compare_interval(COMPARE_RETRANSMITS, &y);
	assert_true(i.low > 0.9 && i.high == 1);
	assert_true(isnan(compare_value(COMPARE_RTT, &x)) && isnan(compare_interval(COMPARE_RTT, &x).low));
}

/* ---- round-trip times ---- */

static void test_rtt(void **state)
{
	struct kind far = plain, little = plain, many = plain;
	seed();
	far.rtt_us = 90e3;
	struct compare_judgement j = judge(COMPARE_RTT, plain, far);
	assert_int_equal(j.verdict, COMPARE_BETTER);
	assert_true(j.within.low < 30e3 && j.within.high > 30e3);
	many.connections = 20000;
	assert_int_equal(judge(COMPARE_RTT, many, many).verdict, COMPARE_SAME);
	little.connections = 120;
	assert_int_equal(judge(COMPARE_RTT, little, little).verdict, COMPARE_UNKNOWN);
}

/* Where buckets end, and inside one: what the histogram makes of it is not what counts. */
static void test_buckets(void **state)
{
	struct kind below = {20000, 40, 0.001, 69.5e3, 300}, above = {20000, 40, 0.001, 70.5e3, 300};
	struct kind low = {4000, 40, 0.001, 73e3, 2000}, high = {4000, 40, 0.001, 97e3, 2000};
	seed();
	assert_int_equal(judge(COMPARE_RTT, below, above).verdict, COMPARE_SAME);
	assert_int_equal(judge(COMPARE_RTT, low, high).verdict, COMPARE_BETTER);
}

/* What a few connections say again and again is not said by many. */
static void test_repeated(void **state)
{
	struct measures near = {0}, far = {0};
	for (uint32_t i = 0; i < 120; i++)
		for (int times = 0; times < 100; times++) {
			struct record r = {.rtt_count = 1, .values = {[FIELD_connections] = !times, [FIELD_packets_sent] = 10}};
			r.rtt_us[0] = 50000 + i * 170;
			measures_add_record(&near, &r);
			r.rtt_us[0] += 6000;
			measures_add_record(&far, &r);
		}
	struct compare_judgement j = compare_judge(COMPARE_RTT, &near, &far, 1);
	assert_int_equal(j.verdict, COMPARE_UNKNOWN);
	assert_int_equal(j.why, COMPARE_WHY_CHANCE);
	near.v[MEASURE_connections] = COMPARE_SAMPLES - 1;
	assert_int_equal(compare_judge(COMPARE_RTT, &near, &far, 1).why, COMPARE_WHY_FEW);
}

/* A mean that hangs on a few does not speak for most. */
static void test_few_slow(void **state)
{
	struct measures most = {0}, few = {0};
	seed();
	for (int i = 0; i < 20000; i++) {
		add_connection(&most, 40, 0.001, 45e3);
		add_connection(&few, 40, 0.001, i % 10 ? 15e3 : 1.4e6);
	}
	struct compare_judgement j = compare_judge(COMPARE_RTT, &most, &few, 1);
	assert_int_equal(j.verdict, COMPARE_UNKNOWN);
	assert_int_equal(j.why, COMPARE_WHY_DISAGREE);
}

/* ---- what is promised of many ---- */

static unsigned random_amount(void)
{
	return 100u << wt_random_below(5);
}

static struct kind random_kind(void)
{
	double rtt_us = 5e3 + 1e3 * (double)wt_random_below(200);
	return (struct kind){random_amount(), 5 + (unsigned)wt_random_below(60), 0.0005 * (double)(1 + wt_random_below(20)), rtt_us, rtt_us * chance() / 2};
}

/* Equal ways, unequal amounts: hardly one in a thousand is called better. Four standard deviations of that are allowed. */
static void test_false_better(void **state)
{
	unsigned found[COMPARE_FIGURES] = {0};
	seed();
	for (int i = 0; i < WORLDS; i++) {
		struct kind a = random_kind(), b = a;
		b.connections = random_amount();
		found[COMPARE_RETRANSMITS] += judge(COMPARE_RETRANSMITS, a, b).verdict == COMPARE_BETTER;
		found[COMPARE_RTT] += judge(COMPARE_RTT, a, b).verdict == COMPARE_BETTER;
	}
	print_message("# of %d equal ones %u and %u were called better\n", WORLDS, found[COMPARE_RETRANSMITS], found[COMPARE_RTT]);
	for (int f = 0; f < COMPARE_FIGURES; f++)
		assert_in_range(found[f], 0, WORLDS / 1000 + 4 * (unsigned)sqrt(WORLDS / 1000));
}

/* Ways that differ by a bit more than what matters: at most one in twenty is called the same. */
static void test_false_same(void **state)
{
	unsigned found[COMPARE_FIGURES] = {0};
	const unsigned worlds = WORLDS / 10;
	seed();
	for (unsigned i = 0; i < worlds; i++) {
		struct kind a = {1000u << wt_random_below(4), 40, 0.004, 80e3, 4e3}, b = a;
		b.loss = a.loss * 1.3;
		b.rtt_us = a.rtt_us * 1.11;
		found[COMPARE_RETRANSMITS] += judge(COMPARE_RETRANSMITS, a, b).verdict == COMPARE_SAME;
		found[COMPARE_RTT] += judge(COMPARE_RTT, a, b).verdict == COMPARE_SAME;
	}
	print_message("# of %u different ones %u and %u were called the same\n", worlds, found[COMPARE_RETRANSMITS], found[COMPARE_RTT]);
	for (int f = 0; f < COMPARE_FIGURES; f++)
		assert_in_range(found[f], 0, worlds / 20);
}

/* More pairs, more chances: with eight equal sides, still. */
static void test_many_sides(void **state)
{
	static const enum dimension by[] = {DIM_origin, DIM_router};
	struct groups_fixture f;
	struct compare c;
	seed();
	groups_fixture_init(&f, by, 2);
	for (unsigned i = 0; i < WORLDS / 10; i++)
		for (unsigned side = 0; side < COMPARE_SIDES_MAX; side++) {
			char name[] = {(char)('a' + side), '\0'};
			struct measures m = make_side((struct kind){100, 20, 0.004, 30e3, 4e3});
			groups_fixture_add(&f, (struct dim_value[]){as_value(i + 1), text_value(name)}, &m);
		}
	struct query_groups all = groups_fixture_all(&f);
	assert_int_equal(compare_make(&all, 10, &c), 0);
	assert_int_equal(c.networks, WORLDS / 10);
	assert_in_range(c.verdicts[COMPARE_RETRANSMITS][COMPARE_BETTER], 0, 2 + 4);
	assert_in_range(c.verdicts[COMPARE_RTT][COMPARE_BETTER], 0, 2 + 4);
	compare_done(&c);
	groups_fixture_done(&f);
}

/* ---- networks ---- */

static void add(struct groups_fixture *f, uint32_t origin, const char *router, struct kind k)
{
	struct measures m = make_side(k);
	groups_fixture_add(f, (struct dim_value[]){as_value(origin), text_value(router)}, &m);
}

static void assert_value(const struct dim_value *v, const char *text)
{
	assert_int_equal(v->bytes.len, strlen(text));
	assert_memory_equal(v->bytes.data, text, v->bytes.len);
}

static void test_rows(void **state)
{
	static const enum dimension by[] = {DIM_origin, DIM_router};
	const struct kind bad = {8000, 40, 0.02, 60e3, 20e3}, near_but_bad = {8000, 40, 0.02, 20e3, 4e3};
	struct groups_fixture f;
	struct compare c;
	seed();
	groups_fixture_init(&f, by, 2);
	add(&f, 1, "edge1", plain); /* one side only */
	add(&f, 2, "edge1", plain); /* better by edge1 */
	add(&f, 2, "edge2", bad);
	add(&f, 3, "edge1", plain); /* each is better in something: nothing at stake */
	add(&f, 3, "edge2", near_but_bad);
	add(&f, 0, "edge1", plain); /* unknown */
	add(&f, 0, "edge2", bad);
	add(&f, 4, NULL, bad);      /* no router */
	add(&f, 4, "edge2", plain);
	struct query_groups all = groups_fixture_all(&f);
	assert_int_equal(compare_make(&all, 10, &c), 0);
	groups_fixture_done(&f); /* the answer holds by itself */
	assert_int_equal(c.networks, 2);
	assert_int_equal(c.row_count, 2);
	const struct compare_row *r = &c.rows[0];
	assert_int_equal(r->network.number, 2);
	assert_int_equal(r->side_count, 2);
	assert_value(&r->sides[0].value, "edge2"); /* more bytes */
	assert_value(&r->sides[1].value, "edge1");
	assert_int_equal(r->best[COMPARE_RETRANSMITS], 1);
	assert_int_equal(r->verdict[COMPARE_RETRANSMITS], COMPARE_BETTER);
	assert_int_equal(r->sides[0].against_best[COMPARE_RETRANSMITS].verdict, COMPARE_BETTER);
	assert_int_equal(r->verdict[COMPARE_RTT], COMPARE_SAME);
	assert_int_equal(r->at_stake, r->sides[0].m.v[MEASURE_bytes_sent]);
	r = &c.rows[1];
	assert_int_equal(r->network.number, 3);
	assert_int_equal(r->verdict[COMPARE_RETRANSMITS], COMPARE_BETTER);
	assert_int_equal(r->verdict[COMPARE_RTT], COMPARE_BETTER);
	assert_int_not_equal(r->best[COMPARE_RETRANSMITS], r->best[COMPARE_RTT]);
	assert_int_equal(r->at_stake, 0);
	assert_int_equal(c.at_stake, c.rows[0].at_stake);
	assert_int_equal(c.bytes, c.rows[0].bytes + c.rows[1].bytes);
	assert_int_equal(c.verdicts[COMPARE_RETRANSMITS][COMPARE_BETTER], 2);
	assert_int_equal(c.verdicts[COMPARE_RTT][COMPARE_SAME], 1);
	compare_done(&c);
}

/* The largest sides are kept in order, whatever the order they come in; a limit cuts rows and no sums. */
static void test_bounds(void **state)
{
	static const enum dimension by[] = {DIM_origin, DIM_router};
	struct groups_fixture f;
	struct compare c;
	seed();
	groups_fixture_init(&f, by, 2);
	for (unsigned i = 0; i < 3 * COMPARE_SIDES_MAX; i++) {
		char name[8];
		unsigned n = i * 7 % (3 * COMPARE_SIDES_MAX);
		(void)snprintf(name, sizeof(name), "r%02u", n);
		struct measures m = {.v = {[MEASURE_bytes_sent] = 1000 + n / 2, [MEASURE_packets_sent] = 100}};
		for (uint32_t origin = 1; origin <= 5; origin++)
			groups_fixture_add(&f, (struct dim_value[]){as_value(origin), text_value(name)}, &m);
	}
	struct query_groups all = groups_fixture_all(&f);
	assert_int_equal(compare_make(&all, 3, &c), 0);
	assert_int_equal(c.networks, 5);
	assert_int_equal(c.row_count, 3);
	for (size_t i = 0; i < c.row_count; i++) {
		const struct compare_row *r = &c.rows[i];
		assert_int_equal(r->network.number, i + 1);
		assert_int_equal(r->side_count, COMPARE_SIDES_MAX);
		assert_int_equal(r->left_out, 2 * COMPARE_SIDES_MAX);
		assert_int_equal(r->verdict[COMPARE_RTT], COMPARE_UNKNOWN);
		assert_int_equal(r->why[COMPARE_RTT], COMPARE_WHY_FEW);
		assert_int_equal(r->best[COMPARE_RTT], -1);
		assert_value(&r->sides[0].value, "r22"); /* before r23, which has as much */
		assert_value(&r->sides[7].value, "r17");
	}
	compare_done(&c);
	groups_fixture_done(&f);
}

static void test_nothing(void **state)
{
	static const enum dimension by[] = {DIM_prefix, DIM_router};
	struct groups_fixture f;
	struct compare c;
	groups_fixture_init(&f, by, 2);
	struct query_groups all = groups_fixture_all(&f);
	assert_int_equal(compare_make(&all, 3, &c), 0);
	assert_int_equal(c.row_count, 0);
	assert_int_equal(c.networks, 0);
	compare_done(&c);
	groups_fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retransmits), cmocka_unit_test(test_length), cmocka_unit_test(test_saturated), cmocka_unit_test(test_approximate), cmocka_unit_test(test_edges),
		cmocka_unit_test(test_rtt), cmocka_unit_test(test_buckets), cmocka_unit_test(test_few_slow), cmocka_unit_test(test_repeated), cmocka_unit_test(test_false_better),
		cmocka_unit_test(test_false_same), cmocka_unit_test(test_many_sides), cmocka_unit_test(test_rows), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

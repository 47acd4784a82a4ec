/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"
#include "http/strikes.h"
#include "wt_test.h"

#define START (1000 * NS_PER_S)

static struct http_strikes strikes; /* large */

static int setup(void **state)
{
	http_strikes_init(&strikes);
	return 0;
}

static int teardown(void **state)
{
	http_strikes_done(&strikes);
	return 0;
}

static struct addr at(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static bool out(const char *from, uint64_t now_ns)
{
	struct addr a = at(from);
	return http_strikes_out(&strikes, &a, now_ns);
}

static void wrong(const char *from, unsigned times, uint64_t now_ns)
{
	struct addr a = at(from);
	for (unsigned i = 0; i < times; i++)
		http_strikes_add(&strikes, &a, now_ns);
}

/* Out after so many, until the minute that began with the first is over; nobody else is. */
static void for_a_minute(void **state)
{
	wrong("192.0.2.1", STRIKES_MAX - 1, START);
	assert_false(out("192.0.2.1", START));
	wrong("192.0.2.1", 1, START + 59 * NS_PER_S);
	assert_true(out("192.0.2.1", START + 59 * NS_PER_S));
	assert_false(out("192.0.2.2", START + 59 * NS_PER_S));
	assert_false(out("192.0.2.1", START + 60 * NS_PER_S));
	wrong("192.0.2.1", 1, START + 60 * NS_PER_S);
	assert_false(out("192.0.2.1", START + 60 * NS_PER_S));
}

static void networks(void **state)
{
	wrong("2001:db8::1", STRIKES_MAX / 2, START);
	wrong("2001:db8::2", STRIKES_MAX - STRIKES_MAX / 2, START);
	assert_true(out("2001:db8::ffff", START));
	assert_false(out("2001:db8:0:1::1", START));
}

static void this_machine(void **state)
{
	wrong("127.0.0.5", 2 * STRIKES_MAX, START);
	wrong("::1", 2 * STRIKES_MAX, START);
	assert_false(out("127.0.0.5", START));
	assert_false(out("::1", START));
}

/* More addresses than there are places for: the last one counts all the same. */
static void full(void **state)
{
	for (uint32_t i = 0; i < 4 * STRIKES_SETS * STRIKES_WAYS; i++) {
		struct addr a = {.family = ADDR_V4, .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
		http_strikes_add(&strikes, &a, START + i);
	}
	wrong("192.0.2.1", STRIKES_MAX, START + NS_PER_S);
	assert_true(out("192.0.2.1", START + NS_PER_S));
	assert_false(out("192.0.2.2", START + NS_PER_S));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(for_a_minute), TEST(networks), TEST(this_machine), TEST(full)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

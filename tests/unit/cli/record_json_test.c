/* SPDX-License-Identifier: BSD-2-Clause */

/* Records as JSON: what is written is read as it was. */

#include "wt_test.h"

#include <string.h>

#include "base/clock.h"
#include "cli/record_json.h"

static struct record random_record(const char *type)
{
	struct record r = {.time_ms = clock_wall_ms() - wt_random_below(1000000), .approximate = wt_random_below(2)};
	assert_int_equal(addr_parse(wt_random_below(2) ? "203.0.113.9" : "2001:db8::9", &r.client), 0);
	assert_int_equal(addr_parse(wt_random_below(2) ? "192.0.2.1" : "2001:db8::2", &r.server), 0);
	r.type = (struct view){(const uint8_t *)type, strlen(type)};
	for (int i = 0; i < RECORD_FIELD_COUNT; i++)
		r.values[i] = wt_random_below(2) ? wt_random_below(RECORD_VALUE_MAX + 1) : 0;
	r.values[FIELD_requests] = 1;
	r.values[FIELD_connections_with_retransmit] = 1; /* else it is derived */
	r.rtt_count = (uint8_t)wt_random_below(4);
	for (int i = 0; i < r.rtt_count; i++)
		r.rtt_us[i] = (uint32_t)wt_random();
	return r;
}

static void what_is_written_is_read(void **state)
{
	static const char *const types[] = {"", "video", "a \"quoted\"\\ type", "\xc3\xa9\xe2\x82\xac"};
	for (int i = 0; i < 2000; i++) {
		struct record r = random_record(types[i % 4]), back;
		struct error err = {0};
		char buf[RECORD_TYPE_MAX];
		json_t *o = record_json_make(&r);
		char *text = json_dumps(o, JSON_COMPACT);
		assert_non_null(text);
		if (record_json_parse(text, strlen(text), 0, buf, &back, &err) < 0)
			fail_msg("%s: %s", text, err.text);
		assert_int_equal(back.time_ms, r.time_ms);
		assert_true(addr_equal(&back.client, &r.client) && addr_equal(&back.server, &r.server));
		assert_int_equal(back.type.len, r.type.len);
		assert_int_equal(r.type.len ? memcmp(back.type.data, r.type.data, r.type.len) : 0, 0);
		assert_int_equal(back.approximate, r.approximate);
		assert_memory_equal(back.values, r.values, sizeof(r.values));
		assert_int_equal(back.rtt_count, r.rtt_count);
		assert_memory_equal(back.rtt_us, r.rtt_us, r.rtt_count * sizeof(*r.rtt_us));
		free(text);
		json_decref(o);
	}
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_written_is_read)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

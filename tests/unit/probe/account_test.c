/* SPDX-License-Identifier: BSD-2-Clause */

/* From events to records, and their types by tags and rules. */

#include "wt_test.h"

#include <string.h>
#include <sys/socket.h>

#include "probe/account.h"
#include "probe/rules.h"
#include "wire/tag.h"

#define WALL_MS 1795428000000ull
#define MONO_NS 5000000000ull

static struct probe_event make_event(void)
{
	return (struct probe_event){
		.time_ns = MONO_NS - 250000000, .begin_ns = MONO_NS - 1750000000, .bytes_sent = 1000, .bytes_retransmitted = 300,
		.bytes_received = 40, .packets_sent = 5, .packets_retransmitted = 2, .packets_spurious = 1, .rtt_min_us = 180,
		.local_port = 443, .family = AF_INET, .kind = PROBE_CLOSE,
		.flags = PROBE_FIRST | PROBE_FIRST_RETRANSMIT, .local = {192, 0, 2, 10}, .remote = {203, 0, 113, 9}};
}

static void an_event_is_a_record(void **state)
{
	struct probe_event e = make_event();
	struct record r;
	char text[ADDR_TEXT_MAX];
	assert_true(account_event(&e, WALL_MS, MONO_NS, &r));
	assert_int_equal(r.time_ms, WALL_MS - 250);
	assert_string_equal(addr_format(&r.client, text), "203.0.113.9");
	assert_string_equal(addr_format(&r.server, text), "192.0.2.10");
	static const uint64_t expected[RECORD_FIELD_COUNT] = {
		[FIELD_bytes_sent] = 1000, [FIELD_bytes_retransmitted] = 300, [FIELD_bytes_received] = 40,
		[FIELD_packets_sent] = 5, [FIELD_packets_retransmitted] = 2, [FIELD_packets_spurious] = 1,
		[FIELD_connections] = 1, [FIELD_connections_with_retransmit] = 1, [FIELD_duration_ms] = 1500};
	assert_memory_equal(r.values, expected, sizeof(expected));
	assert_int_equal(r.rtt_count, 1);
	assert_int_equal(r.rtt_us[0], 180);
	assert_false(r.approximate);
}

static void later_ones_are_no_connections(void **state)
{
	struct probe_event e = make_event();
	struct record r;
	e.flags = PROBE_APPROXIMATE;
	e.begin_ns = 0;
	e.rtt_min_us = 0;
	assert_true(account_event(&e, WALL_MS, MONO_NS, &r));
	assert_int_equal(r.values[FIELD_connections] + r.values[FIELD_connections_with_retransmit], 0);
	assert_int_equal(r.values[FIELD_duration_ms], 0);
	assert_int_equal(r.rtt_count, 0);
	assert_true(r.approximate);
}

/* A socket that listens on [::] shows IPv4 clients as ::ffff:a.b.c.d. */
static void mapped_addresses_are_ipv4(void **state)
{
	struct probe_event e = make_event();
	struct record r;
	char text[ADDR_TEXT_MAX];
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 198, 51, 100, 7};
	e.family = AF_INET6;
	memcpy(e.remote, mapped, sizeof(mapped));
	memcpy(e.local, mapped, sizeof(mapped));
	assert_true(account_event(&e, WALL_MS, MONO_NS, &r));
	assert_string_equal(addr_format(&r.client, text), "198.51.100.7");
	assert_string_equal(addr_format(&r.server, text), "198.51.100.7");
	e.remote[0] = 0x20;
	assert_true(account_event(&e, WALL_MS, MONO_NS, &r));
	assert_int_equal(r.client.family, ADDR_V6);
}

static void nothing_is_no_record(void **state)
{
	struct probe_event e = make_event();
	struct record r;
	e.bytes_sent = e.bytes_received = e.packets_sent = e.packets_retransmitted = 0;
	assert_false(account_event(&e, WALL_MS, MONO_NS, &r));
	e.flags = 0; /* told before: it has been open, and is over */
	assert_true(account_event(&e, WALL_MS, MONO_NS, &r));
	assert_int_equal(r.values[FIELD_duration_ms], 1500);
	e.kind = PROBE_LOOK;
	assert_false(account_event(&e, WALL_MS, MONO_NS, &r));
	e.packets_retransmitted = 1; /* a SYN-ACK that was lost */
	assert_true(account_event(&e, WALL_MS, MONO_NS, &r));
	e.family = 1;
	assert_false(account_event(&e, WALL_MS, MONO_NS, &r));
}

/* ---- types ---- */

static const char *type_of(struct rules *rules, const struct probe_event *e)
{
	static char text[RECORD_TYPE_MAX + 1];
	struct record r;
	assert_true(account_event(e, WALL_MS, MONO_NS, &r));
	struct view type = rules_type(rules, e, &r.server);
	memcpy(text, type.data ? type.data : (const uint8_t *)"", type.len);
	text[type.len] = '\0';
	return text;
}

static void the_first_rule_decides(void **state)
{
	struct config *c;
	struct rules *rules;
	struct error err = {0};
	const char *text = "probe:\n"
		"  types: [video, api]\n"
		"  type_rules:\n"
		"  - {type: marked, mark: 7}\n"
		"  - {type: both, port: 443, address: 192.0.2.0/28}\n"
		"  - {type: numbered, tag: 9}\n"
		"  - {type: net, address: 192.0.2.0/24}\n"
		"  - {type: tls, port: 443}\n"
		"  - {type: unit, cgroup: /no/such/unit}\n";
	if (config_parse("t.yaml", text, strlen(text), &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(rules_new(&c->probe, &rules), 0);
	struct probe_event e = make_event();
	e.cgroup = 1234;
	assert_string_equal(type_of(rules, &e), "both");
	e.local[3] = 200;
	assert_string_equal(type_of(rules, &e), "net");
	e.local[0] = 193;
	assert_string_equal(type_of(rules, &e), "tls");
	e.local_port = 80;
	assert_string_equal(type_of(rules, &e), "");
	e.tag = 9;
	assert_string_equal(type_of(rules, &e), "numbered");
	e.mark = 7;
	assert_string_equal(type_of(rules, &e), "marked");
	e.tag = tag_of_type("api", 3);
	assert_string_equal(type_of(rules, &e), "api");
	assert_int_equal(rules_unknown_names(rules), 0);
	e.tag = tag_of_type("apis", 4);
	assert_string_equal(type_of(rules, &e), "marked");
	assert_int_equal(rules_unknown_names(rules), 1);
	rules_free(rules);
	config_free(c);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_a_record),
		cmocka_unit_test(later_ones_are_no_connections),
		cmocka_unit_test(mapped_addresses_are_ipv4),
		cmocka_unit_test(nothing_is_no_record),
		cmocka_unit_test(the_first_rule_decides),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

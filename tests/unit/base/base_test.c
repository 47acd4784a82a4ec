/* SPDX-License-Identifier: BSD-2-Clause */
#include "wt_test.h"

#include <errno.h>
#include <string.h>

#include "base/address.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/index.h"
#include "base/words.h"

/* ---- cursor ---- */

static void reads_fail_and_stay_failed(void **state)
{
	struct rd r = rd_make("\x01\x02\x03", 3);
	assert_int_equal(rd_u16(&r), 0x0102);
	assert_int_equal(rd_u16(&r), 0);
	assert_false(rd_ok(&r));
	assert_int_equal(rd_u8(&r), 0);
	assert_int_equal(rd_left(&r), 0);
	assert_false(rd_done(&r));
	assert_int_equal(rd_bytes(&r, 0).len, 0);
}

static void a_carved_reader_cannot_see_past_its_end(void **state)
{
	struct rd r = rd_make("abcdef", 6);
	struct rd child = rd_carve(&r, 2);
	assert_int_equal(rd_u8(&child), 'a');
	assert_int_equal(rd_u8(&child), 'b');
	assert_true(rd_done(&child));
	assert_int_equal(rd_u8(&child), 0);
	assert_false(rd_ok(&child));
	assert_int_equal(rd_u8(&r), 'c');
	child = rd_carve(&r, 4);
	assert_false(rd_ok(&r));
	assert_false(rd_ok(&child));
	assert_int_equal(rd_left(&child), 0);
}

static void the_least_significant_byte_can_come_first(void **state)
{
	uint8_t buf[8];
	for (unsigned n = 1; n <= 8; n++) {
		uint64_t v = wt_random() >> (64 - 8 * n);
		struct wr w = wr_make(buf, n);
		wr_le(&w, v, n);
		assert_int_equal(wr_left(&w), 0);
		assert_int_equal(buf[0], v & 0xff);
		assert_int_equal(buf[n - 1], v >> (8 * (n - 1)));
		struct rd r = rd_make(buf, n);
		assert_true(rd_le(&r, n) == v && rd_done(&r));
		r = rd_make(buf, n - 1);
		assert_true(rd_le(&r, n) == 0 && !rd_ok(&r));
		wr_le(&w, v, 1);
		assert_false(wr_ok(&w));
	}
}

static void a_carved_writer_has_its_part(void **state)
{
	uint8_t buf[6] = {0};
	struct wr w = wr_make(buf, sizeof(buf)), child = wr_carve(&w, 2);
	wr_u8(&w, 'c');
	wr_u16(&child, 0x6162);
	wr_u8(&child, 'x');
	assert_false(wr_ok(&child));
	assert_memory_equal(buf, "abc\0\0", 6);
	child = wr_carve(&w, 4);
	assert_false(wr_ok(&w));
	wr_u8(&child, 'x');
	assert_false(wr_ok(&child));
	assert_memory_equal(buf, "abc\0\0", 6);
}

static void varints_go_there_and_back(void **state)
{
	for (int i = 0; i < 20000; i++) {
		uint64_t v = wt_random() >> wt_random_below(64);
		uint8_t buf[30];
		struct wr w = wr_make(buf, sizeof(buf));
		wr_varint(&w, v);
		wr_zigzag(&w, (int64_t)v);
		wr_zigzag(&w, (int64_t)(0 - v));
		assert_true(wr_ok(&w));
		struct rd r = rd_make(buf, wr_len(&w));
		assert_true(rd_varint(&r) == v);
		assert_int_equal(r.p - buf, varint_size(v));
		assert_true(rd_zigzag(&r) == (int64_t)v);
		assert_true(rd_zigzag(&r) == (int64_t)(0 - v));
		assert_true(rd_done(&r));
	}
}

static void overlong_varints_are_refused(void **state)
{
	uint8_t ok[10] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
	struct rd r = rd_make(ok, sizeof(ok));
	assert_true(rd_varint(&r) == UINT64_MAX);
	assert_true(rd_done(&r));
	ok[9] = 0x02;
	r = rd_make(ok, sizeof(ok));
	assert_true(rd_varint(&r) == 0);
	assert_false(rd_ok(&r));
	uint8_t eleven[11] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
	r = rd_make(eleven, sizeof(eleven));
	(void)rd_varint(&r);
	assert_false(rd_ok(&r));
}

static void a_full_writer_fails(void **state)
{
	uint8_t buf[3];
	struct wr w = wr_make(buf, sizeof(buf));
	wr_u16(&w, 1);
	wr_u16(&w, 2);
	assert_false(wr_ok(&w));
	wr_bytes(&w, "x", 1);
	assert_false(wr_ok(&w));
}

/* ---- addresses ---- */

static void mapped_addresses_become_ipv4(void **state)
{
	struct addr a, b;
	char text[ADDR_TEXT_MAX];
	assert_int_equal(addr_parse("::ffff:192.0.2.1", &a), 0);
	assert_int_equal(addr_parse("192.0.2.1", &b), 0);
	assert_true(addr_equal(&a, &b));
	assert_string_equal(addr_format(&a, text), "192.0.2.1");
	assert_int_equal(addr_parse("2001:DB8::1", &a), 0);
	assert_string_equal(addr_format(&a, text), "2001:db8::1");
	assert_int_equal(addr_parse("192.0.2.256", &a), -EINVAL);
	assert_int_equal(addr_parse(" 192.0.2.1", &a), -EINVAL);
	assert_int_equal(addr_parse("", &a), -EINVAL);
}

static void prefixes_parse_strictly(void **state)
{
	struct error err;
	struct prefix p;
	char text[PREFIX_TEXT_MAX];
	assert_int_equal(prefix_parse("192.0.2.0/24", &p, &err), 0);
	assert_string_equal(prefix_format(&p, text), "192.0.2.0/24");
	assert_int_equal(prefix_parse("2001:db8::/32", &p, &err), 0);
	assert_int_equal(prefix_parse("2001:db8::1", &p, &err), 0);
	assert_int_equal(p.len, 128);
	assert_int_equal(prefix_parse("192.0.2.1/24", &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "192.0.2.0/24"));
	const char *bad[] = {"192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/ 8", "192.0.2.0/8x", "::/129", "x/8",
		"/8", "", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/8"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(prefix_parse(bad[i], &p, &err), -EINVAL);
}

static void contains_agrees_with_bits(void **state)
{
	for (int i = 0; i < 20000; i++) {
		struct addr a = {.family = ADDR_V6}, b = {.family = ADDR_V6};
		for (int j = 0; j < 16; j++) {
			a.bytes[j] = (uint8_t)wt_random();
			b.bytes[j] = a.bytes[j];
		}
		b.bytes[wt_random_below(16)] ^= (uint8_t)(1u << wt_random_below(8));
		struct prefix p = prefix_make(&a, (unsigned)wt_random_below(129));
		bool same = true;
		for (unsigned bit = 0; bit < p.len; bit++)
			same &= addr_bit(&a, bit) == addr_bit(&b, bit);
		assert_int_equal(prefix_contains(&p, &b), same);
		assert_true(prefix_contains(&p, &a));
	}
}

static void hostports_parse(void **state)
{
	struct addr a;
	uint16_t port;
	struct error err;
	char text[HOSTPORT_TEXT_MAX];
	assert_int_equal(hostport_parse("[::1]:5775", &a, &port, &err), 0);
	assert_int_equal(port, 5775);
	assert_string_equal(hostport_format(&a, port, text), "[::1]:5775");
	assert_int_equal(hostport_parse("127.0.0.1:0", &a, &port, &err), 0);
	const char *bad[] = {"127.0.0.1", ":1", "::1:80", "[::1]80", "127.0.0.1:65536", "127.0.0.1:", "127.0.0.1:-1", "host:1"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(hostport_parse(bad[i], &a, &port, &err), -EINVAL);
}

/* ---- time ---- */

static void times_go_there_and_back(void **state)
{
	uint64_t ms;
	char text[TIME_TEXT_MAX];
	assert_int_equal(time_parse("2026-11-23T10:00:00Z", &ms), 0);
	assert_true(ms == 1795428000000);
	assert_string_equal(time_format(ms, text), "2026-11-23T10:00:00Z");
	assert_int_equal(time_parse("2026-11-23T11:00:00.250+01:00", &ms), 0);
	assert_string_equal(time_format(ms, text), "2026-11-23T10:00:00.250Z");
	assert_int_equal(time_parse("2026-11-23T11:00+01:00", &ms), 0);
	assert_string_equal(time_format(ms, text), "2026-11-23T10:00:00Z");
	assert_int_equal(time_parse("2026-11-23", &ms), 0);
	assert_string_equal(time_format(ms, text), "2026-11-23T00:00:00Z");
	assert_int_equal(time_parse("1795428000", &ms), 0);
	assert_true(ms == 1795428000000);
	const char *bad[] = {"", "now", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-23T24:00:00Z",
		"2026-11-23T10:00:00", "2026-11-23T10:00", "2026-11-23T10Z", "2026-11-23T", "2026-11-23Z", "2026-11-23T10:00:Z", "2026-11-23T10:00:00Zx", "-5", "99999999999999999999"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(time_parse(bad[i], &ms), -EINVAL);
}

static void durations_parse(void **state)
{
	uint64_t ms;
	assert_int_equal(duration_parse("15m", &ms), 0);
	assert_true(ms == 900000);
	assert_int_equal(duration_parse("2w", &ms), 0);
	assert_true(ms == 14ull * 86400000);
	assert_int_equal(duration_parse("forever", &ms), 0);
	assert_true(ms == UINT64_MAX);
	const char *bad[] = {"", "5", "m", "-5m", "5 m", "5y", "99999999999999999999d"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(duration_parse(bad[i], &ms), -EINVAL);
}

/* ---- index: random operations against an array of flags ---- */

static void the_index_agrees_with_a_list(void **state)
{
	enum { KEYS = 500 };
	struct index idx;
	bool in[KEYS] = {false};
	uint32_t count = 0;
	index_init(&idx);
	for (int i = 0; i < 100000; i++) {
		uint32_t key = (uint32_t)wt_random_below(KEYS);
		uint64_t hash = key / 7; /* many keys share a hash */
		uint32_t slot, pos;
		INDEX_FOR_EACH(&idx, hash, slot, pos)
			if (pos == key)
				break;
		assert_int_equal(pos == key, in[key]);
		if (in[key]) {
			index_del(&idx, hash, key);
			count--;
		} else {
			assert_int_equal(index_add(&idx, hash, key), 0);
			count++;
		}
		in[key] = !in[key];
		assert_int_equal(idx.count, count);
	}
	index_clear(&idx);
	uint32_t slot, pos;
	INDEX_FOR_EACH(&idx, 0, slot, pos)
		fail();
	index_done(&idx);
}

static void arenas_keep_what_they_gave(void **state)
{
	struct arena a;
	arena_init(&a);
	for (int round = 0; round < 3; round++) {
		uint8_t *given[300];
		for (int i = 0; i < 300; i++) {
			uint8_t data[5000];
			size_t n = i % 50 == 49 ? 200000 : wt_random_below(sizeof(data));
			given[i] = arena_alloc(&a, n + 1);
			assert_non_null(given[i]);
			memset(given[i], i & 0xff, n + 1);
			given[i][0] = (uint8_t)(i * 7);
		}
		for (int i = 0; i < 300; i++)
			assert_int_equal(given[i][0], (uint8_t)(i * 7));
		arena_reset(&a);
	}
	arena_done(&a);
}

static void buffers_grow(void **state)
{
	struct buffer b;
	buffer_init(&b);
	for (uint32_t i = 0; i < 10000; i++) {
		struct wr w = buffer_reserve(&b, 4);
		wr_u32(&w, i);
		buffer_commit(&b, &w);
	}
	assert_int_equal(b.len, 40000);
	struct rd r = rd_make(b.data, b.len);
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(rd_u32(&r), i);
	struct wr w = buffer_reserve(&b, 1);
	wr_u16(&w, 1);
	buffer_commit(&b, &w);
	assert_true(b.failed);
	buffer_done(&b);
}

static void test_words(void **state)
{
	assert_true(words_have("by sort from", ' ', "by"));
	assert_true(words_have("by sort from", ' ', "sort"));
	assert_true(words_have("by sort from", ' ', "from"));
	assert_false(words_have("by sort from", ' ', "so"));
	assert_false(words_have("by sort from", ' ', "ort"));
	assert_false(words_have("by sort from", ' ', "by sort"));
	assert_false(words_have("by sort from", ' ', ""));
	assert_true(words_have("by sort so", ' ', "so"));
	assert_false(words_have("", ' ', "origin"));
	assert_true(words_have("rtt_count,rtt", ',', "rtt"));
	assert_true(words_same(NULL, NULL) && words_same("a", "a"));
	assert_false(words_same(NULL, "a") || words_same("a", NULL) || words_same("a", "ab"));
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(reads_fail_and_stay_failed),
		cmocka_unit_test(a_carved_reader_cannot_see_past_its_end),
		cmocka_unit_test(the_least_significant_byte_can_come_first),
		cmocka_unit_test(a_carved_writer_has_its_part),
		cmocka_unit_test(varints_go_there_and_back),
		cmocka_unit_test(overlong_varints_are_refused),
		cmocka_unit_test(a_full_writer_fails),
		cmocka_unit_test(mapped_addresses_become_ipv4),
		cmocka_unit_test(prefixes_parse_strictly),
		cmocka_unit_test(contains_agrees_with_bits),
		cmocka_unit_test(hostports_parse),
		cmocka_unit_test(times_go_there_and_back),
		cmocka_unit_test(durations_parse),
		cmocka_unit_test(the_index_agrees_with_a_list),
		cmocka_unit_test(arenas_keep_what_they_gave),
		cmocka_unit_test(buffers_grow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

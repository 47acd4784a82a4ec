/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "wt_test.h"

#include "route/path.h"

#define SET(n)        PATH_SET, n
#define SEQ(n)        PATH_SEQUENCE, n
#define CONFED_SEQ(n) PATH_CONFED_SEQUENCE, n
#define CONFED_SET(n) PATH_CONFED_SET, n
#define AS(a)         (a) >> 24 & 0xff, (a) >> 16 & 0xff, (a) >> 8 & 0xff, (a) & 0xff
#define BYTES(...)    (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static const struct sample {
	const char *text;
	const uint8_t *bytes;
	size_t len;
	uint32_t neighbour, origin;
	size_t members;
} samples[] = {
	{"", NULL, 0, 0, 0, 0},
	{"64500", BYTES(SEQ(1), AS(64500)), 64500, 64500, 1},
	{"1 2 3", BYTES(SEQ(3), AS(1), AS(2), AS(3)), 1, 3, 3},
	{"0 4294967295", BYTES(SEQ(2), AS(0), AS(4294967295)), 0, 4294967295, 2},
	{"5 5 5", BYTES(SEQ(3), AS(5), AS(5), AS(5)), 5, 5, 1},
	{"64500 174 {7381,15169}", BYTES(SEQ(2), AS(64500), AS(174), SET(2), AS(7381), AS(15169)), 64500, 0, 4},
	{"1 {7}", BYTES(SEQ(1), AS(1), SET(1), AS(7)), 1, 7, 2},
	{"{7,8}", BYTES(SET(2), AS(7), AS(8)), 0, 0, 2},
	{"{7,7}", BYTES(SET(2), AS(7), AS(7)), 7, 7, 1},
	{"{7,8} 9", BYTES(SET(2), AS(7), AS(8), SEQ(1), AS(9)), 0, 9, 3},
	{"(65001 65002) 5 6", BYTES(CONFED_SEQ(2), AS(65001), AS(65002), SEQ(2), AS(5), AS(6)), 5, 6, 4},
	{"[65003,65004] 9", BYTES(CONFED_SET(2), AS(65003), AS(65004), SEQ(1), AS(9)), 9, 9, 3},
	{"(65001) [65002]", BYTES(CONFED_SEQ(1), AS(65001), CONFED_SET(1), AS(65002)), 0, 0, 2},
	{"1 2 (65001)", BYTES(SEQ(2), AS(1), AS(2), CONFED_SEQ(1), AS(65001)), 1, 2, 3},
	{"{7,8} {9} (1) [2] 70000",
		BYTES(SET(2), AS(7), AS(8), SET(1), AS(9), CONFED_SEQ(1), AS(1), CONFED_SET(1), AS(2), SEQ(1),
			AS(70000)),
		0, 70000, 6},
};

/* The bytes in memory of exactly their size, where the sanitizer sees a read behind the end. */
static struct view exact(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	if (len)
		memcpy(copy, bytes, len);
	return (struct view){copy, len};
}

static void drop(struct view v)
{
	free((void *)(uintptr_t)v.data);
}

/* Whatever is valid has a text, and the text reads back as the same text. */
static void check_stable(struct view path)
{
	size_t len = path_format(path, NULL, 0);
	char *text = malloc(len + 1), *again = malloc(len + 1);
	uint8_t *bytes = malloc(path.len + 1);
	assert_int_equal(path_format(path, text, len + 1), len);
	assert_int_equal(strlen(text), len);
	int n = path_parse(text, bytes, path.len + 1);
	assert_in_range(n, 0, path.len);
	struct view parsed = exact(bytes, n > 0 ? (size_t)n : 0);
	assert_true(path_valid(parsed));
	assert_int_equal(path_format(parsed, again, len + 1), len);
	assert_string_equal(again, text);
	assert_int_equal(path_origin(parsed), path_origin(path));
	assert_int_equal(path_neighbour(parsed), path_neighbour(path));
	assert_int_equal(path_members(parsed, NULL, 0), path_members(path, NULL, 0));
	drop(parsed);
	free(bytes);
	free(again);
	free(text);
}

static void samples_say_what_they_mean(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		const struct sample *s = &samples[i];
		struct view path = exact(s->bytes, s->len);
		char text[200];
		uint8_t bytes[200];
		assert_true(path_valid(path));
		assert_int_equal(path_format(path, text, sizeof(text)), strlen(s->text));
		assert_string_equal(text, s->text);
		assert_int_equal(path_parse(s->text, bytes, sizeof(bytes)), s->len);
		assert_memory_equal(bytes, path.data, s->len);
		assert_int_equal(path_neighbour(path), s->neighbour);
		assert_int_equal(path_origin(path), s->origin);
		assert_int_equal(path_members(path, NULL, 0), s->members);
		drop(path);
	}
}

/* A cut path is valid only where a segment ends. */
static void truncations_are_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		const struct sample *s = &samples[i];
		size_t boundary = 0;
		for (size_t len = 0; len <= s->len; len++) {
			struct view path = exact(s->bytes, len);
			assert_int_equal(path_valid(path), len == boundary);
			if (len == boundary) {
				check_stable(path);
				if (len < s->len)
					boundary += 2 + 4u * s->bytes[len + 1];
			}
			drop(path);
		}
	}
}

static void changed_bytes_are_safe(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		const struct sample *s = &samples[i];
		for (size_t at = 0; at < s->len; at++) {
			for (unsigned value = 0; value < 256; value++) {
				struct view path = exact(s->bytes, s->len);
				((uint8_t *)(uintptr_t)path.data)[at] = (uint8_t)value;
				if (path_valid(path))
					check_stable(path);
				drop(path);
			}
		}
	}
}

static void unknown_and_empty_segments_are_refused(void **state)
{
	static const uint8_t type_0[] = {0, 1, AS(1)}, type_5[] = {5, 1, AS(1)}, empty[] = {SEQ(0)},
			     empty_last[] = {SEQ(1), AS(1), SET(0)};
	assert_false(path_valid((struct view){type_0, sizeof(type_0)}));
	assert_false(path_valid((struct view){type_5, sizeof(type_5)}));
	assert_false(path_valid((struct view){empty, sizeof(empty)}));
	assert_false(path_valid((struct view){empty_last, sizeof(empty_last)}));
}

static void format_cuts_like_snprintf(void **state)
{
	static const uint8_t bytes[] = {SEQ(2), AS(64500), AS(174), SET(2), AS(7381), AS(15169)};
	static const char whole[] = "64500 174 {7381,15169}";
	struct view path = {bytes, sizeof(bytes)};
	for (size_t cap = 0; cap <= sizeof(whole); cap++) {
		char *buf = malloc(cap ? cap : 1);
		assert_int_equal(path_format(path, buf, cap), sizeof(whole) - 1);
		if (cap) {
			assert_int_equal(strlen(buf), cap - 1);
			assert_memory_equal(buf, whole, cap - 1);
		}
		free(buf);
	}
}

static void parse_needs_room(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		for (size_t cap = 0; cap < samples[i].len; cap++) {
			uint8_t *buf = malloc(cap ? cap : 1);
			assert_int_equal(path_parse(samples[i].text, buf, cap), -ENOSPC);
			free(buf);
		}
	}
}

static void parse_refuses_other_forms(void **state)
{
	static const char *const bad[] = {"x", "1 x", "-1", "+1", "4294967296", "99999999999999999999", "1,2", "1\t2",
		"{", "}", "{}", "()", "[]", "{1", "{1,", "{1,}", "{,1}", "{1 2}", "{1}2", "1{2}", "(1,2)", "(1", "(1 ",
		"(12(", "[1 2]", "[1}", "{1]", "1.5", "0x10", "{{1}}"};
	uint8_t buf[64];
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (path_parse(bad[i], buf, sizeof(buf)) != -EINVAL)
			fail_msg("'%s' was accepted", bad[i]);
}

static void parse_allows_blanks(void **state)
{
	static const uint8_t want[] = {SEQ(2), AS(1), AS(2), SET(2), AS(3), AS(4), CONFED_SEQ(2), AS(5), AS(6)};
	uint8_t buf[64];
	assert_int_equal(path_parse("  1   2 { 3 , 4 }  ( 5  6 ) ", buf, sizeof(buf)), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

/* 600 numbers, which make three segments; sets cannot be cut. */
static void long_sequences_are_cut_at_255(void **state)
{
	char text[600 * 5 + 3] = "{";
	uint8_t buf[3 * 2 + 600 * 4];
	for (unsigned i = 0; i < 600; i++)
		(void)snprintf(text + 1 + 5 * i, 6, "%4u ", 1000 + i);
	int n = path_parse(text + 1, buf, sizeof(buf));
	assert_int_equal(n, sizeof(buf));
	assert_int_equal(buf[1], 255);
	assert_int_equal(buf[2 + 255 * 4 + 1], 255);
	assert_int_equal(buf[2 * (2 + 255 * 4) + 1], 90);
	check_stable((struct view){buf, (size_t)n});
	for (char *p = text; *p; p++)
		*p = *p == ' ' ? ',' : *p;
	text[256 * 5] = '}';
	text[256 * 5 + 1] = '\0';
	assert_int_equal(path_parse(text, buf, sizeof(buf)), -EINVAL);
	text[255 * 5] = '}';
	text[255 * 5 + 1] = '\0';
	assert_int_equal(path_parse(text, buf, sizeof(buf)), 2 + 255 * 4);
}

static void too_long_is_refused(void **state)
{
	size_t longest = PATH_BYTES_MAX / 6 * 6, len = longest + 6;
	uint8_t *bytes = calloc(1, len);
	for (size_t i = 0; i < len; i += 6) {
		bytes[i] = PATH_SEQUENCE;
		bytes[i + 1] = 1;
		bytes[i + 5] = (uint8_t)(i / 6);
		bytes[i + 4] = (uint8_t)(i / 6 >> 8);
	}
	assert_true(path_valid((struct view){bytes, longest}));
	assert_false(path_valid((struct view){bytes, len}));
	assert_int_equal(path_members((struct view){bytes, longest}, NULL, 0), longest / 6);
	free(bytes);
}

/* One random segment at w; numbers are few, so that they repeat. */
static size_t random_segment(uint8_t *bytes, unsigned type)
{
	unsigned count = 1 + (unsigned)wt_random_below(wt_random_below(10) ? 5 : 255);
	struct wr w = wr_make(bytes, 2 + 255 * 4);
	wr_u8(&w, (uint8_t)type);
	wr_u8(&w, (uint8_t)count);
	for (unsigned i = 0; i < count; i++)
		wr_u32(&w, wt_random_below(4) ? (uint32_t)wt_random_below(20) : (uint32_t)wt_random());
	return wr_len(&w);
}

static size_t naive_members(struct view path, uint32_t *ret)
{
	size_t n = 0;
	struct rd r = rd_view(path);
	while (rd_more(&r)) {
		(void)rd_u8(&r);
		for (unsigned count = rd_u8(&r); count; count--) {
			uint32_t as = rd_u32(&r);
			size_t i = 0;
			while (i < n && ret[i] != as)
				i++;
			if (i == n)
				ret[n++] = as;
		}
	}
	return n;
}

static void random_paths_round_trip(void **state)
{
	enum { SEGMENTS = 6, CAP = SEGMENTS * (2 + 255 * 4) };
	uint8_t bytes[CAP], back[CAP];
	uint32_t want[CAP / 4], got[CAP / 4];
	static char text[CAP * 3];
	for (unsigned round = 0; round < 5000; round++) {
		size_t len = 0;
		unsigned type = 0;
		for (uint64_t n = wt_random_below(SEGMENTS + 1); n; n--) {
			unsigned next = 1 + (unsigned)wt_random_below(4);
			type = next == PATH_SEQUENCE && type == PATH_SEQUENCE ? PATH_SET : next;
			len += random_segment(bytes + len, type);
		}
		struct view path = exact(bytes, len);
		assert_true(path_valid(path));
		assert_true(path_format(path, text, sizeof(text)) < sizeof(text));
		assert_int_equal(path_parse(text, back, sizeof(back)), len);
		assert_memory_equal(back, bytes, len);

		size_t n = naive_members(path, want), cap = (size_t)wt_random_below(n + 2);
		assert_int_equal(path_members(path, got, cap), n);
		assert_memory_equal(got, want, (cap < n ? cap : n) * sizeof(*got));
		drop(path);
	}
}

/* However its sequences are cut, a path is joined to what its text says. */
static void random_paths_are_joined(void **state)
{
	enum { SEGMENTS = 6, CAP = SEGMENTS * (2 + 255 * 4) };
	uint8_t bytes[CAP], want[CAP], got[CAP];
	static char text[CAP * 3];
	for (unsigned round = 0; round < 5000; round++) {
		size_t len = 0;
		for (uint64_t n = wt_random_below(SEGMENTS + 1); n; n--)
			len += random_segment(bytes + len, wt_random_below(3) ? PATH_SEQUENCE
				: 1 + (unsigned)wt_random_below(4));
		struct view path = exact(bytes, len);
		assert_true(path_format(path, text, sizeof(text)) < sizeof(text));
		int n = path_parse(text, want, sizeof(want));
		assert_true(n >= 0 && (size_t)n <= len);
		uint8_t *buf = malloc(len ? len : 1);
		assert_int_equal(path_join(path, buf), n);
		memcpy(got, buf, (size_t)n);
		free(buf);
		assert_memory_equal(got, want, (size_t)n);
		assert_true(path_is_joined((struct view){got, (size_t)n}));
		assert_int_equal(path_is_joined(path), (size_t)n == len && memcmp(bytes, want, len) == 0);
		drop(path);
	}
}

static void links_are_of_neighbours_in_a_sequence(void **state)
{
	static const struct {
		const char *path, *links;
	} cases[] = {
		{"", ""}, {"1", ""}, {"1 2 3", "1-2 2-3"}, {"1 1 2 2 2 3", "1-2 2-3"}, {"1 2 {3,4}", "1-2"}, {"1 {2} 3 4", "3-4"},
		{"(65001 65002) 3 4", "65001-65002 65002-3 3-4"}, {"[1,2] 3 4", "3-4"}, {"1 2 1 2", "1-2 2-1 1-2"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[100];
		uint32_t links[4][2];
		char got[100] = "";
		int len = path_parse(cases[i].path, bytes, sizeof(bytes));
		struct view path = exact(bytes, (size_t)len);
		size_t n = path_links(path, links, ARRAY_LEN(links));
		assert_int_equal(path_links(path, links, 0), n);
		for (size_t k = 0; k < n; k++)
			(void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%u-%u", k ? " " : "", links[k][0], links[k][1]);
		assert_string_equal(got, cases[i].links);
		drop(path);
	}
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_say_what_they_mean),
		cmocka_unit_test(truncations_are_refused),
		cmocka_unit_test(changed_bytes_are_safe),
		cmocka_unit_test(unknown_and_empty_segments_are_refused),
		cmocka_unit_test(links_are_of_neighbours_in_a_sequence),
		cmocka_unit_test(format_cuts_like_snprintf),
		cmocka_unit_test(parse_needs_room),
		cmocka_unit_test(parse_refuses_other_forms),
		cmocka_unit_test(parse_allows_blanks),
		cmocka_unit_test(long_sequences_are_cut_at_255),
		cmocka_unit_test(too_long_is_refused),
		cmocka_unit_test(random_paths_round_trip),
		cmocka_unit_test(random_paths_are_joined),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

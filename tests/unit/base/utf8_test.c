/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/utf8.h"

#include <string.h>

#include "wt_test.h"

static void test_samples(void **state)
{
	static const char *const good[] = {"", "a", "~", "\u00a0", "Z\u00fcrich", "\u6771\u4eac", "\U0001f600",
		"\ud7ff", "\ue000", "\U0010ffff", "\u0800", "\U00010000"};
	static const char *const bad[] = {"\x01", "a\nb", "\x7f", "\xc2\x80", "\xc2\x9f", "\x80", "\xc3", "\xc3(",
		"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "\xf0\x9f\x98"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!utf8_printable(good[i], strlen(good[i])))
			fail_msg("good %zu refused", i);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (utf8_printable(bad[i], strlen(bad[i])))
			fail_msg("bad %zu accepted", i);
	assert_false(utf8_printable("\0", 1));
}

static size_t encode(uint32_t code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	size_t follow = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	for (size_t i = follow; i; i--, code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)((0xff00 >> (follow + 1) & 0xff) | code);
	return follow + 1;
}

/* Each code point alone, and every truncation of it. */
static void test_every_code_point(void **state)
{
	for (uint32_t code = 0; code <= 0x1fffff; code++) {
		char text[4];
		size_t len = encode(code, text);
		bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
		bool expected = !control && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
		if (utf8_printable(text, len) != expected)
			fail_msg("U+%04X: %d expected", code, expected);
		for (size_t cut = 1; cut < len; cut++)
			assert_false(utf8_printable(text, cut));
	}
}

static void a_cut_text_is_trimmed(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {{"", ""}, {"abc", "abc"}, {"ab\xc3\xa9", "ab\xc3\xa9"}, {"ab\xc3", "ab"}, {"\xe2\x82", ""},
		{"\xe2\x82\xac", "\xe2\x82\xac"}, {"x\xf0\x9f\x98", "x"}, {"x\xf0\x9f\x98\x80", "x\xf0\x9f\x98\x80"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[16];
		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		utf8_trim(text);
		assert_string_equal(text, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_text_is_trimmed),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_every_code_point),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

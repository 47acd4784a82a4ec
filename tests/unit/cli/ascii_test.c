/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "base/compiler.h"
#include "cli/ascii.h"
#include "wt_test.h"

/* In pieces of so many bytes. */
static char *translated(const char *text, size_t piece, char buf[static 256])
{
	struct ascii a = {0};
	size_t len = strlen(text), n = 0;
	for (size_t at = 0; at < len; at += piece)
		n += ascii_translate(&a, text + at, len - at < piece ? len - at : piece, buf + n);
	buf[n] = '\0';
	return buf;
}

/* However the bytes are cut. */
static void glyphs(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", ""}, {"plain\n", "plain\n"}, {"█▌▁ │ ┤└─┬", "#=_ | ++-+"}, {"64500 › 64511…", "64500 > 64511."}, {"Zürich 東京 █", "Zürich 東京 #"},
		{"\xe2", ""}, {"\xe2\x96x", "\xe2\x96x"}, {"\xe2x█", "\xe2x#"}, {"\xf0\x9f\x98\x80█", "\xf0\x9f\x98\x80#"},
	};
	char buf[256];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t piece = 1; piece < 8; piece++)
			assert_string_equal(translated(cases[i].text, piece, buf), cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(glyphs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

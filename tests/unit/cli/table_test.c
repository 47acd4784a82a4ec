/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "cli/table.h"
#include "wt_test.h"

static const struct screen wide = {0, false, 0, false};

static void widths(void **state)
{
	static const struct {
		const char *text;
		unsigned width;
	} samples[] = {{"", 0}, {"abc", 3}, {"é", 1}, {"e\xcc\x81", 1}, {"日本語", 6}, {"█▌", 2}, {"\xff\xfe", 2}, {"a\nb", 3},
		{"\xe6\x97", 2}};
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		assert_int_equal(text_width(samples[i].text), samples[i].width);
}

/* No control character survives, in any form it can take in UTF-8, nor a byte that is none. */
static void clean(void **state)
{
	static const struct {
		const char *in, *want;
	} samples[] = {{"plain é 日本", "plain é 日本"}, {"\033[31mred", "?[31mred"}, {"a\nb\tc\rd", "a?b?c?d"},
		{"\x7f", "?"}, {"\xc2\x9b" "2J", "??2J"}, {"\xff" "a\xc3", "?a?"}, {"\xed\xa0\x80", "???"},
		{"\xc0\x9b", "??"}};
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		char text[64];
		(void)snprintf(text, sizeof(text), "%s", samples[i].in);
		text_clean(text);
		assert_string_equal(text, samples[i].want);
	}
}

static void clean_random(void **state)
{
	for (int i = 0; i < 20000; i++) {
		char text[17];
		for (size_t k = 0; k < 16; k++)
			text[k] = (char)wt_random();
		text[16] = '\0';
		text_clean(text);
		for (const char *p = text; *p; p++) {
			assert_false((unsigned char)*p < 0x20 || *p == 0x7f);
			assert_false((unsigned char)*p == 0xc2 && (unsigned char)p[1] < 0xa0);
		}
	}
}

static char *printed(const struct table *t, struct screen screen)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_int_equal(table_print(t, &screen, out), 0);
	(void)fclose(out);
	return text;
}

static const struct table_column columns[] = {
	{"NAME", false, 0, 6}, {"N", true, 0, 0}, {"NOTE", false, 2, 0}, {"MORE", true, 1, 0},
};

static struct table *sample(void)
{
	struct table *t;
	assert_int_equal(table_new(columns, 4, &t), 0);
	table_cell(t, STYLE_PLAIN, "日本語");
	table_cell(t, STYLE_BAD, "%d", 7);
	table_cell(t, STYLE_PLAIN, "x");
	table_cell(t, STYLE_PLAIN, "yy");
	table_row(t);
	table_cell(t, STYLE_PLAIN, "long name here");
	table_cell(t, STYLE_PLAIN, "1234");
	table_row(t);
	return t;
}

static void alignment(void **state)
{
	struct table *t = sample();
	char *text = printed(t, wide);
	assert_string_equal(text,
		"NAME               N  NOTE  MORE\n"
		"日本語             7  x       yy\n"
		"long name here  1234\n");
	free(text);
	table_free(t);
}

static void empty_table(void **state)
{
	struct table *t;
	assert_int_equal(table_new(columns, 4, &t), 0);
	char *text = printed(t, wide);
	assert_string_equal(text, "NAME  N  NOTE  MORE\n");
	free(text);
	table_free(t);
}

static void drops_then_cuts(void **state)
{
	struct table *t = sample();
	char *text = printed(t, (struct screen){26, false, 0, false});
	assert_string_equal(text,
		"NAME               N  MORE\n"
		"日本語             7    yy\n"
		"long name here  1234\n");
	free(text);
	text = printed(t, (struct screen){13, false, 0, false});
	assert_string_equal(text,
		"NAME        N\n"
		"日本語      7\n"
		"long n…  1234\n");
	free(text);
	table_free(t);
}

/* Whatever the width, no line is wider, down to what may not be cut. */
static void never_wider(void **state)
{
	struct table *t = sample();
	for (unsigned width = 12; width < 50; width++) {
		char *text = printed(t, (struct screen){width, false, 0, false}), *rest = text;
		for (char *line; (line = strsep(&rest, "\n"));)
			assert_true(text_width(line) <= width);
		free(text);
	}
	table_free(t);
}

/* Bars give way first and come back last; a long name is cut to what can be told apart before a column goes. */
static void bars_and_fair_widths(void **state)
{
	static const struct table_column with_bars[] = {{"NAME", false, 0, 6}, {"", false, 2, 4}, {"N", true, 0, 0}};
	static const char name[] = "a name of thirty-four characters !";
	static const struct {
		unsigned width;
		const char *want;
	} cases[] = {
		{0, "a name of thirty-four characters !  ██████████  7"},
		{80, "a name of thirty-four characters !  ██████████  7"},
		{45, "a name of thirty-four characters !  ██████  7"},
		{43, "a name of thirty-four characters !  ████  7"},
		{33, "a name of thirty-four c…  ████  7"},
		{32, "a name of thirty-four charac…  7"},
		{26, "a name of thirty-four …  7"},
		{12, "a name o…  7"},
	};
	struct table *t;
	assert_int_equal(table_new(with_bars, 3, &t), 0);
	table_cell(t, STYLE_PLAIN, "%s", name);
	table_bar(t, 1, 10);
	table_cell(t, STYLE_PLAIN, "7");
	table_row(t);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = printed(t, (struct screen){cases[i].width, false, 0, false});
		char *line = text + strcspn(text, "\n") + 1;
		line[strcspn(line, "\n")] = '\0';
		assert_string_equal(line, cases[i].want);
		free(text);
	}
	table_free(t);
}

static void colours(void **state)
{
	struct table *t = sample();
	char *text = printed(t, wide);
	assert_null(strchr(text, '\033'));
	free(text);
	text = printed(t, (struct screen){0, true, 0, false});
	assert_non_null(strstr(text, "\033[31m7\033[0m"));
	assert_non_null(strstr(text, "\033[1mNAME\033[0m"));
	free(text);
	table_free(t);
}

/* Whatever the columns are, no line is wider than the screen. */
static void any_columns(void **state)
{
	for (int round = 0; round < 2000; round++) {
		struct table_column any[8];
		size_t count = 1 + wt_random_below(ARRAY_LEN(any));
		for (size_t i = 0; i < count; i++)
			any[i] = (struct table_column){"A TITLE", wt_random_below(2), (unsigned)wt_random_below(4), (unsigned)wt_random_below(3) * 8};
		struct table *t;
		assert_int_equal(table_new(any, count, &t), 0);
		for (size_t i = 0; i < count; i++)
			table_cell(t, STYLE_PLAIN, "%.*s", (int)wt_random_below(60), "what stands in a cell, which may be longer than a line of the screen");
		struct screen screen = {.width = 1 + (unsigned)wt_random_below(120)};
		char *text = printed(t, screen), *rest = text;
		for (char *line; (line = strsep(&rest, "\n"));)
			assert_true(text_width(line) <= screen.width);
		free(text);
		table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(widths), cmocka_unit_test(clean), cmocka_unit_test(clean_random),
		cmocka_unit_test(alignment), cmocka_unit_test(empty_table), cmocka_unit_test(drops_then_cuts),
		cmocka_unit_test(never_wider), cmocka_unit_test(bars_and_fair_widths), cmocka_unit_test(colours), cmocka_unit_test(any_columns),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

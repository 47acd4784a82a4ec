/* SPDX-License-Identifier: BSD-2-Clause */
#include "place/asnames.h"

#include <errno.h>

#include "wt_files.h"

static struct asnames *load(const char *text)
{
	struct asnames *names;
	struct error err = {0};
	if (asnames_load(wt_write_text("names", text), &names, &err) < 0)
		fail_msg("%s", err.text);
	return names;
}

static void test_forms(void **state)
{
	struct asnames *n = load("# names\n"
				 "\n"
				 "64500 Example Net\n"
				 "AS64501\tTab, Inc.\r\n"
				 "as64502,Comma # why\n"
				 "  64503 | Bar | more  \n"
				 "64504  , Z\u00fcrich C#\n"
				 "   # indented\n"
				 "4294967295 Last\n"
				 "0 Zero\n"
				 "64505 old\n"
				 "64505 new");
	assert_string_equal(asnames_get(n, 64500), "Example Net");
	assert_string_equal(asnames_get(n, 64501), "Tab, Inc.");
	assert_string_equal(asnames_get(n, 64502), "Comma");
	assert_string_equal(asnames_get(n, 64503), "Bar | more");
	assert_string_equal(asnames_get(n, 64504), "Z\u00fcrich C#");
	assert_string_equal(asnames_get(n, UINT32_MAX), "Last");
	assert_string_equal(asnames_get(n, 0), "Zero");
	assert_string_equal(asnames_get(n, 64505), "new");
	assert_null(asnames_get(n, 64506));
	assert_null(asnames_get(n, 1));
	assert_int_equal(asnames_count(n), 8);
	asnames_free(n);

	n = load("");
	assert_null(asnames_get(n, 1));
	asnames_free(n);
	asnames_free(NULL);
	assert_null(asnames_get(NULL, 1));
	assert_int_equal(asnames_count(NULL), 0);
}

static void expect_error(const char *text, size_t len, const char *expected)
{
	struct asnames *names;
	struct error err = {0};
	const char *file = wt_write("names", text, len);
	if (asnames_load(file, &names, &err) >= 0)
		fail_msg("accepted: %s", text);
	assert_begins(err.text, file);
	assert_begins(err.text + strlen(file), expected);
}

static void test_errors(void **state)
{
	static const char *const cases[][2] = {
		{"64500 a\nx\n", ":2: does not begin with an AS number"},
		{"AS\n", ":1: does not begin"},
		{"4294967296 a\n", ":1: does not begin"},
		{"99999999999999999999999 a\n", ":1: does not begin"},
		{"-1 a\n", ":1: does not begin"},
		{"64500a b\n", ":1: does not begin"},
		{"AS 64500 b\n", ":1: does not begin"},
		{"64500\n", ":1: AS64500 has no name"},
		{"1 a\n\n64500 , # name\n", ":3: AS64500 has no name"},
		{"64500 \x1b[31m\n", ":1: the name of AS64500 is not printable"},
		{"64500 Z\xfcrich\n", ":1: the name of AS64500 is not printable"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_error(cases[i][0], strlen(cases[i][0]), cases[i][1]);
	expect_error("1 a\n2 b\0c\n", 11, ":2: has a NUL");
	struct asnames *names;
	struct error err = {0};
	const char *absent = wt_path("absent");
	assert_int_equal(asnames_load(absent, &names, &err), -ENOENT);
	assert_begins(err.text, absent);
}

/* Many names in random order, each of several spellings; numbers that come again. */
static void test_random(void **state)
{
	enum { LINES = 20000, NUMBERS = 5000 };
	static uint32_t last[NUMBERS];
	char *text = malloc(LINES * 32), *p = text;
	memset(last, 0, sizeof(last));
	for (uint32_t line = 1; line <= LINES; line++) {
		uint32_t asn = (uint32_t)wt_random_below(NUMBERS);
		p += sprintf(p, "%s%u%cname %u\n", line % 2 ? "AS" : "", asn, " \t,|"[line % 4], line);
		last[asn] = line;
	}
	struct asnames *n = load(text);
	for (uint32_t asn = 0; asn < NUMBERS; asn++) {
		char expected[32];
		(void)snprintf(expected, sizeof(expected), "name %u", last[asn]);
		if (last[asn])
			assert_string_equal(asnames_get(n, asn), expected);
		else
			assert_null(asnames_get(n, asn));
	}
	asnames_free(n);
	free(text);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

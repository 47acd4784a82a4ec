/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "store/store.h"
#include "wt_test.h"

static void test_hidden(void **state)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{"sqlite:/var/lib/whereto/whereto.db", "sqlite:/var/lib/whereto/whereto.db"},
		{"postgresql://me@host/db", "postgresql://me@host/db"},
		{"postgresql://me:se:c@ret@host:5432/db", "postgresql://me:***@host:5432/db"},
		{"postgresql://host/db?password=secret&sslmode=require", "postgresql://host/db?password=***&sslmode=require"},
		{"postgresql://me:one@host/db?sslpassword=two&password=three",
			"postgresql://me:***@host/db?sslpassword=***&password=***"},
		{"postgresql:///db?host=/run/a@b:c", "postgresql:///db?host=/run/a@b:c"},
	};
	char text[128];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_string_equal(store_url_hidden(cases[i].url, sizeof(text), text), cases[i].shown);
		for (size_t room = 1; room < strlen(cases[i].shown); room++) {
			assert_int_equal(strlen(store_url_hidden(cases[i].url, room, text)), room - 1);
			assert_memory_equal(text, cases[i].shown, room - 1);
		}
	}
}

static void test_unknown_scheme(void **state)
{
	struct error err = {0};
	assert_null(store_find("mysql://me:secret@host/db", &err));
	assert_null(strstr(err.text, "secret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_unknown_scheme),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "store/sql.h"
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

static const struct store_url_file files[] = {{"password_file", STORE_FILE_SECRET}, {"ca_file", STORE_FILE_PLAIN}, {0}};

static void test_resolve(void **state)
{
	static const struct {
		const char *url, *dir, *resolved;
	} cases[] = {
		{"clickhouse://w@h/d", "/etc/", "clickhouse://w@h/d"},
		{"clickhouse://w@h/d?", "/etc/", "clickhouse://w@h/d?"},
		{"clickhouse://w@h/d?password_file=p", "/etc/", "clickhouse://w@h/d?password_file=/etc/p"},
		{"clickhouse://w@h/d?password_file=p&x=password_file=y", "/a b&c%/",
			"clickhouse://w@h/d?password_file=/a%20b%26c%25/p&x=password_file=y"},
		{"clickhouse://w@h/d?password_file=/p&ca_file=%2fq", "/etc/", "clickhouse://w@h/d?password_file=/p&ca_file=%2fq"},
		{"clickhouse://w@h/d?tls=yes&ca_file=a%20b", "", "clickhouse://w@h/d?tls=yes&ca_file=a%20b"},
		{"clickhouse://w@h/d?ca_file=system", "/etc/", "clickhouse://w@h/d?ca_file=system"},
		{"clickhouse://w@h/d?ca_file=&password_file&password_file2=z&&", "/etc/",
			"clickhouse://w@h/d?ca_file=&password_file&password_file2=z&&"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(sql_done) struct sql s = {0};
		store_url_resolve(cases[i].url, files, cases[i].dir, &s);
		assert_string_equal(sql_text(&s), cases[i].resolved);
		sql_clear(&s);
		store_url_resolve(cases[i].url, NULL, cases[i].dir, &s);
		assert_string_equal(sql_text(&s), cases[i].url);
	}
}

static int collect(void *ctx, const struct store_url_file *file, const char *path)
{
	sql_add(ctx, "%s %d %s\n", file->parameter, file->kind == STORE_FILE_SECRET, path);
	return strcmp(path, "stop") == 0 ? -EPERM : 0;
}

static void test_files(void **state)
{
	CLEANUP(sql_done) struct sql s = {0};
	assert_int_equal(store_url_files("clickhouse://w@h/d?tls=yes&password_file=/a%20b%2&ca_file=c%zz", files, collect, &s), 0);
	assert_string_equal(sql_text(&s), "password_file 1 /a b%2\nca_file 0 c%zz\n");
	sql_clear(&s);
	assert_int_equal(store_url_files("clickhouse://w@h/d?ca_file=stop&ca_file=never", files, collect, &s), -EPERM);
	assert_string_equal(sql_text(&s), "ca_file 0 stop\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_unknown_scheme),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

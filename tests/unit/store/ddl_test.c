/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/ddl.h"

#include <errno.h>
#include <string.h>

#include "store/store.h"
#include "wt_test.h"

static const char statements[] =
	"-- CREATE TABLE in_a_comment(x);\n"
	"CREATE SCHEMA IF NOT EXISTS whereto;\n"
	"CREATE TABLE whereto.meta(key text PRIMARY KEY);\n"
	"CREATE TABLE IF NOT EXISTS flow AS flow_local ENGINE = Distributed('a.b', 'c', 'flow_local');\n"
	"CREATE OR REPLACE VIEW v_flow AS SELECT ts\n FROM flow;\n"
	"CREATE VIEW IF NOT EXISTS v_other AS SELECT 1;\n"
	"CREATE INDEX ON flow(prefix, ts);\n"
	"CREATE INDEX covering ON prefixes USING gist (prefix);\n"
	"CREATE UNIQUE INDEX hash ON paths (sha256(bytes));\n"
	"INSERT INTO meta VALUES('schema_version', '3');\n"
	"CREATE TABLE last(x)";

static const char *const lines[] = {"table meta", "table flow", "view v_flow", "view v_other", "index flow btree (prefix, ts)",
	"index prefixes gist (prefix)", "index paths btree (sha256(bytes))", "table last"};

struct found {
	unsigned count;
	char lines[16][DDL_LINE_MAX];
};

static int add(void *ctx, const struct ddl_made *made)
{
	struct found *f = ctx;
	strcpy(f->lines[f->count++], made->line);
	return 1; /* goes on */
}

static void test_all(void **state)
{
	struct found f = {0};
	assert_int_equal(ddl_missing(statements, "", add, &f), 0);
	assert_int_equal(f.count, ARRAY_LEN(lines));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_string_equal(f.lines[i], lines[i]);
}

/* Each alone; a line that only begins or ends like it is not it. */
static void test_one_missing(void **state)
{
	for (size_t left_out = 0; left_out < ARRAY_LEN(lines); left_out++) {
		CLEANUP(sql_done) struct sql catalogue = {0};
		struct found f = {0};
		sql_add(&catalogue, "%s_\nx%s\n", lines[left_out], lines[left_out]);
		for (size_t i = 0; i < ARRAY_LEN(lines); i++)
			if (i != left_out)
				sql_add(&catalogue, "%s\n", lines[i]);
		assert_int_equal(ddl_missing(statements, sql_text(&catalogue), add, &f), 0);
		assert_int_equal(f.count, 1);
		assert_string_equal(f.lines[0], lines[left_out]);
	}
}

static int refuse(void *ctx, const struct ddl_made *made)
{
	++*(int *)ctx;
	return -EPERM;
}

static void test_ended(void **state)
{
	int calls = 0;
	assert_int_equal(ddl_missing(statements, "", refuse, &calls), -EPERM);
	assert_int_equal(calls, 1);
}

static void test_repair(void **state)
{
	static const char *const spare[] = {"flow", NULL};
	CLEANUP(ddl_repair_done) struct ddl_repair repair = {.spare = spare};
	assert_int_equal(ddl_missing(statements, "table last\nindex flow btree (prefix, ts)\n", ddl_repair_add, &repair), 0);
	ddl_names_end(&repair.lost);
	assert_string_equal(repair.lost.text, "table meta");
	assert_non_null(strstr(sql_text(&repair.sql), "CREATE TABLE IF NOT EXISTS flow AS"));
	assert_non_null(strstr(sql_text(&repair.sql), "CREATE OR REPLACE VIEW v_flow AS SELECT ts\n FROM flow;\n"));
	assert_null(strstr(sql_text(&repair.sql), "meta"));
	assert_null(strstr(sql_text(&repair.sql), "CREATE INDEX ON flow"));
}

/* As many as there is room for, whole, and how many more. */
static void test_names(void **state)
{
	struct ddl_names names = {.at = "127.0.0.2:8123"};
	struct ddl_made made = {.line = "table origin_by_minute_local"};
	for (int i = 0; i < 100; i++)
		assert_int_equal(ddl_names_add(&names, &made), 0);
	ddl_names_end(&names);
	assert_int_equal(names.count, 100);
	assert_true(strncmp(names.text, "table origin_by_minute_local at 127.0.0.2:8123, table ", 53) == 0);
	assert_string_equal(names.text + strlen(names.text) - strlen("8123, and 97 more"), "8123, and 97 more");
}

/* The statements of every store are read: none is passed over. */
static void test_stores(void **state)
{
	static const struct {
		const char *url;
		unsigned tables, views;
	} stores[] = {
		{"sqlite:", 18 + 7, 19},
#if WHERETO_POSTGRESQL
		{"postgresql:", 18 + 6 + 8, 2 * 18 + 1},
#endif
#if WHERETO_CLICKHOUSE
		{"clickhouse:", 18 + 4, 19},
		{"clickhouse://h/d?cluster=c", 2 * (18 + 3) + 1, 19},
#endif
	};
	for (size_t i = 0; i < ARRAY_LEN(stores); i++) {
		CLEANUP(sql_done) struct sql s = {0};
		struct ddl_names all = {0};
		unsigned made = 0;
		struct error err = {0};
		assert_int_equal(store_find(stores[i].url, &err)->ddl(stores[i].url, STORE_DDL_SCHEMA, &s, &err), 0);
		assert_int_equal(ddl_missing(sql_text(&s), "", ddl_names_add, &all), 0);
		for (const char *at = sql_text(&s); (at = strstr(at, "CREATE ")); at++)
			made += (at == s.text || at[-1] == '\n') && strncmp(at, "CREATE SCHEMA", 13) != 0 && strncmp(at, "CREATE DATABASE", 15) != 0 &&
				strncmp(at, "CREATE AGGREGATE", 16) != 0;
		assert_int_equal(all.count, made);
		assert_true(all.count >= stores[i].tables + stores[i].views);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_one_missing), cmocka_unit_test(test_ended),
		cmocka_unit_test(test_repair), cmocka_unit_test(test_names), cmocka_unit_test(test_stores)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

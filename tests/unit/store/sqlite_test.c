/* SPDX-License-Identifier: BSD-2-Clause */

/* What is SQLite's own, beside the contract (sqlite_contract_test.c): files that are not ours, newer, broken, locked or full, and
 * the views for people. */

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "wt_flows.h"

#define T0 1767312000u /* 2026-01-02T00:00:00Z */

static char folder[] = "/tmp/wt_sqlite_XXXXXX";
static int files;

static void fresh_url(char *buf, size_t cap)
{
	(void)snprintf(buf, cap, "sqlite:%s/%d.db", folder, files++);
}

static const char *path_of(const char *url)
{
	return strchr(url, ':') + 1;
}

static int try_open(const char *url, struct store **ret, struct error *err)
{
	struct store_config config = {.url = url, .retention_s = {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	const struct store_ops *ops = store_find(url, err);
	return ops ? ops->open(&config, ret, err) : -EINVAL;
}

static struct store *must_open(const char *url)
{
	struct store *s;
	struct error err;
	if (try_open(url, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static void must_fail(const char *url, int code, const char *about)
{
	struct store *s;
	struct error err = {0};
	int r = try_open(url, &s, &err);
	if (r != code || !strstr(err.text, about))
		fail_msg("%s: %d, %s", url, r, err.text);
}

/* Runs SQL beside the store. */
static void by_hand(const char *url, const char *sql)
{
	sqlite3 *db;
	char *message = NULL;
	assert_int_equal(sqlite3_open(path_of(url), &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
}

/* The first row, columns joined by '|'. */
static char *ask_by_hand(const char *url, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_int_equal(sqlite3_open(path_of(url), &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			const char *column = (const char *)sqlite3_column_text(stmt, i);
			(void)fprintf(out, "%s%s", i ? "|" : "", column ? column : "NULL");
		}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	(void)fclose(out);
	return text;
}

static void check_by_hand(const char *url, const char *sql, const char *expected)
{
	char *text = ask_by_hand(url, sql);
	assert_string_equal(text, expected);
	free(text);
}

static void write_text(const char *url, const char *text, size_t n)
{
	FILE *f = fopen(path_of(url), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void test_urls(void **state)
{
	struct error err;
	assert_null(store_find("mysql://u:secret@host/x", &err));
	assert_non_null(strstr(err.text, "sqlite:/path/file.db"));
	assert_null(strstr(err.text, "secret"));
	assert_null(store_find("/var/lib/whereto.db", &err));
	assert_null(store_find("", &err));
	must_fail("sqlite:", -EINVAL, "sqlite:/path/file.db");
	must_fail("sqlite::memory:", -EINVAL, "sqlite:/path/file.db");
	must_fail("sqlite:/nowhere/at/all.db", -ENOENT, "/nowhere/at/all.db");
}

static void test_newer_schema_is_refused(void **state)
{
	char url[300];
	fresh_url(url, sizeof(url));
	struct store *s = must_open(url);
	s->ops->close(s);
	by_hand(url, "UPDATE meta SET value = 99 WHERE key = 'schema_version'");
	must_fail(url, -EPROTO, "schema version 99 was made by a newer whereto");
	by_hand(url, "UPDATE meta SET value = 3 WHERE key = 'schema_version'");
	s = must_open(url);
	s->ops->close(s);
}

static void one_flow(struct flow_table *t, uint64_t bytes, const char *name);

/* A file of version 1, which knew no path changes: what is in it stays, and changes can be written. */
static void test_older_schema_is_brought_up(void **state)
{
	char url[300];
	struct flow_table *t;
	fresh_url(url, sizeof(url));
	struct store *s = must_open(url);
	assert_int_equal(flow_table_new(&t), 0);
	one_flow(t, 5, "edge1");
	struct store_batch batch = {.collector = "test1", .id = 1, .flows = t};
	assert_int_equal(s->ops->write_batch(s, &batch, NULL), STORE_OK);
	s->ops->close(s);
	by_hand(url, "DROP VIEW v_path_change; DROP TABLE path_change; ALTER TABLE batches DROP COLUMN changes;"
		     " ALTER TABLE batches DROP COLUMN changes_left_out; DROP TABLE bucket_change;"
		     " DELETE FROM meta WHERE key = 'change'; UPDATE meta SET value = 1");
	by_hand(url, "INSERT INTO total_hour SELECT ts + 7200, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,"
		     " 1, 1, 1, 1 FROM total_hour");
	s = must_open(url);
	struct path_change change = {.time_ms = T0 * 1000ull};
	assert_int_equal(flow_table_change(t, &change), 0);
	assert_int_equal(s->ops->write_batch(s, &batch, NULL), STORE_DUPLICATE);
	batch.id = 2;
	assert_int_equal(s->ops->write_batch(s, &batch, NULL), STORE_OK);
	check_by_hand(url, "SELECT value FROM meta WHERE key = 'schema_version'", "3");
	check_by_hand(url, "SELECT count(*), count(DISTINCT seconds), min(change), max(change) FROM bucket_change", "4|3|1|2");
	check_by_hand(url, "SELECT sum(flows), sum(changes), (SELECT bytes_sent FROM total_day),"
			   " (SELECT count(*) FROM path_change) FROM batches", "2|1|10|1");
	flow_table_free(t);
	s->ops->close(s);
}

static void test_foreign_database_is_left_alone(void **state)
{
	char url[300];
	fresh_url(url, sizeof(url));
	by_hand(url, "CREATE TABLE wine(year); INSERT INTO wine VALUES(1982)");
	must_fail(url, -EPROTO, "not made by whereto");
	check_by_hand(url, "SELECT (SELECT year FROM wine), (SELECT count(*) FROM sqlite_schema),"
			   " (SELECT journal_mode FROM pragma_journal_mode)", "1982|1|delete");
}

static void test_broken_file(void **state)
{
	char url[300];
	static char noise[40000];
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)wt_random();
	fresh_url(url, sizeof(url));
	write_text(url, noise, sizeof(noise));
	must_fail(url, -EBADMSG, "restore the file");
	must_fail(url, -EBADMSG, path_of(url));
}

/* Pages overwritten behind the store's back: fatal for the writer, an error for readers. */
static void test_file_that_breaks(void **state)
{
	char url[300];
	struct sample sample;
	struct world world;
	struct flow_table *t;
	struct error err = {0};
	static char noise[4096];
	fresh_url(url, sizeof(url));
	world_make(&world);
	struct store *s = must_open(url);
	assert_int_equal(flow_table_new(&t), 0);
	for (uint32_t i = 0; i < 500; i++) {
		sample_make(&sample, T0 + 60 * i);
		samples_to_table(&world, &sample, 1, t);
	}
	struct store_batch batch = {.collector = "test1", .id = 1, .flows = t};
	assert_int_equal(s->ops->write_batch(s, &batch, NULL), STORE_OK);
	s->ops->close(s);

	/* All but the first page, which holds the schema. */
	memset(noise, 0x5a, sizeof(noise));
	FILE *f = fopen(path_of(url), "r+");
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	long end = ftell(f);
	for (long at = 65536; at < end; at += 4096) {
		assert_int_equal(fseek(f, at, SEEK_SET), 0);
		assert_int_equal(fwrite(noise, sizeof(noise), 1, f), 1);
	}
	assert_int_equal(fclose(f), 0);
	int r = try_open(url, &s, &err);
	if (r == 0) {
		batch.id = 2;
		assert_int_equal(s->ops->write_batch(s, &batch, &err), STORE_FATAL);
		assert_int_equal(err.code, -EBADMSG);
		s->ops->close(s);
	}
	assert_non_null(strstr(err.text, "restore the file"));
	flow_table_free(t);
}

static void one_flow(struct flow_table *t, uint64_t bytes, const char *name)
{
	struct flow_key key = {.minute = T0 + 60};
	assert_int_equal(flow_table_name(t, (struct view){(const uint8_t *)name, strlen(name)}, &key.router), 0);
	flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = bytes;
}

/* The file may not grow any more: the batch comes back later and is then applied whole, with the
 * dictionary entries that it had brought along the first time. */
static void test_full_disk(void **state)
{
	char url[300];
	struct world world;
	struct flow_table *t, *small;
	struct rlimit old, tight = {0};
	struct error err = {0};
	fresh_url(url, sizeof(url));
	world_make(&world);
	struct store *s = must_open(url);
	assert_int_equal(flow_table_new(&small), 0);
	one_flow(small, 7, "edge9");
	struct store_batch first = {.collector = "test1", .id = 1, .flows = small};
	assert_int_equal(s->ops->write_batch(s, &first, NULL), STORE_OK);

	assert_int_equal(flow_table_new(&t), 0);
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < 5000; i++) {
		struct sample sample;
		sample_make(&sample, T0 + 60 * (i % 1440));
		samples_to_table(&world, &sample, 1, t);
		bytes += sample.m.v[MEASURE_bytes_sent];
	}
	one_flow(t, 5, "new name");
	struct store_batch batch = {.collector = "test1", .id = 2, .flows = t};
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 300000;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(s->ops->write_batch(s, &batch, &err), STORE_RETRY);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, handler);
	assert_non_null(strstr(err.text, path_of(url)));

	assert_int_equal(s->ops->write_batch(s, &batch, &err), STORE_OK);
	assert_int_equal(s->ops->write_batch(s, &batch, &err), STORE_DUPLICATE);
	char sum[64];
	(void)snprintf(sum, sizeof(sum), "%llu", (unsigned long long)bytes + 12);
	check_by_hand(url, "SELECT sum(bytes_sent) FROM flow_day", sum);
	check_by_hand(url, "SELECT sum(bytes_sent) FROM total_minute", sum);
	check_by_hand(url, "SELECT bytes_sent FROM v_total_minute WHERE router = 'new name'", "5");
	check_by_hand(url, "PRAGMA integrity_check", "ok");
	flow_table_free(small);
	flow_table_free(t);
	s->ops->close(s);
}

#define LARGE 20000 /* prefixes: more rows of a table than one statement takes */

/* Two minutes of two hours of one day, twice. */
static void test_large_batches(void **state)
{
	static const char expected[] = "40000|80040000|40000|80040000|20000|80040000|2|4";
	char url[300];
	struct flow_table *t;
	fresh_url(url, sizeof(url));
	struct store *s = must_open(url);
	assert_int_equal(flow_table_new(&t), 0);
	for (uint32_t i = 0; i < 2 * LARGE; i++) {
		uint8_t bytes[4] = {10, (uint8_t)(i % LARGE >> 8), (uint8_t)(i % LARGE)};
		struct addr a = addr_from_v4(bytes);
		struct prefix prefix = prefix_make(&a, 24);
		struct flow_key key = {.minute = T0 + 3540 + i / LARGE * 60};
		assert_int_equal(flow_table_prefix(t, &prefix, &key.prefix), 0);
		flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = 1 + i % 2000;
	}
	for (uint64_t id = 1; id <= 2; id++) {
		struct store_batch batch = {.collector = "test1", .id = id, .flows = t};
		assert_int_equal(s->ops->write_batch(s, &batch, NULL), STORE_OK);
	}
	check_by_hand(url, "SELECT m.n, m.b, h.n, h.b, d.n, d.b, (SELECT count(*) FROM total_hour), (SELECT min(bytes_sent) FROM"
		" flow_day WHERE bytes_sent > 0)"
		" FROM (SELECT count(*) n, sum(bytes_sent) b FROM flow_minute) m,"
		" (SELECT count(*) n, sum(bytes_sent) b FROM flow_hour) h,"
		" (SELECT count(*) n, sum(bytes_sent) b FROM flow_day) d", expected);
	flow_table_free(t);
	s->ops->close(s);
}

static void test_locked_file(void **state)
{
	char url[300];
	sqlite3 *other;
	struct flow_table *t;
	struct error err = {0};
	fresh_url(url, sizeof(url));
	struct store *s = must_open(url);
	assert_int_equal(flow_table_new(&t), 0);
	one_flow(t, 5, "edge1");
	struct store_batch batch = {.collector = "test1", .id = 1, .flows = t};
	assert_int_equal(sqlite3_open(path_of(url), &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(s->ops->write_batch(s, &batch, &err), STORE_RETRY);
	assert_int_equal(err.code, -EBUSY);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(s->ops->write_batch(s, &batch, &err), STORE_OK);
	sqlite3_close(other);
	flow_table_free(t);
	s->ops->close(s);
}

/* What docs/schema.md promises to people. */
static void test_views(void **state)
{
	static const uint8_t path[] = {2, 2, 0, 0, 0xfb, 0xf4, 0, 0, 0, 174, 1, 2, 0, 0, 0, 7, 0, 0, 0, 9};
	char url[300];
	struct flow_table *t;
	struct prefix prefix;
	fresh_url(url, sizeof(url));
	struct store *s = must_open(url);
	assert_int_equal(flow_table_new(&t), 0);
	struct flow_key key = {.minute = T0 + 3660, .country = 'D' << 8 | 'E', .match = MATCH_STALE};
	assert_int_equal(flow_table_name(t, (struct view){(const uint8_t *)"edge1", 5}, &key.router), 0);
	assert_int_equal(prefix_parse("2001:db8::/32", &prefix, NULL), 0);
	assert_int_equal(flow_table_prefix(t, &prefix, &key.prefix), 0);
	assert_int_equal(flow_table_path(t, (struct view){path, sizeof(path)}, &key.path), 0);
	flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = 1234;
	struct store_batch batch = {.collector = "test1", .id = 1, .flows = t};
	assert_int_equal(s->ops->write_batch(s, &batch, NULL), STORE_OK);
	check_by_hand(url, "SELECT time, router, type, prefix, path, origin, neighbour, country, match, bytes_sent, requests"
			   " FROM v_flow_hour",
		"2026-01-02T01:00:00Z|edge1|NULL|2001:db8::/32|64500 174 {7,9}|NULL|64500|DE|stale|1234|0");
	check_by_hand(url, "SELECT collector, id, flows, changes, changes_left_out FROM batches", "test1|1|1|0|0");
	for (int cube = 0; cube < CUBE_COUNT; cube++)
		for (int level = 0; level < LEVEL_COUNT; level++) {
			char sql[100];
			static const char *const cubes[] = {"total", "origin", "country", "neighbour", "origin_by", "flow"};
			static const char *const levels[] = {"minute", "hour", "day"};
			(void)snprintf(sql, sizeof(sql), "SELECT sum(bytes_sent) FROM v_%s_%s", cubes[cube], levels[level]);
			check_by_hand(url, sql, "1234");
		}
	flow_table_free(t);
	s->ops->close(s);
}

/* The same for path changes. */
static void test_view_of_changes(void **state)
{
	static const uint8_t path[] = {2, 2, 0, 0, 0xfb, 0xf4, 0, 0, 0, 174, 1, 2, 0, 0, 0, 7, 0, 0, 0, 9};
	char url[300];
	struct flow_table *t;
	struct prefix prefix;
	fresh_url(url, sizeof(url));
	struct store *s = must_open(url);
	assert_int_equal(flow_table_new(&t), 0);
	struct path_change change = {.time_ms = (T0 + 3661) * 1000ull + 57};
	assert_int_equal(flow_table_name(t, (struct view){(const uint8_t *)"edge1", 5}, &change.router), 0);
	assert_int_equal(prefix_parse("2001:db8::/32", &prefix, NULL), 0);
	assert_int_equal(flow_table_prefix(t, &prefix, &change.prefix), 0);
	assert_int_equal(flow_table_path(t, (struct view){path, sizeof(path)}, &change.after), 0);
	assert_int_equal(flow_table_change(t, &change), 0);
	t->changes_left_out = 9;
	struct store_batch batch = {.collector = "test1", .id = 1, .flows = t};
	assert_int_equal(s->ops->write_batch(s, &batch, NULL), STORE_OK);
	check_by_hand(url, "SELECT time, router, prefix, path_before, path_after, collector, batch, number FROM v_path_change",
		"2026-01-02T01:01:01.057Z|edge1|2001:db8::/32|NULL|64500 174 {7,9}|test1|1|0");
	check_by_hand(url, "SELECT collector, id, flows, changes, changes_left_out FROM batches", "test1|1|0|1|9");
	/* One prefix is found by its own tree. */
	char *plan = ask_by_hand(url, "EXPLAIN QUERY PLAN SELECT time_ms FROM path_change WHERE time_ms >= 5 AND time_ms < 9"
				      " AND prefix = 1 ORDER BY time_ms DESC, collector DESC, batch DESC, number DESC LIMIT 2");
	assert_non_null(strstr(plan, "path_change_prefix (prefix=? AND time_ms>? AND time_ms<?)"));
	free(plan);
	flow_table_free(t);
	s->ops->close(s);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_newer_schema_is_refused),
		cmocka_unit_test(test_older_schema_is_brought_up),
		cmocka_unit_test(test_foreign_database_is_left_alone),
		cmocka_unit_test(test_broken_file),
		cmocka_unit_test(test_file_that_breaks),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_large_batches),
		cmocka_unit_test(test_locked_file),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_view_of_changes),
	};
	wt_random_init();
	if (!mkdtemp(folder))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return failed;
}

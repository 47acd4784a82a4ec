/* SPDX-License-Identifier: BSD-2-Clause */

/* Marks of buckets: what changes sums changes them, what only moves rows or tidies up does not. Sums are asked of a reader
 * that has been asked before. */

#include "wt_pgstore.h"

#define DAY 86400u

static struct store *open_kept(char name[static 32], const uint64_t retention_s[LEVEL_COUNT], struct store_reader **ret)
{
	struct store *s;
	struct error err = {0};
	pg_fresh(name);
	if (open_with("wt", name, retention_s, &s, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ops->reader_open(s, ret, NULL), 0);
	return s;
}

static uint64_t bytes_of(struct store_reader *r, enum store_level level)
{
	struct store_query q = {.cube = CUBE_flow, .segments = {{level, T0, T0 + DAY}}, .segment_count = 1};
	struct error err = {0};
	uint64_t sum = 0;
	if (ops->query(r, &q, add_bytes, &sum, &err) < 0)
		fail_msg("%s", err.text);
	return sum;
}

/* The same again is in memory. */
static void check_found(struct store *s, struct store_reader *r, enum store_level level, uint64_t bytes)
{
	struct store_kept before, after;
	ops->kept(s, &before);
	assert_int_equal(bytes_of(r, level), bytes);
	ops->kept(s, &after);
	assert_int_equal(after.read, before.read);
	assert_true(after.found > before.found);
}

static void must_write(struct store *s, const char *collector, uint64_t id, uint32_t minute, uint64_t bytes)
{
	struct error err = {0};
	if (write_two(s, collector, id, minute, bytes, &err) != STORE_OK)
		fail_msg("%s", err.text);
}

static void must_maintain(struct store *s, uint64_t now_s)
{
	struct error err = {0};
	if (ops->maintain(s, now_s, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_merging_and_tidying_change_nothing(void **state)
{
	char name[32];
	struct store_reader *r;
	struct store *s = open_kept(name, (const uint64_t[])FOREVER, &r);
	for (uint32_t i = 0; i < 4; i++) {
		must_write(s, i % 2 ? "a" : "b", 1 + i, T0 + 60, 5);
		check_sql(name, "SELECT count(*) FROM whereto.bucket_change WHERE seconds = 3600", (const char *[]){"1", "2", "3", "4"}[i]);
		assert_int_equal(bytes_of(r, LEVEL_hour), 10 * (i + 1));
		check_found(s, r, LEVEL_hour, 10 * (i + 1));
	}
	must_maintain(s, T0);
	check_sql(name, "SELECT count(*) || ' ' || sum(changes) FROM whereto.bucket_change WHERE seconds = 3600", "1 4");
	check_sql(name, "SELECT count(*) FROM whereto.flow_new", "0");
	check_found(s, r, LEVEL_hour, 40);
	/* Pieces of the hour, until they are joined. */
	for (uint32_t i = 0; i < 4; i++) {
		must_write(s, "a", 10 + i, T0 + 60 * i, 5);
		assert_int_equal(bytes_of(r, LEVEL_hour), 50 + 10 * i);
		must_maintain(s, T0 + 900 * (i + 1));
		check_found(s, r, LEVEL_hour, 50 + 10 * i);
	}
	check_sql(name, "SELECT count(*) FROM whereto.bucket_change", "6");
	ops->reader_close(r);
	ops->close(s);
}

/* The second housekeeping is too soon after the first to merge or tidy. */
static void test_a_partition_is_dropped(void **state)
{
	char name[32];
	struct store_reader *r;
	struct store *s = open_kept(name, (const uint64_t[]){2 * DAY, UINT64_MAX, UINT64_MAX}, &r);
	must_write(s, "a", 1, T0 + DAY - 60, 5);
	must_maintain(s, T0 + 3 * DAY - 61);
	must_write(s, "a", 2, T0 + DAY - 60, 5);
	assert_int_equal(bytes_of(r, LEVEL_minute), 20);
	check_found(s, r, LEVEL_minute, 20);
	must_maintain(s, T0 + 3 * DAY);
	assert_int_equal(bytes_of(r, LEVEL_minute), 10); /* what was not merged yet */
	assert_int_equal(bytes_of(r, LEVEL_hour), 20);
	ops->reader_close(r);
	ops->close(s);
}

/* Where retention is shorter than a partition. */
static void test_rows_are_deleted(void **state)
{
	char name[32];
	struct store_reader *r;
	struct store *s = open_kept(name, (const uint64_t[]){UINT64_MAX, DAY, UINT64_MAX}, &r);
	must_write(s, "a", 1, T0 + 60, 5);
	must_write(s, "a", 2, T0 + 3600, 7);
	must_maintain(s, T0 + DAY + 3600 - 30);
	assert_int_equal(bytes_of(r, LEVEL_hour), 24);
	check_found(s, r, LEVEL_hour, 24);
	must_maintain(s, T0 + DAY + 3600 + 30);
	check_sql(name, "SELECT (count(*) > 1)::int FROM whereto.bucket_change WHERE seconds = 3600 AND ts = 1767312000", "1");
	assert_int_equal(bytes_of(r, LEVEL_hour), 14);
	ops->reader_close(r);
	ops->close(s);
}

/* A collector that knows of no retention yet brings rows of an hour that is over for another, which merges them. */
static void test_a_merge_leaves_out(void **state)
{
	char name[32];
	struct store_reader *r;
	struct error err = {0};
	struct store *other, *s = open_kept(name, (const uint64_t[]){DAY, DAY, UINT64_MAX}, &r);
	assert_int_equal(open_as("wt", name, &other, &err), 0);
	must_maintain(s, T0 + 3 * DAY);
	must_write(s, "a", 1, T0 + 3 * DAY, 5);
	must_write(other, "b", 1, T0 + 60, 5);
	assert_int_equal(bytes_of(r, LEVEL_hour), 10);
	check_found(s, r, LEVEL_hour, 10);
	CONTAINER_OF(s, struct postgres_store, base)->unmerged = PG_UNMERGED_MAX;
	must_write(s, "a", 2, T0 + 3 * DAY, 5);
	check_sql(name, "SELECT count(*) FROM whereto.flow_hour WHERE ts = 1767312000", "0");
	assert_int_equal(bytes_of(r, LEVEL_hour), 0);
	assert_int_equal(bytes_of(r, LEVEL_minute), 0);
	assert_int_equal(bytes_of(r, LEVEL_day), 10);
	ops->reader_close(r);
	ops->close(other);
	ops->close(s);
}

/* Only the marks of what is kept stay. */
static void test_marks_go(void **state)
{
	char name[32];
	struct store_reader *r;
	struct store *s = open_kept(name, (const uint64_t[]){DAY, 2 * DAY, UINT64_MAX}, &r);
	for (uint32_t i = 0; i < 5; i++)
		must_write(s, "a", 1 + i, T0 + i * DAY, 5);
	must_maintain(s, T0 + 4 * DAY + 60);
	check_sql(name, "SELECT string_agg(n, ' ') FROM (SELECT seconds || ':' || count(*) AS n FROM whereto.bucket_change"
		" GROUP BY seconds ORDER BY seconds) t", "60:1 3600:3 86400:5");
	ops->reader_close(r);
	ops->close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merging_and_tidying_change_nothing),
		cmocka_unit_test(test_a_partition_is_dropped),
		cmocka_unit_test(test_rows_are_deleted),
		cmocka_unit_test(test_a_merge_leaves_out),
		cmocka_unit_test(test_marks_go),
	};
	return pg_run_tests(tests, ARRAY_LEN(tests));
}

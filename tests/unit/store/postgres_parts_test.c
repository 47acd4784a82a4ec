/* SPDX-License-Identifier: BSD-2-Clause */

/* Partitions, merging, the step from version 1, and the plans that all of it is for. */

#include <pthread.h>
#include <stdatomic.h>

#include "wt_pgstore.h"

#define DAY 86400u

static void check_number(const char *database, const char *sql, long long expected)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "%lld", expected);
	check_sql(database, sql, text);
}

/* The partitions of a table, by name. */
static void check_parts(const char *database, const char *table, const char *expected)
{
	char sql[300];
	(void)snprintf(sql, sizeof(sql), "SELECT coalesce(string_agg(c.relname, ' ' ORDER BY c.relname), '') FROM pg_inherits"
		" JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'whereto.%s'::regclass", table);
	check_sql(database, sql, expected);
}

/* T0 is 2026-01-02. Minutes are kept for two days and hours for 40, so whole days and months go; days for ever. */
static void test_partitions_come_and_go(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s;
	pg_fresh(name);
	assert_int_equal(open_with("wt", name, (const uint64_t[]){2 * DAY, 40 * DAY, UINT64_MAX}, &s, &err), 0);
	check_parts(name, "flow_minute_merged", "");
	assert_int_equal(write_two(s, "c", 1, T0 + 60, 5, &err), STORE_OK);
	assert_int_equal(write_two(s, "c", 2, T0 + DAY, 7, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0 + DAY, &err), 0);
	check_parts(name, "total_minute_merged", "total_minute_20260102 total_minute_20260103 total_minute_20260104");
	check_parts(name, "flow_hour_merged", "flow_hour_202601");
	check_parts(name, "flow_day_merged", "flow_day_2026");

	/* The first day is not yet over for so long as it takes; then it is, as a whole. */
	assert_int_equal(ops->maintain(s, T0 + 3 * DAY - 1, &err), 0);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_minute", 24);
	assert_int_equal(ops->maintain(s, T0 + 3 * DAY, &err), 0);
	check_parts(name, "flow_minute_merged", "flow_minute_20260103 flow_minute_20260104 flow_minute_20260105 flow_minute_20260106");
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_minute", 14);
	/* What comes late for it goes to the hours and days only. */
	assert_int_equal(write_two(s, "c", 3, T0 + 60, 100, &err), STORE_OK);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_minute", 14);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.origin_hour", 224);
	check_parts(name, "country_minute_merged", "country_minute_20260103 country_minute_20260104 country_minute_20260105"
		" country_minute_20260106");

	/* The month goes when its last hour is 40 days old; the late rows wait in the new part until then, or not. */
	assert_int_equal(ops->maintain(s, T0 + 69 * DAY, &err), 0);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_hour", 24);
	assert_int_equal(ops->maintain(s, T0 + 70 * DAY, &err), 0);
	check_parts(name, "flow_hour_merged", "flow_hour_202603");
	check_number(name, "SELECT count(*) FROM whereto.flow_hour", 0);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_day", 224);
	ops->close(s);
}

/* Whoever dropped it: rows stay where they are until they can be merged. */
static void test_a_partition_is_missing(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0, &err), 0);
	assert_true(pg_sql(name, "DROP TABLE whereto.flow_hour_202601", NULL, 0));
	assert_int_equal(write_one(s, "c", 2, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0 + 900, &err), -EBUSY);
	assert_non_null(strstr(err.text, "no partition"));
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_hour", 10);
	assert_int_equal(ops->maintain(s, T0 + 900, &err), 0);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_hour_merged", 10);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_day_merged", 20);
	ops->close(s);
}

/* A new store, its name in ret_name, with one merged batch; minutes are kept for a day. */
static struct store *with_one(char ret_name[static 32], uint64_t hours_s)
{
	struct error err = {0};
	struct store *s;
	pg_fresh(ret_name);
	assert_int_equal(open_with("wt", ret_name, (const uint64_t[]){DAY, hours_s, UINT64_MAX}, &s, &err), 0);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0, &err), 0);
	return s;
}

/* A reader of an old partition does not hold a batch back, and the drop gives up and comes again. */
static void test_readers_hold_no_batch_back(void **state)
{
	char name[32], url[200];
	struct error err = {0};
	struct store *s = with_one(name, UINT64_MAX);
	pg_url(url, sizeof(url), "wt", name);
	PGconn *pq = PQconnectdb(url);
	PQclear(PQexec(pq, "BEGIN; SELECT count(*) FROM whereto.flow_minute"));
	assert_int_equal(PQtransactionStatus(pq), PQTRANS_INTRANS);
	assert_int_equal(write_two(s, "c", 2, T0 + 3 * DAY, 5, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0 + 3 * DAY, &err), -EBUSY); /* new partitions are made, the old one stays */
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_minute_merged", 20);
	assert_int_equal(write_two(s, "c", 3, T0 + 3 * DAY, 5, &err), STORE_OK);
	PQfinish(pq);
	assert_int_equal(ops->maintain(s, T0 + 3 * DAY, &err), 0);
	assert_int_equal(ops->maintain(s, T0 + 4 * DAY, &err), 0);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_minute", 20);
	ops->close(s);
}

static enum store_result write_hour(struct store *s, uint64_t id, struct error *err)
{
	struct flow_table *t = make_flows(T0, 5);
	struct store_batch batch = {.collector = "copy", .id = id, .flows = t, .only = &(struct store_table){CUBE_flow, LEVEL_hour}};
	enum store_result r = ops->write_batch(s, &batch, err);
	flow_table_free(t);
	return r;
}

/* A copy's rows are where they stay at once. Those of a bucket that had some already are pieces of it, also when nothing is
 * known of its pieces any more. */
static void test_rows_of_one_table(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	assert_int_equal(write_hour(s, 1, &err), STORE_OK);
	check_number(name, "SELECT count(*) FROM whereto.flow_hour_merged", 2);
	check_number(name, "SELECT compact * 100 + added FROM whereto.pieces", 200);
	assert_int_equal(write_hour(s, 2, &err), STORE_OK);
	check_number(name, "SELECT compact * 100 + added FROM whereto.pieces", 202);
	assert_true(pg_sql(name, "DELETE FROM whereto.pieces", NULL, 0));
	assert_int_equal(write_hour(s, 3, &err), STORE_OK);
	check_number(name, "SELECT compact * 100 + added FROM whereto.pieces", 402);
	for (uint64_t id = 4; id < 8; id++)
		assert_int_equal(write_hour(s, id, &err), STORE_OK);
	check_number(name, "SELECT count(*) FROM whereto.flow_new", 0);
	check_number(name, "SELECT count(*) FROM whereto.flow_hour_merged", 14);
	assert_int_equal(ops->maintain(s, T0 + 900, &err), 0);
	check_number(name, "SELECT count(*) FROM whereto.flow_hour_merged", 2);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_hour", 70);
	check_number(name, "SELECT compact * 100 + added FROM whereto.pieces", 200);
	ops->close(s);
}

/* Whoever dropped it: the next try makes it. */
static void test_a_partition_is_missing_for_a_copy(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	assert_int_equal(write_hour(s, 1, &err), STORE_OK);
	assert_true(pg_sql(name, "DROP TABLE whereto.flow_hour_202601", NULL, 0));
	assert_int_equal(write_hour(s, 2, &err), STORE_RETRY);
	assert_non_null(strstr(err.text, "no partition"));
	assert_int_equal(write_hour(s, 2, &err), STORE_OK);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_hour", 10);
	ops->close(s);
}

static void test_merging(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(write_two(s, "c", i + 1, T0 + 60 * i, 5, &err), STORE_OK);
	check_number(name, "SELECT count(*) FROM whereto.flow_new", 20);
	check_number(name, "SELECT count(*) FROM whereto.flow_hour WHERE ts = 1767312000", 20);
	check_number(name, "SELECT count(*) FROM whereto.flow_hour_merged", 0);
	assert_int_equal(ops->maintain(s, T0 + 900, &err), 0);
	check_number(name, "SELECT count(*) FROM whereto.flow_new", 0);
	check_number(name, "SELECT count(*) FROM whereto.flow_hour_merged", 2);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_hour", 100);
	assert_int_equal(write_one(s, "c", 11, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0 + 960, &err), 0); /* not due */
	check_number(name, "SELECT count(*) FROM whereto.total_new", 1);
	assert_int_equal(ops->maintain(s, T0 + 1800, &err), 0);
	check_number(name, "SELECT count(*) FROM whereto.total_new", 0);
	check_number(name, "SELECT count(*) FROM whereto.total_day", 2); /* two pieces */
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_day_merged", 110);
	/* Sums end at 2^63 - 1, within a merge and onto what is there. */
	assert_int_equal(write_two(s, "c", 12, T0, INT64_MAX - 50, &err), STORE_OK);
	assert_int_equal(write_two(s, "c", 13, T0, INT64_MAX, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0 + 2700, &err), 0);
	assert_int_equal(write_two(s, "c", 14, T0, INT64_MAX, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0 + 3600, &err), 0);
	check_sql(name, "SELECT string_agg(bytes_sent::text, ' ') FROM whereto.flow_day", "9223372036854775807 9223372036854775807");
	ops->close(s);
}

/* Sums end at 2^63 - 1, each kind of segment in one question, and the snapshot lives on. */
static void test_large_sums(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct store_reader *r;
	struct store_query q = {.cube = CUBE_flow, .segments = {{LEVEL_hour, T0 + DAY, T0 + 2 * DAY}, {LEVEL_hour, T0, T0 + DAY}},
		.segment_count = 2, .dims = DIM_BIT(DIM_time), .step_s = 3600};
	uint64_t sum;
	assert_int_equal(write_two(s, "c", 1, T0, INT64_MAX - 5, &err), STORE_OK);
	assert_int_equal(write_two(s, "c", 2, T0 + DAY, 5, &err), STORE_OK);
	assert_int_equal(ops->reader_open(s, &r, NULL), 0);
	for (int keep = 1; keep >= 0; keep--) {
		q.keep_snapshot = keep;
		sum = 0;
		assert_int_equal(ops->query(r, &q, add_bytes, &sum, &err), 0);
		assert_int_equal(sum, (uint64_t)INT64_MAX + 10);
		assert_int_equal(write_two(s, "c", 4 - (uint64_t)keep, T0 + DAY, 5, &err), STORE_OK); /* after the snapshot */
	}
	ops->reader_close(r);
	ops->close(s);
}

static void merge_two_more(struct store *s, const char *database, uint64_t id, uint64_t now_s, long long hour_rows, long long day_rows)
{
	struct error err = {0};
	assert_int_equal(write_two(s, "c", id, T0, 5, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, now_s, &err), 0);
	check_number(database, "SELECT count(*) FROM whereto.flow_hour_merged", hour_rows);
	check_number(database, "SELECT count(*) FROM whereto.flow_day_merged", day_rows);
	check_number(database, "SELECT sum(bytes_sent) FROM whereto.flow_hour_merged", (long long)id * 10);
	check_number(database, "SELECT sum(bytes_sent) FROM whereto.flow_day_merged", (long long)id * 10);
}

/* Joined when more than twice as many rows came as were there, and once more when the bucket is over. */
static void test_pieces(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	merge_two_more(s, name, 1, T0, 2, 2);
	merge_two_more(s, name, 2, T0 + 900, 4, 4);
	merge_two_more(s, name, 3, T0 + 1800, 6, 6);
	merge_two_more(s, name, 4, T0 + 2700, 2, 2);
	merge_two_more(s, name, 5, T0 + 3600, 4, 4);
	merge_two_more(s, name, 6, T0 + 4500, 2, 6);
	assert_int_equal(ops->maintain(s, T0 + DAY + 900, &err), 0);
	check_number(name, "SELECT count(*) FROM whereto.flow_day_merged", 2);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_day", 60);
	check_number(name, "SELECT sum(added) FROM whereto.pieces", 0);
	assert_int_equal(ops->maintain(s, T0 + 5 * DAY, &err), 0);
	check_number(name, "SELECT count(*) FROM whereto.pieces", 0);
	/* What is 0 takes no room, and is 0 for people. */
	check_number(name, "SELECT count(requests) + count(rtt_h3) FROM whereto.flow_hour_merged", 0);
	check_number(name, "SELECT count(*) FROM whereto.v_flow_hour WHERE requests = 0 AND rtt_h3 = 0", 2);
	ops->close(s);
}

/* ---- all at once ---- */

#define BATCHES 60

struct worker {
	const char *database, *name;
	atomic_bool *done;
	bool good;
};

/* Connections are cut, this one's too. */
static struct store *open_somehow(const char *database)
{
	struct error err = {0};
	struct store *s = NULL;
	int r;
	do
		r = open_as("wt", database, &s, &err);
	while (r == -EBUSY);
	return s;
}

static void *write_on(void *ctx)
{
	struct worker *w = ctx;
	struct error err = {0};
	struct store *s = open_somehow(w->database);
	uint32_t id = 1;
	while (s && id <= BATCHES) {
		enum store_result r = write_two(s, w->name, id, T0 + id * 600, 5, &err);
		if (r == STORE_FATAL)
			break;
		id += r != STORE_RETRY;
	}
	w->good = id > BATCHES;
	ops->close(s);
	return NULL;
}

/* Errors are expected: its connections are cut. */
static void *maintain_on(void *ctx)
{
	struct worker *w = ctx;
	struct error err = {0};
	struct store *s = open_somehow(w->database);
	for (uint64_t now = T0; s && !atomic_load(w->done); now += 900)
		w->good |= ops->maintain(s, now, &err) >= 0;
	ops->close(s);
	return NULL;
}

/* Every snapshot has the same sum at every level. */
static void check_snapshot(struct store_reader *r)
{
	uint64_t sums[LEVEL_COUNT] = {0};
	struct error err = {0};
	for (int level = 0; level < LEVEL_COUNT; level++) {
		struct store_query q = {.cube = CUBE_flow, .segments = {{(enum store_level)level, T0, T0 + 2 * DAY}}, .segment_count = 1,
			.keep_snapshot = level < LEVEL_COUNT - 1};
		int result = ops->query(r, &q, add_bytes, &sums[level], &err);
		if (result == -EBUSY)
			return; /* cut */
		if (result < 0)
			fail_msg("%s", err.text);
	}
	assert_true(sums[0] == sums[1] && sums[1] == sums[2]);
}

/* Two collectors that write, two that merge, a reader; and somebody cuts connections, of whomever. */
static void test_merging_beside_writers(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct store_reader *reader;
	atomic_bool done = false;
	struct worker w[4] = {{name, "a", &done, false}, {name, "b", &done, false}, {name, "m", &done, false}, {name, "n", &done, false}};
	pthread_t threads[4];
	assert_int_equal(ops->reader_open(s, &reader, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? write_on : maintain_on, &w[i]), 0);
	for (int i = 0; i < 15; i++) {
		check_snapshot(reader);
		assert_true(pg_sql("postgres", "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
			" WHERE application_name = 'whereto' ORDER BY random() LIMIT 1", NULL, 0));
	}
	for (int i = 0; i < 4; i++) {
		if (i == 2)
			atomic_store(&done, true);
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(w[i].good);
	}
	assert_int_equal(ops->maintain(s, T0, &err), 0);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_minute_merged", 2 * BATCHES * 10);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_hour_merged", 2 * BATCHES * 10);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.total_day_merged", 2 * BATCHES * 10);
	ops->reader_close(reader);
	ops->close(s);
}

/* ---- an older store ---- */

static PGconn *connect_raw(const char *database)
{
	char url[200];
	pg_url(url, sizeof(url), "wt", database);
	PGconn *pq = PQconnectdb(url);
	assert_int_equal(PQstatus(pq), CONNECTION_OK);
	return pq;
}

/* A row in each of version 1's tables: its key is ts and ones, its measures are sevens. */
static void fill_version_1(const char *database)
{
	assert_true(pg_sql(database, "DO $$ DECLARE t text; v text; BEGIN FOR t IN SELECT tablename FROM pg_tables"
		" WHERE schemaname = 'whereto' AND tablename ~ '_(minute|hour|day)$' LOOP"
		" SELECT string_agg(CASE WHEN column_name = 'ts' THEN '1767312000' WHEN ordinal_position <= 10 AND column_name IN"
		" ('router', 'type', 'origin', 'prefix', 'path', 'neighbour', 'country', 'match') THEN '1' ELSE '7' END, ', '"
		" ORDER BY ordinal_position) INTO v FROM information_schema.columns WHERE table_schema = 'whereto' AND table_name = t;"
		" EXECUTE format('INSERT INTO whereto.%I VALUES(%s)', t, v); END LOOP; END $$", NULL, 0));
	assert_true(pg_sql(database, "INSERT INTO whereto.names(name) VALUES('r1'); INSERT INTO whereto.batches VALUES('c', 1, 1, 0, 0);"
		"CREATE VIEW mine AS SELECT sum(bytes_sent) FROM whereto.v_flow_day", NULL, 0));
}

static void test_version_1_is_brought_up(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s;
	pg_fresh(name);
	PGconn *pq = connect_raw(name);
	assert_int_equal(pg_migrate_to(pq, name, 1, &err), 0);
	fill_version_1(name);
	check_number(name, "SELECT count(*) FROM pg_class WHERE relkind = 'p' AND relnamespace = 'whereto'::regnamespace", 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pg_migrate(pq, name, &err), 0);
		check_number(name, "SELECT value FROM whereto.meta", POSTGRES_SCHEMA_VERSION);
		check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_minute", 7);
		check_number(name, "SELECT requests FROM whereto.v_origin_by_hour WHERE router = 'r1' AND origin = 1", 7);
		check_number(name, "SELECT count(*) FROM whereto.bucket_change WHERE ts = 1767312000 AND changes = 1", LEVEL_COUNT);
	}
	/* What a program of version 3 would write. */
	assert_false(pg_sql(name, "INSERT INTO whereto.batches(collector, id, flows, changes, changes_left_out) VALUES('c', 2, 1, 0, 0)",
		NULL, 0));
	PQfinish(pq);
	/* New rows of the same hour and day, into the partition that was the table; and further ones. */
	assert_int_equal(open_as("wt", name, &s, &err), 0);
	assert_int_equal(write_one(s, "c", 1, &err), STORE_DUPLICATE);
	assert_int_equal(write_one(s, "c", 2, &err), STORE_OK);
	assert_int_equal(write_two(s, "c", 3, T0 + 3000 * DAY, 100, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0, &err), 0);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_minute", 217);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_hour_merged", 217);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.total_day_merged", 217);
	check_number(name, "SELECT sum FROM mine", 217);
	check_parts(name, "flow_day_merged", "flow_day_2034 flow_day_before");
	ops->close(s);
}

/* All of version 1's rows are older than the retention: the table goes, whole. */
static void test_version_1_is_dropped(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s;
	pg_fresh(name);
	PGconn *pq = connect_raw(name);
	assert_int_equal(pg_migrate_to(pq, name, 1, &err), 0);
	fill_version_1(name);
	PQfinish(pq);
	assert_int_equal(open_with("wt", name, (const uint64_t[]){2 * DAY, UINT64_MAX, UINT64_MAX}, &s, &err), 0);
	assert_int_equal(ops->maintain(s, clock_wall_ms() / 1000 + 4 * DAY, &err), 0);
	check_number(name, "SELECT count(*) FROM pg_tables WHERE tablename LIKE '%\\_before'", 2 * CUBE_COUNT);
	check_number(name, "SELECT sum(bytes_sent) FROM whereto.flow_hour", 7);
	check_number(name, "SELECT count(*) FROM whereto.flow_minute", 0);
	ops->close(s);
}

/* A view of somebody's hangs on one of them: that one stays and the error says what to do, the others go, and
 * hours, whose partitions are longer than they are kept. */
static void test_what_hangs_on_a_partition(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = with_one(name, DAY);
	assert_true(pg_sql(name, "CREATE VIEW mine AS SELECT ts FROM whereto.total_minute_20260102; CREATE VIEW yours AS SELECT * FROM mine", NULL, 0));
	assert_int_equal(ops->maintain(s, T0 + 4 * DAY, &err), -EBUSY);
	assert_non_null(strstr(err.text, "view mine depends on table total_minute_20260102; view yours depends on view mine"));
	assert_non_null(strstr(err.text, "DROP TABLE whereto.total_minute_20260102 CASCADE"));
	check_number(name, "SELECT count(*) FROM pg_tables WHERE tablename LIKE '%\\_minute\\_20260102'", 1);
	check_parts(name, "flow_minute_merged", "flow_minute_20260106 flow_minute_20260107");
	check_number(name, "SELECT count(*) FROM whereto.flow_hour", 0);
	assert_true(pg_sql(name, "DROP TABLE whereto.total_minute_20260102 CASCADE", NULL, 0));
	assert_int_equal(ops->maintain(s, T0 + 4 * DAY, &err), 0);
	ops->close(s);
}

/* ---- plans ---- */

static void check_plan(const char *database, const char *sql, const char *with, const char *without)
{
	char text[8000] = "", explain[1000];
	PGconn *pq = connect_raw(database);
	(void)snprintf(explain, sizeof(explain), "EXPLAIN %s", sql);
	PGresult *res = PQexec(pq, explain);
	for (int i = 0; i < PQntuples(res); i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n", PQgetvalue(res, i, 0));
	PQclear(res);
	PQfinish(pq);
	if (!strstr(text, with) || strstr(text, without))
		fail_msg("%s:\n%s", sql, text);
}

/* Which rows cover an address: the GiST index finds the prefixes, another their rows, in the partitions of the range only. */
static void test_plans(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(write_two(s, "c", i + 1, T0 + i * 40 * DAY, 5, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0, &err), 0);
	assert_true(pg_sql(name, "INSERT INTO whereto.prefixes(prefix) SELECT format('10.%s.%s.0/24', i / 256, i % 256)::iprange"
		" FROM generate_series(0, 19999) i; ANALYZE whereto.prefixes", NULL, 0));
	assert_true(pg_sql(name, "INSERT INTO whereto.flow_hour_202601 SELECT f.* FROM (SELECT * FROM whereto.flow_hour_202601 LIMIT 1) t,"
		" generate_series(3, 20000) i, jsonb_populate_record(NULL::whereto.flow_hour_202601, to_jsonb(t) ||"
		" jsonb_build_object('prefix', i, 'ts', t.ts + 3600 * (i % 24))) f; ANALYZE whereto.flow_hour_202601; ANALYZE whereto.flow_hour_merged", NULL, 0));
	check_number(name, "SELECT count(*) FROM whereto.v_flow_hour WHERE prefix >>= '10.0.0.77'::ip4 AND ts < 1767312000 + 86400", 1);
	check_plan(name, "SELECT * FROM whereto.v_flow_hour WHERE prefix >>= '10.0.0.77' AND ts >= 1767312000 AND ts < 1767398400",
		"prefixes_covering", "202602");
	check_plan(name, "SELECT * FROM whereto.v_flow_hour WHERE prefix >>= '10.0.0.77' AND ts >= 1767312000 AND ts < 1767398400",
		"flow_hour_202601_prefix_ts_idx", "Seq Scan on flow_hour_202601");
	check_plan(name, "SELECT sum(bytes_sent) FROM whereto.flow_minute WHERE ts >= 1767312000 AND ts < 1767398400",
		"flow_minute_20260102", "flow_minute_202602");
	check_sql(name, "SELECT sum(bytes_sent) FROM whereto.flow_minute WHERE ts >= 1767312000 AND ts < 1767398400", "10");
	ops->close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_partitions_come_and_go),
		cmocka_unit_test(test_a_partition_is_missing),
		cmocka_unit_test(test_readers_hold_no_batch_back),
		cmocka_unit_test(test_rows_of_one_table),
		cmocka_unit_test(test_a_partition_is_missing_for_a_copy),
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_large_sums),
		cmocka_unit_test(test_merging_beside_writers),
		cmocka_unit_test(test_version_1_is_brought_up),
		cmocka_unit_test(test_version_1_is_dropped),
		cmocka_unit_test(test_what_hangs_on_a_partition),
		cmocka_unit_test(test_plans),
	};
	return pg_run_tests(tests, ARRAY_LEN(tests));
}

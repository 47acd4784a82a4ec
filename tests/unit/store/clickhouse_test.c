/* SPDX-License-Identifier: BSD-2-Clause */

/* What only this store has: how values stand in its tables, in which order, marks and how they go, a server that goes away
 * or hangs, a schema that is not ours, its URL. */

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "route/path.h"
#include "store/store.h"
#include "wt_clickhouse.h"
#include "wt_flows.h"
#include "wt_test.h"

#define T0      1767312000u
#define FOREVER {UINT64_MAX, UINT64_MAX, UINT64_MAX}

extern const struct store_ops clickhouse_ops;
static const struct store_ops *const ops = &clickhouse_ops;

static int open_database(const char *database, const uint64_t retention_s[LEVEL_COUNT], struct store **ret, struct error *err)
{
	char url[400];
	ch_url(url, sizeof(url), "writer", database);
	struct store_config config = {.url = url};
	memcpy(config.retention_s, retention_s, sizeof(config.retention_s));
	return ops->open(&config, ret, err);
}

static struct store *open_fresh(char name[static 32])
{
	struct store *s;
	struct error err = {0};
	ch_fresh(name);
	if (open_database(name, (const uint64_t[])FOREVER, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

/* One flow of a router, path and prefix that may be NULL: unknown. */
static void add_flow(struct flow_table *t, const char *router, const char *path, const char *prefix, uint64_t bytes)
{
	struct flow_key key = {.minute = T0, .country = 'D' << 8 | 'E', .match = MATCH_OWN};
	struct prefix p;
	uint8_t buf[64];
	if (router)
		assert_int_equal(flow_table_name(t, (struct view){(const uint8_t *)router, strlen(router)}, &key.router), 0);
	if (path) {
		int n = path_parse(path, buf, sizeof(buf));
		assert_true(n >= 0);
		assert_int_equal(flow_table_path(t, (struct view){buf, (size_t)n}, &key.path), 0);
	}
	if (prefix) {
		assert_int_equal(prefix_parse(prefix, &p, NULL), 0);
		assert_int_equal(flow_table_prefix(t, &p, &key.prefix), 0);
	}
	flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = bytes;
}

static enum store_result write_table(struct store *s, uint64_t id, const struct flow_table *t, struct error *err)
{
	struct store_batch batch = {.collector = "c", .id = id, .flows = t};
	return ops->write_batch(s, &batch, err);
}

static enum store_result write_one(struct store *s, uint64_t id, struct error *err)
{
	struct flow_table *t;
	assert_int_equal(flow_table_new(&t), 0);
	add_flow(t, "r1", "64500 174 64501", "192.0.2.0/24", 5);
	enum store_result r = write_table(s, id, t, err);
	flow_table_free(t);
	return r;
}

static int add_bytes(void *ctx, const struct store_row *row)
{
	*(uint64_t *)ctx += row->m.v[MEASURE_bytes_sent];
	return 0;
}

static int ask(struct store_reader *r, uint64_t *ret, struct error *err)
{
	struct store_query q = {.cube = CUBE_total, .segments = {{LEVEL_day, T0, T0 + 86400}}, .segment_count = 1,
		.deadline_ns = clock_mono_ns() + 60 * NS_PER_S};
	*ret = 0;
	return ops->query(r, &q, add_bytes, ret, err);
}

static void check_sql(const char *database, const char *sql, const char *expected)
{
	char text[1000], answer[1000];
	const char *at = strchr(sql, '@');
	assert_non_null(at);
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - sql), sql, database, at + 1);
	assert_true(ch_sql(0, text, answer, sizeof(answer)));
	assert_string_equal(answer, expected);
}

/* ---- values ---- */

static int collect_paths(void *ctx, const struct store_row *row)
{
	unsigned *seen = ctx;
	const struct dim_value *path = &row->values[DIM_path], *router = &row->values[DIM_router];
	if (!path->known && !router->known)
		*seen |= 1;
	else if (path->known && path->bytes.len == 0 && router->known && router->bytes.len == 0)
		*seen |= 2;
	else if (path->known && path->bytes.len == 12 && router->bytes.len == 2 && memcmp(router->bytes.data, "\1x", 2) == 0)
		*seen |= 4;
	else
		*seen |= 8;
	return 0;
}

/* Unknown, empty, and texts and paths that could be taken for others are all themselves. */
static void test_odd_values(void **state)
{
	static const uint8_t cut[] = {PATH_SEQUENCE, 1, 0, 0, 0, 7, PATH_SEQUENCE, 1, 0, 0, 0, 9}; /* reads as "7 9" */
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct store_reader *r;
	struct flow_table *t;
	unsigned seen = 0;
	struct flow_key key = {.minute = T0};
	assert_int_equal(flow_table_new(&t), 0);
	add_flow(t, NULL, NULL, NULL, 1);
	add_flow(t, "", "", "::/0", 2);
	assert_int_equal(flow_table_name(t, (struct view){(const uint8_t *)"\1x", 2}, &key.router), 0);
	assert_int_equal(flow_table_path(t, (struct view){cut, sizeof(cut)}, &key.path), 0);
	flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = 4;
	assert_int_equal(write_table(s, 1, t, &err), STORE_OK);
	flow_table_free(t);
	assert_int_equal(ops->reader_open(s, &r, &err), 0);
	struct store_query q = {.cube = CUBE_flow, .segments = {{LEVEL_hour, T0, T0 + 3600}}, .segment_count = 1,
		.dims = DIM_BIT(DIM_path) | DIM_BIT(DIM_router)};
	assert_int_equal(ops->query(r, &q, collect_paths, &seen, &err), 0);
	assert_int_equal(seen, 7);
	struct dim_value empty = {.known = true}, same = {.known = true, .bytes = {cut, sizeof(cut)}};
	const struct {
		struct store_filter filter;
		uint64_t bytes;
	} filters[] = {{{.dim = DIM_router, .values = &empty, .value_count = 1}, 2}, {{.dim = DIM_path, .values = &same, .value_count = 1}, 4}};
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		uint64_t sum = 0;
		q.filters = &filters[i].filter;
		q.filter_count = 1;
		assert_int_equal(ops->query(r, &q, add_bytes, &sum, &err), 0);
		assert_int_equal(sum, filters[i].bytes);
	}
	check_sql(name, "SELECT groupArray(path) FROM (SELECT path FROM @.v_flow_day WHERE path IS NOT NULL ORDER BY path)", "['','7 9']");
	check_sql(name, "SELECT prefix FROM @.v_flow_day WHERE prefix IS NOT NULL", "::/0");
	ops->reader_close(r);
	ops->close(s);
}

struct best_answer {
	uint64_t won, others; /* bytes */
	unsigned rows;        /* of winners */
	bool unknown;         /* among them */
};

static int collect_best(void *ctx, const struct store_row *row)
{
	struct best_answer *a = ctx;
	uint64_t bytes = row->m.v[MEASURE_bytes_sent];
	assert_true(!row->others || !row->values[DIM_router].known);
	a->unknown |= !row->others && !row->values[DIM_router].known;
	a->rows += !row->others;
	*(row->others ? &a->others : &a->won) += bytes;
	return 0;
}

/* The best come by themselves, those as good as the last one too, and the others as one row: nothing is lost. */
static void test_best(void **state)
{
	static const char *const routers[] = {NULL, "\1x", "it's \\", "", "a", "b", "c", "d"};
	static const uint64_t bytes[] = {50, 40, 30, 20, 10, 10, 5, 1};
	static const enum measure per = MEASURE_packets_sent;
	static const struct {
		uint32_t best;
		const enum measure *per; /* nobody has any: all are as good */
		unsigned rows;
		uint64_t won, others;
	} cases[] = {{1, NULL, 1, 50, 116}, {3, NULL, 3, 120, 46}, {5, NULL, 6, 160, 6}, {8, NULL, 8, 166, 0}, {3, &per, 8, 166, 0}};
	static const uint32_t dims[] = {DIM_BIT(DIM_router), DIM_BIT(DIM_router) | DIM_BIT(DIM_origin) | DIM_BIT(DIM_prefix)};
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct store_reader *r;
	struct flow_table *t;
	assert_int_equal(flow_table_new(&t), 0);
	for (size_t i = 0; i < ARRAY_LEN(routers); i++)
		add_flow(t, routers[i], "64500", i % 2 ? "192.0.2.0/24" : NULL, bytes[i]);
	assert_int_equal(write_table(s, 1, t, &err), STORE_OK);
	flow_table_free(t);
	assert_int_equal(ops->reader_open(s, &r, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases) * ARRAY_LEN(dims) * 2; i++) {
		size_t n = i % ARRAY_LEN(cases), segments = 1 + i / ARRAY_LEN(cases) % 2;
		struct store_query q = {.cube = CUBE_flow, .segments = {{LEVEL_hour, T0, T0 + 3600}, {LEVEL_day, T0, T0 + 86400}},
			.segment_count = segments, .dims = dims[i / ARRAY_LEN(cases) / 2], .best = cases[n].best, .best_by = MEASURE_bytes_sent,
			.best_per = cases[n].per};
		struct best_answer a = {0};
		assert_int_equal(ops->query(r, &q, collect_best, &a, &err), 0);
		assert_int_equal(a.rows, cases[n].rows * segments);
		assert_int_equal(a.won, cases[n].won * segments);
		assert_int_equal(a.others, cases[n].others * segments);
		assert_true(a.unknown);
	}
	ops->reader_close(r);
	ops->close(s);
}

/* Sums of the largest numbers are still large. */
static void test_largest_values(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct store_reader *r;
	struct flow_table *t;
	uint64_t before = 0, sum;
	assert_int_equal(ops->reader_open(s, &r, &err), 0);
	assert_int_equal(flow_table_new(&t), 0);
	add_flow(t, "r1", NULL, NULL, UINT64_MAX);
	for (uint64_t id = 1; id <= 5; id++) {
		assert_int_equal(write_table(s, id, t, &err), STORE_OK);
		assert_int_equal(ask(r, &sum, &err), 0);
		assert_true(sum > before && sum <= INT64_MAX);
		before = sum;
	}
	check_sql(name, "OPTIMIZE TABLE @.total_day FINAL", "");
	assert_int_equal(ask(r, &sum, &err), 0);
	assert_true(sum == before);
	flow_table_free(t);
	ops->reader_close(r);
	ops->close(s);
}

static void test_views(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	assert_int_equal(write_one(s, 1, &err), STORE_OK);
	check_sql(name, "SELECT time, origin, prefix, path, router, type, neighbour, country, match, members, bytes_sent"
		" FROM @.v_flow_minute", "2026-01-02 00:00:00\t64501\t192.0.2.0/24\t64500 174 64501\tr1\t\\N\t64500\tDE\town\t[64500,174,64501]\t5");
	check_sql(name, "SELECT sum(bytes_sent) FROM @.v_country_day WHERE country = 'DE' AND ts >= 1767312000 AND router = 'r1'", "5");
	ops->close(s);
}

/* The server finds every block in its own order, the mark among the rows as well, and writes it as it stands. */
static void test_blocks_are_in_order(void **state)
{
	static const char unsorted[] = "SELECT sumIf(value, event = 'MergeTreeDataWriterBlocks')"
		" - sumIf(value, event = 'MergeTreeDataWriterBlocksAlreadySorted') FROM system.events";
	static struct world world;
	static struct sample samples[500];
	char name[32], before[100], after[100];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct flow_table *t;
	uint32_t start = T0 - T0 % (365 * 86400) /* of a partition of days */;
	world_make(&world);
	for (uint64_t id = 1; id <= 3; id++) { /* about a partition's start, within one minute, elsewhere */
		uint32_t first = id == 3 ? start + 86400 * 3 : start;
		for (size_t i = 0; i < ARRAY_LEN(samples); i++)
			sample_make(&samples[i], first + 60 * (uint32_t)(id == 2 ? 0 : i % 4 * 1000));
		assert_int_equal(flow_table_new(&t), 0);
		samples_to_table(&world, samples, ARRAY_LEN(samples), t);
		struct store_batch batch = {.collector = "c", .id = id, .flows = t};
		assert_true(ch_sql(0, unsorted, before, sizeof(before)));
		assert_int_equal(ops->write_batch(s, &batch, &err), STORE_OK);
		assert_true(ch_sql(0, unsorted, after, sizeof(after)));
		assert_string_equal(before, after);
		flow_table_free(t);
	}
	check_sql(name, "SELECT uniqExact(mark) FROM @.flow_day WHERE marker = 1", "3");
	ops->close(s);
}

/* A server without the tables, that only read: nothing is made. */
static void test_read_only(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	char url[400];
	struct store_config config = {.url = url, .retention_s = FOREVER, .read_only = true};
	ch_url(url, sizeof(url), "reader", name);
	assert_int_equal(write_one(s, 1, &err), STORE_OK);
	ops->close(s);
	assert_int_equal(ops->open(&config, &s, &err), 0);
	ops->close(s);
	check_sql(name, "DROP TABLE @.total_day", "");
	assert_int_equal(ops->open(&config, &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, "store migrate"));
	check_sql(name, "EXISTS TABLE @.total_day", "0");
}

/* ---- giving up ---- */

struct stopping {
	atomic_bool give_up;
	struct store *store;
	enum store_result result;
	int code; /* of opening */
	char url[100];
	struct error err;
};

static void *write_second(void *arg)
{
	struct stopping *st = arg;
	st->result = write_one(st->store, 2, &st->err);
	return NULL;
}

/* A server that hangs is not waited for once the store is given up, and gets the batch when it is back. */
static void test_give_up(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct stopping st = {0};
	char url[400];
	struct store_config config = {.url = url, .retention_s = FOREVER, .give_up = &st.give_up};
	pthread_t thread;
	ops->close(s);
	ch_url(url, sizeof(url), "writer", name);
	assert_int_equal(ops->open(&config, &st.store, &err), 0);
	assert_int_equal(write_one(st.store, 1, &err), STORE_OK);
	assert_true(ch_do("pause", 0));
	assert_int_equal(pthread_create(&thread, NULL, write_second, &st), 0);
	atomic_store(&st.give_up, true);
	(void)pthread_join(thread, NULL);
	assert_int_equal(st.result, STORE_RETRY);
	assert_non_null(strstr(st.err.text, "not waited for"));
	assert_true(ch_do("resume", 0));
	ops->close(st.store);
	assert_int_equal(open_database(name, (const uint64_t[])FOREVER, &s, &err), 0);
	assert_int_not_equal(write_one(s, 2, &err), STORE_RETRY);
	check_sql(name, "SELECT sum(bytes_sent) FROM @.total_day", "10");
	ops->close(s);
}

static void *open_mute(void *arg)
{
	struct stopping *st = arg;
	struct store_config config = {.url = st->url, .retention_s = FOREVER, .give_up = &st->give_up};
	st->code = ops->open(&config, &st->store, &st->err);
	return NULL;
}

/* One that takes the connection and the request, and never answers. */
static void test_mute_server(void **state)
{
	struct stopping st = {0};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	pthread_t thread;
	char request[16];
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	(void)snprintf(st.url, sizeof(st.url), "clickhouse://u@127.0.0.1:%u/d", ntohs(at.sin_port));
	assert_int_equal(pthread_create(&thread, NULL, open_mute, &st), 0);
	int connection = accept(listener, NULL, NULL);
	assert_true(read(connection, request, sizeof(request)) > 0);
	atomic_store(&st.give_up, true);
	(void)pthread_join(thread, NULL);
	assert_int_equal(st.code, -EBUSY);
	assert_non_null(strstr(st.err.text, "not waited for"));
	(void)close(connection);
	(void)close(listener);
}

/* ---- marks ---- */

static void test_marks_go(void **state)
{
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(write_one(s, id, &err), STORE_OK);
	check_sql(name, "SELECT count() FROM @.flow_day WHERE marker = 1", "3");
	assert_int_equal(ops->maintain(s, T0, &err), 0);
	check_sql(name, "OPTIMIZE TABLE @.flow_day FINAL", "");
	check_sql(name, "SELECT count(), sum(bytes_sent) FROM @.flow_day", "1\t15");
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(write_one(s, id, &err), STORE_DUPLICATE);
	assert_int_equal(write_one(s, 4, &err), STORE_OK);
	check_sql(name, "SELECT sum(bytes_sent) FROM @.flow_day", "20");
	ops->close(s);
}

/* A batch of which some tables are there, as after a crash of both sides. */
static void test_half_a_batch(void **state)
{
	static const char *const lost[] = {"flow_minute", "total_day", "origin_hour", "batches", "collectors"};
	char name[32], sql[100];
	struct error err = {0};
	struct store *s = open_fresh(name);
	assert_int_equal(write_one(s, 1, &err), STORE_OK);
	for (size_t i = 0; i < ARRAY_LEN(lost); i++) {
		(void)snprintf(sql, sizeof(sql), "DROP TABLE @.%s", lost[i]);
		check_sql(name, sql, "");
	}
	ops->close(s);
	assert_int_equal(open_database(name, (const uint64_t[])FOREVER, &s, &err), 0); /* makes what is missing */
	assert_int_equal(write_one(s, 1, &err), STORE_OK);
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(sql, sizeof(sql), "SELECT sum(bytes_sent) FROM @.%s", lost[i]);
		check_sql(name, sql, "5");
	}
	check_sql(name, "SELECT sum(bytes_sent) FROM @.flow_hour", "5");
	assert_int_equal(write_one(s, 1, &err), STORE_DUPLICATE);
	ops->close(s);
}

/* ---- housekeeping ---- */

/* What was hidden stays hidden when the store is opened again, before anybody keeps house. */
static void test_expired_rows_stay_away(void **state)
{
	static const uint64_t day[] = {86400, 86400, 86400};
	char name[32];
	struct error err = {0};
	struct store *s = open_fresh(name);
	struct store_reader *r;
	uint64_t sum;
	ops->close(s);
	assert_int_equal(open_database(name, day, &s, &err), 0);
	assert_int_equal(write_one(s, 1, &err), STORE_OK);
	assert_int_equal(ops->maintain(s, T0 + 3 * 86400, &err), 0);
	ops->close(s);
	assert_int_equal(open_database(name, (const uint64_t[])FOREVER, &s, &err), 0);
	assert_int_equal(ops->reader_open(s, &r, &err), 0);
	assert_int_equal(ask(r, &sum, &err), 0);
	assert_int_equal(sum, 0);
	ops->reader_close(r);
	ops->close(s);
}

/* ---- what is refused ---- */

static void test_schema(void **state)
{
	char name[32], sql[200];
	struct error err = {0};
	struct store *s = open_fresh(name);
	ops->close(s);
	check_sql(name, "INSERT INTO @.meta(key, value, version) VALUES ('schema_version', 99, 9999999999999)", "");
	assert_int_equal(open_database(name, (const uint64_t[])FOREVER, &s, &err), -EPROTO);
	assert_non_null(strstr(err.text, "newer"));
	ch_fresh(name);
	(void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
	assert_true(ch_sql(0, sql, NULL, 0));
	check_sql(name, "CREATE TABLE @.mine(a UInt8) ENGINE = Memory", "");
	assert_int_equal(open_database(name, (const uint64_t[])FOREVER, &s, &err), -EPROTO);
	assert_non_null(strstr(err.text, "not made by whereto"));
	check_sql(name, "SELECT count() FROM system.tables WHERE database = '@'", "1");
}

static void test_urls(void **state)
{
	static const char *const bad[] = {"clickhouse:x", "clickhouse://", "clickhouse://u:hush@/d", "clickhouse://u:hush@h",
		"clickhouse://u:hush@h/", "clickhouse://u:hush@h:x/d", "clickhouse://u:hush@h:/d", "clickhouse://u:hush@h/d-e",
		"clickhouse://u:hush@h/d?x=1", "clickhouse://u:hush@h/d?tls", "clickhouse://u:hush@h/d?tls=maybe",
		"clickhouse://u:hush@h,i/d", "clickhouse://u:hush@h/d?password_file=f", "clickhouse://u:hush@[::1/d",
		"clickhouse://u:hush@h/d?cluster=a'b", "clickhouse://u:hu%0Ash@h/d", "clickhouse://u:hush@h,/d?cluster=c",
		"clickhouse://u:hush@h/d%00e", "clickhouse://u:hush@h/9"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct store *s;
		struct store_look look;
		struct error err = {0};
		struct store_config config = {.url = bad[i], .retention_s = FOREVER};
		assert_int_equal(ops->open(&config, &s, &err), -EINVAL);
		assert_null(strstr(err.text, "hu"));
		assert_int_equal(ops->look(bad[i], &look, &err), -EINVAL);
	}
	struct error err = {0};
	struct store_look look;
	assert_int_equal(ops->look("clickhouse://u:hush@127.0.0.1:1/d", &look, &err), -EBUSY);
	assert_null(strstr(err.text, "hush"));
	assert_non_null(strstr(err.text, "u@127.0.0.1:1/d"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_odd_values),
		cmocka_unit_test(test_best),
		cmocka_unit_test(test_largest_values),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_blocks_are_in_order),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_mute_server),
		cmocka_unit_test(test_marks_go),
		cmocka_unit_test(test_half_a_batch),
		cmocka_unit_test(test_expired_rows_stay_away),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_urls),
	};
	const char *missing;
	if (!ch_create(0, 1, &missing)) {
		printf("1..0 # SKIP %s\n", missing ? missing : "no server");
		return !missing;
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	ch_destroy();
	return failed;
}

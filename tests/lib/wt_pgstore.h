/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the tests of the PostgreSQL store share: stores in fresh databases, small batches, questions. */

#include <errno.h>

#include "base/clock.h"
#include "route/path.h"
#include "store/postgres.h"
#include "wt_flows.h"
#include "wt_postgres.h"
#include "wt_test.h"

#define T0      1767312000u
#define FOREVER {UINT64_MAX, UINT64_MAX, UINT64_MAX}

static const struct store_ops *const ops = &postgres_ops;

static inline int open_with(const char *user, const char *database, const uint64_t retention_s[LEVEL_COUNT], struct store **ret,
	struct error *err)
{
	char url[200];
	pg_url(url, sizeof(url), user, database);
	struct store_config config = {.url = url};
	memcpy(config.retention_s, retention_s, sizeof(config.retention_s));
	return ops->open(&config, ret, err);
}

static inline int open_as(const char *user, const char *database, struct store **ret, struct error *err)
{
	return open_with(user, database, (const uint64_t[])FOREVER, ret, err);
}

static inline struct store *open_fresh(char name[static 32])
{
	struct store *s;
	struct error err = {0};
	pg_fresh(name);
	if (open_as("wt", name, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static inline struct flow_table *make_flows(uint32_t minute, uint64_t bytes)
{
	struct flow_table *t;
	struct flow_key key = {.minute = minute, .country = 'D' << 8 | 'E', .match = MATCH_OWN};
	struct prefix prefix;
	uint8_t path[64];
	int n = path_parse("64500 174 64501", path, sizeof(path));
	assert_true(n > 0);
	assert_int_equal(prefix_parse("192.0.2.0/24", &prefix, NULL), 0);
	assert_int_equal(flow_table_new(&t), 0);
	assert_int_equal(flow_table_name(t, (struct view){(const uint8_t *)"r1", 2}, &key.router), 0);
	assert_int_equal(flow_table_prefix(t, &prefix, &key.prefix), 0);
	assert_int_equal(flow_table_path(t, (struct view){path, (size_t)n}, &key.path), 0);
	flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = bytes;
	assert_int_equal(prefix_parse("2001:db8::/32", &prefix, NULL), 0);
	assert_int_equal(flow_table_prefix(t, &prefix, &key.prefix), 0);
	flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = bytes;
	return t;
}

/* Two flows of so many bytes each, of one minute. */
static inline enum store_result write_two(struct store *s, const char *collector, uint64_t id, uint32_t minute, uint64_t bytes,
	struct error *err)
{
	struct flow_table *t = make_flows(minute, bytes);
	struct store_batch batch = {.collector = collector, .id = id, .flows = t};
	enum store_result r = ops->write_batch(s, &batch, err);
	flow_table_free(t);
	return r;
}

static inline enum store_result write_one(struct store *s, const char *collector, uint64_t id, struct error *err)
{
	return write_two(s, collector, id, T0, 5, err);
}

static inline int add_bytes(void *ctx, const struct store_row *row)
{
	*(uint64_t *)ctx += row->m.v[MEASURE_bytes_sent];
	return 0;
}

static inline int ask_within(struct store_reader *r, uint64_t ms, bool keep, uint64_t *ret, struct error *err)
{
	struct store_query q = {.cube = CUBE_total, .segments = {{LEVEL_day, T0, T0 + 86400}}, .segment_count = 1,
		.keep_snapshot = keep, .deadline_ns = clock_mono_ns() + ms * NS_PER_MS};
	*ret = 0;
	return ops->query(r, &q, add_bytes, ret, err);
}

static inline int ask(struct store_reader *r, bool keep, uint64_t *ret, struct error *err)
{
	return ask_within(r, 60000, keep, ret, err);
}

static inline void check_sql(const char *database, const char *sql, const char *expected)
{
	char answer[200];
	assert_true(pg_sql(database, sql, answer, sizeof(answer)));
	assert_string_equal(answer, expected);
}

/* A server of their own, and the tests. */
static inline int pg_run_tests(const struct CMUnitTest *tests, size_t n)
{
	const char *missing = pg_missing();
	if (missing) {
		printf("1..0 # SKIP %s\n", missing);
		return 0;
	}
	if (!pg_create()) {
		print_error("no server: see %s/log\n", pg.folder);
		return 1;
	}
	int failed = _cmocka_run_group_tests("postgres", tests, n, NULL, NULL);
	pg_destroy();
	return failed;
}

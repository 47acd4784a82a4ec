/* SPDX-License-Identifier: BSD-2-Clause */

/* What the dashboard asks first is kept before it asks; who asks is not held up by that, nor is the end. */

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "asking.h"
#include "http/call.h"

#define HOURS    60
#define PREFIXES 50 /* in each: enough that their sums are worth keeping */
#define GROUPS   "/api/v1/top?by=origin&limit=8&fields=bytes_sent,packets_sent,packets_retransmitted,connections," \
	"rtt_count,retransmit_rate,rtt_p50_us,rtt_p95_us,share,approximate"
#define SERIES   "/api/v1/series?by=neighbour&limit=7&sort=bytes_sent&points=120&fields=bytes_sent"

/* ---- an SQLite store ---- */

static void fill(struct store *store, uint32_t newest_s)
{
	struct flow_table *t;
	assert_int_equal(flow_table_new(&t), 0);
	for (uint32_t i = 0; i < HOURS * PREFIXES; i++) {
		uint8_t path[] = {2, 1, 0, 0, 0xfc, (uint8_t)(i % PREFIXES)}, bytes[4] = {10, (uint8_t)(i % PREFIXES)};
		struct addr a = addr_from_v4(bytes);
		struct prefix prefix = prefix_make(&a, 16);
		struct flow_key key = {.minute = newest_s - i / PREFIXES * 3600, .match = MATCH_OWN};
		assert_int_equal(flow_table_prefix(t, &prefix, &key.prefix), 0);
		assert_int_equal(flow_table_path(t, (struct view){path, sizeof(path)}, &key.path), 0);
		flow_table_row(t, &key)->m.v[MEASURE_bytes_sent] = 1 + i;
	}
	struct store_batch batch = {.collector = "test1", .id = 1, .flows = t};
	assert_int_equal(store->ops->write_batch(store, &batch, NULL), STORE_OK);
	flow_table_free(t);
}

static struct store_kept kept(struct store *store)
{
	struct store_kept k;
	store->ops->kept(store, &k);
	return k;
}

/* A question over 24 hours whose answer is to be there already. It names both ends, on whole hours, as the dashboard does (state.ts). */
static void ask_kept(struct http_server *server, struct store *store, const char *groups, uint64_t hour)
{
	char question[500];
	(void)snprintf(question, sizeof(question), "%s&from=%llu&to=%llu", groups, (unsigned long long)(hour - 24) * 3600, (unsigned long long)(hour + 1) * 3600);
	struct store_kept before = kept(store);
	assert_int_equal(status_of(ask(server, question)), 200);
	struct store_kept after = kept(store);
	if (clock_wall_ms() / 3600000 != hour)
		return;
	assert_true(after.found > before.found);
	assert_int_equal(after.read, before.read);
}

/* False: the hour has changed meanwhile, and with it the question. */
static bool asked_within_an_hour(struct http_server *server, struct store *store, struct fake_store *fake)
{
	uint64_t hour = clock_wall_ms() / 3600000;
	http_ahead_wait(&server->ahead, 1);
	assert_int_equal(fake->settled, 0); /* nobody had to write for it */
	ask_kept(server, store, GROUPS, hour);
	ask_kept(server, store, SERIES, hour);
	struct store_kept before = kept(store);
	assert_int_equal(status_of(ask(server, "/api/v1/top?by=origin&limit=8&last=24h&sort=requests")), 200); /* what nobody asks ahead */
	if (clock_wall_ms() / 3600000 != hour)
		return false;
	assert_true(kept(store).read > before.read);
	return true;
}

static void kept_before_it_is_asked(void **state)
{
	bool done = false;
	for (int i = 0; i < 3 && !done; i++) {
		char url[300];
		struct store *store;
		struct error err;
		struct fake_store *fake = fake_store_new();
		struct http_backend backend = fake_backend(fake);
		(void)snprintf(url, sizeof(url), "sqlite:%s/%d.db", (const char *)*state, i);
		struct store_config config = {.url = url, .retention_s = {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
		if (store_find(url, &err)->open(&config, &store, &err) < 0)
			fail_msg("%s", err.text);
		fill(store, (uint32_t)(clock_wall_ms() / 1000 / 3600 * 3600));
		backend.store = store;
		memcpy(backend.retention_s, config.retention_s, sizeof(backend.retention_s));
		struct http_server *server = serve_backend(&backend);
		done = asked_within_an_hour(server, store, fake);
		http_free(server);
		store->ops->close(store);
		fake_store_free(fake);
	}
	assert_true(done);
}

/* ---- a store that takes its time ---- */

static _Atomic int given_up;

static void keeps_nothing(struct store *s, struct store_kept *ret)
{
	*ret = (struct store_kept){0};
}

static const struct store_ops *plain;

static int counting_query(struct store_reader *reader, const struct store_query *q, store_row_fn *fn, void *ctx, struct error *err)
{
	int r = plain->query(reader, q, fn, ctx, err);
	given_up += r == -ETIMEDOUT && q->segment_count;
	return r;
}

static struct fake_store *slow_store(struct store_ops *ops)
{
	struct fake_store *store = fake_store_new();
	plain = store->base.ops;
	*ops = *plain;
	ops->kept = keeps_nothing;
	ops->query = counting_query;
	store->base.ops = ops;
	store->slow = true;
	given_up = 0;
	return store;
}

static void gives_way(void **state)
{
	struct store_ops ops;
	struct fake_store *store = slow_store(&ops);
	struct http_server *server = serve(store);
	wait_running(store, 1);
	int fd = ask(server, "/api/v1/top?by=");
	while (!given_up)
		(void)sched_yield();
	wait_running(store, 1); /* who asked */
	assert_int_equal(given_up, 1);
	store->slow = false;
	assert_int_equal(status_of(fd), 200);
	http_ahead_wait(&server->ahead, 1);
	http_free(server);
	assert_int_equal(store->readers_open, 0);
	fake_store_free(store);
}

static void stops_at_once(void **state)
{
	struct store_ops ops;
	struct fake_store *store = slow_store(&ops);
	struct http_server *server = serve(store);
	wait_running(store, 1);
	http_free(server);
	assert_int_equal(given_up, 1);
	assert_int_equal(store->readers_open, 0);
	fake_store_free(store);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(void)
{
	char folder[] = "/tmp/wt_ahead_XXXXXX";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(kept_before_it_is_asked, folder),
		cmocka_unit_test(gives_way),
		cmocka_unit_test(stops_at_once),
	};
	if (!mkdtemp(folder))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return failed;
}

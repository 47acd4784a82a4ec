/* SPDX-License-Identifier: BSD-2-Clause */

/* Path changes in any store: random ones are written, and every answer is compared with one made from the
 * list of what was written, row by row and in order. */

#include "fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "route/path.h"

#define EVENTS 600
#define T0_MS  (T0 * 1000ull)
#define DAY_MS 86400000ull

/* Numbers are the world's; 0 of router: unknown, of a path: no route. */
struct event {
	uint64_t time_ms;
	uint32_t router, prefix, before, after;
};

static struct world world;
static struct event events[EVENTS];

/* In the order of time, nearly, often several in one millisecond. */
static void make_events(void)
{
	uint64_t t = T0_MS;
	world_make(&world);
	for (size_t i = 0; i < EVENTS; i++) {
		t += wt_random_below(3) ? 0 : wt_random_below(2 * 3 * DAY_MS / EVENTS * 3);
		events[i] = (struct event){
			.time_ms = wt_random_below(20) ? t : t - wt_random_below(t - T0_MS + 1),
			.router = (uint32_t)wt_random_below(3),
			.prefix = 1 + (uint32_t)wt_random_below(WORLD_PREFIXES - 1),
			.before = wt_random_below(5) ? (uint32_t)wt_random_below(WORLD_PATHS) : 0,
			.after = wt_random_below(5) ? (uint32_t)wt_random_below(WORLD_PATHS) : 0,
		};
	}
}

static uint32_t path_number(struct flow_table *t, uint32_t path)
{
	uint32_t n = 0;
	if (path)
		assert_int_equal(flow_table_path(t, (struct view){world.paths[path].bytes, world.paths[path].len}, &n), 0);
	return n;
}

static struct view world_name(uint32_t name)
{
	return (struct view){(const uint8_t *)world.names[name], strlen(world.names[name])};
}

static void events_to_table(const struct event *e, size_t n, struct flow_table *t)
{
	for (size_t i = 0; i < n; i++, e++) {
		struct path_change c = {.time_ms = e->time_ms, .before = path_number(t, e->before),
			.after = path_number(t, e->after)};
		if (e->router)
			assert_int_equal(flow_table_name(t, world_name(e->router), &c.router), 0);
		assert_int_equal(flow_table_prefix(t, &world.prefixes[e->prefix], &c.prefix), 0);
		assert_int_equal(flow_table_change(t, &c), 0);
	}
}

static enum store_result write_table(struct store *store, const char *collector, uint64_t id, const struct flow_table *t)
{
	struct error err = {0};
	struct store_batch batch = {.collector = collector, .id = id, .flows = t};
	enum store_result r = contract->ops->write_batch(store, &batch, &err);
	if (r == STORE_RETRY || r == STORE_FATAL)
		print_error("write_batch: %s\n", err.text);
	return r;
}

static enum store_result write_events(struct store *store, uint64_t id, const struct event *e, size_t n)
{
	struct flow_table *t;
	assert_int_equal(flow_table_new(&t), 0);
	events_to_table(e, n, t);
	t->changes_left_out = id;
	enum store_result r = write_table(store, "test1", id, t);
	flow_table_free(t);
	return r;
}

/* ---- the naive answer ---- */

static bool is_within(const struct prefix *inner, const struct prefix *outer)
{
	return inner->len >= outer->len && prefix_contains(outer, &inner->addr);
}

static bool matches(const struct event *e, const struct store_change_query *q)
{
	const struct prefix *p = &world.prefixes[e->prefix];
	if (e->time_ms < q->from_ms || e->time_ms >= q->to_ms)
		return false;
	if (q->router && (!e->router || world_name(e->router).len != q->router->len ||
				 memcmp(world.names[e->router], q->router->data, q->router->len) != 0))
		return false;
	return !q->prefix || (q->within ? is_within(p, q->prefix) : prefix_equal(p, q->prefix));
}

/* Newest first: by time, then by arrival. */
static int newer(const void *a, const void *b)
{
	const struct event *x = *(const struct event *const *)a, *y = *(const struct event *const *)b;
	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? 1 : -1;
	return x < y ? 1 : -1;
}

struct answer {
	const struct event *expected[EVENTS];
	size_t count, at;
};

static int compare_change(void *ctx, const struct store_change *c)
{
	struct answer *a = ctx;
	if (a->at == a->count)
		fail_msg("more changes than were written");
	const struct event *e = a->expected[a->at++];
	assert_true(c->time_ms == e->time_ms);
	assert_int_equal(value_number(&world, DIM_router, &c->router), e->router);
	assert_int_equal(value_number(&world, DIM_prefix, &c->prefix), e->prefix);
	assert_int_equal(value_number(&world, DIM_path, &c->before), e->before);
	assert_int_equal(value_number(&world, DIM_path, &c->after), e->after);
	return 0;
}

/* Asks, and holds the answer against the first `count` events. */
static void check(struct store_reader *reader, const struct store_change_query *q, size_t count)
{
	struct answer a = {.at = 0};
	struct error err = {0};
	for (size_t i = 0; i < count; i++)
		if (matches(&events[i], q))
			a.expected[a.count++] = &events[i];
	qsort(a.expected, a.count, sizeof(a.expected[0]), newer);
	if (a.count > q->limit)
		a.count = q->limit;
	if (contract->ops->changes(reader, q, compare_change, &a, &err) < 0)
		fail_msg("changes: %s", err.text);
	assert_int_equal(a.at, a.count);
}

static const struct store_change_query everything = {.to_ms = UINT64_MAX, .limit = EVENTS + 1};

static int end_at_third(void *ctx, const struct store_change *c)
{
	(void)c;
	return ++*(size_t *)ctx == 3 ? -ECANCELED : 0;
}

/* As query_changes does when it has enough. */
static void check_early_end(struct store_reader *reader)
{
	size_t count = 0;
	struct error err = {0};
	assert_int_equal(contract->ops->changes(reader, &everything, end_at_third, &count, &err), -ECANCELED);
	assert_int_equal(count, 3);
}

/* ---- the suite ---- */

void test_changes_come_back(void **state)
{
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	check(f.reader, &everything, 0);
	make_events();
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(write_events(f.store, i + 1, events + i * 100, 100), STORE_OK);
	check(f.reader, &everything, EVENTS);
	check_early_end(f.reader);
	check(f.reader, &everything, EVENTS);
	for (int i = 0; i < 200; i++) {
		struct view router = world_name(1 + (uint32_t)wt_random_below(3));
		struct prefix prefix = world.prefixes[1 + wt_random_below(WORLD_PREFIXES - 1)];
		struct store_change_query q = {
			.from_ms = wt_random_below(2) ? T0_MS + wt_random_below(3 * DAY_MS) : 0,
			.router = wt_random_below(2) ? &router : NULL,
			.prefix = wt_random_below(2) ? &prefix : NULL,
			.within = wt_random_below(2),
			.limit = wt_random_below(2) ? EVENTS : 1 + (uint32_t)wt_random_below(20),
		};
		q.to_ms = wt_random_below(2) ? q.from_ms + wt_random_below(2 * DAY_MS) : UINT64_MAX;
		if (wt_random_below(2))
			prefix = prefix_make(&prefix.addr, (unsigned)wt_random_below(prefix.len + 1u));
		check(f.reader, &q, EVENTS);
	}
	close_fixture(&f);
}

void test_changes_apply_once(void **state)
{
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_events();
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(write_events(f.store, i + 1, events + i * 100, 100), STORE_OK);
		assert_int_equal(write_events(f.store, i + 1, events + i * 100, 100), STORE_DUPLICATE);
		assert_int_equal(write_events(f.store, 1, events, 100), STORE_DUPLICATE);
		check(f.reader, &everything, (i + 1) * 100);
		if (i != 3)
			continue;
		close_fixture(&f);
		f.store = open_store(f.url, (const uint64_t[])FOREVER);
		assert_int_equal(contract->ops->reader_open(f.store, &f.reader, NULL), 0);
		assert_int_equal(write_events(f.store, 4, events + 300, 100), STORE_DUPLICATE);
	}
	check(f.reader, &everything, EVENTS);
	close_fixture(&f);
}

/* All in one millisecond: only the order of arrival tells them apart. Another collector's batch of the same
 * number is another batch. */
void test_changes_of_one_moment(void **state)
{
	struct fixture f;
	struct flow_table *t;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_events();
	for (size_t i = 0; i < EVENTS; i++)
		events[i].time_ms = T0_MS + 7;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(write_events(f.store, i + 9, events + i * 200, 200), STORE_OK);
	check(f.reader, &everything, EVENTS);
	assert_int_equal(flow_table_new(&t), 0);
	events_to_table(events, 1, t);
	t->changes[0].time_ms = T0_MS + 8;
	assert_int_equal(write_table(f.store, "test2", 9, t), STORE_OK);
	assert_int_equal(write_table(f.store, "test2", 9, t), STORE_DUPLICATE);
	struct store_change_query q = everything;
	q.to_ms = T0_MS + 8;
	check(f.reader, &q, EVENTS);
	q = everything;
	q.from_ms = T0_MS + 8;
	events[0].time_ms = T0_MS + 8;
	check(f.reader, &q, 1);
	flow_table_free(t);
	close_fixture(&f);
}

void test_changes_limit_and_range(void **state)
{
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_events();
	assert_int_equal(write_events(f.store, 1, events, EVENTS), STORE_OK);
	for (uint32_t limit = 0; limit < 5; limit++)
		check(f.reader, &(struct store_change_query){.to_ms = UINT64_MAX, .limit = limit}, EVENTS);
	uint64_t t = events[EVENTS / 2].time_ms;
	const uint64_t edges[][2] = {{t, t}, {t, t + 1}, {t + 1, t + 2}, {t - 1, t}, {0, t}, {t, UINT64_MAX}, {t + 1, t},
		{0, 0}, {UINT64_MAX, UINT64_MAX}};
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		check(f.reader, &(struct store_change_query){.from_ms = edges[i][0], .to_ms = edges[i][1], .limit = EVENTS},
			EVENTS);
	/* What was never written is no error and no answer. */
	struct view stranger = {(const uint8_t *)"never' OR 1", 11};
	struct prefix prefix;
	assert_int_equal(prefix_parse("203.0.113.7", &prefix, NULL), 0);
	struct store_change_query q = everything;
	q.router = &stranger;
	check(f.reader, &q, EVENTS);
	q.router = NULL;
	q.prefix = &prefix;
	check(f.reader, &q, EVENTS);
	close_fixture(&f);
}

struct pages {
	struct answer expected;
	size_t seen; /* of a page */
	struct store_change_place last;
	char collector[STORE_COLLECTOR_MAX]; /* whose changes are expected: that of the first */
};

static int on_page(void *ctx, const struct store_change *c)
{
	struct pages *p = ctx;
	if (!p->expected.at && !p->seen)
		(void)stpcpy(p->collector, c->place.collector);
	p->seen++;
	p->last = c->place;
	assert_true(c->place.time_ms == c->time_ms);
	return strcmp(c->place.collector, p->collector) == 0 ? compare_change(&p->expected, c) : 0;
}

/* Another collector's, of the millisecond in which a page has ended. */
static void write_between(struct store *store, uint64_t id, uint64_t time_ms)
{
	struct event e[3];
	struct flow_table *t;
	assert_int_equal(flow_table_new(&t), 0);
	for (size_t i = 0; i < ARRAY_LEN(e); i++) {
		e[i] = events[wt_random_below(EVENTS)];
		e[i].time_ms = time_ms;
	}
	events_to_table(e, ARRAY_LEN(e), t);
	assert_int_equal(write_table(store, "test2", id, t), STORE_OK);
	flow_table_free(t);
}

/* Each page goes on behind the last place, while there come changes before and behind it: what was there comes once, in its order. */
void test_changes_by_pages(void **state)
{
	struct fixture f;
	struct pages p = {.expected = {.count = EVENTS}};
	struct error err = {0};
	struct store_change_place behind;
	struct store_change_query q = {.to_ms = UINT64_MAX, .limit = 20 + (uint32_t)wt_random_below(100)};
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_events();
	assert_int_equal(write_events(f.store, 1, events, EVENTS), STORE_OK);
	for (size_t i = 0; i < EVENTS; i++)
		p.expected.expected[i] = &events[i];
	qsort(p.expected.expected, EVENTS, sizeof(p.expected.expected[0]), newer);
	uint64_t page = 0;
	do {
		p.seen = 0;
		if (contract->ops->changes(f.reader, &q, on_page, &p, &err) < 0)
			fail_msg("changes: %s", err.text);
		behind = p.last;
		q.behind = &behind;
		write_between(f.store, ++page, behind.time_ms);
	} while (p.seen == q.limit);
	assert_int_equal(p.expected.at, EVENTS);
	close_fixture(&f);
}

/* Neighbours of a network on both sides, its own shorter ones, and the other family. */
void test_changes_within_a_network(void **state)
{
	static const char *const prefixes[] = {"", "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/15", "10.1.2.0/24",
		"10.1.255.255/32", "10.1.0.0/32", "10.2.0.0/16", "10.0.255.255/32", "::/0", "a01::/16", "a01::/32",
		"a01:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "a02::/16", "255.255.255.255/32", "128.0.0.0/1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"};
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_events();
	for (size_t i = 1; i < ARRAY_LEN(prefixes); i++) {
		assert_true(i < WORLD_PREFIXES);
		assert_int_equal(prefix_parse(prefixes[i], &world.prefixes[i], NULL), 0);
	}
	for (size_t i = 0; i < EVENTS; i++)
		events[i].prefix = 1 + (uint32_t)wt_random_below(ARRAY_LEN(prefixes) - 1);
	assert_int_equal(write_events(f.store, 1, events, EVENTS), STORE_OK);
	for (size_t i = 1; i < ARRAY_LEN(prefixes); i++)
		for (int within = 0; within < 2; within++)
			check(f.reader, &(struct store_change_query){.to_ms = UINT64_MAX, .limit = EVENTS,
				.prefix = &world.prefixes[i], .within = within}, EVENTS);
	close_fixture(&f);
}

/* Clears the view when the path is the one in it. */
static int compare_long(void *ctx, const struct store_change *c)
{
	struct view *path = ctx;
	assert_true(c->before.known && !c->after.known && !c->router.known);
	assert_int_equal(c->before.bytes.len, path->len);
	assert_memory_equal(c->before.bytes.data, path->data, path->len);
	path->data = NULL;
	return 0;
}

/* 300 hops, AS_SETs, confederations, the empty path and none, towards IPv6 too: what comes back is what went
 * in, byte for byte. */
void test_changes_with_odd_paths(void **state)
{
	static const char *const texts[] = {"", "64500 {1,2,3}", "{4200000000}", "(65001 65002) [65003,65004] 7", "7 7 7"};
	struct fixture f;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_events();
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct world_path *p = &world.paths[i + 1];
		int n = path_parse(texts[i], p->bytes, sizeof(p->bytes));
		assert_true(n >= 0);
		p->len = (size_t)n;
	}
	for (size_t i = 0; i < EVENTS; i++) {
		events[i].before = (uint32_t)wt_random_below(ARRAY_LEN(texts) + 1);
		events[i].after = (uint32_t)wt_random_below(ARRAY_LEN(texts) + 1);
	}
	assert_int_equal(write_events(f.store, 1, events, EVENTS), STORE_OK);

	struct flow_table *t;
	uint8_t bytes[2 + 255 * 4 + 2 + 45 * 4];
	struct wr w = wr_make(bytes, sizeof(bytes));
	for (uint32_t i = 0; i < 300; i++) {
		if (i % 255 == 0) {
			wr_u8(&w, PATH_SEQUENCE);
			wr_u8(&w, i ? 45 : 255);
		}
		wr_u32(&w, 4200000000u + i);
	}
	struct view path = {bytes, wr_len(&w)};
	assert_true(path_valid(path) && path.len == sizeof(bytes));
	assert_int_equal(flow_table_new(&t), 0);
	struct path_change c = {.time_ms = T0_MS + 100 * DAY_MS};
	assert_int_equal(flow_table_prefix(t, &world.prefixes[3], &c.prefix), 0);
	assert_int_equal(flow_table_path(t, path, &c.before), 0);
	assert_int_equal(flow_table_change(t, &c), 0);
	assert_int_equal(write_table(f.store, "test1", 2, t), STORE_OK);
	flow_table_free(t);

	struct store_change_query q = everything;
	q.to_ms = c.time_ms;
	check(f.reader, &q, EVENTS);
	q = (struct store_change_query){.from_ms = c.time_ms, .to_ms = UINT64_MAX, .limit = 1};
	assert_int_equal(contract->ops->changes(f.reader, &q, compare_long, &path, NULL), 0);
	assert_null(path.data); /* it came */
	close_fixture(&f);
}

static int count_changes(void *ctx, const struct store_change *c)
{
	(*(size_t *)ctx)++;
	return 0;
}

static int keep_oldest_change(void *ctx, const struct store_change *c)
{
	*(uint64_t *)ctx = c->time_ms; /* the last is the oldest */
	return 0;
}

/* They go with their hour: retention of an hour's table, whatever that of minutes and days is. */
void test_changes_retention(void **state)
{
	struct fixture f;
	const uint64_t now = T0 + 2 * 86400 + 1800;
	uint64_t oldest = 0;
	open_fixture(&f, (const uint64_t[]){60, 86400, UINT64_MAX});
	make_events();
	for (size_t i = 0; i < EVENTS; i++)
		events[i].time_ms = T0_MS + wt_random_below(2 * DAY_MS);
	events[0].time_ms = T0_MS + DAY_MS - 1;
	events[1].time_ms = T0_MS + DAY_MS;
	assert_int_equal(write_events(f.store, 1, events, EVENTS), STORE_OK);
	check(f.reader, &everything, EVENTS);
	for (int i = 0; i < 3; i++)
		assert_int_equal(contract->ops->maintain(f.store, now, NULL), 0);
	assert_int_equal(contract->ops->changes(f.reader, &everything, keep_oldest_change, &oldest, NULL), 0);
	assert_true(oldest == T0_MS + DAY_MS);
	struct store_change_query kept = everything;
	kept.from_ms = oldest;
	check(f.reader, &kept, EVENTS);
	/* A late one whose hour is gone is not kept either. */
	size_t before = 0, after = 0;
	assert_int_equal(contract->ops->changes(f.reader, &everything, count_changes, &before, NULL), 0);
	assert_int_equal(write_events(f.store, 2, events, 1), STORE_OK);
	assert_int_equal(contract->ops->changes(f.reader, &everything, count_changes, &after, NULL), 0);
	assert_int_equal(before, after);
	close_fixture(&f);
}

static int stop_at_third(void *ctx, const struct store_change *c)
{
	return ++*(int *)ctx == 3 ? -ECANCELED : 1; /* any other number goes on */
}

void test_changes_end_early(void **state)
{
	struct fixture f;
	int calls = 0;
	struct error err;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_events();
	for (uint64_t id = 1; id <= 20; id++) /* enough for a look at the clock on the way */
		assert_int_equal(write_events(f.store, id, events, EVENTS), STORE_OK);
	assert_int_equal(contract->ops->changes(f.reader, &everything, stop_at_third, &calls, NULL), -ECANCELED);
	assert_int_equal(calls, 3);
	struct store_change_query q = {.to_ms = UINT64_MAX, .limit = 20 * EVENTS, .deadline_ns = 1};
	size_t count = 0;
	assert_int_equal(contract->ops->changes(f.reader, &q, count_changes, &count, &err), -ETIMEDOUT);
	assert_true(count < 20 * EVENTS);
	q.deadline_ns = 0;
	count = 0;
	assert_int_equal(contract->ops->changes(f.reader, &q, count_changes, &count, &err), 0);
	assert_int_equal(count, 20 * EVENTS);
	close_fixture(&f);
}

static int add_bytes(void *ctx, const struct store_row *row)
{
	*(uint64_t *)ctx += row->m.v[MEASURE_bytes_sent];
	return 0;
}

/* Rows and changes of one batch share its dictionaries and come in together. */
void test_changes_beside_rows(void **state)
{
	struct fixture f;
	struct flow_table *t;
	uint64_t sent = 0, found = 0;
	open_fixture(&f, (const uint64_t[])FOREVER);
	make_events();
	assert_int_equal(flow_table_new(&t), 0);
	for (size_t i = 0; i < 100; i++) {
		struct sample s;
		sample_make(&s, T0 + 60 * (uint32_t)i);
		samples_to_table(&world, &s, 1, t);
		sent += s.m.v[MEASURE_bytes_sent];
	}
	events_to_table(events, EVENTS, t);
	assert_int_equal(write_table(f.store, "test1", 1, t), STORE_OK);
	check(f.reader, &everything, EVENTS);
	struct store_query q = {.segments = {{LEVEL_day, T0, T0 + 86400}}, .segment_count = 1, .keep_snapshot = true};
	assert_int_equal(contract->ops->query(f.reader, &q, add_bytes, &found, NULL), 0);
	assert_true(found == sent);
	check(f.reader, &everything, EVENTS); /* within the snapshot */
	q.keep_snapshot = false;
	assert_int_equal(contract->ops->query(f.reader, &q, add_bytes, &found, NULL), 0);
	assert_true(found == 2 * sent);
	flow_table_free(t);
	close_fixture(&f);
}

/* ---- killed in the middle ---- */

#define KILL_BATCH 30

static void write_until_killed(const char *url, int fd, uint64_t from)
{
	struct store *s = open_store(url, (const uint64_t[])FOREVER);
	for (uint64_t id = from; (id - 1) * KILL_BATCH < EVENTS; id++) {
		if (write(fd, "b", 1) != 1)
			_exit(1);
		if (write_events(s, id, events + (id - 1) * KILL_BATCH, KILL_BATCH) != STORE_OK)
			_exit(1);
	}
	_exit(0);
}

void test_changes_killed_writer(void **state)
{
	struct fixture f;
	uint64_t last = 0;
	contract->fresh_url(f.url, sizeof(f.url));
	make_events();
	for (int round = 0; round < 6 && last < EVENTS / KILL_BATCH; round++) {
		contract_kill_writer(f.url, last + 1, write_until_killed);
		f.store = open_store(f.url, (const uint64_t[])FOREVER);
		assert_int_equal(contract->ops->last_batch(f.store, "test1", &last, NULL), 0);
		assert_int_equal(contract->ops->reader_open(f.store, &f.reader, NULL), 0);
		check(f.reader, &everything, last * KILL_BATCH); /* whole batches, in their order */
		close_fixture(&f);
	}
	f.store = open_store(f.url, (const uint64_t[])FOREVER);
	assert_int_equal(contract->ops->reader_open(f.store, &f.reader, NULL), 0);
	for (uint64_t id = 1; (id - 1) * KILL_BATCH < EVENTS; id++)
		assert_int_equal(write_events(f.store, id, events + (id - 1) * KILL_BATCH, KILL_BATCH),
			id <= last ? STORE_DUPLICATE : STORE_OK);
	check(f.reader, &everything, EVENTS);
	close_fixture(&f);
}

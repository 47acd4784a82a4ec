/* SPDX-License-Identifier: BSD-2-Clause */

/* Path changes under a filter, against the simple way: all changes in order, those that pass by their texts, the first of them. There
 * are several pages of them, and often many of one millisecond, where pages end. */

#include <errno.h>
#include <stdlib.h>

#include "query/filter.h"
#include "route/path.h"
#include "wt_test.h"

#define CHANGES 6000

static const char *const routers[] = {"ams", "fra", "s i n"};
static const char *const prefixes[] = {"192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"};
static const char *const paths[] = {NULL, "", "64500 64511", "64500 64501 64511", "64502 64502 64512",
	"64501 {64511,64513}", "(64600) 64500 64511"};

struct event {
	uint64_t time_ms;
	size_t router, prefix, before, after;
};

static struct event events[CHANGES]; /* the newest first */
static uint8_t path_bytes[ARRAY_LEN(paths)][256];
static struct dim_value path_values[ARRAY_LEN(paths)];

struct fake {
	struct store_reader base;
	unsigned pages;
	uint64_t read;
	int fail;
};

static struct dim_value text_value(const char *text)
{
	return (struct dim_value){.known = true, .bytes = {(const uint8_t *)text, strlen(text)}};
}

static struct store_change change_of(const struct event *e)
{
	struct store_change c = {.time_ms = e->time_ms, .place = {.time_ms = e->time_ms, .number = CHANGES - (uint64_t)(e - events)}, .router = text_value(routers[e->router]), .prefix = {.known = true},
		.before = path_values[e->before], .after = path_values[e->after]};
	assert_int_equal(prefix_parse(prefixes[e->prefix], &c.prefix.prefix, NULL), 0);
	return c;
}

static bool stores(const struct store_change *c, const struct store_change_query *q)
{
	if (c->time_ms < q->from_ms || c->time_ms >= store_changes_end_ms(q))
		return false;
	if (q->behind && c->time_ms == q->behind->time_ms && c->place.number >= q->behind->number)
		return false;
	if (q->router && !filter_same_bytes(&c->router, &(struct dim_value){.known = true, .bytes = *q->router}))
		return false;
	return !q->prefix || prefix_equal(q->prefix, &c->prefix.prefix);
}

static int fake_changes(struct store_reader *reader, const struct store_change_query *q, store_change_fn *fn, void *ctx,
	struct error *err)
{
	struct fake *f = (struct fake *)reader;
	uint32_t given = 0;
	f->pages++;
	if (f->fail && f->pages > 1)
		return error_set(err, f->fail, "on purpose");
	for (size_t i = 0; i < CHANGES && given < q->limit; i++) {
		struct store_change c = change_of(&events[i]);
		if (!stores(&c, q))
			continue;
		given++;
		f->read++;
		int r = fn(ctx, &c);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct store_ops ops = {.scheme = "fake", .changes = fake_changes};

static void make_events(void)
{
	uint64_t t = 1000000;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		int n = paths[i] ? path_parse(paths[i], path_bytes[i], sizeof(path_bytes[i])) : 0;
		assert_true(n >= 0);
		path_values[i] = (struct dim_value){.known = paths[i], .bytes = {path_bytes[i], (size_t)n}};
	}
	for (size_t i = 0; i < CHANGES; i++) {
		/* Whole pages of one millisecond, now and then. */
		t -= i >= 900 && i < 3300 ? 0 : wt_random_below(8) == 0;
		events[i] = (struct event){t, wt_random_below(ARRAY_LEN(routers)), wt_random_below(ARRAY_LEN(prefixes)),
			wt_random_below(ARRAY_LEN(paths)), wt_random_below(ARRAY_LEN(paths))};
	}
}

struct expected {
	bool (*passes)(const struct event *e);
	const char *filter;
};

static bool either(const struct event *e, const char *list)
{
	return strchr(list, (int)('0' + e->before)) || strchr(list, (int)('0' + e->after));
}

static bool by_via(const struct event *e)
{
	return either(e, "35");
}

static bool by_not_via(const struct event *e)
{
	return !either(e, "236");
}

static bool by_origin(const struct event *e)
{
	return either(e, "236") && e->router == 2;
}

static bool by_neighbour(const struct event *e)
{
	return either(e, "45") && e->prefix != 1;
}

static bool by_path(const struct event *e)
{
	return either(e, "4");
}

static bool by_no_route(const struct event *e)
{
	return either(e, "0") && e->prefix == 2;
}

static bool by_nothing(const struct event *e)
{
	(void)e;
	return false;
}

static bool by_all(const struct event *e)
{
	(void)e;
	return true;
}

static const struct expected questions[] = {
	{by_via, "via:64501"}, {by_not_via, "-via:64500"}, {by_origin, "origin:64511 router:\"s i n\""},
	{by_neighbour, "neighbour:64502,64501 -prefix:198.51.100.0/24"}, {by_path, "path:\"64502 64502 64512\""},
	{by_no_route, "path:null prefix:2001:db8::/32"}, {by_nothing, "via:1"}, {by_all, ""}, {by_nothing, "router:null"},
	{by_all, "router:ams,fra,\"s i n\""},
};

struct answer {
	const struct expected *question;
	size_t next, count;
	uint64_t from_ms, to_ms;
};

static size_t next_expected(const struct answer *a)
{
	size_t i = a->next;
	while (i < CHANGES && !(events[i].time_ms >= a->from_ms && events[i].time_ms < a->to_ms && a->question->passes(&events[i])))
		i++;
	return i;
}

static int check_change(void *ctx, const struct store_change *c)
{
	struct answer *a = ctx;
	size_t i = next_expected(a);
	assert_true(i < CHANGES);
	struct store_change e = change_of(&events[i]);
	assert_int_equal(c->time_ms, e.time_ms);
	assert_true(filter_same_bytes(&c->router, &e.router) && prefix_equal(&c->prefix.prefix, &e.prefix.prefix));
	assert_true(filter_same_bytes(&c->before, &e.before) && filter_same_bytes(&c->after, &e.after));
	a->next = i + 1;
	a->count++;
	return 0;
}

static void ask(const struct expected *question, uint32_t limit)
{
	struct fake fake = {.base = {&ops}};
	struct filter *filter;
	struct error err = {0};
	struct answer a = {.question = question, .from_ms = events[CHANGES - 1].time_ms + wt_random_below(200), .to_ms = events[0].time_ms + 1};
	struct store_change_query q = {.from_ms = a.from_ms, .to_ms = a.to_ms, .limit = limit};
	assert_int_equal(filter_parse(question->filter, &filter, &err), 0);
	assert_int_equal(query_changes(&fake.base, &q, filter, check_change, &a, &err), 0);
	assert_true(a.count == limit || next_expected(&a) == CHANGES);
	assert_true(fake.pages < 12);
	filter_free(filter);
}

static void test_as_the_simple_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		ask(&questions[i], 1);
		ask(&questions[i], 1 + (uint32_t)wt_random_below(50));
		ask(&questions[i], 1500);
		ask(&questions[i], CHANGES + 1);
	}
}

/* What is common is found in the first page, and a store is told of one router and one prefix. */
static void test_reads_little(void **state)
{
	(void)state;
	struct fake fake = {.base = {&ops}};
	struct answer a = {.question = &questions[0], .to_ms = UINT64_MAX};
	struct store_change_query q = {.to_ms = UINT64_MAX, .limit = 8};
	struct filter *filter;
	assert_int_equal(filter_parse(questions[0].filter, &filter, NULL), 0);
	assert_int_equal(query_changes(&fake.base, &q, filter, check_change, &a, NULL), 0);
	assert_int_equal(a.count, 8);
	assert_true(fake.pages == 1 && fake.read < 200);
	filter_free(filter);
	assert_int_equal(filter_parse("router:nobody via:64501", &filter, NULL), 0);
	fake.read = 0;
	assert_int_equal(query_changes(&fake.base, &q, filter, check_change, &a, NULL), 0);
	assert_int_equal(fake.read, 0);
	filter_free(filter);
}

static int refuse(void *ctx, const struct store_change *c)
{
	(void)ctx;
	(void)c;
	return -EPIPE;
}

static void test_errors(void **state)
{
	(void)state;
	struct error err = {0};
	struct fake fake = {.base = {&ops}, .fail = -ETIMEDOUT};
	struct store_change_query q = {.to_ms = UINT64_MAX, .limit = 8};
	struct filter *filter;
	assert_int_equal(filter_parse("via:1", &filter, NULL), 0);
	assert_int_equal(query_changes(&fake.base, &q, filter, refuse, NULL, &err), -ETIMEDOUT);
	filter_free(filter);
	fake.pages = 0;
	assert_int_equal(filter_parse("via:64500", &filter, NULL), 0);
	assert_int_equal(query_changes(&fake.base, &q, filter, refuse, NULL, &err), -EPIPE);
	filter_free(filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_simple_way),
		cmocka_unit_test(test_reads_little),
		cmocka_unit_test(test_errors),
	};
	wt_random_init();
	make_events();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Path changes: from the route table's ids into a delta, through merges, in their order; rows beside them. */

#include <string.h>

#include "route/path.h"
#include "traffic/delta.h"
#include "wt_test.h"

static struct view text(const char *s)
{
	return (struct view){(const uint8_t *)s, strlen(s)};
}

/* A prefix in the table of view 0, with this path. */
static struct route_hit route(struct route_table *t, const char *prefix_text, const char *path)
{
	struct prefix prefix;
	struct route_hit hit;
	uint8_t bytes[256];
	int n = path_parse(path, bytes, sizeof(bytes));
	assert_true(n >= 0);
	struct route_attrs attrs = {.path = {bytes, (size_t)n}};
	assert_int_equal(prefix_parse(prefix_text, &prefix, NULL), 0);
	assert_int_equal(route_set(t, 0, &prefix, &attrs), 0);
	assert_true(route_get(t, 0, &prefix, &hit));
	route_attrs_hold(t, hit.attrs);
	return hit;
}

static void expect(const struct flow_table *t, uint32_t at, uint64_t time_ms, const char *router, const char *prefix,
	const char *before, const char *after)
{
	const struct path_change *c = &t->changes[at];
	char buf[256], prefix_text[PREFIX_TEXT_MAX];
	assert_true(at < t->change_count && c->time_ms == time_ms);
	assert_int_equal(t->names[c->router].len, strlen(router));
	assert_memory_equal(t->names[c->router].data, router, strlen(router));
	assert_string_equal(prefix_format(&t->prefixes[c->prefix], prefix_text), prefix);
	assert_int_equal(c->before != 0, before != NULL);
	assert_int_equal(c->after != 0, after != NULL);
	if (before)
		(void)path_format(t->paths[c->before], buf, sizeof(buf)), assert_string_equal(buf, before);
	if (after)
		(void)path_format(t->paths[c->after], buf, sizeof(buf)), assert_string_equal(buf, after);
}

struct fixture {
	struct route_table *routes;
	struct delta *delta;
};

static int setup(void **state)
{
	static struct fixture f;
	*state = &f;
	return route_table_new(1, &f.routes) < 0 || delta_new(&f.delta) < 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	delta_free(f->delta);
	route_table_free(f->routes);
	return 0;
}

static struct flow_table *take(struct fixture *f)
{
	struct flow_table *fresh;
	assert_int_equal(flow_table_new(&fresh), 0);
	return delta_take(f->delta, fresh);
}

static int change(struct fixture *f, uint64_t time_ms, uint32_t prefix, uint32_t before, uint32_t after)
{
	return delta_change(f->delta, f->routes, time_ms, text("edge1"), prefix, before, after);
}

static void changes_stand_in_their_order(void **state)
{
	struct fixture *f = *state;
	struct route_hit a = route(f->routes, "192.0.2.0/24", "64500 64511"),
			 b = route(f->routes, "192.0.2.0/24", "174 64511 {1,2}"), own = route(f->routes, "2001:db8::/32", "");
	assert_true(delta_is_empty(f->delta));
	assert_int_equal(change(f, 1000, a.prefix, a.attrs, b.attrs), 0);
	assert_int_equal(change(f, 1001, a.prefix, b.attrs, ROUTE_NONE), 0);
	assert_int_equal(change(f, 900, own.prefix, ROUTE_NONE, own.attrs), 0); /* the clock went back */
	assert_int_equal(change(f, 1002, a.prefix, ROUTE_NONE, a.attrs), 0);
	assert_false(delta_is_empty(f->delta));
	assert_int_equal(delta_rows(f->delta), 0);
	struct flow_table *t = take(f);
	assert_int_equal(t->change_count, 4);
	expect(t, 0, 1000, "edge1", "192.0.2.0/24", "64500 64511", "174 64511 {1,2}");
	expect(t, 1, 1001, "edge1", "192.0.2.0/24", "174 64511 {1,2}", NULL);
	expect(t, 2, 900, "edge1", "2001:db8::/32", NULL, "");
	expect(t, 3, 1002, "edge1", "192.0.2.0/24", NULL, "64500 64511");
	assert_true(delta_is_empty(f->delta));
	flow_table_free(t);
}

static void an_equal_path_is_no_change(void **state)
{
	struct fixture *f = *state;
	uint8_t path[16];
	struct prefix prefix;
	struct route_hit a = route(f->routes, "192.0.2.0/24", "64500"), b, own = route(f->routes, "192.0.2.0/25", "");
	int n = path_parse("64500", path, sizeof(path));
	struct route_attrs attrs = {.path = {path, (size_t)n}, .has_med = true, .med = 7};
	assert_int_equal(prefix_parse("192.0.2.0/24", &prefix, NULL), 0);
	assert_int_equal(route_set(f->routes, 0, &prefix, &attrs), 0);
	assert_true(route_get(f->routes, 0, &prefix, &b));
	assert_int_not_equal(a.attrs, b.attrs);
	assert_int_equal(change(f, 1, a.prefix, a.attrs, b.attrs), 0);
	assert_int_equal(change(f, 1, a.prefix, a.attrs, a.attrs), 0);
	assert_int_equal(change(f, 1, a.prefix, ROUTE_NONE, ROUTE_NONE), 0);
	assert_true(delta_is_empty(f->delta));
	/* A path that is known and empty is not the same as none. */
	assert_int_equal(change(f, 1, own.prefix, ROUTE_NONE, own.attrs), 0);
	assert_false(delta_is_empty(f->delta));
}

static void too_many_are_counted(void **state)
{
	struct fixture *f = *state;
	struct route_hit a = route(f->routes, "192.0.2.0/24", "64500"), b = route(f->routes, "192.0.2.0/24", "64501");
	for (uint64_t i = 0; i < DELTA_CHANGES_MAX + 5; i++)
		assert_int_equal(change(f, i, a.prefix, i % 2 ? b.attrs : a.attrs, i % 2 ? a.attrs : b.attrs), 0);
	struct flow_table *t = take(f), *sum;
	assert_int_equal(t->change_count, DELTA_CHANGES_MAX);
	assert_true(t->changes_left_out == 5 && delta_is_empty(f->delta));
	assert_true(flow_table_memory_bytes(t) >= DELTA_CHANGES_MAX * sizeof(struct path_change));
	/* What was recorded once is not left out later. */
	assert_int_equal(flow_table_new(&sum), 0);
	assert_int_equal(flow_table_merge(sum, t), 0);
	assert_int_equal(flow_table_merge(sum, t), 0);
	assert_true(sum->change_count == 2 * DELTA_CHANGES_MAX && sum->changes_left_out == 10);
	assert_int_equal(flow_table_clear(sum), 0);
	assert_true(flow_table_is_empty(sum));
	flow_table_free(sum);
	flow_table_free(t);
}

/* Merging numbers the words anew and keeps the order; ids that were reclaimed do not matter any more. */
static void merged_changes_follow_each_other(void **state)
{
	struct fixture *f = *state;
	struct route_hit a = route(f->routes, "192.0.2.0/24", "64500"), b = route(f->routes, "198.51.100.0/24", "64501 7");
	struct flow_table *sum;
	assert_int_equal(flow_table_new(&sum), 0);
	for (unsigned round = 0; round < 3; round++) {
		struct delta_key key = {.time_ms = 60000, .route = &b, .match = MATCH_OWN};
		assert_int_equal(delta_name(f->delta, text(round ? "edge2" : "video"), &key.router), 0);
		delta_row(f->delta, f->routes, &key)->v[0] = 1;
		assert_int_equal(change(f, round, a.prefix, round % 2 ? a.attrs : b.attrs, round % 2 ? b.attrs : a.attrs), 0);
		struct flow_table *t = take(f);
		assert_int_equal(flow_table_merge(sum, t), 0);
		flow_table_free(t);
	}
	route_attrs_release(f->routes, a.attrs);
	route_attrs_release(f->routes, b.attrs);
	route_clear(f->routes, 0);
	while (route_reclaim(f->routes, 1000))
		;
	assert_int_equal(sum->row_count, 2);
	assert_int_equal(sum->change_count, 3);
	for (unsigned round = 0; round < 3; round++)
		expect(sum, round, round, "edge1", "192.0.2.0/24", round % 2 ? "64500" : "64501 7",
			round % 2 ? "64501 7" : "64500");
	flow_table_free(sum);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		TEST(changes_stand_in_their_order), TEST(an_equal_path_is_no_change), TEST(too_many_are_counted),
		TEST(merged_changes_follow_each_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

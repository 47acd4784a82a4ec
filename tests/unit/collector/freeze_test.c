/* SPDX-License-Identifier: BSD-2-Clause */

/* Path changes without one record: they are frozen on their own, reach the store, and don't keep a stop waiting. */

#include <string.h>

#include "collector/intake.h"
#include "wt_files.h"

#define POLL_NS (10 * NS_PER_MS)

struct fixture {
	struct loop *loop;
	struct tables *tables;
	struct config config;
	struct world world;
	struct store *store;
	struct writer *writer;
	struct intake *intake;
	struct book book;
	struct loop_timer poll;
	struct route_hit a, b;
	bool stopping;
};

static void on_drained(void *ctx)
{
	struct fixture *f = ctx;
	loop_stop(f->loop);
}

static void change(struct fixture *f, uint64_t time_ms, uint32_t before, uint32_t after)
{
	intake_path_change(f->intake, time_ms, (struct view){(const uint8_t *)"edge1", 5}, f->a.prefix, before, after);
}

/* What was told first has been handed over by the timer alone; then the end, with more on the way. */
static void on_poll(struct loop_timer *t)
{
	struct fixture *f = t->ctx;
	if (f->intake->counters[COUNTER_path_changes] < 2) {
		assert_int_equal(loop_timer_set(f->loop, t, POLL_NS), 0);
		return;
	}
	change(f, 3, ROUTE_NONE, f->a.attrs);
	f->stopping = true;
	intake_stop(f->intake, on_drained, f);
	change(f, 4, f->a.attrs, ROUTE_NONE); /* comes too late */
}

static struct route_hit route(struct route_table *t, unsigned view, const uint8_t *path, size_t len)
{
	struct prefix prefix;
	struct route_hit hit;
	struct route_attrs attrs = {.path = {path, len}};
	assert_int_equal(prefix_parse("192.0.2.0/24", &prefix, NULL), 0);
	assert_int_equal(route_set(t, view, &prefix, &attrs), 0);
	assert_true(route_get(t, view, &prefix, &hit));
	route_attrs_hold(t, hit.attrs);
	return hit;
}

static void open_all(struct fixture *f)
{
	static const uint8_t paths[2][6] = {{2, 1, 0, 0, 0, 1}, {2, 1, 0, 0, 0, 2}};
	char url[PATH_MAX + 64], journal[PATH_MAX + 64];
	struct error err = {0};
	unsigned view;
	(void)snprintf(url, sizeof(url), "sqlite:%s/freeze.db", wt_folder());
	(void)snprintf(journal, sizeof(journal), "%s/freeze.journal", wt_folder());
	f->config = (struct config){.name = (char *)"ams1"};
	f->world = (struct world){.config = &f->config};
	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(tables_new(f->loop, &f->tables), 0);
	assert_int_equal(route_view_add(tables_routes(f->tables), &view), 0);
	f->a = route(tables_routes(f->tables), view, paths[0], 6);
	f->b = route(tables_routes(f->tables), view, paths[1], 6);
	struct store_config sc = {.url = url, .retention_s = {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	assert_int_equal(store_find(url, &err)->open(&sc, &f->store, &err), 0);
	struct writer_config wc = {.collector = "ams1", .journal_dir = journal, .journal_max_bytes = 1u << 20,
		.store = f->store, .durable = freeze_durable, .ctx = &f->intake};
	assert_int_equal(writer_new(&wc, &f->writer, &err), 0);
	assert_int_equal(intake_new(f->loop, &f->world, f->tables, f->writer, writer_book(f->writer), &f->intake, &err), 0);
	assert_int_equal(writer_start(f->writer), 0);
	f->poll = (struct loop_timer){.fn = on_poll, .ctx = f};
	assert_int_equal(loop_timer_set(f->loop, &f->poll, POLL_NS), 0);
}

static int expect_change(void *ctx, const struct store_change *c)
{
	uint64_t *time_ms = ctx;
	assert_true(c->time_ms == (*time_ms)--);
	return 0;
}

static void changes_freeze_alone(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	open_all(f);
	change(f, 1, f->a.attrs, f->b.attrs);
	change(f, 2, f->b.attrs, f->b.attrs); /* is none */
	change(f, 2, f->b.attrs, ROUTE_NONE);
	assert_int_equal(loop_run(f->loop), 0);
	assert_true(f->stopping && f->intake->counters[COUNTER_path_changes] == 3);
	assert_true(f->intake->counters[COUNTER_path_changes_left_out] == 0);
	writer_free(f->writer, 5000);
	struct store_change_query q = {.to_ms = UINT64_MAX, .limit = 10};
	struct store_reader *reader;
	uint64_t time_ms = 3;
	assert_int_equal(f->store->ops->reader_open(f->store, &reader, NULL), 0);
	assert_int_equal(reader->ops->changes(reader, &q, expect_change, &time_ms, NULL), 0);
	assert_true(time_ms == 0);
	reader->ops->reader_close(reader);
	f->store->ops->close(f->store);
	intake_free(f->intake);
	tables_free(f->tables);
	loop_free(f->loop);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(changes_freeze_alone)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

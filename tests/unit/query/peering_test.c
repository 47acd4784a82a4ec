/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "groups_fixture.h"
#include "query/peering.h"
#include "wt_test.h"

static void add(struct groups_fixture *f, uint32_t origin, uint32_t neighbour, const char *router, uint64_t bytes)
{
	struct measures m = {.v = {[MEASURE_bytes_sent] = bytes, [MEASURE_packets_sent] = bytes / 100}};
	groups_fixture_add(f, (struct dim_value[]){as_value(origin), as_value(neighbour), text_value(router)}, &m);
}

static void assert_routers(const struct peering_routers *r, const char *names)
{
	char text[200] = "";
	for (uint32_t i = 0; i < r->count; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s", i ? " " : "", (int)r->names[i].bytes.len,
			(const char *)r->names[i].bytes.data);
	assert_string_equal(text, names);
}

static const enum dimension by[] = {DIM_origin, DIM_neighbour, DIM_router};

static void test_rows(void **state)
{
	struct groups_fixture f;
	struct peering p;
	groups_fixture_init(&f, by, 3);
	add(&f, 10, 1, "edge1", 500);
	add(&f, 10, 1, "edge2", 900);
	add(&f, 10, 2, "edge2", 3000);
	add(&f, 10, 10, "ams", 7000); /* direct there */
	add(&f, 20, 1, "edge1", 9000);
	add(&f, 30, 30, "edge1", 99000); /* direct everywhere */
	add(&f, 40, 0, "edge1", 99000);  /* no neighbour is known */
	add(&f, 0, 1, "edge1", 99000);   /* no origin is */
	struct query_groups all = groups_fixture_all(&f);
	assert_int_equal(peering_make(&all, 10, &p), 0);
	groups_fixture_done(&f);
	assert_int_equal(p.origins, 2);
	assert_int_equal(p.row_count, 2);
	assert_int_equal(p.transit.v[MEASURE_bytes_sent], 13400);
	assert_int_equal(p.transit.v[MEASURE_packets_sent], 134);
	const struct peering_row *r = &p.rows[0];
	assert_int_equal(r->origin.number, 20);
	assert_int_equal(r->transit.v[MEASURE_bytes_sent], 9000);
	assert_int_equal(r->direct.v[MEASURE_bytes_sent], 0);
	assert_routers(&r->by, "edge1");
	assert_routers(&r->direct_by, "");
	r = &p.rows[1];
	assert_int_equal(r->origin.number, 10);
	assert_int_equal(r->transit.v[MEASURE_bytes_sent], 4400);
	assert_int_equal(r->way_count, 2);
	assert_int_equal(r->ways[0].neighbour.number, 2);
	assert_int_equal(r->ways[0].m.v[MEASURE_bytes_sent], 3000);
	assert_int_equal(r->ways[1].m.v[MEASURE_bytes_sent], 1400);
	assert_int_equal(r->other_count, 0);
	assert_routers(&r->by, "edge2 edge1");
	assert_int_equal(r->direct.v[MEASURE_bytes_sent], 7000);
	assert_routers(&r->direct_by, "ams");
	peering_done(&p);
}

static void test_bounds(void **state)
{
	const uint32_t ways = 3 * PEERING_WAYS_MAX, routers = 2 * PEERING_ROUTERS_MAX;
	struct groups_fixture f;
	struct peering p;
	groups_fixture_init(&f, by, 3);
	for (uint32_t w = 1; w <= ways; w++)
		for (uint32_t i = 0; i < routers; i++) {
			char name[8];
			(void)snprintf(name, sizeof(name), "r%02u", i);
			add(&f, 1000, w, name, 1000 + w);
			add(&f, 2000, w, name, 2000);
		}
	struct query_groups all = groups_fixture_all(&f);
	assert_int_equal(peering_make(&all, 1, &p), 0);
	assert_int_equal(p.origins, 2);
	assert_int_equal(p.row_count, 1);
	const struct peering_row *r = &p.rows[0];
	assert_int_equal(r->origin.number, 2000);
	assert_int_equal(r->way_count, PEERING_WAYS_MAX);
	assert_int_equal(r->other_count, ways - PEERING_WAYS_MAX);
	uint64_t sum = r->others.v[MEASURE_bytes_sent];
	for (uint32_t i = 0; i < r->way_count; i++) {
		assert_int_equal(r->ways[i].neighbour.number, i + 1); /* equals by number */
		sum += r->ways[i].m.v[MEASURE_bytes_sent];
	}
	assert_int_equal(sum, r->transit.v[MEASURE_bytes_sent]);
	assert_int_equal(r->by.count, PEERING_ROUTERS_MAX);
	assert_int_equal(r->by.left_out, routers - PEERING_ROUTERS_MAX);
	peering_done(&p);
	groups_fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_bounds)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

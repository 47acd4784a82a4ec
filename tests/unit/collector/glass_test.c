/* SPDX-License-Identifier: BSD-2-Clause */

/* How old a route is does not depend on the time of day, which may be set, forward and back. */

#include "collector/glass.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "collector/peer.h"
#include "wt_test.h"

#define YEAR_S (365 * 86400)

static const char config_text[] =
	"telemetry: {listen: [\"127.0.0.1:0\"], keys: [{id: 1, file: k}]}\n"
	"routers:\n"
	"- {name: edge1, serves: [192.0.2.0/24], sources: [{bmp: {from: 127.0.0.1}}]}\n"
	"bmp: {listen: [\"127.0.0.1:0\"]}\n";

static time_t wall_ahead_s, mono_ahead_s;

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = (int)syscall(SYS_clock_gettime, id, ret);
	ret->tv_sec += id == CLOCK_REALTIME ? wall_ahead_s : mono_ahead_s;
	return r;
}

static json_int_t age_s(const struct world *world, const struct tables *tables)
{
	struct addr addr = addr_from_v4((const uint8_t[]){203, 0, 113, 9});
	struct error err = {0};
	json_t *answer;
	assert_int_equal(glass_lookup(world, tables, &addr, NULL, &answer, &err), 0);
	const json_t *age = json_object_get(json_array_get(json_object_get(answer, "rows"), 0), "age_s");
	assert_true(json_is_integer(age));
	json_int_t value = json_integer_value(age);
	json_decref(answer);
	return value;
}

/* A route of the router's only source. */
static void add_route(struct tables *tables)
{
	static const uint8_t path[] = {2, 1, 0, 0, 0, 1};
	struct route_attrs attrs = {.path = {path, sizeof(path)}};
	struct rib_peer_info info = {.external = true};
	struct table_source *const *sources;
	struct rib_peer *peer;
	struct rib *rib;
	struct prefix prefix;
	uint32_t id;
	assert_int_equal(prefix_parse("203.0.113.0/24", &prefix, NULL), 0);
	assert_int_equal(tables_sources(tables, 0, &sources), 1);
	assert_int_equal(table_source_level(sources[0], TABLE_ONLY, &rib), 0);
	assert_int_equal(rib_peer_add(rib, &info, &peer), 0);
	assert_int_equal(route_attrs_intern(tables_routes(tables), &attrs, &id), 0);
	assert_int_equal(rib_set(peer, &prefix, 0, id), 0);
	route_attrs_release(tables_routes(tables), id);
}

static void a_clock_that_is_set_ages_no_route(void **state)
{
	static const time_t steps[] = {0, -YEAR_S, YEAR_S};
	struct world world = {0};
	struct loop *loop;
	struct tables *tables;
	struct peers *peers;
	struct error err = {0};
	assert_int_equal(config_parse("t.yaml", config_text, sizeof(config_text) - 1, &world.config, &err), 0);
	assert_int_equal(countries_new(&world.countries), 0);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(tables_new(loop, &tables), 0);
	assert_int_equal(tables_configure(tables, world.config, NULL, NULL), 0);
	assert_int_equal(peers_new(loop, tables, &peers), 0);
	peers_clock(peers);
	add_route(tables);
	mono_ahead_s = 100;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		wall_ahead_s = mono_ahead_s + steps[i];
		peers_clock(peers);
		assert_in_range(age_s(&world, tables), 99, 101 + 20);
	}
	peers_free(peers);
	tables_free(tables);
	loop_free(loop);
	countries_free(world.countries);
	config_free(world.config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_clock_that_is_set_ages_no_route)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

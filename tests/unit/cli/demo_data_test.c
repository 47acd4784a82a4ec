/* SPDX-License-Identifier: BSD-2-Clause */

/* The sample data, read back by the rooms that read real data: every address a client may come from has
 * the origin, the name and a country that the demo says it has. */

#include "cli/demo_data.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "place/asnames.h"
#include "place/country.h"
#include "route/load.h"
#include "route/path.h"
#include "wt_test.h"

#define ADDRESSES 500 /* of each network */
#define UNKNOWN_TO_EDGE2 64537u

#define COUNTRIES "countries.txt"
#define NAMES     "asnames.txt"

struct sample {
	char folder[64];
	struct route_table *routes;
	struct countries *countries;
	struct asnames *names;
};

static char *path_of(const struct sample *s, const char *file)
{
	static char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", s->folder, file);
	return path;
}

static const char *table_of(struct sample *s, unsigned edge)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "%s.mrt", demo_data_router(edge));
	return path_of(s, name);
}

static int setup(void **state)
{
	static struct sample s;
	struct route_load_stats stats;
	struct error err = {0};
	(void)snprintf(s.folder, sizeof(s.folder), "/tmp/whereto-test.XXXXXX");
	assert_non_null(mkdtemp(s.folder));
	assert_int_equal(demo_data_write(s.folder, 1767225600, &err), 0);
	assert_int_equal(route_table_new(DEMO_ROUTERS, &s.routes), 0);
	for (unsigned edge = 0; edge < DEMO_ROUTERS; edge++) {
		if (route_load_mrt(s.routes, edge, table_of(&s, edge), NULL, &stats, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(stats.malformed + stats.skipped, 0);
		assert_true(stats.entries > stats.routes);
	}
	const char *pattern = path_of(&s, COUNTRIES);
	assert_int_equal(countries_new(&s.countries), 0);
	if (countries_add_rir(s.countries, &pattern, 1, &err) < 0)
		fail_msg("%s", err.text);
	if (asnames_load(path_of(&s, NAMES), &s.names, &err) < 0)
		fail_msg("%s", err.text);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct sample *s = *state;
	for (unsigned edge = 0; edge < DEMO_ROUTERS; edge++)
		assert_int_equal(unlink(table_of(s, edge)), 0);
	assert_int_equal(unlink(path_of(s, COUNTRIES)), 0);
	assert_int_equal(unlink(path_of(s, NAMES)), 0);
	assert_int_equal(rmdir(s->folder), 0);
	route_table_free(s->routes);
	countries_free(s->countries);
	asnames_free(s->names);
	return 0;
}

static void test_every_client_has_a_route(void **state)
{
	const struct sample *s = *state;
	for (unsigned n = 0; n < demo_data_networks(); n++) {
		uint32_t asn = demo_data_asn(n);
		for (int i = 0; i < ADDRESSES * DEMO_EDGES; i++) {
			struct addr a = demo_data_client(n, wt_random());
			struct route_hit hit;
			bool found = route_lookup(s->routes, (unsigned)i % DEMO_EDGES, &a, &hit);
			assert_int_equal(found, asn != UNKNOWN_TO_EDGE2 || i % DEMO_EDGES == 0);
			if (found)
				assert_int_equal(route_origin(s->routes, hit.attrs), asn);
		}
	}
}

static void test_every_client_has_a_country(void **state)
{
	const struct sample *s = *state;
	bool seen[1 << 16] = {0};
	unsigned count = 0;
	for (unsigned n = 0; n < demo_data_networks(); n++) {
		for (int i = 0; i < ADDRESSES; i++) {
			struct addr a = demo_data_client(n, wt_random());
			country_code country = countries_lookup(s->countries, &a);
			assert_int_not_equal(country, COUNTRY_UNKNOWN);
			count += !seen[country];
			seen[country] = true;
		}
	}
	assert_in_range(count, 24, 60);
}

/* The last address of the first country and the first of the second one: between 127.22.102.99 and .100 is
 * no border of any prefix that could be announced. */
static void test_a_country_ends_within_a_block(void **state)
{
	const struct sample *s = *state;
	struct addr last = addr_from_v4((uint8_t[4]){127, 22, 102, 99});
	struct addr first = addr_from_v4((uint8_t[4]){127, 22, 102, 100});
	assert_int_equal(countries_lookup(s->countries, &last), country_parse("US"));
	assert_int_equal(countries_lookup(s->countries, &first), country_parse("CA"));
}

/* RFC 5398 and RFC 6996: nobody's real number is shown beside invented traffic. */
static bool is_sample_asn(uint32_t asn)
{
	return (asn >= 64496 && asn <= 64511) || (asn >= 65536 && asn <= 65551) || (asn >= 64512 && asn <= 65534);
}

static void test_networks_are_invented_and_named(void **state)
{
	const struct sample *s = *state;
	for (unsigned n = 0; n < demo_data_networks(); n++) {
		const char *name = asnames_get(s->names, demo_data_asn(n));
		assert_true(is_sample_asn(demo_data_asn(n)));
		assert_string_equal(name, demo_data_name(n));
		assert_true(strncmp(name, "Example ", 8) == 0 || strncmp(name, "Sample ", 7) == 0);
		for (unsigned other = 0; other < n; other++)
			assert_int_not_equal(demo_data_asn(n), demo_data_asn(other));
	}
}

struct walk {
	const struct route_table *routes;
	const struct asnames *names;
	unsigned differ, lengths; /* prefixes only here, or by another path; bit n: paths of n numbers */
};

static bool look_at_route(void *ctx, const struct prefix *prefix, uint32_t attrs)
{
	struct walk *w = ctx;
	struct route_hit other;
	struct view path = route_attrs(w->routes, attrs).path;
	char text[256];
	unsigned length = 1;
	assert_int_equal(prefix->addr.bytes[0], 127);
	assert_true(path_format(path, text, sizeof(text)) < sizeof(text));
	for (char *rest = text, *word; (word = strsep(&rest, " "));) {
		uint32_t asn = (uint32_t)strtoul(word, NULL, 10);
		assert_true(is_sample_asn(asn));
		assert_non_null(asnames_get(w->names, asn));
		length += rest != NULL;
	}
	w->lengths |= 1u << length;
	w->differ += !route_get(w->routes, 1, prefix, &other) || other.attrs != attrs;
	return true;
}

static void test_routers_have_tables_of_their_own(void **state)
{
	const struct sample *s = *state;
	struct walk w = {.routes = s->routes, .names = s->names};
	route_walk(s->routes, 0, look_at_route, &w);
	assert_in_range(route_count(s->routes, 0), 60, 200);
	assert_in_range(w.differ, 20, route_count(s->routes, 0) - 1);
	assert_int_equal(w.lengths & 0xe, 0xe); /* 1, 2 and 3 */
}

/* The path of the longest match at a router whose table is read from its file again. */
static char *path_now(struct sample *s, unsigned router, const struct addr *client, char buf[static 256])
{
	struct route_table *t;
	struct route_load_stats stats;
	struct route_hit hit;
	struct error err = {0};
	assert_int_equal(route_table_new(DEMO_ROUTERS, &t), 0);
	if (route_load_mrt(t, router, table_of(s, router), NULL, &stats, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(route_lookup(t, router, client, &hit));
	struct route_attrs attrs = route_attrs(t, hit.attrs);
	assert_true(path_format(attrs.path, buf, 256) < 256);
	route_table_free(t);
	return buf;
}

/* Sample Fibre Paris moves at ams as the first of all, and is back within the hour; each move has its time. */
static void test_networks_move_and_come_back(void **state)
{
	struct sample *s = *state;
	struct error err = {0};
	struct addr paris = demo_data_client(2, (uint64_t)0x30000 << 32 | 2); /* in none of its parts */
	char path[256];
	unsigned before_s = 0;
	assert_string_equal(path_now(s, 2, &paris, path), "64496 64498 64512");
	for (unsigned n = 0; n < 9; n++) {
		assert_true(demo_data_nth_move(n).at_s > before_s);
		before_s = demo_data_nth_move(n).at_s;
		assert_int_equal(demo_data_move(s->folder, 1767225600, n, &err), 0);
		bool moved = strcmp(path_now(s, 2, &paris, path), "64497 64498 64512") == 0;
		assert_true(moved || strcmp(path, "64496 64498 64512") == 0);
		assert_int_equal(moved, n < 8);
	}
	assert_true(demo_data_nth_move(0).at_s < 30 && demo_data_nth_move(1).at_s > 120 &&
		    demo_data_nth_move(9).at_s == 3600 + demo_data_nth_move(0).at_s);
}

static void test_errors_name_the_file(void **state)
{
	const struct sample *s = *state;
	struct error err = {0};
	assert_int_equal(demo_data_write(s->folder, 0, &err), -EEXIST);
	assert_non_null(strstr(err.text, "/edge1.mrt: File exists"));
	assert_int_equal(demo_data_write("/nowhere", 0, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/edge1.mrt: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_client_has_a_route),
		cmocka_unit_test(test_every_client_has_a_country),
		cmocka_unit_test(test_a_country_ends_within_a_block),
		cmocka_unit_test(test_networks_are_invented_and_named),
		cmocka_unit_test(test_routers_have_tables_of_their_own),
		cmocka_unit_test(test_networks_move_and_come_back),
		cmocka_unit_test(test_errors_name_the_file),
	};
	wt_random_init();
	return cmocka_run_group_tests(tests, setup, teardown);
}

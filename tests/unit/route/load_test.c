/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/load.h"

#include <errno.h>
#include <unistd.h>

#include "mrt_build.h"
#include "route/path.h"
#include "wt_test.h"

static char path[] = "/tmp/whereto-load-XXXXXX";
static uint8_t file[1 << 16], blocks[1 << 15];
static struct wr w, b;
static struct route_table *table;

/* Path "64500+peer as as ...", next hop 192.0.2.1. */
struct route_spec {
	unsigned peer;
	uint32_t path_id;
	unsigned length; /* of the path */
	int med, local_pref, origin; /* -1: absent */
};

static struct view block_of(const struct route_spec *s)
{
	uint32_t as[16];
	for (unsigned i = 0; i < s->length; i++)
		as[i] = i ? 174 + i : 64500 + s->peer / 2; /* peers 0 and 1 are of one neighbour */
	size_t start = wr_len(&b);
	build_attr(&b, 0x40, BGP_ATTR_ORIGIN, BYTES((uint8_t)(s->origin < 0 ? 0 : s->origin)));
	build_path(&b, 4, as, s->length);
	build_attr(&b, 0x40, BGP_ATTR_NEXT_HOP, BYTES(192, 0, 2, (uint8_t)(s->peer + 1)));
	if (s->med >= 0)
		build_attr_u32(&b, 0x80, BGP_ATTR_MED, (uint32_t)s->med);
	if (s->local_pref >= 0)
		build_attr_u32(&b, 0x40, BGP_ATTR_LOCAL_PREF, (uint32_t)s->local_pref);
	assert_true(wr_ok(&b));
	return (struct view){blocks + start, wr_len(&b) - start};
}

static void begin(void)
{
	w = wr_make(file, sizeof(file));
	b = wr_make(blocks, sizeof(blocks));
}

static void add_rib(unsigned third, const struct route_spec *specs, unsigned n)
{
	struct build_entry entries[16];
	for (unsigned i = 0; i < n; i++)
		entries[i] = (struct build_entry){specs[i].peer, specs[i].path_id, block_of(&specs[i])};
	build_rib(&w, false, specs[0].path_id != 0, (uint8_t[]){198, 51, (uint8_t)third}, 24, entries, n);
}

static void add_table_dump(unsigned third, const struct route_spec *s)
{
	struct view v = block_of(s);
	size_t at = build_record(&w, 12, 3);
	wr_bytes(&w, BYTES(0, 0, 0, 1, 198, 51, (uint8_t)third, 0, 24, 1, 0, 0, 0, 9, 192, 0, 2, (uint8_t)(s->peer + 1)));
	wr_u32(&w, 64500 + s->peer);
	wr_u16(&w, (uint16_t)v.len);
	wr_bytes(&w, v.data, v.len);
	build_record_end(&w, at);
}

static int load(const char *peer, struct route_load_stats *stats, struct error *err)
{
	struct addr a;
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(wr_ok(&w));
	assert_int_equal(fwrite(file, 1, wr_len(&w), f), wr_len(&w));
	assert_int_equal(fclose(f), 0);
	if (peer)
		assert_int_equal(addr_parse(peer, &a), 0);
	return route_load_mrt(table, 0, path, peer ? &a : NULL, stats, err);
}

/* The last octet of the next hop of 198.51.THIRD.0/24, which is the peer's number + 1; 0: no route. */
static unsigned chosen(unsigned third)
{
	struct route_hit hit;
	struct addr a = addr_from_v4((uint8_t[]){198, 51, (uint8_t)third, 9});
	if (!route_lookup(table, 0, &a, &hit))
		return 0;
	struct route_attrs attrs = route_attrs(table, hit.attrs);
	assert_int_equal(attrs.next_hop.family, ADDR_V4);
	return attrs.next_hop.bytes[3];
}

/* Each row: two or three routes, and which peer's is best. */
static const struct {
	const char *name;
	struct route_spec specs[3];
	unsigned n, best;
} choices[] = {
	{"lowest peer", {{2, 0, 2, -1, -1, 0}, {0, 0, 2, -1, -1, 0}, {4, 0, 2, -1, -1, 0}}, 3, 0},
	{"local preference", {{0, 0, 1, -1, 99, 0}, {2, 0, 4, -1, -1, 2}}, 2, 2},
	{"absent preference is 100", {{0, 0, 1, -1, -1, 0}, {2, 0, 4, -1, 101, 2}}, 2, 2},
	{"path length", {{0, 0, 3, -1, -1, 0}, {2, 0, 2, -1, -1, 2}}, 2, 2},
	{"empty path", {{0, 0, 1, -1, -1, 0}, {2, 0, 0, -1, -1, 2}}, 2, 2},
	{"origin", {{0, 0, 2, -1, -1, 1}, {2, 0, 2, -1, -1, 0}}, 2, 2},
	{"MED of one neighbour", {{0, 0, 2, 5, -1, 0}, {1, 0, 2, 4, -1, 0}}, 2, 1},
	{"absent MED is 0", {{0, 0, 2, 5, -1, 0}, {1, 0, 2, -1, -1, 0}}, 2, 1},
	{"MED of two neighbours", {{0, 0, 2, 5, -1, 0}, {2, 0, 2, 4, -1, 0}}, 2, 0},
	{"MED strikes out before peers count", {{0, 0, 2, 5, -1, 0}, {1, 0, 2, 4, -1, 0}, {2, 0, 2, 9, -1, 0}}, 3, 1},
};

static void test_choices(void **state)
{
	struct route_load_stats stats;
	struct error err = {0};
	for (unsigned way = 0; way < 3; way++) { /* one record; a record each; TABLE_DUMP */
		begin();
		build_peers(&w, 6);
		for (unsigned i = 0; i < ARRAY_LEN(choices); i++) {
			if (way == 0)
				add_rib(i, choices[i].specs, choices[i].n);
			for (unsigned j = 0; way == 1 && j < choices[i].n; j++)
				add_rib(i, &choices[i].specs[j], 1);
		}
		/* One peer after the other, as collectors wrote that type. */
		for (unsigned j = 0; way == 2 && j < 3; j++)
			for (unsigned i = 0; i < ARRAY_LEN(choices); i++)
				if (j < choices[i].n)
					add_table_dump(i, &choices[i].specs[j]);
		if (load(NULL, &stats, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(stats.routes, ARRAY_LEN(choices));
		for (unsigned i = 0; i < ARRAY_LEN(choices); i++)
			if (chosen(i) != choices[i].best + 1)
				fail_msg("way %u, %s: peer %d", way, choices[i].name, (int)chosen(i) - 1);
	}
}

static void test_one_peer(void **state)
{
	static const struct route_spec specs[] = {{0, 0, 1, -1, 500, 0}, {3, 0, 9, -1, -1, 2}};
	struct route_load_stats stats;
	struct error err = {0};
	begin();
	build_peers(&w, 4);
	add_rib(0, specs, 2);
	add_rib(1, specs, 1);
	assert_int_equal(load("192.0.2.4", &stats, &err), 0);
	assert_int_equal(stats.entries, 3);
	assert_int_equal(stats.routes, 1);
	assert_int_equal(chosen(0), 4);
	assert_int_equal(chosen(1), 0);
	assert_int_equal(load("::ffff:192.0.2.1", &stats, &err), 0);
	assert_int_equal(stats.routes, 2);
	assert_int_equal(chosen(0), 1);
	assert_int_equal(load("192.0.2.2", &stats, &err), 0); /* a peer without routes */
	assert_int_equal(stats.routes, 0);
	assert_int_equal(load("192.0.2.99", &stats, &err), -ENOENT);
	assert_non_null(strstr(err.text, "192.0.2.99"));
	assert_non_null(strstr(err.text, path));
}

static void test_add_path(void **state)
{
	static const struct route_spec specs[] = {{1, 9, 3, -1, -1, 0}, {1, 7, 2, -1, -1, 0}, {1, 5, 2, -1, -1, 0}};
	struct route_load_stats stats;
	struct error err = {0};
	begin();
	build_peers(&w, 4);
	add_rib(0, specs, 3);
	assert_int_equal(load("192.0.2.2", &stats, &err), 0);
	assert_int_equal(stats.entries, 3);
	assert_int_equal(stats.routes, 1);
	assert_int_equal(chosen(0), 2);
}

static void test_attributes_kept(void **state)
{
	struct route_load_stats stats;
	struct error err = {0};
	begin();
	build_full_block(&b);
	build_peers(&w, 1);
	build_rib(&w, true, false, (uint8_t[]){0x20, 1, 0xd, 0xb8}, 32, &(struct build_entry){0, 0, {blocks, wr_len(&b)}}, 1);
	assert_int_equal(load(NULL, &stats, &err), 0);
	struct route_hit hit;
	struct prefix p;
	assert_int_equal(prefix_parse("2001:db8::/32", &p, NULL), 0);
	assert_true(route_get(table, 0, &p, &hit));
	struct route_attrs a = route_attrs(table, hit.attrs);
	char text[64];
	(void)path_format(a.path, text, sizeof(text));
	assert_string_equal(text, "64500 4200000000 {7,8}");
	assert_int_equal(a.communities.len, 8);
	assert_int_equal(a.ext_communities.len, 8);
	assert_int_equal(a.large_communities.len, 12);
	assert_true(a.has_med && a.has_local_pref && a.atomic_aggregate);
	assert_int_equal(a.med, 77);
	assert_int_equal(a.local_pref, 200);
	assert_int_equal(a.origin_code, 1);
	assert_int_equal(a.aggregator_as, 65537);
	assert_int_equal(a.aggregator.bytes[3], 9);
	assert_int_equal(a.next_hop.bytes[3], 1);
}

/* RFC 4456: a reflector's routes are told apart by their originators, then by the length of CLUSTER_LIST;
 * without, by the peers' BGP identifiers. */
static void test_originators(void **state)
{
	static const struct {
		uint32_t originator; /* 0: none */
		size_t clusters;
	} cases[][2] = {
		{{0x0a090909, 0}, {0x0a080808, 2}}, {{0x0a080808, 2}, {0x0a080808, 1}}, {{0x0a0000ff, 0}, {0, 0}}};
	struct route_load_stats stats;
	struct error err = {0};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct build_entry entries[2];
		begin();
		for (unsigned n = 0; n < 2; n++) {
			static const uint8_t clusters[8];
			size_t start = wr_len(&b);
			(void)block_of(&(struct route_spec){n, 0, 2, -1, -1, 0});
			if (cases[i][n].originator)
				build_attr_u32(&b, 0x80, BGP_ATTR_ORIGINATOR_ID, cases[i][n].originator);
			if (cases[i][n].clusters)
				build_attr(&b, 0x80, BGP_ATTR_CLUSTER_LIST, clusters, 4 * cases[i][n].clusters);
			entries[n] = (struct build_entry){n, 0, {blocks + start, wr_len(&b) - start}};
		}
		build_peers(&w, 2);
		build_rib(&w, false, false, (uint8_t[]){198, 51, 0}, 24, entries, 2);
		assert_int_equal(load(NULL, &stats, &err), 0);
		assert_int_equal(chosen(0), 2);
	}
}

static void test_left_out(void **state)
{
	static const uint8_t empty_segment[] = {0x40, 2, 2, 2, 0}, wrong_med[] = {0x80, 4, 1, 0};
	const struct build_entry entries[] = {{0, 0, {empty_segment, 5}}, {1, 0, {wrong_med, 4}}, {2, 0, {NULL, 0}}};
	struct route_load_stats stats;
	struct error err = {0};
	begin();
	build_peers(&w, 3);
	build_rib(&w, false, false, (uint8_t[]){10}, 8, entries, 3);
	build_rib(&w, false, false, (uint8_t[]){11}, 8, entries, 2);
	size_t at = build_record(&w, 48, 0);
	wr_u8(&w, 1);
	build_record_end(&w, at);
	assert_int_equal(load(NULL, &stats, &err), 0);
	assert_int_equal(stats.entries, 5);
	assert_int_equal(stats.malformed, 4);
	assert_int_equal(stats.routes, 1); /* without any attribute, a route of the network itself */
	assert_int_equal(stats.skipped, 1);
}

static void test_replaces(void **state)
{
	static const struct route_spec spec = {0, 0, 2, -1, -1, 0};
	struct route_load_stats stats;
	struct error err = {0};
	begin();
	build_peers(&w, 1);
	add_rib(7, &spec, 1);
	assert_int_equal(load(NULL, &stats, &err), 0);
	begin();
	build_peers(&w, 1);
	add_rib(8, &spec, 1);
	assert_int_equal(load(NULL, &stats, &err), 0);
	assert_int_equal(chosen(7), 0);
	assert_int_equal(chosen(8), 1);
	assert_int_equal(route_count(table, 0), 1);
}

static void build_damaged(unsigned i)
{
	static const uint8_t overrun[] = {0x40, 1, 9, 0};
	const struct build_entry no_block = {0, 0, {NULL, 0}}, bad_peer = {3, 0, {NULL, 0}}, bad_block = {0, 0, {overrun, sizeof(overrun)}};
	begin();
	if (i != 0 && i != 5)
		build_peers(&w, 3);
	switch (i) {
	case 0:
		build_rib(&w, false, false, (uint8_t[]){10}, 8, &bad_block, 1);
		break;
	case 1:
		build_rib(&w, false, false, (uint8_t[]){10}, 8, &bad_peer, 1);
		break;
	case 2:
		build_rib(&w, false, false, (uint8_t[]){10}, 8, &bad_block, 1);
		break;
	case 3:
		build_rib(&w, false, false, (uint8_t[]){10}, 8, &no_block, 1);
		w.p[-8 - 1] = 2; /* two entries, one is there */
		break;
	case 4:
		build_rib(&w, false, false, (uint8_t[]){10, 0, 0, 0, 0}, 33, NULL, 0);
		break;
	case 5:
		break;
	}
}

static void test_damaged(void **state)
{
	static const char *const expected[] = {"before any peer index table", "peer 3 where the file has 3",
		"don't fit their length", "ends inside entry 2 of 2", "valid prefix", "without any routing table"};
	for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
		struct route_load_stats stats;
		struct error err = {0};
		build_damaged(i);
		assert_int_equal(load(NULL, &stats, &err), -EBADMSG);
		if (!strstr(err.text, expected[i]) || !strstr(err.text, path) || !strstr(err.text, ": offset "))
			fail_msg("%u: %s", i, err.text);
	}
}

static int setup(void **state)
{
	int fd = mkstemp(path);
	return fd < 0 || route_table_new(1, &table) < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	route_table_free(table);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_one_peer),
		cmocka_unit_test(test_add_path),
		cmocka_unit_test(test_attributes_kept),
		cmocka_unit_test(test_originators),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_replaces),
		cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

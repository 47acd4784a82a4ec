/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/attr.h"

#include "mrt_build.h"
#include "wt_test.h"

static const struct bgp_attr_rules DUMP4 = {.as_bytes = 4, .dump = true};
static const struct bgp_attr_rules LIVE4 = {.as_bytes = 4};
static const struct bgp_attr_rules LIVE2 = {.as_bytes = 2};
static const struct bgp_attr_rules EXTERNAL = {.as_bytes = 4, .external = true};
static const struct bgp_attr_rules ANNOUNCES = {.as_bytes = 4, .announces = true};

static size_t full_block(uint8_t buf[static 512])
{
	struct wr w = wr_make(buf, 512);
	build_full_block(&w);
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

static void assert_view(struct view v, const void *data, size_t n)
{
	assert_int_equal(v.len, n);
	assert_memory_equal(v.data, data, n);
}

static void test_full(void **state)
{
	uint8_t buf[512];
	struct bgp_attrs a;
	size_t n = full_block(buf);
	for (int live = 0; live < 2; live++) {
		assert_int_equal(bgp_attrs_decode((struct view){buf, n}, live ? &LIVE4 : &DUMP4, &a), BGP_FINE);
		assert_int_equal(a.origin_code, 1);
		assert_view(a.path, BYTES(2, 2, 0, 0, 0xfb, 0xf4, 0xfa, 0x56, 0xea, 0, 1, 2, 0, 0, 0, 7, 0, 0, 0, 8));
		assert_memory_equal(a.next_hop, ((uint8_t[]){192, 0, 2, 1}), 4);
		assert_int_equal(a.med, 77);
		assert_int_equal(a.local_pref, 200);
		assert_true(bgp_attrs_has(&a, BGP_ATTR_ATOMIC_AGGREGATE));
		assert_int_equal(a.aggregator_as, 65537);
		assert_memory_equal(a.aggregator, ((uint8_t[]){203, 0, 113, 9}), 4);
		assert_view(a.communities, BYTES(0, 174, 0, 1, 255, 255, 255, 1));
		assert_memory_equal(a.originator_id, ((uint8_t[]){192, 0, 2, 33}), 4);
		assert_view(a.cluster_list, BYTES(192, 0, 2, 34, 192, 0, 2, 35));
		assert_view(a.ext_communities, BYTES(0, 2, 0xfd, 0xe8, 0, 0, 0, 100));
		assert_view(a.large_communities, BYTES(0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2));
		assert_false(bgp_attrs_has(&a, BGP_ATTR_MP_REACH));
		struct addr next_hop = bgp_attrs_next_hop(&a);
		char text[ADDR_TEXT_MAX];
		assert_string_equal(addr_format(&next_hop, text), "192.0.2.1");
	}
}

static void test_empty(void **state)
{
	struct bgp_attrs a;
	assert_int_equal(bgp_attrs_decode((struct view){NULL, 0}, &LIVE4, &a), BGP_FINE);
	assert_int_equal(a.present, 0);
	assert_int_equal(a.origin_code, 2);
	assert_int_equal(bgp_attrs_next_hop(&a).family, ADDR_NONE);
	assert_int_equal(bgp_attrs_decode((struct view){NULL, 0}, &ANNOUNCES, &a), BGP_WITHDRAW);
}

/* Everything that comes out lies inside what went in. */
static void check_inside(struct view block, const struct bgp_attrs *a)
{
	const struct view views[] = {a->path, a->as4_path, a->communities, a->ext_communities, a->large_communities,
		a->cluster_list, a->mp_next_hop, a->mp_nlri, a->mp_withdrawn};
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		assert_true(view_inside(block, views[i]));
	uint8_t buf[4096];
	struct view path;
	if (bgp_path_merge(a, buf, sizeof(buf), &path)) {
		assert_true(bgp_path_valid(path, 4));
		(void)bgp_path_length(path, 4);
	}
	(void)bgp_attrs_next_hop(a);
	for (uint16_t afi = 1; afi <= 2; afi++) {
		struct rd r = rd_view(a->mp_nlri);
		struct bgp_nlri nlri;
		while (bgp_nlri_next(&r, afi, a->mp_safi & 1, &nlri))
			assert_true(nlri.prefix.len <= addr_bits(&nlri.prefix.addr));
	}
}

static void decode_any(struct view v, void *ctx)
{
	const struct bgp_attr_rules *rules[] = {&DUMP4, &LIVE4, &LIVE2, &EXTERNAL, &ANNOUNCES};
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct bgp_attrs a;
		(void)bgp_attrs_decode(v, rules[i], &a);
		check_inside(v, &a);
	}
}

static bool is_boundary(struct view v)
{
	struct rd r = rd_view(v);
	struct bgp_attr attr;
	while (bgp_attr_next(&r, &attr))
		;
	return rd_done(&r);
}

static void decode_truncated(struct view v, void *ctx)
{
	struct bgp_attrs a;
	enum bgp_severity s = bgp_attrs_decode(v, &DUMP4, &a);
	assert_int_equal(s, is_boundary(v) ? BGP_FINE : BGP_WITHDRAW);
	assert_int_equal(a.fault, 0);
	decode_any(v, ctx);
}

static void add_mp(struct wr *w)
{
	build_attr(w, 0x80, BGP_ATTR_MP_REACH, BYTES(0, 2, 1, 32, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 1, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 32, 0x20, 1, 0xd, 0xb8, 0));
	build_attr(w, 0x80, BGP_ATTR_MP_UNREACH, BYTES(0, 2, 1, 16, 0x20, 2));
	build_attr(w, 0xc0, BGP_ATTR_AS4_PATH, BYTES(2, 1, 0, 1, 0, 0));
	build_attr(w, 0xc0, BGP_ATTR_AS4_AGGREGATOR, BYTES(0, 1, 0, 0, 1, 2, 3, 4));
}

static void test_damage(void **state)
{
	uint8_t buf[1024];
	size_t n = full_block(buf);
	struct wr w = wr_make(buf + n, sizeof(buf) - n);
	add_mp(&w);
	n += wr_len(&w);
	each_truncation(buf, n, decode_truncated, NULL);
	each_change(buf, n, decode_any, NULL);
}

static void test_mp_reach(void **state)
{
	static const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
	struct {
		size_t next_hop;
		bool abbreviated;
		int offset; /* of the address in the next hop */
		uint8_t family;
	} cases[] = {{16, false, 0, ADDR_V6}, {32, false, 0, ADDR_V6}, {4, false, 0, ADDR_V4}, {24, false, 8, ADDR_V6},
		{48, false, 8, ADDR_V6}, {12, false, 8, ADDR_V4}, {16, true, 0, ADDR_V6}, {32, true, 0, ADDR_V6},
		{4, true, 0, ADDR_V4}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t value[128], buf[256], hop[64] = {0};
		memcpy(hop + cases[i].offset, v6, 16);
		struct wr v = wr_make(value, sizeof(value)), w = wr_make(buf, sizeof(buf));
		if (!cases[i].abbreviated)
			wr_bytes(&v, BYTES(0, 2, 1));
		wr_u8(&v, (uint8_t)cases[i].next_hop);
		wr_bytes(&v, hop, cases[i].next_hop);
		if (!cases[i].abbreviated)
			wr_bytes(&v, BYTES(0, 16, 0x20, 2));
		build_attr(&w, 0x80, BGP_ATTR_MP_REACH, value, wr_len(&v));
		struct bgp_attrs a;
		assert_int_equal(bgp_attrs_decode((struct view){buf, wr_len(&w)}, &DUMP4, &a), BGP_FINE);
		struct addr got = bgp_attrs_next_hop(&a);
		assert_int_equal(got.family, cases[i].family);
		assert_memory_equal(got.bytes, v6, addr_size(&got));
		assert_int_equal(a.mp_afi, cases[i].abbreviated ? 0 : 2);
		assert_int_equal(a.mp_nlri.len, cases[i].abbreviated ? 0 : 3);
	}
}

struct severity_case {
	const char *name;
	const struct bgp_attr_rules *rules;
	uint8_t bytes[40];
	size_t n;
	enum bgp_severity severity;
	uint8_t fault;
};

#define CASE(name, rules, severity, fault, ...) \
	{name, rules, {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), severity, fault}

static const struct severity_case severities[] = {
	CASE("unknown attribute", &LIVE4, BGP_FINE, 0, 0xc0, 99, 1, 7),
	CASE("unknown attribute of code 200", &LIVE4, BGP_FINE, 0, 0xc0, 200, 1, 7),
	CASE("origin out of range", &LIVE4, BGP_WITHDRAW, 1, 0x40, 1, 1, 3),
	CASE("origin of two bytes", &LIVE4, BGP_WITHDRAW, 1, 0x40, 1, 2, 0, 0),
	CASE("origin marked optional", &LIVE4, BGP_WITHDRAW, 1, 0xc0, 1, 1, 0),
	CASE("the same in a dump", &DUMP4, BGP_FINE, 0, 0xc0, 1, 1, 0),
	CASE("partial bit", &LIVE4, BGP_FINE, 0, 0xe0, 8, 4, 0, 1, 0, 1),
	CASE("path of an unknown segment", &LIVE4, BGP_WITHDRAW, 2, 0x40, 2, 6, 5, 1, 0, 0, 0, 1),
	CASE("path with an empty segment", &LIVE4, BGP_WITHDRAW, 2, 0x40, 2, 2, 2, 0),
	CASE("path that overruns", &LIVE4, BGP_WITHDRAW, 2, 0x40, 2, 6, 2, 2, 0, 0, 0, 1),
	CASE("path with a byte behind", &LIVE4, BGP_WITHDRAW, 2, 0x40, 2, 7, 2, 1, 0, 0, 0, 1, 2),
	CASE("two-byte path read as such", &LIVE2, BGP_FINE, 0, 0x40, 2, 4, 2, 1, 0, 1),
	CASE("empty path", &LIVE4, BGP_FINE, 0, 0x40, 2, 0),
	CASE("next hop of 16", &LIVE4, BGP_WITHDRAW, 3, 0x40, 3, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	CASE("short MED", &LIVE4, BGP_WITHDRAW, 4, 0x80, 4, 3, 0, 0, 0),
	CASE("short local preference", &LIVE4, BGP_WITHDRAW, 5, 0x40, 5, 3, 0, 0, 0),
	CASE("external local preference", &EXTERNAL, BGP_DISCARD, 5, 0x40, 5, 4, 0, 0, 0, 1),
	CASE("external originator", &EXTERNAL, BGP_DISCARD, 9, 0x80, 9, 4, 0, 0, 0, 1),
	/* RFC 7606 sections 7.5, 7.9, 7.10: whatever is in them */
	CASE("short external local preference", &EXTERNAL, BGP_DISCARD, 5, 0x40, 5, 3, 0, 0, 0),
	CASE("short external originator", &EXTERNAL, BGP_DISCARD, 9, 0x80, 9, 3, 0, 0, 0),
	CASE("empty external cluster list", &EXTERNAL, BGP_DISCARD, 10, 0x80, 10, 0),
	CASE("empty cluster list", &LIVE4, BGP_WITHDRAW, 10, 0x80, 10, 0),
	/* section 3 c and h: wrong flags are worse than where it comes from */
	CASE("external originator marked transitive", &EXTERNAL, BGP_WITHDRAW, 9, 0xc0, 9, 4, 0, 0, 0, 1),
	CASE("atomic aggregate marked optional", &LIVE4, BGP_WITHDRAW, 6, 0xc0, 6, 0),
	CASE("aggregator marked well-known", &LIVE4, BGP_WITHDRAW, 7, 0x40, 7, 8, 0, 0, 0, 1, 1, 2, 3, 4),
	CASE("AS4_PATH marked well-known", &LIVE2, BGP_WITHDRAW, 17, 0x40, 17, 6, 2, 1, 0, 0, 0, 1),
	/* RFC 4271 section 6.3 */
	CASE("unknown and well-known", &LIVE4, BGP_WITHDRAW, 99, 0x40, 99, 1, 7),
	CASE("unknown and well-known, code 200", &LIVE4, BGP_WITHDRAW, 200, 0x40, 200, 1, 7),
	CASE("unknown and well-known in a dump", &DUMP4, BGP_FINE, 0, 0x40, 99, 1, 7),
	CASE("unknown, twice", &LIVE4, BGP_FINE, 0, 0xc0, 99, 1, 7, 0xc0, 99, 1, 7),
	CASE("atomic aggregate with content", &LIVE4, BGP_DISCARD, 6, 0x40, 6, 1, 0),
	CASE("two-byte aggregator", &LIVE4, BGP_DISCARD, 7, 0xc0, 7, 6, 0, 1, 1, 2, 3, 4),
	CASE("the same on a two-byte session", &LIVE2, BGP_FINE, 0, 0xc0, 7, 6, 0, 1, 1, 2, 3, 4),
	CASE("no communities", &LIVE4, BGP_WITHDRAW, 8, 0xc0, 8, 0),
	CASE("one and a half communities", &LIVE4, BGP_WITHDRAW, 8, 0xc0, 8, 6, 0, 1, 0, 1, 0, 1),
	CASE("half an extended community", &LIVE4, BGP_WITHDRAW, 16, 0xc0, 16, 4, 0, 1, 0, 1),
	CASE("half a large community", &LIVE4, BGP_WITHDRAW, 32, 0xc0, 32, 8, 0, 1, 0, 1, 0, 0, 0, 0),
	CASE("bad AS4_PATH", &LIVE2, BGP_DISCARD, 17, 0xc0, 17, 2, 9, 9),
	CASE("MP_REACH without a family", &LIVE4, BGP_RESET, 14, 0x80, 14, 2, 0, 2),
	CASE("MP_REACH, next hop of 5", &LIVE4, BGP_RESET, 14, 0x80, 14, 10, 0, 2, 1, 5, 1, 2, 3, 4, 5, 0),
	CASE("MP_REACH, next hop past the end", &LIVE4, BGP_RESET, 14, 0x80, 14, 6, 0, 2, 1, 16, 1, 2),
	CASE("the same in a dump", &DUMP4, BGP_DISCARD, 14, 0x80, 14, 6, 0, 2, 1, 16, 1, 2),
	CASE("MP_UNREACH without a family", &LIVE4, BGP_RESET, 15, 0x80, 15, 1, 0),
	CASE("MED twice", &LIVE4, BGP_DISCARD, 4, 0x80, 4, 4, 0, 0, 0, 1, 0x80, 4, 4, 0, 0, 0, 2),
	CASE("MP_UNREACH twice", &LIVE4, BGP_RESET, 0, 0x80, 15, 3, 0, 2, 1, 0x80, 15, 3, 0, 2, 1),
	CASE("header cut", &LIVE4, BGP_WITHDRAW, 0, 0x80, 4),
	CASE("value cut", &LIVE4, BGP_WITHDRAW, 0, 0x80, 4, 4, 0),
	CASE("extended length cut", &LIVE4, BGP_WITHDRAW, 0, 0x90, 4, 0),
	CASE("extended length", &LIVE4, BGP_FINE, 0, 0x90, 4, 0, 4, 0, 0, 0, 1),
	CASE("announcement without a path", &ANNOUNCES, BGP_WITHDRAW, 0, 0x40, 1, 1, 0, 0x40, 3, 4, 1, 2, 3, 4),
	CASE("announcement without a next hop", &ANNOUNCES, BGP_WITHDRAW, 0, 0x40, 1, 1, 0, 0x40, 2, 0),
	CASE("whole announcement", &ANNOUNCES, BGP_FINE, 0, 0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 1, 2, 3, 4),
	CASE("the worst counts", &LIVE4, BGP_WITHDRAW, 4, 0x40, 6, 1, 0, 0x80, 4, 1, 0, 0x40, 6, 1, 0),
};

static void test_severities(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(severities); i++) {
		const struct severity_case *c = &severities[i];
		struct bgp_attrs a;
		enum bgp_severity s = bgp_attrs_decode((struct view){c->bytes, c->n}, c->rules, &a);
		if (s != c->severity || a.fault != c->fault)
			fail_msg("%s: severity %d fault %u", c->name, s, a.fault);
	}
}

static void test_malformed_is_kept_out(void **state)
{
	struct bgp_attrs a;
	static const uint8_t block[] = {0x80, 4, 3, 0, 0, 0, 0xc0, 8, 4, 0, 1, 0, 2};
	assert_int_equal(bgp_attrs_decode((struct view){block, sizeof(block)}, &LIVE4, &a), BGP_WITHDRAW);
	assert_false(bgp_attrs_has(&a, BGP_ATTR_MED));
	assert_true(bgp_attrs_has(&a, BGP_ATTR_COMMUNITIES));
	static const uint8_t twice[] = {0x80, 4, 4, 0, 0, 0, 1, 0x80, 4, 4, 0, 0, 0, 2};
	assert_int_equal(bgp_attrs_decode((struct view){twice, sizeof(twice)}, &LIVE4, &a), BGP_DISCARD);
	assert_int_equal(a.med, 1);
}

struct merge_case {
	const char *name;
	uint8_t path[32], path_len;
	uint8_t as4[32], as4_len;
	uint8_t expected[64], expected_len;
};

#define P(...) {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})
#define NO_PATH {0}, 0

static const struct merge_case merges[] = {
	{"no AS4_PATH", P(2, 2, 0, 1, 0, 2), NO_PATH, P(2, 2, 0, 0, 0, 1, 0, 0, 0, 2)},
	{"empty path", NO_PATH, NO_PATH, NO_PATH},
	{"whole path", P(2, 2, 0, 1, 0, 2), P(2, 2, 0, 1, 0, 1, 0, 1, 0, 2), P(2, 2, 0, 1, 0, 1, 0, 1, 0, 2)},
	{"tail", P(2, 3, 0, 1, 0, 2, 0, 3), P(2, 1, 0, 1, 0, 3), P(2, 2, 0, 0, 0, 1, 0, 0, 0, 2, 2, 1, 0, 1, 0, 3)},
	{"AS4_PATH too long", P(2, 1, 0, 1), P(2, 2, 0, 1, 0, 1, 0, 1, 0, 2), P(2, 1, 0, 0, 0, 1)},
	{"a set counts one", P(2, 1, 0, 1, 1, 2, 0, 2, 0, 3), P(1, 2, 0, 1, 0, 2, 0, 1, 0, 3),
		P(2, 1, 0, 0, 0, 1, 1, 2, 0, 1, 0, 2, 0, 1, 0, 3)},
	{"cut inside the second segment", P(2, 1, 0, 1, 2, 2, 0, 2, 0, 3), P(2, 1, 0, 1, 0, 3),
		P(2, 1, 0, 0, 0, 1, 2, 1, 0, 0, 0, 2, 2, 1, 0, 1, 0, 3)},
	/* RFC 6793 section 6: there are none in AS4_PATH */
	{"confederations in AS4_PATH", P(3, 1, 0, 9, 2, 2, 0, 1, 0, 2),
		P(3, 1, 0, 0, 0, 9, 2, 1, 0, 1, 0, 2, 4, 1, 0, 0, 0, 8),
		P(3, 1, 0, 0, 0, 9, 2, 1, 0, 0, 0, 1, 2, 1, 0, 1, 0, 2)},
	{"nothing else in AS4_PATH", P(2, 1, 0, 1), P(3, 1, 0, 0, 0, 9), P(2, 1, 0, 0, 0, 1)},
	{"confederation in front", P(3, 1, 0, 9, 2, 2, 0, 1, 0, 2), P(2, 1, 0, 1, 0, 2),
		P(3, 1, 0, 0, 0, 9, 2, 1, 0, 0, 0, 1, 2, 1, 0, 1, 0, 2)},
};

static void test_merge(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(merges); i++) {
		const struct merge_case *c = &merges[i];
		uint8_t buf[256], out[128];
		struct wr w = wr_make(buf, sizeof(buf));
		if (c->as4_len) /* may come first */
			build_attr(&w, 0xc0, BGP_ATTR_AS4_PATH, c->as4, c->as4_len);
		build_attr(&w, 0x40, BGP_ATTR_AS_PATH, c->path, c->path_len);
		struct bgp_attrs a;
		struct view got;
		assert_int_equal(bgp_attrs_decode((struct view){buf, wr_len(&w)}, &LIVE2, &a), BGP_FINE);
		assert_true(bgp_path_merge(&a, out, sizeof(out), &got));
		if (got.len != c->expected_len || memcmp(got.data, c->expected, got.len) != 0)
			fail_msg("%s", c->name);
		if (got.len)
			assert_false(bgp_path_merge(&a, out, got.len - 1, &got));
	}
}

static void test_merge_aggregator(void **state)
{
	/* AGGREGATOR's AS, whether AS4_AGGREGATOR counts */
	static const struct {
		uint16_t as;
		bool merged;
	} cases[] = {{BGP_AS_TRANS, true}, {64500, false}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t buf[256], out[64];
		struct wr w = wr_make(buf, sizeof(buf));
		build_attr(&w, 0x40, BGP_ATTR_AS_PATH, BYTES(2, 1, 0x5b, 0xa0));
		build_attr(&w, 0xc0, BGP_ATTR_AGGREGATOR,
			BYTES((uint8_t)(cases[i].as >> 8), (uint8_t)cases[i].as, 1, 2, 3, 4));
		build_attr(&w, 0xc0, BGP_ATTR_AS4_PATH, BYTES(2, 1, 0, 1, 0, 5));
		build_attr(&w, 0xc0, BGP_ATTR_AS4_AGGREGATOR, BYTES(0, 1, 0, 2, 5, 6, 7, 8));
		struct bgp_attrs a;
		struct view path;
		assert_int_equal(bgp_attrs_decode((struct view){buf, wr_len(&w)}, &LIVE2, &a), BGP_FINE);
		assert_int_equal(a.aggregator_as, cases[i].merged ? 65538 : 64500);
		assert_int_equal(a.aggregator[0], cases[i].merged ? 5 : 1);
		assert_true(bgp_path_merge(&a, out, sizeof(out), &path));
		assert_view(path, cases[i].merged ? (const uint8_t[]){2, 1, 0, 1, 0, 5} : (const uint8_t[]){2, 1, 0, 0, 0x5b, 0xa0},
			6);
	}
}

static void test_path_length(void **state)
{
	static const uint8_t path[] = {3, 2, 0, 0, 0, 1, 0, 0, 0, 2, 2, 2, 0, 0, 0, 3, 0, 0, 0, 4, 1, 2, 0, 0, 0, 5, 0,
		0, 0, 6, 4, 1, 0, 0, 0, 7};
	assert_int_equal(bgp_path_length((struct view){path, sizeof(path)}, 4), 3);
	assert_int_equal(bgp_path_length((struct view){path, 0}, 4), 0);
}

static void test_nlri(void **state)
{
	static const uint8_t list[] = {0, 24, 192, 0, 2, 13, 11, 0xff, 32, 1, 2, 3, 4};
	static const char *const expected[] = {"0.0.0.0/0", "192.0.2.0/24", "11.248.0.0/13", "1.2.3.4/32"};
	struct rd r = rd_make(list, sizeof(list));
	struct bgp_nlri nlri;
	char text[PREFIX_TEXT_MAX];
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_true(bgp_nlri_next(&r, BGP_AFI_IPV4, false, &nlri));
		assert_string_equal(prefix_format(&nlri.prefix, text), expected[i]);
	}
	assert_false(bgp_nlri_next(&r, BGP_AFI_IPV4, false, &nlri));
	assert_true(rd_done(&r));

	static const uint8_t with_ids[] = {0, 0, 0, 7, 16, 0x20, 1, 0xff, 0xff, 0xff, 0xff, 0};
	r = rd_make(with_ids, sizeof(with_ids));
	assert_true(bgp_nlri_next(&r, BGP_AFI_IPV6, true, &nlri));
	assert_int_equal(nlri.path_id, 7);
	assert_string_equal(prefix_format(&nlri.prefix, text), "2001::/16");
	assert_true(bgp_nlri_next(&r, BGP_AFI_IPV6, true, &nlri));
	assert_int_equal(nlri.path_id, UINT32_MAX);
	assert_false(bgp_nlri_next(&r, BGP_AFI_IPV6, true, &nlri));

	static const struct {
		uint8_t bytes[4];
		uint16_t afi;
	} bad[] = {{{33, 1, 2, 3}, 1}, {{129, 1, 2, 3}, 2}, {{32, 1, 2, 3}, 1}, {{255}, 2}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		r = rd_make(bad[i].bytes, 4);
		assert_false(bgp_nlri_next(&r, bad[i].afi, false, &nlri));
		assert_false(rd_ok(&r));
	}
}

static void test_update(void **state)
{
	static const uint8_t body[] = {0, 2, 8, 10, 0, 4, 0x40, 1, 1, 0, 8, 11};
	struct bgp_update u;
	assert_true(bgp_update_split((struct view){body, sizeof(body)}, &u));
	assert_view(u.withdrawn, BYTES(8, 10));
	assert_view(u.attrs, BYTES(0x40, 1, 1, 0));
	assert_view(u.nlri, BYTES(8, 11));
	for (size_t n = 0; n < 10; n++)
		assert_false(bgp_update_split((struct view){body, n}, &u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_mp_reach),
		cmocka_unit_test(test_severities),
		cmocka_unit_test(test_malformed_is_kept_out),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_aggregator),
		cmocka_unit_test(test_path_length),
		cmocka_unit_test(test_nlri),
		cmocka_unit_test(test_update),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

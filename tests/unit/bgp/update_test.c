/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/update.h"

#include <errno.h>

#include "bgp_build.h"
#include "wt_test.h"

static const struct bgp_update_rules SESSION = {.as_bytes = 4, .families = BGP_ALL_FAMILIES};
static const struct bgp_update_rules PATHS = {
	.as_bytes = 4, .families = BGP_ALL_FAMILIES, .add_path = BGP_ALL_FAMILIES};
static const struct bgp_update_rules STATION = {.families = BGP_ALL_FAMILIES, .tolerant = true};
static const struct bgp_update_rules STATION_PATHS = {
	.families = BGP_ALL_FAMILIES, .tolerant = true, .add_path = BGP_ALL_FAMILIES};

static void append(char *out, size_t cap, const char *fmt, ...) PRINTF(3, 4);
static void append(char *out, size_t cap, const char *fmt, ...)
{
	va_list ap;
	size_t n = strlen(out);
	va_start(ap, fmt);
	(void)vsnprintf(out + n, cap - n, fmt, ap);
	va_end(ap);
}

/* "-" withdrawn, "+" announced with its next hop; path ids behind #. */
static void note(char *out, size_t cap, const struct bgp_change *c)
{
	char prefix[PREFIX_TEXT_MAX], hop[ADDR_TEXT_MAX];
	append(out, cap, "%s%c%s", *out ? " " : "", c->withdrawn ? '-' : '+',
		prefix_format(&c->prefix, prefix));
	if (c->path_id)
		append(out, cap, "#%u", c->path_id);
	if (c->next_hop.family)
		append(out, cap, ">%s", addr_format(&c->next_hop, hop));
	assert_int_equal(
		c->family, c->prefix.addr.family == ADDR_V4 ? BGP_IPV4_UNICAST : BGP_IPV6_UNICAST);
}

struct sample {
	uint8_t bytes[1024];
	struct view body;
};

static void set_body(
	struct sample *s, struct view withdrawn, const struct wr *attrs, struct view nlri)
{
	struct wr w = wr_make(s->bytes, sizeof(s->bytes));
	build_update_body(&w, withdrawn, (struct view){attrs->start, wr_len(attrs)}, nlri);
	assert_true(wr_ok(&w) && wr_ok(attrs));
	s->body = (struct view){s->bytes, wr_len(&w)};
}

static struct bgp_changes expect(
	struct view body, const struct bgp_update_rules *rules, const char *want)
{
	struct bgp_changes c;
	struct bgp_notification fault;
	struct bgp_change change;
	char got[2048] = "";
	assert_int_equal(bgp_update_begin(body, rules, &c, &fault), 0);
	while (bgp_update_next(&c, &change))
		note(got, sizeof(got), &change);
	assert_string_equal(got, want);
	assert_false(bgp_update_next(&c, &change));
	return c;
}

static void expect_refused(
	struct view body, const struct bgp_update_rules *rules, enum bgp_error error)
{
	struct bgp_changes c;
	struct bgp_notification fault;
	assert_int_equal(bgp_update_begin(body, rules, &c, &fault), -EBADMSG);
	assert_int_equal(fault.code << 8 | fault.subcode, error);
}

static const uint8_t reach6[] = {0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	1, 0, 32, 0x20, 1, 0xd, 0xb8, 0};
static const uint8_t unreach6[] = {0, 2, 1, 48, 0x20, 1, 0xd, 0xb8, 0, 9};

/* All four lists; MP_REACH's flags and the others' as given. */
static void build_all(struct sample *s, unsigned reach_flags)
{
	uint8_t buf[512];
	struct wr a = wr_make(buf, sizeof(buf));
	build_attr(&a, reach_flags, BGP_ATTR_MP_REACH, reach6, sizeof(reach6));
	build_plain_attrs(&a, 4);
	build_attr(&a, 0x80, BGP_ATTR_MP_UNREACH, unreach6, sizeof(unreach6));
	set_body(s, VIEW(8, 10, 16, 172, 16), &a, VIEW(24, 198, 51, 100, 0));
}

static void test_all_lists(void **state)
{
	struct sample s;
	build_all(&s, 0x80);
	struct bgp_changes c = expect(s.body, &SESSION,
		"-10.0.0.0/8 -172.16.0.0/16 -2001:db8:9::/48 "
		"+198.51.100.0/24>192.0.2.1 +0.0.0.0/0>192.0.2.1 +2001:db8::/32>2001:db8::1 +::/0>2001:db8::1");
	assert_int_equal(c.severity, BGP_FINE);
	assert_int_equal(c.end_of_rib, -1);
	assert_false(c.guessed_as_bytes || c.guessed_add_path);
	struct bgp_update_rules only6 = SESSION;
	only6.families = 1u << BGP_IPV6_UNICAST;
	c = expect(s.body, &only6, "-2001:db8:9::/48 +2001:db8::/32>2001:db8::1 +::/0>2001:db8::1");
	assert_int_equal(c.passed_over, 2);
}

/* RFC 7606 section 3 c: what has wrong flags is withdrawn, MP_REACH's prefixes included. */
static void test_treat_as_withdraw(void **state)
{
	struct sample s;
	build_all(&s, 0xc0);
	struct bgp_changes c = expect(s.body, &SESSION,
		"-10.0.0.0/8 -172.16.0.0/16 -2001:db8:9::/48 "
		"-198.51.100.0/24 -0.0.0.0/0 -2001:db8::/32 -::/0");
	assert_int_equal(c.severity, BGP_WITHDRAW);
	assert_int_equal(c.attrs.fault, BGP_ATTR_MP_REACH);
	/* no NEXT_HOP */
	uint8_t buf[64];
	struct wr a = wr_make(buf, sizeof(buf));
	build_attr(&a, 0x40, BGP_ATTR_ORIGIN, BYTES(0));
	build_path(&a, 4, (const uint32_t[]){1}, 1);
	set_body(&s, NO_VIEW, &a, VIEW(0, 0, 0, 7, 8, 10));
	c = expect(s.body, &PATHS, "-10.0.0.0/8#7");
	assert_int_equal(c.severity, BGP_WITHDRAW);
	assert_int_equal(c.attrs.fault, 0);
}

static void test_discard(void **state)
{
	struct sample s;
	uint8_t buf[128];
	struct wr a = wr_make(buf, sizeof(buf));
	build_plain_attrs(&a, 4);
	build_attr(&a, 0xc0, BGP_ATTR_AGGREGATOR, BYTES(1, 2, 3));
	set_body(&s, NO_VIEW, &a, VIEW(8, 10));
	struct bgp_changes c = expect(s.body, &SESSION, "+10.0.0.0/8>192.0.2.1");
	assert_int_equal(c.severity, BGP_DISCARD);
	assert_int_equal(c.attrs.fault, BGP_ATTR_AGGREGATOR);
	assert_false(bgp_attrs_has(&c.attrs, BGP_ATTR_AGGREGATOR));

	/* its flags are wrong: a session's neighbour is not believed, a router that reports has believed it */
	a = wr_make(buf, sizeof(buf));
	build_plain_attrs(&a, 4);
	build_attr(&a, 0xc0, BGP_ATTR_ATOMIC_AGGREGATE, NULL, 0);
	set_body(&s, NO_VIEW, &a, VIEW(8, 10));
	c = expect(s.body, &SESSION, "-10.0.0.0/8");
	assert_int_equal(c.severity, BGP_WITHDRAW);
	c = expect(s.body, &STATION, "+10.0.0.0/8>192.0.2.1");
	assert_int_equal(c.severity, BGP_DISCARD);
}

static void test_refused(void **state)
{
	struct sample s;
	uint8_t buf[256];
	struct wr a = wr_make(buf, sizeof(buf));
	build_plain_attrs(&a, 4);
	set_body(&s, NO_VIEW, &a, VIEW(33, 10, 0, 0, 0, 0));
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_PREFIX);
	set_body(&s, NO_VIEW, &a, VIEW(8, 10, 16, 10));
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_PREFIX);
	set_body(&s, VIEW(8), &a, NO_VIEW);
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_PREFIX);
	expect_refused(VIEW(0, 0, 0, 1), &SESSION, BGP_ERROR_UPDATE_ATTRIBUTES);
	expect_refused(VIEW(0, 1, 0, 0), &SESSION, BGP_ERROR_UPDATE_ATTRIBUTES);
	expect_refused(VIEW(0, 0, 0), &SESSION, BGP_ERROR_UPDATE_ATTRIBUTES);
	build_attr(&a, 0x80, BGP_ATTR_MP_UNREACH, BYTES(0, 2, 1, 129));
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_OPTIONAL);
	a = wr_make(buf, sizeof(buf));
	build_attr(&a, 0x80, BGP_ATTR_MP_REACH, reach6, sizeof(reach6) - 2); /* cut in a prefix */
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_OPTIONAL);
	a = wr_make(buf, sizeof(buf));
	build_attr(&a, 0x80, BGP_ATTR_MP_UNREACH, unreach6, sizeof(unreach6));
	build_attr(&a, 0x80, BGP_ATTR_MP_UNREACH, unreach6, sizeof(unreach6)); /* twice */
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_ATTRIBUTES); /* RFC 7606 section 3 g */
}

/* RFC 7606 section 5.2: attributes that are treated as withdraw, and no prefix that was announced. */
static void test_hidden_prefixes(void **state)
{
	struct sample s;
	uint8_t buf[256];
	struct wr a = wr_make(buf, sizeof(buf));
	build_attr(&a, 0x40, BGP_ATTR_ORIGIN, BYTES(9));
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_ATTRIBUTES);
	set_body(&s, VIEW(8, 10), &a, NO_VIEW);
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_ATTRIBUTES);
	(void)expect(s.body, &STATION, "-10.0.0.0/8"); /* there is no session to end */
	set_body(&s, NO_VIEW, &a, VIEW(8, 10)); /* there they are */
	(void)expect(s.body, &SESSION, "-10.0.0.0/8");
	build_attr(&a, 0x80, BGP_ATTR_MP_UNREACH, unreach6, sizeof(unreach6));
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_ATTRIBUTES);
	a = wr_make(buf, sizeof(buf)); /* the block ends inside an attribute, before MP_REACH */
	build_plain_attrs(&a, 4);
	wr_bytes(&a, BYTES(0x80, 14, 40, 0, 2, 1));
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_ATTRIBUTES);
	a = wr_make(buf, sizeof(buf)); /* of a family that is not wanted, but found */
	build_attr(&a, 0x40, BGP_ATTR_ORIGIN, BYTES(9));
	build_attr(&a, 0x80, BGP_ATTR_MP_REACH, reach6, sizeof(reach6));
	struct bgp_update_rules only4 = SESSION;
	only4.families = 1u << BGP_IPV4_UNICAST;
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	(void)expect(s.body, &only4, "");
	a = wr_make(buf, sizeof(buf)); /* nothing but MP_UNREACH: its prefixes are all there is */
	build_attr(&a, 0xc0, BGP_ATTR_MP_UNREACH, unreach6, sizeof(unreach6));
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	assert_int_equal(expect(s.body, &SESSION, "-2001:db8:9::/48").severity, BGP_WITHDRAW);
	a = wr_make(buf, sizeof(buf)); /* what is only discarded hides nothing */
	build_attr(&a, 0x40, BGP_ATTR_ATOMIC_AGGREGATE, BYTES(1));
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	assert_int_equal(expect(s.body, &SESSION, "").severity, BGP_DISCARD);
}

static void test_end_of_rib(void **state)
{
	struct sample s;
	uint8_t buf[128];
	static const struct {
		uint8_t unreach[4];
		size_t n;
		int want;
	} cases[] = {{{0, 1, 1}, 3, BGP_IPV4_UNICAST}, {{0, 2, 1}, 3, BGP_IPV6_UNICAST},
		{{0, 1, 2}, 3, -1}, {{0, 25, 1}, 3, -1}, {{0, 2, 1, 0}, 4, -1}};
	assert_int_equal(expect(VIEW(0, 0, 0, 0), &SESSION, "").end_of_rib, BGP_IPV4_UNICAST);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wr a = wr_make(buf, sizeof(buf));
		build_attr(&a, 0x80, BGP_ATTR_MP_UNREACH, cases[i].unreach, cases[i].n);
		set_body(&s, NO_VIEW, &a, NO_VIEW);
		assert_int_equal(
			expect(s.body, &SESSION, cases[i].n == 4 ? "-::/0" : "").end_of_rib,
			cases[i].want);
		set_body(&s, VIEW(8, 10), &a, NO_VIEW);
		struct bgp_changes c;
		struct bgp_notification fault;
		assert_int_equal(bgp_update_begin(s.body, &SESSION, &c, &fault), 0);
		assert_int_equal(c.end_of_rib, -1);
	}
	struct wr a = wr_make(buf, sizeof(buf)); /* attributes without prefixes are none */
	build_plain_attrs(&a, 4);
	build_attr(&a, 0x80, BGP_ATTR_MP_UNREACH, BYTES(0, 2, 1));
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	assert_int_equal(expect(s.body, &SESSION, "").end_of_rib, -1);
	a = wr_make(buf, sizeof(buf)); /* nor are some that nobody knows */
	build_attr(&a, 0x80, BGP_ATTR_MP_UNREACH, BYTES(0, 2, 1));
	build_attr(&a, 0xc0, 99, BYTES(1));
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	assert_int_equal(expect(s.body, &SESSION, "").end_of_rib, -1);
	a = wr_make(buf, sizeof(buf)); /* and of one that cannot be read nothing is known */
	build_attr(&a, 0x80, BGP_ATTR_MP_UNREACH, BYTES(0, 2, 1));
	wr_u8(&a, 0x40);
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_ATTRIBUTES);
}

static void test_ipv6_next_hop_of_ipv4(void **state)
{
	struct sample s;
	uint8_t buf[128], value[64];
	struct wr a = wr_make(buf, sizeof(buf)), v = wr_make(value, sizeof(value));
	wr_bytes(&v, BYTES(0, 1, 1, 32));
	wr_bytes(&v, reach6 + 4, 16);
	wr_bytes(&v, BYTES(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 8, 10));
	build_attr(&a, 0x80, BGP_ATTR_MP_REACH, value, wr_len(&v));
	build_attr(&a, 0x40, BGP_ATTR_ORIGIN, BYTES(0));
	build_path(&a, 4, (const uint32_t[]){1}, 1);
	set_body(&s, NO_VIEW, &a, NO_VIEW);
	(void)expect(s.body, &SESSION, "+10.0.0.0/8>2001:db8::1");
}

/* Paths of two-byte numbers where nothing says so; and those that can be read both ways. */
static void test_guessed_as_bytes(void **state)
{
	struct sample s;
	uint8_t buf[128];
	for (unsigned as_bytes = 2; as_bytes <= 4; as_bytes += 2) {
		struct wr a = wr_make(buf, sizeof(buf));
		build_plain_attrs(&a, as_bytes);
		set_body(&s, NO_VIEW, &a, VIEW(8, 10));
		struct bgp_changes c = expect(s.body, &STATION, "+10.0.0.0/8>192.0.2.1");
		assert_int_equal(c.guessed_as_bytes, as_bytes == 2);
		assert_int_equal(c.attrs.as_bytes, as_bytes);
		assert_int_equal(c.severity, BGP_FINE);
		struct view path;
		uint8_t merged[64];
		assert_true(bgp_path_merge(&c.attrs, merged, sizeof(merged), &path));
		assert_int_equal(path.len, 6);
		assert_memory_equal(path.data, ((uint8_t[]){2, 1, 0, 0, 0xfb, 0xf5}), 6);
	}
	struct wr a = wr_make(buf, sizeof(buf)); /* neither way: withdrawn, and no guess */
	build_attr(&a, 0x40, BGP_ATTR_ORIGIN, BYTES(0));
	build_attr(&a, 0x40, BGP_ATTR_AS_PATH, BYTES(2, 1, 0));
	build_attr(&a, 0x40, BGP_ATTR_NEXT_HOP, BYTES(192, 0, 2, 1));
	set_body(&s, NO_VIEW, &a, VIEW(8, 10));
	struct bgp_changes c = expect(s.body, &STATION, "-10.0.0.0/8");
	assert_false(c.guessed_as_bytes);
	a = wr_make(buf, sizeof(buf)); /* an empty path, as within an AS */
	build_attr(&a, 0x40, BGP_ATTR_ORIGIN, BYTES(0));
	build_attr(&a, 0x40, BGP_ATTR_AS_PATH, "", 0);
	build_attr(&a, 0x40, BGP_ATTR_NEXT_HOP, BYTES(192, 0, 2, 1));
	set_body(&s, NO_VIEW, &a, VIEW(8, 10));
	c = expect(s.body, &STATION, "+10.0.0.0/8>192.0.2.1");
	assert_false(c.guessed_as_bytes);
	assert_int_equal(c.attrs.as_bytes, 4);
}

static void test_guessed_add_path(void **state)
{
	struct sample s;
	uint8_t buf[128];
	struct wr a = wr_make(buf, sizeof(buf));
	build_plain_attrs(&a, 4);
	struct view with = VIEW(0, 0, 0, 1, 24, 198, 51, 100, 0, 0, 0, 2, 24, 198, 51, 101);
	struct view without = VIEW(24, 198, 51, 100, 24, 198, 51, 102, 24, 198, 51, 104);
	set_body(&s, NO_VIEW, &a, with);
	struct bgp_changes c = expect(s.body, &STATION_PATHS,
		"+198.51.100.0/24#1>192.0.2.1 +198.51.101.0/24#2>192.0.2.1");
	assert_false(c.guessed_add_path);
	expect_refused(s.body, &SESSION, BGP_ERROR_UPDATE_PREFIX);
	c = expect(s.body, &STATION, "+198.51.100.0/24#1>192.0.2.1 +198.51.101.0/24#2>192.0.2.1");
	assert_true(c.guessed_add_path);
	/* a small path id, whose bytes can be read as prefixes; but twice the default route? */
	set_body(&s, NO_VIEW, &a, VIEW(0, 0, 0, 7, 8, 0));
	c = expect(s.body, &STATION, "+0.0.0.0/8#7>192.0.2.1");
	assert_true(c.guessed_add_path);
	(void)expect(s.body, &SESSION,
		"+0.0.0.0/0>192.0.2.1 +0.0.0.0/0>192.0.2.1 +0.0.0.0/0>192.0.2.1 "
		"+8.0.0.0/7>192.0.2.1 +0.0.0.0/0>192.0.2.1");
	set_body(&s, NO_VIEW, &a, VIEW(0));
	c = expect(s.body, &STATION, "+0.0.0.0/0>192.0.2.1"); /* once is what it says */
	assert_false(c.guessed_add_path);
	/* once, in a list that could be one with a path id: as said */
	set_body(&s, NO_VIEW, &a, VIEW(0, 24, 198, 51, 16, 8, 10));
	c = expect(s.body, &STATION,
		"+0.0.0.0/0>192.0.2.1 +198.51.16.0/24>192.0.2.1 +10.0.0.0/8>192.0.2.1");
	assert_false(c.guessed_add_path);
	set_body(&s, NO_VIEW, &a, VIEW(0, 0));
	c = expect(s.body, &STATION, "+0.0.0.0/0>192.0.2.1 +0.0.0.0/0>192.0.2.1"); /* and there is no other way */
	assert_false(c.guessed_add_path);
	set_body(&s, NO_VIEW, &a, without);
	expect_refused(s.body, &PATHS, BGP_ERROR_UPDATE_PREFIX);
	c = expect(s.body, &STATION_PATHS, "+198.51.100.0/24>192.0.2.1 "
		"+198.51.102.0/24>192.0.2.1 +198.51.104.0/24>192.0.2.1");
	assert_true(c.guessed_add_path);
}

static void decode_any(struct view v, void *ctx)
{
	const struct bgp_update_rules *rules[] = {&SESSION, &PATHS, &STATION, &STATION_PATHS};
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct bgp_changes c;
		struct bgp_change change;
		struct bgp_notification fault = {0};
		if (bgp_update_begin(v, rules[i], &c, &fault) < 0) {
			assert_int_equal(fault.code, 3);
			continue;
		}
		size_t n = 0;
		assert_true(
			c.severity < BGP_RESET && c.end_of_rib < BGP_FAMILIES && c.list_count <= 4);
		while (bgp_update_next(&c, &change)) {
			assert_true(change.prefix.len <= addr_bits(&change.prefix.addr));
			assert_true(change.withdrawn || c.severity < BGP_WITHDRAW);
			n++;
		}
		assert_true(n <= v.len);
		/* a list was looked at as a whole, so it comes out as a whole */
		for (unsigned k = 0; k < c.list_count; k++)
			assert_true(rd_done(&c.lists[k].r));
	}
}

static void test_damage(void **state)
{
	struct sample s;
	build_all(&s, 0x80);
	each_truncation(s.bytes, s.body.len, decode_any, NULL);
	each_change(s.bytes, s.body.len, decode_any, NULL);
}

/* A list is valid exactly if the reader that gives out the prefixes reaches its end. */
static void test_valid_is_readable(void **state)
{
	for (int i = 0; i < 200000; i++) {
		uint8_t buf[24];
		size_t n = wt_random_below(sizeof(buf));
		for (size_t k = 0; k < n; k++)
			buf[k] = (uint8_t)(wt_random_below(3) ? wt_random_below(40) : wt_random());
		uint16_t afi = (uint16_t)(1 + (i & 1));
		bool add_path = i & 2;
		struct rd r = rd_make(buf, n);
		struct bgp_nlri nlri;
		while (bgp_nlri_next(&r, afi, add_path, &nlri))
			;
		assert_int_equal(bgp_nlri_valid((struct view){buf, n}, afi, add_path), rd_done(&r));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_lists),
		cmocka_unit_test(test_treat_as_withdraw),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hidden_prefixes),
		cmocka_unit_test(test_end_of_rib),
		cmocka_unit_test(test_ipv6_next_hop_of_ipv4),
		cmocka_unit_test(test_guessed_as_bytes),
		cmocka_unit_test(test_guessed_add_path),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_valid_is_readable),
	};
	wt_random_init();
	return cmocka_run_group_tests_name("bgp_update", tests, NULL, NULL);
}

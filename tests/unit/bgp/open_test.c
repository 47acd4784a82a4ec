/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/open.h"

#include <errno.h>

#include "bgp_build.h"
#include "wt_test.h"

#define V4 (1u << BGP_IPV4_UNICAST)
#define V6 (1u << BGP_IPV6_UNICAST)

/* Every capability that is known, and one that isn't. */
static const uint8_t capabilities[] = {
	1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 1, 4, 0, 25, 0, 70,
	2, 0, 6, 0, 70, 0,
	5, 12, 0, 1, 0, 1, 0, 2, 0, 1, 0, 128, 0, 2,
	64, 10, 0xc0, 120, 0, 1, 1, 0x80, 0, 2, 1, 0,
	65, 4, 0, 1, 0, 2,
	69, 12, 0, 1, 1, 3, 0, 2, 1, 2, 0, 1, 128, 3,
	71, 14, 0, 1, 1, 0x80, 1, 2, 3, 0, 2, 1, 0, 0, 0, 9,
	73, 3, 2, 'h', 'i',
};

static void assert_all(const struct bgp_open *o)
{
	assert_int_equal(o->as, 65538);
	assert_int_equal(o->as_field, 23456);
	assert_int_equal(o->hold_s, 180);
	assert_memory_equal(o->id, ((uint8_t[]){192, 0, 2, 7}), 4);
	const struct bgp_capabilities *c = &o->can;
	assert_true(c->multiprotocol && c->as4 && c->route_refresh && c->enhanced_refresh &&
		    c->extended_messages);
	assert_int_equal(c->families, V4 | V6);
	assert_int_equal(c->add_path_receive, V4);
	assert_int_equal(c->add_path_send, V4 | V6);
	assert_int_equal(c->extended_next_hop, V4);
	assert_true(c->graceful && c->restarting && c->graceful_notification);
	assert_int_equal(c->restart_s, 120);
	assert_int_equal(c->graceful_families, V4 | V6);
	assert_int_equal(c->graceful_preserved, V4);
	assert_int_equal(c->long_lived_families, V4 | V6);
	assert_int_equal(c->long_lived_preserved, V4);
	assert_int_equal(c->long_lived_s[BGP_IPV4_UNICAST], 0x010203);
	assert_int_equal(c->long_lived_s[BGP_IPV6_UNICAST], 9);
	assert_int_equal(c->unknown, 1);
	assert_int_equal(c->malformed, 0);
}

static int decode(struct view v, struct bgp_open *ret, struct bgp_notification *ret_fault)
{
	struct rd r = rd_view(v);
	struct bgp_message m;
	int got = bgp_message_next(&r, BGP_MESSAGE_MAX, &m, ret_fault);
	return got <= 0 || m.type != BGP_MESSAGE_OPEN ? -EAGAIN
						      : bgp_open_decode(m.body, ret, ret_fault);
}

/* Of an OPEN with the fixed part's values from above. */
static int decode_parameters(
	const void *parameters, size_t n, struct bgp_open *ret, struct bgp_notification *ret_fault)
{
	uint8_t buf[4096];
	struct wr w = wr_make(buf, sizeof(buf));
	build_open(&w, 23456, 180, 0xc0000207, parameters, n);
	return decode((struct view){buf, wr_len(&w)}, ret, ret_fault);
}

/* One parameter for all capabilities, as BIRD does; one each, as FRR; RFC 9072's form of both. */
static size_t wrap_all(uint8_t *out, size_t cap, bool extended, bool each)
{
	uint8_t inner[1024];
	struct wr p = wr_make(inner, sizeof(inner)), w = wr_make(out, cap);
	struct rd r = rd_make(capabilities, sizeof(capabilities));
	while (rd_more(&r)) {
		struct rd peek = r;
		rd_skip(&peek, 1);
		struct view part = each ? rd_bytes(&r, 2u + rd_u8(&peek)) : rd_rest(&r);
		wr_u8(&p, 2);
		if (extended)
			wr_u16(&p, (uint16_t)part.len);
		else
			wr_u8(&p, (uint8_t)part.len);
		wr_bytes(&p, part.data, part.len);
	}
	if (extended) {
		wr_bytes(&w, BYTES(255, 255));
		wr_u16(&w, (uint16_t)wr_len(&p));
	} else {
		wr_u8(&w, (uint8_t)wr_len(&p));
	}
	wr_bytes(&w, inner, wr_len(&p));
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

static void test_forms(void **state)
{
	for (int form = 0; form < 4; form++) {
		uint8_t buf[1024];
		struct bgp_open open;
		struct bgp_notification fault;
		size_t n = wrap_all(buf, sizeof(buf), form & 1, form & 2);
		assert_int_equal(decode_parameters(buf, n, &open, &fault), 0);
		assert_all(&open);
	}
}

/* RFC 9072 is there for more than 255 bytes; and the first length may be anything but 0. */
static void test_many_parameters(void **state)
{
	uint8_t buf[4000];
	for (unsigned first = 1; first < 256; first += 254) {
		struct wr w = wr_make(buf, sizeof(buf));
		wr_u8(&w, (uint8_t)first);
		wr_u8(&w, 255);
		wr_u16(&w, 300 * 5 + 9);
		for (int i = 0; i < 300; i++)
			wr_bytes(&w, BYTES(2, 0, 2, 200, 0));
		wr_bytes(&w, BYTES(2, 0, 6, 65, 4, 0, 1, 0, 2));
		struct bgp_open open;
		struct bgp_notification fault;
		assert_int_equal(decode_parameters(buf, wr_len(&w), &open, &fault), 0);
		assert_int_equal(open.as, 65538);
		assert_int_equal(open.can.unknown, 300);
	}
}

static void test_without_capabilities(void **state)
{
	struct bgp_open open;
	struct bgp_notification fault;
	assert_int_equal(decode_parameters(BYTES(0), &open, &fault), 0);
	assert_int_equal(open.as, 23456);
	assert_false(open.can.multiprotocol || open.can.as4);
	assert_int_equal(open.can.families, V4);
	/* another family only: then not even IPv4 */
	assert_int_equal(decode_parameters(BYTES(8, 2, 6, 1, 4, 0, 25, 0, 70), &open, &fault), 0);
	assert_true(open.can.multiprotocol);
	assert_int_equal(open.can.families, 0);
}

static void test_refused(void **state)
{
	static const struct {
		uint8_t parameters[16];
		size_t n;
		enum bgp_error error;
	} cases[] = {
		{{0, 0}, 2, BGP_ERROR_OPEN},                          /* a byte behind the parameters */
		{{3, 2, 0}, 3, BGP_ERROR_OPEN},                       /* parameters reach past the end */
		{{2, 2, 1}, 3, BGP_ERROR_OPEN},                       /* a parameter past the parameters */
		{{1, 2}, 2, BGP_ERROR_OPEN},                          /* without its length */
		{{3, 2, 1, 2}, 4, BGP_ERROR_OPEN},                    /* a capability without its length */
		{{4, 2, 2, 2, 1}, 5, BGP_ERROR_OPEN},                 /* past its parameter */
		{{2, 1, 0}, 3, BGP_ERROR_OPEN_PARAMETER},             /* authentication, of old */
		{{4, 2, 0, 255, 0}, 5, BGP_ERROR_OPEN_PARAMETER},     /* 255 is special as the first only */
		{{7, 2, 5, 65, 3, 0, 0, 1}, 8, BGP_ERROR_OPEN},       /* AS4 of three bytes */
		{{7, 2, 5, 69, 3, 0, 1, 1}, 8, BGP_ERROR_OPEN},       /* ADD-PATH of three */
		{{6, 2, 4, 1, 2, 0, 1}, 7, BGP_ERROR_OPEN},           /* a family of two */
		{{255, 255, 0}, 3, BGP_ERROR_OPEN},                   /* the extended form, cut */
		{{255, 255, 0, 2, 2, 0}, 6, BGP_ERROR_OPEN},
		{{0, 255, 0, 0}, 4, BGP_ERROR_OPEN}, /* of length 0: not the extended form */
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bgp_open open;
		struct bgp_notification fault;
		assert_int_equal(decode_parameters(cases[i].parameters, cases[i].n, &open, &fault),
			-EBADMSG);
		assert_int_equal(fault.code << 8 | fault.subcode, cases[i].error);
	}
}

static void test_version(void **state)
{
	struct bgp_open open;
	struct bgp_notification fault;
	for (unsigned version = 0; version < 256; version++) {
		uint8_t body[10] = {(uint8_t)version, 0, 1, 0, 90, 1, 2, 3, 4, 0};
		int r = bgp_open_decode((struct view){body, 10}, &open, &fault);
		assert_int_equal(r, version == 4 ? 0 : -EBADMSG);
		if (version == 4)
			continue;
		assert_int_equal(fault.code << 8 | fault.subcode, BGP_ERROR_OPEN_VERSION);
		assert_int_equal(fault.data.len, 2);
		assert_memory_equal(fault.data.data, ((uint8_t[]){0, 4}), 2);
	}
}

/* Left out, and the rest holds. */
static void test_malformed_capabilities(void **state)
{
	static const uint8_t wrong[][8] = {{2, 1, 0}, {5, 5, 0, 1, 0, 1, 0}, {6, 1, 0}, {64, 1, 0},
		{64, 3, 0, 0, 0}, {70, 2, 0, 0}, {71, 6, 0, 1, 1, 0, 0, 0}};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		uint8_t buf[32];
		struct wr w = wr_make(buf, sizeof(buf));
		unsigned n = 2u + wrong[i][1];
		wr_u8(&w, (uint8_t)(2 + n + 6));
		wr_u8(&w, 2);
		wr_u8(&w, (uint8_t)(n + 6));
		wr_bytes(&w, wrong[i], n);
		wr_bytes(&w, BYTES(65, 4, 0, 0, 0, 9));
		struct bgp_open open;
		struct bgp_notification fault;
		assert_int_equal(decode_parameters(buf, wr_len(&w), &open, &fault), 0);
		assert_int_equal(open.can.malformed, 1);
		assert_int_equal(open.as, 9);
		assert_false(open.can.route_refresh || open.can.extended_messages ||
			     open.can.graceful || open.can.enhanced_refresh);
		assert_int_equal(open.can.extended_next_hop | open.can.long_lived_families, 0);
		assert_int_equal(open.can.families, V4);
	}
}

/* RFC 4724 section 3: of several the last counts. RFC 7911: values but 1 to 3 are ignored. */
static void test_repeated(void **state)
{
	struct bgp_open open;
	struct bgp_notification fault;
	assert_int_equal(
		decode_parameters(BYTES(14, 2, 12, 64, 6, 0, 9, 0, 1, 1, 0x80, 64, 2, 0x80, 5),
			&open, &fault),
		0);
	assert_true(open.can.graceful && open.can.restarting);
	assert_int_equal(open.can.restart_s, 5);
	assert_int_equal(open.can.graceful_families, 0);
	assert_int_equal(decode_parameters(BYTES(24, 2, 22, 69, 20, 0, 1, 1, 3, 0, 2, 1,
						 1, 0, 1, 1, 2, 0, 2, 1, 4, 0, 1, 1, 0),
				 &open, &fault),
		0);
	assert_int_equal(open.can.add_path_send, V4);
	assert_int_equal(open.can.add_path_receive, V6);
}

static void decode_truncated(struct view v, void *ctx)
{
	struct bgp_open open;
	struct bgp_notification fault;
	/* As a body, without the framing that would ask for more. */
	assert_int_equal(bgp_open_decode(v, &open, &fault), -EBADMSG);
	assert_int_equal(fault.code, 2);
}

static void decode_any(struct view v, void *ctx)
{
	struct bgp_open open;
	struct bgp_notification fault;
	if (bgp_open_decode(v, &open, &fault) < 0) {
		assert_int_equal(fault.code, 2);
		return;
	}
	assert_true(open.can.families <= BGP_ALL_FAMILIES &&
		    open.can.extended_next_hop <= BGP_ALL_FAMILIES);
	assert_true((open.can.add_path_receive | open.can.add_path_send) <= BGP_ALL_FAMILIES);
	assert_true(open.can.graceful_preserved <= BGP_ALL_FAMILIES && open.can.restart_s <= 4095);
}

static void test_damage(void **state)
{
	for (int form = 0; form < 4; form++) {
		uint8_t buf[1024], parameters[512];
		struct wr w = wr_make(buf, sizeof(buf));
		build_open(&w, 23456, 180, 0xc0000207, parameters,
			wrap_all(parameters, sizeof(parameters), form & 1, form & 2));
		each_truncation(buf + BGP_HEADER_BYTES, wr_len(&w) - BGP_HEADER_BYTES,
			decode_truncated, NULL);
		each_change(
			buf + BGP_HEADER_BYTES, wr_len(&w) - BGP_HEADER_BYTES, decode_any, NULL);
	}
}

static struct bgp_open random_open(void)
{
	struct bgp_open o = {.as = (uint32_t)wt_random(), .hold_s = (uint16_t)wt_random()};
	struct bgp_capabilities *c = &o.can;
	for (int i = 0; i < 4; i++)
		o.id[i] = (uint8_t)wt_random();
	c->as4 = wt_random() & 1;
	if (!c->as4)
		o.as &= 0xffff;
	c->as4_number = c->as4 ? o.as : 0;
	o.as_field = (uint16_t)(o.as > 65535 ? 23456 : o.as);
	c->families = (uint8_t)wt_random_below(4);
	c->multiprotocol = c->families;
	if (!c->families)
		c->families = V4;
	c->route_refresh = wt_random() & 1;
	c->enhanced_refresh = wt_random() & 1;
	c->extended_messages = wt_random() & 1;
	c->add_path_send = (uint8_t)wt_random_below(4);
	c->add_path_receive = (uint8_t)wt_random_below(4);
	c->extended_next_hop = (uint8_t)wt_random_below(4);
	c->graceful = wt_random() & 1;
	if (c->graceful) {
		c->restarting = wt_random() & 1;
		c->graceful_notification = wt_random() & 1;
		c->restart_s = (uint16_t)wt_random_below(4096);
		c->graceful_families = (uint8_t)wt_random_below(4);
		c->graceful_preserved = (uint8_t)wt_random_below(4) & c->graceful_families;
	}
	c->long_lived_families = (uint8_t)wt_random_below(4);
	c->long_lived_preserved = (uint8_t)wt_random_below(4) & c->long_lived_families;
	for (unsigned f = 0; f < BGP_FAMILIES; f++)
		if (c->long_lived_families >> f & 1)
			c->long_lived_s[f] = (uint32_t)wt_random_below(1 << 24);
	return o;
}

static void assert_same(const struct bgp_open *a, const struct bgp_open *b)
{
	assert_int_equal(a->as, b->as);
	assert_int_equal(a->as_field, b->as_field);
	assert_int_equal(a->hold_s, b->hold_s);
	assert_memory_equal(a->id, b->id, 4);
	const struct bgp_capabilities *c = &a->can, *d = &b->can;
#define SAME(field) assert_int_equal(c->field, d->field)
	SAME(multiprotocol);
	SAME(as4);
	SAME(as4_number);
	SAME(route_refresh);
	SAME(enhanced_refresh);
	SAME(extended_messages);
	SAME(families);
	SAME(add_path_send);
	SAME(add_path_receive);
	SAME(extended_next_hop);
	SAME(graceful);
	SAME(restarting);
	SAME(graceful_notification);
	SAME(graceful_families);
	SAME(graceful_preserved);
	SAME(restart_s);
	SAME(long_lived_families);
	SAME(long_lived_preserved);
	SAME(long_lived_s[0]);
	SAME(long_lived_s[1]);
	SAME(unknown);
	SAME(malformed);
#undef SAME
}

static void test_round_trip(void **state)
{
	for (int i = 0; i < 20000; i++) {
		uint8_t buf[BGP_OPEN_MAX];
		struct bgp_open open = random_open(), again;
		struct bgp_notification fault;
		struct wr w = wr_make(buf, sizeof(buf));
		bgp_open_encode(&w, &open);
		assert_true(wr_ok(&w));
		assert_int_equal(decode((struct view){buf, wr_len(&w)}, &again, &fault), 0);
		assert_same(&open, &again);
	}
}

static void test_negotiate(void **state)
{
	struct bgp_open a = {.as = 1,
		.hold_s = 90,
		.can = {.as4 = true,
			.families = V4 | V6,
			.add_path_send = V4 | V6,
			.extended_next_hop = V4,
			.route_refresh = true,
			.enhanced_refresh = true,
			.graceful = true,
			.restart_s = 7,
			.graceful_families = V4 | V6,
			.graceful_preserved = V6,
			.graceful_notification = true}};
	struct bgp_open b = {.as = 2,
		.hold_s = 30,
		.can = {.as4 = true,
			.families = V4,
			.add_path_receive = V4 | V6,
			.extended_next_hop = V4 | V6,
			.graceful = true}};
	struct bgp_negotiated on = bgp_negotiate(&a, &b);
	assert_int_equal(on.families, V4);
	assert_int_equal(on.as_bytes, 4);
	assert_int_equal(on.add_path, V4); /* announced by both for IPv6 too, but there is no such family */
	assert_int_equal(on.extended_next_hop, V4);
	assert_true(on.route_refresh && on.external);
	assert_false(on.enhanced_refresh || on.graceful_notification);
	assert_int_equal(on.hold_s, 30);
	assert_int_equal(on.graceful, V4);
	assert_int_equal(on.preserved, 0);
	assert_int_equal(on.restart_s, 7);

	on = bgp_negotiate(&b, &a); /* the other way there are no path ids, and b has nothing to be kept */
	assert_int_equal(on.add_path, 0);
	assert_int_equal(on.graceful, 0);
	assert_false(on.route_refresh);
	assert_int_equal(on.hold_s, 30);

	b.can.graceful = b.can.as4 = false;
	b.as = 1;
	b.can.families = V4 | V6;
	on = bgp_negotiate(&a, &b);
	assert_int_equal(on.as_bytes, 2);
	assert_int_equal(on.graceful, 0);
	assert_int_equal(on.add_path, V4 | V6);
	assert_false(on.external);
	b.can.as4 = true;
	a.can.as4 = false;
	assert_int_equal(bgp_negotiate(&a, &b).as_bytes, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_many_parameters),
		cmocka_unit_test(test_without_capabilities),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_malformed_capabilities),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_negotiate),
	};
	wt_random_init();
	return cmocka_run_group_tests_name("bgp_open", tests, NULL, NULL);
}

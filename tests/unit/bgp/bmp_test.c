/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/bmp.h"

#include <errno.h>

#include "bgp_build.h"
#include "wt_test.h"

#define V4 (1u << BGP_IPV4_UNICAST)
#define V6 (1u << BGP_IPV6_UNICAST)

/* Starts a BMP message; build_bmp_end fills in its length. */
static size_t build_bmp(struct wr *w, unsigned type)
{
	size_t at = wr_len(w);
	wr_u8(w, 3);
	wr_u32(w, 0);
	wr_u8(w, (uint8_t)type);
	return at;
}

static void build_bmp_end(struct wr *w, size_t at)
{
	assert_true(wr_ok(w));
	struct wr length = wr_make(w->start + at + 1, 4);
	wr_u32(&length, (uint32_t)(wr_len(w) - at));
}

static const uint8_t v4_in_16[16] = {[12] = 192, 0, 2, 33};
static const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 7};

/* AS 65538, identifier 10.0.0.9, distinguisher 0:64500:1. */
static void build_peer(struct wr *w, unsigned type, unsigned flags, const uint8_t address[16])
{
	wr_u8(w, (uint8_t)type);
	wr_u8(w, (uint8_t)flags);
	wr_bytes(w, BYTES(0, 0, 0xfb, 0xf4, 0, 0, 0, 1));
	wr_bytes(w, address, 16);
	wr_u32(w, 65538);
	wr_bytes(w, BYTES(10, 0, 0, 9));
	wr_u32(w, 1700000000);
	wr_u32(w, 250000);
}

static void build_tlv(struct wr *w, unsigned type, const void *value, size_t n)
{
	wr_u16(w, (uint16_t)type);
	wr_u16(w, (uint16_t)n);
	wr_bytes(w, value, n);
}

static void build_update(struct wr *w, unsigned as_bytes)
{
	uint8_t attrs[64];
	struct wr a = wr_make(attrs, sizeof(attrs));
	build_plain_attrs(&a, as_bytes);
	size_t at = build_message(w, BGP_MESSAGE_UPDATE);
	build_update_body(w, VIEW(8, 11), (struct view){attrs, wr_len(&a)}, VIEW(8, 10));
	build_message_end(w, at);
}

static void build_route(struct wr *w, unsigned type, unsigned flags, unsigned as_bytes)
{
	size_t at = build_bmp(w, BMP_ROUTE);
	build_peer(w, type, flags, v4_in_16);
	build_update(w, as_bytes);
	build_bmp_end(w, at);
}

/* Sent by the router: path ids received of IPv4, sent of IPv6. Received: sent of IPv4 and IPv6. */
static const uint8_t sent_parameters[] = {
	24, 2, 22, 1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 69, 8, 0, 1, 1, 1, 0, 2, 1, 2};
static const uint8_t received_parameters[] = {
	24, 2, 22, 1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 69, 8, 0, 1, 1, 2, 0, 2, 1, 3};

static void build_peer_up(struct wr *w, unsigned type, unsigned flags)
{
	size_t at = build_bmp(w, BMP_PEER_UP);
	build_peer(w, type, flags, v4_in_16);
	wr_bytes(w, v4_in_16, 15);
	wr_u8(w, 34);
	wr_u16(w, 179);
	wr_u16(w, 40000);
	build_open(w, 64500, 90, 0x0a000001, sent_parameters, sizeof(sent_parameters));
	build_open(w, 64501, 30, 0x0a000009, received_parameters, sizeof(received_parameters));
	build_tlv(w, 3, BYTES('b', 'l', 'u', 'e'));
	build_tlv(w, 99, BYTES(1));
	build_tlv(w, 0, BYTES('h', 'i'));
	build_bmp_end(w, at);
}

static void build_peer_down(struct wr *w, unsigned reason, const void *rest, size_t n)
{
	size_t at = build_bmp(w, BMP_PEER_DOWN);
	build_peer(w, 0, 0, v4_in_16);
	wr_u8(w, (uint8_t)reason);
	wr_bytes(w, rest, n);
	build_bmp_end(w, at);
}

static void build_stats(struct wr *w, unsigned count)
{
	size_t at = build_bmp(w, BMP_STATISTICS);
	build_peer(w, 0, 0x80, v6);
	wr_u32(w, count);
	build_tlv(w, 0, BYTES(0, 0, 0, 5));
	build_tlv(w, 7, BYTES(0, 0, 0, 1, 0, 0, 0, 2));
	build_tlv(w, 9, BYTES(0, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0));
	build_tlv(w, 50, BYTES(1, 2, 3));
	build_tlv(w, 60, BYTES(0, 0, 0, 9));
	build_bmp_end(w, at);
}

static void build_mirror(struct wr *w)
{
	size_t at = build_bmp(w, BMP_MIRRORING);
	build_peer(w, 0, 0, v4_in_16);
	build_tlv(w, 1, BYTES(0, 1));
	build_tlv(w, 7, BYTES(0, 1));
	build_tlv(w, 0, BYTES(0xff, 0xff));
	build_bmp_end(w, at);
}

static void build_initiation(struct wr *w)
{
	size_t at = build_bmp(w, BMP_INITIATION);
	build_tlv(w, 2, BYTES('r', '1'));
	build_tlv(w, 1, BYTES('F', 'R', 'R'));
	build_tlv(w, 2, BYTES('r', '2'));
	build_bmp_end(w, at);
}

static void build_termination(struct wr *w)
{
	size_t at = build_bmp(w, BMP_TERMINATION);
	build_tlv(w, 1, BYTES(0, 3));
	build_tlv(w, 0, BYTES('b', 'y', 'e'));
	build_bmp_end(w, at);
}

/* Every kind of message, one behind the other. */
static size_t build_stream(uint8_t *buf, size_t cap)
{
	struct wr w = wr_make(buf, cap);
	build_initiation(&w);
	build_peer_up(&w, 0, 0);
	build_route(&w, 0, 0x40, 4);
	build_route(&w, 3, 0, 2);
	build_stats(&w, 5);
	build_mirror(&w);
	build_peer_down(&w, 1,
		BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0, 21, 3, 6, 2));
	build_peer_down(&w, 6, BYTES(0, 3, 0, 1, 'x'));
	build_termination(&w);
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

static struct bmp_message only(const struct wr *w)
{
	struct rd r = rd_make(w->start, wr_len(w));
	struct bmp_message m;
	assert_true(wr_ok(w));
	assert_int_equal(bmp_message_next(&r, &m), 1);
	assert_true(rd_done(&r));
	return m;
}

static void assert_addr(const struct addr *a, const char *want)
{
	char text[ADDR_TEXT_MAX];
	assert_string_equal(addr_format(a, text), want);
}

static void assert_view(struct view v, const char *want)
{
	assert_int_equal(v.len, strlen(want));
	assert_memory_equal(v.data, want, v.len);
}

static void test_framing(void **state)
{
	uint8_t buf[2048];
	size_t n = build_stream(buf, sizeof(buf));
	static const uint8_t want[] = {4, 3, 0, 0, 1, 6, 2, 2, 5};
	struct rd r = rd_make(buf, n);
	struct bmp_message m;
	for (size_t i = 0; i < sizeof(want); i++) {
		assert_int_equal(bmp_message_next(&r, &m), 1);
		assert_int_equal(m.type, want[i]);
		assert_int_equal(m.version, 3);
	}
	assert_int_equal(bmp_message_next(&r, &m), 0);
	assert_true(rd_done(&r));
}

static void test_bad_headers(void **state)
{
	struct bmp_message m;
	static const struct {
		uint8_t bytes[6];
		int want;
	} cases[] = {{{3, 0, 0, 0, 6, 0}, 1}, {{4, 0, 0, 0, 6, 200}, 1},
		{{3, 0, 0, 0, 5, 0}, -EBADMSG}, {{3, 0, 0, 0, 0, 0}, -EBADMSG},
		{{3, 0, 0, 0, 7, 0}, 0}, {{3, 0, 0x10, 0, 0, 0}, 0},
		{{3, 0, 0x10, 0, 1, 0}, -EBADMSG}, {{3, 255, 255, 255, 255, 0}, -EBADMSG},
		{{2, 0, 0, 0, 6, 0}, -EBADMSG}, {{1, 0, 0, 0, 6, 0}, -EBADMSG},
		{{255, 255, 255, 255, 255, 255}, -EBADMSG}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rd r = rd_make(cases[i].bytes, 6);
		assert_int_equal(bmp_message_next(&r, &m), cases[i].want);
		assert_int_equal(rd_left(&r), cases[i].want == 1 ? 0 : 6);
	}
	struct rd r = rd_make("X", 1); /* what is not BMP is known by its first byte */
	assert_int_equal(bmp_message_next(&r, &m), -EBADMSG);
}

static void test_peer_header(void **state)
{
	static const uint8_t zero[16];
	static const uint8_t mapped[16] = {[10] = 255, 255, 192, 0, 2, 33};
	static const struct {
		unsigned type, flags;
		const uint8_t *address;
		const char *addr; /* NULL: none */
		enum bmp_rib rib;
		bool two_byte, filtered;
	} cases[] = {
		{0, 0x00, v4_in_16, "192.0.2.33", BMP_IN_PRE, false, false},
		{0, 0x40, v4_in_16, "192.0.2.33", BMP_IN_POST, false, false},
		{0, 0x20, v4_in_16, "192.0.2.33", BMP_IN_PRE, true, false},
		{0, 0x10, v4_in_16, "192.0.2.33", BMP_OUT_PRE, false, false},
		{1, 0x50, v4_in_16, "192.0.2.33", BMP_OUT_POST, false, false},
		{0, 0xc0, v6, "2001:db8::7", BMP_IN_POST, false, false},
		{0, 0x00, v6, "2001:db8::7", BMP_IN_PRE, false, false},  /* V forgotten */
		{0, 0x80, mapped, "192.0.2.33", BMP_IN_PRE, false, false},
		{2, 0x80, v6, "2001:db8::7", BMP_IN_PRE, false, false},
		{3, 0x00, zero, NULL, BMP_LOC, false, false},
		{3, 0x80, zero, NULL, BMP_LOC, false, true},
		{3, 0xf0, v4_in_16, "192.0.2.33", BMP_LOC, false, true}, /* only F means something here */
		{0, 0x80, zero, NULL, BMP_IN_PRE, false, false},
		{9, 0x40, v4_in_16, "192.0.2.33", BMP_IN_POST, false, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t buf[512];
		struct wr w = wr_make(buf, sizeof(buf));
		size_t at = build_bmp(&w, BMP_ROUTE);
		build_peer(&w, cases[i].type, cases[i].flags, cases[i].address);
		build_update(&w, 4);
		build_bmp_end(&w, at);
		struct bmp_message m = only(&w);
		struct bmp_route route;
		assert_int_equal(bmp_route_decode(&m, &route), 0);
		const struct bmp_peer *p = &route.peer;
		assert_int_equal(p->type, cases[i].type);
		assert_int_equal(p->rib, cases[i].rib);
		assert_int_equal(p->two_byte_path, cases[i].two_byte);
		assert_int_equal(p->filtered, cases[i].filtered);
		if (cases[i].addr)
			assert_addr(&p->addr, cases[i].addr);
		else
			assert_int_equal(p->addr.family, ADDR_NONE);
		assert_int_equal(p->as, 65538);
		assert_memory_equal(p->id, ((uint8_t[]){10, 0, 0, 9}), 4);
		assert_int_equal(p->seconds, 1700000000);
		assert_int_equal(p->microseconds, 250000);
		assert_int_equal(p->distinguisher[7], 1);
	}
}

/* The flags are not in the key; type, distinguisher and address are. */
static void test_key(void **state)
{
	struct bmp_key keys[8];
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		uint8_t buf[512];
		struct wr w = wr_make(buf, sizeof(buf));
		build_route(&w, i == 5 ? 1 : 0, i < 5 ? 0x10 * i : 0, 4);
		if (i == 6)
			buf[BMP_HEADER_BYTES + 9] ^= 1;
		if (i == 7)
			buf[BMP_HEADER_BYTES + 25] ^= 1;
		struct bmp_message m = only(&w);
		struct bmp_route route;
		assert_int_equal(bmp_route_decode(&m, &route), 0);
		keys[i] = route.peer.key;
	}
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		for (unsigned k = 0; k < ARRAY_LEN(keys); k++)
			assert_int_equal(
				bmp_key_equal(&keys[i], &keys[k]), i == k || (i < 5 && k < 5));
}

static void test_distinguishers(void **state)
{
	char buf[BMP_DISTINGUISHER_TEXT_MAX];
	assert_string_equal(
		bmp_distinguisher_format((uint8_t[]){0, 0, 255, 255, 255, 255, 255, 255}, buf),
		"65535:4294967295");
	assert_string_equal(
		bmp_distinguisher_format((uint8_t[]){0, 1, 255, 0, 2, 255, 255, 255}, buf),
		"255.0.2.255:65535");
	assert_string_equal(
		bmp_distinguisher_format((uint8_t[]){0, 2, 255, 255, 255, 255, 255, 255}, buf),
		"4294967295:65535");
	assert_string_equal(bmp_distinguisher_format((uint8_t[]){1, 3, 1, 2, 3, 4, 5, 6}, buf),
		"0x0103010203040506");
}

static void test_route(void **state)
{
	static const struct {
		unsigned type, flags, as_bytes;
		bool guessed;
	} cases[] = {{0, 0, 4, false}, {0, 0x20, 2, false}, {0, 0, 2, true}, {3, 0, 2, true}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t buf[512];
		struct wr w = wr_make(buf, sizeof(buf));
		build_route(&w, cases[i].type, cases[i].flags, cases[i].as_bytes);
		struct bmp_message m = only(&w);
		struct bmp_route route;
		struct bgp_changes c;
		struct bgp_change change;
		struct bgp_notification fault;
		assert_int_equal(bmp_route_decode(&m, &route), 0);
		struct bgp_update_rules rules =
			bmp_update_rules(&route.peer, NULL, BGP_ALL_FAMILIES);
		assert_int_equal(bgp_update_begin(route.update, &rules, &c, &fault), 0);
		assert_int_equal(c.severity, BGP_FINE);
		assert_int_equal(c.attrs.as_bytes, cases[i].as_bytes);
		assert_int_equal(c.guessed_as_bytes, cases[i].guessed);
		assert_true(bgp_update_next(&c, &change) && change.withdrawn);
		assert_true(bgp_update_next(&c, &change) && !change.withdrawn);
		assert_addr(&change.next_hop, "192.0.2.1");
		assert_false(bgp_update_next(&c, &change));
	}
}

/* A message that is not an UPDATE, none at all, one with something behind it. */
static void test_route_refused(void **state)
{
	for (int i = 0; i < 4; i++) {
		uint8_t buf[512];
		struct wr w = wr_make(buf, sizeof(buf));
		size_t at = build_bmp(&w, BMP_ROUTE);
		build_peer(&w, 0, 0, v4_in_16);
		if (i == 0)
			build_message_end(&w, build_message(&w, BGP_MESSAGE_KEEPALIVE));
		if (i > 1)
			build_update(&w, 4);
		if (i > 1)
			wr_u8(&w, 0);
		build_bmp_end(&w, at);
		if (i == 3)
			buf[0] = 4; /* where TLVs come behind */
		struct bmp_message m = only(&w);
		struct bmp_route route;
		assert_int_equal(bmp_route_decode(&m, &route), i == 3 ? 0 : -EBADMSG);
	}
}

static void test_peer_up(void **state)
{
	uint8_t buf[1024];
	struct wr w = wr_make(buf, sizeof(buf));
	build_peer_up(&w, 0, 0x10); /* the O flag doesn't count */
	struct bmp_message m = only(&w);
	struct bmp_peer_up up;
	assert_int_equal(bmp_peer_up_decode(&m, &up), 0);
	assert_addr(&up.peer.addr, "192.0.2.33");
	assert_addr(&up.local, "192.0.2.34");
	assert_int_equal(up.local_port, 179);
	assert_int_equal(up.remote_port, 40000);
	assert_true(up.opens_valid);
	assert_int_equal(up.sent.as, 64500);
	assert_int_equal(up.received.as, 64501);
	assert_int_equal(up.received.hold_s, 30);
	assert_int_equal(up.sent_message.len, 28 + sizeof(sent_parameters));
	assert_int_equal(up.received_message.len, 28 + sizeof(received_parameters));
	assert_ptr_equal(up.received_message.data, up.sent_message.data + up.sent_message.len);
	assert_int_equal(up.add_path.in, V4);
	assert_int_equal(up.add_path.out, V6);
	assert_int_equal(up.add_path.loc, V4 | V6);
	assert_view(up.info.table, "blue");
	assert_view(up.info.text, "hi");
	assert_int_equal(up.info.name.len, 0);

	static const struct {
		enum bmp_rib rib;
		unsigned want;
	} ribs[] = {{BMP_IN_PRE, V4}, {BMP_IN_POST, V4}, {BMP_OUT_PRE, V6}, {BMP_OUT_POST, V6},
		{BMP_LOC, V4 | V6}};
	for (size_t i = 0; i < ARRAY_LEN(ribs); i++) {
		struct bmp_peer peer = {.rib = (uint8_t)ribs[i].rib};
		struct bgp_update_rules rules = bmp_update_rules(&peer, &up.add_path, V4);
		assert_int_equal(rules.add_path, ribs[i].want);
		assert_int_equal(rules.families, V4);
		assert_int_equal(rules.as_bytes, 0);
		assert_true(rules.tolerant && !rules.external);
	}
}

/* OPENs whose inside can't be read leave the peer up; OPENs that aren't there don't. */
static void test_peer_up_with_bad_opens(void **state)
{
	uint8_t buf[1024];
	struct wr w = wr_make(buf, sizeof(buf));
	build_peer_up(&w, 3, 0);
	size_t open = BMP_HEADER_BYTES + 42 + 20;
	struct bmp_peer_up up;
	buf[open + BGP_HEADER_BYTES] = 3; /* the version */
	struct bmp_message m = only(&w);
	assert_int_equal(bmp_peer_up_decode(&m, &up), 0);
	assert_false(up.opens_valid);
	assert_int_equal(up.add_path.in | up.add_path.out | up.add_path.loc, 0);
	assert_int_equal(up.sent.as, 0);
	assert_view(up.info.table, "blue");
	buf[open + 18] = BGP_MESSAGE_UPDATE;
	assert_int_equal(bmp_peer_up_decode(&m, &up), -EBADMSG);
	buf[open + 18] = BGP_MESSAGE_OPEN;
	buf[open] = 0;
	assert_int_equal(bmp_peer_up_decode(&m, &up), -EBADMSG);
}

static struct bmp_peer_down down_of(
	unsigned reason, const void *rest, size_t n, uint8_t *buf, size_t cap)
{
	struct wr w = wr_make(buf, cap);
	struct bmp_peer_down down;
	build_peer_down(&w, reason, rest, n);
	struct bmp_message m = only(&w);
	assert_int_equal(bmp_peer_down_decode(&m, &down), 0);
	assert_int_equal(down.reason, reason);
	return down;
}

static void test_peer_down(void **state)
{
	uint8_t buf[256], bgp[64];
	struct wr w = wr_make(bgp, sizeof(bgp));
	size_t at = build_message(&w, BGP_MESSAGE_NOTIFICATION);
	wr_bytes(&w, BYTES(6, 2, 2, 'h', 'i'));
	build_message_end(&w, at);
	for (unsigned reason = 1; reason <= 3; reason += 2) {
		struct bmp_peer_down down = down_of(reason, bgp, wr_len(&w), buf, sizeof(buf));
		char text[BGP_NOTIFICATION_TEXT_MAX];
		assert_string_equal(bgp_notification_format(&down.notification, text),
			"Cease: Administrative Shutdown: \"hi\"");
		down = down_of(reason, bgp, wr_len(&w) - 1, buf, sizeof(buf));
		assert_int_equal(down.notification.code, 0);
		down = down_of(reason, NULL, 0, buf, sizeof(buf));
		assert_int_equal(down.notification.code, 0);
	}
	assert_int_equal(down_of(2, BYTES(0, 24), buf, sizeof(buf)).fsm_event, 24);
	assert_int_equal(down_of(2, BYTES(24), buf, sizeof(buf)).fsm_event, 0);
	assert_int_equal(down_of(4, NULL, 0, buf, sizeof(buf)).notification.code, 0);
	(void)down_of(5, NULL, 0, buf, sizeof(buf));
	(void)down_of(200, BYTES(1, 2, 3), buf, sizeof(buf));
	assert_view(
		down_of(6, BYTES(0, 3, 0, 3, 'r', 'e', 'd'), buf, sizeof(buf)).info.table, "red");
	assert_string_equal(bmp_down_reason_text(4), "the peer closed the session");
	assert_string_equal(bmp_down_reason_text(0), "for a reason unknown");
	assert_string_equal(bmp_down_reason_text(7), "for a reason unknown");
}

static void test_stats(void **state)
{
	static const struct bmp_stat want[] = {{.type = 0, .value = 5},
		{.type = 7, .value = 0x100000002},
		{.type = 9, .has_family = true, .afi = 2, .safi = 1, .value = 256},
		{.type = 60, .value = 9}};
	for (unsigned count = 0; count < 8; count++) {
		uint8_t buf[512];
		struct wr w = wr_make(buf, sizeof(buf));
		build_stats(&w, count == 7 ? UINT32_MAX : count); /* a count that lies reads what is there */
		struct bmp_message m = only(&w);
		struct bmp_stats stats;
		struct bmp_stat stat;
		assert_int_equal(bmp_stats_begin(&m, &stats), 0);
		assert_addr(&stats.peer.addr, "2001:db8::7");
		unsigned there = count > 4 ? 4 : count > 3 ? 3 : count; /* the fourth is no number */
		for (unsigned i = 0; i < there; i++) {
			assert_int_equal(bmp_stats_next(&stats, &stat), 1);
			assert_int_equal(stat.type, want[i].type);
			assert_int_equal(stat.has_family, want[i].has_family);
			assert_int_equal(stat.afi, want[i].afi);
			assert_int_equal(stat.safi, want[i].safi);
			assert_true(stat.value == want[i].value);
		}
		assert_int_equal(bmp_stats_next(&stats, &stat), 0);
	}
	assert_string_equal(bmp_stat_text(BMP_STAT_LOC_RIB), "routes in Loc-RIB");
	assert_null(bmp_stat_text(18));
}

static void test_texts(void **state)
{
	uint8_t buf[256];
	struct wr w = wr_make(buf, sizeof(buf));
	struct bmp_info info;
	build_initiation(&w);
	struct bmp_message m = only(&w);
	assert_int_equal(bmp_initiation_decode(&m, &info), 0);
	assert_view(info.name, "r1"); /* the first */
	assert_view(info.description, "FRR");
	assert_int_equal(info.text.len, 0);

	struct bmp_termination t;
	w = wr_make(buf, sizeof(buf));
	build_termination(&w);
	m = only(&w);
	assert_int_equal(bmp_termination_decode(&m, &t), 0);
	assert_true(t.has_reason);
	assert_string_equal(bmp_termination_text(t.reason), "redundant connection");
	assert_string_equal(bmp_termination_text(5), "for a reason unknown");
	assert_view(t.text, "bye");
}

static void test_mirror(void **state)
{
	uint8_t buf[256];
	struct wr w = wr_make(buf, sizeof(buf));
	build_mirror(&w);
	struct bmp_message m = only(&w);
	struct bmp_mirror mirror;
	struct bmp_mirrored piece;
	assert_int_equal(bmp_mirror_begin(&m, &mirror), 0);
	assert_addr(&mirror.peer.addr, "192.0.2.33");
	assert_int_equal(bmp_mirror_next(&mirror, &piece), 1);
	assert_int_equal(piece.information, 1);
	assert_int_equal(piece.messages.len, 0);
	assert_int_equal(bmp_mirror_next(&mirror, &piece), 1);
	assert_int_equal(piece.messages.len, 2);
	assert_int_equal(bmp_mirror_next(&mirror, &piece), 0);
}

static void check_info(struct view body, const struct bmp_info *i)
{
	assert_true(view_inside(body, i->text) && view_inside(body, i->description) &&
		    view_inside(body, i->name) && view_inside(body, i->table) &&
		    view_inside(body, i->label));
}

/* Decodes a message as its type says; what comes out lies inside it. 0 or -EBADMSG. */
static int decode(const struct bmp_message *m)
{
	struct bmp_route route;
	struct bmp_peer_up up;
	struct bmp_peer_down down;
	struct bmp_stats stats;
	struct bmp_stat stat;
	struct bmp_info info;
	struct bmp_termination t;
	struct bmp_mirror mirror;
	struct bmp_mirrored piece;
	int r = 0;
	switch (m->type) {
	case BMP_ROUTE:
		r = bmp_route_decode(m, &route);
		if (!r)
			assert_true(view_inside(m->body, route.update));
		break;
	case BMP_PEER_UP:
		r = bmp_peer_up_decode(m, &up);
		if (!r) {
			assert_true(view_inside(m->body, up.sent_message) &&
				    view_inside(m->body, up.received_message));
			check_info(m->body, &up.info);
		}
		break;
	case BMP_PEER_DOWN:
		r = bmp_peer_down_decode(m, &down);
		if (!r) {
			assert_true(view_inside(m->body, down.notification.data));
			check_info(m->body, &down.info);
		}
		break;
	case BMP_STATISTICS:
		r = bmp_stats_begin(m, &stats);
		while (!r && (r = bmp_stats_next(&stats, &stat)) > 0)
			r = 0;
		break;
	case BMP_INITIATION:
		r = bmp_initiation_decode(m, &info);
		if (!r)
			check_info(m->body, &info);
		break;
	case BMP_TERMINATION:
		r = bmp_termination_decode(m, &t);
		if (!r)
			assert_true(view_inside(m->body, t.text));
		break;
	case BMP_MIRRORING:
		r = bmp_mirror_begin(m, &mirror);
		while (!r && (r = bmp_mirror_next(&mirror, &piece)) > 0) {
			assert_true(view_inside(m->body, piece.messages));
			r = 0;
		}
		break;
	}
	return r;
}

static void decode_stream(struct view v, void *ctx)
{
	struct rd r = rd_view(v);
	struct bmp_message m;
	size_t n = 0;
	while (bmp_message_next(&r, &m) > 0) {
		assert_true(view_inside(v, m.body));
		(void)decode(&m);
		n++;
	}
	assert_true(n * BMP_HEADER_BYTES <= v.len);
}

/* A message whose length fits but whose inside ends early: malformed, but for the kinds of message
 * that consist of TLVs only, when they end between two; a Peer Down that has its reason; and a
 * Statistics Report, whose count is not believed. */
static void truncate_inside(struct view v, void *ctx)
{
	const struct bmp_message *whole = ctx;
	struct bmp_message m = {3, whole->type, v};
	struct rd r = rd_view(v);
	struct bmp_tlv tlv;
	bool peer = m.type != BMP_INITIATION && m.type != BMP_TERMINATION;
	size_t head = peer ? 42 : 0;
	int got = decode(&m);
	if (v.len < head) {
		assert_int_equal(got, -EBADMSG);
		return;
	}
	rd_skip(&r, head);
	switch (m.type) {
	case BMP_PEER_UP:
	case BMP_ROUTE:
		break; /* checked below */
	case BMP_PEER_DOWN:
		assert_int_equal(got, v.len > 42 ? 0 : -EBADMSG);
		return;
	case BMP_STATISTICS:
		(void)rd_u32(&r);
		break;
	}
	if (m.type == BMP_ROUTE) {
		assert_int_equal(got, -EBADMSG);
		return;
	}
	if (m.type == BMP_PEER_UP)
		rd_skip(&r, 20 + 28 + sizeof(sent_parameters) + 28 + sizeof(received_parameters));
	while (bmp_tlv_next(&r, &tlv))
		;
	assert_int_equal(got, rd_done(&r) ? 0 : -EBADMSG);
}

static void test_damage(void **state)
{
	uint8_t buf[2048];
	size_t n = build_stream(buf, sizeof(buf));
	each_truncation(buf, n, decode_stream, NULL);
	each_change(buf, n, decode_stream, NULL);
	struct rd r = rd_make(buf, n);
	struct bmp_message m;
	while (bmp_message_next(&r, &m) > 0) {
		assert_int_equal(decode(&m), 0);
		each_truncation(m.body.data, m.body.len, truncate_inside, &m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_peer_header),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_distinguishers),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_route_refused),
		cmocka_unit_test(test_peer_up),
		cmocka_unit_test(test_peer_up_with_bad_opens),
		cmocka_unit_test(test_peer_down),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_mirror),
		cmocka_unit_test(test_damage),
	};
	return cmocka_run_group_tests_name("bgp_bmp", tests, NULL, NULL);
}

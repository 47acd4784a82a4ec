/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/message.h"

#include <errno.h>

#include "bgp_build.h"
#include "wt_test.h"

static int next_of(const void *data, size_t n, size_t max, struct bgp_message *ret,
	struct bgp_notification *ret_fault)
{
	struct rd r = rd_make(data, n);
	int got = bgp_message_next(&r, max, ret, ret_fault);
	assert_true(
		got > 0 ? rd_left(&r) == n - BGP_HEADER_BYTES - ret->body.len : rd_left(&r) == n);
	return got;
}

static void test_framing(void **state)
{
	uint8_t buf[256];
	struct wr w = wr_make(buf, sizeof(buf));
	size_t at = build_message(&w, BGP_MESSAGE_UPDATE);
	wr_bytes(&w, BYTES(0, 0, 0, 0));
	build_message_end(&w, at);
	at = build_message(&w, BGP_MESSAGE_KEEPALIVE);
	build_message_end(&w, at);
	at = build_message(&w, BGP_MESSAGE_NOTIFICATION);
	wr_bytes(&w, BYTES(6, 2, 1));
	build_message_end(&w, at);
	struct rd r = rd_make(buf, wr_len(&w));
	static const struct {
		int type;
		size_t body;
	} want[] = {{2, 4}, {4, 0}, {3, 3}};
	struct bgp_message m;
	struct bgp_notification fault;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(bgp_message_next(&r, BGP_MESSAGE_MAX, &m, &fault), 1);
		assert_int_equal(m.type, want[i].type);
		assert_int_equal(m.body.len, want[i].body);
	}
	assert_int_equal(bgp_message_next(&r, BGP_MESSAGE_MAX, &m, &fault), 0);
	assert_true(rd_done(&r));
}

/* Lengths each type may have: the last one refused, the first and last accepted. */
static void test_lengths(void **state)
{
	static const struct {
		unsigned type, shortest, longest, longest_extended;
	} types[] = {{1, 29, 4096, 4096}, {2, 23, 4096, 65535}, {3, 21, 4096, 65535},
		{4, 19, 19, 19}, {5, 19, 4096, 65535}};
	uint8_t *buf = calloc(1, 65536);
	memset(buf, 0xff, 16);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		for (unsigned len = 0; len < 65536; len++) {
			struct bgp_message m;
			struct bgp_notification fault;
			buf[16] = (uint8_t)(len >> 8);
			buf[17] = (uint8_t)len;
			buf[18] = (uint8_t)types[i].type;
			for (int extended = 0; extended < 2; extended++) {
				unsigned longest =
					extended ? types[i].longest_extended : types[i].longest;
				int got = next_of(buf, 65536,
					extended ? BGP_EXTENDED_MESSAGE_MAX : BGP_MESSAGE_MAX, &m,
					&fault);
				if (len >= types[i].shortest && len <= longest) {
					assert_int_equal(got, 1);
					assert_int_equal(m.body.len, len - 19);
					continue;
				}
				assert_int_equal(got, -EBADMSG);
				assert_int_equal(
					fault.code << 8 | fault.subcode, BGP_ERROR_HEADER_LENGTH);
				assert_int_equal(fault.data.len, 2);
				assert_memory_equal(fault.data.data, buf + 16, 2);
			}
		}
	}
	free(buf);
}

static void test_bad_headers(void **state)
{
	uint8_t buf[19];
	struct bgp_message m;
	struct bgp_notification fault;
	struct wr w = wr_make(buf, sizeof(buf));
	build_message_end(&w, build_message(&w, BGP_MESSAGE_KEEPALIVE));
	for (int i = 0; i < 16; i++) {
		buf[i] = 0xfe;
		assert_int_equal(next_of(buf, 19, BGP_MESSAGE_MAX, &m, &fault), -EBADMSG);
		assert_int_equal(
			fault.code << 8 | fault.subcode, BGP_ERROR_HEADER_NOT_SYNCHRONIZED);
		buf[i] = 0xff;
	}
	for (unsigned type = 0; type < 256; type++) {
		if (type >= 1 && type <= 5)
			continue;
		buf[18] = (uint8_t)type;
		assert_int_equal(next_of(buf, 19, BGP_MESSAGE_MAX, &m, &fault), -EBADMSG);
		assert_int_equal(fault.code << 8 | fault.subcode, BGP_ERROR_HEADER_TYPE);
		assert_int_equal(fault.data.len, 1);
		assert_ptr_equal(fault.data.data, buf + 18);
	}
}

static void want_more(struct view v, void *ctx)
{
	struct bgp_message m;
	struct bgp_notification fault;
	assert_int_equal(next_of(v.data, v.len, BGP_MESSAGE_MAX, &m, &fault), 0);
}

static void take_any(struct view v, void *ctx)
{
	struct bgp_message m;
	struct bgp_notification n;
	struct bgp_refresh refresh;
	struct view text;
	char buf[BGP_NOTIFICATION_TEXT_MAX];
	if (next_of(v.data, v.len, BGP_EXTENDED_MESSAGE_MAX, &m, &n) <= 0)
		return;
	assert_true(view_inside(v, m.body));
	if (bgp_notification_decode(m.body, &n) == 0) {
		assert_true(view_inside(m.body, n.data));
		assert_true(strlen(bgp_notification_format(&n, buf)) < sizeof(buf));
		if (bgp_shutdown_text(&n, &text))
			assert_true(view_inside(m.body, text));
	}
	if (bgp_refresh_decode(&m, &refresh, &n) < 0)
		assert_int_equal(n.code, 7);
}

static void test_damage(void **state)
{
	uint8_t buf[64];
	struct wr w = wr_make(buf, sizeof(buf));
	size_t at = build_message(&w, BGP_MESSAGE_NOTIFICATION);
	wr_bytes(&w, BYTES(6, 2, 5, 'h', 'e', 'l', 'l', 'o'));
	build_message_end(&w, at);
	each_truncation(buf, wr_len(&w), want_more, NULL);
	each_change(buf, wr_len(&w), take_any, NULL);
	w = wr_make(buf, sizeof(buf));
	bgp_refresh_encode(&w, &(struct bgp_refresh){.afi = 2, .safi = 1});
	each_truncation(buf, wr_len(&w), want_more, NULL);
	each_change(buf, wr_len(&w), take_any, NULL);
}

/* What an encoder wrote, as a message. */
static struct bgp_message reread(const struct wr *w)
{
	struct bgp_message m;
	struct bgp_notification fault;
	assert_true(wr_ok(w));
	assert_int_equal(next_of(w->start, wr_len(w), BGP_EXTENDED_MESSAGE_MAX, &m, &fault), 1);
	assert_int_equal(m.body.len + BGP_HEADER_BYTES, wr_len(w));
	return m;
}

static void test_round_trips(void **state)
{
	uint8_t buf[300];
	struct wr w = wr_make(buf, sizeof(buf));
	bgp_keepalive_encode(&w);
	assert_int_equal(reread(&w).type, BGP_MESSAGE_KEEPALIVE);

	struct bgp_notification n = bgp_fault(BGP_ERROR_OPEN_VERSION, VIEW(0, 4)), n2, fault;
	w = wr_make(buf, sizeof(buf));
	bgp_notification_encode(&w, &n);
	struct bgp_message m = reread(&w);
	assert_int_equal(m.type, BGP_MESSAGE_NOTIFICATION);
	assert_int_equal(bgp_notification_decode(m.body, &n2), 0);
	assert_int_equal(n2.code, 2);
	assert_int_equal(n2.subcode, 1);
	assert_int_equal(n2.data.len, 2);
	assert_memory_equal(n2.data.data, n.data.data, 2);

	struct bgp_refresh refresh = {.afi = 2, .kind = BGP_REFRESH_END, .safi = 1}, refresh2;
	w = wr_make(buf, sizeof(buf));
	bgp_refresh_encode(&w, &refresh);
	m = reread(&w);
	assert_int_equal(m.type, BGP_MESSAGE_REFRESH);
	assert_int_equal(bgp_refresh_decode(&m, &refresh2, &fault), 0);
	assert_int_equal(refresh2.afi, 2);
	assert_int_equal(refresh2.kind, BGP_REFRESH_END);
	assert_int_equal(refresh2.safi, 1);
}

static void test_notification_without_room(void **state)
{
	uint8_t buf[40], data[100] = {0};
	struct wr w = wr_make(buf, sizeof(buf));
	struct bgp_notification n =
		bgp_fault(BGP_ERROR_UPDATE_PREFIX, (struct view){data, sizeof(data)});
	bgp_notification_encode(&w, &n);
	assert_int_equal(reread(&w).body.len, 2);
}

static void assert_text(struct view body, const char *want)
{
	struct bgp_notification n;
	char buf[BGP_NOTIFICATION_TEXT_MAX];
	assert_int_equal(bgp_notification_decode(body, &n), 0);
	assert_string_equal(bgp_notification_format(&n, buf), want);
}

static void test_notification_text(void **state)
{
	assert_text(VIEW(6, 2), "Cease: Administrative Shutdown");
	assert_text(VIEW(6, 2, 3, 'b', 'y', 'e'), "Cease: Administrative Shutdown: \"bye\"");
	assert_text(VIEW(6, 4, 2, 0xc3, 0xa4), "Cease: Administrative Reset: \"\xc3\xa4\"");
	assert_text(VIEW(6, 3, 3, 'b', 'y', 'e'), "Cease: Peer De-configured"); /* no text goes with that */
	assert_text(VIEW(6, 2, 3, 'b', 'y'), "Cease: Administrative Shutdown");
	assert_text(VIEW(6, 2, 1, 'b', 'y'), "Cease: Administrative Shutdown");
	assert_text(VIEW(6, 2, 2, 'b', 7), "Cease: Administrative Shutdown");
	assert_text(VIEW(6, 2, 1, 0xff), "Cease: Administrative Shutdown");
	assert_text(VIEW(6, 9, 6, 2, 2, 'o', 'k'),
		"Hard Reset: Cease: Administrative Shutdown: \"ok\"");
	assert_text(VIEW(6, 9, 6), "Cease: Hard Reset");
	assert_text(VIEW(4, 0), "Hold Timer Expired");
	assert_text(
		VIEW(5, 1, 4), "Finite State Machine Error: Unexpected Message in OpenSent State");
	assert_text(VIEW(2, 77), "OPEN Message Error: subcode 77");
	assert_text(VIEW(99, 1), "error 99: subcode 1");
	struct bgp_notification n = {99, 1, NO_VIEW};
	assert_string_equal(bgp_notification_code(&n), "unknown error");
	assert_null(bgp_notification_subcode(&n));
	assert_int_equal(bgp_notification_decode(VIEW(6), &n), -EBADMSG);
}

/* The longest text there can be, with bytes that are multiplied by nothing. */
static void test_longest_shutdown_text(void **state)
{
	uint8_t body[3 + 255] = {6, 2, 255};
	char want[BGP_NOTIFICATION_TEXT_MAX];
	memset(body + 3, 'x', 255);
	int n = snprintf(want, sizeof(want), "Cease: Administrative Shutdown: \"%.255s\"",
		(const char *)body + 3);
	assert_true(n > 0 && n < (int)sizeof(want));
	assert_text((struct view){body, sizeof(body)}, want);
}

/* A ROUTE-REFRESH of this body, and how it is decoded. */
static int decode_refresh(struct view body, uint8_t message[static 32], struct bgp_notification *ret_fault)
{
	struct wr w = wr_make(message, 32);
	struct bgp_refresh refresh;
	size_t at = build_message(&w, BGP_MESSAGE_REFRESH);
	wr_bytes(&w, body.data, body.len);
	build_message_end(&w, at);
	struct bgp_message m = reread(&w);
	return bgp_refresh_decode(&m, &refresh, ret_fault);
}

static void test_refresh(void **state)
{
	uint8_t message[32];
	struct bgp_notification fault;
	assert_int_equal(decode_refresh(VIEW(0, 1, 0, 1, 9, 9), message, &fault), 0); /* with filters */
	assert_int_equal(decode_refresh(VIEW(0, 1, 1, 1, 9), message, &fault), -EBADMSG);
	assert_int_equal(fault.code << 8 | fault.subcode, BGP_ERROR_REFRESH_LENGTH);
	assert_int_equal(fault.data.len, BGP_HEADER_BYTES + 5); /* RFC 7313 section 5: the complete message */
	assert_memory_equal(fault.data.data, message, fault.data.len);
	assert_int_equal(decode_refresh(VIEW(0, 1, 0), message, &fault), -EBADMSG);
	assert_int_equal(decode_refresh(VIEW(0, 1, 200, 1, 9), message, &fault), 0); /* to be ignored */
}

static void test_families(void **state)
{
	assert_int_equal(bgp_family(1, 1), BGP_IPV4_UNICAST);
	assert_int_equal(bgp_family(2, 1), BGP_IPV6_UNICAST);
	assert_int_equal(bgp_family(0, 1), -1);
	assert_int_equal(bgp_family(3, 1), -1);
	assert_int_equal(bgp_family(1, 2), -1);
	assert_int_equal(bgp_family(2, 128), -1);
	for (unsigned f = 0; f < BGP_FAMILIES; f++)
		assert_int_equal(bgp_family(bgp_family_afi((enum bgp_family)f), 1), (int)f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_notification_without_room),
		cmocka_unit_test(test_notification_text),
		cmocka_unit_test(test_longest_shutdown_text),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_families),
	};
	return cmocka_run_group_tests_name("bgp_message", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/mrt.h"

#include <errno.h>

#include "mrt_build.h"
#include "wt_test.h"

/* The record in a buffer that starts with a header, or what is left of one. */
static int record_of(struct view v, struct mrt_record *ret)
{
	if (v.len < MRT_HEADER_BYTES)
		return -EBADMSG;
	struct mrt_header h = mrt_header_decode(v.data);
	return mrt_record_init(&h, (struct view){v.data + MRT_HEADER_BYTES, v.len - MRT_HEADER_BYTES}, ret);
}

static void append(char *out, size_t cap, const char *fmt, ...) PRINTF(3, 4);
static void append(char *out, size_t cap, const char *fmt, ...)
{
	va_list ap;
	size_t n = strlen(out);
	va_start(ap, fmt);
	(void)vsnprintf(out + n, cap - n, fmt, ap);
	va_end(ap);
}

static void note_addr(char *out, size_t cap, const char *what, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	append(out, cap, " %s %s", what, addr_format(a, text));
}

static int walk_peers(const struct mrt_record *record, char *out, size_t cap)
{
	struct mrt_peers peers;
	struct mrt_peer peer;
	int r = mrt_peers_begin(record, &peers);
	if (r < 0)
		return r;
	assert_true(view_inside(record->body, peers.view_name));
	append(out, cap, "peers %u %.*s", peers.count, (int)(peers.view_name.len % 40), (const char *)peers.view_name.data);
	while ((r = mrt_peers_next(&peers, &peer)) > 0) {
		note_addr(out, cap, "peer", &peer.addr);
		append(out, cap, " as %u", peer.as);
	}
	return r;
}

static int walk_rib(const struct mrt_record *record, char *out, size_t cap)
{
	struct mrt_rib rib;
	struct mrt_entry entry;
	char text[PREFIX_TEXT_MAX];
	int r = mrt_rib_begin(record, &rib);
	if (r < 0)
		return r;
	append(out, cap, "%s%s %s", rib.generic ? "generic " : "", rib.safi == 2 ? "multicast" : "rib",
		prefix_format(&rib.prefix, text));
	note_addr(out, cap, "written", &rib.written);
	while ((r = mrt_rib_next(&rib, &entry)) > 0) {
		struct bgp_attr_rules rules = mrt_dump_rules(4);
		struct bgp_attrs attrs;
		assert_true(view_inside(record->body, entry.attrs));
		append(out, cap, " entry %u id %u severity %d", entry.peer, entry.path_id,
			bgp_attrs_decode(entry.attrs, &rules, &attrs));
	}
	return r;
}

static int walk_table(const struct mrt_record *record, char *out, size_t cap)
{
	struct mrt_table t;
	char text[PREFIX_TEXT_MAX];
	int r = mrt_table_decode(record, &t);
	if (r < 0)
		return r;
	assert_true(view_inside(record->body, t.attrs));
	append(out, cap, "table %s", prefix_format(&t.prefix, text));
	note_addr(out, cap, "peer", &t.peer);
	append(out, cap, " as %u bytes %u attrs %zu", t.peer_as, t.as_bytes, t.attrs.len);
	return 0;
}

static int walk_message(const struct mrt_record *record, char *out, size_t cap)
{
	struct mrt_message m;
	struct bgp_update u;
	int r = mrt_message_decode(record, &m);
	if (r < 0)
		return r;
	assert_true(view_inside(record->body, m.body));
	append(out, cap, "message %u of %zu%s%s%s", m.type, m.body.len, m.cut ? " cut" : "",
		m.session.sent ? " sent" : "", m.session.add_path ? " add-path" : "");
	note_addr(out, cap, "peer", &m.session.peer);
	note_addr(out, cap, "local", &m.session.local);
	append(out, cap, " as %u %u bytes %u", m.session.peer_as, m.session.local_as, m.session.as_bytes);
	if (bgp_update_split(m.body, &u))
		assert_true(view_inside(m.body, u.withdrawn) && view_inside(m.body, u.attrs) && view_inside(m.body, u.nlri));
	return 0;
}

static int walk_state(const struct mrt_record *record, char *out, size_t cap)
{
	struct mrt_state s;
	int r = mrt_state_decode(record, &s);
	if (r < 0)
		return r;
	append(out, cap, "state %u %u", s.old_state, s.new_state);
	note_addr(out, cap, "peer", &s.session.peer);
	append(out, cap, " as %u", s.session.peer_as);
	return 0;
}

/* Decodes whatever the record is; the result in words. */
static int walk(struct view v, char *out, size_t cap)
{
	struct mrt_record record;
	*out = '\0';
	int r = record_of(v, &record);
	if (r < 0)
		return r;
	if (record.microseconds)
		append(out, cap, "us %u ", record.microseconds);
	switch (mrt_kind(&record)) {
	case MRT_PEERS:
		return walk_peers(&record, out, cap);
	case MRT_RIB:
		return walk_rib(&record, out, cap);
	case MRT_TABLE:
		return walk_table(&record, out, cap);
	case MRT_MESSAGE:
		return walk_message(&record, out, cap);
	case MRT_STATE:
		return walk_state(&record, out, cap);
	case MRT_OTHER:
		append(out, cap, "other");
		return 0;
	}
	return -EINVAL;
}

static void build_session(struct wr *w, unsigned as_bytes, bool ipv6)
{
	for (unsigned i = 0; i < 2; i++) {
		if (as_bytes == 4)
			wr_u32(w, 65536 + i);
		else
			wr_u16(w, (uint16_t)(64500 + i));
	}
	wr_u16(w, 3);
	wr_u16(w, ipv6 ? 2 : 1);
	for (unsigned i = 1; i < 3; i++) {
		if (ipv6)
			wr_bytes(w, BYTES(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)i));
		else
			wr_bytes(w, BYTES(192, 0, 2, (uint8_t)i));
	}
}

static void build_message(struct wr *w, unsigned type, unsigned subtype, unsigned as_bytes, bool ipv6)
{
	size_t at = build_record(w, type, subtype);
	if (type == MRT_TYPE_BGP4MP_ET)
		wr_u32(w, 123456);
	build_session(w, as_bytes, ipv6);
	wr_u64(w, UINT64_MAX);
	wr_u64(w, UINT64_MAX);
	wr_bytes(w, BYTES(0, 26, 2, 0, 3, 16, 10, 1, 0, 0));
	build_record_end(w, at);
}

static void build_state(struct wr *w, unsigned subtype, unsigned as_bytes, bool ipv6)
{
	size_t at = build_record(w, 16, subtype);
	build_session(w, as_bytes, ipv6);
	wr_bytes(w, BYTES(0, 3, 0, 6));
	build_record_end(w, at);
}

/* 17: RIB_GENERIC; 18: with ADD-PATH as GoBGP and OpenBGPD write it; 19: as RFC 8050 has it. */
static void build_generic(struct wr *w, unsigned i, const struct build_entry *entries)
{
	size_t at = build_record(w, 13, i == 17 ? 6 : 12);
	wr_bytes(w, BYTES(0, 0, 0, 5, 0, 2, 1));
	if (i == 19)
		wr_u32(w, 77);
	wr_bytes(w, BYTES(32, 0x20, 1, 0xd, 0xb8, 0, 2));
	for (unsigned n = 0; n < 2; n++) {
		wr_u16(w, (uint16_t)entries[n].peer);
		wr_u32(w, 1699999999);
		if (i == 18)
			wr_u32(w, entries[n].path_id);
		wr_u16(w, (uint16_t)entries[n].attrs.len);
		wr_bytes(w, entries[n].attrs.data, entries[n].attrs.len);
	}
	build_record_end(w, at);
}

static void build_sample(unsigned i, struct wr *w)
{
	uint8_t block[256];
	struct wr b = wr_make(block, sizeof(block));
	build_attr(&b, 0x40, BGP_ATTR_ORIGIN, BYTES(0));
	build_path(&b, 4, (uint32_t[]){64500, 4200000000u}, 2);
	struct view attrs = {block, wr_len(&b)};
	const struct build_entry entries[] = {{0, 7, attrs}, {1, 8, {block, 4}}, {2, 9, {block, 0}}};
	static const uint8_t v4[] = {192, 0, 2, 0xff}, v6[] = {0x20, 1, 0xd, 0xb8, 0, 0xff};
	size_t at;
	switch (i) {
	case 0:
		build_peers(w, 2);
		break;
	case 1:
		at = build_record(w, 13, 1);
		wr_bytes(w, BYTES(1, 2, 3, 4, 0, 0, 0, 2, 3, 9, 9, 9, 9, 0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			5, 0, 1, 0, 0, 0, 9, 9, 9, 9, 1, 2, 3, 4, 0, 7));
		build_record_end(w, at);
		break;
	case 2:
		build_rib(w, false, false, v4, 30, entries, 3);
		break;
	case 3:
		build_rib(w, true, true, v6, 44, entries, 3);
		break;
	case 4:
		build_rib(w, false, true, v4, 0, entries, 1);
		break;
	case 5:
		build_rib(w, true, false, v6, 48, entries, 0);
		break;
	case 6:
		at = build_record(w, 12, 1);
		wr_bytes(w, BYTES(0, 0, 0, 1, 192, 0, 2, 0, 24, 1, 0, 0, 0, 9, 198, 51, 100, 1, 0xfb, 0xf4, 0, 4, 0x40, 1, 1, 0));
		build_record_end(w, at);
		break;
	case 7:
		at = build_record(w, 12, 4);
		wr_bytes(w, BYTES(0, 0, 0, 1, 0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 1, 0, 0, 0, 9, 0x20, 1,
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0));
		build_record_end(w, at);
		break;
	case 8:
		build_message(w, 16, 1, 2, false);
		break;
	case 9:
		build_message(w, 17, 4, 4, true);
		break;
	case 10:
		build_message(w, 16, 11, 4, false);
		break;
	case 11:
		build_state(w, 0, 2, false);
		break;
	case 12:
		build_state(w, 5, 4, true);
		break;
	case 13:
		at = build_record(w, 16, 0);
		wr_bytes(w, BYTES(0, 1, 0, 2, 0, 3, 0, 1));
		build_record_end(w, at);
		break;
	case 14: /* GEO_PEER_TABLE */
		at = build_record(w, 13, 7);
		wr_bytes(w, BYTES(1));
		build_record_end(w, at);
		break;
	case 15:
		build_rib(w, false, false, v4, 24, entries, 3);
		w->start[7] = 3;
		break;
	case 16:
		build_rib(w, true, true, v6, 44, entries, 3);
		w->start[7] = 11;
		break;
	case 17:
	case 18:
	case 19:
		build_generic(w, i, entries);
		break;
	case 20:
		at = build_record(w, 5, 1);
		wr_bytes(w, BYTES(0, 9, 192, 0, 2, 1, 0, 8, 192, 0, 2, 2, 0, 2, 8, 10, 0, 0));
		build_record_end(w, at);
		break;
	case 21:
		at = build_record(w, 5, 3);
		wr_bytes(w, BYTES(0, 9, 192, 0, 2, 1, 0, 6, 0, 1));
		build_record_end(w, at);
		break;
	}
}

static const char *const samples[] = {
	"peers 2 vw peer 192.0.2.1 as 64500 peer 192.0.2.2 as 64501",
	"peers 2  peer 2001::5 as 65536 peer 1.2.3.4 as 7",
	"rib 192.0.2.252/30 written 192.0.2.255 entry 0 id 0 severity 0 entry 1 id 0 severity 0 entry 2 id 0 severity 0",
	"rib 2001:db8:f0::/44 written 2001:db8:ff:: entry 0 id 7 severity 0 entry 1 id 8 severity 0 entry 2 id 9 severity 0",
	"rib 0.0.0.0/0 written 0.0.0.0 entry 0 id 7 severity 0",
	"rib 2001:db8:ff::/48 written 2001:db8:ff::",
	"table 192.0.2.0/24 peer 198.51.100.1 as 64500 bytes 2 attrs 4",
	"table 2001::/16 peer 2001::1 as 65536 bytes 4 attrs 0",
	"message 2 of 7 peer 192.0.2.1 local 192.0.2.2 as 64500 64501 bytes 2",
	"us 123456 message 2 of 7 peer 2001:db8::1 local 2001:db8::2 as 65536 65537 bytes 4",
	"message 2 of 7 sent add-path peer 192.0.2.1 local 192.0.2.2 as 65536 65537 bytes 4",
	"state 3 6 peer 192.0.2.1 as 64500",
	"state 3 6 peer 2001:db8::1 as 65536",
	"state 3 1 peer 0.0.0.0 as 1",
	"other",
	"multicast 192.0.2.0/24 written 192.0.2.0 entry 0 id 0 severity 0 entry 1 id 0 severity 0 entry 2 id 0 severity 0",
	"multicast 2001:db8:f0::/44 written 2001:db8:ff:: entry 0 id 7 severity 0 entry 1 id 8 severity 0 entry 2 id 9 severity 0",
	"generic rib 2001:db8::/32 written 2001:db8:: entry 0 id 0 severity 0 entry 1 id 0 severity 0",
	"generic rib 2001:db8::/32 written 2001:db8:: entry 0 id 7 severity 0 entry 1 id 8 severity 0",
	"generic rib 2001:db8::/32 written 2001:db8:: entry 0 id 77 severity 0 entry 1 id 77 severity 0",
	"message 2 of 6 peer 192.0.2.1 local 192.0.2.2 as 9 8 bytes 2",
	"state 6 1 peer 192.0.2.1 as 9",
};

static void test_good(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(samples); i++) {
		uint8_t buf[1024];
		char text[1024];
		struct wr w = wr_make(buf, sizeof(buf));
		build_sample(i, &w);
		assert_int_equal(walk((struct view){buf, wr_len(&w)}, text, sizeof(text)), 0);
		assert_string_equal(text, samples[i]);
	}
}

/* Whatever is missing at the end is missed: except of a message, which then counts as cut, of what is not
 * decoded at all, and where a state record's first eight bytes look like one of Zebra's. */
static void check_truncated(struct view v, void *ctx)
{
	char text[2048];
	int r = walk(v, text, sizeof(text));
	bool zebra = v.len == MRT_HEADER_BYTES + 8 && strncmp(text, "state ", 6) == 0;
	bool no_entries = strstr(text, "rib ::/0") && v.len == MRT_HEADER_BYTES + 10; /* of sample 19: the path id */
	bool old = strstr(text, " bytes 2") && v.data[5] == 5; /* has no length of its own */
	assert_true(r == -EBADMSG || strstr(text, " cut") || strcmp(text, "other") == 0 || zebra || old || no_entries);
}

static void check_changed(struct view v, void *ctx)
{
	char text[4096];
	int r = walk(v, text, sizeof(text));
	assert_true(r == 0 || r == -EBADMSG || r == -EAFNOSUPPORT);
}

static void test_damage(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(samples); i++) {
		uint8_t buf[1024];
		struct wr w = wr_make(buf, sizeof(buf));
		build_sample(i, &w);
		each_truncation(buf, wr_len(&w), check_truncated, NULL);
		each_change(buf, wr_len(&w), check_changed, NULL);
	}
}

static void test_kinds(void **state)
{
	static const struct {
		uint16_t type, subtype;
		enum mrt_kind kind;
	} cases[] = {{11, 0, MRT_OTHER}, {12, 0, MRT_OTHER}, {12, 2, MRT_TABLE}, {12, 5, MRT_OTHER}, {13, 0, MRT_OTHER},
		{13, 1, MRT_PEERS}, {13, 2, MRT_RIB}, {13, 3, MRT_RIB}, {13, 4, MRT_RIB}, {13, 5, MRT_RIB},
		{13, 6, MRT_RIB}, {13, 7, MRT_OTHER}, {13, 8, MRT_RIB}, {13, 9, MRT_RIB}, {13, 10, MRT_RIB},
		{13, 12, MRT_RIB}, {13, 13, MRT_OTHER}, {5, 1, MRT_MESSAGE}, {5, 3, MRT_STATE}, {5, 7, MRT_OTHER}, {16, 0, MRT_STATE}, {16, 2, MRT_OTHER}, {16, 3, MRT_OTHER}, {16, 5, MRT_STATE},
		{16, 6, MRT_MESSAGE}, {17, 11, MRT_MESSAGE}, {17, 12, MRT_OTHER}, {48, 0, MRT_OTHER}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mrt_record r = {.type = cases[i].type, .subtype = cases[i].subtype};
		assert_int_equal(mrt_kind(&r), cases[i].kind);
	}
}

static void test_refused(void **state)
{
	uint8_t buf[512];
	char text[1024];
	/* A prefix longer than its family has, in each kind of table. */
	for (unsigned i = 2; i <= 7; i++) {
		struct wr w = wr_make(buf, sizeof(buf));
		build_sample(i, &w);
		bool ipv6 = i == 3 || i == 5 || i == 7;
		buf[12 + (i < 6 ? 4 : ipv6 ? 20 : 8)] = ipv6 ? 129 : 33;
		assert_int_equal(walk((struct view){buf, wr_len(&w)}, text, sizeof(text)), -EBADMSG);
	}
	/* A message with a bad marker, one shorter than its header, an unknown address family. */
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {{12 + 16, 0xfe}, {12 + 16 + 17, 18}, {12 + 7, 3}};
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct wr w = wr_make(buf, sizeof(buf));
		build_sample(8, &w);
		buf[changes[i].at] = changes[i].value;
		assert_int_equal(walk((struct view){buf, wr_len(&w)}, text, sizeof(text)), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* A table with messages on top of it must load as the table would that a collector dumps after those
 * messages: random tables and messages, and the final state kept here and written as a plain dump. */

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mrt_build.h"
#include "route/load.h"
#include "wt_test.h"

enum { PREFIXES = 24, PEERS = 5, IDS = 3, FILES = 3, TABLE_TIME = 1700000000, BYTES_MAX = 1 << 18 };

static char folder[] = "/tmp/whereto-updates-XXXXXX";
static struct route_table *table;

/* What a collector knows: 0 is no route, else the number of a set of attributes. */
struct state {
	bool ipv6, add_path;
	uint16_t route[PREFIXES][PEERS][IDS]; /* without ADD-PATH the first identifier only */
};

/* ---- writing ---- */

static size_t put_block(struct wr *w, unsigned set, bool ipv6, bool message, struct view nlri)
{
	size_t start = wr_len(w);
	uint32_t as[4] = {64500 + set % 3, 174, 3356, 15169};
	build_attr(w, 0x40, BGP_ATTR_ORIGIN, BYTES((uint8_t)(set % 5 == 0)));
	build_path(w, 4, as, 1 + set % 4);
	if (!ipv6)
		build_attr(w, 0x40, BGP_ATTR_NEXT_HOP, BYTES(192, 0, (uint8_t)(set >> 8), (uint8_t)set));
	if (set % 3)
		build_attr_u32(w, 0x80, BGP_ATTR_MED, set % 7);
	if (set % 4 == 0)
		build_attr_u32(w, 0x40, BGP_ATTR_LOCAL_PREF, 90 + set % 30);
	if (ipv6) {
		uint8_t buf[512];
		struct wr v = wr_make(buf, sizeof(buf));
		if (message) {
			wr_u16(&v, BGP_AFI_IPV6);
			wr_u8(&v, BGP_SAFI_UNICAST);
		}
		wr_u8(&v, 16);
		wr_bytes(&v, BYTES(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)(set >> 8), (uint8_t)set));
		if (message) {
			wr_u8(&v, 0);
			wr_bytes(&v, nlri.data, nlri.len);
		}
		build_attr(w, 0x80, BGP_ATTR_MP_REACH, buf, wr_len(&v));
	}
	return wr_len(w) - start;
}

static void put_prefix(struct wr *w, const struct state *s, unsigned prefix, int path_id)
{
	if (path_id >= 0)
		wr_u32(w, (uint32_t)path_id + 1);
	wr_u8(w, s->ipv6 ? 48 : 24);
	if (s->ipv6)
		wr_bytes(w, BYTES(0x20, 1, 0xd, 0xb8, 0, (uint8_t)prefix));
	else
		wr_bytes(w, BYTES(198, 51, (uint8_t)prefix));
}

static void set_time(struct wr *w, size_t at, uint32_t time)
{
	struct wr t = wr_make(w->start + at, 4);
	wr_u32(&t, time);
}

static void put_table(struct wr *w, const struct state *s)
{
	size_t at = wr_len(w);
	build_peers(w, PEERS);
	set_time(w, at, TABLE_TIME);
	for (unsigned p = 0; p < PREFIXES; p++) {
		struct build_entry entries[PEERS * IDS];
		uint8_t blocks[4096];
		struct wr b = wr_make(blocks, sizeof(blocks));
		unsigned n = 0;
		for (unsigned i = 0; i < PEERS * IDS; i++) {
			unsigned set = s->route[p][i / IDS][i % IDS];
			if (!set)
				continue;
			uint8_t *start = b.p;
			size_t len = put_block(&b, set, s->ipv6, false, (struct view){NULL, 0});
			entries[n++] = (struct build_entry){i / IDS, i % IDS + 1, {start, len}};
		}
		const uint8_t v4[] = {198, 51, (uint8_t)p}, v6[] = {0x20, 1, 0xd, 0xb8, 0, (uint8_t)p};
		if (n)
			build_rib(w, s->ipv6, s->add_path, s->ipv6 ? v6 : v4, s->ipv6 ? 48 : 24, entries, n);
	}
}

static void put_session(struct wr *w, unsigned peer)
{
	wr_u32(w, 64500 + peer);
	wr_u32(w, 65000);
	wr_bytes(w, BYTES(0, 0, 0, 1, 192, 0, 2, (uint8_t)(peer + 1), 192, 0, 2, 200));
}

static size_t begin_message(struct wr *w, unsigned subtype, unsigned peer, unsigned type, size_t len)
{
	size_t at = build_record(w, 16, subtype);
	put_session(w, peer);
	wr_u64(w, UINT64_MAX);
	wr_u64(w, UINT64_MAX);
	wr_u16(w, (uint16_t)(19 + len));
	wr_u8(w, (uint8_t)type);
	return at;
}

/* An UPDATE for one prefix; set 0 withdraws it. hidden: ADD-PATH, and the subtype does not say so. */
static void put_update(struct wr *w, const struct state *s, unsigned peer, unsigned prefix, int path_id, unsigned set,
	bool sent, bool hidden, uint32_t time)
{
	uint8_t nlri[64], body[512];
	struct wr n = wr_make(nlri, sizeof(nlri)), b = wr_make(body, sizeof(body));
	put_prefix(&n, s, prefix, s->add_path ? path_id : -1);
	struct view list = {nlri, wr_len(&n)};
	bool withdrawn_first = !set && !s->ipv6;
	wr_u16(&b, withdrawn_first ? (uint16_t)list.len : 0);
	if (withdrawn_first)
		wr_bytes(&b, list.data, list.len);
	uint8_t block[300];
	struct wr a = wr_make(block, sizeof(block));
	if (set)
		(void)put_block(&a, set, s->ipv6, true, list);
	if (!set && s->ipv6) {
		wr_u8(&a, 0x80);
		wr_u8(&a, BGP_ATTR_MP_UNREACH);
		wr_u8(&a, (uint8_t)(3 + list.len));
		wr_bytes(&a, BYTES(0, 2, 1));
		wr_bytes(&a, list.data, list.len);
	}
	wr_u16(&b, (uint16_t)wr_len(&a));
	wr_bytes(&b, block, wr_len(&a));
	if (set && !s->ipv6)
		wr_bytes(&b, list.data, list.len);
	unsigned subtype = s->add_path && !hidden ? (sent ? 11 : 9) : sent ? 7 : 4;
	size_t at = begin_message(w, subtype, peer, 2, wr_len(&b));
	wr_bytes(w, body, wr_len(&b));
	build_record_end(w, at);
	set_time(w, at, time);
}

static void put_down(struct wr *w, unsigned peer, bool notification, uint32_t time)
{
	size_t at;
	if (notification) {
		at = begin_message(w, 4, peer, 3, 2);
		wr_bytes(w, BYTES(6, 2));
	} else {
		at = build_record(w, 16, 5);
		put_session(w, peer);
		wr_bytes(w, BYTES(0, 6, 0, 1));
	}
	build_record_end(w, at);
	set_time(w, at, time);
}

/* What changes nothing. */
static void put_noise(struct wr *w, const struct state *s, uint32_t time)
{
	unsigned peer = wt_random_below(PEERS), prefix = wt_random_below(PREFIXES);
	switch (wt_random_below(5)) {
	case 0:
		put_update(w, s, peer, prefix, 0, 1 + wt_random_below(400), false, false, TABLE_TIME - 1);
		break;
	case 1:
		put_down(w, peer, false, TABLE_TIME - 1);
		break;
	case 2:
		put_update(w, s, peer, prefix, 0, 1 + wt_random_below(400), true, false, time);
		break;
	case 3: { /* a collision of connections */
		size_t at = begin_message(w, 4, peer, 3, 2);
		wr_bytes(w, BYTES(6, 7));
		build_record_end(w, at);
		set_time(w, at, time);
		break;
	}
	case 4: { /* a message that is cut */
		size_t at = begin_message(w, 4, peer, 2, 400);
		wr_bytes(w, BYTES(0, 4, 24, 198, 51, (uint8_t)prefix, 0, 0));
		build_record_end(w, at);
		set_time(w, at, time);
		break;
	}
	}
}

/* ---- the model ---- */

static void random_state(struct state *s)
{
	*s = (struct state){.ipv6 = wt_random_below(2), .add_path = wt_random_below(2)};
	for (unsigned p = 0; p < PREFIXES; p++)
		for (unsigned i = 0; i < PEERS * IDS; i++)
			if ((s->add_path || i % IDS == 0) && wt_random_below(3) == 0)
				s->route[p][i / IDS][i % IDS] = (uint16_t)(1 + wt_random_below(400));
}

static void random_event(struct state *s, struct wr *w, uint32_t time)
{
	unsigned peer = wt_random_below(PEERS), prefix = wt_random_below(PREFIXES);
	unsigned path = s->add_path ? wt_random_below(IDS) : 0;
	unsigned what = wt_random_below(20);
	if (what < 2) {
		put_noise(w, s, time);
		return;
	}
	if (what == 2) {
		put_down(w, peer, wt_random_below(2), time);
		for (unsigned p = 0; p < PREFIXES; p++)
			memset(s->route[p][peer], 0, sizeof(s->route[p][peer]));
		return;
	}
	unsigned set = what < 9 ? 0 : 1 + wt_random_below(400);
	put_update(w, s, peer, prefix, (int)path, set, false, s->add_path && wt_random_below(4) == 0, time);
	s->route[prefix][peer][path] = (uint16_t)set;
}

/* ---- files ---- */

static const char *name_of(const char *name)
{
	static char buf[16][64];
	static unsigned turn;
	char *p = buf[turn++ % 16];
	(void)snprintf(p, sizeof(buf[0]), "%s/%s", folder, name);
	return p;
}

static void write_file(const char *name, const struct wr *w)
{
	(void)unlink(name_of(name)); /* some file systems flush what overwrites a file */
	FILE *f = fopen(name_of(name), "w");
	assert_non_null(f);
	assert_true(wr_ok(w));
	assert_int_equal(fwrite(w->start, 1, wr_len(w), f), wr_len(w));
	assert_int_equal(fclose(f), 0);
}

static int load(const char *file, const char *const *updates, size_t count, const char *peer,
	struct route_load_stats *stats, struct error *err)
{
	struct addr a;
	if (peer)
		assert_int_equal(addr_parse(peer, &a), 0);
	const struct route_load what = {.file = name_of(file), .updates = updates, .update_count = count,
		.peer = peer ? &a : NULL};
	return route_load(table, 0, &what, stats, err);
}

struct seen {
	struct addr next_hop[PREFIXES]; /* tells the set */
	size_t routes;
};

static void look(bool ipv6, struct seen *ret)
{
	*ret = (struct seen){.routes = route_count(table, 0)};
	for (unsigned p = 0; p < PREFIXES; p++) {
		struct route_hit hit;
		struct addr a = ipv6 ? addr_from_v6((uint8_t[16]){0x20, 1, 0xd, 0xb8, 0, (uint8_t)p})
				     : addr_from_v4((uint8_t[]){198, 51, (uint8_t)p, 1});
		if (route_lookup(table, 0, &a, &hit))
			ret->next_hop[p] = route_attrs(table, hit.attrs).next_hop;
	}
}

static uint8_t bytes[BYTES_MAX], more[FILES][BYTES_MAX];

static void compare(const char *what, const struct state *s, const char *file, const char *const *updates, size_t count)
{
	static const char *const peers[] = {NULL, "192.0.2.1", "192.0.2.4"};
	for (unsigned i = 0; i < ARRAY_LEN(peers); i++) {
		struct route_load_stats stats;
		struct error err = {0};
		struct seen expected, got;
		if (load("final", NULL, 0, peers[i], &stats, &err) < 0)
			fail_msg("%s", err.text);
		look(s->ipv6, &expected);
		if (load(file, updates, count, peers[i], &stats, &err) < 0)
			fail_msg("%s: %s", what, err.text);
		look(s->ipv6, &got);
		if (memcmp(&expected, &got, sizeof(got)) != 0)
			fail_msg("%s, peer %s: not as dumped afterwards", what, peers[i] ? peers[i] : "any");
		assert_int_equal(stats.routes, got.routes);
	}
}

static void test_random(void **state)
{
	for (unsigned round = 0; round < 150; round++) {
		struct state s;
		struct wr w = wr_make(bytes, sizeof(bytes)), u[FILES];
		random_state(&s);
		put_table(&w, &s);
		write_file("table", &w);
		/* Messages in the table's file, then in files of their own. */
		uint32_t time = TABLE_TIME;
		unsigned own = wt_random_below(3) * wt_random_below(60);
		for (unsigned i = 0; i < own; i++)
			random_event(&s, &w, time += wt_random_below(2));
		write_file("both", &w);
		struct wr f = wr_make(more[0], sizeof(more[0]));
		put_table(&f, &s);
		write_file("final", &f);
		compare("messages behind the table", &s, "both", NULL, 0);
		for (unsigned n = 0; n < FILES; n++) {
			u[n] = wr_make(more[n], sizeof(more[n]));
			for (unsigned i = wt_random_below(80); i; i--)
				random_event(&s, &u[n], time += wt_random_below(2));
			write_file((const char *[]){"u1.mrt", "u2.mrt", "u3.mrt"}[n], &u[n]);
		}
		f = wr_make(more[0], sizeof(more[0]));
		put_table(&f, &s);
		write_file("final", &f);
		char pattern[64];
		(void)snprintf(pattern, sizeof(pattern), "%s/u*.mrt", folder);
		compare("update files too", &s, "both", (const char *[]){pattern}, 1);
		if (!own)
			compare("only update files", &s, "table", (const char *[]){pattern}, 1);
	}
}

static void test_counts(void **state)
{
	struct state s = {.route = {{{1, 0, 0}, {2, 0, 0}}}};
	struct wr w = wr_make(bytes, sizeof(bytes));
	struct route_load_stats stats;
	struct error err = {0};
	put_table(&w, &s);
	write_file("table", &w);
	w = wr_make(bytes, sizeof(bytes));
	put_update(&w, &s, 0, 5, 0, 9, false, false, TABLE_TIME);
	put_update(&w, &s, 0, 6, 0, 9, false, false, TABLE_TIME - 1);
	put_update(&w, &s, 4, 7, 0, 9, false, false, TABLE_TIME + 5);
	size_t at = begin_message(&w, 4, 0, 2, 5); /* a prefix of 99 bits */
	wr_bytes(&w, BYTES(0, 0, 0, 0, 99));
	build_record_end(&w, at);
	build_peers(&w, 1); /* of no use here */
	write_file("u1.mrt", &w);
	const char *updates[] = {name_of("u1.mrt")};
	assert_int_equal(load("table", updates, 1, NULL, &stats, &err), 0);
	assert_int_equal(stats.messages, 2);
	assert_int_equal(stats.older, 1);
	assert_int_equal(stats.malformed, 1);
	assert_int_equal(stats.skipped, 1);
	assert_int_equal(stats.routes, 3);
	assert_int_equal(stats.entries, 2);
	/* A peer that only messages know. */
	assert_int_equal(load("table", updates, 1, "192.0.2.5", &stats, &err), 0);
	assert_int_equal(stats.routes, 1);
	assert_int_equal(load("table", updates, 1, "192.0.2.77", &stats, &err), -ENOENT);
}

static void test_errors(void **state)
{
	struct state s = {.route = {{{1, 0, 0}}}};
	struct wr w = wr_make(bytes, sizeof(bytes));
	struct route_load_stats stats;
	struct error err = {0};
	put_table(&w, &s);
	write_file("table", &w);
	w = wr_make(bytes, sizeof(bytes));
	for (unsigned p = 0; p < 4; p++)
		put_update(&w, &s, 0, p, 0, 1, false, false, TABLE_TIME);
	write_file("u1.mrt", &w);
	char absent[64], nothing[64];
	(void)snprintf(absent, sizeof(absent), "%s/absent.mrt", folder);
	(void)snprintf(nothing, sizeof(nothing), "%s/absent*.mrt", folder);
	assert_int_equal(load("table", (const char *[]){absent}, 1, NULL, &stats, &err), -ENOENT);
	assert_non_null(strstr(err.text, absent));
	assert_int_equal(load("table", (const char *[]){nothing}, 1, NULL, &stats, &err), 0);
	/* At the bound, and one beyond it. */
	const char *updates[] = {name_of("u1.mrt")};
	for (uint32_t max = 4; max >= 3; max--) {
		const struct route_load what = {.file = name_of("table"), .updates = updates, .update_count = 1,
			.changes_max = max};
		assert_int_equal(route_load(table, 0, &what, &stats, &err), max == 4 ? 0 : -ENOSPC);
	}
	assert_non_null(strstr(err.text, "more than 3 routes"));
	assert_non_null(strstr(err.text, "u1.mrt: offset "));
	/* Damage names the update file. */
	w.p -= 3;
	write_file("u1.mrt", &w);
	assert_int_equal(load("table", updates, 1, NULL, &stats, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "u1.mrt: offset "));
}

/* A table without path identifiers and messages with them, and the other way around: one route of the
 * peer to each prefix. */
static void test_mixed_ids(void **state)
{
	for (unsigned way = 0; way < 2; way++) {
		struct state with = {.route = {{{1, 0, 0}, {2, 0, 0}}}, .add_path = way}, msg = {.add_path = !way};
		struct wr w = wr_make(bytes, sizeof(bytes));
		struct route_load_stats stats;
		struct error err = {0};
		put_table(&w, &with);
		put_update(&w, &msg, 0, 0, 2, 0, false, false, TABLE_TIME);
		put_update(&w, &msg, 1, 0, 2, 0, false, false, TABLE_TIME);
		write_file("both", &w);
		if (load("both", NULL, 0, NULL, &stats, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(stats.routes, 0);
	}
}

/* A table of each kind and what messages can do. */
static void build_all(struct wr *w)
{
	static const unsigned subtypes[] = {3, 6, 8, 12};
	struct state s = {.route = {{{1, 0, 0}, {2, 0, 0}}, {{3, 0, 0}}}}, ids = {.add_path = true};
	put_table(w, &s);
	uint8_t block[128];
	struct wr b = wr_make(block, sizeof(block));
	size_t len = put_block(&b, 7, false, false, (struct view){NULL, 0});
	for (size_t i = 0; i < ARRAY_LEN(subtypes); i++) {
		bool generic = subtypes[i] % 6 == 0;
		size_t at = build_record(w, 13, subtypes[i]);
		wr_u32(w, 1);
		if (generic)
			wr_bytes(w, BYTES(0, 1, 1));
		wr_bytes(w, BYTES(24, 198, 51, 200, 0, 1, 0, 1, 0, 0, 0, 1));
		if (subtypes[i] > 7)
			wr_u32(w, 9);
		wr_u16(w, (uint16_t)len);
		wr_bytes(w, block, len);
		build_record_end(w, at);
	}
	put_update(w, &s, 0, 1, 0, 9, false, false, TABLE_TIME);
	put_update(w, &s, 0, 0, 0, 0, false, false, TABLE_TIME);
	put_update(w, &ids, 1, 3, 1, 9, false, true, TABLE_TIME);
	s.ipv6 = true;
	put_update(w, &s, 1, 2, 0, 9, false, false, TABLE_TIME);
	put_down(w, 2, false, TABLE_TIME);
	put_down(w, 2, true, TABLE_TIME);
	size_t at = build_record(w, 5, 1);
	wr_bytes(w, BYTES(0, 9, 192, 0, 2, 1, 0, 8, 192, 0, 2, 2, 0, 2, 8, 10, 0, 0));
	build_record_end(w, at);
}

/* As written, from memory through the file to the loader. 0 or -EBADMSG with a place in the file. */
static int load_bytes(struct view v)
{
	struct wr w = {.start = (uint8_t *)(uintptr_t)v.data, .p = (uint8_t *)(uintptr_t)v.data + v.len};
	struct route_load_stats stats;
	struct error err = {0};
	write_file("both", &w);
	int r = load("both", NULL, 0, NULL, &stats, &err);
	if (r < 0 && (r != -EBADMSG || !strstr(err.text, "both: offset ")))
		fail_msg("%d: %s", r, err.text);
	return r;
}

static void test_damage(void **state)
{
	struct wr w = wr_make(bytes, sizeof(bytes));
	build_all(&w);
	size_t n = wr_len(&w);
	assert_int_equal(load_bytes((struct view){bytes, n}), 0);
	for (size_t len = 0; len < n; len++)
		(void)load_bytes((struct view){bytes, len});
	for (size_t at = 0; at < n; at++) {
		static const uint8_t changes[] = {1, 2, 4, 8, 16, 32, 64, 128, 255};
		for (size_t i = 0; i < sizeof(changes); i++) {
			bytes[at] ^= changes[i];
			(void)load_bytes((struct view){bytes, n});
			bytes[at] ^= changes[i];
		}
	}
}

static int setup(void **state)
{
	wt_random_init();
	return mkdtemp(folder) && route_table_new(1, &table) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = {"table", "both", "final", "u1.mrt", "u2.mrt", "u3.mrt"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(name_of(names[i]));
	route_table_free(table);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_mixed_ids),
		cmocka_unit_test(test_damage),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

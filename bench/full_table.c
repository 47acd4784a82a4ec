/* SPDX-License-Identifier: BSD-2-Clause */

/* Full tables as routers send them, written once for bench/routes.py:
 *
 *     full_table FOLDER [FILE [IPV4 IPV6]]
 *
 * FILE: real prefixes, one a line; a dash or nothing: made-up ones. IPV4 and IPV6: how many, 1,000,000 and 220,000. Into
 * FOLDER go, for two routers a and b with the same prefixes and other paths to them:
 *
 *     a.bgp         UPDATEs, each with as many prefixes of the same attributes as it holds, and End-of-RIB
 *     a.bmp         the same as Route Monitoring, behind an Initiation and a Peer Up
 *     a.single.bmp  one prefix a Route Monitoring, in the order of the prefixes, as FRR and BIRD send it
 *
 * The routes are made up so that they have the counts of a real table (a router of 2020 with 929,408 routes: 0.16 AS paths
 * and up to 0.38 sets of attributes a prefix; here 0.16 and 0.22), a path length of 4.3 with prepending, the AS of the last
 * neighbour in the next hop and in the communities. The idea: prefixes that lie together mostly have one origin; an
 * origin has a few paths, which climb from it through providers to one of fifteen networks without any, and
 * from there to one of this router's neighbours; a path has mostly one set of attributes. The graph is
 * the same for both routers, the turns taken are not. */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/hash.h"
#include "prefixes.h"

#define LOCAL_AS      64500u
#define MESSAGE_MAX   4096u
#define ATTRS_MAX     512u
#define PATH_MAX_LEN  24u
#define NONE          UINT32_MAX

enum { TOPS = 15, LARGE_END = 465, MIDDLE_END = 7000, ASES = 85000 }; /* ASes by number of their own, largest first */

/* ---- the graph of ASes ---- */

static const uint32_t tops[TOPS] = {
	174, 701, 1299, 2914, 3257, 3320, 3356, 3491, 5511, 6453, 6461, 6762, 6830, 7018, 12956};

/* A number that depends on what is given alone. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t both[2] = {a, b};
	return hash_bytes(both, sizeof(both));
}

static double mix_unit(uint64_t a, uint64_t b)
{
	return (double)(mix(a, b) >> 11) * 0x1p-53;
}

static uint32_t as_number(uint32_t as)
{
	if (as < TOPS)
		return tops[as];
	uint64_t h = mix(as, 1);
	return (uint32_t)(h % 3 ? 13000 + h / 3 % 50000 : 131072 + h / 3 % 270000);
}

static uint32_t pick_large(double u)
{
	return TOPS + (uint32_t)(pow(u, 2.5) * (LARGE_END - TOPS));
}

static uint32_t pick_middle(double u)
{
	return LARGE_END + (uint32_t)(pow(u, 2) * (MIDDLE_END - LARGE_END));
}

/* A provider of this AS, which is none of the tops: it has one to three. */
static uint32_t provider(uint32_t as, uint32_t which)
{
	uint64_t n = 1 + mix(as, 2) % 3;
	double kind = mix_unit(as, 3), u = mix_unit(as, 100 + which % n);
	if (as < LARGE_END || (as < MIDDLE_END && kind < 0.25) || kind < 0.07)
		return (uint32_t)(u * TOPS);
	return as < MIDDLE_END || kind < 0.45 ? pick_large(u) : pick_middle(u);
}

/* ---- the routes of one router ---- */

struct path {
	uint32_t as[PATH_MAX_LEN];
	uint32_t len;
	uint32_t sets[2]; /* the first and the last made of its sets of attributes */
};

struct origin {
	uint32_t prefixes;
	uint32_t first, count; /* of its paths */
	uint32_t current;
};

struct set {
	uint32_t at, len; /* in bytes */
	uint32_t next_hop;
	uint32_t first, last; /* prefixes, linked by `next` */
};

/* Of one family. */
struct table {
	bool v6;
	struct prefixes prefixes;
	uint32_t *origins; /* of each prefix, as numbers of ASes */
	uint32_t *set_of;  /* each prefix's */
	uint32_t *next;
	struct origin *ases;
	struct path *paths;
	uint32_t path_count;
	struct set *sets;
	uint32_t set_count, set_cap;
	uint8_t *bytes;
	size_t bytes_used, bytes_cap;
	uint64_t hops;
};

/* Neighbours of this router: three networks that sell transit, and some that are met at exchanges. */
static bool is_met(uint32_t as)
{
	return as >= TOPS && as < TOPS + 200;
}

static const uint32_t transits[] = {0, 2, 6};

static void make_path(struct path *p, uint32_t origin)
{
	uint32_t up[PATH_MAX_LEN], n = 0, as = origin;
	up[n++] = as;
	while (as >= TOPS && n < 8 && !(is_met(as) && random_unit() < 0.5)) {
		as = provider(as, (uint32_t)(random_u64() % 3));
		up[n++] = as;
	}
	uint32_t transit = transits[random_u64() % 3];
	if (!is_met(as) && as != transit)
		up[n++] = transit;
	*p = (struct path){.sets = {NONE, NONE}};
	while (n)
		p->as[p->len++] = as_number(up[--n]);
	static const uint8_t prepends[] = {1, 1, 1, 2, 2, 3, 5, 9};
	uint32_t more = random_unit() < 0.28 ? prepends[random_u64() % sizeof(prepends)] : 0;
	for (; more; more--, p->len++)
		p->as[p->len] = p->as[p->len - 1];
}

static void put_attr(struct wr *w, uint8_t flags, uint8_t code, const struct wr *value)
{
	size_t len = wr_len(value);
	wr_u8(w, len > 255 ? flags | 0x10 : flags);
	wr_u8(w, code);
	if (len > 255)
		wr_u16(w, (uint16_t)len);
	else
		wr_u8(w, (uint8_t)len);
	wr_bytes(w, value->start, len);
}

static void put_u32_attr(struct wr *w, uint8_t flags, uint8_t code, uint32_t a, uint32_t b, unsigned count)
{
	uint8_t bytes[8];
	struct wr v = wr_make(bytes, sizeof(bytes));
	wr_u32(&v, a);
	if (count > 1)
		wr_u32(&v, b);
	put_attr(w, flags, code, &v);
}

static int by_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* Mean 4.3 with the two that this router puts there itself. */
static void put_communities(struct wr *w, const struct path *p)
{
	static const uint8_t counts[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5, 5, 6, 6, 7, 9,
		10, 13};
	static const uint16_t values[] = {100, 200, 300, 1000, 2000, 3000};
	uint32_t list[16], n = 0;
	uint8_t bytes[sizeof(list)];
	struct wr v = wr_make(bytes, sizeof(bytes));
	list[n++] = LOCAL_AS << 16 | 1000;
	list[n++] = LOCAL_AS << 16 | (100 + p->as[0] % 7);
	for (unsigned more = counts[random_u64() % sizeof(counts)]; more; more--) {
		uint32_t as = p->as[random_u64() % p->len], which = (uint32_t)(random_u64() % 7);
		list[n++] = as << 16 | (which < 6 ? values[which] : random_u64() & 0xffff);
	}
	qsort(list, n, sizeof(*list), by_u32);
	for (uint32_t i = 0; i < n; i++)
		if (!i || list[i] != list[i - 1])
			wr_u32(&v, list[i]);
	put_attr(w, 0xc0, 8, &v);
}

static void put_large_communities(struct wr *w, const struct path *p)
{
	uint8_t bytes[36];
	struct wr v = wr_make(bytes, sizeof(bytes));
	for (unsigned n = 1 + (unsigned)(random_u64() % 3); n; n--) {
		wr_u32(&v, p->as[random_u64() % p->len]);
		wr_u32(&v, (uint32_t)(random_u64() % 1000));
		wr_u32(&v, (uint32_t)(random_u64() % 100000));
	}
	put_attr(w, 0xc0, 32, &v);
}

/* 200 or so: one for each neighbour. */
static uint32_t next_hop_of(const struct path *p)
{
	return 1 + (uint32_t)(mix(p->as[0], 4) % 250);
}

static void put_attrs(struct wr *w, const struct path *p, bool v6)
{
	static const uint16_t meds[] = {0, 0, 0, 10, 20, 50, 100};
	uint8_t bytes[4 * PATH_MAX_LEN + 2], origin_code = random_unit() < 0.9 ? 0 : 2;
	struct wr code = wr_make(bytes, 1), path = wr_make(bytes, sizeof(bytes)), empty = wr_make(bytes, 0);
	wr_u8(&code, origin_code);
	put_attr(w, 0x40, 1, &code);
	wr_u8(&path, 2);
	wr_u8(&path, (uint8_t)p->len);
	for (uint32_t i = 0; i < p->len; i++)
		wr_u32(&path, p->as[i]);
	put_attr(w, 0x40, 2, &path);
	if (!v6)
		put_u32_attr(w, 0x40, 3, 0x0aff0000 | next_hop_of(p), 0, 1);
	if (random_unit() < 0.32)
		put_u32_attr(w, 0x80, 4, random_u64() % 8 ? meds[random_u64() % 7] : (uint32_t)(random_u64() % 5000), 0, 1);
	put_u32_attr(w, 0x40, 5, 100, 0, 1);
	if (random_unit() < 0.05)
		put_attr(w, 0x40, 6, &empty);
	if (random_unit() < 0.09)
		put_u32_attr(w, 0xc0, 7, p->as[p->len - 1], (uint32_t)random_u64(), 2);
	put_communities(w, p);
	if (random_unit() < 0.03)
		put_u32_attr(w, 0xc0, 16, 0x00020000 | (p->as[p->len - 1] & 0xffff), (uint32_t)(random_u64() % 1000), 2);
	if (random_unit() < 0.12)
		put_large_communities(w, p);
}

static uint32_t make_set(struct table *t, const struct path *p)
{
	if (t->set_count == t->set_cap) {
		t->set_cap = t->set_cap ? 2 * t->set_cap : 65536;
		t->sets = need(realloc(t->sets, t->set_cap * sizeof(*t->sets)));
	}
	if (t->bytes_used + ATTRS_MAX > t->bytes_cap) {
		t->bytes_cap = t->bytes_cap ? 2 * t->bytes_cap : 1u << 22;
		t->bytes = need(realloc(t->bytes, t->bytes_cap));
	}
	struct wr w = wr_make(t->bytes + t->bytes_used, ATTRS_MAX);
	put_attrs(&w, p, t->v6);
	t->sets[t->set_count] =
		(struct set){(uint32_t)t->bytes_used, (uint32_t)wr_len(&w), next_hop_of(p), NONE, NONE};
	t->bytes_used += wr_len(&w);
	return t->set_count++;
}

static void choose_origins(struct table *t)
{
	size_t n = t->prefixes.count;
	uint32_t origin = 0;
	t->origins = need(malloc(n * sizeof(*t->origins)));
	t->set_of = need(malloc(n * sizeof(*t->set_of)));
	t->next = need(malloc(n * sizeof(*t->next)));
	t->ases = need(calloc(ASES, sizeof(*t->ases)));
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || random_u64() % 4 == 0)
			origin = (uint32_t)(pow(random_unit(), 2) * ASES);
		t->origins[i] = origin;
		t->ases[origin].prefixes++;
	}
}

/* Every origin gets places for its paths, made when they are first used. */
static void plan_paths(struct table *t)
{
	uint32_t total = 0;
	for (uint32_t as = 0; as < ASES; as++) {
		struct origin *o = &t->ases[as];
		double n = o->prefixes > 1 ? 1 + pow(o->prefixes, 0.55) * random_unit() * 0.95 : 1;
		o->first = total;
		o->count = (uint32_t)n;
		o->current = NONE;
		total += o->count;
	}
	free(t->paths);
	t->paths = need(calloc(total, sizeof(*t->paths)));
}

static struct path *choose_path(struct table *t, uint32_t as)
{
	struct origin *o = &t->ases[as];
	double u = random_unit();
	if (o->current == NONE || random_unit() < 0.45)
		o->current = (uint32_t)((o->count < 4 || random_unit() < 0.3 ? u : u * u) * o->count);
	struct path *p = &t->paths[o->first + o->current];
	if (!p->len) {
		make_path(p, as);
		t->path_count++;
	}
	t->hops += p->len;
	return p;
}

static uint32_t choose_set(struct table *t, struct path *p)
{
	if (p->sets[0] != NONE && random_unit() >= 0.055)
		return p->sets[random_unit() < 0.85 ? 0 : 1];
	uint32_t set = make_set(t, p);
	p->sets[0] = p->sets[0] == NONE ? set : p->sets[0];
	p->sets[1] = set;
	return set;
}

static void make_routes(struct table *t)
{
	t->path_count = t->set_count = 0;
	t->bytes_used = t->hops = 0;
	plan_paths(t);
	for (uint32_t i = 0; i < t->prefixes.count; i++) {
		uint32_t id = choose_set(t, choose_path(t, t->origins[i]));
		struct set *s = &t->sets[id];
		t->set_of[i] = id;
		t->next[i] = NONE;
		if (s->first == NONE)
			s->first = i;
		else
			t->next[s->last] = i;
		s->last = i;
	}
	printf("IPv%d: %zu prefixes, %" PRIu32 " paths, %" PRIu32 " sets of attributes, mean path length %.2f\n", t->v6 ? 6 : 4,
		t->prefixes.count, t->path_count, t->set_count, (double)t->hops / (double)t->prefixes.count);
}

/* ---- messages ---- */

static void put_prefix(struct wr *w, const struct prefix *p)
{
	wr_u8(w, p->len);
	wr_bytes(w, p->addr.bytes, (p->len + 7u) / 8);
}

static void patch_u16(uint8_t *at, size_t value)
{
	struct wr w = wr_make(at, 2);
	wr_u16(&w, (uint16_t)value);
}

static struct wr begin_message(uint8_t *buf, uint8_t type)
{
	struct wr w = wr_make(buf, MESSAGE_MAX);
	for (unsigned i = 0; i < 16; i++)
		wr_u8(&w, 0xff);
	wr_u16(&w, 0);
	wr_u8(&w, type);
	return w;
}

static void end_message(struct wr *w)
{
	patch_u16(w->start + 16, wr_len(w));
}

/* Prefixes as long as there is room for them and `after` bytes; returns the first that had none. */
static uint32_t put_prefixes(const struct table *t, struct wr *w, uint32_t at, size_t after, bool single)
{
	do {
		put_prefix(w, &t->prefixes.items[at]);
		at = single ? NONE : t->next[at];
	} while (at != NONE && wr_left(w) >= 1 + 16 + after);
	return at;
}

/* Withdrawn (none), attributes, prefixes. IPv6's prefixes stand in MP_REACH, which comes first (RFC 7606). */
static uint32_t put_update(const struct table *t, struct wr *w, uint32_t at, bool single)
{
	const struct set *s = &t->sets[t->set_of[at]];
	wr_u16(w, 0);
	uint8_t *attrs_len = w->p;
	wr_u16(w, 0);
	if (!t->v6) {
		wr_bytes(w, t->bytes + s->at, s->len);
		patch_u16(attrs_len, s->len);
		at = put_prefixes(t, w, at, 0, single);
	} else {
		const uint8_t next_hop[] = {0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)s->next_hop};
		wr_u16(w, 0x900e);
		uint8_t *reach_len = w->p;
		wr_u16(w, 0);
		wr_u16(w, 2);
		wr_u8(w, 1);
		wr_u8(w, sizeof(next_hop));
		wr_bytes(w, next_hop, sizeof(next_hop));
		wr_u8(w, 0);
		at = put_prefixes(t, w, at, s->len, single);
		patch_u16(reach_len, (size_t)(w->p - reach_len) - 2);
		wr_bytes(w, t->bytes + s->at, s->len);
		patch_u16(attrs_len, (size_t)(w->p - attrs_len) - 2);
	}
	end_message(w);
	return at;
}

static struct wr end_of_rib(uint8_t *buf, bool v6)
{
	static const uint8_t unreach[] = {0x80, 15, 3, 0, 2, 1};
	struct wr w = begin_message(buf, 2);
	wr_u16(&w, 0);
	wr_u16(&w, v6 ? sizeof(unreach) : 0);
	wr_bytes(&w, unreach, v6 ? sizeof(unreach) : 0);
	end_message(&w);
	return w;
}

/* ---- BMP (RFC 7854) ---- */

static void put_bmp_header(struct wr *w, uint8_t type, size_t len)
{
	wr_u8(w, 3);
	wr_u32(w, (uint32_t)(6 + len));
	wr_u8(w, type);
}

/* 192.0.2.1, an internal peer. */
static void put_peer(struct wr *w)
{
	wr_u16(w, 0);
	wr_u64(w, 0);
	wr_u64(w, 0);
	wr_u32(w, 0);
	wr_u32(w, 0xc0000201);
	wr_u32(w, LOCAL_AS);
	wr_u32(w, 0xc0000201);
	wr_u64(w, 0);
}

#define PEER_BYTES 42u

static void put_open(struct wr *w, uint32_t id)
{
	static const uint8_t capabilities[] = {1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 65, 4, 0, 0, LOCAL_AS >> 8, LOCAL_AS & 0xff};
	uint8_t buf[MESSAGE_MAX];
	struct wr m = begin_message(buf, 1);
	wr_u8(&m, 4);
	wr_u16(&m, LOCAL_AS);
	wr_u16(&m, 90);
	wr_u32(&m, id);
	wr_u8(&m, 2 + sizeof(capabilities));
	wr_u8(&m, 2);
	wr_u8(&m, sizeof(capabilities));
	wr_bytes(&m, capabilities, sizeof(capabilities));
	end_message(&m);
	wr_bytes(w, m.start, wr_len(&m));
}

static void write_bmp_begin(FILE *f)
{
	uint8_t buf[512], name[] = {0, 2, 0, 1, 'r'}, opens[256];
	struct wr w = wr_make(buf, sizeof(buf)), o = wr_make(opens, sizeof(opens));
	put_bmp_header(&w, 4, sizeof(name) + 5);
	wr_u16(&w, 1);
	wr_u16(&w, 1);
	wr_u8(&w, 'r');
	wr_bytes(&w, name, sizeof(name));
	put_open(&o, 0xc0000202);
	put_open(&o, 0xc0000201);
	put_bmp_header(&w, 3, PEER_BYTES + 20 + wr_len(&o));
	put_peer(&w);
	wr_u64(&w, 0);
	wr_u32(&w, 0);
	wr_u32(&w, 0xc0000202);
	wr_u32(&w, 179u << 16 | 40000);
	wr_bytes(&w, opens, wr_len(&o));
	(void)fwrite(w.start, 1, wr_len(&w), f);
}

static void write_message(FILE *f, const struct wr *message, bool bmp)
{
	uint8_t head[6 + PEER_BYTES];
	struct wr w = wr_make(head, sizeof(head));
	if (bmp) {
		put_bmp_header(&w, 0, PEER_BYTES + wr_len(message));
		put_peer(&w);
		(void)fwrite(head, 1, wr_len(&w), f);
	}
	(void)fwrite(message->start, 1, wr_len(message), f);
}

/* ---- files ---- */

static void write_single(FILE *f, const struct table *t)
{
	uint8_t buf[MESSAGE_MAX];
	for (uint32_t i = 0; i < t->prefixes.count; i++) {
		struct wr w = begin_message(buf, 2);
		(void)put_update(t, &w, i, true);
		write_message(f, &w, true);
	}
}

static void write_packed(FILE *f, const struct table *t, bool bmp)
{
	uint8_t buf[MESSAGE_MAX];
	for (uint32_t s = 0; s < t->set_count; s++)
		for (uint32_t at = t->sets[s].first; at != NONE;) {
			struct wr w = begin_message(buf, 2);
			at = put_update(t, &w, at, false);
			write_message(f, &w, bmp);
		}
}

static void write_file(const char *folder, const char *name, const struct table *tables, bool bmp, bool single)
{
	char path[4096];
	uint8_t buf[MESSAGE_MAX];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = need(fopen(path, "wb"));
	if (bmp)
		write_bmp_begin(f);
	for (int i = 0; i < 2; i++)
		if (single)
			write_single(f, &tables[i]);
		else
			write_packed(f, &tables[i], bmp);
	for (int i = 0; i < 2; i++) {
		struct wr w = end_of_rib(buf, tables[i].v6);
		write_message(f, &w, bmp);
	}
	printf("%s: %.1f MB\n", name, (double)ftell(f) / 1e6);
	if (fclose(f) != 0)
		need(NULL);
}

static void make_table(struct table *t, bool v6, const char *file, size_t count)
{
	uint8_t family = v6 ? ADDR_V6 : ADDR_V4;
	t->v6 = v6;
	if (file)
		prefixes_read(file, family, &t->prefixes);
	prefixes_make(&t->prefixes, family, count);
	prefixes_sort(&t->prefixes);
	prefixes_thin(&t->prefixes, count);
	choose_origins(t);
}

static void free_table(struct table *t)
{
	free(t->prefixes.items);
	free(t->origins);
	free(t->set_of);
	free(t->next);
	free(t->ases);
	free(t->paths);
	free(t->sets);
	free(t->bytes);
}

int main(int argc, char **argv)
{
	struct table tables[2] = {0};
	if (argc < 2) {
		fprintf(stderr, "usage: full_table FOLDER [FILE [IPV4 IPV6]]\n");
		return 2;
	}
	const char *file = argc > 2 && strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
	make_table(&tables[0], false, file, argc > 4 ? strtoul(argv[3], NULL, 10) : PREFIXES_V4);
	make_table(&tables[1], true, file, argc > 4 ? strtoul(argv[4], NULL, 10) : PREFIXES_V6);
	for (unsigned router = 0; router < 2; router++) {
		char names[3][32];
		for (int i = 0; i < 3; i++)
			(void)snprintf(names[i], sizeof(names[i]), "%c%s", 'a' + router, ((const char *[]){".bgp", ".bmp", ".single.bmp"})[i]);
		random_seed(1000 + router);
		make_routes(&tables[0]);
		make_routes(&tables[1]);
		write_file(argv[1], names[0], tables, false, false);
		write_file(argv[1], names[1], tables, true, false);
		write_file(argv[1], names[2], tables, true, true);
	}
	free_table(&tables[0]);
	free_table(&tables[1]);
	return 0;
}

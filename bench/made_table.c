/* SPDX-License-Identifier: BSD-2-Clause */

/* The routes are made up so that they have the counts of a real table (a router of 2020 with 929,408 routes had 0.16 AS
 * paths a prefix and 0.38 sets of attributes, others 0.2; here 0.17 and 0.21), a path length of 4.3 with prepending,
 * next hop and communities that go with the neighbour. The idea: prefixes that lie together mostly have one
 * origin; an origin has a few paths, which climb from it through providers to one of fifteen networks that
 * have none, and from there to one of this router's neighbours; a path has mostly one set of attributes. The graph
 * is the same for all routers, the turns taken are not. */

#include "made_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/hash.h"

#define ATTRS_MAX    512u
#define PATH_MAX_LEN 24u

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
	*p = (struct path){.sets = {MADE_NONE, MADE_NONE}};
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
	static const uint8_t counts[] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5, 5, 6, 6, 7, 9, 10, 13};
	static const uint16_t values[] = {100, 200, 300, 1000, 2000, 3000};
	uint32_t list[16], n = 0;
	uint8_t bytes[sizeof(list)];
	struct wr v = wr_make(bytes, sizeof(bytes));
	list[n++] = MADE_AS << 16 | 1000;
	list[n++] = MADE_AS << 16 | (100 + p->as[0] % 7);
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
		put_u32_attr(
			w, 0x80, 4, random_u64() % 8 ? meds[random_u64() % 7] : (uint32_t)(random_u64() % 5000), 0, 1);
	put_u32_attr(w, 0x40, 5, 100, 0, 1);
	if (random_unit() < 0.05)
		put_attr(w, 0x40, 6, &empty);
	if (random_unit() < 0.09)
		put_u32_attr(w, 0xc0, 7, p->as[p->len - 1], (uint32_t)random_u64(), 2);
	put_communities(w, p);
	if (random_unit() < 0.03)
		put_u32_attr(
			w, 0xc0, 16, 0x00020000 | (p->as[p->len - 1] & 0xffff), (uint32_t)(random_u64() % 1000), 2);
	if (random_unit() < 0.12)
		put_large_communities(w, p);
}

static uint32_t make_set(struct made_table *t, const struct path *p)
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
		(struct made_set){(uint32_t)t->bytes_used, (uint32_t)wr_len(&w), next_hop_of(p), MADE_NONE, MADE_NONE};
	t->bytes_used += wr_len(&w);
	return t->set_count++;
}

static void choose_origins(struct made_table *t)
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
static void plan_paths(struct made_table *t)
{
	uint32_t total = 0;
	for (uint32_t as = 0; as < ASES; as++) {
		struct origin *o = &t->ases[as];
		double n = o->prefixes > 1 ? 1 + pow(o->prefixes, 0.55) * random_unit() * 0.95 : 1;
		o->first = total;
		o->count = (uint32_t)n;
		o->current = MADE_NONE;
		total += o->count;
	}
	free(t->paths);
	t->paths = need(calloc(total, sizeof(*t->paths)));
}

static struct path *choose_path(struct made_table *t, uint32_t as)
{
	struct origin *o = &t->ases[as];
	double u = random_unit();
	if (o->current == MADE_NONE || random_unit() < 0.45)
		o->current = (uint32_t)((o->count < 4 || random_unit() < 0.3 ? u : u * u) * o->count);
	struct path *p = &t->paths[o->first + o->current];
	if (!p->len) {
		make_path(p, as);
		t->path_count++;
	}
	t->hops += p->len;
	return p;
}

static uint32_t choose_set(struct made_table *t, struct path *p)
{
	if (p->sets[0] != MADE_NONE && random_unit() >= 0.055)
		return p->sets[random_unit() < 0.85 ? 0 : 1];
	uint32_t set = make_set(t, p);
	p->sets[0] = p->sets[0] == MADE_NONE ? set : p->sets[0];
	p->sets[1] = set;
	return set;
}

void made_table_routes(struct made_table *t, unsigned router)
{
	random_seed(1000 + router + (t->v6 ? 500 : 0));
	t->path_count = t->set_count = 0;
	t->bytes_used = t->hops = 0;
	plan_paths(t);
	for (uint32_t i = 0; i < t->prefixes.count; i++) {
		uint32_t id = choose_set(t, choose_path(t, t->origins[i]));
		struct made_set *s = &t->sets[id];
		t->set_of[i] = id;
		t->next[i] = MADE_NONE;
		if (s->first == MADE_NONE)
			s->first = i;
		else
			t->next[s->last] = i;
		s->last = i;
	}
	printf("IPv%d: %zu prefixes, %" PRIu32 " paths, %" PRIu32 " sets of attributes, mean path length %.2f\n",
		t->v6 ? 6 : 4, t->prefixes.count, t->path_count, t->set_count,
		(double)t->hops / (double)t->prefixes.count);
}

void made_table_new(struct made_table *t, uint8_t family, const char *file, size_t count)
{
	*t = (struct made_table){.v6 = family == ADDR_V6};
	if (file)
		prefixes_read(file, family, &t->prefixes);
	prefixes_make(&t->prefixes, family, count);
	prefixes_sort(&t->prefixes);
	prefixes_thin(&t->prefixes, count);
	choose_origins(t);
}

void made_table_done(struct made_table *t)
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

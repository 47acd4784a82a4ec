/* SPDX-License-Identifier: BSD-2-Clause */

/* What the longest match and the views cost, on a table of the size of the Internet's:
 *
 *     lookup [FILE]
 *
 * FILE holds one prefix a line; without it, 1,000,000 IPv4 and 220,000 IPv6 prefixes are made up with
 * the lengths and the clustering that real tables have. Path attributes are made up: a new set for
 * each run of prefixes, 4.5 long on average. Addresses are drawn in three ways: uniformly among those
 * that match (IPv4), one from a prefix picked at random, one from a prefix picked by Zipf's law. Figures are
 * processor time, lookups the best of several runs: other work on the machine only makes them worse. */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "route/lpm.h"
#include "route/path.h"
#include "route/route.h"

#define ADDRS   (1u << 20)
#define RUNS    9
#define V4_MADE 1000000u
#define V6_MADE 220000u
#define MIB     (1024.0 * 1024.0)

struct list {
	struct prefix *items;
	size_t count, cap;
};

static uint64_t random_state = 1;

static uint64_t random_u64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static double random_unit(void)
{
	return (double)(random_u64() >> 11) * 0x1p-53;
}

/* Of this thread: a shared machine's other work does not count. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *need(void *p)
{
	if (p)
		return p;
	perror("lookup");
	exit(1);
}

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "lookup: %s: %s\n", what, strerror(-r));
	exit(1);
}

static void append(struct list *l, const struct prefix *p)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 1024;
		l->items = need(realloc(l->items, l->cap * sizeof(*l->items)));
	}
	l->items[l->count++] = *p;
}

static void read_prefixes(const char *file, struct list *ret)
{
	char line[128];
	struct error err;
	struct prefix p;
	FILE *f = need(fopen(file, "r"));
	for (unsigned n = 1; fgets(line, sizeof(line), f); n++) {
		line[strcspn(line, "\r\n")] = '\0';
		if (prefix_parse(line, &p, &err) < 0) {
			fprintf(stderr, "lookup: %s:%u: %s\n", file, n, err.text);
			exit(1);
		}
		append(ret, &p);
	}
	fclose(f);
}

struct share {
	unsigned percent, len;
};

static const struct share v4_lengths[] = {{60, 24}, {11, 22}, {10, 23}, {5, 20}, {5, 21}, {3, 19}, {2, 18},
	{2, 16}, {1, 17}, {1, 14}};
static const struct share v6_lengths[] = {{46, 48}, {14, 32}, {12, 44}, {9, 40}, {7, 36}, {4, 29}, {4, 42},
	{2, 47}, {2, 64}};

static unsigned random_len(const struct share *shares)
{
	unsigned at = (unsigned)(random_u64() % 100);
	while (at >= shares->percent)
		at -= shares++->percent;
	return shares->len;
}

/* Real prefixes cluster: most of the new ones differ from an earlier one in their last bits. */
static struct addr near_addr(const struct list *l, size_t first, bool v6)
{
	struct addr a = {.family = v6 ? ADDR_V6 : ADDR_V4};
	uint64_t bits = random_u64();
	if (l->count == first || random_u64() % 8 == 0) {
		memcpy(a.bytes, &bits, v6 ? 8 : 4);
		a.bytes[0] = v6 ? 0x20 : (uint8_t)(1 + a.bytes[0] % 223);
		a.bytes[1] &= v6 ? 0x0f : 0xff;
		return a;
	}
	a = l->items[first + random_u64() % (l->count - first)].addr;
	unsigned kept = (v6 ? 30 : 14) + (unsigned)(random_u64() % (v6 ? 12 : 6));
	for (unsigned i = kept; i < (v6 ? 64 : 32); i++)
		a.bytes[i / 8] ^= (uint8_t)((bits >> i & 1) << (7 - i % 8));
	return a;
}

static void make_prefixes(struct list *ret, bool v6, size_t count)
{
	struct lpm *seen;
	size_t first = ret->count;
	check(lpm_new(&seen), "lpm_new");
	while (lpm_count(seen) < count) {
		struct addr a = near_addr(ret, first, v6);
		struct prefix p = prefix_make(&a, random_len(v6 ? v6_lengths : v4_lengths));
		if (lpm_get(seen, &p) != LPM_NONE)
			continue;
		check(lpm_set(seen, &p, 0), "lpm_set");
		append(ret, &p);
	}
	lpm_free(seen);
}

static void shuffle(struct list *l)
{
	for (size_t i = l->count; i > 1; i--) {
		size_t j = random_u64() % i;
		struct prefix swap = l->items[i - 1];
		l->items[i - 1] = l->items[j];
		l->items[j] = swap;
	}
}

static struct addr random_addr_in(const struct prefix *p)
{
	struct addr a = p->addr;
	uint64_t bits[2] = {random_u64(), random_u64()};
	for (unsigned i = p->len; i < addr_bits(&a); i++)
		a.bytes[i / 8] |= (uint8_t)((bits[i / 64] >> i % 64 & 1) << (7 - i % 8));
	return a;
}

/* --- the table ---------------------------------------------------------------------------------- */

/* A set like those of real tables: a path of 2 to 7, half of the time some communities. */
static struct route_attrs make_attrs(uint8_t bytes[static 64])
{
	struct wr w = wr_make(bytes, 64);
	unsigned hops = 2 + (unsigned)(random_u64() % 6), communities = (unsigned)(random_u64() % 8);
	wr_u8(&w, PATH_SEQUENCE);
	wr_u8(&w, (uint8_t)hops);
	for (unsigned i = 0; i < hops; i++)
		wr_u32(&w, (uint32_t)(random_u64() % 80000));
	struct route_attrs s = {.path = {bytes, wr_len(&w)}, .next_hop = {.family = ADDR_V4, .bytes = {10}}};
	if (communities < 5) {
		s.communities = (struct view){w.p, communities * 4};
		for (unsigned i = 0; i < communities; i++)
			wr_u32(&w, (uint32_t)random_u64());
	}
	return s;
}

static double fill(struct route_table *t, unsigned view, const struct list *l)
{
	uint8_t bytes[64];
	struct route_attrs s = {0};
	uint64_t start = cpu_ns();
	for (size_t i = 0; i < l->count; i++) {
		if (i == 0 || random_u64() % 9 < 2)
			s = make_attrs(bytes);
		check(route_set(t, view, &l->items[i], &s), "route_set");
	}
	return (double)(cpu_ns() - start) / (double)l->count;
}

static void load(struct route_table *t, const struct list *l)
{
	printf("%-44s %10s %12s\n", "loading", "ns/route", "MiB in all");
	double ns = fill(t, 0, l);
	struct route_stats s = route_stats(t);
	printf("%-44s %10.0f %12.1f\n", "first view", ns, (double)s.memory_bytes / MIB);
	uint64_t start = cpu_ns();
	for (size_t i = 0; i < l->count; i++) {
		struct route_hit hit;
		if (!route_get(t, 0, &l->items[i], &hit))
			check(-ENOENT, "route_get");
		check(route_set_id(t, 1, &l->items[i], hit.attrs), "route_set_id");
	}
	ns = (double)(cpu_ns() - start) / (double)l->count;
	printf("%-44s %10.0f %12.1f\n", "second view, same routes", ns,
		(double)route_stats(t).memory_bytes / MIB);
	printf("%zu prefixes, %zu sets of attributes\n\n", s.prefixes, s.attrs);
}

/* --- lookups ------------------------------------------------------------------------------------ */

typedef uint32_t lookup_fn(const void *table, const struct addr *addr);

static uint32_t by_lpm(const void *table, const struct addr *addr)
{
	return lpm_lookup(table, addr);
}

static uint32_t by_view(const void *table, const struct addr *addr)
{
	struct route_hit hit;
	return route_lookup(table, 0, addr, &hit) ? hit.attrs : 0;
}

static volatile uint32_t sink; /* keeps the compiler from leaving the lookups out */

static double million_per_second(lookup_fn *fn, const void *table, const struct addr *addrs)
{
	double best = 0;
	for (unsigned run = 0; run < RUNS; run++) {
		uint32_t sum = 0;
		uint64_t start = cpu_ns();
		for (size_t i = 0; i < ADDRS; i++)
			sum += fn(table, &addrs[i]);
		double rate = ADDRS * 1e3 / (double)(cpu_ns() - start);
		best = rate > best ? rate : best;
		sink = sum;
	}
	return best;
}

/* IPv4 only: hardly any of all IPv6 addresses match. */
static void draw_matching(struct addr *ret, const struct lpm *lpm)
{
	const struct prefix any = {.addr = {.family = ADDR_V4}};
	for (size_t i = 0; i < ADDRS; i++)
		do
			ret[i] = random_addr_in(&any);
		while (lpm_lookup(lpm, &ret[i]) == LPM_NONE);
}

static void draw_prefixes(struct addr *ret, const struct list *l)
{
	for (size_t i = 0; i < ADDRS; i++)
		ret[i] = random_addr_in(&l->items[random_u64() % l->count]);
}

/* Rank r with a probability of about 1 / r: the inverse of the continuous distribution. */
static void draw_zipf(struct addr *ret, const struct list *l)
{
	double top = log((double)l->count);
	for (size_t i = 0; i < ADDRS; i++) {
		size_t rank = (size_t)exp(random_unit() * top) - 1;
		ret[i] = random_addr_in(&l->items[rank < l->count ? rank : 0]);
	}
}

static void measure_lookups(const struct route_table *t, const struct lpm *lpm, const struct list *l, bool v6)
{
	static const char *const names[] = {"uniform among matching", "uniform over prefixes", "Zipf over prefixes"};
	struct addr *addrs = need(malloc(ADDRS * sizeof(*addrs)));
	for (unsigned kind = v6; kind < 3; kind++) {
		if (kind == 0)
			draw_matching(addrs, lpm);
		else if (kind == 1)
			draw_prefixes(addrs, l);
		else
			draw_zipf(addrs, l);
		double match = million_per_second(by_lpm, lpm, addrs), view = million_per_second(by_view, t, addrs);
		printf("%-5s %-38s %10.1f %12.1f\n", v6 ? "IPv6" : "IPv4", names[kind], match, view);
	}
	free(addrs);
}

/* --- updates ------------------------------------------------------------------------------------ */

static double spent(uint64_t start, size_t n)
{
	return (double)(cpu_ns() - start) / (double)n;
}

static void measure_updates(struct route_table *t, struct lpm *lpm, const struct list *l)
{
	size_t n = l->count < 200000 ? l->count : 200000;
	uint8_t bytes[64];
	printf("\n%-44s %10s\n", "updates", "ns each");
	uint64_t start = cpu_ns();
	for (size_t i = 0; i < n; i++)
		check(lpm_del(lpm, &l->items[i]), "lpm_del");
	printf("%-44s %10.0f\n", "match: remove", spent(start, n));
	start = cpu_ns();
	for (size_t i = 0; i < n; i++)
		check(lpm_set(lpm, &l->items[i], (uint32_t)i), "lpm_set");
	printf("%-44s %10.0f\n", "match: add", spent(start, n));

	start = cpu_ns();
	for (size_t i = 0; i < n; i++) {
		struct route_attrs s = make_attrs(bytes);
		check(route_set(t, 0, &l->items[i], &s), "route_set");
	}
	printf("%-44s %10.0f\n", "view: replace, new attributes", spent(start, n));
	start = cpu_ns();
	for (size_t i = 0; i < n; i++)
		check(route_withdraw(t, 0, &l->items[i]), "route_withdraw");
	printf("%-44s %10.0f\n", "view: withdraw", spent(start, n));
	start = cpu_ns();
	(void)route_reclaim(t, SIZE_MAX);
	printf("%-44s %10.0f\n", "reclaim, each set of attributes", spent(start, n));
	struct prefix any = {.addr = {.family = ADDR_V4}};
	start = cpu_ns();
	for (unsigned i = 0; i < 1000; i++) {
		check(lpm_set(lpm, &any, 1), "lpm_set");
		check(lpm_del(lpm, &any), "lpm_del");
	}
	printf("%-44s %10.0f\n", "match: 0.0.0.0/0 added or removed", spent(start, 2000));
}

/* The prefixes of one family. */
static struct list family(const struct list *l, uint8_t wanted)
{
	struct list part = {0};
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].addr.family == wanted)
			append(&part, &l->items[i]);
	return part;
}

int main(int argc, char **argv)
{
	struct list all = {0};
	if (argc > 1) {
		read_prefixes(argv[1], &all);
	} else {
		make_prefixes(&all, false, V4_MADE);
		make_prefixes(&all, true, V6_MADE);
	}
	struct route_table *t;
	struct lpm *lpm;
	check(route_table_new(2, &t), "route_table_new");
	check(lpm_new(&lpm), "lpm_new");
	load(t, &all);

	shuffle(&all);
	for (size_t i = 0; i < all.count; i++)
		check(lpm_set(lpm, &all.items[i], (uint32_t)i), "lpm_set");
	printf("match alone: %.1f MiB\n\n", (double)lpm_memory_bytes(lpm) / MIB);
	struct list v4 = family(&all, ADDR_V4), v6 = family(&all, ADDR_V6);
	printf("%-44s %10s %12s\n", "million lookups a second", "match", "view");
	if (v4.count)
		measure_lookups(t, lpm, &v4, false);
	if (v6.count)
		measure_lookups(t, lpm, &v6, true);
	measure_updates(t, lpm, &all);

	route_table_free(t);
	lpm_free(lpm);
	free(v4.items);
	free(v6.items);
	free(all.items);
	return 0;
}

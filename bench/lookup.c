/* SPDX-License-Identifier: BSD-2-Clause */

/* What the route table costs, at the size of the Internet's:
 *
 *     lookup [FILE]
 *
 * FILE holds one prefix a line, compressed or not; without it, 1,000,000 IPv4 and 220,000 IPv6 prefixes are made
 * up with the lengths and the clustering that real tables have. Path attributes are made up: a new set for
 * each run of prefixes, 4.5 long on average. Twenty routers have much the same table: each but the first lacks one
 * route in a hundred.
 *
 * A lookup is route_lookup: the router's own longest match, the prefix's and the attributes' id. Addresses are drawn in
 * four ways: any (most IPv6 ones match nothing), any that match (IPv4), one in a prefix picked at random, one in a
 * prefix picked by Zipf's law. Busy means that 10,000 route changes a second of the same thread come in
 * between. Figures are processor time, lookups the best of several runs: other work on the machine only makes
 * them worse. */

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "prefixes.h"
#include "route/lpm.h"
#include "route/path.h"
#include "route/route.h"

#define ADDRS   (1u << 20)
#define MANY    64u /* records of a datagram */
#define RUNS    5
#define VIEWS   20
#define BUSY_NS 100000u /* from one route change to the next */
#define MIB     (1024.0 * 1024.0)
#define HUGE_BYTES 0x200000u
#define COLLAPSE   25 /* MADV_COLLAPSE, Linux 6.1; without it, figures are those of small pages */

/* Of this thread: a shared machine's other work does not count. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void shuffle(struct prefixes *l)
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

static double mib(const struct route_table *t)
{
	return (double)route_stats(t).memory_bytes / MIB;
}

static double spent(uint64_t start, size_t n)
{
	return (double)(cpu_ns() - start) / (double)n;
}

/* The sets of attributes that arrive, each for some prefixes in a row. */
struct sets {
	struct route_attrs *attrs;
	uint8_t (*bytes)[64];
	uint32_t *of_prefix;
	size_t count;
};

static struct sets make_sets(const struct prefixes *l)
{
	struct sets s = {need(malloc(l->count * sizeof(*s.attrs))), need(malloc(l->count * sizeof(*s.bytes))),
		need(malloc(l->count * sizeof(*s.of_prefix))), 0};
	for (size_t i = 0; i < l->count; i++) {
		if (i == 0 || random_u64() % 9 < 2) {
			s.attrs[s.count] = make_attrs(s.bytes[s.count]);
			s.count++;
		}
		s.of_prefix[i] = (uint32_t)s.count - 1;
	}
	return s;
}

static void free_sets(struct sets *s)
{
	free(s->attrs);
	free(s->bytes);
	free(s->of_prefix);
}

/* As updates arrive: a set once, then its prefixes. */
static void fill(struct route_table *t, unsigned view, const struct prefixes *l, const struct sets *s)
{
	uint32_t attrs = ROUTE_NONE, set = UINT32_MAX;
	for (size_t i = 0; i < l->count; i++) {
		if (s->of_prefix[i] != set) {
			if (attrs != ROUTE_NONE)
				route_attrs_release(t, attrs);
			set = s->of_prefix[i];
			check(route_attrs_intern(t, &s->attrs[set], &attrs), "route_attrs_intern");
		}
		if (view == 0 || (i + view) % 100)
			check(route_set_id(t, view, &l->items[i], attrs), "route_set_id");
	}
	route_attrs_release(t, attrs);
}

static void load(struct route_table *t, const struct prefixes *l)
{
	struct sets sets = make_sets(l);
	printf("%-44s %10s %12s\n", "loading", "ns/route", "MiB in all");
	for (unsigned v = 0; v < VIEWS; v++) {
		uint64_t start = cpu_ns();
		fill(t, v, l, &sets);
		double ns = spent(start, l->count);
		if (v == 0)
			printf("%-44s %10.0f %12.1f\n", "first router", ns, mib(t));
		else if (v == 1)
			printf("%-44s %10.0f %12.1f\n", "second router, much the same routes", ns, mib(t));
	}
	struct route_stats s = route_stats(t);
	printf("%-44s %10s %12.1f\n", "all twenty", "", mib(t));
	printf("%zu prefixes, %zu sets of attributes\n\n", s.prefixes, s.attrs);
	free_sets(&sets);
}

static uint64_t longer(uint64_t longest, uint64_t *since)
{
	uint64_t now = cpu_ns(), ns = now - *since;
	*since = cpu_ns();
	return ns > longest ? ns : longest;
}

/* How long a single call takes at worst while a table grows. */
static void measure_holds(const struct prefixes *l)
{
	struct sets s = make_sets(l);
	struct route_table *t;
	uint64_t longest[3] = {0}, since;
	uint32_t attrs = ROUTE_NONE, prefix;
	check(route_table_new(1, &t), "route_table_new");
	for (size_t i = 0; i < l->count; i++) {
		since = cpu_ns();
		check(route_attrs_intern(t, &s.attrs[s.of_prefix[i]], &attrs), "route_attrs_intern");
		longest[0] = longer(longest[0], &since);
		check(route_prefix_id(t, &l->items[i], &prefix), "route_prefix_id");
		longest[1] = longer(longest[1], &since);
		check(route_put(t, 0, prefix, attrs), "route_put");
		longest[2] = longer(longest[2], &since);
		route_attrs_release(t, attrs);
	}
	printf("longest single call while the table grows: attributes %.2f ms, prefix %.2f ms, route %.2f ms\n",
		(double)longest[0] / 1e6, (double)longest[1] / 1e6, (double)longest[2] / 1e6);
	route_table_free(t);
	free_sets(&s);
}

/* What the kernel does in its own time to the large arrays of a program that goes on for long. */
static void use_huge_pages(void)
{
	char line[256];
	uint64_t start, end;
	FILE *f = need(fopen("/proc/self/maps", "r"));
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " rw-p 00000000 00:00 0", &start, &end) == 2 &&
			start % HUGE_BYTES == 0)
			(void)madvise((void *)start, end - start, COLLAPSE);
	(void)fclose(f);
	f = need(fopen("/proc/self/smaps_rollup", "r"));
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "Rss:", 4) == 0 || strncmp(line, "AnonHugePages:", 14) == 0)
			printf("%s", line);
	(void)fclose(f);
}

/* --- lookups ------------------------------------------------------------------------------------ */

static volatile uint32_t sink; /* keeps the compiler from leaving the lookups out */

static double match_rate(const struct lpm *lpm, const struct addr *addrs)
{
	double best = 0;
	for (unsigned run = 0; run < RUNS; run++) {
		uint32_t sum = 0;
		uint64_t start = cpu_ns();
		for (size_t i = 0; i < ADDRS; i++)
			sum += lpm_lookup(lpm, &addrs[i]);
		double rate = 1e3 / spent(start, ADDRS);
		best = rate > best ? rate : best;
		sink = sum;
	}
	return best;
}

/* Routes that exist get other attributes that exist: those of a neighbour. */
struct churn {
	struct route_table *t;
	const struct prefixes *l;
	size_t at;
};

static void change_one(struct churn *c, unsigned views)
{
	struct route_hit hit, other;
	size_t i = c->at++ % (c->l->count - 1);
	unsigned v = (unsigned)(c->at % views);
	if (!route_get(c->t, v, &c->l->items[i], &hit) || !route_get(c->t, v, &c->l->items[i + 1], &other))
		return;
	check(route_set_id(c->t, v, &c->l->items[i], other.attrs), "route_set_id");
}

static double route_rate(struct churn *c, const struct addr *addrs, unsigned views, bool busy)
{
	double best = 0;
	for (unsigned run = 0; run < RUNS; run++) {
		uint32_t sum = 0;
		unsigned v = 0;
		uint64_t start = cpu_ns(), due = start + BUSY_NS;
		for (size_t i = 0; i < ADDRS; i++) {
			struct route_hit hit;
			if (route_lookup(c->t, v, &addrs[i], &hit))
				sum += hit.prefix ^ hit.attrs;
			v = ++v == views ? 0 : v;
			if (busy && i % 1024 == 0)
				for (uint64_t now = cpu_ns(); due < now; due += BUSY_NS)
					change_one(c, views);
		}
		double rate = 1e3 / spent(start, ADDRS);
		best = rate > best ? rate : best;
		sink = sum;
	}
	return best;
}

/* As a datagram's records are looked up. */
static double many_rate(const struct churn *c, const struct addr *addrs)
{
	static struct route_hit hits[MANY];
	double best = 0;
	for (unsigned run = 0; run < RUNS; run++) {
		uint32_t sum = 0;
		uint64_t start = cpu_ns();
		for (size_t i = 0; i < ADDRS; i += MANY) {
			route_lookup_many(c->t, 0, addrs + i, MANY, hits);
			for (size_t k = 0; k < MANY; k++)
				sum += hits[k].prefix ^ hits[k].attrs;
		}
		double rate = 1e3 / spent(start, ADDRS);
		best = rate > best ? rate : best;
		sink = sum;
	}
	return best;
}

static void draw_any(struct addr *ret, const struct lpm *lpm, bool v6, bool matching)
{
	const struct prefix any = {.addr = {.family = v6 ? ADDR_V6 : ADDR_V4}};
	for (size_t i = 0; i < ADDRS; i++)
		do
			ret[i] = random_addr_in(&any);
		while (matching && lpm_lookup(lpm, &ret[i]) == LPM_NONE);
}

static void draw_prefixes(struct addr *ret, const struct prefixes *l)
{
	for (size_t i = 0; i < ADDRS; i++)
		ret[i] = random_addr_in(&l->items[random_u64() % l->count]);
}

/* Rank r with a probability of about 1 / r: the inverse of the continuous distribution. */
static void draw_zipf(struct addr *ret, const struct prefixes *l)
{
	double top = log((double)l->count);
	for (size_t i = 0; i < ADDRS; i++) {
		size_t rank = (size_t)exp(random_unit() * top) - 1;
		ret[i] = random_addr_in(&l->items[rank < l->count ? rank : 0]);
	}
}

static void measure_lookups(struct churn *c, const struct lpm *lpm, const struct prefixes *l, bool v6)
{
	static const char *const names[] = {"any", "any that match", "in a prefix", "in a prefix, Zipf"};
	struct addr *addrs = need(malloc(ADDRS * sizeof(*addrs)));
	for (unsigned kind = 0; kind < ARRAY_LEN(names); kind++) {
		if (v6 && kind == 1)
			continue;
		if (kind < 2)
			draw_any(addrs, lpm, v6, kind == 1);
		else if (kind == 2)
			draw_prefixes(addrs, l);
		else
			draw_zipf(addrs, l);
		printf("%-5s %-20s %8.1f %10.1f %10.1f %10.1f %10.1f %10.1f\n", v6 ? "IPv6" : "IPv4", names[kind],
			match_rate(lpm, addrs), many_rate(c, addrs), route_rate(c, addrs, 1, false), route_rate(c, addrs, 1, true),
			route_rate(c, addrs, VIEWS, false), route_rate(c, addrs, VIEWS, true));
	}
	free(addrs);
}

/* --- updates ------------------------------------------------------------------------------------ */

static void row(const char *what, uint64_t start, size_t n)
{
	printf("%-44s %10.0f\n", what, spent(start, n));
}

/* In the order of the list, which is random. */
static void measure_updates(struct route_table *t, const struct prefixes *l)
{
	size_t n = l->count < 200000 ? l->count : 200000;
	uint8_t bytes[64];
	struct churn churn = {.t = t, .l = l};
	printf("\n%-44s %10s\n", "route updates", "ns each");
	uint64_t start = cpu_ns();
	for (size_t i = 0; i < n; i++)
		change_one(&churn, VIEWS);
	row("other, known attributes (and two reads)", start, n);
	start = cpu_ns();
	for (size_t i = 0; i < n; i++) {
		struct route_attrs s = make_attrs(bytes);
		check(route_set(t, 0, &l->items[i], &s), "route_set");
	}
	row("other, new attributes (and making these)", start, n);
	struct route_attrs s = make_attrs(bytes);
	start = cpu_ns();
	for (size_t i = 0; i < n; i++)
		check(route_withdraw(t, 0, &l->items[i]), "route_withdraw");
	row("withdrawn", start, n);
	start = cpu_ns();
	for (size_t i = 0; i < n; i++)
		check(route_set(t, 0, &l->items[i], &s), "route_set");
	row("announced again, known attributes", start, n);
	for (size_t i = 0; i < n; i++)
		for (unsigned v = 0; v < VIEWS; v++)
			(void)route_withdraw(t, v, &l->items[i]);
	start = cpu_ns();
	(void)route_reclaim(t, SIZE_MAX);
	row("reclaim, each prefix", start, n);
	start = cpu_ns();
	for (size_t i = 0; i < n; i++)
		check(route_set(t, 0, &l->items[i], &s), "route_set");
	row("new prefix, known attributes", start, n);
	struct prefix any = {.addr = {.family = ADDR_V4}};
	start = cpu_ns();
	for (unsigned i = 0; i < 100; i++) {
		check(route_set(t, 0, &any, &s), "route_set");
		check(route_withdraw(t, 0, &any), "route_withdraw");
		(void)route_reclaim(t, SIZE_MAX);
	}
	row("0.0.0.0/0 new or reclaimed", start, 200);
	start = cpu_ns();
	for (unsigned i = 0; i < 10000; i++)
		route_clock(t, i * 100);
	row("route_clock", start, 10000);
	struct prefix p = {.len = 0};
	uint32_t id;
	size_t listed = 0;
	start = cpu_ns();
	for (; (id = route_next(t, listed ? &p : NULL)) != ROUTE_NONE; listed++)
		p = route_prefix(t, id);
	row("route_next, a prefix in order", start, listed);
}

/* The prefixes of one family. */
static struct prefixes family(const struct prefixes *l, uint8_t wanted)
{
	struct prefixes part = {0};
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].addr.family == wanted)
			prefixes_add(&part, &l->items[i]);
	return part;
}

static void add_family(struct prefixes *all, const char *file, uint8_t wanted, size_t made)
{
	struct prefixes part = {0};
	if (file)
		prefixes_read(file, wanted, &part);
	else
		prefixes_make(&part, wanted, made);
	for (size_t i = 0; i < part.count; i++)
		prefixes_add(all, &part.items[i]);
	free(part.items);
}

int main(int argc, char **argv)
{
	(void)argc;
	struct prefixes all = {0};
	add_family(&all, argv[1], ADDR_V4, PREFIXES_V4);
	add_family(&all, argv[1], ADDR_V6, PREFIXES_V6);
	struct route_table *t;
	struct lpm *lpm;
	check(route_table_new(VIEWS, &t), "route_table_new");
	check(lpm_new(&lpm), "lpm_new");
	load(t, &all);
	measure_holds(&all);

	shuffle(&all);
	for (size_t i = 0; i < all.count; i++)
		check(lpm_set(lpm, &all.items[i], (uint32_t)i), "lpm_set");
	use_huge_pages();
	printf("\nmatch alone: %.1f MiB\n\n", (double)lpm_memory_bytes(lpm) / MIB);
	struct prefixes v4 = family(&all, ADDR_V4), v6 = family(&all, ADDR_V6);
	struct churn churn = {.t = t, .l = &all};
	printf("%-26s %8s %10s %21s %21s\n", "million lookups a second", "match", "64 at once", "one router",
		"twenty routers");
	printf("%-26s %8s %10s %10s %10s %10s %10s\n", "", "", "idle", "idle", "busy", "idle", "busy");
	if (v4.count)
		measure_lookups(&churn, lpm, &v4, false);
	if (v6.count)
		measure_lookups(&churn, lpm, &v6, true);
	measure_updates(t, &all);

	route_table_free(t);
	lpm_free(lpm);
	free(v4.items);
	free(v6.items);
	free(all.items);
	return 0;
}

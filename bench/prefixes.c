/* SPDX-License-Identifier: BSD-2-Clause */
#include "prefixes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/unpack.h"
#include "route/lpm.h"

static uint64_t random_state = 1;

void random_seed(uint64_t seed)
{
	random_state = seed;
}

uint64_t random_u64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

double random_unit(void)
{
	return (double)(random_u64() >> 11) * 0x1p-53;
}

void *need(void *p)
{
	if (p)
		return p;
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, strerror(errno));
	exit(1);
}

void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(-r));
	exit(1);
}

void prefixes_add(struct prefixes *l, const struct prefix *p)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 1024;
		l->items = need(realloc(l->items, l->cap * sizeof(*l->items)));
	}
	l->items[l->count++] = *p;
}

/* ---- a file's ---- */

static void add_line(struct prefixes *l, uint8_t family, char *line, const char *file)
{
	struct prefix p;
	struct error err;
	line[strcspn(line, "\r")] = '\0';
	if (prefix_parse(line, &p, &err) < 0) {
		fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, file, err.text);
		exit(1);
	}
	if (p.addr.family == family)
		prefixes_add(l, &p);
}

void prefixes_read(const char *file, uint8_t family, struct prefixes *l)
{
	char buf[65536], line[128];
	size_t len = 0;
	ssize_t n;
	struct unpack *u;
	struct error err = {0};
	check(unpack_open(file, &u, &err), file);
	while ((n = unpack_read(u, buf, sizeof(buf), &err)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != '\n' && len < sizeof(line) - 1) {
				line[len++] = buf[i];
				continue;
			}
			line[len] = '\0';
			add_line(l, family, line, file);
			len = 0;
		}
	check((int)n, file);
	unpack_close(u);
}

/* ---- made-up ones ---- */

struct share {
	unsigned percent, len;
};

static const struct share v4_lengths[] = {
	{60, 24}, {11, 22}, {10, 23}, {5, 20}, {5, 21}, {3, 19}, {2, 18}, {2, 16}, {1, 17}, {1, 14}};
static const struct share v6_lengths[] = {
	{46, 48}, {14, 32}, {12, 44}, {9, 40}, {7, 36}, {4, 29}, {4, 42}, {2, 47}, {2, 64}};

static unsigned random_len(const struct share *shares)
{
	unsigned at = (unsigned)(random_u64() % 100);
	while (at >= shares->percent)
		at -= shares++->percent;
	return shares->len;
}

/* Real prefixes cluster: most of the new ones differ from an earlier one in their last bits. */
static struct addr near_addr(const struct prefixes *l, bool v6)
{
	struct addr a = {.family = v6 ? ADDR_V6 : ADDR_V4};
	uint64_t bits = random_u64();
	if (!l->count || random_u64() % 8 == 0) {
		memcpy(a.bytes, &bits, v6 ? 8 : 4);
		a.bytes[0] = v6 ? 0x20 : (uint8_t)(1 + a.bytes[0] % 223);
		a.bytes[1] &= v6 ? 0x0f : 0xff;
		return a;
	}
	a = l->items[random_u64() % l->count].addr;
	unsigned kept = (v6 ? 30 : 14) + (unsigned)(random_u64() % (v6 ? 12 : 6));
	for (unsigned i = kept; i < (v6 ? 64 : 32); i++)
		a.bytes[i / 8] ^= (uint8_t)((bits >> i & 1) << (7 - i % 8));
	return a;
}

void prefixes_make(struct prefixes *l, uint8_t family, size_t count)
{
	bool v6 = family == ADDR_V6;
	struct lpm *seen;
	check(lpm_new(&seen), "lpm_new");
	for (size_t i = 0; i < l->count; i++)
		check(lpm_set(seen, &l->items[i], 0), "lpm_set");
	while (lpm_count(seen) < count) {
		struct addr a = near_addr(l, v6);
		struct prefix p = prefix_make(&a, random_len(v6 ? v6_lengths : v4_lengths));
		if (lpm_get(seen, &p) != LPM_NONE)
			continue;
		check(lpm_set(seen, &p, 0), "lpm_set");
		prefixes_add(l, &p);
	}
	lpm_free(seen);
}

static int by_prefix(const void *a, const void *b)
{
	return prefix_cmp(a, b);
}

void prefixes_sort(struct prefixes *l)
{
	qsort(l->items, l->count, sizeof(*l->items), by_prefix);
}

void prefixes_thin(struct prefixes *l, size_t count)
{
	if (l->count <= count)
		return;
	for (size_t i = 0; i < count; i++)
		l->items[i] = l->items[i * l->count / count];
	l->count = count;
}

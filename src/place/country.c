/* SPDX-License-Identifier: BSD-2-Clause */

/* The list of country sources. Each is flattened at loading time, whatever its format, into two
 * sorted tables (ranges.h): a lookup takes some tens of nanoseconds, needs no library, cannot meet a
 * damaged record, and the files may be overwritten or removed afterwards. Sources are asked in order;
 * one that does not know an address passes it on. A failed addition leaves the list as it was. */

#include "place/country.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "place/ranges.h"
#include "place/source.h"

struct source {
	struct range_map v4, v6;
};

struct countries {
	struct source *sources;
	size_t count, databases;
};

/* ---- codes ---- */

const char *country_format(country_code code, char buf[static 3])
{
	buf[0] = (char)(code >> 8);
	buf[1] = (char)(code & 0xff);
	buf[2] = '\0';
	return buf;
}

static int upper_letter(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 'A';
	return c >= 'A' && c <= 'Z' ? c : 0;
}

static const struct {
	char code[3];
	const char *name;
} names[] = {
#define COUNTRY(code, name) {#code, name},
#include "place/countries.def"
#undef COUNTRY
};

const char *country_name(country_code code)
{
	char text[3];
	(void)country_format(code, text);
	size_t lo = 0, hi = ARRAY_LEN(names);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(text, names[mid].code, 2);
		if (c == 0)
			return names[mid].name;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

country_code country_parse(const char *text)
{
	int a = upper_letter(text[0]);
	int b = a ? upper_letter(text[1]) : 0;
	return a && b && text[2] == '\0' ? (country_code)(a << 8 | b) : COUNTRY_UNKNOWN;
}

country_code source_country(const char *text, size_t len)
{
	if (len != 2)
		return COUNTRY_UNKNOWN;
	country_code code = country_parse((const char[]){text[0], text[1], '\0'});
	return code == ('Z' << 8 | 'Z') ? COUNTRY_UNKNOWN : code;
}

/* ---- loading ---- */

int countries_new(struct countries **ret)
{
	struct countries *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*ret = c;
	return 0;
}

static void source_done(struct source *s)
{
	range_map_done(&s->v4);
	range_map_done(&s->v6);
}

void countries_free(struct countries *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++)
		source_done(&c->sources[i]);
	free(c->sources);
	free(c);
}

static void lists_done(struct source_lists *lists)
{
	range_list_done(&lists->v4);
	range_list_done(&lists->v6);
}

static int add_source(struct countries *c, struct source_lists *lists, struct error *err)
{
	struct source *sources = reallocarray(c->sources, c->count + 1, sizeof(*sources));
	if (!sources)
		return error_set(err, -ENOMEM, "countries: out of memory");
	c->sources = sources;
	struct source s = {0};
	if (range_map_init(&s.v4, &lists->v4, ADDR_V4) < 0 || range_map_init(&s.v6, &lists->v6, ADDR_V6) < 0) {
		source_done(&s);
		return error_set(err, -ENOMEM, "countries: out of memory");
	}
	c->sources[c->count++] = s;
	return 0;
}

static int read_pattern(const char *pattern, struct source_lists *lists, struct error *err)
{
	glob_t g;
	int r = glob(pattern, GLOB_ERR, NULL, &g);
	if (r == GLOB_NOMATCH)
		return error_set(err, -ENOENT, "%s: no such file", pattern);
	if (r == GLOB_NOSPACE)
		return error_set(err, -ENOMEM, "%s: out of memory", pattern);
	if (r != 0)
		return error_set(err, -EACCES, "%s: cannot read the folder", pattern);
	for (size_t i = 0; i < g.gl_pathc && r == 0; i++)
		r = rir_read(g.gl_pathv[i], lists, err);
	globfree(&g);
	return r;
}

int countries_add_rir(struct countries *c, const char *const *patterns, size_t count, struct error *err)
{
	CLEANUP(lists_done) struct source_lists lists = {0};
	for (size_t i = 0; i < count; i++) {
		int r = read_pattern(patterns[i], &lists, err);
		if (r < 0)
			return r;
	}
	return add_source(c, &lists, err);
}

int countries_add_mmdb(struct countries *c, const char *file, struct error *err)
{
	CLEANUP(lists_done) struct source_lists lists = {0};
	int r = mmdb_read(file, &lists, err);
	if (r < 0)
		return r;
	r = add_source(c, &lists, err);
	if (r < 0)
		return r;
	c->databases++;
	return 0;
}

/* ---- asking ---- */

static country_code lookup_v6(const struct source *s, u128 number)
{
	uint16_t value = range_map_get_v6(&s->v6, number);
	if (LIKELY(value == 0 || value > SOURCE_VIA_V4_MAX))
		return value;
	return range_map_get_v4(&s->v4, (uint32_t)(number >> (96 - value)));
}

country_code countries_lookup(const struct countries *c, const struct addr *addr)
{
	country_code code = COUNTRY_UNKNOWN;
	if (addr->family == ADDR_V4) {
		uint32_t number = range_number_v4(addr);
		for (size_t i = 0; i < c->count && !code; i++)
			code = range_map_get_v4(&c->sources[i].v4, number);
	} else if (addr->family == ADDR_V6) {
		u128 number = range_number_v6(addr);
		for (size_t i = 0; i < c->count && !code; i++)
			code = lookup_v6(&c->sources[i], number);
	}
	return code;
}

/* ---- walking ---- */

static struct addr addr_of(u128 number, bool v4)
{
	uint8_t bytes[16];
	for (unsigned i = 0, n = v4 ? 4 : 16; i < n; i++)
		bytes[i] = (uint8_t)(number >> (8 * (n - 1 - i)));
	return v4 ? addr_from_v4(bytes) : addr_from_v6(bytes);
}

static const struct range_map *map_of(const struct source *s, bool v4)
{
	return v4 ? &s->v4 : &s->v6;
}

/* Of the whole stretch that begins at the number. */
static country_code stretch_country(const struct countries *c, u128 number, bool v4)
{
	uint16_t value = 0;
	for (size_t i = 0; i < c->count && !value; i++)
		value = v4 ? range_map_get_v4(&c->sources[i].v4, (uint32_t)number) : range_map_get_v6(&c->sources[i].v6, number);
	return value > SOURCE_VIA_V4_MAX ? value : COUNTRY_UNKNOWN;
}

static int compare_numbers(const void *a, const void *b)
{
	const u128 *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* Where the answer may change: every source's starts, sorted. */
static int all_starts(const struct countries *c, bool v4, u128 **ret, size_t *ret_count)
{
	size_t count = 0;
	for (size_t i = 0; i < c->count; i++)
		count += map_of(&c->sources[i], v4)->count;
	u128 *starts = reallocarray(NULL, count + 1, sizeof(*starts));
	if (!starts)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < c->count; i++) {
		const struct range_map *map = map_of(&c->sources[i], v4);
		for (uint32_t k = 0; k < map->count; k++)
			starts[count++] = v4 ? map->starts_v4[k] : map->starts_v6[k];
	}
	qsort(starts, count, sizeof(*starts), compare_numbers);
	*ret = starts;
	*ret_count = count;
	return 0;
}

static int walk_family(const struct countries *c, bool v4, country_range_fn *fn, void *ctx)
{
	CLEANUP(free_p) u128 *starts = NULL;
	size_t count = 0;
	int r = all_starts(c, v4, &starts, &count);
	for (size_t i = 0, next; i < count && r == 0; i = next) {
		country_code code = stretch_country(c, starts[i], v4);
		for (next = i + 1; next < count && stretch_country(c, starts[next], v4) == code; next++)
			;
		if (!code)
			continue;
		u128 last = next < count ? starts[next] - 1 : v4 ? (u128)UINT32_MAX : ~(u128)0;
		struct addr from = addr_of(starts[i], v4), to = addr_of(last, v4);
		r = fn(ctx, &from, &to, code);
	}
	return r;
}

int countries_walk(const struct countries *c, country_range_fn *fn, void *ctx)
{
	int r = walk_family(c, true, fn, ctx);
	return r < 0 ? r : walk_family(c, false, fn, ctx);
}

struct countries_stats countries_stats(const struct countries *c)
{
	struct countries_stats st = {.databases = c->databases, .memory_bytes = sizeof(*c)};
	for (size_t i = 0; i < c->count; i++) {
		const struct source *s = &c->sources[i];
		st.ranges_v4 += s->v4.ranges;
		st.ranges_v6 += s->v6.ranges;
		st.memory_bytes += sizeof(*s) + range_map_bytes(&s->v4) + range_map_bytes(&s->v6);
	}
	return st;
}

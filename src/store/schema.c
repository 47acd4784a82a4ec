/* SPDX-License-Identifier: BSD-2-Clause */

/* The lists are read once, here, into tables that all stores use; what is written in the dialect of one of them is
 * in that store's own files. */

#include "store/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct dimension_info dimension_table[DIMENSION_COUNT] = {
#define DIMENSION(name, kind, help) {#name, help, KIND_##kind},
#include "traffic/dimensions.def"
#undef DIMENSION
};

#define LEVEL(name, seconds) seconds,
#define CUBE(name, dims)
const uint32_t level_seconds[LEVEL_COUNT] = {
#include "store/schema.def"
};
#undef LEVEL
#define LEVEL(name, seconds) #name,
const char *const level_names[LEVEL_COUNT] = {
#include "store/schema.def"
};
#undef LEVEL
#undef CUBE

#define LEVEL(name, seconds)
#define CUBE(name, dims) #name,
const char *const cube_names[CUBE_COUNT] = {
#include "store/schema.def"
};
#undef CUBE

#define DIM(d) | DIM_BIT(DIM_##d)
#define CUBE(name, dims) 0u dims,
const uint32_t cube_dims[CUBE_COUNT] = {
#include "store/schema.def"
};
#undef CUBE
#undef DIM

#define KEY_END DIMENSION_COUNT

#define DIM(d) DIM_##d,
#define CUBE(name, dims) {dims KEY_END},
static const enum dimension cube_keys[CUBE_COUNT][CUBE_KEY_MAX + 1] = {
#include "store/schema.def"
};
#undef CUBE
#undef DIM
#undef LEVEL

int dimension_by_name(const char *name)
{
	for (int d = 0; d < DIMENSION_COUNT; d++)
		if (strcmp(dimension_table[d].name, name) == 0)
			return d;
	return -ENOENT;
}

const char *dimension_names(uint32_t without, char ret[static DIMENSION_NAMES_MAX])
{
	size_t n = 0;
	*ret = '\0';
	for (int d = 0; d < DIMENSION_COUNT; d++)
		if (!(without & DIM_BIT(d)) && n < DIMENSION_NAMES_MAX)
			n += (size_t)snprintf(ret + n, DIMENSION_NAMES_MAX - n, "%s%s", n ? ", " : "", dimension_table[d].name);
	return ret;
}

size_t cube_key(enum store_cube cube, enum dimension ret[static CUBE_KEY_MAX])
{
	size_t n = 0;
	for (; cube_keys[cube][n] != KEY_END; n++)
		ret[n] = cube_keys[cube][n];
	return n;
}

unsigned query_dims(const struct store_query *q, enum dimension ret[static CUBE_KEY_MAX])
{
	enum dimension key[CUBE_KEY_MAX];
	size_t n = cube_key(q->cube, key);
	unsigned count = 0;
	for (size_t i = 0; i < n; i++)
		if (q->dims & DIM_BIT(key[i]))
			ret[count++] = key[i];
	return count;
}

unsigned query_measures(const struct store_query *q, uint8_t ret[static MEASURE_COUNT])
{
	unsigned count = 0;
	for (unsigned m = 0; m < MEASURE_COUNT; m++)
		if (!q->measures || q->measures & MEASURE_BIT(m))
			ret[count++] = (uint8_t)m;
	return count;
}

uint64_t level_cutoff(const uint64_t retention_s[static LEVEL_COUNT], enum store_level level, uint64_t now_s)
{
	return retention_s[level] < now_s ? now_s - retention_s[level] : 0;
}

static void add_template(struct sql *s, const char *template, const char *column)
{
	const char *rest = template;
	for (const char *dollar; (dollar = strchr(rest, '$')); rest = dollar + 1)
		sql_add(s, "%.*s%s", (int)(dollar - rest), rest, column);
	sql_add(s, "%s", rest);
}

void schema_readable(struct sql *s, const struct schema_dialect *d, const char *column, enum dimension dim)
{
	enum dimension_kind kind = dimension_table[dim].kind;
	if (d->readable[kind]) {
		add_template(s, d->readable[kind], column);
	} else if (kind == KIND_MATCH) {
		sql_add(s, "CASE t.%s", column);
		for (int i = 0; i < MATCH_COUNT; i++)
			sql_add(s, " WHEN %d THEN '%s'", i, route_match_names[i]);
		sql_add(s, " END");
	} else {
		add_template(s, "nullif(t.$, 0)", column);
	}
}

void schema_table(struct sql *s, enum store_cube cube, enum store_level level)
{
	sql_add(s, "%s_%s", cube_names[cube], level_names[level]);
}

void schema_key_columns(struct sql *s, enum store_cube cube)
{
	enum dimension key[CUBE_KEY_MAX];
	size_t n = cube_key(cube, key);
	sql_add(s, "ts");
	for (size_t i = 0; i < n; i++)
		sql_add(s, ", %s", dimension_table[key[i]].name);
}

void schema_measures(struct sql *s, void (*fmt)(struct sql *s, const char *name))
{
	for (int i = 0; i < MEASURE_COUNT; i++) {
		sql_add(s, ", ");
		fmt(s, measure_table[i].name);
	}
}

struct view prefix_to_bytes(const struct prefix *p, uint8_t buf[static PREFIX_BYTES_MAX])
{
	struct wr w = wr_make(buf, PREFIX_BYTES_MAX);
	wr_u8(&w, p->addr.family);
	wr_bytes(&w, p->addr.bytes, addr_size(&p->addr));
	wr_u8(&w, p->len);
	return (struct view){buf, wr_len(&w)};
}

bool prefix_from_bytes(struct view bytes, struct prefix *ret)
{
	struct rd r = rd_view(bytes);
	struct addr a = {.family = rd_u8(&r)};
	if (a.family != ADDR_V4 && a.family != ADDR_V6)
		return false;
	rd_copy(&r, a.bytes, addr_size(&a));
	unsigned len = rd_u8(&r);
	if (!rd_done(&r) || len > addr_bits(&a))
		return false;
	struct prefix p = prefix_make(&a, len);
	if (!addr_equal(&p.addr, &a))
		return false;
	*ret = p;
	return true;
}

struct prefix prefix_last(const struct prefix *p)
{
	struct prefix last = *p;
	for (unsigned bit = p->len; bit < addr_bits(&p->addr); bit++)
		last.addr.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	last.len = (uint8_t)addr_bits(&p->addr);
	return last;
}

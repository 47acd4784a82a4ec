/* SPDX-License-Identifier: BSD-2-Clause */

/* The rows of one table, slice by slice in time. A slice is read from the source into a flow table, what the
 * target has of it is taken away, and the rest is a batch of that table only. Slices grow and shrink with
 * what is in them, so that a batch has some hundred thousand rows at most; a single bucket that has more is
 * brought in parts, each of the keys whose hash falls to it, for which it is read once a part.
 *
 * Sums only grow. A row that has more in the target than in the source was not copied from there. */

#include <errno.h>

#include "base/clock.h"
#include "base/hash.h"
#include "route/path.h"
#include "store/copy_parts.h"

#define BATCH_ROWS  250000
#define BUCKETS_MAX 4096   /* of a slice */
#define PARTS_MAX   65536

struct slice {
	struct copy *c;
	struct store_table table;
	uint64_t from_s, to_s;
	uint32_t parts, part;
	uint32_t rows_max;
	bool too_many; /* more rows than that */
	uint64_t read;
};

/* ---- keys ---- */

/* Where a key has an AS without the path, the path is made up of it alone; no store keeps that one (cube.h). */
static int as_path(struct flow_table *t, uint64_t asn, uint32_t *ret)
{
	uint8_t bytes[6];
	struct wr w = wr_make(bytes, sizeof(bytes));
	wr_u8(&w, PATH_SEQUENCE);
	wr_u8(&w, 1);
	wr_u32(&w, (uint32_t)asn);
	return flow_table_path(t, (struct view){bytes, wr_len(&w)}, ret);
}

static int path_of(struct flow_table *t, uint32_t dims, const struct store_row *row, uint32_t *ret)
{
	if (dims & DIM_BIT(DIM_path))
		return copy_path(t, &row->values[DIM_path], ret);
	enum dimension dim = dims & DIM_BIT(DIM_origin) ? DIM_origin : DIM_neighbour;
	if (!(dims & DIM_BIT(dim)) || !row->values[dim].known)
		return 0;
	return as_path(t, row->values[dim].number, ret);
}

static int key_of(struct slice *s, const struct store_row *row, struct flow_key *ret)
{
	struct flow_table *t = s->c->flows;
	const struct dim_value *v = row->values;
	uint32_t dims = cube_dims[s->table.cube];
	if (v[DIM_time].number % level_seconds[s->table.level] || v[DIM_time].number > UINT32_MAX)
		return error_set(s->c->err, -EBADMSG, "%s: %s_%s has a row of no bucket (ts %llu)", s->c->report->names[COPY_FROM],
			cube_names[s->table.cube], level_names[s->table.level], (unsigned long long)v[DIM_time].number);
	*ret = (struct flow_key){.minute = (uint32_t)v[DIM_time].number};
	int r = copy_name(t, &v[DIM_router], &ret->router);
	if (r == 0)
		r = copy_name(t, &v[DIM_type], &ret->type);
	if (r == 0)
		r = copy_prefix(t, &v[DIM_prefix], &ret->prefix);
	if (r == 0)
		r = path_of(t, dims, row, &ret->path);
	ret->country = (uint16_t)v[DIM_country].number;
	ret->match = (uint8_t)v[DIM_match].number;
	return r < 0 ? copy_no_memory(s->c) : 0;
}

static uint64_t value_hash(enum dimension_kind kind, const struct dim_value *v)
{
	switch (kind) {
	case KIND_PREFIX:
		return v->known ? hash_bytes(&v->prefix, sizeof(v->prefix)) : 0;
	case KIND_TEXT:
	case KIND_PATH: /* one that is empty is a route of one's own */
		return v->bytes.len ? hash_bytes(v->bytes.data, v->bytes.len) : v->known;
	default:
		return v->number;
	}
}

/* The same in both stores, whatever numbers stand for texts, prefixes and paths there. */
static uint64_t row_hash(const struct store_row *row)
{
	uint64_t hash = 0;
	for (int d = 0; d < DIMENSION_COUNT; d++)
		hash = hash * 0x9e3779b97f4a7c15u + value_hash(dimension_table[d].kind, &row->values[d]);
	return hash >> 32;
}

/* ---- rows ---- */

static int find_row(struct slice *s, const struct store_row *row, struct flow_row **ret)
{
	struct flow_key key;
	*ret = NULL;
	if (s->parts > 1 && row_hash(row) % s->parts != s->part)
		return 0;
	int r = key_of(s, row, &key);
	if (r < 0)
		return r;
	*ret = flow_table_row(s->c->flows, &key);
	return *ret ? 0 : copy_no_memory(s->c);
}

static int add_row(void *ctx, const struct store_row *row)
{
	struct slice *s = ctx;
	struct flow_row *at;
	s->read++;
	if (s->too_many)
		return 0; /* only counted: a query that is broken off would end the snapshot */
	int r = find_row(s, row, &at);
	if (r < 0 || !at)
		return r;
	measures_add(&at->m, &row->m);
	s->too_many = s->c->flows->row_count > s->rows_max;
	return 0;
}

static int take_away_row(void *ctx, const struct store_row *row)
{
	struct slice *s = ctx;
	const char *const cube = cube_names[s->table.cube], *const level = level_names[s->table.level];
	struct flow_row *at;
	char text[TIME_TEXT_MAX];
	int r = find_row(s, row, &at);
	if (r < 0 || !at)
		return r;
	for (int m = 0; m < MEASURE_COUNT; m++) {
		if (row->m.v[m] > at->m.v[m])
			return error_set(s->c->err, -EEXIST, "%s has more in %s_%s at %s than %s has: it is no copy of that, or"
				" something else wrote to it; copy into an empty store", s->c->report->names[COPY_TO], cube, level,
				time_format(row->values[DIM_time].number * 1000, text), s->c->report->names[COPY_FROM]);
		at->m.v[m] -= row->m.v[m];
	}
	return 0;
}

static bool anything_left(const struct flow_table *t)
{
	for (uint32_t i = 0; i < t->row_count; i++)
		if (!measures_zero(&t->rows[i].m))
			return true;
	return false;
}

/* ---- slices ---- */

/* 0, or 1: there are too many rows for one batch, and nothing was written. */
static int bring_part(struct slice *s)
{
	struct copy *c = s->c;
	uint32_t dims = cube_dims[s->table.cube] | DIM_BIT(DIM_time);
	s->read = 0;
	s->too_many = false;
	if (flow_table_clear(c->flows) < 0)
		return copy_no_memory(c);
	int r = copy_ask(c, COPY_FROM, s->table, s->from_s, s->to_s, dims, add_row, s);
	if (r == 0 && s->too_many)
		return 1;
	if (r == 0)
		r = copy_ask(c, COPY_TO, s->table, s->from_s, s->to_s, dims, take_away_row, s);
	return r == 0 && anything_left(c->flows) ? copy_write(c, &s->table) : r;
}

/* What an earlier part brought is there and not brought again, when one turns out to be too large. */
static int bring_in_parts(struct slice *s)
{
	int r = 1;
	for (s->parts = 2; r == 1 && s->parts <= PARTS_MAX; s->parts *= 2)
		for (s->part = r = 0; r == 0 && s->part < s->parts; s->part++)
			r = bring_part(s);
	s->parts = 1;
	return r == 1 ? error_set(s->c->err, -E2BIG, "a bucket has more rows than can be copied") : r;
}

/* False: the slice must be looked at row by row. */
static int has_the_same(struct slice *s, bool *ret)
{
	struct measures sums[2];
	int r = copy_sums(s->c, COPY_TO, s->table, s->from_s, s->to_s, &sums[COPY_TO]);
	*ret = false;
	if (r < 0 || measures_zero(&sums[COPY_TO]))
		return r;
	r = copy_sums(s->c, COPY_FROM, s->table, s->from_s, s->to_s, &sums[COPY_FROM]);
	*ret = r == 0 && memcmp(&sums[COPY_FROM], &sums[COPY_TO], sizeof(sums[0])) == 0;
	return r;
}

int copy_rows(struct copy *c, struct store_table table, uint64_t from_s, uint64_t to_s)
{
	struct slice s = {.c = c, .table = table, .parts = 1,
		.rows_max = c->config->batch_rows ? c->config->batch_rows : BATCH_ROWS};
	uint64_t width = level_seconds[table.level], buckets = 1;
	c->rows = 0;
	for (s.from_s = from_s; s.from_s < to_s; ) {
		bool same;
		s.read = 0;
		s.to_s = to_s - s.from_s < buckets * width ? to_s : s.from_s + buckets * width;
		int r = has_the_same(&s, &same);
		if (r == 0 && !same)
			r = bring_part(&s);
		if (r == 1 && buckets > 1) {
			uint64_t fit = buckets * (s.rows_max / 2) / (s.read + 1);
			buckets = fit == 0 ? 1 : fit < buckets / 2 ? fit : buckets / 2;
			continue;
		}
		if (r == 1)
			r = bring_in_parts(&s);
		if (r < 0)
			return r;
		c->rows += s.read;
		if (s.read < s.rows_max / 4 && buckets < BUCKETS_MAX)
			buckets *= 2;
		s.from_s = s.to_s;
		copy_tell(c, table, (double)(s.to_s - from_s) / (double)(to_s - from_s), false);
	}
	return 0;
}

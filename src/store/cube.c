/* SPDX-License-Identifier: BSD-2-Clause */

/* A cube is the flow table seen through fewer dimensions: each row goes to the group of the dimensions
 * that are left. Only the minutes are made from the flows; the hour is made from the minutes' groups
 * and the day from the hour's, which are fewer, or the same ones when there is one bucket. Everything adds, so it does not
 * matter that a batch holds parts of many buckets. Origin and neighbour are read off each path once, not once a row.
 * Cost: a look-up and 28 additions per row and cube, about 0.1 us. */

#include "store/cube.h"

#include <errno.h>
#include <stdlib.h>

#include "route/path.h"

static uint64_t *identity(uint32_t n)
{
	uint64_t *map = malloc(((size_t)n + 1) * sizeof(*map));
	for (uint32_t i = 0; map && i < n; i++)
		map[i] = i;
	return map;
}

static void mark_used(struct cube_source *s, const struct store_table *only)
{
	uint32_t dims = only ? cube_dims[only->cube] : UINT32_MAX;
	for (uint32_t i = 0; i < s->flows->row_count; i++) {
		const struct flow_row *row = &s->flows->rows[i];
		if (measures_zero(&row->m))
			continue;
		s->name_used[row->key.router] |= (dims & DIM_BIT(DIM_router)) != 0;
		s->name_used[row->key.type] |= (dims & DIM_BIT(DIM_type)) != 0;
		s->prefix_used[row->key.prefix] |= (dims & DIM_BIT(DIM_prefix)) != 0;
		s->path_used[row->key.path] |= (dims & DIM_BIT(DIM_path)) != 0;
	}
	for (uint32_t i = 0; i < s->flows->change_count; i++) {
		const struct path_change *c = &s->flows->changes[i];
		s->name_used[c->router] = true;
		s->prefix_used[c->prefix] = true;
		s->path_used[c->before] = s->path_used[c->after] = true;
	}
}

int cube_source_init(struct cube_source *s, const struct flow_table *flows, const struct store_table *only)
{
	size_t paths = (size_t)flows->path_count + 1;
	*s = (struct cube_source){
		.flows = flows,
		.names = identity(flows->name_count),
		.prefixes = identity(flows->prefix_count),
		.paths = identity(flows->path_count),
		.origins = calloc(paths, sizeof(uint32_t)),
		.neighbours = calloc(paths, sizeof(uint32_t)),
		.name_used = calloc((size_t)flows->name_count + 1, sizeof(bool)),
		.prefix_used = calloc((size_t)flows->prefix_count + 1, sizeof(bool)),
		.path_used = calloc(paths, sizeof(bool)),
	};
	if (!s->names || !s->prefixes || !s->paths || !s->origins || !s->neighbours || !s->name_used ||
		!s->prefix_used || !s->path_used) {
		cube_source_done(s);
		return -ENOMEM;
	}
	for (uint32_t i = 1; i < flows->path_count; i++) {
		s->origins[i] = path_origin(flows->paths[i]);
		s->neighbours[i] = path_neighbour(flows->paths[i]);
	}
	mark_used(s, only);
	return 0;
}

void cube_source_done(struct cube_source *s)
{
	free(s->names);
	free(s->prefixes);
	free(s->paths);
	free(s->origins);
	free(s->neighbours);
	free(s->name_used);
	free(s->prefix_used);
	free(s->path_used);
	*s = (struct cube_source){0};
}

static uint64_t key_word(const struct cube_source *s, const struct flow_key *key, enum dimension dim)
{
	switch (dim) {
	case DIM_router:
		return s->names[key->router];
	case DIM_type:
		return s->names[key->type];
	case DIM_prefix:
		return s->prefixes[key->prefix];
	case DIM_path:
		return s->paths[key->path];
	case DIM_origin:
		return s->origins[key->path];
	case DIM_neighbour:
		return s->neighbours[key->path];
	case DIM_country:
		return key->country;
	case DIM_match:
		return key->match;
	case DIM_time:
	case DIM_via:
	case DIMENSION_COUNT:
		break;
	}
	abort(); /* schema.def names a dimension that no row has */
}

static int add_row(struct groups *g, const uint64_t *key, const uint64_t *sums)
{
	uint32_t row;
	int r = groups_get(g, key, &row);
	if (r < 0)
		return r;
	uint64_t *to = groups_sums(g, row);
	for (int i = 0; i < MEASURE_COUNT; i++)
		to[i] += sums[i];
	return 0;
}

/* The rows of a cube as they come, in key order. ret is reset. */
static int collect(const struct cube_source *s, enum store_cube cube, struct groups *ret)
{
	enum dimension dims[CUBE_KEY_MAX];
	unsigned n = (unsigned)cube_key(cube, dims);
	uint64_t key[1 + CUBE_KEY_MAX];

	groups_reset(ret, 1 + n, MEASURE_COUNT);
	for (uint32_t i = 0; i < s->flows->row_count; i++) {
		const struct flow_row *row = &s->flows->rows[i];
		if (measures_zero(&row->m))
			continue;
		key[0] = row->key.minute;
		for (unsigned d = 0; d < n; d++)
			key[1 + d] = key_word(s, &row->key, dims[d]);
		int r = add_row(ret, key, row->m.v);
		if (r < 0)
			return r;
	}
	return groups_sort(ret);
}

/* Rows of one bucket, as nearly all batches have: they are the coarser bucket's as well. */
static bool move_up(struct groups *rows, enum store_level level)
{
	if (!rows->count || groups_key(rows, 0)[0] != groups_key(rows, rows->count - 1)[0])
		return false;
	uint64_t ts = level_floor(level, groups_key(rows, 0)[0]);
	for (uint32_t i = 0; i < rows->count; i++)
		groups_key(rows, i)[0] = ts;
	return true;
}

/* The rows of a coarser level from those of a finer one. */
static int roll_up(const struct groups *fine, enum store_level level, struct groups *ret)
{
	uint64_t key[1 + CUBE_KEY_MAX];

	groups_reset(ret, fine->key_words, fine->sum_words);
	for (uint32_t i = 0; i < fine->count; i++) {
		memcpy(key, groups_key(fine, i), fine->key_words * sizeof(*key));
		key[0] = level_floor(level, key[0]);
		int r = add_row(ret, key, groups_sums(fine, i));
		if (r < 0)
			return r;
	}
	return groups_sort(ret); /* keys that only later buckets have came last */
}

static int walk_levels(const struct cube_source *s, enum store_cube cube, struct groups scratch[static 2],
	cube_rows_fn *fn, void *ctx)
{
	struct groups *rows = &scratch[0], *coarser = &scratch[1];
	int r = collect(s, cube, rows);
	for (int level = 0; level < LEVEL_COUNT && r == 0; level++) {
		if (level > 0 && !move_up(rows, (enum store_level)level)) {
			r = roll_up(rows, (enum store_level)level, coarser);
			struct groups *swap = rows;
			rows = coarser;
			coarser = swap;
		}
		if (r == 0)
			r = fn(ctx, cube, (enum store_level)level, rows);
	}
	return r;
}

int cube_walk(const struct cube_source *s, const struct store_table *only, struct groups scratch[static 2],
	cube_rows_fn *fn, void *ctx)
{
	int r = 0;
	if (only) {
		r = collect(s, only->cube, &scratch[0]);
		return r < 0 ? r : fn(ctx, only->cube, only->level, &scratch[0]);
	}
	for (int cube = 0; cube < CUBE_COUNT && r == 0; cube++)
		r = walk_levels(s, (enum store_cube)cube, scratch, fn, ctx);
	return r;
}

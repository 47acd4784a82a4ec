/* SPDX-License-Identifier: BSD-2-Clause */

/* A batch's names, prefixes and paths as they are stored, each made once. They are numbered anew in the order of their bytes,
 * and a cube's rows, which come in the order of these numbers, are in the order in which the server keeps them: what it gets
 * it writes as it stands.
 *
 * Cost: a sort of some ten thousand texts a batch, where the server would sort as many rows by them and move each of forty
 * columns. */

#include "store/clickhouse.h"

#include <stdlib.h>
#include <string.h>

#include "route/path.h"

#define MEMBERS_MAX (PATH_BYTES_MAX / 4)
#define FIRST_BYTES 8

/* Nearly always its first bytes tell. */
struct ranked {
	uint64_t first;
	struct view value;
	uint32_t number;
};

static int keep(struct ch_dict *d, struct buffer *b, struct view *ret)
{
	const uint8_t *copy = b->failed ? NULL : arena_copy(&d->arena, b->data, b->len);
	if (!copy)
		return -ENOMEM;
	*ret = (struct view){copy, b->len};
	buffer_clear(b);
	return 0;
}

static int keep_value(struct ch_dict *d, struct buffer *b, enum dimension_kind kind, const struct dim_value *v, struct view *ret)
{
	ch_encode(kind, v, b);
	return keep(d, b, ret);
}

static int keep_members(struct ch_dict *d, struct buffer *b, struct view path, uint32_t *members, struct view *ret)
{
	size_t count = path_members(path, members, MEMBERS_MAX);
	struct wr w = buffer_reserve(b, 4 * count);
	for (size_t i = 0; i < count; i++)
		wr_le(&w, members[i], 4);
	buffer_commit(b, &w);
	return keep(d, b, ret);
}

static int encode(struct ch_dict *d, const struct cube_source *src, struct buffer *b)
{
	const struct flow_table *flows = src->flows;
	int r = 0;
	for (uint32_t i = 1; i < flows->name_count && r == 0; i++)
		if (src->name_used[i])
			r = keep_value(d, b, KIND_TEXT, &(struct dim_value){.known = true, .bytes = flows->names[i]}, &d->names[i]);
	for (uint32_t i = 1; i < flows->prefix_count && r == 0; i++)
		if (src->prefix_used[i])
			r = keep_value(d, b, KIND_PREFIX, &(struct dim_value){.known = true, .prefix = flows->prefixes[i]},
				&d->prefixes[i]);
	for (uint32_t i = 1; i < flows->path_count && r == 0; i++)
		if (src->path_used[i])
			r = keep_value(d, b, KIND_PATH, &(struct dim_value){.known = true, .bytes = flows->paths[i]}, &d->paths[i]);
	return r;
}

/* ---- order ---- */

static int cmp_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	struct view v = x->value, w = y->value;
	size_t both = v.len < w.len ? v.len : w.len;
	int r = both ? memcmp(v.data, w.data, both) : 0;
	return r ? r : (v.len > w.len) - (v.len < w.len);
}

static uint64_t first_of(struct view v)
{
	uint8_t bytes[FIRST_BYTES] = {0};
	if (v.len)
		memcpy(bytes, v.data, v.len < FIRST_BYTES ? v.len : FIRST_BYTES);
	struct rd r = rd_make(bytes, sizeof(bytes));
	return rd_u64(&r);
}

/* Puts values into their order, and says where each went. What is unknown, or used by nobody, is empty and comes first. */
static int rank(struct view *values, uint32_t count, uint64_t *ret_places)
{
	CLEANUP(free_p) struct ranked *order = malloc(((size_t)count + 1) * sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = (struct ranked){first_of(values[i]), values[i], i};
	qsort(order, count, sizeof(*order), cmp_ranked);
	for (uint32_t i = 0; i < count; i++) {
		values[i] = order[i].value;
		ret_places[order[i].number] = i;
	}
	return 0;
}

static int add_members(struct ch_dict *d, const struct cube_source *src, struct buffer *b)
{
	CLEANUP(free_p) uint32_t *members = malloc(MEMBERS_MAX * sizeof(*members));
	int r = members ? 0 : -ENOMEM;
	for (uint32_t i = 1; i < src->flows->path_count && r == 0; i++)
		if (src->path_used[i])
			r = keep_members(d, b, src->flows->paths[i], members, &d->members[src->paths[i]]);
	return r;
}

int ch_dict_init(struct ch_dict *d, struct cube_source *src)
{
	const struct flow_table *flows = src->flows;
	CLEANUP(buffer_done) struct buffer b = {0};
	*d = (struct ch_dict){
		.names = calloc((size_t)flows->name_count + 1, sizeof(struct view)),
		.prefixes = calloc((size_t)flows->prefix_count + 1, sizeof(struct view)),
		.paths = calloc((size_t)flows->path_count + 1, sizeof(struct view)),
		.members = calloc((size_t)flows->path_count + 1, sizeof(struct view)),
	};
	arena_init(&d->arena);
	int r = d->names && d->prefixes && d->paths && d->members ? encode(d, src, &b) : -ENOMEM;
	if (r == 0)
		r = rank(d->names, flows->name_count, src->names);
	if (r == 0)
		r = rank(d->prefixes, flows->prefix_count, src->prefixes);
	if (r == 0)
		r = rank(d->paths, flows->path_count, src->paths);
	return r < 0 ? r : add_members(d, src, &b);
}

void ch_dict_done(struct ch_dict *d)
{
	arena_done(&d->arena);
	free(d->names);
	free(d->prefixes);
	free(d->paths);
	free(d->members);
	*d = (struct ch_dict){0};
}

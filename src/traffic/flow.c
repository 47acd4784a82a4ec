/* SPDX-License-Identifier: BSD-2-Clause */

/* Three dictionaries (names, prefixes, paths) and one array of rows, each with a hash index. A
 * dictionary's entry 0 is "unknown" and is never found by value. A row's key is compared as its
 * twenty-four bytes, which is why struct flow_key has no padding.
 *
 * Merging maps the other table's dictionaries into this one's first, once per entry, and then adds
 * row by row: the cost of a merge is a hash and a look-up a row, however long the paths are. Changes are
 * appended, so frames merged in their order give changes in theirs. */

#include "traffic/flow.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

_Static_assert(sizeof(struct flow_key) == 24, "a key is hashed and compared as bytes");

const char *const route_match_names[MATCH_COUNT] = {"none", "own", "stale", "fallback"};

/* Makes room for one more element of an array that grows by doubling. */
static int grow(void *array_pointer, uint32_t count, uint32_t *cap, size_t size)
{
	if (count < *cap)
		return 0;
	uint32_t bigger = *cap ? *cap * 2 : 64;
	void *p = realloc(*(void **)array_pointer, bigger * size);
	if (!p)
		return -ENOMEM;
	*(void **)array_pointer = p;
	*cap = bigger;
	return 0;
}

static int make_unknown_entries(struct flow_table *t)
{
	t->name_count = t->prefix_count = t->path_count = 0;
	if (grow(&t->names, 0, &t->name_cap, sizeof(*t->names)) < 0 ||
		grow(&t->prefixes, 0, &t->prefix_cap, sizeof(*t->prefixes)) < 0 ||
		grow(&t->paths, 0, &t->path_cap, sizeof(*t->paths)) < 0)
		return -ENOMEM;
	t->names[t->name_count++] = (struct view){0};
	t->prefixes[t->prefix_count++] = (struct prefix){0};
	t->paths[t->path_count++] = (struct view){0};
	return 0;
}

int flow_table_new(struct flow_table **ret)
{
	struct flow_table *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	arena_init(&t->arena);
	int r = make_unknown_entries(t);
	if (r < 0) {
		flow_table_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void flow_table_free(struct flow_table *t)
{
	if (!t)
		return;
	arena_done(&t->arena);
	index_done(&t->name_index);
	index_done(&t->prefix_index);
	index_done(&t->path_index);
	index_done(&t->row_index);
	free(t->names);
	free(t->prefixes);
	free(t->paths);
	free(t->rows);
	free(t->changes);
	free(t);
}

int flow_table_clear(struct flow_table *t)
{
	arena_reset(&t->arena);
	index_clear(&t->name_index);
	index_clear(&t->prefix_index);
	index_clear(&t->path_index);
	index_clear(&t->row_index);
	t->row_count = t->change_count = 0;
	t->changes_left_out = 0;
	return make_unknown_entries(t);
}

/* Finds or makes the entry of a dictionary of byte strings. */
static int intern_bytes(struct flow_table *t, struct view **entries, uint32_t *count, uint32_t *cap,
	struct index *idx, struct view bytes, uint32_t *ret)
{
	uint64_t hash = hash_bytes(bytes.data, bytes.len);
	uint32_t slot, pos;
	INDEX_FOR_EACH(idx, hash, slot, pos) {
		const struct view *v = &(*entries)[pos];
		if (v->len == bytes.len && (!bytes.len || memcmp(v->data, bytes.data, bytes.len) == 0)) {
			*ret = pos;
			return 0;
		}
	}
	const uint8_t *copy = arena_copy(&t->arena, bytes.data, bytes.len);
	if (!copy || grow(entries, *count, cap, sizeof(**entries)) < 0 || index_add(idx, hash, *count) < 0)
		return -ENOMEM;
	(*entries)[*count] = (struct view){copy, bytes.len};
	*ret = (*count)++;
	return 0;
}

int flow_table_name(struct flow_table *t, struct view name, uint32_t *ret)
{
	return intern_bytes(t, &t->names, &t->name_count, &t->name_cap, &t->name_index, name, ret);
}

int flow_table_path(struct flow_table *t, struct view path, uint32_t *ret)
{
	return intern_bytes(t, &t->paths, &t->path_count, &t->path_cap, &t->path_index, path, ret);
}

int flow_table_prefix(struct flow_table *t, const struct prefix *prefix, uint32_t *ret)
{
	uint64_t hash = hash_bytes(prefix, sizeof(*prefix));
	uint32_t slot, pos;
	INDEX_FOR_EACH(&t->prefix_index, hash, slot, pos) {
		if (prefix_equal(&t->prefixes[pos], prefix)) {
			*ret = pos;
			return 0;
		}
	}
	if (grow(&t->prefixes, t->prefix_count, &t->prefix_cap, sizeof(*t->prefixes)) < 0 ||
		index_add(&t->prefix_index, hash, t->prefix_count) < 0)
		return -ENOMEM;
	t->prefixes[t->prefix_count] = *prefix;
	*ret = t->prefix_count++;
	return 0;
}

struct flow_row *flow_table_row(struct flow_table *t, const struct flow_key *key)
{
	assert(key->zero == 0 && key->minute % 60 == 0);
	uint64_t hash = hash_bytes(key, sizeof(*key));
	uint32_t slot, pos;
	INDEX_FOR_EACH(&t->row_index, hash, slot, pos)
		if (memcmp(&t->rows[pos].key, key, sizeof(*key)) == 0)
			return &t->rows[pos];
	if (grow(&t->rows, t->row_count, &t->row_cap, sizeof(*t->rows)) < 0 ||
		index_add(&t->row_index, hash, t->row_count) < 0)
		return NULL;
	struct flow_row *row = &t->rows[t->row_count++];
	*row = (struct flow_row){.key = *key};
	return row;
}

int flow_table_change(struct flow_table *t, const struct path_change *change)
{
	assert(change->router < t->name_count && change->prefix < t->prefix_count &&
		change->before < t->path_count && change->after < t->path_count);
	if (grow(&t->changes, t->change_count, &t->change_cap, sizeof(*t->changes)) < 0)
		return -ENOMEM;
	t->changes[t->change_count++] = *change;
	return 0;
}

bool flow_table_is_empty(const struct flow_table *t)
{
	return !t->row_count && !t->change_count && !t->changes_left_out;
}

/* The numbers that another table's dictionary entries have in t; entry 0 maps to 0. */
struct mapping {
	uint32_t *names, *prefixes, *paths;
};

static void mapping_done(struct mapping *map)
{
	free(map->names);
	free(map->prefixes);
	free(map->paths);
}

static int map_dictionaries(struct flow_table *t, const struct flow_table *other, struct mapping *map)
{
	map->names = calloc(other->name_count, sizeof(uint32_t));
	map->prefixes = calloc(other->prefix_count, sizeof(uint32_t));
	map->paths = calloc(other->path_count, sizeof(uint32_t));
	if (!map->names || !map->prefixes || !map->paths)
		return -ENOMEM;
	int r = 0;
	for (uint32_t i = 1; i < other->name_count && r == 0; i++)
		r = flow_table_name(t, other->names[i], &map->names[i]);
	for (uint32_t i = 1; i < other->prefix_count && r == 0; i++)
		r = flow_table_prefix(t, &other->prefixes[i], &map->prefixes[i]);
	for (uint32_t i = 1; i < other->path_count && r == 0; i++)
		r = flow_table_path(t, other->paths[i], &map->paths[i]);
	return r;
}

static int merge_changes(struct flow_table *t, const struct flow_table *other, const struct mapping *map)
{
	int r = 0;
	for (uint32_t i = 0; i < other->change_count && r == 0; i++) {
		struct path_change c = other->changes[i];
		c.router = map->names[c.router];
		c.prefix = map->prefixes[c.prefix];
		c.before = map->paths[c.before];
		c.after = map->paths[c.after];
		r = flow_table_change(t, &c);
	}
	t->changes_left_out += other->changes_left_out;
	return r;
}

int flow_table_merge(struct flow_table *t, const struct flow_table *other)
{
	CLEANUP(mapping_done) struct mapping map = {0};
	int r = map_dictionaries(t, other, &map);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < other->row_count; i++) {
		const struct flow_row *from = &other->rows[i];
		struct flow_key key = from->key;
		key.router = map.names[key.router];
		key.type = map.names[key.type];
		key.prefix = map.prefixes[key.prefix];
		key.path = map.paths[key.path];
		struct flow_row *row = flow_table_row(t, &key);
		if (!row)
			return -ENOMEM;
		measures_add(&row->m, &from->m);
	}
	return merge_changes(t, other, &map);
}

static size_t index_bytes(const struct index *idx)
{
	return idx->slots ? ((size_t)idx->mask + 1) * sizeof(*idx->slots) : 0;
}

size_t flow_table_memory_bytes(const struct flow_table *t)
{
	return sizeof(*t) + t->arena.total_bytes + t->name_cap * sizeof(*t->names) +
		t->prefix_cap * sizeof(*t->prefixes) + t->path_cap * sizeof(*t->paths) +
		t->row_cap * sizeof(*t->rows) + t->change_cap * sizeof(*t->changes) + index_bytes(&t->name_index) +
		index_bytes(&t->prefix_index) + index_bytes(&t->path_index) + index_bytes(&t->row_index);
}

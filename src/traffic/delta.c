/* SPDX-License-Identifier: BSD-2-Clause */

/* Two levels of keys. The hot index goes by numbers the route table gives (prefix id, attributes id),
 * compared as twenty-four bytes; a record whose row exists touches one slot of the index, one entry
 * of sources, and the row. Only a new key is resolved into the flow table's dictionaries. Two keys may
 * resolve to one row: attributes that differ in more than the path do. Path changes are rare beside
 * records and resolved at once. */

#include "traffic/delta.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

struct delta {
	struct flow_table *flows;
	/* By flow_key whose prefix and path are the route table's ids; position in sources. */
	struct index index;
	struct source {
		struct flow_key key;
		uint32_t row;
	} *sources;
	uint32_t source_count, source_cap;
};

int delta_new(struct delta **ret)
{
	struct delta *d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	index_init(&d->index);
	int r = flow_table_new(&d->flows);
	if (r < 0) {
		delta_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void delta_free(struct delta *d)
{
	if (!d)
		return;
	flow_table_free(d->flows);
	index_done(&d->index);
	free(d->sources);
	free(d);
}

int delta_name(struct delta *d, struct view name, uint32_t *ret)
{
	if (name.len)
		return flow_table_name(d->flows, name, ret);
	*ret = 0;
	return 0;
}

/* The row in the flow table for a key by ids. */
static struct flow_row *resolve(struct delta *d, const struct route_table *routes,
	const struct delta_key *key, struct flow_key flow)
{
	flow.prefix = flow.path = 0;
	if (key->route) {
		struct prefix prefix = route_prefix(routes, key->route->prefix);
		struct route_attrs attrs = route_attrs(routes, key->route->attrs);
		if (flow_table_prefix(d->flows, &prefix, &flow.prefix) < 0 ||
			flow_table_path(d->flows, attrs.path, &flow.path) < 0)
			return NULL;
	}
	return flow_table_row(d->flows, &flow);
}

static int add_source(struct delta *d, uint64_t hash, const struct flow_key *key, uint32_t row)
{
	if (d->source_count == d->source_cap) {
		uint32_t cap = d->source_cap ? d->source_cap * 2 : 1024;
		struct source *p = realloc(d->sources, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		d->sources = p;
		d->source_cap = cap;
	}
	if (index_add(&d->index, hash, d->source_count) < 0)
		return -ENOMEM;
	d->sources[d->source_count++] = (struct source){*key, row};
	return 0;
}

struct measures *delta_row(struct delta *d, const struct route_table *routes, const struct delta_key *key)
{
	struct flow_key by_id = {
		.minute = (uint32_t)(key->time_ms / 60000 * 60),
		.router = key->router,
		.type = key->type,
		.prefix = key->route ? key->route->prefix : ROUTE_NONE,
		.path = key->route ? key->route->attrs : ROUTE_NONE,
		.country = key->country,
		.match = (uint8_t)key->match,
	};
	uint64_t hash = hash_bytes(&by_id, sizeof(by_id));
	uint32_t slot, pos;
	INDEX_FOR_EACH(&d->index, hash, slot, pos)
		if (memcmp(&d->sources[pos].key, &by_id, sizeof(by_id)) == 0)
			return &d->flows->rows[d->sources[pos].row].m;
	struct flow_row *row = resolve(d, routes, key, by_id);
	if (!row || add_source(d, hash, &by_id, (uint32_t)(row - d->flows->rows)) < 0)
		return NULL;
	return &row->m;
}

/* The path of attributes by id as the flow table numbers it; 0 for ROUTE_NONE. */
static int number_path(struct delta *d, const struct route_table *routes, uint32_t attrs, uint32_t *ret)
{
	if (attrs != ROUTE_NONE)
		return flow_table_path(d->flows, route_attrs(routes, attrs).path, ret);
	*ret = 0;
	return 0;
}

static bool same_path(const struct route_table *routes, uint32_t a, uint32_t b)
{
	if (a == b || a == ROUTE_NONE || b == ROUTE_NONE)
		return a == b;
	struct view x = route_attrs(routes, a).path, y = route_attrs(routes, b).path;
	return x.len == y.len && (!x.len || memcmp(x.data, y.data, x.len) == 0);
}

int delta_change(struct delta *d, const struct route_table *routes, uint64_t time_ms, struct view router_name,
	uint32_t prefix_id, uint32_t before_attrs, uint32_t after_attrs)
{
	if (same_path(routes, before_attrs, after_attrs))
		return 0;
	if (d->flows->change_count >= DELTA_CHANGES_MAX) {
		d->flows->changes_left_out++;
		return 0;
	}
	struct path_change change = {.time_ms = time_ms};
	struct prefix prefix = route_prefix(routes, prefix_id);
	int r = delta_name(d, router_name, &change.router);
	if (r == 0)
		r = flow_table_prefix(d->flows, &prefix, &change.prefix);
	if (r == 0)
		r = number_path(d, routes, before_attrs, &change.before);
	if (r == 0)
		r = number_path(d, routes, after_attrs, &change.after);
	return r == 0 ? flow_table_change(d->flows, &change) : r;
}

bool delta_is_empty(const struct delta *d)
{
	return flow_table_is_empty(d->flows);
}

uint32_t delta_rows(const struct delta *d)
{
	return d->flows->row_count;
}

size_t delta_memory_bytes(const struct delta *d)
{
	return flow_table_memory_bytes(d->flows) + d->source_cap * sizeof(*d->sources);
}

struct flow_table *delta_take(struct delta *d, struct flow_table *fresh)
{
	struct flow_table *taken = d->flows;
	d->flows = fresh;
	d->source_count = 0;
	index_clear(&d->index);
	return taken;
}

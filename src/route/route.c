/* SPDX-License-Identifier: BSD-2-Clause */

/* Every router's table in one: see route.h for the idea.
 *
 * The longest match maps each prefix that any view knows to its id, and is also the way from a prefix
 * to its id: there is no second index. Per id there are eight bytes (the prefix itself and how many
 * views have it; eight or sixteen more for an IPv6 address), and per view and id five (the attributes' id and when it
 * changed), in pages (route/pages.h) of which a view has those that it has routes in.
 *
 * Invariants: uses of a prefix = views that have something at its id; a prefix without uses is
 * dead in `ids` but stays in the match, so that a route that flaps keeps its id, until route_reclaim
 * removes both. References of attributes = places in views that name them, and what callers hold.
 *
 * Cost: a lookup is one longest match and one read from the view; only where the longest match is not
 * the asked view's are all covering prefixes gathered. A change is one walk down the trie, and, where
 * the attributes are given and not their id, one packing, hash and comparison. */

#include "route/route.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "route/area.h"
#include "route/attrs.h"
#include "route/lpm_tree.h"
#include "route/pages.h"
#include "route/path.h"

#define VIEWS_MAX     UINT16_MAX /* uses is a uint16_t */
#define V6_UNIT_BYTES 8u         /* of v6_addrs: the first half of an address, or the second too */

/* An IPv4 address, or where an IPv6 one is: in v6_addrs, half of it where the rest is zero. */
struct prefix_entry {
	uint32_t addr;
	uint8_t len;
	bool v6;
	uint16_t uses;
};

struct table_view {
	struct paged routes;
	size_t counts[2]; /* IPv4, IPv6 */
	bool unused; /* taken back by route_view_del */
};

typedef bool route_find(
	const struct route_table *t, unsigned view, const struct addr *addr, struct route_hit *ret);

struct route_table {
	struct lpm *lpm;
	route_find *find;
	struct ids ids;
	struct prefix_entry *prefixes;
	uint32_t cap;
	struct pool v6_addrs;
	struct attrs attrs;
	struct pages pages;
	unsigned views_count, views_cap;
	struct table_view *views;
};

static route_find find_anywhere, find_counting;

int route_table_new(unsigned views, struct route_table **ret)
{
	if (views > VIEWS_MAX)
		return -EINVAL;
	struct route_table *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->find = lpm_can_count() ? find_counting : find_anywhere;
	ids_init(&t->ids);
	pool_init_flat(&t->v6_addrs, V6_UNIT_BYTES);
	attrs_init(&t->attrs);
	int r = pages_init(&t->pages);
	if (r == 0)
		r = lpm_new(&t->lpm);
	for (unsigned i = 0, view; r == 0 && i < views; i++)
		r = route_view_add(t, &view);
	if (r < 0) {
		route_table_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

int route_view_add(struct route_table *t, unsigned *ret_view)
{
	for (unsigned v = 0; v < t->views_count; v++) {
		if (!t->views[v].unused)
			continue;
		t->views[v].unused = false;
		*ret_view = v;
		return 0;
	}
	if (t->views_count == VIEWS_MAX)
		return -EINVAL;
	if (t->views_count == t->views_cap) {
		unsigned cap = t->views_cap ? 2 * t->views_cap : 8;
		struct table_view *grown = realloc(t->views, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		t->views = grown;
		t->views_cap = cap;
	}
	t->views[t->views_count] = (struct table_view){0};
	*ret_view = t->views_count++;
	return 0;
}

void route_view_del(struct route_table *t, unsigned view)
{
	route_clear(t, view);
	t->views[view].unused = true;
}

void route_table_free(struct route_table *t)
{
	if (!t)
		return;
	for (unsigned v = 0; v < t->views_count; v++)
		paged_done(&t->views[v].routes);
	pages_done(&t->pages);
	attrs_done(&t->attrs);
	pool_done(&t->v6_addrs);
	ids_done(&t->ids);
	area_free(t->prefixes, t->cap * sizeof(*t->prefixes));
	free(t->views);
	lpm_free(t->lpm);
	free(t);
}

static struct table_view *view_at(struct route_table *t, unsigned view)
{
	assert(view < t->views_count);
	return &t->views[view];
}

uint32_t route_at(const struct route_table *t, unsigned view, uint32_t prefix)
{
	return paged_get(&t->pages, &t->views[view].routes, prefix);
}

/* Grows the array of entries to the ids' capacity. */
static int reserve_prefix(struct route_table *t, uint32_t id)
{
	if (id < t->cap)
		return 0;
	struct prefix_entry *grown = area_grow(t->prefixes, t->cap * sizeof(*grown), t->ids.cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->prefixes = grown;
	t->cap = t->ids.cap;
	return 0;
}

static uint32_t v6_units(uint8_t len)
{
	return len > 8 * V6_UNIT_BYTES ? 2 : 1;
}

static int store_prefix(struct route_table *t, uint32_t id, const struct prefix *p)
{
	struct prefix_entry *e = &t->prefixes[id];
	uint32_t units = v6_units(p->len);
	*e = (struct prefix_entry){.len = p->len, .v6 = p->addr.family == ADDR_V6};
	if (!e->v6) {
		memcpy(&e->addr, p->addr.bytes, sizeof(e->addr));
		return 0;
	}
	e->addr = pool_alloc(&t->v6_addrs, units);
	if (e->addr == POOL_NONE)
		return -ENOMEM;
	memcpy(pool_at(&t->v6_addrs, e->addr), p->addr.bytes, (size_t)units * V6_UNIT_BYTES);
	return 0;
}

static void forget_prefix(struct route_table *t, uint32_t id)
{
	const struct prefix_entry *e = &t->prefixes[id];
	if (e->v6)
		pool_free(&t->v6_addrs, e->addr, v6_units(e->len));
	ids_release(&t->ids, id);
}

struct prefix route_prefix(const struct route_table *t, uint32_t prefix)
{
	assert(prefix < t->ids.used);
	const struct prefix_entry *e = &t->prefixes[prefix];
	struct prefix p = {.addr.family = e->v6 ? ADDR_V6 : ADDR_V4, .len = e->len};
	if (e->v6)
		memcpy(p.addr.bytes, pool_at(&t->v6_addrs, e->addr), (size_t)v6_units(e->len) * V6_UNIT_BYTES);
	else
		memcpy(p.addr.bytes, &e->addr, sizeof(e->addr));
	return p;
}

/* A new id for the prefix, dead until a view uses it. */
static int add_prefix(struct route_table *t, const struct prefix *p, uint32_t *ret_id)
{
	uint32_t id = ids_get(&t->ids);
	if (id == IDS_NONE)
		return -ENOMEM;
	if (reserve_prefix(t, id) < 0) {
		t->ids.used--; /* a fresh id, the last one given out */
		return -ENOMEM;
	}
	ids_bury(&t->ids, id);
	if (store_prefix(t, id, p) < 0) {
		ids_release(&t->ids, id);
		return -ENOMEM;
	}
	if (lpm_set(t->lpm, p, id) < 0) {
		forget_prefix(t, id);
		return -ENOMEM;
	}
	*ret_id = id;
	return 0;
}

static size_t *count_of(const struct route_table *t, struct table_view *v, uint32_t id)
{
	return &v->counts[t->prefixes[id].v6];
}

int route_prefix_id(struct route_table *t, const struct prefix *prefix, uint32_t *ret_id)
{
	if (prefix->addr.family == ADDR_NONE || prefix->len > addr_bits(&prefix->addr))
		return -EINVAL;
	struct prefix p = prefix_make(&prefix->addr, prefix->len);
	uint32_t id = lpm_get(t->lpm, &p);
	if (id == LPM_NONE && add_prefix(t, &p, &id) < 0)
		return -ENOMEM;
	*ret_id = id;
	return 0;
}

int route_put(struct route_table *t, unsigned view, uint32_t id, uint32_t attrs)
{
	struct table_view *v = view_at(t, view);
	uint32_t before;
	if (paged_set(&t->pages, &v->routes, id, attrs, &before) < 0)
		return -ENOMEM;
	if (before == attrs)
		return 0;
	attrs_ref(&t->attrs, attrs);
	if (before != ROUTE_NONE) {
		attrs_unref(&t->attrs, before);
		return 0;
	}
	++*count_of(t, v, id);
	if (t->prefixes[id].uses++ == 0)
		ids_revive(&t->ids, id);
	return 0;
}

int route_set_id(struct route_table *t, unsigned view, const struct prefix *prefix, uint32_t attrs)
{
	uint32_t id;
	int r = route_prefix_id(t, prefix, &id);
	return r < 0 ? r : route_put(t, view, id, attrs);
}

int route_set(struct route_table *t, unsigned view, const struct prefix *prefix,
	const struct route_attrs *attrs)
{
	uint32_t id;
	int r = attrs_intern(&t->attrs, attrs, &id);
	if (r < 0)
		return r;
	r = route_set_id(t, view, prefix, id);
	attrs_unref(&t->attrs, id);
	return r;
}

int route_attrs_intern(struct route_table *t, const struct route_attrs *attrs, uint32_t *ret_id)
{
	return attrs_intern(&t->attrs, attrs, ret_id);
}

void route_attrs_hold(struct route_table *t, uint32_t attrs)
{
	attrs_ref(&t->attrs, attrs);
}

void route_attrs_release(struct route_table *t, uint32_t attrs)
{
	attrs_unref(&t->attrs, attrs);
}

static void remove_route(struct route_table *t, struct table_view *v, uint32_t id)
{
	attrs_unref(&t->attrs, paged_del(&t->pages, &v->routes, id));
	--*count_of(t, v, id);
	if (--t->prefixes[id].uses == 0)
		ids_bury(&t->ids, id);
}

void route_drop(struct route_table *t, unsigned view, uint32_t id)
{
	if (route_at(t, view, id) != ROUTE_NONE)
		remove_route(t, view_at(t, view), id);
}

void route_clock(struct route_table *t, uint64_t now_ms)
{
	pages_clock(&t->pages, now_ms);
}

uint64_t route_changed_ms(const struct route_table *t, unsigned view, uint32_t prefix)
{
	assert(view < t->views_count);
	return paged_changed_ms(&t->pages, &t->views[view].routes, prefix);
}

uint32_t route_at_or_after(const struct route_table *t, unsigned view, uint32_t from)
{
	return paged_next(&t->pages, &t->views[view].routes, from);
}

uint32_t route_ids_end(const struct route_table *t)
{
	return t->ids.used;
}

uint32_t route_attrs_end(const struct route_table *t)
{
	return t->attrs.ids.used;
}

int route_withdraw(struct route_table *t, unsigned view, const struct prefix *prefix)
{
	struct table_view *v = view_at(t, view);
	struct route_hit hit;
	if (!route_get(t, view, prefix, &hit))
		return -ENOENT;
	remove_route(t, v, hit.prefix);
	return 0;
}

void route_clear(struct route_table *t, unsigned view)
{
	struct table_view *v = view_at(t, view);
	for (uint32_t id = 0; (id = paged_next(&t->pages, &v->routes, id)) != ROUTE_NONE; id++)
		remove_route(t, v, id);
	paged_done(&v->routes);
}

bool route_reclaim(struct route_table *t, size_t max)
{
	uint32_t id = 0;
	size_t prefixes = max;
	for (; (id = ids_next_dead(&t->ids, id)) != IDS_NONE; prefixes--) {
		if (!prefixes)
			return true;
		struct prefix p = route_prefix(t, id);
		(void)lpm_del(t->lpm, &p);
		forget_prefix(t, id);
	}
	return attrs_reclaim(&t->attrs, max);
}

/* The longest match, and where it is another view's the next shorter ones, until one is this view's. */
static __attribute__((noinline)) bool find_any(
	const struct route_table *t, unsigned view, const struct addr *addr, struct route_hit *ret)
{
	const struct paged *routes = &t->views[view].routes;
	uint32_t ids[LPM_DEPTH_MAX];
	size_t n = 1;
	ids[0] = lpm_lookup(t->lpm, addr);
	for (size_t i = 0; i < n && ids[i] != LPM_NONE; i++) {
		uint32_t attrs = paged_get(&t->pages, routes, ids[i]);
		if (LIKELY(attrs != ROUTE_NONE)) {
			*ret = (struct route_hit){ids[i], attrs};
			return true;
		}
		if (i == 0)
			n = lpm_covering(t->lpm, addr, ids);
	}
	return false;
}

/* The frequent case: an IPv4 address whose longest match is the view's. What is waited for is memory, and
 * the processor waits for that many addresses at once as it can hold instructions of. So there are few: all else
 * goes the long way from the start. */
static ALWAYS_INLINE bool find_route(
	const struct route_table *t, unsigned view, const struct addr *addr, struct route_hit *ret)
{
	uint32_t id;
	if (UNLIKELY(!find_short(t->lpm, addr, &id)))
		return find_any(t, view, addr, ret);
	uint32_t attrs = paged_get(&t->pages, &t->views[view].routes, id);
	if (UNLIKELY(attrs == ROUTE_NONE))
		return find_any(t, view, addr, ret);
	ret->prefix = id;
	__asm__("" ::: "memory"); /* or else both would first go through a vector register */
	ret->attrs = attrs;
	return true;
}

static bool find_anywhere(
	const struct route_table *t, unsigned view, const struct addr *addr, struct route_hit *ret)
{
	return find_route(t, view, addr, ret);
}

LPM_COUNTING static bool find_counting(
	const struct route_table *t, unsigned view, const struct addr *addr, struct route_hit *ret)
{
	return find_route(t, view, addr, ret);
}

bool route_lookup(const struct route_table *t, unsigned view, const struct addr *addr, struct route_hit *ret)
{
	assert(view < t->views_count);
	return t->find(t, view, addr, ret);
}

#define TOGETHER 32u

static void find_together(
	const struct route_table *t, unsigned view, const struct addr *addrs, size_t n, struct route_hit *ret)
{
	const struct paged *routes = &t->views[view].routes;
	uint32_t ids[TOGETHER];
	lpm_lookup_many(t->lpm, addrs, n, ids);
	for (size_t i = 0; i < n; i++)
		paged_prefetch(&t->pages, routes, ids[i]);
	for (size_t i = 0; i < n; i++) {
		uint32_t attrs = paged_get(&t->pages, routes, ids[i]);
		ret[i] = (struct route_hit){ids[i], attrs};
		if (UNLIKELY(attrs == ROUTE_NONE && ids[i] != LPM_NONE))
			(void)find_any(t, view, &addrs[i], &ret[i]);
	}
}

void route_lookup_many(const struct route_table *t, unsigned view, const struct addr *addrs, size_t n,
	struct route_hit *ret)
{
	assert(view < t->views_count);
	for (size_t at = 0; at < n; at += TOGETHER)
		find_together(t, view, addrs + at, n - at < TOGETHER ? n - at : TOGETHER, ret + at);
}

bool route_get(const struct route_table *t, unsigned view, const struct prefix *prefix, struct route_hit *ret)
{
	assert(view < t->views_count);
	if (prefix->addr.family == ADDR_NONE || prefix->len > addr_bits(&prefix->addr))
		return false;
	uint32_t id = lpm_get(t->lpm, prefix);
	uint32_t attrs = id == LPM_NONE ? ROUTE_NONE : route_at(t, view, id);
	if (attrs == ROUTE_NONE)
		return false;
	*ret = (struct route_hit){id, attrs};
	return true;
}

uint32_t route_next(const struct route_table *t, const struct prefix *after)
{
	struct prefix prefix;
	uint32_t id;
	return lpm_next(t->lpm, after, &prefix, &id) ? id : ROUTE_NONE;
}

size_t route_covering(const struct route_table *t, const struct prefix *prefix,
	uint32_t ret[static ROUTE_COVERING_MAX])
{
	static_assert(ROUTE_COVERING_MAX == LPM_DEPTH_MAX, "as many as the match can find");
	return lpm_covering_prefix(t->lpm, prefix, ret);
}

struct route_attrs route_attrs(const struct route_table *t, uint32_t attrs)
{
	return attrs_get(&t->attrs, attrs);
}

uint32_t route_origin(const struct route_table *t, uint32_t attrs)
{
	return path_origin(attrs_get(&t->attrs, attrs).path);
}

uint32_t route_neighbour(const struct route_table *t, uint32_t attrs)
{
	return path_neighbour(attrs_get(&t->attrs, attrs).path);
}

size_t route_count(const struct route_table *t, unsigned view)
{
	assert(view < t->views_count);
	return t->views[view].counts[0] + t->views[view].counts[1];
}

size_t route_count_family(const struct route_table *t, unsigned view, unsigned family)
{
	assert(view < t->views_count && (family == ADDR_V4 || family == ADDR_V6));
	return t->views[view].counts[family == ADDR_V6];
}

struct route_stats route_stats(const struct route_table *t)
{
	struct route_stats s = {.prefixes = ids_live(&t->ids), .attrs = ids_live(&t->attrs.ids)};
	s.memory_bytes = sizeof(*t) + t->views_cap * sizeof(t->views[0]) + lpm_memory_bytes(t->lpm) +
		ids_memory_bytes(&t->ids) + t->cap * sizeof(*t->prefixes) +
		pool_memory_bytes(&t->v6_addrs) + pool_memory_bytes(&t->pages.pool) + attrs_memory_bytes(&t->attrs);
	for (unsigned v = 0; v < t->views_count; v++)
		s.memory_bytes += t->views[v].routes.cap * sizeof(*t->views[v].routes.starts);
	return s;
}

void route_walk(const struct route_table *t, unsigned view,
	bool (*fn)(void *ctx, const struct prefix *prefix, uint32_t attrs), void *ctx)
{
	assert(view < t->views_count);
	const struct paged *routes = &t->views[view].routes;
	for (uint32_t id = 0; (id = paged_next(&t->pages, routes, id)) != ROUTE_NONE; id++) {
		struct prefix p = route_prefix(t, id);
		if (!fn(ctx, &p, paged_get(&t->pages, routes, id)))
			return;
	}
}

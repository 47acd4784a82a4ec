/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Every router's own table, in one structure.
 *
 * A prefix has one id, whichever routers know it. Path attributes are interned: equal attributes have
 * one id and a reference count. A router's *view* is an array of attribute ids indexed by prefix id, kept in
 * pages so that a view of few routes is small.
 * One longest match runs over the union of all prefixes and then walks to less specific ones until
 * the asked view has a route, so every router's answer is its own true longest match, and a further
 * router with much the same table costs five bytes a prefix.
 *
 * One thread owns a table. Ids stay valid until the route they name is gone *and* route_reclaim has
 * run: whoever keeps ids (the buckets) calls it when nothing kept is left. */

#include "base/address.h"
#include "base/cursor.h"

#define ROUTE_NONE UINT32_MAX

/* Path attributes, as far as this program uses them. Views point into the caller's memory when given
 * and into the table when returned. Two routes share an id when all of this is equal. */
struct route_attrs {
	struct view path;              /* see route/path.h; kept joined */
	struct view communities;       /* RFC 1997, attribute value as received; empty: absent */
	struct view ext_communities;   /* RFC 4360 */
	struct view large_communities; /* RFC 8092 */
	struct addr next_hop;          /* ADDR_NONE: unknown */
	struct addr aggregator;        /* ADDR_NONE: absent */
	uint32_t originator_id;        /* RFC 4456; 0: absent */
	uint8_t cluster_length;        /* of CLUSTER_LIST, 127 at most */
	uint32_t aggregator_as;        /* counts when there is an aggregator */
	uint32_t med, local_pref;      /* count when has_ says so */
	bool has_med, has_local_pref, atomic_aggregate;
	uint8_t origin_code; /* 0 IGP, 1 EGP, 2 INCOMPLETE */
};

struct route_hit {
	uint32_t prefix; /* id */
	uint32_t attrs;  /* id */
};

struct route_table;

/* views: how many there are at first, numbered from 0; 65535 at most. -EINVAL, -ENOMEM. */
int route_table_new(unsigned views, struct route_table **ret) MUST_USE;
void route_table_free(struct route_table *t);

/* One more view, empty. -EINVAL: there are 65535. */
int route_view_add(struct route_table *t, unsigned *ret_view) MUST_USE;
/* Clears a view and gives its number back. Clear a large one in slices before (route_drop). */
void route_view_del(struct route_table *t, unsigned view);

/* Sets a view's route for a prefix, replacing what was there. -EINVAL for a path that path_valid
 * refuses or a prefix without a family, -ENOMEM: then the view is as it was. */
int route_set(struct route_table *t, unsigned view, const struct prefix *prefix,
	const struct route_attrs *attrs) MUST_USE;
/* In two steps, where many prefixes share attributes: intern once (the caller owns one reference),
 * set many, release. */
int route_attrs_intern(struct route_table *t, const struct route_attrs *attrs, uint32_t *ret_id) MUST_USE;
void route_attrs_hold(struct route_table *t, uint32_t attrs); /* one reference more */
void route_attrs_release(struct route_table *t, uint32_t attrs);
int route_set_id(struct route_table *t, unsigned view, const struct prefix *prefix, uint32_t attrs) MUST_USE;
/* -ENOENT when the view has no such route. */
int route_withdraw(struct route_table *t, unsigned view, const struct prefix *prefix);
void route_clear(struct route_table *t, unsigned view);

/* By prefix id, where one prefix is written to several views or a view is walked in slices. The id of a
 * prefix, made if new; it must be put into a view before route_reclaim. -EINVAL, -ENOMEM. */
int route_prefix_id(struct route_table *t, const struct prefix *prefix, uint32_t *ret_id) MUST_USE;
int route_put(struct route_table *t, unsigned view, uint32_t prefix, uint32_t attrs) MUST_USE;
/* No-op when the view has no such route. */
void route_drop(struct route_table *t, unsigned view, uint32_t prefix);
/* Id of the view's attributes for this prefix, or ROUTE_NONE. */
uint32_t route_at(const struct route_table *t, unsigned view, uint32_t prefix);
/* When the view's attributes for this prefix were last set to something different, by route_clock's clock; 0 when
 * it has no route. A byte keeps this: what it says is up to half a second or, for older ones, 1/32 of the age
 * off; up to 1/20 where a table holds routes of every age up to a year. */
uint64_t route_changed_ms(const struct route_table *t, unsigned view, uint32_t prefix);
/* The table has no clock of its own: the owner tells the time, whichever clock it is, several times a second and
 * before changes whose time matters. Takes a fraction of a millisecond now and then. A step back is ignored. */
void route_clock(struct route_table *t, uint64_t now_ms);
/* The first id from `from` on that the view has a route of, or ROUTE_NONE. */
uint32_t route_at_or_after(const struct route_table *t, unsigned view, uint32_t from);
/* All prefix ids are below this. */
uint32_t route_ids_end(const struct route_table *t);

/* Frees ids that no view uses any more (and, of attributes, no caller holds), at most max prefixes and as
 * many sets of attributes; true when there are more. Until then a route that comes back gets the ids it
 * had. */
bool route_reclaim(struct route_table *t, size_t max);
/* All attribute ids are below this. */
uint32_t route_attrs_end(const struct route_table *t);

/* The view's longest match. False when it has no route for the address. */
bool route_lookup(const struct route_table *t, unsigned view, const struct addr *addr, struct route_hit *ret);
/* The same of n addresses, in less time than one after the other; attrs is ROUTE_NONE where there is none. */
void route_lookup_many(const struct route_table *t, unsigned view, const struct addr *addrs, size_t n,
	struct route_hit *ret);
/* The view's route for exactly this prefix. */
bool route_get(const struct route_table *t, unsigned view, const struct prefix *prefix, struct route_hit *ret);

/* The id of the first prefix behind `after`, which need not be there, in the order of prefix_cmp; NULL: the
 * first of all. ROUTE_NONE at the end. Whether a view has it, or any view still, is for the caller to see with
 * route_at. Costs a walk down the trie and keeps nothing, so the table may change between two calls. */
uint32_t route_next(const struct route_table *t, const struct prefix *after);
/* The ids of all prefixes that contain this one and of itself, longest first, in the same sense. How many. */
#define ROUTE_COVERING_MAX 129
size_t route_covering(const struct route_table *t, const struct prefix *prefix,
	uint32_t ret[static ROUTE_COVERING_MAX]);

struct prefix route_prefix(const struct route_table *t, uint32_t prefix);
/* Valid until the id is reclaimed. */
struct route_attrs route_attrs(const struct route_table *t, uint32_t attrs);
/* Of the attributes' path; 0: unknown. */
uint32_t route_origin(const struct route_table *t, uint32_t attrs);
uint32_t route_neighbour(const struct route_table *t, uint32_t attrs);

/* How many routes a view has; of one family, ADDR_V4 or ADDR_V6. Kept, not counted. */
size_t route_count(const struct route_table *t, unsigned view);
size_t route_count_family(const struct route_table *t, unsigned view, unsigned family);

struct route_stats {
	size_t prefixes, attrs; /* in use; what waits for route_reclaim not counted */
	size_t memory_bytes;
};
struct route_stats route_stats(const struct route_table *t);

/* Calls fn for every route of the view in id order until it returns false. fn must not change the
 * table. */
void route_walk(const struct route_table *t, unsigned view,
	bool (*fn)(void *ctx, const struct prefix *prefix, uint32_t attrs), void *ctx);

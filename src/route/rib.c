/* SPDX-License-Identifier: BSD-2-Clause */

/* See rib.h for the idea.
 *
 * Invariants: a peer's view holds, for each prefix, the best of the peer's routes. When `best_built`, the
 * best view holds for each prefix the best over the peers' views. Both are kept by settle_prefix after
 * each change, which looks at that prefix alone.
 *
 * The best view is built when a second peer comes: from prefix id 0 upwards in slices, while changes go to
 * both; until it is done the first peer's view answers. Whatever concerns all routes of a peer is one walk
 * over its prefixes in slices, which does at each what the peer's marks ask for: remove it (`leaving`, or
 * not told again and its family in `sweeping`), or choose anew (`settling`, after a loss). A mark that comes
 * while a walk is under way begins it again. So the others' routes take over one by one.
 *
 * A route is stale when its peer is lost and has not told it again: that is known by a bit for each prefix
 * told since the resync began, and with ADD-PATH by a generation in each route. A lost peer's family is as
 * good as new when the sweep after its resync is done.
 *
 * Cost of a change: the prefix's id (one walk of the trie), one write to the peer's view, and with n peers
 * n reads and n - 1 comparisons. Memory: four bytes a prefix and peer, four more for the best with
 * several peers; a route of an ADD-PATH peer takes 24. */

#include "route/rib.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/attr.h"
#include "route/best.h"
#include "route/paths.h"
#include "route/path.h"

#define PATHS_MAX          1024u /* of a prefix, by ADD-PATH: each change looks at all of them */

struct rib_peer {
	struct rib *rib;
	struct rib_peer *next;
	struct rib_peer_info info;
	unsigned view;
	size_t routes;

	struct paths *paths; /* NULL without ADD-PATH */
	uint32_t generation;

	uint8_t *fresh; /* bit by prefix id: told since the resync began */
	uint32_t fresh_bytes;

	uint8_t lost, resyncing; /* families */

	/* The walk over its prefixes: what it does, and where it is (a prefix id, or with ADD-PATH the number
	 * of paths still to look at). */
	bool walking, leaving, settling;
	uint8_t sweeping; /* families */
	uint32_t walk_at;
};

struct rib {
	struct route_table *table;
	struct rib_peer *peers; /* in order of coming; those that go stay until they are empty */
	unsigned best_view;
	bool building, best_built;
	uint32_t build_at;
	size_t routes, routes_max;
	size_t peer_count;
	size_t lost;    /* peers of which a family is */
	size_t walking; /* peers that are */
	uint64_t refused;
	struct rib_observer observer; /* changed NULL: nobody looks */
	struct best best; /* scratch */
};

static uint8_t family_of(const struct rib *rib, uint32_t prefix)
{
	struct prefix p = route_prefix(rib->table, prefix);
	return bgp_family_of_addr(p.addr.family);
}

/* ---- what is stale ---- */

static bool is_fresh(const struct rib_peer *peer, uint32_t prefix)
{
	return prefix / 8 < peer->fresh_bytes && peer->fresh[prefix / 8] >> (prefix % 8) & 1;
}

/* Of an ADD-PATH peer. */
static bool is_path_stale(const struct rib_peer *peer, const struct path *path)
{
	uint8_t family = peer->lost ? family_of(peer->rib, path->prefix) : 0;
	return peer->lost & family && (!(peer->resyncing & family) || path->generation != peer->generation);
}

static const struct path *best_path(const struct rib_peer *peer, uint32_t prefix);

/* Whether what the peer's view has for a prefix is stale. */
static bool is_stale(const struct rib_peer *peer, uint32_t prefix)
{
	if (LIKELY(!peer->lost))
		return false;
	if (peer->info.add_path) {
		const struct path *path = best_path(peer, prefix);
		return path && is_path_stale(peer, path);
	}
	uint8_t family = family_of(peer->rib, prefix);
	return peer->lost & family && (!(peer->resyncing & family) || !is_fresh(peer, prefix));
}

/* ---- choosing ---- */

static int add_candidate(struct rib *rib, const struct rib_peer *peer, uint32_t path_id, uint32_t attrs_id, bool stale)
{
	struct route_attrs a = route_attrs(rib->table, attrs_id);
	struct best_candidate c = best_candidate(&a, peer->info.bgp_id);
	c.internal = !peer->info.external;
	c.stale = stale;
	c.route = peer;
	c.peer = &peer->info.addr;
	c.path_id = path_id;
	c.attrs = attrs_id;
	return best_add(&rib->best, &c);
}

/* Puts the winner into the view; with no candidate, the prefix leaves it. */
static int put_winner(struct rib *rib, unsigned view, uint32_t prefix)
{
	const struct best_candidate *winner = best_choose(&rib->best);
	if (winner && winner->attrs == route_at(rib->table, view, prefix))
		return 0;
	if (winner)
		return route_put(rib->table, view, prefix, winner->attrs);
	route_drop(rib->table, view, prefix);
	return 0;
}

/* Makes the peers' routes to a prefix the candidates. */
static int gather(struct rib *rib, uint32_t prefix)
{
	int r = 0;
	best_clear(&rib->best);
	for (const struct rib_peer *p = rib->peers; p && r == 0; p = p->next) {
		uint32_t attrs = route_at(rib->table, p->view, prefix);
		if (attrs != ROUTE_NONE)
			r = add_candidate(rib, p, 0, attrs, is_stale(p, prefix));
	}
	return r;
}

static int settle_best(struct rib *rib, uint32_t prefix)
{
	if (!rib->best_built && !rib->building)
		return 0;
	int r = gather(rib, prefix);
	return r < 0 ? r : put_winner(rib, rib->best_view, prefix);
}

/* ---- routes of an ADD-PATH peer ---- */

static int settle_paths(struct rib_peer *peer, uint32_t prefix)
{
	const struct paths *paths = peer->paths;
	uint32_t slot, pos = paths_first(paths, prefix, &slot);
	int r = 0;
	best_clear(&peer->rib->best);
	for (; pos != PATHS_NONE && r == 0; pos = paths_next(paths, prefix, &slot)) {
		const struct path *path = &paths->list[pos];
		r = add_candidate(peer->rib, peer, path->path_id, path->attrs, is_path_stale(peer, path));
	}
	return r < 0 ? r : put_winner(peer->rib, peer->view, prefix);
}

/* The path that the peer's view has for a prefix, one that is not stale if there is a choice. */
static const struct path *best_path(const struct rib_peer *peer, uint32_t prefix)
{
	const struct paths *paths = peer->paths;
	uint32_t attrs = route_at(peer->rib->table, peer->view, prefix);
	uint32_t slot, pos = paths_first(paths, prefix, &slot);
	const struct path *found = NULL;
	for (; pos != PATHS_NONE; pos = paths_next(paths, prefix, &slot)) {
		const struct path *path = &paths->list[pos];
		if (path->attrs == attrs && (!found || !is_path_stale(peer, path)))
			found = path;
	}
	return found;
}

/* ---- changes ---- */

/* -ENOMEM: it would be swept. */
static int mark_fresh(struct rib_peer *peer, uint32_t prefix)
{
	uint32_t byte = prefix / 8;
	if (LIKELY(!peer->resyncing) || !(peer->resyncing & family_of(peer->rib, prefix)))
		return 0;
	if (byte >= peer->fresh_bytes) {
		uint32_t bytes = route_ids_end(peer->rib->table) / 8 + 1 + peer->fresh_bytes / 2;
		uint8_t *grown = realloc(peer->fresh, bytes);
		if (!grown)
			return -ENOMEM;
		memset(grown + peer->fresh_bytes, 0, bytes - peer->fresh_bytes);
		peer->fresh = grown;
		peer->fresh_bytes = bytes;
	}
	peer->fresh[byte] |= (uint8_t)(1u << prefix % 8);
	return 0;
}

static bool is_full(struct rib *rib)
{
	if (rib->routes < rib->routes_max)
		return false;
	rib->refused++;
	return true;
}

static void count_route(struct rib_peer *peer, int change)
{
	peer->routes += (size_t)change;
	peer->rib->routes += (size_t)change;
}

static int set_path(struct rib_peer *peer, uint32_t prefix, uint32_t path_id, uint32_t attrs)
{
	struct path path = {prefix, path_id, attrs, peer->generation};
	uint32_t others, pos = paths_find(peer->paths, prefix, path_id, &others);
	if (pos != PATHS_NONE) {
		paths_set(peer->paths, peer->rib->table, pos, attrs);
		peer->paths->list[pos].generation = peer->generation;
		return settle_paths(peer, prefix);
	}
	if (others >= PATHS_MAX) {
		peer->rib->refused++;
		return -ENOSPC;
	}
	if (is_full(peer->rib))
		return -ENOSPC;
	if (paths_add(peer->paths, peer->rib->table, &path) < 0)
		return -ENOMEM;
	count_route(peer, 1);
	return settle_paths(peer, prefix);
}

static int set_only(struct rib_peer *peer, uint32_t prefix, uint32_t attrs)
{
	uint32_t before = route_at(peer->rib->table, peer->view, prefix);
	if (mark_fresh(peer, prefix) < 0)
		return -ENOMEM;
	if (before == attrs)
		return 0;
	if (before == ROUTE_NONE && is_full(peer->rib))
		return -ENOSPC;
	int r = route_put(peer->rib->table, peer->view, prefix, attrs);
	if (r == 0 && before == ROUTE_NONE)
		count_route(peer, 1);
	return r;
}

static uint32_t answer(const struct rib *rib, uint32_t prefix)
{
	return route_at(rib->table, rib_view(rib), prefix);
}

/* Tells whoever looks when the rib's answer has become another one. */
static void observe(const struct rib *rib, uint32_t prefix, uint32_t before)
{
	uint32_t after = rib->observer.changed ? answer(rib, prefix) : before;
	if (after != before)
		rib->observer.changed(rib->observer.ctx, prefix, before, after);
}

int rib_set(struct rib_peer *peer, const struct prefix *prefix, uint32_t path_id, uint32_t attrs)
{
	uint32_t id;
	struct route_hit hit;
	/* A prefix that is refused shall not be made: it would take memory all the same. */
	if (UNLIKELY(peer->rib->routes >= peer->rib->routes_max) &&
		!route_get(peer->rib->table, peer->view, prefix, &hit)) {
		peer->rib->refused++;
		return -ENOSPC;
	}
	int r = route_prefix_id(peer->rib->table, prefix, &id);
	if (r < 0)
		return r;
	uint32_t before = answer(peer->rib, id);
	r = peer->info.add_path ? set_path(peer, id, path_id, attrs) : set_only(peer, id, attrs);
	if (r == 0)
		r = settle_best(peer->rib, id);
	observe(peer->rib, id, before);
	return r;
}

/* Removes what the peer has for a prefix; true when there was something. */
static bool remove_only(struct rib_peer *peer, uint32_t id)
{
	if (route_at(peer->rib->table, peer->view, id) == ROUTE_NONE)
		return false;
	route_drop(peer->rib->table, peer->view, id);
	count_route(peer, -1);
	(void)!settle_best(peer->rib, id);
	return true;
}

static void remove_path(struct rib_peer *peer, uint32_t pos)
{
	uint32_t id = peer->paths->list[pos].prefix;
	paths_del(peer->paths, peer->rib->table, pos);
	count_route(peer, -1);
	(void)!settle_paths(peer, id);
	(void)!settle_best(peer->rib, id);
}

int rib_withdraw(struct rib_peer *peer, const struct prefix *prefix, uint32_t path_id)
{
	struct route_hit hit;
	if (!route_get(peer->rib->table, peer->view, prefix, &hit))
		return -ENOENT;
	uint32_t before = answer(peer->rib, hit.prefix);
	if (peer->info.add_path) {
		uint32_t others, pos = paths_find(peer->paths, hit.prefix, path_id, &others);
		if (pos == PATHS_NONE)
			return -ENOENT;
		remove_path(peer, pos);
	} else {
		(void)remove_only(peer, hit.prefix);
	}
	observe(peer->rib, hit.prefix, before);
	return 0;
}

/* ---- lost and back ---- */

static void begin_walk(struct rib_peer *peer)
{
	peer->rib->walking += !peer->walking;
	peer->walking = true;
	peer->walk_at = peer->info.add_path ? peer->paths->count : 0;
}

static void forget_fresh(struct rib_peer *peer)
{
	free(peer->fresh);
	peer->fresh = NULL;
	peer->fresh_bytes = 0;
}

void rib_peer_lost(struct rib_peer *peer)
{
	if (peer->leaving)
		return;
	peer->rib->lost += !peer->lost;
	peer->lost = BGP_ALL_FAMILIES;
	peer->resyncing = peer->sweeping = 0;
	forget_fresh(peer);
	peer->settling = true;
	begin_walk(peer);
}

int rib_peer_resync(struct rib_peer *peer, uint8_t families)
{
	bool alone = !(peer->resyncing & (uint8_t)~families);
	if (!peer->info.add_path && alone) {
		forget_fresh(peer);
		peer->fresh_bytes = route_ids_end(peer->rib->table) / 8 + 1;
		peer->fresh = calloc(1, peer->fresh_bytes);
		if (!peer->fresh) {
			peer->fresh_bytes = 0;
			return -ENOMEM;
		}
	}
	/* While another family is under way its marks stay, and this one's with them if it begins again. */
	if (alone)
		peer->generation++;
	peer->resyncing |= families;
	peer->sweeping &= (uint8_t)~families;
	return 0;
}

void rib_peer_synced(struct rib_peer *peer, uint8_t families)
{
	families &= peer->resyncing & (uint8_t)~peer->sweeping;
	if (!families)
		return;
	peer->sweeping |= families;
	begin_walk(peer);
}

uint8_t rib_peer_resyncing(const struct rib_peer *peer)
{
	return peer->resyncing;
}

bool rib_is_stale(const struct rib *rib, uint32_t prefix)
{
	bool found = false;
	if (LIKELY(!rib->lost) || !rib->peers)
		return false;
	if (!rib->best_built)
		return is_stale(rib->peers, prefix);
	for (const struct rib_peer *p = rib->peers; p; p = p->next) {
		if (route_at(rib->table, p->view, prefix) == ROUTE_NONE)
			continue;
		if (!is_stale(p, prefix))
			return false;
		found = true;
	}
	return found;
}

bool rib_has_stale(const struct rib *rib)
{
	return rib->lost;
}

bool rib_is_lost(const struct rib *rib)
{
	return rib->lost && rib->lost == rib->peer_count;
}

const struct rib_peer_info *rib_answering(struct rib *rib, uint32_t prefix)
{
	if (answer(rib, prefix) == ROUTE_NONE)
		return NULL;
	if (!rib->best_built)
		return &rib->peers->info;
	const struct best_candidate *winner = gather(rib, prefix) < 0 ? NULL : best_choose(&rib->best);
	return winner ? &((const struct rib_peer *)winner->route)->info : NULL;
}

/* ---- work in slices ---- */

static void peer_free(struct rib_peer *peer)
{
	struct rib_peer **link = &peer->rib->peers;
	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	peer->rib->routes -= peer->routes;
	peer->rib->peer_count--;
	peer->rib->lost -= peer->lost != 0;
	peer->rib->walking -= peer->walking;
	route_view_del(peer->rib->table, peer->view);
	paths_free(peer->paths, peer->rib->table);
	free(peer->fresh);
	free(peer);
}

static bool is_old(const struct rib_peer *peer, uint32_t prefix, bool fresh)
{
	return peer->leaving || (!fresh && peer->sweeping & family_of(peer->rib, prefix));
}

/* What the walk does at one place of the peer's view. */
static void visit_prefix(struct rib_peer *peer, uint32_t id)
{
	uint32_t before = answer(peer->rib, id);
	bool remove = is_old(peer, id, is_fresh(peer, id));
	if (remove)
		(void)remove_only(peer, id);
	else if (peer->settling)
		(void)!settle_best(peer->rib, id);
	if (remove && !peer->leaving)
		observe(peer->rib, id, before);
}

static void visit_path(struct rib_peer *peer, uint32_t pos)
{
	uint32_t id = peer->paths->list[pos].prefix, before = answer(peer->rib, id);
	bool remove = is_old(peer, id, peer->paths->list[pos].generation == peer->generation);
	if (remove) {
		remove_path(peer, pos);
	} else if (peer->settling) {
		(void)!settle_paths(peer, id); /* some may have been told again when others weren't */
		(void)!settle_best(peer->rib, id);
	}
	if (remove && !peer->leaving)
		observe(peer->rib, id, before);
}

/* From the last path down: what takes a removed one's place has been looked at, or is new. */
static size_t walk_paths(struct rib_peer *peer, size_t budget)
{
	if (peer->walk_at > peer->paths->count)
		peer->walk_at = peer->paths->count;
	for (; peer->walk_at && budget; budget--)
		visit_path(peer, --peer->walk_at);
	return budget;
}

static size_t walk_prefixes(struct rib_peer *peer, size_t budget)
{
	for (; budget; budget--) {
		peer->walk_at = route_at_or_after(peer->rib->table, peer->view, peer->walk_at);
		if (peer->walk_at == ROUTE_NONE)
			break;
		visit_prefix(peer, peer->walk_at++);
	}
	return budget;
}

static void end_walk(struct rib_peer *peer)
{
	peer->rib->walking -= peer->walking;
	peer->walking = peer->settling = false;
	peer->rib->lost -= peer->lost && !(peer->lost & (uint8_t)~peer->sweeping);
	peer->lost &= (uint8_t)~peer->sweeping;
	peer->resyncing &= (uint8_t)~peer->sweeping;
	peer->sweeping = 0;
	if (!peer->resyncing)
		forget_fresh(peer);
}

/* Returns what is left of the budget; 0 when the walk is not done. */
static size_t walk(struct rib_peer *peer, size_t budget)
{
	budget = peer->info.add_path ? walk_paths(peer, budget) : walk_prefixes(peer, budget);
	bool done = peer->info.add_path ? peer->walk_at == 0 : peer->walk_at == ROUTE_NONE;
	if (!done)
		return 0;
	if (peer->leaving)
		peer_free(peer);
	else
		end_walk(peer);
	return budget;
}

static size_t work_on_best(struct rib *rib, size_t budget)
{
	uint32_t end = route_ids_end(rib->table);
	for (; rib->build_at < end && budget; rib->build_at++, budget--)
		(void)!settle_best(rib, rib->build_at);
	if (rib->build_at < end)
		return 0;
	rib->building = false;
	rib->best_built = true;
	return budget;
}

bool rib_work(struct rib *rib, size_t budget)
{
	if (!rib->building && !rib->walking)
		return false;
	if (rib->building)
		budget = work_on_best(rib, budget);
	for (struct rib_peer *p = rib->peers, *next; p && budget; p = next) {
		next = p->next;
		if (p->walking)
			budget = walk(p, budget);
	}
	return rib->building || rib->walking;
}

/* ---- life ---- */

int rib_new(struct route_table *t, size_t routes_max, struct rib **ret)
{
	struct rib *rib = calloc(1, sizeof(*rib));
	if (!rib)
		return -ENOMEM;
	rib->table = t;
	rib->routes_max = routes_max;
	best_init(&rib->best);
	int r = route_view_add(t, &rib->best_view);
	if (r < 0) {
		free(rib);
		return r;
	}
	*ret = rib;
	return 0;
}

void rib_limit(struct rib *rib, size_t routes_max)
{
	rib->routes_max = routes_max;
}

void rib_free(struct rib *rib)
{
	if (!rib)
		return;
	while (rib->peers)
		peer_free(rib->peers);
	route_view_del(rib->table, rib->best_view);
	best_done(&rib->best);
	free(rib);
}

unsigned rib_view(const struct rib *rib)
{
	/* Without peers the best view is as good as any: it is empty. */
	return rib->best_built || !rib->peers ? rib->best_view : rib->peers->view;
}

int rib_peer_add(struct rib *rib, const struct rib_peer_info *info, struct rib_peer **ret)
{
	struct rib_peer *peer = calloc(1, sizeof(*peer));
	if (!peer)
		return -ENOMEM;
	peer->rib = rib;
	peer->info = *info;
	int r = route_view_add(rib->table, &peer->view);
	if (r == 0 && info->add_path) {
		r = paths_new(&peer->paths);
		if (r < 0)
			route_view_del(rib->table, peer->view);
	}
	if (r < 0) {
		free(peer);
		return r == -EINVAL ? -ENOSPC : r;
	}
	struct rib_peer **link = &rib->peers;
	while (*link)
		link = &(*link)->next;
	*link = peer;
	rib->peer_count++;
	if (rib->peers != peer && !rib->best_built && !rib->building) {
		rib->building = true;
		rib->build_at = 0;
	}
	*ret = peer;
	return 0;
}

void rib_observe(struct rib *rib, const struct rib_observer *observer)
{
	rib->observer = *observer;
}

void rib_peer_rename(struct rib_peer *peer, const struct rib_peer_info *info)
{
	bool add_path = peer->info.add_path;
	peer->info = *info;
	peer->info.add_path = add_path;
}

const struct rib_peer_info *rib_peer_info(const struct rib_peer *peer)
{
	return &peer->info;
}

void rib_peer_del(struct rib_peer *peer)
{
	peer->leaving = true;
	begin_walk(peer);
}

void rib_empty(struct rib *rib)
{
	for (struct rib_peer *p = rib->peers; p; p = p->next)
		if (!p->leaving)
			rib_peer_del(p);
}

size_t rib_peer_routes(const struct rib_peer *peer)
{
	return peer->routes;
}

size_t rib_routes(const struct rib *rib)
{
	return rib->routes;
}

size_t rib_peers(const struct rib *rib)
{
	size_t n = 0;
	for (const struct rib_peer *p = rib->peers; p; p = p->next)
		n += !p->leaving;
	return n;
}

size_t rib_peers_lost(const struct rib *rib)
{
	size_t n = 0;
	for (const struct rib_peer *p = rib->peers; p; p = p->next)
		n += !p->leaving && p->lost;
	return n;
}

uint64_t rib_refused(const struct rib *rib)
{
	return rib->refused;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* See rib.h for the idea.
 *
 * Invariants: a peer's view holds, for each prefix, the best of the peer's routes. When `best_built`, the
 * best view holds for each prefix the best over the peers' views. Both are kept by settle_prefix after
 * each change, which looks at that prefix alone.
 *
 * The best view is built when a second peer comes: from prefix id 0 upwards in slices, while changes go to
 * both; until it is done the first peer's view answers. A peer that goes is emptied in slices the same
 * way, prefix by prefix, so the others' routes take over one by one. What is left of a peer's old
 * table after a resync is found by a bit for each prefix told again; with ADD-PATH by a generation
 * in each route.
 *
 * Cost of a change: the prefix's id (one walk of the trie), one write to the peer's view, and with n peers
 * n reads and n - 1 comparisons. Memory: four bytes a prefix and peer, four more for the best with
 * several peers; a route of an ADD-PATH peer takes 24. */

#include "route/rib.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/index.h"
#include "bgp/attr.h"
#include "route/best.h"

#define LOCAL_PREF_DEFAULT 100

/* One route of an ADD-PATH peer. */
struct path {
	uint32_t prefix, path_id, attrs;
	uint32_t generation;
};

enum job { JOB_NONE, JOB_SWEEP, JOB_EMPTY };

struct rib_peer {
	struct rib *rib;
	struct rib_peer *next;
	struct rib_peer_info info;
	unsigned view;
	size_t routes;

	struct path *paths; /* ADD-PATH only */
	uint32_t path_count, path_cap;
	struct index path_index; /* by prefix */
	uint32_t generation;

	uint8_t *fresh; /* bit by prefix id: told since the resync began */
	uint32_t fresh_bytes;
	bool resyncing;

	enum job job;
	uint32_t job_at; /* prefix id, or with ADD-PATH the number of paths still to look at */
};

struct rib {
	struct route_table *table;
	struct rib_peer *peers; /* in order of coming; those that go stay until they are empty */
	unsigned best_view;
	bool building, best_built;
	uint32_t build_at;
	size_t routes, routes_max;
	uint64_t refused;
	struct best best; /* scratch */
};

/* ---- choosing ---- */

static int add_candidate(struct rib *rib, const struct rib_peer *peer, uint32_t path_id, uint32_t attrs_id)
{
	struct route_attrs a = route_attrs(rib->table, attrs_id);
	struct best_candidate c = {
		.local_pref = a.has_local_pref ? a.local_pref : LOCAL_PREF_DEFAULT,
		.path_length = bgp_path_length(a.path, 4),
		.med = a.has_med ? a.med : 0,
		.neighbour = route_neighbour(rib->table, attrs_id),
		.origin_code = a.origin_code,
		.internal = !peer->info.external,
		.bgp_id = peer->info.bgp_id,
		.peer = &peer->info.addr,
		.path_id = path_id,
		.attrs = attrs_id,
	};
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

static int settle_best(struct rib *rib, uint32_t prefix)
{
	if (!rib->best_built && !rib->building)
		return 0;
	int r = 0;
	best_clear(&rib->best);
	for (const struct rib_peer *p = rib->peers; p && r == 0; p = p->next) {
		uint32_t attrs = route_at(rib->table, p->view, prefix);
		if (attrs != ROUTE_NONE)
			r = add_candidate(rib, p, 0, attrs);
	}
	return r < 0 ? r : put_winner(rib, rib->best_view, prefix);
}

/* ---- routes of an ADD-PATH peer ---- */

static uint64_t hash_prefix(uint32_t prefix)
{
	return hash_bytes(&prefix, sizeof(prefix));
}

static uint32_t path_find(const struct rib_peer *peer, uint32_t prefix, uint32_t path_id)
{
	uint32_t slot, pos;
	INDEX_FOR_EACH(&peer->path_index, hash_prefix(prefix), slot, pos)
		if (peer->paths[pos].prefix == prefix && peer->paths[pos].path_id == path_id)
			break;
	return pos;
}

static int settle_paths(struct rib_peer *peer, uint32_t prefix)
{
	uint32_t slot, pos;
	int r = 0;
	best_clear(&peer->rib->best);
	INDEX_FOR_EACH(&peer->path_index, hash_prefix(prefix), slot, pos) {
		const struct path *path = &peer->paths[pos];
		if (path->prefix == prefix && r == 0)
			r = add_candidate(peer->rib, peer, path->path_id, path->attrs);
	}
	return r < 0 ? r : put_winner(peer->rib, peer->view, prefix);
}

static int path_add(struct rib_peer *peer, uint32_t prefix, uint32_t path_id, uint32_t attrs)
{
	if (peer->path_count == peer->path_cap) {
		uint32_t cap = peer->path_cap ? 2 * peer->path_cap : 64;
		struct path *grown = realloc(peer->paths, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		peer->paths = grown;
		peer->path_cap = cap;
	}
	if (index_add(&peer->path_index, hash_prefix(prefix), peer->path_count) < 0)
		return -ENOMEM;
	route_attrs_hold(peer->rib->table, attrs);
	peer->paths[peer->path_count++] = (struct path){prefix, path_id, attrs, peer->generation};
	return 0;
}

/* Another path takes the place of the one removed. */
static void path_del(struct rib_peer *peer, uint32_t pos)
{
	struct path gone = peer->paths[pos];
	uint32_t last = --peer->path_count;
	index_del(&peer->path_index, hash_prefix(gone.prefix), pos);
	if (pos != last) {
		uint64_t hash = hash_prefix(peer->paths[last].prefix);
		index_del(&peer->path_index, hash, last);
		peer->paths[pos] = peer->paths[last];
		(void)!index_add(&peer->path_index, hash, pos); /* there is room: one was just removed */
	}
	route_attrs_release(peer->rib->table, gone.attrs);
}

/* ---- changes ---- */

static void mark_fresh(struct rib_peer *peer, uint32_t prefix)
{
	uint32_t byte = prefix / 8;
	if (!peer->resyncing || peer->info.add_path)
		return;
	if (byte >= peer->fresh_bytes) {
		uint32_t bytes = route_ids_end(peer->rib->table) / 8 + 1 + peer->fresh_bytes / 2;
		uint8_t *grown = realloc(peer->fresh, bytes);
		if (!grown)
			return; /* it will be told again after the sweep, or is missed until it changes */
		memset(grown + peer->fresh_bytes, 0, bytes - peer->fresh_bytes);
		peer->fresh = grown;
		peer->fresh_bytes = bytes;
	}
	peer->fresh[byte] |= (uint8_t)(1u << prefix % 8);
}

static bool is_fresh(const struct rib_peer *peer, uint32_t prefix)
{
	return prefix / 8 < peer->fresh_bytes && peer->fresh[prefix / 8] >> (prefix % 8) & 1;
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
	uint32_t pos = path_find(peer, prefix, path_id);
	if (pos != INDEX_NONE) {
		struct path *path = &peer->paths[pos];
		route_attrs_hold(peer->rib->table, attrs);
		route_attrs_release(peer->rib->table, path->attrs);
		path->attrs = attrs;
		path->generation = peer->generation;
	} else {
		if (is_full(peer->rib))
			return -ENOSPC;
		if (path_add(peer, prefix, path_id, attrs) < 0)
			return -ENOMEM;
		count_route(peer, 1);
	}
	return settle_paths(peer, prefix);
}

static int set_only(struct rib_peer *peer, uint32_t prefix, uint32_t attrs)
{
	uint32_t before = route_at(peer->rib->table, peer->view, prefix);
	mark_fresh(peer, prefix);
	if (before == attrs)
		return 0;
	if (before == ROUTE_NONE && is_full(peer->rib))
		return -ENOSPC;
	int r = route_put(peer->rib->table, peer->view, prefix, attrs);
	if (r == 0 && before == ROUTE_NONE)
		count_route(peer, 1);
	return r;
}

int rib_set(struct rib_peer *peer, const struct prefix *prefix, uint32_t path_id, uint32_t attrs)
{
	uint32_t id;
	int r = route_prefix_id(peer->rib->table, prefix, &id);
	if (r == 0)
		r = peer->info.add_path ? set_path(peer, id, path_id, attrs) : set_only(peer, id, attrs);
	return r < 0 ? r : settle_best(peer->rib, id);
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
	uint32_t id = peer->paths[pos].prefix;
	path_del(peer, pos);
	count_route(peer, -1);
	(void)!settle_paths(peer, id);
	(void)!settle_best(peer->rib, id);
}

int rib_withdraw(struct rib_peer *peer, const struct prefix *prefix, uint32_t path_id)
{
	struct route_hit hit;
	if (!route_get(peer->rib->table, peer->view, prefix, &hit))
		return -ENOENT;
	if (!peer->info.add_path)
		return remove_only(peer, hit.prefix) ? 0 : -ENOENT;
	uint32_t pos = path_find(peer, hit.prefix, path_id);
	if (pos == INDEX_NONE)
		return -ENOENT;
	remove_path(peer, pos);
	return 0;
}

int rib_peer_resync(struct rib_peer *peer)
{
	uint32_t bytes = route_ids_end(peer->rib->table) / 8 + 1;
	uint8_t *fresh = peer->info.add_path ? NULL : calloc(1, bytes);
	if (!peer->info.add_path && !fresh)
		return -ENOMEM;
	free(peer->fresh);
	peer->fresh = fresh;
	peer->fresh_bytes = fresh ? bytes : 0;
	peer->generation++;
	peer->resyncing = true;
	peer->job = JOB_NONE; /* a sweep that was under way begins anew with the next synced */
	return 0;
}

void rib_peer_synced(struct rib_peer *peer)
{
	if (!peer->resyncing || peer->job != JOB_NONE)
		return;
	peer->job = JOB_SWEEP;
	peer->job_at = peer->info.add_path ? peer->path_count : 0;
}

/* ---- work in slices ---- */

static void end_sweep(struct rib_peer *peer)
{
	free(peer->fresh);
	peer->fresh = NULL;
	peer->fresh_bytes = 0;
	peer->resyncing = false;
	peer->job = JOB_NONE;
}

static void peer_free(struct rib_peer *peer)
{
	struct rib_peer **link = &peer->rib->peers;
	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	for (uint32_t i = 0; i < peer->path_count; i++)
		route_attrs_release(peer->rib->table, peer->paths[i].attrs);
	peer->rib->routes -= peer->routes;
	route_view_del(peer->rib->table, peer->view);
	index_done(&peer->path_index);
	free(peer->paths);
	free(peer->fresh);
	free(peer);
}

/* From the last path down: what takes a removed one's place has been looked at, or is new. */
static size_t work_on_paths(struct rib_peer *peer, size_t budget)
{
	if (peer->job_at > peer->path_count)
		peer->job_at = peer->path_count;
	for (; peer->job_at && budget; budget--) {
		uint32_t pos = --peer->job_at;
		if (peer->job == JOB_EMPTY || peer->paths[pos].generation != peer->generation)
			remove_path(peer, pos);
	}
	return budget;
}

static size_t work_on_prefixes(struct rib_peer *peer, size_t budget)
{
	uint32_t end = route_ids_end(peer->rib->table);
	for (; peer->job_at < end && budget; peer->job_at++, budget--)
		if (peer->job == JOB_EMPTY || !is_fresh(peer, peer->job_at))
			(void)remove_only(peer, peer->job_at);
	return budget;
}

/* Returns what is left of the budget; 0 when the job is not done. */
static size_t work_on_peer(struct rib_peer *peer, size_t budget)
{
	budget = peer->info.add_path ? work_on_paths(peer, budget) : work_on_prefixes(peer, budget);
	bool done = peer->info.add_path ? peer->job_at == 0 : peer->job_at >= route_ids_end(peer->rib->table);
	if (!done)
		return 0;
	if (peer->job == JOB_EMPTY)
		peer_free(peer);
	else
		end_sweep(peer);
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
	if (rib->building)
		budget = work_on_best(rib, budget);
	for (struct rib_peer *p = rib->peers, *next; p && budget; p = next) {
		next = p->next;
		if (p->job != JOB_NONE)
			budget = work_on_peer(p, budget);
	}
	bool left = rib->building;
	for (const struct rib_peer *p = rib->peers; p; p = p->next)
		left |= p->job != JOB_NONE;
	return left;
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
	index_init(&peer->path_index);
	int r = route_view_add(rib->table, &peer->view);
	if (r < 0) {
		free(peer);
		return r;
	}
	struct rib_peer **link = &rib->peers;
	while (*link)
		link = &(*link)->next;
	*link = peer;
	if (rib->peers != peer && !rib->best_built && !rib->building) {
		rib->building = true;
		rib->build_at = 0;
	}
	*ret = peer;
	return 0;
}

void rib_peer_del(struct rib_peer *peer)
{
	peer->job = JOB_EMPTY;
	peer->job_at = peer->info.add_path ? peer->path_count : 0;
}

void rib_empty(struct rib *rib)
{
	for (struct rib_peer *p = rib->peers; p; p = p->next)
		if (p->job != JOB_EMPTY)
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

uint64_t rib_refused(const struct rib *rib)
{
	return rib->refused;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A rib: one router's routes from one source that speaks for several peers, and the best of them.
 *
 * What each peer tells stands in a view of its own in the shared table. While there is one peer, its
 * view is the rib's answer. With more, the rib keeps one more view with the route the router would use
 * for each prefix (RFC 4271 section 9.1.2.2 as far as attributes tell, see best.h), brought up to date
 * with every change. A peer with ADD-PATH may have several routes to a prefix, told apart by their
 * path identifiers; its view holds the best of them.
 *
 * When a peer is lost its routes are kept; when it is back (rib_peer_resync) what it does not tell again
 * before rib_peer_synced is removed. Whatever walks a whole table is done in slices by rib_work.
 *
 * The thread that owns the table owns its ribs. Bounded by routes_max a rib. */

#include "route/route.h"

struct rib;
struct rib_peer;

/* routes_max: routes of all peers together; more are refused and counted. */
int rib_new(struct route_table *t, size_t routes_max, struct rib **ret) MUST_USE;
/* Removes everything at once; for a large one, empty it first with rib_peer_del and rib_work. */
void rib_free(struct rib *rib);

/* The view that answers for the router now. Changes when peers come and go: ask each time. */
unsigned rib_view(const struct rib *rib);

struct rib_peer_info {
	struct addr addr;
	uint32_t bgp_id;
	bool external; /* eBGP */
	bool add_path; /* in any family */
};

int rib_peer_add(struct rib *rib, const struct rib_peer_info *info, struct rib_peer **ret) MUST_USE;
/* The peer and its routes go, its routes in slices; the pointer is no longer the caller's. */
void rib_peer_del(struct rib_peer *peer);

/* All peers go, as by rib_peer_del. */
void rib_empty(struct rib *rib);

/* A route, new or instead of the one with the same prefix and path id (0 without ADD-PATH). attrs is
 * interned, its reference stays the caller's. -EINVAL, -ENOMEM, -ENOSPC: routes_max is reached. */
int rib_set(struct rib_peer *peer, const struct prefix *prefix, uint32_t path_id, uint32_t attrs) MUST_USE;
/* -ENOENT: there was none. */
int rib_withdraw(struct rib_peer *peer, const struct prefix *prefix, uint32_t path_id);

/* The peer tells its table anew: what it has is old until told again. -ENOMEM. */
int rib_peer_resync(struct rib_peer *peer) MUST_USE;
/* It has told all (End-of-RIB, or long enough): what is still old is removed, in slices. */
void rib_peer_synced(struct rib_peer *peer);

/* Does up to `budget` prefixes' worth of the work that waits. False: there is none left. */
bool rib_work(struct rib *rib, size_t budget);

size_t rib_peer_routes(const struct rib_peer *peer);
size_t rib_routes(const struct rib *rib); /* of all peers */
uint64_t rib_refused(const struct rib *rib);

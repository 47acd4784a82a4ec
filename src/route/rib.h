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
 * A peer that is lost (rib_peer_lost) keeps its routes, as stale ones: they answer only where no other
 * peer has a route. When it is back (rib_peer_resync) each route that it tells again is as good as before,
 * and what it has not told again when it has told all (rib_peer_synced) is removed. Both go by address
 * family, in sets of bits 1 << enum bgp_family. Whatever walks a whole table is done in slices by rib_work.
 *
 * The thread that owns the table owns its ribs. Bounded by routes_max a rib. */

#include "bgp/message.h"
#include "route/route.h"

struct rib;
struct rib_peer;

/* routes_max: routes of all peers together; more are refused and counted. */
int rib_new(struct route_table *t, size_t routes_max, struct rib **ret) MUST_USE;
/* Another bound; what is there already stays. */
void rib_limit(struct rib *rib, size_t routes_max);
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

struct rib_observer {
	/* The rib's answer for a prefix has become another one, told by a peer: ids of attributes, ROUTE_NONE:
	 * none. Not called for what goes because a peer is removed or grows stale. */
	void (*changed)(void *ctx, uint32_t prefix, uint32_t before, uint32_t after);
	void *ctx;
};
void rib_observe(struct rib *rib, const struct rib_observer *observer);

/* -ENOMEM; -ENOSPC: the table has as many views as it can have. */
int rib_peer_add(struct rib *rib, const struct rib_peer_info *info, struct rib_peer **ret) MUST_USE;
/* Of a peer that is back: its identifier and kind may be others. add_path stays as it is. */
void rib_peer_rename(struct rib_peer *peer, const struct rib_peer_info *info);
const struct rib_peer_info *rib_peer_info(const struct rib_peer *peer);
/* The peer and its routes go, its routes in slices; the pointer is no longer the caller's. */
void rib_peer_del(struct rib_peer *peer);

/* All peers go, as by rib_peer_del. */
void rib_empty(struct rib *rib);

/* A route, new or instead of the one with the same prefix and path id (0 without ADD-PATH). attrs is
 * interned, its reference stays the caller's. -EINVAL, -ENOMEM, -ENOSPC: routes_max is reached. */
int rib_set(struct rib_peer *peer, const struct prefix *prefix, uint32_t path_id, uint32_t attrs) MUST_USE;
/* -ENOENT: there was none. */
int rib_withdraw(struct rib_peer *peer, const struct prefix *prefix, uint32_t path_id);

/* The peer is gone: all its routes are stale from now on. */
void rib_peer_lost(struct rib_peer *peer);
/* The peer tells these families anew: what it has of them is old until told again. -ENOMEM. */
int rib_peer_resync(struct rib_peer *peer, uint8_t families) MUST_USE;
/* It has told all of them (End-of-RIB, or long enough): what is still old is removed, in slices. No-op for
 * families without a resync. */
void rib_peer_synced(struct rib_peer *peer, uint8_t families);
/* Families of which a resync is not over. */
uint8_t rib_peer_resyncing(const struct rib_peer *peer);

/* Whether the rib's answer for a prefix is of a peer that is lost. */
bool rib_is_stale(const struct rib *rib, uint32_t prefix);
/* Whether that may be so of any prefix. */
bool rib_has_stale(const struct rib *rib);
/* Whether all its peers are lost, so that whatever it answers is stale. */
bool rib_is_lost(const struct rib *rib);
/* Whose route the rib's answer for a prefix is; NULL: it has none. */
const struct rib_peer_info *rib_answering(struct rib *rib, uint32_t prefix);

/* Does up to `budget` prefixes' worth of the work that waits. False: there is none left. */
bool rib_work(struct rib *rib, size_t budget);

size_t rib_peer_routes(const struct rib_peer *peer);
size_t rib_routes(const struct rib *rib); /* of all peers */
size_t rib_peers(const struct rib *rib);  /* those that are being removed not counted */
size_t rib_peers_lost(const struct rib *rib);
uint64_t rib_refused(const struct rib *rib);

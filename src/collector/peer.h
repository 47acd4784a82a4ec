/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One peer's routes in a source, by whatever protocol they come: a BGP neighbour, or a peer of a router
 * that speaks BMP. Applies its UPDATEs to the source's ribs, in slices, and knows what becomes of its routes
 * when it goes and comes back:
 *
 *   lost        its routes are stale, and removed when the router's `stale` time is over;
 *   back        what it tells again is good again; what it does not is removed with the End-of-RIB of the
 *               family, or, as some never send one, when it has begun and then told nothing for a minute, or
 *               when as much as the `stale` time has passed.
 *
 * Data-plane thread. The owner keeps the struct where it is from peer_init to peer_done or gone(). */

#include "base/log.h"
#include "bgp/update.h"
#include "collector/tables.h"

/* What all peers of the process share. */
struct peers {
	struct loop *loop;
	struct tables *tables;
	uint64_t now_ms; /* of day, by peers_clock */
	uint8_t path[BGP_PATH_MAX], shortened[BGP_PATH_MAX]; /* scratch */
};
int peers_new(struct loop *loop, struct tables *tables, struct peers **ret) MUST_USE;
void peers_free(struct peers *all);
/* Tells them the time: at the beginning of each slice of work, which is short enough for the time not to change. */
void peers_clock(struct peers *all);
/* Of messages that may be taken before the next look at the clock. */
#define PEERS_BYTES_A_LOOK 4096u

struct peer {
	struct peers *all;
	struct table_source *source;
	struct rib_peer_info info;
	struct rib_peer *ribs[TABLE_LEVELS]; /* in the source's ribs of that level; NULL: nothing told so far */
	/* The AS that a router puts in front of its eBGP peers' paths where it should not (FRR by BMP); a path
	 * that such a peer really sent does not begin with it. 0: none. */
	uint32_t strip_as;
	uint8_t add_path; /* levels, 1 << enum table_level, in which its routes have path identifiers */
	bool up;
	void (*gone)(struct peer *self); /* lost, and the last of its routes are going */
	void *ctx;

	uint8_t arriving;             /* families that it tells for the first time, and has not told all of */
	struct loop_timer timer;      /* while lost, or telling its table */
	uint64_t patience_end_ns;     /* all must be told by then */
	uint64_t told, told_at_up, told_before; /* routes announced; when it came up, at the timer's last turn */
	struct log_limit full_log;

	struct bgp_changes changes; /* being applied */
	bool applying;
	enum table_level level;
	uint32_t attrs; /* interned, of the changes with this next hop; ROUTE_NONE: not yet */
	struct addr next_hop;
};

void peer_init(struct peer *p, struct peers *all, struct table_source *s, void (*gone)(struct peer *self), void *ctx);
/* Removes its routes, now and for good; gone() is not called. */
void peer_done(struct peer *p);

/* It is there: new, or back. info's add_path does not matter, add_path above does. -ENOMEM. */
int peer_up(struct peer *p, const struct rib_peer_info *info) MUST_USE;
/* It is called otherwise than when it came up. */
void peer_rename(struct peer *p, const struct rib_peer_info *info);
/* It is lost. What was being applied is left where it is. */
void peer_lost(struct peer *p);

/* A message's changes, to be applied by peer_apply; views in it must stay until that is done. Counts what
 * the decoder found. -ENOMEM. */
int peer_begin(struct peer *p, enum table_level level, const struct bgp_changes *changes) MUST_USE;
/* Until about until_ns. False: there is more to do. */
bool peer_apply(struct peer *p, uint64_t until_ns);

/* It tells families anew while it is there (RFC 7313). -ENOMEM. */
int peer_resync(struct peer *p, enum table_level level, uint8_t families) MUST_USE;
/* It has told all of them, since it came back or since peer_resync. */
void peer_complete(struct peer *p, enum table_level level, uint8_t families);

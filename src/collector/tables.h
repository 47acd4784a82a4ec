/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Every router's own table, live: one route table for the process, in it a rib for each source of each
 * router, in the configuration's order of preference. Data-plane thread.
 *
 * A source is *absent* (never been there), *up*, or *stale*: lost, its routes kept for the router's
 * `stale` time. The first source that has a route for the client answers, and the match tells which kind
 * of answer it was.
 *
 * Whoever feeds a source adds peers to its rib and tells when it comes and goes. A configuration that
 * comes by reload keeps the sources it still names, with their routes. */

#include "base/clock.h"
#include "base/loop.h"
#include "collector/config.h"
#include "route/rib.h"
#include "traffic/flow.h"

enum table_state { TABLE_ABSENT, TABLE_UP, TABLE_STALE };
extern const char *const table_state_names[]; /* "absent" "up" "stale" */

/* One source of one router. Its owner's to read; changed by the functions below only. */
struct table_source {
	struct tables *tables;
	char *router;
	enum source_kind kind;
	struct addr from;          /* BMP, BGP */
	char *file;                /* MRT */
	struct addr peer;          /* MRT: of whom; ADDR_NONE: all */
	uint32_t as;               /* BGP */
	char *md5_file;            /* BGP; NULL */
	uint64_t stale_ms;
	struct rib *rib;
	enum table_state state;
	uint64_t since_ms;         /* wall clock: in this state */
	uint64_t changed_ms;       /* last route set or withdrawn; 0: never */
	uint64_t updates;          /* routes set and withdrawn */
	char error[256];           /* of the last loss or failure; "" */
	struct loop_timer stale_timer;
	void *feeder;              /* of whoever feeds it */
	struct table_source *next;
};

struct tables;

int tables_new(struct loop *loop, struct tables **ret) MUST_USE;
void tables_free(struct tables *t);

/* Goes over to a configuration. Sources it no longer names are dropped (dropped(ctx, s) is called first, so
 * that their feeder can close), new ones are absent. -ENOMEM: everything is as before. Must not be called
 * while rows refer to routes (see route_reclaim). */
int tables_configure(struct tables *t, const struct config *config, void (*dropped)(void *ctx, struct table_source *s),
	void *ctx) MUST_USE;

struct route_table *tables_routes(const struct tables *t);

/* The client's route in the table of the router (index in the configuration). */
bool tables_lookup(const struct tables *t, uint32_t router, const struct addr *client, struct route_hit *ret,
	enum route_match *ret_match);
/* The sources of a router, in order; returns how many. */
size_t tables_sources(const struct tables *t, uint32_t router, struct table_source *const **ret);

/* The source of this kind that a connection from this address feeds; NULL: nobody expects it. */
struct table_source *tables_find(const struct tables *t, enum source_kind kind, const struct addr *from);

/* A feeder has come: the routes are its own from now on. */
void table_source_up(struct table_source *s);
/* It is gone: what is there is stale, and removed after stale_ms unless it comes back. why: for people. */
void table_source_down(struct table_source *s, const char *why);
/* Counts changes. */
void table_source_changed(struct table_source *s, uint64_t changes);

/* There is work for the ribs (rib_work): it is done in slices from the loop. Call after whatever a rib
 * does in slices was begun. */
void tables_kick(struct tables *t);

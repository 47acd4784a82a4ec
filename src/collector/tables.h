/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Every router's own table, live: one route table for the process, in it the ribs of each source of each
 * router, in the configuration's order of preference. Data-plane thread.
 *
 * A source is *absent* (never been there, or gone for good), *up*, or *stale*: lost, its routes kept for the
 * router's `stale` time. The first source that has a route for the client answers, and the match tells which
 * kind of answer it was: stale when it is the word of a peer that is lost, fallback when a source before it
 * should have known (one that was never there, or has carried routes of the client's family).
 *
 * A source has up to three ribs, of which the first that has any route of a family, and is not lost as a whole,
 * answers for it: a BMP source may tell a router's Loc-RIB, or its peers' routes after and before policy.
 *
 * Whoever feeds a source adds peers to its ribs and tells when it comes and goes. A configuration that
 * comes by reload keeps the sources it still names, with their routes. */

#include "base/clock.h"
#include "base/loop.h"
#include "collector/config.h"
#include "route/rib.h"
#include "traffic/flow.h"

enum table_state { TABLE_ABSENT, TABLE_UP, TABLE_STALE };
extern const char *const table_state_names[]; /* "absent" "up" "stale" */

enum source_counter {
#define COUNTER(name, help) SOURCE_##name,
#include "collector/source_counters.def"
#undef COUNTER
	SOURCE_COUNTERS
};
struct source_counter_info {
	const char *name, *help;
};
extern const struct source_counter_info source_counter_table[SOURCE_COUNTERS];

/* The ribs of a source. Sources of one table have the first only. */
enum table_level { TABLE_ONLY, TABLE_LOC_RIB = TABLE_ONLY, TABLE_POST_POLICY, TABLE_PRE_POLICY, TABLE_LEVELS };

struct table_router;

/* One source of one router. Its owner's to read; changed by the functions below only, but for the
 * counters. */
struct table_source {
	struct tables *tables;
	char *router;
	enum source_kind kind;
	struct addr from;          /* BMP, BGP */
	char *vrf;                 /* BMP; NULL: the global table */
	enum bmp_table table;      /* BMP */
	char *file;                /* MRT */
	struct addr peer;          /* MRT: of whom; ADDR_NONE: all */
	uint32_t as;               /* BGP */
	char *md5_file;            /* BGP; NULL */
	uint64_t stale_ms;
	size_t max_routes;         /* of a rib */
	struct rib *ribs[TABLE_LEVELS]; /* NULL: not needed so far */
	enum table_state state;
	uint64_t since_ms;         /* wall clock: in this state */
	uint64_t changed_ms;       /* last route set or withdrawn; 0: never */
	uint64_t counters[SOURCE_COUNTERS];
	uint8_t carried;           /* families of which it has ever had routes */
	uint8_t arriving;          /* families whose table is told for the first time: by whoever is telling now */
	char error[256];           /* of the last loss or failure; "" */
	void *feeder;              /* of whoever feeds it */
	struct table_source *next;
	const struct table_router *list; /* of the router's sources; NULL: it is not configured any more */

	struct rate { /* of changes, over the last RATE_MS or so */
		uint64_t begin_ms, changes, before;
	} rate;
	struct table_observer { /* of one of its ribs */
		struct table_source *source;
		enum table_level level;
	} observers[TABLE_LEVELS];
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

/* ---- asking ---- */

struct table_answer {
	struct route_hit hit;
	enum route_match match;
	struct table_source *source;
	struct rib *rib;
};

/* The client's route in the table of the router (index in the configuration). */
bool tables_lookup(const struct tables *t, uint32_t router, const struct addr *client, struct table_answer *ret);
/* The same of n clients, in less time than one after the other; ret[i].source is NULL where there is no route. */
void tables_lookup_many(const struct tables *t, uint32_t router, const struct addr *clients, size_t n,
	struct table_answer *ret);
/* The rib that the router's table of a family (ADDR_V4, ADDR_V6) is in, of the first source that has any route
 * of it; NULL: none has. */
struct rib *tables_rib(const struct tables *t, uint32_t router, uint8_t family);
/* The route to exactly this prefix (an id of the route table) in that table. */
bool tables_get(const struct tables *t, uint32_t router, uint32_t prefix, struct table_answer *ret);
/* The sources of a router, in order; returns how many. */
size_t tables_sources(const struct tables *t, uint32_t router, struct table_source *const **ret);

/* The first source of this kind, behind `after` (NULL: of all), that a connection from this address feeds;
 * NULL: nobody expects it. Several: those of several VRFs. */
struct table_source *tables_find(const struct tables *t, enum source_kind kind, const struct addr *from,
	const struct table_source *after);

/* The rib that answers for a family of addresses (ADDR_V4, ADDR_V6); NULL: there is none. */
struct rib *table_source_rib(const struct table_source *s, uint8_t family);
/* Prefixes that it has an answer for, routes of all its peers, its peers and those that are lost. */
struct table_sums {
	size_t prefixes, routes, peers, lost;
	uint64_t refused;
};
struct table_sums table_source_sums(const struct table_source *s);
/* Changes a second, of late. */
double table_source_rate(const struct table_source *s);

/* ---- told by feeders ---- */

/* A rib of the source, made at first use. -ENOMEM. */
int table_source_level(struct table_source *s, enum table_level level, struct rib **ret) MUST_USE;

/* A feeder has come: the routes are its own from now on. */
void table_source_up(struct table_source *s);
/* It could not come. why: for people. */
void table_source_failed(struct table_source *s, const char *why);
/* It is lost: its routes are about to be stale. why: for people. */
void table_source_down(struct table_source *s, const char *why);
/* The last of its routes are going. */
void table_source_gone(struct table_source *s);
/* Counts routes announced and withdrawn. now_ms: of day; families: of those announced. */
void table_source_changed(struct table_source *s, uint64_t now_ms, uint64_t announced, uint64_t withdrawn,
	uint8_t families);

/* There is work for the ribs (rib_work): it is done in slices from the loop. Call after whatever a rib
 * does in slices was begun. */
void tables_kick(struct tables *t);

/* ---- churn ---- */

/* A record's client had this route: changes of its path matter for some time. */
void tables_traffic(struct tables *t, uint32_t router, uint32_t prefix);

/* Called when the path of a router's route to a prefix with traffic has changed by a peer's word; not for
 * routes of a table that is told for the first time. Ids of attributes; ROUTE_NONE: no route. */
typedef void table_churn_fn(void *ctx, const char *router, uint32_t prefix, uint32_t before, uint32_t after);
void tables_on_churn(struct tables *t, table_churn_fn *fn, void *ctx);

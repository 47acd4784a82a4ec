/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The sample data of `whereto demo` (demo_networks.def): what the routers' tables, the registry and the
 * names would be if the invented networks lived in 127.0.0.0/8, where a loopback client can have
 * any address. Pure but for demo_data_write. */

#include "base/address.h"
#include "base/cursor.h"

#define DEMO_EDGES        2 /* the first routers: nginx is behind them */
#define DEMO_NETWORKS_MAX 64
#define DEMO_WHOLE        4 /* parts of a network are 0 to 3 */
#define DEMO_ROUTERS      5 /* behind the others are the made-up senders of demo_fleet.h */

/* The address of the servers behind the n-th router: 127.0.1.1, 127.0.2.1, ...; nginx listens on the first ones. */
struct addr demo_data_server(unsigned router);
const char *demo_data_router(unsigned router);
/* Whether it tells its table live, beside the file: demo_bmp.h. */
bool demo_data_live(unsigned router);

unsigned demo_data_networks(void);
/* The first ones, whose traffic is made up: demo_fleet.h. The others are nearby: the real nginx's visitors'. */
unsigned demo_data_distant(void);
uint32_t demo_data_asn(unsigned network);
const char *demo_data_name(unsigned network);
/* An address of a network, chosen by a random number; about as many in each of its prefixes. */
struct addr demo_data_client(unsigned network, uint64_t random);

enum demo_region { DEMO_EUROPE, DEMO_AMERICAS, DEMO_ASIA, DEMO_AFRICA };
enum demo_region demo_data_region(unsigned network);
/* Whether all ways there lead through Sample Carrier Asia, the transit that is said to lose packets. */
bool demo_data_lossy(unsigned network);

/* xorshift64*: for variety, not for secrets. The state is not 0. */
uint64_t demo_data_random(uint64_t *state);

/* Writes ROUTER.mrt for each router (TABLE_DUMP_V2, time_s in their records), countries.txt (RIR
 * delegated-extended) and asnames.txt into a folder. Errors name the file. */
int demo_data_write(const char *folder, uint32_t time_s, struct error *err) MUST_USE;
/* Writes a router's table anew, after the n-th time that a network has moved from one transit to another, or back. */
int demo_data_move(const char *folder, uint32_t time_s, unsigned n, struct error *err) MUST_USE;
/* What the n-th time is: when, in seconds from the demo's start (grows with n), and what moves. away: from the way that was used at first. */
struct demo_move {
	unsigned at_s, router, network;
	bool away;
};
struct demo_move demo_data_nth_move(unsigned n);
/* Which networks are away at a router after so many moves. */
void demo_data_away(unsigned router, unsigned count, bool away[static DEMO_NETWORKS_MAX]);

/* Routes one by one, as the tables have them before anything has moved. */
struct demo_neighbour {
	uint32_t asn;
	struct addr addr;
};
unsigned demo_data_neighbours(void);
struct demo_neighbour demo_data_neighbour(unsigned n);
struct prefix demo_data_prefix(unsigned network, unsigned part);
/* Whether the router hears of a part of a network (DEMO_WHOLE: all of it) from the neighbour. */
bool demo_data_offers(unsigned router, unsigned network, unsigned part, unsigned neighbour);
/* Whether it is this neighbour's way that the router uses. */
bool demo_data_is_best(unsigned router, unsigned network, unsigned neighbour);
/* The attributes of an UPDATE. */
void demo_data_put_attributes(struct wr *w, unsigned network, unsigned neighbour);

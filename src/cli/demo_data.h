/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The sample data of `whereto demo` (demo_networks.def): what the routers' tables, the registry and the
 * names would be if the invented networks lived in 127.0.0.0/8, where a loopback client can have
 * any address. Pure but for demo_data_write. */

#include "base/address.h"

#define DEMO_EDGES   2 /* the first routers: nginx is behind them */
#define DEMO_ROUTERS 5 /* behind the others are the made-up senders of demo_fleet.h */

/* The address of the servers behind the n-th router: 127.0.1.1, 127.0.2.1, ...; nginx listens on the first ones. */
struct addr demo_data_server(unsigned router);
const char *demo_data_router(unsigned router);

unsigned demo_data_networks(void);
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
/* Writes the third router's table anew: one network has moved from one transit to another, or back. */
int demo_data_move(const char *folder, uint32_t time_s, bool moved, struct error *err) MUST_USE;

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The sample data of `whereto demo` (demo_networks.def): what the routers' tables, the registry and the
 * names would be if the invented networks lived in 127.0.0.0/8, where a loopback client can have
 * any address. Pure but for demo_data_write. */

#include "base/address.h"

#define DEMO_EDGES 2

/* The address the servers behind a router listen on: 127.0.1.1 and 127.0.2.1. */
struct addr demo_data_server(unsigned edge);

unsigned demo_data_networks(void);
uint32_t demo_data_asn(unsigned network);
const char *demo_data_name(unsigned network);
/* An address of a network, chosen by a random number; about as many in each of its prefixes. */
struct addr demo_data_client(unsigned network, uint64_t random);

/* Writes edge1.mrt and edge2.mrt (TABLE_DUMP_V2, time_s in their records), countries.txt (RIR
 * delegated-extended) and asnames.txt into a folder. Errors name the file. */
int demo_data_write(const char *folder, uint32_t time_s, struct error *err) MUST_USE;

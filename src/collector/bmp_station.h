/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The BMP side: a monitoring station (RFC 7854) for the routers that sources `bmp` name by the address they
 * connect from; what comes from elsewhere is closed and counted. One connection may feed several sources, one
 * for each VRF. Data-plane thread. Bounded by BMP_PEERS_MAX a router. */

#include "collector/listen.h"
#include "collector/peer.h"
#include "collector/world.h"

#define BMP_PEERS_MAX 8192

struct bmp_station;

/* Binds the addresses of the configuration's section `bmp` (none: nothing listens). */
int bmp_station_new(struct peers *all, const struct world *world, struct bmp_station **ret, struct error *err) MUST_USE;
void bmp_station_free(struct bmp_station *s);

/* Goes over to what the tables were configured to. A router whose sources have become others is disconnected, as
 * what it said before was passed over; it comes back and tells all again. -ENOMEM. */
int bmp_station_configure(struct bmp_station *s, const struct world *world, struct error *err) MUST_USE;
/* A source is about to go. */
void bmp_station_drop(struct bmp_station *s, struct table_source *source);
int bmp_station_start(struct bmp_station *s, struct error *err) MUST_USE;

const struct listener *bmp_station_listener(const struct bmp_station *s);
/* Connections from addresses that no source names. */
uint64_t bmp_station_refused(const struct bmp_station *s);

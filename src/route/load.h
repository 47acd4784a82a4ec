/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Fills a view from an MRT file (RFC 6396: TABLE_DUMP_V2, also as RFC 8050, and TABLE_DUMP), compressed
 * with gzip, bzip2, xz or zstd or not, told apart by content. Blocking; runs on a loader's thread with a
 * table that nobody else uses yet. */

#include "route/route.h"

struct route_load_stats {
	uint64_t entries;   /* RIB entries read, all peers */
	uint64_t routes;    /* routes in the view afterwards */
	uint64_t skipped;   /* records of kinds that hold no unicast routes */
	uint64_t malformed; /* entries left out because their attributes were (RFC 7606
	                     * treat-as-withdraw) */
};

/* peer: only routes of the peer with this address; NULL: of all peers, the best path by the rules of
 * RFC 4271 section 9.1.2.2 as far as the attributes tell (local preference, path length, origin
 * code, MED among one neighbour, lowest peer address, lowest ADD-PATH identifier). What the view held
 * before is gone. On an error (missing, truncated, corrupt file; one without any table; no such peer)
 * the message names file and offset and the view's content is unspecified: throw the table away. */
int route_load_mrt(struct route_table *t, unsigned view, const char *file, const struct addr *peer,
	struct route_load_stats *ret, struct error *err) MUST_USE;

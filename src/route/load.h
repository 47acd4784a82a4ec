/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Fills a view from an MRT file (RFC 6396), compressed with gzip, bzip2, xz or zstd or not, told
 * apart by content. Blocking; runs on a loader's thread with a table that nobody else uses yet. */

#include "route/route.h"

struct route_load_stats {
	uint64_t entries;  /* RIB entries read, all peers */
	uint64_t routes;   /* routes set in the view */
	uint64_t skipped;  /* records of kinds that hold no unicast routes */
};

/* peer: only routes of the peer with this address; NULL: of all peers, the best path by the rules of
 * RFC 4271 section 9.1.2.2 as far as the attributes tell (local preference, path length, origin
 * code, MED among one neighbour, lowest peer address). On an error (missing, truncated, corrupt
 * file; no such peer) the message names file and offset and the view's content is unspecified:
 * throw the table away. */
int route_load_mrt(struct route_table *t, unsigned view, const char *file, const struct addr *peer,
	struct route_load_stats *ret, struct error *err) MUST_USE;

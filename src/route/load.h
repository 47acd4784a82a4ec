/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Fills a view from MRT files (RFC 6396, RFC 8050): a table dump (TABLE_DUMP_V2 or TABLE_DUMP), and BGP
 * messages (BGP4MP, BGP4MP_ET) that came after it. Compressed with gzip, bzip2, xz or zstd or not, told
 * apart by content. Blocking; runs on a loader's thread with a table that nobody else uses yet.
 *
 * The table's time is that of its first record. Messages that are older are in it already and are
 * passed over; all others are applied in the order in which they stand: those in the dump's own file
 * first (it is read twice then, so it must be a file and not a pipe), then the update files. A state
 * change that leaves Established, or a NOTIFICATION, removes what its peer had. Messages that the
 * collector itself sent don't count. */

#include "route/route.h"

/* Changed routes that one load keeps in mind, all peers; about 4 GiB. */
#define ROUTE_LOAD_CHANGES_MAX (1u << 26)

struct route_load {
	const char *file;
	/* File names or glob(3) patterns, read in the order given, the files of one pattern by name. A
	 * pattern may match nothing. */
	const char *const *updates;
	size_t update_count;
	/* Only routes of the peer with this address; NULL: of all peers, the best path by the rules of RFC
	 * 4271 section 9.1.2.2 as far as the attributes tell (local preference, path length, origin code,
	 * MED among one neighbour, lowest originator or BGP identifier of the peer as far as the file tells,
	 * shortest CLUSTER_LIST, lowest peer address, lowest ADD-PATH identifier). */
	const struct addr *peer;
	uint32_t changes_max; /* 0: ROUTE_LOAD_CHANGES_MAX */
};

struct route_load_stats {
	uint64_t entries;   /* RIB entries read, all peers */
	uint64_t routes;    /* routes in the view afterwards */
	uint64_t skipped;   /* records that hold no unicast routes: other kinds, multicast tables */
	uint64_t malformed; /* entries left out because their attributes were (RFC 7606
	                     * treat-as-withdraw), and messages that can't be decoded */
	uint64_t messages;  /* UPDATEs applied */
	uint64_t older;     /* message records older than the table */
};

/* What the view held before is gone. On an error (missing, truncated, corrupt file; one without any
 * table; no such peer; more than changes_max changes) the message names file and offset and the view's
 * content is unspecified: throw the table away. */
int route_load(struct route_table *t, unsigned view, const struct route_load *what, struct route_load_stats *ret,
	struct error *err) MUST_USE;

/* Without update files. */
static inline int route_load_mrt(struct route_table *t, unsigned view, const char *file, const struct addr *peer,
	struct route_load_stats *ret, struct error *err)
{
	const struct route_load what = {.file = file, .peer = peer};
	return route_load(t, view, &what, ret, err);
}

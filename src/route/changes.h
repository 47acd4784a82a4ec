/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: what BGP messages change in a table: for each prefix, peer and path identifier the
 * last word, and which peers' routes from before are gone. Messages are applied in the order in which
 * they stand in their files; the table itself need not be known. Memory: 20 bytes a change, some 40 a
 * prefix with its index; bounded by `max` changes. */

#include "bgp/mrt.h"
#include "route/peer_list.h"
#include "route/route.h"

#define CHANGES_NONE UINT32_MAX

struct change {
	uint32_t peer;    /* position in the list */
	uint32_t path_id; /* 0: none */
	uint32_t attrs;   /* ROUTE_NONE: withdrawn; else one reference is ours */
	uint32_t epoch;
	uint32_t next;    /* of the same prefix; CHANGES_NONE */
};

struct changed_prefix {
	struct prefix prefix;
	bool settled; /* for the loader */
	uint32_t first;
};

struct changes {
	struct route_table *table;
	struct peer_list *peers;
	struct change *list;
	uint32_t count, cap, max;
	struct changed_prefix *prefixes;
	uint32_t prefix_count, prefix_cap;
	struct index index; /* by prefix */
	uint32_t *flushed;  /* by peer: changes of earlier epochs are void; 0: never */
	uint32_t flushed_cap, epoch;
	uint8_t *path; /* BGP_PATH_MAX bytes */
	uint64_t messages, malformed, passed_over;
	uint64_t refused; /* changes beyond max */
};

/* Table and list must outlive it. */
int changes_init(struct changes *c, struct route_table *table, struct peer_list *peers, uint32_t max) MUST_USE;
void changes_done(struct changes *c);

/* Applies a record of kind MRT_MESSAGE or MRT_STATE. What can't be decoded is counted and changes
 * nothing. -ENOSPC: there are too many; -ENOMEM. */
int changes_apply(struct changes *c, const struct mrt_record *record) MUST_USE;

/* Nothing was applied that could matter. */
bool changes_none(const struct changes *c);
/* The peer's session ended: no route that it had before is left. */
bool changes_flushed(const struct changes *c, uint32_t peer);
/* Position in prefixes, or CHANGES_NONE. */
uint32_t changes_find(const struct changes *c, const struct prefix *prefix);
/* Whether there is news of this route of the table. Identifiers of 0 stand for none: such a route is
 * meant by every message of its peer, and by such a message all of the peer's routes are. */
bool changes_replace(const struct changes *c, uint32_t changed_prefix, uint32_t peer, uint32_t path_id);
/* Whether a change is a route that counts now. */
bool changes_live(const struct changes *c, const struct change *change);

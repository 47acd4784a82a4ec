/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Which of several routes to one prefix a router would use: RFC 4271 section 9.1.2.2 as far as
 * attributes tell. Pure but for the list's memory, which grows with the candidates and is kept. */

#include <stdbool.h>

#include "base/compiler.h"
#include "route/route.h"

struct best_candidate {
	uint32_t local_pref;  /* 100 where the route has none */
	uint32_t path_length; /* a set counts 1, confederations 0 */
	uint32_t med;         /* 0 where the route has none */
	uint32_t neighbour;   /* first AS of the path; 0: none */
	uint32_t path_id;     /* ADD-PATH; 0: none */
	uint32_t bgp_id;      /* the route's originator's (RFC 4456), else the peer's; 0: not known */
	uint8_t cluster_length;
	uint8_t origin_code;
	bool internal;        /* iBGP; false also where it is not known */
	bool stale;           /* of a peer that is lost: counts only where there is nothing else (as RFC 9494) */
	const struct addr *peer;
	const void *route; /* the caller's */
	uint32_t attrs;    /* likewise */
};

#define BEST_LOCAL_PREF_DEFAULT 100u

/* What a route's attributes say; peer_id: the peer's BGP identifier. The rest is zero, for the caller to fill in. */
struct best_candidate best_candidate(const struct route_attrs *a, uint32_t peer_id);

struct best {
	struct best_candidate *ties; /* equal in local preference, path length and origin code */
	size_t count, cap;
};

void best_init(struct best *b);
void best_done(struct best *b);
void best_clear(struct best *b);

/* -ENOMEM. */
int best_add(struct best *b, const struct best_candidate *c) MUST_USE;

/* The best of those added since best_clear, NULL when there were none; valid until the next change. MED
 * is compared among routes of the same neighbour only, all of them at once, so the order of adding does
 * not matter. Reorders the list. */
const struct best_candidate *best_choose(struct best *b);

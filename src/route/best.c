/* SPDX-License-Identifier: BSD-2-Clause */

/* Staleness, local preference, path length and origin code order all routes, so worse ones are dropped as they
 * come. MED orders only routes of one neighbour, which is no order over all: the remaining routes are
 * sorted by neighbour and MED, each neighbour's lowest MED survives, and of the survivors an external
 * one wins over an internal one, then the lowest BGP identifier (of the originator, where a
 * reflector tells it), the shortest CLUSTER_LIST (RFC 4456), the lowest peer address, the lowest ADD-PATH
 * identifier. n log n however many routes a file claims.
 *
 * Left out, as nobody tells it: the distance to the next hop. */

#include "route/best.h"

#include <errno.h>
#include <stdlib.h>

#include "bgp/attr.h"
#include "route/path.h"

void best_init(struct best *b)
{
	*b = (struct best){0};
}

void best_done(struct best *b)
{
	free(b->ties);
	best_init(b);
}

void best_clear(struct best *b)
{
	b->count = 0;
}

struct best_candidate best_candidate(const struct route_attrs *a, uint32_t peer_id)
{
	return (struct best_candidate){
		.local_pref = a->has_local_pref ? a->local_pref : BEST_LOCAL_PREF_DEFAULT,
		.path_length = bgp_path_length(a->path, 4),
		.med = a->has_med ? a->med : 0,
		.neighbour = path_neighbour(a->path),
		.bgp_id = a->originator_id ? a->originator_id : peer_id,
		.cluster_length = a->cluster_length,
		.origin_code = a->origin_code,
	};
}

/* Below 0: a is better. */
static int cmp_rank(const struct best_candidate *a, const struct best_candidate *b)
{
	if (a->stale != b->stale)
		return a->stale ? 1 : -1;
	if (a->local_pref != b->local_pref)
		return a->local_pref > b->local_pref ? -1 : 1;
	if (a->path_length != b->path_length)
		return a->path_length < b->path_length ? -1 : 1;
	return (int)a->origin_code - (int)b->origin_code;
}

int best_add(struct best *b, const struct best_candidate *c)
{
	if (b->count) {
		int order = cmp_rank(c, &b->ties[0]);
		if (order > 0)
			return 0;
		if (order < 0)
			b->count = 0;
	}
	if (b->count == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 64;
		struct best_candidate *grown = realloc(b->ties, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		b->ties = grown;
		b->cap = cap;
	}
	b->ties[b->count++] = *c;
	return 0;
}

static int cmp_peer(const struct best_candidate *a, const struct best_candidate *b)
{
	if (a->internal != b->internal)
		return a->internal ? 1 : -1;
	if (a->bgp_id != b->bgp_id)
		return a->bgp_id < b->bgp_id ? -1 : 1;
	if (a->cluster_length != b->cluster_length)
		return a->cluster_length < b->cluster_length ? -1 : 1;
	int order = addr_cmp(a->peer, b->peer);
	return order ? order : (a->path_id > b->path_id) - (a->path_id < b->path_id);
}

static int cmp_med(const void *pa, const void *pb)
{
	const struct best_candidate *a = pa, *b = pb;
	if (a->neighbour != b->neighbour)
		return a->neighbour < b->neighbour ? -1 : 1;
	if (a->med != b->med)
		return a->med < b->med ? -1 : 1;
	return cmp_peer(a, b);
}

const struct best_candidate *best_choose(struct best *b)
{
	if (!b->count)
		return NULL;
	if (b->count > 1)
		qsort(b->ties, b->count, sizeof(*b->ties), cmp_med);
	/* The first of each neighbour has its lowest MED and, among those, the lowest peer. */
	const struct best_candidate *best = &b->ties[0];
	for (size_t i = 1; i < b->count; i++)
		if (b->ties[i].neighbour != b->ties[i - 1].neighbour && cmp_peer(&b->ties[i], best) < 0)
			best = &b->ties[i];
	return best;
}

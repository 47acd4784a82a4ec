/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Counters of traffic for Prometheus: for the largest origins, neighbours and countries one each, and one for all others,
 * which together are everything that was acknowledged since the start, exactly.
 *
 * A value gets a place when there is a free one, or when it has become one of the largest; then it takes the place of the
 * one that has fallen furthest. What was counted before stays where it was counted, so no counter ever falls: one that
 * is gone is gone with its series, and begins at 0 when it comes back. Which are the largest is told by a sum that
 * loses half its weight in twenty minutes, looked at once a minute.
 *
 * Added to by the journal's thread, read by any; one lock, held for a batch of rows at a time. */

#include <pthread.h>
#include <stdio.h>

#include "store/groups.h"
#include "traffic/flow.h"

#define TRAFFIC_TOP_MAX 1000

enum traffic_metrics_by { BY_ORIGIN, BY_NEIGHBOUR, BY_COUNTRY, BY_COUNT };

/* The measures that are counted. */
#define TRAFFIC_METRICS(X) X(bytes_sent) X(packets_sent) X(packets_retransmitted) X(connections)
enum {
#define X(name) COUNTED_##name,
	TRAFFIC_METRICS(X)
#undef X
	COUNTED
};

struct traffic_place {
	uint32_t code; /* AS number or country; 0: free */
	uint64_t sums[COUNTED];
};

struct traffic_list {
	struct groups seen;          /* by code: its weight */
	struct traffic_place *places; /* TRAFFIC_TOP_MAX */
	uint32_t taken; /* of them */
	uint64_t unknown[COUNTED], other[COUNTED];
};

struct traffic_metrics {
	pthread_mutex_t lock;
	_Atomic uint32_t top; /* places of each list that may be taken */
	uint64_t looked_ns;
	struct traffic_list lists[BY_COUNT];
};

/* top up to TRAFFIC_TOP_MAX. */
int traffic_metrics_new(uint32_t top, struct traffic_metrics **ret) MUST_USE;
void traffic_metrics_free(struct traffic_metrics *t);
/* Other places from now on: fewer, and the series of the least end; more, and the largest of those without one begin theirs. -ENOMEM: all stays. */
int traffic_metrics_resize(struct traffic_metrics *t, uint32_t top) MUST_USE;
void traffic_metrics_add(struct traffic_metrics *t, const struct flow_table *flows, uint64_t now_ns);
/* OpenMetrics text. as_name: a copy, to be freed; NULL when there is none. */
void traffic_metrics_write(struct traffic_metrics *t, char *(*as_name)(void *ctx, uint32_t asn), void *ctx, FILE *out);

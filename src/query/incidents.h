/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What happened, and when: stretches of time in which more was lost, or answers took longer, than in the rest of the range, and moves of
 * networks from one way to another; on one timeline, so that the one can be seen to go with the other. Pure, but for memory; not
 * thread-safe. How incidents are told apart is in incidents.c.
 *
 * What it cannot tell: what is wrong all the time (suspects.h does); what is shorter than a bucket and small in it; which came first
 * of two things in one bucket; and whether a move was the cause, for it only stands beside. */

#include "query/query.h"
#include "query/stretch.h"

#define INCIDENT_EVERYTHING   DIMENSION_COUNT /* for a dimension */
#define INCIDENTS_ROUTERS_MAX 32 /* that are looked at */
#define INCIDENTS_ASES_MAX    63
#define INCIDENTS_LINES_MAX   (1 + INCIDENTS_ROUTERS_MAX + INCIDENTS_ASES_MAX)
#define INCIDENTS_MAX         50
#define INCIDENTS_ALSO_MAX    32 /* others of an incident that are named */

/* ---- what is looked at ---- */

/* Some of the traffic over time: of an AS on its path (DIM_via), of a router, or all of it (INCIDENT_EVERYTHING). */
struct incident_line {
	enum dimension dim;
	struct dim_value value;
	struct measures *buckets;
};

struct incident_lines {
	struct incident_line *list; /* the first is everything; then the routers, then the ASes */
	size_t count, router_count;
	uint64_t *shared; /* count by count: packets of the one that are also of the other; of the one: all */
	size_t points;    /* buckets of each line, all zero at first */
	struct arena arena; /* owns lists and values */
};

/* Of the rows by router, and by via, the first so many that are known. -ENOMEM. */
int incident_lines_make(const struct query_result *routers, const struct query_result *vias, size_t points, struct incident_lines *ret) MUST_USE;
/* Counts the packets that lines share; all: by router and path, with packets_sent. -ENOMEM. */
int incident_lines_share(struct incident_lines *lines, const struct query_groups *all) MUST_USE;
void incident_lines_done(struct incident_lines *lines);

/* ---- moves ---- */

/* Networks of one router that went from one way to another at about the same time. */
struct incident_move {
	uint64_t from_ms, to_ms; /* of the first change and the last */
	struct dim_value router;
	uint32_t before_as, after_as; /* where the paths part: the AS that was left, and that was come to; 0: there is none, of both and hop: the
				       * ASes are the same, prepended otherwise */
	uint32_t hop;                 /* the AS before that, which both paths have; 0: none, they part at the router */
	bool lost, won;               /* there is no route after, was none before */
	uint32_t changes, networks;   /* a network may go there again and again */
	struct dim_value prefix, before, after; /* of the first change, as an example */
};

struct incident_moves {
	struct incident_move *list; /* in the order of their beginning once all are added, and then with how many networks each has */
	size_t count, cap;
	struct incident_move_network *networks; /* of all moves */
	size_t network_count, network_cap;
	struct arena arena; /* owns values */
};

#define INCIDENT_MOVES_MAX 2000
#define INCIDENT_MOVE_S    300 /* between one change and the next of a move */

void incident_moves_init(struct incident_moves *moves);
void incident_moves_done(struct incident_moves *moves);
/* The newest change first, as a store gives them. -ENOMEM; -E2BIG: there are too many moves, the older ones are not known. */
int incident_moves_add(struct incident_moves *moves, const struct store_change *c) MUST_USE;
/* After the last one. */
void incident_moves_sort(struct incident_moves *moves);

/* ---- incidents ---- */

enum incident_kind {
	INCIDENT_LOSS, /* retransmits by packets */
	INCIDENT_RTT,  /* the share of slow round trips: above the bound that a quarter of the line's were, or so */
};

struct incident {
	enum incident_kind kind;
	const struct incident_line *line;
	size_t from, to;     /* buckets, half open */
	bool before, beyond; /* it began before the first bucket; it goes on in the last */
	struct measures in, out; /* the line's sums in that time; in the rest, without its other incidents */
	struct measures all;     /* everything's in that time */
	double excess;           /* packets sent again, or slow round trips, beyond what there would have been at the other rate */
	const struct incident_line *also[INCIDENTS_ALSO_MAX]; /* that show the same, by how much */
	size_t also_count;
};

struct incidents {
	struct incident *list; /* by beginning, the latest first */
	size_t count;
	size_t more; /* that had no place */
	struct incident_found *found; /* before they are settled */
	size_t found_count;
};

/* Looks at all lines. Of two or more that are found the lines' shares must be there when they are settled. -ENOMEM. */
int incidents_find(const struct incident_lines *lines, struct incidents *ret) MUST_USE;
/* Which are one in the other: fills the list, which points into the lines. -ENOMEM. */
int incidents_settle(const struct incident_lines *lines, struct incidents *i) MUST_USE;
void incidents_done(struct incidents *i);
/* Whether the move has to do with it: it happened within a bucket of its beginning or end, and at that router, or a path of the
 * first network that moved has that AS. */
bool incident_goes_with(const struct incident *i, const struct incident_move *m, uint64_t start_s, uint32_t step_s);

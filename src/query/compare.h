/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The same network by several ways (routers, neighbours): by which is it reached better, and how much traffic goes by the worse one?
 * Each figure has a plain verdict: better, same, or not enough data. Pure; compare.c tells the statistics, and what they cannot know.
 *
 * The ways to one network are its sides. Their two figures are judged apart: how many connections had a retransmit, and the mean of
 * the connections' smallest round-trip times. The best side by what is shown is compared with each of the others. */

#include "query/query.h"
#include "query/stats.h"

#define COMPARE_SIDES_MAX 8   /* the largest so many of a network; the others are counted, not compared */
#define COMPARE_SAMPLES   100 /* fewer connections, or connections with a round-trip time, and a side has no part in a verdict */

enum compare_figure { COMPARE_RETRANSMITS, COMPARE_RTT, COMPARE_FIGURES };

enum compare_verdict { COMPARE_UNKNOWN, COMPARE_SAME, COMPARE_BETTER, COMPARE_VERDICTS };
/* "not enough data", "same", "better". */
extern const char *const compare_verdict_names[COMPARE_VERDICTS];

/* Why there is not enough. */
enum compare_why {
	COMPARE_WHY_NONE,
	COMPARE_WHY_FEW,         /* too few connections or samples on a side */
	COMPARE_WHY_CHANCE,      /* there may be no difference, or a large one */
	COMPARE_WHY_SMALL,       /* there is one, and it may or may not matter */
	COMPARE_WHY_DISAGREE,    /* two ways to look at it say different things: the sides' traffic is not alike */
	COMPARE_WHY_APPROXIMATE, /* of one side less is seen than of the other */
	COMPARE_WHYS
};
/* Clauses for people. */
extern const char *const compare_why_texts[COMPARE_WHYS];

/* What one figure says of the best side against another. */
struct compare_judgement {
	enum compare_verdict verdict;
	enum compare_why why;
	double difference;            /* the other's minus the best's: a share of connections, or microseconds */
	struct stats_interval within; /* 95 of 100; both are NAN where the verdict is for WHY_FEW */
};

/* pairs: of sides that the network has; with more of them each has to be surer. best: the one that looks better. */
struct compare_judgement compare_judge(enum compare_figure figure, const struct measures *best, const struct measures *other,
	unsigned pairs);

/* A side's own figure: a share of connections, or microseconds, and the interval of 95 in 100. NAN where nothing is known. */
double compare_value(enum compare_figure figure, const struct measures *m);
struct stats_interval compare_interval(enum compare_figure figure, const struct measures *m);

/* A mask of the measures that all this looks at, and bytes. */
uint64_t compare_measures(void);

struct compare_side {
	struct dim_value value;
	struct measures m;
	struct compare_judgement against_best[COMPARE_FIGURES]; /* of the best side itself: nothing */
};

struct compare_row {
	struct dim_value network;
	struct compare_side *sides; /* the most bytes first */
	uint32_t side_count, left_out;
	enum compare_verdict verdict[COMPARE_FIGURES]; /* better: than one side at least; same: as all others */
	enum compare_why why[COMPARE_FIGURES];
	int best[COMPARE_FIGURES];                     /* a side; -1: too little is known of all but one */
	uint64_t bytes, at_stake; /* of all sides; of those that are worse in something and better in nothing */
};

struct compare {
	struct compare_row *rows; /* the most at stake first, then the most bytes */
	size_t row_count;
	struct arena arena; /* owns rows and values */
	/* Of all networks with two sides or more, shown or not. */
	uint64_t networks, bytes, at_stake;
	uint64_t verdicts[COMPARE_FIGURES][COMPARE_VERDICTS];
};

/* all: by network and side, with compare_measures. -ENOMEM. */
int compare_make(const struct query_groups *all, uint32_t limit, struct compare *ret) MUST_USE;
void compare_done(struct compare *c);

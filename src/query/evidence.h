/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Whether a part of the traffic loses more than the rest of it, and how sure that is. Pure.
 *
 * Packets are not lost one by one: a connection that loses any often loses many. So the packets that were sent again are no
 * independent witnesses, and an interval over them would be much too narrow. What is taken for independent are the
 * connections that had any, `lossy`; the number each adds varies as much as its mean (as in an exponential distribution), which is as
 * if there were half as many of equal weight. So n packets sent again on c lossy connections are c/2 events; rates stay those of
 * packets. One connection that sends a hundred thousand packets again is half an event: it names nobody.
 *
 * A connection's first retransmit may have been before the range, or a sender may not tell: where no lossy connection is known,
 * ten packets sent again are taken for one, and not more of them than there are connections. That is rather too few than too many. */

#include <stdbool.h>
#include <stdint.h>

#include "query/stats.h"
#include "traffic/measures.h"

struct evidence {
	uint64_t packets, retransmits, connections, lossy;
};

#define EVIDENCE_PACKETS_MIN 1000 /* fewer say little about a rate */

/* Retransmits by packets. */
struct evidence evidence_of_loss(const struct measures *m);
/* What is not of the part, which is in the whole. */
struct evidence evidence_rest(const struct evidence *whole, const struct evidence *part);
struct evidence evidence_sum(const struct evidence *a, const struct evidence *b);
/* 0 of no packets. */
double evidence_rate(const struct evidence *e);
/* Of independent witnesses for loss: that many retransmits' worth. */
double evidence_events(const struct evidence *e);
/* Of the rate: 95 %. */
struct stats_interval evidence_interval(const struct evidence *e);
/* Packets sent again beyond what there would be at the rate of the rest; 0 where there is no rest to speak of. */
double evidence_excess(const struct evidence *part, const struct evidence *rest);
/* The part's rate is twice that of the rest or more, in packets: whether that is the network's is another question. */
bool evidence_high(const struct evidence *part, const struct evidence *rest);
/* The part's rate is twice that of the rest or more, the intervals of the two do not touch, and both have packets enough. And, as a
 * second witness, the part's connections begin to lose clearly more often by packets than the rest's: so a few that lost a great deal
 * speak for nobody. Where nearly all connections of the rest lose something, that says nothing and is not asked. */
bool evidence_apart(const struct evidence *part, const struct evidence *rest);
/* How much likelier two rates are than one, as a logarithm (the statistic of M. Kulldorff, "A spatial scan statistic",
 * Communications in Statistics 26, 1997, for retransmits by packets), a retransmit weighing what it does in the whole, so that parts of one
 * whole can be compared; 0 where the part's rate is not the higher. */
double evidence_likelihood(const struct evidence *part, const struct evidence *rest);

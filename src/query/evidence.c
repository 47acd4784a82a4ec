/* SPDX-License-Identifier: BSD-2-Clause */

/* Rates are of packets, how sure they are is told by connections: evidence.h. A part stands out when its rate is high (evidence_high), when that
 * cannot be chance for as many witnesses as there are, and when its connections bear it out (witnessed). */

#include "query/evidence.h"

#include <math.h>

#define TIMES           2  /* a part's rate, of the rest's */
#define RETRANSMITS_MIN 50
#define EVENTS_MIN      10 /* a rate by a few connections is theirs, not the network's */
#define WEIGHT_SPREAD   2  /* lossy connections to an event: 1 + the square of the variation of what each adds */
#define PER_CONNECTION  10 /* packets sent again, where lossy connections are not known */
#define WITNESS_TIMES   1.2 /* beginnings of loss, of the rest's */
#define SATURATED       0.9 /* of all connections: nearly each loses something anyway, and which of them do says nothing */

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

struct evidence evidence_of_loss(const struct measures *m)
{
	return (struct evidence){m->v[MEASURE_packets_sent], m->v[MEASURE_packets_retransmitted], m->v[MEASURE_connections],
		m->v[MEASURE_connections_with_retransmit]};
}

struct evidence evidence_rest(const struct evidence *whole, const struct evidence *part)
{
	return (struct evidence){minus(whole->packets, part->packets), minus(whole->retransmits, part->retransmits),
		minus(whole->connections, part->connections), minus(whole->lossy, part->lossy)};
}

struct evidence evidence_sum(const struct evidence *a, const struct evidence *b)
{
	return (struct evidence){a->packets + b->packets, a->retransmits + b->retransmits, a->connections + b->connections, a->lossy + b->lossy};
}

double evidence_rate(const struct evidence *e)
{
	return e->packets ? (double)e->retransmits / (double)e->packets : 0;
}

double evidence_events(const struct evidence *e)
{
	double lossy = e->lossy ? (double)e->lossy : fmin((double)e->retransmits / PER_CONNECTION, (double)e->connections);
	return fmin(lossy, (double)e->retransmits) / WEIGHT_SPREAD;
}

struct stats_interval evidence_interval(const struct evidence *e)
{
	double n = (double)e->packets, of = evidence_events(e);
	if (!e->retransmits)
		return stats_wilson(0, n / WEIGHT_SPREAD, STATS_Z95);
	return stats_wilson(of, n * of / (double)e->retransmits, STATS_Z95);
}

double evidence_excess(const struct evidence *part, const struct evidence *rest)
{
	return rest->packets < EVIDENCE_PACKETS_MIN ? 0 : (double)part->retransmits - (double)part->packets * evidence_rate(rest);
}

/* Beginnings of loss by packets, for a share of connections that saw any: where each packet begins one by itself, the share that sees
 * none is e to the minus of how many a connection sees. */
static double beginnings(const struct evidence *e, double share)
{
	double most = 1 - 0.5 / (double)e->connections;
	return -log(1 - fmin(share, most)) * (double)e->connections / (double)e->packets;
}

/* Connections that lost any do not speak against it. What is bad for a short time of a long range shows little in them, for each loses
 * something once; so they need not be twice as many. */
static bool witnessed(const struct evidence *part, const struct evidence *rest)
{
	double n = (double)part->connections, m = (double)rest->connections;
	if (!part->lossy || !rest->lossy || (double)rest->lossy > SATURATED * m || part->lossy >= part->connections)
		return true;
	double own = (double)part->lossy / n, other = (double)rest->lossy / m;
	return beginnings(part, own) >= WITNESS_TIMES * beginnings(rest, other) &&
		beginnings(part, stats_wilson((double)part->lossy, n, STATS_Z95).low) >
			beginnings(rest, stats_wilson((double)rest->lossy, m, STATS_Z95).high);
}

bool evidence_high(const struct evidence *part, const struct evidence *rest)
{
	return part->packets >= EVIDENCE_PACKETS_MIN && rest->packets >= EVIDENCE_PACKETS_MIN && part->retransmits >= RETRANSMITS_MIN &&
		evidence_rate(part) >= TIMES * evidence_rate(rest);
}

bool evidence_apart(const struct evidence *part, const struct evidence *rest)
{
	return evidence_high(part, rest) && evidence_events(part) >= EVENTS_MIN && evidence_interval(part).low > evidence_interval(rest).high &&
		witnessed(part, rest);
}

double evidence_likelihood(const struct evidence *part, const struct evidence *rest)
{
	struct evidence whole = evidence_sum(part, rest);
	double one = evidence_rate(&whole);
	if (evidence_rate(part) <= evidence_rate(rest))
		return 0;
	double elsewhere = rest->retransmits ? (double)rest->retransmits * log(evidence_rate(rest) / one) : 0;
	return ((double)part->retransmits * log(evidence_rate(part) / one) + elsewhere) * evidence_events(&whole) / (double)whole.retransmits;
}

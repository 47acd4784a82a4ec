/* SPDX-License-Identifier: BSD-2-Clause */

/* What is stored are sums, so what can be said soundly follows from what they are sums of.
 *
 * *Retransmits.* Packets are not independent: losses come in bursts, and one bad connection has hundreds. Connections are, nearly (see
 * below), and whether one had a retransmit is yes or no; so the share of connections with one has an honest interval (Wilson), and so has the
 * difference of two shares (Newcombe; stats.h). But a long connection is likelier to meet a loss than a short one. So the difference is
 * looked at twice, per connection and per packet: the first holds the long connections' length against them (1 - (1 - p)^length
 * grows with length), the second favours them (that divided by length falls). A verdict is what both say; where sides carry
 * connections of one length they are the same test. Packets' own rate, the figure that is shown, must not say the contrary.
 *
 * *Round-trip times.* The sum of the smallest round-trip times of connections is exact, and the histogram bounds their variance from
 * above, so the mean's interval is too wide rather than too narrow, and no value is made up inside a bucket, as a quantile's would
 * be. A connection that is told in many records gives its smallest time each time, so no more samples count than there are
 * connections. A mean hangs on few large values: where pairs of connections whose buckets do not touch say the contrary, it is no verdict.
 *
 * *Verdicts.* Better: the difference is there (its interval leaves out 0) and matters. Same: the whole interval is within what does
 * not matter, as tests of equivalence have it (D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987: two one-sided tests). All else is
 * not enough data, and that is most of a long list of small networks. What matters: a fifth of the odds, which is a fifth of a small share
 * and less of a large one, where nearly all connections have a retransmit whatever the loss; one in a hundred at least; a tenth
 * of the round-trip time, 5 ms at least. So do those who steer by it: Schlinker et al., "Internet Performance from Facebook's Edge" (IMC 2019), compare routes
 * by the interval of a difference, and by a least that counts. They, as Edge Fabric (SIGCOMM 2017), send part of a network's traffic by
 * another route at the same time; here the sides are what they are.
 *
 * *Many networks.* Among thousands that are reached equally well by both sides, one in twenty would be called better at the usual
 * level. So better needs 99.9 in 100, divided among the pairs of sides of a network (Bonferroni): one such network in a thousand is
 * called better at most. A level that is fixed is preferred to Benjamini and Hochberg's (J. R. Stat. Soc. B 57, 1995), with
 * which a network's verdict would change with what else is on the list. Same needs 95 in 100.
 *
 * *Clients.* Connections of one client share its line, and clients are not stored. With k of them each, of which pairs are alike by r, they tell as
 * much as one in 1 + (k - 1) r would (L. Kish, Survey Sampling, 1965: the design effect). So four count as one, in every interval. The
 * tests hold what is promised above for clients of up to sixteen connections, half of that on average, one in five of which loses six times as
 * much as the others, each at its own distance; with all connections counted, twice as many as promised were called better at half as many a client.
 *
 * *What it cannot know.* A few clients with dozens of connections each, as behind a proxy, still are not as many as they count; a connection of
 * hours tells its round-trip time again and again, and counts each time while there are as many connections; sides that carry traffic at different
 * times of the day meet different evenings; a router far from the clients has a longer way. A filter by type, a shorter range and two
 * routers in one place make sides more alike.
 *
 * All networks are judged, from sums on the stack; only those that are shown are kept. */

#include "query/compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "query/bundles.h"

#define ALPHA_BETTER 0.001
#define ALIKE        4.0 /* connections count as one */
#define SHARE_MATTERS        0.2 /* of the odds */
#define SHARE_MATTERS_LEAST  0.01
#define RTT_MATTERS          0.1 /* of the better one */
#define RTT_MATTERS_LEAST_US 5000
#define RATE_SAME_LEAST 0.001 /* packets' rates that differ by less, or by less than half of the larger, are not contrary to "same" */
#define RATE_SAME       0.5
#define ORDER_BETTER    0.1 /* so many more pairs may say the contrary */
#define ORDER_SAME      0.2 /* or be in one order */
#define APPROXIMATE_UNLIKE 0.1 /* of the records */

const char *const compare_verdict_names[COMPARE_VERDICTS] = {
	[COMPARE_UNKNOWN] = "not enough data", [COMPARE_SAME] = "same", [COMPARE_BETTER] = "better",
};

const char *const compare_why_texts[COMPARE_WHYS] = {
	[COMPARE_WHY_FEW] = "too few connections on a side",
	[COMPARE_WHY_CHANCE] = "it may be chance",
	[COMPARE_WHY_SMALL] = "it may be too little to matter",
	[COMPARE_WHY_DISAGREE] = "the sides' connections are not alike",
	[COMPARE_WHY_APPROXIMATE] = "less is seen of one side than of the other",
};

uint64_t compare_measures(void)
{
	static const enum measure needed[] = {MEASURE_bytes_sent, MEASURE_packets_sent, MEASURE_packets_retransmitted, MEASURE_connections,
		MEASURE_connections_with_retransmit, MEASURE_records, MEASURE_records_approximate, MEASURE_rtt_count, MEASURE_rtt_sum_us};
	uint64_t mask = 0;
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		mask |= MEASURE_BIT(needed[i]);
	for (int i = 0; i < RTT_BUCKETS; i++)
		mask |= MEASURE_BIT(MEASURE_rtt_h0 + i);
	return mask;
}

static double sum(const struct measures *m, enum measure measure)
{
	return (double)m->v[measure];
}

static double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : NAN;
}

/* ---- retransmits ---- */

/* A connection that began before the range may have its first retransmit inside it. */
static double connections_of(const struct measures *m)
{
	return fmax(sum(m, MEASURE_connections), sum(m, MEASURE_connections_with_retransmit));
}

static double packets_of(const struct measures *m)
{
	return fmax(sum(m, MEASURE_packets_sent), connections_of(m));
}

/* A difference of shares that matters, where both sides together have this share. */
static double share_matters(double share)
{
	return fmax(SHARE_MATTERS_LEAST, SHARE_MATTERS * share * (1 - share));
}

static double packets_rate(const struct measures *m)
{
	return ratio(sum(m, MEASURE_packets_retransmitted), sum(m, MEASURE_packets_sent));
}

/* ---- round-trip times ---- */

/* Samples that are another connection's each, at most. */
static double samples_of(const struct measures *m)
{
	return fmin(sum(m, MEASURE_rtt_count), connections_of(m));
}

static double mean_error(const struct measures *m)
{
	return sqrt(measures_rtt_variance_max(m) / fmax(1, samples_of(m) / ALIKE - 1));
}

static struct stats_interval around(double middle, double half)
{
	return (struct stats_interval){middle - half, middle + half};
}

static struct stats_interval rtt_difference(const struct measures *best, const struct measures *other, double z)
{
	return around(measures_rtt_mean(other) - measures_rtt_mean(best), z * hypot(mean_error(best), mean_error(other)));
}

/* Of all pairs of a sample of each: how many more there are in which the other's is surely the larger, for a bucket lies between. */
static double sure_order(const struct measures *best, const struct measures *other)
{
	double larger = 0, smaller = 0;
	for (int i = 0; i < RTT_BUCKETS; i++)
		for (int k = i + 2; k < RTT_BUCKETS; k++) {
			larger += sum(best, MEASURE_rtt_h0 + i) * sum(other, MEASURE_rtt_h0 + k);
			smaller += sum(other, MEASURE_rtt_h0 + i) * sum(best, MEASURE_rtt_h0 + k);
		}
	return ratio(larger - smaller, sum(best, MEASURE_rtt_count) * sum(other, MEASURE_rtt_count));
}

/* ---- a side ---- */

double compare_value(enum compare_figure figure, const struct measures *m)
{
	if (figure == COMPARE_RTT)
		return ratio(sum(m, MEASURE_rtt_sum_us), sum(m, MEASURE_rtt_count));
	return ratio(sum(m, MEASURE_connections_with_retransmit), connections_of(m));
}

struct stats_interval compare_interval(enum compare_figure figure, const struct measures *m)
{
	if (isnan(compare_value(figure, m)))
		return (struct stats_interval){NAN, NAN};
	if (figure == COMPARE_RETRANSMITS)
		return stats_wilson(sum(m, MEASURE_connections_with_retransmit) / ALIKE, connections_of(m) / ALIKE, STATS_Z95);
	struct stats_interval mean = around(measures_rtt_mean(m), STATS_Z95 * mean_error(m));
	mean.low = fmax(0, mean.low);
	return mean;
}

/* What sides are ordered by: the figure that people are shown. */
static double shown(enum compare_figure figure, const struct measures *m)
{
	return figure == COMPARE_RTT ? measures_rtt_mean(m) : packets_rate(m);
}

static bool is_enough(enum compare_figure figure, const struct measures *m)
{
	if (figure == COMPARE_RTT)
		return samples_of(m) >= COMPARE_SAMPLES;
	return m->v[MEASURE_connections] >= COMPARE_SAMPLES && m->v[MEASURE_packets_sent];
}

/* ---- a pair ---- */

/* A difference in one view: its intervals at both levels, and what matters in its unit. */
struct view_of_pair {
	double difference, matters;
	struct stats_interval sure, usual; /* for better, for same */
};

static bool view_is_better(const struct view_of_pair *v)
{
	return v->sure.low > 0 && v->difference >= v->matters;
}

static bool view_is_same(const struct view_of_pair *v)
{
	return v->usual.low > -v->matters && v->usual.high < v->matters;
}

/* Whether there is a difference, at the usual level: 1; -1: the best side's is the larger. */
static int view_sign(const struct view_of_pair *v)
{
	return (v->usual.low > 0) - (v->usual.high < 0);
}

/* The other's share minus the best's, of connections or of packets. */
static struct view_of_pair view_shares(const struct measures *best, const struct measures *other, bool by_packets, double z)
{
	double connections = connections_of(best) + connections_of(other), packets = packets_of(best) + packets_of(other);
	double hits1 = sum(other, MEASURE_connections_with_retransmit), hits2 = sum(best, MEASURE_connections_with_retransmit);
	double n1 = by_packets ? packets_of(other) : connections_of(other), n2 = by_packets ? packets_of(best) : connections_of(best);
	return (struct view_of_pair){
		.difference = hits1 / n1 - hits2 / n2,
		.matters = share_matters((hits1 + hits2) / connections) * (by_packets ? connections / packets : 1),
		.sure = stats_newcombe(hits1 / ALIKE, n1 / ALIKE, hits2 / ALIKE, n2 / ALIKE, z),
		.usual = stats_newcombe(hits1 / ALIKE, n1 / ALIKE, hits2 / ALIKE, n2 / ALIKE, STATS_Z95),
	};
}

static struct view_of_pair view_rtt(const struct measures *best, const struct measures *other, double z)
{
	return (struct view_of_pair){
		.difference = measures_rtt_mean(other) - measures_rtt_mean(best),
		.matters = fmax(RTT_MATTERS_LEAST_US, RTT_MATTERS * measures_rtt_mean(best)),
		.sure = rtt_difference(best, other, z),
		.usual = rtt_difference(best, other, STATS_Z95),
	};
}

/* Why two views give no verdict. */
static enum compare_why why_not(const struct view_of_pair *first, const struct view_of_pair *second, bool contrary)
{
	int one = view_sign(first), two = view_sign(second);
	if (contrary || one < 0 || two < 0 || (view_is_better(first) && !two) || (view_is_better(second) && !one))
		return COMPARE_WHY_DISAGREE;
	return one || two ? COMPARE_WHY_SMALL : COMPARE_WHY_CHANCE;
}

/* Views that must both say it, and whether what is beside them says the contrary. */
static struct compare_judgement say(const struct view_of_pair *first, const struct view_of_pair *second, bool not_better, bool not_same)
{
	struct compare_judgement j = {.difference = first->difference, .within = first->usual};
	bool better = view_is_better(first) && view_is_better(second), same = view_is_same(first) && view_is_same(second);
	if (better && !not_better)
		j.verdict = COMPARE_BETTER;
	else if (same && !not_same)
		j.verdict = COMPARE_SAME;
	else
		j.why = why_not(first, second, better || same);
	return j;
}

static struct compare_judgement judge_retransmits(const struct measures *best, const struct measures *other, double z)
{
	struct view_of_pair connections = view_shares(best, other, false, z), packets = view_shares(best, other, true, z);
	double low = packets_rate(best), high = packets_rate(other);
	double unlike = fabs(ratio(sum(best, MEASURE_records_approximate), sum(best, MEASURE_records)) -
		ratio(sum(other, MEASURE_records_approximate), sum(other, MEASURE_records)));
	struct compare_judgement j = say(&connections, &packets, low >= high, fabs(high - low) >= fmax(RATE_SAME_LEAST, RATE_SAME * fmax(low, high)));
	if (unlike > APPROXIMATE_UNLIKE) {
		j.verdict = COMPARE_UNKNOWN;
		j.why = COMPARE_WHY_APPROXIMATE;
	}
	return j;
}

static struct compare_judgement judge_rtt(const struct measures *best, const struct measures *other, double z)
{
	struct view_of_pair mean = view_rtt(best, other, z);
	double order = sure_order(best, other);
	return say(&mean, &mean, order <= -ORDER_BETTER, fabs(order) >= ORDER_SAME);
}

struct compare_judgement compare_judge(enum compare_figure figure, const struct measures *best, const struct measures *other,
	unsigned pairs)
{
	if (!is_enough(figure, best) || !is_enough(figure, other))
		return (struct compare_judgement){.why = COMPARE_WHY_FEW, .difference = NAN, .within = {NAN, NAN}};
	double z = stats_z(ALPHA_BETTER / pairs);
	return figure == COMPARE_RTT ? judge_rtt(best, other, z) : judge_retransmits(best, other, z);
}

/* ---- a network ---- */

static int best_side(const struct compare_row *row, enum compare_figure figure)
{
	int best = -1;
	unsigned enough = 0;
	for (uint32_t i = 0; i < row->side_count; i++) {
		const struct measures *m = &row->sides[i].m;
		if (!is_enough(figure, m))
			continue;
		enough++;
		if (best < 0 || shown(figure, m) < shown(figure, &row->sides[best].m))
			best = (int)i;
	}
	return enough > 1 ? best : -1;
}

static void judge_figure(struct compare_row *row, enum compare_figure figure)
{
	int best = row->best[figure] = best_side(row, figure);
	unsigned pairs = row->side_count * (row->side_count - 1) / 2;
	enum compare_verdict verdict = COMPARE_SAME;
	row->why[figure] = best < 0 ? COMPARE_WHY_FEW : COMPARE_WHY_NONE;
	for (uint32_t i = 0; i < row->side_count; i++) {
		struct compare_judgement *j = &row->sides[i].against_best[figure];
		*j = (struct compare_judgement){.difference = NAN, .within = {NAN, NAN}};
		if ((int)i == best)
			continue;
		if (best < 0)
			j->why = COMPARE_WHY_FEW;
		else
			*j = compare_judge(figure, &row->sides[best].m, &row->sides[i].m, pairs);
		if (j->verdict == COMPARE_BETTER)
			verdict = COMPARE_BETTER;
		else if (j->verdict == COMPARE_UNKNOWN && verdict != COMPARE_BETTER)
			verdict = COMPARE_UNKNOWN;
		if (j->verdict == COMPARE_UNKNOWN && !row->why[figure])
			row->why[figure] = j->why;
	}
	row->verdict[figure] = verdict;
	if (verdict != COMPARE_UNKNOWN)
		row->why[figure] = COMPARE_WHY_NONE;
}

static bool is_worse(const struct compare_row *row, uint32_t side)
{
	bool worse = false, better = false;
	for (int f = 0; f < COMPARE_FIGURES; f++) {
		worse |= row->sides[side].against_best[f].verdict == COMPARE_BETTER;
		better |= row->best[f] == (int)side && row->verdict[f] == COMPARE_BETTER;
	}
	return worse && !better;
}

static void judge_row(struct compare_row *row)
{
	row->bytes = row->at_stake = 0;
	for (int f = 0; f < COMPARE_FIGURES; f++)
		judge_figure(row, (enum compare_figure)f);
	for (uint32_t i = 0; i < row->side_count; i++) {
		row->bytes += row->sides[i].m.v[MEASURE_bytes_sent];
		if (is_worse(row, i))
			row->at_stake += row->sides[i].m.v[MEASURE_bytes_sent];
	}
}

/* ---- all networks ---- */

/* The larger one first; equals by value, so that the order in which the store gave them does not matter. */
static bool comes_before(const struct bundles *b, const struct compare_side *x, const struct compare_side *y)
{
	uint64_t more = x->m.v[MEASURE_bytes_sent], less = y->m.v[MEASURE_bytes_sent];
	return more != less ? more > less : value_cmp(b->all->sets[1].kind, &x->value, &y->value) < 0;
}

static void add_side(const struct bundles *b, struct compare_row *row, const struct compare_side *side)
{
	uint32_t at = row->side_count;
	row->left_out += at == COMPARE_SIDES_MAX;
	while (at && comes_before(b, side, &row->sides[at - 1]))
		at--;
	if (at == COMPARE_SIDES_MAX)
		return;
	row->side_count += row->side_count < COMPARE_SIDES_MAX;
	for (uint32_t i = row->side_count - 1; i > at; i--)
		row->sides[i] = row->sides[i - 1];
	row->sides[at] = *side;
}

/* Sides that are unknown, or have no packets, are none. */
static void read_row(const struct bundles *b, uint32_t bundle, struct compare_row *row)
{
	row->side_count = row->left_out = 0;
	row->network = bundles_value(b, bundle);
	for (uint32_t g = bundles_first(b, bundle); g != INDEX_NONE; g = bundles_next(b, g)) {
		struct compare_side side = {.value = bundles_group_value(b, g, 1), .m = query_groups_measures(b->all, g)};
		if (side.value.known && side.m.v[MEASURE_packets_sent])
			add_side(b, row, &side);
	}
	if (row->side_count > 1)
		judge_row(row);
}

static void count_row(struct compare *c, const struct compare_row *row)
{
	c->networks++;
	c->bytes += row->bytes;
	c->at_stake += row->at_stake;
	for (int f = 0; f < COMPARE_FIGURES; f++)
		c->verdicts[f][row->verdict[f]]++;
}

static int keep_row(const struct bundles *b, struct compare *c, uint32_t bundle)
{
	struct compare_side sides[COMPARE_SIDES_MAX];
	struct compare_row *row = &c->rows[c->row_count];
	row->sides = sides;
	read_row(b, bundle, row);
	row->sides = arena_copy(&c->arena, sides, row->side_count * sizeof(*sides));
	if (!row->sides)
		return -ENOMEM;
	int r = value_keep(&c->arena, b->all->sets[0].kind, &row->network, &row->network);
	for (uint32_t i = 0; i < row->side_count && r == 0; i++)
		r = value_keep(&c->arena, b->all->sets[1].kind, &row->sides[i].value, &row->sides[i].value);
	c->row_count += r == 0;
	return r;
}

static int keep_rows(const struct bundles *b, struct compare *c, const struct bundle_weight *weights, size_t count)
{
	c->rows = arena_alloc(&c->arena, (count + 1) * sizeof(*c->rows));
	int r = c->rows ? 0 : -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++)
		r = keep_row(b, c, weights[i].bundle);
	return r;
}

static int make(const struct bundles *b, uint32_t limit, struct compare *c)
{
	CLEANUP(free_p) struct bundle_weight *weights = malloc(((size_t)bundles_count(b) + 1) * sizeof(*weights));
	struct compare_side sides[COMPARE_SIDES_MAX];
	struct compare_row row = {.sides = sides};
	size_t count = 0;
	if (!weights)
		return -ENOMEM;
	for (uint32_t i = 0; i < bundles_count(b); i++) {
		read_row(b, i, &row);
		if (row.side_count < 2)
			continue;
		count_row(c, &row);
		weights[count++] = (struct bundle_weight){row.at_stake, row.bytes, i};
	}
	bundles_order(b, weights, count);
	return keep_rows(b, c, weights, count < limit ? count : limit);
}

int compare_make(const struct query_groups *all, uint32_t limit, struct compare *ret)
{
	CLEANUP(compare_done) struct compare c = {.rows = NULL};
	CLEANUP(bundles_done) struct bundles b = {.all = NULL};
	arena_init(&c.arena);
	int r = bundles_make(all, &b);
	if (r == 0)
		r = make(&b, limit, &c);
	if (r < 0)
		return r;
	*ret = c;
	arena_init(&c.arena);
	return 0;
}

void compare_done(struct compare *c)
{
	arena_done(&c->arena);
	*c = (struct compare){0};
}

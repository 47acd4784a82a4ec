/* SPDX-License-Identifier: BSD-2-Clause */

/* Sums, and what can be said from them. The round-trip histogram has fixed buckets: a quantile is a guess inside one, the mean is exact,
 * and a bound of the variance holds wherever in their buckets the samples are. */

#include "traffic/measures.h"

#include <errno.h>
#include <math.h>

const struct measure_info measure_table[MEASURE_COUNT] = {
#define MEASURE(name, unit, help) {#name, unit, help},
#include "traffic/measures.def"
#undef MEASURE
};

static const uint32_t rtt_upper_us[RTT_BUCKETS] = {
#define RTT_BUCKET(i, upper_us) upper_us,
#include "traffic/rtt_buckets.def"
#undef RTT_BUCKET
};

#define RTT_LAST_BOUND_US 2000000.0 /* the open bucket is taken to end here */

int measure_by_name(const char *name)
{
	for (int i = 0; i < MEASURE_COUNT; i++)
		if (strcmp(measure_table[i].name, name) == 0)
			return i;
	return -ENOENT;
}

static int rtt_bucket(uint32_t us)
{
	int i = 0;
	while (us > rtt_upper_us[i])
		i++;
	return i;
}

void measures_add_record(struct measures *m, const struct record *rec)
{
	for (int i = 0; i < RECORD_FIELD_COUNT; i++)
		m->v[i] += rec->values[i];
	m->v[MEASURE_records]++;
	m->v[MEASURE_records_approximate] += rec->approximate;
	m->v[MEASURE_rtt_count] += rec->rtt_count;
	for (int i = 0; i < rec->rtt_count; i++) {
		m->v[MEASURE_rtt_sum_us] += rec->rtt_us[i];
		m->v[MEASURE_rtt_h0 + rtt_bucket(rec->rtt_us[i])]++;
	}
}

bool measures_zero(const struct measures *m)
{
	for (int i = 0; i < MEASURE_COUNT; i++)
		if (m->v[i])
			return false;
	return true;
}

static double rtt_low_us(int bucket)
{
	return bucket ? rtt_upper_us[bucket - 1] : 0;
}

static double rtt_high_us(int bucket)
{
	return bucket == RTT_BUCKETS - 1 ? RTT_LAST_BOUND_US : rtt_upper_us[bucket];
}

double measures_rtt_mean(const struct measures *m)
{
	uint64_t count = m->v[MEASURE_rtt_count];
	return count ? (double)m->v[MEASURE_rtt_sum_us] / (double)count : -1;
}

double measures_rtt_variance_max(const struct measures *m)
{
	double mean = measures_rtt_mean(m), count = (double)m->v[MEASURE_rtt_count], sum = 0;
	for (int i = 0; i < RTT_BUCKETS; i++) {
		double far = fmax(mean - rtt_low_us(i), rtt_high_us(i) - mean);
		sum += (double)m->v[MEASURE_rtt_h0 + i] * far * far;
	}
	return count > 0 ? sum / count : 0;
}

double measures_rtt_quantile(const struct measures *m, double q)
{
	const uint64_t *h = m->v + MEASURE_rtt_h0;
	uint64_t count = m->v[MEASURE_rtt_count];
	if (!count)
		return -1;
	double mean = measures_rtt_mean(m);
	double rank = q * (double)count, below = 0;
	for (int i = 0; i < RTT_BUCKETS; i++) {
		if (h[i] == count)
			return mean;
		if (!h[i] || below + (double)h[i] < rank) {
			below += (double)h[i];
			continue;
		}
		return rtt_low_us(i) + (rtt_high_us(i) - rtt_low_us(i)) * (rank - below) / (double)h[i];
	}
	return mean;
}

static double ratio(const struct measures *m, enum measure part, enum measure whole)
{
	return m->v[whole] ? (double)m->v[part] / (double)m->v[whole] : -1;
}

double measures_retransmit_rate(const struct measures *m)
{
	return ratio(m, MEASURE_packets_retransmitted, MEASURE_packets_sent);
}

double measures_goodput_rate(const struct measures *m)
{
	return ratio(m, MEASURE_goodput_met, MEASURE_goodput_tested);
}

double measures_spurious_rate(const struct measures *m)
{
	return ratio(m, MEASURE_packets_spurious, MEASURE_packets_retransmitted);
}

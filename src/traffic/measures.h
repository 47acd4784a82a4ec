/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The measures of a row as one array of sums, and what is computed from them. */

#include "wire/record.h"

enum measure {
#define MEASURE(name, unit, help) MEASURE_##name,
#include "traffic/measures.def"
#undef MEASURE
	MEASURE_COUNT
};

#define RTT_BUCKETS 12
_Static_assert(MEASURE_rtt_h0 + RTT_BUCKETS == MEASURE_COUNT, "the histogram is the end of the list");

struct measures {
	uint64_t v[MEASURE_COUNT];
};

struct measure_info {
	const char *name, *unit, *help;
};
extern const struct measure_info measure_table[MEASURE_COUNT];

/* The measure of that name; -ENOENT. */
int measure_by_name(const char *name) MUST_USE;

/* Adds a record to the sums. */
void measures_add_record(struct measures *m, const struct record *rec);

static inline void measures_add(struct measures *m, const struct measures *other)
{
	for (int i = 0; i < MEASURE_COUNT; i++)
		m->v[i] += other->v[i];
}

static inline void measures_sub(struct measures *m, const struct measures *other)
{
	for (int i = 0; i < MEASURE_COUNT; i++)
		m->v[i] -= other->v[i];
}

/* At most what is there: for parts that were read later than the whole. */
static inline void measures_take_away(struct measures *m, const struct measures *part)
{
	for (int i = 0; i < MEASURE_COUNT; i++)
		m->v[i] -= part->v[i] < m->v[i] ? part->v[i] : m->v[i];
}

bool measures_zero(const struct measures *m);

/* The q-quantile (0..1) of the round-trip histogram in microseconds, interpolated inside its bucket;
 * when all samples are in one bucket, their mean. -1 without samples. */
double measures_rtt_quantile(const struct measures *m, double q);

/* The mean of the round-trip samples in microseconds; -1 without any. */
double measures_rtt_mean(const struct measures *m);

/* The most that the samples' variance can be, by the histogram: each sample at that end of its bucket which is farther from the
 * mean. In square microseconds; 0 without samples. */
double measures_rtt_variance_max(const struct measures *m);

/* Retransmitted per sent data segment; -1 when none was sent. */
double measures_retransmit_rate(const struct measures *m);
/* Of the responses tested those that met the goodput target, and of the packets sent again those that receivers reported as
 * needless; -1 when there was none. */
double measures_goodput_rate(const struct measures *m);
double measures_spurious_rate(const struct measures *m);

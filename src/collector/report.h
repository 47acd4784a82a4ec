/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the collector tells about itself: the JSON of senders, and the metrics.
 * Called on the data plane's thread (through loop_ask), where everything may be read. */

#include <jansson.h>
#include <stdio.h>

#include "collector/intake.h"
#include "collector/source_metrics.h"

/* NULL when memory is out. */
json_t *report_senders(const struct intake *in, const struct writer_stats *w);
/* A copy of the numbers behind the metrics, so that the text can be written on another thread. */
struct report_numbers {
	uint64_t counters[COUNTER_COUNT];
	struct ledger ledger; /* of all senders */
	uint64_t sessions, longest_hold_ns;
	struct route_stats routes;
	uint64_t bgp_refused, bmp_refused; /* connections */
	struct source_numbers *sources;    /* NULL when memory was out */
	size_t source_count;
};
void report_collect(const struct intake *in, struct report_numbers *ret);
void report_numbers_done(struct report_numbers *n);
/* OpenMetrics text. */
void report_metrics(const struct report_numbers *n, const struct writer_stats *w, FILE *out);

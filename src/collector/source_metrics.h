/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The metrics of each router's sources. Collected on the data plane's thread (through loop_ask), written on
 * another. */

#include <stdio.h>

#include "collector/tables.h"

struct source_numbers {
	char labels[1024]; /* router="edge1",source="bgp",from="192.0.2.1" */
	enum table_state state;
	struct table_sums sums;
	uint64_t changed_ms;
	uint64_t counters[SOURCE_COUNTERS];
};

/* One for each source, in the configuration's order; free() the list. NULL when memory is out. */
struct source_numbers *source_metrics_collect(const struct config *config, const struct tables *t, size_t *ret_count);
/* OpenMetrics text. */
void source_metrics_write(const struct source_numbers *list, size_t count, FILE *out);

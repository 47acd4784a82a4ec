/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Made-up traffic of a busy site, the same at every run: a pool of prefixes four times as large as what is active
 * in an hour, few of them with most of the traffic; 30,000 origins, a path for each origin and pair of routers, four
 * routers, three types. Programs that can't go on say why and end. */

#include "traffic/flow.h"

#define HISTORY_T0 1767225600u /* a day's start */

struct history {
	uint32_t active; /* prefixes in an hour */
	double shares;   /* see history.c */
};

void history_init(struct history *h, uint32_t active);
/* Fills an empty table with one bucket: `part` of the prefixes that an hour has, with that part of its traffic. */
void history_bucket(const struct history *h, struct flow_table *t, uint32_t ts, double part);
/* Adds rows of one minute until there are so many: a peak, in which nearly every prefix is active. Not more than
 * history_peak_max, beyond which hardly a new one is found. */
uint32_t history_peak_max(const struct history *h);
void history_peak(const struct history *h, struct flow_table *t, uint32_t minute, uint32_t rows);
/* An AS with much traffic, by rank from 0; an origin. */
uint32_t history_origin(uint32_t rank);

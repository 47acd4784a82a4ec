/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Intervals for shares and means. Pure. z is the number of standard errors: 1.96 for 95 of 100. */

#define STATS_Z95 1.959964

struct stats_interval {
	double low, high;
};

/* Wilson's score interval of hits/n (E. B. Wilson, JASA 22, 1927): [0, 1] where n is 0. hits <= n. */
struct stats_interval stats_wilson(double hits, double n, double z);

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Intervals for shares and means. Pure. z is the number of standard errors: 1.96 for 95 of 100. */

#include <stddef.h>

#define STATS_Z95 1.959964

struct stats_interval {
	double low, high;
};

/* How many standard errors a normal figure is beyond, to both sides, with this probability (0.05: 1.96). 0 < alpha < 1. */
double stats_z(double alpha);

/* Wilson's score interval of hits/n (E. B. Wilson, JASA 22, 1927): [0, 1] where n is 0. hits <= n. */
struct stats_interval stats_wilson(double hits, double n, double z);

/* The interval of hits1/n1 - hits2/n2: method 10 of R. G. Newcombe, "Interval estimation for the difference between independent
 * proportions", Statistics in Medicine 17 (1998). Made of Wilson's of both, it holds for few hits and for none. */
struct stats_interval stats_newcombe(double hits1, double n1, double hits2, double n2, double z);

/* Sorts the list, of one number at least. */
double stats_median(double *list, size_t count);

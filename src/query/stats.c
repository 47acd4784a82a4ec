/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/stats.h"

#include <math.h>
#include <stdlib.h>

#define STEPS_MAX 200

/* By Newton's steps from 0: the tail is convex, so they never go beyond. */
double stats_z(double alpha)
{
	double z = 0, step = 1;
	for (int i = 0; i < STEPS_MAX && step > 1e-12; i++) {
		step = (erfc(z * M_SQRT1_2) - alpha) / (M_2_SQRTPI * M_SQRT1_2 * exp(-z * z / 2));
		z += step;
	}
	return z;
}

struct stats_interval stats_wilson(double hits, double n, double z)
{
	if (n <= 0)
		return (struct stats_interval){0, 1};
	double p = hits / n, zz = z * z / n;
	double middle = (p + zz / 2) / (1 + zz), half = z * sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz);
	/* What is exact there must not be missed by a rounding. */
	return (struct stats_interval){hits > 0 ? fmax(0, middle - half) : 0, hits < n ? fmin(1, middle + half) : 1};
}

struct stats_interval stats_newcombe(double hits1, double n1, double hits2, double n2, double z)
{
	if (n1 <= 0 || n2 <= 0)
		return (struct stats_interval){-1, 1};
	struct stats_interval a = stats_wilson(hits1, n1, z), b = stats_wilson(hits2, n2, z);
	double p1 = hits1 / n1, p2 = hits2 / n2, d = p1 - p2;
	return (struct stats_interval){d - hypot(p1 - a.low, b.high - p2), d + hypot(a.high - p1, p2 - b.low)};
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

double stats_median(double *list, size_t count)
{
	qsort(list, count, sizeof(*list), by_size);
	return count % 2 ? list[count / 2] : (list[count / 2 - 1] + list[count / 2]) / 2;
}

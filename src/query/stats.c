/* SPDX-License-Identifier: BSD-2-Clause */
#include "query/stats.h"

#include <math.h>

struct stats_interval stats_wilson(double hits, double n, double z)
{
	if (n <= 0)
		return (struct stats_interval){0, 1};
	double p = hits / n, zz = z * z / n;
	double middle = (p + zz / 2) / (1 + zz), half = z * sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz);
	/* What is exact there must not be missed by a rounding. */
	return (struct stats_interval){hits > 0 ? fmax(0, middle - half) : 0, hits < n ? fmin(1, middle + half) : 1};
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The stretches of time in which a rate was higher than in the rest of it. Pure. Evidence by bucket is looked at as sums from the first
 * bucket up to each, whose differences are any stretch's: so all n²/2 of them can be weighed. */

#include <stddef.h>

#include "query/evidence.h"

#define STRETCH_BUCKETS_MAX 240

struct stretch {
	size_t from, to; /* buckets, half open */
	struct evidence in, out; /* its own; of all other buckets that are not in a stretch found before */
	double likelihood;
};

/* The likeliest one; false: no stretch has a higher rate than the rest. It need not be apart from it (evidence_apart). of: so many buckets at
 * most, further ones are not looked at. */
bool stretch_best(const struct evidence *of, size_t count, struct stretch *ret);

/* All that are apart from the rest, and likelier than it by this much; the likeliest first, max at most. One in which the rate is back to
 * what it is outside for a while is two. Returns how many there are. */
size_t stretch_all(const struct evidence *of, size_t count, double likelihood_min, struct stretch *ret, size_t max);

/* The likelihood that a stretch must have lest it be chance, which makes one in a hundred answers: each stretch is taken for a trial of its own
 * (Bonferroni), and so is each of the looks, the series that one answer looks at; twice a logarithm of likelihoods is chi-squared, so
 * it is above x with a probability below e^-x. Rates go up and down from bucket to bucket by more than chance, too, for who is behind an AS changes:
 * the likelihood must be so many times as large (quasi-likelihood; R. Wedderburn, Biometrika 61, 1974). By how many is told by how far each
 * bucket is from the one before it, squared, in what it would be by chance: the median, over that of a chi-squared variable. So a
 * stretch, which is far from the others only at its ends, may be as long as it likes; a slow rise and fall is one, too. */
double stretch_likelihood_min(const struct evidence *of, size_t count, double looks);

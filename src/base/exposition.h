/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The text in which metrics are exposed: OpenMetrics 1.0, and Prometheus' older text format 0.0.4, where a counter's
 * family is called as its sample is, with _total at the end. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What stands before the samples of the family that is called prefix and name, without _total. help is a phrase, as they stand
 * in lists; it is shown as a sentence. */
void exposition_family(FILE *out, const char *prefix, const char *name, const char *type, const char *help);

/* Adds name="value" to the labels in buf, which ends with a NUL; quotes, backslashes and ends of lines are escaped, and what
 * has no room is left out. */
void exposition_label(char *buf, size_t cap, const char *name, const char *value);

/* The samples of one histogram of a family of that type. bounds: the buckets' upper ends, included, as they are written, rising;
 * counts: of each bucket alone, and at last of what is beyond; sum: of all that was observed. */
struct exposition_histogram {
	const char *const *bounds;
	const uint64_t *counts; /* one more than bounds */
	size_t bound_count;
	double sum;
};
/* labels: name="value",..., not empty. */
void exposition_histogram(FILE *out, const char *name, const char *labels, const struct exposition_histogram *h);

/* Writes a text of such families in the older format. */
void exposition_older(const char *text, FILE *out);

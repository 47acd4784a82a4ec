/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Throughput as it is billed: a percentile of the mean rates of five minutes each, in bits a second. */

#include "http/rows.h"

struct throughput_figures {
	double mean_bps, percentile_bps, max_bps;
};

struct throughput {
	unsigned percentile;
	uint32_t step_s;       /* of a sample */
	uint64_t from_s, to_s; /* what the samples cover */
	size_t samples;        /* 0: the range has no whole one, and there are no figures */
	struct throughput_figures total, other, *rows;
	bool has_other;
	const struct query_row *groups; /* of rows; lives as long as the question's answer */
	size_t group_count;
};

/* Of the whole and of groups (without time in their values; NULL: none), in the range that an answer covers. To be ended by
 * throughput_done. False: the reply says why not. */
bool throughput_ask(struct http_asking *a, const struct http_question *q, const struct query_result *covered,
	const struct query_result *groups, struct throughput *ret) MUST_USE;
void throughput_done(struct throughput *t);

/* As an object. render: the groups' dimensions. -ENOMEM. */
int throughput_write(const struct throughput *t, const struct render *render, FILE *out) MUST_USE;

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The earlier range of a series (--compare): what its figure was at the place of any part of this range. */

#include "cli/client.h"
#include "cli/figure.h"

struct before {
	const json_t *rows, *total, *range; /* borrowed from the answer */
	uint64_t from_s, to_s, step_s, since_s;
	uint64_t shift_s; /* from it to this range */
};

/* False when the answer has none. */
bool before_read(const struct client_answer *a, uint64_t from_s, struct before *ret);
/* Of the part of this range that begins there and is so long: of the buckets whose middle lies at its place, or else of the one that
 * stands there. NAN: not known. */
double before_value(const struct before *b, const struct figure *f, uint64_t at_s, uint64_t len_s);
/* Of all of it; NAN where less than half of it had traffic by then. */
double before_whole(const struct before *b, const struct figure *f);
/* now against was: "+12 %", of a retransmit rate "+0.35 pp"; "-" when one is not known. */
const char *before_change(const struct figure *f, double now, double was, char buf[static UNITS_TEXT_MAX]);

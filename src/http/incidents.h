/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What happened when, each in a sentence. */

#include "http/http.h"
#include "query/incidents.h"

struct incidents_said {
	uint64_t start_s, to_s; /* of the first bucket; end of the range */
	uint32_t step_s;
	bool over; /* the range ended before now: what went on then may not any more */
	const struct http_backend *backend; /* for names */
};

/* To be freed; NULL: memory is out. */
char *incidents_verdict(const struct incidents_said *said, const struct incident *i);
char *incidents_move_verdict(const struct incidents_said *said, const struct incident_move *m);

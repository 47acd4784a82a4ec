/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What is lost where, in a sentence. */

#include "http/http.h"
#include "query/suspects.h"

/* When it was so, in seconds since 1970; 0: not known, or not within the range. */
struct suspect_time {
	uint64_t since_s, until_s;
	uint64_t before_s; /* it was so from this bucket on, which is the first one that there is */
};

struct suspects_said {
	const struct suspects *found;
	const struct suspect_time *times; /* of each */
	uint64_t to_s;                    /* end of the range */
	const struct http_backend *backend; /* for names */
};

/* Of one of them; when there is none, that nothing stands out. To be freed; NULL: memory is out. */
char *suspects_verdict(const struct suspects_said *said, size_t i);

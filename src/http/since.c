/* SPDX-License-Identifier: BSD-2-Clause */

/* Since when there is traffic in the store, so that what is shown of a longer range is not taken for all of it. Asked of the
 * smallest cube: which day is the first that has any, then which hour of it, then which minute, as far as those are kept. So it
 * reads a few hundred rows, from any store. */

#include "http/since.h"

#include <errno.h>

#include "base/clock.h"

#define DEADLINE_S 30

/* The first bucket of this level that has traffic. 0: there is none, or what is kept of the level begins later. */
static int first_bucket(struct http_asking *a, enum store_level level, uint64_t from_s, uint64_t to_s, uint64_t deadline_ns,
	uint64_t *ret_s)
{
	struct query q = {
		.by = {DIM_time},
		.by_count = 1,
		.from_s = from_s,
		.to_s = to_s,
		.step_s = level_seconds[level],
		.measures = MEASURE_BIT(MEASURE_bytes_sent),
		.deadline_ns = deadline_ns,
	};
	struct query_result result;
	if (!http_ask(a, &q, &result))
		return -EIO;
	int found = result.row_count && (!from_s || result.from_s <= from_s);
	if (found)
		*ret_s = result.rows[0].values[0].number;
	query_result_done(&result);
	return found;
}

bool since_ask(struct http_asking *a, uint64_t *ret_s)
{
	uint64_t from_s = 0, to_s = clock_wall_ms() / 1000 + level_seconds[LEVEL_minute];
	uint64_t deadline_ns = clock_mono_ns() + DEADLINE_S * NS_PER_S; /* of all levels */
	int found = 1;
	for (int level = LEVEL_COUNT - 1; level >= 0 && found == 1; level--) {
		found = first_bucket(a, (enum store_level)level, from_s, to_s, deadline_ns, &from_s);
		to_s = from_s + level_seconds[level];
	}
	*ret_s = from_s;
	return found >= 0;
}

void http_since(struct http_call *call)
{
	struct http_asking a;
	uint64_t since_s;
	char text[TIME_TEXT_MAX];
	if (!http_asking_begin(call, &a))
		return;
	bool ok = since_ask(&a, &since_s);
	http_asking_end(&a);
	if (ok)
		http_reply_json(call, 200, json_pack("{s:s?}", "since", since_s ? time_format(since_s * 1000, text) : NULL));
}

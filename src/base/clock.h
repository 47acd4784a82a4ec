/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The two clocks: wall time (records, buckets) and monotonic time (timeouts). Times are milliseconds
 * since 1970 UTC or nanoseconds since boot; the text form is RFC 3339 in UTC. */

#include "base/compiler.h"

uint64_t clock_wall_ms(void);
uint64_t clock_mono_ns(void);

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

#define TIME_TEXT_MAX 32

/* "2026-11-23T10:00:00Z"; with milliseconds when they are not zero. Returns buf. */
const char *time_format(uint64_t ms, char buf[static TIME_TEXT_MAX]);

/* RFC 3339 (any zone; seconds and their fraction may be left out, as may the time of day: midnight UTC), or whole seconds
 * since 1970. -EINVAL otherwise. */
int time_parse(const char *text, uint64_t *ret_ms) MUST_USE;

/* "90s", "15m", "36h", "7d", "2w", "forever" (UINT64_MAX). -EINVAL otherwise. */
int duration_parse(const char *text, uint64_t *ret_ms) MUST_USE;

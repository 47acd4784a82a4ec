/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Wrong tokens, by the address they came from: after STRIKES_MAX of them within a minute none from there is looked at until
 * that minute is over, so that guessing takes for ever. An address of IPv6 counts as its /64. This machine's own are never
 * out: behind a proxy on it everybody has one, and a stranger would lock all others out (the proxy can limit them).
 *
 * The log is told of each such address, ten lines a minute at most.
 *
 * Bounded: STRIKES_SETS * STRIKES_WAYS addresses, of which those that began longest ago give way. Any thread may call. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/log.h"

#define STRIKES_MAX  10u
#define STRIKES_SETS 256u
#define STRIKES_WAYS 8u

struct strike {
	struct addr addr; /* of no family: free */
	uint32_t count;
	uint64_t since_ns;
};

struct http_strikes {
	pthread_mutex_t lock;
	struct log_limit log;
	struct strike sets[STRIKES_SETS][STRIKES_WAYS];
};

void http_strikes_init(struct http_strikes *s);
void http_strikes_done(struct http_strikes *s);
/* One more wrong token. */
void http_strikes_add(struct http_strikes *s, const struct addr *from, uint64_t now_ns);
/* Whether no token from there is to be looked at. */
bool http_strikes_out(struct http_strikes *s, const struct addr *from, uint64_t now_ns);

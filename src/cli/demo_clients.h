/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The visitors of the demo's nginx: real connections from many addresses of 127.0.0.0/8, a bounded number
 * a second. Runs in the caller's loop; one thread. */

#include "base/loop.h"

struct demo_clients;

/* What nginx has answered in full, to the byte: what the collector has to come to as well. */
struct demo_clients_stats {
	uint64_t connections, requests, bytes_received;
	uint64_t failed; /* connections that were refused, broke or took too long */
	char failure[128]; /* the last one's reason; "": none */
};

int demo_clients_new(struct loop *loop, uint16_t port, struct demo_clients **ret) MUST_USE;
void demo_clients_free(struct demo_clients *c);

/* Makes no more requests and calls done when those under way are answered. Once. */
void demo_clients_drain(struct demo_clients *c, void (*done)(void *ctx), void *ctx);

struct demo_clients_stats demo_clients_stats(const struct demo_clients *c);

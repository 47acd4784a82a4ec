/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Connected UDP sockets for a fleet, one a collector: what the command line and the probe put around it. (The nginx
 * module uses nginx's own events.) */

#include "sender/fleet.h"

struct transport {
	int fds[FLEET_MAX]; /* non-blocking; poll them for reading */
	uint32_t count;
};

/* to: "HOST:PORT" each, at most FLEET_MAX. Errors name it. */
int transport_open(const char *const *to, uint32_t count, struct transport *ret, struct error *err) MUST_USE;
void transport_close(struct transport *t);

/* Sends everything that is due and takes every acknowledgement that has arrived; never blocks. 0, or
 * -errno of a socket that is broken for good (a collector that is away is not an error). */
int transport_pump(struct transport *t, struct fleet *f) MUST_USE;
/* Waits until an acknowledgement comes, something is due, or at most max_ms. */
void transport_wait(const struct transport *t, const struct fleet *f, int max_ms);

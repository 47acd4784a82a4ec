/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A connected UDP socket for a sender: what the command line and the probe put around it. (The nginx
 * module uses nginx's own events.) */

#include "sender/sender.h"

struct transport {
	int fd; /* non-blocking; poll it for reading */
};

/* to: "HOST:PORT". Errors name it. */
int transport_open(const char *to, struct transport *ret, struct error *err) MUST_USE;
void transport_close(struct transport *t);

/* Sends everything that is due and takes every acknowledgement that has arrived; never blocks. 0, or
 * -errno of a socket that is broken for good (a collector that is away is not an error). */
int transport_pump(struct transport *t, struct sender *s) MUST_USE;
/* Waits until an acknowledgement comes, something is due, or at most max_ms. */
void transport_wait(const struct transport *t, const struct sender *s, int max_ms);

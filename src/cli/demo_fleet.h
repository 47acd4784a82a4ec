/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Senders that are made up: what servers in Amsterdam, New York and Singapore would report of the sample networks, for the
 * hours before the demo began and from then on. Their records go the way of all records, through the protocol to the
 * collector. Runs in the caller's loop; one thread. */

#include "base/error.h"
#include "base/loop.h"

struct demo_fleet;

/* to: "HOST:PORT" of the collector. Begins at once. */
int demo_fleet_new(struct loop *loop, const char *to, const char *key_file, struct demo_fleet **ret, struct error *err) MUST_USE;
/* NULL is fine. */
void demo_fleet_free(struct demo_fleet *f);
/* Makes no more records, and waits some seconds at most until the collector has those there are. Not in the loop. */
void demo_fleet_finish(struct demo_fleet *f);

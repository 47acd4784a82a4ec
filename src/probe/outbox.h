/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Where the probe's records go: to a fleet of collectors while one answers, else into the spool (spool.h) and from there to
 * the collectors when one is back. One thread. */

#include <jansson.h>

#include "collector/config.h"
#include "sender/transport.h"

struct outbox;

/* Reads the key, opens sockets. The configuration lives as long. */
int outbox_open(const struct config_probe *config, struct outbox **ret, struct error *err) MUST_USE;
/* Opens the spool, if there is to be one, gives its folder and files to the configured user, and takes up what earlier runs left in it.
 * Logs what they lost. */
int outbox_open_spool(struct outbox *o, struct error *err) MUST_USE;
void outbox_close(struct outbox *o);

/* Sockets to poll; calls outbox_turn when one is readable, and at least every 100 ms. */
const struct transport *outbox_transport(const struct outbox *o);
/* Never blocks; what finds no room is counted. */
void outbox_add(struct outbox *o, const struct record *rec, uint64_t now_ns);
void outbox_count_dropped(struct outbox *o, uint64_t records);
/* Sends and receives what there is, moves records to or from the spool. -errno: a socket is broken. */
int outbox_turn(struct outbox *o) MUST_USE;
/* The end: sends what there is, waits a moment for acknowledgements, and leaves the rest in the spool. */
void outbox_finish(struct outbox *o);
/* For `whereto probe --status`. */
json_t *outbox_status(const struct outbox *o);

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* From an event to a record. Pure, but for the two clocks. */

#include <linux/types.h>

#include "probe/probe.h"
#include "wire/record.h"

/* The client is the remote end, the server the local one. No type is set. wall_ms and mono_ns: the two clocks, read at one
 * moment. False when the event is no record: no addresses, or nothing in it but, for all but the end of a connection told before,
 * time. */
bool account_event(const struct probe_event *e, uint64_t wall_ms, uint64_t mono_ns, struct record *ret);

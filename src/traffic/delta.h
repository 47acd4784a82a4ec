/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The table that records are added to as they arrive, between one freeze and the next. Its hot index
 * goes by the route table's own ids, so a record whose row exists costs one hash and one comparison;
 * only a new row resolves prefix and path into the flow table's dictionaries. Data-plane thread.
 *
 * The ids of the route table must stay valid while the delta holds rows: freeze (delta_take) before
 * the table is changed for another or reclaimed. */

#include "route/route.h"
#include "traffic/flow.h"

struct delta;

struct delta_key {
	uint64_t time_ms;
	uint32_t router; /* name numbers of this delta, see delta_name */
	uint32_t type;
	const struct route_hit *route; /* NULL: none */
	uint16_t country;
	enum route_match match;
};

int delta_new(struct delta **ret) MUST_USE;
void delta_free(struct delta *d);

/* The number of a router or traffic type until the next delta_take; empty: 0. -ENOMEM. */
int delta_name(struct delta *d, struct view name, uint32_t *ret) MUST_USE;

/* The row's sums, made if new; valid until the next call. NULL when memory is out. routes is the table
 * the hit came from. */
struct measures *delta_row(struct delta *d, const struct route_table *routes, const struct delta_key *key);

/* A router's route for a prefix (ids of routes; ROUTE_NONE: none) became another one. Nothing is recorded when
 * both have the same path; beyond DELTA_CHANGES_MAX until the next delta_take it is counted only. The ids
 * need not stay valid afterwards. -ENOMEM. */
#define DELTA_CHANGES_MAX (1u << 17)
int delta_change(struct delta *d, const struct route_table *routes, uint64_t time_ms, struct view router_name,
	uint32_t prefix_id, uint32_t before_attrs, uint32_t after_attrs) MUST_USE;

uint32_t delta_rows(const struct delta *d);
/* No row, and nothing of changes either. */
bool delta_is_empty(const struct delta *d);
size_t delta_memory_bytes(const struct delta *d);

/* Gives what is there to the caller and goes on with the empty table `fresh` (given). */
struct flow_table *delta_take(struct delta *d, struct flow_table *fresh);

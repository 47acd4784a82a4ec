/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: the routes of a peer with ADD-PATH (RFC 7911), several to a prefix, told apart by their path
 * identifiers. A list without order, found by prefix. Each has a reference to its attributes. */

#include "base/index.h"
#include "route/route.h"

#define PATHS_NONE INDEX_NONE

struct path {
	uint32_t prefix, path_id, attrs;
	uint32_t generation; /* the owner's */
};

struct paths {
	struct path *list;
	uint32_t count, cap;
	struct index_parts index; /* by prefix */
};

/* -ENOMEM. */
int paths_new(struct paths **ret) MUST_USE;
/* NULL is fine. */
void paths_free(struct paths *p, struct route_table *t);

/* The position of a path; PATHS_NONE. *ret_others: how many others the prefix has, as far as was looked. */
uint32_t paths_find(const struct paths *p, uint32_t prefix, uint32_t path_id, uint32_t *ret_others);
/* One that is not there yet. -ENOMEM. */
int paths_add(struct paths *p, struct route_table *t, const struct path *path) MUST_USE;
/* Removes it; the last of the list takes its position. */
void paths_del(struct paths *p, struct route_table *t, uint32_t pos);
/* Gives one other attributes. */
void paths_set(struct paths *p, struct route_table *t, uint32_t pos, uint32_t attrs);

/* The positions of a prefix's paths:
 *     for (uint32_t slot = 0, pos = paths_first(p, prefix, &slot); pos != PATHS_NONE;
 *             pos = paths_next(p, prefix, &slot)) */
uint32_t paths_first(const struct paths *p, uint32_t prefix, uint32_t *slot);
uint32_t paths_next(const struct paths *p, uint32_t prefix, uint32_t *slot);

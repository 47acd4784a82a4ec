/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: path attributes, each different set kept once, with a count of its users. A set
 * without users stays, and is found again, until attrs_reclaim. What attrs_get returns points into
 * memory that does not move. */

#include "base/index.h"
#include "route/ids.h"
#include "route/pool.h"
#include "route/route.h"

struct attrs_entry {
	uint32_t refs;
	uint32_t blob;
};

struct attrs {
	struct ids ids;
	struct attrs_entry *entries;
	uint32_t cap;
	struct index_parts index;
	struct pool blobs;
	size_t large_bytes; /* of blobs outside the pool */
	uint8_t *scratch; /* what is being looked up, packed */
	size_t scratch_bytes;
};

void attrs_init(struct attrs *a);
void attrs_done(struct attrs *a);
/* Takes a reference. -EINVAL (path), -ENOMEM. */
int attrs_intern(struct attrs *a, const struct route_attrs *attrs, uint32_t *ret_id) MUST_USE;
void attrs_ref(struct attrs *a, uint32_t id);
void attrs_unref(struct attrs *a, uint32_t id);
/* At most max sets; true when there are more. */
bool attrs_reclaim(struct attrs *a, size_t max);
struct route_attrs attrs_get(const struct attrs *a, uint32_t id);
size_t attrs_memory_bytes(const struct attrs *a);

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: the peers met in files, each address with a small number, and which of them are
 * asked for. One address is one peer, IPv4-mapped ones folded. */

#include <stdbool.h>

#include "base/address.h"
#include "base/index.h"

struct peer_list {
	struct addr *addrs; /* by position; may move when one is added */
	uint32_t *bgp_ids;  /* likewise; 0: not known. The caller's to set */
	uint32_t count, cap;
	struct index index;
	struct addr wanted; /* ADDR_NONE: all */
	bool has_wanted;    /* one that is wanted was met */
};

/* wanted: NULL for all. */
void peer_list_init(struct peer_list *list, const struct addr *wanted);
void peer_list_done(struct peer_list *list);

/* The position of an address, new or not. -ENOMEM. */
int peer_list_position(struct peer_list *list, const struct addr *written, uint32_t *ret) MUST_USE;
bool peer_list_wants(struct peer_list *list, uint32_t position);

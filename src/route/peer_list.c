/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/peer_list.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

static struct addr folded(const struct addr *a)
{
	return a->family == ADDR_V6 ? addr_from_v6(a->bytes) : *a;
}

void peer_list_init(struct peer_list *list, const struct addr *wanted)
{
	*list = (struct peer_list){.wanted = {.family = ADDR_NONE}};
	index_init(&list->index);
	if (wanted)
		list->wanted = folded(wanted);
}

void peer_list_done(struct peer_list *list)
{
	index_done(&list->index);
	free(list->addrs);
	free(list->bgp_ids);
}

int peer_list_position(struct peer_list *list, const struct addr *written, uint32_t *ret)
{
	struct addr a = folded(written);
	uint64_t hash = hash_bytes(&a, sizeof(a));
	uint32_t slot, pos;
	INDEX_FOR_EACH (&list->index, hash, slot, pos) {
		if (addr_equal(&list->addrs[pos], &a)) {
			*ret = pos;
			return 0;
		}
	}
	if (list->count == list->cap) {
		uint32_t cap = list->cap ? 2 * list->cap : 64;
		struct addr *grown = realloc(list->addrs, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->addrs = grown;
		uint32_t *ids = realloc(list->bgp_ids, cap * sizeof(*ids));
		if (!ids)
			return -ENOMEM;
		list->bgp_ids = ids;
		list->cap = cap;
	}
	if (index_add(&list->index, hash, list->count) < 0)
		return -ENOMEM;
	list->addrs[list->count] = a;
	list->bgp_ids[list->count] = 0;
	*ret = list->count++;
	return 0;
}

bool peer_list_wants(struct peer_list *list, uint32_t position)
{
	bool wants = list->wanted.family == ADDR_NONE || addr_equal(&list->addrs[position], &list->wanted);
	list->has_wanted |= wants;
	return wants;
}

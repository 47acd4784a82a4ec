/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp_walk.h"

#include "route/convert.h"
#include "route/path.h"

/* One UPDATE's body, or with the first byte's top bit one block of attributes; the other bits say how it
 * is read. Properties: what walk_changes says; a merged path is a valid one, however AS_PATH and AS4_PATH
 * disagree; a table's attributes can be made of whatever is not malformed. */
static void walk_attributes(struct view block, unsigned mode)
{
	static uint8_t path[BGP_PATH_MAX];
	struct bgp_attr_rules rules = {.as_bytes = mode & 2 ? 2 : 4, .dump = mode & 32, .external = mode & 8,
		.announces = mode & 64};
	struct bgp_attrs a;
	struct view merged;
	if (bgp_attrs_decode(block, &rules, &a) >= BGP_WITHDRAW || !bgp_path_merge(&a, path, sizeof(path), &merged))
		return;
	FUZZ_CHECK(path_valid(merged) && bgp_path_valid(merged, 4));
	struct addr next_hop = bgp_attrs_next_hop(&a);
	struct route_attrs made = convert_attrs(&a, merged, &next_hop);
	FUZZ_CHECK(made.path.len == merged.len && fuzz_inside(block, made.communities));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_make(data, size);
	unsigned mode = rd_u8(&r);
	struct bgp_message m = {.type = BGP_MESSAGE_UPDATE, .body = rd_rest(&r)};
	if (mode & 128)
		walk_attributes(m.body, mode);
	else
		walk_message(&m, mode);
	return 0;
}

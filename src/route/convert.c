/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/convert.h"

struct route_attrs convert_attrs(const struct bgp_attrs *a, struct view path, const struct addr *next_hop)
{
	struct route_attrs attrs = {
		.path = path,
		.communities = a->communities,
		.ext_communities = a->ext_communities,
		.large_communities = a->large_communities,
		.next_hop = *next_hop,
		.med = a->med,
		.local_pref = a->local_pref,
		.has_med = bgp_attrs_has(a, BGP_ATTR_MED),
		.has_local_pref = bgp_attrs_has(a, BGP_ATTR_LOCAL_PREF),
		.atomic_aggregate = bgp_attrs_has(a, BGP_ATTR_ATOMIC_AGGREGATE),
		.origin_code = a->origin_code,
	};
	if (bgp_attrs_has(a, BGP_ATTR_AGGREGATOR)) {
		attrs.aggregator_as = a->aggregator_as;
		attrs.aggregator = addr_from_v4(a->aggregator);
	}
	if (bgp_attrs_has(a, BGP_ATTR_ORIGINATOR_ID))
		attrs.originator_id = bgp_id_number(a->originator_id);
	size_t clusters = a->cluster_list.len / 4;
	attrs.cluster_length = (uint8_t)(clusters < 127 ? clusters : 127);
	return attrs;
}

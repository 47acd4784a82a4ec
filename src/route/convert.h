/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* From attributes as they are decoded (bgp/attr.h) to those that a table keeps (route/route.h). Pure. */

#include "bgp/message.h"
#include "route/route.h"

/* path: of bgp_path_merge. next_hop: which of the two an UPDATE can have. Views point where theirs do. */
struct route_attrs convert_attrs(const struct bgp_attrs *a, struct view path, const struct addr *next_hop);

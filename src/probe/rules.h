/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Traffic types: the one the server has named by a tag, else that of the first rule of which all conditions hold. One
 * thread. */

#include "collector/config.h"
#include "probe/account.h"

struct rules;

/* config lives as long. -ENOMEM. */
int rules_new(const struct config_probe *config, struct rules **ret) MUST_USE;
void rules_free(struct rules *r);
/* Empty: no rule fits. The view lives as long as the rules. local: the server's address. */
struct view rules_type(struct rules *r, const struct probe_event *e, const struct addr *local);
/* Events whose server named a type that the configuration doesn't have. */
uint64_t rules_unknown_names(const struct rules *r);

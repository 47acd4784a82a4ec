/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A store that could not be reached at the start stands for itself until it can be: every hook says that it is away
 * (-EBUSY) until last_batch, which the writer calls again and again, has opened it. From then on the hooks are the real
 * store's, and its readers are its own. */

#include "store/store.h"

/* Opens the store, or makes one that stands for it while it is away; its first last_batch then tells why. What else goes
 * wrong is an error. */
int late_store_open(const struct store_config *config, struct store **ret, struct error *err) MUST_USE;

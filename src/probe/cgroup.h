/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The cgroup2 hierarchy: wherever it is mounted. */

#include <limits.h>

#include "base/compiler.h"

/* Where it is mounted. -ENOENT. */
int cgroup_mount(char ret[static PATH_MAX]) MUST_USE;
/* Calls fn with the id of the folder and of all folders in it; path is below the mount and begins with /. Nothing is
 * called when it isn't there. */
void cgroup_walk(const char *path, void (*fn)(void *ctx, uint64_t id), void *ctx);

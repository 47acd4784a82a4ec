/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Network namespaces the probe works in: its own, or the ones that are named. For each of the latter a thread goes in
 * at once (that takes CAP_SYS_ADMIN) and does later what has to be done there. One thread owns this. */

#include <stdbool.h>

#include "base/error.h"

#define NAMESPACES_MAX 16

struct namespaces;

/* files: as /run/netns/NAME; none: the process's own. user: whose the threads are from then on (NULL: the process's). */
int namespaces_open(char *const *files, size_t count, const char *user, struct namespaces **ret, struct error *err) MUST_USE;
void namespaces_close(struct namespaces *n);
uint32_t namespaces_count(const struct namespaces *n);
/* The inode number that the kernel calls it by. */
uint32_t namespaces_id(const struct namespaces *n, uint32_t i);
/* Runs fn in namespace i, waits, returns its result. */
int namespaces_run(struct namespaces *n, uint32_t i, int (*fn)(void *ctx), void *ctx);

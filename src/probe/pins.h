/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The folder in the bpf file system where a program's maps and its link outlive the process: DIR/ID, where ID names
 * the program's content. One process has DIR at a time. */

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"

struct pins {
	char dir[PATH_MAX]; /* DIR/ID */
	int lock_fd;        /* -1: there is none */
};

/* Makes DIR, and takes away what other versions of the program left in it; whatever is not named as an ID stays. -EBUSY: another
 * process has it; -ENOTSUP: not in a bpf file system; -EPERM: others may write there; -errno. */
int pins_open(const char *dir, uint64_t id, struct pins *ret, struct error *err) MUST_USE;
void pins_close(struct pins *p);
/* Path of one pin. */
const char *pins_path(const struct pins *p, const char *name, char buf[static PATH_MAX]);
/* DIR/ID is there, which is made only when all is to be pinned. */
bool pins_exist(const struct pins *p);
int pins_make(const struct pins *p, struct error *err) MUST_USE;
/* Takes DIR/ID away. */
void pins_remove(const struct pins *p);
/* Takes away all that any version of the program left in DIR. Errors as pins_open's. */
int pins_forget(const char *dir, struct error *err) MUST_USE;

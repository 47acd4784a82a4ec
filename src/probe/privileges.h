/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the probe may do once it runs: go on using the programs it has loaded (CAP_BPF), and nothing else. */

#include <stdbool.h>

#include "base/error.h"

/* Becomes the user (NULL: stays who it is) and gives up every capability but CAP_BPF, if it has that, for good. Of this
 * thread alone: both are a thread's own in Linux, and each thread has to ask. No two at a time. */
int privileges_drop(const char *user, struct error *err) MUST_USE;
/* Gives the user a folder and the files in it, which this run or earlier ones have made. NULL: root, who cannot read others'
 * files when capabilities are gone; nothing is done by a process that isn't root. */
int privileges_give(const char *dir, const char *user, struct error *err) MUST_USE;
/* "none", or their names. Returns buf. */
#define PRIVILEGES_TEXT_MAX 64
const char *privileges_text(char buf[static PRIVILEGES_TEXT_MAX]);

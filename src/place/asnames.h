/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Names of autonomous systems, from a text file: one a line, "64500 Example Net" with blanks, a tab,
 * a comma or | between, the number with or without "AS" in front; # begins a comment. Read once,
 * then only read, by any thread. */

#include "base/error.h"

struct asnames;

/* Errors name file and line. */
int asnames_load(const char *file, struct asnames **ret, struct error *err) MUST_USE;
void asnames_free(struct asnames *names);
/* NULL when unknown, or names is NULL. */
const char *asnames_get(const struct asnames *names, uint32_t asn);
size_t asnames_count(const struct asnames *names);

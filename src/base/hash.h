/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Hashes for tables in memory: XXH3 with a seed chosen at random once per process, so that nobody who
 * picks prefixes, names or session ids can make a table slow. Values differ from run to run: never
 * stored, never sent. */

#include "base/compiler.h"

uint64_t hash_bytes(const void *data, size_t n);

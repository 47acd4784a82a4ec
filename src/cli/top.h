/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdio.h>

#include "cli/options.h"
#include "cli/table.h"

/* Asks once, and prints the answer in the format that the options want. Returns the exit status. */
int top_print(const struct options *o, const struct screen *screen, FILE *out);

/* The live view, until it is ended by a key or a signal; where standard output is no terminal, one table
 * after another. */
int top_watch(const struct options *o, unsigned seconds);

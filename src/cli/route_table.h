/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Routes as `lookup` and `routes` show them, a line each. */

#include <jansson.h>

/* Prints the rows of an answer of the API; empty: the sentence in place of none. Returns the exit status. */
int route_table_print(const json_t *rows, const char *empty);

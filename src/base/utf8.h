/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Text that comes from outside and goes to terminals, JSON and databases. */

#include <stdbool.h>

#include "base/compiler.h"

/* Well-formed UTF-8 (no surrogates, nothing over-long, nothing above U+10FFFF) without control
 * characters (U+0000 to U+001F, U+007F to U+009F). Empty text is. */
bool utf8_printable(const char *text, size_t len);
/* Cuts off the beginning of a character at the end of a text that was cut itself. */
void utf8_trim(char *text);

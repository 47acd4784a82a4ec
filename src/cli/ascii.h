/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Blocks, lines and ellipses on a terminal whose locale is said to be another than UTF-8: each becomes one ASCII character, so that
 * columns stay where they are. Everything else goes through as it is. */

#include <stdbool.h>
#include <stddef.h>

#define ASCII_KEPT_MAX 3

/* A character may come in pieces: what is not yet known is kept. */
struct ascii {
	char kept[ASCII_KEPT_MAX];
	size_t kept_len;
};

/* Translates len bytes; ret has room for len + ASCII_KEPT_MAX. Returns how many were written. */
size_t ascii_translate(struct ascii *a, const char *text, size_t len, char *ret);

/* From now on standard output is translated, if it is a terminal and LC_ALL, LC_CTYPE or LANG name a locale that is there and
 * not UTF-8. Where none is set, as in most containers, UTF-8 is taken for granted. */
void ascii_begin(void);

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* An error is a negative errno and one sentence that names the file, line, peer or key concerned and
 * says what was wrong. Libraries fill it in and return its code; the daemon logs it once. */

#include <stddef.h>

#include "base/compiler.h"

#define ERROR_TEXT_MAX 512

struct error {
	int code; /* negative errno; 0: no error */
	size_t at; /* the character it is about in a text of one line, from 1; 0: no certain one */
	char text[ERROR_TEXT_MAX];
};

/* Sets the error and returns code (negative). err may be NULL. */
int error_set(struct error *err, int code, const char *fmt, ...) PRINTF(3, 4);

/* Puts "PREFIX: " in front of the text, as a caller does that knows the context. Returns the code. */
int error_prefix(struct error *err, const char *fmt, ...) PRINTF(2, 3);

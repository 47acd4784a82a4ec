/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Passwords and tokens in files of their own. */

#include "base/error.h"

#define SECRET_BYTES_MAX 1024

/* One line of 1 to max (SECRET_BYTES_MAX at most) printable bytes, into ret, which has room for max + 1.
 * Errors name the file. */
int secret_read(const char *file, size_t max, char *ret, struct error *err) MUST_USE;

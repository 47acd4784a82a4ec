/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Whole files into memory, for the readers of this room. Blocking. */

#include "base/error.h"

struct slurp {
	char *data; /* len bytes and a NUL behind them */
	size_t len;
};

/* The content of a regular file, decompressed when it is compressed with gzip, bzip2, xz or zstd
 * (told by content, not by name). More than max bytes are an error, and so is compressed data that is
 * damaged or ends early. Errors name the file. */
int slurp_file(const char *file, size_t max, struct slurp *ret, struct error *err) MUST_USE;
/* For CLEANUP. */
void slurp_done(struct slurp *s);

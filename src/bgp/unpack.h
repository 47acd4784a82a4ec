/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A file's bytes, decompressed when it is gzip, bzip2, xz or zstd, told apart by content. Sequential,
 * blocking, one thread at a time. Checksums of the compressed formats are verified: a damaged file is
 * an error, not wrong bytes. Memory is bounded by the formats' windows (128 MiB for zstd and xz). */

#include "base/compiler.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct unpack;

/* path "-": standard input. The error names the file. */
int unpack_open(const char *path, struct unpack **ret, struct error *err) MUST_USE;
void unpack_close(struct unpack *u);

/* Up to cap bytes into buf; 0 at the end; a negative errno on a failed read, and -EBADMSG for
 * compressed data that is damaged or ends early: after what could be had before the damage, as far as the
 * decompressor gives it out. The error says what, without the file's name. */
ssize_t unpack_read(struct unpack *u, void *buf, size_t cap, struct error *err) MUST_USE;

/* "gzip", "bzip2", "xz", "zstd" or NULL when the file is not compressed. */
const char *unpack_format(const struct unpack *u);
/* It is a file that reading never has to wait for: no pipe, no terminal. */
bool unpack_is_file(const struct unpack *u);

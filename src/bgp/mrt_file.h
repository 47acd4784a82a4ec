/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Reads an MRT file (RFC 6396) record by record, compressed or not (bgp/unpack.h). Sequential,
 * blocking, one thread at a time; a compressed file has a thread that decompresses ahead until it is
 * closed. Memory: the longest record, at most MRT_BODY_MAX, and about 2 MiB. */

#include "bgp/mrt.h"

struct mrt_file;

/* path "-": standard input. Errors of all functions name file and offset; offsets count uncompressed
 * bytes. */
int mrt_file_open(const char *path, struct mrt_file **ret, struct error *err) MUST_USE;
void mrt_file_close(struct mrt_file *f);

/* 1: a record, valid until the next call; 0: the file ends here; negative: it cannot be read, is
 * truncated or corrupt, and there is no more to be had from it. */
int mrt_file_next(struct mrt_file *f, struct mrt_record *ret, struct error *err) MUST_USE;

/* Where the last record begins. */
uint64_t mrt_file_offset(const struct mrt_file *f);

/* Sets the error "FILE: offset N: ..." with the offset of the last record and returns code: -EBADMSG from
 * a caller who finds its content wrong. */
int mrt_file_error(const struct mrt_file *f, struct error *err, int code, const char *fmt, ...) PRINTF(4, 5);

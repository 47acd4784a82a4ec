/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Decompresses a file in a thread of its own, a bounded distance ahead of whoever reads it, so that
 * decompressing and parsing overlap. The thread touches nothing but the struct unpack given, which is
 * its own until unpack_ahead_free. Memory: 1 MiB. */

#include "bgp/unpack.h"

struct unpack_ahead;

/* -ENOMEM, -EAGAIN: no thread to be had; u may then be read directly. */
int unpack_ahead_new(struct unpack *u, struct unpack_ahead **ret) MUST_USE;
/* Stops the thread, which may first have to finish reading a block of the file. */
void unpack_ahead_free(struct unpack_ahead *a);

/* As unpack_read. */
ssize_t unpack_ahead_read(struct unpack_ahead *a, void *buf, size_t cap, struct error *err) MUST_USE;

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A sample router that tells the collector its table by BMP, live: the routes that demo_data.h has for it, each neighbour a
 * peer. A connection is a socket and nothing else. What is sent is small beside the socket's buffers and the collector always reads; should
 * it not, sending fails after a second. */

#include "base/error.h"

/* Where the n-th sample router connects from: `from` in the collector's configuration. */
struct addr demo_bmp_from(unsigned router);

/* Connects to "HOST:PORT" and sends the table as it is after so many moves (demo_data_move). Returns the socket. */
int demo_bmp_connect(unsigned router, unsigned moves, const char *to, struct error *err) MUST_USE;
/* Sends what is other since the move before this one, the n-th; nothing when that is another router's. -errno. */
int demo_bmp_move(int fd, unsigned router, unsigned n) MUST_USE;

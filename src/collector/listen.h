/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The collector's own sockets, as the configuration names them. Boot objects; data-plane thread. */

#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "collector/config.h"

#define LISTEN_MAX 16 /* addresses of one section */

/* A socket bound to an address. type: SOCK_DGRAM, or SOCK_STREAM, which listens. IPv6 ones take IPv6 only.
 * *ret_port: the one that the kernel chose, or the one asked for. Errors name section and address. */
int listen_open(const struct listen_addr *at, int type, const char *section, int *ret_fd, uint16_t *ret_port,
	struct error *err) MUST_USE;

/* A section's listening TCP sockets. */
struct listener {
	struct loop *loop;
	/* Takes over the connection's descriptor, which doesn't block. */
	void (*accepted)(void *ctx, int fd, const struct addr *from);
	void *ctx;
	struct loop_timer pause; /* set while there are no descriptors to be had */
	struct log_limit log;
	size_t count;
	struct listener_socket {
		struct loop_fd fd;
		struct addr addr;
		uint16_t port;
	} sockets[LISTEN_MAX];
};

/* Binds and listens; nothing is accepted before listener_start. The struct must stay where it is. */
int listener_open(struct listener *l, struct loop *loop, const struct listen_addr *listen, size_t count,
	const char *section, struct error *err) MUST_USE;
int listener_start(struct listener *l, struct error *err) MUST_USE;
/* Also of one that was never opened, if it is zero. */
void listener_close(struct listener *l);

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A worker process's line to the collectors: a session with each (sender/fleet.h), a connected UDP
 * socket for each in nginx's event loop, one timer. There is at most one in a process, and it is
 * used by nginx's only thread there. It takes as many of the worker's connections
 * (worker_connections) as there are collectors. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <stdbool.h>

#include "sender/fleet.h"

struct link_collector {
	ngx_str_t name; /* as in the configuration */
	struct sockaddr_storage addr;
	socklen_t addr_len;
};

struct link_config {
	struct link_collector collectors[FLEET_MAX]; /* in order of preference */
	uint32_t collector_count;                    /* 0: not configured */
	struct key key;
	bool key_loaded;
	char name[SENDER_NAME_MAX + 1];
	size_t buffer_bytes;
	ngx_msec_t linger_ms; /* a worker that ends waits so long for acknowledgements */
};

/* Logs and returns NGX_ERROR when there can be no session; link_add then does nothing: a web server
 * doesn't stop for want of its statistics. The configuration lives as long as the worker. */
ngx_int_t link_open(const struct link_config *config);

/* Takes a record; never blocks, never fails towards the caller: what finds no room is counted. */
void link_add(const struct record *rec);

/* Sends what is buffered, waits at most grace_ms until the collectors have it, tells the log what
 * they have not acknowledged, closes the sessions. The only function that may block; for a process
 * that serves nobody any more. No-op without a session. */
void link_close(uint64_t grace_ms);

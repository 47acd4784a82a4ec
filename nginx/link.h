/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A worker process's line to the collector: one session (sender/sender.h), one connected UDP
 * socket in nginx's event loop, one timer. There is at most one in a process, and it is used by
 * nginx's only thread there. It takes one of the worker's connections (worker_connections). */

#include <ngx_config.h>
#include <ngx_core.h>
#include <stdbool.h>

#include "sender/sender.h"

struct link_config {
	struct sockaddr_storage collector;
	socklen_t collector_len; /* 0: not configured */
	struct key key;
	bool key_loaded;
	char name[SENDER_NAME_MAX + 1];
	size_t buffer_bytes;
};

/* Logs and returns NGX_ERROR when there can be no session; link_add then does nothing: a web server
 * doesn't stop for want of its statistics. The configuration is copied. */
ngx_int_t link_open(const struct link_config *config);

/* Takes a record; never blocks, never fails towards the caller: what finds no room is counted. */
void link_add(const struct record *rec);

/* Sends what is buffered, waits at most grace_ms until the collector has it, closes the session.
 * The only function that may block; for a process that serves nobody any more. No-op without a
 * session. */
void link_close(uint64_t grace_ms);

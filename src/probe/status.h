/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The socket on which the probe tells how it is: whoever connects gets one JSON object and the end. */

#include <jansson.h>

#include "base/error.h"
#include "base/loop.h"

struct status;

/* make: what is told, a new reference. A socket that nobody listens on is replaced; -EADDRINUSE: another probe does. */
int status_open(const char *path, struct loop *loop, json_t *(*make)(void *ctx), void *ctx, struct status **ret,
	struct error *err) MUST_USE;
void status_close(struct status *s);
/* The other side: what is told there. */
int status_ask(const char *path, json_t **ret, struct error *err) MUST_USE;

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* From a finished request and its connection's TCP state to a record. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <stdbool.h>

#include "wire/record.h"

/* What the configuration says to whether a probe on this host counts the connections. */
enum account_probe {
	ACCOUNT_PROBE_AUTO,   /* one that takes tags is asked, at every request */
	ACCOUNT_PROBE_ALWAYS, /* one is there, also where it takes no tags */
	ACCOUNT_PROBE_NEVER,  /* none is, nothing is asked */
};

/* How a request is to be counted; of its location. */
struct account_how {
	bool counted;
	ngx_http_complex_value_t *type; /* NULL: none */
	enum account_probe probe;
};

/* Names the request's type to the probe, if there is one. To be called when the request's location is
 * known, and again before its response begins. Does nothing when there is nothing new to tell. */
void account_begin(ngx_http_request_t *r, const struct account_how *how);

/* What happened on the request's connection since it was last asked about, as a record; with a
 * probe, which reports that itself, only that there was a request. To be called once for every
 * request at its end; one that is not to be counted takes its share away, so that it counts
 * nowhere. False when there is no record: not counted, a subrequest, not TCP, a client on a unix
 * socket. The record's type is valid as long as the request, and until the next call. */
bool account_request(ngx_http_request_t *r, const struct account_how *how, struct record *ret);

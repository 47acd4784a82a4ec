/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* From a finished request and its connection's TCP state to a record. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <stdbool.h>

#include "wire/record.h"

/* The traffic type of a request: the expression's value, made a valid type name (cut at
 * RECORD_TYPE_MAX bytes; what isn't printable UTF-8 becomes '?'). Empty without an expression.
 * The view is valid as long as the request, and until the next call. May be called in any phase. */
struct view account_type(ngx_http_request_t *r, ngx_http_complex_value_t *expression);

/* What happened on the request's connection since it was last asked about, as a record without a
 * type. To be called once for every request at its end; one that is not to be counted takes its
 * share away, so that it counts nowhere. False when there is no record: not counted, a
 * subrequest, not TCP, a client on a unix socket. */
bool account_request(ngx_http_request_t *r, bool counted, struct record *ret);

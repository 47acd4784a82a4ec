/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Inside the server: one request as its endpoint sees it, without the HTTP library. A call lives on
 * the thread that answers it; its parameters are views into the connection and are valid until the
 * endpoint returns. An endpoint sets the reply exactly once. */

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "http/http.h"
#include "http/readers.h"

enum http_access { ENDPOINT_OPEN, ENDPOINT_TOKEN };

struct http_call;

struct http_endpoint {
	const char *name, *path;
	enum http_access access;
	const char *params; /* names with blanks between */
	const char *help;
	void (*answer)(struct http_call *call);
};

enum {
#define ENDPOINT(name, path, access, params, help) ENDPOINT_##name,
#include "http/endpoints.def"
#undef ENDPOINT
	ENDPOINT_COUNT,
	ENDPOINT_UNKNOWN = ENDPOINT_COUNT, /* counts requests for paths that do not exist */
};
extern const struct http_endpoint http_endpoints[ENDPOINT_COUNT];

#define ENDPOINT(name, path, access, params, help) void http_##name(struct http_call *call);
#include "http/endpoints.def"
#undef ENDPOINT

/* ---- parameters ---- */

#define HTTP_PARAMS_MAX 32

struct http_param {
	const char *name, *value;
};

struct http_params {
	struct http_param list[HTTP_PARAMS_MAX];
	size_t count;
};

/* NULL when not given. */
const char *http_param(const struct http_params *params, const char *name);
/* Whether the list of names with blanks between has this one. */
bool http_param_known(const char *names, const char *name);

/* ---- the server's own state ---- */

/* The last place counts every other status. */
#define HTTP_STATUSES {200, 400, 401, 404, 405, 413, 500, 503, 0}
#define HTTP_STATUS_COUNT 9

struct http_counters {
	_Atomic uint64_t requests[ENDPOINT_COUNT + 1][HTTP_STATUS_COUNT];
	_Atomic uint64_t duration_ns[ENDPOINT_COUNT + 1];
	_Atomic uint64_t response_bytes;
	_Atomic size_t held_bytes; /* of bodies that the library still has */
};

struct http_listener {
	struct MHD_Daemon *daemon;
	struct hostport bound;
};

struct http_server {
	struct http_backend backend;
	char *name, *notice; /* what the backend's point to */
	bool has_token;
	uint8_t token_digest[32]; /* SHA-256 */
	struct http_readers readers;
	struct http_counters counters;
	_Atomic size_t listener_count; /* grows while the first listeners already serve */
	struct http_listener listeners[];
};

/* ---- a call and its reply ---- */

struct http_header {
	const char *name, *value; /* static text */
};
#define HTTP_HEADERS_MAX 6

struct http_reply {
	unsigned status;
	const char *type; /* of the content; static text */
	char *body;       /* on the heap, or NULL when memory was out */
	size_t len;
	struct http_header headers[HTTP_HEADERS_MAX]; /* instead of those that every answer has, or beside them */
	size_t header_count;
};

struct http_call {
	struct http_server *server;
	const char *path;
	const struct http_endpoint *endpoint; /* NULL: no such path */
	struct http_params params;
	bool accept_csv, accept_openmetrics, accept_gzip;
	const char *if_none_match; /* "" when not given */
	struct http_reply reply;
};

#define HTTP_TYPE_JSON "application/json"
#define HTTP_TYPE_CSV  "text/csv; charset=utf-8; header=present"

/* {"error": "..."}; bytes that are no UTF-8 become '?'. */
void http_reply_error(struct http_call *call, unsigned status, const char *fmt, ...) PRINTF(3, 4);
/* Takes the object; NULL gives a 503. */
void http_reply_json(struct http_call *call, unsigned status, json_t *take_json);
/* The last one of a name counts. */
void http_reply_header(struct http_call *call, const char *name, const char *value);
/* A stream into the body; NULL (and a 500 set) when memory is out. To be ended by http_reply_end,
 * which may turn the reply into a 500 when memory ran out on the way. */
FILE *http_reply_begin(struct http_call *call, unsigned status, const char *type) MUST_USE;
void http_reply_end(struct http_call *call, FILE *out);

/* Called by the HTTP library for every request. */
struct MHD_Connection;
int http_serve(struct http_server *s, struct MHD_Connection *conn, const char *path, const char *method,
	bool first_call, bool *ret_wait);

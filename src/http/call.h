/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Inside the server: one request as its endpoint sees it, without the HTTP library. One thread at a time has a call;
 * its parameters are views into the connection and are valid until the answer is sent. An endpoint sets
 * the reply exactly once. */

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/words.h"
#include "http/ahead.h"
#include "http/cache.h"
#include "http/guard.h"
#include "http/http.h"
#include "http/jobs.h"
#include "http/readers.h"
#include "http/rules.h"
#include "http/strikes.h"

/* OPEN: for everybody; at once, on the thread of the connections. TOKEN: for who has the token, when one is
 * configured; on a thread that may wait. SESSION: as OPEN, and takes POST and DELETE. */
enum http_access { ENDPOINT_OPEN, ENDPOINT_TOKEN, ENDPOINT_SESSION };

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

/* Whether it asks the store: about a range of time, or when the first one began. */
static inline bool http_asks_store(const struct http_endpoint *e)
{
	return words_have(e->params, ' ', "last") || e == &http_endpoints[ENDPOINT_since];
}

/* ---- the server's own state ---- */

/* The last place counts every other status. */
#define HTTP_STATUSES {200, 204, 304, 400, 401, 403, 404, 405, 413, 421, 429, 499, 500, 503, 0}
#define HTTP_STATUS_COUNT 15

/* Times to answer, DURATION(upper end in ns, in seconds as it is written), and what took longer: around what people and
 * dashboards notice, up to the time after which a query is given up. Few, for each is a series for each endpoint. */
#define HTTP_DURATIONS \
	DURATION(5000000, "0.005") DURATION(20000000, "0.02") DURATION(50000000, "0.05") DURATION(100000000, "0.1") \
	DURATION(250000000, "0.25") DURATION(1000000000, "1.0") DURATION(5000000000, "5.0") DURATION(30000000000, "30.0")
#define HTTP_DURATION_COUNT 9

struct http_counters {
	_Atomic uint64_t requests[ENDPOINT_COUNT + 1][HTTP_STATUS_COUNT];
	_Atomic uint64_t durations[ENDPOINT_COUNT + 1][HTTP_DURATION_COUNT];
	_Atomic uint64_t duration_ns[ENDPOINT_COUNT + 1];
	_Atomic uint64_t response_bytes;
	_Atomic size_t held_bytes; /* of bodies that the library still has */
};

struct http_listener {
	struct http_server *server;
	struct MHD_Daemon *daemon;
	struct hostport bound;
};

/* A daemon with a certificate that has been renewed: it listens no more, its connections go on. */
struct http_retired {
	struct MHD_Daemon *daemon;
	struct http_retired *next;
};

struct http_server {
	struct http_backend backend;
	char *name, *notice; /* what the backend's point to */
	bool has_tls;
	bool has_cache; /* its lock is there, and those of the next two */
	struct http_rules rules;
	struct http_strikes strikes;
	_Atomic uint64_t certificate_end_s; /* with TLS; 0: not known */
	struct http_readers readers;
	struct http_jobs queries, tables; /* what asks the store; what asks the data plane, which is quick */
	struct http_ahead ahead;
	struct http_guard guard;
	struct http_cache cache;
	struct http_retired *retired;
	struct http_counters counters;
	size_t listener_count;
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
	const void *constant; /* instead of body: stays as long as the program, and takes no memory for a request */
	size_t len;
	struct http_header headers[HTTP_HEADERS_MAX]; /* instead of those that every answer has, or beside them */
	size_t header_count;
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_DELETE, HTTP_OPTIONS, HTTP_METHOD_OTHER };

struct http_call {
	struct http_server *server;
	const struct http_listener *listener;
	struct addr client;
	const char *path;
	enum http_method method;
	const struct http_endpoint *endpoint; /* NULL: no such path */
	struct http_params params;
	bool accept_csv, accept_openmetrics, accept_gzip;
	const char *if_none_match; /* "" when not given, as all of these */
	const char *authorization, *cookie;
	bool out; /* too many wrong tokens came from there: this one was not looked at */
	bool ahead;          /* asked by nobody yet (ahead.h): what is in the store will do */
	uint64_t max_age_ns; /* of an answer that will do; 0: a fresh one */
	struct http_reply reply;
	char text[256], age[16]; /* of headers that are made for this reply */
};

#define HTTP_TYPE_JSON "application/json"
#define HTTP_TYPE_CSV  "text/csv; charset=utf-8; header=present"

/* {"error": "..."}; bytes that are no UTF-8 become '?'. */
void http_reply_error(struct http_call *call, unsigned status, const char *fmt, ...) PRINTF(3, 4);
/* An error about parameters; one that is about a character also shows it. Texts that begin with "parameter 'NAME'" name it
 * in a field of its own, here and above. */
void http_reply_question_error(struct http_call *call, unsigned status, const struct error *err);
/* Takes the object; NULL gives a 503. */
void http_reply_json(struct http_call *call, unsigned status, json_t *take_json);
/* The last one of a name counts. */
void http_reply_header(struct http_call *call, const char *name, const char *value);
/* A stream into the body; NULL (and a 500 set) when memory is out. To be ended by http_reply_end,
 * which may turn the reply into a 500 when memory ran out on the way. */
FILE *http_reply_begin(struct http_call *call, unsigned status, const char *type) MUST_USE;
void http_reply_end(struct http_call *call, FILE *out);

/* 404; for people a page that leads on. */
void http_no_such_path(struct http_call *call, bool for_people);

/* Makes a reply of the kind that is the same until something changes one that can be asked for again: ETag, and 304 to who has
 * it. Packs what is large for who takes that. */
void http_reply_finish(struct http_call *call);

/* ---- who may ask ---- */

/* Sets the reply and returns false when the call may not be answered. */
bool http_access_check(struct http_call *call, const char *host, const char *fetch_site, const char *fetch_mode);
bool http_access_authorized(struct http_call *call);
/* Whether the bearer token is there and right. A wrong one counts (strikes.h); to be asked once a call. */
bool http_access_token(struct http_call *call);
/* Sets the reply for who has no right token: 401 with this text, or 429. */
void http_access_refuse(struct http_call *call, const char *text);
/* The cookie's name, and a new cookie's value; -EIO. */
#define HTTP_COOKIE_NAME_MAX  32
#define HTTP_COOKIE_VALUE_MAX 96
#define HTTP_SESSION_SECONDS  (30u * 86400)
const char *http_access_cookie_name(const struct http_listener *l, char buf[static HTTP_COOKIE_NAME_MAX]);
int http_access_cookie_make(const struct http_token *token, uint64_t now_s, char ret[static HTTP_COOKIE_VALUE_MAX]) MUST_USE;

/* ---- a request and the HTTP library ---- */

struct MHD_Connection;
/* From its first line to the end of its answer. */
struct http_request {
	struct http_call call;
	struct MHD_Connection *conn;
	struct guarded *guarded; /* NULL: nobody watches over the connection */
	uint64_t start_ns;
	enum { REQUEST_HEAD, REQUEST_WORKED_ON, REQUEST_ANSWERED } stage;
	struct http_request *next; /* in the queue of the jobs */
};

/* Called by the library: when the head is read, when there is more of a request, when an answer of ours is
 * ready. *request is the library's to keep. 0: the connection is to be closed. */
int http_serve(struct http_listener *l, struct MHD_Connection *conn, const char *path, const char *method,
	struct http_request **request);
/* The request is over, however. */
void http_serve_end(struct http_request *request);
/* A job's work; not on the library's thread. */
void http_serve_work(struct http_request *request);
/* Gives the reply to the library. */
int http_send(struct http_call *call, struct MHD_Connection *conn);

/* SPDX-License-Identifier: BSD-2-Clause */

/* One request, from the HTTP library to an endpoint and back.
 *
 * Refusals come in this order: path (404), method (405) and body (413) before the request is read on; then from where and
 * by whom it is asked (421, 403, 401, 429), parameters (400). Only what passed all of them reaches an endpoint: at once
 * when everybody may ask it, for such answers are ready; else on another thread (jobs.h), while the library lets the
 * connection rest. */

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "http/call.h"
#include "http/web.h"

#define MAX_AGE_SECONDS 3600ul
#define STATUS_GONE     499 /* nobody sees it: for the metrics */

const struct http_endpoint http_endpoints[ENDPOINT_COUNT] = {
#define ENDPOINT(name, path, access, params, help) {#name, path, ENDPOINT_##access, params, help, http_##name},
#include "http/endpoints.def"
#undef ENDPOINT
};

static size_t endpoint_of(const struct http_call *call)
{
	return call->endpoint ? (size_t)(call->endpoint - http_endpoints) : ENDPOINT_UNKNOWN;
}

/* The first of call.h's durations that it is within. */
static size_t duration_of(uint64_t ns)
{
#define DURATION(bound_ns, text) bound_ns,
	static const uint64_t bounds_ns[] = {HTTP_DURATIONS};
#undef DURATION
	_Static_assert(ARRAY_LEN(bounds_ns) + 1 == HTTP_DURATION_COUNT, "and one for what is beyond");
	size_t i = 0;
	while (i < ARRAY_LEN(bounds_ns) && ns > bounds_ns[i])
		i++;
	return i;
}

static void count(struct http_call *call, uint64_t start_ns)
{
	static const unsigned statuses[HTTP_STATUS_COUNT] = HTTP_STATUSES;
	struct http_counters *c = &call->server->counters;
	size_t i = 0, e = endpoint_of(call);
	uint64_t duration_ns = clock_mono_ns() - start_ns;
	while (i < HTTP_STATUS_COUNT - 1 && statuses[i] != call->reply.status)
		i++;
	atomic_fetch_add(&c->requests[e][i], 1);
	atomic_fetch_add(&c->durations[e][duration_of(duration_ns)], 1);
	atomic_fetch_add(&c->duration_ns[e], duration_ns);
	atomic_fetch_add(&c->response_bytes, call->reply.len);
}

/* ---- what the request says ---- */

struct collect {
	struct http_call *call;
	bool refused;
};

static enum MHD_Result collect_param(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	struct collect *c = cls;
	struct http_params *params = &c->call->params;
	const char *known = c->call->endpoint->params;
	c->refused = true;
	if (strlen(name) != name_len || (value && strlen(value) != value_len))
		http_reply_error(c->call, 400, "a parameter contains a zero byte");
	else if (!words_have(known, ' ', name))
		http_reply_error(c->call, 400, "unknown parameter '%.60s'; %s takes %s", name,
			c->call->endpoint->path, *known ? known : "none");
	else if (!value)
		http_reply_error(c->call, 400, "parameter '%s' has no value", name);
	else if (http_param(params, name))
		http_reply_error(c->call, 400, "parameter '%s' is given twice", name);
	else if (params->count < HTTP_PARAMS_MAX) {
		params->list[params->count++] = (struct http_param){name, value};
		c->refused = false;
	}
	return c->refused ? MHD_NO : MHD_YES;
}

static const char *request_header(struct MHD_Connection *conn, const char *name)
{
	const char *value = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
	return value ? value : "";
}

static enum http_method method_of(const char *method)
{
	static const char *const names[HTTP_METHOD_OTHER] = {[HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST",
		[HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS"};
	int i = 0;
	while (i < HTTP_METHOD_OTHER && strcmp(names[i], method) != 0)
		i++;
	return (enum http_method)i;
}

/* RFC 9110 section 12.5.3, as far as clients use it: "gzip" in the list, and not with weight 0. */
static bool accepts_gzip(const char *list)
{
	const char *at = strcasestr(list, "gzip");
	if (!at)
		return false;
	at += strlen("gzip");
	at += strspn(at, " \t");
	if (*at != ';')
		return true;
	const char *weight = strchr(at, '=');
	return !weight || strtod(weight + 1, NULL) > 0;
}

/* max-age of a request's Cache-Control: an answer that old will do. */
static uint64_t max_age_ns(const char *control)
{
	const char *at = strcasestr(control, "max-age=");
	if (!at || strcasestr(control, "no-cache"))
		return 0;
	unsigned long seconds = strtoul(at + strlen("max-age="), NULL, 10);
	return (seconds < MAX_AGE_SECONDS ? seconds : MAX_AGE_SECONDS) * NS_PER_S;
}

static void read_headers(struct http_call *call, struct MHD_Connection *conn)
{
	char name[HTTP_COOKIE_NAME_MAX];
	const char *accept = request_header(conn, "Accept");
	const char *cookie =
		MHD_lookup_connection_value(conn, MHD_COOKIE_KIND, http_access_cookie_name(call->listener, name));
	call->accept_csv = strcasestr(accept, "text/csv");
	call->accept_openmetrics = strcasestr(accept, "application/openmetrics-text");
	call->accept_gzip = accepts_gzip(request_header(conn, "Accept-Encoding"));
	call->if_none_match = request_header(conn, "If-None-Match");
	call->authorization = request_header(conn, "Authorization");
	call->cookie = cookie ? cookie : "";
	call->max_age_ns = max_age_ns(request_header(conn, "Cache-Control"));
}

static void find_endpoint(struct http_call *call)
{
	for (size_t i = 0; i < ENDPOINT_COUNT; i++)
		if (strcmp(http_endpoints[i].path, call->path) == 0)
			call->endpoint = &http_endpoints[i];
	if (!call->endpoint && web_find(call->path))
		call->endpoint = &http_endpoints[ENDPOINT_index];
}

/* ---- refusals ---- */

static bool takes(const struct http_call *call, enum http_method method)
{
	return method <= HTTP_HEAD || method == HTTP_OPTIONS ||
		(method != HTTP_METHOD_OTHER && call->endpoint->access == ENDPOINT_SESSION);
}

static void allow(struct http_call *call)
{
	http_reply_header(call, "Allow",
		call->endpoint->access == ENDPOINT_SESSION ? "GET, HEAD, POST, DELETE, OPTIONS" : "GET, HEAD, OPTIONS");
}

/* What is answered before the request is read on; the library then closes the connection, when there is more. */
static bool answered_early(struct http_call *call, struct MHD_Connection *conn)
{
	const char *length = request_header(conn, "Content-Length");
	if (!call->endpoint) {
		http_no_such_path(call, strcasestr(request_header(conn, "Accept"), "text/html"));
	} else if (!takes(call, call->method)) {
		http_reply_error(call, 405, call->endpoint->access == ENDPOINT_SESSION ? "only GET, HEAD, POST and DELETE are served"
										    : "only GET and HEAD are served");
		allow(call);
	} else if (*request_header(conn, "Transfer-Encoding") || length[strspn(length, "0")]) {
		http_reply_error(call, 413, "a request may not have a body");
	} else {
		return false;
	}
	return true;
}

/* Everything up to the endpoint. False: the reply is set. */
static bool admit(struct http_call *call, struct MHD_Connection *conn)
{
	struct collect c = {.call = call};
	if (call->method == HTTP_OPTIONS) {
		call->reply = (struct http_reply){.status = 204, .type = HTTP_TYPE_JSON, .body = calloc(1, 1)};
		allow(call);
		return false;
	}
	read_headers(call, conn);
	if (call->endpoint->access == ENDPOINT_TOKEN &&
		!http_access_check(call, request_header(conn, "Host"), request_header(conn, "Sec-Fetch-Site"),
			request_header(conn, "Sec-Fetch-Mode")))
		return false;
	if (call->endpoint != &http_endpoints[ENDPOINT_index]) /* the dashboard reads its parameters in the browser */
		(void)MHD_get_connection_values_n(conn, MHD_GET_ARGUMENT_KIND, collect_param, &c);
	return !c.refused;
}

/* ---- the way of a request ---- */

static struct guarded *guarded_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

/* None: it is this machine, which talks to an address of its own from that address. */
static struct addr client_of(struct MHD_Connection *conn)
{
	uint16_t port;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (!info || !info->client_addr)
		return (struct addr){0};
	struct addr client = addr_from_sockaddr(info->client_addr, &port);
	info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!info || getsockname(info->connect_fd, (struct sockaddr *)&ss, &len) < 0)
		return client;
	struct addr own = addr_from_sockaddr((struct sockaddr *)&ss, &port);
	return addr_equal(&own, &client) ? (struct addr){0} : client;
}

static int send_request(struct http_request *r)
{
	r->stage = REQUEST_ANSWERED;
	http_guard_state(&r->call.server->guard, r->guarded, GUARD_SENDS);
	int ok = http_send(&r->call, r->conn);
	count(&r->call, r->start_ns);
	return ok;
}

static int begin(struct http_listener *l, struct MHD_Connection *conn, const char *path, const char *method,
	struct http_request **ret)
{
	struct http_request *r = calloc(1, sizeof(*r));
	if (!r)
		return MHD_NO;
	*ret = r;
	r->conn = conn;
	r->guarded = guarded_of(conn);
	r->start_ns = clock_mono_ns();
	r->call.server = l->server;
	r->call.listener = l;
	r->call.client = client_of(conn);
	r->call.path = path;
	r->call.method = method_of(method);
	find_endpoint(&r->call);
	http_guard_state(&l->server->guard, r->guarded, GUARD_WORKED);
	return answered_early(&r->call, conn) ? send_request(r) : MHD_YES;
}

/* What is asked, as one text: the path, and the parameters as they came, each with its length, for a value may have any
 * characters. To be freed. */
static char *question_key(const struct http_call *call)
{
	char *key = NULL;
	size_t len;
	FILE *out = open_memstream(&key, &len);
	if (!out)
		return NULL;
	(void)fprintf(out, "%s%s", call->path, call->accept_csv ? " csv" : "");
	for (size_t i = 0; i < call->params.count; i++)
		(void)fprintf(out, "\n%s=%zu:%s", call->params.list[i].name, strlen(call->params.list[i].value), call->params.list[i].value);
	if (fclose(out) == 0)
		return key;
	free(key);
	return NULL;
}

/* For who takes an older answer, if there is one. */
static void answer_by_cache(struct http_call *call, const char *key)
{
	struct http_cache *cache = &call->server->cache;
	struct cache_hit hit;
	if (http_cache_get(cache, key, call->max_age_ns, &hit)) {
		call->reply = (struct http_reply){.status = 200, .type = hit.type, .body = hit.body, .len = hit.len};
		(void)snprintf(call->age, sizeof(call->age), "%llu", (unsigned long long)(hit.age_ns / NS_PER_S));
		http_reply_header(call, "Age", call->age);
		return;
	}
	call->endpoint->answer(call);
	http_cache_put(cache, key, call->reply.type, call->reply.status == 200 ? call->reply.body : NULL, call->reply.len);
}

static bool may_be_older(const struct http_call *call)
{
	return call->max_age_ns && http_asks_store(call->endpoint);
}

void http_serve_work(struct http_request *r)
{
	struct http_call *call = &r->call;
	CLEANUP(free_p) char *key = may_be_older(call) ? question_key(call) : NULL;
	if (r->guarded && atomic_load(&r->guarded->gone)) {
		http_reply_error(call, STATUS_GONE, "the client has gone");
		return;
	}
	deadline_watch(r->guarded ? &r->guarded->gone : NULL);
	if (key)
		answer_by_cache(call, key);
	else
		call->endpoint->answer(call);
	deadline_watch(NULL);
	if (r->guarded && atomic_load(&r->guarded->gone))
		http_reply_error(call, STATUS_GONE, "the client has gone");
	http_reply_finish(call);
}

static int go_on(struct http_request *r)
{
	struct http_call *call = &r->call;
	if (!admit(call, r->conn))
		return send_request(r);
	if (call->endpoint->access != ENDPOINT_TOKEN) {
		http_serve_work(r);
		return send_request(r);
	}
	r->stage = REQUEST_WORKED_ON;
	/* The request may be answered and gone when it has been given. */
	struct http_server *s = call->server;
	bool asks = http_asks_store(call->endpoint);
	if (http_jobs_give(asks ? &s->queries : &s->tables, r)) {
		if (asks)
			http_ahead_give_way(&s->ahead);
		return MHD_YES;
	}
	http_reply_error(call, 503, "too many requests are waiting; ask again");
	return send_request(r);
}

int http_serve(struct http_listener *l, struct MHD_Connection *conn, const char *path, const char *method,
	struct http_request **request)
{
	if (!*request)
		return begin(l, conn, path, method, request);
	switch ((*request)->stage) {
	case REQUEST_HEAD:
		return go_on(*request);
	case REQUEST_WORKED_ON:
		return send_request(*request);
	case REQUEST_ANSWERED:
		break;
	}
	return MHD_YES;
}

void http_serve_end(struct http_request *r)
{
	if (!r)
		return;
	http_guard_state(&r->call.server->guard, r->guarded, GUARD_WAITS);
	free(r->call.reply.body);
	free(r);
}

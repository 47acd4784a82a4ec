/* SPDX-License-Identifier: BSD-2-Clause */

/* One request, from the HTTP library to an endpoint and back.
 *
 * Refusals come in this order: method (405) and body (413) before the request is read on; then path
 * (404), token (401), parameters (400). Only what passed all of them reaches an endpoint. The token
 * is compared by its digest in constant time. Every answer carries the same security headers, errors
 * included. Bodies that slow clients have not read yet are counted, and above HELD_BYTES_MAX new ones
 * are refused (503), so the memory is bounded whatever clients do. */

#include <microhttpd.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "http/call.h"
#include "http/web.h"

#define HELD_BYTES_MAX ((size_t)512 << 20)

const struct http_endpoint http_endpoints[ENDPOINT_COUNT] = {
#define ENDPOINT(name, path, access, params, help) {#name, path, ENDPOINT_##access, params, help, http_##name},
#include "http/endpoints.def"
#undef ENDPOINT
};

static const struct http_header common_headers[] = {
	{"X-Content-Type-Options", "nosniff"},
	{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Referrer-Policy", "no-referrer"},
	{"Cache-Control", "no-store"},
	{"Vary", "Accept"},
};

/* What HTTP asks for beside some statuses. */
static const struct {
	unsigned status;
	const char *name, *value;
} status_headers[] = {
	{401, "WWW-Authenticate", "Bearer realm=\"whereto\""},
	{405, "Allow", "GET, HEAD"},
	{503, "Retry-After", "1"},
};

static size_t endpoint_of(const struct http_call *call)
{
	return call->endpoint ? (size_t)(call->endpoint - http_endpoints) : ENDPOINT_UNKNOWN;
}

static void count(struct http_call *call, uint64_t start_ns)
{
	static const unsigned statuses[HTTP_STATUS_COUNT] = HTTP_STATUSES;
	struct http_counters *c = &call->server->counters;
	size_t i = 0, e = endpoint_of(call);
	while (i < HTTP_STATUS_COUNT - 1 && statuses[i] != call->reply.status)
		i++;
	atomic_fetch_add(&c->requests[e][i], 1);
	atomic_fetch_add(&c->duration_ns[e], clock_mono_ns() - start_ns);
	atomic_fetch_add(&c->response_bytes, call->reply.len);
}

/* ---- the answer on its way out ---- */

/* A body that the library holds, with what is needed to account for its end. */
struct held {
	struct http_counters *counters;
	char *body;
	size_t len;
};

static void held_free(void *cls)
{
	struct held *h = cls;
	atomic_fetch_sub(&h->counters->held_bytes, h->len);
	free(h->body);
	free(h);
}

/* Takes the body out of the reply. NULL when memory is out. */
static struct MHD_Response *response_take(struct http_call *call)
{
	struct held *h = malloc(sizeof(*h));
	if (!h || !call->reply.body) {
		free(h);
		return NULL;
	}
	*h = (struct held){&call->server->counters, call->reply.body, call->reply.len};
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback_cls(h->len, h->body, held_free, h);
	if (!response) {
		free(h);
		return NULL;
	}
	atomic_fetch_add(&h->counters->held_bytes, h->len);
	call->reply.body = NULL;
	return response;
}

static bool reply_has(const struct http_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (strcasecmp(reply->headers[i].name, name) == 0)
			return true;
	return false;
}

static enum MHD_Result add_headers(const struct http_reply *reply, struct MHD_Response *response)
{
	enum MHD_Result ok = MHD_add_response_header(response, "Content-Type", reply->type);
	for (size_t i = 0; i < ARRAY_LEN(common_headers); i++)
		if (!reply_has(reply, common_headers[i].name))
			ok &= MHD_add_response_header(response, common_headers[i].name, common_headers[i].value);
	for (size_t i = 0; i < ARRAY_LEN(status_headers); i++)
		if (status_headers[i].status == reply->status)
			ok &= MHD_add_response_header(response, status_headers[i].name, status_headers[i].value);
	for (size_t i = 0; i < reply->header_count; i++)
		ok &= MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
	return ok;
}

static int send_reply(struct http_call *call, struct MHD_Connection *conn)
{
	struct http_counters *c = &call->server->counters;
	if (atomic_load(&c->held_bytes) + call->reply.len > HELD_BYTES_MAX)
		http_reply_error(call, 503, "too many large answers are waiting for their clients; ask again");

	struct MHD_Response *response = response_take(call);
	if (!response)
		return MHD_NO;
	enum MHD_Result ok = add_headers(&call->reply, response);
	if (ok)
		ok = MHD_queue_response(conn, call->reply.status, response);
	MHD_destroy_response(response);
	return ok;
}

/* ---- the request on its way in ---- */

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
	else if (!http_param_known(known, name))
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

static bool token_matches(const struct http_server *s, const char *authorization)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	const char *token = strchr(authorization, ' ');
	if (!token || strncasecmp(authorization, "Bearer ", 7) != 0)
		return false;
	token += strspn(token, " ");
	if (!EVP_Digest(token, strlen(token), digest, NULL, EVP_sha256(), NULL))
		return false;
	return CRYPTO_memcmp(digest, s->token_digest, sizeof(s->token_digest)) == 0;
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

static void answer(struct http_call *call, struct MHD_Connection *conn, const char *path)
{
	call->path = path;
	for (size_t i = 0; i < ENDPOINT_COUNT; i++)
		if (strcmp(http_endpoints[i].path, path) == 0)
			call->endpoint = &http_endpoints[i];
	if (!call->endpoint && web_find(path))
		call->endpoint = &http_endpoints[ENDPOINT_index];
	if (!call->endpoint) {
		http_reply_error(call, 404, "no such path; / lists what there is");
		return;
	}
	if (call->endpoint->access == ENDPOINT_TOKEN && call->server->has_token &&
		!token_matches(call->server, request_header(conn, "Authorization"))) {
		http_reply_error(call, 401, "a token is needed: Authorization: Bearer TOKEN");
		return;
	}
	const char *accept = request_header(conn, "Accept");
	call->accept_csv = strcasestr(accept, "text/csv");
	call->accept_openmetrics = strcasestr(accept, "application/openmetrics-text");
	call->accept_gzip = accepts_gzip(request_header(conn, "Accept-Encoding"));
	call->if_none_match = request_header(conn, "If-None-Match");
	if (call->endpoint == &http_endpoints[ENDPOINT_index]) {
		call->endpoint->answer(call); /* the dashboard reads the parameters, in the browser */
		return;
	}
	struct collect c = {.call = call};
	(void)MHD_get_connection_values_n(conn, MHD_GET_ARGUMENT_KIND, collect_param, &c);
	if (!c.refused)
		call->endpoint->answer(call);
}

/* What is refused before the request is read on; the library then closes the connection. */
static bool refused_early(struct http_call *call, struct MHD_Connection *conn, const char *method)
{
	const char *length = request_header(conn, "Content-Length");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		http_reply_error(call, 405, "only GET and HEAD are served");
	else if (*request_header(conn, "Transfer-Encoding") || length[strspn(length, "0")])
		http_reply_error(call, 413, "a request may not have a body");
	else
		return false;
	return true;
}

int http_serve(struct http_server *s, struct MHD_Connection *conn, const char *path, const char *method,
	bool first_call, bool *ret_wait)
{
	struct http_call call = {.server = s};
	uint64_t start_ns = clock_mono_ns();
	*ret_wait = first_call && !refused_early(&call, conn, method);
	if (*ret_wait)
		return MHD_YES;
	if (!first_call)
		answer(&call, conn, path);
	int r = send_reply(&call, conn);
	count(&call, start_ns);
	free(call.reply.body);
	return r;
}

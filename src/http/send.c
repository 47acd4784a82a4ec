/* SPDX-License-Identifier: BSD-2-Clause */

/* A reply on its way out. Every answer carries the same security headers, errors included, unless it has its own. Bodies that
 * slow clients have not read yet are counted, and above HELD_BYTES_MAX new ones are refused (503), so the memory is
 * bounded whatever clients do. What everybody may ask has a share of that, so that strangers take no room from those with
 * a token; and what fits a packet is always sent, for there are only so many connections, as is what is constant.
 *
 * What asks the store or the tables has an ETag made of its body: browsers may keep it, ask again with it each time, and
 * are told when it is the same. The tag is weak: the packed body has it too. */

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/hash.h"
#include "http/call.h"

#define HELD_BYTES_MAX   ((size_t)512 << 20)
#define OPEN_BYTES_MAX   (HELD_BYTES_MAX / 4)
#define PACK_BYTES_MIN   1024 /* smaller ones fit a packet as they are */
#define GZIP_WINDOW_BITS (16 + MAX_WBITS)

static const struct http_header common_headers[] = {
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Referrer-Policy", "no-referrer"},
	{"Cache-Control", "no-store"},
	{"Vary", "Accept, Accept-Encoding"},
};

/* What HTTP asks for beside some statuses. */
static const struct {
	unsigned status;
	const char *name, *value;
} status_headers[] = {
	{401, "WWW-Authenticate", "Bearer realm=\"whereto\""},
	{429, "Retry-After", "60"},
	{503, "Retry-After", "1"},
};

/* ---- before it is sent ---- */

static bool reply_has(const struct http_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (strcasecmp(reply->headers[i].name, name) == 0)
			return true;
	return false;
}

/* RFC 9110 section 13.1.2: a list of tags, or *; compared weakly. */
static bool has_tag(const char *list, const char *tag)
{
	const char *quoted = strchr(tag, '"');
	return strcmp(list, "*") == 0 || strstr(list, quoted);
}

static void tag(struct http_call *call)
{
	struct http_reply *reply = &call->reply;
	(void)snprintf(call->text, sizeof(call->text), "W/\"%016llx%zx\"",
		(unsigned long long)hash_bytes(reply->body, reply->len), reply->len);
	http_reply_header(call, "ETag", call->text);
	http_reply_header(call, "Cache-Control", "private, no-cache");
	/* The body stays, for its length: the library sends that alone, which is the one it would have with 200. */
	if (has_tag(call->if_none_match, call->text))
		reply->status = 304;
}

static void pack(struct http_call *call)
{
	struct http_reply *reply = &call->reply;
	z_stream z = {0};
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW_BITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return;
	size_t cap = deflateBound(&z, reply->len);
	char *packed = malloc(cap);
	z.next_in = (Bytef *)reply->body;
	z.avail_in = (uInt)reply->len;
	z.next_out = (Bytef *)packed;
	z.avail_out = (uInt)cap;
	if (packed && deflate(&z, Z_FINISH) == Z_STREAM_END) {
		free(reply->body);
		reply->body = packed;
		reply->len = z.total_out;
		packed = NULL;
		http_reply_header(call, "Content-Encoding", "gzip");
	}
	(void)deflateEnd(&z);
	free(packed);
}

void http_reply_finish(struct http_call *call)
{
	if (call->reply.status == 200 && call->reply.body && call->endpoint && call->endpoint->access == ENDPOINT_TOKEN &&
		strcmp(call->endpoint->path, "/metrics") != 0)
		tag(call);
	if (call->accept_gzip && !reply_has(&call->reply, "Content-Encoding") && call->reply.body && call->reply.len >= PACK_BYTES_MIN && call->reply.len <= UINT32_MAX)
		pack(call);
}

/* ---- sending ---- */

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
	if (call->reply.constant)
		return MHD_create_response_from_buffer(call->reply.len, (void *)(uintptr_t)call->reply.constant, MHD_RESPMEM_PERSISTENT);
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

static bool has_room(const struct http_call *call)
{
	bool open = !call->endpoint || call->endpoint->access != ENDPOINT_TOKEN;
	size_t held = atomic_load(&call->server->counters.held_bytes);
	return call->reply.constant || call->reply.len <= PACK_BYTES_MIN || held + call->reply.len <= (open ? OPEN_BYTES_MAX : HELD_BYTES_MAX);
}

int http_send(struct http_call *call, struct MHD_Connection *conn)
{
	if (!has_room(call))
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

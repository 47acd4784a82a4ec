/* SPDX-License-Identifier: BSD-2-Clause */

/* One record a request, made when nginx logs it. Its figures come from two places, because each
 * is exact about something else.
 *
 * nginx counts what it has handed over: bytes_sent is $bytes_sent and bytes_received
 * $request_length, so that sums in the store equal the access log's to the byte. The kernel
 * could not say this here: at the end of a request part of the response is still in the socket's
 * buffer, belongs to this request, and would show up in the next one's delta or, on the last of
 * a connection, nowhere. (With TLS these are bytes before encryption; HTTP/2's are its frames.
 * Neither has TCP's own resends in it.)
 *
 * The kernel counts what happened to it: packets, retransmissions, spurious ones and round-trip
 * times are differences of TCP_INFO between the connection's records. What TCP does after the
 * last request was logged is seen by nobody, so these records are flagged approximate:
 * retransmissions are at least what they say.
 *
 * The state of a connection (struct snapshot) lives in its pool and is found by its clean-up
 * handler's address. It belongs to the TCP connection, not to a request or stream: an HTTP/2
 * stream's `connection` is a copy of the real one with the same pool and descriptor, so the same
 * lines serve HTTP/1 keep-alive and HTTP/2, and nothing is counted twice. How one connection's
 * packets are split over requests that ran in parallel is arbitrary; their sum is not. By the
 * time a pool is destroyed its descriptor is closed: the clean-up handler is a name tag, there
 * is nothing left to read.
 *
 * The client is the TCP peer, also behind a proxy whose clients realip makes known: bytes,
 * losses and round trips are those of the path to the peer, and that is what routes are about.
 * realip replaces the connection's address per request; its variable $realip_remote_addr still
 * gives the true one (getpeername would fail for a client that has reset its connection).
 *
 * Cost: one getsockopt a request, one getsockname and one small allocation a connection. */

#include "account.h"

#include "tcp_info.h"

struct snapshot {
	struct addr client; /* ADDR_NONE: not to be counted */
	struct addr server;
	ngx_msec_t time; /* of the last record, or of the connection's start */
	struct tcp_reading reading;
	bool seen;            /* in a record before */
	bool seen_retransmit; /* in a record before */
};

/* The address of the TCP peer; ADDR_NONE for a unix socket. */
static struct addr peer_address(ngx_http_request_t *r)
{
	static ngx_str_t name = ngx_string("realip_remote_addr");
	static ngx_uint_t key;
	if (!key)
		key = ngx_hash_key(name.data, name.len);

	ngx_http_variable_value_t *value = ngx_http_get_variable(r, &name, key);
	char text[ADDR_TEXT_MAX];
	if (!value || value->not_found || !value->valid) /* nginx without realip */
		return addr_from_sockaddr(r->connection->sockaddr, NULL);
	struct addr peer;
	if (value->len >= sizeof(text))
		return (struct addr){0};
	memcpy(text, value->data, value->len);
	text[value->len] = '\0';
	return addr_parse(text, &peer) < 0 ? (struct addr){0} : peer;
}

static void snapshot_forget(void *data)
{
}

static struct snapshot *snapshot_new(ngx_http_request_t *r)
{
	ngx_connection_t *c = r->connection;
	ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(c->pool, sizeof(struct snapshot));
	if (!cleanup)
		return NULL;
	cleanup->handler = snapshot_forget;
	struct snapshot *s = cleanup->data;
	*s = (struct snapshot){.time = c->start_time};
	if (ngx_connection_local_sockaddr(c, NULL, 0) == NGX_OK)
		s->server = addr_from_sockaddr(c->local_sockaddr, NULL);
	if (s->server.family != ADDR_NONE)
		s->client = peer_address(r);
	return s;
}

/* The connection's snapshot, made at its first request; NULL when memory is out. */
static struct snapshot *snapshot_get(ngx_http_request_t *r)
{
	for (ngx_pool_cleanup_t *p = r->connection->pool->cleanup; p; p = p->next)
		if (p->handler == snapshot_forget)
			return p->data;
	return snapshot_new(r);
}

/* Puts into the record what TCP did between the two readings. The 32-bit counters may wrap. */
static void add_tcp(
	struct record *rec, const struct tcp_reading *now, const struct tcp_reading *last)
{
	uint64_t *v = rec->values;
	v[FIELD_packets_sent] = (uint32_t)(now->segments_sent - last->segments_sent);
	v[FIELD_packets_retransmitted] =
		(uint32_t)(now->segments_retransmitted - last->segments_retransmitted);
	v[FIELD_bytes_retransmitted] = now->bytes_retransmitted - last->bytes_retransmitted;
	v[FIELD_packets_spurious] = (uint32_t)(now->segments_spurious - last->segments_spurious);
	if (v[FIELD_packets_sent] && now->rtt_min_us) {
		rec->rtt_us[0] = now->rtt_min_us;
		rec->rtt_count = 1;
	}
}

/* What nginx knows about the request, and what a connection tells once. */
static void add_request(struct record *rec, ngx_http_request_t *r, struct snapshot *s)
{
	uint64_t *v = rec->values;
	v[FIELD_bytes_sent] = (uint64_t)r->connection->sent;
	v[FIELD_bytes_received] = (uint64_t)r->request_length;
	v[FIELD_requests] = 1;
	v[FIELD_duration_ms] = ngx_current_msec - s->time;
	v[FIELD_connections] = !s->seen;
	s->seen = true;
	if (v[FIELD_packets_retransmitted] && !s->seen_retransmit) {
		v[FIELD_connections_with_retransmit] = 1;
		s->seen_retransmit = true;
	}
}

bool account_request(ngx_http_request_t *r, bool counted, struct record *ret)
{
	if (r != r->main || r->connection->type != SOCK_STREAM)
		return false;
	struct snapshot *s = snapshot_get(r);
	struct tcp_reading reading;
	if (!s || s->client.family == ADDR_NONE || tcp_info_read(r->connection->fd, &reading) < 0)
		return false;

	if (counted) {
		ngx_time_t *now = ngx_timeofday();
		ret->time_ms = (uint64_t)now->sec * 1000 + now->msec;
		ret->client = s->client;
		ret->server = s->server;
		ret->type = (struct view){0};
		ret->approximate = true;
		ret->rtt_count = 0;
		memset(ret->values, 0, sizeof(ret->values));
		add_tcp(ret, &reading, &s->reading);
		add_request(ret, r, s);
	}
	s->reading = reading;
	s->time = ngx_current_msec;
	return counted;
}

static bool is_plain(const ngx_str_t *text)
{
	if (text->len > RECORD_TYPE_MAX)
		return false;
	for (size_t i = 0; i < text->len; i++)
		if (text->data[i] < 0x20 || text->data[i] >= 0x7f)
			return false;
	return true;
}

/* Moves *p behind one character and tells whether it may be in a type. What isn't a character is
 * one byte. */
static bool next_character(u_char **p, const u_char *end)
{
	u_char *start = *p;
	if (*start < 0x80) {
		*p = start + 1;
		return *start >= 0x20 && *start != 0x7f;
	}
	uint32_t code = ngx_utf8_decode(p, (size_t)(end - start));
	if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff))
		return true;
	*p = start + 1;
	return false;
}

/* Copies whole characters while they fit; returns the length. */
static size_t clean_type(const ngx_str_t *text, uint8_t buf[static RECORD_TYPE_MAX])
{
	size_t len = 0;
	u_char *p = text->data, *end = text->data + text->len;
	while (p < end) {
		const u_char *from = p;
		bool good = next_character(&p, end);
		size_t size = (size_t)(p - from);
		if (len + size > RECORD_TYPE_MAX)
			break;
		memcpy(buf + len, good ? from : (const u_char *)"?", size);
		len += size;
	}
	return len;
}

struct view account_type(ngx_http_request_t *r, ngx_http_complex_value_t *expression)
{
	static uint8_t buf[RECORD_TYPE_MAX];
	ngx_str_t text;
	if (!expression || ngx_http_complex_value(r, expression, &text) != NGX_OK)
		return (struct view){0};
	if (is_plain(&text))
		return (struct view){text.data, text.len};
	return (struct view){buf, clean_type(&text, buf)};
}

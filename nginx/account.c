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
 * With a probe on the host (whereto probe) all this is its affair: it has the connection's
 * complete figures, and is only told their type, by a socket option (wire/tag.h). Whether a probe
 * is there is what that call answers, so it is made for every request, before the type can matter:
 *
 *   it is taken           the record has the request and no figures
 *   no longer             the probe is gone: from here on the differences of TCP_INFO count, so
 *                         the reading to start from is taken at once, and what went before
 *                         was the probe's
 *   not, and now it is    also at the request's end: the probe has been counting some of this
 *                         connection, nobody can tell how much, so that nothing is said
 *
 * The call says that we count the connection ourselves when it is refused (TAG_OPTION_OWN): the
 * probe's part in the kernel may outlive the probe, and then stops telling of this connection at
 * that moment, until a tag is taken again.
 *
 * A response under way when the probe comes or goes is therefore counted in part; nothing is
 * ever counted twice. The type is named when the location is known, so that a request's body has
 * it, and again at the response's header if it is another one (it may depend on the response) or
 * was not named yet (`return`, errors), and at the log if there was no header (444). Until the
 * log its expression is evaluated without traces: nginx keeps variables' values and the last
 * regular expression's captures in the request, and the response must not find them there too
 * early, or another's.
 *
 * Cost: one getsockopt a request, one getsockname and one small allocation a connection, and two
 * setsockopt a request that fail at once; with a probe one setsockopt a request and no
 * getsockopt. */

#include "account.h"

#include "tcp_info.h"
#include "wire/tag.h"

struct snapshot {
	struct addr client; /* ADDR_NONE: not to be counted */
	struct addr server;
	ngx_msec_t time; /* of the last record, or of the connection's start */
	struct tcp_reading reading;
	bool seen;            /* in a record before */
	bool seen_retransmit; /* in a record before */
	bool probed;          /* a probe has taken the last tag: it counts this connection */
	uint32_t tag;         /* the last that was tried */
	const ngx_http_request_t *asked; /* for which it was tried; no more than a name */
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
	v[FIELD_duration_ms] = ngx_current_msec - s->time;
	v[FIELD_connections] = !s->seen;
	s->seen = true;
	if (v[FIELD_packets_retransmitted] && !s->seen_retransmit) {
		v[FIELD_connections_with_retransmit] = 1;
		s->seen_retransmit = true;
	}
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

/* The traffic type of a request: the expression's value, made a valid type name (cut at
 * RECORD_TYPE_MAX bytes; what isn't printable UTF-8 becomes '?'). Empty without an expression.
 * The view is valid as long as the request, and until the next call. What was evaluated stays in
 * the request. */
static struct view type_of(ngx_http_request_t *r, ngx_http_complex_value_t *expression)
{
	static uint8_t buf[RECORD_TYPE_MAX];
	ngx_str_t text;
	if (!expression || ngx_http_complex_value(r, expression, &text) != NGX_OK)
		return (struct view){0};
	if (is_plain(&text))
		return (struct view){text.data, text.len};
	return (struct view){buf, clean_type(&text, buf)};
}

/* The same of a request that isn't over, and nothing of it stays in the request. The captures are
 * saved, not set aside: the expression may have $1 in it. Empty when memory is out. */
static struct view type_early(ngx_http_request_t *r, ngx_http_complex_value_t *expression)
{
	if (!expression || !expression->lengths) /* no variables */
		return type_of(r, expression);
	ngx_http_core_main_conf_t *core = ngx_http_get_module_main_conf(r, ngx_http_core_module);
	size_t size = core->variables.nelts * sizeof(*r->variables), captures_size = 0;
#if (NGX_PCRE)
	if (r->captures)
		captures_size = core->ncaptures * sizeof(*r->captures);
	ngx_uint_t ncaptures = r->ncaptures;
	u_char *captures_data = r->captures_data;
#endif
	u_char *kept = ngx_alloc(size + captures_size, r->connection->log);
	if (!kept)
		return (struct view){0};
	memcpy(kept, r->variables, size);
#if (NGX_PCRE)
	if (captures_size)
		memcpy(kept + size, r->captures, captures_size);
#endif
	struct view type = type_of(r, expression);
	memcpy(r->variables, kept, size);
#if (NGX_PCRE)
	if (captures_size)
		memcpy(r->captures, kept + size, captures_size);
	r->ncaptures = ncaptures;
	r->captures_data = captures_data;
#endif
	ngx_free(kept);
	return type;
}

/* NGX_HTTP_VERSION_30, which nginx has from 1.25 on. */
#define HTTP_3 3000

/* The connection's snapshot; NULL when this is nothing to count: a subrequest, not TCP, a client
 * on a unix socket, no memory. HTTP/3's streams call themselves SOCK_STREAM, and have the
 * listening socket's descriptor. */
static struct snapshot *countable(ngx_http_request_t *r)
{
	if (r != r->main || r->connection->type != SOCK_STREAM || r->http_version >= HTTP_3)
		return NULL;
	struct snapshot *s = snapshot_get(r);
	return s && s->client.family != ADDR_NONE ? s : NULL;
}

/* Now the module has to count what the probe did until now. */
static void take_over(struct snapshot *s, int fd)
{
	if (tcp_info_read(fd, &s->reading) < 0)
		return; /* nor will it be readable at the request's end */
	s->seen_retransmit = s->reading.segments_retransmitted > 0;
	s->time = ngx_current_msec;
}

/* Tells the log when a probe comes and goes, at most once a minute: it may count some connections
 * and others not. */
static void log_probe(bool there)
{
	static bool was_there;
	static ngx_msec_t quiet_until;
	if (there == was_there || (ngx_msec_int_t)(ngx_current_msec - quiet_until) < 0)
		return;
	was_there = there;
	quiet_until = ngx_current_msec + 60000;
	ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
		there ? "whereto: a probe counts the connections, requests are counted here"
		      : "whereto: no probe counts the connections, figures are approximate");
}

static void tell_probe(struct snapshot *s, int fd, uint32_t tag, enum account_probe probe)
{
	bool before = s->probed;
	int option = probe == ACCOUNT_PROBE_ALWAYS ? TAG_OPTION : TAG_OPTION_OWN;
	int rc = setsockopt(fd, TAG_LEVEL, option, &tag, sizeof(tag));
	s->tag = tag;
	s->probed = rc == 0 || probe == ACCOUNT_PROBE_ALWAYS;
	log_probe(s->probed);
	if (s->probed)
		s->seen = true; /* the probe counts connections, too */
	else if (before)
		take_over(s, fd);
}

void account_begin(ngx_http_request_t *r, const struct account_how *how)
{
	struct snapshot *s;
	if (how->probe == ACCOUNT_PROBE_NEVER || !(s = countable(r)))
		return;
	if (!how->counted && s->tag == TAG_NONE)
		return;
	if (s->asked == r && !s->probed) /* no probe a moment ago; the log will ask again */
		return;
	struct view type = how->counted ? type_early(r, how->type) : (struct view){0};
	uint32_t tag = tag_of_type(type.data, type.len);
	if (s->asked == r && s->tag == tag)
		return;
	s->asked = r;
	tell_probe(s, r->connection->fd, tag, how->probe);
}

static void start_record(struct record *rec, const struct snapshot *s, struct view type)
{
	ngx_time_t *now = ngx_timeofday();
	rec->time_ms = (uint64_t)now->sec * 1000 + now->msec;
	rec->client = s->client;
	rec->server = s->server;
	rec->type = type;
	rec->approximate = false;
	rec->rtt_count = 0;
	memset(rec->values, 0, sizeof(rec->values));
	rec->values[FIELD_requests] = 1;
}

bool account_request(ngx_http_request_t *r, const struct account_how *how, struct record *ret)
{
	struct snapshot *s = countable(r);
	if (!s)
		return false;
	s->asked = NULL;
	struct view type = how->counted ? type_of(r, how->type) : (struct view){0};
	if (how->counted && !s->probed && how->probe != ACCOUNT_PROBE_NEVER)
		tell_probe(s, r->connection->fd, tag_of_type(type.data, type.len), how->probe);
	struct tcp_reading reading;
	if (!s->probed && tcp_info_read(r->connection->fd, &reading) < 0)
		return false;

	if (how->counted)
		start_record(ret, s, type);
	if (s->probed)
		return how->counted;
	if (how->counted) {
		ret->approximate = true;
		add_tcp(ret, &reading, &s->reading);
		add_request(ret, r, s);
	}
	s->reading = reading;
	s->time = ngx_current_msec;
	return how->counted;
}

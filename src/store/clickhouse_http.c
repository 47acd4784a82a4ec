/* SPDX-License-Identifier: BSD-2-Clause */

/* One request to one server over HTTP, and its answer.
 *
 * Answers are RowBinary: rows are read as they arrive, and only one that is not whole yet is kept. The server holds
 * an answer's first megabyte back, and the rest in a file of its own, until the query has ended (wait_end_of_query):
 * an error in the middle is then a status and not the end of the rows. What is cut off on the way is seen by
 * HTTP's own framing.
 *
 * Data of an INSERT are read by libcurl from where they are, and cannot be read twice: so that it does not send
 * them again by itself over a new connection when the one that it had kept breaks after the server had got
 * them. A kept connection that was idle for two seconds is not used again, for servers close them after three.
 *
 * Every request has an end in time, or ends when the store is given up. The server is told a reader's, too. Old servers refuse settings that they do not
 * know, so each is asked once which of ours it knows. */

#include "store/clickhouse.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"

#define CONNECT_MS     5000L
#define MEET_MS        30000L  /* of the first one, which is small; a server in a cloud may have to be woken */
#define REQUEST_MS     120000L /* of a request without a deadline */
#define IDLE_S         2L
#define TRANSFER_BYTES 262144L

/* ---- errors ---- */

/* ClickHouse's own codes. */
static const struct {
	int code, error;
} error_codes[] = {
	{60, -ENOENT},    /* UNKNOWN_TABLE */
	{81, -ENOENT},    /* UNKNOWN_DATABASE */
	{159, -ETIMEDOUT}, /* TIMEOUT_EXCEEDED */
	{160, -ETIMEDOUT}, /* TOO_SLOW */
	{164, -EACCES},   /* READONLY */
	{192, -EACCES},   /* UNKNOWN_USER */
	{193, -EACCES},   /* WRONG_PASSWORD */
	{194, -EACCES},   /* REQUIRED_PASSWORD */
	{195, -EACCES},   /* IP_ADDRESS_NOT_ALLOWED */
	{202, -EBUSY},    /* TOO_MANY_SIMULTANEOUS_QUERIES */
	{203, -EBUSY},    /* NO_FREE_CONNECTION */
	{209, -EBUSY},    /* SOCKET_TIMEOUT */
	{210, -EBUSY},    /* NETWORK_ERROR */
	{216, -EBUSY},    /* QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING */
	{225, -EBUSY},    /* NO_ZOOKEEPER */
	{236, -EBUSY},    /* ABORTED: it is stopping */
	{241, -EBUSY},    /* MEMORY_LIMIT_EXCEEDED */
	{242, -EROFS},    /* TABLE_IS_READ_ONLY: its ZooKeeper is away */
	{243, -ENOSPC},   /* NOT_ENOUGH_SPACE */
	{252, -EBUSY},    /* TOO_MANY_PARTS */
	{279, -EBUSY},    /* ALL_CONNECTION_TRIES_FAILED */
	{285, -EBUSY},    /* TOO_FEW_LIVE_REPLICAS */
	{286, -EBUSY},    /* UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE */
	{291, -EACCES},   /* DATABASE_ACCESS_DENIED */
	{319, -EBUSY},    /* UNKNOWN_STATUS_OF_INSERT */
	{394, -EBUSY},    /* QUERY_WAS_CANCELLED */
	{497, -EACCES},   /* ACCESS_DENIED */
	{516, -EACCES},   /* AUTHENTICATION_FAILED */
	{999, -EBUSY},    /* KEEPER_EXCEPTION */
};

bool ch_given_up(const struct ch_url *u)
{
	return u->give_up && atomic_load_explicit(u->give_up, memory_order_relaxed);
}

int ch_no_memory(const struct ch_url *u, struct error *err)
{
	return error_set(err, -ENOMEM, "clickhouse store %s: out of memory", u->name);
}

int ch_too_late(struct error *err)
{
	return error_set(err, -ETIMEDOUT, "the query took too long: ask for a shorter range, fewer dimensions or a"
		" narrower filter");
}

static int fail(const struct ch_answer *a, int error, const char *text, struct error *err)
{
	bool other = strcmp(a->c->at, a->c->url->hosts[0]) != 0;
	return error_set(err, error, "clickhouse store %s: %s%s%s: %.300s%s", a->c->url->name, a->q->doing, other ? " at " : "",
		other ? a->c->at : "", text,
		error == -ENOSPC ? "; free some space or shorten the retention" : "");
}

/* What went wrong at another server stands in lines of its own. */
static void join_lines(char *text)
{
	char *to = text;
	for (const char *from = text; *from; from++) {
		bool blank = strchr("\r\n ", *from);
		if (!blank)
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	}
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

/* "Code: 81, e.displayText() = DB::Exception: TEXT, e.what() = DB::Exception" of old servers,
 * "Code: 81. DB::Exception: TEXT. (NAME) (version 26.7)" of new ones. */
static int server_error(struct ch_answer *a, long status, struct error *err)
{
	static const char before[] = "Exception: "; /* DB::NetException's, too */
	a->text[a->text_len] = '\0';
	if (!a->code)
		(void)sscanf(a->text, "Code: %d", &a->code);
	a->c->code = a->code;
	int error = status == 401 || status == 403 ? -EACCES : status == 503 ? -EBUSY : -EPROTO;
	for (size_t i = 0; i < ARRAY_LEN(error_codes); i++)
		if (error_codes[i].code == a->code)
			error = error_codes[i].error;
	if (strstr(a->text, "No space left on device"))
		error = -ENOSPC;
	if (error == -ETIMEDOUT)
		return ch_too_late(err);
	char *text = strstr(a->text, before), *end;
	text = text ? text + strlen(before) : a->text;
	if ((end = strstr(text, ", e.what()")) || (end = strstr(text, " (version ")))
		*end = '\0';
	join_lines(text);
	return fail(a, error, *text ? text : "an answer without a text", err);
}

static int connection_error(struct ch_answer *a, CURLcode curl, struct error *err)
{
	const char *text = *a->curl_text ? a->curl_text : curl_easy_strerror(curl);
	if (curl == CURLE_ABORTED_BY_CALLBACK)
		text = "it is not waited for any more";
	/* libcurl would send the data again, and cannot. */
	if (curl == CURLE_SEND_FAIL_REWIND)
		text = "the server closed the connection";
	char said[CURL_ERROR_SIZE + 64];
	if (curl == CURLE_SSL_CONNECT_ERROR) {
		(void)snprintf(said, sizeof(said), "%s; is this the server's port of HTTPS?", text);
		text = said;
	}
	if (curl == CURLE_OPERATION_TIMEDOUT && a->q->deadline_ns && clock_mono_ns() >= a->q->deadline_ns)
		return ch_too_late(err);
	/* Wrong certificates do not mend themselves. */
	bool refused = curl == CURLE_PEER_FAILED_VERIFICATION || curl == CURLE_SSL_CACERT_BADFILE;
	return fail(a, curl == CURLE_OUT_OF_MEMORY ? -ENOMEM : refused ? -EACCES : -EBUSY, text, err);
}

/* ---- what comes and goes ---- */

/* About once a second, and whenever there is something; not 0 ends the request. */
static int on_progress(void *ctx, curl_off_t to_come, curl_off_t come, curl_off_t to_go, curl_off_t gone)
{
	return ch_given_up(ctx);
}

/* Whole rows; keeps the rest. */
static int read_rows(struct ch_answer *a)
{
	struct rd left = rd_make(a->rows.data, a->rows.len);
	while (rd_more(&left)) {
		struct rd row = left;
		int r = a->fn(a->ctx, &row, a->err);
		if (r < 0)
			return r;
		if (!rd_ok(&row))
			break;
		if (row.p == left.p)
			return fail(a, -EBADMSG, "rows of nothing", a->err);
		left = row;
	}
	struct view rest = rd_rest(&left);
	if (rest.len)
		memmove(a->rows.data, rest.data, rest.len);
	a->rows.len = rest.len;
	return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct ch_answer *a = ctx;
	long status = 0;
	(void)curl_easy_getinfo(a->c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 || a->code) {
		size_t room = sizeof(a->text) - 1 - a->text_len, take = n < room ? n : room;
		memcpy(a->text + a->text_len, data, take);
		a->text_len += take;
		return n;
	}
	if (!a->fn)
		return n;
	struct wr w = buffer_reserve(&a->rows, n);
	wr_bytes(&w, data, n);
	buffer_commit(&a->rows, &w);
	a->result = a->rows.failed ? ch_no_memory(a->c->url, a->err) : read_rows(a);
	return a->result < 0 ? 0 : n;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	static const char name[] = "X-ClickHouse-Exception-Code:";
	struct ch_answer *a = ctx;
	char line[64];
	if (n > strlen(name) && n < sizeof(line) && strncasecmp(data, name, strlen(name)) == 0) {
		memcpy(line, data, n);
		line[n] = '\0';
		(void)sscanf(line + strlen(name), "%d", &a->code);
	}
	return n;
}

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct ch_answer *a = ctx;
	size_t room = size * n, used = 0;
	for (size_t i = 0; i < ARRAY_LEN(a->data); i++) {
		size_t left = rd_left(&a->data[i]), take = left < room - used ? left : room - used;
		rd_copy(&a->data[i], data + used, take);
		used += take;
	}
	return used;
}

/* ---- the request ---- */

static const struct {
	const char *name, *value; /* of a table's, the value is written where it is made */
} settings[CH_SETTING_COUNT] = {
	[CH_async_insert] = {"async_insert", "0"},
	[CH_cancel_http_readonly_queries_on_client_close] = {"cancel_http_readonly_queries_on_client_close", "1"},
	/* Where a replica is away the next one is asked; a shard without any is an error and not half an answer. What was just
	 * written to the first replica of a shard is read there, too. */
	[CH_connect_timeout_with_failover_ms] = {"connect_timeout_with_failover_ms", "2000"},
	[CH_load_balancing] = {"load_balancing", "in_order"},
	[CH_prefer_localhost_replica] = {"prefer_localhost_replica", "0"},
	[CH_skip_unavailable_shards] = {"skip_unavailable_shards", "0"},
	[CH_max_ast_elements] = {"max_ast_elements", "1000000"},
	[CH_max_expanded_ast_elements] = {"max_expanded_ast_elements", "1000000"},
	[CH_max_query_size] = {"max_query_size", "67108864"},
	[CH_merge_tree_fsync_after_insert] = {"merge_tree.fsync_after_insert", NULL},
	[CH_merge_tree_fsync_part_directory] = {"merge_tree.fsync_part_directory", NULL},
	[CH_merge_tree_non_replicated_deduplication_window] = {"merge_tree.non_replicated_deduplication_window", NULL},
	[CH_merge_tree_replicated_deduplication_window] = {"merge_tree.replicated_deduplication_window", NULL},
};

static void add_escaped(struct sql *s, const char *key, const char *value)
{
	char *escaped = curl_easy_escape(NULL, value, 0);
	if (escaped)
		sql_add(s, "&%s=%s", key, escaped);
	else
		s->failed = true;
	curl_free(escaped);
}

/* Milliseconds that the request may take; 0: none are left. */
static long time_left_ms(const struct ch_request *q)
{
	uint64_t now = clock_mono_ns();
	long most = q->within_ms ? q->within_ms : REQUEST_MS;
	if (!q->deadline_ns)
		return most;
	if (q->deadline_ns <= now)
		return 0;
	uint64_t ms = (q->deadline_ns - now) / NS_PER_MS + 1;
	return ms < (uint64_t)most ? (long)ms : most;
}

static void add_url(struct sql *s, const struct ch_conn *c, const struct ch_request *q, long ms)
{
	sql_add(s, "%s://%s/?wait_end_of_query=1&buffer_size=1048576", c->url->tls ? "https" : "http", c->at);
	if (!q->without_database)
		add_escaped(s, "database", c->url->database);
	if (q->query_id)
		add_escaped(s, "query_id", q->query_id);
	for (unsigned i = 0; i < CH_SETTING_COUNT; i++)
		if (settings[i].value && c->settings & 1u << i)
			sql_add(s, "&%s=%s", settings[i].name, settings[i].value);
	if (q->deadline_ns)
		sql_add(s, "&max_execution_time=%ld", ms / 1000 + 1);
	if (!q->with_data)
		return;
	/* The one block of an INSERT is not copied into another, in which it would wait for more. */
	sql_add(s, "&min_insert_block_size_rows=0&min_insert_block_size_bytes=0");
	add_escaped(s, "query", q->sql);
}

static void set_options(struct ch_answer *a, const char *url, long ms)
{
	const struct ch_request *q = a->q;
	CURL *h = a->c->curl;
	(void)curl_easy_setopt(h, CURLOPT_URL, url);
	(void)curl_easy_setopt(h, CURLOPT_HTTPHEADER, a->c->headers);
	(void)curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, ms);
	(void)curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? ms : CONNECT_MS);
	(void)curl_easy_setopt(h, CURLOPT_ERRORBUFFER, a->curl_text);
	(void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
	(void)curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(h, CURLOPT_HEADERDATA, a);
	(void)curl_easy_setopt(h, CURLOPT_READFUNCTION, on_data);
	(void)curl_easy_setopt(h, CURLOPT_READDATA, a);
	(void)curl_easy_setopt(h, CURLOPT_POSTFIELDS, q->with_data ? NULL : q->sql);
	(void)curl_easy_setopt(h, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE,
		(curl_off_t)(q->with_data ? q->data[0].len + q->data[1].len : strlen(q->sql)));
}

int ch_answer_begin(struct ch_answer *a, struct error *err)
{
	CLEANUP(sql_done) struct sql url = {0};
	long ms = time_left_ms(a->q);
	if (!ms)
		return ch_too_late(err);
	add_url(&url, a->c, a->q, ms);
	if (!a->q->sql || !sql_text(&url))
		return ch_no_memory(a->c->url, err);
	for (size_t i = 0; i < ARRAY_LEN(a->data); i++)
		a->data[i] = rd_view(a->q->data[i]);
	a->err = err;
	a->c->code = 0;
	set_options(a, sql_text(&url), ms);
	return 0;
}

int ch_answer_end(struct ch_answer *a, CURLcode curl, struct error *err)
{
	long status = 0;
	if (a->result < 0)
		return a->result;
	if (curl != CURLE_OK) {
		a->c->met = false; /* it may be another one when it is back */
		return connection_error(a, curl, err);
	}
	(void)curl_easy_getinfo(a->c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 || a->code)
		return server_error(a, status, err);
	return a->rows.len ? fail(a, -EBADMSG, "its answer ends within a row", err) : 0;
}

static int perform(struct ch_answer *a, struct error *err)
{
	int r = ch_answer_begin(a, err);
	return r < 0 ? r : ch_answer_end(a, curl_easy_perform(a->c->curl), err);
}

/* ---- meeting a server ---- */

static int add_header(struct ch_conn *c, const char *name, const char *value)
{
	CLEANUP(sql_done) struct sql line = {0};
	sql_add(&line, "%s: %s", name, value);
	struct curl_slist *list = sql_text(&line) ? curl_slist_append(c->headers, sql_text(&line)) : NULL;
	explicit_bzero(line.text, line.text ? line.len : 0);
	if (!list)
		return -ENOMEM;
	c->headers = list;
	return 0;
}

static int make_headers(struct ch_conn *c, struct error *err)
{
	char secret[SECRET_BYTES_MAX + 1];
	const char *password = c->url->password;
	curl_slist_free_all(c->headers);
	c->headers = NULL;
	if (c->url->password_file) {
		int r = secret_read(c->url->password_file, SECRET_BYTES_MAX, secret, err);
		if (r < 0)
			return error_prefix(err, "clickhouse store %s: its password", c->url->name);
		password = secret;
	}
	int r = add_header(c, "X-ClickHouse-User", c->url->user);
	if (r == 0 && password)
		r = add_header(c, "X-ClickHouse-Key", password);
	if (r == 0 && !curl_slist_append(c->headers, "Expect:"))
		r = -ENOMEM;
	explicit_bzero(secret, sizeof(secret));
	return r < 0 ? ch_no_memory(c->url, err) : 0;
}

static int on_setting(void *ctx, struct rd *r, struct error *err)
{
	struct ch_conn *c = ctx;
	struct view name = ch_read_string(r);
	for (unsigned i = 0; i < CH_SETTING_COUNT && rd_ok(r); i++)
		if (strlen(settings[i].name) == name.len && memcmp(settings[i].name, name.data, name.len) == 0)
			c->settings |= 1u << i;
	return 0;
}

static int select_rows(struct ch_conn *c, const struct ch_request *q, ch_row_fn *fn, void *ctx, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "%s FORMAT RowBinary", q->sql ? q->sql : "");
	struct ch_request with_format = *q;
	with_format.sql = q->sql ? sql_text(&sql) : NULL;
	struct ch_answer a = {.c = c, .q = &with_format, .fn = fn, .ctx = ctx};
	int r = perform(&a, err);
	buffer_done(&a.rows);
	return r;
}

int ch_conn_meet(struct ch_conn *c, uint64_t deadline_ns, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	struct ch_request q = {.doing = "connecting", .deadline_ns = deadline_ns, .within_ms = MEET_MS,
		.without_database = true};
	if (c->met)
		return 0;
	int r = make_headers(c, err);
	if (r < 0)
		return r;
	sql_add(&sql, "SELECT name FROM (SELECT name FROM system.settings UNION ALL SELECT concat('merge_tree.', name) AS name"
		" FROM system.merge_tree_settings) WHERE name IN (");
	for (unsigned i = 0; i < CH_SETTING_COUNT; i++)
		sql_add(&sql, "%s'%s'", i ? ", " : "", settings[i].name);
	sql_add(&sql, ")");
	c->settings = 0;
	q.sql = sql_text(&sql);
	r = select_rows(c, &q, on_setting, c, err);
	c->met = r == 0;
	return r;
}

int ch_conn_init(struct ch_conn *c, const struct ch_url *url, const char *at, struct error *err)
{
	*c = (struct ch_conn){.url = url, .curl = curl_easy_init()};
	if (!c->curl)
		return ch_no_memory(url, err);
	(void)snprintf(c->at, sizeof(c->at), "%s", at);
	(void)curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c->curl, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(c->curl, CURLOPT_MAXAGE_CONN, IDLE_S);
	(void)curl_easy_setopt(c->curl, CURLOPT_BUFFERSIZE, TRANSFER_BYTES);
	(void)curl_easy_setopt(c->curl, CURLOPT_UPLOAD_BUFFERSIZE, TRANSFER_BYTES);
	(void)curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, url);
	if (url->ca_file)
		(void)curl_easy_setopt(c->curl, CURLOPT_CAINFO, url->ca_file);
	return 0;
}

void ch_conn_done(struct ch_conn *c)
{
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	*c = (struct ch_conn){0};
}

int ch_run(struct ch_conn *c, const struct ch_request *q, struct error *err)
{
	struct ch_answer a = {.c = c, .q = q};
	int r = ch_conn_meet(c, q->deadline_ns, err);
	return r < 0 ? r : perform(&a, err);
}

int ch_select(struct ch_conn *c, const struct ch_request *q, ch_row_fn *fn, void *ctx, struct error *err)
{
	int r = ch_conn_meet(c, q->deadline_ns, err);
	return r < 0 ? r : select_rows(c, q, fn, ctx, err);
}

struct number {
	unsigned bytes;
	uint64_t value;
	bool there;
};

static int on_number(void *ctx, struct rd *r, struct error *err)
{
	struct number *n = ctx;
	uint64_t value = rd_le(r, n->bytes);
	if (!rd_ok(r))
		return 0;
	n->value = value;
	n->there = true;
	return 0;
}

int ch_number(struct ch_conn *c, const struct ch_request *q, unsigned bytes, uint64_t *ret, struct error *err)
{
	struct number n = {.bytes = bytes};
	int r = ch_select(c, q, on_number, &n, err);
	if (r == 0 && n.there)
		*ret = n.value;
	return r;
}

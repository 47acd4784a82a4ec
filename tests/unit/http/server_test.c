/* SPDX-License-Identifier: BSD-2-Clause */

/* A live server on a port the kernel chose, asked by libcurl: every endpoint, every refusal, many
 * clients at once. The store and the collector behind it are fakes; the query engine is real. */

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "http/call.h"
#include "http/web.h"
#include "query/query.h"
#include "wt_test.h"

#define HOUR 1795428000ull /* 2026-11-23T10:00:00Z */
#define RANGE "from=2026-11-23T10:00:00Z&to=2026-11-23T11:00:00Z"
#define TOKEN "correct horse battery staple"

struct fixture {
	struct fake_store *store;
	struct http_server *server;
};

static struct http_server *serve(struct fake_store *store, const char *token)
{
	struct http_backend backend = fake_backend(store);
	struct hostport at[2] = {{.port = 0}, {.port = 0}};
	struct http_server *server;
	struct error err;
	assert_int_equal(addr_parse("127.0.0.1", &at[0].addr), 0);
	assert_int_equal(addr_parse("127.0.0.2", &at[1].addr), 0);
	if (http_new(&(struct http_config){.listen = at, .listen_count = 2, .token = token, .threads = 4}, &backend, &server, &err) < 0)
		fail_msg("%s", err.text);
	return server;
}

/* Three origins in three minutes: 64500 sends 1000, 2000, 3000 bytes; 64501 sends 500 each time;
 * 64502 sends 1, 0 and 1; and 7 bytes of unknown origin. */
static void fill(struct fake_store *s)
{
	static const uint64_t bytes[3][3] = {{1000, 500, 1}, {2000, 500, 0}, {3000, 500, 1}};
	for (unsigned minute = 0; minute < 3; minute++)
		for (unsigned i = 0; i < 3; i++) {
			struct store_row *row = fake_store_row(s, HOUR + minute * 60);
			row->values[DIM_origin] = fake_number(64500 + i);
			row->values[DIM_router] = fake_text(i ? "edge1" : "edge2");
			row->values[DIM_type] = fake_text(i == 2 ? "a,b" : "video");
			row->m.v[MEASURE_bytes_sent] = bytes[minute][i];
			row->m.v[MEASURE_packets_sent] = 100;
			row->m.v[MEASURE_packets_retransmitted] = i;
			row->m.v[MEASURE_records] = 1;
		}
	fake_store_row(s, HOUR + 180)->m.v[MEASURE_bytes_sent] = 7;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	f->store = fake_store_new();
	fill(f->store);
	f->server = serve(f->store, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	http_free(f->server);
	assert_int_equal(f->store->readers_open, 0);
	fake_store_free(f->store);
	free(f);
	return 0;
}

/* ---- a client ---- */

struct answer {
	long status;
	char *head, *body;
	size_t head_len, body_len;
};

struct request {
	const char *path, *method, *header, *post;
	size_t listener;
};

static struct answer ask_with(const struct http_server *server, const struct request *req)
{
	struct answer a = {0};
	struct hostport at = http_bound(server, req->listener);
	char url[1024], host[HOSTPORT_TEXT_MAX];
	(void)snprintf(url, sizeof(url), "http://%s%s", hostport_format(&at.addr, at.port, host), req->path);
	FILE *body = open_memstream(&a.body, &a.body_len), *head = open_memstream(&a.head, &a.head_len);
	struct curl_slist *headers = req->header ? curl_slist_append(NULL, req->header) : NULL;
	CURL *c = curl_easy_init();
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 30L);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, head);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	if (req->post)
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, req->post);
	if (req->method && strcmp(req->method, "HEAD") == 0)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	else if (req->method)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, req->method);
	CURLcode rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a.status);
	curl_easy_cleanup(c);
	curl_slist_free_all(headers);
	(void)fclose(body);
	(void)fclose(head);
	if (rc != CURLE_OK)
		fail_msg("%s: %s", url, curl_easy_strerror(rc));
	return a;
}

static struct answer ask(const struct http_server *server, const char *path)
{
	return ask_with(server, &(struct request){.path = path});
}

static void answer_done(struct answer *a)
{
	free(a->head);
	free(a->body);
}

/* The body of a 200 as JSON; ends the answer. */
static json_t *ask_json(const struct http_server *server, const char *path)
{
	struct answer a = ask(server, path);
	if (a.status != 200)
		fail_msg("%s: status %ld: %s", path, a.status, a.body);
	assert_non_null(strstr(a.head, "Content-Type: application/json\r\n"));
	json_error_t err;
	json_t *json = json_loads(a.body, JSON_REJECT_DUPLICATES, &err);
	if (!json)
		fail_msg("%s: %s in %s", path, err.text, a.body);
	answer_done(&a);
	return json;
}

/* A refusal: the status, and {"error": "..."} with this text in it. */
static void expect_error(const struct http_server *server, const struct request *req, long status, const char *says)
{
	struct answer a = ask_with(server, req);
	if (a.status != status)
		fail_msg("%s: status %ld, want %ld: %s", req->path, a.status, status, a.body);
	json_t *json = json_loads(a.body, JSON_REJECT_DUPLICATES, NULL);
	const char *text = json_string_value(json_object_get(json, "error"));
	if (!text || !strstr(text, says))
		fail_msg("%s: got %s, want \"%s\"", req->path, a.body, says);
	assert_non_null(strstr(a.head, "X-Content-Type-Options: nosniff\r\n"));
	json_decref(json);
	answer_done(&a);
}

static uint64_t number_at(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);
	if (!json_is_integer(v))
		fail_msg("%s is no whole number", key);
	return (uint64_t)json_integer_value(v);
}

/* rows + other = total for every figure of total that is a whole number. */
static void check_sums(const json_t *answer)
{
	const json_t *rows = json_object_get(answer, "rows"), *other = json_object_get(answer, "other"), *row, *v;
	const char *key;
	size_t i;
	json_object_foreach(json_object_get(answer, "total"), key, v) {
		if (!json_is_integer(v))
			continue;
		uint64_t sum = number_at(other, key);
		json_array_foreach(rows, i, row)
			sum += number_at(row, key);
		assert_int_equal(sum, json_integer_value(v));
	}
}

/* ---- top ---- */

static void top(void **state)
{
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/api/v1/top?limit=2&" RANGE);
	const json_t *rows = json_object_get(answer, "rows"), *row = json_array_get(rows, 0);
	assert_int_equal(json_array_size(rows), 2);
	assert_int_equal(number_at(row, "origin"), 64500);
	assert_string_equal(json_string_value(json_object_get(row, "origin_name")), "Example, Net");
	assert_int_equal(number_at(row, "bytes_sent"), 6000);
	assert_true(json_real_value(json_object_get(row, "share")) == 6000.0 / 7509);
	assert_int_equal(number_at(json_array_get(rows, 1), "origin"), 64501);
	assert_int_equal(number_at(json_object_get(answer, "other"), "bytes_sent"), 9);
	assert_int_equal(number_at(json_object_get(answer, "total"), "bytes_sent"), 7509);
	assert_string_equal(json_string_value(json_object_get(answer, "from")), "2026-11-23T10:00:00Z");
	assert_string_equal(json_string_value(json_object_get(answer, "to")), "2026-11-23T11:00:00Z");
	assert_true(f->store->settled > 0);
	check_sums(answer);
	json_decref(answer);
}

static void top_unknown_is_null(void **state)
{
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/api/v1/top?order=asc&limit=2&" RANGE);
	bool seen = false;
	size_t i;
	const json_t *row;
	json_array_foreach(json_object_get(answer, "rows"), i, row) {
		seen |= json_is_null(json_object_get(row, "origin")) && number_at(row, "bytes_sent") == 7;
		assert_true(json_is_null(json_object_get(row, "rtt_p50_us")));
	}
	assert_true(seen);
	json_decref(answer);
}

static void top_filter_and_plus(void **state)
{
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/api/v1/top?by=router&filter=router:edge1+origin:64501&" RANGE);
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1);
	assert_int_equal(number_at(json_object_get(answer, "total"), "bytes_sent"), 1500);
	json_decref(answer);
}

static void top_empty_range(void **state)
{
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/api/v1/top?from=1000000000&to=1000003600");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 0);
	assert_true(json_is_null(json_object_get(json_object_get(answer, "total"), "share")));
	check_sums(answer);
	json_decref(answer);
}

static void top_csv(void **state)
{
	struct fixture *f = *state;
	const struct request asks[] = {
		{.path = "/api/v1/top?by=type&format=csv&" RANGE},
		{.path = "/api/v1/top?by=type&" RANGE, .header = "Accept: text/csv"},
	};
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct answer a = ask_with(f->server, &asks[i]);
		assert_int_equal(a.status, 200);
		assert_non_null(strstr(a.head, "Content-Type: text/csv"));
		assert_int_equal(strncmp(a.body, "type,bytes_sent,", 16), 0);
		assert_non_null(strstr(a.body, "\r\nvideo,7500,"));
		assert_non_null(strstr(a.body, "\r\n\"a,b\",2,"));
		answer_done(&a);
	}
	struct answer a = ask_with(f->server, &(struct request){
		.path = "/api/v1/top?format=json&" RANGE, .header = "Accept: text/csv"});
	assert_int_equal(a.body[0], '{');
	answer_done(&a);
}

/* ---- series ---- */

static void series_of_everything(void **state)
{
	static const uint64_t bytes[] = {1501, 2500, 3501, 7};
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/api/v1/series?step=1m&" RANGE);
	const json_t *rows = json_object_get(answer, "rows");
	assert_int_equal(number_at(answer, "step"), 60);
	assert_int_equal(json_array_size(rows), 4);
	for (size_t i = 0; i < 4; i++) {
		char time[32];
		(void)snprintf(time, sizeof(time), "2026-11-23T10:%02zu:00Z", i);
		assert_string_equal(json_string_value(json_object_get(json_array_get(rows, i), "time")), time);
		assert_int_equal(number_at(json_array_get(rows, i), "bytes_sent"), bytes[i]);
	}
	check_sums(answer);
	json_decref(answer);
}

static void series_of_groups(void **state)
{
	static const struct {
		unsigned minute;
		uint64_t origin, bytes;
	} want[] = {{0, 64500, 1000}, {0, 64501, 500}, {1, 64500, 2000}, {1, 64501, 500}, {2, 64500, 3000},
		{2, 64501, 500}};
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/api/v1/series?by=origin&limit=2&step=1m&" RANGE);
	const json_t *rows = json_object_get(answer, "rows");
	assert_int_equal(json_array_size(rows), ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		const json_t *row = json_array_get(rows, i);
		char time[32];
		(void)snprintf(time, sizeof(time), "2026-11-23T10:%02u:00Z", want[i].minute);
		assert_string_equal(json_string_value(json_object_get(row, "time")), time);
		assert_int_equal(number_at(row, "origin"), want[i].origin);
		assert_int_equal(number_at(row, "bytes_sent"), want[i].bytes);
	}
	assert_int_equal(number_at(json_object_get(answer, "other"), "bytes_sent"), 9);
	assert_int_equal(number_at(json_object_get(answer, "total"), "bytes_sent"), 7509);
	check_sums(answer);
	json_decref(answer);
}

/* With two dimensions the second query's filter lets combinations through that are no group. */
static void series_of_pairs(void **state)
{
	struct fixture *f = *state;
	struct store_row *row = fake_store_row(f->store, HOUR);
	row->values[DIM_origin] = fake_number(64500);
	row->values[DIM_router] = fake_text("edge1");
	row->m.v[MEASURE_bytes_sent] = 3;
	json_t *answer = ask_json(f->server, "/api/v1/series?by=origin,router&limit=2&step=1m&" RANGE);
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 6);
	assert_int_equal(number_at(json_object_get(answer, "other"), "bytes_sent"), 12);
	assert_int_equal(number_at(json_object_get(answer, "total"), "bytes_sent"), 7512);
	check_sums(answer);
	json_decref(answer);
}

/* An unknown value is a group like any other; names that need quotes are found again. */
static void series_of_odd_values(void **state)
{
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/api/v1/series?by=type&step=1m&" RANGE);
	assert_int_equal(number_at(json_object_get(answer, "other"), "bytes_sent"), 0);
	check_sums(answer);
	json_decref(answer);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[] = {"null", "say \"hi\"", "back\\slash"};
		struct store_row *row = fake_store_row(f->store, HOUR + i * 60);
		row->values[DIM_type] = fake_text(names[i]);
		row->m.v[MEASURE_bytes_sent] = 10000 + i;
	}
	answer = ask_json(f->server, "/api/v1/series?by=type&step=1m&limit=3&" RANGE);
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 3);
	check_sums(answer);
	json_decref(answer);
}

/* Every combination of step, limit and dimensions over random rows adds up. */
static void series_random(void **state)
{
	static const char *const bys[] = {"", "origin", "router", "origin,router", "country,origin,type", "prefix"};
	static const char *const types[] = {"video", "api", "null"};
	struct fixture *f = *state;
	f->store->row_count = 0;
	for (int i = 0; i < 1000; i++) {
		struct store_row *row = fake_store_row(f->store, HOUR + wt_random_below(60) * 60);
		if (wt_random_below(8))
			row->values[DIM_origin] = fake_number(64500 + wt_random_below(20));
		if (wt_random_below(8))
			row->values[DIM_country] = fake_number('D' << 8 | ('A' + wt_random_below(5)));
		if (wt_random_below(8))
			row->values[DIM_type] = fake_text(types[wt_random_below(3)]);
		row->values[DIM_router] = fake_text(wt_random_below(2) ? "edge1" : "edge2");
		row->values[DIM_prefix] = fake_prefix(wt_random_below(2) ? "192.0.2.0/24" : "2001:db8::/32");
		for (int m = 0; m < MEASURE_COUNT; m++)
			row->m.v[m] = wt_random_below(1000);
	}
	json_t *whole = ask_json(f->server, "/api/v1/top?" RANGE);
	uint64_t bytes = number_at(json_object_get(whole, "total"), "bytes_sent");
	for (size_t i = 0; i < ARRAY_LEN(bys); i++)
		for (unsigned step = 1; step <= 60; step *= 4) {
			char path[256];
			(void)snprintf(path, sizeof(path), "/api/v1/series?by=%s&step=%um&limit=%u&%s", bys[i],
				step == 64 ? 60 : step, 1 + (unsigned)wt_random_below(12), RANGE);
			json_t *answer = ask_json(f->server, path);
			assert_int_equal(number_at(json_object_get(answer, "total"), "bytes_sent"), bytes);
			check_sums(answer);
			json_decref(answer);
		}
	json_decref(whole);
}

/* As CSV the earlier range stands beside this one, also where only one of them has traffic. */
static void series_pairs(void **state)
{
	static const struct {
		uint64_t time_s, bytes;
	} rows[] = {{HOUR - 3600, 1}, {HOUR - 3300, 2}, {HOUR, 10}, {HOUR + 180, 20}};
	struct fixture *f = *state;
	f->store->row_count = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		fake_store_row(f->store, rows[i].time_s)->m.v[MEASURE_bytes_sent] = rows[i].bytes;
	struct answer a = ask(f->server, "/api/v1/series?step=1m&compare=1h&fields=bytes_sent&format=csv&percentile=95&" RANGE);
	assert_string_equal(a.body, "time,bytes_sent,previous_bytes_sent\r\n2026-11-23T10:00:00Z,10,1\r\n2026-11-23T10:03:00Z,20,0\r\n"
		"2026-11-23T10:05:00Z,0,2\r\n");
	answer_done(&a);
	a = ask(f->server, "/api/v1/series?by=type&step=1m&compare=1h&fields=bytes_sent&format=csv&" RANGE);
	assert_non_null(strstr(a.body, "time,type,bytes_sent\r\n"));
	answer_done(&a);
}

/* ---- changes ---- */

/* Four in the hour, of two routers; one of them without a route before, one with none after. */
static void fill_changes(struct fake_store *s)
{
	static const struct {
		unsigned ms;
		const char *router, *prefix, *before, *after;
	} changes[] = {
		{3000500, "edge1", "192.0.2.0/24", "64500 64511", "174 64511 {1,2}"},
		{3000500, "edge, 2", "192.0.2.128/25", NULL, "64500"},
		{1000, "edge1", "2001:db8::/32", "64500", NULL},
		{0, NULL, "0.0.0.0/0", "", "64500 64500"},
	};
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct store_change *c = fake_store_change(s, HOUR * 1000 + changes[i].ms);
		c->prefix = fake_prefix(changes[i].prefix);
		if (changes[i].router)
			c->router = fake_text(changes[i].router);
		if (changes[i].before)
			c->before = fake_path(changes[i].before);
		if (changes[i].after)
			c->after = fake_path(changes[i].after);
	}
}

static void changes(void **state)
{
	struct fixture *f = *state;
	fill_changes(f->store);
	int settled = f->store->settled;
	struct answer a = ask(f->server, "/api/v1/changes?" RANGE);
	assert_string_equal(a.body, "{\"from\":\"2026-11-23T10:00:00Z\",\"to\":\"2026-11-23T11:00:00Z\",\"rows\":["
		"{\"time\":\"2026-11-23T10:50:00.500Z\",\"router\":\"edge1\",\"prefix\":\"192.0.2.0/24\","
		"\"before\":\"64500 64511\",\"before_hops\":[{\"as\":64500,\"name\":\"Example, Net\"},{\"as\":64511,\"name\":null}],"
		"\"after\":\"174 64511 {1,2}\",\"after_hops\":[{\"as\":174,\"name\":null},{\"as\":64511,\"name\":null},{\"as\":1,\"name\":null},{\"as\":2,\"name\":null}]},"
		"{\"time\":\"2026-11-23T10:50:00.500Z\",\"router\":\"edge, 2\",\"prefix\":\"192.0.2.128/25\","
		"\"before\":null,\"before_hops\":null,\"after\":\"64500\",\"after_hops\":[{\"as\":64500,\"name\":\"Example, Net\"}]},"
		"{\"time\":\"2026-11-23T10:00:01Z\",\"router\":\"edge1\",\"prefix\":\"2001:db8::/32\","
		"\"before\":\"64500\",\"before_hops\":[{\"as\":64500,\"name\":\"Example, Net\"}],\"after\":null,\"after_hops\":null},"
		"{\"time\":\"2026-11-23T10:00:00Z\",\"router\":null,\"prefix\":\"0.0.0.0/0\","
		"\"before\":\"\",\"before_hops\":[],\"after\":\"64500 64500\",\"after_hops\":[{\"as\":64500,\"name\":\"Example, Net\"}]}],\"more\":false,\"next\":null}");
	assert_int_equal(f->store->settled, settled + 1);
	answer_done(&a);
}

static void changes_chosen(void **state)
{
	static const struct {
		const char *params;
		size_t rows;
		bool more;
	} cases[] = {
		{"limit=1", 1, true}, {"limit=3", 3, true}, {"limit=4", 4, false}, {"router=edge1", 2, false},
		{"router=edge,+2", 1, false}, {"router=stranger", 0, false}, {"prefix=192.0.2.0/24", 1, false},
		{"within=192.0.2.0/24", 2, false}, {"within=0.0.0.0/0&limit=2", 2, true}, {"within=::/0&router=edge1", 1, false},
		{"prefix=192.0.2.9", 0, false}, {"filter=router:edge1", 2, false}, {"filter=via:64500", 4, false},
		{"filter=via:64500&limit=2", 2, true}, {"filter=-origin:64500", 1, false}, {"filter=neighbour:174+-router:%22edge,+2%22", 1, false},
		{"filter=origin:64500&within=192.0.2.0/24", 1, false}, {"filter=prefix:192.0.2.0/24&router=stranger", 0, false},
	};
	struct fixture *f = *state;
	fill_changes(f->store);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[256];
		(void)snprintf(path, sizeof(path), "/api/v1/changes?%s&%s", cases[i].params, RANGE);
		json_t *answer = ask_json(f->server, path);
		assert_int_equal(json_array_size(json_object_get(answer, "rows")), cases[i].rows);
		assert_true(json_is_boolean(json_object_get(answer, "more")));
		assert_int_equal(json_is_true(json_object_get(answer, "more")), cases[i].more);
		json_decref(answer);
	}
	json_t *answer = ask_json(f->server, "/api/v1/changes?from=2026-11-23T10:00:01Z&to=2026-11-23T10:50:00Z");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1);
	json_decref(answer);
	json_decref(ask_json(f->server, "/api/v1/changes?last=forever"));
}

/* One a page, until there are no more: all, each once, whatever else is asked. */
static void changes_paged(void **state)
{
	static const struct {
		const char *params;
		size_t rows;
	} cases[] = {{RANGE, 4}, {RANGE "&router=edge1", 2}, {RANGE "&filter=via:64500", 4}, {RANGE "&filter=-origin:64500", 1}};
	struct fixture *f = *state;
	fill_changes(f->store);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[256], after[128] = "";
		size_t rows = 0;
		for (bool more = true; more; rows++) {
			(void)snprintf(path, sizeof(path), "/api/v1/changes?limit=1%s&%s", after, cases[i].params);
			json_t *answer = ask_json(f->server, path);
			const char *next = json_string_value(json_object_get(answer, "next"));
			assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1);
			more = json_is_true(json_object_get(answer, "more"));
			assert_int_equal(next != NULL, more);
			(void)snprintf(after, sizeof(after), "&after=%s", next ? next : "");
			json_decref(answer);
		}
		assert_int_equal(rows, cases[i].rows);
	}
	json_t *answer = ask_json(f->server, "/api/v1/changes?after=1-1-1-none&" RANGE);
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 0);
	json_decref(answer);
}

static void changes_csv(void **state)
{
	struct fixture *f = *state;
	fill_changes(f->store);
	struct answer a = ask_with(f->server, &(struct request){.path = "/api/v1/changes?limit=3&" RANGE,
		.header = "Accept: text/csv"});
	assert_non_null(strstr(a.head, "Content-Type: text/csv"));
	assert_string_equal(a.body, "time,router,prefix,before,after\r\n"
		"2026-11-23T10:50:00.500Z,edge1,192.0.2.0/24,64500 64511,\"174 64511 {1,2}\"\r\n"
		"2026-11-23T10:50:00.500Z,\"edge, 2\",192.0.2.128/25,,64500\r\n"
		"2026-11-23T10:00:01Z,edge1,2001:db8::/32,64500,\r\n");
	answer_done(&a);
}

static void changes_refused(void **state)
{
	static const struct {
		const char *params, *says;
	} cases[] = {
		{"prefix=192.0.2.1/24", "parameter 'prefix'"}, {"within=nowhere", "parameter 'within'"},
		{"prefix=::/0&within=::/0", "exclude each other"}, {"within=::/0&prefix=::/0", "exclude each other"},
		{"router=", "'router'"}, {"limit=0", "'limit'"}, {"by=origin", "unknown parameter 'by'"},
		{"filter=country:DE", "'country' is of traffic"}, {"filter=route:edge1", "there is no dimension"}, {"last=1h&from=-2h", "exclude each other"},
		{"from=now&to=-1h", "the range is empty"}, {"after=1-2-3", "parameter 'after': '1-2-3' is no place"}, {"after=1-2-3-", "is no place"},
		{"after=1-2--x", "is no place"}, {"after=-1-2-3-x", "is no place"}, {"after=1111111111111111111-2-3-x", "is no place"},
		{"after=1-2-3-0123456789012345678901234567890123456789012345678901234567890123456", "is no place"},
	};
	struct fixture *f = *state;
	fill_changes(f->store);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[256];
		(void)snprintf(path, sizeof(path), "/api/v1/changes?%s", cases[i].params);
		expect_error(f->server, &(struct request){.path = path}, 400, cases[i].says);
	}
	expect_error(f->server, &(struct request){.path = "/api/v1/top?within=::/0"}, 400, "unknown parameter 'within'");
	/* Rows had been written when it failed: none of them is seen. */
	f->store->fail = -EIO;
	expect_error(f->server, &(struct request){.path = "/api/v1/changes?" RANGE}, 500, "on purpose");
	f->store->fail = -ETIMEDOUT;
	expect_error(f->server, &(struct request){.path = "/api/v1/changes?format=csv&" RANGE}, 503, "on purpose");
}

/* ---- the others ---- */

static void lookup(void **state)
{
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/api/v1/lookup?address=2001:db8::1&router=edge1");
	assert_string_equal(json_string_value(json_object_get(answer, "address")), "2001:db8::1");
	json_decref(answer);
	expect_error(f->server, &(struct request){.path = "/api/v1/lookup"}, 400, "'address' is missing");
	expect_error(f->server, &(struct request){.path = "/api/v1/lookup?address=192.0.2"}, 400, "'192.0.2'");
	expect_error(f->server, &(struct request){.path = "/api/v1/lookup?address=::1&router="}, 400, "'router'");
	expect_error(f->server, &(struct request){.path = "/api/v1/lookup?address=::1&router=x"}, 404,
		"parameter 'router': no router 'x'");
}

static void backend_objects(void **state)
{
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/api/v1/senders");
	assert_int_equal(number_at(json_object_get(answer, "refused"), "bad_tag"), 3);
	json_decref(answer);
	answer = ask_json(f->server, "/api/v1/routers");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1);
	json_decref(answer);
	f->store->fail = -EIO;
	expect_error(f->server, &(struct request){.path = "/api/v1/routers"}, 503, "no answer");
}

static void health(void **state)
{
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/healthz");
	assert_string_equal(json_string_value(json_object_get(answer, "status")), "ok");
	json_decref(answer);
	f->store->fail = -EIO;
	expect_error(f->server, &(struct request){.path = "/healthz"}, 503, "the store is away");
}

static void index_page(void **state)
{
	struct fixture *f = *state;
	struct answer a = ask(f->server, "/api");
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.body, "/api/v1/top"));
	assert_non_null(strstr(a.head, "Content-Type: text/html"));
	assert_non_null(strstr(a.head, "Content-Security-Policy: default-src 'none'"));
	assert_non_null(strstr(a.head, "Cache-Control: no-store"));
	answer_done(&a);
}

static void about(void **state)
{
	struct fixture *f = *state;
	json_t *answer = ask_json(f->server, "/api/v1/about");
	assert_string_equal(json_string_value(json_object_get(answer, "name")), "fake");
	assert_string_equal(json_string_value(json_object_get(answer, "notice")), "not real");
	json_decref(answer);
}

/* Packed and unpacked it is the same file; what hasn't changed is not sent again. */
static void dashboard_file(const struct http_server *server, const struct web_file *file)
{
	char match[128];
	struct answer plain = ask(server, file->path);
	struct answer packed = ask_with(server, &(struct request){.path = file->path, .header = "Accept-Encoding: br, gzip"});
	assert_int_equal(plain.status, 200);
	assert_int_equal(plain.body_len, file->plain_len);
	assert_null(strstr(plain.head, "Content-Encoding"));
	assert_int_equal(packed.body_len, file->end - file->start);
	assert_memory_equal(packed.body, file->start, packed.body_len);
	assert_non_null(strstr(packed.head, "Content-Encoding: gzip"));
	assert_non_null(strstr(packed.head, file->etag));
	assert_non_null(strstr(packed.head, file->hashed ? "immutable" : "Cache-Control: no-cache"));
	assert_null(strstr(packed.head, "no-store"));
	assert_null(strstr(packed.head, "unsafe"));
	answer_done(&plain);
	answer_done(&packed);
	(void)snprintf(match, sizeof(match), "If-None-Match: \"another\", %s", file->etag);
	struct answer same = ask_with(server, &(struct request){.path = file->path, .header = match});
	assert_int_equal(same.status, 304);
	assert_int_equal(same.body_len, 0);
	answer_done(&same);
}

static void dashboard(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < web_file_count; i++)
		dashboard_file(f->server, &web_files[i]);
	struct answer a = ask(f->server, "/?last=1h&filter=country:DE"); /* read by the page, not by the server */
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.head, "Content-Type: text/html"));
	if (!web_file_count)
		assert_non_null(strstr(a.body, web_missing));
	answer_done(&a);
	a = ask_with(f->server, &(struct request){.path = "/", .header = "Accept-Encoding: gzip;q=0"});
	assert_non_null(strstr(a.body, "<html"));
	answer_done(&a);
}

/* Every line is a comment or NAME{labels} VALUE; every family has TYPE and HELP; # EOF ends it. */
static void metrics(void **state)
{
	struct fixture *f = *state;
	struct answer a = ask(f->server, "/api/v1/senders");
	answer_done(&a);
	a = ask(f->server, "/no");
	answer_done(&a);
	a = ask(f->server, "/metrics");
	assert_non_null(strstr(a.head, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(a.body, "\nwhereto_fake 1\n"));
	assert_non_null(strstr(a.body,
		"\nwhereto_http_requests_total{endpoint=\"/api/v1/senders\",status=\"200\"} 1\n"));
	assert_non_null(strstr(a.body, "\nwhereto_http_requests_total{endpoint=\"unknown\",status=\"404\"} 1\n"));
	assert_non_null(strstr(a.body, "\nwhereto_http_request_seconds_bucket{endpoint=\"/api/v1/senders\",le=\"30.0\"} 1\n"));
	assert_non_null(strstr(a.body, "\nwhereto_http_request_seconds_bucket{endpoint=\"/api/v1/senders\",le=\"+Inf\"} 1\n"));
	assert_non_null(strstr(a.body, "\nwhereto_http_request_seconds_count{endpoint=\"/api/v1/senders\"} 1\n"));
	assert_non_null(strstr(a.body, "\n# TYPE whereto_http_requests_total counter\n# HELP whereto_http_requests_total "));
	assert_null(strstr(a.body, "# EOF"));
	char *rest = a.body;
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		char *value = strrchr(line, ' '), *end;
		assert_non_null(value);
		if (strncmp(line, "# TYPE ", 7) == 0 || strncmp(line, "# HELP ", 7) == 0)
			continue;
		(void)strtod(value + 1, &end);
		assert_true(end > value + 1 && *end == '\0');
		assert_int_equal(strncmp(line, "whereto_", 8), 0);
	}
	answer_done(&a);
	a = ask_with(f->server, &(struct request){.path = "/metrics",
		.header = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5"});
	assert_non_null(strstr(a.head, "Content-Type: application/openmetrics-text; version=1.0.0"));
	assert_non_null(strstr(a.body, "\n# TYPE whereto_http_requests counter\n# HELP whereto_http_requests "));
	assert_string_equal(a.body + a.body_len - 6, "# EOF\n");
	answer_done(&a);
}

/* ---- refusals ---- */

static void refusals(void **state)
{
	struct fixture *f = *state;
	expect_error(f->server, &(struct request){.path = "/no"}, 404, "no such path");
	expect_error(f->server, &(struct request){.path = "/api/v1/top/"}, 404, "no such path");
	expect_error(f->server, &(struct request){.path = "/api/v1/top?bye=origin"}, 400, "unknown parameter 'bye'");
	expect_error(f->server, &(struct request){.path = "/healthz?x=1"}, 400, "unknown parameter 'x'");
	expect_error(f->server, &(struct request){.path = "/api/v1/top?by"}, 400, "'by' has no value");
	expect_error(f->server, &(struct request){.path = "/api/v1/top?by=origin&by=type"}, 400, "given twice");
	expect_error(f->server, &(struct request){.path = "/api/v1/top?by=origin%00x"}, 400, "zero byte");
	expect_error(f->server, &(struct request){.path = "/api/v1/top?%ff=1"}, 400, "unknown parameter '?'");
	expect_error(f->server, &(struct request){.path = "/api/v1/top?limit=x"}, 400, "parameter 'limit': 'x'");
	expect_error(f->server, &(struct request){.path = "/api/v1/series?by=size"}, 400, "parameter 'by': 'size'");
	expect_error(f->server, &(struct request){.path = "/api/v1/top", .post = "a=b"}, 405, "only GET and HEAD");
	expect_error(f->server, &(struct request){.path = "/", .method = "DELETE"}, 405, "only GET and HEAD");
	expect_error(f->server, &(struct request){.path = "/", .method = "GET", .post = "body"}, 413, "body");
	struct answer a = ask_with(f->server, &(struct request){.path = "/", .method = "PUT"});
	assert_non_null(strstr(a.head, "Allow: GET, HEAD, OPTIONS\r\n"));
	answer_done(&a);
}

static void store_errors(void **state)
{
	static const struct {
		int code;
		long status;
	} cases[] = {{-EIO, 500}, {-EBUSY, 503}, {-ETIMEDOUT, 503}, {-E2BIG, 400}};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		f->store->fail = cases[i].code;
		expect_error(f->server, &(struct request){.path = "/api/v1/top"}, cases[i].status, "on purpose");
		expect_error(f->server, &(struct request){.path = "/api/v1/series?by=origin"}, cases[i].status,
			"on purpose");
	}
	f->store->fail = 0;
	json_decref(ask_json(f->server, "/api/v1/top?" RANGE));
}

static void head(void **state)
{
	struct fixture *f = *state;
	struct answer get = ask(f->server, "/api/v1/routers");
	struct answer a = ask_with(f->server, &(struct request){.path = "/api/v1/routers", .method = "HEAD"});
	char length[64];
	(void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n", get.body_len);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.body_len, 0);
	assert_non_null(strstr(a.head, length));
	answer_done(&get);
	answer_done(&a);
}

static void token(void **state)
{
	struct fixture *f = *state;
	struct http_server *server = serve(f->store, TOKEN);
	static const char *const wrong[] = {NULL, "Authorization: Bearer", "Authorization: Bearer wrong",
		"Authorization: " TOKEN, "Authorization: Bearer " TOKEN "x", "Authorization: Basic " TOKEN,
		"Authorization: Bearer correct"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		expect_error(server, &(struct request){.path = "/api/v1/top", .header = wrong[i]}, 401, "token");
		expect_error(server, &(struct request){.path = "/metrics", .header = wrong[i]}, 401, "token");
	}
	struct answer a = ask(server, "/api/v1/senders");
	assert_non_null(strstr(a.head, "WWW-Authenticate: Bearer"));
	answer_done(&a);
	static const char *const right[] = {"Authorization: Bearer " TOKEN, "Authorization: bearer  " TOKEN};
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		a = ask_with(server, &(struct request){.path = "/api/v1/senders", .header = right[i]});
		assert_int_equal(a.status, 200);
		answer_done(&a);
	}
	json_decref(ask_json(server, "/healthz"));
	http_free(server);
}

static void second_listener(void **state)
{
	struct fixture *f = *state;
	assert_int_not_equal(http_bound(f->server, 0).port, 0);
	assert_int_not_equal(http_bound(f->server, 1).port, 0);
	struct answer a = ask_with(f->server, &(struct request){.path = "/healthz", .listener = 1});
	assert_int_equal(a.status, 200);
	answer_done(&a);
}

static void cannot_listen(void **state)
{
	struct fixture *f = *state;
	struct http_backend backend = fake_backend(f->store);
	struct hostport taken = http_bound(f->server, 0);
	struct http_server *server = NULL;
	struct error err;
	char want[HOSTPORT_TEXT_MAX];
	struct http_config config = {.listen = &taken, .listen_count = 1, .threads = 2};
	assert_int_equal(http_new(&config, &backend, &server, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, hostport_format(&taken.addr, taken.port, want)));
	taken.port = 0;
	config.token = "";
	assert_int_equal(http_new(&config, &backend, &server, &err), -EINVAL);
	assert_null(server);
}

/* ---- raw bytes and many clients ---- */

/* Sends bytes on a connection of its own. With buf, reads until the server closes; without, closes at
 * once: the server keeps half a request until its idle timeout, in the hope of the rest. */
static void send_raw(const struct http_server *server, const char *bytes, size_t len, char *buf, size_t cap)
{
	struct hostport at = http_bound(server, 0);
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(&at.addr, at.port, &ss);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, ss_len), 0);
	(void)send(fd, bytes, len, MSG_NOSIGNAL);
	size_t n = 0;
	for (ssize_t r; buf && n < cap - 1 && (r = read(fd, buf + n, cap - 1 - n)) > 0;)
		n += (size_t)r;
	if (buf)
		buf[n] = '\0';
	(void)close(fd);
}

/* Heads too large, cut short or mangled don't bring the server down. */
static void hostile_bytes(void **state)
{
	static const char good[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct fixture *f = *state;
	char buf[8192], bytes[sizeof(good)];
	send_raw(f->server, good, sizeof(good) - 1, buf, sizeof(buf));
	assert_non_null(strstr(buf, "200 OK"));
	for (size_t cut = 0; cut < sizeof(good) - 1; cut++)
		send_raw(f->server, good, cut, NULL, 0);
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		memcpy(bytes, good, sizeof(good));
		bytes[i] = (char)wt_random();
		send_raw(f->server, bytes, sizeof(good) - 1, NULL, 0);
	}
	size_t big = 1 << 20;
	char *huge = malloc(big);
	memset(huge, 'a', big);
	memcpy(huge, "GET /", 5);
	send_raw(f->server, huge, big, buf, sizeof(buf));
	assert_null(strstr(buf, "200 OK"));
	free(huge);
	json_decref(ask_json(f->server, "/healthz"));
}

struct crowd {
	const struct http_server *server;
	unsigned number;
	_Atomic unsigned *good;
};

static void *crowd_member(void *arg)
{
	const struct crowd *c = arg;
	for (unsigned i = 0; i < 20; i++) {
		struct answer a = ask_with(c->server, &(struct request){
			.path = (c->number + i) % 2 ? "/api/v1/top?" RANGE : "/api/v1/series?by=origin&step=1m&" RANGE,
			.listener = i % 2});
		if (a.status == 200 && strstr(a.body, "\"total\":{\"bytes_sent\":7509,"))
			atomic_fetch_add(c->good, 1);
		answer_done(&a);
	}
	return NULL;
}

static void concurrent_clients(void **state)
{
	enum { CLIENTS = 16 };
	struct fixture *f = *state;
	_Atomic unsigned good = 0;
	pthread_t threads[CLIENTS];
	struct crowd crowd[CLIENTS];
	for (unsigned i = 0; i < CLIENTS; i++) {
		crowd[i] = (struct crowd){f->server, i, &good};
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_member, &crowd[i]), 0);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(good, CLIENTS * 20);
	assert_in_range(f->store->readers_open, 1, 4);
	/* A client may have an answer a moment before the library lets go of it. */
	bool held = true;
	for (int i = 0; i < 1000 && held; i++) {
		struct answer a = ask(f->server, "/metrics");
		held = !strstr(a.body, "\nwhereto_http_responses_held_bytes 0\n");
		answer_done(&a);
	}
	assert_false(held);
}

static void expect_status(const struct http_server *server, const char *path, int status)
{
	struct answer a = ask(server, path);
	assert_int_equal(a.status, status);
	answer_done(&a);
}

/* As if clients had not read so much: what everybody may ask has a share, small answers always go. */
static void unread_answers(void **state)
{
	struct fixture *f = *state;
	atomic_fetch_add(&f->server->counters.held_bytes, (size_t)129 << 20);
	expect_status(f->server, "/api/v1/openapi.json", 503);
	expect_status(f->server, "/healthz", 200);
	expect_status(f->server, "/metrics", 200);
	atomic_fetch_add(&f->server->counters.held_bytes, (size_t)384 << 20);
	expect_status(f->server, "/metrics", 503);
	expect_status(f->server, "/healthz", 200);
	for (size_t i = 0; i < web_file_count; i++) /* constant: they take no room */
		expect_status(f->server, web_files[i].path, 200);
	atomic_fetch_sub(&f->server->counters.held_bytes, (size_t)513 << 20);
	expect_status(f->server, "/api/v1/openapi.json", 200);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(top), TEST(top_unknown_is_null), TEST(top_filter_and_plus), TEST(top_empty_range), TEST(top_csv),
		TEST(series_of_everything), TEST(series_of_groups), TEST(series_of_pairs), TEST(series_of_odd_values),
		TEST(series_random), TEST(series_pairs), TEST(changes), TEST(changes_chosen), TEST(changes_paged), TEST(changes_csv), TEST(changes_refused), TEST(lookup), TEST(backend_objects), TEST(health), TEST(index_page), TEST(about), TEST(dashboard),
		TEST(metrics), TEST(refusals), TEST(store_errors), TEST(head), TEST(token), TEST(second_listener),
		TEST(cannot_listen), TEST(hostile_bytes), TEST(concurrent_clients), TEST(unread_answers),
	};
	wt_random_init();
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return r;
}

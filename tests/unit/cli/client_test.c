/* SPDX-License-Identifier: BSD-2-Clause */

/* The commands' client against a live server with fakes behind it. */

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "../http/fake.h"
#include "base/clock.h"
#include "cli/client.h"
#include "cli/command.h"
#include "wt_test.h"

#define TOKEN "open sesame"

int command_usage(const char *name, const char *why)
{
	return EXIT_USAGE;
}

struct fixture {
	struct fake_store *store;
	struct http_server *server;
	char api[128], token_file[64];
	struct options o;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct hostport at = {.port = 0};
	struct error err;
	char host[HOSTPORT_TEXT_MAX];
	f->store = fake_store_new();
	struct http_backend backend = fake_backend(f->store);
	assert_int_equal(addr_parse("127.0.0.1", &at.addr), 0);
	if (http_new(&(struct http_config){.listen = &at, .listen_count = 1, .token = TOKEN, .threads = 1}, &backend, &f->server, &err) < 0)
		fail_msg("%s", err.text);
	at = http_bound(f->server, 0);
	(void)snprintf(f->api, sizeof(f->api), "http://%s/", hostport_format(&at.addr, at.port, host));
	(void)snprintf(f->token_file, sizeof(f->token_file), "/tmp/whereto-client-test-XXXXXX");
	int fd = mkstemp(f->token_file);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, TOKEN "\n", sizeof(TOKEN)), sizeof(TOKEN));
	(void)close(fd);
	f->o = (struct options){.command = "test"};
	f->o.values[OPTION_api] = f->api;
	f->o.values[OPTION_token_file] = f->token_file;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	http_free(f->server);
	fake_store_free(f->store);
	(void)unlink(f->token_file);
	free(f);
	return 0;
}

static void answers(void **state)
{
	struct fixture *f = *state;
	struct client_answer a;
	assert_int_equal(client_get(&f->o, "/api/v1/lookup", "address", "2001:db8::1", &a), EXIT_DONE);
	assert_string_equal(json_string_value(json_object_get(a.json, "address")), "2001:db8::1");
	client_answer_done(&a);
}

/* Blanks, quotes, percent and plus signs in a value arrive as they were given. */
static void escapes(void **state)
{
	struct fixture *f = *state;
	struct client_answer a;
	struct store_row *row = fake_store_row(f->store, 1795428000);
	row->values[DIM_type] = fake_text("a+b %41&\"c=d");
	row->m.v[MEASURE_bytes_sent] = 9;
	f->o.values[OPTION_from] = "2026-11-23T11:00:00+01:00";
	f->o.values[OPTION_to] = "2026-11-23T10:01:00Z";
	f->o.values[OPTION_by] = "type";
	f->o.values[OPTION_filter] = "type:\"a+b %41&\\\"c=d\"";
	assert_int_equal(client_get(&f->o, "/api/v1/top", NULL, NULL, &a), EXIT_DONE);
	const json_t *rows = json_object_get(a.json, "rows");
	assert_int_equal(json_array_size(rows), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "type")), "a+b %41&\"c=d");
	client_answer_done(&a);
}

static void raw(void **state)
{
	struct fixture *f = *state;
	struct client_answer a;
	f->o.values[OPTION_csv] = "";
	assert_int_equal(client_get(&f->o, "/api/v1/top", NULL, NULL, &a), EXIT_DONE);
	assert_null(a.json);
	assert_int_equal(strncmp(a.body, "origin,", 7), 0);
	assert_int_equal(strlen(a.body), a.len);
	client_answer_done(&a);
}

/* The options of changes arrive as its parameters. */
static void changes(void **state)
{
	struct fixture *f = *state;
	struct client_answer a;
	for (int i = 0; i < 3; i++) {
		struct store_change *c = fake_store_change(f->store, 1795428000000 - (unsigned)i);
		c->router = fake_text(i == 1 ? "edge+1" : "edge2");
		c->prefix = fake_prefix("192.0.2.128/25");
		c->after = fake_path("64500");
	}
	f->o.values[OPTION_from] = "2026-11-23T09:00:00Z";
	f->o.values[OPTION_to] = "2026-11-23T11:00:00Z";
	f->o.values[OPTION_router] = "edge+1";
	f->o.values[OPTION_within] = "192.0.2.0/24";
	assert_int_equal(client_get(&f->o, "/api/v1/changes", NULL, NULL, &a), EXIT_DONE);
	assert_int_equal(json_array_size(json_object_get(a.json, "rows")), 1);
	client_answer_done(&a);
	f->o.values[OPTION_router] = NULL;
	f->o.values[OPTION_limit] = "2";
	assert_int_equal(client_get(&f->o, "/api/v1/changes", NULL, NULL, &a), EXIT_DONE);
	assert_int_equal(json_array_size(json_object_get(a.json, "rows")), 2);
	assert_true(json_is_true(json_object_get(a.json, "more")));
	client_answer_done(&a);
	f->o.values[OPTION_prefix] = "192.0.2.0/24";
	assert_int_equal(client_get(&f->o, "/api/v1/changes", NULL, NULL, &a), EXIT_USAGE);
}

static void failures(void **state)
{
	struct fixture *f = *state;
	struct client_answer a;
	f->o.values[OPTION_by] = "nonsense";
	assert_int_equal(client_get(&f->o, "/api/v1/top", NULL, NULL, &a), EXIT_USAGE);
	assert_null(a.body);
	f->o.values[OPTION_by] = NULL;
	atomic_store(&f->store->fail, -EIO);
	assert_int_equal(client_get(&f->o, "/api/v1/top", NULL, NULL, &a), EXIT_FAILED);
	f->o.values[OPTION_json] = "";
	assert_int_equal(client_get(&f->o, "/api/v1/top", NULL, NULL, &a), EXIT_FAILED);
	assert_int_equal(client_get(&f->o, "/no/such/path", NULL, NULL, &a), EXIT_FAILED);
	f->o.values[OPTION_json] = NULL;
	assert_int_equal(client_get(&f->o, "/", NULL, NULL, &a), EXIT_FAILED); /* not JSON */
	f->o.values[OPTION_token_file] = NULL;
	assert_int_equal(client_get(&f->o, "/api/v1/senders", NULL, NULL, &a), EXIT_FAILED);
	f->o.values[OPTION_token_file] = "/nonexistent/token";
	assert_int_equal(client_get(&f->o, "/api/v1/senders", NULL, NULL, &a), EXIT_FAILED);
	f->o.values[OPTION_token_file] = "/dev/null";
	assert_int_equal(client_get(&f->o, "/api/v1/senders", NULL, NULL, &a), EXIT_FAILED);
}

/* What standard error gets while a question is asked. To be freed. */
static char *complaint(struct fixture *f, int want)
{
	char *text = NULL;
	size_t len;
	struct client_answer a;
	FILE *own = stderr, *caught = open_memstream(&text, &len);
	assert_non_null(caught);
	stderr = caught;
	int r = client_get(&f->o, "/api/v1/top", NULL, NULL, &a);
	stderr = own;
	assert_int_equal(fclose(caught), 0);
	assert_int_equal(r, want);
	return text;
}

/* The option is called as it was typed, and the caret stands under what is wrong, behind characters that take two columns too. */
static void points_at_mistakes(void **state)
{
	static const struct {
		const char *filter, *want;
	} cases[] = {{"country:DE contry:x", "\n  country:DE contry:x\n             ^\n"},
		{"contry:x", "\n  contry:x\n  ^\n"},
		{"type:日本 contry:x", "\n  type:日本 contry:x\n            ^\n"}};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		f->o.values[OPTION_filter] = cases[i].filter;
		char *text = complaint(f, EXIT_USAGE);
		assert_int_equal(strncmp(text, "whereto test: --filter: character ", 34), 0);
		assert_non_null(strstr(text, cases[i].want));
		free(text);
	}
	f->o.values[OPTION_filter] = NULL;
	f->o.values[OPTION_by] = "orgin";
	char *text = complaint(f, EXIT_USAGE);
	static const char begin[] = "whereto test: --by: 'orgin' is no dimension; there are time, router, ";
	assert_int_equal(strncmp(text, begin, sizeof(begin) - 1), 0);
	assert_string_equal(strchr(text, '\n'), "\n");
	free(text);
}

/* By the collector's clock. */
static void tells_the_time(void **state)
{
	struct fixture *f = *state;
	struct client_answer a;
	uint64_t before_s = clock_wall_ms() / 1000;
	assert_int_equal(client_get(&f->o, "/api/v1/top", NULL, NULL, &a), EXIT_DONE);
	assert_in_range(a.now_s, before_s - 1, clock_wall_ms() / 1000 + 1);
	client_answer_done(&a);
	/* JSON, but no answer to a question. */
	assert_int_equal(client_get(&f->o, "/healthz", NULL, NULL, &a), EXIT_FAILED);
}

static void bad_addresses(void **state)
{
	struct fixture *f = *state;
	struct client_answer a;
	f->o.values[OPTION_api] = "not a url";
	assert_int_equal(client_get(&f->o, "/healthz", NULL, NULL, &a), EXIT_USAGE);
	f->o.values[OPTION_api] = "file:///etc/passwd";
	assert_int_equal(client_get(&f->o, "/healthz", NULL, NULL, &a), EXIT_USAGE);
	f->o.values[OPTION_api] = "ftp://127.0.0.1/";
	assert_int_equal(client_get(&f->o, "/healthz", NULL, NULL, &a), EXIT_USAGE);
	/* Nobody listens there any more. */
	http_free(f->server);
	f->server = NULL;
	f->o.values[OPTION_api] = f->api;
	assert_int_equal(client_get(&f->o, "/healthz", NULL, NULL, &a), EXIT_FAILED);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(answers), TEST(escapes), TEST(raw), TEST(changes), TEST(failures), TEST(points_at_mistakes), TEST(tells_the_time), TEST(bad_addresses)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* libcurl with what a command line wants: no redirects, http and https only, no proxy for the machine
 * itself, an answer of at most BODY_BYTES_MAX, and messages that say which collector was asked and what
 * to do about it. */

#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/error.h"
#include "cli/command.h"
#include "cli/table.h"

#define DEFAULT_API     "http://127.0.0.1:8480"
#define BODY_BYTES_MAX  ((size_t)512 << 20)
#define CONNECT_SECONDS 5L
#define ANSWER_SECONDS  120L
#define TOKEN_BYTES_MAX 4096

static const char *api_of(const struct options *o)
{
	const char *env = getenv("WHERETO_API");
	if (o->values[OPTION_api])
		return o->values[OPTION_api];
	return env && *env ? env : DEFAULT_API;
}

/* ---- the URL ---- */

static int add_parameter(CURLU *url, const char *name, const char *value)
{
	char *pair = NULL;
	if (asprintf(&pair, "%s=%s", name, value) < 0)
		return -ENOMEM;
	CURLUcode r = curl_url_set(url, CURLUPART_QUERY, pair, CURLU_APPENDQUERY | CURLU_URLENCODE);
	free(pair);
	return r ? -ENOMEM : 0;
}

/* Path and parameters behind the API's address, which may have a path of its own. */
static int extend_url(CURLU *url, const struct options *o, const char *path, const char *name, const char *value)
{
	char *base = NULL, *whole = NULL;
	if (curl_url_get(url, CURLUPART_PATH, &base, 0))
		return -ENOMEM;
	size_t len = strlen(base);
	while (len && base[len - 1] == '/')
		len--;
	int r = asprintf(&whole, "%.*s%s", (int)len, base, path) < 0 ? -ENOMEM : 0;
	curl_free(base);
	if (r == 0 && curl_url_set(url, CURLUPART_PATH, whole, 0))
		r = -ENOMEM;
	free(whole);
	for (int i = 0; i < OPTION_COUNT && r == 0; i++)
		if (o->values[i] && option_parameter((enum option_id)i))
			r = add_parameter(url, option_parameter((enum option_id)i), o->values[i]);
	if (r == 0 && o->values[OPTION_csv])
		r = add_parameter(url, "format", "csv");
	if (r == 0 && name)
		r = add_parameter(url, name, value);
	return r;
}

static bool is_http(CURLU *url)
{
	char *scheme = NULL;
	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0))
		return false;
	bool http = strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
	curl_free(scheme);
	return http;
}

/* ---- the token ---- */

/* "Authorization: Bearer TOKEN" from the file, without the blanks around it. On the heap; NULL after a
 * message. */
static char *read_token(const struct options *o)
{
	const char *file = o->values[OPTION_token_file];
	char text[TOKEN_BYTES_MAX], *header = NULL;
	FILE *in = fopen(file, "re");
	if (!in) {
		fprintf(stderr, "whereto %s: cannot read the token in %s: %s\n", o->command, file, strerror(errno));
		return NULL;
	}
	size_t n = fread(text, 1, sizeof(text) - 1, in);
	(void)fclose(in);
	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;
	text[n] = '\0';
	const char *token = text + strspn(text, " \t\r\n");
	if (!*token || strpbrk(token, "\r\n")) {
		fprintf(stderr, "whereto %s: %s does not hold one line with a token\n", o->command, file);
		return NULL;
	}
	if (asprintf(&header, "Authorization: Bearer %s", token) < 0)
		return NULL;
	return header;
}

/* ---- one request ---- */

struct request {
	const struct options *o;
	FILE *body;
	size_t len;
	long status;
	uint64_t now_s; /* of the answer's Date; 0: it has none */
	char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct request *req = ctx;
	if (req->len + n > BODY_BYTES_MAX)
		return 0;
	req->len += n;
	return fwrite(data, size, n, req->body);
}

static bool (*gives_up)(void);

void client_give_up_when(bool (*wants_end)(void))
{
	gives_up = wants_end;
}

static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	return gives_up();
}

static int explain(const struct request *req, CURLcode code)
{
	const char *api = api_of(req->o), *why = *req->error ? req->error : curl_easy_strerror(code);
	if (code == CURLE_SSL_CACERT_BADFILE)
		fprintf(stderr, "whereto %s: %s does not hold certificates in PEM\n", req->o->command, req->o->values[OPTION_ca_file]);
	else if (code == CURLE_PEER_FAILED_VERIFICATION)
		fprintf(stderr, "whereto %s: the certificate of %s is not to be trusted (%s): --ca-file FILE names it, or who signed it\n",
			req->o->command, api, why);
	else if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
		fprintf(stderr, "whereto %s: no collector answers at %s (%s)\n"
			"Is it running? --api URL or WHERETO_API names another one.\n", req->o->command, api, why);
	else
		fprintf(stderr, "whereto %s: asking %s failed: %s\n", req->o->command, api, why);
	return EXIT_FAILED;
}

static uint64_t date_of(CURL *c)
{
	struct curl_header *date;
	if (curl_easy_header(c, "Date", 0, CURLH_HEADER, -1, &date))
		return 0;
	time_t t = curl_getdate(date->value, NULL);
	return t > 0 ? (uint64_t)t : 0;
}

static int perform(struct request *req, CURLU *url, struct curl_slist *headers)
{
	char *host = NULL;
	CURL *c = curl_easy_init();
	if (!c || curl_url_get(url, CURLUPART_HOST, &host, 0)) {
		curl_easy_cleanup(c);
		return explain(req, CURLE_OUT_OF_MEMORY);
	}
	if (strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0)
		curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_free(host);
	curl_easy_setopt(c, CURLOPT_CURLU, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, req->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, req);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, ANSWER_SECONDS);
	if (gives_up) {
		curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	}
	if (req->o->values[OPTION_ca_file])
		curl_easy_setopt(c, CURLOPT_CAINFO, req->o->values[OPTION_ca_file]);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "whereto/" WHERETO_VERSION);
	CURLcode code = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &req->status);
	req->now_s = date_of(c);
	curl_easy_cleanup(c);
	return code == CURLE_OK ? EXIT_DONE : explain(req, code);
}

/* ---- the answer ---- */

/* A text of the collector's, printable; on the heap, NULL when it is none. */
static char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	char *copy = text ? strdup(text) : NULL;
	for (char *line = copy, *end; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end = '\0';
		text_clean(line);
		if (end)
			*end++ = '\n';
	}
	return copy;
}

/* "parameter 'filter': ..." as whoever typed --filter calls it. */
static void print_refusal(const struct options *o, const char *text)
{
	static const char begin[] = "parameter '";
	size_t skip = sizeof(begin) - 1, len = strncmp(text, begin, skip) == 0 ? strcspn(text + skip, "'") : 0;
	for (int i = 0; i < OPTION_COUNT && len; i++) {
		const char *parameter = option_parameter((enum option_id)i);
		if (!parameter || !o->values[i] || strlen(parameter) != len || strncmp(parameter, text + skip, len) != 0)
			continue;
		const char *rest = text + skip + len + 1, *named = strncmp(rest, ": ", 2) == 0 ? rest + 2 : rest;
		if (strncmp(named, parameter, len) == 0 && strncmp(named + len, ": ", 2) == 0)
			rest = named + len; /* a filter's mistake says itself that it is one */
		fprintf(stderr, "whereto %s: --%s%s\n", o->command, option_name((enum option_id)i), rest);
		return;
	}
	if (len && o->arguments[0] && strncmp(text + skip + len, "': ", 3) == 0)
		text += skip + len + 3; /* the argument, which has no name on the command line */
	fprintf(stderr, "whereto %s: %s\n", o->command, text);
}

/* The text that the mistake is in, and the caret under it: it stands under a character, which may take two columns. */
static void print_excerpt(char *excerpt)
{
	char *caret = strchr(excerpt, '\n'), *p = excerpt;
	if (!caret)
		return;
	*caret++ = '\0';
	fprintf(stderr, "  %s\n", excerpt);
	for (size_t before = strspn(caret, " "); before && *p; before--)
		for (p++; ((unsigned char)*p & 0xc0) == 0x80;)
			p++;
	*p = '\0';
	fprintf(stderr, "  %*s^\n", (int)text_width(excerpt), "");
}

/* What the collector refused, in its own words. */
static int explain_status(const struct request *req, const struct client_answer *a)
{
	CLEANUP(free_p) char *text = text_of(a->json, "error"), *excerpt = text_of(a->json, "excerpt");
	const char *command = req->o->command;
	if (req->status == 401 && req->o->values[OPTION_token_file])
		fprintf(stderr, "whereto %s: the token in %s is not the one of %s\n", command, req->o->values[OPTION_token_file], api_of(req->o));
	else if (req->status == 401)
		fprintf(stderr, "whereto %s: %s asks for a token: --token-file FILE\n", command, api_of(req->o));
	else if (text)
		print_refusal(req->o, text);
	else
		fprintf(stderr, "whereto %s: %s answers with HTTP status %ld: is it a collector's address?\n",
			command, api_of(req->o), req->status);
	if (text && excerpt)
		print_excerpt(excerpt);
	return req->status == 400 ? EXIT_USAGE : EXIT_FAILED;
}

static int check_answer(const struct request *req, struct client_answer *a)
{
	bool raw = req->o->values[OPTION_json] || req->o->values[OPTION_csv];
	a->now_s = req->now_s ? req->now_s : clock_wall_ms() / 1000;
	if (!raw || req->status != 200)
		a->json = json_loadb(a->body, a->len, 0, NULL);
	if (req->status != 200)
		return explain_status(req, a);
	bool known = json_object_get(a->json, "rows") || json_object_get(a->json, "since");
	if (raw ? !a->len : !known) {
		fprintf(stderr, "whereto %s: the answer of %s is %s: is it a collector's address?\n", req->o->command, api_of(req->o),
			raw ? "empty" : a->json ? "another one than a collector's" : "not JSON");
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int send_request(struct request *req, CURLU *url, struct client_answer *ret)
{
	char *header = NULL;
	if (req->o->values[OPTION_token_file]) {
		header = read_token(req->o);
		if (!header)
			return EXIT_FAILED;
	}
	struct curl_slist *headers = header ? curl_slist_append(NULL, header) : NULL;
	free(header);
	req->body = open_memstream(&ret->body, &ret->len);
	int r = req->body ? perform(req, url, headers) : EXIT_FAILED;
	if (req->body)
		(void)fclose(req->body);
	curl_slist_free_all(headers);
	return r == EXIT_DONE ? check_answer(req, ret) : r;
}

int client_get(const struct options *o, const char *path, const char *name, const char *value,
	struct client_answer *ret)
{
	struct request req = {.o = o};
	*ret = (struct client_answer){0};
	CURLU *url = curl_url();
	int r = EXIT_FAILED;
	if (!url || curl_url_set(url, CURLUPART_URL, api_of(o), 0) || !is_http(url)) {
		fprintf(stderr, "whereto %s: '%s' is not a URL like " DEFAULT_API "\n", o->command, api_of(o));
		r = EXIT_USAGE;
	} else if (extend_url(url, o, path, name, value) < 0) {
		fprintf(stderr, "whereto %s: out of memory\n", o->command);
	} else {
		r = send_request(&req, url, ret);
	}
	curl_url_cleanup(url);
	if (r != EXIT_DONE)
		client_answer_done(ret);
	return r;
}

int client_get_since(const struct options *o, struct client_answer *a)
{
	struct client_answer since;
	struct options plain = {.command = o->command};
	static const enum option_id kept[] = {OPTION_api, OPTION_token_file, OPTION_ca_file};
	if (!a->json)
		return EXIT_DONE;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		plain.values[kept[i]] = o->values[kept[i]];
	int r = client_get(&plain, "/api/v1/since", NULL, NULL, &since);
	uint64_t ms = 0;
	const char *text = r == EXIT_DONE ? json_string_value(json_object_get(since.json, "since")) : NULL;
	if (text && time_parse(text, &ms) == 0)
		a->since_s = ms / 1000;
	if (r == EXIT_DONE)
		client_answer_done(&since);
	return r;
}

void client_answer_done(struct client_answer *a)
{
	free(a->body);
	json_decref(a->json);
	*a = (struct client_answer){0};
}

bool client_print_raw(const struct options *o, const struct client_answer *a, int *ret_status)
{
	if (!o->values[OPTION_json] && !o->values[OPTION_csv])
		return false;
	(void)fwrite(a->body, 1, a->len, stdout);
	if (o->values[OPTION_json] && (!a->len || a->body[a->len - 1] != '\n'))
		(void)fputc('\n', stdout);
	*ret_status = EXIT_DONE; /* main.c looks at what was written */
	return true;
}

int client_command(int argc, char **argv, const struct client_question *q)
{
	struct options o;
	struct client_answer a;
	int r = options_parse(argc, argv, q->command, q->wants, &o);
	if (r != OPTIONS_GO_ON)
		return r;
	r = q->prepare ? q->prepare(&o) : EXIT_DONE;
	if (r != EXIT_DONE)
		return r;
	r = client_get(&o, q->path, o.arguments[0] ? q->parameter : NULL, o.arguments[0], &a);
	if (r != EXIT_DONE)
		return r;
	if (q->since)
		r = client_get_since(&o, &a);
	if (r == EXIT_DONE && !client_print_raw(&o, &a, &r))
		r = q->print(&o, &a);
	client_answer_done(&a);
	return r;
}

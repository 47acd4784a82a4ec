/* SPDX-License-Identifier: BSD-2-Clause */

/* The dashboard's files. They are kept gzipped and given so to who takes that, which is every browser. The
 * page itself is asked for again each time and answered by 304 when it is the same; what it loads has names
 * made of the content and is kept for ever. A file is unpacked when it is first asked for by who does not take gzip, and stays
 * so: whatever is asked for, and however often, costs neither time nor memory to make.
 *
 * Its policy allows scripts, styles and questions of this origin alone, nothing inline. data: is for small pictures in
 * the style sheet. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "http/call.h"
#include "http/web.h"

#define POLICY \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " \
	"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
#define GZIP_WINDOW_BITS (16 + MAX_WBITS)

const struct web_file *web_find(const char *path)
{
	for (size_t i = 0; i < web_file_count; i++)
		if (strcmp(web_files[i].path, path) == 0)
			return &web_files[i];
	return NULL;
}

/* Into a buffer of file->plain_len bytes. */
static bool unpack(const struct web_file *file, char *out)
{
	z_stream z = {
		.next_in = (Bytef *)file->start,
		.avail_in = (uInt)(file->end - file->start),
		.next_out = (Bytef *)out,
		.avail_out = (uInt)file->plain_len,
	};
	if (inflateInit2(&z, GZIP_WINDOW_BITS) != Z_OK)
		return false;
	int r = inflate(&z, Z_FINISH);
	(void)inflateEnd(&z);
	return r == Z_STREAM_END && !z.avail_out;
}

/* The same at every call; NULL when memory is out. */
static const char *unpacked(const struct web_file *file)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char **made; /* for each file */
	size_t i = (size_t)(file - web_files);
	(void)pthread_mutex_lock(&lock);
	if (!made)
		made = calloc(web_file_count, sizeof(*made));
	if (made && !made[i]) {
		made[i] = malloc(file->plain_len);
		if (made[i] && !unpack(file, made[i])) {
			free(made[i]);
			made[i] = NULL;
		}
	}
	const char *found = made ? made[i] : NULL;
	(void)pthread_mutex_unlock(&lock);
	return found;
}

static void reply_file(struct http_call *call, const struct web_file *file)
{
	if (call->accept_gzip) {
		call->reply.constant = file->start;
		call->reply.len = (size_t)(file->end - file->start);
		http_reply_header(call, "Content-Encoding", "gzip");
		return;
	}
	call->reply.constant = unpacked(file);
	call->reply.len = file->plain_len;
	if (!call->reply.constant)
		http_reply_error(call, 500, "out of memory");
}

static void answer_file(struct http_call *call, const struct web_file *file)
{
	bool same = strstr(call->if_none_match, file->etag) != NULL;
	call->reply = (struct http_reply){.status = same ? 304 : 200, .type = file->type};
	if (same)
		call->reply.body = calloc(1, 1);
	else
		reply_file(call, file);
	if (call->reply.status >= 400)
		return;
	http_reply_header(call, "Content-Security-Policy", POLICY);
	http_reply_header(call, "Cache-Control", file->hashed ? "public, max-age=31536000, immutable" : "no-cache");
	http_reply_header(call, "ETag", file->etag);
	http_reply_header(call, "Vary", "Accept-Encoding");
}

#define PAGE_HEAD \
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n" \
	"<meta name=\"viewport\" content=\"width=device-width\">\n<title>whereto</title>\n"
#define TYPE_PAGE "text/html; charset=utf-8"

/* The list of endpoints, as a page with links: no style, no script. */
static void write_list(FILE *out, const char *above)
{
	(void)fprintf(out, PAGE_HEAD "<h1>whereto " WHERETO_VERSION "</h1>\n"
		"<p>Where does your web traffic go, and how well does it arrive?</p>\n%s<dl>\n", above);
	for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
		const struct http_endpoint *e = &http_endpoints[i];
		(void)fprintf(out, "<dt><a href=\"%s\"><code>%s</code></a>%s<code>%s</code>\n<dd>%s\n", e->path,
			e->path, *e->params ? " takes " : "", e->params, e->help);
	}
	(void)fputs("</dl>\n</html>\n", out);
}

static void reply_list(struct http_call *call, const char *above)
{
	FILE *out = http_reply_begin(call, 200, TYPE_PAGE);
	if (!out)
		return;
	write_list(out, above);
	http_reply_end(call, out);
}

void http_no_such_path(struct http_call *call, bool for_people)
{
	if (!for_people) {
		http_reply_error(call, 404, "no such path; /api lists what there is");
		return;
	}
	FILE *out = http_reply_begin(call, 404, TYPE_PAGE);
	if (!out)
		return;
	(void)fputs(PAGE_HEAD "<h1>There is no such page.</h1>\n"
		"<p><a href=\"/\">The dashboard</a> &middot; <a href=\"/api\">the API's list</a>\n</html>\n", out);
	http_reply_end(call, out);
}

void http_list(struct http_call *call)
{
	reply_list(call, "");
}

void http_index(struct http_call *call)
{
	char above[512];
	const struct web_file *file = web_find(call->path);
	if (file) {
		answer_file(call, file);
		return;
	}
	(void)snprintf(above, sizeof(above), "<p><strong>%s</strong> The API and the command line have it all:</p>\n", web_missing);
	reply_list(call, above);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/call.h"

/* The list of endpoints, as a page with links: no style, no script. */
void http_index(struct http_call *call)
{
	FILE *out = http_reply_begin(call, 200, "text/html; charset=utf-8");
	if (!out)
		return;
	(void)fputs("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n<title>whereto</title>\n"
		"<h1>whereto " WHERETO_VERSION "</h1>\n"
		"<p>Where does your web traffic go, and how well does it arrive?</p>\n<dl>\n", out);
	for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
		const struct http_endpoint *e = &http_endpoints[i];
		(void)fprintf(out, "<dt><a href=\"%s\"><code>%s</code></a>%s<code>%s</code>\n<dd>%s\n", e->path,
			e->path, *e->params ? " takes " : "", e->params, e->help);
	}
	(void)fputs("</dl>\n</html>\n", out);
	http_reply_end(call, out);
}

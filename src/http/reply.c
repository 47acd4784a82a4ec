/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/call.h"

const char *http_param(const struct http_params *params, const char *name)
{
	for (size_t i = 0; i < params->count; i++)
		if (strcmp(params->list[i].name, name) == 0)
			return params->list[i].value;
	return NULL;
}

bool http_param_known(const char *names, const char *name)
{
	size_t len = strlen(name);
	if (!len || strchr(name, ' '))
		return false;
	for (const char *p = names; (p = strstr(p, name)); p += len)
		if ((p == names || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

/* A JSON string of any bytes. */
static json_t *string_lossy(char *text)
{
	json_t *s = json_string(text);
	if (s)
		return s;
	for (char *p = text; *p; p++)
		if (*p & 0x80)
			*p = '?';
	return json_string(text);
}

void http_reply_error(struct http_call *call, unsigned status, const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	free(call->reply.body);
	call->reply = (struct http_reply){.status = status, .type = HTTP_TYPE_JSON};
	json_t *json = json_pack("{s:o}", "error", string_lossy(text));
	if (json)
		call->reply.body = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	call->reply.len = call->reply.body ? strlen(call->reply.body) : 0;
}

void http_reply_json(struct http_call *call, unsigned status, json_t *take_json)
{
	if (!take_json) {
		http_reply_error(call, 503, "the collector has no answer right now; ask again");
		return;
	}
	FILE *out = http_reply_begin(call, status, HTTP_TYPE_JSON);
	if (out) {
		int r = json_dumpf(take_json, out, JSON_COMPACT);
		http_reply_end(call, out);
		if (r < 0)
			http_reply_error(call, 500, "out of memory");
	}
	json_decref(take_json);
}

void http_reply_header(struct http_call *call, const char *name, const char *value)
{
	struct http_reply *reply = &call->reply;
	size_t i = 0;
	while (i < reply->header_count && strcasecmp(reply->headers[i].name, name) != 0)
		i++;
	if (i == HTTP_HEADERS_MAX)
		abort(); /* one more than anything sets */
	reply->headers[i] = (struct http_header){name, value};
	if (i == reply->header_count)
		reply->header_count++;
}

FILE *http_reply_begin(struct http_call *call, unsigned status, const char *type)
{
	free(call->reply.body);
	call->reply = (struct http_reply){.status = status, .type = type};
	FILE *out = open_memstream(&call->reply.body, &call->reply.len);
	if (!out)
		http_reply_error(call, 500, "out of memory");
	else
		(void)__fsetlocking(out, FSETLOCKING_BYCALLER); /* nobody else sees the stream */
	return out;
}

void http_reply_end(struct http_call *call, FILE *out)
{
	bool failed = ferror(out);
	if (fclose(out) != 0 || failed)
		http_reply_error(call, 500, "out of memory");
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/call.h"

#define EXCERPT_BEFORE 60 /* characters of a long text shown before the one that is wrong, and from there on */
#define EXCERPT_BEHIND 20

const char *http_param(const struct http_params *params, const char *name)
{
	for (size_t i = 0; i < params->count; i++)
		if (strcmp(params->list[i].name, name) == 0)
			return params->list[i].value;
	return NULL;
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

/* The name in "parameter 'NAME'..."; false when the text is another one. */
static bool parameter_in(const char *text, char *ret, size_t cap)
{
	static const char begin[] = "parameter '";
	if (strncmp(text, begin, sizeof(begin) - 1) != 0)
		return false;
	text += sizeof(begin) - 1;
	size_t n = strcspn(text, "'");
	if (text[n] != '\'' || n >= cap)
		return false;
	memcpy(ret, text, n);
	ret[n] = '\0';
	return true;
}

static json_t *error_object(char *text)
{
	char name[64];
	json_t *json = json_pack("{s:o}", "error", string_lossy(text));
	if (json && parameter_in(text, name, sizeof(name)))
		(void)json_object_set_new(json, "parameter", json_string(name));
	return json;
}

static void reply_error_object(struct http_call *call, unsigned status, json_t *take_json)
{
	free(call->reply.body);
	call->reply = (struct http_reply){.status = status, .type = HTTP_TYPE_JSON};
	if (take_json)
		call->reply.body = json_dumps(take_json, JSON_COMPACT);
	json_decref(take_json);
	call->reply.len = call->reply.body ? strlen(call->reply.body) : 0;
}

void http_reply_error(struct http_call *call, unsigned status, const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reply_error_object(call, status, error_object(text));
}

/* Bytes of the character that begins at p: a continuation byte belongs to the one before. */
static size_t character_len(const char *p)
{
	size_t n = *p != '\0';
	while (n && ((uint8_t)p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* The text around the character, on one line, and a caret under it. To be freed. */
static char *excerpt(const char *text, size_t at)
{
	char *shown = NULL;
	size_t len, skip = at > EXCERPT_BEFORE + 1 ? at - EXCERPT_BEFORE - 1 : 0, column = 0;
	FILE *out = open_memstream(&shown, &len);
	if (!out)
		return NULL;
	for (size_t i = 0; i < skip && *text; i++)
		text += character_len(text);
	for (; column < EXCERPT_BEFORE + EXCERPT_BEHIND && *text; column++) {
		size_t n = character_len(text);
		if ((uint8_t)*text < ' ' || *text == 0x7f)
			(void)fputc(' ', out);
		else
			(void)fwrite(text, 1, n, out);
		text += n;
	}
	(void)fprintf(out, "\n%*s", (int)(at - skip), "^");
	if (fclose(out) == 0)
		return shown;
	free(shown);
	return NULL;
}

void http_reply_question_error(struct http_call *call, unsigned status, const struct error *err)
{
	char text[ERROR_TEXT_MAX], name[64];
	memcpy(text, err->text, sizeof(text));
	json_t *json = error_object(text);
	const char *value = parameter_in(text, name, sizeof(name)) ? http_param(&call->params, name) : NULL;
	if (json && err->at && value) {
		CLEANUP(free_p) char *shown = excerpt(value, err->at);
		(void)json_object_set_new(json, "position", json_integer((json_int_t)err->at));
		(void)json_object_set_new(json, "excerpt", shown ? string_lossy(shown) : json_null());
	}
	reply_error_object(call, status, json);
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

/* SPDX-License-Identifier: BSD-2-Clause */

/* What is the same in the URLs of all stores: parameters behind a question mark, passwords that are not shown, files that are
 * named. The rest of a URL is its store's business. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sql.h"
#include "store/store.h"

struct parameter {
	const char *text; /* of the URL: NAME=VALUE */
	size_t len, name; /* of the name */
	const struct store_url_file *file; /* NULL: it names none */
};

static const struct store_url_file *find_file(const struct store_url_file *files, const struct parameter *p)
{
	for (; files && files->parameter; files++)
		if (strlen(files->parameter) == p->name && strncmp(files->parameter, p->text, p->name) == 0)
			return files;
	return NULL;
}

/* The first one when ret is {0}. */
static bool next_parameter(const char *url, const struct store_url_file *files, struct parameter *ret)
{
	const char *at = ret->text ? ret->text + ret->len : url + strcspn(url, "?");
	if (!*at)
		return false;
	size_t len = strcspn(++at, "&"), name = strcspn(at, "=&");
	*ret = (struct parameter){.text = at, .len = len, .name = name};
	/* libpq's word for what the system trusts */
	if (name < len && name + 1 < len && (len - name != strlen("=system") || strncmp(at + name, "=system", len - name) != 0))
		ret->file = find_file(files, ret);
	return true;
}

static const char *value_of(const struct parameter *p, size_t *ret_len)
{
	*ret_len = p->len - p->name - 1;
	return p->text + p->name + 1;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)((at - digits) % 16) : -1;
}

static char *decode(const char *text, size_t len)
{
	char *copy = malloc(len + 1), *to = copy;
	for (size_t i = 0; copy && i < len; i++) {
		bool encoded = text[i] == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
		*to++ = encoded ? (char)(hex(text[i + 1]) * 16 + hex(text[i + 2])) : text[i];
		i += encoded ? 2 : 0;
	}
	if (copy)
		*to = '\0';
	return copy;
}

int store_url_files(const char *url, const struct store_url_file *files, store_url_file_fn *fn, void *ctx)
{
	struct parameter p = {0};
	int r = 0;
	while (r == 0 && next_parameter(url, files, &p)) {
		size_t len;
		if (!p.file)
			continue;
		const char *value = value_of(&p, &len);
		char *path = decode(value, len);
		r = path ? fn(ctx, p.file, path) : -ENOMEM;
		free(path);
	}
	return r;
}

static void add_encoded(struct sql *s, const char *text)
{
	for (; *text; text++) {
		bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9') ||
			strchr("-._~/", *text);
		sql_add(s, plain ? "%c" : "%%%02X", (unsigned char)*text);
	}
}

void store_url_resolve(const char *url, const struct store_url_file *files, const char *dir, struct sql *ret)
{
	struct parameter p = {0};
	sql_add(ret, "%.*s", (int)strcspn(url, "?"), url);
	for (char before = '?'; next_parameter(url, files, &p); before = '&') {
		size_t len = 0;
		const char *value = p.file ? value_of(&p, &len) : "/";
		bool relative = *value != '/' && strncasecmp(value, "%2f", 3) != 0;
		sql_add(ret, "%c%.*s", before, (int)(relative ? p.name + 1 : p.len), p.text);
		if (!relative)
			continue;
		add_encoded(ret, dir);
		sql_add(ret, "%.*s", (int)len, value);
	}
}

/* The password within a piece of the URL: from *ret_from to *ret_to; false when there is none. */
static bool find_user_password(const char *url, const char **ret_from, const char **ret_to)
{
	const char *begin = strstr(url, "://");
	if (!begin)
		return false;
	begin += 3;
	const char *end = begin + strcspn(begin, "/?#"), *at = memrchr(begin, '@', (size_t)(end - begin));
	const char *colon = at ? memchr(begin, ':', (size_t)(at - begin)) : NULL;
	*ret_from = colon ? colon + 1 : NULL;
	*ret_to = at;
	return colon;
}

/* The same of the next parameter whose name ends with "password". */
static bool find_parameter(const char *url, const char **ret_from, const char **ret_to)
{
	const char *found = strstr(url, "password=");
	if (!found)
		return false;
	*ret_from = found + strlen("password=");
	*ret_to = *ret_from + strcspn(*ret_from, "&");
	return true;
}

const char *store_url_hidden(const char *url, size_t cap, char *ret)
{
	size_t len = 0;
	const char *from, *to;
	bool more = find_user_password(url, &from, &to);
	if (!more)
		more = find_parameter(url, &from, &to);
	*ret = '\0';
	for (; more; more = find_parameter(url, &from, &to)) {
		int n = snprintf(ret + len, cap - len, "%.*s***", (int)(from - url), url);
		len += (size_t)n < cap - len ? (size_t)n : cap - len - 1;
		url = to;
	}
	(void)snprintf(ret + len, cap - len, "%s", url);
	return ret;
}

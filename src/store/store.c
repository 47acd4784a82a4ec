/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#if WHERETO_CLICKHOUSE
#include "store/clickhouse.h"
#endif
#include "store/sqlite.h"
#if WHERETO_POSTGRESQL
#include "store/postgres.h"
#endif

static const struct store_ops *const stores[] = {
	&sqlite_ops,
#if WHERETO_POSTGRESQL
	&postgres_ops,
#endif
#if WHERETO_CLICKHOUSE
	&clickhouse_ops,
#endif
};

static bool has_scheme(const char *url, const char *scheme)
{
	size_t n = strlen(scheme);
	return strncmp(url, scheme, n) == 0 && url[n] == ':';
}

const struct store_ops *store_find(const char *url, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(stores); i++)
		if (has_scheme(url, stores[i]->scheme))
			return stores[i];
	if (!WHERETO_POSTGRESQL && has_scheme(url, "postgresql"))
		(void)error_set(err, -EINVAL, "this whereto was built without PostgreSQL; install libpq-dev and build it again");
	else if (!WHERETO_CLICKHOUSE && has_scheme(url, "clickhouse"))
		(void)error_set(err, -EINVAL, "this whereto was built without ClickHouse (-Dclickhouse=disabled)");
	else
		(void)error_set(err, -EINVAL, "the store's url is none of a known kind; write sqlite:/path/file.db,"
			" postgresql://USER@HOST/DATABASE or clickhouse://USER@HOST/DATABASE"); /* it may hold a password */
	return NULL;
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

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

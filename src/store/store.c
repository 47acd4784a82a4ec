/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/store.h"

#include <errno.h>
#include <string.h>

#include "store/sqlite.h"
#if WHERETO_POSTGRESQL
#include "store/postgres.h"
#endif

static const struct store_ops *const stores[] = {
	&sqlite_ops,
#if WHERETO_POSTGRESQL
	&postgres_ops,
#endif
};

const struct store_ops *store_find(const char *url, struct error *err)
{
	const char *colon = strchr(url, ':');
	size_t n = colon ? (size_t)(colon - url) : 0;
	for (size_t i = 0; i < ARRAY_LEN(stores); i++)
		if (strlen(stores[i]->scheme) == n && strncmp(stores[i]->scheme, url, n) == 0)
			return stores[i];
	if (!WHERETO_POSTGRESQL && n == strlen("postgresql") && strncmp(url, "postgresql", n) == 0)
		(void)error_set(err, -EINVAL, "this whereto was built without PostgreSQL; install libpq-dev and build it again");
	else
		(void)error_set(err, -EINVAL, "the store's url is none of a known kind; write sqlite:/path/file.db or"
			" postgresql://USER@HOST/DATABASE"); /* it may hold a password */
	return NULL;
}

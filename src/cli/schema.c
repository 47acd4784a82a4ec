/* SPDX-License-Identifier: BSD-2-Clause */

/* whereto schema: a store's SQL on standard output. It is what a new store is made with, so a database can be
 * prepared by somebody else than the collector's user, or looked at without one. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/options.h"
#include "store/sql.h"
#include "store/store.h"

static int print(const char *store, enum store_ddl what)
{
	CLEANUP(sql_done) struct sql sql = {0};
	struct error err = {0};
	char kind[64];
	(void)snprintf(kind, sizeof(kind), "%.50s:", store);
	const char *url = strchr(store, ':') ? store : kind;
	const struct store_ops *ops = store_find(url, &err);
	if (!ops || ops->ddl(url, what, &sql, &err) < 0) {
		fprintf(stderr, "whereto schema: %s\n", err.text);
		return EXIT_FAILED;
	}
	if (!sql_text(&sql)) {
		fprintf(stderr, "whereto schema: out of memory\n");
		return EXIT_FAILED;
	}
	(void)fputs(sql_text(&sql), stdout);
	return EXIT_DONE;
}

int command_schema(int argc, char **argv)
{
	struct options o;
	int r = options_parse(argc, argv, OPTIONS_schema, NULL, &o);
	if (r != OPTIONS_GO_ON)
		return r;
	const bool legacy = o.values[OPTION_legacy_views];
	const char *store = o.values[OPTION_store] ? o.values[OPTION_store] : legacy ? "postgresql" : "sqlite";
	return print(store, legacy ? STORE_DDL_LEGACY : STORE_DDL_SCHEMA);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* whereto schema: a store's SQL on standard output. It is what a new store is made with, so a database can be
 * prepared by somebody else than the collector's user, or looked at without one. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
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
	return fputs(sql_text(&sql), stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_DONE;
}

int command_schema(int argc, char **argv)
{
	const char *store = NULL;
	enum store_ddl what = STORE_DDL_SCHEMA;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--legacy-views") == 0)
			what = STORE_DDL_LEGACY;
		else if (strcmp(argv[i], "--store") == 0 && i + 1 < argc)
			store = argv[++i];
		else
			return command_usage(argv[0], "--store KIND, --store URL or --legacy-views expected");
	}
	if (!store)
		store = what == STORE_DDL_LEGACY ? "postgresql" : "sqlite";
	return print(store, what);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a schema consists of: the statements that make it (store_ops.ddl) are the list, and it is compared with what a
 * database's catalogue has. So whatever is added to a schema is looked for by itself.
 *
 * A catalogue is text, a line for each thing: "table NAME", "view NAME", "index TABLE METHOD (COLUMNS)". An index is known by what
 * it is, not by its name, which databases choose. */

#include "base/cursor.h"
#include "base/error.h"
#include "store/sql.h"

enum ddl_kind { DDL_TABLE, DDL_VIEW, DDL_INDEX };

#define DDL_LINE_MAX 256

/* Views live as long as the statements. */
struct ddl_made {
	enum ddl_kind kind;
	struct view name;        /* empty: an index that the database names */
	char line[DDL_LINE_MAX]; /* as the catalogue has it */
	struct view statement;   /* with its semicolon */
};

/* A negative return ends the list with it. */
typedef int ddl_fn(void *ctx, const struct ddl_made *made);

/* What the statements make and the catalogue does not have, in their order. Statements end with ";\n", and nothing in
 * them drops what another one made. 0, or what fn returned. */
int ddl_missing(const char *statements, const char *catalogue, ddl_fn *fn, void *ctx) MUST_USE;

/* For people: "view v_flow_hour, index prefixes gist (prefix), and 12 more". */
struct ddl_names {
	const char *at; /* NULL, or the server: " at HOST" is put behind each */
	unsigned count, left_out;
	char text[200];
};
/* A ddl_fn; ctx is a struct ddl_names. */
int ddl_names_add(void *ctx, const struct ddl_made *made);
void ddl_names_end(struct ddl_names *n);

/* What makes again what is missing. Views and indexes hold nothing; a table's rows are gone with it, and an empty one in
 * its place would only hide that. */
struct ddl_repair {
	const char *const *spare; /* tables that are made again all the same, NULL at the end; NULL: none */
	struct sql sql;
	struct ddl_names lost; /* the other tables */
};
void ddl_repair_done(struct ddl_repair *r);
/* A ddl_fn; ctx is a struct ddl_repair. */
int ddl_repair_add(void *ctx, const struct ddl_made *made);

/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/ddl.h"

#include <stdio.h>
#include <string.h>

/* The words before a name. */
static const struct {
	const char *words;
	enum ddl_kind kind;
} makers[] = {
	{"CREATE TABLE IF NOT EXISTS ", DDL_TABLE},
	{"CREATE TABLE ", DDL_TABLE},
	{"CREATE OR REPLACE VIEW ", DDL_VIEW},
	{"CREATE VIEW IF NOT EXISTS ", DDL_VIEW},
	{"CREATE VIEW ", DDL_VIEW},
	{"CREATE UNIQUE INDEX ", DDL_INDEX},
	{"CREATE INDEX ", DDL_INDEX},
};

static const char *const kinds[] = {[DDL_TABLE] = "table", [DDL_VIEW] = "view", [DDL_INDEX] = "index"};

static const char *past(const char *text, const char *words)
{
	size_t n = strlen(words);
	return strncmp(text, words, n) == 0 ? text + n : NULL;
}

/* Up to a blank or parenthesis, without the schema it may stand in. */
static struct view name_at(const char *text)
{
	size_t n = strcspn(text, " (;"), schema = strcspn(text, ".");
	if (schema < n)
		return (struct view){(const uint8_t *)text + schema + 1, n - schema - 1};
	return (struct view){(const uint8_t *)text, n};
}

static const char *end_of(struct view v)
{
	return (const char *)v.data + v.len;
}

/* "[NAME] ON TABLE [USING METHOD] (COLUMNS);" */
static void read_index(const char *text, struct ddl_made *ret)
{
	ret->name = past(text, "ON ") ? (struct view){0} : name_at(text);
	const char *on = past(text, "ON ") ? text : strstr(text, " ON ") + 1;
	struct view table = name_at(on + strlen("ON "));
	const char *rest = end_of(table), *using = past(rest, " USING ");
	struct view method = name_at(using ? using : "btree");
	rest += strcspn(rest, "(");
	(void)snprintf(ret->line, sizeof(ret->line), "index %.*s %.*s %.*s", (int)table.len, (const char *)table.data, (int)method.len,
		(const char *)method.data, (int)strcspn(rest, ";"), rest);
}

static bool read_statement(const char *text, size_t len, struct ddl_made *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		const char *name = past(text, makers[i].words);
		if (!name)
			continue;
		ret->kind = makers[i].kind;
		ret->statement = (struct view){(const uint8_t *)text, len};
		if (ret->kind == DDL_INDEX) {
			read_index(name, ret);
			return true;
		}
		ret->name = name_at(name);
		(void)snprintf(ret->line, sizeof(ret->line), "%s %.*s", kinds[ret->kind], (int)ret->name.len,
			(const char *)ret->name.data);
		return true;
	}
	return false;
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);
	for (const char *at = text; (at = strstr(at, line)); at += n)
		if ((at == text || at[-1] == '\n') && (at[n] == '\n' || !at[n]))
			return true;
	return false;
}

int ddl_missing(const char *statements, const char *catalogue, ddl_fn *fn, void *ctx)
{
	int r = 0;
	for (const char *at = statements; *at && r >= 0;) {
		struct ddl_made made;
		if (past(at, "--")) {
			at += strcspn(at, "\n");
			at += *at == '\n';
			continue;
		}
		const char *end = strstr(at, ";\n");
		size_t len = end ? (size_t)(end - at) + 1 : strlen(at);
		if (read_statement(at, len, &made) && !has_line(catalogue, made.line))
			r = fn(ctx, &made);
		at += len + (end != NULL);
	}
	return r < 0 ? r : 0;
}

int ddl_names_add(void *ctx, const struct ddl_made *made)
{
	struct ddl_names *n = ctx;
	size_t len = strlen(n->text), room = sizeof(n->text) - len - strlen(", and 1000 more");
	int more = snprintf(n->text + len, room, "%s%s%s%s", len ? ", " : "", made->line, n->at ? " at " : "", n->at ? n->at : "");
	if (more < 0 || (size_t)more >= room) {
		n->text[len] = '\0';
		n->left_out++;
	}
	n->count++;
	return 0;
}

void ddl_names_end(struct ddl_names *n)
{
	size_t len = strlen(n->text);
	if (n->left_out)
		(void)snprintf(n->text + len, sizeof(n->text) - len, ", and %u more", n->left_out);
}

void ddl_repair_done(struct ddl_repair *r)
{
	sql_done(&r->sql);
}

static bool is_spare(const struct ddl_repair *r, struct view name)
{
	for (const char *const *table = r->spare; table && *table; table++)
		if (strlen(*table) == name.len && memcmp(*table, name.data, name.len) == 0)
			return true;
	return false;
}

int ddl_repair_add(void *ctx, const struct ddl_made *made)
{
	struct ddl_repair *r = ctx;
	if (made->kind == DDL_TABLE && !is_spare(r, made->name))
		return ddl_names_add(&r->lost, made);
	sql_add(&r->sql, "%.*s\n", (int)made->statement.len, (const char *)made->statement.data);
	return 0;
}

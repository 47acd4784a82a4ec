/* SPDX-License-Identifier: BSD-2-Clause */

/* Dictionaries: names, prefixes and paths have small numbers in the tables of rows. Each is a table
 * (id, canonical value, text for people), only ever added to, so an id once seen stays true and both
 * directions can be cached without looking back. The caches are bounded: past the bound they start
 * anew, which costs look-ups and nothing else. */

#include "store/sqlite.h"

#include <errno.h>
#include <stdlib.h>

#include "route/path.h"

#define CACHE_BYTES_MAX (64u << 20)
#define VALUES_MAX      (1u << 22) /* ids above are looked up each time */

static const struct {
	const char *table, *key, *text; /* text NULL: the key is the text */
} tables[DICT_COUNT] = {
	[DICT_NAMES] = {"names", "name", NULL},
	[DICT_PREFIXES] = {"prefixes", "bytes", "prefix"},
	[DICT_PATHS] = {"paths", "bytes", "path"},
};

/* ---- values ---- */

static bool well_formed(enum sqlite_dict_kind kind, struct view value)
{
	struct prefix p;
	switch (kind) {
	case DICT_PREFIXES:
		return prefix_from_bytes(value, &p);
	case DICT_PATHS:
		return path_valid(value);
	case DICT_NAMES:
	case DICT_COUNT:
		break;
	}
	return true;
}

/* An empty view may have no data, which SQLite would take for NULL. */
static int bind_value(sqlite3_stmt *stmt, int at, enum sqlite_dict_kind kind, struct view v)
{
	const void *data = v.len ? (const void *)v.data : "";
	if (kind == DICT_NAMES)
		return sqlite3_bind_text64(stmt, at, data, v.len, SQLITE_STATIC, SQLITE_UTF8);
	return sqlite3_bind_blob64(stmt, at, data, v.len, SQLITE_STATIC);
}

static int bind_readable(sqlite3_stmt *stmt, int at, enum sqlite_dict_kind kind, struct view v)
{
	char prefix_text[PREFIX_TEXT_MAX];
	struct prefix p;
	if (kind == DICT_PREFIXES) {
		if (!prefix_from_bytes(v, &p))
			return SQLITE_MISMATCH;
		return sqlite3_bind_text(stmt, at, prefix_format(&p, prefix_text), -1, SQLITE_TRANSIENT);
	}
	size_t len = path_format(v, NULL, 0);
	char *text = malloc(len + 1);
	if (!text)
		return SQLITE_NOMEM;
	(void)path_format(v, text, len + 1);
	return sqlite3_bind_text64(stmt, at, text, len, free, SQLITE_UTF8);
}

/* ---- ids, for the writer ---- */

int dict_ids_init(struct dict_ids *d, sqlite3 *db, enum sqlite_dict_kind kind)
{
	CLEANUP(sql_done) struct sql select = {0}, insert = {0};
	value_ids_init(&d->known);
	sql_add(&select, "SELECT id FROM %s WHERE %s = ?1", tables[kind].table, tables[kind].key);
	if (tables[kind].text)
		sql_add(&insert, "INSERT INTO %s(%s, %s) VALUES(?1, ?2)", tables[kind].table, tables[kind].key,
			tables[kind].text);
	else
		sql_add(&insert, "INSERT INTO %s(%s) VALUES(?1)", tables[kind].table, tables[kind].key);
	int r = sqlite_prepare(db, &select, &d->select);
	return r == SQLITE_OK ? sqlite_prepare(db, &insert, &d->insert) : r;
}

void dict_ids_done(struct dict_ids *d)
{
	(void)sqlite3_finalize(d->select);
	(void)sqlite3_finalize(d->insert);
	value_ids_done(&d->known);
	*d = (struct dict_ids){0};
}

static int select_id(sqlite3_stmt *select, enum sqlite_dict_kind kind, struct view value, uint64_t *ret)
{
	int r = bind_value(select, 1, kind, value);
	if (r != SQLITE_OK)
		return r;
	*ret = 0;
	if (sqlite3_step(select) == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(select, 0);
	return sqlite3_reset(select);
}

static int insert_value(struct dict_ids *d, sqlite3 *db, enum sqlite_dict_kind kind, struct view value, uint64_t *ret)
{
	int r = bind_value(d->insert, 1, kind, value);
	if (r == SQLITE_OK && tables[kind].text)
		r = bind_readable(d->insert, 2, kind, value);
	if (r != SQLITE_OK)
		return r;
	(void)sqlite3_step(d->insert);
	r = sqlite3_reset(d->insert);
	*ret = (uint64_t)sqlite3_last_insert_rowid(db);
	return r;
}

int dict_ids_get(struct dict_ids *d, sqlite3 *db, enum sqlite_dict_kind kind, struct view value, uint64_t *ret)
{
	uint64_t id;
	if (value_ids_find(&d->known, value, ret))
		return SQLITE_OK;
	int r = select_id(d->select, kind, value, &id);
	if (r == SQLITE_OK && !id)
		r = insert_value(d, db, kind, value, &id);
	if (r == SQLITE_OK && value_ids_add(&d->known, value, id) < 0)
		r = SQLITE_NOMEM;
	if (r == SQLITE_OK)
		*ret = id;
	return r;
}

/* ---- values, for readers ---- */

int dict_values_init(struct dict_values *d, sqlite3 *db, enum sqlite_dict_kind kind)
{
	CLEANUP(sql_done) struct sql select = {0};
	arena_init(&d->arena);
	sql_add(&select, "SELECT %s FROM %s WHERE id = ?1", tables[kind].key, tables[kind].table);
	return sqlite_prepare(db, &select, &d->select);
}

void dict_values_done(struct dict_values *d)
{
	(void)sqlite3_finalize(d->select);
	arena_done(&d->arena);
	free(d->values);
	*d = (struct dict_values){0};
}

void dict_values_trim(struct dict_values *d)
{
	if (d->arena.total_bytes <= CACHE_BYTES_MAX)
		return;
	arena_reset(&d->arena);
	memset(d->values, 0, d->cap * sizeof(*d->values));
}

static int reserve_values(struct dict_values *d, uint64_t id)
{
	size_t cap = d->cap ? d->cap : 1024;
	if (id < d->cap || id >= VALUES_MAX)
		return SQLITE_OK;
	while (cap <= id)
		cap *= 2;
	struct view *values = realloc(d->values, cap * sizeof(*values));
	if (!values)
		return SQLITE_NOMEM;
	memset(values + d->cap, 0, (cap - d->cap) * sizeof(*values));
	d->values = values;
	d->cap = cap;
	return SQLITE_OK;
}

/* The statement stands on a row: copies its value out of it. */
static int take_value(struct dict_values *d, enum sqlite_dict_kind kind, struct view *ret)
{
	const void *data = sqlite3_column_blob(d->select, 0);
	struct view v = {data, (size_t)sqlite3_column_bytes(d->select, 0)};
	if (!well_formed(kind, v))
		return SQLITE_CORRUPT;
	v.data = arena_copy(&d->arena, v.data, v.len);
	if (!v.data)
		return SQLITE_NOMEM;
	*ret = v;
	return SQLITE_OK;
}

int dict_values_get(struct dict_values *d, enum sqlite_dict_kind kind, uint64_t id, struct view *ret)
{
	if (id < d->cap && d->values[id].data) {
		*ret = d->values[id];
		return SQLITE_OK;
	}
	struct view v;
	int r = reserve_values(d, id);
	if (r == SQLITE_OK)
		r = sqlite3_bind_int64(d->select, 1, (int64_t)id);
	if (r != SQLITE_OK)
		return r;
	bool found = sqlite3_step(d->select) == SQLITE_ROW;
	int taken = found ? take_value(d, kind, &v) : SQLITE_CORRUPT;
	r = sqlite3_reset(d->select);
	if (r != SQLITE_OK || taken != SQLITE_OK)
		return r != SQLITE_OK ? r : taken;
	if (id < d->cap)
		d->values[id] = v;
	*ret = v;
	return SQLITE_OK;
}

int dict_find(sqlite3 *db, enum sqlite_dict_kind kind, struct view value, uint64_t *ret)
{
	CLEANUP(sql_done) struct sql text = {0};
	sqlite3_stmt *select;
	sql_add(&text, "SELECT id FROM %s WHERE %s = ?1", tables[kind].table, tables[kind].key);
	int r = sqlite_prepare(db, &text, &select);
	if (r != SQLITE_OK)
		return r;
	r = select_id(select, kind, value, ret);
	(void)sqlite3_finalize(select);
	return r;
}

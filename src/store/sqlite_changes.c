/* SPDX-License-Identifier: BSD-2-Clause */

/* Path changes: one row each, written with its batch, read newest first, dropped by hours.
 *
 * The key is (time, collector, batch, number in the batch): a time range is a range of the tree, changes of
 * one millisecond keep their order of arrival, and collectors never meet. A second tree by prefix and time
 * answers for one prefix without reading all the others' changes. For every network inside another one the
 * first tree is read instead (the unary plus keeps SQLite from seeking once a prefix, which could be a
 * million). Newest first is the key backwards, so nothing is sorted and a limit ends the reading. */

#include "store/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- writing ---- */

int sqlite_prepare_changes(struct sqlite_store *s)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "INSERT INTO path_change(time_ms, collector, batch, number, router, prefix, path_before, path_after)"
		      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
	return sqlite_prepare(s->db, &sql, &s->insert_change);
}

int sqlite_write_changes(struct sqlite_store *s, const struct store_batch *batch, const struct cube_source *src)
{
	const struct flow_table *flows = batch->flows;
	struct view name = {(const uint8_t *)batch->collector, strlen(batch->collector)};
	uint64_t collector, kept_from_ms = changes_cutoff_ms(s->cutoff_s[LEVEL_hour]);
	if (!flows->change_count)
		return SQLITE_OK;
	int r = dict_ids_get(&s->dicts[DICT_NAMES], s->db, DICT_NAMES, name, &collector);
	for (uint32_t i = 0; i < flows->change_count && r == SQLITE_OK; i++) {
		const struct path_change *c = &flows->changes[i];
		if (c->time_ms < kept_from_ms)
			continue;
		const uint64_t values[] = {c->time_ms, collector, batch->id, i, src->names[c->router],
			src->prefixes[c->prefix], src->paths[c->before], src->paths[c->after]};
		for (size_t k = 0; k < ARRAY_LEN(values); k++)
			(void)sqlite3_bind_int64(s->insert_change, (int)k + 1, sql_int64_of(values[k]));
		(void)sqlite3_step(s->insert_change);
		r = sqlite3_reset(s->insert_change);
	}
	return r;
}

/* ---- dropping ---- */

int sqlite_delete_changes(struct sqlite_store *s, int64_t max_rows, int64_t *ret_rows)
{
	CLEANUP(sql_done) struct sql sql = {0};
	int64_t before_ms = sql_int64_of(changes_cutoff_ms(s->cutoff_s[LEVEL_hour])), last = -1;
	*ret_rows = 0;
	sql_add(&sql, "SELECT time_ms FROM path_change WHERE time_ms < %lld ORDER BY time_ms LIMIT 1 OFFSET %lld",
		(long long)before_ms, (long long)max_rows);
	int r = sql_text(&sql) ? sqlite_number(s->db, sql_text(&sql), &last) : SQLITE_NOMEM;
	if (r != SQLITE_OK)
		return r;
	sql_clear(&sql);
	sql_add(&sql, "DELETE FROM path_change WHERE time_ms < %lld", (long long)(last >= 0 ? last + 1 : before_ms));
	r = sql_text(&sql) ? sqlite_run(s->db, sql_text(&sql)) : SQLITE_NOMEM;
	*ret_rows = sqlite3_changes64(s->db);
	return r;
}

/* ---- reading ---- */

enum { COLUMN_time, COLUMN_router, COLUMN_prefix, COLUMN_before, COLUMN_after, COLUMN_collector, COLUMN_batch, COLUMN_number };

/* The condition on prefixes inside q's: their bytes lie between its own first and last, and they are not
 * shorter. The length is the last byte; in hexadecimal it compares as it counts. */
#define WITHIN " AND +prefix IN (SELECT id FROM prefixes WHERE bytes BETWEEN ?1 AND ?2 AND hex(substr(bytes, -1)) >= ?3)"

static int bind_within(sqlite3_stmt *stmt, const struct prefix *prefix)
{
	uint8_t first[PREFIX_BYTES_MAX], last[PREFIX_BYTES_MAX];
	struct prefix end = prefix_last(prefix);
	char length[4];
	struct view from = prefix_to_bytes(prefix, first), to = prefix_to_bytes(&end, last);
	/* From the shortest prefix that begins there: its length is asked for apart. */
	first[from.len - 1] = 0;
	(void)snprintf(length, sizeof(length), "%02X", prefix->len);
	int r = sqlite3_bind_blob64(stmt, 1, from.data, from.len, SQLITE_TRANSIENT);
	if (r == SQLITE_OK)
		r = sqlite3_bind_blob64(stmt, 2, to.data, to.len, SQLITE_TRANSIENT);
	return r == SQLITE_OK ? sqlite3_bind_text(stmt, 3, length, -1, SQLITE_TRANSIENT) : r;
}

/* The conditions of the query. *ret_empty: no row can meet them. */
static int add_conditions(struct sqlite_reader *reader, const struct store_change_query *q, struct sql *s, bool *ret_empty)
{
	uint64_t id = 0;
	uint8_t buf[PREFIX_BYTES_MAX];
	int r = SQLITE_OK;
	sql_add(s, " WHERE time_ms >= %lld AND time_ms < %lld", (long long)sql_int64_of(q->from_ms),
		(long long)sql_int64_of(store_changes_end_ms(q)));
	if (q->behind)
		sql_add(s, " AND (time_ms, collector, batch, number) < (%lld, %lld, %lld, %lld)", (long long)sql_int64_of(q->behind->time_ms),
			(long long)sql_int64_of(strtoull(q->behind->collector, NULL, 10)), (long long)sql_int64_of(q->behind->batch), (long long)sql_int64_of(q->behind->number));
	if (q->router) {
		r = dict_find(reader->db, DICT_NAMES, *q->router, &id);
		sql_add(s, " AND router = %llu", (unsigned long long)id);
		*ret_empty |= !id;
	}
	if (r == SQLITE_OK && q->prefix && q->within) {
		sql_add(s, WITHIN);
	} else if (r == SQLITE_OK && q->prefix) {
		r = dict_find(reader->db, DICT_PREFIXES, prefix_to_bytes(q->prefix, buf), &id);
		sql_add(s, " AND prefix = %llu", (unsigned long long)id);
		*ret_empty |= !id;
	}
	return r;
}

static int prepare(struct sqlite_reader *reader, const struct store_change_query *q, sqlite3_stmt **ret, bool *ret_empty)
{
	CLEANUP(sql_done) struct sql s = {0};
	*ret = NULL;
	sql_add(&s, "SELECT time_ms, router, prefix, path_before, path_after, collector, batch, number FROM path_change");
	int r = add_conditions(reader, q, &s, ret_empty);
	if (r != SQLITE_OK || *ret_empty)
		return r;
	sql_add(&s, " ORDER BY time_ms DESC, collector DESC, batch DESC, number DESC LIMIT %u", q->limit);
	r = sqlite_prepare(reader->db, &s, ret);
	return r == SQLITE_OK && q->prefix && q->within ? bind_within(*ret, q->prefix) : r;
}

static int fill_change(struct sqlite_reader *reader, sqlite3_stmt *stmt, struct store_change *ret)
{
	static const struct {
		int column;
		enum dimension dim;
		size_t at;
	} values[] = {
		{COLUMN_router, DIM_router, offsetof(struct store_change, router)},
		{COLUMN_prefix, DIM_prefix, offsetof(struct store_change, prefix)},
		{COLUMN_before, DIM_path, offsetof(struct store_change, before)},
		{COLUMN_after, DIM_path, offsetof(struct store_change, after)},
	};
	int r = SQLITE_OK;
	ret->time_ms = ret->place.time_ms = (uint64_t)sqlite3_column_int64(stmt, COLUMN_time);
	ret->place.batch = (uint64_t)sqlite3_column_int64(stmt, COLUMN_batch);
	ret->place.number = (uint64_t)sqlite3_column_int64(stmt, COLUMN_number);
	(void)snprintf(ret->place.collector, sizeof(ret->place.collector), "%lld", (long long)sqlite3_column_int64(stmt, COLUMN_collector));
	for (size_t i = 0; i < ARRAY_LEN(values) && r == SQLITE_OK; i++)
		r = sqlite_value_of(reader, values[i].dim, (uint64_t)sqlite3_column_int64(stmt, values[i].column),
			(struct dim_value *)((char *)ret + values[i].at));
	return r;
}

static int read_changes(struct sqlite_reader *reader, const struct store_change_query *q, store_change_fn *fn, void *ctx,
	int *ret_error)
{
	sqlite3_stmt *stmt;
	bool empty = q->from_ms >= q->to_ms || !q->limit;
	int r = empty ? SQLITE_OK : prepare(reader, q, &stmt, &empty);
	if (empty)
		return r;
	while (r == SQLITE_OK && *ret_error >= 0) {
		struct store_change change;
		r = sqlite3_step(stmt);
		if (r != SQLITE_ROW)
			break;
		r = fill_change(reader, stmt, &change);
		if (r == SQLITE_OK)
			*ret_error = fn(ctx, &change);
		if (!reader->in_snapshot)
			dict_values_trim(&reader->dicts[DICT_PATHS]);
	}
	int end = sqlite3_finalize(stmt);
	return r == SQLITE_DONE ? end : r;
}

int sqlite_changes(struct store_reader *base, const struct store_change_query *q, store_change_fn *fn, void *ctx,
	struct error *err)
{
	struct sqlite_reader *reader = CONTAINER_OF(base, struct sqlite_reader, base);
	int result = 0;
	sqlite_set_deadline(reader, q->deadline_ns);
	int r = read_changes(reader, q, fn, ctx, &result);
	sqlite_set_deadline(reader, 0);
	if (r == SQLITE_INTERRUPT)
		result = error_set(err, -ETIMEDOUT, "the query took too long: ask for a shorter range, one prefix or fewer rows");
	else if (r != SQLITE_OK)
		result = sqlite_error(reader->db, reader->path, r, "reading path changes", err);
	return result < 0 ? result : 0;
}

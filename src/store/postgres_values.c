/* SPDX-License-Identifier: BSD-2-Clause */

/* What numbers of names, prefixes and paths stand for, and what numbers such values have: a reader's side of the
 * dictionaries. The server is asked for many at once. What a number stands for never changes, so it is kept by the
 * reader, up to a bound; past that, and with each new connection (a backup may have been restored), it starts anew. */

#include "store/postgres.h"

#include <errno.h>
#include <stdlib.h>

#define VALUES_BYTES_MAX (64u << 20)

enum { VALUE_AT, VALUE_LEN, VALUE_WORDS };

/* ---- kept by a reader ---- */

void pg_values_init(struct pg_values *v)
{
	groups_init(&v->at, 1, VALUE_WORDS, INDEX_NONE - 1);
	arena_init(&v->arena);
}

void pg_values_done(struct pg_values *v)
{
	groups_done(&v->at);
	arena_done(&v->arena);
}

void pg_values_clear(struct pg_values *v)
{
	groups_reset(&v->at, 1, VALUE_WORDS);
	arena_reset(&v->arena);
}

void pg_values_trim(struct pg_values *v)
{
	if (v->arena.total_bytes <= VALUES_BYTES_MAX)
		return;
	groups_trim(&v->at, 0);
	pg_values_clear(v);
}

static int keep_value(struct pg_values *v, uint64_t number, struct view bytes)
{
	uint32_t row;
	const uint8_t *copy = arena_copy(&v->arena, bytes.data, bytes.len);
	if (!copy || groups_get(&v->at, &number, &row) < 0)
		return -ENOMEM;
	groups_sums(&v->at, row)[VALUE_AT] = (uint64_t)(uintptr_t)copy;
	groups_sums(&v->at, row)[VALUE_LEN] = bytes.len;
	return 0;
}

int pg_values_get(struct postgres_reader *r, enum dimension dim, uint64_t number, struct dim_value *ret, struct error *err)
{
	const struct pg_values *v = &r->values[pg_dict_of(dim)];
	uint32_t row = groups_find(&v->at, &number);
	const uint64_t *words = row == INDEX_NONE ? NULL : groups_sums(&v->at, row);
	struct view bytes = words ? (struct view){(const uint8_t *)(uintptr_t)words[VALUE_AT], words[VALUE_LEN]} : (struct view){0};
	if (!words || (pg_dict_of(dim) == PG_PREFIXES && !prefix_from_bytes(bytes, &ret->prefix)))
		return error_set(err, -EBADMSG, "postgresql store %s: a %s in it cannot be read", r->store->name,
			dimension_table[dim].name);
	if (pg_dict_of(dim) != PG_PREFIXES)
		ret->bytes = bytes;
	return 0;
}

/* ---- what numbers stand for ---- */

struct fetching {
	struct postgres_reader *reader;
	enum dimension dim;
};

static int on_value(void *ctx, const PGresult *res, struct error *err)
{
	const struct fetching *f = ctx;
	struct dim_value value;
	uint8_t buf[PREFIX_BYTES_MAX];
	int r = pg_column_value(res, 1, f->dim, &value);
	if (r == 0 && pg_dict_of(f->dim) == PG_PREFIXES)
		value.bytes = prefix_to_bytes(&value.prefix, buf);
	if (r < 0) /* pg_values_get tells of it */
		return 0;
	r = keep_value(&f->reader->values[pg_dict_of(f->dim)], pg_column_number(res, 0), value.bytes);
	return r < 0 ? pg_no_memory(f->reader->store->name, err) : 0;
}

int pg_values_fetch(struct postgres_reader *r, enum dimension dim, const struct groups *g, unsigned word, const uint32_t *rows,
	size_t count, uint64_t deadline_ns, struct error *err)
{
	enum pg_dict dict = pg_dict_of(dim);
	CLEANUP(sql_done) struct sql sql = {0};
	static const struct pg_params none;
	unsigned missing = 0;
	if (dict == PG_DICT_COUNT)
		return 0;
	sql_add(&sql, "SELECT id, %s FROM %s WHERE id = ANY('{", pg_dicts[dict].read, pg_dicts[dict].table);
	for (size_t i = 0; i < count; i++) {
		const uint64_t *number = groups_key(g, rows[i]) + word;
		if (*number && groups_find(&r->values[dict].at, number) == INDEX_NONE)
			sql_add(&sql, "%s%llu", missing++ ? "," : "", (unsigned long long)*number);
	}
	sql_add(&sql, "}'::bigint[])");
	return missing ? pg_select(r, &sql, &none, deadline_ns, on_value, &(struct fetching){r, dim}, err) : 0;
}

/* ---- what numbers values have ---- */

static int add_value(struct sql *s, const struct dim_value *v, enum pg_dict dict, size_t at, struct pg_params *params)
{
	char text[PREFIX_TEXT_MAX];
	if (dict == PG_PREFIXES) {
		sql_add(s, "(%zu, '%s'::iprange)", at, prefix_format(&v->prefix, text));
		return 0;
	}
	int n = pg_param(params, v->bytes);
	sql_add(s, "(%zu, $%d)", at, n);
	return n ? 0 : -E2BIG;
}

struct finding {
	uint64_t *numbers;
	size_t count;
};

static int on_number(void *ctx, const PGresult *res, struct error *err)
{
	const struct finding *f = ctx;
	uint64_t at = pg_column_number(res, 0);
	if (at < f->count)
		f->numbers[at] = pg_column_number(res, 1);
	return 0;
}

int pg_values_find(struct postgres_reader *r, const struct store_filter *filter, uint64_t deadline_ns, uint64_t *ret, struct error *err)
{
	enum pg_dict dict = pg_dict_of(filter->dim);
	CLEANUP(sql_done) struct sql sql = {0};
	CLEANUP(free_p) struct pg_params *params = calloc(1, sizeof(*params));
	size_t known = 0;
	int result = params ? 0 : pg_no_memory(r->store->name, err);
	sql_add(&sql, "SELECT v.n, d.id FROM (VALUES ");
	for (size_t i = 0; i < filter->value_count && result == 0; i++) {
		ret[i] = KEPT_NOWHERE;
		if (!filter->values[i].known)
			continue;
		sql_add(&sql, "%s", known++ ? ", " : "");
		if (add_value(&sql, &filter->values[i], dict, i, params) < 0)
			result = error_set(err, -E2BIG, "the filter has more values than one question takes");
	}
	sql_add(&sql, ") v(n, value) JOIN %s d ON %s", pg_dicts[dict].table, pg_dicts[dict].is);
	if (result < 0 || !known)
		return result;
	return pg_select(r, &sql, params, deadline_ns, on_number, &(struct finding){ret, filter->value_count}, err);
}

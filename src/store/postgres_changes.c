/* SPDX-License-Identifier: BSD-2-Clause */

/* Reading path changes: the newest rows are chosen first, by the key backwards or by the index of prefixes,
 * and only those are given their names, prefixes and paths. "Within a network" is asked of ip4r. */

#include "store/postgres.h"

#include <errno.h>
#include <stdlib.h>

struct job {
	const struct postgres_reader *reader;
	store_change_fn *fn;
	void *ctx;
};

static const struct {
	const char *column;
	enum dimension dim;
	size_t at;
} values[] = {
	{"router", DIM_router, offsetof(struct store_change, router)},
	{"prefix", DIM_prefix, offsetof(struct store_change, prefix)},
	{"path_before", DIM_path, offsetof(struct store_change, before)},
	{"path_after", DIM_path, offsetof(struct store_change, after)},
};

#define NEWEST_FIRST "time_ms DESC, collector DESC, batch DESC, number DESC"

static void add_select(struct sql *s, const struct store_change_query *q, struct pg_params *params)
{
	char text[PREFIX_TEXT_MAX];
	sql_add(s, "SELECT t.time_ms");
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		sql_add(s, ", ");
		pg_value_expression(s, values[i].column, values[i].dim);
	}
	sql_add(s, ", t.collector, t.batch, t.number FROM (SELECT * FROM path_change WHERE time_ms >= %llu AND time_ms < %llu",
		(unsigned long long)sql_int64_of(q->from_ms), (unsigned long long)sql_int64_of(store_changes_end_ms(q)));
	if (q->behind)
		sql_add(s, " AND (time_ms, collector, batch, number) < (%llu, %llu, %llu, %llu)", (unsigned long long)sql_int64_of(q->behind->time_ms),
			strtoull(q->behind->collector, NULL, 10), (unsigned long long)sql_int64_of(q->behind->batch), (unsigned long long)q->behind->number);
	if (q->router)
		sql_add(s, " AND router IN (SELECT id FROM names WHERE convert_to(name, 'UTF8') = $%d)",
			pg_param(params, *q->router));
	if (q->prefix)
		sql_add(s, " AND prefix IN (SELECT id FROM prefixes WHERE prefix %s '%s'::iprange)", q->within ? "<<=" : "=",
			prefix_format(q->prefix, text));
	sql_add(s, " ORDER BY " NEWEST_FIRST " LIMIT %u) t", q->limit);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		pg_value_join(s, values[i].column, values[i].dim);
	sql_add(s, " ORDER BY " NEWEST_FIRST);
}

static int on_row(void *ctx, const PGresult *res, struct error *err)
{
	struct job *j = ctx;
	struct store_change change = {.time_ms = pg_column_number(res, 0)};
	int place = 1 + (int)ARRAY_LEN(values);
	change.place = (struct store_change_place){change.time_ms, pg_column_number(res, place + 1), pg_column_number(res, place + 2), ""};
	(void)snprintf(change.place.collector, sizeof(change.place.collector), "%llu", (unsigned long long)pg_column_number(res, place));
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (pg_column_value(res, 1 + (int)i, values[i].dim, (struct dim_value *)((char *)&change + values[i].at)) < 0)
			return error_set(err, -EBADMSG, "postgresql store %s: a %s in it cannot be read", j->reader->store->name,
				values[i].column);
	return j->fn(j->ctx, &change);
}

int postgres_changes(struct store_reader *base, const struct store_change_query *q, store_change_fn *fn, void *ctx,
	struct error *err)
{
	struct postgres_reader *reader = CONTAINER_OF(base, struct postgres_reader, base);
	CLEANUP(sql_done) struct sql sql = {0};
	CLEANUP(free_p) struct pg_params *params = calloc(1, sizeof(*params));
	bool kept = reader->in_snapshot;
	if (!params)
		return pg_no_memory(reader->store->name, err);
	if (q->from_ms >= q->to_ms || !q->limit)
		return 0;
	add_select(&sql, q, params);
	int r = pg_reader_begin(reader, q->deadline_ns, err);
	if (r == 0)
		r = pg_select(reader, &sql, params, q->deadline_ns, on_row, &(struct job){reader, fn, ctx}, err);
	if (r < 0 || !kept)
		pg_reader_end(reader);
	return r;
}

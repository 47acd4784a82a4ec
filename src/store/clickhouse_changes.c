/* SPDX-License-Identifier: BSD-2-Clause */

/* Reading path changes, newest first. Those of a batch that is not applied yet, all of it, are not shown: the server is asked
 * first which batch is the last of each collector, of which there are few. Networks within one another are neighbours in the
 * order of their bytes. */

#include "store/clickhouse.h"

#include <string.h>

struct job {
	struct clickhouse_reader *reader;
	struct sql applied; /* the condition */
	store_change_fn *fn;
	void *ctx;
};

static int on_collector(void *ctx, struct rd *r, struct error *err)
{
	struct job *j = ctx;
	struct view name = ch_read_string(r);
	uint64_t last = rd_le(r, 8);
	if (!rd_ok(r))
		return 0;
	sql_add(&j->applied, " OR (batch <= %llu AND collector = ", (unsigned long long)last);
	ch_quote(&j->applied, name);
	sql_add(&j->applied, ")");
	return 0;
}

static void add_prefix(struct sql *s, const struct store_change_query *q)
{
	uint8_t first[PREFIX_BYTES_MAX], last[PREFIX_BYTES_MAX];
	struct prefix end = prefix_last(q->prefix);
	sql_add(s, " AND prefix >= ");
	ch_quote(s, prefix_to_bytes(q->prefix, first));
	sql_add(s, " AND prefix <= ");
	ch_quote(s, prefix_to_bytes(q->within ? &end : q->prefix, last));
}

static int add_select(struct sql *s, const struct job *j, const struct store_change_query *q)
{
	CLEANUP(buffer_done) struct buffer router = {0};
	uint64_t kept_ms = changes_cutoff_ms(j->reader->store->cutoff_s[LEVEL_hour]);
	sql_add(s, "SELECT time_ms, router, prefix, path_before, path_after, collector, batch, number FROM path_change WHERE time_ms >= %llu"
		" AND time_ms < %llu AND marker = 0 AND (0%s)", (unsigned long long)(q->from_ms > kept_ms ? q->from_ms : kept_ms),
		(unsigned long long)store_changes_end_ms(q), sql_text(&j->applied));
	if (q->behind) {
		sql_add(s, " AND (time_ms, collector, batch, number) < (%llu, ", (unsigned long long)q->behind->time_ms);
		ch_quote(s, (struct view){(const uint8_t *)q->behind->collector, strlen(q->behind->collector)});
		sql_add(s, ", %llu, %llu)", (unsigned long long)q->behind->batch, (unsigned long long)q->behind->number);
	}
	if (q->router) {
		ch_encode(KIND_TEXT, &(struct dim_value){.known = true, .bytes = *q->router}, &router);
		sql_add(s, " AND router = ");
		ch_quote(s, (struct view){router.data, router.len});
	}
	if (q->prefix)
		add_prefix(s, q);
	sql_add(s, " ORDER BY time_ms DESC, collector DESC, batch DESC, number DESC LIMIT %u", q->limit);
	return router.failed || s->failed ? -ENOMEM : 0;
}

static void read_place(struct rd *r, uint64_t time_ms, struct store_change_place *ret)
{
	struct view collector = ch_read_string(r);
	*ret = (struct store_change_place){.time_ms = time_ms, .batch = rd_le(r, 8), .number = rd_le(r, 4)};
	(void)snprintf(ret->collector, sizeof(ret->collector), "%.*s", (int)collector.len, (const char *)collector.data);
}

static int on_change(void *ctx, struct rd *r, struct error *err)
{
	struct job *j = ctx;
	struct ch_scratch *scratch = j->reader->scratch;
	struct store_change c = {.time_ms = rd_le(r, 8)};
	int bad = ch_read_value(r, DIM_router, &scratch[0], &c.router);
	bad |= ch_read_value(r, DIM_prefix, &scratch[0], &c.prefix);
	bad |= ch_read_value(r, DIM_path, &scratch[0], &c.before);
	bad |= ch_read_value(r, DIM_path, &scratch[1], &c.after);
	if (bad)
		return error_set(err, -EBADMSG, "clickhouse store %s: a path change in it cannot be read",
			j->reader->store->url.name);
	read_place(r, c.time_ms, &c.place);
	if (!rd_ok(r))
		return 0;
	int result = j->fn(j->ctx, &c);
	return result < 0 ? result : 0;
}

int clickhouse_changes(struct store_reader *base, const struct store_change_query *q, store_change_fn *fn, void *ctx,
	struct error *err)
{
	struct clickhouse_reader *reader = CONTAINER_OF(base, struct clickhouse_reader, base);
	struct job j = {.reader = reader, .fn = fn, .ctx = ctx};
	CLEANUP(sql_done) struct sql sql = {0};
	struct ch_request request = {.sql = "SELECT collector, max(batch) FROM collectors GROUP BY collector", .doing = "reading",
		.deadline_ns = q->deadline_ns};
	if (q->from_ms >= q->to_ms || !q->limit)
		return 0;
	int r = ch_reader_select(reader, &request, on_collector, &j, err);
	if (r == 0 && (!sql_text(&j.applied) || add_select(&sql, &j, q) < 0))
		r = ch_no_memory(&reader->store->url, err);
	request.sql = sql_text(&sql);
	if (r == 0)
		r = ch_reader_select(reader, &request, on_change, &j, err);
	sql_done(&j.applied);
	return r;
}

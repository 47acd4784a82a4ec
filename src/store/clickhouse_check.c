/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/clickhouse.h"

#include <stdio.h>
#include <string.h>

int clickhouse_look(const char *text, struct store_look *ret, struct error *err)
{
	CLEANUP(ch_url_done) struct ch_url url = {0};
	CLEANUP(ch_conn_done) struct ch_conn c = {0};
	uint64_t version = 0;
	int r = ch_url_parse(text, &url, err);
	if (r < 0)
		return r;
	*ret = (struct store_look){.known = CLICKHOUSE_SCHEMA_VERSION};
	(void)snprintf(ret->name, sizeof(ret->name), "clickhouse store %s", url.name);
	r = -EBUSY;
	for (unsigned i = 0; i < url.host_count && r == -EBUSY; i++) {
		ch_conn_done(&c);
		r = ch_conn_init(&c, &url, url.hosts[i], err);
		if (r == 0)
			r = ch_version(&c, &version, err);
	}
	ret->version = (unsigned)version;
	return r;
}

struct range {
	uint64_t count, ends[2];
};

static int on_range(void *ctx, struct rd *r, struct error *err)
{
	struct range *range = ctx, read = {rd_le(r, 8), {rd_le(r, 8), rd_le(r, 8)}};
	if (rd_ok(r))
		*range = read;
	return 0;
}

int clickhouse_range(struct store *store, struct store_table table, uint64_t ret[static 2], struct error *err)
{
	struct clickhouse_store *s = CONTAINER_OF(store, struct clickhouse_store, base);
	CLEANUP(sql_done) struct sql sql = {0};
	struct range range = {0};
	int r = ch_writer_ready(s, err);
	sql_add(&sql, "SELECT count(), toUInt64(min(ts)), toUInt64(max(ts)) FROM ");
	schema_table(&sql, table.cube, table.level);
	sql_add(&sql, " WHERE marker = 0 AND ts >= %llu", (unsigned long long)ch_first_kept(s, table.level));
	struct ch_request q = {.sql = sql_text(&sql), .doing = "reading a table's range"};
	if (r == 0)
		r = ch_select_any(s, &q, on_range, &range, err);
	if (r < 0) {
		ch_writer_doubt(s);
		return r;
	}
	if (!range.count)
		return 0;
	memcpy(ret, range.ends, sizeof(range.ends));
	return 1;
}

struct list {
	store_collector_fn *fn;
	void *ctx;
};

static int on_collector(void *ctx, struct rd *r, struct error *err)
{
	const struct list *list = ctx;
	char text[256];
	struct view name = ch_read_string(r);
	uint64_t last = rd_le(r, 8);
	if (!rd_ok(r))
		return 0;
	(void)snprintf(text, sizeof(text), "%.*s", (int)(name.len < sizeof(text) ? name.len : sizeof(text) - 1),
		(const char *)name.data);
	int result = list->fn(list->ctx, text, last);
	return result < 0 ? result : 0;
}

int clickhouse_collectors(struct store *store, store_collector_fn *fn, void *ctx, struct error *err)
{
	struct clickhouse_store *s = CONTAINER_OF(store, struct clickhouse_store, base);
	struct ch_request q = {.sql = "SELECT collector, max(batch) FROM collectors GROUP BY collector ORDER BY collector",
		.doing = "listing the collectors"};
	int r = ch_writer_ready(s, err);
	if (r == 0)
		r = ch_select_any(s, &q, on_collector, &(struct list){fn, ctx}, err);
	if (r < 0)
		ch_writer_doubt(s);
	return r;
}

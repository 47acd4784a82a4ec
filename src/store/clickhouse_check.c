/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/clickhouse.h"

#include <stdio.h>
#include <string.h>

/* Every server; those that are away, except when all are, are passed over. */
static int look_at_nodes(struct clickhouse_store *s, struct store_look *ret, struct error *err)
{
	struct ddl_names missing = {0};
	int r = ch_nodes_find(s, err);
	bool any = false;
	for (unsigned i = 0; i < s->node_count && (r == 0 || r == -EBUSY); i++) {
		struct ch_node *node = &s->nodes[i];
		uint64_t version = 0;
		missing.at = s->layout.cluster ? node->conn.at : NULL;
		r = ch_missing(node, &s->layout, ddl_names_add, &missing, &version, err);
		if (r == 0)
			r = ch_rights(&node->conn, &ret->lack, err);
		any |= r == 0;
		ret->version = version > ret->version ? (unsigned)version : ret->version;
	}
	ret->reader = ret->lack.code;
	ddl_names_end(&missing);
	(void)snprintf(ret->missing, sizeof(ret->missing), "%s", ret->version ? missing.text : "");
	return r == -EBUSY && any ? 0 : r;
}

int clickhouse_look(const char *text, struct store_look *ret, struct error *err)
{
	struct clickhouse_store s = {0};
	int r = ch_url_parse(text, &s.url, err);
	if (r < 0)
		return r;
	*ret = (struct store_look){.known = CLICKHOUSE_SCHEMA_VERSION};
	(void)snprintf(ret->name, sizeof(ret->name), "clickhouse store %s", s.url.name);
	r = look_at_nodes(&s, ret, err);
	ch_nodes_done(&s);
	ch_url_done(&s.url);
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

/* SPDX-License-Identifier: BSD-2-Clause */

/* Housekeeping: servers that were away get their tables, marks that are not needed go (clickhouse_marks.c), and what is
 * too old does.
 *
 * Retention: partitions all of whose buckets are too old are dropped, which costs next to nothing; what is too old in
 * the others is left out by readers. How far that goes is written to the table meta, so that a store that is opened
 * shows the same at once, whatever it is configured to keep; it is the last collector to keep house that says it. */

#include "store/clickhouse.h"

#include <stdio.h>
#include <string.h>

struct doomed {
	const struct clickhouse_store *s;
	struct sql list; /* "TABLE PARTITION\n" */
};

static void key_of(enum store_level level, char ret[static 32])
{
	(void)snprintf(ret, 32, "kept_%s", level_names[level]);
}

uint64_t ch_first_kept(const struct clickhouse_store *s, enum store_level level)
{
	uint64_t cutoff = s->cutoff_s[level], width = level_seconds[level];
	return cutoff >= width ? cutoff - width + 1 : 0;
}

int ch_load_cutoffs(struct clickhouse_store *s, struct error *err)
{
	struct ch_node *node;
	int r = ch_node_get(s, 0, &node, err);
	for (int level = 0; level < LEVEL_COUNT && r == 0; level++) {
		char key[32];
		uint64_t cutoff = 0;
		key_of((enum store_level)level, key);
		r = ch_meta_get(&node->conn, key, &cutoff, err);
		if (r == 0)
			s->cutoff_s[level] = cutoff;
	}
	return r;
}

/* To every server that is there. */
static int write_cutoff(struct clickhouse_store *s, const char *key, uint64_t cutoff, struct error *err)
{
	int r = 0;
	for (unsigned i = 0; i < s->node_count && r == 0; i++)
		if (s->nodes[i].ready)
			r = ch_meta_set(&s->nodes[i].conn, key, cutoff, err);
	return r;
}

static int set_cutoffs(struct clickhouse_store *s, uint64_t now_s, struct error *err)
{
	int r = 0;
	for (int level = 0; level < LEVEL_COUNT && r == 0; level++) {
		char key[32];
		uint64_t cutoff = level_cutoff(s->retention_s, (enum store_level)level, now_s);
		/* Of a bucket that is not over nothing is said, and so nothing written again and again. */
		cutoff = level_floor((enum store_level)level, cutoff);
		if (cutoff == s->cutoff_s[level])
			continue;
		key_of((enum store_level)level, key);
		r = write_cutoff(s, key, cutoff, err);
		if (r == 0)
			s->cutoff_s[level] = cutoff;
	}
	return r;
}

/* Whether a partition ends by the cutoff. */
static bool is_over(const struct clickhouse_store *s, unsigned table, uint64_t partition)
{
	enum store_level level = table == CH_TABLE_changes ? LEVEL_hour : (enum store_level)(table % LEVEL_COUNT);
	return (partition + 1) * ch_partition_s[level] <= s->cutoff_s[level];
}

static int on_partition(void *ctx, struct rd *r, struct error *err)
{
	struct doomed *d = ctx;
	struct view name = ch_read_string(r);
	uint64_t partition = rd_le(r, 8);
	if (!rd_ok(r))
		return 0;
	for (unsigned table = 0; table <= CH_TABLE_changes; table++) {
		CLEANUP(sql_done) struct sql text = {0};
		ch_table_local(&text, &d->s->layout, table);
		if (sql_text(&text) && text.len == name.len && memcmp(text.text, name.data, name.len) == 0 &&
			is_over(d->s, table, partition))
			sql_add(&d->list, "ALTER TABLE %s DROP PARTITION %llu\n", text.text, (unsigned long long)partition);
	}
	return 0;
}

static int drop(struct ch_node *node, char *statements, struct error *err)
{
	int r = 0;
	for (char *at = statements, *line; r == 0 && (line = strsep(&at, "\n")) && *line;) {
		struct ch_request q = {.sql = line, .doing = "dropping what is older than its retention"};
		r = ch_run(&node->conn, &q, err);
	}
	return r;
}

/* Of a shard, by one of its servers; replicas do as it does. */
static int drop_partitions(struct clickhouse_store *s, unsigned shard, struct error *err)
{
	struct doomed d = {.s = s};
	struct ch_node *node;
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "SELECT DISTINCT table, toUInt64(partition) FROM system.parts WHERE active AND database = '%s'"
		      " AND match(partition, '^[0-9]+$')", s->url.database);
	struct ch_request q = {.sql = sql_text(&sql), .doing = "listing partitions"};
	int r = ch_node_get(s, shard, &node, err);
	if (r == 0)
		r = ch_select(&node->conn, &q, on_partition, &d, err);
	if (r == 0 && d.list.failed)
		r = ch_no_memory(&s->url, err);
	if (r == 0 && d.list.len)
		r = drop(node, d.list.text, err);
	sql_done(&d.list);
	return r;
}

int clickhouse_maintain(struct store *store, uint64_t now_s, struct error *err)
{
	struct clickhouse_store *s = CONTAINER_OF(store, struct clickhouse_store, base);
	int r = ch_writer_ready(s, err);
	if (r == 0) {
		ch_nodes_tend(s);
		r = ch_marks_clear(s, err);
	}
	if (r == 0)
		r = set_cutoffs(s, now_s, err);
	for (unsigned shard = 0; shard < s->layout.shards && r == 0; shard++)
		r = drop_partitions(s, shard, err);
	if (r < 0)
		ch_writer_doubt(s);
	return r;
}

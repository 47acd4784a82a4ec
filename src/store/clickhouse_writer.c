/* SPDX-License-Identifier: BSD-2-Clause */

/* What a server may still be doing for a writer that is gone, or whose connection broke.
 *
 * The query_id of each INSERT begins with the collector's name, so that one can see in system.processes whether one is running.
 * Whoever comes next waits until none is, and what it then reads is what has come of them.
 *
 * That leaves a statement that the server has received and not begun: its bytes lie in the socket's buffer, or its
 * thread has not run yet. Before marks are trusted for the first time, or after a failure, the writer therefore waits
 * until nothing runs, gives the servers a moment more, and waits again. A server that leaves a complete request unread
 * for longer than that moment, and then runs it although the writer that sent it is dead, would apply a batch's block
 * of one table twice. Servers that have non_replicated_deduplication_window, and replicated tables, recognise the block
 * even then. */

#include "store/clickhouse.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define GRACE_MS   200
#define WAIT_MS    30000 /* for a statement that runs */
#define FIRST_MS   5
#define LONGEST_MS 200

static void wait_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

int ch_writer_ready(struct clickhouse_store *s, struct error *err)
{
	struct ch_node *node;
	int r = ch_nodes_find(s, err);
	for (unsigned shard = 0; shard < s->layout.shards && r == 0; shard++)
		r = ch_node_get(s, shard, &node, err);
	return r;
}

void ch_writer_doubt(struct clickhouse_store *s)
{
	s->fresh = s->own.settled = s->own.known = false;
	for (unsigned i = 0; i < s->node_count; i++)
		s->nodes[i].ready = false;
}

void ch_writer_id(struct sql *s, const struct clickhouse_store *store, const char *collector)
{
	sql_add(s, "whereto %s %s ", store->url.database, collector);
}

/* How many of the collector's INSERTs run at one server. One that is away runs none. */
static int count_running(struct clickhouse_store *s, struct ch_node *node, const char *sql, uint64_t *ret, struct error *err)
{
	struct ch_request q = {.sql = sql, .doing = "waiting for what was sent before", .without_database = true};
	*ret = 0;
	int r = ch_number(&node->conn, &q, 8, ret, err);
	if (r == 0 || node->conn.code || !s->layout.cluster)
		return r;
	ch_node_failed(node);
	return 0;
}

/* Until nothing runs. */
static int await_node(struct clickhouse_store *s, struct ch_node *node, const char *sql, struct error *err)
{
	uint64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS, running;
	for (int ms = FIRST_MS;; ms = ms * 2 < LONGEST_MS ? ms * 2 : LONGEST_MS) {
		int r = count_running(s, node, sql, &running, err);
		if (r < 0 || !running)
			return r;
		if (clock_mono_ns() >= end || ch_given_up(&s->url))
			return error_set(err, -EBUSY, "clickhouse store %s: what was sent before is still being written", s->url.name);
		wait_ms(ms);
	}
}

static int await(struct clickhouse_store *s, const char *collector, struct error *err)
{
	CLEANUP(sql_done) struct sql id = {0}, sql = {0};
	int r = 0;
	ch_writer_id(&id, s, collector);
	if (!sql_text(&id))
		return ch_no_memory(&s->url, err);
	sql_add(&sql, "SELECT count() FROM system.processes WHERE substring(query_id, 1, %zu) = ", id.len);
	ch_quote_text(&sql, sql_text(&id));
	for (unsigned i = 0; i < s->node_count && r == 0; i++)
		if (s->nodes[i].retry_ns <= clock_mono_ns())
			r = await_node(s, &s->nodes[i], sql_text(&sql), err);
	return r;
}

int ch_writer_settle(struct clickhouse_store *s, const char *collector, struct error *err)
{
	bool same = s->own.name && strcmp(s->own.name, collector) == 0, nobody_before = s->fresh && !s->own.name;
	int r = 0;
	if (same && s->own.settled)
		return 0;
	char *name = strdup(collector);
	if (!name)
		return ch_no_memory(&s->url, err);
	if (!same)
		ch_place_done(&s->own.marks);
	free(s->own.name);
	s->own.name = name;
	s->own.known = false;
	if (!nobody_before) {
		r = await(s, collector, err);
		if (r == 0)
			wait_ms(GRACE_MS);
		if (r == 0)
			r = await(s, collector, err);
	}
	s->own.settled = r == 0;
	return r;
}

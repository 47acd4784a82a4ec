/* SPDX-License-Identifier: BSD-2-Clause */

/* What a server may still be doing for a writer that is gone, or whose connection broke.
 *
 * Every statement of a collector has the same query_id, and a server refuses one while another of that id runs (code 216).
 * So whoever comes next waits for it, and what it then reads is what has come of it.
 *
 * That leaves a statement that the server has received and not begun: its bytes lie in the socket's buffer, or its
 * thread has not run yet. Before marks are trusted for the first time, or after a failure, the writer therefore waits
 * until nothing runs, gives the server a moment more, and waits again. A server that leaves a complete request unread
 * for longer than that moment, and then runs it although the writer that sent it is dead, would apply a batch's block
 * of one table twice. Servers that have non_replicated_deduplication_window, and replicated tables, recognise the block
 * even then. */

#include "store/clickhouse.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define GRACE_MS    200
#define WAIT_MS     30000 /* for a statement that runs */
#define FIRST_MS    5
#define LONGEST_MS  200

static void wait_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

int ch_writer_ready(struct clickhouse_store *s, struct error *err)
{
	bool fresh = false;
	if (s->ready)
		return 0;
	int r = ch_migrate(&s->conn, &fresh, err);
	s->fresh = fresh;
	s->ready = r == 0;
	return r;
}

void ch_writer_doubt(struct clickhouse_store *s)
{
	s->ready = s->fresh = s->own.settled = s->own.known = false;
}

int ch_writer_run(struct clickhouse_store *s, const char *collector, struct ch_request *q, ch_row_fn *fn, void *ctx,
	struct error *err)
{
	CLEANUP(sql_done) struct sql id = {0};
	uint64_t end = clock_mono_ns() + WAIT_MS * NS_PER_MS;
	sql_add(&id, "whereto %s %s", s->url.database, collector);
	q->query_id = sql_text(&id);
	for (int ms = FIRST_MS;; ms = ms * 2 < LONGEST_MS ? ms * 2 : LONGEST_MS) {
		int r = !q->query_id ? ch_no_memory(&s->url, err) : fn ? ch_select(&s->conn, q, fn, ctx, err) : ch_run(&s->conn, q, err);
		if (r == 0 || s->conn.code != CH_CODE_RUNNING || clock_mono_ns() >= end) {
			q->query_id = NULL;
			return r;
		}
		wait_ms(ms);
	}
}

int ch_writer_settle(struct clickhouse_store *s, const char *collector, struct error *err)
{
	bool same = s->own.name && strcmp(s->own.name, collector) == 0;
	struct ch_request q = {.sql = "SELECT 1", .doing = "waiting for what was sent before"};
	int r = 0;
	if (same && s->own.settled)
		return 0;
	char *name = strdup(collector);
	if (!name)
		return ch_no_memory(&s->url, err);
	bool nobody_before = s->fresh && !s->own.name;
	free(s->own.name);
	s->own.name = name;
	s->own.known = false;
	if (!nobody_before) {
		r = ch_writer_run(s, collector, &q, NULL, NULL, err);
		if (r == 0)
			wait_ms(GRACE_MS);
		if (r == 0)
			r = ch_writer_run(s, collector, &q, NULL, NULL, err);
	}
	s->own.settled = r == 0;
	return r;
}

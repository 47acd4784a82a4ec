/* SPDX-License-Identifier: BSD-2-Clause */
#include "collector/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/exposition.h"
#include "collector/json.h"

/* ---- senders ---- */

static json_t *sender_json(const struct sender_report *r)
{
	const uint64_t *v = r->ledger.v;
	json_t *row = json_object(), *rejected = json_object();
	int bad = json_object_set_new(row, "sender", json_stringn(r->name, r->name_len));
	bad |= json_object_set_new(row, "sessions", json_count(r->sessions));
	bad |= json_object_set_new(row, "sent", json_count(v[LEDGER_sent]));
	bad |= json_object_set_new(row, "stored", json_count(v[LEDGER_stored]));
	bad |= json_object_set_new(rejected, "past", json_count(v[LEDGER_rejected_past]));
	bad |= json_object_set_new(rejected, "future", json_count(v[LEDGER_rejected_future]));
	bad |= json_object_set_new(rejected, "invalid", json_count(v[LEDGER_rejected_invalid]));
	bad |= json_object_set_new(row, "rejected", rejected);
	for (int i = LEDGER_dropped; i < LEDGER_COUNT; i++)
		bad |= json_object_set_new(row, ledger_table[i].name, json_count(v[i]));
	bad |= json_object_set_new(row, "in_flight", json_count(ledger_in_flight(&r->ledger)));
	bad |= json_object_set_new(row, "first_seen", json_time(r->first_ms));
	bad |= json_object_set_new(row, "last_seen", json_time(r->last_ms));
	return json_whole(row, bad);
}

static json_t *refused_json(const struct intake *in)
{
	json_t *refused = json_object();
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (counter_table[i].refused)
			(void)json_object_set_new(refused, counter_table[i].name, json_count(in->counters[i]));
	return refused;
}

/* What is acknowledged and not yet in the store, and why. */
static json_t *backlog_json(const struct writer_stats *w)
{
	json_t *backlog = json_object();
	int bad = json_object_set_new(backlog, "batches", json_count(w->backlog));
	bad |= json_object_set_new(backlog, "bytes", json_count(w->backlog_bytes));
	bad |= json_object_set_new(backlog, "since", json_time(w->backlog_since_ms));
	bad |= json_object_set_new(backlog, "store_away_since", json_time(w->store_away_since_ms));
	bad |= json_object_set_new(backlog, "store_error", json_text(w->store_error[0] ? w->store_error : NULL));
	bad |= json_object_set_new(backlog, "housekeeping_failed_since", json_time(w->unkept_since_ms));
	bad |= json_object_set_new(backlog, "housekeeping_error", json_text(w->housekeeping_error[0] ? w->housekeeping_error : NULL));
	bad |= json_object_set_new(backlog, "journal_error", json_text(w->journal_error[0] ? w->journal_error : NULL));
	return json_whole(backlog, bad);
}

json_t *report_senders(const struct intake *in, const struct writer_stats *w)
{
	size_t n;
	CLEANUP(free_p) struct sender_report *list = intake_senders(in, &n);
	json_t *rows = json_array();
	if (!list || !rows) {
		json_decref(rows);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(rows, sender_json(&list[i]));
	return json_pack("{s:o, s:o, s:o}", "rows", rows, "refused", refused_json(in), "backlog", backlog_json(w));
}

/* ---- metrics ---- */

void report_collect(const struct intake *in, struct report_numbers *ret)
{
	*ret = (struct report_numbers){.sessions = in->sessions.count,
		.longest_hold_ns = loop_longest_hold_ns(in->loop), .routes = route_stats(tables_routes(in->tables))};
	memcpy(ret->counters, in->counters, sizeof(ret->counters));
	for (uint32_t i = 0; i < in->sessions.count; i++)
		ledger_add(&ret->ledger, &in->sessions.list[i]->state.ledger);
	for (size_t i = 0; i < in->sessions.retired.retired_count; i++)
		ledger_add(&ret->ledger, &in->sessions.retired.retired[i].ledger);
	ret->sources = source_metrics_collect(in->world->config, in->tables, &ret->source_count);
}

void report_numbers_done(struct report_numbers *n)
{
	free(n->sources);
}

static void counter(FILE *out, const char *name, const char *help, uint64_t value)
{
	exposition_family(out, "whereto_", name, "counter", help);
	fprintf(out, "whereto_%s_total %" PRIu64 "\n", name, value);
}

static void gauge(FILE *out, const char *name, const char *help, double value)
{
	exposition_family(out, "whereto_", name, "gauge", help);
	fprintf(out, "whereto_%s %.9g\n", name, value);
}

static double seconds_since(uint64_t ms)
{
	uint64_t now_ms = clock_wall_ms();
	return ms && ms < now_ms ? (double)(now_ms - ms) / 1e3 : 0;
}

void report_metrics(const struct report_numbers *n, const struct writer_stats *w, FILE *out)
{
	exposition_family(out, "whereto_", "build_info", "gauge", "always 1: the version of this collector");
	fputs("whereto_build_info{version=\"" WHERETO_VERSION "\"} 1\n", out);
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (!counter_table[i].refused)
			counter(out, counter_table[i].name, counter_table[i].help, n->counters[i]);
	exposition_family(out, "whereto_", "datagrams_refused", "counter", "datagrams dropped before any session, by reason");
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (counter_table[i].refused)
			fprintf(out, "whereto_datagrams_refused_total{reason=\"%s\"} %" PRIu64 "\n", counter_table[i].name,
				n->counters[i]);
	for (int i = 0; i < LEDGER_COUNT; i++) {
		exposition_family(out, "whereto_ledger_", ledger_table[i].name, "gauge", ledger_table[i].help);
		fprintf(out, "whereto_ledger_%s %" PRIu64 "\n", ledger_table[i].name, n->ledger.v[i]);
	}
	gauge(out, "ledger_in_flight", "records sent and not yet accounted", (double)ledger_in_flight(&n->ledger));
	gauge(out, "sessions", "sessions known", (double)n->sessions);
	gauge(out, "longest_hold_seconds", "longest time the data plane was held up since its start",
		(double)n->longest_hold_ns / 1e9);
	gauge(out, "route_prefixes", "prefixes in the union of all tables", (double)n->routes.prefixes);
	gauge(out, "route_attributes", "distinct sets of path attributes", (double)n->routes.attrs);
	gauge(out, "route_memory_bytes", "memory of the route table", (double)n->routes.memory_bytes);
	counter(out, "bgp_connections_refused", "BGP connections from addresses that no source names", n->bgp_refused);
	counter(out, "bmp_connections_refused", "BMP connections from addresses that no source names", n->bmp_refused);
	if (n->sources)
		source_metrics_write(n->sources, n->source_count, out);
	counter(out, "journal_frames", "frames written and synced", w->frames);
	counter(out, "journal_failures", "frames that could not be written at the first try", w->failures);
	gauge(out, "journal_bytes", "bytes in the journal", (double)w->journal_bytes);
	gauge(out, "journal_up", "1: the journal can be written; 0: nothing is acknowledged", !w->journal_error[0]);
	gauge(out, "journal_backlog", "batches not yet in the store", (double)w->backlog);
	gauge(out, "journal_backlog_bytes", "bytes of those batches in the journal", (double)w->backlog_bytes);
	gauge(out, "journal_backlog_age_seconds", "age of the oldest of those batches", seconds_since(w->backlog_since_ms));
	gauge(out, "journal_sync_seconds", "time the last frame took to reach the disk", (double)w->last_sync_ns / 1e9);
	counter(out, "store_batches", "batches written to the store", w->batches);
	counter(out, "store_rows", "flow rows in those batches", w->batch_rows);
	counter(out, "store_duplicates", "batches the store had already", w->duplicates);
	counter(out, "store_retries", "batches the store could not take at once", w->retries);
	gauge(out, "store_up", "1: the store takes batches; 0: they wait in the journal", !w->store_error[0]);
	gauge(out, "store_away_seconds", "how long the store has not taken any", seconds_since(w->store_away_since_ms));
	gauge(out, "store_housekeeping_failed_seconds", "how long the store's housekeeping (merging, retention) has failed; 0: it works",
		seconds_since(w->unkept_since_ms));
	gauge(out, "store_batch_seconds", "time the last batch took", (double)w->last_batch_ns / 1e9);
}

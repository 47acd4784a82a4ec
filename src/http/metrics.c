/* SPDX-License-Identifier: BSD-2-Clause */

/* The figures for Prometheus: the collector's, then the server's own (metrics.def), in the OpenMetrics
 * text format. A client that does not ask for OpenMetrics gets them in the older text format. */

#include <stdlib.h>

#include "base/clock.h"
#include "base/exposition.h"
#include "http/call.h"

#define TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TYPE_TEXT        "text/plain; version=0.0.4; charset=utf-8"

static const char *endpoint_label(size_t i)
{
	return i < ENDPOINT_COUNT ? http_endpoints[i].path : "unknown";
}

static void write_requests(struct http_server *s, const char *name, FILE *out)
{
	static const unsigned statuses[HTTP_STATUS_COUNT] = HTTP_STATUSES;
	for (size_t e = 0; e <= ENDPOINT_COUNT; e++)
		for (size_t i = 0; i < HTTP_STATUS_COUNT; i++) {
			uint64_t n = atomic_load(&s->counters.requests[e][i]);
			char status[16] = "other";
			if (statuses[i])
				(void)snprintf(status, sizeof(status), "%u", statuses[i]);
			if (n)
				(void)fprintf(out, "%s_total{endpoint=\"%s\",status=\"%s\"} %llu\n", name,
					endpoint_label(e), status, (unsigned long long)n);
		}
}

static void write_request_seconds(struct http_server *s, const char *name, FILE *out)
{
#define DURATION(bound_ns, text) text,
	static const char *const bounds[] = {HTTP_DURATIONS};
#undef DURATION
	for (size_t e = 0; e <= ENDPOINT_COUNT; e++) {
		uint64_t counts[HTTP_DURATION_COUNT], n = 0;
		char labels[128] = "";
		for (size_t i = 0; i < HTTP_DURATION_COUNT; i++)
			n += counts[i] = atomic_load(&s->counters.durations[e][i]);
		if (!n)
			continue;
		exposition_label(labels, sizeof(labels), "endpoint", endpoint_label(e));
		exposition_histogram(out, name, labels, &(struct exposition_histogram){bounds, counts, ARRAY_LEN(bounds),
			(double)atomic_load(&s->counters.duration_ns[e]) / (double)NS_PER_S});
	}
}

static void write_response_bytes(struct http_server *s, const char *name, FILE *out)
{
	(void)fprintf(out, "%s_total %llu\n", name,
		(unsigned long long)atomic_load(&s->counters.response_bytes));
}

static void write_responses_held_bytes(struct http_server *s, const char *name, FILE *out)
{
	(void)fprintf(out, "%s %zu\n", name, atomic_load(&s->counters.held_bytes));
}

static void write_connections(struct http_server *s, const char *name, FILE *out)
{
	(void)fprintf(out, "%s %zu\n", name, http_guard_count(&s->guard));
}

static void write_connections_cut(struct http_server *s, const char *name, FILE *out)
{
	(void)fprintf(out, "%s_total %llu\n", name, (unsigned long long)http_guard_closed(&s->guard));
}

static void write_certificate_end_timestamp_seconds(struct http_server *s, const char *name, FILE *out)
{
	if (s->has_tls)
		(void)fprintf(out, "%s %llu\n", name, (unsigned long long)atomic_load(&s->certificate_end_s));
}

static void write_requests_waiting(struct http_server *s, const char *name, FILE *out)
{
	(void)fprintf(out, "%s %zu\n", name, http_jobs_waiting(&s->queries) + http_jobs_waiting(&s->tables));
}

/* All zero where nothing is kept. */
static struct store_kept kept(const struct http_server *s)
{
	struct store_kept k = {0};
	if (s->backend.store && s->backend.store->ops->kept)
		s->backend.store->ops->kept(s->backend.store, &k);
	return k;
}

static void write_store_runs(struct http_server *s, const char *name, FILE *out)
{
	struct store_kept k = kept(s);
	(void)fprintf(out, "%s_total{from=\"kept\"} %llu\n%s_total{from=\"tables\"} %llu\n", name, (unsigned long long)k.found,
		name, (unsigned long long)k.read);
}

static void write_store_kept_bytes(struct http_server *s, const char *name, FILE *out)
{
	(void)fprintf(out, "%s %zu\n", name, kept(s).bytes);
}

static void write_ahead_rounds(struct http_server *s, const char *name, FILE *out)
{
	(void)fprintf(out, "%s_total %llu\n", name, (unsigned long long)http_ahead_rounds(&s->ahead));
}

static const struct {
	const char *name, *type, *help;
	void (*write)(struct http_server *s, const char *name, FILE *out);
} metrics[] = {
#define METRIC(name, type, help) {"whereto_http_" #name, type, help, write_##name},
#include "http/metrics.def"
#undef METRIC
};

static void write_all(struct http_server *s, FILE *out)
{
	if (s->backend.metrics)
		s->backend.metrics(s->backend.ctx, out);
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
		exposition_family(out, "", metrics[i].name, metrics[i].type, metrics[i].help);
		metrics[i].write(s, metrics[i].name, out);
	}
}

static void write_older(struct http_server *s, FILE *out)
{
	CLEANUP(free_p) char *text = NULL;
	size_t len;
	FILE *memory = open_memstream(&text, &len);
	if (!memory)
		return;
	write_all(s, memory);
	if (fclose(memory) == 0)
		exposition_older(text, out);
}

void http_metrics(struct http_call *call)
{
	FILE *out = http_reply_begin(call, 200, call->accept_openmetrics ? TYPE_OPENMETRICS : TYPE_TEXT);
	if (!out)
		return;
	if (call->accept_openmetrics) {
		write_all(call->server, out);
		(void)fputs("# EOF\n", out);
	} else {
		write_older(call->server, out);
	}
	http_reply_end(call, out);
}

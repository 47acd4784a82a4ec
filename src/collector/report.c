/* SPDX-License-Identifier: BSD-2-Clause */
#include "collector/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "route/path.h"

/* jansson's setters take the new reference and fail on NULL, so a chain of them needs no checks: an
 * object that could not be built whole is dropped by the caller. */

static json_t *time_json(uint64_t ms)
{
	char text[TIME_TEXT_MAX];
	return ms ? json_string(time_format(ms, text)) : json_null();
}

static json_t *count_json(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* ---- senders ---- */

static json_t *sender_json(const struct sender_report *r)
{
	const uint64_t *v = r->ledger.v;
	json_t *row = json_object(), *rejected = json_object();
	int bad = json_object_set_new(row, "sender", json_stringn(r->name, r->name_len));
	bad |= json_object_set_new(row, "sessions", count_json(r->sessions));
	bad |= json_object_set_new(row, "sent", count_json(v[LEDGER_sent]));
	bad |= json_object_set_new(row, "stored", count_json(v[LEDGER_stored]));
	bad |= json_object_set_new(rejected, "past", count_json(v[LEDGER_rejected_past]));
	bad |= json_object_set_new(rejected, "future", count_json(v[LEDGER_rejected_future]));
	bad |= json_object_set_new(rejected, "invalid", count_json(v[LEDGER_rejected_invalid]));
	bad |= json_object_set_new(row, "rejected", rejected);
	for (int i = LEDGER_dropped; i < LEDGER_COUNT; i++)
		bad |= json_object_set_new(row, ledger_table[i].name, count_json(v[i]));
	bad |= json_object_set_new(row, "in_flight", count_json(ledger_in_flight(&r->ledger)));
	bad |= json_object_set_new(row, "first_seen", time_json(r->first_ms));
	bad |= json_object_set_new(row, "last_seen", time_json(r->last_ms));
	if (!bad)
		return row;
	json_decref(row);
	return NULL;
}

static json_t *refused_json(const struct intake *in)
{
	json_t *refused = json_object();
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (counter_table[i].refused)
			(void)json_object_set_new(refused, counter_table[i].name, count_json(in->counters[i]));
	return refused;
}

json_t *report_senders(const struct intake *in)
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
	return json_pack("{s:o, s:o}", "rows", rows, "refused", refused_json(in));
}

/* ---- routers ---- */

static const char *const kind_names[] = {[SOURCE_BMP] = "bmp", [SOURCE_BGP] = "bgp", [SOURCE_MRT] = "mrt"};

/* An MRT file is loaded, or could not be; the others have the states of tables.h. */
static const char *source_state_name(const struct table_source *s, const char *error)
{
	if (s->kind != SOURCE_MRT)
		return table_state_names[s->state];
	return s->state == TABLE_UP ? "loaded" : error ? "error" : "absent";
}

static json_t *source_json(const struct table_source *s, const struct source_state *file)
{
	char peer[ADDR_TEXT_MAX], from[ADDR_TEXT_MAX];
	const char *error = *file->error ? file->error : *s->error ? s->error : NULL;
	json_t *row = json_object();
	int bad = json_object_set_new(row, "kind", json_string(kind_names[s->kind]));
	bad |= json_object_set_new(row, "file", s->file ? json_string(s->file) : json_null());
	bad |= json_object_set_new(row, "from", s->from.family ? json_string(addr_format(&s->from, from)) : json_null());
	bad |= json_object_set_new(row, "peer", s->peer.family ? json_string(addr_format(&s->peer, peer)) : json_null());
	bad |= json_object_set_new(row, "state", json_string(source_state_name(s, error)));
	bad |= json_object_set_new(row, "routes", count_json(rib_routes(s->rib)));
	bad |= json_object_set_new(row, "loaded", time_json(s->state == TABLE_ABSENT ? 0 : s->since_ms));
	bad |= json_object_set_new(row, "error", error ? json_string(error) : json_null());
	if (!bad)
		return row;
	json_decref(row);
	return NULL;
}

static json_t *router_json(const struct world *w, const struct tables *t, size_t i)
{
	const struct config_router *router = &w->config->routers[i];
	json_t *serves = json_array(), *sources = json_array();
	struct table_source *const *list;
	size_t count = tables_sources(t, (uint32_t)i, &list), prefixes = 0;
	for (size_t j = 0; j < router->serves_count; j++) {
		char text[PREFIX_TEXT_MAX];
		(void)json_array_append_new(serves, json_string(prefix_format(&router->serves[j], text)));
	}
	for (size_t j = 0; j < count; j++) {
		size_t routes = route_count(tables_routes(t), rib_view(list[j]->rib));
		prefixes = routes > prefixes ? routes : prefixes;
		(void)json_array_append_new(sources, source_json(list[j], &w->sources[w->first_view[i] + j]));
	}
	return json_pack("{s:s, s:o, s:I, s:o}", "name", router->name, "serves", serves, "prefixes",
		(json_int_t)prefixes, "sources", sources);
}

json_t *report_routers(const struct world *w, const struct tables *t)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < w->config->router_count; i++)
		(void)json_array_append_new(rows, router_json(w, t, i));
	return json_pack("{s:o}", "rows", rows);
}

/* ---- lookup ---- */

static json_t *path_json(struct view path)
{
	size_t n = path_format(path, NULL, 0);
	CLEANUP(free_p) char *text = malloc(n + 1);
	if (!text)
		return NULL;
	(void)path_format(path, text, n + 1);
	return json_string(text);
}

/* "64500:1 64500:2" from the attribute's bytes; parts: how many numbers make one community. */
static json_t *communities_json(struct view bytes, int parts)
{
	char *text = NULL;
	size_t len = 0;
	if (!bytes.len)
		return json_null();
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	struct rd r = rd_view(bytes);
	for (int n = 0; rd_more(&r); n++) {
		uint32_t number = rd_u32(&r);
		if (parts == 1)
			fprintf(f, "%s%u:%u", n ? " " : "", number >> 16, number & 0xffff);
		else
			fprintf(f, "%s%u", n == 0 ? "" : n % parts ? ":" : " ", number);
	}
	(void)fclose(f);
	json_t *json = json_string(text);
	free(text);
	return json;
}

static json_t *asn_json(uint32_t asn)
{
	return asn ? count_json(asn) : json_null();
}

/* Whose route it is: the source that answered. */
static const struct table_source *answering(const struct tables *t, size_t router, const struct route_hit *hit)
{
	struct table_source *const *list;
	size_t count = tables_sources(t, (uint32_t)router, &list);
	for (size_t i = 0; i < count; i++)
		if (list[i]->state != TABLE_ABSENT &&
			route_at(tables_routes(t), rib_view(list[i]->rib), hit->prefix) == hit->attrs)
			return list[i];
	return NULL;
}

static json_t *route_json(const struct tables *t, size_t router, const char *name, const struct route_hit *hit,
	enum route_match match)
{
	const struct route_table *routes = tables_routes(t);
	const struct table_source *s = answering(t, router, hit);
	struct prefix prefix = route_prefix(routes, hit->prefix);
	struct route_attrs a = route_attrs(routes, hit->attrs);
	char prefix_text[PREFIX_TEXT_MAX], hop[ADDR_TEXT_MAX];
	json_t *row = json_object();
	int bad = json_object_set_new(row, "router", json_string(name));
	bad |= json_object_set_new(row, "prefix", json_string(prefix_format(&prefix, prefix_text)));
	bad |= json_object_set_new(row, "path", path_json(a.path));
	bad |= json_object_set_new(row, "origin", asn_json(route_origin(routes, hit->attrs)));
	bad |= json_object_set_new(row, "neighbour", asn_json(route_neighbour(routes, hit->attrs)));
	bad |= json_object_set_new(row, "next_hop",
		a.next_hop.family ? json_string(addr_format(&a.next_hop, hop)) : json_null());
	bad |= json_object_set_new(row, "communities", communities_json(a.communities, 1));
	bad |= json_object_set_new(row, "large_communities", communities_json(a.large_communities, 3));
	bad |= json_object_set_new(row, "med", a.has_med ? count_json(a.med) : json_null());
	bad |= json_object_set_new(row, "local_pref", a.has_local_pref ? count_json(a.local_pref) : json_null());
	bad |= json_object_set_new(row, "source", s ? json_string(kind_names[s->kind]) : json_null());
	bad |= json_object_set_new(row, "match", json_string(route_match_names[match]));
	bad |= json_object_set_new(row, "age_s", s ? count_json((clock_wall_ms() - s->since_ms) / 1000) : json_null());
	if (!bad)
		return row;
	json_decref(row);
	return NULL;
}

static json_t *no_route_json(const char *router)
{
	return json_pack("{s:s, s:n, s:n, s:n, s:n, s:s}", "router", router, "prefix", "path", "origin", "neighbour",
		"match", route_match_names[MATCH_NONE]);
}

int report_lookup(const struct world *w, const struct tables *t, const struct addr *addr, const char *router, json_t **ret,
	struct error *err)
{
	json_t *rows = json_array();
	bool found = false;
	for (size_t i = 0; i < w->config->router_count; i++) {
		const char *name = w->config->routers[i].name;
		if (router && strcmp(router, name) != 0)
			continue;
		struct route_hit hit;
		enum route_match match;
		found = true;
		bool has = tables_lookup(t, (uint32_t)i, addr, &hit, &match);
		(void)json_array_append_new(rows, has ? route_json(t, i, name, &hit, match) : no_route_json(name));
	}
	if (router && !found) {
		json_decref(rows);
		return error_set(err, -ENOENT, "no router is called '%.64s'", router);
	}
	char text[ADDR_TEXT_MAX], country[3];
	country_format(countries_lookup(w->countries, addr), country);
	*ret = json_pack("{s:s, s:s?, s:o}", "address", addr_format(addr, text), "country", *country ? country : NULL,
		"rows", rows);
	return *ret ? 0 : error_set(err, -ENOMEM, "out of memory");
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
}

static void counter(FILE *out, const char *name, const char *help, uint64_t value)
{
	fprintf(out, "# HELP whereto_%s %s\n# TYPE whereto_%s counter\nwhereto_%s_total %" PRIu64 "\n", name, help, name,
		name, value);
}

static void gauge(FILE *out, const char *name, const char *help, double value)
{
	fprintf(out, "# HELP whereto_%s %s\n# TYPE whereto_%s gauge\nwhereto_%s %.9g\n", name, help, name, name, value);
}

void report_metrics(const struct report_numbers *n, const struct writer_stats *w, FILE *out)
{
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (!counter_table[i].refused)
			counter(out, counter_table[i].name, counter_table[i].help, n->counters[i]);
	fprintf(out, "# HELP whereto_datagrams_refused datagrams dropped before any session, by reason\n"
		     "# TYPE whereto_datagrams_refused counter\n");
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (counter_table[i].refused)
			fprintf(out, "whereto_datagrams_refused_total{reason=\"%s\"} %" PRIu64 "\n", counter_table[i].name,
				n->counters[i]);
	for (int i = 0; i < LEDGER_COUNT; i++) {
		fprintf(out, "# HELP whereto_ledger_%s %s\n# TYPE whereto_ledger_%s gauge\n", ledger_table[i].name,
			ledger_table[i].help, ledger_table[i].name);
		fprintf(out, "whereto_ledger_%s %" PRIu64 "\n", ledger_table[i].name, n->ledger.v[i]);
	}
	gauge(out, "ledger_in_flight", "records sent and not yet accounted", (double)ledger_in_flight(&n->ledger));
	gauge(out, "sessions", "sessions known", (double)n->sessions);
	gauge(out, "longest_hold_seconds", "longest time the data plane was held up since its start",
		(double)n->longest_hold_ns / 1e9);
	gauge(out, "route_prefixes", "prefixes in the union of all tables", (double)n->routes.prefixes);
	gauge(out, "route_attributes", "distinct sets of path attributes", (double)n->routes.attrs);
	gauge(out, "route_memory_bytes", "memory of the route table", (double)n->routes.memory_bytes);
	counter(out, "journal_frames", "frames written and synced", w->frames);
	counter(out, "journal_failures", "frames that could not be written at the first try", w->failures);
	gauge(out, "journal_bytes", "bytes in the journal", (double)w->journal_bytes);
	gauge(out, "journal_backlog", "batches not yet in the store", (double)w->backlog);
	gauge(out, "journal_sync_seconds", "time the last frame took to reach the disk", (double)w->last_sync_ns / 1e9);
	counter(out, "store_batches", "batches written to the store", w->batches);
	counter(out, "store_rows", "flow rows in those batches", w->batch_rows);
	counter(out, "store_duplicates", "batches the store had already", w->duplicates);
	counter(out, "store_retries", "batches the store could not take at once", w->retries);
	gauge(out, "store_batch_seconds", "time the last batch took", (double)w->last_batch_ns / 1e9);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Path changes, the newest first, as they come from the store: one more than asked for is read, which
 * tells whether there are more and is not shown; under a filter by query/changes.c. A reply that fails on the way is replaced as a whole. */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "http/render.h"
#include "http/rows.h"
#include "http/table.h"
#include "query/filter.h"

struct writing {
	struct http_call *call;
	const struct http_question *q;
	FILE *out;
	uint32_t count;
	bool more;
	struct store_change_place last; /* of those written */
};

static int write_json(const struct writing *w, const struct store_change *c)
{
	char time[TIME_TEXT_MAX];
	return render_object_write(json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "time", time_format(c->time_ms, time),
		"router", render_value(DIM_router, &c->router), "prefix", render_value(DIM_prefix, &c->prefix),
		"before", render_value(DIM_path, &c->before), "before_hops", table_hops(w->call, &c->before),
		"after", render_value(DIM_path, &c->after), "after_hops", table_hops(w->call, &c->after)), w->out);
}

static int write_csv(const struct store_change *c, FILE *out)
{
	const struct {
		enum dimension dim;
		const struct dim_value *value;
	} cells[] = {{DIM_router, &c->router}, {DIM_prefix, &c->prefix}, {DIM_path, &c->before}, {DIM_path, &c->after}};
	char time[TIME_TEXT_MAX];
	int rc = 0;
	(void)fputs(time_format(c->time_ms, time), out);
	for (size_t i = 0; i < ARRAY_LEN(cells) && rc == 0; i++) {
		(void)fputc(',', out);
		rc = render_csv_value(cells[i].dim, cells[i].value, out);
	}
	(void)fputs("\r\n", out);
	return rc;
}

static int on_change(void *ctx, const struct store_change *c)
{
	struct writing *w = ctx;
	if (w->count == w->q->query.limit) {
		w->more = true;
		return 0;
	}
	w->last = c->place;
	if (w->count++ && !w->q->csv)
		(void)fputc(',', w->out);
	return w->q->csv ? write_csv(c, w->out) : write_json(w, c);
}

static int read_changes(struct store_reader *reader, struct writing *w, struct error *err)
{
	const struct http_question *q = w->q;
	struct view router = {(const uint8_t *)q->router, q->router ? strlen(q->router) : 0};
	struct store_change_query query = {
		.from_ms = q->query.from_s * 1000,
		.to_ms = q->query.to_s * 1000,
		.router = q->router ? &router : NULL,
		.prefix = q->prefix.addr.family != ADDR_NONE ? &q->prefix : NULL,
		.within = q->within,
		.behind = q->behind ? &q->place : NULL,
		.limit = q->query.limit + 1,
		.deadline_ns = q->query.deadline_ns,
	};
	return query_changes(reader, &query, q->filter, on_change, w, err);
}

static int write_answer(struct store_reader *reader, struct writing *w, struct error *err)
{
	char place[QUESTION_PLACE_MAX];
	if (w->q->csv) {
		(void)fputs("time,router,prefix,before,after\r\n", w->out);
		return read_changes(reader, w, err);
	}
	http_rows_write_range(w->q->query.from_s, w->q->query.to_s, w->out);
	(void)fputs(",\"rows\":[", w->out);
	int r = read_changes(reader, w, err);
	json_t *next = w->more ? json_string(question_place_format(&w->last, place)) : json_null();
	(void)fprintf(w->out, "],\"more\":%s,\"next\":", w->more ? "true" : "false");
	if (r >= 0 && (!next || json_dumpf(next, w->out, JSON_ENCODE_ANY) < 0))
		r = -ENOMEM;
	json_decref(next);
	(void)fputc('}', w->out);
	return r;
}

static void answer(struct http_asking *a, const struct http_question *q)
{
	struct http_call *call = a->call;
	struct error err = {.text = "out of memory"};
	struct writing w = {.call = call, .q = q, .out = http_reply_begin(call, 200, q->csv ? HTTP_TYPE_CSV : HTTP_TYPE_JSON)};
	int r = w.out ? write_answer(a->reader, &w, &err) : 0;
	a->sound = r >= 0 || http_rows_status(r) != 500;
	if (w.out)
		http_reply_end(call, w.out);
	if (r < 0)
		http_reply_error(call, http_rows_status(r), "%s", err.text);
}

static bool can_filter(struct http_call *call, const struct http_question *q)
{
	enum dimension dim = filter_beside(q->filter, FILTER_ROUTE_DIMENSIONS);
	if (dim == DIMENSION_COUNT)
		return true;
	http_reply_error(call, 400, "parameter 'filter': '%s' is of traffic: changes have none", dimension_table[dim].name);
	return false;
}

void http_changes(struct http_call *call)
{
	struct http_question q;
	struct http_asking a;
	if (!http_rows_question(call, QUESTION_CHANGES, &q))
		return;
	if (can_filter(call, &q) && http_asking_begin(call, &a)) {
		answer(&a, &q);
		http_asking_end(&a);
	}
	question_done(&q);
}

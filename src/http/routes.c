/* SPDX-License-Identifier: BSD-2-Clause */

/* Rows come from the data plane a few at a time and are written as they come, so that a table of a million
 * routes is never in memory as JSON. */

#include <errno.h>
#include <string.h>

#include "base/cursor.h"
#include "base/deadline.h"
#include "http/question.h"
#include "http/table.h"
#include "query/filter.h"

#define LIMIT_DEFAULT 100

static const char *const columns[] = {ROUTE_COLUMNS};

struct reply {
	FILE *out;
	bool csv;
	bool first;
};

static int bad(struct http_call *call, const char *name, const char *value, const char *what)
{
	http_reply_error(call, 400, "parameter '%s': '%.60s' %s", name, value, what);
	return -EINVAL;
}

static int read_prefix(struct http_call *call, const char *name, struct prefix *ret)
{
	const char *value = http_param(&call->params, name);
	struct error err;
	if (!value)
		return 0;
	if (prefix_parse(value, ret, &err) == 0)
		return 0;
	http_reply_error(call, 400, "parameter '%s': %s", name, err.text);
	return -EINVAL;
}

static int read_select(struct http_call *call, struct http_routes_question *q)
{
	static const char *const names[] = {[ROUTES_EXACT] = "exact", [ROUTES_LONGER] = "longer", [ROUTES_SHORTER] = "shorter"};
	const char *value = http_param(&call->params, "select");
	if (!value)
		return 0;
	if (q->prefix.addr.family == ADDR_NONE)
		return bad(call, "select", value, "needs a prefix");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(value, names[i]) != 0)
			continue;
		q->select = (enum http_routes_select)i;
		return 0;
	}
	return bad(call, "select", value, "is none of exact, longer, shorter");
}

static int read_filter(struct http_call *call, struct http_routes_question *q)
{
	const char *value = http_param(&call->params, "filter");
	struct error err;
	if (filter_parse(value, &q->filter, &err) < 0) {
		(void)error_prefix(&err, "parameter 'filter'");
		http_reply_question_error(call, 400, &err);
		return -EINVAL;
	}
	enum dimension dim = filter_beside(q->filter, FILTER_ROUTE_DIMENSIONS | DIM_BIT(DIM_match));
	if (dim != DIMENSION_COUNT)
		return bad(call, "filter", dimension_table[dim].name, "is of traffic: routes have none");
	return 0;
}

static int read_limit(struct http_call *call, struct http_routes_question *q)
{
	const char *value = http_param(&call->params, "limit");
	struct error err;
	q->limit = LIMIT_DEFAULT;
	if (!value || question_limit_parse(value, &q->limit, &err) == 0)
		return 0;
	http_reply_error(call, 400, "parameter 'limit': %s", err.text);
	return -EINVAL;
}

static int read_question(struct http_call *call, struct http_routes_question *q, struct http_routes_cursor *cursor,
	bool *ret_csv)
{
	q->router = http_param(&call->params, "router");
	int r = read_prefix(call, "prefix", &q->prefix);
	if (r == 0)
		r = read_prefix(call, "after", &cursor->at);
	if (r == 0)
		r = read_select(call, q);
	if (r == 0)
		r = read_limit(call, q);
	if (r == 0 && !table_format(call, ret_csv))
		r = -EINVAL;
	return r < 0 ? r : read_filter(call, q);
}

/* ---- the answer ---- */

static void write_rows(struct http_call *call, struct reply *r, const json_t *rows)
{
	size_t i;
	json_t *row;
	json_array_foreach(rows, i, row) {
		if (r->csv) {
			table_csv_row(row, columns, ARRAY_LEN(columns), r->out);
			continue;
		}
		table_add_names(call, row, false);
		if (!r->first)
			(void)fputc(',', r->out);
		r->first = false;
		(void)json_dumpf(row, r->out, JSON_COMPACT);
	}
}

static void write_begin(const struct reply *r)
{
	if (r->csv)
		table_csv_header(columns, ARRAY_LEN(columns), r->out);
	else
		(void)fputs("{\"rows\":[", r->out);
}

static void write_end(const struct reply *r, const struct http_routes_cursor *c)
{
	char text[PREFIX_TEXT_MAX];
	if (r->csv)
		return;
	(void)fputs("],\"next\":", r->out);
	if (c->cut)
		(void)fprintf(r->out, "\"%s\"}", prefix_format(&c->at, text));
	else
		(void)fputs("null}", r->out);
}

static void answer(struct http_call *call, const struct http_routes_question *q, struct http_routes_cursor *cursor,
	bool csv)
{
	struct http_backend *backend = &call->server->backend;
	struct error err = {0};
	json_t *rows = NULL;
	int r = backend->routes(backend->ctx, q, cursor, &rows, &err);
	if (r < 0) {
		http_reply_error(call, r == -ENOENT ? 404 : 500, "%s%s", r == -ENOENT ? "parameter 'router': " : "", err.text);
		return;
	}
	struct reply reply = {http_reply_begin(call, 200, csv ? HTTP_TYPE_CSV : HTTP_TYPE_JSON), csv, true};
	if (reply.out) {
		write_begin(&reply);
		write_rows(call, &reply, rows);
	}
	while (reply.out && r == 0 && !cursor->ended && !deadline_past(0)) { /* not for a client that has gone */
		json_decref(rows);
		rows = NULL;
		r = backend->routes(backend->ctx, q, cursor, &rows, &err);
		write_rows(call, &reply, rows);
	}
	json_decref(rows);
	if (!reply.out)
		return;
	write_end(&reply, cursor);
	http_reply_end(call, reply.out);
	if (r < 0)
		http_reply_error(call, 500, "%s", err.text);
}

void http_routes(struct http_call *call)
{
	struct http_routes_question q = {.select = ROUTES_EXACT};
	struct http_routes_cursor cursor = {0};
	bool csv;
	if (read_question(call, &q, &cursor, &csv) == 0)
		answer(call, &q, &cursor, csv);
	filter_free(q.filter);
}

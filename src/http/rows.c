/* SPDX-License-Identifier: BSD-2-Clause */

/* Rows are written one by one, so that only one of a hundred thousand is a tree of objects at a time. */

#include "http/rows.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "http/throughput.h"

#define MINUTE_S 60

bool http_rows_question(struct http_call *call, enum question_kind kind, struct http_question *ret)
{
	struct error err;
	int r = question_parse(&call->params, kind, clock_wall_ms() / 1000, ret, &err);
	if (r < 0) {
		http_reply_question_error(call, r == -ENOMEM ? 500 : 400, &err);
		return false;
	}
	if (!http_param(&call->params, "format"))
		ret->csv = call->accept_csv;
	return true;
}

/* Errors that the question is to blame for, not the store. */
unsigned http_rows_status(int code)
{
	switch (code) {
	case -EINVAL:
	case -E2BIG:
		return 400;
	case -ETIMEDOUT:
	case -EBUSY: /* the store is away, for a while */
		return 503;
	default:
		return 500;
	}
}

/* ---- asking ---- */

bool http_asking_begin(struct http_call *call, struct http_asking *ret)
{
	struct http_server *s = call->server;
	struct error err = {.text = "out of memory"};
	*ret = (struct http_asking){.call = call, .sound = true};
	if (s->backend.settle && !call->ahead)
		s->backend.settle(s->backend.ctx);
	if (http_readers_take(&s->readers, &ret->reader, &err) == 0)
		return true;
	http_reply_error(call, 503, "%s", err.text);
	return false;
}

bool http_ask(struct http_asking *a, const struct query *q, struct query_result *ret)
{
	struct error err = {0};
	int r = query_run(a->reader, a->call->server->backend.retention_s, clock_wall_ms() / 1000, q, ret, &err);
	/* One that fails here, not in the store, leaves the snapshot of the query before it. */
	a->snapshot = r < 0 || q->keep_snapshot;
	a->sound = r >= 0 || http_rows_status(r) != 500;
	if (r < 0)
		http_reply_error(a->call, http_rows_status(r), "%s", err.text);
	return r >= 0;
}

void http_asking_end(struct http_asking *a)
{
	if (a->snapshot)
		query_end_snapshot(a->reader);
	http_readers_give(&a->call->server->readers, a->reader, a->sound);
}

bool http_ask_once(struct http_call *call, const struct query *q, struct query_result *ret)
{
	struct http_asking a;
	if (!http_asking_begin(call, &a))
		return false;
	bool ok = http_ask(&a, q, ret);
	http_asking_end(&a);
	return ok;
}

/* Fails when nothing of it can have been kept, or ever been. */
bool http_rows_earlier(struct http_call *call, const struct http_question *q, const struct query_result *now, struct query *ret)
{
	uint64_t clock_s = (clock_wall_ms() / 1000 / MINUTE_S + 1) * MINUTE_S;
	uint64_t end_s = now->to_s < clock_s ? now->to_s : clock_s;
	uint64_t len_s = end_s > now->from_s ? end_s - now->from_s : now->to_s - now->from_s;
	uint64_t back_s = q->compare_s ? q->compare_s : len_s;
	if (!len_s || now->from_s < back_s) {
		http_reply_error(call, 400, "parameter 'compare': there is no such time before this range");
		return false;
	}
	ret->from_s = now->from_s - back_s;
	ret->to_s = ret->from_s + len_s;
	ret->exact_range = true;
	return true;
}

/* ---- JSON ---- */

struct writing {
	const struct http_rows *rows;
	struct render now, previous;
	FILE *out;
};

/* The earlier range, whatever is told of it. */
static const struct query_result *earlier_of(const struct http_rows *rows)
{
	return rows->previous ? rows->previous : rows->earlier;
}

static json_t *figures(const struct render *r, const struct measures *m)
{
	return render_json(r, &(struct query_row){.m = *m});
}

/* A row, and the same of the other range beside its figures. */
static int write_row(const struct writing *w, const struct query_row *row, const struct measures *previous)
{
	json_t *obj = render_json(&w->now, row);
	if (obj && previous && json_object_set_new_nocheck(obj, "previous", figures(&w->previous, previous)) < 0) {
		json_decref(obj);
		obj = NULL;
	}
	return render_object_write(obj, w->out);
}

/* ,"name":{...} */
static int write_sums(const struct writing *w, const char *name, const struct measures *m, const struct measures *previous)
{
	(void)fprintf(w->out, ",\"%s\":", name);
	return write_row(w, &(struct query_row){.m = *m}, previous);
}

void http_rows_write_range(uint64_t from_s, uint64_t to_s, FILE *out)
{
	char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
	(void)fprintf(out, "{\"from\":\"%s\",\"to\":\"%s\"", time_format(from_s * 1000, from), time_format(to_s * 1000, to));
}

static int write_list(const struct writing *w, const struct query_result *result, const struct query_result *previous)
{
	(void)fputc('[', w->out);
	for (size_t i = 0; i < result->row_count; i++) {
		if (i)
			(void)fputc(',', w->out);
		int rc = write_row(w, &result->rows[i], previous ? &previous->rows[i].m : NULL);
		if (rc < 0)
			return rc;
	}
	(void)fputc(']', w->out);
	return 0;
}

/* Sums by bucket, whatever the groups are. */
static int write_times(const struct writing *w, const char *name, const struct render *render, const struct query_result *sums)
{
	static const enum dimension by_time[] = {DIM_time};
	struct writing times = *w;
	times.now = *render;
	times.now.by = by_time;
	times.now.by_count = 1;
	(void)fprintf(w->out, ",\"%s\":", name);
	return write_list(&times, sums, NULL);
}

/* Without time among them. */
static int write_throughput(const struct writing *w)
{
	struct render groups = w->now;
	groups.by = w->rows->question->query.by;
	groups.by_count = w->rows->question->query.by_count;
	(void)fputs(",\"throughput\":", w->out);
	return throughput_write(w->rows->throughput, &groups, w->out);
}

/* What only answers by time have. */
static int write_more(const struct writing *w)
{
	const struct http_rows *rows = w->rows;
	int rc = 0;
	if (rows->others)
		rc = write_times(w, "other_rows", &w->now, rows->others);
	if (rc == 0 && rows->earlier)
		rc = write_times(w, "previous_rows", &w->previous, rows->earlier);
	if (rc == 0 && rows->throughput)
		rc = write_throughput(w);
	return rc;
}

/* ,"previous":{...} */
static void write_earlier_range(const struct writing *w, const struct query_result *earlier)
{
	(void)fputs(",\"previous\":", w->out);
	http_rows_write_range(earlier->from_s, earlier->to_s, w->out);
	if (earlier->step_s)
		(void)fprintf(w->out, ",\"step\":%u", earlier->step_s);
	(void)fputc('}', w->out);
}

static int write_json(const struct writing *w)
{
	const struct query_result *result = w->rows->result, *previous = w->rows->previous, *earlier = earlier_of(w->rows);
	http_rows_write_range(result->from_s, result->to_s, w->out);
	if (result->step_s)
		(void)fprintf(w->out, ",\"step\":%u", result->step_s);
	if (earlier)
		write_earlier_range(w, earlier);
	(void)fputs(",\"rows\":", w->out);
	int rc = write_list(w, result, previous);
	if (rc == 0)
		rc = write_sums(w, "total", &result->total, earlier ? &earlier->total : NULL);
	if (rc == 0 && result->has_other)
		rc = write_sums(w, "other", &result->other, previous ? &previous->other : NULL);
	else if (rc == 0)
		(void)fputs(",\"other\":null", w->out);
	if (rc == 0)
		rc = write_more(w);
	(void)fputc('}', w->out);
	return rc;
}

/* ---- CSV ---- */

static int write_csv(struct writing *w)
{
	const struct query_result *result = w->rows->result, *previous = w->rows->previous;
	render_csv_dimensions_header(&w->now, w->out);
	render_csv_figures_header(&w->now, "", w->out);
	if (previous) {
		(void)fputc(',', w->out);
		render_csv_figures_header(&w->now, "previous_", w->out);
	}
	(void)fputs("\r\n", w->out);
	for (size_t i = 0; i < result->row_count; i++) {
		if (render_csv_dimensions(&w->now, &result->rows[i], w->out) < 0)
			return -ENOMEM;
		render_csv_figures(&w->now, &result->rows[i].m, w->out);
		if (previous) {
			(void)fputc(',', w->out);
			render_csv_figures(&w->previous, &previous->rows[i].m, w->out);
		}
		(void)fputs("\r\n", w->out);
	}
	return 0;
}

void http_rows_reply_by(struct http_call *call, const struct http_question *q, http_write_fn *fn, void *ctx)
{
	FILE *out = http_reply_begin(call, 200, q->csv ? HTTP_TYPE_CSV : HTTP_TYPE_JSON);
	if (!out)
		return;
	int rc = fn(ctx, out);
	http_reply_end(call, out);
	if (rc < 0)
		http_reply_error(call, 500, "out of memory");
}

static int write_rows(void *ctx, FILE *out)
{
	struct writing *w = ctx;
	w->out = out;
	return w->rows->question->csv ? write_csv(w) : write_json(w);
}

void http_rows_reply(struct http_call *call, const struct http_rows *rows)
{
	const struct http_question *q = rows->question;
	struct writing w = {
		.rows = rows,
		.now = {rows->by, rows->by_count, q->query.sort, &rows->result->total, &call->server->backend, q->fields},
	};
	w.previous = w.now;
	w.previous.by_count = 0;
	if (earlier_of(rows))
		w.previous.total = &earlier_of(rows)->total;
	http_rows_reply_by(call, q, write_rows, &w);
}

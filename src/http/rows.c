/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/rows.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "http/render.h"

bool http_rows_question(struct http_call *call, enum question_kind kind, struct http_question *ret)
{
	struct error err;
	int r = question_parse(&call->params, kind, clock_wall_ms() / 1000, ret, &err);
	if (r < 0) {
		http_reply_error(call, r == -ENOMEM ? 500 : 400, "%s", err.text);
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
		return 503;
	default:
		return 500;
	}
}

bool http_rows_query(struct http_call *call, const struct query *q, struct query_result *ret)
{
	struct http_server *s = call->server;
	struct store_reader *reader;
	struct error err = {0};
	int r = http_readers_take(&s->readers, &reader, &err);
	if (r < 0) {
		http_reply_error(call, 503, "%s", err.text);
		return false;
	}
	r = query_run(reader, s->backend.retention_s, clock_wall_ms() / 1000, q, ret, &err);
	http_readers_give(&s->readers, reader, r >= 0 || http_rows_status(r) != 500);
	if (r < 0)
		http_reply_error(call, http_rows_status(r), "%s", err.text);
	return r >= 0;
}

/* ,"name":{...} */
static int write_sums(const struct render *r, const char *name, const struct measures *m, FILE *out)
{
	(void)fprintf(out, ",\"%s\":", name);
	return render_json_write(r, &(struct query_row){.m = *m}, out);
}

/* Row by row, so that only one of a hundred thousand is a tree of objects at a time. */
static int write_json(const struct render *r, const struct query_result *result, FILE *out)
{
	char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
	(void)fprintf(out, "{\"from\":\"%s\",\"to\":\"%s\",", time_format(result->from_s * 1000, from),
		time_format(result->to_s * 1000, to));
	if (result->step_s)
		(void)fprintf(out, "\"step\":%u,", result->step_s);
	(void)fputs("\"rows\":[", out);
	for (size_t i = 0; i < result->row_count; i++) {
		if (i)
			(void)fputc(',', out);
		int rc = render_json_write(r, &result->rows[i], out);
		if (rc < 0)
			return rc;
	}
	(void)fputc(']', out);
	int rc = write_sums(r, "total", &result->total, out);
	if (rc == 0 && result->has_other)
		rc = write_sums(r, "other", &result->other, out);
	else if (rc == 0)
		(void)fputs(",\"other\":null", out);
	(void)fputc('}', out);
	return rc;
}

static int write_csv(const struct render *r, const struct query_result *result, FILE *out)
{
	render_csv_header(r, out);
	for (size_t i = 0; i < result->row_count; i++) {
		int rc = render_csv(r, &result->rows[i], out);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void http_rows_reply(struct http_call *call, const struct http_question *question,
	const enum dimension *by, size_t by_count, const struct query_result *result)
{
	struct render r = {by, by_count, question->query.sort, &result->total, &call->server->backend};
	FILE *out = http_reply_begin(call, 200, question->csv ? HTTP_TYPE_CSV : HTTP_TYPE_JSON);
	if (!out)
		return;
	int rc = question->csv ? write_csv(&r, result, out) : write_json(&r, result, out);
	http_reply_end(call, out);
	if (rc < 0)
		http_reply_error(call, 500, "out of memory");
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/rows.h"

void http_top(struct http_call *call)
{
	struct http_backend *backend = &call->server->backend;
	struct http_question q;
	if (!http_rows_question(call, QUESTION_TOP, &q))
		return;
	if (backend->settle)
		backend->settle(backend->ctx);
	struct query_result result;
	if (http_rows_query(call, &q.query, &result)) {
		http_rows_reply(call, &q, q.query.by, q.query.by_count, &result);
		query_result_done(&result);
	}
	question_done(&q);
}

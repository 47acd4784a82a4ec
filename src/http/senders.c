/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/table.h"

void http_senders(struct http_call *call)
{
	static const char *const columns[] = {"sender", "sessions", "sent", "stored", "rejected.past", "rejected.future",
		"rejected.invalid", "dropped", "lost", "earlier", "datagrams", "duplicates", "replayed", "reordered", "in_flight",
		"first_seen", "last_seen"};
	const struct http_backend *backend = &call->server->backend;
	bool csv;
	if (table_format(call, &csv))
		table_reply(call, backend->senders(backend->ctx), csv, columns, ARRAY_LEN(columns));
}

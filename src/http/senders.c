/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/call.h"

void http_senders(struct http_call *call)
{
	const struct http_backend *backend = &call->server->backend;
	http_reply_json(call, 200, backend->senders(backend->ctx));
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/call.h"

void http_healthz(struct http_call *call)
{
	const struct http_backend *backend = &call->server->backend;
	const char *wrong = backend->health ? backend->health(backend->ctx) : NULL;
	if (wrong)
		http_reply_error(call, 503, "%s", wrong);
	else
		http_reply_json(call, 200, json_pack("{s:s, s:s}", "status", "ok", "version", WHERETO_VERSION));
}

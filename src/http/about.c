/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/call.h"

void http_about(struct http_call *call)
{
	const struct http_backend *b = &call->server->backend;
	http_reply_json(call, 200, json_pack("{s:s, s:s, s:s?}", "name", b->name, "version", WHERETO_VERSION,
		"notice", b->notice));
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "http/call.h"

void http_lookup(struct http_call *call)
{
	struct http_backend *backend = &call->server->backend;
	const char *address = http_param(&call->params, "address");
	const char *router = http_param(&call->params, "router");
	struct addr addr;
	if (!address) {
		http_reply_error(call, 400, "parameter 'address' is missing");
		return;
	}
	if (addr_parse(address, &addr) < 0) {
		http_reply_error(call, 400, "parameter 'address': '%.60s' is no IP address", address);
		return;
	}
	if (router && !*router) {
		http_reply_error(call, 400, "parameter 'router' is empty");
		return;
	}
	json_t *json = NULL;
	struct error err = {0};
	int r = backend->lookup(backend->ctx, &addr, router, &json, &err);
	if (r == -ENOENT)
		http_reply_error(call, 404, "parameter 'router': %s", err.text);
	else if (r < 0)
		http_reply_error(call, 500, "%s", err.text);
	else
		http_reply_json(call, 200, json);
}

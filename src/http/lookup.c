/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "http/render.h"
#include "http/table.h"
#include "place/country.h"

static void add_names(struct http_call *call, json_t *answer)
{
	const char *code = json_string_value(json_object_get(answer, "country"));
	const char *name = code ? country_name(country_parse(code)) : NULL;
	size_t i;
	json_t *row;
	if (name)
		(void)json_object_set_new(answer, "country_name", json_string(name));
	json_array_foreach(json_object_get(answer, "rows"), i, row)
		table_add_names(call, row, true);
}

void http_lookup(struct http_call *call)
{
	static const char *const columns[] = {ROUTE_COLUMNS};
	struct http_backend *backend = &call->server->backend;
	bool csv;
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
	if (!table_format(call, &csv))
		return;
	json_t *json = NULL;
	struct error err = {0};
	int r = backend->lookup(backend->ctx, &addr, router, &json, &err);
	if (r == -ENOENT)
		http_reply_error(call, 404, "parameter 'router': %s", err.text);
	else if (r < 0)
		http_reply_error(call, 500, "%s", err.text);
	else {
		add_names(call, json);
		table_reply(call, json, csv, columns, ARRAY_LEN(columns));
	}
}

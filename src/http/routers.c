/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/table.h"

/* A row a source, with its router's name; a router without sources has one, too. */
static json_t *sources_of(const json_t *answer)
{
	json_t *rows = json_array();
	size_t i, k;
	json_t *router, *source;
	json_array_foreach(json_object_get(answer, "rows"), i, router) {
		json_t *name = json_object_get(router, "name"), *sources = json_object_get(router, "sources");
		json_array_foreach(sources, k, source) {
			(void)json_object_set(source, "router", name);
			(void)json_array_append(rows, source);
		}
		if (!json_array_size(sources))
			(void)json_array_append_new(rows, json_pack("{s:O}", "router", name));
	}
	return json_pack("{s:o}", "rows", rows);
}

void http_routers(struct http_call *call)
{
	static const char *const columns[] = {"router", "kind", "from", "vrf", "file", "peer", "state", "since", "session",
		"prefixes", "routes", "peers", "peers_lost", "last_change", "updates", "updates_per_s", "error"};
	const struct http_backend *backend = &call->server->backend;
	bool csv;
	if (!table_format(call, &csv))
		return;
	json_t *answer = backend->routers(backend->ctx);
	if (csv && answer) {
		json_t *rows = sources_of(answer);
		json_decref(answer);
		answer = rows;
	}
	table_reply(call, answer, csv, columns, ARRAY_LEN(columns));
}

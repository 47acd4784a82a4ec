/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The looking glass: routers and their sources, each router's route to an address, and tables listed in pieces,
 * as JSON. Called on the data plane's thread (through loop_ask), where everything may be read; the pieces keep
 * each call short. */

#include <jansson.h>

#include "collector/tables.h"
#include "collector/world.h"
#include "http/http.h"

/* NULL when memory is out. */
json_t *glass_routers(const struct world *w, const struct tables *t);

/* router NULL: all. -ENOENT: no router of that name. */
int glass_lookup(const struct world *w, const struct tables *t, const struct addr *addr, const char *router,
	json_t **ret, struct error *err) MUST_USE;

/* The next rows of a listing, see struct http_backend. -ENOENT: no router of that name; -ENOMEM. */
int glass_routes(const struct world *w, const struct tables *t, const struct http_routes_question *q,
	struct http_routes_cursor *cursor, json_t **ret_rows, struct error *err) MUST_USE;

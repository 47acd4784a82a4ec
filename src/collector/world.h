/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Everything that a reload exchanges as a whole: the configuration, the keys, the routes read from files,
 * the countries, the AS names. Built aside by a thread that owns it alone, then handed to the data
 * plane, which owns it until the next one comes. */

#include "collector/config.h"
#include "place/asnames.h"
#include "place/country.h"
#include "route/lpm.h"
#include "route/route.h"
#include "wire/key.h"

#define ROUTER_NONE UINT32_MAX

struct source_state {
	bool loaded;
	uint64_t routes, loaded_ms;
	char error[256]; /* "": none */
	char md5[CONFIG_MD5_BYTES_MAX + 1]; /* BGP: the session's password; "": none */
};

struct world {
	struct config *config;
	struct key *keys; /* as many as config->telemetry.key_count */
	char *http_token; /* NULL: none */
	char *http_certificate, *http_key; /* PEM; NULL: no TLS */
	struct lpm *serves; /* server network → index of the router */
	struct route_table *files; /* what was read of MRT files: one view a router and source, in the order of
	                            * the configuration; NULL once it has been brought into the live table */
	unsigned *first_view;      /* of each router */
	struct source_state *sources; /* as the views */
	unsigned view_count;
	struct countries *countries;
	struct asnames *asnames; /* NULL: none */
};

/* strict: any data file that cannot be read is an error (a reload); otherwise it is logged and its
 * source stays empty, since a collector that starts shall not lose traffic for the lack of a table. */
int world_load(const char *config_file, bool strict, struct world **ret, struct error *err) MUST_USE;
void world_free(struct world *w);
/* The configuration's country sources alone; countries_free. */
int world_load_countries(const struct config *c, bool strict, struct countries **ret, struct error *err) MUST_USE;

/* Index of the router that serves the server, or ROUTER_NONE. */
uint32_t world_router(const struct world *w, const struct addr *server);
/* NULL: unknown. */
const struct key *world_key(const struct world *w, uint32_t id);

/* May the running collector change from one to the other? What needs a restart is an error. */
int world_compatible(const struct world *old, const struct world *new, struct error *err) MUST_USE;

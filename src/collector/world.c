/* SPDX-License-Identifier: BSD-2-Clause */

/* Each source of each router is a view of its own in one shared table: the same prefixes and
 * attributes are held once, and a router whose preferred source has no route asks the next. */

#include "collector/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/words.h"
#include "route/load.h"

static int load_keys(struct world *w, struct error *err)
{
	const struct config *c = w->config;
	if (!c->telemetry.key_count)
		return error_set(err, -EINVAL, "%s: has no section `telemetry`: it is a probe's configuration", c->file);
	w->keys = calloc(c->telemetry.key_count, sizeof(*w->keys));
	if (!w->keys)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < c->telemetry.key_count; i++) {
		int r = key_load(c->telemetry.keys[i].file, c->telemetry.keys[i].id, &w->keys[i], err);
		if (r < 0)
			return error_prefix(err, "%s:%u", c->file, c->telemetry.keys[i].line);
	}
	return 0;
}

static int load_token(struct world *w, struct error *err)
{
	const char *file = w->config->http.token_file;
	char token[SECRET_BYTES_MAX + 1];
	int r = file ? secret_read(file, SECRET_BYTES_MAX, token, err) : 0;
	if (r < 0)
		return error_prefix(err, "%s:%u", w->config->file, w->config->http.token_line);
	if (!file)
		return 0;
	w->http_token = strdup(token);
	explicit_bzero(token, sizeof(token));
	return w->http_token ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int load_serves(struct world *w, struct error *err)
{
	int r = lpm_new(&w->serves);
	for (size_t i = 0; r == 0 && i < w->config->router_count; i++) {
		const struct config_router *router = &w->config->routers[i];
		for (size_t j = 0; r == 0 && j < router->serves_count; j++)
			r = lpm_set(w->serves, &router->serves[j], (uint32_t)i);
	}
	return r < 0 ? error_set(err, r, "out of memory") : 0;
}

/* A data file's error: fatal when strict, else logged. */
static int tolerate(int r, bool strict, const struct error *err)
{
	if (r >= 0 || strict)
		return r;
	log_error("%s; the collector starts without it", err->text);
	return 0;
}

static int load_source(struct world *w, const char *router, const struct config_source *source, unsigned view, bool strict,
	struct error *err)
{
	struct source_state *state = &w->sources[view];
	struct route_load_stats stats = {0};
	if (source->md5_file)
		return secret_read(source->md5_file, CONFIG_MD5_BYTES_MAX, state->md5, err);
	if (source->kind != SOURCE_MRT)
		return 0;
	struct route_load what = config_mrt(source);
	int r = route_load(w->files, view, &what, &stats, err);
	if (r < 0) {
		route_clear(w->files, view);
		(void)snprintf(state->error, sizeof(state->error), "%.255s", err->text);
		(void)error_prefix(err, "router %s", router);
		return tolerate(r, strict, err);
	}
	state->loaded = true;
	state->routes = route_count(w->files, view);
	state->loaded_ms = clock_wall_ms();
	return 0;
}

static int load_routes(struct world *w, bool strict, struct error *err)
{
	const struct config *c = w->config;
	w->first_view = calloc(c->router_count + 1, sizeof(*w->first_view));
	if (!w->first_view)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < c->router_count; i++) {
		w->first_view[i] = w->view_count;
		w->view_count += (unsigned)c->routers[i].source_count;
	}
	w->first_view[c->router_count] = w->view_count;
	w->sources = calloc(w->view_count + 1, sizeof(*w->sources));
	if (!w->sources || route_table_new(w->view_count ? w->view_count : 1, &w->files) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < c->router_count; i++) {
		for (size_t j = 0; j < c->routers[i].source_count; j++) {
			int r = load_source(w, c->routers[i].name, &c->routers[i].sources[j], w->first_view[i] + (unsigned)j, strict, err);
			if (r < 0)
				return r;
		}
	}
	(void)route_reclaim(w->files, SIZE_MAX);
	return 0;
}

int world_load_countries(const struct config *c, bool strict, struct countries **ret, struct error *err)
{
	struct countries *countries;
	int r = countries_new(&countries);
	if (r < 0)
		return error_set(err, r, "out of memory");
	for (size_t i = 0; i < c->country_count && r == 0; i++) {
		const struct config_country *source = &c->countries[i];
		if (source->kind == COUNTRY_RIR)
			r = countries_add_rir(countries, (const char *const *)source->files, source->file_count, err);
		else
			r = countries_add_mmdb(countries, source->files[0], err);
		r = tolerate(r, strict, err);
	}
	if (r < 0) {
		countries_free(countries);
		return r;
	}
	*ret = countries;
	return 0;
}

static int load_places(struct world *w, bool strict, struct error *err)
{
	const struct config *c = w->config;
	int r = world_load_countries(c, strict, &w->countries, err);
	if (r == 0 && c->asnames_file)
		r = tolerate(asnames_load(c->asnames_file, &w->asnames, err), strict, err);
	return r;
}

int world_load(const char *config_file, bool strict, struct world **ret, struct error *err)
{
	struct world *w = calloc(1, sizeof(*w));
	if (!w)
		return error_set(err, -ENOMEM, "out of memory");
	int r = config_load(config_file, &w->config, err);
	if (r == 0)
		r = load_keys(w, err);
	if (r == 0)
		r = load_token(w, err);
	if (r == 0)
		r = config_tls(w->config, &w->http_certificate, &w->http_key, err);
	if (r == 0)
		r = load_serves(w, err);
	if (r == 0)
		r = load_routes(w, strict, err);
	if (r == 0)
		r = load_places(w, strict, err);
	if (r < 0) {
		world_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void world_free(struct world *w)
{
	if (!w)
		return;
	if (w->keys)
		explicit_bzero(w->keys, w->config->telemetry.key_count * sizeof(*w->keys));
	free(w->keys);
	free(w->http_token);
	free(w->http_certificate);
	if (w->http_key)
		explicit_bzero(w->http_key, strlen(w->http_key));
	free(w->http_key);
	lpm_free(w->serves);
	route_table_free(w->files);
	free(w->first_view);
	if (w->sources)
		explicit_bzero(w->sources, w->view_count * sizeof(*w->sources));
	free(w->sources);
	countries_free(w->countries);
	asnames_free(w->asnames);
	config_free(w->config);
	free(w);
}

uint32_t world_router(const struct world *w, const struct addr *server)
{
	return lpm_lookup(w->serves, server);
}

const struct key *world_key(const struct world *w, uint32_t id)
{
	for (size_t i = 0; i < w->config->telemetry.key_count; i++)
		if (w->keys[i].id == id)
			return &w->keys[i];
	return NULL;
}

static bool same_listen(const struct listen_addr *a, size_t a_count, const struct listen_addr *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (!addr_equal(&a[i].addr, &b[i].addr) || a[i].port != b[i].port)
			return false;
	return true;
}

int world_compatible(const struct world *old, const struct world *new, struct error *err)
{
	const struct config *a = old->config, *b = new->config;
	const char *what = NULL;
	if (!words_same(a->name, b->name))
		what = "name";
	else if (!same_listen(a->telemetry.listen, a->telemetry.listen_count, b->telemetry.listen,
			 b->telemetry.listen_count))
		what = "telemetry.listen";
	else if (!same_listen(a->bmp.listen, a->bmp.listen_count, b->bmp.listen, b->bmp.listen_count))
		what = "bmp";
	else if (!same_listen(a->bgp.listen, a->bgp.listen_count, b->bgp.listen, b->bgp.listen_count) ||
		a->bgp.as != b->bgp.as || !addr_equal(&a->bgp.router_id, &b->bgp.router_id))
		what = "bgp";
	else if (!same_listen(a->http.listen, a->http.listen_count, b->http.listen, b->http.listen_count) ||
		!old->http_key != !new->http_key)
		what = "http";
	else if (!words_same(a->store.url, b->store.url) ||
		memcmp(a->store.retention_s, b->store.retention_s, sizeof(a->store.retention_s)) != 0)
		what = "store";
	else if (!words_same(a->journal.dir, b->journal.dir) || a->journal.max_size_bytes != b->journal.max_size_bytes)
		what = "journal";
	if (what)
		return error_set(err, -EINVAL, "%s: a change of `%s` needs a restart", b->file, what);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Opens everything a configuration names, once, the way the collector will, and throws it away. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/secret.h"
#include "collector/config.h"
#include "place/asnames.h"
#include "place/country.h"
#include "route/load.h"
#include "wire/key.h"

struct check {
	const struct config *c;
	void (*report)(void *ctx, const char *text);
	void *ctx;
	struct error *err;
};

static void report(const struct check *k, const char *fmt, ...) PRINTF(2, 3);
static void report(const struct check *k, const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX];
	if (!k->report)
		return;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	k->report(k->ctx, text);
}

/* Puts the place in the configuration in front of what a reader said. */
static int at_line(const struct check *k, unsigned line, int r)
{
	if (r < 0)
		(void)error_prefix(k->err, "%s:%u", k->c->file, line);
	return r;
}

static int check_keys(const struct check *k)
{
	for (size_t i = 0; i < k->c->telemetry.key_count; i++) {
		const struct config_key *key = &k->c->telemetry.keys[i];
		struct key loaded;
		int r = at_line(k, key->line, key_load(key->file, key->id, &loaded, k->err));
		explicit_bzero(&loaded, sizeof(loaded));
		if (r < 0)
			return r;
		report(k, "key %u: %s", key->id, key->file);
	}
	return 0;
}

struct route_load config_mrt(const struct config_source *s)
{
	return (struct route_load){.file = s->file, .updates = (const char *const *)s->updates,
		.update_count = s->update_count, .peer = s->peer.family == ADDR_NONE ? NULL : &s->peer};
}

static int check_mrt(const struct check *k, const struct config_router *router, const struct config_source *s)
{
	struct route_table *t;
	struct route_load_stats st;
	int r = route_table_new(1, &t);
	if (r < 0)
		return error_set(k->err, r, "%s: out of memory", s->file);
	struct route_load what = config_mrt(s);
	r = route_load(t, 0, &what, &st, k->err);
	route_table_free(t);
	if (r == 0 && s->update_count)
		report(k, "router %s: mrt %s: %llu routes, %llu UPDATEs applied", router->name, s->file,
			(unsigned long long)st.routes, (unsigned long long)st.messages);
	else if (r == 0)
		report(k, "router %s: mrt %s: %llu routes", router->name, s->file, (unsigned long long)st.routes);
	return r;
}

static int check_source(const struct check *k, const struct config_router *router, const struct config_source *s)
{
	char from[ADDR_TEXT_MAX];
	if (s->kind == SOURCE_MRT)
		return check_mrt(k, router, s);
	char secret[CONFIG_MD5_BYTES_MAX + 1];
	int r = s->md5_file ? secret_read(s->md5_file, CONFIG_MD5_BYTES_MAX, secret, k->err) : 0;
	explicit_bzero(secret, sizeof(secret));
	if (r < 0)
		return r;
	report(k, "router %s: %s from %s", router->name, s->kind == SOURCE_BMP ? "bmp" : "bgp",
		addr_format(&s->from, from));
	return 0;
}

static int check_routers(const struct check *k)
{
	for (size_t i = 0; i < k->c->router_count; i++) {
		const struct config_router *router = &k->c->routers[i];
		report(k, "router %s: serves %zu network%s", router->name, router->serves_count,
			router->serves_count == 1 ? "" : "s");
		for (size_t n = 0; n < router->source_count; n++) {
			const struct config_source *s = &router->sources[n];
			int r = at_line(k, s->line, check_source(k, router, s));
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int load_country(struct countries *list, const struct config_country *c, struct error *err)
{
	if (c->kind == COUNTRY_MMDB)
		return countries_add_mmdb(list, c->files[0], err);
	return countries_add_rir(list, (const char *const *)c->files, c->file_count, err);
}

static int check_country(const struct check *k, const struct config_country *c)
{
	struct countries *list;
	int r = countries_new(&list);
	if (r < 0)
		return error_set(k->err, r, "out of memory");
	r = load_country(list, c, k->err);
	struct countries_stats st = countries_stats(list);
	countries_free(list);
	if (r == 0)
		report(k, "countries: %s %s%s: %zu IPv4 and %zu IPv6 ranges", c->kind == COUNTRY_RIR ? "rir" : "mmdb",
			c->files[0], c->file_count > 1 ? " and others" : "", st.ranges_v4, st.ranges_v6);
	return at_line(k, c->line, r);
}

static int check_countries(const struct check *k)
{
	for (size_t i = 0; i < k->c->country_count; i++) {
		int r = check_country(k, &k->c->countries[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_asnames(const struct check *k)
{
	struct asnames *names;
	if (!k->c->asnames_file)
		return 0;
	int r = asnames_load(k->c->asnames_file, &names, k->err);
	if (r < 0)
		return at_line(k, k->c->asnames_line, r);
	report(k, "asnames: %s: %zu names", k->c->asnames_file, asnames_count(names));
	asnames_free(names);
	return 0;
}

static int check_token(const struct check *k)
{
	char token[SECRET_BYTES_MAX + 1];
	if (!k->c->http.token_file)
		return 0;
	int r = secret_read(k->c->http.token_file, SECRET_BYTES_MAX, token, k->err);
	explicit_bzero(token, sizeof(token));
	return at_line(k, k->c->http.token_line, r);
}

static int check_tls(const struct check *k)
{
	char *certificate = NULL, *key = NULL;
	int r = config_tls(k->c, &certificate, &key, k->err);
	if (r < 0)
		return at_line(k, k->c->http.tls_line, r);
	if (certificate)
		report(k, "http: TLS with %s", k->c->http.certificate_file);
	if (key)
		explicit_bzero(key, strlen(key));
	free(key);
	free(certificate);
	return 0;
}

/* Whoever reads the password can write to the store. libpq takes no file that anybody but its owner may read. */
static int check_mode(const struct check *k, const struct store_url_file *file, const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return error_set(k->err, -errno, "store.url: %s: %s: %s", file->parameter, path, strerror(errno));
	if (file->kind == STORE_FILE_PASSWORDS && st.st_mode & (S_IRWXG | S_IRWXO))
		report(k, "warning: store.url: %s %s can be read by others, and libpq does not use it then: chmod 600", file->parameter, path);
	else if (file->kind == STORE_FILE_SECRET && st.st_mode & S_IRWXO)
		report(k, "warning: store.url: %s %s can be read by everybody: chmod o=", file->parameter, path);
	return 0;
}

static int check_store_file(void *ctx, const struct store_url_file *file, const char *path)
{
	const struct check *k = *(const struct check **)ctx;
	char secret[SECRET_BYTES_MAX + 1];
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(k->err, -errno, "store.url: %s: %s: %s", file->parameter, path, strerror(errno));
	if (file->kind == STORE_FILE_SECRET) {
		int r = secret_read(path, SECRET_BYTES_MAX, secret, k->err);
		explicit_bzero(secret, sizeof(secret));
		if (r < 0)
			return error_prefix(k->err, "store.url: %s", file->parameter);
	}
	return file->kind == STORE_FILE_PLAIN ? 0 : check_mode(k, file, path);
}

static int check_store(const struct check *k)
{
	const char *url = k->c->store.url;
	const struct store_ops *ops = store_find(url, k->err);
	int r = ops ? store_url_files(url, ops->url_files, check_store_file, &k) : k->err->code;
	return at_line(k, k->c->store.url_line, r);
}

static int check_probe(const struct check *k)
{
	const struct config_probe *p = &k->c->probe;
	struct key loaded;
	if (!p->interval_ms)
		return 0;
	if (!p->collector_count || !p->key_file) /* good for a dry run */
		report(k, "probe: has no %s: it can only run with --dry-run", p->collector_count ? "key" : "collectors");
	if (!p->key_file)
		return 0;
	int r = at_line(k, p->key_line, key_load(p->key_file, p->key_id, &loaded, k->err));
	explicit_bzero(&loaded, sizeof(loaded));
	if (r == 0)
		report(k, "probe: key %u: %s", p->key_id, p->key_file);
	return r;
}

int config_check_files(const struct config *c, void (*report_line)(void *ctx, const char *text), void *ctx,
	struct error *err)
{
	const struct check k = {c, report_line, ctx, err};
	int r = check_keys(&k);
	if (r == 0)
		r = check_routers(&k);
	if (r == 0)
		r = check_countries(&k);
	if (r == 0)
		r = check_asnames(&k);
	if (r == 0)
		r = check_token(&k);
	if (r == 0)
		r = check_tls(&k);
	if (r == 0)
		r = check_store(&k);
	return r < 0 ? r : check_probe(&k);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Checks between options: what has to be unique, and what needs something else. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/config_load.h"

static int check_keys(struct load *l)
{
	const struct config *c = l->config;
	for (size_t i = 0; i < c->telemetry.key_count; i++)
		for (size_t k = 0; k < i; k++)
			if (c->telemetry.keys[i].id == c->telemetry.keys[k].id)
				return load_fail(l, c->telemetry.keys[i].line, "key id %u stands on line %u already",
					c->telemetry.keys[i].id, c->telemetry.keys[k].line);
	return 0;
}

static int check_router_names(struct load *l)
{
	const struct config *c = l->config;
	for (size_t i = 0; i < c->router_count; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->routers[i].name, c->routers[k].name) == 0)
				return load_fail(l, c->routers[i].line, "a router named '%s' stands on line %u already",
					c->routers[i].name, c->routers[k].line);
	return 0;
}

static int compare_served(const void *a, const void *b)
{
	const struct served *x = a, *y = b;
	int c = prefix_cmp(&x->prefix, &y->prefix);
	return c ? c : (x->line > y->line) - (x->line < y->line);
}

static int check_served(struct load *l)
{
	if (l->served_count)
		qsort(l->served, l->served_count, sizeof(*l->served), compare_served);
	for (size_t i = 1; i < l->served_count; i++) {
		char text[PREFIX_TEXT_MAX];
		if (prefix_equal(&l->served[i].prefix, &l->served[i - 1].prefix))
			return load_fail(l, l->served[i].line,
				"%s is served already, on line %u: a network has one router",
				prefix_format(&l->served[i].prefix, text), l->served[i - 1].line);
	}
	return 0;
}

static bool same_vrf(const struct config_source *a, const struct config_source *b)
{
	if (!a->vrf || !b->vrf)
		return a->vrf == b->vrf;
	return strcmp(a->vrf, b->vrf) == 0;
}

/* A connection from an address feeds one source, or by BMP one for each VRF. */
static int check_from(struct load *l, const struct config_source *s)
{
	const struct config *c = l->config;
	char text[ADDR_TEXT_MAX];
	for (size_t i = 0; i < c->router_count; i++)
		for (size_t k = 0; k < c->routers[i].source_count; k++) {
			const struct config_source *other = &c->routers[i].sources[k];
			if (other == s)
				return 0;
			if (other->kind == s->kind && s->kind != SOURCE_MRT && addr_equal(&other->from, &s->from) &&
				same_vrf(other, s))
				return load_fail(l, s->line, "%s: what comes from there feeds the source on line %u already",
					addr_format(&s->from, text), other->line);
		}
	return 0;
}

static int check_sources(struct load *l)
{
	const struct config *c = l->config;
	for (size_t i = 0; i < c->router_count; i++) {
		const struct config_router *r = &c->routers[i];
		for (size_t k = 0; k < r->source_count; k++) {
			const struct config_source *s = &r->sources[k];
			bool bmp = s->kind == SOURCE_BMP && !c->bmp.listen_count;
			bool bgp = s->kind == SOURCE_BGP && !c->bgp.listen_count;
			if (bmp || bgp)
				return load_fail(l, s->line,
					"a source '%s' needs the section '%s', which says where to listen",
					bmp ? "bmp" : "bgp", bmp ? "bmp" : "bgp");
			if (check_from(l, s) < 0)
				return -EINVAL;
		}
	}
	return 0;
}

static int check_listens(struct load *l, const struct listen_addr *listen, size_t count)
{
	char text[HOSTPORT_TEXT_MAX];
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (listen[i].port && listen[i].port == listen[k].port &&
				addr_equal(&listen[i].addr, &listen[k].addr))
				return load_fail(l, listen[i].line, "%s stands on line %u already",
					hostport_format(&listen[i].addr, listen[i].port, text), listen[k].line);
	return 0;
}

static bool is_loopback(const struct addr *a)
{
	static const struct addr v6 = {.family = ADDR_V6, .bytes = {[15] = 1}};
	return a->family == ADDR_V4 ? a->bytes[0] == 127 : addr_equal(a, &v6);
}

static int check_http(struct load *l)
{
	const struct config *c = l->config;
	char text[HOSTPORT_TEXT_MAX];
	for (size_t i = 0; i < c->http.listen_count && !c->http.token_file; i++) {
		const struct listen_addr *a = &c->http.listen[i];
		if (!is_loopback(&a->addr))
			return load_fail(l, a->line,
				"http.listen: %s is not a loopback address: everybody who reaches it could read "
				"everything, so http.token_file is needed",
				hostport_format(&a->addr, a->port, text));
	}
	return 0;
}

static int check_store(struct load *l)
{
	const struct config *c = l->config;
	struct error e = {0};
	const struct store_ops *ops = store_find(c->store.url, &e);
	return ops && ops->check_url(c->store.url, &e) == 0 ? 0 : load_fail(l, c->store.url_line, "store.url: %s", e.text);
}

static int check_probe(struct load *l)
{
	const struct config_probe *p = &l->config->probe;
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct config_type_rule *rule = &p->rules[i];
		if (rule->cgroup && *rule->cgroup != '/')
			return load_fail(l, rule->line, "probe.type_rules.cgroup: '%.60s' does not begin with /", rule->cgroup);
	}
	return 0;
}

int load_relations(struct load *l)
{
	const struct config *c = l->config;
	int r = check_keys(l);
	if (r == 0)
		r = check_router_names(l);
	if (r == 0)
		r = check_served(l);
	if (r == 0)
		r = check_sources(l);
	if (r == 0)
		r = check_listens(l, c->telemetry.listen, c->telemetry.listen_count);
	if (r == 0)
		r = check_listens(l, c->bmp.listen, c->bmp.listen_count);
	if (r == 0)
		r = check_listens(l, c->bgp.listen, c->bgp.listen_count);
	if (r == 0)
		r = check_listens(l, c->http.listen, c->http.listen_count);
	if (r == 0)
		r = check_store(l);
	if (r == 0)
		r = check_probe(l);
	return r < 0 ? r : check_http(l);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* A route costs some ten microseconds to write down, so a listing is made in pieces of a few dozen rows, and
 * the table may change between two of them: each goes on behind the last prefix looked at, wherever that is
 * by then. Listed is a router's table, as the first of its sources tells it that has routes of the family; a
 * route that another source would fall back to stands in the answer for an address only. */

#include "collector/glass.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/bgp_speaker.h"
#include "collector/json.h"
#include "query/filter.h"
#include "route/path.h"

#define PIECE_ROWS     64   /* then others have their turn */
#define PIECE_NS       (2 * NS_PER_MS)
#define PREFIXES_A_LOOK 16 /* between two looks at the clock */

/* ---- routers ---- */

/* An MRT file is loaded, or could not be; the others have the states of tables.h. */
static const char *source_state_name(const struct table_source *s, const char *error)
{
	if (s->kind != SOURCE_MRT)
		return table_state_names[s->state];
	return s->state == TABLE_UP ? "loaded" : error ? "error" : "absent";
}

static json_t *counters_json(const struct table_source *s)
{
	json_t *counters = json_object();
	for (int i = 0; i < SOURCE_COUNTERS; i++)
		(void)json_object_set_new(counters, source_counter_table[i].name, json_count(s->counters[i]));
	return counters;
}

static json_t *source_json(const struct table_source *s, const struct source_state *file)
{
	const char *error = *file->error ? file->error : *s->error ? s->error : NULL;
	struct table_sums sums = table_source_sums(s);
	const char *session = s->kind == SOURCE_BGP ? bgp_speaker_state(s) : NULL;
	json_t *row = json_object();
	int bad = json_object_set_new(row, "kind", json_string(source_kind_names[s->kind]));
	bad |= json_object_set_new(row, "file", json_text(s->file));
	bad |= json_object_set_new(row, "from", json_address(&s->from));
	bad |= json_object_set_new(row, "peer", json_address(&s->peer));
	bad |= json_object_set_new(row, "vrf", json_text(s->vrf));
	bad |= json_object_set_new(row, "state", json_string(source_state_name(s, error)));
	bad |= json_object_set_new(row, "session", json_text(session));
	bad |= json_object_set_new(row, "since", json_time(s->since_ms));
	bad |= json_object_set_new(row, "loaded", json_time(s->state == TABLE_ABSENT ? 0 : s->since_ms));
	bad |= json_object_set_new(row, "prefixes", json_count(sums.prefixes));
	bad |= json_object_set_new(row, "routes", json_count(sums.routes));
	bad |= json_object_set_new(row, "peers", json_count(sums.peers));
	bad |= json_object_set_new(row, "peers_lost", json_count(sums.lost));
	bad |= json_object_set_new(row, "last_change", json_time(s->changed_ms));
	bad |= json_object_set_new(row, "updates", json_count(s->counters[SOURCE_announced] + s->counters[SOURCE_withdrawn]));
	bad |= json_object_set_new(row, "updates_per_s", json_real(rint(table_source_rate(s) * 10) / 10));
	bad |= json_object_set_new(row, "counters", counters_json(s));
	bad |= json_object_set_new(row, "error", json_text(error));
	return json_whole(row, bad);
}

/* Of each family, those of the first source that has any. */
static size_t router_prefixes(const struct tables *t, uint32_t router)
{
	static const uint8_t families[] = {ADDR_V4, ADDR_V6};
	size_t prefixes = 0;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const struct rib *rib = tables_rib(t, router, families[i]);
		prefixes += rib ? route_count_family(tables_routes(t), rib_view(rib), families[i]) : 0;
	}
	return prefixes;
}

static json_t *router_json(const struct world *w, const struct tables *t, uint32_t i)
{
	const struct config_router *router = &w->config->routers[i];
	json_t *serves = json_array(), *sources = json_array();
	struct table_source *const *list;
	size_t count = tables_sources(t, i, &list);
	for (size_t j = 0; j < router->serves_count; j++) {
		char text[PREFIX_TEXT_MAX];
		(void)json_array_append_new(serves, json_string(prefix_format(&router->serves[j], text)));
	}
	for (size_t j = 0; j < count; j++)
		(void)json_array_append_new(sources, source_json(list[j], &w->sources[w->first_view[i] + j]));
	return json_pack("{s:s, s:o, s:I, s:o}", "name", router->name, "serves", serves, "prefixes",
		(json_int_t)router_prefixes(t, i), "sources", sources);
}

json_t *glass_routers(const struct world *w, const struct tables *t)
{
	json_t *rows = json_array();
	for (uint32_t i = 0; i < w->config->router_count; i++)
		(void)json_array_append_new(rows, router_json(w, t, i));
	return json_pack("{s:o}", "rows", rows);
}

/* ---- a route ---- */

static json_t *path_json(struct view path)
{
	size_t n = path_format(path, NULL, 0);
	CLEANUP(free_p) char *text = malloc(n + 1);
	if (!text)
		return NULL;
	(void)path_format(path, text, n + 1);
	return json_string(text);
}

/* What each kind of community looks like; n: how many stand before it. */
static void print_community(FILE *f, struct rd *r, int n)
{
	unsigned high = rd_u16(r), low = rd_u16(r);
	fprintf(f, "%s%u:%u", n ? " " : "", high, low);
}

static void print_large_community(FILE *f, struct rd *r, int n)
{
	uint32_t a = rd_u32(r), b = rd_u32(r), c = rd_u32(r);
	fprintf(f, "%s%u:%u:%u", n ? " " : "", a, b, c);
}

/* RFC 4360, 5668: route targets and origins by name, whichever way their eight bytes are cut; else the bytes. */
static void print_ext_community(FILE *f, struct rd *r, int n)
{
	struct view bytes = rd_bytes(r, 8);
	struct rd c = rd_view(bytes);
	unsigned type = rd_u8(&c), subtype = rd_u8(&c);
	const char *name = subtype == 2 ? "rt" : subtype == 3 ? "soo" : NULL;
	fputs(n ? " " : "", f);
	if (!name || type > 2) {
		fputs("0x", f);
		for (size_t i = 0; i < bytes.len; i++)
			fprintf(f, "%02x", bytes.data[i]);
		return;
	}
	unsigned a = rd_u16(&c), b = rd_u16(&c), d = rd_u16(&c);
	if (type == 0)
		fprintf(f, "%s:%u:%u", name, a, b << 16 | d);
	else if (type == 1)
		fprintf(f, "%s:%u.%u.%u.%u:%u", name, a >> 8, a & 255, b >> 8, b & 255, d);
	else
		fprintf(f, "%s:%u:%u", name, a << 16 | b, d);
}

static json_t *communities_json(struct view bytes, void (*print)(FILE *f, struct rd *r, int n))
{
	char *text = NULL;
	size_t len = 0;
	if (!bytes.len)
		return json_null();
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	struct rd r = rd_view(bytes);
	for (int n = 0; rd_more(&r); n++)
		print(f, &r, n);
	(void)fclose(f);
	json_t *json = json_string(text);
	free(text);
	return json;
}

static json_t *asn_json(uint32_t asn)
{
	return asn ? json_count(asn) : json_null();
}

static json_t *aggregator_json(const struct route_attrs *a)
{
	char addr[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 16];
	if (a->aggregator.family == ADDR_NONE)
		return json_null();
	(void)snprintf(text, sizeof(text), "%u %s", a->aggregator_as, addr_format(&a->aggregator, addr));
	return json_string(text);
}

static json_t *originator_json(const struct route_attrs *a)
{
	uint32_t id = a->originator_id;
	const uint8_t bytes[4] = {(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
	struct addr addr = addr_from_v4(bytes);
	return id ? json_address(&addr) : json_null();
}

static int set_attrs(json_t *row, const struct route_attrs *a)
{
	static const char *const origins[] = {"igp", "egp", "incomplete"};
	int bad = json_object_set_new(row, "next_hop", json_address(&a->next_hop));
	bad |= json_object_set_new(row, "communities", communities_json(a->communities, print_community));
	bad |= json_object_set_new(row, "ext_communities", communities_json(a->ext_communities, print_ext_community));
	bad |= json_object_set_new(row, "large_communities", communities_json(a->large_communities, print_large_community));
	bad |= json_object_set_new(row, "med", a->has_med ? json_count(a->med) : json_null());
	bad |= json_object_set_new(row, "local_pref", a->has_local_pref ? json_count(a->local_pref) : json_null());
	bad |= json_object_set_new(row, "origin_code", json_text(a->origin_code < 3 ? origins[a->origin_code] : NULL));
	bad |= json_object_set_new(row, "atomic_aggregate", json_boolean(a->atomic_aggregate));
	bad |= json_object_set_new(row, "aggregator", aggregator_json(a));
	bad |= json_object_set_new(row, "originator_id", originator_json(a));
	return bad;
}

static json_t *age_json(const struct route_table *routes, const struct table_answer *answer)
{
	uint64_t now_ms = clock_mono_ns() / NS_PER_MS; /* as those who feed the table tell the time */
	uint64_t changed_ms = route_changed_ms(routes, rib_view(answer->rib), answer->hit.prefix);
	return json_count(now_ms > changed_ms ? (now_ms - changed_ms) / 1000 : 0);
}

static json_t *route_json(const struct route_table *routes, const char *router, const struct table_answer *answer)
{
	struct prefix prefix = route_prefix(routes, answer->hit.prefix);
	struct route_attrs a = route_attrs(routes, answer->hit.attrs);
	const struct rib_peer_info *peer = rib_answering(answer->rib, answer->hit.prefix);
	char text[PREFIX_TEXT_MAX];
	json_t *row = json_object();
	int bad = json_object_set_new(row, "router", json_string(router));
	bad |= json_object_set_new(row, "prefix", json_string(prefix_format(&prefix, text)));
	bad |= json_object_set_new(row, "path", path_json(a.path));
	bad |= json_object_set_new(row, "origin", asn_json(route_origin(routes, answer->hit.attrs)));
	bad |= json_object_set_new(row, "neighbour", asn_json(route_neighbour(routes, answer->hit.attrs)));
	bad |= set_attrs(row, &a);
	bad |= json_object_set_new(row, "source", json_string(source_kind_names[answer->source->kind]));
	bad |= json_object_set_new(row, "peer", peer ? json_address(&peer->addr) : json_null());
	bad |= json_object_set_new(row, "match", json_string(route_match_names[answer->match]));
	bad |= json_object_set_new(row, "age_s", age_json(routes, answer));
	return json_whole(row, bad);
}

/* ---- an address ---- */

static json_t *no_route_json(const char *router)
{
	return json_pack("{s:s, s:n, s:n, s:n, s:n, s:s}", "router", router, "prefix", "path", "origin", "neighbour",
		"match", route_match_names[MATCH_NONE]);
}

static int no_such_router(const char *name, struct error *err)
{
	return error_set(err, -ENOENT, "no router is called '%.64s'", name);
}

static bool has_router(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->config->router_count; i++)
		if (strcmp(w->config->routers[i].name, name) == 0)
			return true;
	return false;
}

int glass_lookup(const struct world *w, const struct tables *t, const struct addr *addr, const char *router,
	json_t **ret, struct error *err)
{
	if (router && !has_router(w, router))
		return no_such_router(router, err);
	json_t *rows = json_array();
	for (uint32_t i = 0; i < w->config->router_count; i++) {
		const char *name = w->config->routers[i].name;
		struct table_answer answer;
		if (router && strcmp(router, name) != 0)
			continue;
		bool has = tables_lookup(t, i, addr, &answer);
		(void)json_array_append_new(rows, has ? route_json(tables_routes(t), name, &answer) : no_route_json(name));
	}
	char text[ADDR_TEXT_MAX], country[3];
	country_format(countries_lookup(w->countries, addr), country);
	*ret = json_pack("{s:s, s:s?, s:o}", "address", addr_format(addr, text), "country", *country ? country : NULL,
		"rows", rows);
	return *ret ? 0 : error_set(err, -ENOMEM, "out of memory");
}

/* ---- tables ---- */

/* A route under the filter's eyes. */
struct subject {
	const struct route_table *routes;
	const char *router;
	const struct table_answer *answer;
};

static bool is_value(const void *subject, enum dimension dim, const struct dim_value *v)
{
	const struct subject *s = subject;
	const struct route_hit *hit = &s->answer->hit;
	struct prefix prefix = route_prefix(s->routes, hit->prefix);
	struct dim_value router = {.known = true, .bytes = {(const uint8_t *)s->router, strlen(s->router)}};
	struct dim_value path = {.known = true};
	switch (dim) {
	case DIM_router:
		return filter_same_bytes(v, &router);
	case DIM_prefix:
		return v->known && prefix_equal(&v->prefix, &prefix);
	case DIM_origin:
	case DIM_neighbour:
	case DIM_via:
	case DIM_path:
		path.bytes = route_attrs(s->routes, hit->attrs).path;
		return filter_path_is(&path, dim, v);
	case DIM_match:
		return v->known && v->number == (uint64_t)s->answer->match;
	default: /* the endpoint refuses the others */
		return false;
	}
}

/* A listing's piece being made. */
struct piece {
	const struct world *world;
	const struct tables *tables;
	const struct http_routes_question *question;
	struct http_routes_cursor *cursor;
	json_t *rows;
	int failed;
};

/* The id of exactly this prefix; ROUTE_NONE. */
static uint32_t find_prefix(const struct route_table *routes, const struct prefix *prefix)
{
	uint32_t ids[ROUTE_COVERING_MAX];
	if (!route_covering(routes, prefix, ids))
		return ROUTE_NONE;
	struct prefix longest = route_prefix(routes, ids[0]);
	return prefix_equal(&longest, prefix) ? ids[0] : ROUTE_NONE;
}

/* Adds the routers' routes to a prefix. False, and nothing added: they don't fit into the limit. */
static bool add_prefix(struct piece *p, uint32_t id)
{
	const struct route_table *routes = tables_routes(p->tables);
	json_t *rows = json_array();
	for (uint32_t i = 0; i < p->world->config->router_count; i++) {
		const char *name = p->world->config->routers[i].name;
		struct table_answer answer;
		if ((p->question->router && strcmp(p->question->router, name) != 0) || !tables_get(p->tables, i, id, &answer))
			continue;
		if (filter_passes(p->question->filter, is_value, &(struct subject){routes, name, &answer}))
			p->failed |= json_array_append_new(rows, route_json(routes, name, &answer));
	}
	size_t n = json_array_size(rows);
	bool fits = !n || !p->cursor->rows || p->cursor->rows + n <= p->question->limit;
	if (fits) {
		p->cursor->rows += (uint32_t)n;
		p->failed |= json_array_extend(p->rows, rows);
	}
	json_decref(rows);
	return fits;
}

/* Lists the prefixes of ids[0..count), longest first, in the order of all listings. */
static void list_these(struct piece *p, const uint32_t *ids, size_t count)
{
	struct http_routes_cursor *c = p->cursor;
	while (count-- > 0 && !c->cut) {
		struct prefix prefix = route_prefix(tables_routes(p->tables), ids[count]);
		if (c->at.addr.family != ADDR_NONE && prefix_cmp(&prefix, &c->at) <= 0)
			continue;
		c->cut = !add_prefix(p, ids[count]);
		if (!c->cut)
			c->at = prefix;
	}
	p->cursor->ended = true;
}

/* The next prefix of the listing; ROUTE_NONE: there is none. */
static uint32_t next_prefix(const struct piece *p)
{
	const struct route_table *routes = tables_routes(p->tables);
	const struct prefix *within = &p->question->prefix, *at = &p->cursor->at;
	uint32_t id = ROUTE_NONE;
	/* The prefix itself comes before all that it contains. */
	if (within->addr.family != ADDR_NONE && (at->addr.family == ADDR_NONE || prefix_cmp(at, within) < 0)) {
		id = find_prefix(routes, within);
		at = within;
	}
	if (id == ROUTE_NONE)
		id = route_next(routes, at->addr.family == ADDR_NONE ? NULL : at);
	if (id == ROUTE_NONE || within->addr.family == ADDR_NONE)
		return id;
	struct prefix next = route_prefix(routes, id);
	return prefix_contains(within, &next.addr) && next.len >= within->len ? id : ROUTE_NONE;
}

static void list_on(struct piece *p)
{
	struct http_routes_cursor *c = p->cursor;
	uint64_t end = clock_mono_ns() + PIECE_NS;
	for (int i = 1; json_array_size(p->rows) < PIECE_ROWS; i++) {
		uint32_t id = next_prefix(p);
		c->ended = id == ROUTE_NONE;
		if (c->ended)
			return;
		c->ended = c->cut = !add_prefix(p, id);
		if (c->ended)
			return;
		c->at = route_prefix(tables_routes(p->tables), id);
		if (i % PREFIXES_A_LOOK == 0 && clock_mono_ns() >= end)
			return;
	}
}

static void list_single(struct piece *p)
{
	uint32_t ids[ROUTE_COVERING_MAX] = {find_prefix(tables_routes(p->tables), &p->question->prefix)};
	size_t n = ids[0] != ROUTE_NONE;
	if (p->question->select == ROUTES_SHORTER)
		n = route_covering(tables_routes(p->tables), &p->question->prefix, ids);
	list_these(p, ids, n);
}

int glass_routes(const struct world *w, const struct tables *t, const struct http_routes_question *q,
	struct http_routes_cursor *cursor, json_t **ret_rows, struct error *err)
{
	struct piece p = {.world = w, .tables = t, .question = q, .cursor = cursor, .rows = json_array()};
	if (q->router && !has_router(w, q->router)) {
		json_decref(p.rows);
		return no_such_router(q->router, err);
	}
	if (q->prefix.addr.family != ADDR_NONE && q->select != ROUTES_LONGER)
		list_single(&p);
	else
		list_on(&p);
	if (p.failed || !p.rows) {
		json_decref(p.rows);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*ret_rows = p.rows;
	return 0;
}

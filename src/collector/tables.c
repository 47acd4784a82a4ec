/* SPDX-License-Identifier: BSD-2-Clause */

/* Sources live in one list, apart from the configuration: a reload makes a new order of pointers to them
 * (struct table_router) and leaves alone those that are named again. Two sources are the same when
 * router, kind and where it comes from are. One that is not named any more is emptied in slices before it
 * is freed, so that dropping a full table does not hold the data plane up.
 *
 * Churn: the ribs tell each change of an answer by a peer's word. It matters when the router had traffic for
 * the prefix lately and no rib that is asked before has the prefix too. Traffic is remembered by a bit
 * a prefix id, router and half of TRAFFIC_NS: what has had none for one to two halves is forgotten. An id
 * that is used again for another prefix may bring a change too many along, never one too few. */

#include "collector/tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "base/words.h"

#define SLICE      256                 /* prefixes between two looks at the clock */
#define RATE_MS    10000u
#define TRAFFIC_NS (1800 * NS_PER_S)

const char *const table_state_names[] = {"absent", "up", "stale"};

const struct source_counter_info source_counter_table[SOURCE_COUNTERS] = {
#define COUNTER(name, help) {#name, help},
#include "collector/source_counters.def"
#undef COUNTER
};

/* A set of prefix ids. */
struct bits {
	uint64_t *words;
	size_t count; /* of words */
};

struct table_router {
	char *name;
	struct table_source **sources;
	size_t count;
	struct bits traffic[2]; /* in this half of TRAFFIC_NS, in the one before */
};

struct tables {
	struct loop *loop;
	struct route_table *routes;
	struct table_source *sources, *leaving;
	struct table_router *routers;
	size_t router_count;
	struct loop_work work; /* of the ribs */
	struct loop_timer traffic_timer;
	table_churn_fn *churn; /* NULL: nobody wants to know */
	void *churn_ctx;
};

/* ---- sources ---- */

static void source_free(struct table_source *s)
{
	if (!s)
		return;
	for (int i = 0; i < TABLE_LEVELS; i++)
		rib_free(s->ribs[i]);
	free(s->router);
	free(s->vrf);
	free(s->file);
	free(s->md5_file);
	free(s);
}

static bool is_named(const struct table_source *s, const char *router, const struct config_source *c)
{
	return s->kind == c->kind && strcmp(s->router, router) == 0 && addr_equal(&s->from, &c->from) &&
		words_same(s->file, c->file) && addr_equal(&s->peer, &c->peer) && s->as == c->as &&
		words_same(s->vrf, c->vrf) && s->table == c->table;
}

static char *copy_text(const char *text, bool *failed)
{
	char *copy = text ? strdup(text) : NULL;
	*failed |= text && !copy;
	return copy;
}

static struct table_source *source_new(struct tables *t, const struct config_router *router,
	const struct config_source *c)
{
	struct table_source *s = calloc(1, sizeof(*s));
	bool failed = false;
	if (!s)
		return NULL;
	s->tables = t;
	s->kind = c->kind;
	s->from = c->from;
	s->peer = c->peer;
	s->as = c->as;
	s->since_ms = clock_wall_ms();
	s->table = c->table;
	s->max_routes = router->max_routes;
	s->router = copy_text(router->name, &failed);
	s->vrf = copy_text(c->vrf, &failed);
	s->file = copy_text(c->file, &failed);
	struct rib *rib;
	if (failed || table_source_level(s, TABLE_ONLY, &rib) < 0) {
		source_free(s);
		return NULL;
	}
	return s;
}

static struct table_source *find_named(const struct tables *t, const char *router, const struct config_source *c)
{
	for (struct table_source *s = t->sources; s; s = s->next)
		if (is_named(s, router, c))
			return s;
	return NULL;
}

/* What may change without the source being another one. */
static int update_source(struct table_source *s, const struct config_router *router, const struct config_source *c)
{
	bool failed = false;
	char *md5_file = copy_text(c->md5_file, &failed);
	if (failed)
		return -ENOMEM;
	free(s->md5_file);
	s->md5_file = md5_file;
	s->stale_ms = router->stale_ms;
	s->max_routes = router->max_routes;
	for (int i = 0; i < TABLE_LEVELS; i++)
		if (s->ribs[i])
			rib_limit(s->ribs[i], s->max_routes);
	return 0;
}

/* ---- configuring ---- */

static void routers_free(struct table_router *routers, size_t count)
{
	for (size_t i = 0; routers && i < count; i++) {
		free(routers[i].name);
		free(routers[i].sources);
		free(routers[i].traffic[0].words);
		free(routers[i].traffic[1].words);
	}
	free(routers);
}

/* Adds the sources that are new to the list, and fills the router's order. */
static int configure_router(struct tables *t, const struct config_router *router, struct table_router *ret)
{
	ret->name = strdup(router->name);
	ret->sources = calloc(router->source_count + 1, sizeof(struct table_source *));
	if (!ret->name || !ret->sources)
		return -ENOMEM;
	for (size_t i = 0; i < router->source_count; i++) {
		struct table_source *s = find_named(t, router->name, &router->sources[i]);
		if (!s) {
			s = source_new(t, router, &router->sources[i]);
			if (!s)
				return -ENOMEM;
			s->next = t->sources;
			t->sources = s;
		}
		if (update_source(s, router, &router->sources[i]) < 0)
			return -ENOMEM;
		ret->sources[ret->count++] = s;
	}
	return 0;
}

static bool is_used(const struct table_router *routers, size_t count, const struct table_source *s)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < routers[i].count; j++)
			if (routers[i].sources[j] == s)
				return true;
	return false;
}

static void begin_leaving(struct tables *t, struct table_source *s)
{
	for (int i = 0; i < TABLE_LEVELS; i++)
		if (s->ribs[i])
			rib_empty(s->ribs[i]);
	s->next = t->leaving;
	t->leaving = s;
	tables_kick(t);
}

static void drop_unused(struct tables *t, void (*dropped)(void *ctx, struct table_source *s), void *ctx)
{
	for (struct table_source **link = &t->sources; *link;) {
		struct table_source *s = *link;
		if (is_used(t->routers, t->router_count, s)) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		s->list = NULL;
		if (dropped)
			dropped(ctx, s);
		begin_leaving(t, s);
	}
}

/* What is known of routers that stay. */
static void keep_traffic(struct table_router *from, size_t from_count, struct table_router *to, size_t to_count)
{
	for (size_t i = 0; i < from_count; i++)
		for (size_t j = 0; j < to_count; j++) {
			if (strcmp(from[i].name, to[j].name) != 0)
				continue;
			memcpy(to[j].traffic, from[i].traffic, sizeof(to[j].traffic));
			memset(from[i].traffic, 0, sizeof(from[i].traffic));
		}
}

int tables_configure(struct tables *t, const struct config *config, void (*dropped)(void *ctx, struct table_source *s),
	void *ctx)
{
	struct table_router *routers = calloc(config->router_count + 1, sizeof(*routers));
	int r = routers ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < config->router_count; i++)
		r = configure_router(t, &config->routers[i], &routers[i]);
	if (r < 0) {
		routers_free(routers, config->router_count);
		drop_unused(t, NULL, NULL); /* those just made: nobody feeds them yet */
		return r;
	}
	keep_traffic(t->routers, t->router_count, routers, config->router_count);
	routers_free(t->routers, t->router_count);
	t->routers = routers;
	t->router_count = config->router_count;
	for (size_t i = 0; i < t->router_count; i++)
		for (size_t j = 0; j < routers[i].count; j++)
			routers[i].sources[j]->list = &routers[i];
	drop_unused(t, dropped, ctx);
	return 0;
}

/* ---- asking ---- */

struct route_table *tables_routes(const struct tables *t)
{
	return t->routes;
}

struct rib *table_source_rib(const struct table_source *s, uint8_t family)
{
	struct rib *first = NULL;
	for (int i = 0; i < TABLE_LEVELS; i++) {
		struct rib *rib = s->ribs[i];
		if (!rib || !route_count_family(s->tables->routes, rib_view(rib), family))
			continue;
		if (LIKELY(!rib_is_lost(rib)))
			return rib;
		first = first ? first : rib;
	}
	return first;
}

/* Whether an answer of a source behind this one is only second best. */
static bool should_have_known(const struct table_source *s, uint8_t family)
{
	return !s->carried || s->carried & bgp_family_of_addr(family);
}

static enum route_match match_of(const struct rib *rib, uint32_t prefix, bool passed)
{
	return rib_is_stale(rib, prefix) ? MATCH_STALE : passed ? MATCH_FALLBACK : MATCH_OWN;
}

bool tables_lookup(const struct tables *t, uint32_t router, const struct addr *client, struct table_answer *ret)
{
	const struct table_router *r = &t->routers[router];
	bool passed = false;
	struct route_hit hit;
	for (size_t i = 0; i < r->count; i++) {
		struct table_source *s = r->sources[i];
		struct rib *rib = table_source_rib(s, client->family);
		if (rib && route_lookup(t->routes, rib_view(rib), client, &hit)) {
			*ret = (struct table_answer){hit, match_of(rib, hit.prefix, passed), s, rib};
			return true;
		}
		passed |= should_have_known(s, client->family);
	}
	return false;
}

#define TOGETHER 64u

/* Looks those of one family up in what the router's first source has of it. Who is not found there, or may be
 * stale, is left for tables_lookup. */
static void lookup_family(const struct tables *t, struct table_source *s, uint8_t family, const struct addr *clients,
	size_t n, struct table_answer *ret)
{
	struct rib *rib = table_source_rib(s, family);
	struct addr addrs[TOGETHER];
	struct route_hit hits[TOGETHER];
	uint8_t of[TOGETHER];
	size_t count = 0;
	if (!rib || rib_has_stale(rib))
		return;
	for (size_t i = 0; i < n; i++) {
		if (clients[i].family != family)
			continue;
		of[count] = (uint8_t)i;
		addrs[count++] = clients[i];
	}
	route_lookup_many(t->routes, rib_view(rib), addrs, count, hits);
	for (size_t i = 0; i < count; i++)
		if (hits[i].attrs != ROUTE_NONE)
			ret[of[i]] = (struct table_answer){hits[i], MATCH_OWN, s, rib};
}

static void lookup_together(const struct tables *t, uint32_t router, const struct addr *clients, size_t n,
	struct table_answer *ret)
{
	const struct table_router *r = &t->routers[router];
	for (size_t i = 0; i < n; i++)
		ret[i].source = NULL;
	if (r->count) {
		lookup_family(t, r->sources[0], ADDR_V4, clients, n, ret);
		lookup_family(t, r->sources[0], ADDR_V6, clients, n, ret);
	}
	for (size_t i = 0; i < n; i++)
		if (!ret[i].source)
			(void)tables_lookup(t, router, &clients[i], &ret[i]);
}

void tables_lookup_many(const struct tables *t, uint32_t router, const struct addr *clients, size_t n,
	struct table_answer *ret)
{
	for (size_t at = 0; at < n; at += TOGETHER)
		lookup_together(t, router, clients + at, n - at < TOGETHER ? n - at : TOGETHER, ret + at);
}

/* The router's table of a family; *ret_passed: a source before it should have told it. NULL: there is none. */
static struct table_source *table_of(const struct tables *t, uint32_t router, uint8_t family, bool *ret_passed)
{
	const struct table_router *r = &t->routers[router];
	*ret_passed = false;
	for (size_t i = 0; i < r->count; i++) {
		if (table_source_rib(r->sources[i], family))
			return r->sources[i];
		*ret_passed |= should_have_known(r->sources[i], family);
	}
	return NULL;
}

struct rib *tables_rib(const struct tables *t, uint32_t router, uint8_t family)
{
	bool passed;
	const struct table_source *s = table_of(t, router, family, &passed);
	return s ? table_source_rib(s, family) : NULL;
}

bool tables_get(const struct tables *t, uint32_t router, uint32_t prefix, struct table_answer *ret)
{
	bool passed;
	uint8_t family = route_prefix(t->routes, prefix).addr.family;
	struct table_source *s = table_of(t, router, family, &passed);
	struct rib *rib = s ? table_source_rib(s, family) : NULL;
	uint32_t attrs = rib ? route_at(t->routes, rib_view(rib), prefix) : ROUTE_NONE;
	if (attrs == ROUTE_NONE)
		return false;
	*ret = (struct table_answer){{prefix, attrs}, match_of(rib, prefix, passed), s, rib};
	return true;
}

size_t tables_sources(const struct tables *t, uint32_t router, struct table_source *const **ret)
{
	*ret = t->routers[router].sources;
	return t->routers[router].count;
}

struct table_source *tables_find(const struct tables *t, enum source_kind kind, const struct addr *from,
	const struct table_source *after)
{
	for (struct table_source *s = after ? after->next : t->sources; s; s = s->next)
		if (s->kind == kind && addr_equal(&s->from, from))
			return s;
	return NULL;
}

struct table_sums table_source_sums(const struct table_source *s)
{
	static const uint8_t families[] = {ADDR_V4, ADDR_V6};
	struct table_sums sums = {0};
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const struct rib *rib = table_source_rib(s, families[i]);
		if (rib)
			sums.prefixes += route_count_family(s->tables->routes, rib_view(rib), families[i]);
	}
	for (int i = 0; i < TABLE_LEVELS; i++) {
		if (!s->ribs[i])
			continue;
		sums.routes += rib_routes(s->ribs[i]);
		sums.peers += rib_peers(s->ribs[i]);
		sums.lost += rib_peers_lost(s->ribs[i]);
		sums.refused += rib_refused(s->ribs[i]);
	}
	return sums;
}

/* ---- churn ---- */

static bool has_bit(const struct bits *b, uint32_t id)
{
	return id / 64 < b->count && b->words[id / 64] >> (id % 64) & 1;
}

void tables_traffic(struct tables *t, uint32_t router, uint32_t prefix)
{
	struct bits *b = &t->routers[router].traffic[0];
	if (UNLIKELY(prefix / 64 >= b->count)) {
		size_t count = route_ids_end(t->routes) / 64 + 1;
		uint64_t *grown = realloc(b->words, count * sizeof(*grown));
		if (!grown)
			return; /* a change of it will not be recorded */
		memset(grown + b->count, 0, (count - b->count) * sizeof(*grown));
		b->words = grown;
		b->count = count;
	}
	b->words[prefix / 64] |= UINT64_C(1) << prefix % 64;
}

static void on_traffic_timer(struct loop_timer *timer)
{
	struct tables *t = timer->ctx;
	for (size_t i = 0; i < t->router_count; i++) {
		struct bits *b = t->routers[i].traffic, old = b[1];
		b[1] = b[0];
		b[0] = (struct bits){0};
		free(old.words);
	}
	(void)!loop_timer_set(t->loop, timer, TRAFFIC_NS / 2);
}

void tables_on_churn(struct tables *t, table_churn_fn *fn, void *ctx)
{
	t->churn = fn;
	t->churn_ctx = ctx;
}

/* Whether nothing that is asked before this rib has the prefix. */
static bool is_first(const struct table_router *r, const struct table_observer *o, uint32_t prefix)
{
	const struct route_table *routes = o->source->tables->routes;
	uint8_t family = route_prefix(routes, prefix).addr.family;
	for (size_t i = 0; i < r->count; i++) {
		const struct rib *rib = table_source_rib(r->sources[i], family);
		if (r->sources[i] == o->source)
			return !rib || rib == o->source->ribs[o->level];
		if (rib && route_at(routes, rib_view(rib), prefix) != ROUTE_NONE)
			return false;
	}
	return false;
}

static void on_changed(void *ctx, uint32_t prefix, uint32_t before, uint32_t after)
{
	const struct table_observer *o = ctx;
	const struct tables *t = o->source->tables;
	uint8_t family = bgp_family_of_addr(route_prefix(t->routes, prefix).addr.family);
	if (!t->churn || (before == ROUTE_NONE && o->source->arriving & family))
		return;
	const struct table_router *r = o->source->list;
	if (!r || !(has_bit(&r->traffic[0], prefix) || has_bit(&r->traffic[1], prefix)) || !is_first(r, o, prefix))
		return;
	t->churn(t->churn_ctx, r->name, prefix, before, after);
}

/* ---- told by feeders ---- */

int table_source_level(struct table_source *s, enum table_level level, struct rib **ret)
{
	if (!s->ribs[level]) {
		int r = rib_new(s->tables->routes, s->max_routes, &s->ribs[level]);
		if (r < 0)
			return r;
		s->observers[level] = (struct table_observer){s, level};
		rib_observe(s->ribs[level], &(struct rib_observer){on_changed, &s->observers[level]});
	}
	*ret = s->ribs[level];
	return 0;
}

static void set_state(struct table_source *s, enum table_state state)
{
	s->state = state;
	s->since_ms = clock_wall_ms();
}

void table_source_up(struct table_source *s)
{
	s->error[0] = '\0';
	s->counters[SOURCE_sessions]++;
	set_state(s, TABLE_UP);
}

void table_source_failed(struct table_source *s, const char *why)
{
	(void)snprintf(s->error, sizeof(s->error), "%s", why);
	utf8_trim(s->error);
}

void table_source_down(struct table_source *s, const char *why)
{
	table_source_failed(s, why);
	if (s->state == TABLE_UP)
		set_state(s, TABLE_STALE);
}

void table_source_gone(struct table_source *s)
{
	if (s->state != TABLE_ABSENT)
		set_state(s, TABLE_ABSENT);
}

void table_source_changed(struct table_source *s, uint64_t now_ms, uint64_t announced, uint64_t withdrawn,
	uint8_t families)
{
	struct rate *rate = &s->rate;
	if (now_ms - rate->begin_ms >= RATE_MS) {
		rate->before = now_ms - rate->begin_ms < 2 * RATE_MS ? rate->changes : 0;
		rate->begin_ms = now_ms;
		rate->changes = 0;
	}
	rate->changes += announced + withdrawn;
	s->counters[SOURCE_announced] += announced;
	s->counters[SOURCE_withdrawn] += withdrawn;
	s->carried |= families;
	s->changed_ms = now_ms;
}

/* What came in the window before counts as far as it reaches into the last RATE_MS. */
double table_source_rate(const struct table_source *s)
{
	uint64_t past_ms = clock_wall_ms() - s->rate.begin_ms;
	double changes = 0;
	if (past_ms < RATE_MS)
		changes = (double)s->rate.changes + (double)s->rate.before * (double)(RATE_MS - past_ms) / RATE_MS;
	else if (past_ms < 2 * RATE_MS)
		changes = (double)s->rate.changes * (double)(2 * RATE_MS - past_ms) / RATE_MS;
	return changes * 1000 / RATE_MS;
}

static bool work_on(struct table_source *s)
{
	bool left = false;
	for (int i = 0; i < TABLE_LEVELS; i++)
		left |= s->ribs[i] && rib_work(s->ribs[i], SLICE);
	return left;
}

/* Frees those that are empty now. */
static bool work_on_leaving(struct tables *t)
{
	for (struct table_source **link = &t->leaving; *link;) {
		struct table_source *s = *link;
		if (work_on(s)) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		source_free(s);
	}
	return t->leaving != NULL;
}

static bool on_work(struct loop_work *work, uint64_t until_ns)
{
	struct tables *t = work->ctx;
	bool left = true;
	while (left && clock_mono_ns() < until_ns) {
		left = work_on_leaving(t);
		for (struct table_source *s = t->sources; s; s = s->next)
			left |= work_on(s);
	}
	return left;
}

void tables_kick(struct tables *t)
{
	loop_work_add(t->loop, &t->work);
}

/* ---- life ---- */

int tables_new(struct loop *loop, struct tables **ret)
{
	struct tables *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->loop = loop;
	t->work = (struct loop_work){.fn = on_work, .ctx = t};
	t->traffic_timer = (struct loop_timer){.fn = on_traffic_timer, .ctx = t};
	int r = route_table_new(0, &t->routes);
	if (r == 0)
		r = loop_timer_set(loop, &t->traffic_timer, TRAFFIC_NS / 2);
	if (r < 0) {
		tables_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

static void free_all(struct table_source *list)
{
	while (list) {
		struct table_source *s = list;
		list = s->next;
		source_free(s);
	}
}

void tables_free(struct tables *t)
{
	if (!t)
		return;
	loop_work_del(t->loop, &t->work);
	loop_timer_clear(t->loop, &t->traffic_timer);
	free_all(t->sources);
	free_all(t->leaving);
	routers_free(t->routers, t->router_count);
	route_table_free(t->routes);
	free(t);
}

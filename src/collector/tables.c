/* SPDX-License-Identifier: BSD-2-Clause */

/* Sources live in one list, apart from the configuration: a reload makes a new order of pointers to them
 * (struct table_router) and leaves alone those that are named again. Two sources are the same when
 * router, kind and where it comes from are.
 *
 * A loss starts the source's stale timer; when it fires the rib's peers are deleted, which empties them in
 * slices. Coming back in time stops the timer: the feeder resyncs its peers, so that what is not told
 * again goes. */

#include "collector/tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUTES_MAX    (32u << 20) /* of one source, all peers */
#define SLICE         512         /* prefixes between two looks at the clock */

const char *const table_state_names[] = {"absent", "up", "stale"};

struct table_router {
	struct table_source **sources;
	size_t count;
};

struct tables {
	struct loop *loop;
	struct route_table *routes;
	struct table_source *sources;
	struct table_router *routers;
	size_t router_count;
	struct loop_work work; /* of the ribs */
};

/* ---- sources ---- */

static void source_free(struct table_source *s)
{
	if (!s)
		return;
	loop_timer_clear(s->tables->loop, &s->stale_timer);
	rib_free(s->rib);
	free(s->router);
	free(s->file);
	free(s->md5_file);
	free(s);
}

static void on_stale(struct loop_timer *timer)
{
	struct table_source *s = timer->ctx;
	s->state = TABLE_ABSENT;
	s->since_ms = clock_wall_ms();
	rib_empty(s->rib);
	tables_kick(s->tables);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_named(const struct table_source *s, const char *router, const struct config_source *c)
{
	return s->kind == c->kind && strcmp(s->router, router) == 0 && addr_equal(&s->from, &c->from) &&
		same_text(s->file, c->file) && addr_equal(&s->peer, &c->peer) && s->as == c->as;
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
	s->stale_timer = (struct loop_timer){.fn = on_stale, .ctx = s};
	s->router = copy_text(router->name, &failed);
	s->file = copy_text(c->file, &failed);
	if (failed || rib_new(t->routes, ROUTES_MAX, &s->rib) < 0) {
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
	return 0;
}

/* ---- configuring ---- */

static void routers_free(struct table_router *routers, size_t count)
{
	for (size_t i = 0; routers && i < count; i++)
		free(routers[i].sources);
	free(routers);
}

/* Adds the sources that are new to the list, and fills the router's order. */
static int configure_router(struct tables *t, const struct config_router *router, struct table_router *ret)
{
	ret->sources = calloc(router->source_count + 1, sizeof(struct table_source *));
	if (!ret->sources)
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

static void drop_unused(struct tables *t, void (*dropped)(void *ctx, struct table_source *s), void *ctx)
{
	for (struct table_source **link = &t->sources; *link;) {
		struct table_source *s = *link;
		if (is_used(t->routers, t->router_count, s)) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		if (dropped)
			dropped(ctx, s);
		source_free(s);
	}
	(void)route_reclaim(t->routes, SIZE_MAX);
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
	routers_free(t->routers, t->router_count);
	t->routers = routers;
	t->router_count = config->router_count;
	drop_unused(t, dropped, ctx);
	return 0;
}

/* ---- asking ---- */

struct route_table *tables_routes(const struct tables *t)
{
	return t->routes;
}

bool tables_lookup(const struct tables *t, uint32_t router, const struct addr *client, struct route_hit *ret,
	enum route_match *ret_match)
{
	const struct table_router *r = &t->routers[router];
	for (size_t i = 0; i < r->count; i++) {
		const struct table_source *s = r->sources[i];
		if (s->state == TABLE_ABSENT)
			continue;
		if (route_lookup(t->routes, rib_view(s->rib), client, ret)) {
			*ret_match = s->state == TABLE_STALE ? MATCH_STALE : i ? MATCH_FALLBACK : MATCH_OWN;
			return true;
		}
	}
	return false;
}

size_t tables_sources(const struct tables *t, uint32_t router, struct table_source *const **ret)
{
	*ret = t->routers[router].sources;
	return t->routers[router].count;
}

struct table_source *tables_find(const struct tables *t, enum source_kind kind, const struct addr *from)
{
	for (struct table_source *s = t->sources; s; s = s->next)
		if (s->kind == kind && addr_equal(&s->from, from))
			return s;
	return NULL;
}

/* ---- told by feeders ---- */

static void set_state(struct table_source *s, enum table_state state)
{
	s->state = state;
	s->since_ms = clock_wall_ms();
}

void table_source_up(struct table_source *s)
{
	loop_timer_clear(s->tables->loop, &s->stale_timer);
	s->error[0] = '\0';
	set_state(s, TABLE_UP);
}

void table_source_down(struct table_source *s, const char *why)
{
	(void)snprintf(s->error, sizeof(s->error), "%s", why);
	if (s->state != TABLE_UP)
		return;
	set_state(s, TABLE_STALE);
	if (loop_timer_set(s->tables->loop, &s->stale_timer, s->stale_ms * NS_PER_MS) < 0)
		on_stale(&s->stale_timer);
}

void table_source_changed(struct table_source *s, uint64_t changes)
{
	s->updates += changes;
	s->changed_ms = clock_wall_ms();
}

static bool on_work(struct loop_work *work, uint64_t until_ns)
{
	struct tables *t = work->ctx;
	bool left = true;
	while (left && clock_mono_ns() < until_ns) {
		left = false;
		for (struct table_source *s = t->sources; s; s = s->next)
			left |= rib_work(s->rib, SLICE);
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
	int r = route_table_new(0, &t->routes);
	if (r < 0) {
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void tables_free(struct tables *t)
{
	if (!t)
		return;
	while (t->sources) {
		struct table_source *s = t->sources;
		t->sources = s->next;
		source_free(s);
	}
	loop_work_del(t->loop, &t->work);
	routers_free(t->routers, t->router_count);
	route_table_free(t->routes);
	free(t);
}

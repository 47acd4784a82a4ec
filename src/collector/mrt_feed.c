/* SPDX-License-Identifier: BSD-2-Clause */

/* The loader's thread has filled a private table with one view a source (world.c); here its routes are
 * interned into the live one. Distinct attributes are few beside routes, so each is interned once and
 * its live id kept in a map by private id, with one reference held until the end: a route then costs a
 * walk of the trie and a write, about a quarter of a microsecond. */

#include "collector/mrt_feed.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"

#define SLICE 256 /* prefixes between two looks at the clock */

struct mrt_feed {
	struct loop *loop;
	struct tables *tables;
	struct world *world;
	void (*done)(void *ctx);
	void *ctx;
	struct loop_work work;
	uint32_t *live_attrs; /* by private id; ROUTE_NONE: not interned yet */
	uint32_t attrs_count;
	uint32_t router;
	size_t source; /* of the router */
	uint32_t at;   /* prefix id in the private table */
	bool begun;    /* the source under work */
	uint32_t released; /* references given back, once all is fed */
};

/* The source under work; NULL: there is none any more. Sources that no file was read for are passed over. */
static struct table_source *current(struct mrt_feed *f)
{
	const struct world *w = f->world;
	for (; f->router < w->config->router_count; f->router++, f->source = 0) {
		struct table_source *const *sources;
		size_t count = tables_sources(f->tables, f->router, &sources);
		for (; f->source < count; f->source++)
			if (w->sources[w->first_view[f->router] + f->source].loaded)
				return sources[f->source];
	}
	return NULL;
}

static int begin_source(struct mrt_feed *f, struct table_source *s)
{
	struct rib_peer *peer = s->feeder;
	int r = 0;
	if (peer) {
		r = rib_peer_resync(peer, BGP_ALL_FAMILIES);
	} else {
		struct rib_peer_info info = {.addr = s->peer};
		r = rib_peer_add(s->ribs[TABLE_ONLY], &info, &peer);
	}
	if (r < 0)
		return r;
	s->arriving = s->feeder ? 0 : BGP_ALL_FAMILIES;
	s->feeder = peer;
	table_source_up(s);
	f->at = 0;
	f->begun = true;
	return 0;
}

static void end_source(struct mrt_feed *f, struct table_source *s)
{
	s->arriving = 0;
	if (s->feeder)
		rib_peer_synced(s->feeder, BGP_ALL_FAMILIES);
	tables_kick(f->tables);
	f->begun = false;
	f->source++;
}

static int live_id(struct mrt_feed *f, uint32_t private_id, uint32_t *ret)
{
	if (f->live_attrs[private_id] == ROUTE_NONE) {
		struct route_attrs attrs = route_attrs(f->world->files, private_id);
		int r = route_attrs_intern(tables_routes(f->tables), &attrs, &f->live_attrs[private_id]);
		if (r < 0)
			return r;
	}
	*ret = f->live_attrs[private_id];
	return 0;
}

/* *ret_families: those that routes were set of. */
static int feed_prefix(struct mrt_feed *f, struct table_source *s, unsigned view, uint32_t id, uint8_t *ret_families,
	uint64_t *ret_set)
{
	uint32_t attrs = route_at(f->world->files, view, id);
	if (attrs == ROUTE_NONE)
		return 0;
	struct prefix prefix = route_prefix(f->world->files, id);
	int r = live_id(f, attrs, &attrs);
	if (r == 0)
		r = rib_set(s->feeder, &prefix, 0, attrs);
	if (r == -ENOSPC && s->counters[SOURCE_refused]++ == 0)
		log_warning("routes of %s: refused: a table has %zu (max_routes)", s->file, s->max_routes);
	if (r == -ENOSPC)
		return 0;
	if (r == 0) {
		*ret_families |= bgp_family_of_addr(prefix.addr.family);
		(*ret_set)++;
	}
	return r;
}

/* The next prefixes of the source under work, or the step to the next source. False: all are fed. */
static bool feed(struct mrt_feed *f)
{
	struct table_source *s = current(f);
	if (!s)
		return false;
	int r = f->begun ? 0 : begin_source(f, s);
	route_clock(tables_routes(f->tables), clock_mono_ns() / NS_PER_MS);
	unsigned view = f->world->first_view[f->router] + (unsigned)f->source;
	uint32_t end = route_ids_end(f->world->files), stop = end - f->at < SLICE ? end : f->at + SLICE;
	uint8_t families = 0;
	uint64_t set = 0;
	for (; r == 0 && f->at < stop; f->at++)
		r = feed_prefix(f, s, view, f->at, &families, &set);
	if (r == -ENOMEM) {
		log_error("routes of %s: out of memory", s->file);
		abort(); /* the journal has all that was acknowledged */
	}
	if (set)
		table_source_changed(s, clock_wall_ms(), set, 0, families);
	if (r < 0 || f->at >= end)
		end_source(f, s);
	return true;
}

/* Gives the next references back; at the end the private table goes. False: it is done. */
static bool release(struct mrt_feed *f)
{
	uint32_t left = f->attrs_count - f->released, stop = f->released + (left < SLICE ? left : SLICE);
	for (; f->released < stop; f->released++)
		if (f->live_attrs[f->released] != ROUTE_NONE)
			route_attrs_release(tables_routes(f->tables), f->live_attrs[f->released]);
	if (f->released < f->attrs_count)
		return true;
	route_table_free(f->world->files);
	f->world->files = NULL;
	return false;
}

static bool work(struct mrt_feed *f)
{
	return feed(f) || release(f);
}

static bool on_work(struct loop_work *self, uint64_t until_ns)
{
	struct mrt_feed *f = self->ctx;
	bool left = true;
	while (left && clock_mono_ns() < until_ns)
		left = work(f);
	if (!left)
		f->done(f->ctx); /* frees it, perhaps */
	return left;
}

int mrt_feed_new(struct loop *loop, struct tables *tables, struct world *world, void (*done)(void *ctx), void *ctx,
	struct mrt_feed **ret)
{
	struct mrt_feed *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = (struct mrt_feed){.loop = loop, .tables = tables, .world = world, .done = done, .ctx = ctx,
		.attrs_count = route_attrs_end(world->files)};
	f->work = (struct loop_work){.fn = on_work, .ctx = f};
	f->live_attrs = malloc((f->attrs_count + 1) * sizeof(*f->live_attrs));
	if (f->live_attrs)
		memset(f->live_attrs, 0xff, (f->attrs_count + 1) * sizeof(*f->live_attrs));
	if (!f->live_attrs) {
		mrt_feed_free(f);
		return -ENOMEM;
	}
	loop_work_add(loop, &f->work);
	*ret = f;
	return 0;
}

void mrt_feed_finish(struct mrt_feed *f)
{
	loop_work_del(f->loop, &f->work);
	while (work(f))
		;
}

void mrt_feed_free(struct mrt_feed *f)
{
	if (!f)
		return;
	loop_work_del(f->loop, &f->work);
	while (f->live_attrs && f->world->files && release(f))
		;
	free(f->live_attrs);
	free(f);
}

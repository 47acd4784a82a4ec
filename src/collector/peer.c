/* SPDX-License-Identifier: BSD-2-Clause */

/* The attributes of a message belong to all its prefixes, so they are interned once for each of its next
 * hops, at the first prefix that is announced with it, and one reference is held until the message is
 * applied: a prefix then costs a walk of the trie and a write.
 *
 * Memory that runs out ends the process, as it does in intake: the journal has all that was acknowledged,
 * and the routers tell their tables again. */

#include "collector/peer.h"

#include <errno.h>
#include <stdlib.h>

#include "route/convert.h"

#define CHANGES_A_LOOK 64                /* prefixes between two looks at the clock */
#define QUIET_NS       (60 * NS_PER_S)   /* a peer that is back and tells nothing has told all */

int peers_new(struct loop *loop, struct tables *tables, struct peers **ret)
{
	struct peers *all = calloc(1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	all->loop = loop;
	all->tables = tables;
	*ret = all;
	return 0;
}

void peers_free(struct peers *all)
{
	free(all);
}

void peers_clock(struct peers *all)
{
	all->now_ms = clock_wall_ms();
	route_clock(tables_routes(all->tables), clock_mono_ns() / NS_PER_MS);
}

/* ---- coming and going ---- */

static void remove_routes(struct peer *p)
{
	for (int i = 0; i < TABLE_LEVELS; i++) {
		if (p->ribs[i])
			rib_peer_del(p->ribs[i]);
		p->ribs[i] = NULL;
	}
	tables_kick(p->all->tables);
}

static void complete_all(struct peer *p)
{
	p->arriving = 0;
	for (int i = 0; i < TABLE_LEVELS; i++)
		peer_complete(p, (enum table_level)i, BGP_ALL_FAMILIES);
}

static void on_timer(struct loop_timer *timer)
{
	struct peer *p = timer->ctx;
	if (!p->up) {
		remove_routes(p);
		p->gone(p);
		return;
	}
	bool quiet = p->told != p->told_at_up && p->told == p->told_before;
	p->told_before = p->told;
	if (quiet || clock_mono_ns() >= p->patience_end_ns || loop_timer_set(p->all->loop, timer, QUIET_NS) < 0)
		complete_all(p);
}

void peer_init(struct peer *p, struct peers *all, struct table_source *s, void (*gone)(struct peer *self), void *ctx)
{
	*p = (struct peer){.all = all, .source = s, .gone = gone, .ctx = ctx, .attrs = ROUTE_NONE};
	p->timer = (struct loop_timer){.fn = on_timer, .ctx = p};
}

static void release_attrs(struct peer *p)
{
	if (p->attrs != ROUTE_NONE)
		route_attrs_release(tables_routes(p->all->tables), p->attrs);
	p->attrs = ROUTE_NONE;
}

void peer_done(struct peer *p)
{
	release_attrs(p);
	loop_timer_clear(p->all->loop, &p->timer);
	remove_routes(p);
}

static bool has_add_path(const struct peer *p, enum table_level level)
{
	return p->add_path >> level & 1;
}

/* A level's routes of before: kept, and told anew from now on. */
static int come_back(struct peer *p, enum table_level level)
{
	struct rib_peer **rib = &p->ribs[level];
	if (!*rib)
		return 0;
	if (has_add_path(p, level) && !rib_peer_info(*rib)->add_path) {
		rib_peer_del(*rib); /* without path identifiers before, so they cannot be told apart */
		*rib = NULL;
		tables_kick(p->all->tables);
		return 0;
	}
	rib_peer_rename(*rib, &p->info);
	return rib_peer_resync(*rib, BGP_ALL_FAMILIES);
}

/* Waits for the end of what it tells. */
static int be_patient(struct peer *p)
{
	uint64_t patience_ns = p->source->stale_ms * NS_PER_MS;
	p->told_at_up = p->told_before = p->told;
	p->patience_end_ns = clock_mono_ns() + (patience_ns > QUIET_NS ? patience_ns : QUIET_NS);
	return loop_timer_set(p->all->loop, &p->timer, QUIET_NS);
}

static bool has_routes(const struct peer *p)
{
	for (int i = 0; i < TABLE_LEVELS; i++)
		if (p->ribs[i])
			return true;
	return false;
}

int peer_up(struct peer *p, const struct rib_peer_info *info)
{
	int r = 0;
	p->arriving = has_routes(p) ? 0 : BGP_ALL_FAMILIES;
	p->info = *info;
	p->up = true;
	for (int i = 0; r == 0 && i < TABLE_LEVELS; i++)
		r = come_back(p, (enum table_level)i);
	return r < 0 ? r : be_patient(p);
}

void peer_rename(struct peer *p, const struct rib_peer_info *info)
{
	p->info = *info;
	for (int i = 0; i < TABLE_LEVELS; i++)
		if (p->ribs[i])
			rib_peer_rename(p->ribs[i], info);
}

void peer_lost(struct peer *p)
{
	release_attrs(p);
	p->applying = false;
	if (!p->up)
		return;
	p->up = false;
	for (int i = 0; i < TABLE_LEVELS; i++)
		if (p->ribs[i])
			rib_peer_lost(p->ribs[i]);
	tables_kick(p->all->tables);
	if (loop_timer_set(p->all->loop, &p->timer, p->source->stale_ms * NS_PER_MS) < 0) {
		log_error("routes of %s: out of memory", p->source->router);
		abort();
	}
}

int peer_resync(struct peer *p, enum table_level level, uint8_t families)
{
	if (!p->ribs[level])
		return 0;
	int r = rib_peer_resync(p->ribs[level], families);
	return r < 0 ? r : be_patient(p);
}

void peer_complete(struct peer *p, enum table_level level, uint8_t families)
{
	p->arriving &= (uint8_t)~families;
	if (p->ribs[level]) {
		rib_peer_synced(p->ribs[level], families);
		tables_kick(p->all->tables);
	}
}

/* ---- applying ---- */

/* Path identifiers that it did not announce are believed while it has told nothing yet. */
static int make_rib(struct peer *p, enum table_level level)
{
	struct rib *rib;
	struct rib_peer *known = p->ribs[level];
	if (known && (!has_add_path(p, level) || rib_peer_info(known)->add_path || rib_peer_routes(known)))
		return 0;
	if (known)
		rib_peer_del(known);
	p->ribs[level] = NULL;
	p->info.add_path = has_add_path(p, level);
	int r = table_source_level(p->source, level, &rib);
	if (r == 0)
		r = rib_peer_add(rib, &p->info, &p->ribs[level]);
	tables_kick(p->all->tables); /* a second peer: the best of both is to be found */
	return r;
}

static void count_findings(struct peer *p, const struct bgp_changes *c)
{
	uint64_t *n = p->source->counters;
	n[SOURCE_attributes_discarded] += c->severity == BGP_DISCARD;
	n[SOURCE_treated_as_withdrawn] += c->severity == BGP_WITHDRAW;
	n[SOURCE_passed_over] += c->passed_over;
	n[SOURCE_guessed] += c->guessed_as_bytes || c->guessed_add_path;
}

int peer_begin(struct peer *p, enum table_level level, const struct bgp_changes *changes)
{
	int r = make_rib(p, level);
	if (r == -ENOSPC)
		p->source->counters[SOURCE_refused]++; /* more peers than there can be views */
	if (r < 0)
		return r == -ENOSPC ? 0 : r;
	count_findings(p, changes);
	p->changes = *changes;
	p->level = level;
	p->applying = true;
	if (changes->end_of_rib >= 0)
		peer_complete(p, level, (uint8_t)(1u << changes->end_of_rib));
	return 0;
}

/* The path without the AS that does not belong there. */
static struct view shorten(struct peer *p, struct view path)
{
	struct rd r = rd_view(path);
	unsigned type = rd_u8(&r), count = rd_u8(&r);
	if (!p->strip_as || type != 2 || rd_u32(&r) != p->strip_as || !rd_ok(&r))
		return path;
	struct wr w = wr_make(p->all->shortened, sizeof(p->all->shortened));
	if (count > 1) {
		wr_u8(&w, (uint8_t)type);
		wr_u8(&w, (uint8_t)(count - 1));
	}
	struct view rest = rd_rest(&r);
	wr_bytes(&w, rest.data, rest.len);
	return (struct view){w.start, wr_len(&w)};
}

/* -EINVAL: there is no path that can be kept. */
static int intern(struct peer *p, const struct addr *next_hop)
{
	struct view path;
	release_attrs(p);
	p->next_hop = *next_hop;
	if (!bgp_path_merge(&p->changes.attrs, p->all->path, sizeof(p->all->path), &path))
		return -EINVAL;
	struct route_attrs attrs = convert_attrs(&p->changes.attrs, shorten(p, path), next_hop);
	return route_attrs_intern(tables_routes(p->all->tables), &attrs, &p->attrs);
}

static int announce(struct peer *p, const struct bgp_change *change)
{
	int r = 0;
	if (p->attrs == ROUTE_NONE || !addr_equal(&p->next_hop, &change->next_hop))
		r = intern(p, &change->next_hop);
	return r < 0 ? r : rib_set(p->ribs[p->level], &change->prefix, change->path_id, p->attrs);
}

/* What a slice has done. */
struct done {
	uint64_t announced, withdrawn;
	uint8_t families;
};

static void apply(struct peer *p, const struct bgp_change *change, struct done *done)
{
	int r = change->withdrawn ? -EINVAL : announce(p, change);
	if (r == 0) {
		done->announced++;
		done->families |= (uint8_t)(1u << change->family);
	} else if (r == -EINVAL) { /* or attributes that no route can have: RFC 7606 */
		done->withdrawn += rib_withdraw(p->ribs[p->level], &change->prefix, change->path_id) == 0;
	} else if (r == -ENOSPC) {
		p->source->counters[SOURCE_refused]++;
		log_limited(&p->full_log, LOG_LEVEL_WARNING, "%s: routes are refused: a table has %zu (max_routes)",
			p->source->router, p->source->max_routes);
	} else {
		log_error("routes of %s: out of memory", p->source->router);
		abort();
	}
}

bool peer_apply(struct peer *p, uint64_t until_ns)
{
	struct bgp_change change;
	struct done done = {0};
	bool more = false;
	if (!p->applying)
		return true;
	p->source->arriving = p->arriving;
	for (unsigned n = 1; !more && bgp_update_next(&p->changes, &change); n++) {
		apply(p, &change, &done);
		more = n % CHANGES_A_LOOK == 0 && clock_mono_ns() >= until_ns;
	}
	if (!more) {
		release_attrs(p);
		p->applying = false;
	}
	p->source->arriving = 0;
	if (done.announced || done.withdrawn)
		table_source_changed(p->source, p->all->now_ms, done.announced, done.withdrawn, done.families);
	p->told += done.announced;
	return !more;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* From MRT files to a view.
 *
 * A TABLE_DUMP_V2 record holds a prefix and one entry per peer. With a peer asked for, the others' entries
 * are stepped over unread. Otherwise every entry is ranked (route/blocks.h), and only the winner
 * (route/best.h) is put into the table: of forty peers' routes one. TABLE_DUMP has one record per
 * prefix and peer, in any order, and some writers split a prefix over several records; so a prefix that
 * has a route already goes through the same ranking, with the route there as one candidate. For that,
 * `holders` remembers per prefix id whose route it is. Records in ascending order of prefixes, the
 * usual case, need no such look before.
 *
 * Messages (route/changes.h) are read before the table they change: update files first of all, those in
 * the table's own file in the course of a first reading, after which it is read once more. While the
 * table is read, entries that have news are left out, and the news stand for election beside the
 * others; what is left at the end are prefixes that only messages know.
 *
 * An entry whose attributes RFC 7606 would treat as a withdrawal is left out and counted. Framing that
 * does not add up (a record, entry or attribute reaching past its container, an entry of a peer that
 * the file does not list) means that the file is damaged: an error, so that the caller keeps the table
 * it had.
 *
 * Cost: two or three reads an entry passed over, some forty nanoseconds an entry ranked, an insertion
 * per prefix. A hash of the prefix per record when there are messages. */

#include "route/load.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/mrt_file.h"
#include "route/best.h"
#include "route/blocks.h"
#include "route/changes.h"
#include "route/path.h"


/* Whose route a prefix has. */
struct holder {
	uint32_t peer; /* position in the list */
	uint32_t path_id;
};

/* A route that a record tells. */
struct source {
	struct view block;
	uint32_t peer, path_id;
	uint8_t as_bytes;
};

struct loader {
	struct route_table *table;
	unsigned view;
	const struct route_load *what;
	struct mrt_file *file;
	struct route_load_stats stats;
	struct peer_list list;
	struct blocks blocks;
	struct best best;

	struct changes changes; /* to be applied to the table that is read */
	struct changes *collect; /* where messages of the table's file go; NULL: they are in already */
	uint32_t time;          /* of the table, once has_time */
	bool has_time, has_table;

	uint32_t *peers; /* of the current peer index table: positions in the list */
	unsigned peer_count;
	bool has_peers;

	struct source *sources; /* of the current record */
	size_t source_count, source_cap;
	uint32_t changed; /* the record's prefix in changes, or CHANGES_NONE */
	struct holder *holders; /* by prefix id */
	size_t holder_cap;
	struct prefix highest; /* prefix so far; none yet: its family is ADDR_NONE */
};

static int out_of_memory(const struct loader *l, struct error *err)
{
	return mrt_file_error(l->file, err, -ENOMEM, "out of memory");
}

/* Enlarges *array to hold n elements of the given size. */
static int grow(const struct loader *l, void *array, size_t *cap, size_t n, size_t size, struct error *err)
{
	void **p = array;
	if (LIKELY(n <= *cap))
		return 0;
	size_t bigger = n > 2 * *cap ? n + 64 : 2 * *cap;
	void *grown = realloc(*p, bigger * size);
	if (!grown)
		return out_of_memory(l, err);
	*p = grown;
	*cap = bigger;
	return 0;
}

/* ---- choosing ---- */

static int put(struct loader *l, const struct prefix *prefix, uint32_t attrs, uint32_t peer, uint32_t path_id,
	struct error *err)
{
	uint32_t id;
	if (route_prefix_id(l->table, prefix, &id) < 0 || route_put(l->table, l->view, id, attrs) < 0)
		return out_of_memory(l, err);
	int r = grow(l, &l->holders, &l->holder_cap, id + 1u, sizeof(*l->holders), err);
	if (r == 0)
		l->holders[id] = (struct holder){peer, path_id};
	return r;
}

/* A block's result as the loader's: 1; 0: to be left out, counted; negative: the file is damaged. */
static int block_result(struct loader *l, int r, struct error *err)
{
	l->stats.malformed += r == 0;
	if (LIKELY(r >= 0))
		return r;
	return r == -ENOMEM ? out_of_memory(l, err)
			    : mrt_file_error(l->file, err, -EBADMSG, "path attributes that don't fit their length");
}

static int put_source(struct loader *l, const struct prefix *prefix, const struct source *s, struct error *err)
{
	uint32_t attrs;
	int r = block_result(l, blocks_attrs(&l->blocks, s->block, s->as_bytes, &attrs), err);
	return r <= 0 ? r : put(l, prefix, attrs, s->peer, s->path_id, err);
}

static int add_source(struct loader *l, const struct source *s, struct error *err)
{
	struct block_rank rank;
	int r = block_result(l, blocks_rank(&l->blocks, s->block, s->as_bytes, &rank), err);
	if (r <= 0)
		return r;
	const struct best_candidate c = {
		.local_pref = rank.local_pref,
		.path_length = rank.path_length,
		.med = rank.med,
		.neighbour = rank.neighbour,
		.path_id = s->path_id,
		.bgp_id = rank.originator_id ? rank.originator_id : l->list.bgp_ids[s->peer],
		.cluster_length = rank.cluster_length,
		.origin_code = rank.origin_code,
		.peer = &l->list.addrs[s->peer],
		.route = s,
		.attrs = ROUTE_NONE,
	};
	return best_add(&l->best, &c) < 0 ? out_of_memory(l, err) : 0;
}

/* A route whose attributes the table has already. */
static int add_known(struct loader *l, uint32_t attrs, uint32_t peer, uint32_t path_id, struct error *err)
{
	struct route_attrs a = route_attrs(l->table, attrs);
	struct best_candidate c = best_candidate(&a, l->list.bgp_ids[peer]);
	c.path_id = path_id;
	c.peer = &l->list.addrs[peer];
	c.attrs = attrs;
	return best_add(&l->best, &c) < 0 ? out_of_memory(l, err) : 0;
}

static int add_changes(struct loader *l, struct changed_prefix *p, struct error *err)
{
	int r = 0;
	p->settled = true;
	for (uint32_t i = p->first; r == 0 && i != CHANGES_NONE; i = l->changes.list[i].next) {
		const struct change *c = &l->changes.list[i];
		if (changes_live(&l->changes, c))
			r = add_known(l, c->attrs, c->peer, c->path_id, err);
	}
	return r;
}

/* The route that the prefix has already, if it has one. */
static bool find_holder(struct loader *l, const struct prefix *prefix, struct route_hit *ret)
{
	if (LIKELY(prefix_cmp(prefix, &l->highest) > 0)) {
		l->highest = *prefix;
		return false;
	}
	return route_get(l->table, l->view, prefix, ret);
}

static int elect(struct loader *l, const struct prefix *prefix, const struct route_hit *hit, struct error *err)
{
	int r = 0;
	best_clear(&l->best);
	if (hit)
		r = add_known(l, hit->attrs, l->holders[hit->prefix].peer, l->holders[hit->prefix].path_id, err);
	for (size_t i = 0; r == 0 && i < l->source_count; i++)
		r = add_source(l, &l->sources[i], err);
	if (r == 0 && l->changed != CHANGES_NONE)
		r = add_changes(l, &l->changes.prefixes[l->changed], err);
	const struct best_candidate *winner = r < 0 ? NULL : best_choose(&l->best);
	if (!winner || (hit && winner->attrs == hit->attrs))
		return r;
	if (winner->route)
		return put_source(l, prefix, winner->route, err);
	return put(l, prefix, winner->attrs, (uint32_t)(winner->peer - l->list.addrs), winner->path_id, err);
}

/* Puts the best of the record's routes into the view, unless the route that is there is better. */
static int settle(struct loader *l, const struct prefix *prefix, struct error *err)
{
	struct route_hit hit;
	if (!l->source_count && l->changed == CHANGES_NONE)
		return 0;
	bool has_holder = find_holder(l, prefix, &hit);
	if (l->source_count == 1 && l->changed == CHANGES_NONE && !has_holder)
		return put_source(l, prefix, &l->sources[0], err);
	return elect(l, prefix, has_holder ? &hit : NULL, err);
}

/* ---- records ---- */

static void find_changed(struct loader *l, const struct prefix *prefix)
{
	l->changed = l->changes.count ? changes_find(&l->changes, prefix) : CHANGES_NONE;
}

static bool has_news(const struct loader *l, uint32_t peer, uint32_t path_id)
{
	return l->changed != CHANGES_NONE && changes_replace(&l->changes, l->changed, peer, path_id);
}

static void note_table(struct loader *l, const struct mrt_record *record)
{
	l->has_table = true;
	if (l->has_time)
		return;
	l->has_time = true;
	l->time = record->time;
}

#define PEER_PASSED_OVER UINT32_MAX

static int take_peers(struct loader *l, const struct mrt_record *record, struct error *err)
{
	struct mrt_peers peers;
	struct mrt_peer peer;
	int r = mrt_peers_begin(record, &peers);
	if (r < 0)
		return mrt_file_error(l->file, err, -EBADMSG, "a peer index table that ends early");
	uint32_t *list = realloc(l->peers, (peers.count + 1u) * sizeof(*list));
	if (!list)
		return out_of_memory(l, err);
	l->peers = list;
	l->peer_count = 0;
	while ((r = mrt_peers_next(&peers, &peer)) > 0) {
		uint32_t pos;
		if (peer_list_position(&l->list, &peer.addr, &pos) < 0)
			return out_of_memory(l, err);
		struct rd id = rd_make(peer.router_id, sizeof(peer.router_id));
		l->list.bgp_ids[pos] = rd_u32(&id);
		bool take = peer_list_wants(&l->list, pos) && !changes_flushed(&l->changes, pos);
		list[l->peer_count++] = take ? pos : PEER_PASSED_OVER;
	}
	if (r < 0)
		return mrt_file_error(l->file, err, -EBADMSG, "a peer index table that ends at peer %u of %u", l->peer_count,
			peers.count);
	l->has_peers = true;
	note_table(l, record);
	return 0;
}

/* The entries of peers that are wanted. */
static int read_entries(struct loader *l, struct mrt_rib *rib, struct error *err)
{
	struct mrt_entry entry;
	int r;
	l->source_count = 0;
	while ((r = mrt_rib_next(rib, &entry)) > 0) {
		if (UNLIKELY(entry.peer >= l->peer_count))
			return mrt_file_error(l->file, err, -EBADMSG, "a route of peer %u where the file has %u", entry.peer,
				l->peer_count);
		uint32_t peer = l->peers[entry.peer];
		if (peer == PEER_PASSED_OVER || has_news(l, peer, entry.path_id))
			continue;
		l->sources[l->source_count++] = (struct source){entry.attrs, peer, entry.path_id, 4};
	}
	if (r < 0)
		return mrt_file_error(l->file, err, -EBADMSG, "a table record that ends inside entry %u of %u",
			(unsigned)rib->count - rib->left, rib->count);
	return 0;
}

static int take_rib(struct loader *l, const struct mrt_record *record, struct error *err)
{
	struct mrt_rib rib;
	int r = mrt_rib_begin(record, &rib);
	if (r < 0 && r != -EAFNOSUPPORT)
		return mrt_file_error(l->file, err, -EBADMSG, "a table record without a valid prefix");
	if (!l->has_peers)
		return mrt_file_error(l->file, err, -EBADMSG, "a table record before any peer index table");
	if (r < 0 || rib.safi != BGP_SAFI_UNICAST) {
		l->stats.skipped++;
		return 0;
	}
	r = grow(l, &l->sources, &l->source_cap, rib.count, sizeof(*l->sources), err);
	if (r < 0)
		return r;
	find_changed(l, &rib.prefix);
	l->stats.entries += rib.count;
	r = read_entries(l, &rib, err);
	return r < 0 ? r : settle(l, &rib.prefix, err);
}

static int take_table(struct loader *l, const struct mrt_record *record, struct error *err)
{
	struct mrt_table table;
	uint32_t peer;
	if (mrt_table_decode(record, &table) < 0)
		return mrt_file_error(l->file, err, -EBADMSG, "a table record that ends early or has no valid prefix");
	l->stats.entries++;
	note_table(l, record);
	int r = grow(l, &l->sources, &l->source_cap, 1, sizeof(*l->sources), err);
	if (r < 0)
		return r;
	if (peer_list_position(&l->list, &table.peer, &peer) < 0)
		return out_of_memory(l, err);
	if (!peer_list_wants(&l->list, peer) || changes_flushed(&l->changes, peer))
		return 0;
	find_changed(l, &table.prefix);
	l->source_count = !has_news(l, peer, 0);
	l->sources[0] = (struct source){table.attrs, peer, 0, table.as_bytes};
	return settle(l, &table.prefix, err);
}

static int take_message(struct loader *l, struct changes *c, const struct mrt_record *record, struct error *err)
{
	if (!l->has_time || record->time < l->time) {
		l->stats.older++;
		return 0;
	}
	int r = changes_apply(c, record);
	if (r == -ENOSPC)
		return mrt_file_error(l->file, err, r, "messages change more than %u routes", c->max);
	return r < 0 ? out_of_memory(l, err) : 0;
}

static int take_record(struct loader *l, const struct mrt_record *record, struct error *err)
{
	switch (mrt_kind(record)) {
	case MRT_PEERS:
		return take_peers(l, record, err);
	case MRT_RIB:
		return take_rib(l, record, err);
	case MRT_TABLE:
		return take_table(l, record, err);
	case MRT_MESSAGE:
	case MRT_STATE:
		return l->collect ? take_message(l, l->collect, record, err) : 0;
	case MRT_OTHER:
		l->stats.skipped++;
		return 0;
	}
	return 0;
}

/* ---- files ---- */

/* Calls fn with each record until it doesn't return 0. */
static int each_record(struct loader *l, const char *file, int (*fn)(struct loader *l, const struct mrt_record *record,
	struct error *err), struct error *err)
{
	struct mrt_record record;
	mrt_file_close(l->file);
	l->file = NULL;
	int r = mrt_file_open(file, &l->file, err);
	if (r < 0)
		return r;
	while ((r = mrt_file_next(l->file, &record, err)) > 0) {
		r = fn(l, &record, err);
		if (r != 0)
			return r;
	}
	return r;
}

/* Enough is known when the table begins. */
static int look_for_time(struct loader *l, const struct mrt_record *record, struct error *err)
{
	enum mrt_kind kind = mrt_kind(record);
	if (kind != MRT_PEERS && kind != MRT_TABLE)
		return 0;
	l->has_time = true;
	l->time = record->time;
	return 1;
}

/* Tables in update files are none of their business. */
static int take_update(struct loader *l, const struct mrt_record *record, struct error *err)
{
	enum mrt_kind kind = mrt_kind(record);
	if (kind == MRT_MESSAGE || kind == MRT_STATE)
		return take_message(l, &l->changes, record, err);
	l->stats.skipped++;
	return 0;
}

static int read_pattern(struct loader *l, const char *pattern, struct error *err)
{
	glob_t g;
	int r = glob(pattern, GLOB_ERR, NULL, &g);
	if (r == GLOB_NOMATCH)
		return strpbrk(pattern, "*?[") ? 0 : error_set(err, -ENOENT, "%s: no such file", pattern);
	if (r == GLOB_NOSPACE)
		return error_set(err, -ENOMEM, "%s: out of memory", pattern);
	if (r != 0)
		return error_set(err, -EACCES, "%s: cannot read the folder", pattern);
	for (size_t i = 0; i < g.gl_pathc && r == 0; i++)
		r = each_record(l, g.gl_pathv[i], take_update, err);
	globfree(&g);
	return r;
}

static int read_updates(struct loader *l, struct error *err)
{
	int r = 0;
	for (size_t i = 0; i < l->what->update_count && r == 0; i++)
		r = read_pattern(l, l->what->updates[i], err);
	return r;
}

static int read_table(struct loader *l, struct error *err)
{
	l->stats.entries = 0;
	l->highest = (struct prefix){.addr = {.family = ADDR_NONE}};
	l->has_peers = false;
	int r = each_record(l, l->what->file, take_record, err);
	if (r < 0 || l->has_table)
		return r;
	return mrt_file_error(l->file, err, -EBADMSG, "the file ends without any routing table (records of type %u or %u)",
		MRT_TYPE_TABLE_DUMP_V2, MRT_TYPE_TABLE_DUMP);
}

/* Reads the table again, with the messages of its own file and what came after them. */
static int read_again(struct loader *l, struct changes *own, struct error *err)
{
	changes_done(&l->changes);
	l->changes = *own;
	*own = (struct changes){0};
	uint64_t older = l->stats.older;
	l->stats = (struct route_load_stats){0};
	l->collect = NULL;
	route_clear(l->table, l->view);
	int r = read_updates(l, err);
	l->stats.older = older;
	return r < 0 ? r : read_table(l, err);
}

/* Prefixes that only messages know. */
static int settle_rest(struct loader *l, struct error *err)
{
	int r = 0;
	l->source_count = 0;
	for (uint32_t i = 0; r == 0 && i < l->changes.prefix_count; i++) {
		l->changed = i;
		if (!l->changes.prefixes[i].settled)
			r = elect(l, &l->changes.prefixes[i].prefix, NULL, err);
	}
	return r;
}

static int check_wanted(struct loader *l, struct error *err)
{
	char text[ADDR_TEXT_MAX];
	if (l->list.has_wanted)
		return 0;
	if (!l->what->peer)
		return 0;
	return mrt_file_error(l->file, err, -ENOENT, "the file ends without a table of peer %s; it has those of %u others",
		addr_format(&l->list.wanted, text), l->list.count);
}

static int load(struct loader *l, struct changes *own, struct error *err)
{
	int r = 0;
	if (l->what->update_count) {
		r = each_record(l, l->what->file, look_for_time, err);
		r = r < 0 ? r : read_updates(l, err);
	}
	l->collect = own;
	if (r >= 0)
		r = read_table(l, err);
	if (r >= 0 && !changes_none(own))
		r = read_again(l, own, err);
	if (r >= 0)
		r = settle_rest(l, err);
	if (r >= 0)
		r = check_wanted(l, err);
	l->stats.routes = route_count(l->table, l->view);
	l->stats.messages = l->changes.messages;
	l->stats.malformed += l->changes.malformed;
	return r;
}

static void loader_done(struct loader *l)
{
	mrt_file_close(l->file);
	changes_done(&l->changes);
	blocks_done(&l->blocks);
	best_done(&l->best);
	peer_list_done(&l->list);
	free(l->peers);
	free(l->sources);
	free(l->holders);
	free(l);
}

int route_load(struct route_table *t, unsigned view, const struct route_load *what, struct route_load_stats *ret,
	struct error *err)
{
	struct loader *l = calloc(1, sizeof(*l));
	struct changes own = {0};
	uint32_t max = what->changes_max ? what->changes_max : ROUTE_LOAD_CHANGES_MAX;
	if (!l)
		return error_set(err, -ENOMEM, "%s: out of memory", what->file);
	l->table = t;
	l->view = view;
	l->what = what;
	best_init(&l->best);
	peer_list_init(&l->list, what->peer);
	route_clear(t, view);
	int r;
	if (blocks_init(&l->blocks, t) < 0 || changes_init(&l->changes, t, &l->list, max) < 0 ||
		changes_init(&own, t, &l->list, max) < 0)
		r = error_set(err, -ENOMEM, "%s: out of memory", what->file);
	else
		r = load(l, &own, err);
	if (r == 0)
		*ret = l->stats;
	changes_done(&own);
	loader_done(l);
	return r;
}

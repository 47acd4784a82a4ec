/* SPDX-License-Identifier: BSD-2-Clause */

/* From an MRT file to a view.
 *
 * A TABLE_DUMP_V2 record holds a prefix and one entry per peer. With a peer asked for, the others' entries
 * are stepped over unread. Otherwise every entry's attributes are decoded in place (nothing is
 * copied), ranked (route/best.h), and only the winner is interned: of forty peers' routes one goes into
 * the table. TABLE_DUMP has one record per prefix and peer, in any order, and some writers split a
 * prefix over several records; so a prefix that has a route already goes through the same ranking,
 * with the route there as one candidate. For that, `holders` remembers per prefix id whose route it
 * is. Records in ascending order of prefixes, the usual case, need no such look before.
 *
 * An entry whose attributes RFC 7606 would treat as a withdrawal is left out and counted. Framing that
 * does not add up (a record, entry or attribute reaching past its container, an entry of a peer that
 * the file does not list) means that the file is damaged: an error, so that the caller keeps the table
 * it had.
 *
 * Cost: two or three reads an entry passed over, about fifty nanoseconds an entry decoded, one
 * interning and one insertion per prefix. */

#include "route/load.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/index.h"
#include "bgp/mrt_file.h"
#include "route/best.h"
#include "route/convert.h"
#include "route/path.h"

#define DEFAULT_LOCAL_PREF 100

/* Whose route a prefix has. */
struct holder {
	uint32_t peer; /* position in addrs */
	uint32_t path_id;
};

/* What the winner needs to become a route. */
struct source {
	struct view block;
	uint32_t peer;
	uint8_t as_bytes;
};

struct loader {
	struct route_table *table;
	unsigned view;
	const struct addr *wanted; /* NULL: all peers */
	struct mrt_file *file;
	struct route_load_stats stats;

	struct addr *addrs; /* every peer address met, folded */
	uint32_t addr_count, addr_cap;
	struct index addr_index;

	uint32_t *peers; /* of the current peer index table: positions in addrs */
	unsigned peer_count;
	bool has_peers, has_table, has_wanted;

	struct source *sources; /* of the current record's candidates */
	size_t source_cap;
	struct best best;
	struct holder *holders; /* by prefix id */
	size_t holder_cap;
	struct prefix highest; /* prefix so far; none yet: its family is ADDR_NONE */
	uint8_t path[BGP_PATH_MAX];
};

static int out_of_memory(const struct loader *l, struct error *err)
{
	return mrt_file_error(l->file, err, -ENOMEM, "out of memory");
}

/* Enlarges *array to hold n elements of the given size. */
static int grow(const struct loader *l, void *array, size_t *cap, size_t n, size_t size, struct error *err)
{
	void **p = array;
	if (n <= *cap)
		return 0;
	size_t bigger = n > 2 * *cap ? n + 64 : 2 * *cap;
	void *grown = realloc(*p, bigger * size);
	if (!grown)
		return out_of_memory(l, err);
	*p = grown;
	*cap = bigger;
	return 0;
}

static struct addr folded(const struct addr *a)
{
	return a->family == ADDR_V6 ? addr_from_v6(a->bytes) : *a;
}

/* The position of a peer's address in addrs. */
static int peer_position(struct loader *l, const struct addr *written, uint32_t *ret, struct error *err)
{
	struct addr a = folded(written);
	uint64_t hash = hash_bytes(&a, sizeof(a));
	uint32_t slot, pos;
	INDEX_FOR_EACH (&l->addr_index, hash, slot, pos) {
		if (addr_equal(&l->addrs[pos], &a)) {
			*ret = pos;
			return 0;
		}
	}
	size_t cap = l->addr_cap;
	int r = grow(l, &l->addrs, &cap, l->addr_count + 1u, sizeof(*l->addrs), err);
	if (r < 0)
		return r;
	l->addr_cap = (uint32_t)cap;
	if (index_add(&l->addr_index, hash, l->addr_count) < 0)
		return out_of_memory(l, err);
	l->addrs[l->addr_count] = a;
	*ret = l->addr_count++;
	return 0;
}

static bool is_wanted(struct loader *l, uint32_t peer)
{
	if (!l->wanted)
		return true;
	bool wanted = addr_equal(&l->addrs[peer], l->wanted);
	l->has_wanted |= wanted;
	return wanted;
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
		r = peer_position(l, &peer.addr, &pos, err);
		if (r < 0)
			return r;
		list[l->peer_count++] = is_wanted(l, pos) ? pos : PEER_PASSED_OVER;
	}
	if (r < 0)
		return mrt_file_error(l->file, err, -EBADMSG, "a peer index table that ends at peer %u of %u", l->peer_count,
			peers.count);
	l->has_peers = l->has_table = true;
	return 0;
}

/* 1: decoded; 0: to be left out; negative: the file is damaged. */
static int decode(struct loader *l, const struct source *s, struct bgp_attrs *attrs, struct view *ret_path,
	struct error *err)
{
	struct bgp_attr_rules rules = mrt_dump_rules(s->as_bytes);
	enum bgp_severity severity = bgp_attrs_decode(s->block, &rules, attrs);
	if (UNLIKELY(severity >= BGP_WITHDRAW)) {
		if (!attrs->fault)
			return mrt_file_error(l->file, err, -EBADMSG, "path attributes that don't fit their length");
		return 0;
	}
	return bgp_path_merge(attrs, l->path, sizeof(l->path), ret_path);
}

static int add_candidate(struct loader *l, const struct source *s, uint32_t path_id, struct error *err)
{
	struct bgp_attrs a;
	struct view path;
	int r = decode(l, s, &a, &path, err);
	if (r <= 0) {
		l->stats.malformed += r == 0;
		return r;
	}
	struct best_candidate c = {
		.local_pref = bgp_attrs_has(&a, BGP_ATTR_LOCAL_PREF) ? a.local_pref : DEFAULT_LOCAL_PREF,
		.path_length = bgp_path_length(path, 4),
		.med = a.med,
		.neighbour = path_neighbour(path),
		.path_id = path_id,
		.origin_code = a.origin_code,
		.peer = &l->addrs[s->peer],
		.route = s,
	};
	return best_add(&l->best, &c) < 0 ? out_of_memory(l, err) : 0;
}

static int set_route(struct loader *l, const struct prefix *prefix, const struct best_candidate *winner,
	struct error *err)
{
	const struct source *s = winner->route;
	struct bgp_attrs a;
	struct view path;
	int r = decode(l, s, &a, &path, err);
	if (r <= 0)
		return r;
	struct addr next_hop = bgp_attrs_next_hop(&a);
	struct route_attrs attrs = convert_attrs(&a, path, &next_hop);
	r = route_set(l->table, l->view, prefix, &attrs);
	if (r == -ENOMEM)
		return out_of_memory(l, err);
	if (r < 0) {
		l->stats.malformed++;
		return 0;
	}
	struct route_hit hit;
	if (!route_get(l->table, l->view, prefix, &hit))
		return 0;
	r = grow(l, &l->holders, &l->holder_cap, hit.prefix + 1u, sizeof(*l->holders), err);
	if (r < 0)
		return r;
	l->holders[hit.prefix] = (struct holder){s->peer, winner->path_id};
	return 0;
}

/* Adds the route that the prefix has already, if it has one, to the candidates. */
static int add_holder(struct loader *l, const struct prefix *prefix, struct error *err)
{
	struct route_hit hit;
	if (prefix_cmp(prefix, &l->highest) > 0) {
		l->highest = *prefix;
		return 0;
	}
	if (!route_get(l->table, l->view, prefix, &hit))
		return 0;
	struct route_attrs a = route_attrs(l->table, hit.attrs);
	struct holder holder = l->holders[hit.prefix];
	struct best_candidate c = {
		.local_pref = a.has_local_pref ? a.local_pref : DEFAULT_LOCAL_PREF,
		.path_length = bgp_path_length(a.path, 4),
		.med = a.has_med ? a.med : 0,
		.neighbour = route_neighbour(l->table, hit.attrs),
		.path_id = holder.path_id,
		.origin_code = a.origin_code,
		.peer = &l->addrs[holder.peer],
		.route = NULL,
	};
	return best_add(&l->best, &c) < 0 ? out_of_memory(l, err) : 0;
}

/* Sets the best of the record's candidates, unless the route that is there is better. */
static int settle(struct loader *l, const struct prefix *prefix, struct error *err)
{
	if (!l->best.count)
		return 0;
	int r = add_holder(l, prefix, err);
	if (r < 0)
		return r;
	const struct best_candidate *winner = best_choose(&l->best);
	return winner->route ? set_route(l, prefix, winner, err) : 0;
}

static int take_entry(struct loader *l, const struct mrt_rib *rib, const struct mrt_entry *entry,
	struct error *err)
{
	if (UNLIKELY(entry->peer >= l->peer_count))
		return mrt_file_error(l->file, err, -EBADMSG, "a route of peer %u where the file has %u", entry->peer,
			l->peer_count);
	uint32_t peer = l->peers[entry->peer];
	if (peer == PEER_PASSED_OVER)
		return 0;
	struct source *s = &l->sources[rib->left];
	*s = (struct source){entry->attrs, peer, 4};
	return add_candidate(l, s, entry->path_id, err);
}

static int take_rib(struct loader *l, const struct mrt_record *record, struct error *err)
{
	struct mrt_rib rib;
	struct mrt_entry entry;
	int r = mrt_rib_begin(record, &rib);
	if (r < 0)
		return mrt_file_error(l->file, err, -EBADMSG, "a table record without a valid prefix");
	if (!l->has_peers)
		return mrt_file_error(l->file, err, -EBADMSG, "a table record before any peer index table");
	r = grow(l, &l->sources, &l->source_cap, rib.count, sizeof(*l->sources), err);
	if (r < 0)
		return r;
	best_clear(&l->best);
	while ((r = mrt_rib_next(&rib, &entry)) > 0) {
		l->stats.entries++;
		r = take_entry(l, &rib, &entry, err);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return mrt_file_error(l->file, err, -EBADMSG, "a table record that ends inside entry %u of %u",
			(unsigned)rib.count - rib.left, rib.count);
	return settle(l, &rib.prefix, err);
}

static int take_table(struct loader *l, const struct mrt_record *record, struct error *err)
{
	struct mrt_table table;
	if (mrt_table_decode(record, &table) < 0)
		return mrt_file_error(l->file, err, -EBADMSG, "a table record that ends early or has no valid prefix");
	l->stats.entries++;
	l->has_table = true;
	struct source s = {.block = table.attrs, .as_bytes = table.as_bytes};
	int r = peer_position(l, &table.peer, &s.peer, err);
	if (r < 0 || !is_wanted(l, s.peer))
		return r;
	best_clear(&l->best);
	r = add_candidate(l, &s, 0, err);
	return r < 0 ? r : settle(l, &table.prefix, err);
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
	case MRT_OTHER:
		l->stats.skipped++;
		return 0;
	}
	return 0;
}

static int load(struct loader *l, const char *file, struct error *err)
{
	struct mrt_record record;
	int r = mrt_file_open(file, &l->file, err);
	if (r < 0)
		return r;
	while ((r = mrt_file_next(l->file, &record, err)) > 0) {
		r = take_record(l, &record, err);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	if (!l->has_table)
		return mrt_file_error(l->file, err, -EBADMSG,
			"the file ends without any routing table (records of type %u or %u)",
			MRT_TYPE_TABLE_DUMP_V2, MRT_TYPE_TABLE_DUMP);
	if (l->wanted && !l->has_wanted) {
		char text[ADDR_TEXT_MAX];
		return mrt_file_error(l->file, err, -ENOENT,
			"the file ends without a table of peer %s; it has those of %u others",
			addr_format(l->wanted, text), l->addr_count);
	}
	l->stats.routes = route_count(l->table, l->view);
	return 0;
}

static void loader_done(struct loader *l)
{
	mrt_file_close(l->file);
	index_done(&l->addr_index);
	best_done(&l->best);
	free(l->addrs);
	free(l->peers);
	free(l->sources);
	free(l->holders);
	free(l);
}

int route_load_mrt(struct route_table *t, unsigned view, const char *file, const struct addr *peer,
	struct route_load_stats *ret, struct error *err)
{
	struct loader *l = calloc(1, sizeof(*l));
	if (!l)
		return error_set(err, -ENOMEM, "%s: out of memory", file);
	l->table = t;
	l->view = view;
	struct addr wanted = peer ? folded(peer) : (struct addr){.family = ADDR_NONE};
	l->wanted = peer ? &wanted : NULL;
	index_init(&l->addr_index);
	best_init(&l->best);
	route_clear(t, view);
	int r = load(l, file, err);
	if (r == 0)
		*ret = l->stats;
	loader_done(l);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Several peers' tables against a naive version: a list of routes, the best found by comparing all. */

#include "random_prefix.h"

#include <errno.h>
#include <string.h>

#include "route/rib.h"

enum { PREFIXES = 60, PEERS = 4, IDS = 3, SETS = 40 };

struct set {
	uint32_t id; /* interned */
	uint32_t local_pref, length, med, neighbour;
	uint8_t origin_code;
};

struct naive_route {
	bool there, old, stale;
	int set;
};

struct naive_peer {
	struct rib_peer *peer; /* NULL: not there */
	struct rib_peer_info info;
	uint8_t resyncing, lost; /* families */
	struct naive_route routes[PREFIXES][IDS];
};

struct world {
	struct route_table *table;
	struct rib *rib;
	struct prefix prefixes[PREFIXES];
	struct set sets[SETS];
	struct naive_peer peers[PEERS];
};

/* ---- the naive version ---- */

struct candidate {
	const struct set *set;
	const struct naive_peer *peer;
	int id;
	bool stale;
};

static uint8_t family(const struct prefix *p)
{
	return p->addr.family == ADDR_V4 ? 1 << BGP_IPV4_UNICAST : 1 << BGP_IPV6_UNICAST;
}

/* Is a better than b, RFC 4271 section 9.1.2.2, MED aside? What is stale is worse than all that isn't. */
static int compare(const struct candidate *a, const struct candidate *b, bool last_steps)
{
	if (a->stale != b->stale)
		return a->stale ? 1 : -1;
	if (a->set->local_pref != b->set->local_pref)
		return a->set->local_pref > b->set->local_pref ? -1 : 1;
	if (a->set->length != b->set->length)
		return a->set->length < b->set->length ? -1 : 1;
	if (a->set->origin_code != b->set->origin_code)
		return a->set->origin_code < b->set->origin_code ? -1 : 1;
	if (!last_steps)
		return 0;
	if (a->peer->info.external != b->peer->info.external)
		return a->peer->info.external ? -1 : 1;
	if (a->peer->info.bgp_id != b->peer->info.bgp_id)
		return a->peer->info.bgp_id < b->peer->info.bgp_id ? -1 : 1;
	int c = addr_cmp(&a->peer->info.addr, &b->peer->info.addr);
	return c ? c : a->id - b->id;
}

/* Whoever is beaten by a lower MED of the same neighbour at the same rank is out. */
static int choose(const struct candidate *list, int n)
{
	int best = -1;
	for (int i = 0; i < n; i++) {
		bool out = false;
		for (int j = 0; j < n; j++) {
			int rank = compare(&list[j], &list[i], false);
			out |= rank < 0;
			out |= rank == 0 && list[j].set->neighbour == list[i].set->neighbour &&
				list[j].set->med < list[i].set->med;
		}
		if (!out && (best < 0 || compare(&list[i], &list[best], true) < 0))
			best = i;
	}
	return best;
}

/* What the rib's view should have for a prefix; set NULL: nothing. */
static struct candidate expected(const struct world *w, int prefix)
{
	struct candidate finalists[PEERS];
	int n = 0;
	for (int i = 0; i < PEERS; i++) {
		const struct naive_peer *p = &w->peers[i];
		struct candidate list[IDS];
		int m = 0;
		for (int id = 0; p->peer && id < IDS; id++)
			if (p->routes[prefix][id].there)
				list[m++] = (struct candidate){&w->sets[p->routes[prefix][id].set], p, id,
					p->routes[prefix][id].stale};
		int best = choose(list, m);
		if (best >= 0) {
			finalists[n] = list[best];
			finalists[n++].id = 0;
		}
	}
	int best = choose(finalists, n);
	return best < 0 ? (struct candidate){0} : finalists[best];
}

static void check(const struct world *w)
{
	size_t routes = 0;
	for (int i = 0; i < PREFIXES; i++) {
		struct route_hit hit;
		struct candidate want = expected(w, i);
		bool has = route_get(w->table, rib_view(w->rib), &w->prefixes[i], &hit);
		assert_int_equal(has, want.set != NULL);
		if (!has)
			continue;
		assert_int_equal(hit.attrs, want.set->id);
		assert_int_equal(rib_is_stale(w->rib, hit.prefix), want.stale);
		const struct rib_peer_info *peer = rib_answering(w->rib, hit.prefix);
		assert_true(peer && addr_equal(&peer->addr, &want.peer->info.addr));
	}
	for (int i = 0; i < PEERS; i++) {
		size_t of_peer = 0;
		for (int j = 0; w->peers[i].peer && j < PREFIXES; j++)
			for (int id = 0; id < IDS; id++)
				of_peer += w->peers[i].routes[j][id].there;
		if (w->peers[i].peer)
			assert_int_equal(rib_peer_routes(w->peers[i].peer), of_peer);
		routes += of_peer;
	}
	assert_int_equal(rib_routes(w->rib), routes);
}

/* ---- the world ---- */

static void make_sets(struct world *w)
{
	for (int i = 0; i < SETS; i++) {
		struct set *s = &w->sets[i];
		uint8_t bytes[64];
		uint32_t n = 1 + (uint32_t)wt_random_below(3);
		s->local_pref = 100 + (uint32_t)wt_random_below(2);
		s->med = (uint32_t)wt_random_below(3);
		s->neighbour = 64500 + (uint32_t)wt_random_below(2);
		s->origin_code = (uint8_t)(wt_random_below(8) == 0);
		s->length = n;
		struct wr out = wr_make(bytes, sizeof(bytes));
		wr_u8(&out, 2);
		wr_u8(&out, (uint8_t)n);
		for (uint32_t j = 0; j < n; j++)
			wr_u32(&out, j ? 65000 + (uint32_t)i : s->neighbour);
		struct route_attrs a = {.path = {bytes, wr_len(&out)}, .origin_code = s->origin_code};
		a.has_med = s->med || wt_random_below(2);
		a.med = s->med;
		a.has_local_pref = s->local_pref != 100 || wt_random_below(2);
		a.local_pref = s->local_pref;
		assert_int_equal(route_attrs_intern(w->table, &a, &s->id), 0);
	}
}

static void world_init(struct world *w, size_t routes_max)
{
	*w = (struct world){0};
	assert_int_equal(route_table_new(0, &w->table), 0);
	assert_int_equal(rib_new(w->table, routes_max, &w->rib), 0);
	for (int i = 0; i < PREFIXES; i++) {
		struct addr a = {.family = i % 2 ? ADDR_V4 : ADDR_V6, .bytes = {10, (uint8_t)i}};
		w->prefixes[i] = prefix_make(&a, 16 + (unsigned)wt_random_below(9));
	}
	make_sets(w);
}

/* Nothing is left: every reference was given back. */
static void world_done(struct world *w)
{
	rib_free(w->rib);
	for (int i = 0; i < SETS; i++)
		route_attrs_release(w->table, w->sets[i].id);
	(void)route_reclaim(w->table, SIZE_MAX);
	assert_int_equal(route_stats(w->table).prefixes, 0);
	assert_int_equal(route_stats(w->table).attrs, 0);
	route_table_free(w->table);
}

static void finish_work(struct world *w)
{
	int turns = 0;
	while (rib_work(w->rib, 1 + wt_random_below(20)))
		assert_true(++turns < 100000);
}

static void add_peer(struct world *w, struct naive_peer *p)
{
	*p = (struct naive_peer){.info = {.bgp_id = (uint32_t)wt_random_below(2), .external = wt_random_below(2),
		.add_path = wt_random_below(2)}};
	p->info.addr = (struct addr){.family = ADDR_V4, .bytes = {192, 0, 2, (uint8_t)(p - w->peers)}};
	assert_int_equal(rib_peer_add(w->rib, &p->info, &p->peer), 0);
}

static void set_or_withdraw(struct world *w, struct naive_peer *p)
{
	int prefix = (int)wt_random_below(PREFIXES), id = p->info.add_path ? (int)wt_random_below(IDS) : 0;
	struct naive_route *route = &p->routes[prefix][id];
	if (wt_random_below(3) == 0) {
		assert_int_equal(rib_withdraw(p->peer, &w->prefixes[prefix], (uint32_t)id), route->there ? 0 : -ENOENT);
		route->there = false;
		return;
	}
	route->there = true;
	route->old = false;
	/* Nobody tells anything of a peer that is not back; if somebody did, it would be stale. */
	route->stale = p->lost & (uint8_t)~p->resyncing & family(&w->prefixes[prefix]);
	route->set = (int)wt_random_below(SETS);
	assert_int_equal(rib_set(p->peer, &w->prefixes[prefix], (uint32_t)id, w->sets[route->set].id), 0);
}

static void lose(struct world *w, struct naive_peer *p)
{
	rib_peer_lost(p->peer);
	p->resyncing = 0;
	p->lost = BGP_ALL_FAMILIES;
	for (int i = 0; i < PREFIXES; i++)
		for (int id = 0; id < IDS; id++)
			p->routes[i][id].stale = true;
	if (wt_random_below(2))
		finish_work(w);
}

static void resync(struct world *w, struct naive_peer *p, uint8_t families)
{
	if (p->resyncing)
		return;
	assert_int_equal(rib_peer_resync(p->peer, families), 0);
	p->resyncing = families;
	for (int i = 0; i < PREFIXES; i++)
		for (int id = 0; id < IDS; id++)
			p->routes[i][id].old = p->routes[i][id].there && families & family(&w->prefixes[i]);
}

static void synced(struct world *w, struct naive_peer *p, uint8_t families)
{
	rib_peer_synced(p->peer, families);
	families &= p->resyncing;
	for (int i = 0; i < PREFIXES; i++)
		for (int id = 0; families & family(&w->prefixes[i]) && id < IDS; id++)
			p->routes[i][id].there &= !p->routes[i][id].old;
	p->resyncing &= (uint8_t)~families;
	p->lost &= (uint8_t)~families;
	finish_work(w);
	assert_int_equal(rib_peer_resyncing(p->peer), p->resyncing);
}

static void step(struct world *w)
{
	struct naive_peer *p = &w->peers[wt_random_below(PEERS)];
	uint64_t what = wt_random_below(200);
	if (!p->peer) {
		if (what < 20)
			add_peer(w, p);
	} else if (what == 0) {
		rib_peer_del(p->peer);
		*p = (struct naive_peer){0};
		finish_work(w);
	} else if (what == 1) {
		resync(w, p, (uint8_t)(1 + wt_random_below(3)));
	} else if (what < 4) {
		synced(w, p, (uint8_t)(1 + wt_random_below(3)));
	} else if (what == 4) {
		lose(w, p);
	} else {
		set_or_withdraw(w, p);
	}
	if (wt_random_below(50) == 0)
		(void)route_reclaim(w->table, SIZE_MAX);
}

/* ---- tests ---- */

static void agrees_with_the_naive_version(void **state)
{
	for (int round = 0; round < 30; round++) {
		struct world w;
		world_init(&w, SIZE_MAX);
		for (int i = 0; i < 3000; i++) {
			step(&w);
			if (i % 20)
				continue;
			finish_work(&w);
			check(&w);
		}
		world_done(&w);
	}
}

/* One peer needs no second view, and while the best is being built the first peer still answers. */
static void the_first_peer_answers_alone(void **state)
{
	struct world w;
	struct route_hit hit;
	world_init(&w, SIZE_MAX);
	w.peers[0].info.addr.family = w.peers[1].info.addr.family = ADDR_V4;
	assert_int_equal(rib_peer_add(w.rib, &w.peers[0].info, &w.peers[0].peer), 0);
	for (int i = 0; i < PREFIXES; i++)
		assert_int_equal(rib_set(w.peers[0].peer, &w.prefixes[i], 0, w.sets[0].id), 0);
	unsigned alone = rib_view(w.rib);
	assert_false(rib_work(w.rib, 1));
	assert_int_equal(rib_view(w.rib), alone);
	assert_int_equal(rib_peer_add(w.rib, &w.peers[1].info, &w.peers[1].peer), 0);
	for (bool left = true; left;) {
		for (int i = 0; i < PREFIXES; i++)
			assert_true(route_get(w.table, rib_view(w.rib), &w.prefixes[i], &hit) && hit.attrs == w.sets[0].id);
		left = rib_work(w.rib, 7);
	}
	assert_int_not_equal(rib_view(w.rib), alone);
	for (int i = 0; i < PREFIXES; i++)
		assert_true(route_get(w.table, rib_view(w.rib), &w.prefixes[i], &hit) && hit.attrs == w.sets[0].id);
	world_done(&w);
}

static void a_full_rib_refuses_and_counts(void **state)
{
	struct world w;
	world_init(&w, 10);
	add_peer(&w, &w.peers[0]);
	for (int i = 0; i < PREFIXES; i++)
		assert_int_equal(rib_set(w.peers[0].peer, &w.prefixes[i], 0, w.sets[0].id), i < 10 ? 0 : -ENOSPC);
	assert_int_equal(rib_routes(w.rib), 10);
	assert_int_equal(rib_refused(w.rib), PREFIXES - 10);
	assert_int_equal(rib_set(w.peers[0].peer, &w.prefixes[0], 0, w.sets[1].id), 0); /* instead of one that is there */
	assert_int_equal(rib_withdraw(w.peers[0].peer, &w.prefixes[1], 0), 0);
	assert_int_equal(rib_set(w.peers[0].peer, &w.prefixes[20], 0, w.sets[0].id), 0);
	world_done(&w);
}

struct seen {
	int calls;
	uint32_t prefix, before, after;
};

static void on_changed(void *ctx, uint32_t prefix, uint32_t before, uint32_t after)
{
	struct seen *seen = ctx;
	seen->calls++;
	seen->prefix = prefix;
	seen->before = before;
	seen->after = after;
}

static void expect_call(struct seen *seen, uint32_t before, uint32_t after)
{
	assert_int_equal(seen->calls, 1);
	assert_int_equal(seen->before, before);
	assert_int_equal(seen->after, after);
	seen->calls = 0;
}

/* What peers tell, and what they don't tell again, is seen; what goes because a peer goes is not. */
static void the_observer_sees_what_peers_tell(void **state)
{
	struct world w;
	struct seen seen = {0};
	world_init(&w, SIZE_MAX);
	struct rib_peer *peers[2];
	for (int i = 0; i < 2; i++) {
		struct rib_peer_info info = {.addr = {.family = ADDR_V4, .bytes = {192, 0, 2, (uint8_t)i}}, .external = i == 0};
		assert_int_equal(rib_peer_add(w.rib, &info, &peers[i]), 0);
	}
	finish_work(&w);
	rib_observe(w.rib, &(struct rib_observer){on_changed, &seen});
	uint32_t a = w.sets[0].id, b = a;
	for (int i = 1; b == a; i++)
		b = w.sets[i].id;
	assert_int_equal(rib_set(peers[0], &w.prefixes[0], 0, a), 0);
	expect_call(&seen, ROUTE_NONE, a);
	assert_int_equal(rib_set(peers[0], &w.prefixes[0], 0, a), 0);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(rib_set(peers[1], &w.prefixes[0], 0, a), 0); /* the same, so the first one's stays */
	assert_int_equal(seen.calls, 0);
	assert_int_equal(rib_withdraw(peers[1], &w.prefixes[0], 0), 0);
	assert_int_equal(rib_set(peers[0], &w.prefixes[0], 0, b), 0);
	expect_call(&seen, a, b);
	assert_int_equal(rib_withdraw(peers[0], &w.prefixes[0], 0), 0);
	expect_call(&seen, b, ROUTE_NONE);
	assert_int_equal(rib_set(peers[0], &w.prefixes[0], 0, a), 0);
	assert_int_equal(rib_set(peers[0], &w.prefixes[1], 0, a), 0);
	rib_peer_lost(peers[0]);
	finish_work(&w);
	seen.calls = 0;
	assert_int_equal(rib_peer_resync(peers[0], BGP_ALL_FAMILIES), 0);
	assert_int_equal(rib_set(peers[0], &w.prefixes[1], 0, a), 0);
	assert_int_equal(seen.calls, 0);
	rib_peer_synced(peers[0], BGP_ALL_FAMILIES);
	finish_work(&w);
	expect_call(&seen, a, ROUTE_NONE); /* the first prefix's */
	rib_peer_del(peers[0]);
	rib_peer_del(peers[1]);
	finish_work(&w);
	assert_int_equal(seen.calls, 0);
	world_done(&w);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_naive_version),
		cmocka_unit_test(the_first_peer_answers_alone),
		cmocka_unit_test(a_full_rib_refuses_and_counts),
		cmocka_unit_test(the_observer_sees_what_peers_tell),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

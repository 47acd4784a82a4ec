/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "random_prefix.h"

#include "route/path.h"
#include "route/route.h"

enum { VIEWS = 100, PREFIXES = 600, SETS = 150, KEPT = 200, NOTHING = -1 };

static const uint8_t path_bytes[] = {PATH_SEQUENCE, 2, 0, 0, 0xfb, 0xf4, 0, 0, 0, 174};
static const struct view path_64500_174 = {path_bytes, sizeof(path_bytes)};

static struct prefix prefix(const char *text)
{
	struct prefix p;
	assert_int_equal(prefix_parse(text, &p, NULL), 0);
	return p;
}

static struct addr addr(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static bool views_equal(struct view a, struct view b)
{
	return a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0);
}

/* What a set means; nothing else of it counts. */
static bool same_meaning(const struct route_attrs *a, const struct route_attrs *b)
{
	return views_equal(a->path, b->path) && views_equal(a->communities, b->communities) &&
		views_equal(a->ext_communities, b->ext_communities) &&
		views_equal(a->large_communities, b->large_communities) &&
		addr_equal(&a->next_hop, &b->next_hop) && addr_equal(&a->aggregator, &b->aggregator) &&
		(a->aggregator.family == ADDR_NONE || a->aggregator_as == b->aggregator_as) &&
		a->has_med == b->has_med && (!a->has_med || a->med == b->med) &&
		a->has_local_pref == b->has_local_pref &&
		(!a->has_local_pref || a->local_pref == b->local_pref) &&
		a->atomic_aggregate == b->atomic_aggregate && a->origin_code == b->origin_code;
}

static uint8_t noise[3000];

static struct view random_view(void)
{
	size_t max = wt_random_below(20) ? 24 : sizeof(noise);
	size_t at = (size_t)wt_random_below(3), len = (size_t)wt_random_below(max - at);
	return wt_random_below(2) ? (struct view){noise + at, len} : (struct view){NULL, 0};
}

static struct addr random_addr_or_none(void)
{
	uint64_t kind = wt_random_below(4);
	return kind < 2 ? random_addr(kind == 1) : (struct addr){.family = ADDR_NONE};
}

/* Few values each, so that many sets differ in one field only and some in none. */
static struct route_attrs random_attrs(void)
{
	struct route_attrs s = {
		.path = wt_random_below(4) ? path_64500_174 : (struct view){NULL, 0},
		.med = (uint32_t)wt_random_below(2),
		.local_pref = (uint32_t)wt_random_below(2),
		.has_med = wt_random_below(2),
		.has_local_pref = wt_random_below(2),
		.atomic_aggregate = wt_random_below(2),
		.origin_code = (uint8_t)wt_random_below(3),
		.aggregator_as = (uint32_t)wt_random_below(2),
	};
	if (wt_random_below(2))
		return s;
	s.next_hop = random_addr_or_none();
	s.aggregator = random_addr_or_none();
	s.communities = random_view();
	s.ext_communities = random_view();
	s.large_communities = random_view();
	return s;
}

/* What the table should hold, kept the simple way. */
static struct {
	struct prefix prefixes[PREFIXES];
	struct route_attrs sets[SETS];
	int routes[VIEWS][PREFIXES]; /* a set or NOTHING */
	size_t counts[VIEWS];
	/* What lookups gave out since the last reclaim. */
	struct route_hit kept[KEPT];
	int kept_prefix[KEPT], kept_set[KEPT];
	size_t kept_count;
} model;

static int known_prefix(const struct prefix *p, int count)
{
	for (int i = 0; i < count; i++)
		if (prefix_equal(&model.prefixes[i], p))
			return i;
	return NOTHING;
}

static void model_init(void)
{
	memset(&model, 0, sizeof(model));
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i / 7);
	for (int i = 0; i < PREFIXES; i++)
		do
			model.prefixes[i] = random_prefix(wt_random_below(2));
		while (known_prefix(&model.prefixes[i], i) != NOTHING);
	for (int i = 0; i < SETS; i++)
		model.sets[i] = random_attrs();
	for (int v = 0; v < VIEWS; v++)
		for (int i = 0; i < PREFIXES; i++)
			model.routes[v][i] = NOTHING;
}

static void model_set(int view, int p, int set)
{
	int before = model.routes[view][p];
	model.counts[view] += (size_t)(set != NOTHING) - (size_t)(before != NOTHING);
	model.routes[view][p] = set;
}

static int model_lookup(int view, const struct addr *a)
{
	int best = NOTHING;
	for (int i = 0; i < PREFIXES; i++)
		if (model.routes[view][i] != NOTHING && prefix_contains(&model.prefixes[i], a) &&
			(best == NOTHING || model.prefixes[i].len > model.prefixes[best].len))
			best = i;
	return best;
}

static void check_hit(const struct route_table *t, struct route_hit hit, int p, int set)
{
	struct prefix got = route_prefix(t, hit.prefix);
	struct route_attrs attrs = route_attrs(t, hit.attrs);
	assert_true(prefix_equal(&got, &model.prefixes[p]));
	assert_true(same_meaning(&attrs, &model.sets[set]));
	assert_int_equal(route_origin(t, hit.attrs), attrs.path.len ? 174 : 0);
	assert_int_equal(route_neighbour(t, hit.attrs), attrs.path.len ? 64500 : 0);
}

static void keep(struct route_hit hit, int p, int set)
{
	size_t at = model.kept_count < KEPT ? model.kept_count++ : (size_t)wt_random_below(KEPT);
	model.kept[at] = hit;
	model.kept_prefix[at] = p;
	model.kept_set[at] = set;
}

/* Many at once, of both families, in any number. */
static void check_many(const struct route_table *t, unsigned view)
{
	struct addr addrs[100] = {{0}};
	struct route_hit hits[100], hit;
	size_t n = (size_t)wt_random_below(ARRAY_LEN(addrs) + 1);
	for (size_t i = 0; i < n; i++)
		addrs[i] = wt_random_below(2) ? random_addr(wt_random_below(2))
					      : random_addr_in(&model.prefixes[wt_random_below(PREFIXES)]);
	route_lookup_many(t, view, addrs, n, hits);
	for (size_t i = 0; i < n; i++) {
		bool found = route_lookup(t, view, &addrs[i], &hit);
		assert_int_equal(hits[i].attrs != ROUTE_NONE, found);
		if (found)
			assert_true(hits[i].prefix == hit.prefix && hits[i].attrs == hit.attrs);
	}
}

static void check_lookup(const struct route_table *t, int view)
{
	if (wt_random_below(32) == 0)
		check_many(t, (unsigned)view);
	struct addr a = wt_random_below(2) ? random_addr(wt_random_below(2))
					   : random_addr_in(&model.prefixes[wt_random_below(PREFIXES)]);
	struct route_hit hit;
	int want = model_lookup(view, &a);
	assert_int_equal(route_lookup(t, (unsigned)view, &a, &hit), want != NOTHING);
	if (want == NOTHING)
		return;
	check_hit(t, hit, want, model.routes[view][want]);
	keep(hit, want, model.routes[view][want]);
}

/* Ids that were given out mean the same until this moment, gone or not. */
static void reclaim(struct route_table *t)
{
	for (size_t i = 0; i < model.kept_count; i++)
		check_hit(t, model.kept[i], model.kept_prefix[i], model.kept_set[i]);
	model.kept_count = 0;
	size_t slice = wt_random_below(2) ? SIZE_MAX : 1 + (size_t)wt_random_below(20);
	while (route_reclaim(t, slice) && wt_random_below(50))
		;
}

static void model_clear(int view)
{
	for (int i = 0; i < PREFIXES; i++)
		model_set(view, i, NOTHING);
}

static void clear(struct route_table *t, int view)
{
	route_clear(t, (unsigned)view);
	model_clear(view);
}

/* A few views go, and as many come with the numbers these had. */
static void replace_views(struct route_table *t)
{
	unsigned first = (unsigned)wt_random_below(VIEWS), count = 1 + (unsigned)wt_random_below(4), view;
	bool gone[VIEWS] = {false};
	for (unsigned i = 0; i < count; i++) {
		unsigned v = (first + i * 7) % VIEWS;
		route_view_del(t, v);
		model_clear((int)v);
		gone[v] = true;
	}
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(route_view_add(t, &view), 0);
		assert_true(view < VIEWS && gone[view]);
		gone[view] = false;
	}
}

static void set_by_id(struct route_table *t, int view, int p, int set)
{
	uint32_t attrs, prefix;
	assert_int_equal(route_attrs_intern(t, &model.sets[set], &attrs), 0);
	if (wt_random_below(2)) {
		assert_int_equal(route_set_id(t, (unsigned)view, &model.prefixes[p], attrs), 0);
	} else {
		assert_int_equal(route_prefix_id(t, &model.prefixes[p], &prefix), 0);
		assert_int_equal(route_put(t, (unsigned)view, prefix, attrs), 0);
		assert_int_equal(route_at(t, (unsigned)view, prefix), attrs);
	}
	route_attrs_release(t, attrs);
	model_set(view, p, set);
}

static void take_away(struct route_table *t, int view, int p)
{
	struct route_hit hit;
	bool known = model.routes[view][p] != NOTHING;
	if (known && wt_random_below(2)) {
		assert_true(route_get(t, (unsigned)view, &model.prefixes[p], &hit));
		route_drop(t, (unsigned)view, hit.prefix);
		route_drop(t, (unsigned)view, hit.prefix); /* does nothing */
	} else {
		assert_int_equal(route_withdraw(t, (unsigned)view, &model.prefixes[p]), known ? 0 : -ENOENT);
	}
	model_set(view, p, NOTHING);
}

static void change(struct route_table *t, int view)
{
	int p = (int)wt_random_below(PREFIXES), set = (int)wt_random_below(SETS);
	switch (wt_random_below(5)) {
	case 0:
	case 1:
		assert_int_equal(route_set(t, (unsigned)view, &model.prefixes[p], &model.sets[set]), 0);
		model_set(view, p, set);
		break;
	case 2:
		set_by_id(t, view, p, set);
		break;
	default:
		take_away(t, view, p);
	}
}

struct walked {
	int view;
	size_t count;
	const struct route_table *t;
};

static bool check_walked(void *ctx, const struct prefix *p, uint32_t attrs)
{
	struct walked *w = ctx;
	int i = known_prefix(p, PREFIXES);
	struct route_attrs got = route_attrs(w->t, attrs);
	assert_true(i != NOTHING && model.routes[w->view][i] != NOTHING);
	assert_true(same_meaning(&got, &model.sets[model.routes[w->view][i]]));
	w->count++;
	return true;
}

static void check_view(const struct route_table *t, int view)
{
	size_t v6 = 0;
	for (int i = 0; i < PREFIXES; i++)
		v6 += model.routes[view][i] != NOTHING && model.prefixes[i].addr.family == ADDR_V6;
	assert_int_equal(route_count(t, (unsigned)view), model.counts[view]);
	assert_int_equal(route_count_family(t, (unsigned)view, ADDR_V4), model.counts[view] - v6);
	assert_int_equal(route_count_family(t, (unsigned)view, ADDR_V6), v6);
	struct walked w = {view, 0, t};
	route_walk(t, (unsigned)view, check_walked, &w);
	assert_int_equal(w.count, model.counts[view]);
	for (int i = 0; i < PREFIXES; i++) {
		struct route_hit hit;
		bool known = model.routes[view][i] != NOTHING;
		assert_int_equal(route_get(t, (unsigned)view, &model.prefixes[i], &hit), known);
		if (known)
			check_hit(t, hit, i, model.routes[view][i]);
	}
}

static void check_stats(const struct route_table *t)
{
	size_t prefixes = 0, sets = 0;
	bool used[SETS] = {false};
	for (int i = 0; i < PREFIXES; i++) {
		bool any = false;
		for (int v = 0; v < VIEWS; v++)
			if (model.routes[v][i] != NOTHING)
				any = used[model.routes[v][i]] = true;
		prefixes += any;
	}
	for (int i = 0; i < SETS; i++) {
		bool first = used[i];
		for (int j = 0; j < i && first; j++)
			first = !used[j] || !same_meaning(&model.sets[i], &model.sets[j]);
		sets += first;
	}
	struct route_stats s = route_stats(t);
	assert_int_equal(s.prefixes, prefixes);
	assert_int_equal(s.attrs, sets);
	assert_true(s.memory_bytes > 0);
}

static void random_changes_match_arrays(void **state)
{
	struct route_table *t;
	model_init();
	assert_int_equal(route_table_new(VIEWS, &t), 0);
	for (unsigned round = 0; round < 40000; round++) {
		int view = (int)wt_random_below(round % 10000 < 5000 ? VIEWS : 3);
		change(t, view);
		check_lookup(t, view);
		check_lookup(t, (int)wt_random_below(VIEWS));
		if (!wt_random_below(500))
			clear(t, view);
		if (!wt_random_below(1000))
			replace_views(t);
		if (!wt_random_below(300))
			reclaim(t);
		if (!wt_random_below(200))
			check_view(t, view);
		if (!wt_random_below(2000))
			check_stats(t);
	}
	for (int v = 0; v < VIEWS; v++) {
		check_view(t, v);
		clear(t, v);
	}
	check_stats(t);
	(void)route_reclaim(t, SIZE_MAX);
	struct route_stats s = route_stats(t);
	assert_int_equal(s.prefixes, 0);
	assert_int_equal(s.attrs, 0);
	route_table_free(t);
}

/* Filling and emptying a table again and again does not make it grow. */
static void memory_is_used_again(void **state)
{
	struct route_table *t;
	size_t settled = 0;
	model_init();
	assert_int_equal(route_table_new(2, &t), 0);
	for (unsigned round = 0; round < 60; round++) {
		for (int i = 0; i < PREFIXES; i++)
			for (unsigned v = 0; v < 2; v++)
				assert_int_equal(route_set(t, v, &model.prefixes[i],
							 &model.sets[wt_random_below(SETS)]), 0);
		route_clear(t, 0);
		route_clear(t, 1);
		(void)route_reclaim(t, SIZE_MAX);
		if (round == 20)
			settled = route_stats(t).memory_bytes;
	}
	assert_true(route_stats(t).memory_bytes <= settled * 3 / 2);
	route_table_free(t);
}

/* The ids of two sets are equal exactly when they mean the same. */
static void equal_sets_share_an_id(void **state)
{
	struct route_table *t;
	uint32_t ids[SETS];
	model_init();
	assert_int_equal(route_table_new(0, &t), 0);
	for (int i = 0; i < SETS; i++)
		assert_int_equal(route_attrs_intern(t, &model.sets[i], &ids[i]), 0);
	for (int i = 0; i < SETS; i++)
		for (int j = 0; j < SETS; j++)
			assert_int_equal(ids[i] == ids[j], same_meaning(&model.sets[i], &model.sets[j]));
	for (int i = 0; i < SETS; i++)
		route_attrs_release(t, ids[i]);
	(void)route_reclaim(t, SIZE_MAX);
	assert_int_equal(route_stats(t).attrs, 0);
	route_table_free(t);
}

/* Each field alone makes another set. */
static void every_field_counts(void **state)
{
	static const uint8_t other_path[] = {PATH_SEQUENCE, 1, 0, 0, 0, 174}, bytes[] = {1, 2, 3, 4};
	const struct view some = {bytes, sizeof(bytes)};
	const struct route_attrs base = {.path = path_64500_174, .has_med = true, .has_local_pref = true,
		.aggregator = addr("192.0.2.1"), .next_hop = addr("192.0.2.2")};
	struct route_attrs sets[16];
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		sets[i] = base;
	sets[1].path = (struct view){other_path, sizeof(other_path)};
	sets[2].communities = some;
	sets[3].ext_communities = some;
	sets[4].large_communities = some;
	sets[5].next_hop = addr("192.0.2.3");
	sets[6].aggregator = addr("192.0.2.3");
	sets[7].aggregator_as = 1;
	sets[8].med = 1;
	sets[9].local_pref = 1;
	sets[10].has_med = false;
	sets[11].has_local_pref = false;
	sets[12].atomic_aggregate = true;
	sets[13].origin_code = 2;
	sets[14].next_hop = addr("c000:202::");
	sets[15].aggregator = addr("c000:201::");
	struct route_table *t;
	uint32_t ids[ARRAY_LEN(sets)];
	assert_int_equal(route_table_new(0, &t), 0);
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		assert_int_equal(route_attrs_intern(t, &sets[i], &ids[i]), 0);
		struct route_attrs got = route_attrs(t, ids[i]);
		assert_true(same_meaning(&got, &sets[i]));
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(ids[j], ids[i]);
	}
	route_table_free(t);
}

/* 64500 174 in two segments is the path it is in one. */
static void cut_sequences_are_equal(void **state)
{
	static const uint8_t cut[] = {PATH_SEQUENCE, 1, 0, 0, 0xfb, 0xf4, PATH_SEQUENCE, 1, 0, 0, 0, 174};
	static const uint8_t bad[] = {PATH_SEQUENCE, 1, 0, 0, 0xfb, 0xf4, PATH_SEQUENCE, 1, 0, 0, 0, 174, 9};
	struct route_table *t;
	struct route_attrs whole = {.path = path_64500_174}, other = {.path = {cut, sizeof(cut)}};
	uint32_t id, same;
	assert_int_equal(route_table_new(0, &t), 0);
	assert_int_equal(route_attrs_intern(t, &other, &id), 0);
	assert_int_equal(route_attrs_intern(t, &whole, &same), 0);
	assert_int_equal(id, same);
	assert_true(views_equal(route_attrs(t, id).path, path_64500_174));
	other.path = (struct view){bad, sizeof(bad)};
	assert_int_equal(route_attrs_intern(t, &other, &id), -EINVAL);
	route_table_free(t);
}

/* All sizes around the one from which a set has memory of its own, and very long ones. */
static void sets_of_any_size(void **state)
{
	enum { LONG = 70000 };
	struct route_table *t;
	static uint8_t bytes[LONG];
	uint32_t first, id;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(route_table_new(0, &t), 0);
	for (size_t len = 0; len <= LONG; len = len < 600 ? len + 1 : len * 2) {
		struct route_attrs s = {.communities = {bytes, len}}, got;
		assert_int_equal(route_attrs_intern(t, &s, &first), 0);
		assert_int_equal(route_attrs_intern(t, &s, &id), 0);
		assert_int_equal(id, first);
		got = route_attrs(t, id);
		assert_true(same_meaning(&got, &s));
		if (len % 3 == 0) {
			route_attrs_release(t, id);
			route_attrs_release(t, id);
		}
	}
	(void)route_reclaim(t, SIZE_MAX);
	route_table_free(t);
}

static void bad_input_is_refused(void **state)
{
	static const uint8_t cut[] = {PATH_SEQUENCE, 2, 0, 0, 0, 1};
	struct route_table *t;
	struct route_hit hit;
	struct prefix p = prefix("192.0.2.0/24"), none = {.addr = {.family = ADDR_NONE}}, too_long = p;
	struct route_attrs bad = {.path = {cut, sizeof(cut)}}, good = {.path = path_64500_174};
	too_long.len = 33;
	assert_int_equal(route_table_new(65536, &t), -EINVAL);
	assert_int_equal(route_table_new(1, &t), 0);
	assert_int_equal(route_set(t, 0, &p, &bad), -EINVAL);
	assert_int_equal(route_set(t, 0, &none, &good), -EINVAL);
	assert_int_equal(route_set(t, 0, &too_long, &good), -EINVAL);
	assert_int_equal(route_withdraw(t, 0, &none), -ENOENT);
	assert_int_equal(route_withdraw(t, 0, &too_long), -ENOENT);
	assert_int_equal(route_withdraw(t, 0, &p), -ENOENT);
	assert_false(route_lookup(t, 0, &none.addr, &hit));
	assert_int_equal(route_count(t, 0), 0);
	assert_int_equal(route_stats(t).prefixes, 0);
	assert_int_equal(route_stats(t).attrs, 0);
	route_table_free(t);
	route_table_free(NULL);
}

/* Two routers, one with the more specific route: each gets its own longest match. */
static void every_view_has_its_own_match(void **state)
{
	struct route_table *t;
	struct route_hit hit;
	struct route_attrs s = {.path = path_64500_174};
	struct prefix any = prefix("0.0.0.0/0"), wide = prefix("198.51.0.0/16"), narrow = prefix("198.51.100.0/24");
	struct addr inside = addr("198.51.100.7"), outside = addr("203.0.113.1"), v6 = addr("2001:db8::1");
	assert_int_equal(route_table_new(3, &t), 0);
	assert_int_equal(route_set(t, 0, &any, &s), 0);
	assert_int_equal(route_set(t, 0, &wide, &s), 0);
	assert_int_equal(route_set(t, 1, &narrow, &s), 0);

	assert_true(route_lookup(t, 0, &inside, &hit));
	assert_int_equal(route_prefix(t, hit.prefix).len, 16);
	assert_true(route_lookup(t, 0, &outside, &hit));
	assert_int_equal(route_prefix(t, hit.prefix).len, 0);
	assert_true(route_lookup(t, 1, &inside, &hit));
	assert_int_equal(route_prefix(t, hit.prefix).len, 24);
	assert_false(route_lookup(t, 1, &outside, &hit));
	assert_false(route_lookup(t, 2, &inside, &hit));
	assert_false(route_lookup(t, 0, &v6, &hit));
	assert_int_equal(route_stats(t).attrs, 1);
	route_table_free(t);
}

/* Host bits of the prefix given do not make it another prefix. */
static void host_bits_are_cleared(void **state)
{
	struct route_table *t;
	struct route_hit hit;
	struct route_attrs s = {.path = path_64500_174};
	struct prefix clean = prefix("192.0.2.0/24"), dirty = clean;
	dirty.addr.bytes[3] = 77;
	assert_int_equal(route_table_new(1, &t), 0);
	assert_int_equal(route_set(t, 0, &dirty, &s), 0);
	assert_true(route_get(t, 0, &clean, &hit));
	struct prefix got = route_prefix(t, hit.prefix);
	assert_true(prefix_equal(&got, &clean));
	assert_int_equal(route_withdraw(t, 0, &dirty), 0);
	route_table_free(t);
}

/* A reference that a caller holds keeps attributes through a reclaim; a flapping route its ids. */
static void references_and_flaps(void **state)
{
	struct route_table *t;
	struct route_attrs s = {.path = path_64500_174};
	struct prefix p = prefix("2001:db8:1234:5678:9abc::/80");
	struct route_hit before, after;
	uint32_t held;
	assert_int_equal(route_table_new(1, &t), 0);
	assert_int_equal(route_attrs_intern(t, &s, &held), 0);
	(void)route_reclaim(t, SIZE_MAX);
	struct route_attrs got = route_attrs(t, held);
	assert_true(same_meaning(&got, &s));

	assert_int_equal(route_set_id(t, 0, &p, held), 0);
	route_attrs_release(t, held);
	assert_true(route_get(t, 0, &p, &before));
	assert_int_equal(route_withdraw(t, 0, &p), 0);
	assert_false(route_lookup(t, 0, &p.addr, &after));
	assert_int_equal(route_set(t, 0, &p, &s), 0);
	assert_true(route_lookup(t, 0, &p.addr, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(route_withdraw(t, 0, &p), 0);
	(void)route_reclaim(t, SIZE_MAX);
	assert_int_equal(route_stats(t).attrs, 0);
	assert_int_equal(route_stats(t).prefixes, 0);
	route_table_free(t);
}

static struct prefix numbered(uint32_t i)
{
	struct addr a = {.family = ADDR_V4, .bytes = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
	return prefix_make(&a, 24);
}

/* A peer that sends ten routes costs next to nothing in a table of many, wherever these stand, and what it
 * had is used again. */
static void views_of_few_routes_are_small(void **state)
{
	enum { MANY = 40000, PEERS = 100, FEW = 10 };
	struct route_table *t;
	struct route_attrs s = {.path = path_64500_174};
	assert_int_equal(route_table_new(1 + PEERS, &t), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		struct prefix p = numbered(i);
		assert_int_equal(route_set(t, 0, &p, &s), 0);
	}
	size_t before = route_stats(t).memory_bytes;
	for (unsigned round = 0; round < 10; round++) {
		for (uint32_t i = 0; i < PEERS * FEW; i++) {
			struct prefix p = numbered((i * 7919 + round) % MANY);
			assert_int_equal(route_set(t, 1 + i % PEERS, &p, &s), 0);
		}
		assert_true(route_stats(t).memory_bytes - before < PEERS * MANY * sizeof(uint32_t) / 10);
		for (unsigned v = 1; v <= PEERS; v++) {
			assert_int_equal(route_count(t, v), FEW);
			route_clear(t, v);
		}
	}
	route_table_free(t);
}

/* In the order of addresses, from anywhere, while the table changes. */
static void lists_are_in_order(void **state)
{
	static const char *const texts[] = {"10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32"};
	struct route_table *t;
	struct route_attrs s = {.path = path_64500_174};
	uint32_t covering[ROUTE_COVERING_MAX];
	assert_int_equal(route_table_new(2, &t), 0);
	assert_int_equal(route_next(t, NULL), ROUTE_NONE);
	for (unsigned i = ARRAY_LEN(texts); i-- > 0;) {
		struct prefix p = prefix(texts[i]);
		assert_int_equal(route_set(t, i % 2, &p, &s), 0);
	}
	uint32_t id = route_next(t, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		struct prefix want = prefix(texts[i]), got = route_prefix(t, id);
		assert_true(prefix_equal(&got, &want));
		assert_int_equal(route_at(t, i % 2, id) != ROUTE_NONE, true);
		assert_int_equal(route_at(t, !(i % 2), id), ROUTE_NONE);
		assert_int_equal(route_withdraw(t, i % 2, &got), 0);
		if (i % 2)
			(void)route_reclaim(t, SIZE_MAX);
		id = route_next(t, &got);
		if (i == 1) {
			struct prefix below = prefix("10.1.2.3");
			assert_int_equal(route_covering(t, &below, covering), 1);
			assert_int_equal(covering[0], id);
		}
	}
	assert_int_equal(id, ROUTE_NONE);
	route_table_free(t);
}

/* A clock that goes on by milliseconds to seconds, and now and then by up to a day. */
static uint64_t later(uint64_t ms)
{
	uint64_t kind = wt_random_below(20000);
	uint64_t most = kind == 0 ? 86400000 : kind < 20 ? 600000 : kind < 2000 ? 3000 : 200;
	return ms + wt_random_below(most);
}

static void ages_are_nearly_right(void **state)
{
	enum { AGED_VIEWS = 70, MANY = 5000, ROUNDS = 200000 }; /* more pages than are converted at once */
	static uint64_t changed[AGED_VIEWS][MANY];
	struct route_table *t;
	struct route_attrs sets[2] = {{.path = path_64500_174}, {.med = 1, .has_med = true}};
	uint32_t attrs[2], ids[MANY];
	uint64_t now = 1700000000000;
	memset(changed, 0, sizeof(changed));
	assert_int_equal(route_table_new(AGED_VIEWS, &t), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(route_attrs_intern(t, &sets[i], &attrs[i]), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		struct prefix p = numbered(i);
		assert_int_equal(route_prefix_id(t, &p, &ids[i]), 0);
	}
	route_clock(t, now);
	for (uint32_t i = 0; i < AGED_VIEWS * MANY; i++) {
		assert_int_equal(route_put(t, i / MANY, ids[i % MANY], attrs[0]), 0);
		changed[i / MANY][i % MANY] = now;
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned v = (unsigned)wt_random_below(AGED_VIEWS);
		/* Most changes are few routes', so that others grow old. */
		uint32_t i = (uint32_t)wt_random_below(1 + wt_random_below(1 + wt_random_below(MANY)));
		route_clock(t, now = later(now));
		uint32_t before = route_at(t, v, ids[i]), after = wt_random_below(8) ? attrs[round % 2] : ROUTE_NONE;
		if (after == ROUTE_NONE)
			route_drop(t, v, ids[i]);
		else
			assert_int_equal(route_put(t, v, ids[i], after), 0);
		if (before != after)
			changed[v][i] = after == ROUTE_NONE ? 0 : now;
		if (round % 10000)
			continue;
		for (v = 0; v < AGED_VIEWS; v++)
			for (i = 0; i < MANY; i++) {
				uint64_t got = route_changed_ms(t, v, ids[i]), want = changed[v][i];
				uint64_t off = got > want ? got - want : want - got;
				assert_int_equal(got == 0, want == 0);
				assert_true(want == 0 || off <= 501 + (now - want) / 18);
			}
	}
	route_table_free(t);
}

static bool stop_at_once(void *ctx, const struct prefix *p, uint32_t attrs)
{
	++*(unsigned *)ctx;
	return false;
}

static void walk_stops_when_told(void **state)
{
	struct route_table *t;
	struct route_attrs s = {.path = path_64500_174};
	struct prefix a = prefix("192.0.2.0/24"), b = prefix("198.51.100.0/24");
	unsigned calls = 0;
	assert_int_equal(route_table_new(1, &t), 0);
	assert_int_equal(route_set(t, 0, &a, &s), 0);
	assert_int_equal(route_set(t, 0, &b, &s), 0);
	route_walk(t, 0, stop_at_once, &calls);
	assert_int_equal(calls, 1);
	route_table_free(t);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_match_arrays),
		cmocka_unit_test(memory_is_used_again),
		cmocka_unit_test(equal_sets_share_an_id),
		cmocka_unit_test(every_field_counts),
		cmocka_unit_test(cut_sequences_are_equal),
		cmocka_unit_test(sets_of_any_size),
		cmocka_unit_test(bad_input_is_refused),
		cmocka_unit_test(every_view_has_its_own_match),
		cmocka_unit_test(host_bits_are_cleared),
		cmocka_unit_test(references_and_flaps),
		cmocka_unit_test(views_of_few_routes_are_small),
		cmocka_unit_test(lists_are_in_order),
		cmocka_unit_test(ages_are_nearly_right),
		cmocka_unit_test(walk_stops_when_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Longest prefix match by a tree bitmap (Eatherton, Varghese, Dittia, "Tree bitmap", CCR 2004): a trie
 * of six bits a level, whose nodes say in two 64-bit words what they hold.
 *
 * Prefixes. A node at depth d holds those of length d to d + 5: a complete binary tree of 63 places,
 * numbered like a heap (the root is 1, below p are 2p and 2p + 1), one bit each in `prefixes`, the root's
 * the highest. Their values lie one after the other in the order of bits, so popcount of the lower bits finds
 * one. The places that cover an index of six bits are six constant bits (lpm_above[]), and the longest of those
 * that are set is the lowest.
 * Children. The next six bits choose one of 64; bit i of `children` says whether it is there, and the
 * children lie one after the other in the same manner.
 *
 * Five zero bits stand in front of every address, so levels begin at lengths 1, 7, 13, 19, 25, 31, 37,
 * 43, ... and the lengths that make up the routing tables of the world, /24 and /48, are the last of
 * their node: one node for up to 32 of them instead of one node each.
 *
 * Shortcut. What makes a lookup slow is not the steps but the guesses: where a processor cannot tell
 * how deep this one will go, it cannot begin the next one. So a family with many prefixes gets an array
 * over the first 19 bits (for IPv6, of 2000::/3 only): the node at that depth and the longest value
 * above it, after which nearly every IPv4 lookup is one node, without a branch that depends on it. The
 * trie alone is the truth; entries are made from it, again whenever something above or at that depth
 * changes.
 *
 * Many at once. Who has several addresses, as the records of a datagram, need not wait for memory once a step
 * and address: they all take a step together, and what the next one reads is asked for before any goes on.
 *
 * Cost: a node is 24 bytes, a value four, the shortcuts 4 MiB and 512 KiB. A change touches one node
 * and its parent and moves a block of at most 64 siblings, whatever hangs below, as nothing is pushed
 * down the trie. Only a prefix shorter than /19 is written to its entries, 2^(19 - length) of them. A default
 * route is not: who finds nothing else looks for it in the root.
 *
 * Invariants: every node but the roots has a prefix or a child. An entry's node is the one that the
 * trie has there, or the root of ADDR_NONE, which is empty; its value is what the trie's lengths 1 to 18 say
 * of its addresses. */

#include "route/lpm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "route/area.h"
#include "route/lpm_tree.h"

#define SHORTCUT_FROM 4096u /* prefixes of a family */

static uint32_t find_anywhere(const struct lpm *lpm, const struct addr *addr)
{
	uint32_t value;
	return find_short(lpm, addr, &value) && LIKELY(value != LPM_NONE) ? value : find(lpm, addr);
}

LPM_COUNTING static uint32_t find_counting(const struct lpm *lpm, const struct addr *addr)
{
	uint32_t value;
	return find_short(lpm, addr, &value) && LIKELY(value != LPM_NONE) ? value : find(lpm, addr);
}

/* One address on its way down, a level a turn. */
struct walker {
	const struct node *n;
	const uint32_t *best;
	struct key k;
	uint32_t i; /* the next index in the node */
	uint32_t at; /* which address */
};

#define TOGETHER 32u

/* The way of find() for TOGETHER addresses at once: each step asks for what the next one reads, for all of
 * them, before it goes on. */
static ALWAYS_INLINE void find_together(const struct lpm *lpm, const struct addr *addrs, uint32_t n, uint32_t *ret)
{
	struct walker walkers[TOGETHER];
	const struct entry *entries[TOGETHER];
	const uint32_t *found[TOGETHER];
	for (uint32_t a = 0; a < n; a++) {
		const struct shortcut *s = &lpm->shortcuts[ROOT(addrs[a].family)];
		struct walker *w = &walkers[a];
		w->k = key_make(&addrs[a]);
		w->at = a;
		uint32_t at = (uint32_t)(w->k.hi >> (64 - SHORTCUT_BITS)) - s->first;
		entries[a] = LIKELY(at < s->size) ? &s->entries[at] : NULL;
		__builtin_prefetch(entries[a]);
	}
	for (uint32_t a = 0; a < n; a++) {
		struct walker *w = &walkers[a];
		const struct entry *e = entries[a];
		if (LIKELY(e != NULL))
			(void)key_take(&w->k, SHORTCUT_BITS);
		w->n = node_at(lpm, LIKELY(e != NULL) ? e->node : ROOT(addrs[a].family));
		w->best = LIKELY(e != NULL) ? &e->value : &lpm_no_value;
		w->i = key_take(&w->k, LIKELY(e != NULL) ? STRIDE : STRIDE - PAD_BITS);
		__builtin_prefetch(w->n);
	}
	for (uint32_t left = n; left;) {
		uint32_t still = 0;
		for (uint32_t a = 0; a < left; a++) {
			struct walker w = walkers[a];
			w.best = longest_value(lpm, w.n, w.n->prefixes & lpm_above[w.i], w.best);
			if (!has_child(w.n, w.i)) {
				__builtin_prefetch(w.best);
				found[w.at] = w.best;
				continue;
			}
			w.n = node_at(lpm, child_ref(w.n, w.i));
			w.i = key_take(&w.k, STRIDE);
			__builtin_prefetch(w.n);
			walkers[still++] = w;
		}
		left = still;
	}
	for (uint32_t a = 0; a < n; a++)
		ret[a] = LIKELY(*found[a] != LPM_NONE) ? *found[a] : default_value(lpm, ROOT(addrs[a].family));
}

static ALWAYS_INLINE void find_many(const struct lpm *lpm, const struct addr *addrs, size_t n, uint32_t *ret)
{
	for (size_t at = 0; at < n; at += TOGETHER)
		find_together(lpm, addrs + at, n - at < TOGETHER ? (uint32_t)(n - at) : TOGETHER, ret + at);
}

static void find_many_anywhere(const struct lpm *lpm, const struct addr *addrs, size_t n, uint32_t *ret)
{
	find_many(lpm, addrs, n, ret);
}

LPM_COUNTING static void find_many_counting(const struct lpm *lpm, const struct addr *addrs, size_t n, uint32_t *ret)
{
	find_many(lpm, addrs, n, ret);
}

static uint32_t get_anywhere(const struct lpm *lpm, const struct prefix *prefix)
{
	return get(lpm, prefix);
}

LPM_COUNTING static uint32_t get_counting(const struct lpm *lpm, const struct prefix *prefix)
{
	return get(lpm, prefix);
}

int lpm_new(struct lpm **ret)
{
	struct lpm *lpm = calloc(1, sizeof(*lpm));
	if (!lpm)
		return -ENOMEM;
	pool_init_flat(&lpm->nodes, sizeof(struct node));
	pool_init_flat(&lpm->values, sizeof(uint32_t));
	if (pool_alloc(&lpm->nodes, ROOTS) == POOL_NONE) {
		lpm_free(lpm);
		return -ENOMEM;
	}
	memset(node_at(lpm, 0), 0, ROOTS * sizeof(struct node));
	lpm->find = lpm_can_count() ? find_counting : find_anywhere;
	lpm->find_many = lpm_can_count() ? find_many_counting : find_many_anywhere;
	lpm->get = lpm_can_count() ? get_counting : get_anywhere;
	*ret = lpm;
	return 0;
}

void lpm_free(struct lpm *lpm)
{
	if (!lpm)
		return;
	pool_done(&lpm->nodes);
	pool_done(&lpm->values);
	for (unsigned root = 0; root < ROOTS; root++)
		area_free(lpm->shortcuts[root].entries, lpm->shortcuts[root].size * sizeof(struct entry));
	free(lpm);
}

/* Writes count entries from position on; positions that the shortcut does not have are passed over. */
static void fill(const struct shortcut *s, uint32_t position, uint32_t count, struct entry entry)
{
	for (uint32_t at = position - s->first; count--; at++)
		if (at < s->size)
			s->entries[at] = entry;
}

/* Writes the entries below indices [from, to) of a node at this level; position: of the first entry
 * below the node; above: the longest value above it. */
static void refresh_below(const struct lpm *lpm, const struct shortcut *s, uint32_t ref, unsigned level,
	unsigned from, unsigned to, uint32_t position, uint32_t above)
{
	const struct node *n = node_at(lpm, ref);
	uint32_t width = 1u << (SHORTCUT_LEVEL - 1 - level) * STRIDE, child = child_ref(n, from);
	for (unsigned i = from; i < to; i++) {
		uint32_t at = position + i * width;
		uint64_t match = level ? n->prefixes & lpm_above[i] : 0;
		uint32_t value = match ? *longest_value(lpm, n, match, NULL) : above;
		if (!has_child(n, i))
			fill(s, at, width, (struct entry){ROOT(ADDR_NONE), value});
		else if (width == 1)
			fill(s, at, 1, (struct entry){child++, value});
		else
			refresh_below(lpm, s, child++, level + 1, 0, 1u << STRIDE, at, value);
	}
}

/* The entries below the prefix at the trail's end. */
static void refresh(const struct lpm *lpm, const struct trail *t)
{
	const struct shortcut *s = &lpm->shortcuts[t->refs[0]];
	unsigned level = t->depth, spread = 1u << (STRIDE - (t->wanted_len + PAD_BITS) % STRIDE);
	uint32_t above = LPM_NONE, position = 0;
	if (!s->size || level == 0 || level >= SHORTCUT_LEVEL)
		return;
	for (unsigned d = 0; d < level; d++) {
		const struct node *n = node_at(lpm, t->refs[d]);
		if (d > 0)
			above = *longest_value(lpm, n, n->prefixes & lpm_above[t->index[d]], &above);
		position += (uint32_t)t->index[d] << (SHORTCUT_LEVEL - 1 - d) * STRIDE;
	}
	unsigned from = t->index[level] / spread * spread;
	refresh_below(lpm, s, t->refs[level], level, from, from + spread, position, above);
}

/* The children of the trail's node at this level have moved; the last change was at its index. */
static void refresh_children(const struct lpm *lpm, const struct trail *t, unsigned level)
{
	const struct shortcut *s = &lpm->shortcuts[t->refs[0]];
	const struct node *n = node_at(lpm, t->refs[level]);
	uint32_t position = 0, ref = n->child;
	if (!s->size || level != SHORTCUT_LEVEL - 1)
		return;
	for (unsigned d = 0; d < level; d++)
		position = (position | t->index[d]) << STRIDE;
	position -= s->first;
	if (position + t->index[level] >= s->size)
		return;
	s->entries[position + t->index[level]].node = ROOT(ADDR_NONE);
	for (uint64_t left = n->children; left; left &= left - 1)
		s->entries[position + (unsigned)__builtin_ctzll(left)].node = ref++;
}

/* Gives a family that has become large its shortcut; without memory lookups go on without. */
static void add_shortcut(struct lpm *lpm, uint32_t root)
{
	struct shortcut *s = &lpm->shortcuts[root];
	uint32_t size = root == ROOT(ADDR_V4) ? 1u << SHORTCUT_BITS : 1u << (SHORTCUT_BITS - 3);
	if (s->size || lpm->counts[root] < SHORTCUT_FROM)
		return;
	s->entries = area_grow(NULL, 0, size * sizeof(*s->entries));
	if (!s->entries)
		return;
	s->size = size;
	s->first = root == ROOT(ADDR_V4) ? 0 : V6_UNICAST << (SHORTCUT_BITS - 3);
	refresh_below(lpm, s, root, 0, 0, 2, 0, LPM_NONE);
}

/* Makes the next node of the trail. */
static int extend(struct lpm *lpm, struct trail *t)
{
	struct node *n = node_at(lpm, t->refs[t->depth]);
	unsigned i = t->index[t->depth], at = bits_below(n->children, i);
	uint32_t block = pool_insert(&lpm->nodes, n->child, (uint32_t)__builtin_popcountll(n->children), at);
	if (block == POOL_NONE)
		return -ENOMEM;
	n = node_at(lpm, t->refs[t->depth]);
	n->child = block;
	n->children |= 1ull << i;
	*node_at(lpm, block + at) = (struct node){0};
	refresh_children(lpm, t, t->depth);
	t->refs[++t->depth] = block + at;
	return 0;
}

/* Removes the empty nodes at the trail's end. */
static void prune(struct lpm *lpm, struct trail *t)
{
	for (; t->depth > 0; t->depth--) {
		const struct node *n = node_at(lpm, t->refs[t->depth]);
		if (n->prefixes || n->children)
			break;
		struct node *up = node_at(lpm, t->refs[t->depth - 1]);
		unsigned i = t->index[t->depth - 1], at = bits_below(up->children, i);
		uint32_t units = (uint32_t)__builtin_popcountll(up->children);
		uint32_t block = pool_remove(&lpm->nodes, up->child, units, at);
		up = node_at(lpm, t->refs[t->depth - 1]);
		up->child = block;
		up->children &= ~(1ull << i);
		refresh_children(lpm, t, t->depth - 1);
	}
}

int lpm_set(struct lpm *lpm, const struct prefix *prefix, uint32_t value)
{
	struct trail t;
	if (prefix->addr.family == ADDR_NONE)
		return -EINVAL;
	follow(lpm, prefix, &t);
	struct node *n = holder(lpm, &t);
	if (n) {
		*value_at(lpm, value_ref(n, t.place)) = value;
		refresh(lpm, &t);
		return 0;
	}
	while (t.depth < t.wanted)
		if (extend(lpm, &t) < 0)
			goto fail;
	n = node_at(lpm, t.refs[t.depth]);
	unsigned at = bits_below(n->prefixes, t.place);
	uint32_t block = pool_insert(&lpm->values, n->value, (uint32_t)__builtin_popcountll(n->prefixes), at);
	if (block == POOL_NONE)
		goto fail;
	n->value = block;
	n->prefixes |= 1ull << t.place;
	*value_at(lpm, block + at) = value;
	lpm->counts[t.refs[0]]++;
	refresh(lpm, &t);
	add_shortcut(lpm, t.refs[0]);
	return 0;
fail:
	prune(lpm, &t);
	return -ENOMEM;
}

int lpm_del(struct lpm *lpm, const struct prefix *prefix)
{
	struct trail t;
	follow(lpm, prefix, &t);
	struct node *n = holder(lpm, &t);
	if (!n)
		return -ENOENT;
	uint32_t units = (uint32_t)__builtin_popcountll(n->prefixes);
	n->value = pool_remove(&lpm->values, n->value, units, bits_below(n->prefixes, t.place));
	n->prefixes &= ~(1ull << t.place);
	lpm->counts[t.refs[0]]--;
	refresh(lpm, &t);
	prune(lpm, &t);
	return 0;
}

uint32_t lpm_get(const struct lpm *lpm, const struct prefix *prefix)
{
	return lpm->get(lpm, prefix);
}

void lpm_lookup_many(const struct lpm *lpm, const struct addr *addrs, size_t n, uint32_t *ret)
{
	lpm->find_many(lpm, addrs, n, ret);
}

uint32_t lpm_lookup(const struct lpm *lpm, const struct addr *addr)
{
	return lpm->find(lpm, addr);
}

size_t lpm_count(const struct lpm *lpm)
{
	return lpm->counts[ROOT(ADDR_V4)] + lpm->counts[ROOT(ADDR_V6)];
}

size_t lpm_memory_bytes(const struct lpm *lpm)
{
	size_t bytes = sizeof(*lpm) + pool_memory_bytes(&lpm->nodes) + pool_memory_bytes(&lpm->values);
	for (unsigned root = 0; root < ROOTS; root++)
		bytes += lpm->shortcuts[root].size * sizeof(struct entry);
	return bytes;
}

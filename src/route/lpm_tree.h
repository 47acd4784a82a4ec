/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: how the longest match is laid out, and the lookup itself, so that route_lookup has it
 * within. See lpm.c for what all this means. */

#include <string.h>

#include "base/cursor.h"
#include "route/lpm.h"
#include "route/pool.h"

#define STRIDE     6u
#define PAD_BITS   5u
#define LEVELS_MAX 23u /* (128 + PAD_BITS) / STRIDE + 1 */

#define SHORTCUT_LEVEL 4u
#define SHORTCUT_BITS  (SHORTCUT_LEVEL * STRIDE - PAD_BITS)
#define V6_UNICAST     1u    /* 2000::/3 */

struct node {
	uint64_t prefixes; /* places in use; bit 63 never */
	uint64_t children;
	uint32_t child; /* block in nodes, one unit for each bit of children */
	uint32_t value; /* block in values, one unit for each bit of prefixes */
};

/* The first SHORTCUT_BITS bits of an address, minus first, are the position in entries. */
struct shortcut {
	struct entry {
		uint32_t node;
		uint32_t value;
	} *entries;     /* NULL: the family has few prefixes, or memory was out */
	uint32_t first; /* 2000::/3 begins there */
	uint32_t size;  /* 0 when there are no entries */
};

/* The roots are the first nodes, in order of family; the one of ADDR_NONE stays empty. */
#define ROOT(family) ((uint32_t)(family) / 2)
#define ROOTS        (ROOT(ADDR_V6) + 1)

struct lpm {
	struct pool nodes, values;
	struct shortcut shortcuts[ROOTS];
	size_t counts[ROOTS];
	uint32_t (*find)(const struct lpm *lpm, const struct addr *addr);
	uint32_t (*get)(const struct lpm *lpm, const struct prefix *prefix);
	void (*find_many)(const struct lpm *lpm, const struct addr *addrs, size_t n, uint32_t *ret);
};

/* What is left of an address, the next bit on top. */
struct key {
	uint64_t hi, lo;
};

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* The bit of a heap place; the longer, the lower. */
#define PLACE(heap) (63 - (heap))
/* The places of lengths 0 to 5 above index i. */
#define ABOVE(i)                                                                                   \
	(1ull << PLACE(1) | 1ull << PLACE(2 | (i) >> 5) | 1ull << PLACE(4 | (i) >> 4) |            \
		1ull << PLACE(8 | (i) >> 3) | 1ull << PLACE(16 | (i) >> 2) | 1ull << PLACE(32 | (i) >> 1))
#define ABOVE_4(i)  ABOVE(i), ABOVE(i + 1), ABOVE(i + 2), ABOVE(i + 3)
#define ABOVE_16(i) ABOVE_4(i), ABOVE_4(i + 4), ABOVE_4(i + 8), ABOVE_4(i + 12)
static const uint64_t lpm_above[64] = {ABOVE_16(0), ABOVE_16(16), ABOVE_16(32), ABOVE_16(48)};

static ALWAYS_INLINE unsigned bits_below(uint64_t word, unsigned bit)
{
	return (unsigned)__builtin_popcountll(word & ((1ull << bit) - 1));
}

static ALWAYS_INLINE struct node *node_at(const struct lpm *lpm, uint32_t ref)
{
	return (struct node *)(void *)lpm->nodes.flat + ref;
}

static ALWAYS_INLINE uint32_t *value_at(const struct lpm *lpm, uint32_t ref)
{
	return (uint32_t *)(void *)lpm->values.flat + ref;
}

static ALWAYS_INLINE bool has_child(const struct node *n, unsigned i)
{
	return n->children >> i & 1;
}

static ALWAYS_INLINE uint32_t child_ref(const struct node *n, unsigned i)
{
	return n->child + bits_below(n->children, i);
}

static ALWAYS_INLINE uint32_t value_ref(const struct node *n, unsigned place)
{
	return n->value + bits_below(n->prefixes, place);
}

static ALWAYS_INLINE unsigned longest(uint64_t match)
{
	return (unsigned)__builtin_ctzll(match);
}

static ALWAYS_INLINE struct key key_make(const struct addr *a)
{
	struct rd r = rd_make(a->bytes, sizeof(a->bytes));
	uint64_t hi = rd_u64(&r);
	return (struct key){hi, rd_u64(&r)};
}

static ALWAYS_INLINE unsigned key_take(struct key *k, unsigned bits)
{
	unsigned i = (unsigned)(k->hi >> (64 - bits));
	k->hi = k->hi << bits | k->lo >> (64 - bits);
	k->lo <<= bits;
	return i;
}

/* The value of the longest place in match, or otherwise, without a jump: half of all guesses would be
 * wrong. The empty assembly keeps the compiler from computing the address behind one. */
static ALWAYS_INLINE const uint32_t *longest_value(
	const struct lpm *lpm, const struct node *n, uint64_t match, const uint32_t *otherwise)
{
	size_t up_to_it = n->value + (uint32_t)__builtin_popcountll(n->prefixes & (match ^ (match - 1)));
	uintptr_t value = (uintptr_t)lpm->values.flat + (up_to_it - 1) * sizeof(uint32_t); /* or nowhere */
	__asm__("" : "+r"(value));
	return __builtin_expect_with_probability(match != 0, 1, 0.5) ? (const uint32_t *)value : otherwise;
}

/* Down from a node, of which index i is taken; what is left of the address is in k. */
static ALWAYS_INLINE uint32_t find_below(
	const struct lpm *lpm, const struct node *n, unsigned i, struct key k, const uint32_t *best)
{
	for (;;) {
		best = longest_value(lpm, n, n->prefixes & lpm_above[i], best);
		if (!has_child(n, i))
			return *best;
		n = node_at(lpm, child_ref(n, i));
		i = key_take(&k, STRIDE);
	}
}

static const uint32_t lpm_no_value = LPM_NONE;

/* All that a root can hold; entries do not count it. */
static inline uint32_t default_value(const struct lpm *lpm, uint32_t root)
{
	const struct node *n = node_at(lpm, root);
	return n->prefixes ? *value_at(lpm, n->value) : LPM_NONE;
}

/* IPv4 where the shortcut's node is the last one, as nearly always; false elsewhere. LPM_NONE: there may be a
 * default route. */
static ALWAYS_INLINE bool find_short(const struct lpm *lpm, const struct addr *addr, uint32_t *ret)
{
	const struct shortcut *s = &lpm->shortcuts[ROOT(ADDR_V4)];
	if (UNLIKELY(addr->family != ADDR_V4 || !s->size))
		return false;
	struct rd r = rd_make(addr->bytes, 4);
	uint32_t a = rd_u32(&r);
	const struct entry *e = &s->entries[a >> (32 - SHORTCUT_BITS)];
	const struct node *n = node_at(lpm, e->node);
	unsigned i = a >> (32 - SHORTCUT_BITS - STRIDE) & ((1u << STRIDE) - 1);
	if (UNLIKELY(has_child(n, i)))
		return false;
	*ret = *longest_value(lpm, n, n->prefixes & lpm_above[i], &e->value);
	return true;
}

static ALWAYS_INLINE uint32_t find(const struct lpm *lpm, const struct addr *addr)
{
	const struct shortcut *s = &lpm->shortcuts[ROOT(addr->family)];
	struct key k = key_make(addr);
	uint32_t at = (uint32_t)(k.hi >> (64 - SHORTCUT_BITS)) - s->first;
	if (UNLIKELY(at >= s->size)) {
		unsigned i = key_take(&k, STRIDE - PAD_BITS);
		return find_below(lpm, node_at(lpm, ROOT(addr->family)), i, k, &lpm_no_value);
	}
	const struct entry *e = &s->entries[at];
	(void)key_take(&k, SHORTCUT_BITS);
	unsigned i = key_take(&k, STRIDE);
	uint32_t value = find_below(lpm, node_at(lpm, e->node), i, k, &e->value);
	return LIKELY(value != LPM_NONE) ? value : default_value(lpm, ROOT(addr->family));
}

/* Exactly this prefix's value; a long one begins at its shortcut. */
static ALWAYS_INLINE uint32_t get(const struct lpm *lpm, const struct prefix *prefix)
{
	const uint32_t root = ROOT(prefix->addr.family);
	const struct shortcut *s = &lpm->shortcuts[root];
	struct key k = key_make(&prefix->addr);
	uint32_t at = (uint32_t)(k.hi >> (64 - SHORTCUT_BITS)) - s->first, ref = root;
	unsigned bits = STRIDE - PAD_BITS, left = prefix->len + PAD_BITS; /* behind the node */
	if (left >= SHORTCUT_LEVEL * STRIDE && at < s->size) {
		ref = s->entries[at].node;
		(void)key_take(&k, SHORTCUT_BITS);
		bits = STRIDE;
		left -= SHORTCUT_LEVEL * STRIDE;
	}
	const struct node *n = node_at(lpm, ref);
	unsigned i = key_take(&k, bits);
	for (; left >= STRIDE; left -= STRIDE) {
		if (!has_child(n, i))
			return LPM_NONE;
		n = node_at(lpm, child_ref(n, i));
		i = key_take(&k, STRIDE);
	}
	unsigned place = PLACE(1u << left | i >> (STRIDE - left));
	return n->prefixes >> place & 1 ? *value_at(lpm, value_ref(n, place)) : LPM_NONE;
}

/* Counting bits is one instruction on every processor since 2008 or so, but not in the base that
 * distributions compile for: what contains find or get is compiled twice, and lpm_can_count says which. */
#if defined(__x86_64__)
#define LPM_COUNTING __attribute__((target("popcnt,lzcnt,bmi,bmi2")))
static inline bool lpm_can_count(void)
{
	return __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
#else
#define LPM_COUNTING
static inline bool lpm_can_count(void)
{
	return true;
}
#endif

/* The way from the root to the node that holds a prefix. */
struct trail {
	uint32_t refs[LEVELS_MAX];
	uint8_t index[LEVELS_MAX]; /* six bits chosen at each level */
	unsigned depth;            /* of the last node reached */
	unsigned wanted;           /* of the node that holds the prefix */
	unsigned wanted_len;       /* of the prefix */
	unsigned place;            /* of the prefix in that node */
};

/* Follows the trail as far as there are nodes. */
static inline void follow(const struct lpm *lpm, const struct prefix *prefix, struct trail *t)
{
	struct key k = key_make(&prefix->addr);
	unsigned len = prefix->len + PAD_BITS, within = len % STRIDE;
	t->wanted = len / STRIDE;
	t->wanted_len = prefix->len;
	for (unsigned d = 0; d <= t->wanted; d++)
		t->index[d] = (uint8_t)key_take(&k, d ? STRIDE : STRIDE - PAD_BITS);
	t->place = PLACE(1u << within | t->index[t->wanted] >> (STRIDE - within));
	t->refs[0] = ROOT(prefix->addr.family);
	for (t->depth = 0; t->depth < t->wanted; t->depth++) {
		const struct node *n = node_at(lpm, t->refs[t->depth]);
		if (!has_child(n, t->index[t->depth]))
			break;
		t->refs[t->depth + 1] = child_ref(n, t->index[t->depth]);
	}
}

/* The node that holds the prefix, or NULL. */
static inline struct node *holder(const struct lpm *lpm, const struct trail *t)
{
	struct node *n = node_at(lpm, t->refs[t->depth]);
	return t->depth == t->wanted && n->prefixes >> t->place & 1 ? n : NULL;
}

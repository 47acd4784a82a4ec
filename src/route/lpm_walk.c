/* SPDX-License-Identifier: BSD-2-Clause */

/* The longest match read in other ways: the prefixes above one, and all of them in order.
 *
 * The order of prefix_cmp, by address and then by length, is the trie's preorder. Within a node it is
 * that of *steps*, 8 * index + length: the length 0 to 5 within the node and the index of six bits, its lower
 * ones zero for a shorter one, say where a prefix stands; a child counts as length 6. Going on means the
 * smallest step behind the last one in the deepest node of the trail, or else behind the child in the
 * node above. Nothing is kept between two calls, so the trie may change meanwhile. */

#include "route/lpm_tree.h"

#define CHILD      STRIDE /* as a length within a node */
#define STEP(i, w) (8 * (i) + (w))
#define STEPS_END  UINT32_MAX

/* The first step of this length within the node that is not below `from`. */
static uint32_t next_of_length(const struct node *n, unsigned w, uint32_t from)
{
	unsigned low_bits = STRIDE - w;
	uint32_t index = from > w ? (from - w + 7) / 8 : 0, place = (index + (1u << low_bits) - 1) >> low_bits;
	if (place >> w) /* behind the last one */
		return STEPS_END;
	if (w == CHILD) {
		uint64_t children = n->children & ~0ull << place;
		return children ? STEP((uint32_t)__builtin_ctzll(children), w) : STEPS_END;
	}
	/* Places run downwards: from this one to the last of the length. */
	uint64_t not_before = (2ull << PLACE(1u << w | place)) - 1, not_shorter = ~0ull << PLACE((2u << w) - 1);
	uint64_t row = n->prefixes & not_before & not_shorter;
	if (!row)
		return STEPS_END;
	uint32_t heap = PLACE(63 - (uint32_t)__builtin_clzll(row));
	return STEP((heap - (1u << w)) << low_bits, w);
}

static uint32_t next_step(const struct node *n, uint32_t from)
{
	uint32_t best = STEPS_END;
	for (unsigned w = 0; w <= CHILD; w++) {
		uint32_t step = next_of_length(n, w, from);
		best = step < best ? step : best;
	}
	return best;
}

/* The bits that the trail has chosen, as an address. */
static struct addr trail_addr(const struct trail *t, uint8_t family)
{
	uint8_t bytes[sizeof(((struct addr *)0)->bytes) + 2] = {(uint8_t)(t->index[0] << 7)};
	struct addr a = {.family = family};
	for (unsigned d = 1; d <= t->depth; d++) {
		unsigned bit = d * STRIDE - PAD_BITS, shifted = (unsigned)t->index[d] << (16 - STRIDE - bit % 8);
		bytes[bit / 8] |= (uint8_t)(shifted >> 8);
		bytes[bit / 8 + 1] |= (uint8_t)shifted;
	}
	memcpy(a.bytes, bytes, sizeof(a.bytes));
	return a;
}

/* The first prefix of the family that stands at or behind `step` of the trail's last node. */
static bool next_in_family(const struct lpm *lpm, struct trail *t, uint8_t family, uint32_t step,
	struct prefix *ret_prefix, uint32_t *ret_value)
{
	for (;;) {
		const struct node *n = node_at(lpm, t->refs[t->depth]);
		step = next_step(n, step);
		if (step == STEPS_END) {
			if (t->depth-- == 0)
				return false;
			step = STEP(t->index[t->depth], CHILD) + 1u;
			continue;
		}
		unsigned i = step / 8, w = step % 8;
		t->index[t->depth] = (uint8_t)i;
		if (w < CHILD) {
			unsigned place = PLACE(1u << w | i >> (STRIDE - w));
			*ret_prefix = (struct prefix){trail_addr(t, family), (uint8_t)(t->depth * STRIDE + w - PAD_BITS)};
			*ret_value = *value_at(lpm, value_ref(n, place));
			return true;
		}
		t->refs[++t->depth] = child_ref(n, i);
		step = 0;
	}
}

/* Where the trail of a prefix ends, the first step behind the prefix. */
static uint32_t step_behind(const struct trail *t)
{
	unsigned w = t->depth == t->wanted ? (t->wanted_len + PAD_BITS) % STRIDE : CHILD;
	return STEP(t->index[t->depth], w) + 1u;
}

bool lpm_next(const struct lpm *lpm, const struct prefix *after, struct prefix *ret_prefix, uint32_t *ret_value)
{
	static const uint8_t families[] = {ADDR_V4, ADDR_V6};
	for (unsigned f = 0; f < ARRAY_LEN(families); f++) {
		struct trail t = {.refs = {ROOT(families[f])}};
		uint32_t step = 0;
		if (after && after->addr.family > families[f])
			continue;
		if (after && after->addr.family == families[f]) {
			struct prefix clean = prefix_make(&after->addr, after->len);
			follow(lpm, &clean, &t);
			step = step_behind(&t);
		}
		if (next_in_family(lpm, &t, families[f], step, ret_prefix, ret_value))
			return true;
	}
	return false;
}

size_t lpm_covering_prefix(const struct lpm *lpm, const struct prefix *prefix, uint32_t ret[static LPM_DEPTH_MAX])
{
	struct trail t;
	size_t count = 0;
	if (prefix->addr.family == ADDR_NONE)
		return 0;
	struct prefix clean = prefix_make(&prefix->addr, prefix->len);
	follow(lpm, &clean, &t);
	uint64_t allowed = t.depth == t.wanted ? ~0ull << t.place : ~0ull;
	for (unsigned d = t.depth + 1; d-- > 0; allowed = ~0ull) {
		const struct node *node = node_at(lpm, t.refs[d]);
		for (uint64_t match = node->prefixes & lpm_above[t.index[d]] & allowed; match;) {
			unsigned place = longest(match);
			ret[count++] = *value_at(lpm, value_ref(node, place));
			match &= ~(1ull << place);
		}
	}
	return count;
}

size_t lpm_covering(const struct lpm *lpm, const struct addr *addr, uint32_t ret[static LPM_DEPTH_MAX])
{
	struct prefix host = {*addr, (uint8_t)addr_bits(addr)};
	return lpm_covering_prefix(lpm, &host, ret);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "random_prefix.h"

#include "route/lpm.h"

#define NAIVE_MAX 9000

/* The same map as a list. */
struct naive {
	struct prefix prefixes[NAIVE_MAX];
	uint32_t values[NAIVE_MAX];
	size_t count;
};

static size_t naive_find(const struct naive *n, const struct prefix *p)
{
	size_t i = 0;
	while (i < n->count && !prefix_equal(&n->prefixes[i], p))
		i++;
	return i;
}

static void naive_set(struct naive *n, const struct prefix *p, uint32_t value)
{
	size_t i = naive_find(n, p);
	assert_true(i < NAIVE_MAX);
	n->prefixes[i] = *p;
	n->values[i] = value;
	if (i == n->count)
		n->count++;
}

static void naive_del(struct naive *n, size_t i)
{
	n->count--;
	n->prefixes[i] = n->prefixes[n->count];
	n->values[i] = n->values[n->count];
}

static size_t naive_covering(const struct naive *n, const struct addr *a, uint32_t ret[static LPM_DEPTH_MAX])
{
	uint32_t by_len[LPM_DEPTH_MAX];
	memset(by_len, 0xff, sizeof(by_len));
	for (size_t i = 0; i < n->count; i++)
		if (prefix_contains(&n->prefixes[i], a))
			by_len[n->prefixes[i].len] = n->values[i];
	size_t found = 0;
	for (size_t len = LPM_DEPTH_MAX; len-- > 0;)
		if (by_len[len] != LPM_NONE)
			ret[found++] = by_len[len];
	return found;
}

/* The address among others, which have to be what they are alone. */
static void check_many(const struct lpm *lpm, const struct addr *a, uint32_t want)
{
	struct addr addrs[70];
	uint32_t values[70];
	size_t n = 1 + (size_t)wt_random_below(ARRAY_LEN(addrs)), at = (size_t)wt_random_below(n);
	if (wt_random_below(64))
		return;
	for (size_t i = 0; i < n; i++) {
		addrs[i] = *a;
		addrs[i].bytes[1 + wt_random_below(3)] ^= (uint8_t)wt_random();
	}
	addrs[at] = *a;
	lpm_lookup_many(lpm, addrs, n, values);
	assert_int_equal(values[at], want);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(values[i], lpm_lookup(lpm, &addrs[i]));
}

static void check_addr(const struct lpm *lpm, const struct naive *n, const struct addr *a)
{
	uint32_t want[LPM_DEPTH_MAX], got[LPM_DEPTH_MAX];
	size_t count = naive_covering(n, a, want);
	assert_int_equal(lpm_covering(lpm, a, got), count);
	assert_memory_equal(got, want, count * sizeof(*got));
	assert_int_equal(lpm_lookup(lpm, a), count ? want[0] : LPM_NONE);
	check_many(lpm, a, count ? want[0] : LPM_NONE);
}

/* Behind `after` (NULL: from the start) in the list. */
static size_t naive_next(const struct naive *n, const struct prefix *after)
{
	size_t best = n->count;
	for (size_t i = 0; i < n->count; i++)
		if ((!after || prefix_cmp(&n->prefixes[i], after) > 0) &&
			(best == n->count || prefix_cmp(&n->prefixes[i], &n->prefixes[best]) < 0))
			best = i;
	return best;
}

static void check_next(const struct lpm *lpm, const struct naive *n, const struct prefix *after)
{
	struct prefix got;
	uint32_t value;
	size_t want = naive_next(n, after);
	assert_int_equal(lpm_next(lpm, after, &got, &value), want < n->count);
	if (want == n->count)
		return;
	assert_true(prefix_equal(&got, &n->prefixes[want]));
	assert_int_equal(value, n->values[want]);
}

/* The prefixes above one are those above its first address that are not longer than it. */
static void check_covering_prefix(const struct lpm *lpm, const struct naive *n, const struct prefix *p)
{
	uint32_t want[LPM_DEPTH_MAX], got[LPM_DEPTH_MAX];
	memset(want, 0xff, sizeof(want));
	for (size_t i = 0; i < n->count; i++)
		if (n->prefixes[i].len <= p->len && prefix_contains(&n->prefixes[i], &p->addr))
			want[n->prefixes[i].len] = n->values[i];
	size_t count = lpm_covering_prefix(lpm, p, got), at = 0;
	for (size_t len = LPM_DEPTH_MAX; len-- > 0;)
		if (want[len] != LPM_NONE)
			assert_int_equal(at < count ? got[at++] : LPM_NONE, want[len]);
	assert_int_equal(at, count);
}

static void change(struct lpm *lpm, struct naive *n, size_t max, bool grow, bool v6)
{
	uint32_t value = (uint32_t)wt_random_below(LPM_NONE);
	struct prefix p = random_prefix(v6);
	size_t known = n->count ? (size_t)wt_random_below(n->count) : 0;
	if (n->count < max && (grow || !wt_random_below(4))) {
		assert_int_equal(lpm_set(lpm, &p, value), 0);
		naive_set(n, &p, value);
	} else if (n->count && wt_random_below(8)) {
		assert_int_equal(lpm_del(lpm, &n->prefixes[known]), 0);
		naive_del(n, known);
	} else {
		size_t i = naive_find(n, &p);
		assert_int_equal(lpm_del(lpm, &p), i < n->count ? 0 : -ENOENT);
		if (i < n->count)
			naive_del(n, i);
	}
}

static void check_near(const struct lpm *lpm, const struct naive *n, bool v6)
{
	struct prefix p = random_prefix(v6);
	size_t i = naive_find(n, &p);
	assert_int_equal(lpm_get(lpm, &p), i < n->count ? n->values[i] : LPM_NONE);
	struct addr a = random_addr(v6);
	check_addr(lpm, n, &a);
	check_next(lpm, n, &p);
	check_covering_prefix(lpm, n, &p);
	if (!n->count)
		return;
	i = (size_t)wt_random_below(n->count);
	assert_int_equal(lpm_get(lpm, &n->prefixes[i]), n->values[i]);
	a = random_addr_in(&n->prefixes[i]);
	check_addr(lpm, n, &a);
	check_next(lpm, n, &n->prefixes[i]);
	check_covering_prefix(lpm, n, &n->prefixes[i]);
}

/* All, one after the other. */
static void check_walk(const struct lpm *lpm, const struct naive *n)
{
	struct prefix before, p;
	uint32_t value;
	size_t count = 0;
	for (bool more = lpm_next(lpm, NULL, &p, &value); more; more = lpm_next(lpm, &before, &p, &value)) {
		assert_true(count == 0 || prefix_cmp(&before, &p) < 0);
		size_t i = naive_find(n, &p);
		assert_true(i < n->count);
		assert_int_equal(value, n->values[i]);
		before = p;
		count++;
	}
	assert_int_equal(count, n->count);
}

static void random_changes_match_a_list(void **state)
{
	static struct naive n;
	struct lpm *lpm;
	assert_int_equal(lpm_new(&lpm), 0);
	bool grow = true;
	for (unsigned round = 0; round < 30000; round++) {
		if (round % 1000 == 0)
			grow = !grow || n.count < 10;
		bool v6 = wt_random_below(2);
		change(lpm, &n, 600, grow, v6);
		assert_int_equal(lpm_count(lpm), n.count);
		check_near(lpm, &n, v6);
		if (round % 1000 == 500)
			check_walk(lpm, &n);
	}
	lpm_free(lpm);
}

/* The same with so many prefixes of one family that it gets its shortcut, and down to none again. Most
 * are short or just below the shortcut's depth, where a change must reach its entries. */
static void random_changes_to_a_large_table(bool v6)
{
	static struct naive n;
	struct lpm *lpm;
	memset(&n, 0, sizeof(n));
	assert_int_equal(lpm_new(&lpm), 0);
	size_t empty_bytes = lpm_memory_bytes(lpm);
	while (n.count < 5000) {
		struct addr a = random_addr(v6);
		struct prefix p = prefix_make(&a, 12 + (unsigned)wt_random_below(16));
		uint32_t value = (uint32_t)wt_random_below(LPM_NONE);
		naive_set(&n, &p, value);
		assert_int_equal(lpm_set(lpm, &p, value), 0);
	}
	assert_true(lpm_memory_bytes(lpm) > empty_bytes + 65536 * 8);
	for (unsigned round = 0; round < 4000; round++) {
		change(lpm, &n, NAIVE_MAX - 1, round % 2000 < 1000, v6);
		check_near(lpm, &n, v6);
	}
	check_walk(lpm, &n);
	while (n.count) {
		size_t i = (size_t)wt_random_below(n.count);
		assert_int_equal(lpm_del(lpm, &n.prefixes[i]), 0);
		naive_del(&n, i);
		if (n.count % 8 == 0)
			check_near(lpm, &n, v6);
	}
	lpm_free(lpm);
}

static void random_changes_to_a_large_ipv4_table(void **state)
{
	random_changes_to_a_large_table(false);
}

static void random_changes_to_a_large_ipv6_table(void **state)
{
	random_changes_to_a_large_table(true);
}

/* Every length of one address: /0 to /32 and /0 to /128 cover it, longest first. */
static void every_length_covers(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct lpm *lpm;
		assert_int_equal(lpm_new(&lpm), 0);
		struct addr a = random_addr(v6);
		unsigned bits = addr_bits(&a);
		for (unsigned len = 0; len <= bits; len++) {
			struct prefix p = prefix_make(&a, len);
			assert_int_equal(lpm_lookup(lpm, &a), len ? len - 1 : LPM_NONE);
			assert_int_equal(lpm_set(lpm, &p, len), 0);
		}
		uint32_t covering[LPM_DEPTH_MAX];
		assert_int_equal(lpm_covering(lpm, &a, covering), bits + 1);
		for (unsigned i = 0; i <= bits; i++)
			assert_int_equal(covering[i], bits - i);
		for (unsigned bit = 0; bit < bits; bit++) {
			struct addr other = a;
			other.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			assert_int_equal(lpm_lookup(lpm, &other), bit);
		}
		lpm_free(lpm);
	}
}

static void check_order_of_families(const struct lpm *lpm, const struct prefix *v4, const struct prefix *v6)
{
	struct prefix p, none = {.len = 0};
	uint32_t value;
	assert_true(lpm_next(lpm, &none, &p, &value) && prefix_equal(&p, v4));
	assert_true(lpm_next(lpm, v4, &p, &value) && prefix_equal(&p, v6) && value == 6);
	assert_false(lpm_next(lpm, v6, &p, &value));
	uint32_t covering[LPM_DEPTH_MAX];
	assert_int_equal(lpm_covering_prefix(lpm, &none, covering), 0);
}

static void families_are_apart(void **state)
{
	struct lpm *lpm;
	struct prefix v4, v6;
	struct addr a4, a6, none = {.family = ADDR_NONE};
	assert_int_equal(prefix_parse("0.0.0.0/0", &v4, NULL), 0);
	assert_int_equal(prefix_parse("::/0", &v6, NULL), 0);
	assert_int_equal(addr_parse("0.0.0.0", &a4), 0);
	assert_int_equal(addr_parse("::", &a6), 0);
	assert_int_equal(lpm_new(&lpm), 0);
	assert_int_equal(lpm_set(lpm, &v4, 4), 0);
	assert_int_equal(lpm_lookup(lpm, &a6), LPM_NONE);
	assert_int_equal(lpm_set(lpm, &v6, 6), 0);
	assert_int_equal(lpm_lookup(lpm, &a4), 4);
	assert_int_equal(lpm_lookup(lpm, &a6), 6);
	assert_int_equal(lpm_lookup(lpm, &none), LPM_NONE);
	check_order_of_families(lpm, &v4, &v6);
	struct prefix neither = {.addr = none};
	assert_int_equal(lpm_set(lpm, &neither, 1), -EINVAL);
	assert_int_equal(lpm_del(lpm, &neither), -ENOENT);
	lpm_free(lpm);
	lpm_free(NULL);
}

/* Filling and emptying again and again takes no more memory than a few times. */
static void memory_is_used_again(void **state)
{
	enum { PREFIXES = 2000 };
	static struct prefix prefixes[PREFIXES];
	struct lpm *lpm;
	assert_int_equal(lpm_new(&lpm), 0);
	size_t settled = 0;
	for (size_t i = 0; i < PREFIXES; i++)
		prefixes[i] = random_prefix(i % 2);
	for (unsigned round = 0; round < 40; round++) {
		for (size_t i = 0; i < PREFIXES; i++)
			assert_int_equal(lpm_set(lpm, &prefixes[i], (uint32_t)i), 0);
		for (size_t i = PREFIXES; i > 1; i--) {
			size_t j = (size_t)wt_random_below(i);
			struct prefix swap = prefixes[i - 1];
			prefixes[i - 1] = prefixes[j];
			prefixes[j] = swap;
		}
		for (size_t i = 0; i < PREFIXES; i++)
			(void)lpm_del(lpm, &prefixes[i]);
		assert_int_equal(lpm_count(lpm), 0);
		if (round == 10)
			settled = lpm_memory_bytes(lpm);
	}
	assert_true(lpm_memory_bytes(lpm) <= settled * 3 / 2);
	lpm_free(lpm);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_match_a_list),
		cmocka_unit_test(random_changes_to_a_large_ipv4_table),
		cmocka_unit_test(random_changes_to_a_large_ipv6_table),
		cmocka_unit_test(every_length_covers),
		cmocka_unit_test(families_are_apart),
		cmocka_unit_test(memory_is_used_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

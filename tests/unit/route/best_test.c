/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/best.h"

#include <string.h>

#include "wt_test.h"

static struct addr peers[8];

/* RFC 4271 section 9.1.2.2 read literally: strike out, one rule after the other. */
static const struct best_candidate *naive(const struct best_candidate *c, size_t n)
{
	bool out[64] = {0};
	for (int rule = 0; rule < 6; rule++) {
		bool beaten[64] = {0};
		for (size_t i = 0; i < n; i++) {
			for (size_t j = 0; j < n; j++) {
				if (out[i] || out[j])
					continue;
				int peer = addr_cmp(c[j].peer, c[i].peer);
				beaten[i] |= (rule == 0 && c[j].local_pref > c[i].local_pref) ||
					(rule == 1 && c[j].path_length < c[i].path_length) ||
					(rule == 2 && c[j].origin_code < c[i].origin_code) ||
					(rule == 3 && c[j].neighbour == c[i].neighbour && c[j].med < c[i].med) ||
					(rule == 4 && peer < 0) || (rule == 5 && c[j].path_id < c[i].path_id);
			}
		}
		for (size_t i = 0; i < n; i++)
			out[i] |= beaten[i];
	}
	for (size_t i = 0; i < n; i++)
		if (!out[i])
			return &c[i];
	return NULL;
}

static struct best_candidate random_candidate(uint32_t path_id)
{
	return (struct best_candidate){
		.local_pref = 100 + (uint32_t)wt_random_below(2),
		.path_length = (uint32_t)wt_random_below(3),
		.med = (uint32_t)wt_random_below(4),
		.neighbour = (uint32_t)wt_random_below(3),
		.origin_code = (uint8_t)wt_random_below(3),
		.path_id = path_id,
		.peer = &peers[wt_random_below(ARRAY_LEN(peers))],
	};
}

static void test_against_naive(void **state)
{
	struct best b;
	best_init(&b);
	for (unsigned round = 0; round < 20000; round++) {
		struct best_candidate c[40];
		size_t n = 1 + wt_random_below(ARRAY_LEN(c));
		for (size_t i = 0; i < n; i++)
			c[i] = random_candidate((uint32_t)i);
		best_clear(&b);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(best_add(&b, &c[i]), 0);
		assert_int_equal(best_choose(&b)->path_id, naive(c, n)->path_id);
	}
	best_done(&b);
}

static void test_none_and_many(void **state)
{
	struct best b;
	best_init(&b);
	assert_null(best_choose(&b));
	for (uint32_t i = 0; i < 65535; i++) {
		struct best_candidate c = {.neighbour = i % 100, .med = 65535 - i, .peer = &peers[3], .path_id = i};
		assert_int_equal(best_add(&b, &c), 0);
	}
	assert_int_equal(best_choose(&b)->path_id, 65435);
	best_clear(&b);
	assert_null(best_choose(&b));
	best_done(&b);
}

int main(void)
{
	wt_random_init();
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		peers[i] = i < 4 ? addr_from_v4((uint8_t[]){10, 0, 0, (uint8_t)i})
				 : addr_from_v6((uint8_t[16]){0x20, [15] = (uint8_t)i});
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_naive),
		cmocka_unit_test(test_none_and_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

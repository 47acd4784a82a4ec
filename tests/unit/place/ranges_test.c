/* SPDX-License-Identifier: BSD-2-Clause */
#include "place/ranges.h"

#include "wt_test.h"

static u128 edge(unsigned family)
{
	return family == ADDR_V4 ? UINT32_MAX : ~(u128)0;
}

static uint16_t get(const struct range_map *map, unsigned family, u128 addr)
{
	return family == ADDR_V4 ? range_map_get_v4(map, (uint32_t)addr) : range_map_get_v6(map, addr);
}

/* The later range wins. */
static uint16_t naive(const struct range *ranges, size_t count, u128 addr)
{
	for (size_t i = count; i-- > 0;)
		if (ranges[i].first <= addr && addr <= ranges[i].last)
			return ranges[i].value;
	return 0;
}

/* Near a few places, so that ranges meet: the ends of the space, of 16-bit blocks, and some others. */
static u128 random_place(unsigned family)
{
	unsigned bits = family == ADDR_V4 ? 32 : 128;
	u128 block = (u128)wt_random_below(4) << (bits - 16);
	switch (wt_random_below(6)) {
	case 0:
		return wt_random_below(40);
	case 1:
		return edge(family) - wt_random_below(40);
	case 2:
		return (block + wt_random_below(40) - 20) & edge(family);
	case 3:
		return ((u128)wt_random() << 64 | wt_random()) & edge(family);
	default:
		return block + wt_random_below(200);
	}
}

static void check_random(unsigned family, size_t count)
{
	struct range *all = calloc(count + 1, sizeof(*all));
	struct range_list list = {0};
	for (size_t i = 0; i < count; i++) {
		u128 a = random_place(family), b = random_place(family);
		uint16_t value = (uint16_t)(1 + wt_random_below(4));
		all[i] = (struct range){.first = a < b ? a : b, .last = a < b ? b : a, .value = value};
		assert_int_equal(range_list_add(&list, all[i].first, all[i].last, value), 0);
	}
	struct range_map map;
	assert_int_equal(range_map_init(&map, &list, family), 0);
	for (size_t i = 0; i < 3 * count + 50; i++) {
		u128 addr = i < count ? all[i].first : i < 2 * count ? all[i - count].last : random_place(family);
		for (int d = -1; d <= 1; d++) {
			u128 near = (addr + (u128)(__int128)d) & edge(family);
			assert_int_equal(get(&map, family, near), naive(all, count, near));
		}
	}
	assert_int_equal(get(&map, family, 0), naive(all, count, 0));
	assert_int_equal(get(&map, family, edge(family)), naive(all, count, edge(family)));
	range_map_done(&map);
	range_list_done(&list);
	free(all);
}

static void test_random(void **state)
{
	for (unsigned i = 0; i < 150; i++) {
		check_random(ADDR_V4, i < 100 ? wt_random_below(8) : wt_random_below(900));
		check_random(ADDR_V6, i < 100 ? wt_random_below(8) : wt_random_below(900));
	}
}

static void test_empty(void **state)
{
	for (unsigned family = ADDR_V4; family <= ADDR_V6; family += ADDR_V6 - ADDR_V4) {
		struct range_list list = {0};
		struct range_map map;
		assert_int_equal(range_map_init(&map, &list, family), 0);
		assert_int_equal(map.ranges, 0);
		assert_int_equal(get(&map, family, 0), 0);
		assert_int_equal(get(&map, family, edge(family)), 0);
		range_map_done(&map);
	}
}

/* The whole space, and neighbours that become one. */
static void test_merging(void **state)
{
	struct range_list list = {0};
	struct range_map map;
	assert_int_equal(range_list_add(&list, 0, UINT32_MAX, 7), 0);
	assert_int_equal(range_list_add(&list, 200, 299, 8), 0);
	assert_int_equal(range_list_add(&list, 100, 199, 8), 0);
	assert_int_equal(range_list_add(&list, 250, 260, 7), 0);
	assert_int_equal(range_list_add(&list, 255, 260, 8), 0);
	assert_int_equal(range_map_init(&map, &list, ADDR_V4), 0);
	/* 7 | 8 from 100 | 7 from 250 | 8 from 255 | 7 from 300 */
	assert_int_equal(map.count, 5);
	assert_int_equal(map.ranges, 5);
	range_map_done(&map);
	range_list_done(&list);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_merging),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

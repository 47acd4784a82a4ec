/* SPDX-License-Identifier: BSD-2-Clause */
#include "wt_test.h"

#include <stdio.h>
#include <string.h>

#include "wire/tag.h"

/* The hashes of "a" and "foobar" are among FNV's published test vectors; the others were computed apart from
 * this code. All are frozen: other programs have them in their sources. */
static void tags_are_frozen(void **state)
{
	static const struct {
		const char *name;
		uint32_t hash;
	} known[] = {{"a", 0xe40c292c}, {"foobar", 0xbf9cf968}, {"video", 0xcef90b6c}, {"api", 0x386aaa87},
		{"\xc3\xa9", 0x1e9de8c1}};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		uint32_t folded = (known[i].hash ^ known[i].hash >> 31) | 0x80000000u;
		assert_int_equal(tag_of_type(known[i].name, strlen(known[i].name)), folded);
	}
	assert_int_equal(tag_of_type("", 0), TAG_NONE);
	assert_int_equal(tag_of_type(NULL, 0), TAG_NONE);
}

/* No name's tag is a number that people may choose, and names of every length differ. */
static void names_are_told_from_numbers(void **state)
{
	static uint32_t tags[20000];
	int same = 0;
	for (int i = 0; i < 20000; i++) {
		char name[32];
		int len = snprintf(name, sizeof(name), "host-%d.example", i);
		tags[i] = tag_of_type(name, (size_t)len);
		assert_true(tags[i] & TAG_OF_NAME);
		for (int j = i % 100; j < i; j += 100) /* a hundredth of all pairs */
			same += tags[i] == tags[j];
	}
	assert_true(same <= 3); /* by chance 0.001 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_are_frozen),
		cmocka_unit_test(names_are_told_from_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

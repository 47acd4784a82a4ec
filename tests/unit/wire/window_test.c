/* SPDX-License-Identifier: BSD-2-Clause */
#include "wt_test.h"

#include <string.h>

#include "wire/window.h"

enum { NUMBERS = 3 * WINDOW_SIZE };

/* Random arrivals against a list of flags. */
static void agrees_with_a_list(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct window w = {0};
		static bool seen[NUMBERS];
		memset(seen, 0, sizeof(seen));
		uint64_t base = 0, end = 0;
		for (int i = 0; i < 20000; i++) {
			uint64_t seq = base + wt_random_below(round % 2 ? 40 : 2 * WINDOW_SIZE);
			if (wt_random_below(4) == 0)
				seq = base;
			if (seq >= NUMBERS)
				break;
			enum window_verdict v = window_check(&w, seq), expected = seen[seq] ? WINDOW_SEEN
				: seq - base >= WINDOW_SIZE                                  ? WINDOW_AHEAD
				: seq < end                                                  ? WINDOW_REORDERED
											     : WINDOW_NEW;
			assert_int_equal(v, expected);
			if (v == WINDOW_SEEN || v == WINDOW_AHEAD)
				continue;
			window_accept(&w, seq);
			seen[seq] = true;
			end = seq >= end ? seq + 1 : end;
			while (base < NUMBERS && seen[base])
				base++;
			assert_true(w.base == base && w.end == end);
		}
		uint8_t bytes[WINDOW_STATE_MAX];
		struct wr out = wr_make(bytes, sizeof(bytes));
		window_write(&w, &out);
		assert_true(wr_ok(&out));
		struct rd in = rd_make(bytes, wr_len(&out));
		struct window again;
		window_read(&in, &again);
		assert_true(rd_done(&in));
		assert_memory_equal(&again, &w, sizeof(w));
	}
}

static void every_truncation_fails(void **state)
{
	struct window w = {0};
	for (uint64_t seq = 3; seq < 300; seq += 2)
		window_accept(&w, seq);
	uint8_t bytes[WINDOW_STATE_MAX];
	struct wr out = wr_make(bytes, sizeof(bytes));
	window_write(&w, &out);
	for (size_t n = 0; n < wr_len(&out); n++) {
		struct rd in = rd_make(bytes, n);
		struct window again;
		window_read(&in, &again);
		assert_false(rd_ok(&in));
	}
}

/* The highest number that may be accepted leaves a state that can be read. */
static void the_last_number_can_be_read_back(void **state)
{
	struct window w = {0}, again;
	uint8_t bytes[WINDOW_STATE_MAX];
	window_forward(&w, WINDOW_SEQ_MAX);
	assert_int_equal(window_check(&w, WINDOW_SEQ_MAX), WINDOW_NEW);
	window_accept(&w, WINDOW_SEQ_MAX);
	struct wr out = wr_make(bytes, sizeof(bytes));
	window_write(&w, &out);
	struct rd in = rd_make(bytes, wr_len(&out));
	window_read(&in, &again);
	assert_true(rd_done(&in));
	assert_memory_equal(&again, &w, sizeof(w));
	assert_true(w.base == WINDOW_SEQ_MAX + 1);
}

static void wild_states_are_refused(void **state)
{
	uint8_t bytes[10 + WINDOW_ACK_BYTES + 8] = {0};
	struct window w;
	memset(bytes, 0xff, 8); /* base near the end of numbers */
	struct rd in = rd_make(bytes, sizeof(bytes));
	window_read(&in, &w);
	assert_false(rd_ok(&in));
	memset(bytes, 0, sizeof(bytes));
	bytes[8] = 0x04;
	bytes[9] = 0x01; /* 1025 bytes of bitmap */
	in = rd_make(bytes, sizeof(bytes));
	window_read(&in, &w);
	assert_false(rd_ok(&in));
	bytes[9] = 0x00;
	bytes[10 + WINDOW_ACK_BYTES - 1] = 0x80; /* number base + 8192: outside the window */
	in = rd_make(bytes, 10 + WINDOW_ACK_BYTES);
	window_read(&in, &w);
	assert_false(rd_ok(&in));
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_list),
		cmocka_unit_test(every_truncation_fails),
		cmocka_unit_test(the_last_number_can_be_read_back),
		cmocka_unit_test(wild_states_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

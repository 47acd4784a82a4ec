/* SPDX-License-Identifier: BSD-2-Clause */

/* What outlives a sender: what it never sent goes elsewhere, what it owes is sent again by a later one. */

#include "wt_test.h"

#include <errno.h>

#include "sender/fleet.h"
#include "wt_receiver.h"

#define RECORDS 5000

static const struct sender_config config = {.name = "test", .key = {.id = 5}, .memory_bytes = 1 << 20, .datagram_bytes = 512};

struct store {
	uint8_t count[RECORDS];
	uint32_t left; /* bodies that may still be taken */
};

static void on_record(void *ctx, const struct record *rec)
{
	((struct store *)ctx)->count[rec->values[FIELD_bytes_sent]]++;
}

static int take(void *ctx, struct view body, uint32_t records)
{
	struct store *store = ctx;
	struct body b;
	struct record rec;
	int server, type;
	uint32_t n = 0;
	if (!store->left)
		return -ENOSPC;
	store->left--;
	assert_int_equal(body_read(body, &b), 0);
	for (; body_next(&b, &rec, &server, &type) == 1; n++)
		store->count[rec.values[FIELD_bytes_sent]]++;
	assert_int_equal(n, records);
	return 0;
}

static void fill(struct sender *s, uint64_t now)
{
	for (uint32_t i = 0; i < RECORDS; i++) {
		struct record rec = make_record(i);
		assert_int_equal(sender_add(s, &rec, now), 0);
	}
}

/* Sends at most n datagrams; the receiver gets one of three. */
static void send_some(struct sender *s, struct receiver *r, int n, uint64_t now)
{
	struct view d;
	for (int i = 0; i < n && sender_next(s, now, &d); i++)
		if (i % 3 == 0)
			receiver_take(r, d.data, d.len);
}

static void check_once(const struct store *store)
{
	for (uint32_t i = 0; i < RECORDS; i++)
		assert_int_equal(store->count[i], 1);
}

/* A run ends with some sent and acknowledged, some sent and lost, some not sent: all comes out once. */
static void every_record_is_somewhere_once(void **state)
{
	struct sender *s, *later;
	struct receiver r;
	struct store store = {.left = UINT32_MAX};
	struct buffer saved;
	uint8_t ack[DATAGRAM_MAX];
	uint64_t now = 1000 * NS_PER_S;
	struct view d;
	receiver_init(&r, &config.key);
	r.on_record = on_record;
	r.ctx = &store;
	assert_int_equal(sender_new(&config, &s), 0);
	fill(s, now);
	send_some(s, &r, 60, now);
	assert_int_equal(sender_receive(s, (struct view){ack, receiver_ack(&r, ack, sizeof(ack))}, now), 0);
	send_some(s, &r, 20, now); /* received, and nobody said so */
	uint64_t acknowledged = sender_stats(s).acknowledged, owed = sender_owed(s).records;
	assert_true(acknowledged > 0 && owed > 0);
	assert_int_equal(sender_take_unsent(s, true, take, &store, now), 0);
	assert_int_equal(sender_stats(s).records, acknowledged + owed);
	assert_int_equal(sender_owed(s).records, owed);
	buffer_init(&saved);
	sender_save(s, &saved);
	assert_false(saved.failed);
	sender_free(s);

	assert_int_equal(sender_resume(&config, (struct view){saved.data, saved.len}, now, &later), 0);
	assert_int_equal(sender_owed(later).records, owed);
	for (int turn = 0; turn < 1000 && !sender_idle(later); turn++, now += 100 * MS) {
		while (sender_next(later, now, &d))
			if (wt_random_below(3))
				receiver_take(&r, d.data, d.len);
		(void)!sender_receive(later, (struct view){ack, receiver_ack(&r, ack, sizeof(ack))}, now);
	}
	assert_true(sender_idle(later));
	check_once(&store);
	sender_free(later);
	receiver_done(&r);
	buffer_done(&saved);
}

/* Who takes no more keeps the rest waiting, in order, and it is sent as ever. */
static void what_is_refused_stays(void **state)
{
	struct sender *s;
	struct receiver r;
	struct store store = {.left = 5};
	uint8_t ack[DATAGRAM_MAX];
	uint64_t now = 1000 * NS_PER_S;
	receiver_init(&r, &config.key);
	r.on_record = on_record;
	r.ctx = &store;
	assert_int_equal(sender_new(&config, &s), 0);
	fill(s, now);
	assert_int_equal(sender_take_unsent(s, false, take, &store, now), 0);
	assert_int_equal(store.left, 0);
	sender_flush(s, now);
	struct view d;
	for (; !sender_idle(s) && now < 2000 * NS_PER_S; now += MS) {
		while (sender_next(s, now, &d))
			receiver_take(&r, d.data, d.len);
		assert_int_equal(sender_receive(s, (struct view){ack, receiver_ack(&r, ack, sizeof(ack))}, now), 0);
	}
	check_once(&store);
	assert_int_equal(r.sent, sender_stats(s).records);
	sender_free(s);
	receiver_done(&r);
}

static void drops_are_told_by_one(void **state)
{
	struct sender *s;
	struct store store = {.left = UINT32_MAX};
	assert_int_equal(sender_new(&config, &s), 0);
	sender_count_dropped(s, 7);
	assert_int_equal(sender_take_unsent(s, false, take, &store, 1), 0);
	assert_int_equal(sender_take_unsent(s, true, take, &store, 1), 7);
	assert_int_equal(sender_stats(s).dropped, 0);
	assert_true(sender_idle(s));
	struct buffer saved;
	buffer_init(&saved);
	sender_save(s, &saved);
	assert_int_equal(saved.len, 0); /* nothing is owed */
	buffer_done(&saved);
	sender_free(s);
}

/* Every truncation and every changed byte of the head: refused, or a session of its own, never worse. */
static void bad_saves_are_refused(void **state)
{
	struct sender *s, *later;
	struct receiver r;
	struct buffer saved;
	receiver_init(&r, &config.key);
	assert_int_equal(sender_new(&config, &s), 0);
	fill(s, 1);
	send_some(s, &r, 3, 1);
	buffer_init(&saved);
	sender_save(s, &saved);
	for (size_t n = 0; n < saved.len; n++)
		assert_int_equal(sender_resume(&config, (struct view){saved.data, n}, 1, &later), -EBADMSG);
	for (size_t i = 0; i < saved.len && i < 60; i++) {
		saved.data[i] ^= 0x80;
		if (sender_resume(&config, (struct view){saved.data, saved.len}, 1, &later) == 0)
			sender_free(later);
		saved.data[i] ^= 0x80;
	}
	struct sender_config other = config;
	other.key.id = 6;
	assert_int_equal(sender_resume(&other, (struct view){saved.data, saved.len}, 1, &later), -ENOKEY);
	buffer_done(&saved);
	sender_free(s);
	receiver_done(&r);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_is_somewhere_once),
		cmocka_unit_test(what_is_refused_stays),
		cmocka_unit_test(drops_are_told_by_one),
		cmocka_unit_test(bad_saves_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

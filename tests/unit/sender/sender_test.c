/* SPDX-License-Identifier: BSD-2-Clause */

/* A sender against a receiver that is thirty lines of test, over a channel that loses, repeats and
 * reorders, in virtual time: nothing here waits for a clock. */

#include "wt_test.h"

#include <errno.h>
#include <string.h>

#include "sender/sender.h"
#include "wt_receiver.h"

/* ---- helpers ---- */

static struct sender *make_sender(const struct key *key, size_t memory)
{
	/* Small datagrams, so that there are many. */
	struct sender_config config = {.name = "test", .key = *key, .memory_bytes = memory, .datagram_bytes = 512};
	struct sender *s;
	assert_int_equal(sender_new(&config, &s), 0);
	return s;
}

/* Runs the pair until the sender is idle: loss in percent, a delay with jitter, an answer each period. */
static void run(struct sender *s, struct receiver *r, uint64_t total, unsigned loss, uint64_t *now)
{
	enum { CHANNEL = 4096 };
	struct packet *channel = calloc(CHANNEL, sizeof(*channel));
	uint64_t added = 0, next_ack = *now, end = *now + 4000ull * NS_PER_S;
	struct view d;
	while ((added < total || !sender_idle(s)) && *now < end) {
		for (int i = 0; i < 200 && added < total; i++) {
			struct record rec = make_record(added);
			if (sender_add(s, &rec, *now) == -ENOBUFS)
				break;
			added++;
		}
		if (added == total)
			sender_flush(s, *now);
		while (sender_next(s, *now, &d)) {
			for (unsigned copies = wt_random_below(100) < loss ? 0 : 1 + (wt_random_below(20) == 0); copies; copies--) {
				struct packet *p = channel;
				while (p < channel + CHANNEL && p->len)
					p++;
				if (p == channel + CHANNEL)
					break; /* a full channel loses too */
				*p = (struct packet){*now + (1 + wt_random_below(30)) * MS, d.len, false, {0}};
				memcpy(p->bytes, d.data, d.len);
			}
		}
		*now += 1 * MS;
		for (struct packet *p = channel; p < channel + CHANNEL; p++) {
			if (!p->len || p->due_ns > *now)
				continue;
			if (p->ack)
				assert_int_equal(sender_receive(s, (struct view){p->bytes, p->len}, *now), 0);
			else
				receiver_take(r, p->bytes, p->len);
			p->len = 0;
		}
		if (r->seal && *now >= next_ack) {
			next_ack = *now + 50 * MS;
			struct packet *p = channel;
			while (p < channel + CHANNEL && p->len)
				p++;
			if (p < channel + CHANNEL && wt_random_below(100) >= loss) {
				p->len = receiver_ack(r, p->bytes, sizeof(p->bytes));
				p->due_ns = *now + (1 + wt_random_below(30)) * MS;
				p->ack = true;
			}
		}
		uint64_t due = sender_deadline_ns(s);
		assert_true(due >= *now || due == 0 || sender_stats(s).waiting);
	}
	assert_true(*now < end);
	free(channel);
}

/* ---- tests ---- */

static void everything_arrives_once(void **state)
{
	for (unsigned loss = 0; loss <= 40; loss += 20) {
		struct key key = {.id = 5};
		struct receiver r;
		uint64_t now = 1000 * NS_PER_S, total = 30000;
		struct sender *s = make_sender(&key, 2u << 20);
		receiver_init(&r, &key);
		run(s, &r, total, loss, &now);
		struct sender_stats stats = sender_stats(s);
		assert_true(r.records == total && r.bytes == total * (total - 1) / 2);
		assert_true(stats.records == total && stats.acknowledged == total && stats.waiting == 0);
		assert_true(r.sent == total && r.dropped == stats.dropped);
		assert_true(r.accepted == stats.datagrams);
		if (!loss)
			assert_true(stats.resent * 10 <= stats.datagrams);
		sender_free(s);
		receiver_done(&r);
	}
}

/* Nobody answers: memory stays as it is, new records are dropped and counted, little is sent. When the
 * collector is there, all that was taken arrives, and the count with it. */
static void a_full_ring_drops_and_tells(void **state)
{
	struct key key = {.id = 5};
	struct receiver r;
	struct sender *s = make_sender(&key, 64u << 10);
	receiver_init(&r, &key);
	uint64_t now = 1000 * NS_PER_S, taken = 0, dropped = 0;
	struct view d;
	for (int i = 0; i < 20000; i++) {
		struct record rec = make_record(1);
		int result = sender_add(s, &rec, now);
		assert_true(result == 0 || result == -ENOBUFS);
		taken += result == 0;
		dropped += result != 0;
		while (sender_next(s, now, &d))
			;
		now += 10 * MS;
	}
	assert_true(taken > 500 && taken < 4000);
	struct sender_stats stats = sender_stats(s);
	assert_true(stats.records == taken && stats.dropped == dropped && stats.acknowledged == 0);
	assert_true(stats.resent < 2000); /* 200 s of silence: back-off holds */
	run(s, &r, 0, 0, &now);
	assert_true(r.records == taken && r.dropped == dropped);
	assert_true(sender_idle(s));
	sender_count_dropped(s, 3);
	assert_false(sender_idle(s));
	run(s, &r, 0, 0, &now);
	assert_true(r.dropped == dropped + 3);
	sender_free(s);
	receiver_done(&r);
}

/* The collector loses its journal when more datagrams than a window holds have gone through: the session goes
 * on with what it has not acknowledged. */
static void a_forgotten_session_goes_on(void **state)
{
	struct key key = {.id = 5};
	struct receiver r;
	uint64_t now = 1000 * NS_PER_S, total = 200000;
	struct sender *s = make_sender(&key, 2u << 20);
	receiver_init(&r, &key);
	run(s, &r, total, 0, &now);
	assert_true(sender_stats(s).datagrams > WINDOW_SIZE);
	r.window = (struct window){0};
	r.records = r.bytes = 0;
	run(s, &r, total, 10, &now);
	assert_true(r.records == total && r.bytes == total * (total - 1) / 2);
	assert_true(r.sent == 2 * total && r.acknowledged >= total);
	sender_free(s);
	receiver_done(&r);
}

/* Nobody answers for a week: what waited is dropped and counted, and a new session delivers what follows. */
static void a_week_of_silence_begins_a_new_session(void **state)
{
	struct key key = {.id = 5};
	struct receiver r;
	struct sender *s = make_sender(&key, 64u << 10);
	uint64_t now = 1000 * NS_PER_S;
	struct view d;
	receiver_init(&r, &key);
	for (int i = 0; i < 500; i++) {
		struct record rec = make_record(1);
		assert_int_equal(sender_add(s, &rec, now), 0);
	}
	sender_flush(s, now);
	assert_true(sender_next(s, now, &d));
	uint8_t session[SESSION_ID_BYTES];
	memcpy(session, d.data + 8, sizeof(session));
	for (uint64_t end = now + 7ull * 86400 * NS_PER_S; now < end; now += 30 * NS_PER_S)
		while (sender_next(s, now, &d))
			;
	assert_true(sender_stats(s).dropped == 500 && sender_stats(s).waiting == 0);
	run(s, &r, 100, 0, &now);
	assert_true(r.records == 100 && r.sent == 100 && r.dropped == 500);
	assert_memory_not_equal(r.session, session, sizeof(session));
	sender_free(s);
	receiver_done(&r);
}

static void a_datagram_lingers_then_leaves(void **state)
{
	struct key key = {.id = 5};
	struct sender *s = make_sender(&key, 0);
	struct record rec = make_record(1);
	struct view d;
	uint64_t now = 1000 * NS_PER_S;
	assert_true(sender_deadline_ns(s) == UINT64_MAX);
	assert_true(sender_idle(s));
	assert_int_equal(sender_add(s, &rec, now), 0);
	assert_false(sender_next(s, now, &d));
	assert_true(sender_deadline_ns(s) == now + NS_PER_S);
	assert_false(sender_next(s, now + NS_PER_S - 1, &d));
	assert_true(sender_next(s, now + NS_PER_S, &d));
	assert_true(d.len <= DATAGRAM_MAX);
	assert_false(sender_next(s, now + NS_PER_S, &d));
	sender_free(s);
}

static void bad_records_are_refused(void **state)
{
	struct key key = {.id = 5};
	struct sender *s = make_sender(&key, 0);
	struct record rec = make_record(RECORD_VALUE_MAX + 1);
	assert_int_equal(sender_add(s, &rec, 1), -EINVAL);
	rec = make_record(1);
	rec.client.family = ADDR_NONE;
	assert_int_equal(sender_add(s, &rec, 1), -EINVAL);
	rec = make_record(1);
	char text[RECORD_TYPE_MAX + 1] = {0};
	rec.type = (struct view){(const uint8_t *)text, sizeof(text)};
	assert_int_equal(sender_add(s, &rec, 1), -EINVAL);
	rec = make_record(1);
	rec.rtt_count = RECORD_RTT_MAX;
	for (int i = 0; i < RECORD_RTT_MAX; i++)
		rec.rtt_us[i] = UINT32_MAX;
	assert_true(sender_add(s, &rec, 1) == 0 || sender_stats(s).records == 0);
	struct sender_config config = {.name = "", .key = key};
	struct sender *none;
	assert_int_equal(sender_new(&config, &none), -EINVAL);
	sender_free(s);
}

/* What is not our collector's is refused and changes nothing. */
static void forged_acks_are_refused(void **state)
{
	struct key key = {.id = 5}, wrong = {.id = 5, .bytes = {1}};
	struct receiver r, forger;
	struct sender *s = make_sender(&key, 0);
	struct record rec = make_record(1);
	struct view d;
	uint8_t ack[DATAGRAM_MAX];
	uint64_t now = 1000 * NS_PER_S;
	receiver_init(&r, &key);
	receiver_init(&forger, &wrong);
	assert_int_equal(sender_add(s, &rec, now), 0);
	sender_flush(s, now);
	assert_true(sender_next(s, now, &d));
	receiver_take(&r, d.data, d.len);
	assert_int_equal(r.prompts, 1);
	assert_int_equal(sender_receive(s, d, now), -EBADMSG); /* its own datagram sent back */
	forger.window = r.window;
	memcpy(forger.session, r.session, sizeof(r.session));
	assert_int_equal(ack_seal_new(&wrong, r.session, forger.run, &forger.ack_seal), 0);
	size_t n = receiver_ack(&forger, ack, sizeof(ack));
	assert_int_equal(sender_receive(s, (struct view){ack, n}, now), -EBADMSG);
	n = receiver_ack(&r, ack, sizeof(ack));
	for (size_t i = 0; i < 8 * n; i++) {
		ack[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(sender_receive(s, (struct view){ack, n}, now), -EBADMSG);
		ack[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(sender_receive(s, (struct view){ack, cut}, now), -EBADMSG);
	assert_true(sender_stats(s).acknowledged == 0);
	assert_int_equal(sender_receive(s, (struct view){ack, n}, now), 0);
	assert_true(sender_stats(s).acknowledged == 1 && sender_idle(s));
	sender_free(s);
	receiver_done(&r);
	receiver_done(&forger);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_arrives_once),
		cmocka_unit_test(a_full_ring_drops_and_tells),
		cmocka_unit_test(a_forgotten_session_goes_on),
		cmocka_unit_test(a_week_of_silence_begins_a_new_session),
		cmocka_unit_test(a_datagram_lingers_then_leaves),
		cmocka_unit_test(bad_records_are_refused),
		cmocka_unit_test(forged_acks_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

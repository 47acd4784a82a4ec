/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A collector's half of the protocol in a few lines, records to send to it, and the packets of a simulated path. */

#include <string.h>

#include "base/clock.h"
#include "wire/datagram.h"
#include "wt_test.h"

#define MS NS_PER_MS

struct receiver {
	struct key key;
	struct seal *seal, *ack_seal;
	struct window window;
	uint8_t session[SESSION_ID_BYTES], run[SESSION_ID_BYTES];
	uint64_t ack_seq, records, bytes, sent, dropped, prompts, accepted, acknowledged;
	void (*on_record)(void *ctx, const struct record *rec); /* may be NULL */
	void *ctx;
};

static inline void receiver_init(struct receiver *r, const struct key *key)
{
	*r = (struct receiver){.key = *key};
	memset(r->run, 7, sizeof(r->run));
}

static inline void receiver_done(struct receiver *r)
{
	seal_free(r->seal);
	seal_free(r->ack_seal);
}

static inline void receiver_take(struct receiver *r, const uint8_t *bytes, size_t len)
{
	struct header h;
	struct body b;
	struct record rec;
	uint8_t plain[DATAGRAM_RECEIVE_MAX];
	int server, type;
	assert_int_equal(header_read((struct view){bytes, len}, &h), 0);
	if (!r->seal) {
		memcpy(r->session, h.session, sizeof(r->session));
		assert_int_equal(records_seal_new(&r->key, h.session, &r->seal), 0);
		assert_int_equal(ack_seal_new(&r->key, h.session, r->run, &r->ack_seal), 0);
	}
	assert_memory_equal(h.session, r->session, sizeof(r->session));
	int n = seal_open(r->seal, h.seq, h.clear, h.sealed, plain);
	assert_true(n > 0);
	assert_int_equal(body_read((struct view){plain, (size_t)n}, &b), 0);
	assert_true(b.oldest <= h.seq);
	window_forward(&r->window, b.oldest);
	enum window_verdict v = window_check(&r->window, h.seq);
	assert_int_not_equal(v, WINDOW_AHEAD);
	if (v == WINDOW_SEEN)
		return;
	window_accept(&r->window, h.seq);
	r->acknowledged = b.acknowledged > r->acknowledged ? b.acknowledged : r->acknowledged;
	r->accepted++;
	r->prompts += b.flags & BODY_FLAG_PROMPT;
	r->dropped = b.dropped > r->dropped ? b.dropped : r->dropped;
	if (b.records_before + b.record_count > r->sent)
		r->sent = b.records_before + b.record_count;
	while (body_next(&b, &rec, &server, &type) == 1) {
		r->records++;
		r->bytes += rec.values[FIELD_bytes_sent];
		if (r->on_record)
			r->on_record(r->ctx, &rec);
	}
	assert_int_equal(rd_left(&b.records), 0);
}

static inline size_t receiver_ack(struct receiver *r, uint8_t *out, size_t cap)
{
	struct header h = {.kind = DATAGRAM_ACK, .key_id = r->key.id, .seq = r->ack_seq++};
	memcpy(h.session, r->session, sizeof(h.session));
	memcpy(h.run, r->run, sizeof(h.run));
	struct ack ack = {.window = r->window};
	struct wr w = wr_make(out, cap);
	header_write(&w, &h);
	ack_write(&w, &ack);
	size_t n = wr_len(&w) - ACK_HEADER_BYTES;
	assert_int_equal(seal_close(r->ack_seal, h.seq, (struct view){out, ACK_HEADER_BYTES}, out + ACK_HEADER_BYTES, n), 0);
	return wr_len(&w) + SEAL_TAG_BYTES;
}

static inline struct record make_record(uint64_t bytes)
{
	struct record rec = {.time_ms = clock_wall_ms()};
	assert_int_equal(addr_parse(wt_random_below(2) ? "203.0.113.9" : "2001:db8::9", &rec.client), 0);
	assert_int_equal(addr_parse(wt_random_below(2) ? "192.0.2.1" : "192.0.2.2", &rec.server), 0);
	if (wt_random_below(2))
		rec.type = (struct view){(const uint8_t *)"video", 5};
	rec.values[FIELD_bytes_sent] = bytes;
	rec.values[FIELD_requests] = 1;
	return rec;
}

struct packet {
	uint64_t due_ns;
	size_t len;
	bool ack;
	uint8_t bytes[DATAGRAM_MAX];
};

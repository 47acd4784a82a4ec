/* SPDX-License-Identifier: BSD-2-Clause */

/* Both bodies are written so that the expensive things travel once: the server addresses and traffic
 * types of a datagram stand in small tables and a record names them by index; a record carries only
 * the figures that are not zero, announced by a bit mask. A record of an ordinary IPv4 response
 * takes 30 to 45 bytes, so a datagram of 1400 holds about thirty.
 *
 * A record's mask may have bits this version does not know: each stands for one varint behind the
 * known figures, which is skipped. That is the way the format grows. */

#include "wire/datagram.h"

#include <errno.h>

#include "base/utf8.h"

#define MAGIC_0 'W'
#define MAGIC_1 'T'

#define MASK_APPROXIMATE 1u
#define MASK_CLIENT_V6   2u
#define MASK_RTT         4u
#define MASK_FIELD_SHIFT 3

#define RECORD_MIN_BYTES 8 /* mask, time, IPv4 address, server, type */

int header_read(struct view datagram, struct header *ret)
{
	struct rd r = rd_view(datagram);
	struct header h = {0};
	uint8_t m0 = rd_u8(&r), m1 = rd_u8(&r), version = rd_u8(&r);
	h.kind = rd_u8(&r);
	h.key_id = rd_u32(&r);
	rd_copy(&r, h.session, sizeof(h.session));
	h.seq = rd_u64(&r);
	if (h.kind == DATAGRAM_ACK)
		rd_copy(&r, h.run, sizeof(h.run));
	if (!rd_ok(&r) || m0 != MAGIC_0 || m1 != MAGIC_1 || version != DATAGRAM_VERSION ||
		(h.kind != DATAGRAM_RECORDS && h.kind != DATAGRAM_ACK) || rd_left(&r) < SEAL_TAG_BYTES ||
		(h.kind == DATAGRAM_RECORDS && h.seq > WINDOW_SEQ_MAX) || datagram.len > DATAGRAM_RECEIVE_MAX)
		return -EBADMSG;
	h.clear = (struct view){datagram.data, (size_t)(r.p - datagram.data)};
	h.sealed = rd_rest(&r);
	*ret = h;
	return 0;
}

void header_write(struct wr *w, const struct header *h)
{
	wr_u8(w, MAGIC_0);
	wr_u8(w, MAGIC_1);
	wr_u8(w, DATAGRAM_VERSION);
	wr_u8(w, h->kind);
	wr_u32(w, h->key_id);
	wr_bytes(w, h->session, sizeof(h->session));
	wr_u64(w, h->seq);
	if (h->kind == DATAGRAM_ACK)
		wr_bytes(w, h->run, sizeof(h->run));
}

/* ---- the body of records ---- */

static struct addr read_addr(struct rd *r, bool v6)
{
	struct view v = rd_bytes(r, v6 ? 16 : 4);
	if (!rd_ok(r))
		return (struct addr){0};
	return v6 ? addr_from_v6(v.data) : addr_from_v4(v.data);
}

static void write_addr(struct wr *w, const struct addr *a)
{
	wr_bytes(w, a->bytes, addr_size(a));
}

static void read_tables(struct rd *r, struct body *b)
{
	uint64_t servers = rd_varint(r);
	if (servers > BODY_SERVERS_MAX)
		rd_fail(r);
	for (uint64_t i = 0; i < servers && rd_ok(r); i++) {
		uint8_t family = rd_u8(r);
		if (family != ADDR_V4 && family != ADDR_V6)
			rd_fail(r);
		b->servers[b->server_count++] = read_addr(r, family == ADDR_V6);
	}
	uint64_t types = rd_varint(r);
	if (types > BODY_TYPES_MAX)
		rd_fail(r);
	for (uint64_t i = 0; i < types && rd_ok(r); i++) {
		uint64_t len = rd_varint(r);
		if (len == 0 || len > RECORD_TYPE_MAX)
			rd_fail(r);
		struct view type = rd_bytes(r, len);
		if (!utf8_printable((const char *)type.data, type.len))
			rd_fail(r);
		b->types[b->type_count++] = type;
	}
}

int body_read(struct view plain, struct body *ret)
{
	struct rd r = rd_view(plain);
	ret->flags = rd_u8(&r);
	ret->time_ms = rd_u64(&r);
	ret->records_before = rd_u64(&r);
	ret->dropped = rd_u64(&r);
	ret->oldest = rd_u64(&r);
	ret->acknowledged = rd_u64(&r);
	uint8_t name_len = rd_u8(&r);
	ret->name = rd_bytes(&r, name_len);
	ret->server_count = ret->type_count = 0;
	read_tables(&r, ret);
	uint64_t count = rd_varint(&r);
	if (!rd_ok(&r) || name_len == 0 || name_len > NAME_MAX_BYTES ||
		count > rd_left(&r) / RECORD_MIN_BYTES || ret->records_before > RECORD_VALUE_MAX ||
		ret->dropped > RECORD_VALUE_MAX || ret->time_ms > RECORD_VALUE_MAX ||
		ret->acknowledged > RECORD_VALUE_MAX || !utf8_printable((const char *)ret->name.data, ret->name.len))
		return -EBADMSG;
	ret->record_count = (uint32_t)count;
	ret->records = rd_make(r.p, rd_left(&r));
	return 0;
}

/* False when a figure is out of range. */
static bool read_values(struct rd *r, uint64_t mask, struct record *rec)
{
	bool in_range = true;
	rec->rtt_count = 0;
	if (mask & MASK_RTT) {
		rec->rtt_count = rd_u8(r);
		for (unsigned i = 0; i < rec->rtt_count; i++) {
			uint64_t us = rd_varint(r);
			in_range &= us <= UINT32_MAX;
			rec->rtt_us[i] = (uint32_t)us;
		}
	}
	mask >>= MASK_FIELD_SHIFT;
	for (int i = 0; i < RECORD_FIELD_COUNT; i++, mask >>= 1) {
		rec->values[i] = mask & 1 ? rd_varint(r) : 0;
		in_range &= rec->values[i] <= RECORD_VALUE_MAX;
	}
	for (; mask; mask >>= 1)
		if (mask & 1)
			(void)rd_varint(r);
	return in_range;
}

int body_next(struct body *b, struct record *ret, int *ret_server, int *ret_type)
{
	struct rd *r = &b->records;
	if (!b->record_count)
		return 0;
	b->record_count--;
	uint64_t mask = rd_varint(r);
	int64_t delta = rd_zigzag(r);
	ret->client = read_addr(r, mask & MASK_CLIENT_V6);
	uint64_t server = rd_varint(r), type = rd_varint(r);
	bool in_range = read_values(r, mask, ret);
	if (!rd_ok(r) || server >= b->server_count || type > b->type_count)
		return -EBADMSG;
	ret->approximate = mask & MASK_APPROXIMATE;
	ret->server = b->servers[server];
	ret->type = type ? b->types[type - 1] : (struct view){0};
	*ret_server = (int)server;
	*ret_type = (int)type - 1;
	/* time_ms is below 2^50, so only the sum with a wild delta can leave the range. */
	if (!in_range || delta > (int64_t)RECORD_VALUE_MAX || delta < -(int64_t)b->time_ms)
		return -ERANGE;
	ret->time_ms = b->time_ms + (uint64_t)delta;
	return 1;
}

void body_write_head(struct wr *w, const struct body *b)
{
	wr_u8(w, b->flags);
	wr_u64(w, b->time_ms);
	wr_u64(w, b->records_before);
	wr_u64(w, b->dropped);
	wr_u64(w, b->oldest);
	wr_u64(w, b->acknowledged);
	wr_u8(w, (uint8_t)b->name.len);
	wr_bytes(w, b->name.data, b->name.len);
	wr_varint(w, b->server_count);
	for (uint32_t i = 0; i < b->server_count; i++) {
		wr_u8(w, b->servers[i].family);
		write_addr(w, &b->servers[i]);
	}
	wr_varint(w, b->type_count);
	for (uint32_t i = 0; i < b->type_count; i++) {
		wr_varint(w, b->types[i].len);
		wr_bytes(w, b->types[i].data, b->types[i].len);
	}
	wr_varint(w, b->record_count);
}

void record_write(struct wr *w, const struct record *rec, uint64_t base_ms, uint32_t server, int type)
{
	uint64_t mask = 0;
	for (int i = 0; i < RECORD_FIELD_COUNT; i++)
		if (rec->values[i])
			mask |= 1ull << (i + MASK_FIELD_SHIFT);
	if (rec->approximate)
		mask |= MASK_APPROXIMATE;
	if (rec->client.family == ADDR_V6)
		mask |= MASK_CLIENT_V6;
	if (rec->rtt_count)
		mask |= MASK_RTT;
	wr_varint(w, mask);
	wr_zigzag(w, (int64_t)(rec->time_ms - base_ms));
	write_addr(w, &rec->client);
	wr_varint(w, server);
	wr_varint(w, (uint64_t)(type + 1));
	if (rec->rtt_count) {
		wr_u8(w, rec->rtt_count);
		for (int i = 0; i < rec->rtt_count; i++)
			wr_varint(w, rec->rtt_us[i]);
	}
	for (int i = 0; i < RECORD_FIELD_COUNT; i++)
		if (rec->values[i])
			wr_varint(w, rec->values[i]);
}

/* ---- the acknowledgement ---- */

int ack_read(struct view plain, struct ack *ret)
{
	struct rd r = rd_view(plain);
	uint8_t name_len = rd_u8(&r);
	ret->collector = rd_bytes(&r, name_len);
	window_read(&r, &ret->window);
	return rd_ok(&r) && name_len <= NAME_MAX_BYTES ? 0 : -EBADMSG;
}

void ack_write(struct wr *w, const struct ack *ack)
{
	wr_u8(w, (uint8_t)ack->collector.len);
	wr_bytes(w, ack->collector.data, ack->collector.len);
	window_write(&ack->window, w);
}

int records_seal_new(const struct key *key, const uint8_t session[static SESSION_ID_BYTES], struct seal **ret)
{
	return seal_new(key, (struct view){session, SESSION_ID_BYTES}, RECORDS_INFO, ret);
}

int ack_seal_new(const struct key *key, const uint8_t session[static SESSION_ID_BYTES],
	const uint8_t run[static SESSION_ID_BYTES], struct seal **ret)
{
	uint8_t salt[2 * SESSION_ID_BYTES];
	memcpy(salt, session, SESSION_ID_BYTES);
	memcpy(salt + SESSION_ID_BYTES, run, SESSION_ID_BYTES);
	return seal_new(key, (struct view){salt, sizeof(salt)}, ACK_INFO, ret);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal/frame.h"

#include <errno.h>
#include <stdlib.h>

#define VARINT_MAX 10
#define MASK_BYTES 8

const struct ledger_info ledger_table[LEDGER_COUNT] = {
#define LEDGER(name, help) {#name, help},
#include "journal/ledger.def"
#undef LEDGER
};

_Static_assert(MEASURE_COUNT <= 64, "a row's measures are announced by a 64-bit mask");

uint64_t ledger_in_flight(const struct ledger *l)
{
	uint64_t done = l->v[LEDGER_stored] + l->v[LEDGER_rejected_past] + l->v[LEDGER_rejected_future] +
		l->v[LEDGER_rejected_invalid] + l->v[LEDGER_lost] + l->v[LEDGER_earlier];
	return l->v[LEDGER_sent] > done ? l->v[LEDGER_sent] - done : 0;
}

void ledger_add(struct ledger *l, const struct ledger *other)
{
	for (int i = 0; i < LEDGER_COUNT; i++)
		l->v[i] += other->v[i];
}

/* ---- sessions ---- */

static void write_name(struct wr *w, const char *name, uint8_t len)
{
	wr_u8(w, len);
	wr_bytes(w, name, len);
}

static void read_name(struct rd *r, char *name, uint8_t *ret_len)
{
	*ret_len = rd_u8(r);
	if (*ret_len > NAME_MAX_BYTES)
		rd_fail(r);
	else
		rd_copy(r, name, *ret_len);
}

static void write_ledger(struct wr *w, const struct ledger *l)
{
	for (int i = 0; i < LEDGER_COUNT; i++)
		wr_varint(w, l->v[i]);
}

static void read_ledger(struct rd *r, struct ledger *l)
{
	for (int i = 0; i < LEDGER_COUNT; i++)
		l->v[i] = rd_varint(r);
}

static void encode_session(struct buffer *out, const struct session_state *s)
{
	struct wr w = buffer_reserve(out, sizeof(*s) + LEDGER_COUNT * VARINT_MAX + 64);
	wr_bytes(&w, s->id, sizeof(s->id));
	wr_u32(&w, s->key_id);
	write_name(&w, s->name, s->name_len);
	wr_varint(&w, s->first_ms);
	wr_varint(&w, s->last_ms);
	write_ledger(&w, &s->ledger);
	window_write(&s->window, &w);
	buffer_commit(out, &w);
}

static int decode_session(struct rd *r, const struct frame_sink *sink)
{
	struct session_state s = {0};
	rd_copy(r, s.id, sizeof(s.id));
	s.key_id = rd_u32(r);
	read_name(r, s.name, &s.name_len);
	s.first_ms = rd_varint(r);
	s.last_ms = rd_varint(r);
	read_ledger(r, &s.ledger);
	window_read(r, &s.window);
	return rd_ok(r) ? sink->session(sink->ctx, &s) : -EBADMSG;
}

static void encode_retired(struct buffer *out, const struct retired_state *t)
{
	struct wr w = buffer_reserve(out, sizeof(*t) + (LEDGER_COUNT + 3) * VARINT_MAX);
	write_name(&w, t->name, t->name_len);
	wr_varint(&w, t->sessions);
	wr_varint(&w, t->first_ms);
	wr_varint(&w, t->last_ms);
	write_ledger(&w, &t->ledger);
	buffer_commit(out, &w);
}

static int decode_retired(struct rd *r, const struct frame_sink *sink)
{
	struct retired_state t = {0};
	read_name(r, t.name, &t.name_len);
	t.sessions = rd_varint(r);
	t.first_ms = rd_varint(r);
	t.last_ms = rd_varint(r);
	read_ledger(r, &t.ledger);
	return rd_ok(r) ? sink->retired(sink->ctx, &t) : -EBADMSG;
}

/* ---- flows ---- */

static void encode_count(struct buffer *out, uint64_t n)
{
	struct wr w = buffer_reserve(out, VARINT_MAX);
	wr_varint(&w, n);
	buffer_commit(out, &w);
}

static void encode_bytes(struct buffer *out, struct view v)
{
	struct wr w = buffer_reserve(out, VARINT_MAX + v.len);
	wr_varint(&w, v.len);
	wr_bytes(&w, v.data, v.len);
	buffer_commit(out, &w);
}

static void encode_prefix(struct buffer *out, const struct prefix *p)
{
	struct wr w = buffer_reserve(out, 18);
	wr_u8(&w, p->addr.family);
	wr_u8(&w, p->len);
	wr_bytes(&w, p->addr.bytes, (p->len + 7u) / 8);
	buffer_commit(out, &w);
}

static void encode_row(struct buffer *out, const struct flow_row *row)
{
	struct wr w = buffer_reserve(out, 9 * VARINT_MAX + MEASURE_COUNT * VARINT_MAX);
	const struct flow_key *k = &row->key;
	wr_varint(&w, k->minute / 60);
	wr_varint(&w, k->router);
	wr_varint(&w, k->type);
	wr_varint(&w, k->prefix);
	wr_varint(&w, k->path);
	wr_varint(&w, k->country);
	wr_varint(&w, k->match);
	uint64_t mask = 0;
	for (int i = 0; i < MEASURE_COUNT; i++)
		mask |= (uint64_t)(row->m.v[i] != 0) << i;
	wr_varint(&w, mask);
	for (int i = 0; i < MEASURE_COUNT; i++)
		if (row->m.v[i])
			wr_varint(&w, row->m.v[i]);
	buffer_commit(out, &w);
}

/* Times stand as differences: changes come in the order of time, nearly. */
static void encode_changes(struct buffer *out, const struct flow_table *t)
{
	uint64_t before_ms = 0;
	encode_count(out, t->changes_left_out);
	encode_count(out, t->change_count);
	for (uint32_t i = 0; i < t->change_count; i++) {
		const struct path_change *c = &t->changes[i];
		struct wr w = buffer_reserve(out, 5 * VARINT_MAX);
		wr_zigzag(&w, (int64_t)(c->time_ms - before_ms));
		wr_varint(&w, c->router);
		wr_varint(&w, c->prefix);
		wr_varint(&w, c->before);
		wr_varint(&w, c->after);
		buffer_commit(out, &w);
		before_ms = c->time_ms;
	}
}

static void encode_flows(struct buffer *out, const struct flow_table *t)
{
	encode_count(out, t->name_count - 1);
	for (uint32_t i = 1; i < t->name_count; i++)
		encode_bytes(out, t->names[i]);
	encode_count(out, t->prefix_count - 1);
	for (uint32_t i = 1; i < t->prefix_count; i++)
		encode_prefix(out, &t->prefixes[i]);
	encode_count(out, t->path_count - 1);
	for (uint32_t i = 1; i < t->path_count; i++)
		encode_bytes(out, t->paths[i]);
	encode_count(out, t->row_count);
	for (uint32_t i = 0; i < t->row_count; i++)
		encode_row(out, &t->rows[i]);
	encode_changes(out, t);
}

/* The numbers this frame's dictionary entries have in the table that is filled. */
struct numbers {
	uint32_t *v;
	uint64_t count; /* entry 0 included */
};

static void numbers_done(struct numbers *n)
{
	free(n->v);
}

static int numbers_new(struct rd *r, struct numbers *n)
{
	uint64_t count = rd_varint(r);
	if (!rd_ok(r) || count > rd_left(r))
		return -EBADMSG;
	n->count = count + 1;
	n->v = calloc(n->count, sizeof(*n->v));
	return n->v ? 0 : -ENOMEM;
}

static int decode_strings(struct rd *r, struct flow_table *t, struct numbers *n,
	int (*intern)(struct flow_table *t, struct view v, uint32_t *ret))
{
	int result = numbers_new(r, n);
	for (uint64_t i = 1; result == 0 && i < n->count; i++) {
		struct view v = rd_bytes(r, rd_varint(r));
		result = rd_ok(r) ? intern(t, v, &n->v[i]) : -EBADMSG;
	}
	return result;
}

static int decode_prefixes(struct rd *r, struct flow_table *t, struct numbers *n)
{
	int result = numbers_new(r, n);
	for (uint64_t i = 1; result == 0 && i < n->count; i++) {
		struct prefix p = {.addr.family = rd_u8(r)};
		p.len = rd_u8(r);
		if (p.len > addr_bits(&p.addr))
			return -EBADMSG;
		rd_copy(r, p.addr.bytes, (p.len + 7u) / 8);
		result = rd_ok(r) ? flow_table_prefix(t, &p, &n->v[i]) : -EBADMSG;
	}
	return result;
}

static uint32_t number(struct rd *r, const struct numbers *n)
{
	uint64_t i = rd_varint(r);
	if (i >= n->count) {
		rd_fail(r);
		return 0;
	}
	return n->v[i];
}

static int decode_row(struct rd *r, struct flow_table *t, const struct numbers *names,
	const struct numbers *prefixes, const struct numbers *paths)
{
	struct flow_key key = {0};
	uint64_t minute = rd_varint(r);
	key.minute = (uint32_t)minute * 60;
	key.router = number(r, names);
	key.type = number(r, names);
	key.prefix = number(r, prefixes);
	key.path = number(r, paths);
	uint64_t country = rd_varint(r), match = rd_varint(r), mask = rd_varint(r);
	if (!rd_ok(r) || minute > UINT32_MAX / 60 || country > UINT16_MAX || match >= MATCH_COUNT ||
		mask >> (MEASURE_COUNT - 1) > 1)
		return -EBADMSG;
	key.country = (uint16_t)country;
	key.match = (uint8_t)match;
	struct measures m = {0};
	for (int i = 0; i < MEASURE_COUNT; i++)
		if (mask >> i & 1)
			m.v[i] = rd_varint(r);
	if (!rd_ok(r))
		return -EBADMSG;
	struct flow_row *row = flow_table_row(t, &key);
	if (!row)
		return -ENOMEM;
	measures_add(&row->m, &m);
	return 0;
}

static int decode_changes(struct rd *r, struct flow_table *t, const struct numbers *names,
	const struct numbers *prefixes, const struct numbers *paths)
{
	int result = 0;
	uint64_t left_out = rd_varint(r), count = rd_varint(r);
	struct path_change c = {0};
	for (uint64_t i = 0; result == 0 && i < count; i++) {
		c.time_ms += (uint64_t)rd_zigzag(r);
		c.router = number(r, names);
		c.prefix = number(r, prefixes);
		c.before = number(r, paths);
		c.after = number(r, paths);
		result = rd_ok(r) ? flow_table_change(t, &c) : -EBADMSG;
	}
	t->changes_left_out += left_out;
	return result;
}

static int decode_flows(struct rd *r, struct flow_table *t)
{
	CLEANUP(numbers_done) struct numbers names = {0}, prefixes = {0}, paths = {0};
	int result = decode_strings(r, t, &names, flow_table_name);
	if (result == 0)
		result = decode_prefixes(r, t, &prefixes);
	if (result == 0)
		result = decode_strings(r, t, &paths, flow_table_path);
	if (result < 0)
		return result;
	uint64_t rows = rd_varint(r);
	for (uint64_t i = 0; result == 0 && i < rows; i++)
		result = decode_row(r, t, &names, &prefixes, &paths);
	return result == 0 ? decode_changes(r, t, &names, &prefixes, &paths) : result;
}

/* ---- the frame ---- */

static void encode_ended(struct buffer *out, const struct frame *f)
{
	encode_count(out, f->ended_count);
	struct wr w = buffer_reserve(out, f->ended_count * SESSION_ID_BYTES);
	for (size_t i = 0; i < f->ended_count; i++)
		wr_bytes(&w, f->ended[i], SESSION_ID_BYTES);
	buffer_commit(out, &w);
}

static int decode_ended(struct rd *r, const struct frame_sink *sink)
{
	int result = 0;
	uint64_t count = rd_varint(r);
	for (uint64_t i = 0; result == 0 && i < count; i++) {
		uint8_t id[SESSION_ID_BYTES];
		rd_copy(r, id, sizeof(id));
		result = rd_ok(r) ? sink->ended(sink->ctx, id) : -EBADMSG;
	}
	return result;
}

int frame_encode(const struct frame *f, struct buffer *out)
{
	encode_ended(out, f);
	encode_count(out, f->session_count);
	for (size_t i = 0; i < f->session_count; i++)
		encode_session(out, &f->sessions[i]);
	encode_count(out, f->retired_count);
	for (size_t i = 0; i < f->retired_count; i++)
		encode_retired(out, &f->retired[i]);
	encode_count(out, f->flows != NULL);
	if (f->flows)
		encode_flows(out, f->flows);
	return out->failed ? -ENOMEM : 0;
}

int frame_decode(struct view bytes, const struct frame_sink *sink, struct flow_table *flows)
{
	struct rd r = rd_view(bytes);
	int result = decode_ended(&r, sink);
	if (result < 0)
		return result;
	uint64_t count = rd_varint(&r);
	for (uint64_t i = 0; result == 0 && i < count; i++)
		result = decode_session(&r, sink);
	if (result < 0)
		return result;
	count = rd_varint(&r);
	for (uint64_t i = 0; result == 0 && i < count; i++)
		result = decode_retired(&r, sink);
	if (result < 0)
		return result;
	bool has_flows = rd_varint(&r) == 1;
	if (!flows || !has_flows)
		return rd_ok(&r) && (has_flows || rd_done(&r)) ? 0 : -EBADMSG;
	result = decode_flows(&r, flows);
	return result == 0 && !rd_done(&r) ? -EBADMSG : result;
}

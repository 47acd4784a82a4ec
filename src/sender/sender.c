/* SPDX-License-Identifier: BSD-2-Clause */

/* A ring of slots, one a datagram, indexed by sequence number modulo its size. Numbers head..next-1
 * are closed and not yet acknowledged as a whole prefix; the datagram being filled is kept apart (pack.c) and
 * written into slot `next` when it closes. The bytes of a slot are a buffer (buffers.c), given back when the
 * datagram is acknowledged.
 *
 * A slot is sealed when it is first sent, so that number, counts and the wish for a prompt answer are of
 * that moment; sending it again sends the same bytes, which is why a nonce never repeats with other content. What was
 * sealed is *owed* to this collector: it may have it on disk already. What was not, numbers unsent..next-1, is nobody's
 * yet, and so is a count of drops that no sealed datagram told: sender_hand_over moves both to another session.
 *
 * How much is under way at once is limited by a congestion window, as in TCP: it grows while
 * acknowledgements show no hole and halves when one does. The collector acknowledges after a disk
 * write, within about a second, or sooner when a datagram asks: the one that fills half of the
 * window does, and the last of a flush. A hole is known early: a datagram that was sent well before
 * another that has been acknowledged is lost (RFC 8985's idea). Without any answer for RTO, twice 3 s and then doubled
 * each time up to a minute, everything under way is taken as lost and the window restarts small: so
 * a collector that is away costs little, and its return is noticed. After the second time (6 s) it counts as away.
 *
 * When there is no buffer new records are dropped and counted. What was closed is kept until it is
 * acknowledged, six days at most: then the sender drops and counts all of it and begins a new session,
 * because a collector that lost the old one would not take it any more. */

#include "sender/sender.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "sender/pack.h"

#define MEMORY_DEFAULT   (4u << 20)
#define LINGER_NS        NS_PER_S
#define RTO_FIRST_NS     (3 * NS_PER_S)
#define RTO_MAX_NS       (60 * NS_PER_S)
#define REORDER_NS       (20 * NS_PER_MS) /* a later datagram may overtake by this much */
#define GIVE_UP_NS       (6 * 86400 * NS_PER_S) /* docs/wire.md: too_old begins at 7 days less some hours */
#define CWND_FIRST       128
#define CWND_MIN         16
#define AWAY_TIMEOUTS    2

struct slot {
	uint64_t closed_ns;
	uint64_t sent_ns; /* last time it was sent; 0: never */
	uint32_t records;
	uint16_t len;     /* of the datagram, tag included */
	bool acked, lost;
	uint8_t *data; /* NULL: acknowledged */
};

struct sender {
	struct seal *seal, *ack_seal;
	struct key key;
	uint8_t session[SESSION_ID_BYTES];
	uint8_t run[SESSION_ID_BYTES]; /* that ack_seal is for */
	char name[SENDER_NAME_MAX];
	size_t name_len, datagram_bytes;
	uint64_t linger_ns;

	struct buffers own_buffers, *buffers;
	struct slot *slots;
	uint32_t slot_count;
	uint64_t head, next;   /* sequence numbers: oldest unacknowledged, next to close */
	uint64_t unsent;       /* lowest never sent */
	uint64_t lost_from;    /* no lost slot below this number */
	uint32_t under_way;    /* sent, not acknowledged, not taken as lost */
	uint32_t waiting;      /* closed, not acknowledged */
	uint32_t cwnd, cwnd_max, since_prompt;
	uint32_t timeouts;     /* since the last answer */
	bool hold;             /* nothing new is sent */
	uint64_t flushed;      /* datagrams below this number were flushed: ask for an answer */
	uint64_t rto_ns, rto_due_ns;

	struct pack pack;
	uint8_t *pack_buffer;  /* for it, while it is open */
	uint64_t dropped, dropped_told;
	/* Of this session: records in datagrams that were sealed, in those below head; dropped and told when it began. */
	uint64_t sealed_records, head_records, dropped_before;
	uint64_t owed_records; /* sealed and not acknowledged */
	struct sender_stats stats;
};

/* ---- life ---- */

size_t sender_datagram_bytes(const struct sender_config *config)
{
	return config->datagram_bytes ? config->datagram_bytes : DATAGRAM_MAX;
}

uint32_t sender_buffer_count(const struct sender_config *config, uint32_t sessions)
{
	size_t memory = config->memory_bytes ? config->memory_bytes : MEMORY_DEFAULT;
	size_t n = memory / (sender_datagram_bytes(config) + sessions * sizeof(struct slot));
	return n < 2 ? 2 : n > WINDOW_SIZE ? WINDOW_SIZE : (uint32_t)n;
}

static int allocate(struct sender *s, const struct sender_config *config)
{
	s->buffers = config->buffers;
	if (!s->buffers) {
		if (buffers_init(&s->own_buffers, sender_buffer_count(config, 1), s->datagram_bytes) < 0)
			return -ENOMEM;
		s->buffers = &s->own_buffers;
	}
	s->slot_count = s->buffers->count;
	s->cwnd_max = config->in_flight_max ? config->in_flight_max : s->slot_count;
	s->cwnd = s->cwnd_max < CWND_FIRST ? s->cwnd_max : CWND_FIRST;
	s->slots = calloc(s->slot_count, sizeof(*s->slots));
	struct view name = {(const uint8_t *)s->name, s->name_len};
	if (!s->slots || pack_init(&s->pack, name, s->datagram_bytes) < 0)
		return -ENOMEM;
	if (getrandom(s->session, sizeof(s->session), 0) != (ssize_t)sizeof(s->session))
		return -EIO;
	return records_seal_new(&s->key, s->session, &s->seal);
}

int sender_new(const struct sender_config *config, struct sender **ret)
{
	size_t name_len = strlen(config->name);
	size_t datagram_bytes = sender_datagram_bytes(config);
	if (name_len == 0 || name_len > SENDER_NAME_MAX || datagram_bytes < 512 ||
		datagram_bytes > DATAGRAM_RECEIVE_MAX)
		return -EINVAL;
	struct sender *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	memcpy(s->name, config->name, name_len);
	s->name_len = name_len;
	s->key = config->key;
	s->datagram_bytes = datagram_bytes;
	s->linger_ns = config->linger_ns ? config->linger_ns : LINGER_NS;
	s->rto_ns = RTO_FIRST_NS;
	s->rto_due_ns = UINT64_MAX;
	int r = allocate(s, config);
	if (r < 0) {
		sender_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void sender_free(struct sender *s)
{
	if (!s)
		return;
	seal_free(s->seal);
	seal_free(s->ack_seal);
	free(s->slots);
	pack_done(&s->pack);
	buffers_done(&s->own_buffers);
	explicit_bzero(&s->key, sizeof(s->key));
	free(s);
}

static struct slot *slot_of(struct sender *s, uint64_t seq)
{
	return &s->slots[seq % s->slot_count];
}

/* ---- filling ---- */

/* A place in the ring and a buffer, or -ENOBUFS. */
static int open_datagram(struct sender *s, uint64_t now_ns)
{
	if (s->next - s->head >= s->slot_count)
		return -ENOBUFS;
	s->pack_buffer = buffers_take(s->buffers);
	if (!s->pack_buffer)
		return -ENOBUFS;
	pack_open(&s->pack, now_ns);
	return 0;
}

static void close_datagram(struct sender *s, uint64_t now_ns)
{
	struct slot *slot = slot_of(s, s->next);
	*slot = (struct slot){.data = s->pack_buffer, .closed_ns = now_ns, .records = s->pack.body.record_count};
	struct wr w = wr_make(slot->data + HEADER_BYTES, s->datagram_bytes - HEADER_BYTES);
	pack_close(&s->pack, &w);
	assert(wr_ok(&w) && wr_left(&w) >= SEAL_TAG_BYTES);
	slot->len = (uint16_t)(HEADER_BYTES + wr_len(&w) + SEAL_TAG_BYTES);
	s->next++;
	s->waiting++;
}

static bool record_valid(const struct record *rec)
{
	if (rec->client.family == ADDR_NONE || rec->server.family == ADDR_NONE ||
		rec->type.len > RECORD_TYPE_MAX || rec->time_ms > RECORD_VALUE_MAX)
		return false;
	for (int i = 0; i < RECORD_FIELD_COUNT; i++)
		if (rec->values[i] > RECORD_VALUE_MAX)
			return false;
	return true;
}

int sender_add(struct sender *s, const struct record *rec, uint64_t now_ns)
{
	if (!record_valid(rec))
		return -EINVAL;
	/* Twice at most: into the open datagram, or into a new one. */
	for (int attempt = 0; attempt < 2; attempt++) {
		if (!s->pack.open && open_datagram(s, now_ns) < 0) {
			s->dropped++;
			return -ENOBUFS;
		}
		if (pack_add(&s->pack, rec)) {
			s->stats.records++;
			return 0;
		}
		if (!s->pack.body.record_count)
			return -EINVAL; /* larger than a datagram: very many round-trip samples */
		close_datagram(s, now_ns);
	}
	return -EINVAL;
}

void sender_count_dropped(struct sender *s, uint64_t records)
{
	s->dropped += records;
}

void sender_flush(struct sender *s, uint64_t now_ns)
{
	if (!s->pack.open && s->dropped != s->dropped_told)
		(void)open_datagram(s, now_ns); /* an empty one carries the count */
	if (s->pack.open)
		close_datagram(s, now_ns);
	s->flushed = s->next;
	/* Whoever flushes will not wait for a back-off to run out. */
	s->rto_ns = RTO_FIRST_NS;
	if (s->rto_due_ns != UINT64_MAX && s->rto_due_ns > now_ns + RTO_FIRST_NS)
		s->rto_due_ns = now_ns + RTO_FIRST_NS;
}

/* ---- sending ---- */

/* The answer is wanted soon: the sender cannot go on, or has nothing more to say, without it. */
static bool wants_prompt(struct sender *s, uint64_t seq)
{
	s->since_prompt++;
	bool half_full = s->under_way >= s->cwnd / 2 && s->since_prompt >= s->cwnd / 2;
	return half_full || s->under_way + 1 >= s->cwnd || seq + 1 == s->flushed;
}

/* Puts in what is known only now, and seals. */
static int seal_slot(struct sender *s, uint64_t seq, struct slot *slot)
{
	uint8_t *body = slot->data + HEADER_BYTES;
	struct header h = {.kind = DATAGRAM_RECORDS, .key_id = s->key.id, .seq = seq};
	memcpy(h.session, s->session, sizeof(h.session));
	struct wr head = wr_make(slot->data, HEADER_BYTES), counts = wr_make(body + BODY_COUNTS_OFFSET, 32);
	header_write(&head, &h);
	wr_u64(&counts, s->sealed_records);
	wr_u64(&counts, s->dropped - s->dropped_before);
	wr_u64(&counts, s->head);
	wr_u64(&counts, s->head_records);
	if (wants_prompt(s, seq)) {
		body[BODY_FLAGS_OFFSET] |= BODY_FLAG_PROMPT;
		s->since_prompt = 0;
	}
	int r = seal_close(s->seal, seq, (struct view){slot->data, HEADER_BYTES}, body,
		slot->len - HEADER_BYTES - SEAL_TAG_BYTES);
	if (r < 0)
		return r;
	s->dropped_told = s->dropped;
	s->sealed_records += slot->records;
	s->owed_records += slot->records;
	return 0;
}

/* The next slot to send: a lost one, else a new one; false when there is none. */
static bool choose(struct sender *s, uint64_t *ret_seq)
{
	for (; s->lost_from < s->unsent; s->lost_from++) {
		if (slot_of(s, s->lost_from)->lost) {
			*ret_seq = s->lost_from;
			return true;
		}
	}
	*ret_seq = s->unsent;
	return s->unsent < s->next && !s->hold;
}

static bool linger_is_over(const struct sender *s, uint64_t now_ns)
{
	return s->pack.open && now_ns >= s->pack.opened_ns + s->linger_ns;
}

/* What is older than a collector would take from a session it does not know is dropped, with all that waits
 * behind it, and a new session begins. */
static void begin_anew(struct sender *s)
{
	uint8_t session[SESSION_ID_BYTES];
	struct seal *seal;
	if (getrandom(session, sizeof(session), 0) != (ssize_t)sizeof(session) ||
		records_seal_new(&s->key, session, &seal) < 0)
		return; /* at the next timeout */
	seal_free(s->seal);
	seal_free(s->ack_seal);
	s->seal = seal;
	s->ack_seal = NULL;
	memcpy(s->session, session, sizeof(session));
	s->dropped_before = s->dropped_told;
	for (uint64_t seq = s->head; seq < s->next; seq++) {
		struct slot *slot = slot_of(s, seq);
		if (slot->acked)
			continue;
		s->dropped += slot->records;
		buffers_give(s->buffers, slot->data);
	}
	s->head = s->next = s->unsent = s->lost_from = s->flushed = s->head_records = s->sealed_records = 0;
	s->under_way = s->waiting = s->since_prompt = s->timeouts = 0;
	s->owed_records = 0;
	s->rto_due_ns = UINT64_MAX;
	s->rto_ns = RTO_FIRST_NS;
}

static uint32_t cwnd_min(const struct sender *s)
{
	return s->cwnd_max < CWND_MIN ? s->cwnd_max : CWND_MIN;
}

/* Nothing was heard for too long: everything under way is lost, start small. */
static void handle_timeout(struct sender *s, uint64_t now_ns)
{
	if (now_ns < s->rto_due_ns)
		return;
	if (now_ns - slot_of(s, s->head)->closed_ns > GIVE_UP_NS) {
		begin_anew(s);
		return;
	}
	for (uint64_t seq = s->head; seq < s->unsent; seq++) {
		struct slot *slot = slot_of(s, seq);
		if (!slot->acked)
			slot->lost = true;
	}
	s->lost_from = s->head;
	s->under_way = 0;
	s->cwnd = cwnd_min(s);
	if (s->timeouts++)
		s->rto_ns = s->rto_ns * 2 > RTO_MAX_NS ? RTO_MAX_NS : s->rto_ns * 2;
	s->rto_due_ns = now_ns + s->rto_ns;
}

bool sender_next(struct sender *s, uint64_t now_ns, struct view *ret)
{
	if (linger_is_over(s, now_ns))
		close_datagram(s, now_ns);
	handle_timeout(s, now_ns);
	uint64_t seq;
	if (s->under_way >= s->cwnd || !choose(s, &seq))
		return false;
	struct slot *slot = slot_of(s, seq);
	if (seq == s->unsent) {
		if (seal_slot(s, seq, slot) < 0)
			return false; /* libcrypto is out of memory: later */
		s->unsent++;
		s->stats.datagrams++;
	} else {
		s->stats.resent++;
	}
	slot->lost = false;
	slot->sent_ns = now_ns;
	s->under_way++;
	if (s->rto_due_ns == UINT64_MAX)
		s->rto_due_ns = now_ns + s->rto_ns;
	*ret = (struct view){slot->data, slot->len};
	return true;
}

uint64_t sender_deadline_ns(const struct sender *s)
{
	bool something = s->unsent < s->next && !s->hold;
	for (uint64_t seq = s->lost_from; !something && seq < s->unsent; seq++)
		something = s->slots[seq % s->slot_count].lost;
	if (something && s->under_way < s->cwnd)
		return 0;
	uint64_t linger = s->pack.open ? s->pack.opened_ns + s->linger_ns : UINT64_MAX;
	return linger < s->rto_due_ns ? linger : s->rto_due_ns;
}

/* ---- acknowledgements ---- */

static bool acknowledged(const struct window *w, uint64_t seq)
{
	enum window_verdict verdict = window_check(w, seq);
	return verdict == WINDOW_SEEN;
}

/* Marks what the window holds; returns how many are new and when the newest of them was sent. */
static uint32_t take_window(struct sender *s, const struct window *w, uint64_t *ret_newest_ns)
{
	uint32_t count = 0;
	*ret_newest_ns = 0;
	for (uint64_t seq = s->head; seq < s->unsent; seq++) {
		struct slot *slot = slot_of(s, seq);
		if (slot->acked || !acknowledged(w, seq))
			continue;
		slot->acked = true;
		s->under_way -= !slot->lost;
		slot->lost = false;
		s->waiting--;
		s->stats.acknowledged += slot->records;
		s->owed_records -= slot->records;
		buffers_give(s->buffers, slot->data);
		slot->data = NULL;
		if (slot->sent_ns > *ret_newest_ns)
			*ret_newest_ns = slot->sent_ns;
		count++;
	}
	while (s->head < s->unsent && slot_of(s, s->head)->acked)
		s->head_records += slot_of(s, s->head++)->records;
	if (s->lost_from < s->head)
		s->lost_from = s->head;
	return count;
}

/* Whatever was sent well before an acknowledged one and is not acknowledged itself is lost. */
static uint32_t find_lost(struct sender *s, uint64_t newest_ns)
{
	uint32_t count = 0;
	for (uint64_t seq = s->head; seq < s->unsent; seq++) {
		struct slot *slot = slot_of(s, seq);
		if (slot->acked || slot->lost || slot->sent_ns + REORDER_NS > newest_ns)
			continue;
		slot->lost = true;
		s->under_way--;
		if (seq < s->lost_from)
			s->lost_from = seq;
		count++;
	}
	return count;
}

/* Verifies and decodes; derives the key of a collector's run when a new run answers. */
static int open_ack(struct sender *s, struct view datagram, struct ack *ret)
{
	struct header h;
	uint8_t plain[DATAGRAM_RECEIVE_MAX];
	if (header_read(datagram, &h) < 0 || h.kind != DATAGRAM_ACK || h.key_id != s->key.id ||
		memcmp(h.session, s->session, sizeof(h.session)) != 0)
		return -EBADMSG;
	struct seal *seal = s->ack_seal, *fresh = NULL;
	if (!seal || memcmp(h.run, s->run, sizeof(h.run)) != 0) {
		if (ack_seal_new(&s->key, s->session, h.run, &fresh) < 0)
			return -EBADMSG;
		seal = fresh;
	}
	int n = seal_open(seal, h.seq, h.clear, h.sealed, plain);
	if (n < 0 || ack_read((struct view){plain, (size_t)n}, ret) < 0) {
		seal_free(fresh);
		return -EBADMSG;
	}
	if (fresh) {
		seal_free(s->ack_seal);
		s->ack_seal = fresh;
		memcpy(s->run, h.run, sizeof(s->run));
	}
	return 0;
}

int sender_receive(struct sender *s, struct view datagram, uint64_t now_ns)
{
	struct ack ack;
	if (open_ack(s, datagram, &ack) < 0)
		return -EBADMSG;
	uint64_t newest_ns;
	uint32_t count = take_window(s, &ack.window, &newest_ns);
	if (!count)
		return 0;
	if (find_lost(s, newest_ns))
		s->cwnd = s->cwnd / 2 < cwnd_min(s) ? cwnd_min(s) : s->cwnd / 2;
	else
		s->cwnd = s->cwnd + count > s->cwnd_max ? s->cwnd_max : s->cwnd + count;
	s->timeouts = 0;
	s->rto_ns = RTO_FIRST_NS;
	s->rto_due_ns = s->head < s->unsent ? now_ns + s->rto_ns : UINT64_MAX;
	return 0;
}

/* ---- several collectors ---- */

void sender_hold(struct sender *s, bool hold)
{
	s->hold = hold;
}

bool sender_away(const struct sender *s)
{
	return s->timeouts >= AWAY_TIMEOUTS;
}

uint32_t sender_room(const struct sender *s)
{
	return s->slot_count - (uint32_t)(s->next - s->head) - s->pack.open;
}

struct sender_owed sender_owed(const struct sender *s)
{
	return (struct sender_owed){.datagrams = s->waiting - (s->next - s->unsent), .records = s->owed_records};
}

/* Datagrams, in the order they were closed, as far as `to` has places for them. */
static void move_unsent(struct sender *from, struct sender *to)
{
	uint64_t room = sender_room(to), n = from->next - from->unsent;
	uint64_t moved = n < room ? n : room;
	for (uint64_t i = 0; i < moved; i++)
		*slot_of(to, to->next++) = *slot_of(from, from->unsent + i);
	for (uint64_t i = moved; i < n; i++)
		*slot_of(from, from->unsent + i - moved) = *slot_of(from, from->unsent + i);
	from->next -= moved;
	from->waiting -= (uint32_t)moved;
	to->waiting += (uint32_t)moved;
	if (from->flushed > from->unsent) {
		from->flushed = from->unsent;
		to->flushed = to->next;
	}
}

void sender_hand_over(struct sender *from, struct sender *to, uint64_t now_ns)
{
	if (from->pack.open)
		close_datagram(from, now_ns);
	move_unsent(from, to);
	to->dropped += from->dropped - from->dropped_told;
	from->dropped = from->dropped_told;
}

/* ---- what is to outlive the process ---- */

static struct view body_of(const struct slot *slot)
{
	return (struct view){slot->data + HEADER_BYTES, slot->len - HEADER_BYTES - SEAL_TAG_BYTES};
}

/* Numbers unsent..unsent+n-1 are nobody's any more; those behind move up. */
static void forget_unsent(struct sender *s, uint64_t n)
{
	for (uint64_t seq = s->unsent + n; seq < s->next; seq++)
		*slot_of(s, seq - n) = *slot_of(s, seq);
	s->next -= n;
	s->waiting -= (uint32_t)n;
	s->flushed = s->flushed > s->unsent + n ? s->flushed - n : s->flushed > s->unsent ? s->unsent : s->flushed;
}

uint64_t sender_take_unsent(struct sender *s, bool all, int (*fn)(void *ctx, struct view body, uint32_t records), void *ctx,
	uint64_t now_ns)
{
	uint64_t n = 0;
	if (all && s->pack.open)
		close_datagram(s, now_ns);
	for (; s->unsent + n < s->next; n++) {
		struct slot *slot = slot_of(s, s->unsent + n);
		if (slot->records && fn(ctx, body_of(slot), slot->records) < 0)
			break;
		s->stats.records -= slot->records;
		buffers_give(s->buffers, slot->data);
	}
	forget_unsent(s, n);
	uint64_t untold = all ? s->dropped - s->dropped_told : 0;
	s->dropped -= untold;
	return untold;
}

#define SAVED_MAGIC       0x57544f31u /* "WTO1" */
#define SAVED_HEAD_BYTES  (4 + 4 + SESSION_ID_BYTES + 4)
#define SAVED_SLOT_BYTES  (8 + 4 + 2) /* number, records, length; then the datagram */

void sender_save(const struct sender *s, struct buffer *out)
{
	uint32_t count = sender_owed(s).datagrams;
	if (!count)
		return;
	struct wr w = buffer_reserve(out, SAVED_HEAD_BYTES);
	wr_u32(&w, SAVED_MAGIC);
	wr_u32(&w, s->key.id);
	wr_bytes(&w, s->session, sizeof(s->session));
	wr_u32(&w, count);
	buffer_commit(out, &w);
	for (uint64_t seq = s->head; seq < s->unsent; seq++) {
		const struct slot *slot = &s->slots[seq % s->slot_count];
		if (slot->acked)
			continue;
		w = buffer_reserve(out, SAVED_SLOT_BYTES + slot->len);
		wr_u64(&w, seq);
		wr_u32(&w, slot->records);
		wr_u16(&w, slot->len);
		wr_bytes(&w, slot->data, slot->len);
		buffer_commit(out, &w);
	}
}

static int resume_slot(struct sender *s, struct rd *r, uint64_t now_ns)
{
	uint64_t seq = rd_u64(r);
	uint32_t records = rd_u32(r);
	struct view bytes = rd_bytes(r, rd_u16(r));
	if (!s->waiting)
		s->head = s->next = seq;
	if (!rd_ok(r) || seq < s->next || seq - s->head >= s->slot_count || bytes.len > s->datagram_bytes)
		return -EBADMSG;
	for (; s->next < seq; s->next++)
		*slot_of(s, s->next) = (struct slot){.acked = true};
	struct slot *slot = slot_of(s, s->next++);
	*slot = (struct slot){.data = buffers_take(s->buffers), .closed_ns = now_ns, .records = records,
		.len = (uint16_t)bytes.len, .lost = true};
	if (!slot->data)
		return -EBADMSG;
	memcpy(slot->data, bytes.data, bytes.len);
	s->waiting++;
	s->owed_records += records;
	s->stats.records += records;
	return 0;
}

static int resume(struct sender *s, struct rd *r, const uint8_t session[static SESSION_ID_BYTES], uint32_t count,
	uint64_t now_ns)
{
	struct seal *seal;
	int e = records_seal_new(&s->key, session, &seal);
	if (e < 0)
		return e;
	seal_free(s->seal);
	s->seal = seal;
	memcpy(s->session, session, sizeof(s->session));
	for (uint32_t i = 0; i < count && e == 0; i++)
		e = resume_slot(s, r, now_ns);
	s->unsent = s->flushed = s->next;
	s->lost_from = s->head;
	s->hold = true;
	return e == 0 && !rd_done(r) ? -EBADMSG : e;
}

int sender_resume(const struct sender_config *config, struct view saved, uint64_t now_ns, struct sender **ret)
{
	struct rd r = rd_view(saved);
	uint8_t session[SESSION_ID_BYTES];
	uint32_t magic = rd_u32(&r), key_id = rd_u32(&r);
	rd_copy(&r, session, sizeof(session));
	uint32_t count = rd_u32(&r);
	if (!rd_ok(&r) || magic != SAVED_MAGIC || !count || count > WINDOW_SIZE)
		return -EBADMSG;
	if (key_id != config->key.id)
		return -ENOKEY;
	struct sender_config own = *config;
	own.buffers = NULL;
	own.in_flight_max = 0;
	own.memory_bytes = WINDOW_SIZE * (sender_datagram_bytes(config) + sizeof(struct slot)); /* as much as is owed is touched */
	struct sender *s;
	int e = sender_new(&own, &s);
	if (e < 0)
		return e;
	e = resume(s, &r, session, count, now_ns);
	if (e < 0) {
		sender_free(s);
		return e;
	}
	*ret = s;
	return 0;
}

/* ---- what can be asked ---- */

struct sender_stats sender_stats(const struct sender *s)
{
	struct sender_stats stats = s->stats;
	stats.dropped = s->dropped;
	stats.waiting = s->waiting + s->pack.open;
	return stats;
}

bool sender_idle(const struct sender *s)
{
	return !s->waiting && !s->pack.open && s->dropped == s->dropped_told;
}

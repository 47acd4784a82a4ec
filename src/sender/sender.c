/* SPDX-License-Identifier: BSD-2-Clause */

/* A ring of slots, one a datagram, indexed by sequence number modulo its size. Numbers head..next-1
 * are closed and not yet acknowledged as a whole prefix; the datagram being filled is kept apart (its
 * tables grow while records come) and is written into slot `next` when it closes. A slot is sealed
 * when it is first sent, so that the drop count and the wish for a prompt answer are of that moment;
 * sending it again sends the same bytes, which is why a nonce never repeats with other content.
 *
 * How much is under way at once is limited by a congestion window, as in TCP: it grows while
 * acknowledgements show no hole and halves when one does. The collector acknowledges after a disk
 * write, within about a second, or sooner when a datagram asks: the one that fills half of the
 * window does, and the last of a flush. A hole is known early: a datagram that was sent well before
 * another that has been acknowledged is lost (RFC 8985's idea). Without any answer for RTO, doubled
 * each time up to a minute, everything under way is taken as lost and the window restarts small: so
 * a collector that is away costs little, and its return is noticed.
 *
 * When the ring is full new records are dropped and counted. What was closed is kept until it is
 * acknowledged, six days at most: then the sender drops and counts all of it and begins a new session,
 * because a collector that lost the old one would not take it any more. */

#include "sender/sender.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "wire/datagram.h"

#define MEMORY_DEFAULT   (4u << 20)
#define LINGER_NS        NS_PER_S
#define RTO_FIRST_NS     (3 * NS_PER_S)
#define RTO_MAX_NS       (60 * NS_PER_S)
#define REORDER_NS       (20 * NS_PER_MS) /* a later datagram may overtake by this much */
#define GIVE_UP_NS       (6 * 86400 * NS_PER_S) /* docs/wire.md: too_old begins at 7 days less some hours */
#define CWND_FIRST       128
#define CWND_MIN         16
#define TYPES_TEXT_BYTES 512

struct slot {
	uint64_t closed_ns;
	uint64_t sent_ns; /* last time it was sent; 0: never */
	uint32_t records;
	uint16_t len;     /* of the datagram, tag included */
	bool acked, lost;
	uint8_t *data;
};

/* The datagram being filled. */
struct filling {
	struct body body; /* tables; records stands for nothing here */
	struct wr records;
	uint8_t *record_bytes;
	uint8_t type_text[TYPES_TEXT_BYTES];
	size_t type_text_len, table_bytes;
	uint64_t opened_ns;
	bool open;
};

struct sender {
	struct seal *seal, *ack_seal;
	struct key key;
	uint8_t session[SESSION_ID_BYTES];
	uint8_t run[SESSION_ID_BYTES]; /* that ack_seal is for */
	char name[SENDER_NAME_MAX];
	size_t name_len, datagram_bytes;
	uint64_t linger_ns;

	struct slot *slots;
	uint8_t *slot_memory;
	uint32_t slot_count;
	uint64_t head, next;   /* sequence numbers: oldest unacknowledged, next to close */
	uint64_t unsent;       /* lowest never sent */
	uint64_t lost_from;    /* no lost slot below this number */
	uint32_t under_way;    /* sent, not acknowledged, not taken as lost */
	uint32_t waiting;      /* closed, not acknowledged */
	uint32_t cwnd, since_prompt;
	uint64_t flushed;      /* datagrams below this number were flushed: ask for an answer */
	uint64_t rto_ns, rto_due_ns;

	struct filling filling;
	uint64_t dropped, dropped_told;
	/* Of this session: records taken, records in datagrams below head, dropped when it began. */
	uint64_t session_records, head_records, dropped_before;
	struct sender_stats stats;
};

/* ---- life ---- */

static size_t slot_capacity(const struct sender_config *config, size_t datagram_bytes)
{
	size_t memory = config->memory_bytes ? config->memory_bytes : MEMORY_DEFAULT;
	size_t n = memory / (datagram_bytes + sizeof(struct slot));
	return n < 2 ? 2 : n > WINDOW_SIZE ? WINDOW_SIZE : n;
}

static int allocate(struct sender *s)
{
	s->slots = calloc(s->slot_count, sizeof(*s->slots));
	s->slot_memory = malloc(s->slot_count * s->datagram_bytes);
	s->filling.record_bytes = malloc(s->datagram_bytes);
	if (!s->slots || !s->slot_memory || !s->filling.record_bytes)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->slot_count; i++)
		s->slots[i].data = s->slot_memory + i * s->datagram_bytes;
	if (getrandom(s->session, sizeof(s->session), 0) != (ssize_t)sizeof(s->session))
		return -EIO;
	return records_seal_new(&s->key, s->session, &s->seal);
}

int sender_new(const struct sender_config *config, struct sender **ret)
{
	size_t name_len = strlen(config->name);
	size_t datagram_bytes = config->datagram_bytes ? config->datagram_bytes : DATAGRAM_MAX;
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
	s->slot_count = (uint32_t)slot_capacity(config, datagram_bytes);
	s->cwnd = CWND_FIRST;
	s->rto_ns = RTO_FIRST_NS;
	s->rto_due_ns = UINT64_MAX;
	int r = allocate(s);
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
	free(s->slot_memory);
	free(s->filling.record_bytes);
	explicit_bzero(&s->key, sizeof(s->key));
	free(s);
}

static struct slot *slot_of(struct sender *s, uint64_t seq)
{
	return &s->slots[seq % s->slot_count];
}

/* ---- filling ---- */

/* Bytes a datagram takes beside the tables and the records. */
static size_t fixed_bytes(const struct sender *s)
{
	return HEADER_BYTES + BODY_FIXED_BYTES + s->name_len + 2 + SEAL_TAG_BYTES;
}

static int open_datagram(struct sender *s, uint64_t now_ns)
{
	struct filling *f = &s->filling;
	if (s->next - s->head >= s->slot_count)
		return -ENOBUFS;
	f->body.time_ms = clock_wall_ms();
	f->body.records_before = s->session_records;
	f->body.name = (struct view){(const uint8_t *)s->name, s->name_len};
	f->body.server_count = f->body.type_count = f->body.record_count = 0;
	f->type_text_len = 0;
	f->table_bytes = 2;
	f->records = wr_make(f->record_bytes, s->datagram_bytes - fixed_bytes(s));
	f->opened_ns = now_ns;
	f->open = true;
	return 0;
}

static void close_datagram(struct sender *s, uint64_t now_ns)
{
	struct filling *f = &s->filling;
	struct slot *slot = slot_of(s, s->next);
	struct wr w = wr_make(slot->data, s->datagram_bytes);
	struct header h = {.kind = DATAGRAM_RECORDS, .key_id = s->key.id, .seq = s->next};
	memcpy(h.session, s->session, sizeof(h.session));
	header_write(&w, &h);
	body_write_head(&w, &f->body);
	wr_bytes(&w, f->record_bytes, wr_len(&f->records));
	assert(wr_ok(&w) && wr_left(&w) >= SEAL_TAG_BYTES);
	*slot = (struct slot){.data = slot->data, .closed_ns = now_ns, .records = f->body.record_count,
		.len = (uint16_t)(wr_len(&w) + SEAL_TAG_BYTES)};
	s->next++;
	s->waiting++;
	f->open = false;
}

/* Index of the server in the tables, added if new; -1 when the table is full. */
static int server_index(struct filling *f, const struct addr *server)
{
	for (uint32_t i = 0; i < f->body.server_count; i++)
		if (addr_equal(&f->body.servers[i], server))
			return (int)i;
	if (f->body.server_count == BODY_SERVERS_MAX)
		return -1;
	f->body.servers[f->body.server_count] = *server;
	f->table_bytes += 1 + addr_size(server);
	return (int)f->body.server_count++;
}

/* *ret: index of the type, -1 for none. False when the table is full. */
static bool type_index(struct filling *f, struct view type, int *ret)
{
	*ret = -1;
	if (!type.len)
		return true;
	for (uint32_t i = 0; i < f->body.type_count; i++) {
		const struct view *v = &f->body.types[i];
		if (v->len == type.len && memcmp(v->data, type.data, type.len) == 0) {
			*ret = (int)i;
			return true;
		}
	}
	if (f->body.type_count == BODY_TYPES_MAX || f->type_text_len + type.len > TYPES_TEXT_BYTES)
		return false;
	uint8_t *copy = f->type_text + f->type_text_len;
	memcpy(copy, type.data, type.len);
	f->type_text_len += type.len;
	f->table_bytes += 1 + type.len;
	*ret = (int)f->body.type_count;
	f->body.types[f->body.type_count++] = (struct view){copy, type.len};
	return true;
}

/* Adds the record to the datagram being filled; false when it does not fit. */
static bool append(struct sender *s, const struct record *rec)
{
	struct filling *f = &s->filling;
	struct body old_tables = {.server_count = f->body.server_count, .type_count = f->body.type_count};
	size_t old_text = f->type_text_len, old_bytes = f->table_bytes;
	struct wr before = f->records;
	int server = server_index(f, &rec->server), type;
	if (server >= 0 && type_index(f, rec->type, &type)) {
		record_write(&f->records, rec, f->body.time_ms, (uint32_t)server, type);
		if (wr_ok(&f->records) && wr_left(&f->records) >= f->table_bytes) {
			f->body.record_count++;
			return true;
		}
	}
	f->records = before;
	f->body.server_count = old_tables.server_count;
	f->body.type_count = old_tables.type_count;
	f->type_text_len = old_text;
	f->table_bytes = old_bytes;
	return false;
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
		if (!s->filling.open && open_datagram(s, now_ns) < 0) {
			s->dropped++;
			return -ENOBUFS;
		}
		if (append(s, rec)) {
			s->stats.records++;
			s->session_records++;
			return 0;
		}
		if (!s->filling.body.record_count)
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
	if (!s->filling.open && s->dropped != s->dropped_told)
		(void)open_datagram(s, now_ns); /* an empty one carries the count */
	if (s->filling.open)
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
	struct wr counts = wr_make(body + BODY_COUNTS_OFFSET, 24);
	wr_u64(&counts, s->dropped - s->dropped_before);
	wr_u64(&counts, s->head);
	wr_u64(&counts, s->head_records);
	if (wants_prompt(s, seq)) {
		body[BODY_FLAGS_OFFSET] |= BODY_FLAG_PROMPT;
		s->since_prompt = 0;
	}
	s->dropped_told = s->dropped;
	return seal_close(s->seal, seq, (struct view){slot->data, HEADER_BYTES}, body,
		slot->len - HEADER_BYTES - SEAL_TAG_BYTES);
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
	return s->unsent < s->next;
}

static bool linger_is_over(const struct sender *s, uint64_t now_ns)
{
	return s->filling.open && now_ns >= s->filling.opened_ns + s->linger_ns;
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
	s->dropped_before = s->dropped;
	for (uint64_t seq = s->head; seq < s->next; seq++)
		s->dropped += slot_of(s, seq)->acked ? 0 : slot_of(s, seq)->records;
	s->head = s->next = s->unsent = s->lost_from = s->flushed = s->head_records = 0;
	s->under_way = s->waiting = s->since_prompt = 0;
	s->session_records = s->filling.open ? s->filling.body.record_count : 0;
	s->filling.body.records_before = 0;
	s->rto_due_ns = UINT64_MAX;
	s->rto_ns = RTO_FIRST_NS;
}

/* Nothing was heard for too long: everything under way is lost, start small. */
static void handle_timeout(struct sender *s, uint64_t now_ns)
{
	if (now_ns < s->rto_due_ns)
		return;
	if (s->head < s->next && now_ns - slot_of(s, s->head)->closed_ns > GIVE_UP_NS) {
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
	s->cwnd = CWND_MIN;
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
	bool something = s->unsent < s->next;
	for (uint64_t seq = s->lost_from; !something && seq < s->unsent; seq++)
		something = s->slots[seq % s->slot_count].lost;
	if (something && s->under_way < s->cwnd)
		return 0;
	uint64_t linger = s->filling.open ? s->filling.opened_ns + s->linger_ns : UINT64_MAX;
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
		s->cwnd = s->cwnd / 2 < CWND_MIN ? CWND_MIN : s->cwnd / 2;
	else
		s->cwnd = s->cwnd + count > s->slot_count ? s->slot_count : s->cwnd + count;
	s->rto_ns = RTO_FIRST_NS;
	s->rto_due_ns = s->waiting ? now_ns + s->rto_ns : UINT64_MAX;
	return 0;
}

/* ---- what can be asked ---- */

struct sender_stats sender_stats(const struct sender *s)
{
	struct sender_stats stats = s->stats;
	stats.dropped = s->dropped;
	stats.waiting = s->waiting + s->filling.open;
	return stats;
}

bool sender_idle(const struct sender *s)
{
	return !s->waiting && !s->filling.open && s->dropped == s->dropped_told;
}

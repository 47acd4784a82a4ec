/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A sender's half of the datagram protocol (docs/wire.md), without any I/O: records go in, sealed
 * datagrams come out, acknowledgements go in. Used by the nginx module, the probe and the command
 * line, each with its own sockets and timers.
 *
 * Memory is bounded: a fixed ring of datagrams, allocated once. Records that find it full are dropped
 * and counted, and every later datagram tells the collector that count, so its ledger closes. What is
 * unacknowledged is sent again with back-off. One thread. */

#include "base/buffer.h"
#include "sender/buffers.h"
#include "wire/key.h"
#include "wire/record.h"

#define SENDER_NAME_MAX 64

struct sender;

struct sender_config {
	const char *name;        /* at most SENDER_NAME_MAX bytes */
	struct key key;
	size_t memory_bytes;     /* for unacknowledged datagrams; 0: 4 MiB */
	size_t datagram_bytes;   /* 0: 1400 */
	uint64_t linger_ns;      /* a datagram that is not full is closed after this; 0: 1 s */
	struct buffers *buffers;       /* shared with other senders of the same datagram_bytes, and outliving them; NULL: its own */
	uint32_t in_flight_max;  /* datagrams sent and not acknowledged; 0: as many as there is memory for */
};

size_t sender_datagram_bytes(const struct sender_config *config);
/* How many buffers memory_bytes are, when so many senders share them. */
uint32_t sender_buffer_count(const struct sender_config *config, uint32_t sessions);

/* A session begins. -EINVAL, -ENOMEM, or -EIO when libcrypto fails. */
int sender_new(const struct sender_config *config, struct sender **ret) MUST_USE;
void sender_free(struct sender *s);

/* Takes a record. Times are monotonic nanoseconds. -ENOBUFS: dropped and counted; -EINVAL: not a
 * valid record (a value above RECORD_VALUE_MAX, no address, type too long), not counted. */
int sender_add(struct sender *s, const struct record *rec, uint64_t now_ns) MUST_USE;
/* Counts records that the caller itself had to drop. */
void sender_count_dropped(struct sender *s, uint64_t records);

/* Closes the datagram being filled, so that it is sent at once, and asks for a prompt answer. */
void sender_flush(struct sender *s, uint64_t now_ns);

/* The next datagram to put on the wire now, first time or again; false when none is due. The bytes
 * are valid until the next call of any function here. */
bool sender_next(struct sender *s, uint64_t now_ns, struct view *ret);
/* An arrived datagram. 0: an acknowledgement was taken; -EBADMSG: not from our collector. */
int sender_receive(struct sender *s, struct view datagram, uint64_t now_ns) MUST_USE;
/* When to call sender_next again if nothing else happens; UINT64_MAX: never. */
uint64_t sender_deadline_ns(const struct sender *s);

struct sender_stats {
	uint64_t records;      /* taken */
	uint64_t dropped;      /* of those offered, for want of room */
	uint64_t acknowledged; /* records the collector has on disk */
	uint64_t datagrams;    /* sent for the first time */
	uint64_t resent;
	uint64_t waiting;      /* datagrams not yet acknowledged, the one being filled included */
};
struct sender_stats sender_stats(const struct sender *s);
/* Everything taken has been acknowledged. */
bool sender_idle(const struct sender *s);

/* ---- several senders that share the work (sender/fleet.h) ---- */

/* While held, nothing is sent for the first time. */
void sender_hold(struct sender *s, bool hold);
/* Something sent has had no answer for 6 s, though it was sent again. */
bool sender_away(const struct sender *s);
/* Free places in the ring. */
uint32_t sender_room(const struct sender *s);
/* What was sent, even once, and is not acknowledged: the collector may have it or not. */
struct sender_owed {
	uint64_t records, datagrams;
};
struct sender_owed sender_owed(const struct sender *s);
/* Moves what was never sent, and the drops never told: datagrams as far as `to` has places. Both share buffers, a name and a
 * key. */
void sender_hand_over(struct sender *from, struct sender *to, uint64_t now_ns);

/* ---- what is to outlive the process ---- */

/* Gives away what was never sent, in the order it was closed, as bodies in clear that body_read reads: as if their records
 * had never been taken. The datagram being filled stays unless `all`. It ends when fn returns a negative number, and what fn
 * refused stays. Returns how many drops were never told, if `all` (they count no more then), else 0. */
uint64_t sender_take_unsent(struct sender *s, bool all, int (*fn)(void *ctx, struct view body, uint32_t records), void *ctx,
	uint64_t now_ns);
/* Writes down what is owed, as it was sealed; nothing when nothing is. A failed buffer: out of memory. */
void sender_save(const struct sender *s, struct buffer *out);
/* Goes on with a session that was saved: what is owed is sent again until it is acknowledged. Nothing may be added. config: as
 * it was, its memory is not looked at. -EBADMSG: it can't be read; -ENOKEY: the key is another one; as sender_new. */
int sender_resume(const struct sender_config *config, struct view saved, uint64_t now_ns, struct sender **ret) MUST_USE;

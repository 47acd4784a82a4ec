/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The datagrams: layout of the clear header, the body of records and the body of an acknowledgement.
 * Pure: no I/O, no allocation. docs/wire.md is the specification and is enough for a second
 * implementation; tests/unit/wire holds its frozen vectors.
 *
 * Order of work for a receiver: header_read, find the key and session, seal_open, body_read, then
 * body_next until it returns 0. */

#include "wire/record.h"
#include "wire/seal.h"
#include "wire/window.h"

#define DATAGRAM_VERSION     1
#define DATAGRAM_MAX         1400 /* default size of a sender's datagrams */
#define DATAGRAM_RECEIVE_MAX 9000 /* longer ones are malformed */
#define SESSION_ID_BYTES     16
#define HEADER_BYTES         32
#define ACK_HEADER_BYTES     (HEADER_BYTES + SESSION_ID_BYTES)
#define NAME_MAX_BYTES       64
#define BODY_SERVERS_MAX     64 /* server addresses in one datagram */
#define BODY_TYPES_MAX       64 /* traffic types in one datagram */

enum datagram_kind { DATAGRAM_RECORDS = 1, DATAGRAM_ACK = 2 };

#define RECORDS_INFO "whereto 1 records" /* HKDF info; salt: session id */
#define ACK_INFO     "whereto 1 acks"    /* HKDF info; salt: session id, collector's run id */

struct header {
	uint8_t kind;
	uint32_t key_id;
	uint8_t session[SESSION_ID_BYTES];
	uint64_t seq;
	uint8_t run[SESSION_ID_BYTES]; /* ACK: the collector's run id */
	struct view clear;             /* when read: the header's own bytes */
	struct view sealed;            /* when read: what is behind it */
};

/* -EBADMSG: not a datagram of this version, or of records with a number above WINDOW_SEQ_MAX. */
int header_read(struct view datagram, struct header *ret) MUST_USE;
void header_write(struct wr *w, const struct header *h);

#define BODY_FLAG_PROMPT 1 /* the sender waits: acknowledge as soon as may be */

struct body {
	uint8_t flags;
	uint64_t time_ms;        /* when the datagram was begun; record times are relative to it */
	uint64_t records_before; /* records in this session's earlier datagrams */
	uint64_t dropped;        /* records the sender has had to drop in this session so far */
	uint64_t oldest;         /* lowest number not acknowledged when this one was sealed */
	uint64_t acknowledged;   /* records in the datagrams below oldest */
	struct view name;        /* the sender's */
	struct addr servers[BODY_SERVERS_MAX];
	struct view types[BODY_TYPES_MAX];
	uint32_t server_count, type_count, record_count;
	struct rd records;
};

/* -EBADMSG. Views point into plain. */
int body_read(struct view plain, struct body *ret) MUST_USE;
/* The next record and the indexes of its server and type in the body's tables (type: -1 none).
 * 1: a record; 0: there are no more; -EBADMSG: the rest cannot be read; -ERANGE: this record has a
 * figure or time out of range, go on with the next. */
int body_next(struct body *b, struct record *ret, int *ret_server, int *ret_type) MUST_USE;

/* Writing: the fixed part, the tables, the count; records follow, each by record_write. */
void body_write_head(struct wr *w, const struct body *b);
void record_write(struct wr *w, const struct record *rec, uint64_t base_ms, uint32_t server, int type);
/* Offsets in a body of what is known only when it is sealed: the flags; records before, dropped, oldest,
 * acknowledged. */
#define BODY_FLAGS_OFFSET  0
#define BODY_COUNTS_OFFSET 9
#define BODY_FIXED_BYTES   42 /* up to and with the name's length */

struct ack {
	struct view collector; /* its name */
	struct window window;
};

int ack_read(struct view plain, struct ack *ret) MUST_USE;
void ack_write(struct wr *w, const struct ack *ack);

/* The seals of a session: for its records (sender to collector) and for one collector run's
 * acknowledgements (the other way). */
int records_seal_new(const struct key *key, const uint8_t session[static SESSION_ID_BYTES],
	struct seal **ret) MUST_USE;
int ack_seal_new(const struct key *key, const uint8_t session[static SESSION_ID_BYTES],
	const uint8_t run[static SESSION_ID_BYTES], struct seal **ret) MUST_USE;

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A session's window: which sequence numbers have been accepted. Numbers count up from 0. Everything
 * below base has been accepted; above it a bitmap tells, WINDOW_SIZE numbers far. A sender never has
 * more than that under way, so no number is ever too old to be judged: it was accepted, or it was
 * not. A plain value of about a kilobyte. */

#include "base/cursor.h"

#define WINDOW_SIZE      8192 /* datagrams a sender may have unacknowledged */
#define WINDOW_ACK_BYTES 1024 /* bitmap bytes of a whole window */
#define WINDOW_SEQ_MAX   (UINT64_MAX - WINDOW_SIZE - 1) /* highest number that may be accepted */

struct window {
	uint64_t base; /* the lowest number not accepted yet */
	uint64_t end;  /* one past the highest accepted */
	uint64_t bits[WINDOW_SIZE / 64]; /* of number n: bit n % WINDOW_SIZE; only base..end-1 count */
};

enum window_verdict {
	WINDOW_NEW,       /* in order, or after a gap */
	WINDOW_REORDERED, /* new, but a later one came before it */
	WINDOW_SEEN,      /* accepted before */
	WINDOW_AHEAD,     /* further ahead than a sender may be */
};

/* What accepting seq would be; changes nothing. */
enum window_verdict window_check(const struct window *w, uint64_t seq);
/* Accepts seq, which window_check found new or reordered, at most WINDOW_SEQ_MAX: with a higher one the state could not
 * be read back. */
void window_accept(struct window *w, uint64_t seq);

/* Everything below seq counts as accepted from now on. */
void window_forward(struct window *w, uint64_t seq);

/* The state as bytes: u64 base, u16 length of the bitmap, the bitmap (bit i of byte j, least
 * significant first: number base + 1 + 8 j + i was accepted). This is an acknowledgement's core and
 * the journal's form alike. At most WINDOW_STATE_MAX bytes. */
#define WINDOW_STATE_MAX (8 + 2 + WINDOW_ACK_BYTES)
void window_write(const struct window *w, struct wr *out);
/* The reverse; fails the reader when the state is not one window_write makes. */
void window_read(struct rd *in, struct window *ret);

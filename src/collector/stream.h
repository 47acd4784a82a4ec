/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A TCP connection that a router made, read in slices (base/loop.h's work): a full table that arrives does
 * not hold up intake, and two arriving at once share the time. Data-plane thread. Bounded by input_max. */

#include "base/cursor.h"
#include "base/loop.h"

enum stream_next {
	STREAM_WAIT,  /* all whole messages have been taken; r stands at the rest */
	STREAM_MORE,  /* the time is up, there may be more in r */
	STREAM_GONE,  /* the owner has closed the stream, or is about to: it is not touched any more */
};

struct stream {
	struct loop *loop;
	struct loop_fd fd;
	struct loop_work work;
	/* Takes messages out of r until about until_ns. What it is given stays where it is until it returns
	 * STREAM_WAIT. */
	enum stream_next (*input)(struct stream *self, struct rd *r, uint64_t until_ns);
	/* The other side closed the connection, or it broke (error: errno, else 0). To be closed by the owner. */
	void (*ended)(struct stream *self, int error);
	void *ctx;
	uint8_t *bytes;
	size_t from, to, cap, max; /* bytes[from..to) are still to be taken */
	bool over;                 /* no more will come */
	int error;
	uint64_t received_bytes;
};

/* Takes over the descriptor, which is closed on failure too. The struct must stay where it is. input_max:
 * the longest message. -ENOMEM, or what epoll says. */
int stream_open(struct stream *s, struct loop *loop, int fd, size_t input_max) MUST_USE;
void stream_close(struct stream *s);

/* Sends all of it at once. What we send in a day fits into a socket's buffer; one that has no room is of a
 * router that is not there any more: -ENOBUFS. Or -errno. */
int stream_send(struct stream *s, struct view bytes) MUST_USE;
/* Bytes that have been received are still to be looked at: here, or with the kernel. The beginning of a message
 * whose rest has not come is not. */
bool stream_pending(const struct stream *s);

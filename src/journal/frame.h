/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A frame's content as bytes and back: sessions, retired senders, and a flow table with its changes. Numbers are
 * varints; the layout is private to one version of the program's journal (journal.c writes the
 * version in each segment). Pure but for memory. */

#include "base/buffer.h"
#include "journal/ledger.h"
#include "traffic/flow.h"

struct frame {
	const struct session_state *sessions; /* changed since the frame before */
	size_t session_count;
	const struct retired_state *retired; /* likewise */
	size_t retired_count;
	const struct flow_table *flows; /* NULL: none */
	/* Sessions that ended, their counts being in `retired` now. They stand first: an id may be of a
	 * session that ended and began again. */
	const uint8_t (*ended)[SESSION_ID_BYTES];
	size_t ended_count;
};

/* Appends to out; -ENOMEM. */
int frame_encode(const struct frame *f, struct buffer *out) MUST_USE;

/* What a reader does with what it finds. A negative return ends the reading with it. */
struct frame_sink {
	void *ctx;
	int (*session)(void *ctx, const struct session_state *s);
	int (*retired)(void *ctx, const struct retired_state *r);
	int (*ended)(void *ctx, const uint8_t id[static SESSION_ID_BYTES]);
};

/* Adds the flows and changes to *flows (NULL: they are passed over). -EBADMSG: not a frame; -ENOMEM. */
int frame_decode(struct view bytes, const struct frame_sink *sink, struct flow_table *flows) MUST_USE;

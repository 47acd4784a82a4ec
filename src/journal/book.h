/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The book: every session and retired sender as of the last frame on disk. It is filled when the
 * journal is read, kept up with each frame, and written out whole as the snapshot that begins a
 * segment. One thread. */

#include "base/index.h"
#include "journal/frame.h"

struct book {
	struct session_state *sessions;
	size_t session_count, session_cap;
	struct index session_index; /* by id */
	struct retired_state *retired;
	size_t retired_count, retired_cap;
	struct index retired_index; /* by name */
};

void book_init(struct book *b);
void book_done(struct book *b);
/* Replace or add. -ENOMEM. */
int book_put_session(struct book *b, const struct session_state *s) MUST_USE;
int book_put_retired(struct book *b, const struct retired_state *r) MUST_USE;
/* NULL when no session of this sender has ended; valid until the book changes. */
const struct retired_state *book_get_retired(const struct book *b, const char *name, uint8_t name_len);
/* Forgets a session. No-op when it is not there. */
void book_del_session(struct book *b, const uint8_t id[static SESSION_ID_BYTES]);
struct frame book_snapshot(const struct book *b);
/* A sink that puts what it is given into this book. */
struct frame_sink book_sink(struct book *b);

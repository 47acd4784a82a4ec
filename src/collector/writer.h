/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The writer: takes what the data plane freezes, makes it durable in the journal, says so, and brings
 * it into the store. Two threads of its own: one for the journal, so that acknowledgements never wait
 * for a database, one for the store. See writer.c for the life of a batch. */

#include "journal/book.h"
#include "journal/journal.h"
#include "store/store.h"

struct writer;

/* What arrived between two freezes. Ownership moves with writer_give and comes back by durable. */
struct frozen {
	struct flow_table *flows;        /* emptied by the writer, which keeps it */
	struct session_state *sessions;  /* whose state changed */
	size_t session_count;
	struct retired_state *retired;   /* likewise */
	size_t retired_count;
	uint8_t (*ended)[SESSION_ID_BYTES]; /* sessions to forget */
	size_t ended_count;
};

void frozen_free(struct frozen *f);

struct writer_config {
	const char *collector;  /* its name */
	const char *journal_dir;
	uint64_t journal_max_bytes;
	struct store *store;
	atomic_bool *give_up;   /* the store's (struct store_config); NULL: it has none */
	/* Called on the journal thread when a frozen is on disk; takes it over. */
	void (*durable)(void *ctx, struct frozen *f);
	void *ctx;
	struct traffic_metrics *traffic; /* what is durable is added to it; NULL: nowhere */
};

/* Opens the journal, reads it, brings what it holds into the store as far as the store is there, and
 * begins a new segment. A store that is away (its last_batch fails) is no error: it is asked again and again, and
 * until it answers everything stays in the journal. Afterwards writer_book has the sessions to go on with. */
int writer_new(const struct writer_config *config, struct writer **ret, struct error *err) MUST_USE;
/* Before writer_start only. */
const struct book *writer_book(const struct writer *w);
int writer_start(struct writer *w) MUST_USE;
/* Makes durable and stores what was given, waiting at most timeout_ms for the store; then ends the
 * threads and frees everything. What the store did not get stays in the journal. */
void writer_free(struct writer *w, unsigned timeout_ms);

/* Data plane: hands over. One at a time: not again before durable was called. */
void writer_give(struct writer *w, struct frozen *f);
/* An empty flow table to go on with; NULL when memory is out. */
struct flow_table *writer_spare(struct writer *w);

/* Any thread: waits until what was durable at the call is in the store, at most ten seconds; returns at
 * once while the store is away or the journal cannot begin a segment. */
void writer_settle(struct writer *w);

struct writer_stats {
	uint64_t frames, batches, batch_rows; /* written since start */
	uint64_t duplicates;                  /* batches the store had already */
	uint64_t retries, failures;           /* of the store; of the journal */
	uint64_t journal_bytes;               /* now, on disk */
	uint64_t backlog, backlog_bytes;      /* now: batches not yet in the store */
	uint64_t backlog_since_ms;            /* wall clock: when the oldest of them was made; 0: there is none */
	uint64_t store_away_since_ms;         /* wall clock; 0: it is not */
	uint64_t unkept_since_ms;             /* wall clock: since when the store's housekeeping fails; 0: it does not */
	uint64_t last_batch_ns, last_sync_ns; /* what the last ones took */
	char journal_error[256], store_error[256], housekeeping_error[512]; /* "": working */
};
void writer_get_stats(struct writer *w, struct writer_stats *ret);

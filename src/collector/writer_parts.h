/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the two files of the writer share: writer.c, the journal thread and what callers see, and writer_store.c, the store
 * thread. */

#include <pthread.h>

#include "collector/writer.h"

struct batch {
	uint64_t id;
	struct flow_table *flows;
	uint64_t frames; /* frames durable when it was cut */
	bool damaged;    /* the file holds more than could be read */
	bool in_doubt;   /* the store may have it: of an earlier run, or an attempt failed */
};

struct writer {
	struct writer_config config; /* its journal_dir is not looked at after the start */
	char *collector;             /* what config.collector points to: the caller's may go with a reload */
	struct journal *journal;
	struct book book;
	struct flow_table *pending;
	uint64_t pending_since_ns;
	struct batch kept; /* the last batch cut, while its table is still in memory */
	uint64_t first_id; /* of this run's segments */
	bool seen;         /* what the store has is known, and the journal's ids are above it */

	pthread_t journal_thread, store_thread;
	bool started;

	pthread_mutex_t lock;
	pthread_cond_t journal_wake, store_wake, settled;
	struct frozen *given;
	struct flow_table *spare;
	struct batch storing;      /* flows set: the store thread works on it */
	bool stored;               /* the store thread is done with `storing` */
	bool store_answered;       /* the store thread has asked it for the first time */
	uint64_t last_stored;      /* of this collector, as far as it is known here */
	bool settle_wanted, stopping, store_stopping;
	bool stuck;                /* no batch could be cut or read: not again before a second is over */
	uint64_t frames_durable, frames_stored;
	struct writer_stats stats;
};

void writer_set_text(char *dest, size_t cap, const char *text);

/* The store thread. Before it runs, and only then, others may call the two below. */
void *writer_store_main(void *arg);
enum store_result writer_write_batch(struct writer *w, struct batch *b);
/* At the start: asks the store for the last batch of this collector; when it is away that is done later. */
int writer_meet_store(struct writer *w, uint64_t *ret_last, struct error *err) MUST_USE;

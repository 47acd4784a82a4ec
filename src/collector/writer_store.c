/* SPDX-License-Identifier: BSD-2-Clause */

/* The writer's store thread: writes the batch it was handed, again each second until the store has taken it, and has the
 * store keep house.
 *
 * No batch goes to the store before the store has said which the last one of this collector is (`seen`): a journal begun
 * while it was away may have to take other ids first (journal_see). It is asked again before each batch. Anything but the
 * last one written, or the one to be written after an attempt whose end is not known, was written by somebody else under
 * this collector's name, who might take our ids: then nothing more is written, and the journal keeps it. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "collector/writer_parts.h"

#define RETRY_NS    NS_PER_S
#define MAINTAIN_NS (60 * NS_PER_S)

void writer_set_text(char *dest, size_t cap, const char *text)
{
	(void)snprintf(dest, cap, "%.*s", (int)cap - 1, text);
}

/* ---- the store thread ---- */

/* The store's state as people see it. */
static void set_store_state(struct writer *w, bool away, const char *text)
{
	pthread_mutex_lock(&w->lock);
	w->stats.store_away_since_ms = !away ? 0 : w->stats.store_away_since_ms ? w->stats.store_away_since_ms : clock_wall_ms();
	writer_set_text(w->stats.store_error, sizeof(w->stats.store_error), away ? text : "");
	pthread_mutex_unlock(&w->lock);
}

static bool store_was_away(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	bool away = w->stats.store_error[0];
	pthread_mutex_unlock(&w->lock);
	return away;
}

static int last_of_ours(struct writer *w, uint64_t *ret, struct error *err)
{
	return w->config.store->ops->last_batch(w->config.store, w->config.collector, ret, err);
}

static enum store_result foreign(const struct writer *w, uint64_t id, struct error *err)
{
	(void)error_set(err, -EPROTO, "the store has a batch of collector '%s', %" PRIu64 ", that this one did not write: another"
		" collector has the same name; nothing more is written until each has a `name` of its own", w->collector, id);
	return STORE_FATAL;
}

/* Nobody else writes under our name? */
static enum store_result check_name(struct writer *w, const struct batch *b, struct error *err)
{
	uint64_t last = 0;
	if (last_of_ours(w, &last, err) < 0)
		return STORE_RETRY;
	if (last <= w->last_stored || (last == b->id && b->in_doubt))
		return STORE_OK;
	return foreign(w, last, err);
}

static void log_outcome(const struct batch *b, bool was_away, bool away, const struct error *err)
{
	if (away && !was_away)
		log_error("store: batch %" PRIu64 " not written, will be tried again: %s", b->id, err->text);
	else if (!away && was_away)
		log_info("store: writing again, batch %" PRIu64, b->id);
}

enum store_result writer_write_batch(struct writer *w, struct batch *b)
{
	struct error err = {0};
	struct store_batch batch = {.collector = w->config.collector, .id = b->id, .flows = b->flows};
	uint64_t start = clock_mono_ns();
	enum store_result result = check_name(w, b, &err);
	if (result == STORE_OK) {
		result = w->config.store->ops->write_batch(w->config.store, &batch, &err);
		if (result == STORE_DUPLICATE && !b->in_doubt)
			result = foreign(w, b->id, &err);
		else
			b->in_doubt = true;
	}
	bool away = result == STORE_RETRY || result == STORE_FATAL, was_away = store_was_away(w);
	set_store_state(w, away, err.text);
	pthread_mutex_lock(&w->lock);
	w->stats.last_batch_ns = clock_mono_ns() - start;
	w->stats.retries += away;
	if (!away) {
		w->last_stored = b->id > w->last_stored ? b->id : w->last_stored;
		w->stats.batches++;
		w->stats.batch_rows += b->flows->row_count;
		w->stats.duplicates += result == STORE_DUPLICATE;
	}
	pthread_mutex_unlock(&w->lock);
	log_outcome(b, was_away, away, &err);
	return result;
}

/* True: there may be more to do. What fails here every time is seen by nobody who asks for data: rows go on to come in, and none
 * is ever merged or dropped. */
static bool maintain(struct writer *w)
{
	struct error err = {0};
	int r = w->config.store->ops->maintain(w->config.store, clock_wall_ms() / 1000, &err);
	pthread_mutex_lock(&w->lock);
	w->stats.unkept_since_ms = r >= 0 ? 0 : w->stats.unkept_since_ms ? w->stats.unkept_since_ms : clock_wall_ms();
	writer_set_text(w->stats.housekeeping_error, sizeof(w->stats.housekeeping_error), r < 0 ? err.text : "");
	pthread_mutex_unlock(&w->lock);
	if (r < 0)
		log_warning("store: housekeeping failed: %s", err.text);
	return r > 0;
}

/* Asks a store that was away at the start. The lock is not held. */
static bool ask_store(struct writer *w)
{
	struct error err = {0};
	uint64_t last = 0;
	if (last_of_ours(w, &last, &err) < 0) {
		set_store_state(w, true, err.text);
		return false;
	}
	set_store_state(w, false, "");
	log_info("store: it is there");
	pthread_mutex_lock(&w->lock);
	w->last_stored = last;
	w->store_answered = true;
	pthread_cond_signal(&w->journal_wake);
	pthread_mutex_unlock(&w->lock);
	return true;
}

/* Until it is there or the writer stops. */
static void await_store(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	while (!w->store_answered && !w->store_stopping) {
		pthread_mutex_unlock(&w->lock);
		bool there = ask_store(w);
		pthread_mutex_lock(&w->lock);
		if (!there && !w->store_stopping)
			cond_wait_ns(&w->store_wake, &w->lock, RETRY_NS);
	}
	pthread_mutex_unlock(&w->lock);
}

void *writer_store_main(void *arg)
{
	struct writer *w = arg;
	uint64_t maintained_ns = 0;
	bool more = false;
	await_store(w);
	pthread_mutex_lock(&w->lock);
	while (!w->store_stopping) {
		bool idle = !w->storing.flows || w->stored;
		if ((more && idle) || clock_mono_ns() - maintained_ns > MAINTAIN_NS) {
			pthread_mutex_unlock(&w->lock);
			more = maintain(w);
			maintained_ns = clock_mono_ns();
			pthread_mutex_lock(&w->lock);
			continue;
		}
		if (idle) {
			cond_wait_ns(&w->store_wake, &w->lock, MAINTAIN_NS);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		enum store_result result = writer_write_batch(w, &w->storing);
		pthread_mutex_lock(&w->lock);
		if (result == STORE_OK || result == STORE_DUPLICATE) {
			w->stored = true;
			pthread_cond_signal(&w->journal_wake);
		} else if (!w->store_stopping) {
			pthread_cond_broadcast(&w->settled); /* nobody shall wait for a store that is away */
			cond_wait_ns(&w->store_wake, &w->lock, RETRY_NS);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- the start ---- */

int writer_meet_store(struct writer *w, uint64_t *ret_last, struct error *err)
{
	size_t count;
	const struct journal_segment *segments = journal_segments(w->journal, &count);
	struct error away = {0};
	if (last_of_ours(w, ret_last, &away) < 0) {
		set_store_state(w, true, away.text);
		log_warning("store: %s; what arrives meanwhile waits in the journal", away.text);
		return count ? 0 : journal_set_blind(w->journal, err);
	}
	bool blind = journal_is_blind(w->journal);
	int r = journal_see(w->journal, *ret_last, err);
	if (r < 0)
		return r;
	if (*ret_last && !blind && (!count || segments[count - 1].id < *ret_last))
		log_warning("store: the last batch of collector '%s' there, %" PRIu64 ", is not of this journal: %s", w->collector,
			*ret_last, count ? "it is an old copy, or another collector has the same name" : "it is a new one");
	w->last_stored = *ret_last;
	w->seen = w->store_answered = true;
	return 0;
}

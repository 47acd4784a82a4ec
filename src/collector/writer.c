/* SPDX-License-Identifier: BSD-2-Clause */

/* The life of a batch.
 *
 *     give ──▶ frame in segment N, synced ──▶ durable (acks) ──▶ added to `pending`
 *     cut  ──▶ segment N+1 begins; pending becomes batch N     ──▶ store thread
 *     stored ─▶ segment N is deleted
 *
 * The content of batch N is exactly the frames of segment N, so after a crash the same batch is made
 * again from the file, and the store, which knows the ids it has applied, takes it once.
 *
 * A cut happens when the pending rows are FLUSH_NS old (longer where batches take long: the store
 * shall not spend more than a tenth of its time on them), when somebody wants to read
 * (writer_settle), or when they grow too large. Frames without rows (records that are rejected, datagrams that come again)
 * are cut off when they fill a quarter of the journal: else they would fill all of it, and no row would ever come. While the store is away or slow, cuts come only once a minute or by
 * size, the tables are dropped from memory and read again from their segments in order: memory stays
 * bounded by two tables here (and the data plane's own two), the disk by journal.max_size.
 *
 * If the journal cannot be written (full disk, max_size) the frame is tried again each second; no
 * acknowledgement leaves meanwhile and the data plane, which has at most one frozen under way,
 * stops reading when its own table is full.
 *
 * Threads: the journal thread owns the journal, the book and `pending`. The store thread owns the
 * store's writing side and the batch it was handed. They and the callers share what stands below
 * the lock. */

#include "collector/writer_parts.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "collector/traffic_metrics.h"

#define FLUSH_NS         (5 * NS_PER_S)
#define AWAY_FLUSH_NS    (60 * NS_PER_S)
#define SETTLE_WAIT_NS   (10 * NS_PER_S)
#define PENDING_MAX      (256u << 20)
#define ROWLESS_MAX      (64u << 20) /* bytes of frames; or a quarter of the journal */

void frozen_free(struct frozen *f)
{
	if (!f)
		return;
	flow_table_free(f->flows);
	free(f->sessions);
	free(f->retired);
	free(f->ended);
	free(f);
}

/* ---- the journal thread ---- */

static int update_book(struct writer *w, const struct frozen *f)
{
	int r = 0;
	for (size_t i = 0; i < f->ended_count; i++)
		book_del_session(&w->book, f->ended[i]);
	for (size_t i = 0; i < f->session_count && r == 0; i++)
		r = book_put_session(&w->book, &f->sessions[i]);
	for (size_t i = 0; i < f->retired_count && r == 0; i++)
		r = book_put_retired(&w->book, &f->retired[i]);
	return r;
}

static void set_journal_error(struct writer *w, const char *text)
{
	pthread_mutex_lock(&w->lock);
	bool was_good = !w->stats.journal_error[0];
	writer_set_text(w->stats.journal_error, sizeof(w->stats.journal_error), text);
	w->stats.failures += *text != '\0';
	pthread_mutex_unlock(&w->lock);
	if (*text && was_good)
		log_error("journal: %s; nothing is acknowledged until it can be written", text);
	else if (!*text && !was_good)
		log_info("journal: writing again");
}

/* One try to make a frozen durable. */
static bool append(struct writer *w, const struct frozen *f)
{
	struct frame frame = {f->sessions, f->session_count, f->retired, f->retired_count,
		flow_table_is_empty(f->flows) ? NULL : f->flows, (const uint8_t(*)[SESSION_ID_BYTES])f->ended,
		f->ended_count};
	struct error err = {0};
	uint64_t start = clock_mono_ns();
	int r = journal_append(w->journal, &frame, &err);
	set_journal_error(w, r < 0 ? err.text : "");
	if (r < 0)
		return false;
	pthread_mutex_lock(&w->lock);
	w->stats.frames++;
	w->stats.last_sync_ns = clock_mono_ns() - start;
	w->frames_durable++;
	pthread_mutex_unlock(&w->lock);
	return true;
}

/* Takes a durable frozen's rows over and gives the rest back for the acknowledgements. Out of memory
 * here is fatal: what was made durable comes back from the journal at the next start. */
static void take_in(struct writer *w, struct frozen *f)
{
	struct flow_table *flows = f->flows;
	f->flows = NULL;
	if (update_book(w, f) < 0) {
		log_error("writer: out of memory");
		abort();
	}
	w->config.durable(w->config.ctx, f);
	if (w->config.traffic)
		traffic_metrics_add(w->config.traffic, flows, clock_mono_ns());
	if (!flow_table_is_empty(flows) && flow_table_is_empty(w->pending))
		w->pending_since_ns = clock_mono_ns();
	if (flow_table_merge(w->pending, flows) < 0 || flow_table_clear(flows) < 0) {
		log_error("writer: out of memory");
		abort();
	}
	pthread_mutex_lock(&w->lock);
	if (!w->spare) {
		w->spare = flows;
		flows = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	flow_table_free(flows);
}

/* Is it time to make a batch of what is pending? batch_ns: what the last one took the store. */
static bool cut_is_due(const struct writer *w, bool settle, bool store_busy, uint64_t batch_ns)
{
	uint64_t quarter = w->config.journal_max_bytes / 4;
	if (flow_table_is_empty(w->pending))
		return journal_appended(w->journal) > (quarter < ROWLESS_MAX ? quarter : ROWLESS_MAX);
	if (flow_table_memory_bytes(w->pending) > PENDING_MAX)
		return true;
	uint64_t age = clock_mono_ns() - w->pending_since_ns;
	uint64_t flush = 10 * batch_ns;
	flush = flush < FLUSH_NS ? FLUSH_NS : flush > AWAY_FLUSH_NS ? AWAY_FLUSH_NS : flush;
	return store_busy ? age > AWAY_FLUSH_NS : settle || age > flush;
}

/* The pending rows become the batch of the segment that ends here. */
static bool cut(struct writer *w)
{
	struct flow_table *fresh;
	struct error err = {0};
	if (flow_table_new(&fresh) < 0)
		return false;
	uint64_t id = journal_current(w->journal);
	struct frame snapshot = book_snapshot(&w->book);
	int r = journal_begin(w->journal, 0, &snapshot, &err);
	set_journal_error(w, r < 0 ? err.text : "");
	if (r < 0) {
		flow_table_free(fresh);
		return false;
	}
	flow_table_free(w->kept.flows);
	w->kept = (struct batch){.id = id, .flows = w->pending, .frames = w->frames_durable};
	w->pending = fresh;
	return true;
}

static int ignore_session(void *ctx, const struct session_state *s)
{
	return 0;
}

static int ignore_retired(void *ctx, const struct retired_state *r)
{
	return 0;
}

static int ignore_ended(void *ctx, const uint8_t id[static SESSION_ID_BYTES])
{
	return 0;
}

/* The batch of the oldest closed segment, of which there must be one, from memory or from the file.
 * False: it cannot be read now. */
static bool load_oldest(struct writer *w, struct batch *ret)
{
	static const struct frame_sink ignore = {NULL, ignore_session, ignore_retired, ignore_ended};
	size_t count;
	const struct journal_segment *segments = journal_segments(w->journal, &count);
	if (w->kept.flows && w->kept.id == segments[0].id) {
		*ret = w->kept;
		w->kept.flows = NULL;
		return true;
	}
	struct error err = {0};
	struct batch b = {.id = segments[0].id, .in_doubt = segments[0].id < w->first_id};
	if (flow_table_new(&b.flows) < 0)
		return false;
	int r = journal_read(w->journal, b.id, &ignore, b.flows, &err);
	b.damaged = r == -EBADMSG;
	if (b.damaged)
		log_error("journal: %s; what stands before that place is stored, then the file is set aside", err.text);
	if (r < 0 && !b.damaged) {
		log_error("journal: %s", err.text);
		pthread_mutex_lock(&w->lock);
		writer_set_text(w->stats.store_error, sizeof(w->stats.store_error), err.text); /* until a batch gets through */
		pthread_mutex_unlock(&w->lock);
		flow_table_free(b.flows);
		return false;
	}
	*ret = b;
	return true;
}

/* The batch is in the store: its segment can go. One with damage is kept for a person, but not before:
 * until then it holds what stands before the damage. */
static void finish_batch(struct writer *w, struct batch done)
{
	struct error err = {0};
	int r = done.damaged ? journal_set_aside(w->journal, done.id, &err) : journal_delete(w->journal, done.id, &err);
	if (r < 0)
		log_error("journal: %s", err.text);
	flow_table_free(done.flows);
	size_t left;
	(void)journal_segments(w->journal, &left);
	pthread_mutex_lock(&w->lock);
	if (done.frames > w->frames_stored)
		w->frames_stored = done.frames;
	pthread_cond_broadcast(&w->settled);
	pthread_mutex_unlock(&w->lock);
}

/* What the store has is known: batches may go there. */
static bool see_store(struct writer *w)
{
	struct error err = {0};
	pthread_mutex_lock(&w->lock);
	bool answered = w->store_answered;
	uint64_t last = w->last_stored;
	pthread_mutex_unlock(&w->lock);
	if (w->seen || !answered)
		return w->seen;
	if (journal_is_blind(w->journal)) {
		flow_table_free(w->kept.flows); /* its id may change: it is read again */
		w->kept = (struct batch){0};
		w->first_id = 0; /* the store has none of ours */
		if (journal_see(w->journal, last, &err) < 0) {
			log_error("journal: %s", err.text);
			return false;
		}
	}
	w->seen = true;
	return true;
}

static void count_backlog(struct writer *w)
{
	size_t count;
	const struct journal_segment *segments = journal_segments(w->journal, &count);
	w->stats.journal_bytes = journal_bytes(w->journal);
	w->stats.backlog = count;
	w->stats.backlog_bytes = 0;
	w->stats.backlog_since_ms = count ? segments[0].closed_ms : 0;
	for (size_t i = 0; i < count; i++)
		w->stats.backlog_bytes += segments[i].bytes;
}

/* Everything that does not need a frozen: ends batches, cuts, hands the next one to the store. */
static void move_batches(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	struct batch done = {0};
	if (w->stored) {
		done = w->storing;
		w->storing = (struct batch){0};
		w->stored = false;
	}
	bool busy = w->storing.flows != NULL, settle = w->settle_wanted;
	uint64_t batch_ns = w->stats.last_batch_ns;
	pthread_mutex_unlock(&w->lock);
	if (done.flows)
		finish_batch(w, done);

	size_t closed;
	(void)journal_segments(w->journal, &closed);
	bool stuck = cut_is_due(w, settle, busy || closed > 0, batch_ns) && !cut(w);
	(void)journal_segments(w->journal, &closed);
	struct batch next = {0};
	if (see_store(w) && !busy && closed > 0 && !load_oldest(w, &next))
		stuck = true;
	pthread_mutex_lock(&w->lock);
	if (next.flows) {
		w->storing = next;
		pthread_cond_signal(&w->store_wake);
	}
	w->stuck = stuck;
	if (stuck)
		pthread_cond_broadcast(&w->settled); /* nobody shall wait for it */
	/* A wish stays until everything durable is on its way. */
	if (flow_table_is_empty(w->pending)) {
		w->settle_wanted = false;
		if (!closed && !w->storing.flows && !w->given) {
			w->frames_stored = w->frames_durable;
			pthread_cond_broadcast(&w->settled);
		}
	}
	count_backlog(w);
	pthread_mutex_unlock(&w->lock);
}

/* Nothing to do for the journal thread right now. Called with the lock held. */
static bool is_quiet(struct writer *w)
{
	bool settling = w->settle_wanted && !w->storing.flows && !w->stuck;
	return !w->given && !w->stored && !w->stopping && !settling;
}

static void *journal_main(void *arg)
{
	struct writer *w = arg;
	struct frozen *held = NULL;
	for (;;) {
		pthread_mutex_lock(&w->lock);
		if (held || is_quiet(w))
			cond_wait_ns(&w->journal_wake, &w->lock, NS_PER_S);
		if (!held) {
			held = w->given;
			w->given = NULL;
		}
		bool stopping = w->stopping;
		pthread_mutex_unlock(&w->lock);
		if (held && append(w, held)) {
			take_in(w, held);
			held = NULL;
		}
		move_batches(w);
		if (stopping)
			break;
	}
	frozen_free(held); /* could not be written: it was never acknowledged */
	return NULL;
}

/* ---- callers ---- */

void writer_give(struct writer *w, struct frozen *f)
{
	pthread_mutex_lock(&w->lock);
	assert(!w->given);
	w->given = f;
	pthread_cond_signal(&w->journal_wake);
	pthread_mutex_unlock(&w->lock);
}

struct flow_table *writer_spare(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	struct flow_table *t = w->spare;
	w->spare = NULL;
	pthread_mutex_unlock(&w->lock);
	if (!t && flow_table_new(&t) < 0)
		return NULL;
	return t;
}

void writer_settle(struct writer *w)
{
	uint64_t start = clock_mono_ns();
	pthread_mutex_lock(&w->lock);
	uint64_t target = w->frames_durable;
	while (w->frames_stored < target && !w->stats.store_away_since_ms && !w->stuck && !w->stopping &&
		clock_mono_ns() - start < SETTLE_WAIT_NS) {
		w->settle_wanted = true;
		pthread_cond_signal(&w->journal_wake);
		cond_wait_ns(&w->settled, &w->lock, NS_PER_S);
	}
	pthread_mutex_unlock(&w->lock);
}

void writer_get_stats(struct writer *w, struct writer_stats *ret)
{
	pthread_mutex_lock(&w->lock);
	*ret = w->stats;
	pthread_mutex_unlock(&w->lock);
}

/* ---- life ---- */

/* Reads every segment there is: sessions into the book. Each begins with a snapshot of all, so what
 * it tells replaces what older ones told; only a segment whose snapshot cannot be read tells nothing.
 * Damage costs the sessions behind it in that segment, and the next snapshot brings them back. */
static int read_book(struct writer *w, struct error *err)
{
	size_t count;
	const struct journal_segment *segments = journal_segments(w->journal, &count);
	for (size_t i = 0; i < count; i++) {
		struct book told;
		book_init(&told);
		struct frame_sink sink = book_sink(&told);
		int r = journal_read(w->journal, segments[i].id, &sink, NULL, err);
		if (r == -EBADMSG)
			log_error("journal: %s", err->text);
		bool nothing = !told.session_count && !told.retired_count;
		if (nothing || (r < 0 && r != -EBADMSG)) {
			book_done(&told);
		} else {
			book_done(&w->book);
			w->book = told;
		}
		if (r < 0 && r != -EBADMSG)
			return r;
	}
	return 0;
}

/* Brings the segments of the last run into the store, until there are none or the store is away. */
static void store_backlog(struct writer *w)
{
	struct batch b;
	size_t left;
	while (journal_segments(w->journal, &left), left && load_oldest(w, &b)) {
		enum store_result result = writer_write_batch(w, &b);
		uint32_t rows = b.flows->row_count, changes = b.flows->change_count;
		if (result != STORE_OK && result != STORE_DUPLICATE) {
			flow_table_free(b.flows);
			return;
		}
		if (rows || changes)
			log_info("journal: batch %" PRIu64 " of the last run, %u rows and %u path changes, %s", b.id, rows,
				changes, result == STORE_OK ? "stored" : "was in the store already");
		finish_batch(w, b);
	}
}

static int start_journal(struct writer *w, struct error *err)
{
	int r = journal_open(w->config.journal_dir, w->config.journal_max_bytes, &w->journal, err);
	if (r < 0)
		return r;
	r = read_book(w, err);
	if (r < 0)
		return r;
	uint64_t last = 0;
	r = writer_meet_store(w, &last, err);
	if (r < 0)
		return r;
	/* The new segment first: the sessions must stand in it before old segments go. */
	struct frame snapshot = book_snapshot(&w->book);
	r = journal_begin(w->journal, last, &snapshot, err);
	if (r < 0)
		return r;
	w->first_id = journal_current(w->journal);
	if (w->seen)
		store_backlog(w);
	count_backlog(w);
	return 0;
}

int writer_new(const struct writer_config *config, struct writer **ret, struct error *err)
{
	struct writer *w = calloc(1, sizeof(*w));
	char *collector = strdup(config->collector);
	if (!w || !collector || flow_table_new(&w->pending) < 0) {
		free(w);
		free(collector);
		return error_set(err, -ENOMEM, "out of memory");
	}
	w->config = *config;
	w->config.collector = w->collector = collector;
	book_init(&w->book);
	(void)pthread_mutex_init(&w->lock, NULL);
	cond_init(&w->journal_wake);
	cond_init(&w->store_wake);
	cond_init(&w->settled);
	int r = start_journal(w, err);
	if (r < 0) {
		writer_free(w, 0);
		return r;
	}
	*ret = w;
	return 0;
}

const struct book *writer_book(const struct writer *w)
{
	return &w->book;
}

/* Waits until everything durable is stored, or the time is up. */
static void drain(struct writer *w, unsigned timeout_ms)
{
	uint64_t end = clock_mono_ns() + timeout_ms * NS_PER_MS;
	pthread_mutex_lock(&w->lock);
	while ((w->given || w->frames_stored < w->frames_durable) && !w->stats.store_away_since_ms && !w->stuck &&
		clock_mono_ns() < end) {
		w->settle_wanted = true;
		pthread_cond_signal(&w->journal_wake);
		cond_wait_ns(&w->settled, &w->lock, 50 * NS_PER_MS);
	}
	pthread_mutex_unlock(&w->lock);
}

static void stop_journal_thread(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->journal_wake);
	pthread_mutex_unlock(&w->lock);
	(void)pthread_join(w->journal_thread, NULL);
}

static void stop_store_thread(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->store_stopping = true;
	if (w->config.give_up)
		atomic_store(w->config.give_up, true);
	pthread_cond_broadcast(&w->store_wake);
	pthread_mutex_unlock(&w->lock);
	(void)pthread_join(w->store_thread, NULL);
}

int writer_start(struct writer *w)
{
	int r = pthread_create(&w->journal_thread, NULL, journal_main, w);
	if (r)
		return -r;
	r = pthread_create(&w->store_thread, NULL, writer_store_main, w);
	if (r) {
		stop_journal_thread(w);
		return -r;
	}
	w->started = true;
	return 0;
}

void writer_free(struct writer *w, unsigned timeout_ms)
{
	if (!w)
		return;
	if (w->started) {
		drain(w, timeout_ms);
		stop_journal_thread(w);
		stop_store_thread(w);
	}
	frozen_free(w->given);
	flow_table_free(w->spare);
	flow_table_free(w->pending);
	flow_table_free(w->kept.flows);
	flow_table_free(w->storing.flows);
	book_done(&w->book);
	journal_close(w->journal);
	free(w->collector);
	(void)pthread_mutex_destroy(&w->lock);
	(void)pthread_cond_destroy(&w->journal_wake);
	(void)pthread_cond_destroy(&w->store_wake);
	(void)pthread_cond_destroy(&w->settled);
	free(w);
}

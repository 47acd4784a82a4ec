/* SPDX-License-Identifier: BSD-2-Clause */

/* The writer between a real journal and a store that fails as databases do: refuses, applies a batch
 * but loses the answer, goes away for good. Whatever happens, each row is in the store once. */

#include "wt_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/writer.h"

/* ---- the store ---- */

struct fake_store {
	struct store base;
	pthread_mutex_t lock;
	uint64_t applied[4096]; /* batch ids */
	size_t applied_count;
	uint64_t sum, rows, refused, duplicates;
	unsigned refuse_percent, lose_percent;
	bool taken; /* the next id is somebody else's, only just */
	unsigned chores; /* calls of maintain that leave something to do */
	pthread_cond_t chores_done;
	bool away, unreachable; /* unreachable: it cannot even be asked */
};

static enum store_result fake_write(struct store *s, const struct store_batch *batch, struct error *err)
{
	struct fake_store *f = (struct fake_store *)s;
	enum store_result result = STORE_OK;
	pthread_mutex_lock(&f->lock);
	assert_string_equal(batch->collector, "test");
	for (size_t i = 0; i < f->applied_count; i++)
		if (f->applied[i] == batch->id)
			result = STORE_DUPLICATE;
	f->duplicates += result == STORE_DUPLICATE;
	if (f->taken)
		result = STORE_DUPLICATE;
	else if (f->away || wt_random_below(100) < f->refuse_percent) {
		result = STORE_RETRY;
		f->refused++;
	} else if (result == STORE_OK) {
		f->applied[f->applied_count++] = batch->id;
		f->rows += batch->flows->row_count;
		for (uint32_t i = 0; i < batch->flows->row_count; i++)
			f->sum += batch->flows->rows[i].m.v[0];
		if (wt_random_below(100) < f->lose_percent)
			result = STORE_RETRY;
	}
	pthread_mutex_unlock(&f->lock);
	if (result == STORE_RETRY)
		(void)error_set(err, -EAGAIN, "the store is away");
	return result;
}

static int fake_last_batch(struct store *s, const char *collector, uint64_t *ret, struct error *err)
{
	struct fake_store *f = (struct fake_store *)s;
	uint64_t last = 0;
	pthread_mutex_lock(&f->lock);
	bool there = !f->unreachable;
	for (size_t i = 0; i < f->applied_count; i++)
		last = f->applied[i] > last ? f->applied[i] : last;
	pthread_mutex_unlock(&f->lock);
	if (!there)
		return error_set(err, -EBUSY, "the store is away");
	*ret = last;
	return 0;
}

static int fake_maintain(struct store *s, uint64_t now_s, struct error *err)
{
	struct fake_store *f = (struct fake_store *)s;
	pthread_mutex_lock(&f->lock);
	bool more = f->chores > 0;
	f->chores -= more;
	if (!f->chores)
		pthread_cond_signal(&f->chores_done);
	pthread_mutex_unlock(&f->lock);
	return more;
}

static const struct store_ops fake_ops = {
	.scheme = "fake",
	.write_batch = fake_write,
	.last_batch = fake_last_batch,
	.maintain = fake_maintain,
};

/* ---- the data plane ---- */

struct fixture {
	char dir[64];
	struct fake_store store;
	struct writer *writer;
	pthread_mutex_t lock;
	pthread_cond_t came;
	uint64_t durable, given_sum, given_rows;
};

static void on_durable(void *ctx, struct frozen *f)
{
	struct fixture *x = ctx;
	pthread_mutex_lock(&x->lock);
	x->durable++;
	pthread_cond_signal(&x->came);
	pthread_mutex_unlock(&x->lock);
	assert_null(f->flows);
	frozen_free(f);
}

static int make_writer(struct fixture *x, uint64_t max_bytes, struct error *err)
{
	char name[] = "test", dir[sizeof(x->dir)];
	memcpy(dir, x->dir, sizeof(dir));
	struct writer_config config = {.collector = name, .journal_dir = dir, .journal_max_bytes = max_bytes,
		.store = &x->store.base, .durable = on_durable, .ctx = x};
	int r = writer_new(&config, &x->writer, err);
	memset(name, 'x', sizeof(name) - 1); /* the texts are the caller's, and gone after a reload */
	memset(dir, 'x', sizeof(dir) - 1);
	return r;
}

static void open_writer(struct fixture *x, uint64_t max_bytes)
{
	struct error err = {0};
	if (make_writer(x, max_bytes, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(writer_start(x->writer), 0);
}

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	(void)snprintf(x->dir, sizeof(x->dir), "/tmp/wt-writer-XXXXXX");
	x->store.base.ops = &fake_ops;
	(void)pthread_mutex_init(&x->store.lock, NULL);
	(void)pthread_cond_init(&x->store.chores_done, NULL);
	(void)pthread_mutex_init(&x->lock, NULL);
	(void)pthread_cond_init(&x->came, NULL);
	*state = x;
	return mkdtemp(x->dir) ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *x = *state;
	DIR *d = opendir(x->dir);
	struct dirent *e;
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
	int r = rmdir(x->dir);
	free(x);
	return r;
}

/* Hands over some rows and one session. */
static void give(struct fixture *x, unsigned n)
{
	struct frozen *f = calloc(1, sizeof(*f));
	f->flows = writer_spare(x->writer);
	f->sessions = calloc(1, sizeof(*f->sessions));
	f->session_count = 1;
	memset(f->sessions[0].id, (int)(n % 5), SESSION_ID_BYTES);
	f->sessions[0].ledger.v[LEDGER_stored] = n;
	uint64_t rows = wt_random_below(50);
	for (uint64_t i = 0; i < rows; i++) {
		struct flow_key key = {.minute = 60 * (uint32_t)wt_random_below(1000), .country = (uint16_t)n};
		struct flow_row *row = flow_table_row(f->flows, &key);
		uint64_t bytes = wt_random_below(1000000);
		row->m.v[0] += bytes;
		x->given_sum += bytes;
	}
	x->given_rows += f->flows->row_count;
	writer_give(x->writer, f);
}

/* Hands over the end of give()'s session n, its counts now with its sender. */
static void give_end(struct fixture *x, unsigned n)
{
	struct frozen *f = calloc(1, sizeof(*f));
	f->flows = writer_spare(x->writer);
	f->retired = calloc(1, sizeof(*f->retired));
	f->ended = calloc(1, sizeof(*f->ended));
	f->retired_count = f->ended_count = 1;
	f->retired[0] = (struct retired_state){.name_len = 3, .name = "web", .sessions = 1};
	f->retired[0].ledger.v[LEDGER_stored] = n;
	memset(f->ended[0], (int)(n % 5), SESSION_ID_BYTES);
	writer_give(x->writer, f);
}

static void wait_durable(struct fixture *x, uint64_t count)
{
	pthread_mutex_lock(&x->lock);
	while (x->durable < count)
		pthread_cond_wait(&x->came, &x->lock);
	pthread_mutex_unlock(&x->lock);
}

static void give_many(struct fixture *x, unsigned count, unsigned settle_every)
{
	uint64_t base = x->durable;
	for (unsigned n = 1; n <= count; n++) {
		give(x, n);
		wait_durable(x, base + n);
		if (n % settle_every == 0)
			writer_settle(x->writer);
	}
}

/* ---- tests ---- */

static void set_away(struct fixture *x, bool away)
{
	pthread_mutex_lock(&x->store.lock);
	x->store.away = away;
	pthread_mutex_unlock(&x->store.lock);
}

static void what_is_durable_can_be_read(void **state)
{
	struct fixture *x = *state;
	open_writer(x, 1u << 30);
	for (unsigned n = 1; n <= 50; n++) {
		give(x, n);
		wait_durable(x, n);
		writer_settle(x->writer);
		assert_true(x->store.sum == x->given_sum);
	}
	writer_free(x->writer, 5000);
	assert_true(x->store.sum == x->given_sum);
}

/* Not one share of it a minute: this test would take a quarter of an hour. */
static void housekeeping_goes_on_until_it_is_done(void **state)
{
	struct fixture *x = *state;
	x->store.chores = 15;
	open_writer(x, 1u << 30);
	give_many(x, 20, 1);
	pthread_mutex_lock(&x->store.lock);
	while (x->store.chores)
		pthread_cond_wait(&x->store.chores_done, &x->store.lock);
	pthread_mutex_unlock(&x->store.lock);
	writer_free(x->writer, 5000);
	assert_true(x->store.sum == x->given_sum);
}

static void a_failing_store_gets_each_row_once(void **state)
{
	struct fixture *x = *state;
	x->store.refuse_percent = 3;
	x->store.lose_percent = 3;
	open_writer(x, 1u << 30);
	give_many(x, 150, 3);
	x->store.refuse_percent = x->store.lose_percent = 0;
	writer_settle(x->writer);
	writer_free(x->writer, 10000);
	/* What a shutdown left behind comes with the next start. */
	open_writer(x, 1u << 30);
	assert_int_equal(writer_book(x->writer)->session_count, 5);
	writer_free(x->writer, 10000);
	assert_true(x->store.sum == x->given_sum);
}

static void a_store_that_is_away_costs_nothing(void **state)
{
	struct fixture *x = *state;
	struct writer_stats stats;
	open_writer(x, 1u << 30);
	set_away(x, true);
	give_many(x, 40, 1000);
	writer_settle(x->writer); /* returns, though nothing can be stored */
	writer_free(x->writer, 0);
	assert_true(x->store.sum == 0);
	open_writer(x, 1u << 30); /* still away */
	give_many(x, 10, 1000);
	writer_get_stats(x->writer, &stats);
	assert_true(stats.backlog > 0);
	assert_non_null(strstr(stats.store_error, "away"));
	writer_free(x->writer, 0);
	set_away(x, false);
	open_writer(x, 1u << 30);
	assert_true(x->store.sum == x->given_sum);
	writer_free(x->writer, 1000);
	assert_true(x->store.sum == x->given_sum);
	assert_true(x->store.rows <= x->given_rows);
}

/* Names the oldest segment, or the file set aside. */
static bool find_file(const struct fixture *x, const char *ending, char ret[static 512])
{
	char best[256] = "";
	DIR *d = opendir(x->dir);
	struct dirent *e;
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name), tail = strlen(ending);
		if (e->d_name[0] == '.' || len < tail || strcmp(e->d_name + len - tail, ending) != 0 || (*best && strcmp(best, e->d_name) < 0))
			continue;
		(void)snprintf(best, sizeof(best), "%s", e->d_name);
	}
	(void)closedir(d);
	(void)snprintf(ret, 512, "%s/%s", x->dir, best);
	return *best;
}

static void set_unreachable(struct fixture *x, bool unreachable)
{
	pthread_mutex_lock(&x->store.lock);
	x->store.unreachable = x->store.away = unreachable;
	pthread_mutex_unlock(&x->store.lock);
}

/* A batch of somebody else who has our name. */
static void put_foreign_batch(struct fixture *x, uint64_t id)
{
	pthread_mutex_lock(&x->store.lock);
	x->store.applied[x->store.applied_count++] = id;
	pthread_mutex_unlock(&x->store.lock);
}

static void wait_stored(struct fixture *x, const char *error)
{
	struct writer_stats stats;
	do {
		writer_settle(x->writer);
		writer_get_stats(x->writer, &stats);
	} while (error ? !strstr(stats.store_error, error) : stats.store_error[0] || x->store.sum != x->given_sum);
}

/* A journal begun while the store cannot even be asked takes ids that the store, when it comes, has not: here it has ids
 * of the future, of a journal that was lost when the clock was wrong. */
static void a_store_may_come_after_the_collector(void **state)
{
	struct fixture *x = *state;
	struct writer_stats stats;
	set_unreachable(x, true);
	put_foreign_batch(x, 9000000000000);
	open_writer(x, 1u << 30);
	give_many(x, 10, 3);
	writer_get_stats(x->writer, &stats);
	assert_non_null(strstr(stats.store_error, "away"));
	assert_true(stats.store_away_since_ms);
	writer_free(x->writer, 1000);
	open_writer(x, 1u << 30); /* once more without it */
	give_many(x, 10, 3);
	writer_get_stats(x->writer, &stats);
	assert_true(stats.backlog && stats.backlog_bytes && stats.backlog_since_ms);
	assert_true(x->store.sum == 0);
	set_unreachable(x, false);
	wait_stored(x, NULL);
	writer_get_stats(x->writer, &stats);
	assert_true(!stats.store_away_since_ms && !stats.duplicates && !x->store.duplicates);
	give_many(x, 10, 3);
	writer_free(x->writer, 5000);
	assert_true(x->store.sum == x->given_sum);
	assert_true(x->store.applied[1] == 9000000000001);
}

/* Somebody writes under our name: nothing more goes to the store, nothing is lost, and the error says so. Started
 * again, as by an operator who has seen to it, it goes on. */
static void another_of_the_same_name_is_noticed(void **state)
{
	struct fixture *x = *state;
	char file[512];
	open_writer(x, 1u << 30);
	give_many(x, 3, 1);
	uint64_t before = x->store.sum;
	assert_true(find_file(x, ".wj", file));
	put_foreign_batch(x, strtoull(strrchr(file, '/') + 1, NULL, 10) + 60000); /* a minute ahead of our next batch */
	give(x, 4);
	wait_durable(x, 4);
	give(x, 5);
	wait_durable(x, 5);
	wait_stored(x, "another collector has the same name");
	assert_true(x->store.sum == before);
	writer_free(x->writer, 1000);
	open_writer(x, 1u << 30);
	wait_stored(x, NULL);
	writer_free(x->writer, 1000);
}

/* Its batch came between our question and our batch, and took the id: ours is no duplicate. */
static void a_batch_of_another_is_no_duplicate(void **state)
{
	struct fixture *x = *state;
	open_writer(x, 1u << 30);
	give_many(x, 3, 1);
	pthread_mutex_lock(&x->store.lock);
	x->store.taken = true;
	pthread_mutex_unlock(&x->store.lock);
	give(x, 4);
	wait_durable(x, 4);
	give(x, 5);
	wait_durable(x, 5);
	wait_stored(x, "another collector has the same name");
	pthread_mutex_lock(&x->store.lock);
	x->store.taken = false;
	pthread_mutex_unlock(&x->store.lock);
	wait_stored(x, NULL);
	writer_free(x->writer, 1000);
}

/* What a restart reads is what was: a session that ended does not come back beside its own counts. */
static void a_session_that_ended_stays_ended(void **state)
{
	struct fixture *x = *state;
	open_writer(x, 1u << 30);
	set_away(x, true);
	give(x, 3);
	wait_durable(x, 1);
	writer_settle(x->writer); /* a segment that tells of the session is left behind */
	give(x, 4);
	wait_durable(x, 2);
	give_end(x, 3);
	wait_durable(x, 3);
	writer_free(x->writer, 0);
	open_writer(x, 1u << 30);
	const struct book *book = writer_book(x->writer);
	assert_int_equal(book->session_count, 1);
	assert_int_equal(book->sessions[0].id[0], 4);
	assert_int_equal(book->retired_count, 1);
	assert_true(book->retired[0].ledger.v[LEDGER_stored] == 3);
	writer_free(x->writer, 0);
}

/* A damaged segment keeps its name until the store has what can be read of it, however often the
 * collector ends in between. */
static void what_stands_before_damage_is_stored_once(void **state)
{
	struct fixture *x = *state;
	char file[512];
	set_away(x, true);
	open_writer(x, 1u << 30);
	give(x, 1);
	wait_durable(x, 1);
	uint64_t good = x->given_sum;
	assert_true(find_file(x, ".wj", file));
	struct stat st;
	assert_int_equal(stat(file, &st), 0);
	give_many(x, 2, 1000);
	writer_free(x->writer, 0);
	int fd = open(file, O_RDWR);
	assert_int_equal(pwrite(fd, "\xff\xff", 2, st.st_size + 8), 2);
	(void)close(fd);
	for (int i = 0; i < 3; i++) {
		open_writer(x, 1u << 30);
		writer_settle(x->writer);
		writer_free(x->writer, 0);
		assert_false(find_file(x, ".damaged", file));
	}
	set_away(x, false);
	for (int i = 0; i < 2; i++) {
		open_writer(x, 1u << 30);
		writer_free(x->writer, 1000);
		assert_true(find_file(x, ".damaged", file));
		assert_true(x->store.sum == good);
	}
}

/* What another version of the program wrote is neither stored in part nor set aside: the start is refused until that
 * one, or a person, has seen to it. */
static void another_versions_journal_is_left_alone(void **state)
{
	struct fixture *x = *state;
	struct error err = {0};
	char file[512];
	set_away(x, true);
	open_writer(x, 1u << 30);
	give(x, 1);
	wait_durable(x, 1);
	writer_free(x->writer, 0);
	set_away(x, false);
	assert_true(find_file(x, ".wj", file));
	const off_t version = strlen("whereto journal ");
	int fd = open(file, O_RDWR);
	assert_int_equal(pwrite(fd, "3", 1, version), 1);
	assert_int_equal(make_writer(x, 1u << 30, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.text, file));
	assert_true(find_file(x, ".wj", file));
	assert_int_equal(x->store.applied_count, 0);
	assert_int_equal(pwrite(fd, "2", 1, version), 1);
	(void)close(fd);
	open_writer(x, 1u << 30);
	writer_free(x->writer, 1000);
	assert_true(x->store.sum == x->given_sum && x->given_sum);
}

/* No segment can be begun (its folder is gone): a wish to settle is not tried again and again. */
static void a_journal_without_a_folder_is_not_hammered(void **state)
{
	struct fixture *x = *state;
	struct writer_stats stats;
	char file[512];
	open_writer(x, 1u << 30);
	while (find_file(x, "", file))
		assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(x->dir), 0);
	give_many(x, 3, 1000);
	writer_settle(x->writer);
	writer_settle(x->writer);
	writer_get_stats(x->writer, &stats);
	assert_non_null(strstr(stats.journal_error, "cannot be made"));
	assert_in_range(stats.failures, 1, 20);
	writer_free(x->writer, 0);
	assert_int_equal(mkdir(x->dir, 0700), 0);
}

/* True: as many are durable. False: the journal cannot be written, and *ret says why. */
static bool wait_durable_or_full(struct fixture *x, uint64_t count, struct writer_stats *ret)
{
	pthread_mutex_lock(&x->lock);
	writer_get_stats(x->writer, ret);
	while (x->durable < count && !ret->journal_error[0]) {
		struct timespec ts;
		(void)clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_nsec += 20000000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		(void)pthread_cond_timedwait(&x->came, &x->lock, &ts);
		writer_get_stats(x->writer, ret);
	}
	bool durable = x->durable >= count;
	pthread_mutex_unlock(&x->lock);
	return durable;
}

/* Sessions alone, as of a sender whose records are all rejected: a kilobyte a frame, eight times what the journal may hold. */
static void frames_without_rows_do_not_fill_the_journal(void **state)
{
	struct fixture *x = *state;
	struct writer_stats stats = {0};
	open_writer(x, 30000);
	for (unsigned n = 1; n <= 240; n++) {
		struct frozen *f = calloc(1, sizeof(*f));
		f->flows = writer_spare(x->writer);
		f->sessions = calloc(1, sizeof(*f->sessions));
		f->session_count = 1;
		f->sessions[0].ledger.v[LEDGER_rejected_past] = n;
		f->sessions[0].window.end = 8000;
		writer_give(x->writer, f);
		if (!wait_durable_or_full(x, n, &stats))
			fail_msg("%s", stats.journal_error);
	}
	writer_free(x->writer, 5000);
	open_writer(x, 30000);
	assert_int_equal(writer_book(x->writer)->session_count, 1);
	assert_true(writer_book(x->writer)->sessions[0].ledger.v[LEDGER_rejected_past] == 240);
	writer_free(x->writer, 0);
}

/* The journal is full: nothing becomes durable, and all of it does once the store has taken the rest. */
static void a_full_journal_waits(void **state)
{
	struct fixture *x = *state;
	struct writer_stats stats = {0};
	open_writer(x, 30000);
	set_away(x, true);
	unsigned n = 0;
	do {
		give(x, ++n);
		assert_true(n < 1000);
	} while (wait_durable_or_full(x, n, &stats));
	assert_non_null(strstr(stats.journal_error, "max_size"));
	assert_true(x->durable == n - 1);
	set_away(x, false);
	wait_durable(x, n);
	writer_settle(x->writer);
	assert_true(x->store.sum == x->given_sum);
	writer_free(x->writer, 5000);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_durable_can_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(housekeeping_goes_on_until_it_is_done, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failing_store_gets_each_row_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_store_that_is_away_costs_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_store_may_come_after_the_collector, setup, teardown),
		cmocka_unit_test_setup_teardown(another_of_the_same_name_is_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_batch_of_another_is_no_duplicate, setup, teardown),
		cmocka_unit_test_setup_teardown(a_session_that_ended_stays_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(what_stands_before_damage_is_stored_once, setup, teardown),
		cmocka_unit_test_setup_teardown(another_versions_journal_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_journal_without_a_folder_is_not_hammered, setup, teardown),
		cmocka_unit_test_setup_teardown(frames_without_rows_do_not_fill_the_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_journal_waits, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Path changes on their whole way behind the data plane: route ids, delta, frame, journal, writer, SQLite,
 * reader. Whatever the store does on the way, and wherever the process is killed, what went in comes out
 * once and in its order. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "collector/writer.h"
#include "route/path.h"
#include "traffic/delta.h"
#include "wt_files.h"

#define PREFIXES  20
#define PATHS     12
#define EVENTS    3000
#define CHUNK_MAX 9

/* What the data plane tells; numbers are of `routes`, PATHS: no route. */
struct event {
	uint64_t time_ms;
	unsigned router, prefix, before, after;
};

static const char *const routers[] = {"edge1", "edge2", "ü \"q"};
static struct event events[EVENTS];
static struct route_table *routes;
static struct route_hit hits[PREFIXES];
static uint32_t attrs[PATHS + 1];

static void make_path(unsigned i, uint8_t *bytes, size_t cap, size_t *ret_len)
{
	struct wr w = wr_make(bytes, cap);
	unsigned hops = i == 1 ? 300 : i; /* 0: the empty path */
	for (unsigned k = 0; k < hops; k++) {
		if (k % 255 == 0) {
			wr_u8(&w, PATH_SEQUENCE);
			wr_u8(&w, (uint8_t)(hops - k > 255 ? 255 : hops - k));
		}
		wr_u32(&w, 64500 + i * 1000 + k);
	}
	if (i % 3 == 2) {
		wr_u8(&w, PATH_SET);
		wr_u8(&w, 2);
		wr_u32(&w, 4200000000u);
		wr_u32(&w, 4200000001u);
	}
	assert_true(wr_ok(&w));
	*ret_len = wr_len(&w);
}

static void make_routes(void)
{
	assert_int_equal(route_table_new(1, &routes), 0);
	for (unsigned i = 0; i < PATHS; i++) {
		uint8_t bytes[2048];
		struct route_attrs a = {.path = {bytes, 0}, .has_med = true, .med = i};
		make_path(i, bytes, sizeof(bytes), &a.path.len);
		assert_int_equal(route_attrs_intern(routes, &a, &attrs[i]), 0);
	}
	attrs[PATHS] = ROUTE_NONE;
	for (unsigned i = 0; i < PREFIXES; i++) {
		struct addr a = {.family = i % 2 ? ADDR_V6 : ADDR_V4, .bytes = {32, 1, (uint8_t)i}};
		struct prefix p = prefix_make(&a, 24 + i % 2 * 16);
		assert_int_equal(route_set_id(routes, 0, &p, attrs[0]), 0);
		assert_true(route_get(routes, 0, &p, &hits[i]));
	}
}

static void make_events(void)
{
	uint64_t t = 1767312000000;
	for (size_t i = 0; i < EVENTS; i++) {
		struct event *e = &events[i];
		t += wt_random_below(3) ? 0 : wt_random_below(2000);
		*e = (struct event){.time_ms = t, .router = (unsigned)wt_random_below(ARRAY_LEN(routers)),
			.prefix = (unsigned)wt_random_below(PREFIXES), .before = (unsigned)wt_random_below(PATHS + 1)};
		do
			e->after = (unsigned)wt_random_below(PATHS + 1);
		while (e->after == e->before);
	}
}

/* ---- the store: SQLite, with a way that fails in front of it ---- */

struct shaky {
	struct store base;
	struct store *real;
	unsigned refuse_percent, lose_percent;
	bool away;
};

static struct shaky shaky;

static enum store_result shaky_write(struct store *s, const struct store_batch *batch, struct error *err)
{
	if (shaky.away || wt_random_below(100) < shaky.refuse_percent) {
		(void)error_set(err, -EAGAIN, "the store is away");
		return STORE_RETRY;
	}
	enum store_result r = shaky.real->ops->write_batch(shaky.real, batch, err);
	if (r == STORE_OK && wt_random_below(100) < shaky.lose_percent) {
		(void)error_set(err, -EAGAIN, "applied, and the answer lost");
		return STORE_RETRY;
	}
	return r;
}

static int shaky_last_batch(struct store *s, const char *collector, uint64_t *ret, struct error *err)
{
	return shaky.real->ops->last_batch(shaky.real, collector, ret, err);
}

static int shaky_maintain(struct store *s, uint64_t now_s, struct error *err)
{
	return shaky.real->ops->maintain(shaky.real, now_s, err);
}

static const struct store_ops shaky_ops = {
	.scheme = "shaky",
	.write_batch = shaky_write,
	.last_batch = shaky_last_batch,
	.maintain = shaky_maintain,
};

/* ---- the collector ---- */

struct fixture {
	char name[16];
	struct writer *writer;
	struct delta *delta;
	pthread_mutex_t lock;
	pthread_cond_t came;
	unsigned durable;
};

/* Shared with the child that will be killed. */
struct progress {
	_Atomic unsigned given, durable; /* events */
};

static void on_durable(void *ctx, struct frozen *f)
{
	struct fixture *x = ctx;
	pthread_mutex_lock(&x->lock);
	x->durable++;
	pthread_cond_signal(&x->came);
	pthread_mutex_unlock(&x->lock);
	frozen_free(f);
}

static void open_all(struct fixture *x)
{
	char url[PATH_MAX + 64], journal[PATH_MAX + 64];
	struct error err = {0};
	(void)snprintf(url, sizeof(url), "sqlite:%s/%s.db", wt_folder(), x->name);
	(void)snprintf(journal, sizeof(journal), "%s/%s.journal", wt_folder(), x->name);
	struct store_config config = {.url = url, .retention_s = {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	shaky.base.ops = &shaky_ops;
	if (store_find(url, &err)->open(&config, &shaky.real, &err) < 0)
		fail_msg("%s", err.text);
	struct writer_config wc = {.collector = "ams1", .journal_dir = journal, .journal_max_bytes = 1u << 30,
		.store = &shaky.base, .durable = on_durable, .ctx = x};
	if (writer_new(&wc, &x->writer, &err) < 0)
		fail_msg("%s", err.text);
	x->durable = 0;
}

static void close_all(struct fixture *x, unsigned timeout_ms)
{
	writer_free(x->writer, timeout_ms);
	shaky.real->ops->close(shaky.real);
}

static struct fixture *make_fixture(void)
{
	static unsigned number;
	struct fixture *x = calloc(1, sizeof(*x));
	assert_non_null(x);
	(void)snprintf(x->name, sizeof(x->name), "%u", number++);
	(void)pthread_mutex_init(&x->lock, NULL);
	(void)pthread_cond_init(&x->came, NULL);
	assert_int_equal(delta_new(&x->delta), 0);
	shaky = (struct shaky){0};
	return x;
}

static void drop_fixture(struct fixture *x)
{
	delta_free(x->delta);
	free(x);
}

/* Through the delta into one frozen; sometimes with rows beside. Waits until it is on the disk. */
static void give(struct fixture *x, size_t from, size_t count)
{
	for (size_t i = from; i < from + count; i++) {
		const struct event *e = &events[i];
		struct view router = {(const uint8_t *)routers[e->router], strlen(routers[e->router])};
		assert_int_equal(delta_change(x->delta, routes, e->time_ms, router, hits[e->prefix].prefix, attrs[e->before],
			attrs[e->after]), 0);
		assert_int_equal(delta_change(x->delta, routes, e->time_ms, router, hits[e->prefix].prefix, attrs[e->after],
			attrs[e->after]), 0); /* is none */
	}
	if (count % 2) {
		struct delta_key key = {.time_ms = events[from].time_ms, .route = &hits[from % PREFIXES], .match = MATCH_OWN};
		delta_row(x->delta, routes, &key)->v[MEASURE_bytes_sent] = 1;
	}
	struct frozen *f = calloc(1, sizeof(*f));
	f->flows = delta_take(x->delta, writer_spare(x->writer));
	pthread_mutex_lock(&x->lock);
	unsigned before = x->durable;
	writer_give(x->writer, f);
	while (x->durable == before)
		pthread_cond_wait(&x->came, &x->lock);
	pthread_mutex_unlock(&x->lock);
}

/* ---- what came out ---- */

static void expect_path(const struct dim_value *v, unsigned path)
{
	uint8_t bytes[2048];
	size_t len = 0;
	assert_int_equal(v->known, path != PATHS);
	if (path == PATHS)
		return;
	make_path(path, bytes, sizeof(bytes), &len);
	assert_int_equal(v->bytes.len, len);
	if (len)
		assert_memory_equal(v->bytes.data, bytes, len);
}

/* ctx: how many are still to come; the newest is the last that went in. */
static int compare_change(void *ctx, const struct store_change *c)
{
	size_t *left = ctx;
	assert_true(*left > 0);
	const struct event *e = &events[--*left];
	struct prefix prefix = route_prefix(routes, hits[e->prefix].prefix);
	assert_true(c->time_ms == e->time_ms && c->router.known && c->prefix.known);
	assert_int_equal(c->router.bytes.len, strlen(routers[e->router]));
	assert_memory_equal(c->router.bytes.data, routers[e->router], c->router.bytes.len);
	assert_true(prefix_equal(&c->prefix.prefix, &prefix));
	expect_path(&c->before, e->before);
	expect_path(&c->after, e->after);
	return 0;
}

static int count_change(void *ctx, const struct store_change *c)
{
	(*(size_t *)ctx)++;
	return 0;
}

static size_t stored_count(void)
{
	static const struct store_change_query q = {.to_ms = UINT64_MAX, .limit = UINT32_MAX};
	struct store_reader *reader;
	size_t count = 0;
	assert_int_equal(shaky.real->ops->reader_open(shaky.real, &reader, NULL), 0);
	assert_int_equal(reader->ops->changes(reader, &q, count_change, &count, NULL), 0);
	reader->ops->reader_close(reader);
	return count;
}

/* Exactly the first `count` events, in their order. */
static void expect_stored(size_t count)
{
	static const struct store_change_query q = {.to_ms = UINT64_MAX, .limit = UINT32_MAX};
	struct store_reader *reader;
	struct error err = {0};
	assert_int_equal(shaky.real->ops->reader_open(shaky.real, &reader, NULL), 0);
	if (reader->ops->changes(reader, &q, compare_change, &count, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(count, 0);
	reader->ops->reader_close(reader);
}

/* ---- tests ---- */

static size_t chunk_after(size_t at)
{
	size_t n = at % CHUNK_MAX + 1; /* the same whoever asks: also in a child */
	return at + n > EVENTS ? EVENTS - at : n;
}

static void what_went_in_comes_out(void **state)
{
	struct fixture *x = make_fixture();
	make_events();
	open_all(x);
	assert_int_equal(writer_start(x->writer), 0);
	for (size_t at = 0, n; at < 600; at += n) {
		n = chunk_after(at);
		give(x, at, n);
		if (wt_random_below(4) == 0) {
			writer_settle(x->writer);
			expect_stored(at + n);
		}
		if (at + n >= 600)
			writer_settle(x->writer), expect_stored(at + n);
	}
	close_all(x, 5000);
	drop_fixture(x);
}

static void a_shaky_store_gets_each_once(void **state)
{
	struct fixture *x = make_fixture();
	size_t at = 0;
	make_events();
	for (int run = 0; run < 4; run++) {
		shaky.refuse_percent = shaky.lose_percent = 0;
		shaky.away = run == 1; /* a whole run without the store */
		open_all(x);
		shaky.refuse_percent = shaky.lose_percent = 3;
		assert_int_equal(writer_start(x->writer), 0);
		for (size_t n, i = 0; i < 40; i++, at += n) {
			n = chunk_after(at);
			give(x, at, n);
			if (i % 8 == 7)
				writer_settle(x->writer);
		}
		close_all(x, 0); /* what is not stored stays in the journal */
	}
	shaky = (struct shaky){0};
	open_all(x);
	expect_stored(at);
	close_all(x, 0);
	drop_fixture(x);
}

static void run_until_killed(struct fixture *x, size_t from, struct progress *p)
{
	open_all(x);
	if (writer_start(x->writer) < 0)
		_exit(1);
	for (size_t at = from, n; at < EVENTS; at += n) {
		n = chunk_after(at);
		p->given = (unsigned)(at + n);
		give(x, at, n);
		p->durable = (unsigned)(at + n);
		if (at % 5 == 0)
			writer_settle(x->writer);
	}
	_exit(0);
}

/* One run, killed some way in; then what the journal kept is brought into the store by the next start. Returns how
 * many events there are. */
static size_t killed_run(struct fixture *x, size_t from, struct progress *p)
{
	p->given = p->durable = (unsigned)from;
	size_t target = from + wt_random_below(200);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_until_killed(x, from, p);
	int status = 0;
	bool ended = false;
	while (!ended && p->durable < target)
		ended = waitpid(pid, &status, WNOHANG) == pid;
	uint64_t until = clock_mono_ns() + wt_random_below(3 * NS_PER_MS);
	while (clock_mono_ns() < until)
		;
	if (!ended) {
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	open_all(x);
	size_t count = stored_count();
	assert_in_range(count, p->durable, p->given); /* a frame that was written whole may be there unannounced */
	expect_stored(count);
	close_all(x, 0);
	return count;
}

static void killed_anywhere_each_is_there_once(void **state)
{
	struct fixture *x = make_fixture();
	struct progress *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	(void)wt_folder(); /* the children's, too */
	make_events();
	size_t at = 0;
	for (int run = 0; run < 12 && at < EVENTS; run++)
		at = killed_run(x, at, p);
	assert_true(at > 0);
	(void)munmap(p, sizeof(*p));
	drop_fixture(x);
}

int main(void)
{
	wt_random_init();
	make_routes();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_went_in_comes_out),
		cmocka_unit_test(a_shaky_store_gets_each_once),
		cmocka_unit_test(killed_anywhere_each_is_there_once),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	route_table_free(routes);
	return failed;
}

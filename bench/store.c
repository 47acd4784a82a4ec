/* SPDX-License-Identifier: BSD-2-Clause */

/* How fast a store takes and answers what a busy site has in a month.
 *
 *     bench_store [--url URL] [--days 30] [--prefixes 50000] [--peak 200000] [--times 20] [--no-write | --no-history] [--only TEXT]
 *
 * Writes DAYS days of made-up history (bench/history.h) with PREFIXES active ones in an hour, the hours and days
 * of all of them and the minutes of the last three hours, each table's rows in batches of their own; then asks what a
 * dashboard asks, TIMES times each (the first time is shown apart: what a store keeps for later answers is not there
 * then; CPU is the mean of the others in this program, which a busy machine does not change); then writes three minutes of PEAK rows each as a collector does, which touch every table. Without URL a
 * file is made, and removed. --no-write asks only, in a store that an earlier run with the same figures has filled.
 * --no-history writes the peaks only. --only asks what has TEXT in its name.
 * Asserts nothing. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "history.h"
#include "prefixes.h"
#include "query/compare.h"
#include "store/cube.h"

#define LAST_HOURS   10 /* of a day that is not over: the present */
#define MINUTES      180
#define PEAK_BATCHES 3
#define TOP_SERIES   10
#define COMPARED     15 /* networks of page Compare */

struct bench {
	const char *url, *only;
	uint32_t days, prefixes, peak, times;
	bool no_write, no_history;
	struct store *store;
	struct history history;
	struct groups scratch[2];
	uint64_t next_id, rows;
	double seconds;
	struct error err;
};

static void fail(const struct bench *b)
{
	fprintf(stderr, "%s: %s\n", b->url, b->err.text);
	exit(1);
}

static uint32_t end_of(const struct bench *b)
{
	return HISTORY_T0 + b->days * 86400 + LAST_HOURS * 3600;
}

static double seconds_since(uint64_t start_ns)
{
	return (double)(clock_mono_ns() - start_ns) / 1e9;
}

static double own_cpu_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- writing ---- */

static int count_rows(void *ctx, enum store_cube cube, enum store_level level, const struct groups *rows)
{
	(void)cube;
	(void)level;
	*(uint64_t *)ctx += rows->count;
	return 0;
}

/* Rows of tables that a batch makes. */
static uint64_t rows_of(struct bench *b, const struct flow_table *t, const struct store_table *only)
{
	CLEANUP(cube_source_done) struct cube_source src;
	uint64_t rows = 0;
	check(cube_source_init(&src, t, only), "a cube");
	check(cube_walk(&src, only, b->scratch, count_rows, &rows), "a cube");
	return rows;
}

static double write_batch(struct bench *b, const struct flow_table *t, const struct store_table *only)
{
	struct store_batch batch = {.collector = "bench", .id = b->next_id++, .flows = t, .only = only};
	uint64_t start = clock_mono_ns();
	if (b->store->ops->write_batch(b->store, &batch, &b->err) != STORE_OK)
		fail(b);
	return seconds_since(start);
}

static void write_level(struct bench *b, const struct flow_table *t, enum store_level level)
{
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		struct store_table only = {(enum store_cube)cube, level};
		b->rows += rows_of(b, t, &only);
		b->seconds += write_batch(b, t, &only);
	}
}

static struct flow_table *new_table(void)
{
	struct flow_table *t;
	check(flow_table_new(&t), "a table");
	return t;
}

/* A day's table has the rows of its hours, their time being the day. */
static void add_hour(struct flow_table *day, struct flow_table *hour, uint32_t day_s)
{
	for (uint32_t i = 0; i < hour->row_count; i++)
		hour->rows[i].key.minute = day_s;
	check(flow_table_merge(day, hour), "a day");
}

static void write_days(struct bench *b, uint64_t *ret_hours)
{
	struct flow_table *hour = new_table(), *day = new_table();
	for (uint32_t ts = HISTORY_T0; ts < end_of(b); ts += 3600) {
		check(flow_table_clear(hour), "an hour");
		history_bucket(&b->history, hour, ts, 1);
		*ret_hours += hour->row_count;
		write_level(b, hour, LEVEL_hour);
		add_hour(day, hour, ts - ts % 86400);
		if ((ts + 3600) % 86400 && ts + 3600 < end_of(b))
			continue;
		write_level(b, day, LEVEL_day);
		check(flow_table_clear(day), "a day");
		fprintf(stderr, "\r%u of %u days, %.0f s", (ts - HISTORY_T0) / 86400 + 1, b->days + 1, b->seconds);
	}
	fputs("\n", stderr);
	flow_table_free(hour);
	flow_table_free(day);
}

static void write_minutes(struct bench *b)
{
	struct flow_table *t = new_table();
	for (uint32_t i = MINUTES; i; i--) {
		check(flow_table_clear(t), "a minute");
		history_bucket(&b->history, t, end_of(b) - 60 * i, 1.0 / 60);
		write_level(b, t, LEVEL_minute);
	}
	flow_table_free(t);
}

static void write_peaks(struct bench *b)
{
	struct flow_table *t = new_table();
	double worst = 0, sum = 0, cpu_ms = 0;
	uint64_t rows = 0;
	for (uint32_t i = 0; i < PEAK_BATCHES; i++) {
		check(flow_table_clear(t), "a peak");
		history_peak(&b->history, t, end_of(b) - 60 * (PEAK_BATCHES - i), b->peak);
		rows += rows_of(b, t, NULL);
		double cpu_before = own_cpu_ms();
		double s = write_batch(b, t, NULL);
		cpu_ms += own_cpu_ms() - cpu_before;
		sum += s;
		worst = s > worst ? s : worst;
	}
	printf("a minute of %u flows, %.0f rows of tables: %.2f s, the slowest of %d %.2f s, CPU %.2f s\n", b->peak,
		(double)rows / PEAK_BATCHES, sum / PEAK_BATCHES, PEAK_BATCHES, worst, cpu_ms / 1e3 / PEAK_BATCHES);
	flow_table_free(t);
}

static void print_size(const struct bench *b)
{
	struct stat st;
	if (strncmp(b->url, "sqlite:", 7) == 0 && stat(b->url + 7, &st) == 0)
		printf("%.0f MB in the file, %.1f bytes a row\n", (double)st.st_size / 1e6, (double)st.st_size / (double)b->rows);
}

static void maintain(struct bench *b, const char *what)
{
	static uint32_t later_s; /* often enough that nothing waits for its time */
	uint64_t start = clock_mono_ns();
	int r;
	do
		r = b->store->ops->maintain(b->store, end_of(b) + later_s, &b->err);
	while (r > 0);
	if (r < 0)
		fail(b);
	later_s += 3600;
	printf("%s: %.2f s\n", what, seconds_since(start));
}

static void write_all(struct bench *b)
{
	uint64_t hours = 0;
	if (b->store->ops->last_batch(b->store, "bench", &b->next_id, &b->err) < 0)
		fail(b);
	b->next_id++;
	if (b->no_history)
		return;
	write_days(b, &hours);
	write_minutes(b);
	printf("%u days, %.0f flows an hour: %.1f million rows written at %.0f rows/s\n", b->days,
		(double)hours / (b->days * 24.0 + LAST_HOURS), (double)b->rows / 1e6, (double)b->rows / b->seconds);
	print_size(b);
	maintain(b, "maintenance afterwards");
}

/* ---- asking ---- */

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double quantile(const double *sorted, uint32_t n, uint32_t percent)
{
	return sorted[(n * percent + 99) / 100 - 1];
}

/* A query_groups_fn: what page Compare is made of. */
static int compare(void *ctx, const struct query_groups *all)
{
	struct compare made;
	int r = compare_make(all, COMPARED, &made);
	(void)ctx;
	if (r == 0)
		compare_done(&made);
	return r;
}

static void ask(struct bench *b, const char *what, struct query *q, const char *filter)
{
	static const uint64_t forever[] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct store_reader *reader;
	struct filter *parsed = NULL;
	if (!strstr(what, b->only))
		return;
	CLEANUP(free_p) double *ms = need(calloc(b->times + 1, sizeof(*ms)));
	if (b->store->ops->reader_open(b->store, &reader, &b->err) < 0 || filter_parse(filter, &parsed, &b->err) < 0)
		fail(b);
	q->filter = parsed;
	double cpu_ms = 0;
	for (uint32_t i = 0; i <= b->times; i++) {
		struct query_result res;
		uint64_t start = clock_mono_ns();
		double cpu_before = own_cpu_ms();
		if (query_run(reader, forever, q->to_s, q, &res, &b->err) < 0)
			fail(b);
		cpu_ms += i ? own_cpu_ms() - cpu_before : 0;
		ms[i] = seconds_since(start) * 1e3;
		query_result_done(&res);
	}
	qsort(ms + 1, b->times, sizeof(*ms), cmp_double);
	printf("%-28s %4u h  first %8.1f   p50 %8.1f   p95 %8.1f ms   CPU %8.1f\n", what, (unsigned)((q->to_s - q->from_s) / 3600), ms[0],
		quantile(ms + 1, b->times, 50), quantile(ms + 1, b->times, 95), cpu_ms / b->times);
	(void)fflush(stdout);
	b->store->ops->reader_close(reader);
	filter_free(parsed);
}

static const struct {
	const char *what, *filter;
	enum dimension by[2];
	size_t by_count;
	int sort;
} questions[] = {
	{"top routers", "", {DIM_router}, 1, MEASURE_bytes_sent},
	{"top types", "", {DIM_type}, 1, MEASURE_bytes_sent},
	{"top countries", "", {DIM_country}, 1, MEASURE_bytes_sent},
	{"top neighbours", "", {DIM_neighbour}, 1, MEASURE_bytes_sent},
	{"top origins", "", {DIM_origin}, 1, MEASURE_bytes_sent},
	{"top origins by p95 RTT", "", {DIM_origin}, 1, QUERY_SORT_RTT_P95},
	{"top origins, router and type", "router:edge1 type:video", {DIM_origin}, 1, MEASURE_bytes_sent},
	{"top prefixes", "", {DIM_prefix}, 1, MEASURE_bytes_sent},
	{"top prefixes by retransmits", "", {DIM_prefix}, 1, QUERY_SORT_RETRANSMIT_RATE},
	{"top prefixes of an origin", "origin:1000", {DIM_prefix}, 1, MEASURE_bytes_sent},
	{"top prefixes of a router", "router:edge1", {DIM_prefix}, 1, MEASURE_bytes_sent},
	{"top paths", "", {DIM_path}, 1, MEASURE_bytes_sent},
	{"top paths of a country", "country:AA", {DIM_path}, 1, MEASURE_bytes_sent},
	{"top via", "", {DIM_via}, 1, MEASURE_bytes_sent},
	{"by match", "", {DIM_match}, 1, MEASURE_bytes_sent},
	{"series, total", "", {DIM_time}, 1, MEASURE_bytes_sent},
	{"series by type", "", {DIM_time, DIM_type}, 2, MEASURE_bytes_sent},
};

static void ask_series_of_top(struct bench *b, struct query *q)
{
	char filter[16 * TOP_SERIES + 8] = "origin:";
	size_t at = strlen(filter);
	for (uint32_t i = 0; i < TOP_SERIES; i++)
		at += (size_t)snprintf(filter + at, sizeof(filter) - at, "%s%u", i ? "," : "", history_origin(i));
	q->by[0] = DIM_time;
	q->by[1] = DIM_origin;
	q->by_count = 2;
	ask(b, "series of the top 10 origins", q, filter);
}

static void ask_compare(struct bench *b, struct query *q)
{
	q->by[0] = DIM_prefix;
	q->by[1] = DIM_router;
	q->by_count = 2;
	q->measures = compare_measures();
	q->limit = 1;
	q->all = compare;
	ask(b, "prefixes by router, all", q, "");
	q->shared = true;
	ask(b, "prefixes compared by router", q, "");
}

static void ask_all(struct bench *b)
{
	const uint32_t ranges[] = {86400, b->days * 86400};
	for (size_t r = 0; r < (b->days > 1 ? ARRAY_LEN(ranges) : 1); r++) {
		for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
			struct query q = {.by_count = questions[i].by_count, .from_s = end_of(b) - ranges[r], .to_s = end_of(b),
				.sort = questions[i].sort, .limit = questions[i].by[0] == DIM_time ? 0 : 20};
			memcpy(q.by, questions[i].by, sizeof(questions[i].by));
			ask(b, questions[i].what, &q, questions[i].filter);
		}
		struct query q = {.from_s = end_of(b) - ranges[r], .to_s = end_of(b), .sort = MEASURE_bytes_sent};
		ask_series_of_top(b, &q);
		ask_compare(b, &q);
	}
}

/* ---- the whole ---- */

static void run(struct bench *b)
{
	struct store_config config = {.url = b->url, .retention_s = {UINT64_MAX, UINT64_MAX, UINT64_MAX}, .read_only = b->no_write};
	const struct store_ops *ops = store_find(b->url, &b->err);
	if (!ops || ops->open(&config, &b->store, &b->err) < 0)
		fail(b);
	history_init(&b->history, b->prefixes);
	if (!b->no_write && b->peak > history_peak_max(&b->history)) {
		fprintf(stderr, "--peak %u is more than --prefixes %u can give: that makes %u flows in a minute at most\n", b->peak, b->prefixes,
			history_peak_max(&b->history));
		exit(2);
	}
	groups_init(&b->scratch[0], 0, 0, INDEX_NONE - 1);
	groups_init(&b->scratch[1], 0, 0, INDEX_NONE - 1);
	if (!b->no_write)
		write_all(b);
	if (b->times && !b->no_history)
		ask_all(b);
	if (!b->no_write) {
		write_peaks(b);
		maintain(b, "maintenance after the peaks");
	}
	ops->close(b->store);
	groups_done(&b->scratch[0]);
	groups_done(&b->scratch[1]);
}

static void parse(int argc, char **argv, struct bench *b)
{
	static const struct option options[] = {{"url", 1, NULL, 'u'}, {"days", 1, NULL, 'd'}, {"prefixes", 1, NULL, 'p'},
		{"peak", 1, NULL, 'k'}, {"times", 1, NULL, 't'}, {"no-write", 0, NULL, 'n'}, {"no-history", 0, NULL, 'h'}, {"only", 1, NULL, 'o'}, {0}};
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1; ) {
		uint32_t *const numbers[] = {['d'] = &b->days, ['p'] = &b->prefixes, ['k'] = &b->peak, ['t'] = &b->times};
		if (c == 'u')
			b->url = optarg;
		else if (c == 'o')
			b->only = optarg;
		else if (c == 'n')
			b->no_write = true;
		else if (c == 'h')
			b->no_history = true;
		else if (c == '?')
			exit(2);
		else
			*numbers[c] = (uint32_t)strtoul(optarg, NULL, 10);
	}
}

int main(int argc, char **argv)
{
	char file[] = "/tmp/bench_store_XXXXXX", url[sizeof("sqlite:") + sizeof(file)];
	struct bench b = {.days = 30, .prefixes = 50000, .peak = 200000, .times = 20, .only = ""};
	parse(argc, argv, &b);
	int fd = b.url ? -1 : mkstemp(file);
	(void)snprintf(url, sizeof(url), "sqlite:%s", file);
	if (!b.url)
		b.url = url;
	run(&b);
	if (fd >= 0) {
		(void)close(fd);
		(void)unlink(file);
	}
	return 0;
}

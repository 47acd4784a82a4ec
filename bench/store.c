/* SPDX-License-Identifier: BSD-2-Clause */

/* How fast a store takes batches and answers.
 *
 *     bench_store [URL [FLOWS [MINUTES [QUERIES [STEP]]]]]     default: a temporary file, 20000, 60, 20, 0
 *
 * Writes MINUTES batches of FLOWS rows each, an hour apart and round the day, or STEP seconds apart: prefixes drawn by
 * a power law from 200,000, each with its own path, four routers, three traffic types. After each the store does its
 * housekeeping, as a collector has it do every minute. Then asks QUERIES times each of some questions, with the last
 * batches not yet merged in a PostgreSQL store, as in life. The file is left where it is, unless it is the
 * temporary one. 0 MINUTES asks only. */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "query/query.h"

#define T0       1767225600u
#define PREFIXES 200000
#define ASNS     30000

static uint64_t random_state = 1;

static uint64_t next_random(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static double next_fraction(void)
{
	return (double)(next_random() >> 11) * 0x1p-53;
}

/* Few prefixes with most of the traffic, many with little. */
static uint32_t next_prefix(void)
{
	return (uint32_t)(pow(PREFIXES, next_fraction())) - 1;
}

static size_t make_path(uint32_t prefix, uint8_t *buf, size_t cap)
{
	struct wr w = wr_make(buf, cap);
	uint32_t asn = prefix * 2654435761u % ASNS;
	uint8_t n = (uint8_t)(2 + asn % 4);
	wr_u8(&w, 2);
	wr_u8(&w, n);
	wr_u32(&w, 1 + asn % 20);
	for (uint8_t i = 1; i + 1 < n; i++)
		wr_u32(&w, 100 + asn % (uint32_t)(500 * i));
	wr_u32(&w, 1000 + asn);
	return wr_len(&w);
}

/* One connection: some requests, a few kilobytes to some megabytes, now and then a loss. */
static void add_connection(struct measures *m, uint32_t prefix)
{
	uint64_t bytes = (uint64_t)(2000 * pow(2000, next_fraction())), packets = bytes / 1448 + 1;
	uint64_t lost = next_random() % 4 ? 0 : 1 + packets / 100;
	m->v[MEASURE_bytes_sent] += bytes;
	m->v[MEASURE_bytes_received] += 400 + next_random() % 2000;
	m->v[MEASURE_packets_sent] += packets + lost;
	m->v[MEASURE_packets_retransmitted] += lost;
	m->v[MEASURE_bytes_retransmitted] += lost * 1448;
	m->v[MEASURE_connections]++;
	m->v[MEASURE_connections_with_retransmit] += lost > 0;
	m->v[MEASURE_requests] += 1 + next_random() % 8;
	m->v[MEASURE_duration_ms] += next_random() % 60000;
	m->v[MEASURE_records] += 2;
	m->v[MEASURE_rtt_count] += 2;
	m->v[MEASURE_rtt_sum_us] += 2 * (prefix % 200000);
	m->v[MEASURE_rtt_h0 + prefix % RTT_BUCKETS] += 2;
}

static int add_flow(struct flow_table *t, uint32_t minute)
{
	static const char *const routers[] = {"edge1", "edge2", "edge3", "edge4"};
	static const char *const types[] = {"web", "video", "api"};
	uint8_t path[64];
	uint32_t n = next_prefix();
	struct flow_key key = {.minute = minute, .country = (uint16_t)('A' << 8 | ('A' + n % 26)), .match = MATCH_OWN};
	struct addr a = addr_from_v4((const uint8_t[]){(uint8_t)(11 + (n >> 16)), (uint8_t)(n >> 8), (uint8_t)n, 0});
	struct prefix prefix = prefix_make(&a, 24);
	size_t len = make_path(n, path, sizeof(path));
	const char *router = routers[next_random() % 4], *type = types[next_random() % 3];
	if (flow_table_name(t, (struct view){(const uint8_t *)router, strlen(router)}, &key.router) < 0 ||
		flow_table_name(t, (struct view){(const uint8_t *)type, strlen(type)}, &key.type) < 0 ||
		flow_table_prefix(t, &prefix, &key.prefix) < 0 ||
		flow_table_path(t, (struct view){path, len}, &key.path) < 0)
		return -ENOMEM;
	struct flow_row *row = flow_table_row(t, &key);
	if (!row)
		return -ENOMEM;
	add_connection(&row->m, n);
	return 0;
}

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print_quantiles(const char *what, double *ms, size_t n)
{
	qsort(ms, n, sizeof(*ms), cmp_double);
	printf("%-44s p50 %8.1f ms   p95 %8.1f ms\n", what, ms[n / 2], ms[(n - 1) * 95 / 100]);
}

static double ms_since(uint64_t start_ns)
{
	return (double)(clock_mono_ns() - start_ns) / 1e6;
}

static int write_minutes(struct store *s, uint32_t flows, uint32_t minutes, uint32_t step_s, struct error *err)
{
	struct flow_table *t;
	uint64_t rows = 0, last;
	double total = 0, kept = 0, *ms = calloc(minutes + 1, sizeof(*ms)), *housekeeping = calloc(minutes + 1, sizeof(*ms));
	if (!ms || !housekeeping || flow_table_new(&t) < 0 || s->ops->last_batch(s, "bench", &last, err) < 0)
		return -ENOMEM;
	for (uint32_t m = 0; m < minutes; m++) {
		uint32_t minute = T0 + (step_s ? m * step_s : m % 24 * 3600 + m / 24 % 60 * 60);
		if (flow_table_clear(t) < 0)
			return -ENOMEM;
		while (t->row_count < flows)
			if (add_flow(t, minute) < 0)
				return -ENOMEM;
		struct store_batch batch = {.collector = "bench", .id = last + 1 + m, .flows = t};
		uint64_t start = clock_mono_ns();
		if (s->ops->write_batch(s, &batch, err) != STORE_OK)
			return -EIO;
		total += ms[m] = ms_since(start);
		rows += t->row_count;
		start = clock_mono_ns();
		if (s->ops->maintain(s, T0 + 86400 + m * 60, err) < 0)
			return -EIO;
		kept += housekeeping[m] = ms_since(start);
	}
	printf("%u batches of %u flows: %.0f flows/s, %.0f with housekeeping\n", minutes, flows, (double)rows / total * 1000,
		(double)rows / (total + kept) * 1000);
	print_quantiles("write_batch", ms, minutes);
	print_quantiles("maintain", housekeeping, minutes);
	free(housekeeping);
	flow_table_free(t);
	free(ms);
	return 0;
}

static const struct {
	const char *what, *filter;
	enum dimension by[2];
	size_t by_count;
	uint32_t range_s;
	bool exact;
} questions[] = {
	{"top 20 origins, 1 h", "", {DIM_origin}, 1, 3600, false},
	{"top 20 origins, 24 h", "", {DIM_origin}, 1, 86400, false},
	{"top 20 origins, 24 h to the minute", "", {DIM_origin}, 1, 86400 - 1800, true},
	{"top 20 origins of a router and type, 24 h", "router:edge1 type:video", {DIM_origin}, 1, 86400, false},
	{"top 20 countries, 24 h", "", {DIM_country}, 1, 86400, false},
	{"top 20 prefixes, 24 h", "", {DIM_prefix}, 1, 86400, false},
	{"top 20 prefixes of an origin, 24 h", "origin:2000", {DIM_prefix}, 1, 86400, false},
	{"top 20 paths, 24 h", "", {DIM_path}, 1, 86400, false},
	{"top 20 via, 24 h", "", {DIM_via}, 1, 86400, false},
	{"series, 24 h", "", {DIM_time}, 1, 86400, false},
	{"series of 5 origins, 24 h", "origin:1000,2000,3000,4000,5000", {DIM_time, DIM_origin}, 2, 86400, false},
};

static int ask(struct store *s, size_t which, uint32_t times, struct error *err)
{
	static const uint64_t forever[] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct store_reader *reader;
	struct filter *filter;
	double *ms = calloc(times, sizeof(*ms));
	if (!ms || s->ops->reader_open(s, &reader, err) < 0 || filter_parse(questions[which].filter, &filter, err) < 0)
		return -EINVAL;
	bool series = questions[which].by[0] == DIM_time;
	struct query q = {
		.by_count = questions[which].by_count,
		.filter = filter,
		.from_s = T0 + (questions[which].exact ? 900 : 0),
		.exact_range = questions[which].exact,
		.sort = MEASURE_bytes_sent,
		.limit = series ? 0 : 20,
	};
	memcpy(q.by, questions[which].by, sizeof(questions[which].by));
	q.to_s = q.from_s + questions[which].range_s;
	for (uint32_t i = 0; i < times; i++) {
		struct query_result res;
		uint64_t start = clock_mono_ns();
		if (query_run(reader, forever, q.to_s, &q, &res, err) < 0)
			return -EIO;
		ms[i] = ms_since(start);
		query_result_done(&res);
	}
	print_quantiles(questions[which].what, ms, times);
	s->ops->reader_close(reader);
	filter_free(filter);
	free(ms);
	return 0;
}

static uint32_t argument(int argc, char **argv, int at, uint32_t otherwise)
{
	return argc > at ? (uint32_t)strtoul(argv[at], NULL, 10) : otherwise;
}

static int run(const char *url, uint32_t flows, uint32_t minutes, uint32_t times, uint32_t step_s,
	struct error *err)
{
	struct store_config config = {.url = url, .retention_s = {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	struct stat st;
	struct store *s;
	const struct store_ops *ops = store_find(url, err);
	int r = ops ? ops->open(&config, &s, err) : -EINVAL;
	if (r < 0)
		return r;
	if (minutes)
		r = write_minutes(s, flows, minutes, step_s, err);
	if (r == 0 && minutes && stat(strchr(url, ':') + 1, &st) == 0)
		printf("%.1f MB in the file, %.0f bytes a flow with all cubes and levels\n", (double)st.st_size / 1e6,
			(double)st.st_size / flows / minutes);
	for (size_t i = 0; i < ARRAY_LEN(questions) && r == 0 && times; i++)
		r = ask(s, i, times, err);
	ops->close(s);
	return r;
}

int main(int argc, char **argv)
{
	char file[] = "/tmp/bench_store_XXXXXX", url[sizeof("sqlite:") + sizeof(file)];
	struct error err = {.text = "out of memory"};
	int fd = argc > 1 ? -1 : mkstemp(file);
	(void)snprintf(url, sizeof(url), "sqlite:%s", file);
	int r = run(argc > 1 ? argv[1] : url, argument(argc, argv, 2, 20000), argument(argc, argv, 3, 60),
		argument(argc, argv, 4, 20), argument(argc, argv, 5, 0), &err);
	if (r < 0)
		(void)fprintf(stderr, "%s\n", err.text);
	if (fd >= 0) {
		(void)close(fd);
		(void)unlink(file);
	}
	return r < 0;
}

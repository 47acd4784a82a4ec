/* SPDX-License-Identifier: BSD-2-Clause */

/* What intake costs on one core: sealing and opening a datagram, and records through the whole way
 * (open, decode, route, country, row) with 200,000 active keys over a table of 200,000 prefixes. No
 * sockets: those are measured by the kernel's makers. Times are CPU time of this process.
 *
 * usage: bench_intake [RECORDS]      default 4000000 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "collector/intake.h"
#include "sender/sender.h"

#define KEYS     200000
#define SERVER   "192.0.2.10"
#define ROUNDS   200000 /* of sealing and opening */

static double cpu_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_intake: %s: %d\n", what, r);
	exit(1);
}

/* The i-th prefix is a /24 of its own; the client an address in it. */
static struct addr client(uint32_t i)
{
	uint32_t n = htonl((16u << 24) + (i << 8) + 7);
	return addr_from_v4((const uint8_t *)&n);
}

static void bench_seal(size_t len)
{
	struct key key = {.id = 1};
	struct seal *seal;
	uint8_t session[SESSION_ID_BYTES] = {1}, clear[HEADER_BYTES] = {2};
	uint8_t *data = calloc(2, len + SEAL_TAG_BYTES), *out = data + len + SEAL_TAG_BYTES;
	check(records_seal_new(&key, session, &seal), "seal");
	double start = cpu_ns();
	for (uint64_t i = 0; i < ROUNDS; i++)
		check(seal_close(seal, i, (struct view){clear, sizeof(clear)}, data, len), "close");
	double closed = cpu_ns();
	for (uint64_t i = 0; i < ROUNDS; i++)
		check(seal_open(seal, ROUNDS - 1, (struct view){clear, sizeof(clear)},
			      (struct view){data, len + SEAL_TAG_BYTES}, out), "open");
	double opened = cpu_ns();
	printf("| seal %4zu bytes | %8.0f ns | %10.0f datagrams/s |\n", len, (closed - start) / ROUNDS,
		1e9 * ROUNDS / (closed - start));
	printf("| open %4zu bytes | %8.0f ns | %10.0f datagrams/s |\n", len, (opened - closed) / ROUNDS,
		1e9 * ROUNDS / (opened - closed));
	seal_free(seal);
	free(data);
}

/* A world with one router, made without files. */
static void make_world(struct world *w, struct config *c, struct tables *tables)
{
	static struct config_source source = {.kind = SOURCE_MRT};
	static struct config_router router = {.name = (char *)"edge1", .sources = &source, .source_count = 1,
		.max_routes = KEYS};
	static struct prefix serves;
	struct error err;
	uint8_t path[] = {2, 2, 0, 0, 0xfd, 0xe8, 0, 0, 0, 0};
	check(prefix_parse("192.0.2.0/24", &serves, &err), "prefix");
	*c = (struct config){.name = (char *)"bench", .routers = &router, .router_count = 1};
	c->telemetry.max_age_ms = c->telemetry.max_future_ms = 86400000;
	c->telemetry.key_count = 1;
	*w = (struct world){.config = c};
	w->keys = calloc(1, sizeof(*w->keys));
	w->keys->id = 1;
	check(lpm_new(&w->serves), "lpm");
	check(lpm_set(w->serves, &serves, 0), "lpm");
	struct table_source *const *sources;
	struct rib_peer *peer;
	struct rib_peer_info info = {0};
	check(tables_configure(tables, c, NULL, NULL), "tables");
	(void)tables_sources(tables, 0, &sources);
	check(rib_peer_add(sources[0]->ribs[TABLE_ONLY], &info, &peer), "peer");
	table_source_up(sources[0]);
	check(countries_new(&w->countries), "countries");
	for (uint32_t i = 0; i < KEYS; i++) {
		struct addr a = client(i);
		struct prefix p = prefix_make(&a, 24);
		path[8] = (uint8_t)(i >> 8);
		path[9] = (uint8_t)i;
		struct route_attrs attrs = {.path = {path, sizeof(path)}};
		uint32_t id;
		check(route_attrs_intern(tables_routes(tables), &attrs, &id), "attributes");
		check(rib_set(peer, &p, 0, id), "route");
		route_attrs_release(tables_routes(tables), id);
	}
}

struct datagrams {
	uint8_t *bytes;
	size_t *ends, count, used;
	uint64_t sealed_bytes;
};

/* All the datagrams of the run, sealed beforehand; records walk over the keys in a scattered order. */
static void make_datagrams(struct datagrams *d, uint64_t records)
{
	struct sender_config config = {.name = "bench", .key = {.id = 1}, .memory_bytes = 1u << 30};
	struct sender *s;
	struct view v;
	struct record rec = {.time_ms = clock_wall_ms(), .rtt_count = 1, .rtt_us = {18250}};
	check(addr_parse(SERVER, &rec.server), "server");
	check(sender_new(&config, &s), "sender");
	d->bytes = malloc(records * 60 + 4096);
	d->ends = malloc((records / 8 + 64) * sizeof(*d->ends));
	rec.values[FIELD_bytes_sent] = 48000;
	rec.values[FIELD_packets_sent] = 34;
	rec.values[FIELD_connections] = rec.values[FIELD_requests] = 1;
	rec.values[FIELD_duration_ms] = 830;
	for (uint64_t i = 0; i < records; i++) {
		rec.client = client((uint32_t)(i * 7919 % KEYS));
		check(sender_add(s, &rec, 1), "add");
		if (i + 1 < records && sender_stats(s).waiting < 100)
			continue;
		sender_flush(s, 1);
		while (sender_next(s, 1, &v)) {
			memcpy(d->bytes + d->used, v.data, v.len);
			d->used += v.len;
			d->ends[d->count++] = d->used;
		}
		sender_free(s); /* a fresh session: nobody acknowledges here */
		check(sender_new(&config, &s), "sender");
	}
	sender_free(s);
}

static void bench_intake(uint64_t records)
{
	struct world world;
	struct config config;
	struct loop *loop;
	struct intake *in;
	struct book book;
	struct error err = {0};
	struct datagrams d = {0};
	struct sockaddr_storage from = {.ss_family = AF_INET};
	book_init(&book);
	struct tables *tables;
	check(loop_new(&loop), "loop");
	check(tables_new(loop, &tables), "tables");
	make_world(&world, &config, tables);
	make_datagrams(&d, records);
	check(intake_new(loop, &world, tables, NULL, &book, &in, &err), err.text);
	double start = 0;
	uint64_t warm = 0;
	for (size_t i = 0, at = 0; i < d.count; at = d.ends[i++]) {
		/* The first pass over all keys makes the rows; what follows is the steady state. */
		if (!start && in->counters[COUNTER_records] >= 2 * KEYS) {
			warm = in->counters[COUNTER_records];
			start = cpu_ns();
		}
		struct arrival a = {{d.bytes + at, d.ends[i] - at}, &from, sizeof(struct sockaddr_in), -1, clock_wall_ms()};
		intake_datagram(in, &a);
	}
	double ns = cpu_ns() - start, steady = (double)(in->counters[COUNTER_records] - warm);
	printf("| intake, %d keys | %8.0f ns | %10.0f records/s |\n", KEYS, ns / steady, 1e9 * steady / ns);
	printf("\n%llu records in %zu datagrams (%.1f records, %.0f bytes each), %u rows, %llu without a route\n",
		(unsigned long long)in->counters[COUNTER_records], d.count,
		(double)in->counters[COUNTER_records] / (double)d.count, (double)d.used / (double)d.count,
		delta_rows(in->delta), (unsigned long long)in->counters[COUNTER_records_without_route]);
}

int main(int argc, char **argv)
{
	uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 4000000;
	printf("| what | cost each | rate on one core |\n| --- | --- | --- |\n");
	bench_seal(128);
	bench_seal(1400 - HEADER_BYTES - SEAL_TAG_BYTES);
	bench_intake(records);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* A prefix is its rank. Traffic falls with the rank, and so does the chance to be active in an hour:
 * min(1, shares / rank^0.7), shares being found so that as many are active as was asked for. A prefix has a home
 * router and type, the popular ones also others. */

#include "history.h"

#include <math.h>
#include <string.h>

#include "prefixes.h"

#define POOL_TIMES 4
#define ORIGINS    30000u
#define ROUTERS    4
#define TYPES      3
#define HOUR_BYTES 2e12 /* of all traffic, about */

static double chance(double shares, uint32_t rank)
{
	return fmin(1, shares / pow(rank + 1, 0.7));
}

void history_init(struct history *h, uint32_t active)
{
	double low = 0, high = 1e6;
	*h = (struct history){.active = active};
	random_seed(1);
	for (int i = 0; i < 60; i++) {
		double sum = 0;
		h->shares = (low + high) / 2;
		for (uint32_t rank = 0; rank < active * POOL_TIMES; rank++)
			sum += chance(h->shares, rank);
		*(sum < active ? &low : &high) = h->shares;
	}
}

uint32_t history_origin(uint32_t rank)
{
	return 1000 + rank * 2654435761u % ORIGINS;
}

static struct prefix prefix_of(uint32_t rank)
{
	uint8_t bytes[16] = {0x20, 1, (uint8_t)(rank >> 16), (uint8_t)(rank >> 8), (uint8_t)rank};
	struct addr a = addr_from_v6(bytes);
	if (rank % 8) {
		uint8_t four[4] = {(uint8_t)(11 + (rank >> 16)), (uint8_t)(rank >> 8), (uint8_t)rank, 0};
		a = addr_from_v4(four);
	}
	return prefix_make(&a, rank % 8 ? 24 : 48);
}

static uint32_t path_number(struct flow_table *t, uint32_t rank, uint32_t router)
{
	uint8_t path[64];
	struct wr w = wr_make(path, sizeof(path));
	uint32_t origin = history_origin(rank), number;
	uint8_t n = (uint8_t)(2 + origin % 4);
	wr_u8(&w, 2);
	wr_u8(&w, n);
	wr_u32(&w, 1 + (origin + router / 2) % 20);
	for (uint8_t i = 1; i + 1 < n; i++)
		wr_u32(&w, 100 + (origin + router / 2 * 7) % (500u * i));
	wr_u32(&w, origin);
	check(flow_table_path(t, (struct view){path, wr_len(&w)}, &number), "a path");
	return number;
}

static struct flow_key key_of(struct flow_table *t, uint32_t ts, uint32_t rank, uint32_t router, uint32_t type)
{
	static const char *const routers[] = {"edge1", "edge2", "edge3", "edge4"}, *const types[] = {"web", "video", "api"};
	uint32_t origin = history_origin(rank);
	struct flow_key key = {.minute = ts, .country = (uint16_t)('A' + origin % 20) << 8 | ('A' + origin % 9), .match = MATCH_OWN};
	struct prefix prefix = prefix_of(rank);
	check(flow_table_name(t, (struct view){(const uint8_t *)routers[router], 5}, &key.router), "a name");
	check(flow_table_name(t, (struct view){(const uint8_t *)types[type], strlen(types[type])}, &key.type), "a name");
	check(flow_table_prefix(t, &prefix, &key.prefix), "a prefix");
	key.path = path_number(t, rank, router);
	return key;
}

/* Connections of some requests each, a loss now and then. */
static void add_traffic(struct measures *m, uint32_t rank, double bytes_wanted)
{
	uint64_t bytes = 1 + (uint64_t)(bytes_wanted * (0.5 + random_unit())), connections = 1 + bytes / 400000;
	uint64_t packets = bytes / 1448 + connections, lost = random_u64() % 4 ? packets / 1000 : 1 + packets / 60;
	uint32_t base = history_origin(rank) % (RTT_BUCKETS - 2);
	m->v[MEASURE_bytes_sent] += bytes;
	m->v[MEASURE_bytes_received] += connections * (400 + random_u64() % 2000);
	m->v[MEASURE_packets_sent] += packets + lost;
	m->v[MEASURE_packets_retransmitted] += lost;
	m->v[MEASURE_bytes_retransmitted] += lost * 1448;
	m->v[MEASURE_packets_spurious] += lost / 20;
	m->v[MEASURE_connections] += connections;
	m->v[MEASURE_connections_with_retransmit] += lost < connections ? lost : connections;
	m->v[MEASURE_requests] += connections * (1 + random_u64() % 8);
	m->v[MEASURE_duration_ms] += connections * (random_u64() % 60000);
	m->v[MEASURE_records] += 2 * connections;
	m->v[MEASURE_rtt_count] += 2 * connections;
	m->v[MEASURE_rtt_sum_us] += 2 * connections * (1000 + rank % 200000);
	m->v[MEASURE_rtt_h0 + base] += connections;
	m->v[MEASURE_rtt_h0 + base + 1] += connections - connections / 5;
	m->v[MEASURE_rtt_h0 + base + 2] += connections / 5;
}

static void add_row(struct flow_table *t, uint32_t ts, uint32_t rank, uint32_t place, double bytes)
{
	uint32_t home = rank * 40503u >> 4;
	struct flow_key key = key_of(t, ts, rank, (home + place / TYPES) % ROUTERS, (home / ROUTERS + place) % TYPES);
	add_traffic(&((struct flow_row *)need(flow_table_row(t, &key)))->m, rank, bytes);
}

/* How many routers and types a prefix has traffic of in one bucket. */
static uint32_t places(const struct history *h, uint32_t rank)
{
	if (rank < h->active / 50)
		return 3 + (uint32_t)(random_u64() % (ROUTERS * TYPES - 3));
	return random_u64() % 4 ? 1 : 2;
}

void history_bucket(const struct history *h, struct flow_table *t, uint32_t ts, double part)
{
	double of_first = HOUR_BYTES * part / log(h->active * POOL_TIMES);
	for (uint32_t rank = 0; rank < h->active * POOL_TIMES; rank++) {
		if (random_unit() >= chance(h->shares, rank) * fmin(1, part * 6))
			continue;
		uint32_t n = places(h, rank);
		for (uint32_t place = 0; place < n; place++)
			add_row(t, ts, rank, place, of_first / (rank + 1) / n);
	}
}

/* Of three prefixes one has all places, the others three: six on average. */
uint32_t history_peak_max(const struct history *h)
{
	return h->active * POOL_TIMES * 5;
}

void history_peak(const struct history *h, struct flow_table *t, uint32_t minute, uint32_t rows)
{
	uint32_t pool = h->active * POOL_TIMES;
	double of_first = HOUR_BYTES / 60 / log(pool);
	for (uint32_t i = 0; t->row_count < rows; i++) {
		uint32_t rank = random_u64() % 2 ? (uint32_t)pow(pool, random_unit()) - 1 : (uint32_t)(random_u64() % pool);
		add_row(t, minute, rank, (uint32_t)(random_u64() % (rank % 3 ? TYPES : ROUTERS * TYPES)), of_first / (rank + 1));
	}
}

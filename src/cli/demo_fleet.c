/* SPDX-License-Identifier: BSD-2-Clause */

/* Time goes on in steps: of five minutes through the past, of one for the last hour or so, of a few seconds once the
 * present is reached. In each step every pair of a made-up server and a network has one record, of the length of the
 * step; so a series has the same height everywhere, whatever the width of its steps.
 *
 * How much: popularity by Zipf's law, as with the demo's real visitors; most of it from the server nearest to the network; more in the
 * evening there. How well: distances are those of the world, packets are lost here and there. For the last
 * LOSS_S seconds all that passes Sample Carrier Asia loses some percent more, which is there to be found. */

#include "cli/demo_fleet.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/demo_data.h"
#include "sender/transport.h"

#define PAST_S       (26u * 3600) /* twice what the dashboard shows at first, and more */
#define FINE_S       4500u
#define LOSS_S       6000u
#define STEP_PAST_S  300u
#define STEP_FINE_S  60u
#define STEP_NOW_S   5u
#define TICK_NS      (50 * NS_PER_MS)
#define STEPS_A_TICK 12
#define FINISH_NS    (5 * NS_PER_S)
#define POPS         (DEMO_ROUTERS - DEMO_EDGES)
#define REGIONS      4
#define BITS_A_S     900e6
#define PACKET_BYTES 1400
#define RTT_SAMPLES  60 /* of a network, by server as its traffic; many, so that those of the real nginx are few in all */
#define ROOM_MIN     200 /* datagrams: more than a tick makes */
#define PI           3.14159265358979

struct demo_fleet {
	struct loop *loop;
	struct loop_timer tick;
	struct transport transport;
	struct fleet *fleet;
	uint64_t random;
	uint64_t at_s, begin_s; /* records are made up to there; when the demo began */
	double weight_sum;
};

static const struct kind {
	const char *name;
	double share;      /* of connections' bytes */
	double bytes;      /* of a connection */
} kinds[] = {{"video", 0.72, 800e3}, {"web", 0.2, 300e3}, {"api", 0.08, 160e3}};

/* By server and the network's region: round trip in milliseconds, share of the network's traffic, hours from UTC of the region. */
static const double distance_ms[POPS][REGIONS] = {{13, 88, 168, 104}, {84, 24, 222, 162}, {166, 218, 34, 204}};
static const double nearness[POPS][REGIONS] = {{0.86, 0.14, 0.12, 0.78}, {0.1, 0.8, 0.04, 0.12}, {0.04, 0.06, 0.84, 0.1}};
static const double zone_h[REGIONS] = {1, -5, 7, 1};

/* 0 to 1. */
static double chance(struct demo_fleet *f)
{
	return (double)(demo_data_random(&f->random) >> 11) / (double)(1ull << 53);
}

static double weight(unsigned network)
{
	return 1 / pow(network + 1, 0.8);
}

/* Least in the early morning, most at eight in the evening. */
static double time_of_day(enum demo_region region, uint64_t at_s)
{
	double hour = fmod((double)at_s / 3600 + zone_h[region], 24);
	return 0.66 + 0.34 * cos(2 * PI * (hour - 20) / 24);
}

static double loss(const struct demo_fleet *f, unsigned pop, unsigned network, uint64_t at_s)
{
	double rate = 0.0006 + 0.00045 * (network * 7 % 9) + distance_ms[pop][demo_data_region(network)] * 8e-6;
	if (demo_data_lossy(network) && at_s + LOSS_S > f->begin_s)
		rate += 0.031 + 0.0004 * (network % 7);
	return rate;
}

static const struct kind *choose_kind(struct demo_fleet *f)
{
	double at = chance(f);
	return at < kinds[0].share ? &kinds[0] : at < kinds[0].share + kinds[1].share ? &kinds[1] : &kinds[2];
}

/* The nearest whole number, up or down by chance, so that sums are right. */
static uint64_t whole(struct demo_fleet *f, double v)
{
	return (uint64_t)(v + chance(f));
}

static void fill_quality(struct demo_fleet *f, struct record *r, unsigned pop, unsigned network, uint64_t at_s)
{
	double rate = loss(f, pop, network, at_s) * (0.8 + 0.4 * chance(f));
	double ms = distance_ms[pop][demo_data_region(network)] + network * 5 % 23;
	uint64_t packets = r->values[FIELD_packets_sent], again = whole(f, (double)packets * rate);
	uint64_t connections = r->values[FIELD_connections];
	again = again < packets ? again : packets;
	r->values[FIELD_packets_retransmitted] = again;
	r->values[FIELD_bytes_retransmitted] = again * PACKET_BYTES;
	r->values[FIELD_packets_spurious] = again / 24;
	/* Lost packets fall on connections by chance. */
	r->values[FIELD_connections_with_retransmit] = whole(f, (double)connections * (1 - exp(-(double)again / (double)connections)));
	r->values[FIELD_goodput_tested] = connections / 2;
	r->values[FIELD_goodput_met] = (uint64_t)((double)(connections / 2) * fmax(0, 0.99 - 12 * rate));
	r->rtt_count = (uint8_t)(1 + RTT_SAMPLES * nearness[pop][demo_data_region(network)]);
	for (unsigned i = 0; i < r->rtt_count; i++)
		r->rtt_us[i] = (uint32_t)(ms * 1000 * (0.85 + 0.5 * chance(f) * chance(f)) * (rate > 0.02 ? 1.2 : 1));
}

static void add(struct demo_fleet *f, unsigned pop, unsigned network, uint32_t step_s)
{
	enum demo_region region = demo_data_region(network);
	const struct kind *kind = choose_kind(f);
	double bytes = BITS_A_S / 8 * step_s * weight(network) / f->weight_sum * nearness[pop][region] *
		time_of_day(region, f->at_s) * (0.88 + 0.24 * chance(f));
	struct record r = {
		.time_ms = (f->at_s + (uint64_t)(chance(f) * step_s)) * 1000,
		.client = demo_data_client(network, demo_data_random(&f->random)),
		.server = demo_data_server(DEMO_EDGES + pop),
		.type = {(const uint8_t *)kind->name, strlen(kind->name)},
	};
	uint64_t connections = 1 + whole(f, bytes / kind->bytes);
	r.values[FIELD_bytes_sent] = (uint64_t)bytes;
	r.values[FIELD_bytes_received] = connections * 700;
	r.values[FIELD_packets_sent] = 1 + (uint64_t)(bytes / PACKET_BYTES);
	r.values[FIELD_connections] = connections;
	r.values[FIELD_requests] = connections * 3;
	r.values[FIELD_duration_ms] = connections * 4200;
	fill_quality(f, &r, pop, network, f->at_s);
	(void)!fleet_add(f->fleet, &r, clock_mono_ns()); /* never without room: see on_tick */
}

static uint32_t step_at(uint64_t at_s, uint64_t now_s)
{
	return at_s + FINE_S < now_s ? STEP_PAST_S : at_s + 2 * STEP_FINE_S < now_s ? STEP_FINE_S : STEP_NOW_S;
}

/* False when the present is reached. */
static bool make_step(struct demo_fleet *f)
{
	uint64_t now_s = clock_wall_ms() / 1000;
	uint32_t step_s = step_at(f->at_s, now_s);
	if (f->at_s + step_s > now_s)
		return false;
	for (unsigned pop = 0; pop < POPS; pop++)
		for (unsigned i = 0; i < demo_data_distant(); i++)
			add(f, pop, i, step_s);
	f->at_s += step_s;
	return true;
}

static void on_tick(struct loop_timer *self)
{
	struct demo_fleet *f = self->ctx;
	for (int i = 0; i < STEPS_A_TICK && fleet_room(f->fleet) >= ROOM_MIN; i++)
		if (!make_step(f))
			break;
	(void)!transport_pump(&f->transport, f->fleet); /* a socket that is broken shows in the ledger at the end */
	(void)!loop_timer_set(f->loop, &f->tick, TICK_NS);
}

int demo_fleet_new(struct loop *loop, const char *to, const char *key_file, struct demo_fleet **ret, struct error *err)
{
	struct sender_config config = {.name = "demo-sample"};
	struct demo_fleet *f = calloc(1, sizeof(*f));
	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	uint64_t now_s = clock_wall_ms() / 1000;
	f->loop = loop;
	f->random = 0x9e3779b97f4a7c15;
	f->begin_s = now_s;
	f->at_s = (now_s - PAST_S) / STEP_PAST_S * STEP_PAST_S;
	f->tick = (struct loop_timer){.fn = on_tick, .ctx = f};
	for (unsigned i = 0; i < demo_data_distant(); i++)
		f->weight_sum += weight(i);
	int r = key_load(key_file, 1, &config.key, err);
	if (r == 0)
		r = transport_open(&to, 1, &f->transport, err);
	if (r == 0) {
		r = fleet_new(&config, 1, &f->fleet);
		r = r == 0 ? loop_timer_set(loop, &f->tick, TICK_NS) : r;
		if (r < 0)
			(void)error_set(err, r, "the sample's sender cannot begin: %s", strerror(-r));
	}
	if (r < 0) {
		demo_fleet_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void demo_fleet_finish(struct demo_fleet *f)
{
	uint64_t end_ns = clock_mono_ns() + FINISH_NS;
	loop_timer_clear(f->loop, &f->tick);
	fleet_flush(f->fleet, clock_mono_ns());
	int r = transport_pump(&f->transport, f->fleet);
	while (r == 0 && !fleet_idle(f->fleet) && clock_mono_ns() < end_ns) {
		transport_wait(&f->transport, f->fleet, 100);
		r = transport_pump(&f->transport, f->fleet);
	}
}

void demo_fleet_free(struct demo_fleet *f)
{
	if (!f)
		return;
	loop_timer_clear(f->loop, &f->tick);
	transport_close(&f->transport);
	fleet_free(f->fleet);
	free(f);
}

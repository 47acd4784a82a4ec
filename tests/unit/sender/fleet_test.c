/* SPDX-License-Identifier: BSD-2-Clause */

/* A fleet against collectors that die and come back, over paths that lose, repeat and reorder, in virtual time. A collector
 * here has a disk: what it took since its last sync, windows and records alike, is gone when it dies, and only what
 * is on the disk is acknowledged and counts. */

#include "wt_test.h"

#include <errno.h>

#include "sender/fleet.h"
#include "wt_receiver.h"

#define IDS_MAX 400000

/* ---- the collectors ---- */

struct site {
	struct receiver now, disk; /* as it is, as it would be after a crash */
	uint8_t *stored;           /* how often, by record: of all sites together */
	uint32_t *fresh, fresh_count; /* taken since the last sync */
	uint64_t sync_ns, change_ns, stored_count;
	bool up;
};

struct scene {
	struct key key;
	struct site sites[FLEET_MAX];
	uint32_t site_count;
	struct fleet *fleet;
	uint8_t *stored;
	struct packet *channel;
	uint32_t *to; /* of each packet in the channel: the site */
	uint64_t now, taken, refused;
	unsigned loss; /* percent */
	bool deaths;
};

enum { CHANNEL = 4096 };

static void on_record(void *ctx, const struct record *rec)
{
	struct site *site = ctx;
	assert_true(site->fresh_count < IDS_MAX);
	site->fresh[site->fresh_count++] = (uint32_t)rec->values[FIELD_bytes_sent];
}

static void scene_init(struct scene *x, uint32_t sites, size_t memory)
{
	*x = (struct scene){.key = {.id = 5}, .site_count = sites, .now = 1000 * NS_PER_S};
	struct sender_config config = {.name = "test", .key = x->key, .memory_bytes = memory, .datagram_bytes = 512};
	x->stored = calloc(IDS_MAX, 1);
	x->channel = calloc(CHANNEL, sizeof(*x->channel));
	x->to = calloc(CHANNEL, sizeof(*x->to));
	assert_int_equal(fleet_new(&config, sites, &x->fleet), 0);
	for (uint32_t i = 0; i < sites; i++) {
		struct site *site = &x->sites[i];
		receiver_init(&site->now, &x->key);
		site->now.on_record = on_record;
		site->now.ctx = site;
		site->disk = site->now;
		site->stored = x->stored;
		site->fresh = calloc(IDS_MAX, sizeof(*site->fresh));
		site->up = true;
	}
}

static void scene_done(struct scene *x)
{
	fleet_free(x->fleet);
	for (uint32_t i = 0; i < x->site_count; i++) {
		receiver_done(&x->sites[i].now);
		free(x->sites[i].fresh);
	}
	free(x->stored);
	free(x->channel);
	free(x->to);
}

static void site_die(struct site *site)
{
	struct receiver was = site->now;
	site->now = site->disk;
	/* Keys are not forgotten, nor may a run use a number of an acknowledgement twice. */
	site->now.seal = was.seal;
	site->now.ack_seal = was.ack_seal;
	site->now.ack_seq = was.ack_seq;
	memcpy(site->now.session, was.session, sizeof(was.session));
	site->fresh_count = 0;
	site->up = false;
}

static void site_sync(struct site *site)
{
	for (uint32_t i = 0; i < site->fresh_count; i++)
		site->stored[site->fresh[i]]++;
	site->stored_count += site->fresh_count;
	site->fresh_count = 0;
	site->disk = site->now;
}

/* ---- the path ---- */

static struct packet *put(struct scene *x, uint32_t site)
{
	for (uint32_t i = 0; i < CHANNEL; i++) {
		struct packet *p = &x->channel[i];
		if (p->len)
			continue;
		x->to[i] = site;
		p->due_ns = x->now + (1 + wt_random_below(30)) * MS;
		return p;
	}
	return NULL; /* a full path loses too */
}

static void transmit(struct scene *x)
{
	struct view d;
	uint32_t to;
	while (fleet_next(x->fleet, x->now, &to, &d)) {
		for (unsigned copies = wt_random_below(100) < x->loss ? 0 : 1 + (wt_random_below(20) == 0); copies; copies--) {
			struct packet *p = put(x, to);
			if (!p)
				break;
			p->ack = false;
			p->len = d.len;
			memcpy(p->bytes, d.data, d.len);
		}
	}
}

static void deliver(struct scene *x)
{
	for (uint32_t i = 0; i < CHANNEL; i++) {
		struct packet *p = &x->channel[i];
		struct site *site = &x->sites[x->to[i]];
		if (!p->len || p->due_ns > x->now)
			continue;
		if (p->ack)
			assert_int_equal(fleet_receive(x->fleet, x->to[i], (struct view){p->bytes, p->len}, x->now), 0);
		else if (site->up)
			receiver_take(&site->now, p->bytes, p->len);
		p->len = 0;
	}
}

static void run_site(struct scene *x, uint32_t i)
{
	struct site *site = &x->sites[i];
	if (x->deaths && x->now >= site->change_ns) {
		if (site->change_ns && site->up)
			site_die(site);
		else
			site->up = true;
		site->change_ns = x->now + (1 + wt_random_below(site->up ? 90 : 40)) * NS_PER_S;
	}
	if (!site->up || !site->now.seal || x->now < site->sync_ns)
		return;
	site->sync_ns = x->now + (50 + wt_random_below(1000)) * MS;
	site_sync(site);
	struct packet *p = wt_random_below(100) < x->loss ? NULL : put(x, i);
	if (p) {
		p->ack = true;
		p->len = receiver_ack(&site->now, p->bytes, sizeof(p->bytes));
		site->disk.ack_seq = site->now.ack_seq;
	}
}

/* One step of 10 ms in which so many records are offered. */
static void step(struct scene *x, unsigned records)
{
	for (unsigned i = 0; i < records && x->taken + x->refused < IDS_MAX; i++) {
		struct record rec = make_record(x->taken);
		int r = fleet_add(x->fleet, &rec, x->now);
		assert_true(r == 0 || r == -ENOBUFS);
		x->taken += r == 0;
		x->refused += r != 0;
	}
	transmit(x);
	x->now += 10 * MS;
	deliver(x);
	for (uint32_t i = 0; i < x->site_count; i++)
		run_site(x, i);
}

static void steps(struct scene *x, uint64_t seconds, unsigned records)
{
	for (uint64_t end = x->now + seconds * NS_PER_S; x->now < end;)
		step(x, records);
}

/* All collectors are there, and stay until nothing is owed. */
static void finish(struct scene *x)
{
	x->deaths = false;
	for (uint32_t i = 0; i < x->site_count; i++)
		x->sites[i].up = true;
	for (uint64_t end = x->now + 1000 * NS_PER_S; !fleet_idle(x->fleet);) {
		fleet_flush(x->fleet, x->now);
		step(x, 0);
		assert_true(x->now < end);
	}
}

/* The promise: every record taken is on one disk once, and every drop is told to one collector once. */
static void check(struct scene *x)
{
	uint64_t stored = 0, dropped = 0, sent = 0;
	for (uint32_t i = 0; i < x->site_count; i++) {
		stored += x->sites[i].stored_count;
		dropped += x->sites[i].disk.dropped;
		sent += x->sites[i].disk.sent;
		assert_int_equal(fleet_line(x->fleet, i).owed.records, 0);
	}
	for (uint64_t id = 0; id < x->taken; id++)
		if (x->stored[id] != 1)
			fail_msg("record %llu is stored %u times", (unsigned long long)id, x->stored[id]);
	struct sender_stats stats = fleet_stats(x->fleet);
	assert_int_equal(stored, x->taken);
	assert_int_equal(sent, x->taken);
	assert_int_equal(dropped, x->refused);
	assert_true(stats.records == x->taken && stats.acknowledged == x->taken && stats.dropped == x->refused);
	assert_int_equal(stats.waiting, 0);
}

/* ---- tests ---- */

/* Until the sender has noticed, under load. */
static void come_back(struct scene *x, uint32_t i)
{
	x->sites[i].up = true;
	while (fleet_line(x->fleet, i).away)
		step(x, 3);
}

static void nothing_is_lost_or_doubled_whoever_dies(void **state)
{
	for (int round = 0; round < 12; round++) {
		struct scene x;
		scene_init(&x, 1 + (uint32_t)wt_random_below(3), (64u << 10) << wt_random_below(4));
		x.loss = (unsigned)wt_random_below(4) * 10;
		x.deaths = true;
		for (int phase = 0; phase < 12; phase++)
			steps(&x, 1 + wt_random_below(40), (unsigned)wt_random_below(12));
		finish(&x);
		check(&x);
		scene_done(&x);
	}
}

static uint32_t current(const struct scene *x)
{
	uint32_t i = 0;
	while (!fleet_line(x->fleet, i).current)
		i++;
	return i;
}

/* Who is current, step by step, when the first of three dies and comes back. */
static void the_next_one_takes_over_and_gives_back(void **state)
{
	struct scene x;
	scene_init(&x, 3, 1u << 20);
	steps(&x, 5, 3);
	assert_int_equal(current(&x), 0);
	assert_true(x.sites[1].now.accepted == 0 && x.sites[2].now.accepted == 0);

	site_die(&x.sites[0]);
	uint64_t died = x.now;
	while (current(&x) == 0)
		step(&x, 3);
	assert_true(x.now - died >= 5 * NS_PER_S && x.now - died <= 8 * NS_PER_S);
	assert_int_equal(current(&x), 1);
	struct fleet_line line = fleet_line(x.fleet, 0);
	assert_true(line.away && line.owed.datagrams && line.owed.records);
	steps(&x, 20, 3);
	assert_int_equal(current(&x), 1);
	assert_true(x.sites[1].stored_count > 5000 && x.sites[2].now.accepted == 0);
	struct sender_owed owed = fleet_line(x.fleet, 0).owed; /* that was all */
	assert_true(owed.records == line.owed.records && owed.datagrams == line.owed.datagrams);

	come_back(&x, 0);
	uint64_t back = x.now;
	assert_int_equal(current(&x), 1);
	while (current(&x) != 0) {
		owed = fleet_line(x.fleet, 0).owed;
		step(&x, 3);
	}
	assert_true(x.now - back >= 30 * NS_PER_S && x.now - back <= 32 * NS_PER_S);
	assert_int_equal(owed.datagrams, 0);
	assert_int_equal(x.refused, 0);
	finish(&x);
	check(&x);
	scene_done(&x);
}

/* One that has just come back serves at once when the other dies. */
static void one_that_is_back_is_better_than_one_that_is_away(void **state)
{
	struct scene x;
	scene_init(&x, 2, 1u << 20);
	steps(&x, 2, 3);
	site_die(&x.sites[0]);
	steps(&x, 10, 3);
	assert_int_equal(current(&x), 1);
	come_back(&x, 0);
	site_die(&x.sites[1]);
	steps(&x, 8, 3);
	assert_int_equal(current(&x), 0);
	assert_true(fleet_line(x.fleet, 1).owed.records);
	finish(&x);
	check(&x);
	scene_done(&x);
}

/* While all are away nothing more is owed to anybody, memory fills up, and the first that answers gets all that waits
 * and is told what was dropped. */
static void while_all_are_away_nothing_is_promised(void **state)
{
	struct scene x;
	scene_init(&x, 2, 128u << 10);
	steps(&x, 2, 3);
	site_die(&x.sites[0]);
	site_die(&x.sites[1]);
	for (int i = 0; i < 2; i++) { /* a few records to each, fewer than may be under way */
		step(&x, 3);
		steps(&x, 10, 0);
	}
	assert_true(fleet_line(x.fleet, 0).away && fleet_line(x.fleet, 1).away);
	struct sender_owed owed[] = {fleet_line(x.fleet, 0).owed, fleet_line(x.fleet, 1).owed};
	steps(&x, 60, 10);
	assert_true(x.refused > 1000);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(fleet_line(x.fleet, i).owed.records, owed[i].records);
	x.sites[1].up = true;
	steps(&x, 90, 0);
	assert_int_equal(current(&x), 1);
	assert_int_equal(x.sites[1].disk.dropped, x.refused);
	assert_int_equal(fleet_line(x.fleet, 0).owed.records, owed[0].records);
	assert_int_equal(x.taken - fleet_stats(x.fleet).acknowledged, owed[0].records);
	finish(&x);
	check(&x);
	scene_done(&x);
}

/* A collector that dies with all that may be under way leaves room for the other. */
static void one_cannot_take_all_the_memory(void **state)
{
	struct scene x;
	scene_init(&x, 2, 64u << 10);
	steps(&x, 20, 3);
	assert_int_equal(x.refused, 0);
	site_die(&x.sites[0]);
	steps(&x, 8, 100);
	assert_true(x.refused > 0);
	assert_int_equal(current(&x), 1);
	steps(&x, 2, 0);
	uint64_t refused = x.refused;
	steps(&x, 10, 1);
	assert_true(fleet_line(x.fleet, 0).owed.datagrams && x.refused == refused);
	finish(&x);
	check(&x);
	scene_done(&x);
}

static void what_is_no_fleet_is_refused(void **state)
{
	struct sender_config config = {.name = "test"};
	struct fleet *f;
	assert_int_equal(fleet_new(&config, 0, &f), -EINVAL);
	assert_int_equal(fleet_new(&config, FLEET_MAX + 1, &f), -EINVAL);
	config.name = "";
	assert_int_equal(fleet_new(&config, 2, &f), -EINVAL);
	config = (struct sender_config){.name = "test", .memory_bytes = 1}; /* two buffers, eight collectors */
	assert_int_equal(fleet_new(&config, FLEET_MAX, &f), 0);
	assert_true(fleet_idle(f) && fleet_deadline_ns(f) == UINT64_MAX);
	fleet_free(f);
	fleet_free(NULL);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_or_doubled_whoever_dies),
		cmocka_unit_test(the_next_one_takes_over_and_gives_back),
		cmocka_unit_test(one_that_is_back_is_better_than_one_that_is_away),
		cmocka_unit_test(while_all_are_away_nothing_is_promised),
		cmocka_unit_test(one_cannot_take_all_the_memory),
		cmocka_unit_test(what_is_no_fleet_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

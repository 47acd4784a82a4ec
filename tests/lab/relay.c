/* SPDX-License-Identifier: BSD-2-Clause */

/* A path between two network namespaces with delay, a bandwidth and exact loss, for tests. The
 * kernel's own tool for that, netem, isn't there on every machine, and a packet dropped at the
 * sender's egress isn't lost at all in TCP's eyes. This one is a program in the middle: it makes
 * a TUN device in each namespace, and what the kernel writes into one it hands to the other,
 * later or never.
 *
 *     relay NETNS-A DEVICE-A NETNS-B DEVICE-B [--delay-us N] [--mbit N] [--drop-ab N] [--drop-ba N]
 *           [--drop-fin-ab N] [--drop-synack-ab N]
 *
 * NETNS is a file such as /proc/PID/ns/net. The delay is for each way; --mbit the rate of each
 * way. --drop-ab N loses every Nth TCP data segment from A to B that isn't a retransmission, so
 * every loss is repaired by one retransmission and nothing is left to chance. A segment is a
 * retransmission when its first byte lies below what was seen of its flow. The same for FINs
 * without data and for SYN-ACKs. TUN devices know no segmentation offload: a packet here is a
 * packet on the wire.
 *
 * What keeps that "one" exact: a segment right behind a missing one isn't lost too, the next that
 * may be is (the sender might send both again in one); and with --drop-synack-ab a SYN that comes
 * again is lost, so that only the server's timer sends the SYN-ACK again, not the client's as well.
 * A retransmission of what was not lost (a sender may take a delay for a loss, the more so on a
 * busy machine) is counted as `needless`: again = dropped + needless, once all is repaired.
 *
 * Prints `ready` when both devices exist (addresses and routes are the caller's), and a line of
 * JSON with the exact counters, also by A's port and kind of segment, at SIGUSR1 and at the end
 * (SIGTERM, SIGINT, or the parent's death). The devices vanish with the program.
 *
 * Bounds: QUEUE packets under way each way (`overflowed` counts what found no room), FLOWS
 * flows, PORTS ports of A, MISSING losses of a flow that wait for repair. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "base/index.h"
#include "base/loop.h"

#define QUEUE      16384
#define PACKET_MAX 2048
#define FLOWS      65536
#define READ_BATCH 64
#define PORTS      64
#define MISSING    8

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* Segments that take up sequence numbers, so that losing one causes a retransmission. */
enum kind { KIND_DATA, KIND_FIN, KIND_SYNACK, KIND_SYN, KIND_COUNT, KIND_NONE = KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = {"data", "fin", "synack", "syn"};

struct packet {
	uint64_t due_ns;
	size_t len;
	uint8_t data[PACKET_MAX];
};

struct flow_key {
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port;
};

struct range {
	uint32_t start, end; /* sequence numbers */
};

struct flow {
	struct flow_key key;
	uint32_t start; /* its SYN's sequence number */
	uint32_t end;   /* sequence number behind the furthest byte seen */
	struct range missing[MISSING]; /* lost and not repaired yet */
	uint32_t missing_count;
};

struct tally {
	uint64_t segments, bytes; /* bytes: payload */
	uint64_t again;           /* of the segments, retransmissions */
	uint64_t again_bytes;
	uint64_t needless;        /* of these, of what was not lost */
	uint64_t dropped;
};

struct port {
	uint16_t number;
	struct tally tallies[KIND_COUNT];
};

struct segment {
	struct flow_key key;
	uint32_t seq, len; /* len: payload */
	uint8_t flags;
};

/* One way through the relay. */
struct way {
	int in, out;
	struct loop_fd readable;
	bool from_server; /* A to B: A's port is the source's */
	uint64_t drop_every[KIND_COUNT]; /* 0: nothing is lost */
	uint64_t until_drop[KIND_COUNT]; /* segments that may be lost, before the next that is */
	bool drop_syn_again;

	struct packet *queue; /* head..tail-1, modulo QUEUE */
	uint64_t head, tail;
	uint64_t line_free_ns; /* when the last packet has left at the line's rate */

	struct flow *flows;
	struct index flow_index;

	struct port ports[PORTS];
	uint32_t port_count;

	uint64_t packets, bytes;
	uint64_t dropped, overflowed;
};

static struct {
	struct loop *loop;
	struct loop_fd timer;
	uint64_t delay_ns, mbit;
	struct way ways[2]; /* A to B, B to A */
} relay = {.timer.fd = -1};

static void fail(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- what is in a packet ---- */

/* Addresses into the key; the reader left is the TCP segment. False: not a whole TCP packet. */
static bool read_ip(struct rd *r, struct flow_key *key)
{
	uint8_t first = rd_u8(r);
	if (first >> 4 == 4) {
		rd_skip(r, 1);
		uint16_t total = rd_u16(r);
		rd_skip(r, 5);
		uint8_t protocol = rd_u8(r);
		rd_skip(r, 2);
		rd_copy(r, key->source, 4);
		rd_copy(r, key->destination, 4);
		size_t header = (size_t)(first & 15) * 4;
		if (header < 20 || total < header || protocol != IPPROTO_TCP)
			return false;
		rd_skip(r, header - 20);
		*r = rd_carve(r, total - header);
		return rd_ok(r);
	}
	rd_skip(r, 3);
	uint16_t payload = rd_u16(r);
	uint8_t protocol = rd_u8(r);
	rd_skip(r, 1);
	rd_copy(r, key->source, 16);
	rd_copy(r, key->destination, 16);
	*r = rd_carve(r, payload);
	return first >> 4 == 6 && protocol == IPPROTO_TCP && rd_ok(r);
}

static bool read_segment(struct view packet, struct segment *ret)
{
	struct rd r = rd_view(packet);
	struct segment s = {0};
	if (!read_ip(&r, &s.key))
		return false;
	size_t size = rd_left(&r);
	s.key.source_port = rd_u16(&r);
	s.key.destination_port = rd_u16(&r);
	s.seq = rd_u32(&r);
	rd_skip(&r, 4);
	size_t header = (size_t)(rd_u8(&r) >> 4) * 4;
	s.flags = rd_u8(&r);
	if (!rd_ok(&r) || header > size)
		return false;
	s.len = (uint32_t)(size - header);
	*ret = s;
	return true;
}

/* The segment's flow, new at its SYN (or when it is first seen). */
static struct flow *flow_get(struct way *way, const struct segment *s)
{
	uint64_t hash = hash_bytes(&s->key, sizeof(s->key));
	uint32_t slot, pos;
	INDEX_FOR_EACH(&way->flow_index, hash, slot, pos)
		if (memcmp(&way->flows[pos].key, &s->key, sizeof(s->key)) == 0)
			break;
	if (pos == INDEX_NONE) {
		pos = way->flow_index.count;
		if (pos == FLOWS || index_add(&way->flow_index, hash, pos) < 0) {
			errno = ENOSPC;
			fail("flows");
		}
		way->flows[pos] = (struct flow){.key = s->key, .start = s->seq, .end = s->seq};
	}
	return &way->flows[pos];
}

static struct port *port_get(struct way *way, const struct segment *s)
{
	uint16_t number = way->from_server ? s->key.source_port : s->key.destination_port;
	struct port *p = way->ports, *end = p + way->port_count;
	while (p < end && p->number != number)
		p++;
	if (p == way->ports + PORTS) {
		errno = ENOSPC;
		fail("ports");
	}
	if (p == end) {
		way->port_count++;
		p->number = number;
	}
	return p;
}

static enum kind kind_of(const struct segment *s)
{
	if (s->flags & TCP_SYN)
		return s->flags & TCP_ACK ? KIND_SYNACK : KIND_SYN;
	return s->len ? KIND_DATA : s->flags & TCP_FIN ? KIND_FIN : KIND_NONE;
}

/* Moves the flow's end; true when the segment was seen before. */
static bool seen_again(struct flow *flow, const struct segment *s, uint32_t end)
{
	bool again;
	if (s->flags & TCP_SYN) { /* another first number: the ports are used again */
		again = flow->start == s->seq && flow->end != s->seq;
		if (!again)
			*flow = (struct flow){.key = flow->key, .start = s->seq, .end = end};
		return again;
	}
	again = (int32_t)(flow->end - s->seq) > 0;
	if (!again)
		flow->end = end;
	return again;
}

/* True when the segment repairs a loss, which is forgotten. */
static bool repairs(struct flow *flow, uint32_t start, uint32_t end)
{
	bool found = false;
	for (uint32_t i = 0; i < flow->missing_count;) {
		struct range *m = &flow->missing[i];
		if ((int32_t)(m->end - start) <= 0 || (int32_t)(end - m->start) <= 0) {
			i++;
			continue;
		}
		*m = flow->missing[--flow->missing_count];
		found = true;
	}
	return found;
}

static bool may_be_lost(const struct flow *flow, uint32_t start)
{
	for (uint32_t i = 0; i < flow->missing_count; i++)
		if (flow->missing[i].end == start)
			return false;
	return flow->missing_count < MISSING;
}

/* True when the segment, which is new, is one to lose. */
static bool lose(struct way *way, struct flow *flow, enum kind kind, uint32_t start, uint32_t end)
{
	if (!way->drop_every[kind])
		return false;
	if (way->until_drop[kind] > 1)
		way->until_drop[kind]--;
	else if (may_be_lost(flow, start)) {
		way->until_drop[kind] = way->drop_every[kind];
		flow->missing[flow->missing_count++] = (struct range){start, end};
		return true;
	}
	return false;
}

/* Counts the packet; true when it is one to lose. */
static bool examine(struct way *way, struct view packet)
{
	struct segment s;
	way->packets++;
	way->bytes += packet.len;
	if (!read_segment(packet, &s))
		return false;
	struct flow *flow = flow_get(way, &s);
	uint32_t end = s.seq + s.len + !!(s.flags & TCP_SYN) + !!(s.flags & TCP_FIN);
	bool again = seen_again(flow, &s, end);
	enum kind kind = kind_of(&s);
	if (kind == KIND_NONE)
		return false;
	struct tally *tally = &port_get(way, &s)->tallies[kind];
	tally->segments++;
	tally->bytes += s.len;
	tally->again += again;
	tally->again_bytes += again ? s.len : 0;
	if (again && !repairs(flow, s.seq, end))
		tally->needless++;
	bool lost = again ? kind == KIND_SYN && way->drop_syn_again : lose(way, flow, kind, s.seq, end);
	tally->dropped += lost;
	return lost;
}

/* ---- passing on ---- */

static uint64_t send_due(struct way *way, uint64_t now_ns)
{
	for (; way->head != way->tail; way->head++) {
		const struct packet *p = &way->queue[way->head % QUEUE];
		if (p->due_ns > now_ns)
			return p->due_ns;
		if (write(way->out, p->data, p->len) < 0 && errno != EIO) /* EIO: the device is down */
			fail("write");
	}
	return UINT64_MAX;
}

static void set_timer(uint64_t due_ns)
{
	struct itimerspec when = {0};
	if (due_ns != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(due_ns / NS_PER_S);
		when.it_value.tv_nsec = (long)(due_ns % NS_PER_S);
	}
	if (timerfd_settime(relay.timer.fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		fail("timerfd_settime");
}

static void pass_on(void)
{
	uint64_t now_ns = clock_mono_ns();
	uint64_t a = send_due(&relay.ways[0], now_ns), b = send_due(&relay.ways[1], now_ns);
	set_timer(a < b ? a : b);
}

static void on_timer(struct loop_fd *self, uint32_t events)
{
	uint64_t expirations;
	if (read(self->fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		fail("timer");
	pass_on();
}

/* When the packet comes out: after the line's time for it, and the delay. */
static uint64_t due_ns(struct way *way, size_t len)
{
	uint64_t start = clock_mono_ns();
	if (relay.mbit) {
		if (way->line_free_ns < start)
			way->line_free_ns = start;
		way->line_free_ns += len * 8000 / relay.mbit;
		start = way->line_free_ns;
	}
	return start + relay.delay_ns;
}

static void on_readable(struct loop_fd *self, uint32_t events)
{
	struct way *way = self->ctx;
	static struct packet spare;
	for (int i = 0; i < READ_BATCH; i++) {
		bool full = way->tail - way->head == QUEUE;
		struct packet *p = full ? &spare : &way->queue[way->tail % QUEUE];
		ssize_t n = read(way->in, p->data, sizeof(p->data));
		if (n < 0 && (errno == EAGAIN || errno == EIO))
			break;
		if (n < 0)
			fail("read");
		p->len = (size_t)n;
		if (examine(way, (struct view){p->data, p->len})) {
			way->dropped++;
			continue;
		}
		if (full) {
			way->overflowed++;
			continue;
		}
		p->due_ns = due_ns(way, p->len);
		way->tail++;
	}
	pass_on();
}

/* ---- start and end ---- */

static void add_tally(struct tally *sum, const struct tally *t)
{
	sum->segments += t->segments;
	sum->bytes += t->bytes;
	sum->again += t->again;
	sum->again_bytes += t->again_bytes;
	sum->needless += t->needless;
	sum->dropped += t->dropped;
}

static void print_tallies(const struct tally tallies[static KIND_COUNT])
{
	for (int k = 0; k < KIND_COUNT; k++) {
		const struct tally *t = &tallies[k];
		printf("%s\"%s\":{\"segments\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"again\":%" PRIu64
		       ",\"again_bytes\":%" PRIu64 ",\"needless\":%" PRIu64 ",\"dropped\":%" PRIu64 "}",
			k ? "," : "", kind_names[k], t->segments, t->bytes, t->again, t->again_bytes,
			t->needless, t->dropped);
	}
}

static void print_way(const char *name, const struct way *w)
{
	struct tally sums[KIND_COUNT] = {0};
	printf("\"%s\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"dropped\":%" PRIu64
	       ",\"overflowed\":%" PRIu64 ",\"ports\":{",
		name, w->packets, w->bytes, w->dropped, w->overflowed);
	for (uint32_t i = 0; i < w->port_count; i++) {
		printf("%s\"%u\":{", i ? "," : "", w->ports[i].number);
		print_tallies(w->ports[i].tallies);
		printf("}");
		for (int k = 0; k < KIND_COUNT; k++)
			add_tally(&sums[k], &w->ports[i].tallies[k]);
	}
	printf("},");
	print_tallies(sums);
	printf("}");
}

static void print_counters(void *ctx)
{
	printf("{");
	print_way("ab", &relay.ways[0]);
	printf(",");
	print_way("ba", &relay.ways[1]);
	printf("}\n");
	fflush(stdout);
}

static void stop(void *ctx)
{
	loop_stop(relay.loop);
}

/* A TUN device inside the namespace; the process stays there. */
static int open_tun(const char *netns, const char *device)
{
	CLEANUP(close_p) int ns = open(netns, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		fail(netns);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	if (strlen(device) >= sizeof(request.ifr_name)) {
		errno = ENAMETOOLONG;
		fail(device);
	}
	memcpy(request.ifr_name, device, strlen(device));
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		fail("/dev/net/tun");
	return fd;
}

static void start_way(struct way *way, int in, int out)
{
	way->in = in;
	way->out = out;
	memcpy(way->until_drop, way->drop_every, sizeof(way->until_drop));
	way->queue = calloc(QUEUE, sizeof(*way->queue));
	way->flows = calloc(FLOWS, sizeof(*way->flows));
	way->readable = (struct loop_fd){.fd = in, .fn = on_readable, .ctx = way};
	index_init(&way->flow_index);
	if (!way->queue || !way->flows || loop_fd_add(relay.loop, &way->readable, EPOLLIN) < 0)
		fail("start");
}

static uint64_t parse_number(const char *text)
{
	char *end;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (errno || end == text || *end) {
		fprintf(stderr, "relay: \"%s\" isn't a number\n", text);
		exit(2);
	}
	return n;
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {{"delay-us", required_argument, NULL, 'd'},
		{"mbit", required_argument, NULL, 'm'}, {"drop-ab", required_argument, NULL, 'a'},
		{"drop-ba", required_argument, NULL, 'b'},
		{"drop-fin-ab", required_argument, NULL, 'f'},
		{"drop-synack-ab", required_argument, NULL, 's'}, {0}};
	uint64_t *drop_ab = relay.ways[0].drop_every, *drop_ba = relay.ways[1].drop_every;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'd':
			relay.delay_ns = parse_number(optarg) * 1000;
			break;
		case 'm':
			relay.mbit = parse_number(optarg);
			break;
		case 'a':
			drop_ab[KIND_DATA] = parse_number(optarg);
			break;
		case 'b':
			drop_ba[KIND_DATA] = parse_number(optarg);
			break;
		case 'f':
			drop_ab[KIND_FIN] = parse_number(optarg);
			break;
		case 's':
			drop_ab[KIND_SYNACK] = parse_number(optarg);
			relay.ways[1].drop_syn_again = drop_ab[KIND_SYNACK] > 0;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind != 4) {
		fprintf(stderr, "usage: relay NETNS-A DEVICE-A NETNS-B DEVICE-B [--delay-us N] [--mbit N] "
				"[--drop-ab N] [--drop-ba N] [--drop-fin-ab N] [--drop-synack-ab N]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	char **args = argv + optind;
	int a = open_tun(args[0], args[1]), b = open_tun(args[2], args[3]);
	relay.timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	relay.timer.fn = on_timer;
	if (relay.timer.fd < 0 || loop_new(&relay.loop) < 0 ||
		loop_fd_add(relay.loop, &relay.timer, EPOLLIN) < 0 ||
		loop_signal(relay.loop, SIGUSR1, print_counters, NULL) < 0 ||
		loop_signal(relay.loop, SIGTERM, stop, NULL) < 0 ||
		loop_signal(relay.loop, SIGINT, stop, NULL) < 0 ||
		prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		fail("start");
	relay.ways[0].from_server = true;
	start_way(&relay.ways[0], a, b);
	start_way(&relay.ways[1], b, a);
	puts("ready");
	fflush(stdout);
	if (loop_run(relay.loop) < 0)
		fail("loop");
	print_counters(NULL);
	return 0;
}

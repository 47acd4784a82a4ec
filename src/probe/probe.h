/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the program in the kernel (probe.bpf.c) and the probe (ebpf.c) share: events, the page of counters, the
 * way to tag a connection. The kernel's side includes kernel.h before it, the other <linux/types.h>. */

#define PROBE_RING_BYTES    (4u << 20)
#define PROBE_WAKE_BYTES    (1u << 18) /* the reader is woken when so much waits; else it looks in now and then */
#define PROBE_YOUNG_MAX     65536      /* connections whose start is known, until the first look at them */
#define PROBE_PORTS_MAX     65536
#define PROBE_NAMESPACES_MAX 64

/* setsockopt(fd, PROBE_TAG_LEVEL, PROBE_TAG_OPTION, &tag, 4) on a connection, or on a listening socket for all that come
 * from it then (wire/tag.h). By PROBE_TAG_OPTION_OWN a server says that it counts a connection itself from the moment
 * on that this is refused, up to the one that it is taken again. */
#define PROBE_TAG_LEVEL      0x5754 /* "WT" */
#define PROBE_TAG_OPTION     1
#define PROBE_TAG_OPTION_OWN 2

/* No option that is larger is shown whole, on any machine. */
#define PROBE_SHOWN_MAX 4096

/* The probe is there if it said so within this time. */
#define PROBE_ALIVE_NS 3000000000ull

enum probe_kind {
	PROBE_CLOSE = 1, /* the connection is over */
	PROBE_LOOK,      /* it lives and something has happened */
	PROBE_RETAG,     /* it lives, and what happens now belongs to another tag */
};

#define PROBE_FIRST         1 /* of this connection */
#define PROBE_FIRST_RETRANSMIT 2
#define PROBE_APPROXIMATE   4 /* more may have happened than is told */

/* What happened on a connection since its last event. */
struct probe_event {
	__u64 time_ns;  /* monotonic */
	__u64 begin_ns; /* of the last event, or of the connection; 0: not known */
	__u64 cgroup; /* id of the one the listening socket was made in; 0: not known */
	__u64 bytes_sent; /* each once */
	__u64 bytes_retransmitted;
	__u64 bytes_received;
	__u32 packets_sent;
	__u32 packets_retransmitted;
	__u32 packets_spurious;
	__u32 rtt_min_us; /* 0: none measured */
	__u32 tag; /* 0: none */
	__u32 mark;
	__u16 local_port; /* host order */
	__u8 family; /* AF_INET, AF_INET6 */
	__u8 kind;
	__u8 flags;
	__u8 unused[3];
	__u8 local[16], remote[16];
};

/* What the iterator is to do with the sockets it is shown. */
enum probe_look {
	PROBE_LOOK_NEW,      /* tell what is new */
	PROBE_LOOK_BASELINE, /* take everything as told */
};

/* One page, mapped by the probe. */
struct probe_page {
	__u64 events;  /* given to the ring */
	__u64 lost;    /* events for which it had no room */
	__u64 delayed; /* had no room, and will be told at the next look */
	__u64 empty;   /* connections on which nothing was sent, received or repeated */
	__u64 tags;    /* tags set */
	__u64 lost_told; /* of those lost: what the probe has taken note of */
	__u64 alive_ns; /* when the probe was there last; 0: it has ended */
	__u32 look;    /* enum probe_look */
	__u32 active;  /* 0: nothing is told yet */
};

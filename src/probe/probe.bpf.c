/* SPDX-License-Identifier: BSD-2-Clause */

/* The probe's programs in the kernel. Three look at TCP sockets, and each runs with the socket's lock held, so
 * that figures are consistent and a connection's snapshot has one user at a time:
 *
 *   state  a socket changes its state. At the change to CLOSE the counters are final, whichever way the connection ends;
 *          later, when the socket is freed, they may be zeroed (a close with SO_LINGER 0). Each connection has
 *          exactly one such change.
 *   look   all sockets of a network namespace, one after the other, when the probe asks: what is new on connections
 *          that live long.
 *   tag    setsockopt of any process: a connection is given a tag.
 *
 * Only what was opened by a peer counts. A socket that came from a listening one has that one's sk_max_ack_backlog, since it
 * began as a copy of it; a socket that connects has 0. The field stays when the listening socket is gone, so a
 * server that is killed loses nothing. Who listens with a backlog of 0 is found when the connection is made, and, for
 * connections older than the probe, by the port.
 *
 * What was told is kept in the socket's storage (`told`), which goes away with the socket. Most connections never need
 * any: it is made when a look finds something new, or by a tag. It costs more than all the rest, so short connections
 * go without. The start of a young connection is in `young`, a map that is allocated once.
 *
 * A snapshot moves only when the event was taken by the ring. When the ring is full a look leaves the figures for the
 * next one; at the end of a connection there is none, so they are lost, and counted. */

#include "probe/kernel.h"
#include "probe/probe.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Counters of struct tcp_sock, as they are there. */
#define COUNTERS(X)                                                                                \
	X(bytes_sent) X(bytes_retrans) X(bytes_received) X(data_segs_out) X(total_retrans) X(dsack_dups)

struct counters {
#define X(name) __u64 name;
	COUNTERS(X)
#undef X
};

enum {
	TOLD_BEFORE = 1,     /* in an event */
	TOLD_RETRANSMIT = 2, /* too */
	TOLD_PASSIVE = 4,    /* opened by the peer, which its socket doesn't show */
	TOLD_TAGGED = 8,     /* it has had a tag */
	TOLD_OWN = 16,       /* its server counts it, for now */
};

struct told {
	struct counters counters;
	__u64 time_ns;
	__u32 tag;
	__u32 flags;
};

/* Cloned to what comes from a listening socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct told);
} told SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PROBE_RING_BYTES);
} ring SEC(".maps");

/* Socket cookie: when the connection was made. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_YOUNG_MAX);
	__type(key, __u64);
	__type(value, __u64);
} young SEC(".maps");

/* Network namespaces that are watched, by inode number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_NAMESPACES_MAX);
	__type(key, __u32);
	__type(value, __u8);
} namespaces SEC(".maps");

struct listening {
	__u32 netns;
	__u32 port;
};

/* Ports that the first look found somebody listening on. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROBE_PORTS_MAX);
	__type(key, struct listening);
	__type(value, __u8);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe_page);
} page SEC(".maps");

/* A field of a kernel structure: read as it is where the verifier knows the pointer's type, else copied. */
#define GET(direct, pointer, field) ((direct) ? (pointer)->field : BPF_CORE_READ(pointer, field))

static __always_inline struct probe_page *get_page(void)
{
	__u32 zero = 0;
	return bpf_map_lookup_elem(&page, &zero);
}

static __always_inline bool is_watched(__u32 netns)
{
	return bpf_map_lookup_elem(&namespaces, &netns);
}

static __always_inline void read_counters(bool direct, struct tcp_sock *tp, struct counters *ret)
{
#define X(name) ret->name = GET(direct, tp, name);
	COUNTERS(X)
#undef X
	/* The kernel counts the peer's FIN as a byte. */
	unsigned long flags = GET(direct, (struct sock *)tp, __sk_common.skc_flags);
	if (flags >> SOCK_DONE & 1 && ret->bytes_received)
		ret->bytes_received--;
}

static __always_inline bool is_new(const struct counters *now, const struct counters *last)
{
	return now->data_segs_out != last->data_segs_out || now->total_retrans != last->total_retrans ||
		now->bytes_received != last->bytes_received;
}

static __always_inline void fill_addresses(bool direct, struct probe_event *e, struct sock *sk)
{
	e->family = GET(direct, sk, __sk_common.skc_family);
	e->local_port = __builtin_bswap16(GET(direct, (struct inet_sock *)sk, inet_sport));
	__u32 *local = (__u32 *)e->local, *remote = (__u32 *)e->remote;
	if (e->family == AF_INET) {
		local[0] = GET(direct, sk, __sk_common.skc_rcv_saddr);
		remote[0] = GET(direct, sk, __sk_common.skc_daddr);
		local[1] = local[2] = local[3] = remote[1] = remote[2] = remote[3] = 0;
		return;
	}
#pragma unroll
	for (int i = 0; i < 4; i++) {
		local[i] = GET(direct, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
		remote[i] = GET(direct, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
	}
}

static __always_inline void fill_figures(struct probe_event *e, const struct counters *now, const struct told *t)
{
	const struct counters none = {0}, *last = t ? &t->counters : &none;
	__u32 flags = t ? t->flags : 0;
	e->bytes_retransmitted = now->bytes_retrans - last->bytes_retrans;
	e->bytes_sent = now->bytes_sent - last->bytes_sent - e->bytes_retransmitted;
	e->bytes_received = now->bytes_received - last->bytes_received;
	e->packets_sent = now->data_segs_out - last->data_segs_out;
	e->packets_retransmitted = now->total_retrans - last->total_retrans;
	e->packets_spurious = now->dsack_dups - last->dsack_dups;
	e->tag = t ? t->tag : 0;
	e->flags = flags & TOLD_BEFORE ? 0 : PROBE_FIRST;
	if (e->packets_retransmitted && !(flags & TOLD_RETRANSMIT))
		e->flags |= PROBE_FIRST_RETRANSMIT;
}

/* When the last event was, or the connection was made. */
static __always_inline __u64 begin_of(const struct told *t, __u64 cookie)
{
	if (t && t->time_ns)
		return t->time_ns;
	__u64 *start = bpf_map_lookup_elem(&young, &cookie);
	return start ? *start : 0;
}

/* Tells the ring what is new since t (NULL: all is). False when it has no room. */
static __always_inline bool tell(bool direct, struct tcp_sock *tp, const struct counters *now, const struct told *t, __u8 kind)
{
	struct sock *sk = (struct sock *)tp;
	struct probe_event *e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (!e)
		return false;
	e->time_ns = bpf_ktime_get_ns();
	e->begin_ns = begin_of(t, GET(direct, sk, __sk_common.skc_cookie.counter));
	e->cgroup = direct ? sk->sk_cgrp_data.cgroup->kn->id : BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
	e->mark = GET(direct, sk, sk_mark);
	__u32 rtt_min = GET(direct, tp, rtt_min.s[0].v);
	e->rtt_min_us = rtt_min == ~0u ? 0 : rtt_min;
	e->kind = kind;
	e->unused[0] = e->unused[1] = e->unused[2] = 0;
	fill_figures(e, now, t);
	fill_addresses(direct, e, sk);
	bool full = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= PROBE_WAKE_BYTES;
	bpf_ringbuf_submit(e, full ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
	return true;
}

/* Everything up to now is told. */
static __always_inline void remember(struct told *t, const struct counters *now)
{
	t->counters = *now;
	t->time_ns = bpf_ktime_get_ns();
	t->flags |= TOLD_BEFORE;
	if (now->total_retrans)
		t->flags |= TOLD_RETRANSMIT;
}

/* ---- a socket changes its state ---- */

static __always_inline void connection_made(struct sock *sk, struct tcp_sock *tp)
{
	__u64 now_ns = bpf_ktime_get_ns(), cookie = bpf_get_socket_cookie(sk);
	bpf_map_update_elem(&young, &cookie, &now_ns, BPF_ANY);
	if (((struct sock *)tp)->sk_max_ack_backlog)
		return;
	struct told *t = bpf_sk_storage_get(&told, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (t)
		t->flags |= TOLD_PASSIVE;
}

static __always_inline void tell_end(struct sock *sk, struct tcp_sock *tp)
{
	struct told *t = bpf_sk_storage_get(&told, sk, 0, 0);
	struct probe_page *p = get_page();
	struct counters now, none = {0};
	bool passive = ((struct sock *)tp)->sk_max_ack_backlog || (t && t->flags & TOLD_PASSIVE);
	if (!p || !passive || !p->active || (t && t->flags & TOLD_OWN))
		return;
	read_counters(true, tp, &now);
	/* The time since it was told last is news, too. */
	if (!is_new(&now, t ? &t->counters : &none) && !(t && t->flags & TOLD_BEFORE))
		__sync_fetch_and_add(&p->empty, 1);
	else if (tell(true, tp, &now, t, PROBE_CLOSE))
		__sync_fetch_and_add(&p->events, 1);
	else
		__sync_fetch_and_add(&p->lost, 1);
}

static __always_inline void connection_over(struct sock *sk, struct tcp_sock *tp)
{
	__u64 cookie = ((struct sock *)tp)->__sk_common.skc_cookie.counter;
	tell_end(sk, tp);
	bpf_map_delete_elem(&young, &cookie);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state, struct sock *sk, int old_state, int new_state)
{
	bool made = old_state == TCP_SYN_RECV && new_state == TCP_ESTABLISHED;
	bool over = new_state == TCP_CLOSE && old_state != TCP_LISTEN && old_state != TCP_SYN_SENT;
	if (!made && !over)
		return 0;
	if (!is_watched(sk->__sk_common.skc_net.net->ns.inum))
		return 0;
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	if (made)
		connection_made(sk, tp);
	else
		connection_over(sk, tp);
	return 0;
}

/* ---- a look at all sockets ---- */

static __always_inline bool listened_on(__u32 netns, struct tcp_sock *tp)
{
	struct listening key = {netns, __builtin_bswap16(((struct inet_sock *)tp)->inet_sport)};
	return bpf_map_lookup_elem(&ports, &key);
}

static __always_inline void look_at(struct tcp_sock *tp, struct probe_page *p, __u32 netns)
{
	struct sock *sk = (struct sock *)tp;
	struct told *t = bpf_sk_storage_get(&told, sk, 0, 0);
	bool baseline = p->look == PROBE_LOOK_BASELINE;
	bool unseen = !sk->sk_max_ack_backlog && !(t && t->flags & TOLD_PASSIVE);
	struct counters now, none = {0};
	if ((unseen && !(baseline && listened_on(netns, tp))) || (t && t->flags & TOLD_OWN))
		return;
	read_counters(true, tp, &now);
	if (!baseline && !is_new(&now, t ? &t->counters : &none))
		return;
	if (!t)
		t = bpf_sk_storage_get(&told, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!t)
		return;
	t->flags |= unseen ? TOLD_PASSIVE : 0;
	__u64 cookie = bpf_get_socket_cookie(sk);
	if (!baseline && !tell(true, tp, &now, t, PROBE_LOOK)) {
		__sync_fetch_and_add(&p->delayed, 1);
		return;
	}
	__sync_fetch_and_add(&p->events, !baseline);
	remember(t, &now);
	bpf_map_delete_elem(&young, &cookie);
}

SEC("iter/tcp")
int look(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct probe_page *p = get_page();
	if (!skc || !p)
		return 0;
	__u32 netns = skc->skc_net.net->ns.inum;
	__u8 state = skc->skc_state;
	if (state == TCP_LISTEN && p->look == PROBE_LOOK_BASELINE) {
		struct listening key = {netns, skc->skc_num};
		__u8 yes = 1;
		bpf_map_update_elem(&ports, &key, &yes, BPF_ANY);
	}
	if (state == TCP_LISTEN || state == TCP_SYN_SENT || state == TCP_SYN_RECV || state == TCP_NEW_SYN_RECV ||
		state == TCP_CLOSE)
		return 0;
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(skc);
	if (tp)
		look_at(tp, p, netns);
	return 0;
}

/* ---- a tag ---- */

/* The verifier lets this type of program read little of a socket, and calculate nothing with its address; a copy of the
 * address is a mere number to it. */
static __always_inline struct tcp_sock *copy_address(struct bpf_sock *sk)
{
	void *address = NULL;
	bpf_probe_read_kernel(&address, sizeof(address), &sk);
	return address;
}

/* What happened up to now was the old tag's; where `silent`, somebody else has told it. */
static __always_inline void end_tag(struct tcp_sock *tp, struct told *t, struct probe_page *p, bool silent)
{
	struct counters now;
	read_counters(false, tp, &now);
	if (!silent && p->active && is_new(&now, &t->counters)) {
		bool taken = tell(false, tp, &now, t, PROBE_RETAG);
		__sync_fetch_and_add(&p->events, taken);
		__sync_fetch_and_add(&p->lost, !taken);
	}
	if (silent || is_new(&now, &t->counters))
		remember(t, &now);
}

/* A connection's tag. What it did before its first one goes with that. */
static __always_inline void set_tag(struct tcp_sock *tp, struct told *t, struct probe_page *p, __u32 value)
{
	bool own = t->flags & TOLD_OWN;
	if (own || (t->flags & TOLD_TAGGED && t->tag != value))
		end_tag(tp, t, p, own);
	t->tag = value;
	t->flags = (t->flags | TOLD_TAGGED) & ~TOLD_OWN;
}

/* True: the tag is taken. */
static __always_inline bool take_tag(struct bpf_sock *sk, struct probe_page *p, __u32 value, bool may_own)
{
	struct tcp_sock *tp = copy_address(sk);
	/* The probe may have been here since the time was read. */
	bool alive = (__s64)(bpf_ktime_get_ns() - p->alive_ns) < (__s64)PROBE_ALIVE_NS;
	bool listens = sk->state == TCP_LISTEN;
	__u32 netns = BPF_CORE_READ((struct sock *)tp, __sk_common.skc_net.net, ns.inum);
	struct told *t = bpf_sk_storage_get(&told, sk, 0, 0);
	bool passive = BPF_CORE_READ((struct sock *)tp, sk_max_ack_backlog) || (t && t->flags & TOLD_PASSIVE);
	if (!is_watched(netns) || !(passive || listens) || !(alive || may_own))
		return false;
	if (sk->state == TCP_CLOSE) /* its end was told, or is its server's to tell */
		return alive && !(t && t->flags & TOLD_OWN);
	if (!t)
		t = bpf_sk_storage_get(&told, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!t)
		return false;
	if (listens) {
		t->tag = value;
		t->flags |= TOLD_TAGGED;
	} else if (alive) {
		set_tag(tp, t, p, value);
	} else if (!(t->flags & TOLD_OWN)) {
		/* Of which nothing was told, and which no tag was taken for, is its server's from its beginning. */
		end_tag(tp, t, p, !(t->flags & (TOLD_BEFORE | TOLD_TAGGED)));
		t->flags |= TOLD_OWN;
	}
	return alive;
}

SEC("cgroup/setsockopt")
int tag(struct bpf_sockopt *ctx)
{
	__u32 *value = ctx->optval;
	struct bpf_sock *sk = ctx->sk;
	/* Kernels before 6.5 refuse what is larger than the page of it that they show us, unless told to take the caller's. */
	if (ctx->optlen > PROBE_SHOWN_MAX) {
		ctx->optlen = 0;
		return 1;
	}
	if (ctx->level != PROBE_TAG_LEVEL)
		return 1;
	/* Whatever is not for us the kernel answers as if we weren't there. -1: another probe has taken it, too. */
	struct probe_page *p = get_page();
	bool may_own = ctx->optname == PROBE_TAG_OPTION_OWN;
	if ((ctx->optname != PROBE_TAG_OPTION && !may_own) || (ctx->optlen != sizeof(*value) && ctx->optlen != -1) ||
		(void *)(value + 1) > ctx->optval_end || !sk || !p || sk->protocol != IPPROTO_TCP)
		return 1;
	if (!take_tag(sk, p, *value, may_own))
		return 1;
	__sync_fetch_and_add(&p->tags, 1);
	ctx->optlen = -1; /* the kernel's own setsockopt isn't asked */
	return 1;
}

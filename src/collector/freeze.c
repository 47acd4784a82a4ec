/* SPDX-License-Identifier: BSD-2-Clause */

/* Freezing: once a second, or sooner when a sender waits or much has come, what has arrived since the
 * last time is handed to the writer as a whole: the rows, the path changes, and the state of every
 * session that changed. When it is on disk the acknowledgements go out, each with the window as it
 * stood in the frame, so nothing is acknowledged that a crash could lose.
 *
 * One frozen is under way at a time. While the writer is busy the next one grows; if it grows past
 * ROWS_MAX (a disk that is full, or very slow) the sockets are not read until the writer is back:
 * senders keep what they have, and the memory here stays bounded. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "collector/intake.h"

#define FREEZE_NS         NS_PER_S
#define FREEZE_DATAGRAMS  512                 /* freeze early when as many wait */
#define ROWS_MAX          (1u << 20)
#define EXPIRE_NS         (60 * NS_PER_S)
#define RECLAIM_FREEZE_NS (3 * NS_PER_MS)
#define RECLAIM_SLICE     256  /* between two looks at the clock */
#define RECLAIM_NS        (5 * NS_PER_S)
#define EXPIRE_FIRST_NS   (3600 * NS_PER_S) /* after a long absence senders are heard first */

/* ---- ids that nothing names ---- */

/* For about this long; true when there are more. */
static bool reclaim(struct intake *in, uint64_t ns)
{
	uint64_t end = clock_mono_ns() + ns;
	bool more = true;
	while (more && clock_mono_ns() < end)
		more = route_reclaim(tables_routes(in->tables), RECLAIM_SLICE);
	return more;
}

/* ---- handing over ---- */

static struct frozen *collect(struct intake *in)
{
	struct flow_table *fresh = writer_spare(in->writer);
	struct frozen *f = calloc(1, sizeof(*f));
	struct session_state *states = malloc((in->dirty_count + 1) * sizeof(*states));
	if (!fresh || !f || !states) {
		flow_table_free(fresh);
		free(f);
		free(states);
		return NULL;
	}
	for (uint32_t i = 0; i < in->dirty_count; i++) {
		states[i] = in->dirty[i]->state;
		in->dirty[i]->dirty = false;
	}
	f->sessions = states;
	f->session_count = in->dirty_count;
	f->retired = in->retired;
	f->ended = in->ended;
	f->retired_count = f->ended_count = in->retired_count;
	f->flows = delta_take(in->delta, fresh);
	in->counters[COUNTER_path_changes] += f->flows->change_count;
	in->counters[COUNTER_path_changes_left_out] += f->flows->changes_left_out;
	/* No row names an id any more: those of routes that are gone may be used again. */
	(void)reclaim(in, RECLAIM_FREEZE_NS);
	in->retired = NULL;
	in->ended = NULL;
	in->retired_count = in->dirty_count = in->waiting_datagrams = 0;
	in->prompt = false;
	return f;
}

/* While records come, each freeze takes its part; without any there would be none. */
static bool on_reclaim(struct loop_work *work, uint64_t until_ns)
{
	struct intake *in = work->ctx;
	uint64_t now = clock_mono_ns();
	return delta_is_empty(in->delta) && reclaim(in, until_ns > now ? until_ns - now : 0);
}

static void on_reclaim_timer(struct loop_timer *t)
{
	struct intake *in = t->ctx;
	loop_work_add(in->loop, &in->reclaim_work);
	(void)!loop_timer_set(in->loop, &in->reclaim_timer, RECLAIM_NS);
}

static bool nothing_to_freeze(const struct intake *in)
{
	return !in->dirty_count && !in->retired_count && delta_is_empty(in->delta);
}

static void freeze(struct intake *in)
{
	if (in->writing || nothing_to_freeze(in))
		return;
	struct frozen *f = collect(in);
	if (!f) {
		log_error("intake: out of memory");
		return; /* the timer tries again */
	}
	loop_timer_clear(in->loop, &in->freeze_timer);
	in->writing = true;
	writer_give(in->writer, f);
}

static void arm(struct intake *in)
{
	if (!in->freeze_timer.due_ns && loop_timer_set(in->loop, &in->freeze_timer, FREEZE_NS) < 0)
		freeze(in);
}

/* Rows name routes, and a reload may drop tables: worlds are exchanged when there are none. */
static void try_swap(struct intake *in)
{
	if (!in->next_world)
		return;
	freeze(in);
	if (delta_rows(in->delta))
		return; /* until what is under way is durable */
	in->world = in->next_world;
	in->next_world = NULL;
	sessions_drop_seals(&in->sessions);
	in->swapped(in->swapped_ctx);
}

void intake_swap(struct intake *in, const struct world *world, void (*swapped)(void *ctx), void *ctx)
{
	in->next_world = world;
	in->swapped = swapped;
	in->swapped_ctx = ctx;
	try_swap(in);
}

static void on_freeze_timer(struct loop_timer *t)
{
	struct intake *in = t->ctx;
	try_swap(in);
	freeze(in);
	if (!nothing_to_freeze(in))
		arm(in);
}

static void pause_reading(struct intake *in)
{
	in->paused = true;
	in->counters[COUNTER_pauses]++;
	for (size_t i = 0; i < in->socket_count; i++)
		(void)!loop_fd_set(in->loop, &in->sockets[i].fd, 0);
}

static void resume_reading(struct intake *in)
{
	in->paused = false;
	for (size_t i = 0; i < in->socket_count; i++)
		(void)!loop_fd_set(in->loop, &in->sockets[i].fd, EPOLLIN);
}

void freeze_consider(struct intake *in)
{
	if (in->prompt || in->waiting_datagrams >= FREEZE_DATAGRAMS)
		freeze(in);
	if (in->writing && !in->paused && delta_rows(in->delta) > ROWS_MAX)
		pause_reading(in);
}

void freeze_mark(struct intake *in, struct session *s)
{
	if (s->dirty)
		return;
	if (in->dirty_count == in->dirty_cap) {
		uint32_t cap = in->dirty_cap ? in->dirty_cap * 2 : 64;
		struct session **p = realloc(in->dirty, cap * sizeof(struct session *));
		if (!p) {
			log_error("intake: out of memory");
			abort();
		}
		in->dirty = p;
		in->dirty_cap = cap;
	}
	s->dirty = true;
	in->dirty[in->dirty_count++] = s;
	arm(in);
}

void intake_path_change(struct intake *in, uint64_t time_ms, struct view router, uint32_t prefix, uint32_t before,
	uint32_t after)
{
	if (in->drained)
		return;
	int r = delta_change(in->delta, tables_routes(in->tables), time_ms, router, prefix, before, after);
	/* Not by arm(), which may freeze at once and with it reclaim ids that the caller still has. */
	if (r == 0 && !delta_is_empty(in->delta) && !in->freeze_timer.due_ns)
		r = loop_timer_set(in->loop, &in->freeze_timer, FREEZE_NS);
	if (r < 0) {
		log_error("intake: out of memory");
		abort();
	}
}

/* ---- coming back ---- */

static void send_to(struct intake *in, const struct session_peer *peer, struct view sealed)
{
	if (peer->len && sendto(peer->fd, sealed.data, sealed.len, MSG_DONTWAIT, (const struct sockaddr *)&peer->addr,
				 peer->len) >= 0)
		in->counters[COUNTER_acks]++;
}

static void send_ack(struct intake *in, struct session *s, const struct window *window)
{
	if (!s->ack_seal) {
		const struct key *key = world_key(in->world, s->state.key_id);
		if (!key || ack_seal_new(key, s->state.id, in->run, &s->ack_seal) < 0)
			return;
	}
	struct header h = {.kind = DATAGRAM_ACK, .key_id = s->state.key_id, .seq = in->ack_seq++};
	memcpy(h.session, s->state.id, sizeof(h.session));
	memcpy(h.run, in->run, sizeof(h.run));
	struct ack ack = {.collector = {(const uint8_t *)in->name, in->name_len}, .window = *window};
	uint8_t bytes[DATAGRAM_MAX];
	struct wr w = wr_make(bytes, sizeof(bytes) - SEAL_TAG_BYTES);
	header_write(&w, &h);
	size_t clear = wr_len(&w);
	ack_write(&w, &ack);
	assert(wr_ok(&w));
	size_t body = wr_len(&w) - clear;
	if (seal_close(s->ack_seal, h.seq, (struct view){bytes, clear}, bytes + clear, body) < 0)
		return;
	struct view sealed = {bytes, clear + body + SEAL_TAG_BYTES};
	send_to(in, &s->peer, sealed);
	send_to(in, &s->elsewhere, sealed);
	s->elsewhere.len = 0;
}

static void acknowledge(struct intake *in, const struct frozen *f)
{
	for (size_t i = 0; i < f->session_count; i++) {
		struct session *s = sessions_find(&in->sessions, f->sessions[i].id);
		if (!s || !s->peer.len)
			continue;
		s->durable_base = f->sessions[i].window.base;
		send_ack(in, s, &f->sessions[i].window);
	}
}

struct durable_call {
	struct intake *in;
	struct frozen *frozen;
};

static void on_durable(void *arg)
{
	struct durable_call *call = arg;
	struct intake *in = call->in;
	in->writing = false;
	acknowledge(in, call->frozen);
	frozen_free(call->frozen);
	free(call);
	if (in->drained) {
		freeze(in);
		if (!in->writing)
			in->drained(in->drained_ctx);
		return;
	}
	try_swap(in);
	freeze_consider(in);
	if (in->paused)
		freeze(in);
	if (in->paused && delta_rows(in->delta) <= ROWS_MAX)
		resume_reading(in);
}

void freeze_durable(void *ctx, struct frozen *f)
{
	struct intake **slot = ctx;
	struct durable_call *call = malloc(sizeof(*call));
	if (!call) {
		log_error("intake: out of memory");
		abort();
	}
	*call = (struct durable_call){*slot, f};
	int r = loop_post(call->in->loop, on_durable, call);
	if (r == -ENOMEM) {
		log_error("intake: out of memory");
		abort();
	}
	if (r < 0) {
		frozen_free(f); /* the loop has ended: nobody is left to acknowledge to */
		free(call);
	}
}

void intake_stop(struct intake *in, void (*drained)(void *ctx), void *ctx)
{
	for (size_t i = 0; i < in->socket_count; i++)
		loop_fd_del(in->loop, &in->sockets[i].fd);
	in->drained = drained;
	in->drained_ctx = ctx;
	freeze(in);
	if (!in->writing)
		drained(ctx);
}

/* ---- sessions that ended ---- */

/* Room for one more in the lists of the next frame. */
static int grow_retired(struct intake *in)
{
	struct retired_state *r = realloc(in->retired, (in->retired_count + 1) * sizeof(*r));
	if (!r)
		return -ENOMEM;
	in->retired = r;
	uint8_t(*e)[SESSION_ID_BYTES] = realloc(in->ended, (in->retired_count + 1) * sizeof(*e));
	if (!e)
		return -ENOMEM;
	in->ended = e;
	return 0;
}

static void on_expire_timer(struct loop_timer *t)
{
	struct intake *in = t->ctx;
	uint64_t now = clock_wall_ms();
	for (uint32_t i = in->sessions.count; i-- > 0;) {
		struct session *s = in->sessions.list[i];
		if (s->dirty || now < s->state.last_ms + SESSION_IDLE_MS || grow_retired(in) < 0)
			continue;
		memcpy(in->ended[in->retired_count], s->state.id, SESSION_ID_BYTES);
		if (sessions_retire(&in->sessions, i, &in->retired[in->retired_count]) == 0)
			in->retired_count++;
	}
	if (in->retired_count)
		arm(in);
	(void)!loop_timer_set(in->loop, &in->expire_timer, EXPIRE_NS);
}

int freeze_init(struct intake *in)
{
	in->freeze_timer = (struct loop_timer){.fn = on_freeze_timer, .ctx = in};
	in->expire_timer = (struct loop_timer){.fn = on_expire_timer, .ctx = in};
	in->reclaim_work = (struct loop_work){.fn = on_reclaim, .ctx = in};
	in->reclaim_timer = (struct loop_timer){.fn = on_reclaim_timer, .ctx = in};
	int r = loop_timer_set(in->loop, &in->reclaim_timer, RECLAIM_NS);
	return r < 0 ? r : loop_timer_set(in->loop, &in->expire_timer, EXPIRE_FIRST_NS);
}

void freeze_done(struct intake *in)
{
	loop_timer_clear(in->loop, &in->freeze_timer);
	loop_timer_clear(in->loop, &in->expire_timer);
	loop_timer_clear(in->loop, &in->reclaim_timer);
	loop_work_del(in->loop, &in->reclaim_work);
	free(in->dirty);
	free(in->retired);
	free(in->ended);
}

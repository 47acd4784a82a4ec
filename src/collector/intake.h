/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Intake: sealed datagrams in, rows of sums and acknowledgements out. See intake.c for the way of a
 * datagram and freeze.c for what happens each second. Data-plane thread, except where noted. */

#include "base/log.h"
#include "base/loop.h"
#include "collector/listen.h"
#include "collector/sessions.h"
#include "collector/tables.h"
#include "collector/world.h"
#include "collector/writer.h"
#include "traffic/delta.h"

enum counter {
#define COUNTER(name, help) COUNTER_##name,
#define REFUSED(name, help) COUNTER_##name,
#include "collector/counters.def"
#undef COUNTER
#undef REFUSED
	COUNTER_COUNT
};

struct counter_info {
	const char *name, *help;
	bool refused;
};
extern const struct counter_info counter_table[COUNTER_COUNT];

struct intake_socket {
	struct loop_fd fd;
	struct addr addr; /* really bound */
	uint16_t port;
	uint32_t drops_seen; /* the kernel's count, as last told */
};

struct intake {
	struct loop *loop;
	const struct world *world;
	struct tables *tables;
	struct writer *writer;
	char name[NAME_MAX_BYTES]; /* the collector's, for acknowledgements */
	size_t name_len;
	uint8_t run[SESSION_ID_BYTES]; /* of this run of the collector */
	uint64_t ack_seq;

	struct intake_socket sockets[LISTEN_MAX];
	size_t socket_count;
	struct receive_buffers *buffers;

	struct sessions sessions;
	struct delta *delta;
	uint64_t counters[COUNTER_COUNT];
	struct log_limit refused_logs[COUNTER_COUNT];

	/* freezing */
	struct loop_timer freeze_timer, expire_timer, reclaim_timer;
	struct loop_work reclaim_work; /* of the route table's ids that nothing names */
	struct session **dirty;
	uint32_t dirty_count, dirty_cap;
	uint32_t waiting_datagrams; /* accepted since the last freeze */
	bool prompt;                /* a sender waits */
	bool writing;               /* a frozen is with the writer */
	bool paused;                /* sockets are not read */
	struct retired_state *retired; /* of the next frame */
	uint8_t (*ended)[SESSION_ID_BYTES];
	uint32_t retired_count;
	const struct world *next_world; /* set while waiting to be swapped in */
	void (*swapped)(void *ctx);
	void *swapped_ctx;
	void (*drained)(void *ctx); /* set while stopping: called once nothing is under way */
	void *drained_ctx;
};

/* Binds the sockets and takes over the sessions of the book. The world must stay until intake_swap or
 * intake_free. */
int intake_new(struct loop *loop, const struct world *world, struct tables *tables, struct writer *writer,
	const struct book *book, struct intake **ret, struct error *err) MUST_USE;
void intake_free(struct intake *in);

/* Begins to read. */
int intake_start(struct intake *in, struct error *err) MUST_USE;
/* Stops reading and calls drained(ctx) in the loop once everything accepted is durable. */
void intake_stop(struct intake *in, void (*drained)(void *ctx), void *ctx);

/* Goes on with another world as soon as everything joined with the old one is on its way to the writer,
 * and then calls swapped(ctx): at once, or in the loop when what is under way is durable. */
void intake_swap(struct intake *in, const struct world *world, void (*swapped)(void *ctx), void *ctx);

/* A router's route for a prefix (ids of the tables' routes; ROUTE_NONE: none) became another one: a change of
 * path goes into the next frame. While stopping nothing is recorded, so that the end comes. */
void intake_path_change(struct intake *in, uint64_t time_ms, struct view router, uint32_t prefix, uint32_t before,
	uint32_t after);

/* One datagram on its way through. What the sockets give is passed here; benchmarks and fuzzers pass
 * their own. */
struct arrival {
	struct view bytes;
	const struct sockaddr_storage *from;
	socklen_t from_len;
	int fd;
	uint64_t now_ms;
};
void intake_datagram(struct intake *in, const struct arrival *a);

/* The sum of the sessions' ledgers for one sender name. */
struct sender_report {
	const char *name;
	uint8_t name_len;
	uint64_t sessions, first_ms, last_ms;
	struct ledger ledger;
};
/* One per sender, sorted by name; the names live as long as the sessions. free() the result. */
struct sender_report *intake_senders(const struct intake *in, size_t *ret_count);

/* ---- between intake.c and freeze.c ---- */

/* The session has changed: it goes into the next frame and is acknowledged with it. */
void freeze_mark(struct intake *in, struct session *s);
/* Freezes now if it is time and the writer is free. */
void freeze_consider(struct intake *in);
/* Called on the journal thread by the writer: posts to the loop. */
void freeze_durable(void *ctx, struct frozen *f);
int freeze_init(struct intake *in) MUST_USE;
void freeze_done(struct intake *in);

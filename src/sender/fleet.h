/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A sender's half of the protocol towards several collectors: a session with each (sender/sender.h), one memory for all, and
 * the choice which of them gets new records. With one collector it is that session and nothing more.
 * No I/O; each collector's datagrams come and go by its number, its place in the list. One thread.
 *
 * What was sent to a collector, even once, is owed to that one and goes to no other: it may be on its disk already.
 * Everything else, drops included, goes to whoever gets new records then. So what is taken is stored once, and a drop is told
 * once, over all collectors together. */

#include "sender/sender.h"

#define FLEET_MAX 8

struct fleet;

/* config: as for a single sender; memory_bytes is for all together. -EINVAL (0 or more than FLEET_MAX, too), -ENOMEM, -EIO. */
int fleet_new(const struct sender_config *config, uint32_t collectors, struct fleet **ret) MUST_USE;
void fleet_free(struct fleet *f);

/* As the functions of a sender. */
int fleet_add(struct fleet *f, const struct record *rec, uint64_t now_ns) MUST_USE;
void fleet_count_dropped(struct fleet *f, uint64_t records);
void fleet_flush(struct fleet *f, uint64_t now_ns);
/* *ret_to: the collector the datagram is for. */
bool fleet_next(struct fleet *f, uint64_t now_ns, uint32_t *ret_to, struct view *ret);
int fleet_receive(struct fleet *f, uint32_t from, struct view datagram, uint64_t now_ns) MUST_USE;
uint64_t fleet_deadline_ns(const struct fleet *f);
/* Sums over all sessions. */
struct sender_stats fleet_stats(const struct fleet *f);
bool fleet_idle(const struct fleet *f);
/* Records taken that were never sent to anybody. */
uint64_t fleet_unsent(const struct fleet *f);

struct fleet_line {
	bool current;            /* it gets new records */
	bool away;               /* it does not answer */
	struct sender_owed owed; /* while it is away, or simply under way */
};
struct fleet_line fleet_line(const struct fleet *f, uint32_t collector);
uint32_t fleet_count(const struct fleet *f);
/* How many datagrams there is memory for. */
uint32_t fleet_room(const struct fleet *f);

/* For a fleet whose process ends, or whose collectors are all away: as sender_take_unsent, over all sessions. */
uint64_t fleet_take_unsent(struct fleet *f, bool all, int (*fn)(void *ctx, struct view body, uint32_t records), void *ctx,
	uint64_t now_ns);
/* What a collector is owed (sender_save), and a fleet of one that goes on with it. */
void fleet_save(const struct fleet *f, uint32_t collector, struct buffer *out);
int fleet_resume(const struct sender_config *config, struct view saved, uint64_t now_ns, struct fleet **ret) MUST_USE;

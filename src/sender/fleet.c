/* SPDX-License-Identifier: BSD-2-Clause */

/* Collectors stand in an order of preference. The current one gets what is sent for the first time; the others only
 * get again what they are owed, and that is also how the return of one is noticed. `settle` is run at every turn and decides:
 *
 *   - a collector that has not answered for 6 s is away (sender_away). The next one that is not becomes the current
 *     one and takes over what was never sent.
 *   - one that came back is preferred again when it has all it is owed and REST_NS have passed since its
 *     return: one that comes and goes every few seconds is left alone. Until then it serves only if all others
 *     are away.
 *   - while all are away nothing is sent for the first time: it stays nobody's, and goes to the first that answers.
 *
 * The buffers are shared (buffers.h). A session may have 1/n of them under way, so that one that dies with all it may have
 * leaves room to go on with the others. When there is no buffer left new records are dropped; the count is
 * told by the next datagram that is sent for the first time, so by one collector. */

#include "sender/fleet.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

#define REST_NS (30 * NS_PER_S)

struct line {
	struct sender *sender;
	bool away;
	uint64_t back_ns; /* when it came back the last time; 0: it never was away */
};

struct fleet {
	struct buffers buffers;
	struct line lines[FLEET_MAX];
	uint32_t count, current;
};

/* ---- life ---- */

int fleet_new(const struct sender_config *config, uint32_t collectors, struct fleet **ret)
{
	if (!collectors || collectors > FLEET_MAX)
		return -EINVAL;
	struct fleet *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	struct sender_config each = *config;
	uint32_t buffers = sender_buffer_count(config, collectors);
	int r = buffers_init(&f->buffers, buffers, sender_datagram_bytes(config));
	each.buffers = &f->buffers;
	each.in_flight_max = buffers / collectors ? buffers / collectors : 1;
	while (r == 0 && f->count < collectors) {
		r = sender_new(&each, &f->lines[f->count].sender);
		f->count += r == 0;
	}
	if (r < 0) {
		fleet_free(f);
		return r;
	}
	for (uint32_t i = 1; i < collectors; i++)
		sender_hold(f->lines[i].sender, true);
	*ret = f;
	return 0;
}

void fleet_free(struct fleet *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; i < f->count; i++)
		sender_free(f->lines[i].sender);
	buffers_done(&f->buffers);
	free(f);
}

/* ---- who gets new records ---- */

static void look(struct line *l, uint64_t now_ns)
{
	bool away = sender_away(l->sender);
	if (l->away && !away)
		l->back_ns = now_ns;
	l->away = away;
}

static bool has_rested(const struct line *l, uint64_t now_ns)
{
	return !l->back_ns || (now_ns - l->back_ns >= REST_NS && !sender_owed(l->sender).datagrams);
}

static uint32_t choose(const struct fleet *f, uint64_t now_ns)
{
	for (uint32_t i = 0; i < f->count; i++)
		if (!f->lines[i].away && (i == f->current || has_rested(&f->lines[i], now_ns)))
			return i;
	for (uint32_t i = 0; i < f->count; i++)
		if (!f->lines[i].away)
			return i;
	return f->current;
}

/* True when something may be sent now that might not before. */
static bool settle(struct fleet *f, uint64_t now_ns)
{
	if (f->count == 1)
		return false;
	for (uint32_t i = 0; i < f->count; i++)
		look(&f->lines[i], now_ns);
	uint32_t before = f->current;
	f->current = choose(f, now_ns);
	for (uint32_t i = 0; i < f->count; i++) {
		struct line *l = &f->lines[i];
		sender_hold(l->sender, i != f->current || l->away);
		if (i != f->current)
			sender_hand_over(l->sender, f->lines[f->current].sender, now_ns);
	}
	return f->current != before;
}

/* ---- as a sender ---- */

static struct sender *current(const struct fleet *f)
{
	return f->lines[f->current].sender;
}

int fleet_add(struct fleet *f, const struct record *rec, uint64_t now_ns)
{
	return sender_add(current(f), rec, now_ns);
}

void fleet_count_dropped(struct fleet *f, uint64_t records)
{
	sender_count_dropped(current(f), records);
}

void fleet_flush(struct fleet *f, uint64_t now_ns)
{
	for (uint32_t i = 0; i < f->count; i++)
		sender_flush(f->lines[i].sender, now_ns);
}

bool fleet_next(struct fleet *f, uint64_t now_ns, uint32_t *ret_to, struct view *ret)
{
	/* Asking one may be what finds that it is away. */
	do {
		(void)settle(f, now_ns);
		for (uint32_t i = 0; i < f->count; i++) {
			if (sender_next(f->lines[i].sender, now_ns, ret)) {
				*ret_to = i;
				return true;
			}
		}
	} while (settle(f, now_ns));
	return false;
}

int fleet_receive(struct fleet *f, uint32_t from, struct view datagram, uint64_t now_ns)
{
	int r = sender_receive(f->lines[from].sender, datagram, now_ns);
	(void)settle(f, now_ns);
	return r;
}

uint64_t fleet_deadline_ns(const struct fleet *f)
{
	uint64_t first = UINT64_MAX;
	for (uint32_t i = 0; i < f->count; i++) {
		uint64_t due = sender_deadline_ns(f->lines[i].sender);
		first = due < first ? due : first;
	}
	return first;
}

struct sender_stats fleet_stats(const struct fleet *f)
{
	struct sender_stats sum = {0};
	for (uint32_t i = 0; i < f->count; i++) {
		struct sender_stats s = sender_stats(f->lines[i].sender);
		sum.records += s.records;
		sum.dropped += s.dropped;
		sum.acknowledged += s.acknowledged;
		sum.datagrams += s.datagrams;
		sum.resent += s.resent;
		sum.waiting += s.waiting;
	}
	return sum;
}

bool fleet_idle(const struct fleet *f)
{
	for (uint32_t i = 0; i < f->count; i++)
		if (!sender_idle(f->lines[i].sender))
			return false;
	return true;
}

uint64_t fleet_unsent(const struct fleet *f)
{
	struct sender_stats stats = fleet_stats(f);
	uint64_t unsent = stats.records - stats.acknowledged;
	for (uint32_t i = 0; i < f->count; i++)
		unsent -= sender_owed(f->lines[i].sender).records;
	return unsent;
}

struct fleet_line fleet_line(const struct fleet *f, uint32_t collector)
{
	const struct line *l = &f->lines[collector];
	return (struct fleet_line){collector == f->current, sender_away(l->sender), sender_owed(l->sender)};
}

uint32_t fleet_count(const struct fleet *f)
{
	return f->count;
}

uint32_t fleet_room(const struct fleet *f)
{
	uint32_t places = sender_room(current(f));
	return places < f->buffers.free_count ? places : f->buffers.free_count;
}

uint64_t fleet_take_unsent(struct fleet *f, bool all, int (*fn)(void *ctx, struct view body, uint32_t records), void *ctx,
	uint64_t now_ns)
{
	uint64_t untold = 0;
	for (uint32_t i = 0; i < f->count; i++)
		untold += sender_take_unsent(f->lines[i].sender, all, fn, ctx, now_ns);
	return untold;
}

void fleet_save(const struct fleet *f, uint32_t collector, struct buffer *out)
{
	sender_save(f->lines[collector].sender, out);
}

int fleet_resume(const struct sender_config *config, struct view saved, uint64_t now_ns, struct fleet **ret)
{
	struct fleet *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	int r = sender_resume(config, saved, now_ns, &f->lines[0].sender);
	if (r < 0) {
		free(f);
		return r;
	}
	f->count = 1;
	*ret = f;
	return 0;
}

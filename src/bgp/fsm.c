/* SPDX-License-Identifier: BSD-2-Clause */

/* The passive BGP session.
 *
 *     ACTIVE -connected/OPEN-> OPEN_SENT -OPEN/KEEPALIVE-> OPEN_CONFIRM -KEEPALIVE-> ESTABLISHED
 *        \____________________\________________________\_______________________/
 *                          lost, NOTIFICATION, a fault, a timer: IDLE
 *
 * RFC 4271 section 8 describes one machine a neighbour that starts again by itself. Here a machine
 * belongs to a connection and ends with it; the listening socket is what waits in Active, so
 * Connect is never entered, there is no ConnectRetry timer and no damping of oscillation (the
 * neighbour paces itself).
 *
 * The machine is the table at the end of this file: a handler for each state and event; an empty
 * entry means that the event can't hurt there and is passed over. A message that must not come in a
 * state ends the connection with RFC 6608's subcode. Every way to IDLE goes through finish().
 *
 * Timers. In OPEN_SENT four minutes (section 8.2.2 suggests that much), afterwards the smaller of
 * the two hold times; any message renews it. KEEPALIVEs go every third of it, without jitter: they
 * are 19 bytes, and neighbours started them at different times. There is no send hold timer (RFC
 * 9687): what we send in a day fits into a socket's buffer. A message may be long as soon as we
 * have announced that we take long ones (RFC 8654 section 4), whether or not the neighbour does.
 *
 * Collisions (section 6.8) are between two connections that the neighbour made, as we make none.
 * When an OPEN is acceptable and the other connection is
 *  - ESTABLISHED: it stays, unless the neighbour announced graceful restart of a family on it: then
 *    a new connection means that it restarted, and takes over (RFC 4724 section 5). Where the old
 *    one stays it is probed by a KEEPALIVE, so that a neighbour that rebooted resets it now and not
 *    when the hold time is over.
 *  - in OPEN_CONFIRM: if our identifier is smaller than the neighbour's the old one goes, else the
 *    new one; equal identifiers (RFC 6286, external only) are decided by AS number.
 *  - earlier: nothing is decided yet; it will when that one's OPEN comes.
 *
 * Graceful restart (RFC 4724) as a helper: actions say at the end which families' routes shall be
 * kept and how long, at the start which of them survived in the neighbour's forwarding plane. After
 * a NOTIFICATION or an expired hold time they are kept only if RFC 8538 was agreed on, and not
 * after a Hard Reset.
 *
 * RFC 4271 sections 6 and 8, 4486, 4724, 6286 (identifiers), 6608, 7313, 7606 (through
 * bgp/update.c), 7607 (AS 0), 8538, 8654.
 *
 * Known gaps: no limit of prefixes (the table's owner stops the session: CEASE_PREFIXES);
 * long-lived graceful restart isn't offered; a NOTIFICATION doesn't quote the attribute that was
 * wrong. A neighbour that asks for our routes (ROUTE-REFRESH) is answered by silence: there are
 * none. */

#include "bgp/fsm.h"

#define SECOND_NS UINT64_C(1000000000)
#define OPEN_WAIT_NS (240 * SECOND_NS)
#define NEVER UINT64_MAX
#define NOTHING ((struct view){NULL, 0})

enum event {
	EVENT_CONNECTED,
	EVENT_LOST,
	EVENT_STOP,      /* fault: what to say */
	EVENT_REPLACE,
	EVENT_SILENT,    /* the hold timer */
	EVENT_DUE,       /* the keepalive timer, or a probe */
	EVENT_FAULT,     /* a message that can't be read; fault: what to say */
	EVENT_OPEN,
	EVENT_UPDATE,
	EVENT_NOTIFICATION,
	EVENT_KEEPALIVE,
	EVENT_REFRESH,
	EVENTS,
};

/* One event being handled. */
struct step {
	struct bgp_fsm *f;
	uint64_t now_ns;
	struct bgp_message message;
	struct bgp_notification fault;
	struct bgp_actions *ret;
	struct bgp_changes *changes;
};

const char *bgp_state_name(enum bgp_state state)
{
	static const char *const names[BGP_STATES] = {
		[BGP_IDLE] = "Idle",
		[BGP_CONNECT] = "Connect",
		[BGP_ACTIVE] = "Active",
		[BGP_OPEN_SENT] = "OpenSent",
		[BGP_OPEN_CONFIRM] = "OpenConfirm",
		[BGP_ESTABLISHED] = "Established",
	};
	return (unsigned)state < BGP_STATES && names[state] ? names[state] : "unknown";
}

struct bgp_capabilities bgp_fsm_offer(uint32_t local_as, uint8_t families)
{
	return (struct bgp_capabilities){
		.multiprotocol = true,
		.families = families,
		.as4 = true,
		.as4_number = local_as,
		.route_refresh = true,
		.enhanced_refresh = true,
		.extended_messages = true,
		.add_path_receive = families,
		.extended_next_hop = families & 1u << BGP_IPV4_UNICAST,
		.graceful = true,
	};
}

static struct wr output(struct bgp_fsm *f)
{
	return wr_make(f->out, sizeof(f->out));
}

static void give(struct step *s, const struct wr *w)
{
	s->ret->send = (struct view){w->start, wr_len(w)};
}

/* Whether RFC 4724, or RFC 8538 on top, asks for the routes to be kept. */
static bool keeps(const struct bgp_fsm *f, enum bgp_down why, const struct bgp_notification *n)
{
	struct bgp_notification inner;
	switch (why) {
	case BGP_DOWN_LOST:
	case BGP_DOWN_COLLISION:
		return true;
	case BGP_DOWN_RECEIVED:
	case BGP_DOWN_SILENT:
		return f->on.graceful_notification && !bgp_hard_reset(n, &inner);
	case BGP_DOWN_NOT:
	case BGP_DOWN_FAULT:
	case BGP_DOWN_STOPPED:
		break;
	}
	return false;
}

static void finish(struct step *s, enum bgp_down why, const struct bgp_notification *n)
{
	struct bgp_fsm *f = s->f;
	s->ret->down = why;
	s->ret->was_up = f->state == BGP_ESTABLISHED;
	if (s->ret->was_up && f->on.graceful && keeps(f, why, n)) {
		s->ret->keep = f->on.graceful;
		s->ret->keep_s = f->on.restart_s;
	}
	s->ret->notification = *n;
	f->state = BGP_IDLE;
	f->hold_at_ns = f->keepalive_at_ns = NEVER;
}

static void finish_saying(struct step *s, enum bgp_down why, struct bgp_notification n)
{
	struct wr w = output(s->f);
	bgp_notification_encode(&w, &n);
	give(s, &w);
	/* The data as sent: what n points to may not live as long as the actions. */
	struct rd sent = rd_make(s->f->out, wr_len(&w));
	rd_skip(&sent, BGP_HEADER_BYTES + 2);
	n.data = rd_rest(&sent);
	finish(s, why, &n);
}

static void renew_hold(struct step *s)
{
	if (s->f->hold_ns)
		s->f->hold_at_ns = s->now_ns + s->f->hold_ns;
}

static void put_keepalive(struct step *s)
{
	struct bgp_fsm *f = s->f;
	struct wr w = output(f);
	bgp_keepalive_encode(&w);
	give(s, &w);
	f->keepalive_at_ns = f->hold_ns ? s->now_ns + f->hold_ns / 3 : NEVER;
}

static void on_connected(struct step *s)
{
	struct bgp_fsm *f = s->f;
	struct bgp_open open = {
		.as = f->config->local_as, .hold_s = f->config->hold_s, .can = f->config->offer};
	memcpy(open.id, f->config->local_id, sizeof(open.id));
	struct wr w = output(f);
	bgp_open_encode(&w, &open);
	give(s, &w);
	f->state = BGP_OPEN_SENT;
	f->hold_at_ns = s->now_ns + OPEN_WAIT_NS;
}

static void on_lost(struct step *s)
{
	finish(s, BGP_DOWN_LOST, &(struct bgp_notification){0});
}

/* There is nobody to say it to. */
static void on_stop_unconnected(struct step *s)
{
	finish(s, BGP_DOWN_STOPPED, &(struct bgp_notification){0});
}

static void on_stop(struct step *s)
{
	finish_saying(s, BGP_DOWN_STOPPED, s->fault);
}

static void on_replace(struct step *s)
{
	finish_saying(s, BGP_DOWN_COLLISION, s->fault);
}

static void on_silent(struct step *s)
{
	finish_saying(s, BGP_DOWN_SILENT, bgp_fault(BGP_ERROR_HOLD, NOTHING));
}

static void on_fault(struct step *s)
{
	finish_saying(s, BGP_DOWN_FAULT, s->fault);
}

/* RFC 6608: the message's type as data. */
static void on_unexpected(struct step *s)
{
	static const enum bgp_error errors[BGP_STATES] = {
		[BGP_OPEN_SENT] = BGP_ERROR_FSM_OPEN_SENT,
		[BGP_OPEN_CONFIRM] = BGP_ERROR_FSM_OPEN_CONFIRM,
		[BGP_ESTABLISHED] = BGP_ERROR_FSM_ESTABLISHED,
	};
	finish_saying(s, BGP_DOWN_FAULT,
		bgp_fault(errors[s->f->state], (struct view){&s->message.type, 1}));
}

static void on_notification(struct step *s)
{
	struct bgp_notification n;
	if (bgp_notification_decode(s->message.body, &n) < 0)
		n = (struct bgp_notification){0};
	finish(s, BGP_DOWN_RECEIVED, &n);
}

static void on_due(struct step *s)
{
	put_keepalive(s);
}

/* RFC 4271 section 6.2, RFC 6286 section 2.2, RFC 7607. 0: acceptable. */
static enum bgp_error check_open(const struct bgp_fsm_config *config, const struct bgp_open *open)
{
	static const uint8_t zero[4];
	if (!open->as || open->as != config->peer_as)
		return BGP_ERROR_OPEN_PEER_AS;
	bool internal = open->as == config->local_as;
	if (!memcmp(open->id, zero, sizeof(zero)) ||
		(internal && !memcmp(open->id, config->local_id, sizeof(zero))))
		return BGP_ERROR_OPEN_IDENTIFIER;
	if (open->hold_s == 1 || open->hold_s == 2)
		return BGP_ERROR_OPEN_HOLD_TIME;
	return (enum bgp_error)0;
}

enum collision { NO_COLLISION, OTHER_LOSES, THIS_LOSES };

/* This machine has got an acceptable OPEN. */
static enum collision collide(const struct bgp_fsm *f, const struct bgp_open *open)
{
	const struct bgp_fsm *other = f->other;
	if (!other || other->state < BGP_OPEN_CONFIRM)
		return NO_COLLISION;
	if (other->state == BGP_ESTABLISHED)
		return other->on.graceful ? OTHER_LOSES : THIS_LOSES;
	int order = memcmp(f->config->local_id, open->id, sizeof(open->id));
	if (!order)
		return f->config->local_as < open->as ? OTHER_LOSES : THIS_LOSES;
	return order < 0 ? OTHER_LOSES : THIS_LOSES;
}

static void confirm(struct step *s, const struct bgp_open *open)
{
	struct bgp_fsm *f = s->f;
	struct bgp_open ours = {
		.as = f->config->local_as, .hold_s = f->config->hold_s, .can = f->config->offer};
	f->on = bgp_negotiate(open, &ours);
	f->hold_ns = f->on.hold_s * SECOND_NS;
	f->hold_at_ns = NEVER;
	renew_hold(s);
	put_keepalive(s);
	f->state = BGP_OPEN_CONFIRM;
}

static void on_open(struct step *s)
{
	struct bgp_open open;
	struct bgp_notification fault;
	if (bgp_open_decode(s->message.body, &open, &fault) < 0) {
		finish_saying(s, BGP_DOWN_FAULT, fault);
		return;
	}
	s->f->peer = open;
	enum bgp_error error = check_open(s->f->config, &open);
	if (error) {
		finish_saying(s, BGP_DOWN_FAULT, bgp_fault(error, NOTHING));
		return;
	}
	enum collision collision = collide(s->f, &open);
	if (collision == THIS_LOSES) {
		s->ret->probe_other = s->f->other->state == BGP_ESTABLISHED;
		finish_saying(s, BGP_DOWN_COLLISION, bgp_fault(BGP_ERROR_CEASE_COLLISION, NOTHING));
		return;
	}
	s->ret->stop_other = collision == OTHER_LOSES;
	confirm(s, &open);
}

static void on_first_keepalive(struct step *s)
{
	renew_hold(s);
	s->f->state = BGP_ESTABLISHED;
	s->ret->up = true;
}

static void on_keepalive(struct step *s)
{
	renew_hold(s);
}

static void on_update(struct step *s)
{
	struct bgp_fsm *f = s->f;
	struct bgp_update_rules rules = {
		.as_bytes = f->on.as_bytes,
		.families = f->on.families,
		.add_path = f->on.add_path,
		.external = f->on.external,
	};
	struct bgp_notification fault;
	if (bgp_update_begin(s->message.body, &rules, s->changes, &fault) < 0) {
		finish_saying(s, BGP_DOWN_FAULT, fault);
		return;
	}
	renew_hold(s);
	if (s->changes->end_of_rib >= 0)
		f->complete |= (uint8_t)(1u << s->changes->end_of_rib);
	s->ret->update = true;
}

static void on_refresh(struct step *s)
{
	struct bgp_refresh refresh;
	struct bgp_notification fault;
	if (bgp_refresh_decode(&s->message, &refresh, &fault) < 0) {
		finish_saying(s, BGP_DOWN_FAULT, fault);
		return;
	}
	renew_hold(s);
	int family = bgp_family(refresh.afi, refresh.safi);
	bool demarcation = refresh.kind == BGP_REFRESH_BEGIN || refresh.kind == BGP_REFRESH_END;
	if (!demarcation || family < 0 || !s->f->on.enhanced_refresh ||
		!(s->f->on.families >> family & 1))
		return;
	s->ret->refresh = true;
	s->ret->refresh_kind = (enum bgp_refresh_kind)refresh.kind;
	s->ret->refresh_family = (enum bgp_family)family;
}

static void (*const table[BGP_STATES][EVENTS])(struct step *s) = {
	[BGP_ACTIVE] = {
		[EVENT_CONNECTED] = on_connected,
		[EVENT_LOST] = on_lost,
		[EVENT_STOP] = on_stop_unconnected,
		[EVENT_REPLACE] = on_stop_unconnected,
	},
	[BGP_OPEN_SENT] = {
		[EVENT_LOST] = on_lost,
		[EVENT_STOP] = on_stop,
		[EVENT_REPLACE] = on_replace,
		[EVENT_SILENT] = on_silent,
		[EVENT_FAULT] = on_fault,
		[EVENT_OPEN] = on_open,
		[EVENT_UPDATE] = on_unexpected,
		[EVENT_NOTIFICATION] = on_notification,
		[EVENT_KEEPALIVE] = on_unexpected,
		[EVENT_REFRESH] = on_unexpected,
	},
	[BGP_OPEN_CONFIRM] = {
		[EVENT_LOST] = on_lost,
		[EVENT_STOP] = on_stop,
		[EVENT_REPLACE] = on_replace,
		[EVENT_SILENT] = on_silent,
		[EVENT_DUE] = on_due,
		[EVENT_FAULT] = on_fault,
		[EVENT_OPEN] = on_unexpected,
		[EVENT_UPDATE] = on_unexpected,
		[EVENT_NOTIFICATION] = on_notification,
		[EVENT_KEEPALIVE] = on_first_keepalive,
		[EVENT_REFRESH] = on_unexpected,
	},
	[BGP_ESTABLISHED] = {
		[EVENT_LOST] = on_lost,
		[EVENT_STOP] = on_stop,
		[EVENT_REPLACE] = on_replace,
		[EVENT_SILENT] = on_silent,
		[EVENT_DUE] = on_due,
		[EVENT_FAULT] = on_fault,
		[EVENT_OPEN] = on_unexpected,
		[EVENT_UPDATE] = on_update,
		[EVENT_NOTIFICATION] = on_notification,
		[EVENT_KEEPALIVE] = on_keepalive,
		[EVENT_REFRESH] = on_refresh,
	},
};

static void handle(struct step *s, enum event event)
{
	void (*handler)(struct step *) = table[s->f->state][event];
	if (handler)
		handler(s);
}

static struct step begin(struct bgp_fsm *f, uint64_t now_ns, struct bgp_actions *ret)
{
	memset(ret, 0, sizeof(*ret));
	return (struct step){.f = f, .now_ns = now_ns, .ret = ret};
}

void bgp_fsm_init(struct bgp_fsm *f, const struct bgp_fsm_config *config)
{
	memset(f, 0, sizeof(*f));
	f->config = config;
	f->state = BGP_ACTIVE;
	f->hold_at_ns = f->keepalive_at_ns = NEVER;
}

void bgp_fsm_unpair(struct bgp_fsm *f)
{
	if (f->other)
		f->other->other = NULL;
	f->other = NULL;
}

void bgp_fsm_pair(struct bgp_fsm *f, struct bgp_fsm *other)
{
	bgp_fsm_unpair(f);
	if (!other)
		return;
	bgp_fsm_unpair(other);
	f->other = other;
	other->other = f;
}

void bgp_fsm_connected(struct bgp_fsm *f, uint64_t now_ns, struct bgp_actions *ret)
{
	struct step s = begin(f, now_ns, ret);
	handle(&s, EVENT_CONNECTED);
}

static size_t message_max(const struct bgp_fsm *f)
{
	return f->config->offer.extended_messages ? BGP_EXTENDED_MESSAGE_MAX : BGP_MESSAGE_MAX;
}

bool bgp_fsm_input(struct bgp_fsm *f, struct rd *r, uint64_t now_ns, struct bgp_actions *ret,
	struct bgp_changes *ret_changes)
{
	static const enum event events[] = {
		[BGP_MESSAGE_OPEN] = EVENT_OPEN,
		[BGP_MESSAGE_UPDATE] = EVENT_UPDATE,
		[BGP_MESSAGE_NOTIFICATION] = EVENT_NOTIFICATION,
		[BGP_MESSAGE_KEEPALIVE] = EVENT_KEEPALIVE,
		[BGP_MESSAGE_REFRESH] = EVENT_REFRESH,
	};
	struct step s = begin(f, now_ns, ret);
	if (f->state < BGP_OPEN_SENT)
		return false;
	s.changes = ret_changes;
	int got = bgp_message_next(r, message_max(f), &s.message, &s.fault);
	if (got == 0)
		return false;
	handle(&s, got < 0 ? EVENT_FAULT : events[s.message.type]);
	return true;
}

void bgp_fsm_lost(struct bgp_fsm *f, struct bgp_actions *ret)
{
	struct step s = begin(f, 0, ret);
	handle(&s, EVENT_LOST);
}

void bgp_fsm_tick(struct bgp_fsm *f, uint64_t now_ns, bool pending, struct bgp_actions *ret)
{
	struct step s = begin(f, now_ns, ret);
	if (now_ns >= f->hold_at_ns && !pending)
		handle(&s, EVENT_SILENT);
	else if (now_ns >= f->keepalive_at_ns)
		handle(&s, EVENT_DUE);
}

uint64_t bgp_fsm_deadline(const struct bgp_fsm *f)
{
	return f->hold_at_ns < f->keepalive_at_ns ? f->hold_at_ns : f->keepalive_at_ns;
}

void bgp_fsm_stop(struct bgp_fsm *f, enum bgp_error error, struct bgp_actions *ret)
{
	struct step s = begin(f, 0, ret);
	s.fault = bgp_fault(error, NOTHING);
	handle(&s, EVENT_STOP);
}

void bgp_fsm_replace(struct bgp_fsm *f, struct bgp_actions *ret)
{
	struct step s = begin(f, 0, ret);
	s.fault = bgp_fault(BGP_ERROR_CEASE_COLLISION, NOTHING);
	handle(&s, EVENT_REPLACE);
}

void bgp_fsm_probe(struct bgp_fsm *f, uint64_t now_ns, struct bgp_actions *ret)
{
	struct step s = begin(f, now_ns, ret);
	handle(&s, EVENT_DUE);
}

void bgp_fsm_refresh(struct bgp_fsm *f, enum bgp_family family, struct bgp_actions *ret)
{
	struct step s = begin(f, 0, ret);
	if (f->state != BGP_ESTABLISHED || !f->on.route_refresh || !(f->on.families >> family & 1))
		return;
	struct bgp_refresh refresh = {.afi = bgp_family_afi(family), .safi = BGP_SAFI_UNICAST};
	struct wr w = output(f);
	bgp_refresh_encode(&w, &refresh);
	give(&s, &w);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/fsm.h"

#include "bgp_build.h"
#include "wt_test.h"

#define V4 (1u << BGP_IPV4_UNICAST)
#define V6 (1u << BGP_IPV6_UNICAST)
#define S UINT64_C(1000000000)
#define T0 (1000 * S)

static struct bgp_fsm_config internal(void)
{
	return (struct bgp_fsm_config){.local_as = 64500,
		.peer_as = 64500,
		.local_id = {10, 0, 0, 5},
		.hold_s = 90,
		.offer = bgp_fsm_offer(64500, BGP_ALL_FAMILIES)};
}

/* A good neighbour's OPEN; graceful restart of IPv4 for 120 s, its forwarding state kept. */
static struct bgp_open good_open(void)
{
	return (struct bgp_open){.as = 64500,
		.hold_s = 30,
		.id = {10, 0, 0, 9},
		.can = {.multiprotocol = true,
			.families = BGP_ALL_FAMILIES,
			.as4 = true,
			.as4_number = 64500,
			.route_refresh = true,
			.enhanced_refresh = true,
			.add_path_send = V6,
			.graceful = true,
			.graceful_families = V4,
			.graceful_preserved = V4,
			.restart_s = 120}};
}

/* A connection with its input and the text of what the last event made it do. */
struct side {
	struct bgp_fsm f;
	struct bgp_actions act;
	struct bgp_changes changes;
	char text[256];
};

static void append(char *out, size_t cap, const char *fmt, ...) PRINTF(3, 4);
static void append(char *out, size_t cap, const char *fmt, ...)
{
	va_list ap;
	size_t n = strlen(out);
	va_start(ap, fmt);
	(void)vsnprintf(out + n, cap - n, fmt, ap);
	va_end(ap);
}

static void note_sent(struct side *s)
{
	static const char *const names[] = {
		"", "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "REFRESH"};
	struct rd r = rd_view(s->act.send);
	struct bgp_message m;
	struct bgp_notification n, fault;
	while (bgp_message_next(&r, BGP_MESSAGE_MAX, &m, &fault) > 0) {
		assert_int_not_equal(m.type, BGP_MESSAGE_UPDATE); /* never advertises */
		append(s->text, sizeof(s->text), " %s", names[m.type]);
		if (m.type == BGP_MESSAGE_NOTIFICATION) {
			assert_int_equal(bgp_notification_decode(m.body, &n), 0);
			append(s->text, sizeof(s->text), "(%u,%u)", n.code, n.subcode);
		}
	}
	assert_true(rd_done(&r));
}

/* "Established KEEPALIVE up": the state, what is sent, what else is to be done. */
static void note(struct side *s)
{
	static const char *const downs[] = {
		"", " lost", " received", " silent", " fault", " stopped", " collision"};
	struct bgp_actions *a = &s->act;
	(void)snprintf(s->text, sizeof(s->text), "%s", bgp_state_name(s->f.state));
	note_sent(s);
	append(s->text, sizeof(s->text), "%s%s%s%s%s%s%s", a->up ? " up" : "",
		a->update ? " update" : "", a->refresh ? " refresh" : "", downs[a->down],
		a->was_up ? " was-up" : "", a->stop_other ? " stop-other" : "",
		a->probe_other ? " probe-other" : "");
	assert_int_equal(s->f.state == BGP_IDLE, bgp_fsm_deadline(&s->f) == UINT64_MAX && a->down);
	if (a->keep)
		append(s->text, sizeof(s->text), " keep=%u/%u", a->keep, a->keep_s);
}

static const char *feed(struct side *s, const struct wr *w, uint64_t now)
{
	struct rd r = rd_make(w->start, wr_len(w));
	assert_true(wr_ok(w));
	if (bgp_fsm_input(&s->f, &r, now, &s->act, &s->changes))
		note(s);
	else
		(void)snprintf(s->text, sizeof(s->text), "%s nothing", bgp_state_name(s->f.state));
	return s->text;
}

static const char *feed_open(struct side *s, const struct bgp_open *open)
{
	uint8_t buf[BGP_OPEN_MAX];
	struct wr w = wr_make(buf, sizeof(buf));
	bgp_open_encode(&w, open);
	return feed(s, &w, T0);
}

static const char *feed_message(struct side *s, unsigned type, struct view body, uint64_t now)
{
	static uint8_t input[BGP_EXTENDED_MESSAGE_MAX]; /* the changes point into it */
	struct wr w = wr_make(input, sizeof(input));
	size_t at = build_message(&w, type);
	wr_bytes(&w, body.data, body.len);
	build_message_end(&w, at);
	return feed(s, &w, now);
}

static const char *tick(struct side *s, uint64_t now, bool pending)
{
	bgp_fsm_tick(&s->f, now, pending, &s->act);
	note(s);
	return s->text;
}

/* Brings a connection to a state, with the neighbour's OPEN. */
static void bring(struct side *s, const struct bgp_fsm_config *config, const struct bgp_open *open,
	enum bgp_state state)
{
	memset(s, 0, sizeof(*s));
	bgp_fsm_init(&s->f, config);
	if (state == BGP_IDLE)
		bgp_fsm_lost(&s->f, &s->act);
	if (state < BGP_OPEN_SENT)
		return;
	bgp_fsm_connected(&s->f, T0, &s->act);
	note(s);
	assert_string_equal(s->text, "OpenSent OPEN");
	if (state >= BGP_OPEN_CONFIRM)
		assert_string_equal(feed_open(s, open), "OpenConfirm KEEPALIVE");
	if (state >= BGP_ESTABLISHED)
		assert_string_equal(
			feed_message(s, BGP_MESSAGE_KEEPALIVE, NO_VIEW, T0), "Established up");
}

enum {
	CONNECTED,
	LOST,
	STOP,
	REPLACE,
	SILENT,
	DUE,
	FAULT,
	OPEN,
	UPDATE,
	NOTIFICATION,
	KEEPALIVE,
	REFRESH,
	EVENTS
};

static const char *raise(struct side *s, int event)
{
	struct bgp_open open = good_open();
	switch (event) {
	case CONNECTED:
		bgp_fsm_connected(&s->f, T0, &s->act);
		break;
	case LOST:
		bgp_fsm_lost(&s->f, &s->act);
		break;
	case STOP:
		bgp_fsm_stop(&s->f, BGP_ERROR_CEASE_SHUTDOWN, &s->act);
		break;
	case REPLACE:
		bgp_fsm_replace(&s->f, &s->act);
		break;
	case SILENT:
		bgp_fsm_tick(&s->f, T0 + 241 * S, false, &s->act);
		break;
	case DUE:
		bgp_fsm_tick(&s->f, T0 + 10 * S, false, &s->act);
		break;
	case FAULT:
		return feed_message(s, 77, NO_VIEW, T0);
	case OPEN:
		return feed_open(s, &open);
	case UPDATE:
		return feed_message(s, BGP_MESSAGE_UPDATE, VIEW(0, 0, 0, 0), T0);
	case NOTIFICATION:
		return feed_message(s, BGP_MESSAGE_NOTIFICATION, VIEW(6, 2), T0);
	case KEEPALIVE:
		return feed_message(s, BGP_MESSAGE_KEEPALIVE, NO_VIEW, T0);
	case REFRESH:
		return feed_message(s, BGP_MESSAGE_REFRESH, VIEW(0, 1, 1, 1), T0);
	}
	note(s);
	return s->text;
}

/* Every state and event. An Idle or Active machine has no connection, so it is given no messages. */
static void test_table(void **state)
{
	static const char *const want[][EVENTS] = {
		[BGP_ACTIVE] = {"OpenSent OPEN", "Idle lost", "Idle stopped", "Idle stopped",
			"Active", "Active", "Active nothing", "Active nothing", "Active nothing",
			"Active nothing", "Active nothing", "Active nothing"},
		[BGP_OPEN_SENT] = {"OpenSent", "Idle lost", "Idle NOTIFICATION(6,2) stopped",
			"Idle NOTIFICATION(6,7) collision", "Idle NOTIFICATION(4,0) silent",
			"OpenSent", "Idle NOTIFICATION(1,3) fault", "OpenConfirm KEEPALIVE",
			"Idle NOTIFICATION(5,1) fault", "Idle received",
			"Idle NOTIFICATION(5,1) fault", "Idle NOTIFICATION(5,1) fault"},
		[BGP_OPEN_CONFIRM] = {"OpenConfirm", "Idle lost", "Idle NOTIFICATION(6,2) stopped",
			"Idle NOTIFICATION(6,7) collision", "Idle NOTIFICATION(4,0) silent",
			"OpenConfirm KEEPALIVE", "Idle NOTIFICATION(1,3) fault",
			"Idle NOTIFICATION(5,2) fault", "Idle NOTIFICATION(5,2) fault",
			"Idle received", "Established up", "Idle NOTIFICATION(5,2) fault"},
		[BGP_ESTABLISHED] = {"Established", "Idle lost was-up keep=1/120",
			"Idle NOTIFICATION(6,2) stopped was-up",
			"Idle NOTIFICATION(6,7) collision was-up keep=1/120",
			"Idle NOTIFICATION(4,0) silent was-up", "Established KEEPALIVE",
			"Idle NOTIFICATION(1,3) fault was-up",
			"Idle NOTIFICATION(5,3) fault was-up", "Established update",
			"Idle received was-up", "Established", "Established refresh"},
	};
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side s;
	for (int from = BGP_ACTIVE; from < BGP_STATES; from++) {
		for (int event = 0; event < EVENTS; event++) {
			bring(&s, &config, &open, (enum bgp_state)from);
			assert_int_equal(s.f.state, from);
			assert_string_equal(raise(&s, event), want[from][event]);
		}
	}
	for (int event = 0; event < EVENTS; event++) { /* what is over stays over */
		bring(&s, &config, &open, BGP_IDLE);
		struct bgp_actions nothing = {0};
		if (event < FAULT) {
			switch (event) {
			case CONNECTED:
				bgp_fsm_connected(&s.f, T0, &s.act);
				break;
			case LOST:
				bgp_fsm_lost(&s.f, &s.act);
				break;
			case STOP:
				bgp_fsm_stop(&s.f, BGP_ERROR_CEASE_SHUTDOWN, &s.act);
				break;
			case REPLACE:
				bgp_fsm_replace(&s.f, &s.act);
				break;
			default:
				bgp_fsm_tick(&s.f, UINT64_MAX - 1, false, &s.act);
			}
			assert_memory_equal(&s.act, &nothing, sizeof(nothing));
		} else {
			assert_string_equal(raise(&s, event), "Idle nothing");
		}
		assert_int_equal(s.f.state, BGP_IDLE);
	}
}

static void test_our_open(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open(), ours;
	struct bgp_message m;
	struct bgp_notification fault;
	struct side s;
	bring(&s, &config, &open, BGP_OPEN_SENT);
	struct rd r = rd_view(s.act.send);
	assert_int_equal(bgp_message_next(&r, BGP_MESSAGE_MAX, &m, &fault), 1);
	assert_int_equal(bgp_open_decode(m.body, &ours, &fault), 0);
	assert_int_equal(ours.as, 64500);
	assert_int_equal(ours.hold_s, 90);
	assert_memory_equal(ours.id, config.local_id, 4);
	assert_int_equal(ours.can.families, V4 | V6);
	assert_int_equal(ours.can.add_path_receive, V4 | V6);
	assert_int_equal(ours.can.add_path_send, 0); /* there is nothing to send */
	assert_int_equal(ours.can.extended_next_hop, V4);
	assert_true(ours.can.graceful && ours.can.as4 && ours.can.extended_messages &&
		    ours.can.route_refresh);
	assert_int_equal(ours.can.graceful_families, 0);
}

static void test_open_checks(void **state)
{
	static const struct {
		uint32_t peer_as, as;
		uint8_t id[4];
		uint16_t hold_s;
		const char *want;
	} cases[] = {
		{64500, 64500, {10, 0, 0, 9}, 3, "OpenConfirm KEEPALIVE"},
		{64500, 64500, {10, 0, 0, 9}, 0, "OpenConfirm KEEPALIVE"},
		{64500, 64501, {10, 0, 0, 9}, 90, "Idle NOTIFICATION(2,2) fault"},
		{64500, 0, {10, 0, 0, 9}, 90, "Idle NOTIFICATION(2,2) fault"},
		{0, 0, {10, 0, 0, 9}, 90, "Idle NOTIFICATION(2,2) fault"},
		{4200000000, 4200000000, {10, 0, 0, 9}, 90, "OpenConfirm KEEPALIVE"},
		{64500, 64500, {0, 0, 0, 0}, 90, "Idle NOTIFICATION(2,3) fault"},
		{64500, 64500, {10, 0, 0, 5}, 90, "Idle NOTIFICATION(2,3) fault"}, /* ours, within the AS */
		{64501, 64501, {10, 0, 0, 5}, 90, "OpenConfirm KEEPALIVE"},        /* RFC 6286 */
		{64500, 64500, {10, 0, 0, 9}, 1, "Idle NOTIFICATION(2,6) fault"},
		{64500, 64500, {10, 0, 0, 9}, 2, "Idle NOTIFICATION(2,6) fault"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bgp_fsm_config config = internal();
		struct bgp_open open = good_open();
		struct side s;
		config.peer_as = cases[i].peer_as;
		open.as = open.can.as4_number = cases[i].as;
		open.hold_s = cases[i].hold_s;
		memcpy(open.id, cases[i].id, 4);
		bring(&s, &config, &open, BGP_OPEN_SENT);
		assert_string_equal(feed_open(&s, &open), cases[i].want);
	}
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side s;
	bring(&s, &config, &open, BGP_OPEN_SENT);
	assert_string_equal(
		feed_message(&s, BGP_MESSAGE_OPEN, VIEW(3, 1, 1, 0, 90, 1, 2, 3, 4, 0), T0),
		"Idle NOTIFICATION(2,1) fault");
	assert_int_equal(s.act.notification.data.len, 2);
	assert_memory_equal(s.act.notification.data.data, ((uint8_t[]){0, 4}), 2);
	assert_memory_equal(s.act.send.data + BGP_HEADER_BYTES, ((uint8_t[]){2, 1, 0, 4}), 4);
}

/* The data of RFC 6608 is the message's type, in what is sent and in what is reported. */
static void test_unexpected_type(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side s;
	bring(&s, &config, &open, BGP_OPEN_CONFIRM);
	(void)feed_message(&s, BGP_MESSAGE_UPDATE, VIEW(0, 0, 0, 0), T0);
	assert_int_equal(s.act.send.len, 22);
	assert_int_equal(s.act.send.data[21], BGP_MESSAGE_UPDATE);
	assert_int_equal(s.act.notification.data.len, 1);
	assert_int_equal(s.act.notification.data.data[0], BGP_MESSAGE_UPDATE);
}

static void test_timers(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side s;
	bring(&s, &config, &open, BGP_OPEN_SENT);
	assert_true(bgp_fsm_deadline(&s.f) == T0 + 240 * S);
	assert_string_equal(tick(&s, T0 + 239 * S, false), "OpenSent");

	bring(&s, &config, &open, BGP_ESTABLISHED); /* 30 seconds: the smaller of the two */
	assert_true(bgp_fsm_deadline(&s.f) == T0 + 10 * S);
	assert_string_equal(tick(&s, T0 + 10 * S - 1, false), "Established");
	assert_string_equal(tick(&s, T0 + 10 * S, false), "Established KEEPALIVE");
	assert_true(bgp_fsm_deadline(&s.f) == T0 + 20 * S);
	(void)tick(&s, T0 + 20 * S, false);
	(void)tick(&s, T0 + 29 * S, false);
	assert_true(bgp_fsm_deadline(&s.f) == T0 + 30 * S);
	assert_string_equal(feed_message(&s, BGP_MESSAGE_UPDATE, VIEW(0, 0, 0, 0), T0 + 29 * S),
		"Established update");
	assert_string_equal(tick(&s, T0 + 30 * S, false), "Established KEEPALIVE");
	assert_string_equal(tick(&s, T0 + 59 * S - 1, false), "Established KEEPALIVE");
	assert_string_equal(tick(&s, T0 + 59 * S, true), "Established"); /* bytes are still waiting */
	assert_string_equal(tick(&s, T0 + 59 * S, false), "Idle NOTIFICATION(4,0) silent was-up");

	bring(&s, &config, &open, BGP_ESTABLISHED);
	(void)feed_message(&s, BGP_MESSAGE_REFRESH, VIEW(0, 1, 0, 1), T0 + 25 * S);
	assert_true(s.f.hold_at_ns == T0 + 55 * S);
	assert_string_equal(s.text, "Established"); /* somebody asks for our routes */

	open.hold_s = 0;
	bring(&s, &config, &open, BGP_ESTABLISHED);
	assert_true(bgp_fsm_deadline(&s.f) == UINT64_MAX);
	assert_string_equal(tick(&s, UINT64_MAX - 1, false), "Established");
	bgp_fsm_probe(&s.f, T0, &s.act);
	note_sent(&s);
	assert_true(bgp_fsm_deadline(&s.f) == UINT64_MAX);
}

static void test_updates(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side s;
	struct bgp_change change;
	uint8_t attrs[128], body[256];
	struct wr a = wr_make(attrs, sizeof(attrs)), w = wr_make(body, sizeof(body));
	build_plain_attrs(&a, 4);
	build_attr_u32(&a, 0x40, BGP_ATTR_LOCAL_PREF, 300);
	build_update_body(&w, NO_VIEW, (struct view){attrs, wr_len(&a)}, VIEW(8, 10));
	bring(&s, &config, &open, BGP_ESTABLISHED);
	assert_string_equal(
		feed_message(&s, BGP_MESSAGE_UPDATE, (struct view){body, wr_len(&w)}, T0),
		"Established update");
	assert_int_equal(s.changes.severity, BGP_FINE);
	assert_int_equal(s.changes.attrs.local_pref, 300);
	assert_true(bgp_update_next(&s.changes, &change));
	assert_false(change.withdrawn);
	assert_false(bgp_update_next(&s.changes, &change));
	/* ADD-PATH was agreed on for IPv6 only; treat-as-withdraw is no end */
	uint8_t unreach[] = {0, 2, 1, 0, 0, 0, 5, 16, 0x20, 1};
	a = wr_make(attrs, sizeof(attrs));
	w = wr_make(body, sizeof(body));
	build_attr(&a, 0xc0, BGP_ATTR_MP_UNREACH, unreach, sizeof(unreach)); /* flags */
	build_update_body(&w, NO_VIEW, (struct view){attrs, wr_len(&a)}, NO_VIEW);
	assert_string_equal(
		feed_message(&s, BGP_MESSAGE_UPDATE, (struct view){body, wr_len(&w)}, T0),
		"Established update");
	assert_int_equal(s.changes.severity, BGP_WITHDRAW);
	assert_true(bgp_update_next(&s.changes, &change));
	assert_int_equal(change.path_id, 5);
	assert_true(change.withdrawn);
	assert_string_equal(feed_message(&s, BGP_MESSAGE_UPDATE, VIEW(0, 2, 33, 1, 0, 0), T0),
		"Idle NOTIFICATION(3,10) fault was-up");
}

/* LOCAL_PREF of an external neighbour is discarded; two-byte AS numbers where one of us can't do
 * more. */
static void test_external_two_byte(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side s;
	uint8_t attrs[128], body[256];
	config.peer_as = open.as = 64501;
	open.can.as4 = false;
	struct wr a = wr_make(attrs, sizeof(attrs)), w = wr_make(body, sizeof(body));
	build_plain_attrs(&a, 2);
	build_attr_u32(&a, 0x40, BGP_ATTR_LOCAL_PREF, 300);
	build_update_body(&w, NO_VIEW, (struct view){attrs, wr_len(&a)}, VIEW(8, 10));
	bring(&s, &config, &open, BGP_ESTABLISHED);
	assert_string_equal(
		feed_message(&s, BGP_MESSAGE_UPDATE, (struct view){body, wr_len(&w)}, T0),
		"Established update");
	assert_int_equal(s.changes.severity, BGP_DISCARD);
	assert_int_equal(s.changes.attrs.fault, BGP_ATTR_LOCAL_PREF);
	assert_false(bgp_attrs_has(&s.changes.attrs, BGP_ATTR_LOCAL_PREF));
}

static void test_end_of_rib(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side s;
	bring(&s, &config, &open, BGP_ESTABLISHED);
	assert_int_equal(s.f.on.preserved, V4);
	assert_int_equal(s.f.complete, 0);
	(void)feed_message(&s, BGP_MESSAGE_UPDATE, VIEW(0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1), T0);
	assert_int_equal(s.f.complete, V6);
	(void)feed_message(&s, BGP_MESSAGE_UPDATE, VIEW(0, 0, 0, 0), T0);
	assert_int_equal(s.f.complete, V4 | V6);
	assert_int_equal(s.changes.end_of_rib, BGP_IPV4_UNICAST);
}

/* RFC 8538: a NOTIFICATION and silence leave the routes too, but a Hard Reset doesn't. */
static void test_graceful_notification(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side s;
	config.offer.graceful_notification = open.can.graceful_notification = true;
	bring(&s, &config, &open, BGP_ESTABLISHED);
	assert_string_equal(feed_message(&s, BGP_MESSAGE_NOTIFICATION, VIEW(6, 4), T0),
		"Idle received was-up keep=1/120");
	bring(&s, &config, &open, BGP_ESTABLISHED);
	assert_string_equal(feed_message(&s, BGP_MESSAGE_NOTIFICATION, VIEW(6, 9, 6, 4), T0),
		"Idle received was-up");
	bring(&s, &config, &open, BGP_ESTABLISHED);
	assert_string_equal(
		tick(&s, T0 + 30 * S, false), "Idle NOTIFICATION(4,0) silent was-up keep=1/120");
}

static void test_refresh(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side s;
	bring(&s, &config, &open, BGP_ESTABLISHED);
	assert_string_equal(
		feed_message(&s, BGP_MESSAGE_REFRESH, VIEW(0, 2, 2, 1), T0), "Established refresh");
	assert_int_equal(s.act.refresh_kind, BGP_REFRESH_END);
	assert_int_equal(s.act.refresh_family, BGP_IPV6_UNICAST);
	assert_string_equal(
		feed_message(&s, BGP_MESSAGE_REFRESH, VIEW(0, 2, 2, 128), T0), "Established");
	assert_string_equal(
		feed_message(&s, BGP_MESSAGE_REFRESH, VIEW(0, 2, 3, 1), T0), "Established");
	assert_string_equal(feed_message(&s, BGP_MESSAGE_REFRESH, VIEW(0, 2), T0),
		"Idle NOTIFICATION(7,1) fault was-up");
	assert_int_equal(s.act.notification.data.len, BGP_HEADER_BYTES + 2);
	assert_int_equal(s.act.notification.data.data[BGP_HEADER_BYTES - 1], BGP_MESSAGE_REFRESH);
	bring(&s, &config, &open, BGP_ESTABLISHED);
	bgp_fsm_refresh(&s.f, BGP_IPV6_UNICAST, &s.act);
	note(&s);
	assert_string_equal(s.text, "Established REFRESH");
	assert_memory_equal(s.act.send.data + BGP_HEADER_BYTES, ((uint8_t[]){0, 2, 0, 1}), 4);
	open.can.route_refresh = open.can.enhanced_refresh = false;
	bring(&s, &config, &open, BGP_ESTABLISHED);
	bgp_fsm_refresh(&s.f, BGP_IPV6_UNICAST, &s.act);
	assert_int_equal(s.act.send.len, 0);
	assert_string_equal(
		feed_message(&s, BGP_MESSAGE_REFRESH, VIEW(0, 2, 1, 1), T0), "Established");
}

/* Two connections of one neighbour: the state of the older, identifiers, graceful restart of the
 * older. */
static void test_collisions(void **state)
{
	static const struct {
		enum bgp_state old;
		uint8_t local, peer; /* last byte of the identifiers */
		bool graceful;
		const char *want;
	} cases[] = {
		{BGP_OPEN_SENT, 5, 9, true, "OpenConfirm KEEPALIVE"},
		{BGP_OPEN_SENT, 9, 5, true, "OpenConfirm KEEPALIVE"},
		{BGP_OPEN_CONFIRM, 5, 9, false, "OpenConfirm KEEPALIVE stop-other"},
		{BGP_OPEN_CONFIRM, 9, 5, false, "Idle NOTIFICATION(6,7) collision"},
		{BGP_OPEN_CONFIRM, 5, 5, false, "OpenConfirm KEEPALIVE stop-other"}, /* 64500 < 64501 */
		{BGP_ESTABLISHED, 5, 9, false, "Idle NOTIFICATION(6,7) collision probe-other"},
		{BGP_ESTABLISHED, 9, 5, false, "Idle NOTIFICATION(6,7) collision probe-other"},
		{BGP_ESTABLISHED, 5, 9, true, "OpenConfirm KEEPALIVE stop-other"},
		{BGP_ESTABLISHED, 9, 5, true, "OpenConfirm KEEPALIVE stop-other"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bgp_fsm_config config = internal();
		struct bgp_open open = good_open();
		struct side old, new;
		config.peer_as = open.as = open.can.as4_number = 64501;
		config.local_id[3] = cases[i].local;
		open.id[3] = cases[i].peer;
		open.can.graceful = cases[i].graceful;
		bring(&old, &config, &open, cases[i].old);
		bring(&new, &config, &open, BGP_OPEN_SENT);
		bgp_fsm_pair(&new.f, &old.f);
		assert_ptr_equal(old.f.other, &new.f);
		assert_string_equal(feed_open(&new, &open), cases[i].want);
		if (new.act.stop_other) {
			bgp_fsm_replace(&old.f, &old.act);
			note(&old);
			assert_string_equal(old.text,
				cases[i].old == BGP_ESTABLISHED
					? "Idle NOTIFICATION(6,7) collision was-up keep=1/120"
					: "Idle NOTIFICATION(6,7) collision");
		}
		if (new.act.probe_other) {
			bgp_fsm_probe(&old.f, T0, &old.act);
			note(&old);
			assert_string_equal(old.text, "Established KEEPALIVE");
		}
		bgp_fsm_unpair(&new.f);
		assert_null(old.f.other);
	}
}

static void test_collision_of_equal_identifiers(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side old, new;
	config.local_as = 64502;
	config.peer_as = open.as = open.can.as4_number = 64501;
	memcpy(open.id, config.local_id, 4);
	bring(&old, &config, &open, BGP_OPEN_CONFIRM);
	bring(&new, &config, &open, BGP_OPEN_SENT);
	bgp_fsm_pair(&new.f, &old.f);
	assert_string_equal(feed_open(&new, &open), "Idle NOTIFICATION(6,7) collision");
	bgp_fsm_pair(&new.f, NULL);
	assert_null(old.f.other);
}

/* Graceful restart without a family is a helper's: no reason to give the old connection up. */
static void test_collision_with_helper(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side old, new;
	open.can.graceful_families = open.can.graceful_preserved = 0;
	bring(&old, &config, &open, BGP_ESTABLISHED);
	bring(&new, &config, &open, BGP_OPEN_SENT);
	bgp_fsm_pair(&new.f, &old.f);
	assert_string_equal(feed_open(&new, &open), "Idle NOTIFICATION(6,7) collision probe-other");
}

/* A session's bytes, whole and cut: the same actions come out, at the same places. */
static size_t build_session(uint8_t *buf, size_t cap)
{
	struct wr w = wr_make(buf, cap);
	struct bgp_open open = good_open();
	uint8_t attrs[64];
	struct wr a = wr_make(attrs, sizeof(attrs));
	bgp_open_encode(&w, &open);
	build_message_end(&w, build_message(&w, BGP_MESSAGE_KEEPALIVE));
	build_plain_attrs(&a, 4);
	size_t at = build_message(&w, BGP_MESSAGE_UPDATE);
	build_update_body(&w, VIEW(8, 11), (struct view){attrs, wr_len(&a)}, VIEW(8, 10));
	build_message_end(&w, at);
	at = build_message(&w, BGP_MESSAGE_REFRESH);
	wr_bytes(&w, BYTES(0, 1, 1, 1));
	build_message_end(&w, at);
	at = build_message(&w, BGP_MESSAGE_NOTIFICATION);
	wr_bytes(&w, BYTES(6, 2, 2, 'h', 'i'));
	build_message_end(&w, at);
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

/* Returns how the connection ended. */
static enum bgp_down run(struct side *s, struct rd *r, char *log, size_t cap)
{
	enum bgp_down down = BGP_DOWN_NOT;
	while (bgp_fsm_input(&s->f, r, T0, &s->act, &s->changes)) {
		struct bgp_change change;
		note(s);
		append(log, cap, "%s;", s->text);
		assert_int_equal(down, BGP_DOWN_NOT);
		down = s->act.down;
		assert_true(view_inside((struct view){s->f.out, sizeof(s->f.out)}, s->act.send));
		while (s->act.update && bgp_update_next(&s->changes, &change))
			append(log, cap, "%c", change.withdrawn ? '-' : '+');
	}
	return down;
}

static void test_cut_anywhere(void **state)
{
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	uint8_t buf[512];
	size_t n = build_session(buf, sizeof(buf));
	for (size_t cut = 0; cut <= n; cut++) {
		struct side s;
		char log[512] = "";
		bring(&s, &config, &open, BGP_OPEN_SENT);
		struct rd r = rd_make(buf, cut);
		(void)run(&s, &r, log, sizeof(log));
		size_t used = cut - rd_left(&r);
		r = rd_make(buf + used, n - used);
		(void)run(&s, &r, log, sizeof(log));
		assert_string_equal(log,
			"OpenConfirm KEEPALIVE;Established up;Established update;-+Established refresh;"
			"Idle received was-up;");
		assert_true(rd_done(&r));
	}
}

static void run_any(struct view v, void *ctx)
{
	struct bgp_fsm_config *config = ctx;
	struct bgp_open open = good_open();
	struct side s;
	char log[512] = "";
	bring(&s, config, &open, BGP_OPEN_SENT);
	struct rd r = rd_view(v);
	enum bgp_down down = run(&s, &r, log, sizeof(log));
	assert_int_equal(s.f.state == BGP_IDLE, down != BGP_DOWN_NOT);
}

static void test_damage(void **state)
{
	struct bgp_fsm_config config = internal();
	uint8_t buf[512];
	size_t n = build_session(buf, sizeof(buf));
	each_truncation(buf, n, run_any, &config);
	each_change(buf, n, run_any, &config);
}

/* RFC 8654: as soon as we have offered it, and not otherwise. */
static void test_long_messages(void **state)
{
	static uint8_t body[BGP_EXTENDED_MESSAGE_MAX - BGP_HEADER_BYTES];
	struct bgp_fsm_config config = internal();
	struct bgp_open open = good_open();
	struct side s;
	struct wr w = wr_make(body, 4);
	wr_u16(&w, (uint16_t)(sizeof(body) - 4)); /* withdrawn: nothing but default routes */
	bring(&s, &config, &open, BGP_ESTABLISHED);
	assert_string_equal(
		feed_message(&s, BGP_MESSAGE_UPDATE, (struct view){body, sizeof(body)}, T0),
		"Established update");
	struct bgp_change change;
	size_t n = 0;
	while (bgp_update_next(&s.changes, &change))
		n++;
	assert_int_equal(n, sizeof(body) - 4);
	config.offer.extended_messages = false;
	bring(&s, &config, &open, BGP_ESTABLISHED);
	assert_string_equal(
		feed_message(&s, BGP_MESSAGE_UPDATE, (struct view){body, sizeof(body)}, T0),
		"Idle NOTIFICATION(1,2) fault was-up");
}

static void test_state_names(void **state)
{
	assert_string_equal(bgp_state_name(BGP_CONNECT), "Connect");
	assert_string_equal(bgp_state_name((enum bgp_state)0), "unknown");
	assert_string_equal(bgp_state_name((enum bgp_state)7), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_our_open),
		cmocka_unit_test(test_open_checks),
		cmocka_unit_test(test_unexpected_type),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_updates),
		cmocka_unit_test(test_external_two_byte),
		cmocka_unit_test(test_end_of_rib),
		cmocka_unit_test(test_graceful_notification),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_collision_of_equal_identifiers),
		cmocka_unit_test(test_collision_with_helper),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_long_messages),
		cmocka_unit_test(test_state_names),
	};
	return cmocka_run_group_tests_name("bgp_fsm", tests, NULL, NULL);
}

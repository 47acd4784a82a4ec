/* SPDX-License-Identifier: BSD-2-Clause */

/* Records leave a worker in sealed datagrams over UDP and are kept until a collector has them
 * on disk. The protocol, its resends, its bounded memory and the choice of a collector are the
 * fleet's (src/sender); this file gives it sockets and a clock inside nginx's event loop:
 *
 *   link_add     puts a record into the fleet. When that made a datagram due, an event is posted
 *                and runs after the request that caused it.
 *   on_tick      sends what is due, at most BURST datagrams, and sets the timer to the fleet's
 *                next deadline. More to send: again in a millisecond, so that a backlog to a
 *                collector that came back never holds up requests.
 *   on_readable  takes acknowledgements, which may make room and resends unnecessary.
 *
 * Nothing here blocks. A datagram that the kernel doesn't take (EAGAIN), or that a collector
 * which isn't there refuses (ECONNREFUSED), is as good as lost on the way: the sender sends it
 * again in time.
 *
 * A worker that ends, after a reload too, may be owed acknowledgements by a collector that is
 * away. While that is so, and for whereto_linger at most, the timer isn't `cancelable`, and nginx
 * keeps such a worker alive in its event loop, where it hears of everything else; once there is
 * nothing to wait for the timer holds nobody. Whatever is left is said in link_close, where the
 * worker has nobody to serve and may wait for the last answers.
 *
 * What goes wrong here can go wrong for every request, so each kind of trouble is logged once a
 * minute. */

#include "link.h"

#include <ngx_event.h>
#include <poll.h>

#include "base/clock.h"

#define BURST        32
#define LOG_EVERY_NS (60 * NS_PER_S)
#define LOOK_MS      1000 /* whether the worker is to end, while it is owed something */

enum trouble { TROUBLE_SEND, TROUBLE_FULL, TROUBLE_RECORD, TROUBLE_ANSWER, TROUBLE_COUNT };

static struct {
	struct fleet *fleet; /* NULL: no session */
	const struct link_config *config;
	ngx_connection_t *connections[FLEET_MAX];
	ngx_event_t tick;
	bool away[FLEET_MAX];        /* as the log knows it */
	uint64_t told_ns[FLEET_MAX]; /* when it was told the last time */
	uint64_t ending_ns;          /* when the worker was seen to end; 0: it isn't to */
	uint64_t dropped; /* records, not told the log yet */
	uint64_t quiet_until_ns[TROUBLE_COUNT];
} worker;

/* True at most once a minute. */
static bool may_log(enum trouble trouble, uint64_t now_ns)
{
	if (now_ns < worker.quiet_until_ns[trouble])
		return false;
	worker.quiet_until_ns[trouble] = now_ns + LOG_EVERY_NS;
	return true;
}

static void log_dropped(void)
{
	ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
		"whereto: %uL records dropped: whereto_buffer is full, no collector acknowledges",
		worker.dropped);
	worker.dropped = 0;
}

static ngx_str_t *name_of(uint32_t collector)
{
	return (ngx_str_t *)&worker.config->collectors[collector].name; /* for %V */
}

/* Who gets new records; NULL when nobody answers. */
static ngx_str_t *successor(void)
{
	for (uint32_t i = 0; i < fleet_count(worker.fleet); i++) {
		struct fleet_line line = fleet_line(worker.fleet, i);
		if (line.current)
			return line.away ? NULL : name_of(i);
	}
	return NULL;
}

static void log_away(uint32_t i, const struct sender_owed *owed)
{
	static ngx_str_t none = ngx_null_string;
	ngx_str_t *to = successor();
	ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
		"whereto: collector %V doesn't answer: %uL records in %uL datagrams are owed to it; "
		"new ones %s%V",
		name_of(i), owed->records, owed->datagrams, to ? "go to " : "wait", to ? to : &none);
}

/* Tells the log who doesn't answer and what it is owed, once a minute, and who answers again. */
static void log_lines(uint64_t now_ns)
{
	for (uint32_t i = 0; i < fleet_count(worker.fleet); i++) {
		struct fleet_line line = fleet_line(worker.fleet, i);
		if (line.away && (!worker.away[i] || now_ns - worker.told_ns[i] >= LOG_EVERY_NS)) {
			log_away(i, &line.owed);
			worker.told_ns[i] = now_ns;
		} else if (!line.away && worker.away[i]) {
			/* As what it ends, so that who saw that sees this. */
			ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
				"whereto: collector %V answers again", name_of(i));
		}
		worker.away[i] = line.away;
	}
}

/* Sends up to `limit` datagrams. */
static void send_due(unsigned limit)
{
	struct view datagram;
	uint32_t to;
	uint64_t now_ns = clock_mono_ns();
	while (limit-- && fleet_next(worker.fleet, now_ns, &to, &datagram)) {
		if (send(worker.connections[to]->fd, datagram.data, datagram.len, MSG_DONTWAIT) >= 0)
			continue;
		ngx_err_t error = ngx_socket_errno;
		if (error == NGX_EAGAIN || error == ENOBUFS)
			break;
		if (may_log(TROUBLE_SEND, now_ns))
			ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, error,
				"whereto: cannot send to collector %V; will be tried again",
				name_of(to));
	}
	log_lines(now_ns);
}

static void receive_from(uint32_t from)
{
	uint8_t buf[2048];
	for (;;) {
		ssize_t n = recv(worker.connections[from]->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && ngx_socket_errno == ECONNREFUSED)
			continue; /* an answer to an earlier send, reported once */
		if (n < 0)
			return;
		uint64_t now_ns = clock_mono_ns();
		struct view datagram = {buf, (size_t)n};
		if (fleet_receive(worker.fleet, from, datagram, now_ns) < 0 &&
			may_log(TROUBLE_ANSWER, now_ns))
			ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
				"whereto: a datagram from the address of collector %V isn't an "
				"acknowledgement of this session (is whereto_key the collector's?)",
				name_of(from));
	}
}

static void receive_all(void)
{
	for (uint32_t i = 0; i < fleet_count(worker.fleet); i++)
		receive_from(i);
}

/* Milliseconds until the fleet has something to do, rounded up; UINT64_MAX: nothing. */
static uint64_t wait_ms(void)
{
	uint64_t deadline_ns = fleet_deadline_ns(worker.fleet);
	if (deadline_ns == UINT64_MAX)
		return UINT64_MAX;
	uint64_t now_ns = clock_mono_ns();
	return deadline_ns <= now_ns ? 0 : (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
}

/* There is something to wait for, and a worker that ends still may. */
static bool has_reason_to_stay(uint64_t now_ns)
{
	if (fleet_idle(worker.fleet))
		return false;
	return !worker.ending_ns || now_ns - worker.ending_ns < worker.config->linger_ms * NS_PER_MS;
}

static void set_timer(uint64_t ms)
{
	bool stay = has_reason_to_stay(clock_mono_ns());
	worker.tick.cancelable = !stay;
	if (stay)
		ms = ngx_min(ms, LOOK_MS);
	if (ms != UINT64_MAX)
		ngx_add_timer(&worker.tick, (ngx_msec_t)ms);
}

static void on_tick(ngx_event_t *event)
{
	if (ngx_exiting && !worker.ending_ns) {
		worker.ending_ns = clock_mono_ns();
		fleet_flush(worker.fleet, worker.ending_ns);
	}
	send_due(BURST);
	set_timer(ngx_max(wait_ms(), 1));
}

static void on_readable(ngx_event_t *event)
{
	receive_all();
	set_timer(ngx_max(wait_ms(), 1));
}

/* A socket, connected to the collector and known to the event loop; NULL after a log line. */
static ngx_connection_t *open_socket(const struct link_collector *collector)
{
	ngx_log_t *log = ngx_cycle->log;
	int fd = socket(collector->addr.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno, "whereto: socket() failed");
		return NULL;
	}
	ngx_connection_t *c = ngx_get_connection(fd, log); /* logs why not */
	if (!c) {
		(void)ngx_close_socket(fd);
		return NULL;
	}
	c->read->log = log;
	c->write->log = log;
	c->read->handler = on_readable;
	c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);

	ngx_int_t kind = ngx_event_flags & NGX_USE_CLEAR_EVENT ? NGX_CLEAR_EVENT : NGX_LEVEL_EVENT;
	if (connect(fd, (const struct sockaddr *)&collector->addr, collector->addr_len) < 0) {
		ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno, "whereto: connect() failed");
		goto failed;
	}
	if (ngx_add_event(c->read, NGX_READ_EVENT, kind) == NGX_OK)
		return c;
failed:
	ngx_close_connection(c);
	return NULL;
}

static void close_sockets(void)
{
	for (uint32_t i = 0; i < FLEET_MAX; i++) {
		if (worker.connections[i])
			ngx_close_connection(worker.connections[i]);
		worker.connections[i] = NULL;
	}
}

ngx_int_t link_open(const struct link_config *config)
{
	struct sender_config sc = {
		.name = config->name, .key = config->key, .memory_bytes = config->buffer_bytes};
	struct fleet *fleet;
	int code = fleet_new(&sc, config->collector_count, &fleet);
	if (code < 0) {
		ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, -code,
			"whereto: no session; this worker reports nothing");
		return NGX_ERROR;
	}
	for (uint32_t i = 0; i < config->collector_count; i++) {
		worker.connections[i] = open_socket(&config->collectors[i]);
		if (!worker.connections[i]) {
			close_sockets();
			fleet_free(fleet);
			return NGX_ERROR;
		}
	}
	ngx_memzero(&worker.tick, sizeof(worker.tick));
	worker.tick.handler = on_tick;
	worker.tick.data = worker.connections[0];
	worker.tick.log = ngx_cycle->log;
	worker.tick.cancelable = 1;
	worker.config = config;
	worker.fleet = fleet;
	return NGX_OK;
}

void link_add(const struct record *rec)
{
	if (!worker.fleet)
		return;
	uint64_t now_ns = clock_mono_ns();
	int code = fleet_add(worker.fleet, rec, now_ns);
	if (code == -ENOBUFS) {
		worker.dropped++;
		if (may_log(TROUBLE_FULL, now_ns))
			log_dropped();
	} else if (code < 0) {
		fleet_count_dropped(worker.fleet, 1);
		if (may_log(TROUBLE_RECORD, now_ns))
			ngx_log_error(
				NGX_LOG_ALERT, ngx_cycle->log, -code, "whereto: record refused");
	}

	uint64_t ms = wait_ms();
	if (ms)
		set_timer(ms);
	else
		ngx_post_event(&worker.tick, &ngx_posted_events);
}

/* Until everything is acknowledged or the time is over. */
static void drain(uint64_t grace_ms)
{
	uint64_t end_ns = clock_mono_ns() + grace_ms * NS_PER_MS;
	for (;;) {
		send_due(UINT_MAX);
		uint64_t now_ns = clock_mono_ns();
		if (fleet_idle(worker.fleet) || now_ns >= end_ns)
			return;
		uint64_t ms = ngx_min((end_ns - now_ns) / NS_PER_MS + 1, wait_ms());
		struct pollfd readable[FLEET_MAX];
		uint32_t count = fleet_count(worker.fleet);
		for (uint32_t i = 0; i < count; i++)
			readable[i] = (struct pollfd){.fd = worker.connections[i]->fd, .events = POLLIN};
		(void)poll(readable, count, (int)ngx_max(ms, 1));
		receive_all();
	}
}

/* What this worker gives up. */
static void log_left(void)
{
	uint64_t unsent = fleet_unsent(worker.fleet);
	if (worker.dropped)
		log_dropped();
	for (uint32_t i = 0; i < fleet_count(worker.fleet); i++) {
		struct sender_owed owed = fleet_line(worker.fleet, i).owed;
		if (owed.records)
			ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
				"whereto: given up: %uL records in %uL datagrams were sent to collector %V, "
				"which hasn't acknowledged them: it may have them or not",
				owed.records, owed.datagrams, name_of(i));
	}
	if (unsent)
		ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
			"whereto: given up: %uL records that no collector was there for", unsent);
}

void link_close(uint64_t grace_ms)
{
	if (!worker.fleet)
		return;
	fleet_flush(worker.fleet, clock_mono_ns());
	drain(grace_ms);
	log_left();
	if (worker.tick.timer_set)
		ngx_del_timer(&worker.tick);
	if (worker.tick.posted) { /* the macro is two statements */
		ngx_delete_posted_event(&worker.tick);
	}
	close_sockets();
	fleet_free(worker.fleet);
	worker.fleet = NULL;
}

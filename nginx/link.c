/* SPDX-License-Identifier: BSD-2-Clause */

/* Records leave a worker in sealed datagrams over UDP and are kept until the collector has them
 * on disk. The protocol, its resends and its bounded memory are the sender's (src/sender); this
 * file gives it a socket and a clock inside nginx's event loop:
 *
 *   link_add     puts a record into the sender. When that made a datagram due, an event is posted
 *                and runs after the request that caused it.
 *   on_tick      sends what is due, at most BURST datagrams, and sets the timer to the sender's
 *                next deadline. More to send: again in a millisecond, so that a backlog to a
 *                collector that came back never holds up requests.
 *   on_readable  takes acknowledgements, which may make room and resends unnecessary.
 *
 * Nothing here blocks. A datagram that the kernel doesn't take (EAGAIN), or that a collector
 * which isn't there refuses (ECONNREFUSED), is as good as lost on the way: the sender sends it
 * again in time.
 *
 * The timer is `cancelable`: a worker that drains after a reload isn't kept alive by it. Such a
 * worker says good-bye in link_close, where it has nobody left to serve and may wait for the
 * last answers.
 *
 * What goes wrong here can go wrong for every request, so each kind of trouble is logged once a
 * minute. */

#include "link.h"

#include <ngx_event.h>
#include <poll.h>

#include "base/clock.h"

#define BURST        32
#define LOG_EVERY_NS (60 * NS_PER_S)

enum trouble { TROUBLE_SEND, TROUBLE_FULL, TROUBLE_RECORD, TROUBLE_ANSWER, TROUBLE_COUNT };

static struct {
	struct sender *sender; /* NULL: no session */
	ngx_connection_t *connection;
	ngx_event_t tick;
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
		"whereto: %uL records dropped: whereto_buffer is full, the collector doesn't acknowledge",
		worker.dropped);
	worker.dropped = 0;
}

/* Sends up to `limit` datagrams. */
static void send_due(unsigned limit)
{
	struct view datagram;
	uint64_t now_ns = clock_mono_ns();
	while (limit-- && sender_next(worker.sender, now_ns, &datagram)) {
		if (send(worker.connection->fd, datagram.data, datagram.len, MSG_DONTWAIT) >= 0)
			continue;
		ngx_err_t error = ngx_socket_errno;
		if (error == NGX_EAGAIN || error == ENOBUFS)
			return;
		if (may_log(TROUBLE_SEND, now_ns))
			ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, error,
				"whereto: cannot send to the collector; will be tried again");
	}
}

static void receive_all(void)
{
	uint8_t buf[2048];
	for (;;) {
		ssize_t n = recv(worker.connection->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && ngx_socket_errno == ECONNREFUSED)
			continue; /* an answer to an earlier send, reported once */
		if (n < 0)
			return;
		uint64_t now_ns = clock_mono_ns();
		struct view datagram = {buf, (size_t)n};
		if (sender_receive(worker.sender, datagram, now_ns) < 0 &&
			may_log(TROUBLE_ANSWER, now_ns))
			ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
				"whereto: a datagram from the collector's address isn't an "
				"acknowledgement of this session (is whereto_key the collector's?)");
	}
}

/* Milliseconds until the sender has something to do, rounded up; UINT64_MAX: nothing. */
static uint64_t wait_ms(void)
{
	uint64_t deadline_ns = sender_deadline_ns(worker.sender);
	if (deadline_ns == UINT64_MAX)
		return UINT64_MAX;
	uint64_t now_ns = clock_mono_ns();
	return deadline_ns <= now_ns ? 0 : (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
}

static void set_timer(uint64_t ms)
{
	if (ms != UINT64_MAX)
		ngx_add_timer(&worker.tick, (ngx_msec_t)ms);
}

static void on_tick(ngx_event_t *event)
{
	send_due(BURST);
	set_timer(ngx_max(wait_ms(), 1));
}

static void on_readable(ngx_event_t *event)
{
	receive_all();
	set_timer(ngx_max(wait_ms(), 1));
}

/* The socket, connected to the collector and known to the event loop; NULL after a log line. */
static ngx_connection_t *open_socket(const struct link_config *config)
{
	ngx_log_t *log = ngx_cycle->log;
	int fd = socket(config->collector.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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
	if (connect(fd, (const struct sockaddr *)&config->collector, config->collector_len) < 0) {
		ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno, "whereto: connect() failed");
		goto failed;
	}
	if (ngx_add_event(c->read, NGX_READ_EVENT, kind) == NGX_OK)
		return c;
failed:
	ngx_close_connection(c);
	return NULL;
}

ngx_int_t link_open(const struct link_config *config)
{
	struct sender_config sc = {
		.name = config->name, .key = config->key, .memory_bytes = config->buffer_bytes};
	struct sender *sender;
	int code = sender_new(&sc, &sender);
	if (code < 0) {
		ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, -code,
			"whereto: no session; this worker reports nothing");
		return NGX_ERROR;
	}
	worker.connection = open_socket(config);
	if (!worker.connection) {
		sender_free(sender);
		return NGX_ERROR;
	}
	ngx_memzero(&worker.tick, sizeof(worker.tick));
	worker.tick.handler = on_tick;
	worker.tick.data = worker.connection;
	worker.tick.log = ngx_cycle->log;
	worker.tick.cancelable = 1;
	worker.sender = sender;
	return NGX_OK;
}

void link_add(const struct record *rec)
{
	if (!worker.sender)
		return;
	uint64_t now_ns = clock_mono_ns();
	int code = sender_add(worker.sender, rec, now_ns);
	if (code == -ENOBUFS) {
		worker.dropped++;
		if (may_log(TROUBLE_FULL, now_ns))
			log_dropped();
	} else if (code < 0) {
		sender_count_dropped(worker.sender, 1);
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
		if (sender_idle(worker.sender) || now_ns >= end_ns)
			return;
		uint64_t ms = ngx_min((end_ns - now_ns) / NS_PER_MS + 1, wait_ms());
		struct pollfd readable = {.fd = worker.connection->fd, .events = POLLIN};
		(void)poll(&readable, 1, (int)ngx_max(ms, 1));
		receive_all();
	}
}

void link_close(uint64_t grace_ms)
{
	if (!worker.sender)
		return;
	sender_flush(worker.sender, clock_mono_ns());
	drain(grace_ms);
	struct sender_stats stats = sender_stats(worker.sender);
	if (worker.dropped)
		log_dropped();
	if (!sender_idle(worker.sender))
		ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
			"whereto: %uL records were sent, but the collector hasn't acknowledged them",
			stats.records - stats.acknowledged);

	if (worker.tick.timer_set)
		ngx_del_timer(&worker.tick);
	if (worker.tick.posted) { /* the macro is two statements */
		ngx_delete_posted_event(&worker.tick);
	}
	ngx_close_connection(worker.connection);
	sender_free(worker.sender);
	worker.sender = NULL;
}

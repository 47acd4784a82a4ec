/* SPDX-License-Identifier: BSD-2-Clause */

/* One thread and one loop. Ten times a second, and whenever the kernel says that much waits, the backend's events
 * are read, made records (account.c), given a type (rules.c) and put into the outbox (outbox.c), which sends what is
 * due. Every interval the backend looks at the connections that live.
 *
 * What the kernel could not tell for want of room is counted there; here the count goes the same way, so the collector's
 * ledger has it. */

#include "probe/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "probe/account.h"
#include "probe/backend.h"
#include "probe/outbox.h"
#include "probe/privileges.h"
#include "probe/reload.h"
#include "probe/rules.h"
#include "probe/status.h"

#define TURN_NS        (100 * NS_PER_MS)
#define LOOKS_MAX      100 /* at once */

struct probe {
	const struct config_probe *config;
	const char *file;
	struct config *reloaded; /* NULL: not yet */
	const struct probe_dry *dry;
	const struct backend_ops *ops;
	struct backend *backend;
	char why[ERROR_TEXT_MAX]; /* not the better backend; empty: it is */
	struct rules *rules;
	struct outbox *outbox; /* NULL: dry */
	struct status *status;
	struct loop *loop;
	struct loop_timer turn, look;
	struct loop_fd events, acks[FLEET_MAX];
	uint64_t start_ns, wall_ms, mono_ns; /* of the batch being read */
	uint64_t records, ignored, unknown_names;
	int result;
};

/* For what a reload may change. */
static const struct config_probe *current(const struct probe *p)
{
	return p->reloaded ? &p->reloaded->probe : p->config;
}

/* ---- the way of a record ---- */

static bool is_ignored(const struct config_probe *c, const struct addr *client)
{
	for (size_t i = 0; i < c->ignore_count; i++)
		if (prefix_contains(&c->ignore[i], client))
			return true;
	return false;
}

static void take_event(void *ctx, const struct probe_event *e)
{
	struct probe *p = ctx;
	struct record rec;
	if (!account_event(e, p->wall_ms, p->mono_ns, &rec))
		return;
	if (is_ignored(current(p), &rec.client)) {
		p->ignored++;
		return;
	}
	rec.type = rules_type(p->rules, e, &rec.server);
	p->records++;
	if (p->dry)
		p->dry->record(p->dry->ctx, &rec);
	else
		outbox_add(p->outbox, &rec, p->mono_ns);
}

static void fail(struct probe *p, int r, const char *what)
{
	log_error("%s: %s", what, strerror(-r));
	p->result = r;
	loop_stop(p->loop);
}

static void work(struct probe *p)
{
	p->wall_ms = clock_wall_ms();
	p->mono_ns = clock_mono_ns();
	int r = p->ops->read(p->backend, take_event, p);
	if (r < 0)
		fail(p, r, "events cannot be read");
	uint64_t lost = p->ops->take_lost(p->backend);
	if (p->outbox)
		outbox_count_dropped(p->outbox, lost);
	r = p->outbox ? outbox_turn(p->outbox) : 0;
	if (r < 0)
		fail(p, r, "the socket to the collector failed");
}

static void on_turn(struct loop_timer *self)
{
	struct probe *p = self->ctx;
	work(p);
	if (loop_timer_set(p->loop, self, TURN_NS) < 0)
		fail(p, -ENOMEM, "the timer");
}

/* What has no room in the ring is told by the next look: at once, since the order is the same each time, and the last ones
 * would never have their turn. */
static int look(struct probe *p, int (*first)(struct backend *b))
{
	int r = first(p->backend);
	work(p);
	for (int i = 0; r == 1 && i < LOOKS_MAX; i++) {
		r = p->ops->look(p->backend);
		work(p);
	}
	return r;
}

static void on_look(struct loop_timer *self)
{
	struct probe *p = self->ctx;
	int r = look(p, p->ops->look);
	if (r < 0)
		fail(p, r, "connections cannot be looked at");
	if (loop_timer_set(p->loop, self, current(p)->interval_ms * NS_PER_MS) < 0)
		fail(p, -ENOMEM, "the timer");
}

static void on_readable(struct loop_fd *self, uint32_t events)
{
	work(self->ctx);
}

static void on_stop(void *ctx)
{
	struct probe *p = ctx;
	loop_stop(p->loop);
}

/* ---- reload ---- */

static int take_config(struct probe *p, struct config *new, struct error *err)
{
	struct rules *rules;
	if (rules_new(&new->probe, &rules) < 0) {
		config_free(new);
		return error_set(err, -ENOMEM, "out of memory");
	}
	p->unknown_names += rules_unknown_names(p->rules);
	rules_free(p->rules);
	p->rules = rules;
	config_free(p->reloaded);
	p->reloaded = new;
	return 0;
}

static void on_reload(void *ctx)
{
	struct probe *p = ctx;
	struct config *new;
	struct error err = {0};
	int r = p->file ? reload_config(p->file, p->config, &new, &err)
			: error_set(&err, -ENOENT, "there is no file, or it is a dry run");
	if (r == 0) {
		on_look(&p->look); /* what happened before has the types of before */
		r = take_config(p, new, &err);
	}
	if (r < 0)
		log_error("not reloaded, the old configuration stays in use: %s", err.text);
	else
		log_info("%s: reloaded", p->file);
	if (r == 0 && loop_timer_set(p->loop, &p->look, current(p)->interval_ms * NS_PER_MS) < 0)
		fail(p, -ENOMEM, "the timer");
}

/* ---- what can be asked ---- */

static uint64_t cpu_us(void)
{
	struct rusage u;
	(void)getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
		(uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static json_t *make_status(void *ctx)
{
	struct probe *p = ctx;
	struct backend_stats s;
	char caps[PRIVILEGES_TEXT_MAX];
	p->ops->stats(p->backend, &s);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"backend", p->ops->name, "why", p->why, "note", s.note, "capabilities", privileges_text(caps), "tagging",
		s.tagging, "resumed", s.resumed, "uptime_ms", (json_int_t)((clock_mono_ns() - p->start_ns) / NS_PER_MS),
		"events", (json_int_t)s.events, "lost", (json_int_t)s.lost, "delayed", (json_int_t)s.delayed, "empty",
		(json_int_t)s.empty, "tags", (json_int_t)s.tags, "records", (json_int_t)p->records, "looks",
		(json_int_t)s.looks, "look_us", (json_int_t)(s.look_ns / 1000), "cpu_us", (json_int_t)cpu_us(),
		"kernel_cpu_us", (json_int_t)(s.kernel_ns / 1000));
	if (o)
		(void)json_object_set_new(o, "missed", json_integer((json_int_t)s.missed));
	if (o)
		(void)json_object_set_new(o, "ignored", json_integer((json_int_t)p->ignored));
	if (o)
		(void)json_object_set_new(o, "unknown_types", json_integer((json_int_t)(p->unknown_names + rules_unknown_names(p->rules))));
	if (o && p->outbox)
		(void)json_object_set_new(o, "sender", outbox_status(p->outbox));
	return o;
}

/* ---- start and end ---- */

static int open_ebpf(struct probe *p, struct error *err)
{
#if WHERETO_EBPF
	p->ops = &backend_ebpf;
	return backend_ebpf.open(p->config, &p->backend, err);
#else
	return error_set(err, -ENOTSUP, "this whereto is built without eBPF");
#endif
}

static int open_backend(struct probe *p, struct error *err)
{
	enum probe_backend wanted = p->config->backend;
	if (wanted != PROBE_BACKEND_SOCKDIAG) {
		int r = open_ebpf(p, err);
		bool needed = wanted == PROBE_BACKEND_EBPF || p->config->tagging == PROBE_TAGGING_ON;
		if (r == 0 || needed || r == -EBUSY)
			return r;
		(void)snprintf(p->why, sizeof(p->why), "no eBPF: %.500s", err->text);
	} else {
		(void)snprintf(p->why, sizeof(p->why), "as configured");
	}
	p->ops = &backend_sockdiag;
	return backend_sockdiag.open(p->config, &p->backend, err);
}

static int watch_fd(struct probe *p, struct loop_fd *fd, int number, struct error *err)
{
	*fd = (struct loop_fd){.fd = number, .fn = on_readable, .ctx = p};
	int r = loop_fd_add(p->loop, fd, EPOLLIN);
	return r < 0 ? error_set(err, r, "epoll: %s", strerror(-r)) : 0;
}

static int open_loop(struct probe *p, struct error *err)
{
	p->turn = (struct loop_timer){.fn = on_turn, .ctx = p};
	p->look = (struct loop_timer){.fn = on_look, .ctx = p};
	int r = loop_new(&p->loop);
	if (r == 0)
		r = loop_signal(p->loop, SIGTERM, on_stop, p);
	if (r == 0)
		r = loop_signal(p->loop, SIGINT, on_stop, p);
	if (r == 0)
		r = loop_signal(p->loop, SIGHUP, on_reload, p);
	if (r == 0)
		r = loop_timer_set(p->loop, &p->turn, TURN_NS);
	if (r == 0)
		r = loop_timer_set(p->loop, &p->look, p->config->interval_ms * NS_PER_MS);
	return r < 0 ? error_set(err, r, "the loop: %s", strerror(-r)) : 0;
}

static int open_fds(struct probe *p, struct error *err)
{
	struct error why = {0};
	int r = watch_fd(p, &p->events, p->ops->fd(p->backend), err);
	const struct transport *t = p->outbox ? outbox_transport(p->outbox) : NULL;
	for (uint32_t i = 0; t && i < t->count && r == 0; i++)
		r = watch_fd(p, &p->acks[i], t->fds[i], err);
	if (r == 0 && !p->dry && status_open(p->config->status, p->loop, make_status, p, &p->status, &why) < 0)
		log_warning("status cannot be asked: %s", why.text);
	return r;
}

static int start(struct probe *p, struct error *err)
{
	int r = rules_new(p->config, &p->rules);
	if (r < 0)
		return error_set(err, r, "out of memory");
	r = open_loop(p, err); /* signals are blocked before there are threads */
	if (r == 0)
		r = open_backend(p, err);
	if (r == 0 && !p->dry)
		r = outbox_open(p->config, &p->outbox, err);
	if (r == 0)
		r = open_fds(p, err);
	if (r == 0)
		r = p->outbox ? outbox_open_spool(p->outbox, err) : 0;
	if (r == 0)
		r = privileges_drop(p->config->user, err);
	return r < 0 ? r : p->ops->start(p->backend, err);
}

/* What living connections did, and what is buffered, goes out. */
static void finish(struct probe *p)
{
	int r = look(p, p->ops->end);
	if (r < 0)
		log_warning("connections cannot be looked at: %s", strerror(-r));
	if (p->outbox)
		outbox_finish(p->outbox);
}

static void done(struct probe *p)
{
	status_close(p->status);
	if (p->backend)
		p->ops->close(p->backend);
	outbox_close(p->outbox);
	loop_free(p->loop);
	rules_free(p->rules);
	config_free(p->reloaded);
}

static void say_ready(const struct probe *p)
{
	struct backend_stats s;
	p->ops->stats(p->backend, &s);
	if (*p->why)
		log_warning("backend %s: %s", p->ops->name, p->why);
	if (*s.note)
		log_warning("%s", s.note);
	FILE *out = p->dry ? stderr : stdout;
	fprintf(out, "ready backend=%s tagging=%s resumed=%s\n", p->ops->name, s.tagging ? "on" : "off",
		s.resumed ? "yes" : "no");
	(void)fflush(out);
}

int probe_run(const struct config_probe *config, const char *file, const struct probe_dry *dry, struct error *err)
{
	struct probe p = {.config = config, .file = file, .dry = dry, .start_ns = clock_mono_ns()};
	int r = start(&p, err);
	if (r == 0) {
		say_ready(&p);
		r = loop_run(p.loop);
		if (r == 0)
			r = p.result;
		if (r < 0)
			(void)error_set(err, r, "the probe ends: %s", strerror(-r));
		finish(&p);
	}
	done(&p);
	return r;
}

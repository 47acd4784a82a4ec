/* SPDX-License-Identifier: BSD-2-Clause */

/* The whole of whereto on one machine, on loopback, within a temporary folder: sample data
 * (demo_data.c), the real collector and a real nginx with the module (demo_parts.c), visitors
 * (demo_clients.c), made-up senders with a past (demo_fleet.c), made-up routers (demo_bmp.c) and a live look at the result (demo_view.c).
 *
 * Nothing of the system's is touched. Started as root it becomes nobody before anything else, so that it could
 * not even by mistake; the module, which root's sources may hide from nobody, is opened before.
 *
 * The end, whatever brings it about: no more requests, those under way are answered; the view gives the
 * terminal back; nginx ends gracefully, its workers send what they hold and wait for the
 * acknowledgements; now the ledger must have nothing in flight and the store must hold exactly what nginx's clients
 * received, to the byte; the collector ends; the folder goes. SIGINT, SIGTERM and SIGHUP are blocked and
 * taken in the loop, so no moment exists in which they could leave something behind. */

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/demo_bmp.h"
#include "cli/demo_clients.h"
#include "cli/demo_data.h"
#include "cli/demo_fleet.h"
#include "cli/demo_folder.h"
#include "cli/demo_parts.h"
#include "cli/demo_view.h"
#include "cli/options.h"

#define DRAIN_NS          (3 * NS_PER_S)
#define NGINX_STOP_MS     10000
#define COLLECTOR_STOP_MS 20000
#define SECONDS_MAX       86400u
#define LOSING_ROUTER     (DEMO_ROUTERS - 1) /* its live session is lost for a while, to be seen */
#define LOSS_AFTER_NS     (20 * NS_PER_S)
#define LOSS_NS           (900 * NS_PER_S)

struct demo {
	unsigned seconds; /* 0: until a signal */
	const char *module;
	struct loop *loop;
	char *folder;
	struct demo_parts parts;
	struct demo_clients *clients;
	struct demo_fleet *fleet;
	struct demo_view *view;
	struct demo_view_config view_config;
	char api[64];
	struct loop_timer end, drain, move, loss;
	int live[DEMO_ROUTERS]; /* sockets of the routers' sessions; -1: none */
	bool stopping, broken; /* broken: a program ended by itself */
	unsigned moves;        /* how often a network was reached by another transit than before */
};

/* ---- how it comes to its end ---- */

static void on_drained(void *ctx)
{
	struct demo *d = ctx;
	loop_stop(d->loop);
}

static void on_drain_timer(struct loop_timer *self)
{
	on_drained(self->ctx);
}

/* A second time: without waiting for the responses under way. */
static void on_stop(void *ctx)
{
	struct demo *d = ctx;
	bool again = d->stopping;
	d->stopping = true;
	loop_timer_clear(d->loop, &d->end);
	if (again || loop_timer_set(d->loop, &d->drain, DRAIN_NS) < 0)
		loop_stop(d->loop);
	else
		demo_clients_drain(d->clients, on_drained, d);
}

static void on_end_timer(struct loop_timer *self)
{
	on_stop(self->ctx);
}

static void on_child(void *ctx)
{
	struct demo *d = ctx;
	if (demo_process_running(&d->parts.collector) && demo_process_running(&d->parts.nginx))
		return;
	d->broken = true;
	loop_stop(d->loop);
}

/* On the view's thread. */
static void on_output_gone(void *ctx)
{
	struct demo *d = ctx;
	if (loop_post(d->loop, on_stop, d) < 0)
		(void)kill(getpid(), SIGTERM);
}

/* ---- what happens meanwhile ---- */

/* Where a session cannot be had the router has its file. */
static void connect_router(struct demo *d, unsigned router)
{
	struct error err = {0};
	d->live[router] = demo_bmp_connect(router, d->moves, d->parts.bmp, &err);
	if (d->live[router] < 0)
		demo_view_print("%s\n", err.text);
}

static void on_loss(struct loop_timer *self)
{
	struct demo *d = self->ctx;
	bool lost = d->live[LOSING_ROUTER] < 0;
	if (lost)
		connect_router(d, LOSING_ROUTER);
	else
		close_p(&d->live[LOSING_ROUTER]);
	if (!lost)
		(void)!loop_timer_set(d->loop, &d->loss, LOSS_NS);
}

static void tell_move(struct demo *d, unsigned n)
{
	for (unsigned router = 0; router < DEMO_ROUTERS; router++)
		if (d->live[router] >= 0 && demo_bmp_move(d->live[router], router, n) < 0)
			close_p(&d->live[router]);
}

/* A path changes: the router tells it, and its table is another one, which the collector reads. */
static void on_move(struct loop_timer *self)
{
	struct demo *d = self->ctx;
	struct error err = {0};
	unsigned now_s = demo_data_nth_move(d->moves).at_s, next_s = demo_data_nth_move(d->moves + 1).at_s;
	tell_move(d, d->moves);
	if (demo_data_move(d->folder, (uint32_t)(clock_wall_ms() / 1000), d->moves++, &err) == 0 &&
		demo_process_running(&d->parts.collector))
		(void)kill(d->parts.collector.pid, SIGHUP);
	(void)!loop_timer_set(d->loop, &d->move, (next_s - now_s) * NS_PER_S);
}

/* ---- starting ---- */

static int take_signals(struct demo *d, struct error *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	int r = loop_new(&d->loop);
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(signals) && r == 0; i++)
		r = loop_signal(d->loop, signals[i], on_stop, d);
	if (r == 0)
		r = loop_signal(d->loop, SIGCHLD, on_child, d);
	return r < 0 ? error_set(err, r, "no event loop to be had: %s", strerror(-r)) : 0;
}

/* Root becomes nobody. Where that cannot be (no such user, not in this container, a program file nobody may
 * run) root it stays. */
static int give_up_rights(struct error *err)
{
	struct stat exe;
	const struct passwd *nobody = geteuid() == 0 ? getpwnam("nobody") : NULL;
	if (!nobody || stat("/proc/self/exe", &exe) < 0 || !(exe.st_mode & S_IXOTH))
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(nobody->pw_gid, nobody->pw_gid, nobody->pw_gid) < 0)
		return 0;
	if (setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid) < 0)
		return error_set(err, -errno, "cannot become nobody: %s", strerror(errno));
	return 0;
}

static int make_folder(struct demo *d, struct error *err)
{
	int r = demo_folder_new(&d->folder, err);
	d->parts.folder = d->folder;
	return r < 0 ? r : demo_data_write(d->folder, (uint32_t)(clock_wall_ms() / 1000), err);
}

/* Made-up senders, visitors, view and the time's end. */
static int open_doors(struct demo *d, struct error *err)
{
	char key[4096];
	(void)snprintf(d->api, sizeof(d->api), "http://%s", d->parts.http);
	d->view_config = (struct demo_view_config){
		.source = {d->api, clock_wall_ms() / 60000 * 60, demo_data_networks()},
		.output_gone = on_output_gone,
		.ctx = d,
	};
	(void)snprintf(key, sizeof(key), "%s/telemetry.key", d->folder);
	d->move = (struct loop_timer){.fn = on_move, .ctx = d};
	d->loss = (struct loop_timer){.fn = on_loss, .ctx = d};
	d->end = (struct loop_timer){.fn = on_end_timer, .ctx = d};
	d->drain = (struct loop_timer){.fn = on_drain_timer, .ctx = d};
	for (unsigned router = 0; router < DEMO_ROUTERS; router++)
		if (demo_data_live(router))
			connect_router(d, router);
	int r = demo_fleet_new(d->loop, d->parts.telemetry, key, &d->fleet, err);
	if (r < 0)
		return r;
	r = demo_clients_new(d->loop, d->parts.web_port, &d->clients);
	if (r == 0)
		r = loop_timer_set(d->loop, &d->move, demo_data_nth_move(0).at_s * NS_PER_S);
	if (r == 0)
		r = loop_timer_set(d->loop, &d->loss, LOSS_AFTER_NS);
	if (r == 0 && d->seconds)
		r = loop_timer_set(d->loop, &d->end, d->seconds * NS_PER_S);
	if (r == 0)
		r = demo_view_new(&d->view_config, &d->view);
	return r < 0 ? error_set(err, r, "cannot begin: %s", strerror(-r)) : 0;
}

static int start(struct demo *d, struct error *err)
{
	int r = take_signals(d, err);
	if (r == 0)
		r = demo_parts_find(&d->parts, d->module, err);
	if (r == 0)
		r = give_up_rights(err);
	if (r == 0)
		r = make_folder(d, err);
	if (r == 0)
		r = demo_parts_start_collector(&d->parts, err);
	if (r == 0)
		r = demo_parts_start_nginx(&d->parts, err);
	return r < 0 ? r : open_doors(d, err);
}

/* ---- ending ---- */

/* A program that ended although nobody had asked it to, or did not end when asked. */
static int report(struct demo *d)
{
	struct demo_process *const programs[] = {&d->parts.collector, &d->parts.nginx};
	int n = 0;
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		if (!programs[i]->started || demo_process_running(programs[i]))
			continue;
		fputs("whereto demo: ", stderr);
		demo_process_report(programs[i], d->folder, stderr);
		n++;
	}
	return n;
}

/* Does everything add up? */
static int verdict(const struct demo *d, const struct demo_totals *t)
{
	struct demo_clients_stats c = demo_clients_stats(d->clients);
	bool closed = t->in_flight == 0 && t->sent == t->stored && !t->dropped && t->stored;
	bool equal = t->requests == c.requests && t->bytes_sent == c.bytes_received;
	if (c.failed)
		demo_view_print("%" PRIu64 " connections failed, the last one %s\n", c.failed, c.failure);
	demo_view_print("the clients received %" PRIu64 " responses, %" PRIu64 " bytes\n"
		"the store holds %" PRIu64 " requests, %" PRIu64 " bytes: %s\n", c.requests, c.bytes_received, t->requests,
		t->bytes_sent, equal ? "equal" : "NOT EQUAL");
	if (!closed)
		fprintf(stderr, "whereto demo: %s\n", t->stored ? "the ledger does not close" : "nothing was stored");
	return closed && equal ? EXIT_DONE : EXIT_FAILED;
}

/* After the loop, everything still running. */
static int finish(struct demo *d)
{
	struct demo_totals totals;
	demo_view_free(d->view);
	d->view = NULL;
	if (d->broken) {
		(void)report(d);
		return EXIT_FAILED;
	}
	demo_fleet_finish(d->fleet);
	int stopped = demo_process_stop(&d->parts.nginx, SIGQUIT, NGINX_STOP_MS);
	if (stopped < 0)
		(void)report(d);
	int status = demo_view_final(&d->view_config, &totals);
	if (status == EXIT_DONE)
		status = verdict(d, &totals);
	return stopped < 0 ? EXIT_FAILED : status;
}

/* Everything that start has made, as far as it got. */
static int stop(struct demo *d)
{
	int status = EXIT_DONE;
	demo_view_free(d->view);
	demo_clients_free(d->clients);
	demo_fleet_free(d->fleet);
	for (unsigned router = 0; router < DEMO_ROUTERS; router++)
		close_p(&d->live[router]);
	(void)demo_process_stop(&d->parts.nginx, SIGTERM, NGINX_STOP_MS);
	if (demo_process_stop(&d->parts.collector, SIGTERM, COLLECTOR_STOP_MS) < 0) {
		fputs("whereto demo: ", stderr);
		demo_process_report(&d->parts.collector, d->folder, stderr);
		status = EXIT_FAILED;
	}
	int r = d->folder ? demo_folder_remove(d->folder) : 0;
	if (r < 0) {
		fprintf(stderr, "whereto demo: %s could not be removed: %s\n", d->folder, strerror(-r));
		status = EXIT_FAILED;
	}
	free_p(&d->folder);
	demo_parts_done(&d->parts);
	loop_free(d->loop);
	return status;
}

static int run(struct demo *d)
{
	struct error err = {0};
	demo_parts_init(&d->parts);
	for (unsigned router = 0; router < DEMO_ROUTERS; router++)
		d->live[router] = -1;
	int r = start(d, &err), status = EXIT_FAILED;
	if (r == 0) {
		r = loop_run(d->loop);
		status = finish(d);
	}
	if (r < 0 && r != -EINTR) {
		fprintf(stderr, "whereto demo: %s\n", *err.text ? err.text : strerror(-r));
		if (r == -ECHILD)
			(void)report(d);
		status = EXIT_FAILED;
	}
	int stopped = stop(d);
	return status == EXIT_DONE ? stopped : status;
}

int command_demo(int argc, char **argv)
{
	struct demo d = {0};
	struct options o;
	int r = options_parse(argc, argv, OPTIONS_demo, NULL, &o);
	if (r != OPTIONS_GO_ON)
		return r;
	const char *seconds = o.values[OPTION_seconds];
	unsigned long n = seconds && strlen(seconds) < 9 && !seconds[strspn(seconds, "0123456789")] ? strtoul(seconds, NULL, 10) : 0;
	if (seconds && (n < 1 || n > SECONDS_MAX))
		return command_usage(argv[0], "--seconds takes 1 to 86400");
	d.seconds = (unsigned)n;
	d.module = o.values[OPTION_module];
	return run(&d);
}

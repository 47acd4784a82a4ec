/* SPDX-License-Identifier: BSD-2-Clause */

/* Start order: configuration and data files, tables, store, journal (which brings what the last run left into
 * the store), intake, the routers' sessions, HTTP, then the ready line. Stop order: intake first, then HTTP, then the
 * writer, which stores what is left.
 *
 * A reload runs on a thread of its own: it builds a new world aside and posts it to the data plane,
 * which exchanges the pointer between two freezes and then feeds the routes read from files into the live
 * tables, a few milliseconds at a time (mrt_feed.c). Loading a full table takes a second or two; intake
 * never waits for it. Any error leaves the old world in place.
 *
 * A stop waits for the journal and the store, but not for ever: what they don't take then was never
 * acknowledged, or comes back from the journal.
 *
 * HTTP threads reach the data plane only through loop_ask. */

#include "collector/collector.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "collector/bgp_speaker.h"
#include "collector/bmp_station.h"
#include "collector/glass.h"
#include "collector/intake.h"
#include "collector/late_store.h"
#include "collector/mrt_feed.h"
#include "collector/report.h"
#include "collector/traffic_metrics.h"
#include "collector/world.h"
#include "collector/writer.h"
#include "http/http.h"

#define HTTP_THREADS     4
#define STOP_TIMEOUT_MS  5000             /* for the store; the journal keeps what it does not get */
#define FILES_WANTED     65536
#define STOP_JOURNAL_NS  (5 * NS_PER_S)

struct collector {
	const char *config_file;
	struct loop *loop;
	struct world *world;
	struct tables *tables;
	struct mrt_feed *feed; /* while files are brought into the tables */
	struct peers *peers;
	struct bgp_speaker *bgp;
	struct bmp_station *bmp;
	struct store *store;
	atomic_bool give_up; /* waiting for the store */
	struct traffic_metrics *traffic;
	struct writer *writer;
	struct intake *intake;
	struct http_server *http;

	struct world *next_world; /* waiting for intake_swap */
	struct loop_timer stop_timer;
	pthread_t reload_thread; /* while reloading; it alone writes the two below, then posts them */
	struct world *reloaded;
	struct error reload_error;
	bool reloading, reload_again;
	pthread_rwlock_t names_lock;
	struct asnames *names; /* taken from the world: HTTP threads read them, under the lock */
};

/* ---- what HTTP asks ---- */

struct ask {
	struct collector *c;
	const struct addr *addr;
	const char *router;
	struct error *err;
	struct report_numbers *numbers;
	const struct http_routes_question *question;
	struct http_routes_cursor *cursor;
	json_t *json;
	int result;
};

static void answer_senders(void *arg)
{
	struct ask *a = arg;
	struct writer_stats stats;
	writer_get_stats(a->c->writer, &stats);
	a->json = report_senders(a->c->intake, &stats);
}

static void answer_routers(void *arg)
{
	struct ask *a = arg;
	a->json = glass_routers(a->c->world, a->c->tables);
}

static void answer_lookup(void *arg)
{
	struct ask *a = arg;
	a->result = glass_lookup(a->c->world, a->c->tables, a->addr, a->router, &a->json, a->err);
}

static void answer_routes(void *arg)
{
	struct ask *a = arg;
	a->result = glass_routes(a->c->world, a->c->tables, a->question, a->cursor, &a->json, a->err);
}

static void answer_numbers(void *arg)
{
	struct ask *a = arg;
	report_collect(a->c->intake, a->numbers);
	a->numbers->bgp_refused = bgp_speaker_refused(a->c->bgp);
	a->numbers->bmp_refused = bmp_station_refused(a->c->bmp);
}

static json_t *backend_senders(void *ctx)
{
	struct ask a = {.c = ctx};
	return loop_ask(a.c->loop, answer_senders, &a) < 0 ? NULL : a.json;
}

static json_t *backend_routers(void *ctx)
{
	struct ask a = {.c = ctx};
	return loop_ask(a.c->loop, answer_routers, &a) < 0 ? NULL : a.json;
}

static int backend_lookup(void *ctx, const struct addr *addr, const char *router, json_t **ret, struct error *err)
{
	struct ask a = {.c = ctx, .addr = addr, .router = router, .err = err};
	if (loop_ask(a.c->loop, answer_lookup, &a) < 0)
		return error_set(err, -ESHUTDOWN, "the collector is stopping");
	if (a.result == 0)
		*ret = a.json;
	return a.result;
}

static int backend_routes(void *ctx, const struct http_routes_question *q, struct http_routes_cursor *cursor,
	json_t **ret_rows, struct error *err)
{
	struct ask a = {.c = ctx, .question = q, .cursor = cursor, .err = err};
	if (loop_ask(a.c->loop, answer_routes, &a) < 0)
		return error_set(err, -ESHUTDOWN, "the collector is stopping");
	if (a.result == 0)
		*ret_rows = a.json;
	return a.result;
}

static void backend_settle(void *ctx)
{
	struct collector *c = ctx;
	writer_settle(c->writer);
}

static char *backend_as_name(void *ctx, uint32_t asn)
{
	struct collector *c = ctx;
	(void)pthread_rwlock_rdlock(&c->names_lock);
	const char *name = asnames_get(c->names, asn);
	char *copy = name ? strdup(name) : NULL;
	(void)pthread_rwlock_unlock(&c->names_lock);
	return copy;
}

static void backend_metrics(void *ctx, FILE *out)
{
	struct report_numbers numbers = {0};
	struct ask a = {.c = ctx, .numbers = &numbers};
	struct writer_stats stats;
	if (loop_ask(a.c->loop, answer_numbers, &a) < 0)
		return;
	writer_get_stats(a.c->writer, &stats);
	report_metrics(&numbers, &stats, out);
	report_numbers_done(&numbers);
	traffic_metrics_write(a.c->traffic, backend_as_name, ctx, out);
}

static const char *backend_health(void *ctx)
{
	struct collector *c = ctx;
	struct writer_stats stats;
	writer_get_stats(c->writer, &stats);
	if (stats.journal_error[0])
		return "the journal cannot be written: nothing is acknowledged";
	if (stats.store_error[0])
		return "the store cannot be written: batches wait in the journal";
	return NULL;
}

/* Makes a world's AS names the ones that HTTP sees. */
static void publish_names(struct collector *c, struct world *w)
{
	(void)pthread_rwlock_wrlock(&c->names_lock);
	struct asnames *old = c->names;
	c->names = w->asnames;
	w->asnames = NULL;
	(void)pthread_rwlock_unlock(&c->names_lock);
	asnames_free(old);
}

/* ---- reload ---- */

static void *reload_main(void *arg);

static void begin_reload(void *ctx)
{
	struct collector *c = ctx;
	if (c->reloading) {
		c->reload_again = true;
		return;
	}
	if (pthread_create(&c->reload_thread, NULL, reload_main, c) != 0)
		log_error("%s: not reloaded: no thread to be had", c->config_file);
	else
		c->reloading = true;
}

static void end_reload(struct collector *c)
{
	(void)pthread_join(c->reload_thread, NULL); /* it posted its result as its last act */
	c->reloading = false;
	if (c->reload_again) {
		c->reload_again = false;
		begin_reload(c);
	}
}

static void on_fed(void *ctx)
{
	struct collector *c = ctx;
	mrt_feed_free(c->feed);
	c->feed = NULL;
	log_info("%s: reloaded", c->config_file);
	end_reload(c);
}

/* Whoever feeds a source that is not configured any more lets go of it. */
static void on_dropped(void *ctx, struct table_source *s)
{
	struct collector *c = ctx;
	if (s->kind == SOURCE_BGP)
		bgp_speaker_drop(c->bgp, s);
	else if (s->kind == SOURCE_BMP)
		bmp_station_drop(c->bmp, s);
}

static void configure_peers(struct collector *c)
{
	struct error err = {0};
	if (bgp_speaker_configure(c->bgp, c->world, &err) < 0)
		log_error("%s: %s", c->config_file, err.text);
	if (bmp_station_configure(c->bmp, c->world, &err) < 0)
		log_error("%s: %s", c->config_file, err.text);
}

static void renew_certificate(struct collector *c)
{
	const struct world *old = c->world, *new = c->next_world;
	struct error err = {0};
	if (!new->http_key || (strcmp(old->http_certificate, new->http_certificate) == 0 && strcmp(old->http_key, new->http_key) == 0))
		return;
	if (http_renew(c->http, new->http_certificate, new->http_key, &err) < 0)
		log_error("%s: the old certificate stays in use: %s", c->config_file, err.text);
}

static void renew_http(struct collector *c)
{
	const struct config *config = c->next_world->config;
	struct error err = {0};
	renew_certificate(c);
	if (traffic_metrics_resize(c->traffic, config->http.metrics_top) < 0)
		log_error("%s: the old metrics_top stays in use: out of memory", c->config_file);
	if (http_reconfigure(c->http, &(struct http_config){.token = c->next_world->http_token,
			.hosts = (const char *const *)config->http.hosts, .host_count = config->http.host_count}, &err) < 0)
		log_error("%s: the old token and hosts stay in use: %s", c->config_file, err.text);
}

static void on_swapped(void *ctx)
{
	struct collector *c = ctx;
	renew_http(c);
	world_free(c->world);
	c->world = c->next_world;
	c->next_world = NULL;
	publish_names(c, c->world);
	int r = tables_configure(c->tables, c->world->config, on_dropped, c);
	if (r == 0)
		configure_peers(c);
	if (r < 0 ||
		mrt_feed_new(c->loop, c->tables, c->world, on_fed, c, &c->feed) < 0) {
		log_error("reload: out of memory"); /* the journal has all that was acknowledged */
		abort();
	}
}

static void finish_reload(void *arg)
{
	struct collector *c = arg;
	struct world *world = c->reloaded;
	c->reloaded = NULL;
	if (world && world_compatible(c->world, world, &c->reload_error) < 0) {
		world_free(world);
		world = NULL;
	}
	if (world) {
		c->next_world = world;
		intake_swap(c->intake, c->next_world, on_swapped, c);
	} else {
		log_error("not reloaded, the old configuration and tables stay in use: %s", c->reload_error.text);
		end_reload(c);
	}
}

static void *reload_main(void *arg)
{
	struct collector *c = arg;
	if (world_load(c->config_file, true, &c->reloaded, &c->reload_error) < 0)
		c->reloaded = NULL;
	if (loop_post(c->loop, finish_reload, c) < 0) {
		world_free(c->reloaded);
		c->reloaded = NULL;
	}
	return NULL;
}

/* ---- start ---- */

static void on_drained(void *ctx)
{
	struct collector *c = ctx;
	loop_stop(c->loop);
}

/* The journal cannot be written (full disk, max_size): what it did not take was never acknowledged. */
static void on_stop_timer(struct loop_timer *t)
{
	struct collector *c = t->ctx;
	log_warning("stopping without what the journal could not take: its senders keep it");
	loop_stop(c->loop);
}

static void on_stop(void *ctx)
{
	struct collector *c = ctx;
	if (c->stop_timer.due_ns)
		return;
	log_info("stopping");
	if (loop_timer_set(c->loop, &c->stop_timer, STOP_JOURNAL_NS) < 0)
		loop_stop(c->loop);
	intake_stop(c->intake, on_drained, c);
}

/* The tables with what the files say, whole: there is no traffic yet to wait for. */
static int open_tables(struct collector *c, struct error *err)
{
	int r = tables_new(c->loop, &c->tables);
	if (r == 0)
		r = tables_configure(c->tables, c->world->config, NULL, NULL);
	if (r == 0)
		r = mrt_feed_new(c->loop, c->tables, c->world, NULL, NULL, &c->feed);
	if (r < 0)
		return error_set(err, r, "out of memory");
	mrt_feed_finish(c->feed);
	mrt_feed_free(c->feed);
	c->feed = NULL;
	return 0;
}

static int open_peers(struct collector *c, struct error *err)
{
	if (peers_new(c->loop, c->tables, &c->peers) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	int r = bgp_speaker_new(c->peers, c->world, &c->bgp, err);
	return r < 0 ? r : bmp_station_new(c->peers, c->world, &c->bmp, err);
}

static void on_churn(void *ctx, const char *router, uint32_t prefix, uint32_t before, uint32_t after)
{
	struct collector *c = ctx;
	struct view name = {(const uint8_t *)router, strlen(router)};
	intake_path_change(c->intake, clock_wall_ms(), name, prefix, before, after);
}

static int start_peers(struct collector *c, struct error *err)
{
	tables_on_churn(c->tables, on_churn, c);
	int r = bgp_speaker_start(c->bgp, err);
	return r < 0 ? r : bmp_station_start(c->bmp, err);
}

static int open_store(struct collector *c, struct error *err)
{
	struct store_config config = {.url = c->world->config->store.url, .give_up = &c->give_up};
	memcpy(config.retention_s, c->world->config->store.retention_s, sizeof(config.retention_s));
	return late_store_open(&config, &c->store, err);
}

static int open_writer(struct collector *c, struct error *err)
{
	struct writer_config config = {
		.collector = c->world->config->name,
		.journal_dir = c->world->config->journal.dir,
		.journal_max_bytes = c->world->config->journal.max_size_bytes,
		.store = c->store,
		.give_up = &c->give_up,
		.durable = freeze_durable,
		.ctx = &c->intake,
	};
	if (traffic_metrics_new(c->world->config->http.metrics_top, &c->traffic) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	config.traffic = c->traffic;
	return writer_new(&config, &c->writer, err);
}

static int open_http(struct collector *c, struct error *err)
{
	const struct config *config = c->world->config;
	struct http_backend backend = {
		.ctx = c,
		.settle = backend_settle,
		.senders = backend_senders,
		.routers = backend_routers,
		.lookup = backend_lookup,
		.routes = backend_routes,
		.metrics = backend_metrics,
		.health = backend_health,
		.as_name = backend_as_name,
		.store = c->store,
		.name = config->name,
		.notice = config->http.notice,
	};
	memcpy(backend.retention_s, config->store.retention_s, sizeof(backend.retention_s));
	struct hostport *listen = calloc(config->http.listen_count, sizeof(*listen));
	if (!listen)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < config->http.listen_count; i++)
		listen[i] = (struct hostport){config->http.listen[i].addr, config->http.listen[i].port};
	const struct http_config http = {
		.listen = listen,
		.listen_count = config->http.listen_count,
		.token = c->world->http_token,
		.certificate = c->world->http_certificate,
		.key = c->world->http_key,
		.hosts = (const char *const *)config->http.hosts,
		.host_count = config->http.host_count,
		.threads = HTTP_THREADS,
	};
	int r = http_new(&http, &backend, &c->http, err);
	free(listen);
	return r;
}

/* As many files as the system lets us have: thousands of HTTP clients and routers are connections. */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_WANTED)
		return;
	limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int start(struct collector *c, struct error *err)
{
	raise_file_limit();
	int r = loop_new(&c->loop);
	if (r < 0)
		return error_set(err, r, "no event loop: %s", strerror(-r));
	if (loop_signal(c->loop, SIGTERM, on_stop, c) < 0 || loop_signal(c->loop, SIGINT, on_stop, c) < 0 ||
		loop_signal(c->loop, SIGHUP, begin_reload, c) < 0)
		return error_set(err, -EIO, "signals cannot be set up");
	(void)signal(SIGPIPE, SIG_IGN);
	c->stop_timer = (struct loop_timer){.fn = on_stop_timer, .ctx = c};
	r = world_load(c->config_file, false, &c->world, err);
	if (r < 0)
		return r;
	publish_names(c, c->world);
	r = open_tables(c, err);
	if (r == 0)
		r = open_peers(c, err);
	if (r == 0)
		r = open_store(c, err);
	if (r == 0)
		r = open_writer(c, err);
	if (r == 0)
		r = intake_new(c->loop, c->world, c->tables, c->writer, writer_book(c->writer), &c->intake, err);
	if (r == 0 && writer_start(c->writer) < 0)
		r = error_set(err, -EAGAIN, "no thread to be had");
	if (r == 0)
		r = intake_start(c->intake, err);
	if (r == 0)
		r = start_peers(c, err);
	if (r == 0)
		r = open_http(c, err);
	return r;
}

static void print_listener(const char *name, const struct listener *l)
{
	char text[HOSTPORT_TEXT_MAX];
	for (size_t i = 0; i < l->count; i++) {
		if (i == 0)
			printf(" %s=", name);
		printf("%s%s", i ? "," : "", hostport_format(&l->sockets[i].addr, l->sockets[i].port, text));
	}
}

/* Tells whoever started us, and waits for it, where we listen. */
static void print_ready(const struct collector *c)
{
	char text[HOSTPORT_TEXT_MAX];
	printf("ready telemetry=");
	for (size_t i = 0; i < c->intake->socket_count; i++)
		printf("%s%s", i ? "," : "",
			hostport_format(&c->intake->sockets[i].addr, c->intake->sockets[i].port, text));
	printf(" http=");
	for (size_t i = 0; i < c->world->config->http.listen_count; i++) {
		struct hostport at = http_bound(c->http, i);
		printf("%s%s", i ? "," : "", hostport_format(&at.addr, at.port, text));
	}
	print_listener("bmp", bmp_station_listener(c->bmp));
	print_listener("bgp", bgp_speaker_listener(c->bgp));
	printf("\n");
	(void)fflush(stdout);
}

static void stop(struct collector *c)
{
	if (c->reloading)
		(void)pthread_join(c->reload_thread, NULL);
	if (c->loop) {
		/* A start that failed never ran it: HTTP threads that wait for an answer get none. */
		loop_stop(c->loop);
		(void)!loop_run(c->loop);
	}
	http_free(c->http);
	writer_free(c->writer, STOP_TIMEOUT_MS);
	traffic_metrics_free(c->traffic);
	if (c->tables)
		tables_on_churn(c->tables, NULL, NULL);
	intake_free(c->intake);
	if (c->store)
		c->store->ops->close(c->store);
	asnames_free(c->names);
	(void)pthread_rwlock_destroy(&c->names_lock);
	mrt_feed_free(c->feed);
	bgp_speaker_free(c->bgp);
	bmp_station_free(c->bmp);
	tables_free(c->tables);
	peers_free(c->peers);
	world_free(c->next_world);
	world_free(c->world);
	loop_free(c->loop);
}

int collector_run(const char *config_file, struct error *err)
{
	struct collector c = {.config_file = config_file};
	(void)pthread_rwlock_init(&c.names_lock, NULL);
	int r = start(&c, err);
	if (r == 0) {
		print_ready(&c);
		r = loop_run(c.loop);
		if (r < 0)
			(void)error_set(err, r, "event loop: %s", strerror(-r));
	}
	stop(&c);
	return r;
}

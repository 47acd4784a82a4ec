/* SPDX-License-Identifier: BSD-2-Clause */

/* While the collector in use doesn't answer (sender_away), or memory runs short, everything that was never sent moves from
 * memory to the spool, a datagram's body at a time; when one answers and there is room, bodies come back, and their
 * records are taken as new ones. What was sent once stays in memory, since it is owed to that one collector.
 *
 * When the probe ends: what was never sent goes to the spool, what is owed is written to a file as it was sealed. The next run
 * has a session of its own for new records, and one for each such file, which does nothing but send again until it is
 * acknowledged: the same numbers, the same bytes, so nothing is stored twice.
 *
 * A probe that is killed loses what it had in memory. How much is in the spool's notes at every moment: what was never
 * sent is certainly lost and told to the collector as dropped by the next run. What was sent and not acknowledged
 * may be stored or not; the log says how much. */

#include "probe/outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "probe/privileges.h"
#include "probe/spool.h"
#include "wire/datagram.h"

#define MEMORY_BYTES (12u << 20)
#define STOP_NS      (3 * NS_PER_S) /* at the end, for acknowledgements */
#define RESUMED_MAX  32
#define TOO_OLD_MS   (6 * 86400000ull) /* docs/wire.md: a collector that has forgotten a session takes it no more after 7 days */
#define AWAY_EVERY_NS (600 * NS_PER_S) /* a line of the log while a collector is away */
#define BACK_PER_TURN 128 /* bodies from the spool; a turn is a tenth of a second */

struct resumed {
	struct transport transport;
	struct fleet *fleet;
	char name[64];
};

struct outbox {
	const struct config_probe *config;
	struct sender_config sender;
	struct transport transport;
	struct fleet *fleet;
	struct spool *spool; /* NULL: none */
	struct resumed resumed[RESUMED_MAX];
	uint32_t resumed_count;
	uint64_t lost_unsent, lost_owed; /* by a run that was killed */
	bool spooling;
	bool away[FLEET_MAX]; /* as the log knows it */
	uint64_t told_ns[FLEET_MAX];
	struct log_limit spool_limit;
};

/* ---- life ---- */

int outbox_open(const struct config_probe *config, struct outbox **ret, struct error *err)
{
	if (!config->collector_count || !config->key_file)
		return error_set(err, -EINVAL, "%s", config->key_file ? "no collector is named" : "no key is named");
	struct outbox *o = calloc(1, sizeof(*o));
	if (!o)
		return error_set(err, -ENOMEM, "out of memory");
	*o = (struct outbox){.config = config, .sender = {.name = config->name, .memory_bytes = MEMORY_BYTES}};
	uint32_t count = (uint32_t)config->collector_count;
	int r = key_load(config->key_file, config->key_id, &o->sender.key, err);
	if (r == 0)
		r = transport_open((const char *const *)config->collectors, count, &o->transport, err);
	if (r == 0) {
		r = fleet_new(&o->sender, count, &o->fleet);
		if (r < 0)
			(void)error_set(err, r, "no session: %s", strerror(-r));
	}
	if (r < 0) {
		outbox_close(o);
		return r;
	}
	*ret = o;
	return 0;
}

void outbox_close(struct outbox *o)
{
	if (!o)
		return;
	for (uint32_t i = 0; i < o->resumed_count; i++) {
		fleet_free(o->resumed[i].fleet);
		transport_close(&o->resumed[i].transport);
	}
	spool_close(o->spool);
	fleet_free(o->fleet);
	transport_close(&o->transport);
	explicit_bzero(&o->sender.key, sizeof(o->sender.key));
	free(o);
}

const struct transport *outbox_transport(const struct outbox *o)
{
	return &o->transport;
}

void outbox_add(struct outbox *o, const struct record *rec, uint64_t now_ns)
{
	int r = fleet_add(o->fleet, rec, now_ns);
	if (r == 0 && o->spool)
		spool_notes(o->spool)->unsent++; /* at once: there may be no later */
}

void outbox_count_dropped(struct outbox *o, uint64_t records)
{
	fleet_count_dropped(o->fleet, records);
}

/* ---- sessions of earlier runs ---- */

static bool is_configured(const struct config_probe *c, const char *address)
{
	for (size_t i = 0; i < c->collector_count; i++)
		if (strcmp(c->collectors[i], address) == 0)
			return true;
	return false;
}

/* A saved session is the collector's address, with its length, and what sender_save wrote. */
static int resume(struct outbox *o, const char *name, struct view saved, char address[static 300])
{
	struct resumed *n = &o->resumed[o->resumed_count];
	struct rd r = rd_view(saved);
	struct view text = rd_bytes(&r, rd_u16(&r));
	struct error err = {0};
	if (!rd_ok(&r) || text.len >= 300)
		return -EBADMSG;
	memcpy(address, text.data, text.len);
	address[text.len] = '\0';
	if (!is_configured(o->config, address))
		return -EHOSTUNREACH;
	if (strtoull(name, NULL, 10) + TOO_OLD_MS < clock_wall_ms()) /* its name is when it was saved */
		return -ETIME;
	int e = fleet_resume(&o->sender, rd_rest(&r), clock_mono_ns(), &n->fleet);
	if (e == 0)
		e = transport_open((const char *const[]){address}, 1, &n->transport, &err);
	if (e < 0) {
		fleet_free(n->fleet);
		n->fleet = NULL;
		return e;
	}
	(void)snprintf(n->name, sizeof(n->name), "%s", name);
	o->resumed_count++;
	return 0;
}

static void take_session(void *ctx, const char *name, struct view saved)
{
	struct outbox *o = ctx;
	char address[300] = "";
	if (o->resumed_count == RESUMED_MAX)
		return; /* the next run */
	int r = resume(o, name, saved, address);
	if (r == 0)
		log_info("an earlier run owes %s %" PRIu64 " records; they are sent again", address,
			fleet_stats(o->resumed[o->resumed_count - 1].fleet).records);
	else if (r == -ETIME)
		spool_drop_session(o->spool, name);
	if (r < 0)
		log_error("what an earlier run owed %s cannot be sent (%s), it may have it or not: the spool's file %s", address,
			r == -EHOSTUNREACH ? "no longer configured" : r == -ETIME ? "too old" : strerror(-r), name);
}

static void pump_resumed(struct outbox *o)
{
	for (uint32_t i = 0; i < o->resumed_count; i++) {
		struct resumed *n = &o->resumed[i];
		if (transport_pump(&n->transport, n->fleet) < 0 || !fleet_idle(n->fleet))
			continue;
		spool_drop_session(o->spool, n->name);
		fleet_free(n->fleet);
		transport_close(&n->transport);
		*n = o->resumed[--o->resumed_count];
		i--;
	}
}

/* ---- the spool ---- */

int outbox_open_spool(struct outbox *o, struct error *err)
{
	if (!o->config->spool_dir)
		return 0;
	int r = spool_open(o->config->spool_dir, o->config->spool_max_bytes, &o->spool, err);
	if (r == 0)
		r = privileges_give(o->config->spool_dir, o->config->user, err);
	if (r < 0)
		return r;
	struct spool_notes *notes = spool_notes(o->spool);
	o->lost_unsent = notes->unsent;
	o->lost_owed = notes->owed;
	fleet_count_dropped(o->fleet, notes->unsent + notes->untold);
	if (notes->unsent || notes->owed)
		log_warning("the last run was killed: %" PRIu64 " records are lost, which is told to the collector, and %" PRIu64
			" more were sent and not acknowledged: it may have them or not", notes->unsent, notes->owed);
	notes->unsent = notes->owed = notes->untold = 0;
	spool_each_session(o->spool, take_session, o);
	return 0;
}

static int put_body(void *ctx, struct view body, uint32_t records)
{
	struct outbox *o = ctx;
	int r = spool_put(o->spool, body, records);
	if (r < 0)
		log_limited(&o->spool_limit, LOG_LEVEL_WARNING, "spool %s: %s", o->config->spool_dir,
			r == -ENOSPC ? "is full" : strerror(-r));
	return r;
}

/* The records of a body are taken as new ones. */
static void take_body(struct outbox *o, struct view body, uint64_t now_ns)
{
	struct body b;
	struct record rec;
	int server, type, r;
	if (body_read(body, &b) < 0)
		return;
	while ((r = body_next(&b, &rec, &server, &type)) != 0) {
		if (r < 0 && r != -ERANGE)
			break;
		if (r < 0)
			continue;
		rec.server = b.servers[server];
		rec.type = type < 0 ? (struct view){0} : b.types[type];
		(void)!fleet_add(o->fleet, &rec, now_ns);
	}
}

/* Who gets new records; NULL: nobody answers. */
static const char *successor(const struct outbox *o)
{
	for (uint32_t i = 0; i < fleet_count(o->fleet); i++) {
		struct fleet_line line = fleet_line(o->fleet, i);
		if (line.current)
			return line.away ? NULL : o->config->collectors[i];
	}
	return NULL;
}

static bool current_is_away(const struct outbox *o)
{
	return !successor(o);
}

/* Tells the log who doesn't answer and what it is owed, and who answers again. */
static void log_lines(struct outbox *o, uint64_t now_ns)
{
	for (uint32_t i = 0; i < fleet_count(o->fleet); i++) {
		struct fleet_line line = fleet_line(o->fleet, i);
		const char *to = successor(o), *name = o->config->collectors[i];
		if (line.away && (!o->away[i] || now_ns - o->told_ns[i] >= AWAY_EVERY_NS)) {
			log_warning("collector %s doesn't answer: %" PRIu64 " records are owed to it; new ones %s%s", name,
				line.owed.records, to ? "go to " : o->spool ? "wait in the spool " : "wait in memory",
				to ? to : o->spool ? o->config->spool_dir : "");
			o->told_ns[i] = now_ns;
		} else if (!line.away && o->away[i]) {
			log_info("collector %s answers again", name);
		}
		o->away[i] = line.away;
	}
}

static void take_back(struct outbox *o, uint32_t room, uint64_t now_ns)
{
	struct view body;
	struct error err;
	for (int i = 0; i < BACK_PER_TURN && fleet_room(o->fleet) > room; i++) {
		int r = spool_next(o->spool, &body, &err);
		if (r == 0)
			break;
		if (r < 0)
			log_error("%s", err.text);
		else
			take_body(o, body, now_ns);
	}
	fleet_count_dropped(o->fleet, spool_take_lost(o->spool));
}

/* Between the two marks memory is left as it is, so that nothing goes to and fro. */
static void move_spool(struct outbox *o, uint64_t now_ns)
{
	uint32_t room = fleet_room(o->fleet), all = MEMORY_BYTES / DATAGRAM_MAX;
	o->spooling = current_is_away(o) || room < all / 4;
	if (o->spooling)
		(void)fleet_take_unsent(o->fleet, false, put_body, o, now_ns);
	else
		take_back(o, all / 2, now_ns);
	spool_sync(o->spool);
}

static uint64_t owed(const struct outbox *o)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < fleet_count(o->fleet); i++)
		sum += fleet_line(o->fleet, i).owed.records;
	return sum;
}

static void note(struct outbox *o)
{
	struct spool_notes *notes = spool_notes(o->spool);
	notes->unsent = fleet_unsent(o->fleet);
	notes->owed = owed(o);
}

int outbox_turn(struct outbox *o)
{
	if (o->spool)
		move_spool(o, clock_mono_ns());
	int r = transport_pump(&o->transport, o->fleet);
	log_lines(o, clock_mono_ns());
	if (o->spool) {
		note(o);
		pump_resumed(o);
	}
	return r;
}

/* ---- the end ---- */

static void save_owed(struct outbox *o, uint32_t i)
{
	const char *address = o->config->collectors[i];
	struct error err = {0};
	struct buffer saved;
	buffer_init(&saved);
	struct wr w = buffer_reserve(&saved, 2 + strlen(address));
	wr_u16(&w, (uint16_t)strlen(address));
	wr_bytes(&w, address, strlen(address));
	buffer_commit(&saved, &w);
	fleet_save(o->fleet, i, &saved);
	if (spool_save_session(o->spool, &saved, &err) < 0)
		log_error("%s; %" PRIu64 " records were sent to %s, which may have them or not", err.text,
			fleet_line(o->fleet, i).owed.records, address);
	buffer_done(&saved);
}

static void leave_in_spool(struct outbox *o)
{
	uint64_t untold = fleet_take_unsent(o->fleet, true, put_body, o, clock_mono_ns());
	for (uint32_t i = 0; i < fleet_count(o->fleet); i++)
		if (fleet_line(o->fleet, i).owed.records)
			save_owed(o, i);
	struct spool_notes *notes = spool_notes(o->spool);
	notes->unsent = fleet_unsent(o->fleet);
	notes->untold = untold;
	notes->owed = 0;
}

void outbox_finish(struct outbox *o)
{
	uint64_t end_ns = clock_mono_ns() + STOP_NS;
	if (!(o->spool && current_is_away(o)))
		fleet_flush(o->fleet, clock_mono_ns());
	while (transport_pump(&o->transport, o->fleet) == 0 && !fleet_idle(o->fleet) && !current_is_away(o) &&
		clock_mono_ns() < end_ns)
		transport_wait(&o->transport, o->fleet, 100);
	if (o->spool) {
		leave_in_spool(o);
		return;
	}
	uint64_t unsent = fleet_unsent(o->fleet), sent = owed(o);
	if (unsent || sent)
		log_warning("%" PRIu64 " records were not sent, and %" PRIu64 " were sent and not acknowledged: the collector may have "
			"them or not", unsent, sent);
}

json_t *outbox_status(const struct outbox *o)
{
	struct sender_stats s = fleet_stats(o->fleet);
	json_t *collectors = json_array();
	for (uint32_t i = 0; i < fleet_count(o->fleet); i++) {
		struct fleet_line line = fleet_line(o->fleet, i);
		(void)json_array_append_new(collectors, json_pack("{s:s, s:b, s:b, s:I}", "address", o->config->collectors[i],
			"current", line.current, "away", line.away, "owed", (json_int_t)line.owed.records));
	}
	uint64_t earlier = 0;
	for (uint32_t i = 0; i < o->resumed_count; i++)
		earlier += fleet_line(o->resumed[i].fleet, 0).owed.records;
	json_t *status = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name", o->config->name, "taken",
		(json_int_t)s.records, "acknowledged", (json_int_t)s.acknowledged, "dropped", (json_int_t)s.dropped, "unsent",
		(json_int_t)fleet_unsent(o->fleet), "earlier_owed", (json_int_t)earlier, "killed_lost",
		(json_int_t)o->lost_unsent, "killed_owed", (json_int_t)o->lost_owed, "collectors", collectors);
	if (status && o->spool) {
		struct spool_stats t = spool_stats(o->spool);
		(void)json_object_set_new(status, "spool", json_pack("{s:s, s:I, s:I, s:I, s:I, s:b}", "dir", o->config->spool_dir,
			"bytes", (json_int_t)t.bytes, "max_bytes", (json_int_t)t.max_bytes, "records", (json_int_t)t.records,
			"damaged", (json_int_t)t.damaged, "in_use", o->spooling));
	}
	return status;
}

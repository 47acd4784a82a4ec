/* SPDX-License-Identifier: BSD-2-Clause */

/* Records from standard input to a collector, or to the first of several that answers. Reading stops while memory is
 * nearly full, so nothing is dropped for want of room: standard input is the one source that can wait. */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/record_json.h"
#include "sender/transport.h"

#define SEND_MEMORY      (12u << 20)
#define LINES_PER_PUMP   64
#define ROOM_MIN         (2 * LINES_PER_PUMP) /* a line is a datagram at most */
#define LEAVE_AFTER_NS   (200 * NS_PER_MS) /* without --wait */

struct send_options {
	const char *const *to, *key_file, *name;
	uint32_t to_count, key_id;
	bool wait;
	uint64_t give_up_ns; /* without any acknowledgement; UINT64_MAX: never */
};

struct send {
	struct transport transport;
	struct fleet *fleet;
	const struct send_options *options;
	uint64_t acknowledged, since_ns; /* records, as of the last time there were more */
};

/* A whole number of `at_least` to UINT32_MAX. */
static bool parse_number(const char *text, uint32_t at_least, uint32_t *ret)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	bool good = *text >= '0' && *text <= '9' && !*end && n >= at_least && n <= UINT32_MAX;
	*ret = good ? (uint32_t)n : *ret;
	return good;
}

static int take_options(const struct options *o, struct send_options *ret)
{
	const char *key_id = o->values[OPTION_key_id], *give_up = o->values[OPTION_give_up];
	uint32_t seconds = 0;
	*ret = (struct send_options){.to = o->list, .to_count = o->list_count, .key_file = o->values[OPTION_key],
		.name = o->values[OPTION_name], .key_id = 1, .wait = o->values[OPTION_wait] || give_up, .give_up_ns = UINT64_MAX};
	if (o->list_count > FLEET_MAX)
		return command_usage(o->command, "too many collectors");
	if (!o->list_count || !ret->key_file)
		return command_usage(o->command, "--to and --key are needed");
	if (key_id && !parse_number(key_id, 1, &ret->key_id))
		return command_usage(o->command, "--key-id must be a number above 0");
	if (give_up && !parse_number(give_up, 0, &seconds))
		return command_usage(o->command, "--give-up must be a number of seconds");
	if (give_up)
		ret->give_up_ns = seconds * NS_PER_S;
	return EXIT_DONE;
}

static int pump(struct send *s)
{
	int r = transport_pump(&s->transport, s->fleet);
	uint64_t acknowledged = fleet_stats(s->fleet).acknowledged;
	if (acknowledged != s->acknowledged || !s->since_ns)
		s->since_ns = clock_mono_ns();
	s->acknowledged = acknowledged;
	return r;
}

/* Nothing has been acknowledged for too long. */
static bool gives_up(const struct send *s)
{
	return clock_mono_ns() - s->since_ns >= s->options->give_up_ns;
}

/* Room for a batch of records; waits for the collectors when there is none. -ETIMEDOUT: given up. */
static int make_room(struct send *s)
{
	int r = pump(s);
	s->since_ns = clock_mono_ns();
	while (r == 0 && fleet_room(s->fleet) < ROOM_MIN) {
		if (gives_up(s))
			return -ETIMEDOUT;
		transport_wait(&s->transport, s->fleet, 1000);
		r = pump(s);
	}
	return r;
}

static int add_line(struct fleet *f, const char *line, size_t len, uint64_t number)
{
	struct record rec;
	struct error err = {0};
	char type[RECORD_TYPE_MAX];
	int r = record_json_parse(line, len, clock_wall_ms(), type, &rec, &err);
	if (r == 0) {
		r = fleet_add(f, &rec, clock_mono_ns());
		if (r < 0)
			(void)error_set(&err, r, "%s", r == -EINVAL ? "does not fit a datagram" : "dropped: no room");
	}
	if (r < 0)
		fprintf(stderr, "whereto send: line %" PRIu64 ": %s\n", number, err.text);
	return r;
}

/* All of standard input; returns the number of lines that could not be taken, or negative. */
static int64_t read_input(struct send *s)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int64_t bad = 0;
	uint64_t number = 0;
	int r = 0;
	while ((len = getline(&line, &cap, stdin)) >= 0) {
		number++;
		if (line[strspn(line, " \t\r\n")] == '\0')
			continue;
		bad += add_line(s->fleet, line, (size_t)len, number) < 0;
		r = number % LINES_PER_PUMP == 0 ? make_room(s) : 0;
		if (r < 0)
			break;
	}
	free(line);
	return r < 0 ? r : bad;
}

/* Until everything is acknowledged, or it gives up; without --wait just long enough to have it on the wire. */
static int finish(struct send *s)
{
	uint64_t start_ns = s->since_ns = clock_mono_ns();
	fleet_flush(s->fleet, start_ns);
	int r = pump(s);
	while (r == 0 && !fleet_idle(s->fleet)) {
		if (s->options->wait ? gives_up(s) : clock_mono_ns() - start_ns >= LEAVE_AFTER_NS)
			break;
		transport_wait(&s->transport, s->fleet, s->options->wait ? 1000 : 50);
		r = pump(s);
	}
	return r;
}

/* What became of the records; what is said of a collector is what may be stored or lost there. */
static void report(const struct send *s, int64_t bad)
{
	const struct send_options *options = s->options;
	struct sender_stats stats = fleet_stats(s->fleet);
	fprintf(stderr, "whereto send: %" PRIu64 " records taken, %" PRIu64 " acknowledged, %" PRIi64 " lines refused\n",
		stats.records, stats.acknowledged, bad < 0 ? 0 : bad);
	if (!options->wait)
		return;
	for (uint32_t i = 0; i < options->to_count; i++) {
		struct sender_owed owed = fleet_line(s->fleet, i).owed;
		if (owed.records)
			fprintf(stderr, "whereto send: given up: %" PRIu64 " records in %" PRIu64 " datagrams were sent to %s, which"
				" has not acknowledged them: it may have them or not\n", owed.records, owed.datagrams, options->to[i]);
	}
	uint64_t unsent = fleet_unsent(s->fleet);
	if (unsent)
		fprintf(stderr, "whereto send: given up: %" PRIu64 " records were not sent\n", unsent);
}

static int run(struct send *s)
{
	int64_t bad = read_input(s);
	int r = bad < 0 ? (int)bad : finish(s);
	if (r == -ETIMEDOUT)
		fprintf(stderr, "whereto send: given up before the end of the input\n");
	else if (r < 0)
		fprintf(stderr, "whereto send: the socket failed: %s\n", strerror(-r));
	report(s, bad);
	bool given_up = s->options->wait && !fleet_idle(s->fleet);
	return r < 0 || bad || given_up ? EXIT_FAILED : EXIT_DONE;
}

int command_send(int argc, char **argv)
{
	struct options o;
	struct send_options options;
	struct sender_config config = {.memory_bytes = SEND_MEMORY};
	struct send send = {.options = &options};
	struct error err = {0};
	char host[SENDER_NAME_MAX + 1] = "";
	int status = options_parse(argc, argv, OPTIONS_send, NULL, &o);
	if (status != OPTIONS_GO_ON)
		return status;
	status = take_options(&o, &options);
	if (status != EXIT_DONE)
		return status;
	(void)gethostname(host, sizeof(host) - 1);
	config.name = options.name ? options.name : *host ? host : "send";
	if (key_load(options.key_file, options.key_id, &config.key, &err) < 0 ||
		transport_open(options.to, options.to_count, &send.transport, &err) < 0) {
		fprintf(stderr, "whereto send: %s\n", err.text);
		return EXIT_FAILED;
	}
	if (fleet_new(&config, options.to_count, &send.fleet) < 0) {
		fprintf(stderr, "whereto send: '%s' is no valid sender name, or there is no memory\n", config.name);
		transport_close(&send.transport);
		return EXIT_FAILED;
	}
	status = run(&send);
	fleet_free(send.fleet);
	transport_close(&send.transport);
	return status;
}

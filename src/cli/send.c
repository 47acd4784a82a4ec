/* SPDX-License-Identifier: BSD-2-Clause */

/* Records from standard input to a collector. Reading stops while the sender's ring is nearly full, so
 * nothing is dropped for want of room: standard input is the one source that can wait. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/record_json.h"
#include "sender/transport.h"

#define SEND_MEMORY      (12u << 20)
#define LINES_PER_PUMP   64
#define LEAVE_AFTER_NS   (200 * NS_PER_MS) /* without --wait */

struct send_options {
	const char *to, *key_file, *name;
	uint32_t key_id;
	bool wait;
};

static int parse_options(int argc, char **argv, struct send_options *ret)
{
	static const struct option options[] = {
		{"to", required_argument, NULL, 't'},
		{"key", required_argument, NULL, 'k'},
		{"key-id", required_argument, NULL, 'i'},
		{"name", required_argument, NULL, 'n'},
		{"wait", no_argument, NULL, 'w'},
		{0},
	};
	*ret = (struct send_options){.key_id = 1};
	int opt;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		char *end = NULL;
		switch (opt) {
		case 't':
			ret->to = optarg;
			break;
		case 'k':
			ret->key_file = optarg;
			break;
		case 'i':
			ret->key_id = (uint32_t)strtoul(optarg, &end, 10);
			if (*end || !ret->key_id)
				return command_usage(argv[0], "--key-id must be a number above 0");
			break;
		case 'n':
			ret->name = optarg;
			break;
		case 'w':
			ret->wait = true;
			break;
		default:
			return command_usage(argv[0], NULL);
		}
	}
	if (!ret->to || !ret->key_file || optind != argc)
		return command_usage(argv[0], "--to and --key are needed");
	return EXIT_DONE;
}

/* Room for a batch of records; waits for the collector when there is none. */
static int make_room(struct transport *t, struct sender *s, uint64_t high_water)
{
	int r = transport_pump(t, s);
	while (r == 0 && sender_stats(s).waiting >= high_water) {
		transport_wait(t, s, 1000);
		r = transport_pump(t, s);
	}
	return r;
}

static int add_line(struct sender *s, const char *line, size_t len, uint64_t number)
{
	struct record rec;
	struct error err = {0};
	char type[RECORD_TYPE_MAX];
	int r = record_json_parse(line, len, clock_wall_ms(), type, &rec, &err);
	if (r == 0) {
		r = sender_add(s, &rec, clock_mono_ns());
		if (r < 0)
			(void)error_set(&err, r, "%s", r == -EINVAL ? "does not fit a datagram" : "dropped: no room");
	}
	if (r < 0)
		fprintf(stderr, "whereto send: line %" PRIu64 ": %s\n", number, err.text);
	return r;
}

/* All of standard input; returns the number of lines that could not be taken, or negative. */
static int64_t read_input(struct transport *t, struct sender *s)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int64_t bad = 0;
	uint64_t number = 0, high_water = SEND_MEMORY / 1400 / 2;
	while ((len = getline(&line, &cap, stdin)) >= 0) {
		number++;
		if (line[strspn(line, " \t\r\n")] == '\0')
			continue;
		bad += add_line(s, line, (size_t)len, number) < 0;
		if (number % LINES_PER_PUMP == 0 && make_room(t, s, high_water) < 0) {
			bad = -1;
			break;
		}
	}
	free(line);
	return bad;
}

/* Until everything is acknowledged; without --wait just long enough to have it on the wire. */
static int finish(struct transport *t, struct sender *s, bool wait)
{
	uint64_t end = clock_mono_ns() + LEAVE_AFTER_NS;
	sender_flush(s, clock_mono_ns());
	int r = transport_pump(t, s);
	while (r == 0 && !sender_idle(s) && (wait || clock_mono_ns() < end)) {
		transport_wait(t, s, wait ? 1000 : 50);
		r = transport_pump(t, s);
	}
	return r;
}

int command_send(int argc, char **argv)
{
	struct send_options options;
	struct sender_config config = {.memory_bytes = SEND_MEMORY};
	struct transport transport;
	struct sender *sender;
	struct error err = {0};
	char host[SENDER_NAME_MAX + 1] = "";
	int status = parse_options(argc, argv, &options);
	if (status != EXIT_DONE)
		return status;
	(void)gethostname(host, sizeof(host) - 1);
	config.name = options.name ? options.name : *host ? host : "send";
	if (key_load(options.key_file, options.key_id, &config.key, &err) < 0 ||
		transport_open(options.to, &transport, &err) < 0) {
		fprintf(stderr, "whereto send: %s\n", err.text);
		return EXIT_FAILED;
	}
	if (sender_new(&config, &sender) < 0) {
		fprintf(stderr, "whereto send: '%s' is no valid sender name, or there is no memory\n", config.name);
		transport_close(&transport);
		return EXIT_FAILED;
	}
	int64_t bad = read_input(&transport, sender);
	int r = bad < 0 ? (int)bad : finish(&transport, sender, options.wait);
	struct sender_stats stats = sender_stats(sender);
	if (r < 0)
		fprintf(stderr, "whereto send: %s: the socket failed\n", options.to);
	fprintf(stderr, "whereto send: %" PRIu64 " records taken, %" PRIu64 " acknowledged, %" PRIi64 " lines refused\n",
		stats.records, stats.acknowledged, bad < 0 ? 0 : bad);
	sender_free(sender);
	transport_close(&transport);
	return r < 0 || bad ? EXIT_FAILED : EXIT_DONE;
}

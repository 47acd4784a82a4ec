/* SPDX-License-Identifier: BSD-2-Clause */

/* One table gives every command its options: getopt_long's entries, the help, and the API's parameter
 * that a value becomes. An option a command does not have is unknown to it. getopt's own messages are
 * switched off, so that all of them look alike and name the command. Its state is process-wide: one
 * thread parses, and each call starts anew. */

#include "cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "cli/command.h"

static const struct {
	const char *name, *value, *parameter, *help;
	unsigned commands;
} table[OPTION_COUNT] = {
#define OPTION(id, name, value, parameter, commands, help) {name, value, parameter, help, OPTIONS_##commands},
#include "cli/options.def"
#undef OPTION
};

static const struct {
	const char *name, *args, *help;
} commands[] = {
#define COMMAND(name, args, help) {#name, args, help},
#include "cli/commands.def"
#undef COMMAND
};

#define GETOPT_FIRST 256 /* above every character */

const char *option_name(enum option_id id)
{
	return table[id].name;
}

const char *option_parameter(enum option_id id)
{
	return table[id].parameter;
}

static void print_help(const char *command, unsigned mask)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, command) == 0)
			printf("usage: whereto %s %s\n\n%s\n\noptions:\n", command, commands[i].args, commands[i].help);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char left[64];
		(void)snprintf(left, sizeof(left), "--%s%s%s", table[i].name, table[i].value ? " " : "",
			table[i].value ? table[i].value : "");
		if (table[i].commands & mask)
			printf("  %-24s  %s\n", left, table[i].help);
	}
}

/* getopt's table for one command. */
static void make_getopt(unsigned mask, struct option ret[static OPTION_COUNT + 1])
{
	size_t n = 0;
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (!(table[i].commands & mask))
			continue;
		const char *value = table[i].value;
		int has = !value ? no_argument : *value == '[' ? optional_argument : required_argument;
		ret[n++] = (struct option){table[i].name, has, NULL, GETOPT_FIRST + i};
	}
	ret[n] = (struct option){0};
}

/* "--watch 5", "--compare 1d": getopt takes an optional value only behind '=', so one that follows is taken here. Commands with
 * such an option have no other arguments. */
static const char *optional_value(int argc, char **argv)
{
	return optind < argc && *argv[optind] && *argv[optind] != '-' ? argv[optind++] : "";
}

/* The message for what getopt refused. */
static int refuse(int argc, char **argv, int code, int at)
{
	char why[256];
	const char *what = at < argc ? argv[at] : "";
	(void)snprintf(why, sizeof(why), code == ':' ? "option '%.200s' needs a value" : "no option '%.200s'; "
		"--help lists them", what);
	return command_usage(argv[0], why);
}

static int take_arguments(int argc, char **argv, const char *wants, struct options *o)
{
	char why[256];
	int count = argc - optind;
	if (count > (wants ? 1 : 0)) {
		(void)snprintf(why, sizeof(why), "'%.200s' is not expected here", argv[optind + (wants ? 1 : 0)]);
		return command_usage(argv[0], why);
	}
	bool optional = wants && *wants == '[';
	if (wants && count == 0 && !optional) {
		(void)snprintf(why, sizeof(why), "%s is missing", wants);
		return command_usage(argv[0], why);
	}
	o->argument = wants && count ? argv[optind] : NULL;
	return OPTIONS_GO_ON;
}

int options_parse(int argc, char **argv, enum option_commands command, const char *wants, struct options *ret)
{
	struct option entries[OPTION_COUNT + 1];
	struct options o = {.command = argv[0]};
	make_getopt(command, entries);
	optind = 0;
	opterr = 0;
	for (;;) {
		int at = optind ? optind : 1;
		int code = getopt_long(argc, argv, ":", entries, NULL);
		if (code < 0)
			break;
		if (code < GETOPT_FIRST)
			return refuse(argc, argv, code, optind > at ? optind - 1 : at);
		int i = code - GETOPT_FIRST;
		if (i == OPTION_help) {
			print_help(argv[0], command);
			return EXIT_DONE;
		}
		o.values[i] = optarg ? optarg : table[i].value ? optional_value(argc, argv) : "";
	}
	if (o.values[OPTION_fields] && !o.values[OPTION_json] && !o.values[OPTION_csv])
		return command_usage(argv[0], "--fields goes with --json or --csv");
	if (o.values[OPTION_json] && o.values[OPTION_csv])
		return command_usage(argv[0], "--json and --csv exclude each other");
	int r = take_arguments(argc, argv, wants, &o);
	if (r == OPTIONS_GO_ON)
		*ret = o;
	return r;
}

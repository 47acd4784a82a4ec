/* SPDX-License-Identifier: BSD-2-Clause */

/* One table gives every command its options: getopt_long's entries, the help, the API's parameter
 * that a value becomes, and what can be completed. An option a command does not have is unknown to it. getopt's own messages are
 * switched off, so that all of them look alike and name the command. Its state is process-wide: one
 * thread parses, and each call starts anew. */

#include "cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/words.h"
#include "cli/command.h"

static const struct {
	const char *name, *value, *parameter, *help;
	unsigned commands;
} table[OPTION_COUNT] = {
#define OPTION(id, name, value, parameter, commands, help) {name, value, parameter, help, (unsigned)OPTIONS_##commands},
#include "cli/options.def"
#undef OPTION
};

static const struct option_command_row commands[] = {
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

struct option_row option_row(enum option_id id)
{
	return (struct option_row){table[id].name, table[id].value, table[id].help, table[id].commands};
}

struct option_command_row option_command_row(enum option_command command)
{
	return commands[command];
}

static bool is_short(const char *name)
{
	return !name[1];
}

static const char *dashes(const char *name)
{
	return is_short(name) ? "-" : "--";
}

static void print_help(unsigned mask)
{
	for (unsigned i = 0; i < OPTION_COMMAND_COUNT; i++)
		if (mask == 1u << i)
			printf("usage: whereto %s%s%s\n\n%s\n\noptions:\n", commands[i].name, *commands[i].args ? " " : "", commands[i].args, commands[i].help);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char left[64];
		(void)snprintf(left, sizeof(left), "%s%s%s%s", dashes(table[i].name), table[i].name, table[i].value ? " " : "",
			table[i].value ? table[i].value : "");
		if (table[i].commands & mask)
			printf("  %-24s  %s\n", left, table[i].help);
	}
}

/* getopt's tables for one command. */
struct getopt_tables {
	struct option entries[OPTION_COUNT + 1];
	char letters[2 * OPTION_COUNT + 3];
};

static void make_getopt(unsigned mask, struct getopt_tables *ret)
{
	struct option *entry = ret->entries;
	char *letter = stpcpy(ret->letters, ":h");
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (!(table[i].commands & mask))
			continue;
		const char *value = table[i].value;
		if (is_short(table[i].name))
			letter = stpcpy(stpcpy(letter, table[i].name), value ? ":" : "");
		else
			*entry++ = (struct option){table[i].name, !value ? no_argument : *value == '[' ? optional_argument : required_argument,
				NULL, GETOPT_FIRST + i};
	}
	*entry = (struct option){0};
}

/* Of what getopt returned; OPTION_COUNT when it refused something. */
static int id_of(int code, unsigned mask)
{
	if (code >= GETOPT_FIRST)
		return code - GETOPT_FIRST;
	for (int i = 0; i < OPTION_COUNT && code != 'h'; i++)
		if ((table[i].commands & mask) && is_short(table[i].name) && table[i].name[0] == code)
			return i;
	return code == 'h' ? OPTION_help : OPTION_COUNT;
}

/* "--watch 5", "--compare 1d": getopt takes an optional value only behind '=', so one that follows is taken here. Commands with
 * such an option have no other arguments. */
static const char *optional_value(int argc, char **argv)
{
	return optind < argc && *argv[optind] && *argv[optind] != '-' ? argv[optind++] : "";
}

int options_refuse(int argc, char **argv, int code, int at)
{
	char why[256];
	const char *what = at < argc ? argv[at] : "";
	(void)snprintf(why, sizeof(why), code == ':' ? "option '%.200s' needs a value" : "no option '%.200s'; "
		"--help lists them", what);
	return command_usage(argv[0], why);
}

/* "asc|desc" has all values there are; "sqlite|URL" has not. */
static bool is_listed(const char *values, const char *value)
{
	bool list = strchr(values, '|') && !strpbrk(values, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return !list || words_have(values, '|', value);
}

static int take_value(char **argv, int id, const char *value, struct options *o)
{
	char why[256];
	if (table[id].value && !is_listed(table[id].value, value)) {
		(void)snprintf(why, sizeof(why), "%s%s is %s, not '%.100s'", dashes(table[id].name), table[id].name, table[id].value, value);
		return command_usage(argv[0], why);
	}
	o->values[id] = value;
	if (id != OPTION_to_collector)
		return OPTIONS_GO_ON;
	if (o->list_count == OPTIONS_LIST_MAX)
		return command_usage(argv[0], "too many collectors");
	o->list[o->list_count++] = value;
	return OPTIONS_GO_ON;
}

/* wants: "ACTION [URL]". */
static int take_arguments(int argc, char **argv, const char *wants, struct options *o)
{
	char why[256];
	int count = argc - optind, n = 0;
	for (const char *p = wants ? wants : ""; *p; n++) {
		int len = (int)strcspn(p, " ");
		if (n < count) {
			o->arguments[n] = argv[optind + n];
		} else if (*p != '[') {
			(void)snprintf(why, sizeof(why), "%.*s is missing", len, p);
			return command_usage(argv[0], why);
		}
		p += len + (p[len] == ' ');
	}
	if (count <= n)
		return OPTIONS_GO_ON;
	(void)snprintf(why, sizeof(why), "'%.200s' is not expected here", argv[optind + n]);
	return command_usage(argv[0], why);
}

static int exclusions(char **argv, const struct options *o)
{
	if (o->values[OPTION_fields] && !o->values[OPTION_json] && !o->values[OPTION_csv])
		return command_usage(argv[0], "--fields goes with --json or --csv");
	if (o->values[OPTION_json] && o->values[OPTION_csv])
		return command_usage(argv[0], "--json and --csv exclude each other");
	return OPTIONS_GO_ON;
}

int options_parse(int argc, char **argv, enum option_commands command, const char *wants, struct options *ret)
{
	struct getopt_tables tables;
	struct options o = {.command = argv[0]};
	int r = OPTIONS_GO_ON;
	make_getopt(command, &tables);
	optind = 0;
	opterr = 0;
	while (r == OPTIONS_GO_ON) {
		int at = optind ? optind : 1, code = getopt_long(argc, argv, tables.letters, tables.entries, NULL);
		if (code < 0)
			break;
		int id = id_of(code, command);
		if (id == OPTION_COUNT)
			return options_refuse(argc, argv, code, optind > at ? optind - 1 : at);
		if (id == OPTION_help) {
			print_help(command);
			return EXIT_DONE;
		}
		r = take_value(argv, id, optarg ? optarg : table[id].value ? optional_value(argc, argv) : "", &o);
	}
	if (r == OPTIONS_GO_ON)
		r = exclusions(argv, &o);
	if (r == OPTIONS_GO_ON)
		r = take_arguments(argc, argv, wants, &o);
	if (r == OPTIONS_GO_ON)
		*ret = o;
	return r;
}

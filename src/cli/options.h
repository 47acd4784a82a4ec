/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The command line of the commands that ask the collector (options.def). Values are views into argv. */

#include <stdbool.h>
#include <stdint.h>

enum option_id {
#define OPTION(id, name, value, parameter, commands, help) OPTION_##id,
#include "cli/options.def"
#undef OPTION
	OPTION_COUNT
};

/* A bit for each command (commands.def), and sets of them. */
enum option_command {
#define COMMAND(name, args, help) OPTION_OF_##name,
#include "cli/commands.def"
#undef COMMAND
	OPTION_COMMAND_COUNT
};

enum option_commands {
#define COMMAND(name, args, help) OPTIONS_##name = 1 << OPTION_OF_##name,
#include "cli/commands.def"
#undef COMMAND
	OPTIONS_GROUPED = OPTIONS_top | OPTIONS_series,
	OPTIONS_TRAFFIC = OPTIONS_GROUPED | OPTIONS_paths,
	OPTIONS_RANGE = OPTIONS_TRAFFIC | OPTIONS_changes | OPTIONS_compare | OPTIONS_peering | OPTIONS_suspects | OPTIONS_incidents,
	OPTIONS_ROUTER = OPTIONS_lookup | OPTIONS_changes | OPTIONS_routes,
	OPTIONS_ROWS = OPTIONS_RANGE | OPTIONS_routes,
	OPTIONS_QUESTION = OPTIONS_ROWS | OPTIONS_lookup | OPTIONS_senders | OPTIONS_routers,
	OPTIONS_CONFIG = OPTIONS_collector | OPTIONS_store,
	OPTIONS_ANY = (1 << OPTION_COMMAND_COUNT) - 1,
};

#define OPTIONS_LIST_MAX      16
#define OPTIONS_ARGUMENTS_MAX 2

struct options {
	const char *command;
	const char *values[OPTION_COUNT]; /* NULL: not given; "" for a switch */
	const char *list[OPTIONS_LIST_MAX]; /* values of the option that may come again (a command has one at most) */
	uint32_t list_count;
	const char *arguments[OPTIONS_ARGUMENTS_MAX]; /* those that are no options; NULL: not given */
};

/* OPTIONS_GO_ON, or the exit status: EXIT_DONE after --help, EXIT_USAGE after a message. wants: the names
 * of the arguments that must be given, with blanks between, or may when they stand in brackets; NULL: none may. A value that is
 * none of those listed for it ("asc|desc") is refused. */
#define OPTIONS_GO_ON (-1)
int options_parse(int argc, char **argv, enum option_commands command, const char *wants, struct options *ret);

/* The message for what getopt_long (with ":" first, opterr 0) refused: code is what it returned, at the word it looked at.
 * Returns EXIT_USAGE. */
int options_refuse(int argc, char **argv, int code, int at);

/* What the tables say, for the help and for completion. */
struct option_row {
	const char *name, *value, *help; /* name without dashes: a single character has one, others two; value: NULL for a switch */
	unsigned commands;
};
struct option_row option_row(enum option_id id);
/* NULL when there is no such command. args, help: as in commands.def. */
struct option_command_row {
	const char *name, *args, *help;
};
struct option_command_row option_command_row(enum option_command command);

/* Without the dashes. */
const char *option_name(enum option_id id);
/* The API's parameter of an option; NULL when it has none. */
const char *option_parameter(enum option_id id);

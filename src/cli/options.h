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

enum option_commands {
	OPTIONS_TOP = 1,
	OPTIONS_SERIES = 2,
	OPTIONS_LOOKUP = 4,
	OPTIONS_SENDERS = 8,
	OPTIONS_ROUTERS = 16,
	OPTIONS_CHANGES = 32,
	OPTIONS_ROUTES = 64,
	OPTIONS_PATHS = 128,
	OPTIONS_COMPARE = 256,
	OPTIONS_PEERING = 512,
	OPTIONS_SUSPECTS = 1024,
	OPTIONS_INCIDENTS = 2048,
	OPTIONS_GROUPED = OPTIONS_TOP | OPTIONS_SERIES,
	OPTIONS_TRAFFIC = OPTIONS_GROUPED | OPTIONS_PATHS,
	OPTIONS_BY = OPTIONS_GROUPED | OPTIONS_COMPARE,
	OPTIONS_RANGE = OPTIONS_TRAFFIC | OPTIONS_CHANGES | OPTIONS_COMPARE | OPTIONS_PEERING | OPTIONS_SUSPECTS | OPTIONS_INCIDENTS,
	OPTIONS_ROUTER = OPTIONS_LOOKUP | OPTIONS_CHANGES | OPTIONS_ROUTES,
	OPTIONS_ROWS = OPTIONS_RANGE | OPTIONS_ROUTES,
	OPTIONS_FILTER = OPTIONS_RANGE | OPTIONS_ROUTES,
	OPTIONS_ANY = 4095,
};

struct options {
	const char *command;
	const char *values[OPTION_COUNT]; /* NULL: not given; "" for a switch */
	const char *argument;             /* the one that is no option, when the command takes one */
};

/* OPTIONS_GO_ON, or the exit status: EXIT_DONE after --help, EXIT_USAGE after a message. wants: the name
 * of the argument that must be given, or may when it stands in brackets; NULL: none may. */
#define OPTIONS_GO_ON (-1)
int options_parse(int argc, char **argv, enum option_commands command, const char *wants, struct options *ret);

/* Without the dashes. */
const char *option_name(enum option_id id);
/* The API's parameter of an option; NULL when it has none. */
const char *option_parameter(enum option_id id);

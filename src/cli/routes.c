/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/route_table.h"

static int prepare(struct options *o)
{
	const bool longer = o->values[OPTION_longer], shorter = o->values[OPTION_shorter];
	if (longer + shorter + (o->values[OPTION_select] != NULL) > 1)
		return command_usage(o->command, "--select, --longer and --shorter exclude each other");
	if (longer || shorter)
		o->values[OPTION_select] = longer ? "longer" : "shorter";
	if (o->values[OPTION_select] && !o->arguments[0])
		return command_usage(o->command, "--select, --longer and --shorter need a PREFIX");
	return EXIT_DONE;
}

static int print_answer(const struct options *o, const struct client_answer *a)
{
	const json_t *answer = a->json;
	const char *next = json_string_value(json_object_get(answer, "next"));
	int r = route_table_print(json_object_get(answer, "rows"), "no routes");
	if (next)
		printf("there are more: --after %s, or a larger --limit\n", next);
	return r;
}

int command_routes(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_routes, .wants = "[PREFIX]", .path = "/api/v1/routes",
		.parameter = "prefix", .prepare = prepare, .print = print_answer};
	return client_command(argc, argv, &question);
}

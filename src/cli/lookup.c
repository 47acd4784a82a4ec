/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/route_table.h"

static int print_answer(const struct options *o, const struct client_answer *a)
{
	const json_t *answer = a->json;
	const char *address = json_string_value(json_object_get(answer, "address"));
	const char *country = json_string_value(json_object_get(answer, "country"));
	printf("%s  country %s\n\n", address ? address : "", country ? country : "unknown");
	return route_table_print(json_object_get(answer, "rows"), "no routers are configured");
}

int command_lookup(int argc, char **argv)
{
	const struct client_question question = {.command = OPTIONS_lookup, .wants = "ADDRESS", .path = "/api/v1/lookup",
		.parameter = "address", .print = print_answer};
	return client_command(argc, argv, &question);
}

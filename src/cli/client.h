/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The commands' way to the collector: one GET over HTTP. Messages go to standard error. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/options.h"

struct client_answer {
	char *body; /* ends with a NUL that is not counted */
	size_t len;
	json_t *json; /* NULL with --json and --csv: nobody looks inside */
	uint64_t now_s; /* when it was answered, by the collector's clock (its Date), since 1970 */
	uint64_t since_s; /* when the store's traffic begins, where that was asked for; 0: not known */
};

/* From now on a question is given up when this says so; it is asked about once a second. NULL: never. */
void client_give_up_when(bool (*wants_end)(void));

/* Asks for the path with the options' parameters, and one more when name is not NULL. Returns the exit
 * status; EXIT_DONE fills in the answer. What the collector calls a bad parameter is EXIT_USAGE. */
int client_get(const struct options *o, const char *path, const char *name, const char *value,
	struct client_answer *ret);
/* Also asks since when there is traffic, unless the answer is not looked into. Returns the exit status. */
int client_get_since(const struct options *o, struct client_answer *a);
void client_answer_done(struct client_answer *a);

/* A whole command that asks one question: options, the path with its parameters, and the answer, as it came
 * or by print. wants names the argument (NULL: none; in brackets: may be missing), which becomes the parameter. Returns the exit status. */
struct client_question {
	enum option_commands command;
	const char *wants, *path, *parameter;
	bool since; /* averages are over what there is of the range: client_get_since */
	int (*prepare)(struct options *o); /* looks at the options before they are sent, and may set some: EXIT_USAGE ends it. NULL: no need */
	int (*print)(const struct options *o, const struct client_answer *answer);
};
int client_command(int argc, char **argv, const struct client_question *q);

/* True when --json or --csv is given: the answer has been printed as it came; *ret_status is the exit
 * status. */
bool client_print_raw(const struct options *o, const struct client_answer *a, int *ret_status);

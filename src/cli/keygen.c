/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cli/command.h"
#include "cli/options.h"
#include "wire/key.h"

int command_keygen(int argc, char **argv)
{
	struct error err = {0};
	struct options o;
	int r = options_parse(argc, argv, OPTIONS_keygen, "FILE", &o);
	if (r != OPTIONS_GO_ON)
		return r;
	if (key_generate(o.arguments[0], &err) < 0) {
		fprintf(stderr, "whereto keygen: %s\n", err.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

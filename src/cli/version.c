/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cli/command.h"
#include "cli/options.h"

int command_version(int argc, char **argv)
{
	struct options o;
	int r = options_parse(argc, argv, OPTIONS_version, NULL, &o);
	if (r != OPTIONS_GO_ON)
		return r;
	puts("whereto " WHERETO_VERSION);
	return EXIT_DONE;
}

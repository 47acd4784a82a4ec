/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cli/command.h"

int command_version(int argc, char **argv)
{
	if (argc > 1)
		return command_usage(argv[0], NULL);
	puts("whereto " WHERETO_VERSION);
	return EXIT_DONE;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cli/command.h"
#include "wire/key.h"

int command_keygen(int argc, char **argv)
{
	struct error err = {0};
	if (argc != 2 || argv[1][0] == '-')
		return command_usage(argv[0], NULL);
	if (key_generate(argv[1], &err) < 0) {
		fprintf(stderr, "whereto keygen: %s\n", err.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <getopt.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/command.h"
#include "collector/collector.h"

int command_collector(int argc, char **argv)
{
	const char *file = NULL;
	int opt;
	while ((opt = getopt(argc, argv, "c:v")) != -1) {
		if (opt == 'c')
			file = optarg;
		else if (opt == 'v')
			log_set_level(LOG_LEVEL_DEBUG);
		else
			return command_usage(argv[0], NULL);
	}
	if (!file || optind != argc)
		return command_usage(argv[0], "a configuration file is needed");
	struct error err = {0};
	if (collector_run(file, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

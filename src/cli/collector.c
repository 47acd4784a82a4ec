/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/options.h"
#include "collector/collector.h"

int command_collector(int argc, char **argv)
{
	struct options o;
	struct error err = {0};
	int r = options_parse(argc, argv, OPTIONS_collector, NULL, &o);
	if (r != OPTIONS_GO_ON)
		return r;
	if (!o.values[OPTION_config])
		return command_usage(argv[0], "-c FILE is missing");
	if (o.values[OPTION_verbose])
		log_set_level(LOG_LEVEL_DEBUG);
	if (collector_run(o.values[OPTION_config], &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The daemon: reads the configuration, opens store and journal, listens, prints one line
 * `ready telemetry=HOST:PORT http=HOST:PORT` on standard output, and serves until SIGTERM or SIGINT.
 * SIGHUP loads configuration and data files again, all or nothing. */

#include "base/error.h"

/* 0 after an orderly stop; negative errno and err when it could not start. */
int collector_run(const char *config_file, struct error *err) MUST_USE;

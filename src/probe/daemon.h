/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The probe: a backend's events become records, which go to collectors, or to whoever asked to see them. */

#include "collector/config.h"
#include "wire/record.h"

/* Instead of sending: gets every record. */
struct probe_dry {
	void (*record)(void *ctx, const struct record *rec);
	void *ctx;
};

/* Runs until SIGINT or SIGTERM. SIGHUP: reads file (NULL: there is none) anew and takes what it can (reload.h). Says "ready backend=NAME ..." in one line, on standard output or, when dry (which may be
 * NULL) is given, on standard error. */
int probe_run(const struct config_probe *config, const char *file, const struct probe_dry *dry, struct error *err) MUST_USE;

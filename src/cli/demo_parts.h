/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The real parts of the demo: this program's own collector on SQLite, and Debian's nginx with the module.
 * Their configurations are written here. One thread. */

#include "base/address.h"
#include "cli/demo_process.h"

struct demo_parts {
	const char *folder;
	char nginx_file[256];
	int module_fd; /* -1: not open */
	struct demo_process collector, nginx;
	char telemetry[HOSTPORT_TEXT_MAX], http[HOSTPORT_TEXT_MAX], bmp[HOSTPORT_TEXT_MAX];
	uint16_t web_port; /* on all server addresses */
};

void demo_parts_init(struct demo_parts *p);
void demo_parts_done(struct demo_parts *p);

/* Looks for nginx, and opens the module's file: the one named, or (NULL) the one built or installed with this
 * program. The message says how to get what is missing. */
int demo_parts_find(struct demo_parts *p, const char *module, struct error *err) MUST_USE;

/* Both return when the program serves; -EINTR when a signal asks for the end. When the program has ended
 * instead the code is -ECHILD, and demo_process_report tells more. p->folder is set and holds the
 * sample data. */
int demo_parts_start_collector(struct demo_parts *p, struct error *err) MUST_USE;
int demo_parts_start_nginx(struct demo_parts *p, struct error *err) MUST_USE;

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the demo shows, from the collector's HTTP API as any user has it. A thread of its own, because an
 * answer may take as long as the store does, and output as long as the terminal likes. */

#include <stdbool.h>

#include "cli/demo_picture.h"

struct demo_view_config {
	struct demo_source source;
	void (*output_gone)(void *ctx); /* nobody reads standard output any more; on the view's thread */
	void *ctx;
};

struct demo_view;

/* Starts drawing on standard output: each second in place on a terminal, else a snapshot every few
 * seconds. config is copied, its strings are not. -errno. */
int demo_view_new(const struct demo_view_config *config, struct demo_view **ret) MUST_USE;
/* Ends the thread and gives the terminal back as it was. NULL is fine. */
void demo_view_free(struct demo_view *v);

/* The last picture, as a table that stays on the screen; not while a view draws. Returns an exit status;
 * EXIT_DONE fills in the totals. */
int demo_view_final(const struct demo_view_config *config, struct demo_totals *ret) MUST_USE;

/* Prints on standard output, giving up after some seconds when nobody takes it. False: it's gone. */
bool demo_view_print(const char *fmt, ...) PRINTF(1, 2);

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the demo knows of its collector, by the HTTP API as any user does, and how that is printed. Asking may
 * take as long as the store does. One thread at a time. */

#include <stdio.h>

#include "cli/client.h"
#include "cli/table.h"

struct demo_source {
	const char *api;   /* "http://127.0.0.1:4711" */
	uint64_t since_s;  /* when the demo began */
	unsigned networks; /* how many there are */
};

/* Counts of records, but for the last two. */
struct demo_totals {
	uint64_t sent, stored, rejected, dropped, lost, in_flight;
	uint64_t requests, bytes_sent;
};

/* One look at the collector. */
struct demo_look {
	struct client_answer networks, split, senders;
	struct demo_totals totals;
	struct screen screen;
	uint64_t elapsed_s;
	double rate; /* records a second; below 0: not known */
};

/* Asks for at most limit networks. Returns an exit status, after a message on standard error when it is not
 * EXIT_DONE; then there is nothing to be done with ret. elapsed_s and rate are left to the caller. */
int demo_look_make(const struct demo_source *source, unsigned limit, struct demo_look *ret) MUST_USE;
void demo_look_done(struct demo_look *l);

/* What this is, and what to do with it. */
void demo_picture_about(const struct demo_source *source, FILE *out);
void demo_picture_hints(const struct demo_source *source, FILE *out);

/* For a whole terminal: takes DEMO_SCREEN_LINES lines and one a network. */
#define DEMO_SCREEN_LINES 21
void demo_picture_screen(const struct demo_source *source, const struct demo_look *l, FILE *out);
/* A few lines between others. */
void demo_picture_snapshot(const struct demo_look *l, FILE *out);
/* The table that stays. */
void demo_picture_final(const struct demo_look *l, FILE *out);

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The terminal as a live view needs it: the alternate screen, which leaves what was there alone, no
 * cursor, keys without Enter. One view a process, one thread. */

#include <stdbool.h>

#include "base/compiler.h"

/* The alternate screen without cursor and line wrap, and back. */
#define LIVE_ENTER "\033[?1049h\033[?25l\033[?7l"
#define LIVE_LEAVE "\033[?7h\033[?25h\033[?1049l"

enum live_event {
	LIVE_TIME = 256, /* nothing came in time */
	LIVE_REDRAW,     /* the size changed, or the program was stopped and goes on */
	LIVE_END,        /* SIGINT, SIGTERM, SIGHUP, or the terminal has gone */
	LIVE_UP,
	LIVE_DOWN,
	LIVE_LEFT,
	LIVE_RIGHT,
};

/* -ENOTTY when standard output is no terminal, or a dumb one (TERM); other negative errno. Standard input may be anything: keys
 * are read when it is a terminal. */
int live_open(void) MUST_USE;
/* The terminal as it was. Also without live_open. */
void live_close(void);
/* The next key, below 256, or an event. */
int live_wait(unsigned ms);
/* Whether the next live_wait returns LIVE_END because of a signal: for work in between, that would keep it waiting. */
bool live_wants_end(void);
/* Writes the picture over the one before; what is beyond the screen's height is left out. */
void live_draw(const char *picture, unsigned height);

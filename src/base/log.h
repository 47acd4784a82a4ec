/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The log: one line an event on standard error, "LEVEL text", subject first, key=value after it.
 * systemd's journal is told each line's priority. Control characters are blanks.
 * Only the daemon and the commands log; libraries return errors. Any thread may call. Lines that a
 * peer can cause go through log_limited, which lets ten through a minute, fewer when it goes on, and counts. */

#include "base/compiler.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are dropped; LOG_LEVEL_INFO at start. */
void log_set_level(enum log_level level);

void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* One per message that a peer can cause; zero at start. */
struct log_limit {
	uint64_t window_start_ns;
	uint32_t minutes; /* the window's length; 0: none so far */
	uint32_t lines;
	uint64_t suppressed;
};

/* Writes at most ten lines a minute; the first line of the next minute tells how many were dropped. When there were such, and
 * there is no end of it, ten are for the next two minutes, then four, up to sixteen: what a router tries again and again
 * fills no disk. A limit belongs to one thread. */
void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...) PRINTF(3, 4);

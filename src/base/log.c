/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"

#define LINE_MAX_BYTES    1024
#define LIMIT_LINES       10
#define LIMIT_WINDOW_NS   (60 * NS_PER_S)

static _Atomic int max_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	atomic_store(&max_level, (int)level);
}

__attribute__((format(printf, 2, 0)))
static void write_line(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	if ((int)level > atomic_load(&max_level))
		return;
	char line[LINE_MAX_BYTES];
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	/* One call, so that lines of several threads do not mix. */
	(void)fprintf(stderr, "%s: %s\n", names[level], line);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	uint64_t now = clock_mono_ns();
	if (!limit->window_start_ns || now - limit->window_start_ns > LIMIT_WINDOW_NS) {
		if (limit->suppressed)
			log_write(level, "%llu more lines like the next were not logged",
				(unsigned long long)limit->suppressed);
		*limit = (struct log_limit){.window_start_ns = now};
	}
	if (limit->lines >= LIMIT_LINES) {
		limit->suppressed++;
		return;
	}
	limit->lines++;
	va_list ap;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

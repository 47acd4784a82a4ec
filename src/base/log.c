/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES    1024
#define LIMIT_LINES       10
#define LIMIT_WINDOW_NS   (60 * NS_PER_S)
#define LIMIT_WINDOWS_MAX 16 /* so many minutes, when it goes on and on */

static _Atomic int max_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	atomic_store(&max_level, (int)level);
}

/* systemd's journal takes a line's priority from its front (sd-daemon(3)). $JOURNAL_STREAM says which file it reads. */
static bool is_journal(void)
{
	const char *named = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	return named && sscanf(named, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
		st.st_ino == ino;
}

/* A peer's text stays in its line, and does nothing to a terminal. */
static void blank_controls(char *line)
{
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

__attribute__((format(printf, 2, 0)))
static void write_line(enum log_level level, const char *fmt, va_list ap)
{
	static const struct {
		const char *priority, *name;
	} levels[] = {{"<3>", "error"}, {"<4>", "warning"}, {"<6>", "info"}, {"<7>", "debug"}};
	if ((int)level > atomic_load(&max_level))
		return;
	char line[LINE_MAX_BYTES];
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	blank_controls(line);
	/* One call, so that lines of several threads do not mix. */
	(void)fprintf(stderr, "%s%s: %s\n", is_journal() ? levels[level].priority : "", levels[level].name, line);
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
	uint64_t now = clock_mono_ns(), window_ns = limit->minutes * LIMIT_WINDOW_NS;
	if (!limit->minutes || now - limit->window_start_ns > window_ns) {
		bool again = limit->suppressed && now - limit->window_start_ns < 2 * window_ns;
		uint32_t minutes = again ? 2 * limit->minutes : 1;
		if (limit->suppressed)
			log_write(level, "%llu more lines like the next were not logged",
				(unsigned long long)limit->suppressed);
		*limit = (struct log_limit){now, minutes < LIMIT_WINDOWS_MAX ? minutes : LIMIT_WINDOWS_MAX, 0, 0};
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

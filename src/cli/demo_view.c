/* SPDX-License-Identifier: BSD-2-Clause */

/* A picture is made whole in memory, then written: on a terminal over the one before (on the alternate
 * screen, which leaves what was there alone; each line is cleared behind its end, so nothing
 * flickers), elsewhere as a few lines now and then.
 *
 * Standard output can stall for ever: a pipe nobody reads, a terminal stopped by Ctrl-S. So it is written
 * to in small pieces, only when poll says there is room, and once the view is to end it has STALL_MS. */

#include "cli/demo_view.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/live.h"

#define DRAW_MS        1000
#define SNAPSHOT_MS    5000
#define STALL_MS       2000
#define PIECE_BYTES    256
#define NETWORKS_MIN   5
#define NETWORKS_MAX   20
#define SNAPSHOT_LIMIT 3

struct demo_view {
	struct demo_view_config config;
	pthread_t thread;
	int wake_fd; /* readable: it shall end */
	atomic_bool ending;
	bool terminal, gone;
	uint64_t begin_ns, last_ns, last_stored;
	double rate;
};

/* ---- output ---- */

/* False when standard output is gone, or stalled while *ending. */
static bool put(const char *text, size_t len, const atomic_bool *ending)
{
	uint64_t patience_ns = clock_mono_ns() + STALL_MS * NS_PER_MS;
	while (len) {
		struct pollfd pfd = {STDOUT_FILENO, POLLOUT, 0};
		int r = poll(&pfd, 1, 100);
		if (r <= 0 && !atomic_load(ending))
			patience_ns = clock_mono_ns() + STALL_MS * NS_PER_MS;
		if (r <= 0 && clock_mono_ns() > patience_ns)
			return false;
		if (r <= 0)
			continue;
		ssize_t n = write(STDOUT_FILENO, text, len < PIECE_BYTES ? len : PIECE_BYTES);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

bool demo_view_print(const char *fmt, ...)
{
	static const atomic_bool ending = true;
	char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	bool ok = n >= 0 && put(text, (size_t)n, &ending);
	if (n >= 0)
		free(text);
	return ok;
}

/* ---- drawing ---- */

/* The picture as the bytes that draw it over the one before. */
static void print_over(const char *picture, FILE *out)
{
	fputs("\033[H", out);
	for (const char *line = picture, *end; *line; line = end + (*end != '\0')) {
		end = strchrnul(line, '\n');
		/* None behind the last: it would scroll a full screen. */
		fprintf(out, "%s%.*s\033[K", line == picture ? "" : "\r\n", (int)(end - line), line);
	}
	fputs("\033[J", out);
}

static unsigned limit_of(const struct demo_view *v)
{
	struct winsize size = {0};
	if (!v->terminal)
		return SNAPSHOT_LIMIT;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row < DEMO_SCREEN_LINES + NETWORKS_MIN)
		return NETWORKS_MIN;
	unsigned rows = size.ws_row - DEMO_SCREEN_LINES;
	return rows < NETWORKS_MAX ? rows : NETWORKS_MAX;
}

/* How fast it goes, smoothed over some pictures. */
static void measure(struct demo_view *v, struct demo_look *l)
{
	uint64_t now = clock_mono_ns();
	double seconds = (double)(now - v->last_ns) / (double)NS_PER_S;
	double rate = (double)(l->totals.stored - v->last_stored) / seconds;
	v->rate = v->last_stored ? 0.7 * v->rate + 0.3 * rate : rate;
	v->last_ns = now;
	v->last_stored = l->totals.stored;
	l->rate = v->rate;
	l->elapsed_s = (now - v->begin_ns) / NS_PER_S;
}

static void draw(struct demo_view *v)
{
	struct demo_look l;
	char *text = NULL, *bytes = NULL;
	size_t text_len, bytes_len;
	if (demo_look_make(&v->config.source, limit_of(v), &l) != EXIT_DONE)
		return;
	measure(v, &l);
	FILE *out = open_memstream(&text, &text_len), *over = open_memstream(&bytes, &bytes_len);
	if (out && v->terminal)
		demo_picture_screen(&v->config.source, &l, out);
	else if (out)
		demo_picture_snapshot(&l, out);
	bool ok = out && over && fclose(out) == 0;
	if (ok && v->terminal)
		print_over(text, over);
	else if (ok)
		fputs(text, over);
	ok = ok && fclose(over) == 0;
	if (ok && !put(bytes, bytes_len, &v->ending) && !atomic_load(&v->ending)) {
		v->gone = true;
		v->config.output_gone(v->config.ctx);
	}
	free(text);
	free(bytes);
	demo_look_done(&l);
}

/* ---- the thread ---- */

static void print_beginning(const struct demo_view *v)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return;
	if (v->terminal)
		fputs(LIVE_ENTER, out);
	demo_picture_about(&v->config.source, out);
	demo_picture_hints(&v->config.source, out);
	if (fclose(out) == 0)
		(void)put(text, len, &v->ending);
	free(text);
}

static void *run(void *ctx)
{
	struct demo_view *v = ctx;
	struct pollfd pfd = {v->wake_fd, POLLIN, 0};
	int pause_ms = v->terminal ? 0 : DRAW_MS;
	print_beginning(v);
	while (!v->gone && poll(&pfd, 1, pause_ms) <= 0) {
		uint64_t begin = clock_mono_ns();
		draw(v);
		uint64_t took_ms = (clock_mono_ns() - begin) / NS_PER_MS;
		int period_ms = v->terminal ? DRAW_MS : SNAPSHOT_MS;
		pause_ms = took_ms < (uint64_t)period_ms ? period_ms - (int)took_ms : 0;
	}
	return NULL;
}

static bool is_terminal(void)
{
	const char *term = getenv("TERM");
	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

int demo_view_new(const struct demo_view_config *config, struct demo_view **ret)
{
	struct demo_view *v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->config = *config;
	v->terminal = is_terminal();
	v->begin_ns = v->last_ns = clock_mono_ns();
	v->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = v->wake_fd < 0 ? -errno : 0;
	if (r == 0)
		r = -pthread_create(&v->thread, NULL, run, v);
	if (r == 0) {
		*ret = v;
		return 0;
	}
	close_p(&v->wake_fd);
	free(v);
	return r;
}

void demo_view_free(struct demo_view *v)
{
	uint64_t one = 1;
	if (!v)
		return;
	atomic_store(&v->ending, true);
	(void)!write(v->wake_fd, &one, sizeof(one));
	(void)pthread_join(v->thread, NULL);
	if (v->terminal && !v->gone)
		(void)demo_view_print(LIVE_LEAVE);
	close_p(&v->wake_fd);
	free(v);
}

int demo_view_final(const struct demo_view_config *config, struct demo_totals *ret)
{
	struct demo_look l;
	char *text = NULL;
	size_t len;
	int r = demo_look_make(&config->source, NETWORKS_MAX, &l);
	if (r != EXIT_DONE)
		return r;
	FILE *out = open_memstream(&text, &len);
	if (out) {
		demo_picture_final(&l, out);
		if (fclose(out) != 0 || !demo_view_print("\n%s", text))
			r = EXIT_FAILED;
		free(text);
	}
	*ret = l.totals;
	demo_look_done(&l);
	return out ? r : EXIT_FAILED;
}

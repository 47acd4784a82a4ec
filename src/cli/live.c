/* SPDX-License-Identifier: BSD-2-Clause */

/* Signals only set flags and are blocked except inside ppoll, so none is missed and the terminal is never
 * changed by a handler. Ctrl-Z puts the terminal back before the program stops, and takes it again when
 * it goes on. Each line of a picture is cleared behind its end, so nothing flickers. */

#include "cli/live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};

static struct {
	bool open, keys;
	struct termios before;
	sigset_t mask_before;
	struct sigaction actions_before[ARRAY_LEN(signals)];
	unsigned char bytes[64]; /* keys that were read and not yet taken */
	size_t len, taken;
} live;
static volatile sig_atomic_t ended, stopped, resized;

static void on_signal(int number)
{
	if (number == SIGWINCH)
		resized = 1;
	else if (number == SIGTSTP)
		stopped = 1;
	else
		ended = 1;
}

static void take_terminal(void)
{
	struct termios raw = live.before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (live.keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	(void)fputs(LIVE_ENTER "\033[H\033[2J", stdout);
	(void)fflush(stdout);
}

static void give_terminal(void)
{
	(void)fputs(LIVE_LEAVE, stdout);
	(void)fflush(stdout);
	if (live.keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &live.before);
}

int live_open(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t block;
	const char *term = getenv("TERM");
	if (!isatty(STDOUT_FILENO) || (term && strcmp(term, "dumb") == 0))
		return -ENOTTY;
	live.keys = tcgetattr(STDIN_FILENO, &live.before) == 0;
	ended = stopped = resized = 0;
	sigemptyset(&block);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaddset(&block, signals[i]);
	if (sigprocmask(SIG_BLOCK, &block, &live.mask_before) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &action, &live.actions_before[i]);
	live.open = true;
	live.len = live.taken = 0;
	take_terminal();
	return 0;
}

void live_close(void)
{
	if (!live.open)
		return;
	live.open = false;
	give_terminal();
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &live.actions_before[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &live.mask_before, NULL);
}

/* Stops as the shell expects of Ctrl-Z; returns when the program goes on. */
static void stop(void)
{
	struct sigaction own, usual = {.sa_handler = SIG_DFL};
	sigset_t only, mask;
	sigemptyset(&only);
	sigaddset(&only, SIGTSTP);
	stopped = 0;
	give_terminal();
	(void)sigaction(SIGTSTP, &usual, &own);
	(void)raise(SIGTSTP);
	(void)sigprocmask(SIG_UNBLOCK, &only, &mask); /* it stops here */
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	(void)sigaction(SIGTSTP, &own, NULL);
	take_terminal();
}

static int arrow(unsigned char last)
{
	switch (last) {
	case 'A': return LIVE_UP;
	case 'B': return LIVE_DOWN;
	case 'C': return LIVE_RIGHT;
	case 'D': return LIVE_LEFT;
	default: return LIVE_REDRAW;
	}
}

/* The next key of those that were read. An arrow is ESC [ A to D, in one piece. */
static int take_key(void)
{
	const unsigned char *p = live.bytes + live.taken;
	size_t left = live.len - live.taken;
	bool sequence = left >= 3 && p[0] == 033 && (p[1] == '[' || p[1] == 'O');
	live.taken += sequence ? 3 : 1;
	return sequence ? arrow(p[2]) : p[0];
}

static int read_keys(void)
{
	ssize_t n = read(STDIN_FILENO, live.bytes, sizeof(live.bytes));
	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN) ? LIVE_REDRAW : LIVE_END;
	live.len = (size_t)n;
	live.taken = 0;
	return take_key();
}

int live_wait(unsigned ms)
{
	struct pollfd pfd = {.fd = live.keys ? STDIN_FILENO : -1, .events = POLLIN};
	struct timespec patience = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	if (live.taken < live.len && !ended)
		return take_key();
	int r = ppoll(&pfd, 1, &patience, &live.mask_before);
	if (ended)
		return LIVE_END;
	if (stopped) {
		stop();
		return LIVE_REDRAW;
	}
	if (resized || r < 0) {
		resized = 0;
		return LIVE_REDRAW;
	}
	return r == 0 ? LIVE_TIME : read_keys();
}

bool live_wants_end(void)
{
	sigset_t pending;
	if (!live.open || sigpending(&pending) < 0)
		return false;
	return ended || sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGHUP) == 1;
}

void live_draw(const char *picture, unsigned height)
{
	(void)fputs("\033[H", stdout);
	for (unsigned y = 0; y < height && *picture; y++) {
		const char *end = strchrnul(picture, '\n');
		(void)fprintf(stdout, "%s%.*s\033[K", y ? "\n" : "", (int)(end - picture), picture);
		picture = *end ? end + 1 : end;
	}
	(void)fputs("\033[J", stdout);
	(void)fflush(stdout);
}

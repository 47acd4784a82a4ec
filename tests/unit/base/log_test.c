/* SPDX-License-Identifier: BSD-2-Clause */

/* The log's lines, as whoever reads standard error gets them. */

#include "wt_test.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "wt_files.h"

/* What fn logs, with standard error a file and $JOURNAL_STREAM naming it, or another one of its device. */
static void capture(bool named, void (*fn)(void *ctx), void *ctx, char *ret, size_t cap)
{
	char stream[64];
	struct stat st;
	int fd = open(wt_path("log"), O_RDWR | O_CREAT | O_TRUNC, 0600), was = dup(STDERR_FILENO);
	assert_true(fd >= 0 && was >= 0 && fstat(fd, &st) == 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino + !named);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	(void)dup2(fd, STDERR_FILENO);
	fn(ctx);
	(void)dup2(was, STDERR_FILENO);
	ssize_t n = pread(fd, ret, cap - 1, 0);
	assert_true(n >= 0);
	ret[n] = '\0';
	(void)close(fd);
	(void)close(was);
	(void)unsetenv("JOURNAL_STREAM");
}

static void each_level(void *peer)
{
	log_error("of %s", (const char *)peer);
	log_warning("two");
	log_info("three");
	log_debug("not told");
}

static void lines_begin_with_their_level(void **state)
{
	char text[256];
	capture(false, each_level, (char[]){"edge1"}, text, sizeof(text)); /* the journal reads another file: that of who started us */
	assert_string_equal(text, "error: of edge1\nwarning: two\ninfo: three\n");
}

static void the_journal_is_told_priorities(void **state)
{
	char text[256];
	capture(true, each_level, (char[]){"edge1"}, text, sizeof(text));
	assert_string_equal(text, "<3>error: of edge1\n<4>warning: two\n<6>info: three\n");
}

/* A peer's text makes no line of its own, and no priority. */
static void a_line_is_a_line(void **state)
{
	char text[256];
	capture(true, each_level, (char[]){"edge1\n<2>error: \x1b[2J\x7f\xc3\xa9"}, text, sizeof(text));
	assert_string_equal(text, "<3>error: of edge1 <2>error:  [2J \xc3\xa9\n<4>warning: two\n<6>info: three\n");
}

static unsigned lines_of(void (*fn)(void *ctx), void *ctx)
{
	char text[8192];
	unsigned lines = 0;
	capture(false, fn, ctx, text, sizeof(text));
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	return lines;
}

static void storm(void *ctx)
{
	for (int i = 0; i < 50; i++)
		log_limited(ctx, LOG_LEVEL_WARNING, "again");
}

static void one(void *ctx)
{
	log_limited(ctx, LOG_LEVEL_WARNING, "again");
}

/* What never ends is told less and less often, and what ended is forgotten. */
static void a_storm_is_limited(void **state)
{
	static const unsigned minutes[] = {1, 2, 4, 8, 16, 16, 16};
	struct log_limit limit = {0};
	assert_int_equal(lines_of(storm, &limit), 10);
	for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
		limit.window_start_ns -= (minutes[i] * 60ull - 10) * NS_PER_S;
		assert_int_equal(lines_of(storm, &limit), 0);
		limit.window_start_ns -= 10 * NS_PER_S;
		assert_int_equal(lines_of(storm, &limit), 11); /* and how many were not */
	}
	limit.window_start_ns -= 32 * 60 * NS_PER_S;
	assert_int_equal(lines_of(storm, &limit), 11);
	limit.window_start_ns -= 60 * NS_PER_S;
	assert_int_equal(lines_of(storm, &limit), 11);
	limit.window_start_ns -= 4 * 60 * NS_PER_S; /* quiet since */
	assert_int_equal(lines_of(one, &limit), 2);
	limit.window_start_ns -= 60 * NS_PER_S;
	assert_int_equal(lines_of(storm, &limit), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_begin_with_their_level),
		cmocka_unit_test(the_journal_is_told_priorities),
		cmocka_unit_test(a_line_is_a_line),
		cmocka_unit_test(a_storm_is_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

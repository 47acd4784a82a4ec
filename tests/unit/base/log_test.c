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

#include "base/log.h"
#include "wt_files.h"

/* What is logged, with standard error a file and $JOURNAL_STREAM naming it, or another one of its device. */
static void read_log(bool named, const char *peer, char *ret, size_t cap)
{
	char stream[64];
	struct stat st;
	int fd = open(wt_path("log"), O_RDWR | O_CREAT | O_TRUNC, 0600), was = dup(STDERR_FILENO);
	assert_true(fd >= 0 && was >= 0 && fstat(fd, &st) == 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino + !named);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	(void)dup2(fd, STDERR_FILENO);
	log_error("of %s", peer);
	log_warning("two");
	log_info("three");
	log_debug("not told");
	(void)dup2(was, STDERR_FILENO);
	ssize_t n = pread(fd, ret, cap - 1, 0);
	assert_true(n > 0);
	ret[n] = '\0';
	(void)close(fd);
	(void)close(was);
	(void)unsetenv("JOURNAL_STREAM");
}

static void lines_begin_with_their_level(void **state)
{
	char text[256];
	read_log(false, "edge1", text, sizeof(text)); /* the journal reads another file: that of who started us */
	assert_string_equal(text, "error: of edge1\nwarning: two\ninfo: three\n");
}

static void the_journal_is_told_priorities(void **state)
{
	char text[256];
	read_log(true, "edge1", text, sizeof(text));
	assert_string_equal(text, "<3>error: of edge1\n<4>warning: two\n<6>info: three\n");
}

/* A peer's text makes no line of its own, and no priority. */
static void a_line_is_a_line(void **state)
{
	char text[256];
	read_log(true, "edge1\n<2>error: \x1b[2J\x7f\xc3\xa9", text, sizeof(text));
	assert_string_equal(text, "<3>error: of edge1 <2>error:  [2J \xc3\xa9\n<4>warning: two\n<6>info: three\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_begin_with_their_level),
		cmocka_unit_test(the_journal_is_told_priorities),
		cmocka_unit_test(a_line_is_a_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

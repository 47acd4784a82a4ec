/* SPDX-License-Identifier: BSD-2-Clause */

/* The spool against a plain queue in memory, across closes and deaths. */

#include "wt_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/spool.h"
#include "wt_files.h"

#define MAX_BYTES  (1u << 20)

static struct spool *open_spool(const char *dir, uint64_t max_bytes)
{
	struct spool *s;
	struct error err = {0};
	if (spool_open(dir, max_bytes, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

/* Bytes that say which body it is, and how long. */
static struct view make_body(uint32_t number, uint8_t buf[static 1400])
{
	size_t len = 8 + number * 2654435761u % 1300;
	memset(buf, (int)(number & 0xff), len);
	memcpy(buf, &number, sizeof(number));
	return (struct view){buf, len};
}

static void expect_body(struct spool *s, uint32_t number)
{
	uint8_t buf[1400];
	struct view expected = make_body(number, buf), got;
	struct error err;
	assert_int_equal(spool_next(s, &got, &err), 1);
	assert_int_equal(got.len, expected.len);
	assert_memory_equal(got.data, expected.data, got.len);
}

static void expect_none(struct spool *s)
{
	struct view v;
	struct error err;
	assert_int_equal(spool_next(s, &v, &err), 0);
}

/* The error names the file, and the file is there under its new name. */
static void expect_set_aside(struct spool *s, const char *dir, int why)
{
	struct view v;
	struct error err;
	char path[PATH_MAX];
	struct stat st;
	assert_int_equal(spool_next(s, &v, &err), why);
	const char *name = strstr(err.text, "set aside as ");
	assert_non_null(name);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name + strlen("set aside as "));
	assert_int_equal(lstat(path, &st), 0);
	assert_non_null(strstr(path, ".unreadable"));
}

/* Puts and takes at random; now and then the spool is closed and opened, or two words of it are lost in between. */
static void it_is_a_queue(void **state)
{
	const char *dir = wt_path("queue");
	struct spool *s = open_spool(dir, MAX_BYTES);
	uint32_t head = 0, tail = 0, full = 0;
	uint64_t records = 0;
	uint8_t buf[1400];
	for (int turn = 0; turn < 60000; turn++) {
		bool filling = turn / 5000 % 2 == 0;
		if (wt_random_below(100) < (filling ? 70 : 40)) {
			int r = spool_put(s, make_body(tail, buf), tail % 50);
			assert_true(r == 0 || r == -ENOSPC);
			full += r < 0;
			records += r == 0 ? tail % 50 : 0;
			tail += r == 0;
		} else if (head < tail) {
			records -= head % 50;
			expect_body(s, head++);
		} else {
			expect_none(s);
		}
		if (wt_random_below(500) == 0)
			spool_sync(s);
		if (wt_random_below(500) == 0) {
			spool_close(s);
			s = open_spool(dir, MAX_BYTES);
		}
		assert_true(spool_stats(s).bytes <= MAX_BYTES);
		assert_int_equal(spool_stats(s).records, records);
	}
	assert_true(full > 100); /* the bound was met */
	while (head < tail)
		expect_body(s, head++);
	expect_none(s);
	assert_int_equal(spool_stats(s).bytes, 0);
	assert_int_equal(spool_stats(s).damaged, 0);
	spool_close(s);
}

/* The file with that end in its name. */
static void find_file(const char *dir, const char *suffix, char ret[static PATH_MAX])
{
	DIR *d = opendir(dir);
	struct dirent *e;
	ret[0] = '\0';
	while ((e = readdir(d)))
		if (strstr(e->d_name, suffix))
			(void)snprintf(ret, PATH_MAX, "%s/%s", dir, e->d_name);
	(void)closedir(d);
}

static void change_byte(const char *dir, const char *suffix, long from_end)
{
	char path[PATH_MAX];
	find_file(dir, suffix, path);
	FILE *f = fopen(path, "r+");
	assert_non_null(f);
	assert_int_equal(fseek(f, from_end, SEEK_END), 0);
	int c = fgetc(f);
	assert_int_equal(fseek(f, from_end, SEEK_END), 0);
	(void)fputc(c ^ 1, f);
	(void)fclose(f);
}

/* What stands before a damaged frame comes out, the file stays, and the spool goes on. */
static void damage_is_set_aside(void **state)
{
	const char *dir = wt_path("damaged");
	struct spool *s = open_spool(dir, MAX_BYTES);
	uint8_t buf[1400];
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(spool_put(s, make_body(i, buf), 1), 0);
	spool_close(s);
	change_byte(dir, ".spool", -3);
	s = open_spool(dir, MAX_BYTES);
	for (uint32_t i = 10; i < 12; i++)
		assert_int_equal(spool_put(s, make_body(i, buf), 1), 0);
	for (uint32_t i = 0; i < 9; i++)
		expect_body(s, i);
	expect_set_aside(s, dir, -EBADMSG);
	spool_close(s);
	s = open_spool(dir, MAX_BYTES); /* which does not take it for its own */
	for (uint32_t i = 10; i < 12; i++)
		expect_body(s, i);
	expect_none(s);
	assert_int_equal(spool_stats(s).records, 0);
	assert_int_equal(spool_stats(s).bytes, 0);
	spool_close(s);
}

/* A crash of the machine leaves such an end: nothing to look at. */
static void a_torn_end_is_passed_over(void **state)
{
	const char *dir = wt_path("torn");
	uint8_t buf[1400];
	char path[PATH_MAX];
	struct stat st;
	for (off_t cut = 1; cut < 30; cut++) {
		struct spool *s = open_spool(dir, MAX_BYTES);
		for (uint32_t i = 0; i < 2; i++)
			assert_int_equal(spool_put(s, make_body(i, buf), 1), 0);
		spool_close(s);
		find_file(dir, ".spool", path);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(truncate(path, st.st_size - cut), 0);
		s = open_spool(dir, MAX_BYTES);
		expect_body(s, 0);
		expect_none(s);
		assert_int_equal(spool_stats(s).damaged, 1);
		spool_close(s);
	}
}

static void an_end_of_zeros_is_passed_over(void **state)
{
	const char *dir = wt_path("zeros");
	uint8_t buf[1400];
	char path[PATH_MAX];
	struct stat st;
	for (off_t more = 1; more <= 20000; more = more * 3 + 1) {
		struct spool *s = open_spool(dir, MAX_BYTES);
		assert_int_equal(spool_put(s, make_body(0, buf), 1), 0);
		spool_close(s);
		find_file(dir, ".spool", path);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(truncate(path, st.st_size + more), 0);
		s = open_spool(dir, MAX_BYTES);
		expect_body(s, 0);
		expect_none(s);
		spool_close(s);
	}
}

/* A hole of zeros with frames behind it is damage. */
static void zeros_before_frames_are_set_aside(void **state)
{
	static const uint8_t zeros[20000];
	const char *dir = wt_path("hole");
	uint8_t buf[1400];
	char path[PATH_MAX];
	struct stat st;
	struct spool *s = open_spool(dir, MAX_BYTES);
	assert_int_equal(spool_put(s, make_body(0, buf), 1), 0);
	find_file(dir, ".spool", path);
	assert_int_equal(stat(path, &st), 0);
	off_t first = st.st_size;
	for (uint32_t i = 1; st.st_size < first + (off_t)sizeof(zeros) + 2000; i++) {
		assert_int_equal(spool_put(s, make_body(i, buf), 1), 0);
		assert_int_equal(stat(path, &st), 0);
	}
	spool_close(s);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), first), sizeof(zeros));
	(void)close(fd);
	s = open_spool(dir, MAX_BYTES);
	expect_body(s, 0);
	expect_set_aside(s, dir, -EBADMSG);
	expect_none(s);
	spool_close(s);
}

static void two_segments(const char *dir, struct spool **ret)
{
	uint8_t buf[1400];
	for (uint32_t i = 0; i < 2; i++) {
		*ret = open_spool(dir, MAX_BYTES);
		assert_int_equal(spool_put(*ret, make_body(i, buf), 3), 0);
		if (i == 0)
			spool_close(*ret);
	}
}

/* The next segment comes, and what went is known. */
static void what_cannot_be_opened_is_set_aside(void **state)
{
	const char *dir = wt_path("unreadable");
	struct spool *s;
	char path[PATH_MAX];
	two_segments(dir, &s);
	(void)snprintf(path, sizeof(path), "%s/%020d.spool", dir, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(path, path), 0); /* opening it is an error for root, too */
	expect_set_aside(s, dir, -ELOOP);
	assert_int_equal(spool_take_lost(s), 0);
	expect_body(s, 1);
	expect_none(s);
	assert_int_equal(spool_take_lost(s), 3);
	assert_int_equal(spool_take_lost(s), 0);
	assert_int_equal(spool_stats(s).damaged, 1);
	assert_int_equal(spool_stats(s).records, 0);
	assert_int_equal(spool_stats(s).bytes, 0);
	spool_close(s);
}

/* As a folder in its place is. */
static void what_cannot_be_read_is_set_aside(void **state)
{
	const char *dir = wt_path("folder");
	struct spool *s;
	char path[PATH_MAX];
	two_segments(dir, &s);
	(void)snprintf(path, sizeof(path), "%s/%020d.spool", dir, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_set_aside(s, dir, -EISDIR);
	expect_body(s, 1);
	expect_none(s);
	spool_close(s);
}

static void what_is_gone_is_passed_over(void **state)
{
	const char *dir = wt_path("gone");
	struct spool *s;
	char path[PATH_MAX];
	two_segments(dir, &s);
	(void)snprintf(path, sizeof(path), "%s/%020d.spool", dir, 1);
	assert_int_equal(unlink(path), 0);
	expect_body(s, 1);
	expect_none(s);
	assert_int_equal(spool_stats(s).damaged, 1);
	assert_int_equal(spool_take_lost(s), 3);
	spool_close(s);
}

/* No files to be had for the moment: nothing is wrong with the segment. */
static void what_may_pass_is_waited_for(void **state)
{
	struct spool *s;
	struct rlimit before;
	two_segments(wt_path("waits"), &s);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, before.rlim_max}), 0);
	for (int i = 0; i < 3; i++)
		expect_none(s);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	expect_body(s, 0);
	expect_body(s, 1);
	assert_int_equal(spool_stats(s).damaged, 0);
	spool_close(s);
}

/* The disk is full in the middle of a frame; then there is room, for a shorter one. */
static void a_frame_that_found_no_room_leaves_nothing(void **state)
{
	struct spool *s = open_spool(wt_path("short"), MAX_BYTES);
	struct rlimit before;
	static const uint8_t bytes[1400] = {1};
	struct view v;
	struct error err;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, before.rlim_max}), 0);
	assert_int_equal(spool_put(s, (struct view){bytes, 1400}, 1), -ENOSPC);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(spool_put(s, (struct view){bytes, 100}, 1), 0);
	assert_int_equal(spool_next(s, &v, &err), 1);
	assert_int_equal(v.len, 100);
	expect_none(s);
	assert_int_equal(spool_stats(s).damaged, 0);
	spool_close(s);
}

/* It makes one folder, and says where it misses another. */
static void the_folder_above_has_to_be_there(void **state)
{
	struct spool *s;
	struct error err;
	const char *dir = wt_path("none/spool");
	assert_int_equal(spool_open(dir, MAX_BYTES, &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, dir));
	assert_non_null(strstr(err.text, "in the folder above it"));
}

/* Notes are there though nobody closed. */
static void notes_outlive_a_death(void **state)
{
	const char *dir = wt_path("notes");
	struct spool *s = open_spool(dir, MAX_BYTES), *second;
	struct error err = {0};
	assert_int_equal(spool_open(dir, MAX_BYTES, &second, &err), -EBUSY);
	spool_notes(s)->unsent = 17;
	struct stat st;
	assert_int_equal(stat(wt_path("notes/notes"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	FILE *f = fopen(wt_path("notes/notes"), "r");
	uint8_t file[256];
	size_t n = fread(file, 1, sizeof(file), f);
	(void)fclose(f);
	static const uint64_t seventeen = 17;
	assert_non_null(memmem(file, n, &seventeen, sizeof(seventeen)));
	spool_close(s);
	s = open_spool(dir, MAX_BYTES);
	assert_int_equal(spool_notes(s)->unsent, 17);
	spool_close(s);
}

struct seen {
	uint32_t count;
	char name[64];
};

static void see(void *ctx, const char *name, struct view saved)
{
	struct seen *seen = ctx;
	seen->count++;
	(void)snprintf(seen->name, sizeof(seen->name), "%s", name);
	assert_int_equal(saved.len, 3);
}

static void sessions_are_kept_until_dropped(void **state)
{
	struct spool *s = open_spool(wt_path("sessions"), MAX_BYTES);
	struct error err = {0};
	struct buffer b;
	buffer_init(&b);
	struct wr w = buffer_reserve(&b, 3);
	wr_bytes(&w, "abc", 3);
	buffer_commit(&b, &w);
	assert_int_equal(spool_save_session(s, &b, &err), 0);
	assert_int_equal(spool_save_session(s, &b, &err), 0);
	buffer_done(&b);
	spool_close(s);
	s = open_spool(wt_path("sessions"), MAX_BYTES);
	struct seen seen = {0};
	spool_each_session(s, see, &seen);
	assert_int_equal(seen.count, 2);
	spool_drop_session(s, seen.name);
	seen = (struct seen){0};
	spool_each_session(s, see, &seen);
	assert_int_equal(seen.count, 1);
	spool_close(s);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_queue),
		cmocka_unit_test(damage_is_set_aside),
		cmocka_unit_test(a_torn_end_is_passed_over),
		cmocka_unit_test(an_end_of_zeros_is_passed_over),
		cmocka_unit_test(zeros_before_frames_are_set_aside),
		cmocka_unit_test(what_cannot_be_opened_is_set_aside),
		cmocka_unit_test(what_cannot_be_read_is_set_aside),
		cmocka_unit_test(what_is_gone_is_passed_over),
		cmocka_unit_test(what_may_pass_is_waited_for),
		cmocka_unit_test(a_frame_that_found_no_room_leaves_nothing),
		cmocka_unit_test(the_folder_above_has_to_be_there),
		cmocka_unit_test(notes_outlive_a_death),
		cmocka_unit_test(sessions_are_kept_until_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

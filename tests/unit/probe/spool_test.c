/* SPDX-License-Identifier: BSD-2-Clause */

/* The spool against a plain queue in memory, across closes and deaths. */

#include "wt_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
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
	assert_true(spool_next(s, &got));
	assert_int_equal(got.len, expected.len);
	assert_memory_equal(got.data, expected.data, got.len);
}

/* Puts and takes at random; now and then the spool is closed and opened, or two words of it are lost in between. */
static void it_is_a_queue(void **state)
{
	const char *dir = wt_path("queue");
	struct spool *s = open_spool(dir, MAX_BYTES);
	uint32_t head = 0, tail = 0, full = 0;
	uint64_t records = 0;
	uint8_t buf[1400];
	struct view v;
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
			assert_false(spool_next(s, &v));
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
	assert_false(spool_next(s, &v));
	assert_int_equal(spool_stats(s).bytes, 0);
	assert_int_equal(spool_stats(s).damaged, 0);
	spool_close(s);
}

static void change_byte(const char *dir, const char *suffix, long from_end)
{
	char path[PATH_MAX] = "";
	DIR *d = opendir(dir);
	struct dirent *e;
	while ((e = readdir(d)))
		if (strstr(e->d_name, suffix))
			(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
	(void)closedir(d);
	FILE *f = fopen(path, "r+");
	assert_non_null(f);
	assert_int_equal(fseek(f, from_end, SEEK_END), 0);
	int c = fgetc(f);
	assert_int_equal(fseek(f, from_end, SEEK_END), 0);
	(void)fputc(c ^ 1, f);
	(void)fclose(f);
}

/* What stands before a damaged frame comes out, and the spool goes on. */
static void damage_is_passed_over(void **state)
{
	const char *dir = wt_path("damaged");
	struct spool *s = open_spool(dir, MAX_BYTES);
	uint8_t buf[1400];
	struct view v;
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(spool_put(s, make_body(i, buf), 1), 0);
	spool_close(s);
	change_byte(dir, ".spool", -3);
	s = open_spool(dir, MAX_BYTES);
	for (uint32_t i = 10; i < 12; i++)
		assert_int_equal(spool_put(s, make_body(i, buf), 1), 0);
	for (uint32_t i = 0; i < 12; i++)
		if (i != 9)
			expect_body(s, i);
	assert_false(spool_next(s, &v));
	assert_int_equal(spool_stats(s).damaged, 1);
	assert_int_equal(spool_stats(s).records, 0);
	spool_close(s);
}

/* What cannot be opened now stays for later; what is gone is passed over. */
static void what_cannot_be_opened_stays(void **state)
{
	const char *dir = wt_path("unreadable"), *aside = wt_path("aside");
	struct spool *s = open_spool(dir, MAX_BYTES);
	uint8_t buf[1400];
	struct view v;
	char path[PATH_MAX];
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(spool_put(s, make_body(i, buf), 1), 0);
		spool_close(s);
		s = open_spool(dir, MAX_BYTES);
	}
	(void)snprintf(path, sizeof(path), "%s/%020d.spool", dir, 1);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(symlink(path, path), 0); /* opening it is an error for root, too */
	for (int i = 0; i < 3; i++)
		assert_false(spool_next(s, &v));
	assert_int_equal(spool_stats(s).records, 2);
	assert_int_equal(spool_stats(s).damaged, 0);
	assert_int_equal(rename(aside, path), 0);
	expect_body(s, 0);
	(void)snprintf(path, sizeof(path), "%s/%020d.spool", dir, 2);
	assert_int_equal(unlink(path), 0);
	assert_false(spool_next(s, &v));
	assert_int_equal(spool_stats(s).damaged, 1);
	assert_int_equal(spool_stats(s).records, 0);
	spool_close(s);
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
		cmocka_unit_test(damage_is_passed_over),
		cmocka_unit_test(what_cannot_be_opened_stays),
		cmocka_unit_test(notes_outlive_a_death),
		cmocka_unit_test(sessions_are_kept_until_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

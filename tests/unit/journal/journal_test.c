/* SPDX-License-Identifier: BSD-2-Clause */

/* Frames there and back; segments appended, torn at every byte, damaged, full, and read again. */

#include "wt_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "journal/book.h"
#include "journal/journal.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/wt-journal-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
	return rmdir(dir);
}

/* ---- a disk that fails ---- */

static bool sync_fails, cut_fails;

int fdatasync(int fd)
{
	errno = EIO;
	return sync_fails ? -1 : fsync(fd);
}

int ftruncate(int fd, off_t length)
{
	errno = EIO;
	return cut_fails ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

/* ---- content ---- */

static struct session_state random_session(unsigned id)
{
	struct session_state s = {.key_id = (uint32_t)wt_random(), .name_len = 4, .name = "web1",
		.first_ms = wt_random() >> 20, .last_ms = wt_random() >> 20};
	memset(s.id, (int)id, sizeof(s.id));
	for (int i = 0; i < LEDGER_COUNT; i++)
		s.ledger.v[i] = wt_random() >> wt_random_below(64);
	for (int i = 0; i < 50; i++) {
		uint64_t seq = s.window.base + wt_random_below(60);
		if (window_check(&s.window, seq) <= WINDOW_REORDERED)
			window_accept(&s.window, seq);
	}
	return s;
}

static void add_random_rows(struct flow_table *t, int rows)
{
	static const char *const names[] = {"edge1", "edge2", "video", "api"};
	for (int i = 0; i < rows; i++) {
		struct flow_key key = {.minute = 60 * (uint32_t)(29000000 + wt_random_below(3)),
			.country = (uint16_t)wt_random(), .match = (uint8_t)wt_random_below(MATCH_COUNT)};
		const char *router = names[wt_random_below(2)], *type = names[2 + wt_random_below(2)];
		struct addr a = {.family = wt_random_below(2) ? ADDR_V4 : ADDR_V6};
		a.bytes[0] = (uint8_t)wt_random();
		struct prefix p = prefix_make(&a, (unsigned)wt_random_below(33));
		uint8_t path[1024] = {2, (uint8_t)(1 + wt_random_below(3))};
		path[9] = (uint8_t)wt_random_below(5);
		assert_int_equal(flow_table_name(t, (struct view){(const uint8_t *)router, 5}, &key.router), 0);
		assert_int_equal(flow_table_name(t, (struct view){(const uint8_t *)type, strlen(type)}, &key.type), 0);
		assert_int_equal(flow_table_prefix(t, &p, &key.prefix), 0);
		assert_int_equal(flow_table_path(t, (struct view){path, 2 + 4u * path[1]}, &key.path), 0);
		if (wt_random_below(4) == 0)
			key.prefix = key.path = key.router = 0;
		struct flow_row *row = flow_table_row(t, &key);
		assert_non_null(row);
		for (int j = 0; j < MEASURE_COUNT; j++)
			row->m.v[j] += wt_random_below(3) ? 0 : wt_random() >> (20 + wt_random_below(44));
	}
}

/* Changes between words that are there, and now and then a time that no clock shows. */
static void add_random_changes(struct flow_table *t, int changes)
{
	uint64_t time_ms = 1767312000000;
	for (int i = 0; i < changes; i++) {
		time_ms += wt_random_below(5000);
		struct path_change c = {
			.time_ms = wt_random_below(20) ? time_ms : wt_random(),
			.router = (uint32_t)wt_random_below(t->name_count),
			.prefix = (uint32_t)wt_random_below(t->prefix_count),
			.before = (uint32_t)wt_random_below(t->path_count),
			.after = (uint32_t)wt_random_below(t->path_count),
		};
		assert_int_equal(flow_table_change(t, &c), 0);
	}
	t->changes_left_out = wt_random_below(3) ? 0 : wt_random_below(1000);
}

static void assert_same_bytes(struct view a, struct view b)
{
	assert_int_equal(a.len, b.len);
	if (a.len)
		assert_memory_equal(a.data, b.data, a.len);
}

/* The same changes in the same order. */
static void assert_same_changes(const struct flow_table *a, const struct flow_table *b)
{
	assert_int_equal(a->change_count, b->change_count);
	assert_true(a->changes_left_out == b->changes_left_out);
	for (uint32_t i = 0; i < a->change_count; i++) {
		const struct path_change *x = &a->changes[i], *y = &b->changes[i];
		assert_true(x->time_ms == y->time_ms && !x->before == !y->before && !x->after == !y->after);
		assert_true(!x->router == !y->router && prefix_equal(&a->prefixes[x->prefix], &b->prefixes[y->prefix]));
		assert_same_bytes(a->names[x->router], b->names[y->router]);
		assert_same_bytes(a->paths[x->before], b->paths[y->before]);
		assert_same_bytes(a->paths[x->after], b->paths[y->after]);
	}
}

/* The same sums and changes under the same words, whatever the numbers of the dictionaries are. */
static void assert_same_flows(const struct flow_table *a, const struct flow_table *b)
{
	assert_same_changes(a, b);
	struct flow_table *difference;
	assert_int_equal(flow_table_new(&difference), 0);
	assert_int_equal(flow_table_merge(difference, b), 0);
	for (uint32_t i = 0; i < difference->row_count; i++)
		for (int j = 0; j < MEASURE_COUNT; j++)
			difference->rows[i].m.v[j] = 0 - difference->rows[i].m.v[j];
	assert_int_equal(flow_table_merge(difference, a), 0);
	for (uint32_t i = 0; i < difference->row_count; i++)
		assert_true(measures_zero(&difference->rows[i].m));
	flow_table_free(difference);
}

static struct flow_table *new_table(int rows)
{
	struct flow_table *t;
	assert_int_equal(flow_table_new(&t), 0);
	add_random_rows(t, rows);
	add_random_changes(t, rows / 2);
	if (!rows)
		t->changes_left_out = 0;
	return t;
}

/* ---- frames ---- */

static void frames_go_there_and_back(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct session_state sessions[3] = {random_session(1), random_session(2), random_session(3)};
		struct retired_state retired = {.name_len = 3, .name = "old", .sessions = 9};
		struct flow_table *flows = new_table(round * 20), *back = new_table(0);
		static const uint8_t ended[][SESSION_ID_BYTES] = {{9}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}};
		struct frame f = {sessions, 3, &retired, 1, flows, ended, 2};
		struct buffer out;
		struct book book;
		buffer_init(&out);
		book_init(&book);
		struct frame_sink sink = book_sink(&book);
		struct session_state old = {.id = {9}};
		assert_int_equal(book_put_session(&book, &old), 0);
		assert_int_equal(frame_encode(&f, &out), 0);
		assert_int_equal(frame_decode((struct view){out.data, out.len}, &sink, back), 0);
		assert_same_flows(flows, back);
		assert_int_equal(book.session_count, 3);
		for (int i = 0; i < 3; i++) {
			assert_memory_equal(&book.sessions[i].ledger, &sessions[i].ledger, sizeof(sessions[i].ledger));
			assert_memory_equal(&book.sessions[i].window, &sessions[i].window, sizeof(sessions[i].window));
		}
		assert_true(book.retired_count == 1 && book.retired[0].sessions == 9);
		for (size_t cut = 0; cut < out.len; cut += 1 + out.len / 300)
			assert_int_equal(frame_decode((struct view){out.data, cut}, &sink, back), -EBADMSG);
		flow_table_free(flows);
		flow_table_free(back);
		book_done(&book);
		buffer_done(&out);
	}
}

/* A frame may hold changes and not one row. */
static void changes_go_alone(void **state)
{
	struct flow_table *flows = new_table(0), *back = new_table(0);
	struct prefix prefix;
	struct buffer out;
	struct frame_sink none = {0};
	static const uint8_t path[] = {2, 1, 0, 0, 0xfb, 0xf4};
	struct path_change c = {.time_ms = UINT64_MAX};
	assert_int_equal(flow_table_name(flows, (struct view){(const uint8_t *)"edge1", 5}, &c.router), 0);
	assert_int_equal(prefix_parse("2001:db8::/32", &prefix, NULL), 0);
	assert_int_equal(flow_table_prefix(flows, &prefix, &c.prefix), 0);
	assert_int_equal(flow_table_path(flows, (struct view){path, sizeof(path)}, &c.after), 0);
	assert_int_equal(flow_table_change(flows, &c), 0);
	c.time_ms = 0;
	c.before = c.after;
	assert_int_equal(flow_table_path(flows, (struct view){path, 0}, &c.after), 0);
	assert_int_equal(flow_table_change(flows, &c), 0);
	struct frame f = {.flows = flows};
	buffer_init(&out);
	assert_int_equal(frame_encode(&f, &out), 0);
	for (size_t cut = 0; cut < out.len; cut++)
		assert_int_equal(frame_decode((struct view){out.data, cut}, &none, back), -EBADMSG);
	assert_int_equal(flow_table_clear(back), 0);
	assert_int_equal(frame_decode((struct view){out.data, out.len}, &none, back), 0);
	assert_int_equal(back->row_count, 0);
	assert_same_flows(flows, back);
	buffer_done(&out);
	flow_table_free(flows);
	flow_table_free(back);
}

static void every_changed_byte_is_survived(void **state)
{
	struct session_state session = random_session(1);
	struct flow_table *flows = new_table(5);
	struct frame f = {.sessions = &session, .session_count = 1, .flows = flows};
	struct buffer out;
	struct book book;
	buffer_init(&out);
	book_init(&book);
	struct frame_sink sink = book_sink(&book);
	assert_int_equal(frame_encode(&f, &out), 0);
	for (size_t i = 0; i < out.len; i++) {
		for (int v = 0; v < 256; v += 5) {
			struct flow_table *back = new_table(0);
			uint8_t old = out.data[i];
			out.data[i] = (uint8_t)v;
			(void)!frame_decode((struct view){out.data, out.len}, &sink, back);
			out.data[i] = old;
			flow_table_free(back);
		}
	}
	flow_table_free(flows);
	book_done(&book);
	buffer_done(&out);
}

static void the_book_agrees_with_a_list(void **state)
{
	enum { IDS = 40 };
	struct book book;
	struct session_state kept[IDS];
	bool in[IDS] = {false};
	book_init(&book);
	for (int i = 0; i < 2000; i++) {
		unsigned id = (unsigned)wt_random_below(IDS);
		uint8_t key[SESSION_ID_BYTES];
		memset(key, (int)id, sizeof(key));
		in[id] = wt_random_below(3) != 0;
		if (in[id]) {
			kept[id] = random_session(id);
			assert_int_equal(book_put_session(&book, &kept[id]), 0);
		} else {
			book_del_session(&book, key);
		}
	}
	size_t count = 0;
	for (unsigned id = 0; id < IDS; id++)
		count += in[id];
	assert_int_equal(book.session_count, count);
	for (size_t i = 0; i < count; i++)
		assert_memory_equal(&book.sessions[i], &kept[book.sessions[i].id[0]], sizeof(kept[0]));
	book_done(&book);
}

/* ---- segments ---- */

static struct journal *open_journal(uint64_t max)
{
	struct journal *j;
	struct error err = {0};
	if (journal_open(dir, max, &j, &err) < 0)
		fail_msg("%s", err.text);
	return j;
}

static void begin(struct journal *j)
{
	struct frame empty = {0};
	struct error err = {0};
	if (journal_begin(j, 0, &empty, &err) < 0)
		fail_msg("%s", err.text);
}

static int append_flows(struct journal *j, const struct flow_table *t, struct error *err)
{
	struct frame f = {.flows = t};
	return journal_append(j, &f, err);
}

/* Everything in all segments, added up. */
static int read_all(struct journal *j, struct flow_table *into, struct error *err)
{
	struct book book;
	book_init(&book);
	struct frame_sink sink = book_sink(&book);
	size_t count;
	int r = 0;
	const struct journal_segment *segments = journal_segments(j, &count);
	for (size_t i = 0; i < count && r == 0; i++)
		r = journal_read(j, segments[i].id, &sink, into, err);
	book_done(&book);
	return r;
}

static void what_was_appended_is_read(void **state)
{
	struct error err;
	struct flow_table *sum = new_table(0), *back = new_table(0);
	struct journal *j = open_journal(1u << 30);
	uint64_t last = 0;
	for (int segment = 0; segment < 4; segment++) {
		begin(j);
		assert_true(journal_current(j) > last);
		last = journal_current(j);
		for (int i = 0; i < 5; i++) {
			struct flow_table *t = new_table(30);
			assert_int_equal(append_flows(j, t, &err), 0);
			assert_int_equal(flow_table_merge(sum, t), 0);
			flow_table_free(t);
		}
	}
	struct journal *second;
	assert_int_equal(journal_open(dir, 1, &second, &err), -EBUSY);
	uint64_t bytes = journal_bytes(j);
	journal_close(j);
	j = open_journal(1u << 30);
	assert_true(journal_bytes(j) == bytes);
	assert_int_equal(read_all(j, back, &err), 0);
	assert_same_flows(sum, back);
	size_t count;
	const struct journal_segment *segments = journal_segments(j, &count);
	assert_int_equal(count, 4);
	uint64_t first = segments[0].id;
	assert_int_equal(journal_delete(j, first, &err), 0);
	(void)journal_segments(j, &count);
	assert_int_equal(count, 3);
	begin(j);
	assert_true(journal_current(j) > last);
	journal_close(j);
	flow_table_free(sum);
	flow_table_free(back);
}

/* The segment file's name, there being one. */
static void only_file(char *path, size_t cap)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	while ((e = readdir(d)))
		if (strstr(e->d_name, ".wj"))
			(void)snprintf(path, cap, "%s/%s", dir, e->d_name);
	(void)closedir(d);
}

/* Cut at every byte, as by a crash: what is whole is read, the rest is gone, and stays readable. */
static void every_torn_end_is_cut_off(void **state)
{
	struct error err = {0};
	struct journal *j = open_journal(1u << 30);
	struct flow_table *a = new_table(2), *b = new_table(2), *both = new_table(0);
	begin(j);
	uint64_t empty_bytes = journal_bytes(j);
	assert_int_equal(append_flows(j, a, &err), 0);
	uint64_t one_bytes = journal_bytes(j);
	assert_int_equal(append_flows(j, b, &err), 0);
	uint64_t two_bytes = journal_bytes(j);
	journal_close(j);
	assert_int_equal(flow_table_merge(both, a), 0);
	assert_int_equal(flow_table_merge(both, b), 0);
	char path[512];
	only_file(path, sizeof(path));
	for (int64_t len = (int64_t)two_bytes; len >= 0; len--) {
		assert_int_equal(truncate(path, len), 0);
		j = open_journal(1u << 30);
		struct flow_table *back = new_table(0), *again = new_table(0);
		if (read_all(j, back, &err) < 0)
			fail_msg("%s at length %lld", err.text, (long long)len);
		if (len >= (int64_t)two_bytes)
			assert_same_flows(both, back);
		else if (len >= (int64_t)one_bytes)
			assert_same_flows(a, back);
		else
			assert_int_equal(back->row_count, 0);
		/* Not the newest any more: the torn end must be gone by now. */
		begin(j);
		char newest[512];
		(void)snprintf(newest, sizeof(newest), "%s/%020llu.wj", dir, (unsigned long long)journal_current(j));
		assert_int_equal(read_all(j, again, &err), 0);
		assert_same_flows(back, again);
		journal_close(j);
		assert_int_equal(unlink(newest), 0);
		flow_table_free(back);
		flow_table_free(again);
		struct stat st;
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_size <= len);
		len = st.st_size < len ? st.st_size : len;
		if ((uint64_t)len == one_bytes || (uint64_t)len == empty_bytes)
			len -= (int64_t)wt_random_below(3); /* go on inside the frame before */
	}
	flow_table_free(a);
	flow_table_free(b);
	flow_table_free(both);
}

static void flip(const char *path, off_t at)
{
	uint8_t byte;
	int fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	(void)close(fd);
}

/* In a frame's length (which then reaches past the end), in its checksum and in its content, with good frames behind it. */
static void damage_is_told_with_its_place(void **state)
{
	static const off_t places[] = {0, 5, 30};
	struct error err = {0};
	struct journal *j = open_journal(1u << 30);
	struct flow_table *a = new_table(20), *back = new_table(0);
	begin(j);
	uint64_t offset = journal_bytes(j);
	for (int i = 0; i < 3; i++)
		assert_int_equal(append_flows(j, a, &err), 0);
	journal_close(j);
	char path[512], place[32];
	struct stat before, after;
	only_file(path, sizeof(path));
	(void)snprintf(place, sizeof(place), "byte %llu", (unsigned long long)offset);
	assert_int_equal(stat(path, &before), 0);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		flip(path, (off_t)offset + places[i]);
		j = open_journal(1u << 30);
		assert_int_equal(read_all(j, back, &err), -EBADMSG);
		assert_non_null(strstr(err.text, strrchr(path, '/') + 1));
		assert_non_null(strstr(err.text, place));
		journal_close(j);
		assert_int_equal(stat(path, &after), 0);
		assert_true(after.st_size == before.st_size);
		flip(path, (off_t)offset + places[i]);
	}
	j = open_journal(1u << 30);
	size_t count;
	uint64_t id = journal_segments(j, &count)->id;
	assert_int_equal(journal_set_aside(j, id, &err), 0);
	(void)journal_segments(j, &count);
	assert_int_equal(count, 0);
	journal_close(j);
	flow_table_free(a);
	flow_table_free(back);
}

static void overwrite(const char *path, const char *text, off_t at)
{
	int fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
	(void)close(fd);
}

/* A version before, one that is yet to come, and no journal at all: refused, and left as it is. */
static void a_segment_of_another_version_is_refused(void **state)
{
	static const struct {
		const char *text;
		off_t at;
		int error;
		const char *why;
	} cases[] = {{"1", strlen("whereto journal "), -EPROTONOSUPPORT, "another version of whereto"},
		{"3", strlen("whereto journal "), -EPROTONOSUPPORT, "another version of whereto"},
		{"W", 0, -EBADMSG, "not a journal segment"}};
	struct error err = {0};
	struct journal *j = open_journal(1u << 30);
	struct flow_table *back = new_table(0);
	struct stat before, after;
	char path[512];
	begin(j);
	journal_close(j);
	only_file(path, sizeof(path));
	assert_int_equal(stat(path, &before), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		overwrite(path, "whereto journal 2", 0);
		overwrite(path, cases[i].text, cases[i].at);
		j = open_journal(1u << 30);
		assert_int_equal(read_all(j, back, &err), cases[i].error);
		assert_non_null(strstr(err.text, cases[i].why));
		journal_close(j);
		assert_int_equal(stat(path, &after), 0);
		assert_true(after.st_size == before.st_size);
	}
	flow_table_free(back);
}

/* A power cut after the file system had noted the new length: behind the last frame, or the first one's place, there
 * are zeros. With a frame behind them they are damage. */
static void zeros_at_the_end_are_a_torn_end(void **state)
{
	struct error err = {0};
	struct flow_table *a = new_table(20);
	struct journal *j = open_journal(1u << 30);
	char path[512];
	struct stat st;
	begin(j);
	off_t sizes[] = {0, (off_t)journal_bytes(j), 0};
	assert_int_equal(append_flows(j, a, &err), 0);
	sizes[2] = (off_t)journal_bytes(j);
	journal_close(j);
	only_file(path, sizeof(path));
	for (size_t i = ARRAY_LEN(sizes); i-- > 0;) {
		struct flow_table *back = new_table(0);
		assert_int_equal(truncate(path, sizes[i]), 0);
		assert_int_equal(truncate(path, sizes[i] + 5000), 0);
		j = open_journal(1u << 30);
		if (read_all(j, back, &err) < 0)
			fail_msg("%s", err.text);
		if (i == 2)
			assert_same_flows(a, back);
		else
			assert_int_equal(back->row_count, 0);
		journal_close(j);
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_size == sizes[i]);
		flow_table_free(back);
	}
	assert_int_equal(unlink(path), 0);
	j = open_journal(1u << 30);
	begin(j);
	off_t hole = (off_t)journal_bytes(j);
	assert_int_equal(append_flows(j, a, &err), 0);
	assert_int_equal(append_flows(j, a, &err), 0);
	journal_close(j);
	only_file(path, sizeof(path));
	int fd = open(path, O_RDWR);
	static const uint8_t zeros[40];
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), hole), sizeof(zeros));
	(void)close(fd);
	struct flow_table *back = new_table(0);
	j = open_journal(1u << 30);
	assert_int_equal(read_all(j, back, &err), -EBADMSG);
	journal_close(j);
	flow_table_free(back);
	flow_table_free(a);
}

/* A frame that was written but not synced must be gone before the next one is written, or a reader
 * would count it beside its second try. */
static void nothing_is_written_behind_a_failed_frame(void **state)
{
	struct error err = {0};
	struct flow_table *a = new_table(20), *b = new_table(30), *back = new_table(0);
	struct journal *j = open_journal(1u << 30);
	struct frame empty = {0};
	begin(j);
	assert_int_equal(append_flows(j, a, &err), 0);
	sync_fails = cut_fails = true;
	assert_int_equal(append_flows(j, b, &err), -EIO);
	sync_fails = false;
	assert_int_equal(append_flows(j, b, &err), -EIO);
	assert_int_equal(journal_begin(j, 0, &empty, &err), -EIO);
	assert_non_null(strstr(err.text, "cannot be cut back"));
	cut_fails = false;
	assert_int_equal(append_flows(j, b, &err), 0);
	journal_close(j);
	j = open_journal(1u << 30);
	assert_int_equal(read_all(j, back, &err), 0);
	assert_int_equal(flow_table_merge(a, b), 0);
	assert_same_flows(a, back);
	journal_close(j);
	flow_table_free(a);
	flow_table_free(b);
	flow_table_free(back);
}

static void a_full_journal_refuses_and_goes_on(void **state)
{
	struct error err = {0};
	struct flow_table *t = new_table(50), *sum = new_table(0), *back = new_table(0);
	struct journal *j = open_journal(20000);
	begin(j);
	int r, appended = 0;
	while ((r = append_flows(j, t, &err)) == 0 && appended < 1000) {
		assert_int_equal(flow_table_merge(sum, t), 0);
		appended++;
	}
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(err.text, "journal.max_size"));
	assert_true(appended > 0 && journal_bytes(j) <= 20000);
	uint64_t full = journal_current(j);
	begin(j);
	assert_int_equal(append_flows(j, t, &err), -ENOSPC);
	struct frame_sink none = {0};
	assert_int_equal(journal_read(j, full, &none, back, &err), 0);
	assert_same_flows(sum, back);
	assert_int_equal(journal_delete(j, full, &err), 0);
	assert_int_equal(append_flows(j, t, &err), 0);
	journal_close(j);
	flow_table_free(t);
	flow_table_free(sum);
	flow_table_free(back);
}

/* Segments begun before the store was seen get ids that the store has not, in their order, whenever the process
 * ends meanwhile. */
static void a_blind_journal_gives_way_to_the_stores_ids(void **state)
{
	struct error err = {0};
	struct flow_table *parts[3], *back = new_table(0);
	struct journal *j = open_journal(1u << 30);
	assert_false(journal_is_blind(j));
	assert_int_equal(journal_set_blind(j, &err), 0);
	for (unsigned i = 0; i < 3; i++) {
		begin(j);
		parts[i] = new_table(5 + i);
		assert_int_equal(append_flows(j, parts[i], &err), 0);
	}
	journal_close(j);
	j = open_journal(1u << 30);
	assert_true(journal_is_blind(j));
	begin(j);
	size_t count;
	const struct journal_segment *segments = journal_segments(j, &count);
	assert_int_equal(count, 3);
	/* One was renamed already when it crashed. */
	char from[512], to[512];
	uint64_t last = segments[1].id + 5000;
	(void)snprintf(from, sizeof(from), "%s/%020llu.wj", dir, (unsigned long long)segments[2].id);
	(void)snprintf(to, sizeof(to), "%s/%020llu.wj", dir, (unsigned long long)(segments[2].id + last));
	journal_close(j);
	assert_int_equal(rename(from, to), 0);
	j = open_journal(1u << 30);
	begin(j);
	assert_int_equal(journal_see(j, last, &err), 0);
	assert_false(journal_is_blind(j));
	segments = journal_segments(j, &count);
	assert_int_equal(count, 4);
	assert_true(segments[0].id == last + 1 && journal_current(j) > segments[3].id);
	struct frame_sink none = {0};
	static const unsigned order[] = {0, 1, 3, 2}; /* the third place: the second run's, which has no rows */
	for (unsigned i = 0; i < 4; i++) {
		assert_true(i == 0 || segments[i].id > segments[i - 1].id);
		assert_true(segments[i].closed_ms);
		assert_int_equal(flow_table_clear(back), 0);
		assert_int_equal(journal_read(j, segments[i].id, &none, back, &err), 0);
		if (order[i] < 3)
			assert_same_flows(parts[order[i]], back);
	}
	assert_int_equal(append_flows(j, parts[0], &err), 0);
	uint64_t current = journal_current(j);
	assert_int_equal(journal_see(j, current + 1, &err), 0); /* not blind: no-op */
	assert_true(journal_current(j) == current);
	journal_close(j);
	j = open_journal(1u << 30);
	assert_false(journal_is_blind(j));
	journal_close(j);
	for (unsigned i = 0; i < 3; i++)
		flow_table_free(parts[i]);
	flow_table_free(back);
}

int main(void)
{
	wt_random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_there_and_back),
		cmocka_unit_test(changes_go_alone),
		cmocka_unit_test(every_changed_byte_is_survived),
		cmocka_unit_test(the_book_agrees_with_a_list),
		cmocka_unit_test_setup_teardown(what_was_appended_is_read, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(every_torn_end_is_cut_off, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(damage_is_told_with_its_place, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_segment_of_another_version_is_refused, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(zeros_at_the_end_are_a_torn_end, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(nothing_is_written_behind_a_failed_frame, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_full_journal_refuses_and_goes_on, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_blind_journal_gives_way_to_the_stores_ids, make_dir, remove_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* A chain of segment files, NUMBER.spool, each a run of frames:
 *
 *     u32 length of the body, u32 records in it, u64 XXH3-64 of both and the body, body
 *
 * The last one is written, the first one read; a segment that has been read is deleted. The place of reading is in the notes
 * and moves before a body is given out: a body comes out once at most, whatever happens, and what a crash takes with it
 * is what the reader had in memory. A torn end is passed over, and one of zeros, whose length the file system had noted before the
 * bytes. A segment that is damaged, or cannot be read, is given another name, NUMBER-TIME.unreadable, and stays for somebody to
 * look at; the next one is read. Numbers increase for ever.
 *
 * spool_sync, which is called before anything that came out is sent, brings both ends to the disk; until then a crash of
 * the machine (not of the process) may lose what was put in last. */

#include "probe/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "wire/datagram.h"

#define FRAME_HEAD    16
#define FRAME_MAX     (FRAME_HEAD + DATAGRAM_RECEIVE_MAX)
#define SEGMENTS      16 /* about, when the spool is full */
#define SEGMENT_MIN   16384
#define NAME_BYTES    32
#define NOTES_FILE    "notes"
#define NOTES_MAGIC   "whereto spool 1\n"
#define SPOOL_SUFFIX  ".spool"
#define OWED_SUFFIX   ".owed"
#define ASIDE_SUFFIX  ".unreadable"
#define SAVED_MAX     (16u << 20)

struct notes_file {
	char magic[sizeof(NOTES_MAGIC)];
	struct spool_notes notes;
};

struct spool {
	char dir[PATH_MAX];
	int dir_fd;
	uint64_t max_bytes, bytes, records, damaged, lost;
	struct notes_file *file;
	uint64_t first_id, last_id; /* of the segments; none: first_id > last_id */
	int write_fd, read_fd;      /* of the last and the first; -1: not open */
	uint64_t write_bytes;
	bool written, moved; /* since the last sync */
	uint8_t frame[FRAME_MAX];
};

/* ---- files ---- */

static const char *segment_name(uint64_t id, char buf[static NAME_BYTES])
{
	(void)snprintf(buf, NAME_BYTES, "%020" PRIu64 SPOOL_SUFFIX, id);
	return buf;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);
	return n > m && strcmp(name + n - m, suffix) == 0;
}

static DIR *list(const struct spool *s)
{
	int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? NULL : fdopendir(fd);
}

static uint64_t size_of(const struct spool *s, uint64_t id)
{
	char name[NAME_BYTES];
	struct stat st;
	return fstatat(s->dir_fd, segment_name(id, name), &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : (uint64_t)st.st_size;
}

static uint64_t checksum(const uint8_t *frame, size_t body_len)
{
	XXH3_state_t state;
	(void)XXH3_64bits_reset(&state);
	(void)XXH3_64bits_update(&state, frame, 8);
	(void)XXH3_64bits_update(&state, frame + FRAME_HEAD, body_len);
	return XXH3_64bits_digest(&state);
}

static bool is_zeros(const uint8_t *data, size_t len)
{
	return len && !data[0] && memcmp(data, data + 1, len - 1) == 0;
}

/* Zeros from offset to the end: a file system may have noted the new length before the bytes. -errno of reading. */
static int only_zeros(struct spool *s, int fd, uint64_t offset)
{
	ssize_t n;
	while ((n = pread(fd, s->frame, sizeof(s->frame), (off_t)offset)) > 0 && is_zeros(s->frame, (size_t)n))
		offset += (uint64_t)n;
	return n < 0 ? -errno : n == 0;
}

/* The frame at offset, into s->frame: its length with the head. 0: the segment ends there, or is torn; -EBADMSG: it is damaged;
 * -errno of reading. */
static int read_frame(struct spool *s, int fd, uint64_t offset, uint32_t *ret_records)
{
	ssize_t n = pread(fd, s->frame, sizeof(s->frame), (off_t)offset);
	if (n < 0)
		return -errno;
	struct rd r = rd_make(s->frame, (size_t)n);
	uint32_t len = rd_u32(&r);
	*ret_records = rd_u32(&r);
	uint64_t sum = rd_u64(&r);
	if (is_zeros(s->frame, (size_t)n)) {
		int zeros = only_zeros(s, fd, offset + (uint64_t)n);
		return zeros > 0 ? 0 : zeros < 0 ? zeros : -EBADMSG;
	}
	if (rd_ok(&r) && (len == 0 || len > DATAGRAM_RECEIVE_MAX))
		return -EBADMSG;
	(void)rd_bytes(&r, len);
	if (!rd_ok(&r))
		return 0;
	return sum == checksum(s->frame, len) ? (int)(FRAME_HEAD + len) : -EBADMSG;
}

/* ---- opening ---- */

static int open_notes(struct spool *s, struct error *err)
{
	CLEANUP(close_p) int fd = openat(s->dir_fd, NOTES_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(struct notes_file)) < 0)
		return error_set(err, -errno, "%s/" NOTES_FILE ": %s", s->dir, strerror(errno));
	s->file = mmap(NULL, sizeof(*s->file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s->file == MAP_FAILED) {
		s->file = NULL;
		return error_set(err, -errno, "%s/" NOTES_FILE ": %s", s->dir, strerror(errno));
	}
	if (memcmp(s->file->magic, NOTES_MAGIC, sizeof(NOTES_MAGIC)) != 0) {
		s->file->notes = (struct spool_notes){0};
		memcpy(s->file->magic, NOTES_MAGIC, sizeof(NOTES_MAGIC));
	}
	return 0;
}

static void find_segments(struct spool *s)
{
	DIR *d = list(s);
	struct dirent *e;
	s->first_id = UINT64_MAX;
	while (d && (e = readdir(d))) {
		char *end;
		uint64_t id = strtoull(e->d_name, &end, 10);
		if (strcmp(end, SPOOL_SUFFIX) != 0 || end == e->d_name || id < s->file->notes.read_id) {
			if (has_suffix(e->d_name, SPOOL_SUFFIX))
				(void)unlinkat(s->dir_fd, e->d_name, 0);
			continue;
		}
		s->first_id = id < s->first_id ? id : s->first_id;
		s->last_id = id > s->last_id ? id : s->last_id;
	}
	if (d)
		(void)closedir(d);
	if (s->first_id == UINT64_MAX) {
		s->last_id = s->file->notes.read_id;
		s->first_id = s->last_id + 1;
	}
}

/* Where reading begins in a segment. */
static uint64_t start_of(const struct spool *s, uint64_t id)
{
	return id == s->file->notes.read_id ? s->file->notes.read_offset : 0;
}

/* Counts what is in the segments. */
static void measure(struct spool *s)
{
	char name[NAME_BYTES];
	for (uint64_t id = s->first_id; id <= s->last_id; id++) {
		CLEANUP(close_p) int fd = openat(s->dir_fd, segment_name(id, name), O_RDONLY | O_CLOEXEC);
		uint32_t records;
		int n;
		for (uint64_t at = start_of(s, id); fd >= 0 && (n = read_frame(s, fd, at, &records)) > 0; at += (uint64_t)n)
			s->records += records;
		s->bytes += size_of(s, id);
	}
}

int spool_open(const char *dir, uint64_t max_bytes, struct spool **ret, struct error *err)
{
	struct spool *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	*s = (struct spool){.max_bytes = max_bytes, .dir_fd = -1, .write_fd = -1, .read_fd = -1};
	(void)snprintf(s->dir, sizeof(s->dir), "%s", dir);
	int r = mkdir(dir, 0700) < 0 && errno != EEXIST ? -errno : 0;
	if (r < 0)
		(void)error_set(err, r, "spool %s: cannot be made in the folder above it: %s", dir, strerror(-r));
	else if ((s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		r = error_set(err, -errno, "spool %s: %s", dir, strerror(errno));
	else if (flock(s->dir_fd, LOCK_EX | LOCK_NB) < 0)
		r = error_set(err, -EBUSY, "%s is in use by another process", dir);
	if (r == 0)
		r = open_notes(s, err);
	if (r < 0) {
		spool_close(s);
		return r;
	}
	find_segments(s);
	measure(s);
	*ret = s;
	return 0;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	if (s->file) {
		spool_sync(s);
		(void)munmap(s->file, sizeof(*s->file));
	}
	close_p(&s->write_fd);
	close_p(&s->read_fd);
	close_p(&s->dir_fd);
	free(s);
}

struct spool_notes *spool_notes(struct spool *s)
{
	return &s->file->notes;
}

struct spool_stats spool_stats(const struct spool *s)
{
	return (struct spool_stats){s->bytes, s->max_bytes, s->records, s->damaged};
}

/* ---- in ---- */

static uint64_t segment_max(const struct spool *s)
{
	uint64_t max = s->max_bytes / SEGMENTS;
	return max < SEGMENT_MIN ? SEGMENT_MIN : max;
}

/* A segment that another run began is not added to: its end may be torn. */
static int begin_segment(struct spool *s)
{
	char name[NAME_BYTES];
	int fd = openat(s->dir_fd, segment_name(s->last_id + 1, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close_p(&s->write_fd);
	s->write_fd = fd;
	s->last_id++;
	s->write_bytes = 0;
	return 0;
}

int spool_put(struct spool *s, struct view body, uint32_t records)
{
	size_t len = FRAME_HEAD + body.len;
	if (len > sizeof(s->frame))
		return -EMSGSIZE;
	if (s->bytes + len > s->max_bytes)
		return -ENOSPC;
	int r = s->write_fd < 0 || s->write_bytes + len > segment_max(s) ? begin_segment(s) : 0;
	if (r < 0)
		return r;
	struct wr w = wr_make(s->frame, sizeof(s->frame));
	wr_u32(&w, (uint32_t)body.len);
	wr_u32(&w, records);
	memcpy(s->frame + FRAME_HEAD, body.data, body.len);
	wr_u64(&w, checksum(s->frame, body.len));
	ssize_t n = pwrite(s->write_fd, s->frame, len, (off_t)s->write_bytes);
	if (n != (ssize_t)len) {
		r = n < 0 ? -errno : -ENOSPC;
		(void)!ftruncate(s->write_fd, (off_t)s->write_bytes); /* the next one may be shorter */
		return r;
	}
	s->write_bytes += len;
	s->bytes += len;
	s->records += records;
	s->written = true;
	struct spool_notes *notes = &s->file->notes;
	notes->unsent -= records < notes->unsent ? records : notes->unsent;
	return 0;
}

/* ---- out ---- */

/* Nothing more is read from the first segment. */
static void leave_segment(struct spool *s)
{
	uint64_t bytes = size_of(s, s->first_id);
	s->file->notes.read_id = s->first_id + 1;
	s->file->notes.read_offset = 0;
	s->bytes -= bytes < s->bytes ? bytes : s->bytes;
	s->moved = true;
}

static void close_segment(struct spool *s)
{
	close_p(&s->read_fd);
	if (s->first_id == s->last_id)
		close_p(&s->write_fd);
	s->first_id++;
}

static void end_segment(struct spool *s)
{
	char name[NAME_BYTES];
	leave_segment(s);
	(void)unlinkat(s->dir_fd, segment_name(s->first_id, name), 0);
	close_segment(s);
}

/* Returns why, an errno. */
static int set_aside(struct spool *s, int why, struct error *err)
{
	char name[NAME_BYTES], aside[2 * NAME_BYTES + sizeof(ASIDE_SUFFIX)];
	const char *what = why == -EBADMSG ? "is damaged" : strerror(-why);
	uint64_t at = start_of(s, s->first_id);
	(void)segment_name(s->first_id, name);
	(void)snprintf(aside, sizeof(aside), "%020" PRIu64 "-%" PRIu64 ASIDE_SUFFIX, s->first_id, clock_wall_ms());
	leave_segment(s);
	if (renameat(s->dir_fd, name, s->dir_fd, aside) == 0)
		(void)error_set(err, why, "spool %s: %s cannot be read from byte %" PRIu64 " on: %s; it is set aside as %s", s->dir, name,
			at, what, aside);
	else
		(void)error_set(err, why, "spool %s: %s cannot be read from byte %" PRIu64 " on: %s; it is passed over, and cannot be set "
			"aside: %s", s->dir, name, at, what, strerror(errno));
	s->damaged++;
	close_segment(s);
	return why;
}

/* The next frame of the first segment, as read_frame. -EAGAIN: the file cannot be opened now. */
static int next_frame(struct spool *s, uint32_t *ret_records)
{
	char name[NAME_BYTES];
	if (s->read_fd < 0)
		s->read_fd = openat(s->dir_fd, segment_name(s->first_id, name), O_RDONLY | O_CLOEXEC);
	if (s->read_fd >= 0)
		return read_frame(s, s->read_fd, start_of(s, s->first_id), ret_records);
	bool passes = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EINTR;
	return errno == ENOENT ? 0 : passes ? -EAGAIN : -errno;
}

int spool_next(struct spool *s, struct view *ret, struct error *err)
{
	struct spool_notes *notes = &s->file->notes;
	for (; s->first_id <= s->last_id; end_segment(s)) {
		uint32_t records;
		uint64_t at = start_of(s, s->first_id);
		int n = next_frame(s, &records);
		if (n < 0)
			return n == -EAGAIN ? 0 : set_aside(s, n, err);
		if (n > 0) {
			notes->unsent += records;
			notes->read_offset = at + (uint64_t)n;
			notes->read_id = s->first_id;
			s->moved = true;
			s->records -= records < s->records ? records : s->records;
			*ret = (struct view){s->frame + FRAME_HEAD, (size_t)n - FRAME_HEAD};
			return 1;
		}
		s->damaged += s->read_fd < 0 || at != size_of(s, s->first_id);
	}
	s->lost += s->records; /* what could not be read was among them */
	s->records = s->bytes = 0;
	return 0;
}

uint64_t spool_take_lost(struct spool *s)
{
	uint64_t lost = s->lost;
	s->lost = 0;
	return lost;
}

void spool_sync(struct spool *s)
{
	if (s->written && s->write_fd >= 0)
		(void)fdatasync(s->write_fd);
	if (s->written || s->moved)
		(void)msync(s->file, sizeof(*s->file), MS_SYNC);
	s->written = s->moved = false;
}

/* ---- sessions ---- */

static int write_all(int fd, const uint8_t *data, size_t len)
{
	for (ssize_t n; len; data += n, len -= (size_t)n) {
		n = write(fd, data, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		n = n < 0 ? 0 : n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int spool_save_session(struct spool *s, const struct buffer *saved, struct error *err)
{
	char name[NAME_BYTES + 8];
	int r = saved->failed ? -ENOMEM : -EEXIST;
	for (uint64_t id = clock_wall_ms(); r == -EEXIST; id++) {
		(void)snprintf(name, sizeof(name), "%020" PRIu64 OWED_SUFFIX, id);
		CLEANUP(close_p) int fd = openat(s->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		r = fd < 0 ? -errno : write_all(fd, saved->data, saved->len);
	}
	return r < 0 ? error_set(err, r, "%s: a session cannot be saved: %s", s->dir, strerror(-r)) : 0;
}

void spool_each_session(struct spool *s, void (*fn)(void *ctx, const char *name, struct view saved), void *ctx)
{
	DIR *d = list(s);
	struct dirent *e;
	CLEANUP(free_p) uint8_t *data = malloc(SAVED_MAX);
	while (d && data && (e = readdir(d))) {
		if (!has_suffix(e->d_name, OWED_SUFFIX))
			continue;
		CLEANUP(close_p) int fd = openat(s->dir_fd, e->d_name, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : pread(fd, data, SAVED_MAX, 0);
		fn(ctx, e->d_name, (struct view){data, n < 0 ? 0 : (size_t)n});
	}
	if (d)
		(void)closedir(d);
}

void spool_drop_session(struct spool *s, const char *name)
{
	(void)unlinkat(s->dir_fd, name, 0);
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Files are named by their id, twenty digits and ".wj". A segment starts with SEGMENT_MAGIC; a frame is
 *
 *     u32 length of the payload, u64 XXH3-64 of length and payload, payload
 *
 * Ids are the wall clock in milliseconds, made to increase: even a journal that was deleted does not
 * use an id again that the store has seen, as long as the clock is right.
 *
 * The ids of a journal that was begun while the store was away may be in the store already (an older journal was
 * deleted, and the clock was wrong then or is now). The file BLIND_NAME says so until the store has been seen; then the
 * segments are renamed, the newest first, so that they keep their order whenever a crash comes in between.
 *
 * Durability: a segment's file and the folder are synced when it is begun, a frame's bytes by
 * fdatasync before journal_append returns. A frame that could not be written whole is cut off again
 * at once, so the file always ends at a frame or in the torn tail of a crash.
 *
 * Torn or damaged? In the newest segment a bad frame that reaches to or past the end of the file is
 * a write the crash interrupted, and so are zeros up to the end: a file system may have noted the new length before the
 * bytes. It is cut off when it is first read, while the segment still is the newest. Anything else is damage, reported
 * with its offset; so is a frame whose length is wrong, for behind the last write there is no whole frame. A segment of
 * another version of the program is not damaged: it is left as it is. */

#include "journal/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"

#define SEGMENT_MAGIC  "whereto journal 2\n"
#define MAGIC_BYTES    (sizeof(SEGMENT_MAGIC) - 1)
#define MAGIC_FIXED    (MAGIC_BYTES - 2) /* of any version up to 9 */
#define FRAME_HEAD     12
#define PATH_BYTES     4096
#define BLIND_NAME     "blind"

struct journal {
	char *dir;
	uint64_t max_bytes;
	int lock_fd, dir_fd;

	struct journal_segment *closed;
	size_t closed_count, closed_cap;

	int fd; /* the open segment; -1: none */
	struct journal_segment open;
	uint64_t snapshot_bytes; /* of the open segment, up to the end of its snapshot */
	bool blind;
	bool untidy; /* a write failed, and what it left behind open.bytes is not cut off yet */
	struct buffer buffer;
};

static void segment_name(uint64_t id, char buf[static 32])
{
	(void)snprintf(buf, 32, "%020" PRIu64 ".wj", id);
}

static int io_error(const struct journal *j, const char *name, const char *what, struct error *err)
{
	int code = errno ? errno : EIO;
	return error_set(err, -code, "%s/%s: %s: %s", j->dir, name, what, strerror(code));
}

static int add_closed(struct journal *j, struct journal_segment s)
{
	if (j->closed_count == j->closed_cap) {
		size_t cap = j->closed_cap ? j->closed_cap * 2 : 16;
		struct journal_segment *p = realloc(j->closed, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		j->closed = p;
		j->closed_cap = cap;
	}
	j->closed[j->closed_count++] = s;
	return 0;
}

/* ---- opening ---- */

static int compare_segments(const void *a, const void *b)
{
	const struct journal_segment *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

/* The id in a segment's file name; 0 for any other name. */
static uint64_t parse_name(const char *name)
{
	char *end, again[32];
	uint64_t id = strtoull(name, &end, 10);
	segment_name(id, again);
	return strcmp(name, again) == 0 ? id : 0;
}

static int list_segments(struct journal *j, struct error *err)
{
	DIR *d = opendir(j->dir);
	if (!d)
		return io_error(j, "", "cannot be read", err);
	int r = 0;
	struct dirent *e;
	while (r == 0 && (e = readdir(d))) {
		struct stat st;
		uint64_t id = parse_name(e->d_name);
		if (!id)
			continue;
		if (fstatat(j->dir_fd, e->d_name, &st, 0) < 0)
			r = io_error(j, e->d_name, "cannot be read", err);
		else
			r = add_closed(j, (struct journal_segment){id, (uint64_t)st.st_size,
				(uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / NS_PER_MS});
	}
	(void)closedir(d);
	if (j->closed_count)
		qsort(j->closed, j->closed_count, sizeof(*j->closed), compare_segments);
	return r;
}

static int take_lock(struct journal *j, struct error *err)
{
	j->lock_fd = openat(j->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (j->lock_fd < 0)
		return io_error(j, "lock", "cannot be opened", err);
	if (flock(j->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return error_set(err, -EBUSY, "%s: another collector is using this journal", j->dir);
	return io_error(j, "lock", "cannot be locked", err);
}

int journal_open(const char *dir, uint64_t max_bytes, struct journal **ret, struct error *err)
{
	struct journal *j = calloc(1, sizeof(*j));
	char *copy = strdup(dir);
	if (!j || !copy) {
		free(j);
		free(copy);
		return error_set(err, -ENOMEM, "%s: out of memory", dir);
	}
	j->fd = j->lock_fd = j->dir_fd = -1;
	j->max_bytes = max_bytes;
	buffer_init(&j->buffer);
	j->dir = copy;
	int r = 0;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		r = error_set(err, -errno, "%s: cannot be made: %s", dir, strerror(errno));
	if (r == 0) {
		j->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (j->dir_fd < 0)
			r = error_set(err, -errno, "%s: %s", dir, strerror(errno));
	}
	if (r == 0)
		r = take_lock(j, err);
	if (r == 0)
		r = list_segments(j, err);
	j->blind = r == 0 && faccessat(j->dir_fd, BLIND_NAME, F_OK, 0) == 0;
	if (r < 0) {
		journal_close(j);
		return r;
	}
	*ret = j;
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	close_p(&j->fd);
	close_p(&j->lock_fd);
	close_p(&j->dir_fd);
	buffer_done(&j->buffer);
	free(j->closed);
	free(j->dir);
	free(j);
}

const struct journal_segment *journal_segments(const struct journal *j, size_t *ret_count)
{
	*ret_count = j->closed_count;
	return j->closed;
}

/* ---- reading ---- */

static uint64_t checksum(const void *data, size_t n)
{
	return XXH3_64bits(data, n);
}

/* The checksum covers the length too: it is hashed as four bytes in front of the payload. */
static uint64_t frame_checksum(uint32_t len, const uint8_t *payload)
{
	return checksum(payload, len) ^ (uint64_t)len * 0x9e3779b97f4a7c15u;
}

static bool is_zeros(struct view v)
{
	return v.len && !v.data[0] && memcmp(v.data, v.data + 1, v.len - 1) == 0;
}

/* Whether somewhere in it a whole frame begins that ends where it ends. */
static bool ends_in_frame(struct view v)
{
	for (struct rd r = rd_view(v); rd_left(&r) > FRAME_HEAD; rd_skip(&r, 1)) {
		struct rd frame = r;
		uint32_t len = rd_u32(&frame);
		uint64_t sum = rd_u64(&frame);
		if (len == rd_left(&frame) && frame_checksum(len, frame.p) == sum)
			return true;
	}
	return false;
}

static int check_magic(const struct journal *j, const char *name, struct view magic, struct error *err)
{
	if (magic.len == MAGIC_BYTES && memcmp(magic.data, SEGMENT_MAGIC, MAGIC_BYTES) == 0)
		return 0;
	if (magic.len == MAGIC_BYTES && memcmp(magic.data, SEGMENT_MAGIC, MAGIC_FIXED) == 0)
		return error_set(err, -EPROTONOSUPPORT, "%s/%s: is of another version of whereto, which has to bring it into the"
			" store (or move the file away, with what is in it)", j->dir, name);
	return error_set(err, -EBADMSG, "%s/%s: not a journal segment", j->dir, name);
}

/* *ret_good: bytes up to the end of the last good frame. */
static int read_frames(const struct journal *j, const char *name, struct view file, bool newest,
	const struct frame_sink *sink, struct flow_table *flows, size_t *ret_good, struct error *err)
{
	struct rd r = rd_view(file);
	struct view magic = rd_bytes(&r, MAGIC_BYTES);
	*ret_good = 0;
	if (newest && (!rd_ok(&r) || is_zeros(file)))
		return 0; /* made, but the crash came before its first bytes */
	int result = check_magic(j, name, magic, err);
	if (result < 0)
		return result;
	while (rd_more(&r)) {
		size_t offset = *ret_good = (size_t)(r.p - file.data);
		struct view rest = {r.p, rd_left(&r)};
		uint32_t len = rd_u32(&r);
		uint64_t sum = rd_u64(&r);
		struct view payload = rd_bytes(&r, len);
		bool whole = rd_ok(&r), last = !rd_more(&r);
		if (!whole || frame_checksum(len, payload.data) != sum) {
			if (newest && (last || is_zeros(rest)) && !ends_in_frame(rest))
				return 0;
			return error_set(err, -EBADMSG, "%s/%s: damaged frame at byte %zu of %zu", j->dir, name, offset,
				file.len);
		}
		result = frame_decode(payload, sink, flows);
		if (result < 0)
			return error_set(err, result, "%s/%s: frame at byte %zu cannot be read: %s", j->dir, name, offset,
				strerror(-result));
	}
	*ret_good = file.len;
	return 0;
}

int journal_read(struct journal *j, uint64_t id, const struct frame_sink *sink, struct flow_table *flows,
	struct error *err)
{
	char name[32];
	segment_name(id, name);
	CLEANUP(close_p) int fd = openat(j->dir_fd, name, O_RDWR | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return io_error(j, name, "cannot be read", err);
	if (st.st_size == 0)
		return 0; /* begun, and cut off whole by an earlier open */
	bool newest = j->fd < 0 && j->closed_count && j->closed[j->closed_count - 1].id == id;
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return io_error(j, name, "cannot be mapped", err);
	size_t good;
	int r = read_frames(j, name, (struct view){map, (size_t)st.st_size}, newest, sink, flows, &good, err);
	(void)munmap(map, (size_t)st.st_size);
	/* The torn tail goes now: later this segment will not be the newest any more. */
	if (r == 0 && good < (size_t)st.st_size && (ftruncate(fd, (off_t)good) < 0 || fsync(fd) < 0))
		return io_error(j, name, "torn end cannot be cut off", err);
	return r;
}

/* ---- writing ---- */

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t written = write(fd, p, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			if (written == 0)
				errno = ENOSPC;
			return -errno;
		}
		p += written;
		n -= (size_t)written;
	}
	return 0;
}

static int encode_with_head(struct journal *j, const struct frame *f)
{
	buffer_clear(&j->buffer);
	struct wr head = buffer_reserve(&j->buffer, FRAME_HEAD);
	wr_u32(&head, 0);
	wr_u64(&head, 0);
	buffer_commit(&j->buffer, &head);
	int r = frame_encode(f, &j->buffer);
	if (r < 0)
		return r;
	size_t len = j->buffer.len - FRAME_HEAD;
	if (len > UINT32_MAX)
		return -EFBIG;
	head = wr_make(j->buffer.data, FRAME_HEAD);
	wr_u32(&head, (uint32_t)len);
	wr_u64(&head, frame_checksum((uint32_t)len, j->buffer.data + FRAME_HEAD));
	return 0;
}

/* Cuts off what a failed write left: a frame behind it could not be found again. */
static int tidy(struct journal *j, const char *name, struct error *err)
{
	if (j->untidy && (ftruncate(j->fd, (off_t)j->open.bytes) < 0 || lseek(j->fd, 0, SEEK_END) < 0))
		return io_error(j, name, "cannot be cut back after a failed write", err);
	j->untidy = false;
	return 0;
}

/* Writes the frame in j->buffer at the end of the open segment; cuts it off again on failure. */
static int append_encoded(struct journal *j, struct error *err)
{
	char name[32];
	segment_name(j->open.id, name);
	int r = tidy(j, name, err);
	if (r < 0)
		return r;
	r = write_all(j->fd, j->buffer.data, j->buffer.len);
	if (r == 0 && fdatasync(j->fd) < 0)
		r = -errno;
	if (r == 0) {
		j->open.bytes += j->buffer.len;
		return 0;
	}
	errno = -r;
	(void)io_error(j, name, "cannot be written", err);
	j->untidy = true;
	struct error ignored = {0};
	(void)!tidy(j, name, &ignored); /* if not now, before the next write */
	return r;
}

int journal_append(struct journal *j, const struct frame *f, struct error *err)
{
	int r = encode_with_head(j, f);
	if (r < 0)
		return error_set(err, r, "%s: frame cannot be encoded: %s", j->dir, strerror(-r));
	if (journal_bytes(j) + j->buffer.len > j->max_bytes)
		return error_set(err, -ENOSPC, "%s: journal.max_size of %" PRIu64 " bytes is reached", j->dir,
			j->max_bytes);
	return append_encoded(j, err);
}

static uint64_t next_id(const struct journal *j, uint64_t min_id)
{
	uint64_t id = clock_wall_ms();
	if (j->fd >= 0 && id <= j->open.id)
		id = j->open.id + 1;
	if (j->closed_count && id <= j->closed[j->closed_count - 1].id)
		id = j->closed[j->closed_count - 1].id + 1;
	return id <= min_id ? min_id + 1 : id;
}

int journal_begin(struct journal *j, uint64_t min_id, const struct frame *snapshot, struct error *err)
{
	struct journal_segment fresh = {.id = next_id(j, min_id), .bytes = MAGIC_BYTES}, old = j->open;
	old.closed_ms = clock_wall_ms();
	char name[32];
	segment_name(old.id, name);
	int r = tidy(j, name, err);
	if (r < 0)
		return r;
	segment_name(fresh.id, name);
	int fd = openat(j->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), old_fd = j->fd;
	if (fd < 0)
		return io_error(j, name, "cannot be made", err);
	r = encode_with_head(j, snapshot);
	if (r == 0)
		r = write_all(fd, (const uint8_t *)SEGMENT_MAGIC, MAGIC_BYTES);
	if (r == 0 && old_fd >= 0)
		r = add_closed(j, old);
	if (r < 0) {
		errno = -r;
		(void)io_error(j, name, "cannot be begun", err);
		goto fail;
	}
	j->fd = fd;
	j->open = fresh;
	r = append_encoded(j, err);
	if (r == 0 && fsync(j->dir_fd) < 0)
		r = io_error(j, name, "cannot be synced", err);
	if (r < 0) {
		j->fd = old_fd;
		j->open = old;
		j->untidy = false;
		j->closed_count -= old_fd >= 0;
		goto fail;
	}
	j->snapshot_bytes = j->open.bytes;
	close_p(&old_fd);
	return 0;
fail:
	close_p(&fd);
	(void)unlinkat(j->dir_fd, name, 0);
	return r;
}

/* ---- blindness ---- */

int journal_set_blind(struct journal *j, struct error *err)
{
	CLEANUP(close_p) int fd = openat(j->dir_fd, BLIND_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fsync(fd) < 0 || fsync(j->dir_fd) < 0)
		return io_error(j, BLIND_NAME, "cannot be made", err);
	j->blind = true;
	return 0;
}

bool journal_is_blind(const struct journal *j)
{
	return j->blind;
}

static int rename_segment(struct journal *j, struct journal_segment *s, uint64_t shift, struct error *err)
{
	char from[32], to[32];
	segment_name(s->id, from);
	segment_name(s->id + shift, to);
	if (renameat(j->dir_fd, from, j->dir_fd, to) < 0)
		return io_error(j, from, "cannot be given another number", err);
	s->id += shift;
	return 0;
}

int journal_see(struct journal *j, uint64_t last_id, struct error *err)
{
	if (!j->blind)
		return 0;
	uint64_t first = j->closed_count ? j->closed[0].id : j->open.id;
	uint64_t shift = first && first <= last_id ? last_id + 1 - first : 0;
	int r = 0;
	if (shift && j->fd >= 0)
		r = rename_segment(j, &j->open, shift, err);
	for (size_t i = j->closed_count; shift && i && r == 0; i--)
		r = rename_segment(j, &j->closed[i - 1], shift, err);
	if (r < 0)
		return r;
	if (fsync(j->dir_fd) < 0 || unlinkat(j->dir_fd, BLIND_NAME, 0) < 0 || fsync(j->dir_fd) < 0)
		return io_error(j, BLIND_NAME, "cannot be removed", err);
	j->blind = false;
	return 0;
}

uint64_t journal_current(const struct journal *j)
{
	return j->open.id;
}

uint64_t journal_appended(const struct journal *j)
{
	return j->open.bytes - j->snapshot_bytes;
}

static void forget_closed(struct journal *j, uint64_t id)
{
	for (size_t i = 0; i < j->closed_count; i++) {
		if (j->closed[i].id != id)
			continue;
		memmove(&j->closed[i], &j->closed[i + 1], (j->closed_count - i - 1) * sizeof(*j->closed));
		j->closed_count--;
		return;
	}
}

int journal_delete(struct journal *j, uint64_t id, struct error *err)
{
	char name[32];
	segment_name(id, name);
	forget_closed(j, id);
	if (unlinkat(j->dir_fd, name, 0) < 0 && errno != ENOENT)
		return io_error(j, name, "cannot be deleted", err);
	return 0;
}

int journal_set_aside(struct journal *j, uint64_t id, struct error *err)
{
	char name[32], aside[48];
	segment_name(id, name);
	(void)snprintf(aside, sizeof(aside), "%s.damaged", name);
	forget_closed(j, id);
	if (renameat(j->dir_fd, name, j->dir_fd, aside) < 0)
		return io_error(j, name, "cannot be set aside", err);
	return 0;
}

uint64_t journal_bytes(const struct journal *j)
{
	uint64_t bytes = j->fd >= 0 ? j->open.bytes : 0;
	for (size_t i = 0; i < j->closed_count; i++)
		bytes += j->closed[i].bytes;
	return bytes;
}

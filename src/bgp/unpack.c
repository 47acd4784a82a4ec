/* SPDX-License-Identifier: BSD-2-Clause */

/* Decompression by content.
 *
 * The first bytes decide. Signatures are long enough that no MRT file can be taken for a compressed
 * one: an MRT file starts with a timestamp, and "BZh" alone would be a second in April 2005.
 *
 * bzip2, xz and zstd go through libarchive, which checks what those formats have in checksums. gzip
 * goes through zlib, as libarchive passes over gzip's checksum. Members and frames that are
 * concatenated are one stream, as the formats' own tools have it. */

#include "bgp/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define INPUT_BYTES (64 * 1024)
#define SIGNATURE_BYTES 10

struct unpack {
	int fd;
	const char *format;
	int (*enable)(struct archive *); /* libarchive's filter; NULL: not by libarchive */
	bool gzip;
	struct archive *archive;
	const uint8_t *block; /* of libarchive's, what is left of it */
	size_t block_len;
	bool empty; /* libarchive has nothing more inside */
	z_stream z;
	bool z_live;     /* between a gzip member's start and end */
	bool z_any;      /* a member was read whole */
	int read_errno;  /* of a failed read below libarchive */
	size_t start, end; /* unread part of input */
	bool eof;
	int failed; /* of gzip: the result of every further read, and why */
	struct error why;
	uint8_t input[INPUT_BYTES];
};

static const struct signature {
	const char *format;
	uint8_t bytes[SIGNATURE_BYTES];
	uint8_t len;
	int (*enable)(struct archive *);
} signatures[] = {
	{"gzip", {0x1f, 0x8b, 8}, 3, NULL},
	{"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, archive_read_support_filter_xz},
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, archive_read_support_filter_zstd},
};

/* "BZh", a digit, then the first block's magic or, in an empty file, that of the end. */
static bool is_bzip2(const uint8_t *p, size_t n)
{
	static const uint8_t block[6] = {0x31, 0x41, 0x59, 0x26, 0x53, 0x59};
	static const uint8_t end[6] = {0x17, 0x72, 0x45, 0x38, 0x50, 0x90};
	return n >= 10 && memcmp(p, "BZh", 3) == 0 && p[3] >= '1' && p[3] <= '9' &&
		(memcmp(p + 4, block, 6) == 0 || memcmp(p + 4, end, 6) == 0);
}

static void detect(struct unpack *u)
{
	const uint8_t *p = u->input + u->start;
	size_t n = u->end - u->start;
	for (size_t i = 0; i < ARRAY_LEN(signatures); i++) {
		const struct signature *s = &signatures[i];
		if (n >= s->len && memcmp(p, s->bytes, s->len) == 0) {
			u->format = s->format;
			u->enable = s->enable;
			u->gzip = !s->enable;
			return;
		}
	}
	if (is_bzip2(p, n)) {
		u->format = "bzip2";
		u->enable = archive_read_support_filter_bzip2;
	}
}

/* Reads more input behind what is unread: at the end of the file, nothing. 0, or a negative errno. */
static int refill(struct unpack *u)
{
	memmove(u->input, u->input + u->start, u->end - u->start);
	u->end -= u->start;
	u->start = 0;
	while (!u->eof && u->end < sizeof(u->input)) {
		ssize_t n = read(u->fd, u->input + u->end, sizeof(u->input) - u->end);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		u->eof = n == 0;
		u->end += (size_t)n;
		if (u->end >= SIGNATURE_BYTES)
			break;
	}
	return 0;
}

static la_ssize_t archive_input(struct archive *a, void *ctx, const void **ret)
{
	struct unpack *u = ctx;
	if (u->start == u->end) {
		int r = refill(u);
		if (r < 0) {
			u->read_errno = -r;
			archive_set_error(a, -r, "%s", strerror(-r));
			return ARCHIVE_FATAL;
		}
	}
	size_t n = u->end - u->start;
	*ret = u->input + u->start;
	u->start = u->end;
	return (la_ssize_t)n;
}

static int archive_error(struct unpack *u, struct error *err)
{
	if (u->read_errno)
		return error_set(err, -u->read_errno, "%s", strerror(u->read_errno));
	const char *why = archive_error_string(u->archive);
	int code = archive_errno(u->archive) == ENOMEM ? -ENOMEM : -EBADMSG;
	return error_set(err, code, "damaged %s data: %s", u->format, why ? why : "no reason given");
}

/* Starts libarchive: one nameless entry that is the whole stream. */
static int archive_begin(struct unpack *u, struct error *err)
{
	u->archive = archive_read_new();
	if (!u->archive)
		return error_set(err, -ENOMEM, "out of memory");
	struct archive_entry *entry;
	if (u->enable(u->archive) != ARCHIVE_OK || archive_read_support_format_raw(u->archive) != ARCHIVE_OK ||
		archive_read_support_format_empty(u->archive) != ARCHIVE_OK ||
		archive_read_open(u->archive, u, NULL, archive_input, NULL) != ARCHIVE_OK)
		return archive_error(u, err);
	int r = archive_read_next_header(u->archive, &entry);
	if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
		return archive_error(u, err);
	u->empty = r == ARCHIVE_EOF;
	return 0;
}

static ssize_t read_archive(struct unpack *u, void *buf, size_t cap, struct error *err)
{
	if (!u->archive) {
		int r = archive_begin(u, err);
		if (r < 0)
			return r;
	}
	while (!u->block_len && !u->empty) {
		const void *block;
		size_t len;
		la_int64_t offset;
		int r = archive_read_data_block(u->archive, &block, &len, &offset);
		u->empty = r == ARCHIVE_EOF;
		if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
			return archive_error(u, err);
		u->block = block;
		u->block_len = u->empty ? 0 : len;
	}
	size_t n = u->block_len < cap ? u->block_len : cap;
	if (n)
		memcpy(buf, u->block, n);
	u->block += n;
	u->block_len -= n;
	return (ssize_t)n;
}

/* Begins the next gzip member. 0: there is none; trailing zeros and other bytes that start no
 * member are ignored, as gzip does with padding. */
static int gzip_member(struct unpack *u, struct error *err)
{
	if (u->end - u->start < 2) {
		int r = refill(u);
		if (r < 0)
			return error_set(err, r, "%s", strerror(-r));
	}
	const uint8_t *p = u->input + u->start;
	if (u->z_any && (u->end - u->start < 2 || p[0] != 0x1f || p[1] != 0x8b))
		return 0;
	int r = u->z_any ? inflateReset(&u->z) : inflateInit2(&u->z, 15 + 16);
	if (r != Z_OK)
		return error_set(err, -ENOMEM, "out of memory");
	u->z_live = true;
	return 1;
}

/* Fills the output of u->z until it is full, the data end or are damaged. */
static int fill_gzip(struct unpack *u, struct error *err)
{
	while (u->z.avail_out) {
		if (!u->z_live) {
			int r = gzip_member(u, err);
			if (r <= 0)
				return r;
		}
		if (u->start == u->end) {
			int r = refill(u);
			if (r < 0)
				return error_set(err, r, "%s", strerror(-r));
			if (u->start == u->end)
				return error_set(err, -EBADMSG, "damaged gzip data: ends early");
		}
		u->z.next_in = u->input + u->start;
		u->z.avail_in = (uInt)(u->end - u->start);
		int r = inflate(&u->z, Z_NO_FLUSH);
		u->start = u->end - u->z.avail_in;
		if (r == Z_STREAM_END) {
			u->z_live = false;
			u->z_any = true;
		} else if (r != Z_OK && r != Z_BUF_ERROR) {
			return error_set(err, r == Z_MEM_ERROR ? -ENOMEM : -EBADMSG, "damaged gzip data: %s",
				u->z.msg ? u->z.msg : "cannot be decompressed");
		}
	}
	return 0;
}

/* What was had before the damage goes out first. */
static ssize_t read_gzip(struct unpack *u, void *buf, size_t cap, struct error *err)
{
	uInt want = (uInt)(cap < (1u << 30) ? cap : 1u << 30);
	u->z.next_out = buf;
	u->z.avail_out = want;
	if (!u->failed)
		u->failed = fill_gzip(u, &u->why);
	uInt n = want - u->z.avail_out;
	return u->failed < 0 && !n ? error_set(err, u->failed, "%s", u->why.text) : (ssize_t)n;
}

static ssize_t read_plain(struct unpack *u, void *buf, size_t cap, struct error *err)
{
	size_t n = u->end - u->start;
	if (n) {
		n = n < cap ? n : cap;
		memcpy(buf, u->input + u->start, n);
		u->start += n;
		return (ssize_t)n;
	}
	ssize_t got;
	do
		got = u->eof ? 0 : read(u->fd, buf, cap);
	while (got < 0 && errno == EINTR);
	return got < 0 ? error_set(err, -errno, "%s", strerror(errno)) : got;
}

int unpack_open(const char *path, struct unpack **ret, struct error *err)
{
	struct unpack *u = calloc(1, sizeof(*u));
	if (!u)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	u->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int r = u->fd < 0 ? -errno : refill(u);
	if (r < 0) {
		unpack_close(u);
		return error_set(err, r, "%s: %s", path, strerror(-r));
	}
	detect(u);
	*ret = u;
	return 0;
}

void unpack_close(struct unpack *u)
{
	if (!u)
		return;
	if (u->archive)
		(void)archive_read_free(u->archive);
	if (u->gzip)
		(void)inflateEnd(&u->z);
	if (u->fd > STDIN_FILENO)
		(void)close(u->fd);
	free(u);
}

ssize_t unpack_read(struct unpack *u, void *buf, size_t cap, struct error *err)
{
	if (u->enable)
		return read_archive(u, buf, cap, err);
	return u->gzip ? read_gzip(u, buf, cap, err) : read_plain(u, buf, cap, err);
}

const char *unpack_format(const struct unpack *u)
{
	return u->format;
}

bool unpack_is_file(const struct unpack *u)
{
	struct stat st;
	return fstat(u->fd, &st) == 0 && S_ISREG(st.st_mode);
}

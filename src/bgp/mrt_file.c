/* SPDX-License-Identifier: BSD-2-Clause */

/* Framing of MRT files.
 *
 * One buffer holds a stretch of the uncompressed stream; records are handed out as views into it. When
 * the next record is not whole, what is left moves to the front and the buffer is filled again,
 * CHUNK_BYTES at a time, so each byte is moved about once at most. The buffer grows only as data really
 * arrives: a length field that lies costs no memory.
 *
 * Compressed files are decompressed by a thread of their own (bgp/unpack_ahead.h).
 *
 * A length of 0 or beyond MRT_BODY_MAX, and a file that ends inside a record, are errors that name the
 * offset: a table that was cut must not pass for a small one. */

#include "bgp/mrt_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bgp/unpack_ahead.h"

#define CHUNK_BYTES (256u * 1024)

struct mrt_file {
	struct unpack *unpack;
	struct unpack_ahead *ahead; /* of a compressed file; NULL: read directly */
	char *path;
	uint8_t *buf;
	size_t cap, start, end; /* start: the next record */
	uint64_t next_offset;   /* of start in the stream */
	uint64_t offset;        /* of the last record */
	bool eof;
};

int mrt_file_open(const char *path, struct mrt_file **ret, struct error *err)
{
	struct mrt_file *f = calloc(1, sizeof(*f));
	if (!f)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	f->cap = 2 * CHUNK_BYTES;
	f->buf = malloc(f->cap);
	f->path = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
	int r = f->buf && f->path ? unpack_open(path, &f->unpack, err)
				  : error_set(err, -ENOMEM, "%s: out of memory", path);
	if (r < 0) {
		mrt_file_close(f);
		return r;
	}
	/* Without a thread it goes too, only slower. */
	if (unpack_format(f->unpack) && unpack_is_file(f->unpack))
		(void)!unpack_ahead_new(f->unpack, &f->ahead);
	*ret = f;
	return 0;
}

void mrt_file_close(struct mrt_file *f)
{
	if (!f)
		return;
	unpack_ahead_free(f->ahead);
	unpack_close(f->unpack);
	free(f->buf);
	free(f->path);
	free(f);
}

uint64_t mrt_file_offset(const struct mrt_file *f)
{
	return f->offset;
}

int mrt_file_error(const struct mrt_file *f, struct error *err, int code, const char *fmt, ...)
{
	char why[256];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return error_set(err, code, "%s: offset %llu: %s", f->path, (unsigned long long)f->offset, why);
}

static int make_room(struct mrt_file *f, struct error *err)
{
	memmove(f->buf, f->buf + f->start, f->end - f->start);
	f->end -= f->start;
	f->start = 0;
	if (f->cap - f->end >= CHUNK_BYTES)
		return 0;
	uint8_t *bigger = realloc(f->buf, 2 * f->cap);
	if (!bigger)
		return error_set(err, -ENOMEM, "%s: offset %llu: out of memory", f->path,
			(unsigned long long)f->offset);
	f->buf = bigger;
	f->cap *= 2;
	return 0;
}

/* Makes n bytes available from start, or as many as the stream still has. */
static int want(struct mrt_file *f, size_t n, struct error *err)
{
	while (f->end - f->start < n && !f->eof) {
		int r = make_room(f, err);
		if (r < 0)
			return r;
		ssize_t got = f->ahead ? unpack_ahead_read(f->ahead, f->buf + f->end, CHUNK_BYTES, err)
				       : unpack_read(f->unpack, f->buf + f->end, CHUNK_BYTES, err);
		if (got < 0)
			return error_prefix(err, "%s: offset %llu", f->path,
				(unsigned long long)(f->next_offset + f->end - f->start));
		f->eof = got == 0;
		f->end += (size_t)got;
	}
	return 0;
}

static int check_header(const struct mrt_file *f, const struct mrt_header *h, struct error *err)
{
	if (h->length > MRT_BODY_MAX)
		return mrt_file_error(f, err, -EBADMSG, "a record of type %u claims %u bytes: damaged, or not an MRT file",
			h->type, h->length);
	if (!h->length)
		return mrt_file_error(f, err, -EBADMSG, "a record of type %u has no content: damaged, or not an MRT file",
			h->type);
	return 0;
}

int mrt_file_next(struct mrt_file *f, struct mrt_record *ret, struct error *err)
{
	f->offset = f->next_offset;
	int r = want(f, MRT_HEADER_BYTES, err);
	if (r < 0)
		return r;
	size_t have = f->end - f->start;
	if (!have)
		return 0;
	if (have < MRT_HEADER_BYTES)
		return mrt_file_error(f, err, -EBADMSG, "the file ends inside a record's header (%zu of %u bytes)", have,
			MRT_HEADER_BYTES);
	struct mrt_header h = mrt_header_decode(f->buf + f->start);
	r = check_header(f, &h, err);
	if (r < 0)
		return r;
	size_t whole = MRT_HEADER_BYTES + (size_t)h.length;
	r = want(f, whole, err);
	if (r < 0)
		return r;
	have = f->end - f->start;
	if (have < whole)
		return mrt_file_error(f, err, -EBADMSG, "the file ends inside a record (%zu of %zu bytes)", have, whole);
	struct view body = {f->buf + f->start + MRT_HEADER_BYTES, h.length};
	if (mrt_record_init(&h, body, ret) < 0)
		return mrt_file_error(f, err, -EBADMSG, "a record of type %u is too short for its microseconds", h.type);
	f->start += whole;
	f->next_offset += whole;
	return 1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/mrt_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <unistd.h>
#include <zlib.h>

#include "mrt_build.h"
#include "wt_test.h"

static char path[] = "/tmp/whereto-mrt-file-XXXXXX";

static void write_file(const void *data, size_t n)
{
	(void)unlink(path); /* some file systems flush what overwrites a file */
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Three records; the last is `big` bytes long. */
static size_t build_file(uint8_t *buf, size_t cap, size_t big)
{
	struct wr w = wr_make(buf, cap);
	build_peers(&w, 3);
	build_rib(&w, false, false, (uint8_t[]){192, 0, 2}, 24, NULL, 0);
	size_t at = build_record(&w, 13, 6);
	for (size_t i = 0; i < big; i++)
		wr_u8(&w, (uint8_t)(i * i >> 3));
	build_record_end(&w, at);
	return wr_len(&w);
}

/* Reads the whole file. Returns what the last mrt_file_next did; *ret_bytes counts headers and bodies as
 * they would be uncompressed, *ret_sum is a checksum of bodies. */
static int read_all(size_t *ret_bytes, uint64_t *ret_sum, struct error *err)
{
	struct mrt_file *f;
	struct mrt_record record;
	*ret_bytes = 0;
	*ret_sum = 0;
	int r = mrt_file_open(path, &f, err);
	if (r < 0)
		return r;
	while ((r = mrt_file_next(f, &record, err)) > 0) {
		assert_int_equal(mrt_file_offset(f), *ret_bytes);
		*ret_bytes += MRT_HEADER_BYTES + record.body.len;
		for (size_t i = 0; i < record.body.len; i++)
			*ret_sum = *ret_sum * 31 + record.body.data[i];
		*ret_sum += record.time + record.type * 7 + record.subtype;
	}
	mrt_file_close(f);
	return r;
}

static void assert_names_place(const struct error *err)
{
	if (strncmp(err->text, path, strlen(path)) != 0 || !strstr(err->text, ": offset "))
		fail_msg("%s", err->text);
}

static void test_plain(void **state)
{
	uint8_t buf[4096];
	size_t n = build_file(buf, sizeof(buf), 40), bytes;
	uint64_t sum;
	struct error err = {0};
	write_file(buf, n);
	assert_int_equal(read_all(&bytes, &sum, &err), 0);
	assert_int_equal(bytes, n);
	size_t whole = 0; /* truncations that end between records */
	for (size_t len = 0; len < n; len++) {
		write_file(buf, len);
		err.text[0] = '\0';
		int r = read_all(&bytes, &sum, &err);
		assert_true(r == 0 || r == -EBADMSG);
		if (r < 0)
			assert_names_place(&err);
		assert_int_equal(r == 0, bytes == len);
		whole += r == 0;
	}
	assert_int_equal(whole, 3);
}

static void test_large(void **state)
{
	size_t cap = 7u << 20, bytes;
	uint8_t *buf = malloc(cap);
	uint64_t sum;
	struct error err = {0};
	size_t n = build_file(buf, cap, 6u << 20); /* larger than the buffer */
	write_file(buf, n);
	assert_int_equal(read_all(&bytes, &sum, &err), 0);
	assert_int_equal(bytes, n);
	write_file(buf, n - 1);
	assert_int_equal(read_all(&bytes, &sum, &err), -EBADMSG);
	assert_names_place(&err);
	free(buf);
}

static void test_bad_headers(void **state)
{
	static const uint8_t cases[][16] = {
		{0, 0, 0, 1, 0, 13, 0, 2, 0, 0, 0, 0},             /* nothing inside */
		{0, 0, 0, 1, 0, 13, 0, 2, 0xff, 0xff, 0xff, 0xff}, /* 4 GiB */
		{0, 0, 0, 1, 0, 17, 0, 4, 0, 0, 0, 3, 1, 2, 3},    /* no room for microseconds */
		"some plain text",
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t bytes;
		uint64_t sum;
		struct error err = {0};
		write_file(cases[i], sizeof(cases[i]));
		assert_int_equal(read_all(&bytes, &sum, &err), -EBADMSG);
		assert_names_place(&err);
		assert_non_null(strstr(err.text, "offset 0:"));
	}
}

static void test_missing(void **state)
{
	struct mrt_file *f;
	struct error err = {0};
	assert_int_equal(mrt_file_open("/nonexistent/whereto.mrt", &f, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/whereto.mrt"));
	assert_int_equal(mrt_file_open("/", &f, &err), -EISDIR);
}

static size_t pack(const char *format, const uint8_t *data, size_t n, uint8_t *out, size_t cap)
{
	size_t used;
	if (strcmp(format, "gzip") == 0) {
		z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)n, .next_out = out, .avail_out = (uInt)cap};
		assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		used = z.total_out;
		assert_int_equal(deflateEnd(&z), Z_OK);
		return used;
	}
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	assert_int_equal(archive_write_add_filter_by_name(a, format), ARCHIVE_OK);
	assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
	assert_int_equal(archive_write_set_bytes_in_last_block(a, 1), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(a, out, cap, &used), ARCHIVE_OK);
	archive_entry_set_filetype(e, AE_IFREG);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, data, n), n);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_entry_free(e);
	archive_write_free(a);
	return used;
}

static const char *const formats[] = {"gzip", "bzip2", "xz", "zstd"};

static void test_compressed(void **state)
{
	uint8_t buf[4096], packed[4096];
	size_t n = build_file(buf, sizeof(buf), 100), bytes;
	uint64_t sum, expected;
	struct error err = {0};
	write_file(buf, n);
	assert_int_equal(read_all(&bytes, &expected, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		size_t len = pack(formats[i], buf, n, packed, sizeof(packed));
		write_file(packed, len);
		assert_int_equal(read_all(&bytes, &sum, &err), 0);
		assert_int_equal(bytes, n);
		assert_int_equal(sum, expected);
		for (size_t cut = 1; cut < len; cut++) {
			write_file(packed, cut);
			if (read_all(&bytes, &sum, &err) != -EBADMSG)
				fail_msg("%s cut to %zu of %zu bytes: %s", formats[i], cut, len, err.text);
			assert_names_place(&err);
		}
	}
}

/* A changed bit is found out, or changed nothing (a file name or time in gzip's header). zstd files need
 * have no checksum, and these have none. */
static void test_compressed_changes(void **state)
{
	uint8_t buf[1024], packed[4096];
	size_t n = build_file(buf, sizeof(buf), 30), bytes;
	uint64_t sum, expected;
	struct error err = {0};
	write_file(buf, n);
	assert_int_equal(read_all(&bytes, &expected, &err), 0);
	for (size_t i = 0; i < 3; i++) {
		size_t len = pack(formats[i], buf, n, packed, sizeof(packed));
		for (size_t at = 0; at < len; at++) {
			for (unsigned bit = (unsigned)at % 4; bit < 8; bit += 4) {
				packed[at] ^= (uint8_t)(1 << bit);
				write_file(packed, len);
				int r = read_all(&bytes, &sum, &err);
				if (r == 0 && (bytes != n || sum != expected))
					fail_msg("%s: bit %u of byte %zu", formats[i], bit, at);
				if (r < 0)
					assert_names_place(&err);
				packed[at] ^= (uint8_t)(1 << bit);
			}
		}
	}
}

static void test_concatenated(void **state)
{
	uint8_t buf[1024], packed[4096];
	size_t n = build_file(buf, sizeof(buf), 30), bytes;
	uint64_t sum;
	struct error err = {0};
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		size_t len = pack(formats[i], buf, n / 2, packed, sizeof(packed));
		len += pack(formats[i], buf + n / 2, n - n / 2, packed + len, sizeof(packed) - len);
		write_file(packed, len);
		if (read_all(&bytes, &sum, &err) != 0)
			fail_msg("%s: %s", formats[i], err.text);
		assert_int_equal(bytes, n);
	}
}

static void test_empty_inside(void **state)
{
	uint8_t packed[256];
	size_t bytes;
	uint64_t sum;
	struct error err = {0};
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		write_file(packed, pack(formats[i], packed, 0, packed, sizeof(packed)));
		if (read_all(&bytes, &sum, &err) != 0)
			fail_msg("%s: %s", formats[i], err.text);
		assert_int_equal(bytes, 0);
	}
}

/* More than the thread that decompresses may be ahead of the reader: read whole, and closed at any
 * moment. */
static void test_ahead(void **state)
{
	size_t cap = 7u << 20, bytes;
	uint8_t *buf = malloc(cap), *packed = malloc(cap);
	uint64_t sum, expected;
	struct error err = {0};
	size_t n = build_file(buf, cap, 6u << 20);
	write_file(buf, n);
	assert_int_equal(read_all(&bytes, &expected, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		size_t len = pack(formats[i], buf, n, packed, cap);
		write_file(packed, len);
		assert_int_equal(read_all(&bytes, &sum, &err), 0);
		assert_int_equal(bytes, n);
		assert_int_equal(sum, expected);
		for (unsigned records = 0; records < 4; records++) {
			struct mrt_file *f;
			struct mrt_record record;
			assert_int_equal(mrt_file_open(path, &f, &err), 0);
			for (unsigned r = 0; r < records; r++)
				assert_int_equal(mrt_file_next(f, &record, &err), r < 3);
			mrt_file_close(f);
		}
		write_file(packed, len / 2);
		assert_int_equal(read_all(&bytes, &sum, &err), -EBADMSG);
		assert_names_place(&err);
	}
	free(packed);
	free(buf);
}

/* What stands before the damage is given out. */
static void test_before_damage(void **state)
{
	enum { RECORDS = 20000 };
	size_t cap = 40 * RECORDS, bytes;
	uint8_t *buf = malloc(cap), *packed = malloc(cap);
	struct wr w = wr_make(buf, cap);
	uint64_t sum;
	struct error err = {0};
	for (uint32_t i = 0; i < RECORDS; i++) {
		size_t at = build_record(&w, 13, 6);
		wr_u32(&w, i * 2654435761u);
		build_record_end(&w, at);
	}
	size_t len = pack("gzip", buf, wr_len(&w), packed, cap);
	packed[len - 6] ^= 1; /* the checksum: everything before it is there */
	write_file(packed, len);
	assert_int_equal(read_all(&bytes, &sum, &err), -EBADMSG);
	assert_int_equal(bytes, wr_len(&w));
	free(packed);
	free(buf);
}

static int setup(void **state)
{
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_compressed_changes),
		cmocka_unit_test(test_concatenated),
		cmocka_unit_test(test_empty_inside),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_before_damage),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

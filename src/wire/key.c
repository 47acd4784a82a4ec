/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define KEY_BASE64_BYTES 44 /* of 32 bytes, padding included */

static int read_line(const char *file, char *buf, size_t cap, struct error *err)
{
	CLEANUP(close_p) int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", file, strerror(errno));
	ssize_t n = read(fd, buf, cap - 1);
	if (n < 0)
		return error_set(err, -errno, "%s: %s", file, strerror(errno));
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r' || buf[n - 1] == ' '))
		n--;
	buf[n] = '\0';
	return (int)n;
}

int key_load(const char *file, uint32_t id, struct key *ret, struct error *err)
{
	char text[256];
	int n = read_line(file, text, sizeof(text), err);
	if (n < 0)
		return n;
	uint8_t raw[48];
	if (n != KEY_BASE64_BYTES || text[n - 1] != '=' ||
		EVP_DecodeBlock(raw, (const uint8_t *)text, n) != KEY_BYTES + 1)
		return error_set(err, -EINVAL, "%s: not a key: %d base64 characters (%d bytes) expected; make one with `whereto keygen FILE`",
			file, KEY_BASE64_BYTES, KEY_BYTES);
	ret->id = id;
	memcpy(ret->bytes, raw, KEY_BYTES);
	return 0;
}

int key_generate(const char *file, struct error *err)
{
	uint8_t raw[KEY_BYTES];
	uint8_t text[KEY_BASE64_BYTES + 2];
	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return error_set(err, -EIO, "no random bytes to be had: %s", strerror(errno));
	(void)EVP_EncodeBlock(text, raw, KEY_BYTES);
	text[KEY_BASE64_BYTES] = '\n';

	CLEANUP(close_p) int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, -errno, errno == EEXIST ? "%s: exists already; not overwritten" : "%s: %s",
			file, strerror(errno));
	if (write(fd, text, KEY_BASE64_BYTES + 1) != KEY_BASE64_BYTES + 1 || fsync(fd) < 0) {
		int code = errno ? -errno : -EIO;
		(void)unlink(file);
		return error_set(err, code, "%s: %s", file, strerror(-code));
	}
	return 0;
}

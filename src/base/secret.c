/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"

int secret_read(const char *file, size_t max, char *ret, struct error *err)
{
	CLEANUP(close_p) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", file, strerror(errno));
	char text[SECRET_BYTES_MAX + 2];
	ssize_t n = read(fd, text, sizeof(text));
	if (n < 0)
		return error_set(err, -errno, "%s: %s", file, strerror(errno));
	size_t len = (size_t)n;
	if (len && text[len - 1] == '\n')
		len--;
	bool good = len && len <= max && utf8_printable(text, len);
	if (good) {
		memcpy(ret, text, len);
		ret[len] = '\0';
	}
	explicit_bzero(text, sizeof(text));
	if (!len)
		return error_set(err, -EINVAL, "%s: is empty", file);
	if (!good)
		return error_set(err, -EINVAL, "%s: must be one line of 1 to %zu printable bytes", file, max);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/demo_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS_OPEN_MAX 16

/* NULL after an error, which is left in errno. */
static char *make_in(const char *parent)
{
	char *path = NULL;
	if (asprintf(&path, "%s/whereto-demo.XXXXXX", parent) < 0)
		return NULL;
	if (mkdtemp(path))
		return path;
	free_p(&path);
	return NULL;
}

int demo_folder_new(char **ret, struct error *err)
{
	const char *wanted = getenv("TMPDIR");
	char *path = wanted && *wanted == '/' ? make_in(wanted) : NULL;
	if (!path)
		path = make_in("/tmp");
	if (!path)
		return error_set(err, -errno, "no folder can be made in %s: %s (TMPDIR names another place)", "/tmp",
			strerror(errno));
	*ret = path;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

int demo_folder_remove(const char *folder)
{
	int r = nftw(folder, remove_one, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
	return r == -1 ? -errno : r;
}

/* Opens the file, emptied; its path is for messages. */
static int create(const char *folder, const char *name, char *path, size_t size, struct error *err)
{
	int n = snprintf(path, size, "%s/%s", folder, name);
	if (n < 0 || (size_t)n >= size)
		return error_set(err, -ENAMETOOLONG, "%s/%s: the name is too long", folder, name);
	for (char *p = path + strlen(folder) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return error_set(err, -errno, "%s: %s", path, strerror(errno));
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? error_set(err, -errno, "%s: %s", path, strerror(errno)) : fd;
}

int demo_folder_write(const char *folder, const char *name, const void *data, size_t len, size_t size,
	struct error *err)
{
	char path[4096];
	CLEANUP(close_p) int fd = create(folder, name, path, sizeof(path), err);
	if (fd < 0)
		return fd;
	errno = ENOSPC; /* what a short write means */
	if (write(fd, data, len) != (ssize_t)len || (size > len && ftruncate(fd, (off_t)size) < 0))
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

int demo_folder_copy(const char *folder, const char *name, int from, struct error *err)
{
	char path[4096];
	CLEANUP(close_p) int fd = create(folder, name, path, sizeof(path), err);
	if (fd < 0)
		return fd;
	ssize_t n;
	off_t at = 0;
	do
		n = sendfile(fd, from, &at, 1 << 20);
	while (n > 0);
	return n < 0 ? error_set(err, -errno, "%s: %s", path, strerror(errno)) : 0;
}

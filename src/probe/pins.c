/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ID_DIGITS 16 /* of the folder of a program, hexadecimal */

static bool in_bpf_fs(const char *path)
{
	struct statfs fs;
	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* The folder, made in a bpf file system and nowhere else. */
static int open_dir(const char *dir, struct error *err)
{
	char parent[PATH_MAX];
	(void)snprintf(parent, sizeof(parent), "%s", dir);
	char *slash = strrchr(parent, '/');
	if (slash)
		*slash = '\0';
	if (!in_bpf_fs(dir) && !(slash && in_bpf_fs(parent)))
		return error_set(err, -ENOTSUP, "%s is in no bpf file system", dir);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "%s: %s", dir, strerror(errno));
	struct stat st;
	CLEANUP(close_p) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", dir, strerror(errno));
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, -EPERM, "%s can be written by others", dir);
	int given = fd;
	fd = -1;
	return given;
}

/* A folder of pins and the pins in it. */
static void remove_pins(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	while (d && (e = readdir(d)))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		(void)closedir(d);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

/* What is named otherwise is somebody else's. */
static bool is_own_form(const char *name)
{
	return strlen(name) == ID_DIGITS && strspn(name, "0123456789abcdef") == ID_DIGITS;
}

static void remove_others(int dir_fd, const char *own)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	while (d && (e = readdir(d)))
		if (is_own_form(e->d_name) && strcmp(e->d_name, own) != 0)
			remove_pins(dir_fd, e->d_name);
	if (d)
		(void)closedir(d);
}

int pins_open(const char *dir, uint64_t id, struct pins *ret, struct error *err)
{
	char name[32];
	CLEANUP(close_p) int fd = open_dir(dir, err);
	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, -EBUSY, "%s is in use by another probe", dir);
	(void)snprintf(name, sizeof(name), "%016" PRIx64, id);
	remove_others(fd, name);
	if (snprintf(ret->dir, sizeof(ret->dir), "%s/%s", dir, name) >= (int)sizeof(ret->dir) - NAME_MAX)
		return error_set(err, -ENAMETOOLONG, "%s: %s", dir, strerror(ENAMETOOLONG));
	ret->lock_fd = fd;
	fd = -1;
	return 0;
}

void pins_close(struct pins *p)
{
	close_p(&p->lock_fd);
}

const char *pins_path(const struct pins *p, const char *name, char buf[static PATH_MAX])
{
	int n = snprintf(buf, PATH_MAX, "%s/%s", p->dir, name);
	return n < 0 || n >= PATH_MAX ? "" : buf;
}

bool pins_exist(const struct pins *p)
{
	return access(p->dir, F_OK) == 0;
}

int pins_make(const struct pins *p, struct error *err)
{
	if (mkdir(p->dir, 0700) < 0)
		return error_set(err, -errno, "%s: %s", p->dir, strerror(errno));
	return 0;
}

void pins_remove(const struct pins *p)
{
	remove_pins(p->lock_fd, strrchr(p->dir, '/') + 1);
}

int pins_forget(const char *dir, struct error *err)
{
	struct pins p;
	int r = pins_open(dir, 0, &p, err);
	if (r == 0)
		pins_close(&p);
	return r;
}

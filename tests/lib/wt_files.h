/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A temporary folder for a test program's files, removed with all in it when the program ends. */

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wt_test.h"

static char wt_folder_path[PATH_MAX];

static inline int wt_folder_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static inline void wt_folder_remove(void)
{
	(void)nftw(wt_folder_path, wt_folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Made at the first call. */
static inline const char *wt_folder(void)
{
	if (!*wt_folder_path) {
		const char *tmp = getenv("TMPDIR");
		(void)snprintf(wt_folder_path, sizeof(wt_folder_path), "%s/whereto-test-XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(wt_folder_path))
			abort();
		(void)atexit(wt_folder_remove);
	}
	return wt_folder_path;
}

/* The path of a file in the folder. Good until the eighth call from now. */
static inline const char *wt_path(const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 8];
	size_t n = (size_t)snprintf(path, PATH_MAX, "%s/", wt_folder());
	(void)snprintf(path + n, PATH_MAX - n, "%s", name);
	return path;
}

/* Writes a file and returns its path. */
static inline const char *wt_write(const char *name, const void *data, size_t len)
{
	const char *path = wt_path(name);
	FILE *f = fopen(path, "w");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0)
		abort();
	return path;
}

static inline const char *wt_write_text(const char *name, const char *text)
{
	return wt_write(name, text, strlen(text));
}

/* Fails with both texts unless text begins with start. */
#define assert_begins(text, start)                                                                 \
	do {                                                                                       \
		if (strncmp((text), (start), strlen(start)) != 0)                                  \
			fail_msg("'%s' does not begin with '%s'", (text), (start));                \
	} while (0)

#define assert_contains(text, part)                                                                \
	do {                                                                                       \
		if (!strstr((text), (part)))                                                       \
			fail_msg("'%s' does not contain '%s'", (text), (part));                    \
	} while (0)

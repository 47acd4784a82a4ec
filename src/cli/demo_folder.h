/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The temporary folder that holds everything the demo and its programs write. */

#include "base/error.h"

/* Makes a folder of a new name in $TMPDIR, or in /tmp, for this user only. On the heap. */
int demo_folder_new(char **ret, struct error *err) MUST_USE;
/* Removes it with all that is in it. -errno of the first thing that could not be removed. */
int demo_folder_remove(const char *folder);

/* Writes FOLDER/NAME (name may have folders in it, which are made too) with these bytes; its length is then
 * set to size when that is more (zeros). */
int demo_folder_write(const char *folder, const char *name, const void *data, size_t len, size_t size,
	struct error *err) MUST_USE;
/* A copy of an open file. */
int demo_folder_copy(const char *folder, const char *name, int from, struct error *err) MUST_USE;

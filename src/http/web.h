/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The dashboard's files as they are in the program: web/build.mjs makes the table, or web_none.c is one without
 * files. Bodies are gzipped; all is constant. */

#include <stddef.h>
#include <stdint.h>

struct web_file {
	const char *path; /* "/networks" */
	const char *type; /* of the content */
	const char *etag; /* with its quotes */
	const uint8_t *start, *end;
	size_t plain_len; /* when it is unpacked */
	int hashed;       /* the name changes with the content: it may be kept for ever */
};

extern const struct web_file web_files[];
extern const size_t web_file_count;
/* Why there are no files: a sentence; "" when there are. */
extern const char web_missing[];

/* NULL when there is no such file. */
const struct web_file *web_find(const char *path);

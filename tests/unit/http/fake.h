/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A store that holds a few rows given by the test, and a backend around it. Every row must have each
 * dimension set or unknown; the query engine above is the real one. */

#include "http/http.h"

#define FAKE_ROWS_MAX    4096
#define FAKE_CHANGES_MAX 16

struct fake_store {
	struct store base;
	struct store_row rows[FAKE_ROWS_MAX];
	size_t row_count;
	struct store_change changes[FAKE_CHANGES_MAX]; /* the newest first */
	size_t change_count;
	_Atomic int fail; /* a negative errno: queries fail with it */
	_Atomic int readers_open, settled;
	_Atomic bool slow; /* queries go on until they are given up, or it is false again */
	_Atomic int running;
};

struct fake_store *fake_store_new(void);
void fake_store_free(struct fake_store *s);

/* An empty row (every dimension unknown) at a minute, to be filled in. */
struct store_row *fake_store_row(struct fake_store *s, uint64_t minute_s);

/* An empty change at a time not later than the one before, to be filled in. */
struct store_change *fake_store_change(struct fake_store *s, uint64_t time_ms);

struct dim_value fake_number(uint64_t n);
struct dim_value fake_text(const char *text);
struct dim_value fake_prefix(const char *text);
/* The text must be a path's. */
struct dim_value fake_path(const char *text);

/* ASes 64500 "Example, Net" and 64501 "Other" have names; lookup knows the router "edge1". */
struct http_backend fake_backend(struct fake_store *s);

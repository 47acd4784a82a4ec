/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Values as new JSON objects. jansson's setters take the new reference and fail on NULL, so a chain of them
 * needs no checks: an object that could not be built whole is dropped by json_whole. */

#include <jansson.h>

#include "base/address.h"
#include "base/clock.h"

static inline json_t *json_time(uint64_t ms)
{
	char text[TIME_TEXT_MAX];
	return ms ? json_string(time_format(ms, text)) : json_null();
}

static inline json_t *json_count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* NULL is null. */
static inline json_t *json_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

/* An address of no family is null. */
static inline json_t *json_address(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	return a->family == ADDR_NONE ? json_null() : json_string(addr_format(a, text));
}

/* The object, or NULL when anything went wrong while it was built. */
static inline json_t *json_whole(json_t *object, int bad)
{
	if (!bad)
		return object;
	json_decref(object);
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* An AS path as this program keeps it: the value of an AS_PATH attribute with four-byte AS numbers
 * (RFC 4271 section 4.3, RFC 6793): segments of type, count, AS numbers. Whatever a peer sent, any
 * length, sets included; nothing is cut. Functions are pure and accept only what path_valid does. */

#include "base/cursor.h"

/* No BGP message holds more: 64 KiB of two-byte numbers, widened. */
#define PATH_BYTES_MAX 131072

enum path_segment {
	PATH_SET = 1,
	PATH_SEQUENCE = 2,
	PATH_CONFED_SEQUENCE = 3,
	PATH_CONFED_SET = 4,
};

/* Whole segments of known types, none of them empty, PATH_BYTES_MAX at most in all. */
bool path_valid(struct view path);

/* Both 0 when unknown: an empty path (a route of one's own network). Confederation segments are
 * passed over. The origin of a path that ends in a set is unknown too (RFC 6811 section 2: NONE),
 * unless the set has one member; so is the neighbour of one that begins with a set. */
uint32_t path_origin(struct view path);
uint32_t path_neighbour(struct view path);

/* Every distinct AS on the path, confederation members included, in order of first appearance and
 * prepending counted once, at most cap; returns how many there are. */
size_t path_members(struct view path, uint32_t *ret, size_t cap);

/* Every two different ASes next to each other in a sequence, in the order of the path, at most cap; returns how many there are.
 * The members of a set have no order: nothing is next to them. A pair comes again where a path goes the same way twice. */
size_t path_links(struct view path, uint32_t (*ret)[2], size_t cap);

/* "64500 174 {7381,15169}", confederations in (65001 65002) and [65003,65004] as bgpdump prints.
 * Returns the length that the whole text has (like snprintf); cap 0 just measures. */
size_t path_format(struct view path, char *buf, size_t cap);

/* Where a sequence is cut says nothing, and writers cut differently (RFC 6793 puts AS4_PATH behind the
 * head of AS_PATH as a segment of its own). Joined is a path whose sequences are only cut at 255 numbers,
 * as path_parse makes them: paths that read the same are the same bytes then. */
bool path_is_joined(struct view path);
/* Writes the path joined to buf, which has room for path.len bytes; returns how many it takes. */
size_t path_join(struct view path, uint8_t *buf);

/* Parses that form into buf, with any number of blanks between the parts. Returns the bytes written,
 * -EINVAL (a set of more than 255 members included) or -ENOSPC. */
int path_parse(const char *text, uint8_t *buf, size_t cap) MUST_USE;

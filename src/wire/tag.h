/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* How a server tells a probe on its host the traffic type of one of its connections:
 *
 *     uint32_t tag = tag_of_type(type, len);
 *     setsockopt(fd, TAG_LEVEL, TAG_OPTION, &tag, sizeof(tag));
 *
 * The probe catches the call before the kernel does. Without a probe the kernel answers
 * ENOPROTOOPT; a probe that counts the connection answers 0. The type holds for what the
 * connection does from then on.
 *
 * A tag is a number, since that is all such a call carries at no cost. Numbers with the top bit
 * set are hashes of types' names (FNV-1a of 32 bits, folded into 31): server and probe need
 * no table in common, the probe only has to be told the names it may meet. Numbers below are free
 * for anyone to choose, and can never be taken for a name. 0 means no type.
 *
 * Two names of one hash would be one type: with 100 names the odds are 1 in 430,000, and who has
 * the list (the probe's configuration) can look. */

#include <stddef.h>
#include <stdint.h>

#define TAG_LEVEL    0x5754     /* "WT" */
#define TAG_OPTION   1
#define TAG_OPTION_OWN 2 /* the same, by a server that counts the connection itself once this is refused, until it is taken again */
#define TAG_NONE     0u
#define TAG_OF_NAME  0x80000000u /* set in tags made of names */

/* The tag of a type's name; TAG_NONE for the empty one. The same on every host and in every version:
 * programs in other languages compute it too. */
uint32_t tag_of_type(const void *name, size_t len);

/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/tag.h"

#define FNV_BASIS 2166136261u
#define FNV_PRIME 16777619u

uint32_t tag_of_type(const void *name, size_t len)
{
	const uint8_t *bytes = name;
	uint32_t hash = FNV_BASIS;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * FNV_PRIME;
	return len ? TAG_OF_NAME | (hash ^ hash >> 31) : TAG_NONE;
}

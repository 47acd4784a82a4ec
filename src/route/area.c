/* SPDX-License-Identifier: BSD-2-Clause */

/* See area.h. A mapping begins at a multiple of 2 MiB and is moved to such, so that whole page tables move.
 *
 * Lookups go all over these arrays and are faster by a fifth in pages of 2 MiB. But the first write to one of
 * these takes as long as clearing it, and some virtual machines' hosts need many milliseconds to find the
 * memory. So what is new has small pages first, and is given to the kernel to put together in its own time when
 * the array grows the next time: what is written then is behind it. */

#include "route/area.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_BYTES  ((size_t)2 << 20)
#define SMALL_BYTES ((size_t)1 << 20) /* up to here it is malloc's */

/* Of the mapping behind an area, or 0 for a small one. */
static size_t mapped_bytes(size_t bytes)
{
	return bytes > SMALL_BYTES ? (bytes + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1) : 0;
}

/* Addresses without memory behind them, from a multiple of HUGE_BYTES on. */
static uint8_t *reserve(size_t bytes)
{
	uint8_t *all = mmap(NULL, bytes + HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (all == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t)all & (HUGE_BYTES - 1);
	if (before)
		(void)munmap(all, before);
	(void)munmap(all + before + bytes, HUGE_BYTES - before);
	return all + before;
}

static void *map_new(size_t bytes)
{
	uint8_t *area = reserve(bytes);
	if (!area)
		return NULL;
	if (mprotect(area, bytes, PROT_READ | PROT_WRITE) < 0) {
		(void)munmap(area, bytes);
		return NULL;
	}
	return area;
}

/* For a kernel that does not move it. */
static void *copy(void *old, size_t old_bytes, size_t bytes)
{
	void *area = map_new(bytes);
	if (!area)
		return NULL;
	memcpy(area, old, old_bytes);
	(void)munmap(old, old_bytes);
	return area;
}

static void *remap(void *old, size_t old_bytes, size_t bytes)
{
	(void)madvise(old, old_bytes, MADV_HUGEPAGE); /* which also makes one mapping of it again */
	if (mremap(old, old_bytes, bytes, 0) != MAP_FAILED)
		return old;
	void *to = reserve(bytes);
	if (!to)
		return NULL;
	if (mremap(old, old_bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED)
		return to;
	(void)munmap(to, bytes);
	return copy(old, old_bytes, bytes);
}

void *area_grow(void *old, size_t old_bytes, size_t bytes)
{
	assert(bytes >= old_bytes && bytes <= SIZE_MAX / 2);
	size_t before = mapped_bytes(old_bytes), after = mapped_bytes(bytes);
	if (!after)
		return realloc(old, bytes);
	if (before && before == after)
		return old;
	uint8_t *area = before ? remap(old, before, after) : map_new(after);
	if (!area)
		return NULL;
	(void)madvise(area + before, after - before, MADV_NOHUGEPAGE);
	if (!before && old_bytes) {
		memcpy(area, old, old_bytes);
		free(old);
	}
	return area;
}

void area_free(void *area, size_t bytes)
{
	if (area && mapped_bytes(bytes))
		(void)munmap(area, mapped_bytes(bytes));
	else
		free(area);
}

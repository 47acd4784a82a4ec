/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What every fuzz target includes. A target is one function over one input; it ends the process by
 * FUZZ_CHECK when a property does not hold, and the sanitizers end it otherwise. fuzz/meson.build
 * builds each target twice: with libFuzzer (-Dfuzz=true, clang), and with replay.c, which runs it over
 * the committed corpus in every test run. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                   \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/* The inner view lies inside the outer one, or is empty. */
static inline bool fuzz_inside(struct view outer, struct view inner)
{
	return !inner.len || (inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len);
}

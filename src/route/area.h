/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to route/: arrays that grow to many megabytes while somebody waits. realloc copies a large one
 * now and then, which takes milliseconds; here one of more than a megabyte has a mapping of its own that
 * grows by moving page tables. Content that was never written is unspecified. */

#include "base/compiler.h"

/* As realloc, but says the old size too (0: there is none). NULL when memory is out. */
void *area_grow(void *old, size_t old_bytes, size_t bytes) MUST_USE;
/* bytes: as it was last grown to. */
void area_free(void *area, size_t bytes);

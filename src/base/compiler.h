/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the compiler can check for us. Everything fallible is MUST_USE; a result that is ignored on
 * purpose is cast to void. CLEANUP(fn) runs fn(&variable) when the variable leaves its scope. */

#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* For CLEANUP(free_p) char *text; */
void free_p(void *pointer_to_pointer);
/* For CLEANUP(close_p) int fd = -1; */
void close_p(int *fd);

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Buffers for datagrams: the memory that all sessions of a process share, allocated once. One thread. */

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct buffers {
	uint8_t *memory, **free;
	uint32_t count, free_count;
};

/* -ENOMEM. */
int buffers_init(struct buffers *p, uint32_t count, size_t buffer_bytes) MUST_USE;
void buffers_done(struct buffers *p);

/* NULL when all are in use. */
static inline uint8_t *buffers_take(struct buffers *p)
{
	return p->free_count ? p->free[--p->free_count] : NULL;
}

static inline void buffers_give(struct buffers *p, uint8_t *buffer)
{
	p->free[p->free_count++] = buffer;
}

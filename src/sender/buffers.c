/* SPDX-License-Identifier: BSD-2-Clause */
#include "sender/buffers.h"

#include <errno.h>
#include <stdlib.h>

int buffers_init(struct buffers *p, uint32_t count, size_t buffer_bytes)
{
	*p = (struct buffers){.memory = malloc(count * buffer_bytes), .free = calloc(count, sizeof(*p->free)), .count = count};
	if (!p->memory || !p->free) {
		buffers_done(p);
		return -ENOMEM;
	}
	/* The first one lies on top, so that little memory is touched while little is used. */
	while (p->free_count < count)
		buffers_give(p, p->memory + (count - 1 - p->free_count) * buffer_bytes);
	return 0;
}

void buffers_done(struct buffers *p)
{
	free(p->memory);
	free(p->free);
	*p = (struct buffers){0};
}

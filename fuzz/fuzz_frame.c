/* SPDX-License-Identifier: BSD-2-Clause */

/* Frames of the journal: whatever the bytes, the decoder ends, and what it took can be written and
 * read again to as many rows and the same changes. */

#include <assert.h>
#include <stdlib.h>

#include "journal/book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow_table *first, *second;
	struct book book;
	struct buffer out;
	if (flow_table_new(&first) < 0 || flow_table_new(&second) < 0)
		abort();
	book_init(&book);
	buffer_init(&out);
	struct frame_sink sink = book_sink(&book);
	if (frame_decode((struct view){data, size}, &sink, first) == 0) {
		struct frame again = book_snapshot(&book);
		again.flows = first;
		if (frame_encode(&again, &out) < 0 || frame_decode((struct view){out.data, out.len}, &sink, second) < 0)
			abort();
		assert(first->row_count == second->row_count && first->change_count == second->change_count);
		assert(first->changes_left_out == second->changes_left_out);
		for (uint32_t i = 0; i < first->change_count; i++)
			assert(first->changes[i].time_ms == second->changes[i].time_ms);
	}
	flow_table_free(first);
	flow_table_free(second);
	book_done(&book);
	buffer_done(&out);
	return 0;
}

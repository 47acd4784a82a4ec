/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include "mrt_walk.h"

/* A stream of MRT records. Properties: whatever a decoder gives back lies inside the record, prefixes
 * and paths are valid, and no list yields more than one element a byte. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_make(data, size);
	while (rd_left(&r) >= MRT_HEADER_BYTES) {
		struct mrt_header header = mrt_header_decode(rd_bytes(&r, MRT_HEADER_BYTES).data);
		struct view body = rd_bytes(&r, header.length < rd_left(&r) ? header.length : rd_left(&r));
		struct mrt_record record;
		if (mrt_record_init(&header, body, &record) == 0)
			walk_record(&record);
	}
	return 0;
}

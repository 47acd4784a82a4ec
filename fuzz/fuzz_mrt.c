/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include "mrt_walk.h"

/* A stream of MRT records. Properties: whatever a decoder gives back lies inside the record, prefixes
 * and paths are valid, and no list yields more than one element a byte. Its messages, applied: see
 * check_changes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct route_table *table;
	struct peer_list peers;
	struct changes changes;
	peer_list_init(&peers, NULL);
	FUZZ_CHECK(route_table_new(1, &table) == 0 && changes_init(&changes, table, &peers, 1000) == 0);
	struct rd r = rd_make(data, size);
	while (rd_left(&r) >= MRT_HEADER_BYTES) {
		struct mrt_header header = mrt_header_decode(rd_bytes(&r, MRT_HEADER_BYTES).data);
		struct view body = rd_bytes(&r, header.length < rd_left(&r) ? header.length : rd_left(&r));
		struct mrt_record record;
		if (mrt_record_init(&header, body, &record) < 0)
			continue;
		walk_record(&record);
		enum mrt_kind kind = mrt_kind(&record);
		if (kind == MRT_MESSAGE || kind == MRT_STATE)
			(void)!changes_apply(&changes, &record);
	}
	check_changes(&changes);
	changes_done(&changes);
	peer_list_done(&peers);
	route_table_free(table);
	return 0;
}

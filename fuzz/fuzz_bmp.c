/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp_walk.h"

/* A router's BMP stream. Properties: what is decoded lies inside the message; a list has no more
 * elements than bytes; routes are read as the last Peer Up says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view stream = {data, size};
	struct rd r = rd_view(stream);
	struct bmp_message m;
	struct bmp_add_path add_path = {0};
	while (bmp_message_next(&r, &m) > 0) {
		FUZZ_CHECK(fuzz_inside(stream, m.body));
		if (m.type == BMP_ROUTE)
			walk_bmp_route(&m, &add_path);
		else if (m.type == BMP_PEER_UP)
			walk_bmp_peer_up(&m, &add_path);
		else if (m.type == BMP_STATISTICS || m.type == BMP_MIRRORING)
			walk_bmp_lists(&m);
		else
			walk_bmp_rest(&m);
	}
	return 0;
}

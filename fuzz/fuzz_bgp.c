/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp_walk.h"

/* What a neighbour sends over one connection; the first two bytes say how it is read and where it
 * is cut. Properties: what is decoded lies inside the message and round trips; a session never
 * sends an UPDATE, does nothing after its end, and makes the same of the stream however it is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_make(data, size);
	unsigned mode = rd_u8(&r);
	size_t cut = rd_u8(&r) * size / 256;
	struct view stream = rd_rest(&r);
	struct bgp_message m;
	struct bgp_notification fault;
	r = rd_view(stream);
	while (bgp_message_next(&r, mode & 32 ? BGP_EXTENDED_MESSAGE_MAX : BGP_MESSAGE_MAX, &m,
		       &fault) > 0) {
		FUZZ_CHECK(fuzz_inside(stream, m.body));
		walk_message(&m, mode);
	}
	struct bgp_fsm whole, pieces;
	struct rd rest = rd_view(stream);
	walk_session_begin(&whole, mode);
	enum bgp_down down = walk_session(&whole, &rest);
	r = rd_make(stream.data, cut < stream.len ? cut : stream.len);
	walk_session_begin(&pieces, mode);
	enum bgp_down first = walk_session(&pieces, &r);
	r.end = stream.data + stream.len;
	enum bgp_down second = walk_session(&pieces, &r);
	FUZZ_CHECK((first ? first : second) == down && (!first || !second) &&
		   pieces.state == whole.state);
	FUZZ_CHECK(rd_left(&r) == rd_left(&rest) && pieces.complete == whole.complete);
	return 0;
}

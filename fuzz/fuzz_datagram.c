/* SPDX-License-Identifier: BSD-2-Clause */

/* Bodies and headers: nothing read lies outside the input, and a record that was read is written and
 * read again as the same. */

#include <assert.h>
#include <errno.h>

#include "wire/datagram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct view v, const uint8_t *data, size_t size)
{
	assert(!v.len || (v.data >= data && v.data + v.len <= data + size));
}

static void check_again(const struct record *rec, uint64_t base_ms)
{
	uint8_t bytes[4096];
	struct body again = {.time_ms = base_ms, .server_count = 1, .record_count = 1};
	struct record back;
	int server, type;
	struct wr w = wr_make(bytes, sizeof(bytes));
	record_write(&w, rec, base_ms, 0, -1);
	again.records = rd_make(bytes, wr_len(&w));
	assert(wr_ok(&w) && body_next(&again, &back, &server, &type) == 1 && rd_done(&again.records));
	assert(memcmp(back.values, rec->values, sizeof(rec->values)) == 0 && back.time_ms == rec->time_ms);
	assert(addr_equal(&back.client, &rec->client) || rec->client.family == ADDR_V4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header h;
	struct body b;
	struct ack ack;
	struct record rec;
	int server, type, r;
	if (header_read((struct view){data, size}, &h) == 0)
		check_inside(h.sealed, data, size);
	if (ack_read((struct view){data, size}, &ack) == 0)
		check_inside(ack.collector, data, size);
	if (body_read((struct view){data, size}, &b) < 0)
		return 0;
	check_inside(b.name, data, size);
	while ((r = body_next(&b, &rec, &server, &type)) != 0 && r != -EBADMSG) {
		check_inside(rec.type, data, size);
		if (r == 1)
			check_again(&rec, b.time_ms);
	}
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The datagram being filled: records go in until one does not fit, then its body is written out. Nothing of a
 * session is in it yet (its number, its counts), so it may go to any collector. One thread. */

#include "wire/datagram.h"

#define PACK_TEXT_BYTES 512

struct pack {
	struct body body; /* tables; records stands for nothing here */
	struct wr records;
	uint8_t *record_bytes; /* of room_bytes */
	size_t room_bytes;     /* for tables and records */
	uint8_t type_text[PACK_TEXT_BYTES];
	size_t type_text_len, table_bytes;
	uint64_t opened_ns;
	bool open;
};

/* Bytes of a datagram that are not records or their tables. */
size_t pack_fixed_bytes(size_t name_len);
/* name lives as long as the pack. -ENOMEM. */
int pack_init(struct pack *p, struct view name, size_t datagram_bytes) MUST_USE;
void pack_done(struct pack *p);
void pack_open(struct pack *p, uint64_t now_ns);
/* Adds the record; false when it does not fit. */
bool pack_add(struct pack *p, const struct record *rec);
/* Writes the body, the counts of the session being 0, and closes. */
void pack_close(struct pack *p, struct wr *w);

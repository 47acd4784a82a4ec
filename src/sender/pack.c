/* SPDX-License-Identifier: BSD-2-Clause */

/* Servers and types are tables in front of the records, so the records are kept apart until the datagram is
 * closed and the tables are complete. */

#include "sender/pack.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

size_t pack_fixed_bytes(size_t name_len)
{
	return HEADER_BYTES + BODY_FIXED_BYTES + name_len + 2 + SEAL_TAG_BYTES;
}

int pack_init(struct pack *p, struct view name, size_t datagram_bytes)
{
	*p = (struct pack){.body = {.name = name}, .room_bytes = datagram_bytes - pack_fixed_bytes(name.len)};
	p->record_bytes = malloc(p->room_bytes);
	return p->record_bytes ? 0 : -ENOMEM;
}

void pack_done(struct pack *p)
{
	free(p->record_bytes);
}

void pack_open(struct pack *p, uint64_t now_ns)
{
	p->body.time_ms = clock_wall_ms();
	p->body.server_count = p->body.type_count = p->body.record_count = 0;
	p->type_text_len = 0;
	p->table_bytes = 2;
	p->records = wr_make(p->record_bytes, p->room_bytes);
	p->opened_ns = now_ns;
	p->open = true;
}

void pack_close(struct pack *p, struct wr *w)
{
	body_write_head(w, &p->body);
	wr_bytes(w, p->record_bytes, wr_len(&p->records));
	p->open = false;
}

/* Index of the server in the tables, added if new; -1 when the table is full. */
static int server_index(struct pack *p, const struct addr *server)
{
	for (uint32_t i = 0; i < p->body.server_count; i++)
		if (addr_equal(&p->body.servers[i], server))
			return (int)i;
	if (p->body.server_count == BODY_SERVERS_MAX)
		return -1;
	p->body.servers[p->body.server_count] = *server;
	p->table_bytes += 1 + addr_size(server);
	return (int)p->body.server_count++;
}

/* *ret: index of the type, -1 for none. False when the table is full. */
static bool type_index(struct pack *p, struct view type, int *ret)
{
	*ret = -1;
	if (!type.len)
		return true;
	for (uint32_t i = 0; i < p->body.type_count; i++) {
		const struct view *v = &p->body.types[i];
		if (v->len == type.len && memcmp(v->data, type.data, type.len) == 0) {
			*ret = (int)i;
			return true;
		}
	}
	if (p->body.type_count == BODY_TYPES_MAX || p->type_text_len + type.len > PACK_TEXT_BYTES)
		return false;
	uint8_t *copy = p->type_text + p->type_text_len;
	memcpy(copy, type.data, type.len);
	p->type_text_len += type.len;
	p->table_bytes += 1 + type.len;
	*ret = (int)p->body.type_count;
	p->body.types[p->body.type_count++] = (struct view){copy, type.len};
	return true;
}

bool pack_add(struct pack *p, const struct record *rec)
{
	struct body old_tables = {.server_count = p->body.server_count, .type_count = p->body.type_count};
	size_t old_text = p->type_text_len, old_bytes = p->table_bytes;
	struct wr before = p->records;
	int server = server_index(p, &rec->server), type;
	if (server >= 0 && type_index(p, rec->type, &type)) {
		record_write(&p->records, rec, p->body.time_ms, (uint32_t)server, type);
		if (wr_ok(&p->records) && wr_left(&p->records) >= p->table_bytes) {
			p->body.record_count++;
			return true;
		}
	}
	p->records = before;
	p->body.server_count = old_tables.server_count;
	p->body.type_count = old_tables.type_count;
	p->type_text_len = old_text;
	p->table_bytes = old_bytes;
	return false;
}

/* SPDX-License-Identifier: BSD-2-Clause */

/* Full tables as routers send them, written once for bench/routes.py:
 *
 *     full_table FOLDER [FILE [IPV4 IPV6]]
 *
 * FILE: real prefixes, one a line; a dash or nothing: made-up ones. IPV4 and IPV6: how many, 1,000,000 and 220,000.
 * Into FOLDER go, for two routers a and b with the same prefixes and other paths to them:
 *
 *     a.bgp         UPDATEs, each with as many prefixes of the same attributes as it holds, and End-of-RIB
 *     a.bmp         the same as Route Monitoring, behind an Initiation and a Peer Up
 *     a.single.bmp  one prefix a Route Monitoring, in the order of the prefixes, as FRR and BIRD send it */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "made_table.h"

#define MESSAGE_MAX 4096u

/* ---- messages ---- */

static void put_prefix(struct wr *w, const struct prefix *p)
{
	wr_u8(w, p->len);
	wr_bytes(w, p->addr.bytes, (p->len + 7u) / 8);
}

static void patch_u16(uint8_t *at, size_t value)
{
	struct wr w = wr_make(at, 2);
	wr_u16(&w, (uint16_t)value);
}

static struct wr begin_message(uint8_t *buf, uint8_t type)
{
	struct wr w = wr_make(buf, MESSAGE_MAX);
	for (unsigned i = 0; i < 16; i++)
		wr_u8(&w, 0xff);
	wr_u16(&w, 0);
	wr_u8(&w, type);
	return w;
}

static void end_message(struct wr *w)
{
	patch_u16(w->start + 16, wr_len(w));
}

/* Prefixes as long as there is room for them and `after` bytes; returns the first that had none. */
static uint32_t put_prefixes(const struct made_table *t, struct wr *w, uint32_t at, size_t after, bool single)
{
	do {
		put_prefix(w, &t->prefixes.items[at]);
		at = single ? MADE_NONE : t->next[at];
	} while (at != MADE_NONE && wr_left(w) >= 1 + 16 + after);
	return at;
}

/* Withdrawn (none), attributes, prefixes. IPv6's prefixes stand in MP_REACH, which comes first (RFC 7606). */
static uint32_t put_update(const struct made_table *t, struct wr *w, uint32_t at, bool single)
{
	const struct made_set *s = &t->sets[t->set_of[at]];
	wr_u16(w, 0);
	uint8_t *attrs_len = w->p;
	wr_u16(w, 0);
	if (!t->v6) {
		wr_bytes(w, t->bytes + s->at, s->len);
		patch_u16(attrs_len, s->len);
		at = put_prefixes(t, w, at, 0, single);
	} else {
		const uint8_t next_hop[] = {
			0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)s->next_hop};
		wr_u16(w, 0x900e);
		uint8_t *reach_len = w->p;
		wr_u16(w, 0);
		wr_u16(w, 2);
		wr_u8(w, 1);
		wr_u8(w, sizeof(next_hop));
		wr_bytes(w, next_hop, sizeof(next_hop));
		wr_u8(w, 0);
		at = put_prefixes(t, w, at, s->len, single);
		patch_u16(reach_len, (size_t)(w->p - reach_len) - 2);
		wr_bytes(w, t->bytes + s->at, s->len);
		patch_u16(attrs_len, (size_t)(w->p - attrs_len) - 2);
	}
	end_message(w);
	return at;
}

static struct wr end_of_rib(uint8_t *buf, bool v6)
{
	static const uint8_t unreach[] = {0x80, 15, 3, 0, 2, 1};
	struct wr w = begin_message(buf, 2);
	wr_u16(&w, 0);
	wr_u16(&w, v6 ? sizeof(unreach) : 0);
	wr_bytes(&w, unreach, v6 ? sizeof(unreach) : 0);
	end_message(&w);
	return w;
}

/* ---- BMP (RFC 7854) ---- */

static void put_bmp_header(struct wr *w, uint8_t type, size_t len)
{
	wr_u8(w, 3);
	wr_u32(w, (uint32_t)(6 + len));
	wr_u8(w, type);
}

/* 192.0.2.1, an internal peer. */
static void put_peer(struct wr *w)
{
	wr_u16(w, 0);
	wr_u64(w, 0);
	wr_u64(w, 0);
	wr_u32(w, 0);
	wr_u32(w, 0xc0000201);
	wr_u32(w, MADE_AS);
	wr_u32(w, 0xc0000201);
	wr_u64(w, 0);
}

#define PEER_BYTES 42u

static void put_open(struct wr *w, uint32_t id)
{
	static const uint8_t capabilities[] = {
		1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 65, 4, 0, 0, MADE_AS >> 8, MADE_AS & 0xff};
	uint8_t buf[MESSAGE_MAX];
	struct wr m = begin_message(buf, 1);
	wr_u8(&m, 4);
	wr_u16(&m, MADE_AS);
	wr_u16(&m, 90);
	wr_u32(&m, id);
	wr_u8(&m, 2 + sizeof(capabilities));
	wr_u8(&m, 2);
	wr_u8(&m, sizeof(capabilities));
	wr_bytes(&m, capabilities, sizeof(capabilities));
	end_message(&m);
	wr_bytes(w, m.start, wr_len(&m));
}

static void write_bmp_begin(FILE *f)
{
	uint8_t buf[512], name[] = {0, 2, 0, 1, 'r'}, opens[256];
	struct wr w = wr_make(buf, sizeof(buf)), o = wr_make(opens, sizeof(opens));
	put_bmp_header(&w, 4, sizeof(name) + 5);
	wr_u16(&w, 1);
	wr_u16(&w, 1);
	wr_u8(&w, 'r');
	wr_bytes(&w, name, sizeof(name));
	put_open(&o, 0xc0000202);
	put_open(&o, 0xc0000201);
	put_bmp_header(&w, 3, PEER_BYTES + 20 + wr_len(&o));
	put_peer(&w);
	wr_u64(&w, 0);
	wr_u32(&w, 0);
	wr_u32(&w, 0xc0000202);
	wr_u32(&w, 179u << 16 | 40000);
	wr_bytes(&w, opens, wr_len(&o));
	(void)fwrite(w.start, 1, wr_len(&w), f);
}

static void write_message(FILE *f, const struct wr *message, bool bmp)
{
	uint8_t head[6 + PEER_BYTES];
	struct wr w = wr_make(head, sizeof(head));
	if (bmp) {
		put_bmp_header(&w, 0, PEER_BYTES + wr_len(message));
		put_peer(&w);
		(void)fwrite(head, 1, wr_len(&w), f);
	}
	(void)fwrite(message->start, 1, wr_len(message), f);
}

/* ---- files ---- */

static void write_single(FILE *f, const struct made_table *t)
{
	uint8_t buf[MESSAGE_MAX];
	for (uint32_t i = 0; i < t->prefixes.count; i++) {
		struct wr w = begin_message(buf, 2);
		(void)put_update(t, &w, i, true);
		write_message(f, &w, true);
	}
}

static void write_packed(FILE *f, const struct made_table *t, bool bmp)
{
	uint8_t buf[MESSAGE_MAX];
	for (uint32_t s = 0; s < t->set_count; s++)
		for (uint32_t at = t->sets[s].first; at != MADE_NONE;) {
			struct wr w = begin_message(buf, 2);
			at = put_update(t, &w, at, false);
			write_message(f, &w, bmp);
		}
}

static void write_file(
	const char *folder, unsigned router, const char *suffix, const struct made_table *tables, bool bmp, bool single)
{
	char path[4096];
	uint8_t buf[MESSAGE_MAX];
	(void)snprintf(path, sizeof(path), "%s/%c%s", folder, 'a' + router, suffix);
	FILE *f = need(fopen(path, "wb"));
	if (bmp)
		write_bmp_begin(f);
	for (int i = 0; i < 2; i++)
		if (single)
			write_single(f, &tables[i]);
		else
			write_packed(f, &tables[i], bmp);
	for (int i = 0; i < 2; i++) {
		struct wr w = end_of_rib(buf, tables[i].v6);
		write_message(f, &w, bmp);
	}
	printf("%c%s: %.1f MB\n", 'a' + router, suffix, (double)ftell(f) / 1e6);
	if (fclose(f) != 0)
		need(NULL);
}

int main(int argc, char **argv)
{
	struct made_table tables[2] = {0};
	if (argc < 2) {
		fprintf(stderr, "usage: full_table FOLDER [FILE [IPV4 IPV6]]\n");
		return 2;
	}
	const char *file = argc > 2 && strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
	made_table_new(&tables[0], ADDR_V4, file, argc > 4 ? strtoul(argv[3], NULL, 10) : PREFIXES_V4);
	made_table_new(&tables[1], ADDR_V6, file, argc > 4 ? strtoul(argv[4], NULL, 10) : PREFIXES_V6);
	for (unsigned router = 0; router < 2; router++) {
		made_table_routes(&tables[0], router);
		made_table_routes(&tables[1], router);
		write_file(argv[1], router, ".bgp", tables, false, false);
		write_file(argv[1], router, ".bmp", tables, true, false);
		write_file(argv[1], router, ".single.bmp", tables, true, true);
	}
	made_table_done(&tables[0]);
	made_table_done(&tables[1]);
	return 0;
}

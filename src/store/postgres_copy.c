/* SPDX-License-Identifier: BSD-2-Clause */

/* COPY ... FROM STDIN in PostgreSQL's binary format: a signature, per row a count of fields and per field
 * its length and bytes, big endian; a count of -1 ends it. Sent in pieces of 64 KiB. A connection that
 * breaks on the way, or is given up, shows at the end. */

#include "store/postgres.h"

#include <errno.h>

static const uint8_t header[19] = "PGCOPY\n\377\r\n\0"; /* then no flags and no extension */

int pg_copy_begin(struct pg_copy *c, PGconn *pq, const char *name, const char *table, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "COPY %s FROM STDIN (FORMAT binary)", table);
	if (!sql_text(&sql))
		return pg_no_memory(name, err);
	CLEANUP(pg_result_done) PGresult *res = pg_exec(pq, sql_text(&sql));
	if (PQresultStatus(res) != PGRES_COPY_IN)
		return pg_error(pq, res, name, "sending rows", err);
	c->pq = pq;
	c->name = name;
	c->failed = false;
	c->w = wr_make(c->buf, sizeof(c->buf));
	wr_bytes(&c->w, header, sizeof(header));
	return 0;
}

static void flush(struct pg_copy *c)
{
	if (!c->failed)
		c->failed = PQputCopyData(c->pq, (const char *)c->buf, (int)wr_len(&c->w)) != 1 || pg_flush(c->pq) < 0;
	c->w = wr_make(c->buf, sizeof(c->buf));
}

static void need(struct pg_copy *c, size_t n)
{
	if (wr_left(&c->w) < n)
		flush(c);
}

void pg_copy_row(struct pg_copy *c, unsigned columns)
{
	need(c, 2);
	wr_u16(&c->w, (uint16_t)columns);
}

void pg_copy_number(struct pg_copy *c, unsigned bytes, uint64_t value)
{
	need(c, 4 + 8);
	wr_u32(&c->w, bytes);
	if (bytes == 8)
		wr_u64(&c->w, value);
	else if (bytes == 4)
		wr_u32(&c->w, (uint32_t)value);
	else
		wr_u16(&c->w, (uint16_t)value);
}

void pg_copy_measure(struct pg_copy *c, uint64_t value)
{
	if (value) {
		pg_copy_number(c, 8, value);
		return;
	}
	need(c, 4);
	wr_u32(&c->w, UINT32_MAX); /* the length that NULL has */
}

void pg_copy_bytes(struct pg_copy *c, struct view v)
{
	need(c, 4);
	wr_u32(&c->w, (uint32_t)v.len);
	for (size_t at = 0; at < v.len;) {
		need(c, 1);
		size_t n = v.len - at < wr_left(&c->w) ? v.len - at : wr_left(&c->w);
		wr_bytes(&c->w, v.data + at, n);
		at += n;
	}
}

int pg_copy_end(struct pg_copy *c, struct error *err)
{
	int result = 0;
	bool over = false;
	need(c, 2);
	wr_u16(&c->w, UINT16_MAX);
	flush(c);
	if (PQputCopyEnd(c->pq, c->failed ? "given up" : NULL) != 1)
		c->failed = true;
	for (PGresult *res; (res = pg_next_result(c->pq)); PQclear(res)) {
		over = true;
		if (PQresultStatus(res) == PGRES_COPY_IN) /* libpq would hand it out for ever */
			c->failed = true;
		if (PQresultStatus(res) != PGRES_COMMAND_OK && result == 0)
			result = pg_error(c->pq, res, c->name, "sending rows", err);
		if (PQresultStatus(res) == PGRES_COPY_IN) {
			PQclear(res);
			break;
		}
	}
	if (result == 0 && (c->failed || !over))
		result = pg_error(c->pq, NULL, c->name, "sending rows", err);
	return result;
}

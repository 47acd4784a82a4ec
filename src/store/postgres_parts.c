/* SPDX-License-Identifier: BSD-2-Clause */

/* Partitions: minutes by day, hours by month, days by year. They are made for tomorrow and for what a merge
 * brings, and dropped whole when all of one is older than its level's retention.
 *
 * A partition is made as a table like the parent and then attached, which waits for no reader (CREATE TABLE
 * ... PARTITION OF would), in a transaction of its own under a lock that every collector takes: whoever
 * comes second finds it there. The list is kept in memory; when the server says that one is missing after all
 * (another collector dropped it), it is read again and the next merge makes it. Dropping does wait for
 * readers, and others would wait behind it, so it gives up soon; the next call tries again. */

#include "store/postgres.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOCK "SELECT pg_advisory_xact_lock(hashtext('whereto partitions'))"

/* ---- where they begin and end ---- */

static struct tm part_time(enum store_level level, uint64_t ts)
{
	time_t t = (time_t)ts;
	struct tm tm = {0};
	(void)gmtime_r(&t, &tm);
	tm.tm_sec = tm.tm_min = tm.tm_hour = 0;
	if (level != LEVEL_minute)
		tm.tm_mday = 1;
	if (level == LEVEL_day)
		tm.tm_mon = 0;
	return tm;
}

static uint64_t part_start(enum store_level level, uint64_t ts)
{
	struct tm tm = part_time(level, ts);
	return (uint64_t)timegm(&tm);
}

uint64_t pg_part_end(enum store_level level, uint64_t ts)
{
	struct tm tm = part_time(level, ts);
	tm.tm_mday += level == LEVEL_minute;
	tm.tm_mon += level == LEVEL_hour;
	tm.tm_year += level == LEVEL_day;
	return (uint64_t)timegm(&tm);
}

/* "flow_hour_202611" */
static void part_name(const struct pg_part *p, char ret[static PG_PART_NAME_MAX])
{
	static const int digits[LEVEL_COUNT] = {[LEVEL_minute] = 8, [LEVEL_hour] = 6, [LEVEL_day] = 4};
	struct tm tm = part_time(p->table.level, p->from_s);
	char day[16];
	(void)strftime(day, sizeof(day), "%Y%m%d", &tm);
	(void)snprintf(ret, PG_PART_NAME_MAX, "%s_%s_%.*s", cube_names[p->table.cube], level_names[p->table.level],
		digits[p->table.level], day);
}

/* ---- the list ---- */

void pg_parts_clear(struct pg_parts *parts)
{
	parts->count = 0;
}

void pg_parts_done(struct pg_parts *parts)
{
	free(parts->list);
	*parts = (struct pg_parts){0};
}

static int append(struct pg_parts *parts, const struct pg_part *p)
{
	if (parts->count == parts->cap) {
		size_t cap = parts->cap ? 2 * parts->cap : 64;
		struct pg_part *list = realloc(parts->list, cap * sizeof(*list));
		if (!list)
			return -ENOMEM;
		parts->list = list;
		parts->cap = cap;
	}
	parts->list[parts->count++] = *p;
	return 0;
}

static bool covered(const struct pg_parts *parts, struct store_table table, uint64_t ts)
{
	for (size_t i = parts->count; i-- > 0;) {
		const struct pg_part *p = &parts->list[i];
		if (p->table.cube == table.cube && p->table.level == table.level && p->from_s <= ts && ts < p->to_s)
			return true;
	}
	return false;
}

int pg_parts_want(struct postgres_store *s, struct store_table table, uint64_t ts, struct pg_parts *ret)
{
	if (covered(&s->parts, table, ts) || covered(ret, table, ts))
		return 0;
	struct pg_part p = {.table = table, .from_s = part_start(table.level, ts), .to_s = pg_part_end(table.level, ts)};
	part_name(&p, p.name);
	return append(ret, &p);
}

/* Whose partition it is; false: another table's. */
static bool find_table(const char *parent, struct store_table *ret)
{
	char name[PG_PART_NAME_MAX];
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		for (int level = 0; level < LEVEL_COUNT; level++) {
			(void)snprintf(name, sizeof(name), "%s_%s_merged", cube_names[cube], level_names[level]);
			*ret = (struct store_table){(enum store_cube)cube, (enum store_level)level};
			if (strcmp(name, parent) == 0)
				return true;
		}
	}
	return false;
}

static int read_parts(struct postgres_store *s, struct error *err)
{
	pg_parts_clear(&s->parts);
	CLEANUP(pg_result_done) PGresult *res = pg_exec(s->pq, "SELECT p.relname, c.relname,"
		" substring(b.bound FROM 'FROM \\(''?([0-9]+)'), substring(b.bound FROM 'TO \\(''?([0-9]+)')"
		" FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent,"
		" pg_get_expr(c.relpartbound, c.oid) AS b(bound) WHERE p.relnamespace = 'whereto'::regnamespace"
		" AND b.bound LIKE 'FOR VALUES FROM%'");
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(s->pq, res, s->name, "listing partitions", err);
	for (int i = 0; i < PQntuples(res); i++) {
		/* No number: MINVALUE, MAXVALUE. */
		struct pg_part p = {.to_s = UINT64_MAX};
		if (!find_table(PQgetvalue(res, i, 0), &p.table))
			continue;
		(void)snprintf(p.name, sizeof(p.name), "%s", PQgetvalue(res, i, 1));
		if (!PQgetisnull(res, i, 2))
			p.from_s = strtoull(PQgetvalue(res, i, 2), NULL, 10);
		if (!PQgetisnull(res, i, 3))
			p.to_s = strtoull(PQgetvalue(res, i, 3), NULL, 10);
		if (append(&s->parts, &p) < 0)
			return pg_no_memory(s->name, err);
	}
	return 0;
}

/* ---- making ---- */

static void add_part(struct sql *s, const struct pg_part *p)
{
	const char *cube = cube_names[p->table.cube], *level = level_names[p->table.level];
	sql_add(s, "CREATE TABLE %s (LIKE %s_%s_merged INCLUDING DEFAULTS)"
		" WITH (autovacuum_vacuum_scale_factor = 0.05);\n"
		"ALTER TABLE %s_%s_merged ATTACH PARTITION %s FOR VALUES FROM (%llu) TO (%llu);\n",
		p->name, cube, level, cube, level, p->name,
		(unsigned long long)p->from_s, (unsigned long long)p->to_s);
}

static int make_missing(struct postgres_store *s, const struct pg_parts *wanted, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	int r = read_parts(s, err);
	for (size_t i = 0; i < wanted->count && r == 0; i++)
		if (!covered(&s->parts, wanted->list[i].table, wanted->list[i].from_s))
			add_part(&sql, &wanted->list[i]);
	if (r < 0 || (sql_text(&sql) && !*sql_text(&sql)))
		return r;
	r = pg_run(s->pq, s->name, sql_text(&sql), "making partitions", err);
	return r < 0 ? r : read_parts(s, err);
}

int pg_parts_make(struct postgres_store *s, const struct pg_parts *wanted, struct error *err)
{
	if (!wanted->count)
		return 0;
	int r = postgres_writer_begin(s, "BEGIN", err);
	if (r == 0)
		r = pg_run(s->pq, s->name, LOCK, "making partitions", err);
	if (r == 0)
		r = make_missing(s, wanted, err);
	if (r == 0)
		r = pg_run(s->pq, s->name, "COMMIT", "making partitions", err);
	if (r < 0)
		postgres_writer_give_up(s);
	return r;
}

int pg_parts_ahead(struct postgres_store *s, uint64_t now_s, struct error *err)
{
	CLEANUP(pg_parts_done) struct pg_parts wanted = {0};
	int r = 0;
	for (int cube = 0; cube < CUBE_COUNT; cube++) {
		for (int level = 0; level < LEVEL_COUNT; level++) {
			struct store_table table = {(enum store_cube)cube, (enum store_level)level};
			for (uint64_t ahead = 0; ahead <= 86400 && r == 0; ahead += 86400)
				r = pg_parts_want(s, table, now_s + ahead, &wanted);
		}
	}
	return r < 0 ? pg_no_memory(s->name, err) : pg_parts_make(s, &wanted, err);
}

/* ---- dropping ---- */

/* Somebody's view that was made on a table of version 1 goes with that under its new name, for example. PostgreSQL names
 * what hangs on it, an object a line. */
static int hangs_on(struct postgres_store *s, const struct pg_part *p, const PGresult *res, struct error *err)
{
	CLEANUP(sql_done) struct sql what = {0};
	const char *line = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	for (; line && *line; line += strcspn(line, "\n"), line += *line == '\n')
		sql_add(&what, "%s%.*s", what.len ? "; " : "", (int)strcspn(line, "\n"), line);
	if (!what.len)
		sql_add(&what, "something depends on it");
	if (!sql_text(&what))
		return pg_no_memory(s->name, err);
	return error_set(err, -EBUSY, "postgresql store %s: the partition whereto.%s is older than its retention and cannot be dropped: %.120s;"
		" make that anew on whereto.%s_%s, then run: DROP TABLE whereto.%s CASCADE", s->name, p->name, sql_text(&what),
		cube_names[p->table.cube], level_names[p->table.level], p->name);
}

/* Waits up to so long for its readers. */
static int drop(struct postgres_store *s, const struct pg_part *p, const char *wait, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	sql_add(&sql, "SET LOCAL lock_timeout = '%s'; " LOCK "; DROP TABLE IF EXISTS %s; ", wait, p->name);
	pg_add_mark_part(&sql, p);
	int r = postgres_writer_begin(s, "BEGIN ISOLATION LEVEL READ COMMITTED", err);
	if (r == 0 && !sql_text(&sql))
		r = pg_no_memory(s->name, err);
	if (r == 0) {
		CLEANUP(pg_result_done) PGresult *res = pg_exec(s->pq, sql_text(&sql));
		const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
		if (state && strcmp(state, "2BP01") == 0)
			r = hangs_on(s, p, res, err);
		else if (PQresultStatus(res) != PGRES_COMMAND_OK)
			r = pg_error(s->pq, res, s->name, "dropping a partition", err);
	}
	if (r == 0)
		r = pg_run(s->pq, s->name, "COMMIT", "dropping a partition", err);
	if (r < 0)
		postgres_writer_give_up(s);
	return r;
}

/* One that cannot go keeps no other one; the first such is told. */
int pg_parts_drop(struct postgres_store *s, struct error *err)
{
	size_t i = 0;
	int first = 0;
	while (i < s->parts.count) {
		struct pg_part p = s->parts.list[i];
		struct error ignored;
		if (p.to_s > s->cutoff_s[p.table.level]) {
			i++;
			continue;
		}
		int r = drop(s, &p, first < 0 ? "100ms" : "3s", first < 0 ? &ignored : err);
		if (first == 0)
			first = r;
		if (r < 0 && !s->pq)
			break;
		if (r < 0)
			i++;
		else if (i < s->parts.count) /* else the connection was made anew, and the list with it */
			s->parts.list[i] = s->parts.list[--s->parts.count];
	}
	return first;
}

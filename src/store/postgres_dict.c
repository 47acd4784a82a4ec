/* SPDX-License-Identifier: BSD-2-Clause */

/* Dictionaries: names, prefixes and paths have small numbers in the tables of rows, and are only ever added
 * to. The values that a batch uses go to the server at once, into a temporary table; what is new among them
 * is inserted, and the ids of all come back: three statements a dictionary, however many values, and no
 * cache here that a rollback or another collector could make wrong.
 *
 * New values are inserted in their order, so that two collectors who bring the same ones wait for each
 * other and do not lock each other out. */

#include "store/postgres.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "route/path.h"

static const struct {
	const char *stage, *add, *find;
} dicts[] = {
	{"stage_names",
		"INSERT INTO names(name) SELECT value FROM stage_names s WHERE NOT EXISTS"
		" (SELECT FROM names d WHERE d.name = s.value) ORDER BY value ON CONFLICT DO NOTHING",
		"SELECT s.n, d.id FROM stage_names s JOIN names d ON d.name = s.value"},
	{"stage_prefixes",
		"INSERT INTO prefixes(prefix) SELECT value::iprange FROM stage_prefixes s WHERE NOT EXISTS"
		" (SELECT FROM prefixes d WHERE d.prefix = s.value::iprange) ORDER BY 1 ON CONFLICT DO NOTHING",
		"SELECT s.n, d.id FROM stage_prefixes s JOIN prefixes d ON d.prefix = s.value::iprange"},
	{"stage_paths",
		"INSERT INTO paths(bytes, path, members) SELECT value, path, members::bigint[] FROM stage_paths s WHERE NOT EXISTS"
		" (SELECT FROM paths d WHERE sha256(d.bytes) = sha256(s.value)) ORDER BY sha256(value) ON CONFLICT DO NOTHING",
		"SELECT s.n, d.id FROM stage_paths s JOIN paths d ON sha256(d.bytes) = sha256(s.value)"},
};
enum { DICT_names, DICT_prefixes, DICT_paths };

int pg_make_stages(PGconn *pq, const char *name, struct error *err)
{
	return pg_run(pq, name, "CREATE TEMP TABLE stage_names(n bigint, value text) ON COMMIT DELETE ROWS;"
		"CREATE TEMP TABLE stage_prefixes(n bigint, value text) ON COMMIT DELETE ROWS;"
		"CREATE TEMP TABLE stage_paths(n bigint, value bytea, path text, members text) ON COMMIT DELETE ROWS;",
		"making temporary tables", err);
}

static struct view view_of(const char *text)
{
	return (struct view){(const uint8_t *)text, strlen(text)};
}

static int copy_path(struct pg_copy *c, struct view path)
{
	CLEANUP(sql_done) struct sql list = {0};
	size_t len = path_format(path, NULL, 0), count = path_members(path, NULL, 0);
	CLEANUP(free_p) char *text = malloc(len + 1);
	CLEANUP(free_p) uint32_t *members = malloc((count + 1) * sizeof(*members));
	if (!text || !members)
		return -ENOMEM;
	(void)path_format(path, text, len + 1);
	(void)path_members(path, members, count);
	sql_add(&list, "{");
	for (size_t i = 0; i < count; i++)
		sql_add(&list, "%s%u", i ? "," : "", members[i]);
	sql_add(&list, "}");
	if (!sql_text(&list))
		return -ENOMEM;
	pg_copy_bytes(c, path);
	pg_copy_bytes(c, (struct view){(const uint8_t *)text, len});
	pg_copy_bytes(c, view_of(sql_text(&list)));
	return 0;
}

static int copy_value(struct pg_copy *c, int dict, const struct flow_table *flows, uint32_t i)
{
	char text[PREFIX_TEXT_MAX];
	pg_copy_row(c, dict == DICT_paths ? 4 : 2);
	pg_copy_number(c, 8, i);
	if (dict == DICT_paths)
		return copy_path(c, flows->paths[i]);
	pg_copy_bytes(c, dict == DICT_names ? flows->names[i] : view_of(prefix_format(&flows->prefixes[i], text)));
	return 0;
}

/* The ids of all values that were sent, into the map. */
static int read_ids(struct postgres_store *s, int dict, uint64_t *map, uint32_t count, uint32_t sent, struct error *err)
{
	int r = pg_run(s->pq, s->name, dicts[dict].add, "adding to a dictionary", err);
	if (r < 0)
		return r;
	CLEANUP(pg_result_done) PGresult *res = PQexec(s->pq, dicts[dict].find);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(s->pq, res, s->name, "reading a dictionary", err);
	for (int i = 0; i < PQntuples(res); i++) {
		unsigned long long n = strtoull(PQgetvalue(res, i, 0), NULL, 10);
		if (n < count)
			map[n] = strtoull(PQgetvalue(res, i, 1), NULL, 10);
	}
	if ((uint32_t)PQntuples(res) != sent)
		return error_set(err, -EPROTO, "postgresql store %s: %s: %d of %u values were found again", s->name,
			dicts[dict].stage, PQntuples(res), sent);
	return 0;
}

static int map_dictionary(struct postgres_store *s, int dict, struct pg_copy *c, struct cube_source *src, struct error *err)
{
	const struct flow_table *flows = src->flows;
	const bool *used[] = {src->name_used, src->prefix_used, src->path_used};
	uint64_t *maps[] = {src->names, src->prefixes, src->paths};
	uint32_t counts[] = {flows->name_count, flows->prefix_count, flows->path_count}, sent = 0;
	for (uint32_t i = 1; i < counts[dict]; i++)
		sent += used[dict][i];
	if (!sent)
		return 0;
	int r = pg_copy_begin(c, s->pq, s->name, dicts[dict].stage, err);
	if (r < 0)
		return r;
	for (uint32_t i = 1; i < counts[dict]; i++) {
		if (used[dict][i] && copy_value(c, dict, flows, i) < 0) {
			s->in_doubt = true;
			return pg_no_memory(s->name, err);
		}
	}
	r = pg_copy_end(c, err);
	return r < 0 ? r : read_ids(s, dict, maps[dict], counts[dict], sent, err);
}

int pg_map_dictionaries(struct postgres_store *s, struct cube_source *src, struct error *err)
{
	CLEANUP(free_p) struct pg_copy *c = malloc(sizeof(*c));
	int r = c ? 0 : pg_no_memory(s->name, err);
	for (int dict = 0; dict < (int)ARRAY_LEN(dicts) && r == 0; dict++)
		r = map_dictionary(s, dict, c, src, err);
	return r;
}

int pg_name_id(struct postgres_store *s, const char *text, uint64_t *ret, struct error *err)
{
	static const char *const statements[] = {"INSERT INTO names(name) SELECT $1::text WHERE NOT EXISTS (SELECT FROM names"
		" WHERE name = $1::text) ON CONFLICT DO NOTHING", "SELECT id FROM names WHERE name = $1::text"};
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		CLEANUP(pg_result_done) PGresult *res = PQexecParams(s->pq, statements[i], 1, NULL, &text, NULL, NULL, 0);
		ExecStatusType status = PQresultStatus(res);
		if (status != PGRES_COMMAND_OK && (status != PGRES_TUPLES_OK || PQntuples(res) != 1))
			return pg_error(s->pq, res, s->name, "adding a name", err);
		if (status == PGRES_TUPLES_OK)
			*ret = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
	}
	return 0;
}

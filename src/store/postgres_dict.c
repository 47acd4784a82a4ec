/* SPDX-License-Identifier: BSD-2-Clause */

/* Dictionaries: names, prefixes and paths have small numbers in the tables of rows, and are only ever added
 * to. The writer remembers the ids that it has seen (value_ids.h), so nearly all values of a batch are known to it. The others go
 * to the server at once, into a temporary table; what is new among them is inserted, and the ids of all come back: three
 * statements a dictionary, however many values.
 *
 * What is remembered could become wrong in two ways. A transaction that does not come to its end takes its new ids with
 * it: then all are forgotten. And somebody may put other tables in the place of these (a backup brought back) while we are connected: each batch
 * holds the tables and looks whether they are those that were read.
 *
 * New values are inserted in their order, so that two collectors who bring the same ones wait for each
 * other and do not lock each other out. */

#include "store/postgres.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "route/path.h"

const struct pg_dict_info pg_dicts[PG_DICT_COUNT] = {
#define DICT(NAME, ...) [PG_##NAME] = {__VA_ARGS__},
#include "store/postgres_dicts.def"
#undef DICT
};

enum pg_dict pg_dict_of(enum dimension dim)
{
	int dict = 0;
	while (dict < PG_DICT_COUNT && pg_dicts[dict].kind != dimension_table[dim].kind)
		dict++;
	return (enum pg_dict)dict;
}

int pg_make_stages(PGconn *pq, const char *name, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	for (int dict = 0; dict < PG_DICT_COUNT; dict++)
		sql_add(&sql, "CREATE TEMP TABLE stage_%s(n bigint, %s) ON COMMIT DELETE ROWS;", pg_dicts[dict].table, pg_dicts[dict].stage);
	return pg_run(pq, name, sql_text(&sql), "making temporary tables", err);
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

static int copy_value(struct pg_copy *c, enum pg_dict dict, const struct flow_table *flows, uint32_t i, uint32_t n)
{
	char text[PREFIX_TEXT_MAX];
	pg_copy_row(c, dict == PG_PATHS ? 4 : 2);
	pg_copy_number(c, 8, n);
	if (dict == PG_PATHS)
		return copy_path(c, flows->paths[i]);
	pg_copy_bytes(c, dict == PG_NAMES ? flows->names[i] : view_of(prefix_format(&flows->prefixes[i], text)));
	return 0;
}

static struct view value_of(enum pg_dict dict, const struct flow_table *flows, uint32_t i, uint8_t buf[static PREFIX_BYTES_MAX])
{
	return dict == PG_PREFIXES ? prefix_to_bytes(&flows->prefixes[i], buf) : dict == PG_PATHS ? flows->paths[i] : flows->names[i];
}

/* One dictionary's share of a batch. */
struct mapping {
	enum pg_dict dict;
	const struct flow_table *flows;
	const bool *used;
	uint64_t *ids; /* by the flow table's number */
	uint32_t count;
	uint32_t *unknown, unknown_count; /* numbers of the values that the server is asked for */
};

static void find_known(const struct postgres_store *s, struct mapping *m)
{
	uint8_t buf[PREFIX_BYTES_MAX];
	for (uint32_t i = 1; i < m->count; i++)
		if (m->used[i] && !value_ids_find(&s->ids[m->dict], value_of(m->dict, m->flows, i, buf), &m->ids[i]))
			m->unknown[m->unknown_count++] = i;
}

static int send_unknown(struct postgres_store *s, const struct mapping *m, struct pg_copy *c, struct error *err)
{
	CLEANUP(sql_done) struct sql stage = {0};
	sql_add(&stage, "stage_%s", pg_dicts[m->dict].table);
	int r = sql_text(&stage) ? pg_copy_begin(c, s->pq, s->name, sql_text(&stage), err) : pg_no_memory(s->name, err);
	if (r < 0)
		return r;
	for (uint32_t n = 0; n < m->unknown_count; n++) {
		if (copy_value(c, m->dict, m->flows, m->unknown[n], n) < 0) {
			s->in_doubt = true;
			return pg_no_memory(s->name, err);
		}
	}
	return pg_copy_end(c, err);
}

static int take_id(struct postgres_store *s, const struct mapping *m, const PGresult *res, int row, struct error *err)
{
	uint8_t buf[PREFIX_BYTES_MAX];
	unsigned long long n = strtoull(PQgetvalue(res, row, 0), NULL, 10);
	if (n >= m->unknown_count)
		return 0; /* the counts tell */
	uint32_t i = m->unknown[n];
	m->ids[i] = strtoull(PQgetvalue(res, row, 1), NULL, 10);
	return value_ids_add(&s->ids[m->dict], value_of(m->dict, m->flows, i, buf), m->ids[i]) < 0 ? pg_no_memory(s->name, err) : 0;
}

/* So many values. The server has no statistics of a temporary table, and without the number it would read a whole dictionary to find a
 * few of them. */
#define FROM_STAGE "(SELECT * FROM stage_%s LIMIT %u) s"

/* The ids of all values that were sent. */
static int read_ids(struct postgres_store *s, const struct mapping *m, struct error *err)
{
	CLEANUP(sql_done) struct sql add = {0}, find = {0};
	const struct pg_dict_info *d = &pg_dicts[m->dict];
	sql_add(&add, "INSERT INTO %s(%s) SELECT %s FROM " FROM_STAGE " WHERE NOT EXISTS (SELECT FROM %s d WHERE %s) ORDER BY %s"
		" ON CONFLICT DO NOTHING", d->table, d->columns, d->select, d->table, m->unknown_count, d->table, d->same, d->order);
	sql_add(&find, "SELECT s.n, d.id FROM " FROM_STAGE " JOIN %s d ON %s", d->table, m->unknown_count, d->table, d->same);
	int r = sql_text(&find) ? pg_run(s->pq, s->name, sql_text(&add), "adding to a dictionary", err) : pg_no_memory(s->name, err);
	if (r < 0)
		return r;
	CLEANUP(pg_result_done) PGresult *res = pg_exec(s->pq, sql_text(&find));
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(s->pq, res, s->name, "reading a dictionary", err);
	for (int i = 0; i < PQntuples(res) && r == 0; i++)
		r = take_id(s, m, res, i, err);
	if (r == 0 && (uint32_t)PQntuples(res) != m->unknown_count)
		return error_set(err, -EPROTO, "postgresql store %s: %s: %d of %u values were found again", s->name, d->table, PQntuples(res),
			m->unknown_count);
	return r;
}

static int map_dictionary(struct postgres_store *s, struct mapping *m, struct pg_copy *c, struct error *err)
{
	CLEANUP(free_p) uint32_t *unknown = malloc(((size_t)m->count + 1) * sizeof(*unknown));
	if (!unknown)
		return pg_no_memory(s->name, err);
	m->unknown = unknown;
	value_ids_trim(&s->ids[m->dict]);
	find_known(s, m);
	if (!m->unknown_count)
		return 0;
	int r = send_unknown(s, m, c, err);
	return r < 0 ? r : read_ids(s, m, err);
}

void pg_forget_ids(struct postgres_store *s)
{
	for (int dict = 0; dict < PG_DICT_COUNT; dict++)
		value_ids_clear(&s->ids[dict]);
}

/* Until the transaction's end the tables stay what they are. */
static int hold_tables(struct postgres_store *s, struct error *err)
{
	CLEANUP(sql_done) struct sql sql = {0};
	for (int dict = 0; dict < PG_DICT_COUNT; dict++)
		sql_add(&sql, "%s%s", dict ? ", " : "LOCK TABLE ", pg_dicts[dict].table);
	for (int dict = 0; dict < PG_DICT_COUNT; dict++)
		sql_add(&sql, "%s('%s')", dict ? ", pg_relation_filenode" : " IN ACCESS SHARE MODE; SELECT pg_relation_filenode", pg_dicts[dict].table);
	if (!sql_text(&sql))
		return pg_no_memory(s->name, err);
	CLEANUP(pg_result_done) PGresult *res = pg_exec(s->pq, sql_text(&sql));
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(s->pq, res, s->name, "reading a dictionary", err);
	for (int dict = 0; dict < PG_DICT_COUNT; dict++) {
		uint64_t table = strtoull(PQgetvalue(res, 0, dict), NULL, 10);
		if (table != s->ids_of[dict])
			value_ids_clear(&s->ids[dict]);
		s->ids_of[dict] = table;
	}
	return 0;
}

int pg_map_dictionaries(struct postgres_store *s, struct cube_source *src, struct error *err)
{
	const struct flow_table *flows = src->flows;
	struct mapping mappings[] = {
		{.dict = PG_NAMES, .used = src->name_used, .ids = src->names, .count = flows->name_count},
		{.dict = PG_PREFIXES, .used = src->prefix_used, .ids = src->prefixes, .count = flows->prefix_count},
		{.dict = PG_PATHS, .used = src->path_used, .ids = src->paths, .count = flows->path_count},
	};
	CLEANUP(free_p) struct pg_copy *c = malloc(sizeof(*c));
	int r = c ? hold_tables(s, err) : pg_no_memory(s->name, err);
	for (size_t i = 0; i < ARRAY_LEN(mappings) && r == 0; i++) {
		mappings[i].flows = flows;
		r = map_dictionary(s, &mappings[i], c, err);
	}
	return r;
}

int pg_name_id(struct postgres_store *s, const char *text, uint64_t *ret, struct error *err)
{
	static const char *const statements[] = {"INSERT INTO names(name) SELECT $1::text WHERE NOT EXISTS (SELECT FROM names"
		" WHERE name = $1::text) ON CONFLICT DO NOTHING", "SELECT id FROM names WHERE name = $1::text"};
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		CLEANUP(pg_result_done) PGresult *res = pg_exec_with(s->pq, statements[i], text);
		ExecStatusType status = PQresultStatus(res);
		if (status != PGRES_COMMAND_OK && (status != PGRES_TUPLES_OK || PQntuples(res) != 1))
			return pg_error(s->pq, res, s->name, "adding a name", err);
		if (status == PGRES_TUPLES_OK)
			*ret = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
	}
	return 0;
}

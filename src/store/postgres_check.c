/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/postgres.h"

#include <stdio.h>
#include <stdlib.h>

static int find_missing(PGconn *pq, const char *name, struct store_look *ret, struct error *err)
{
	struct ddl_names names = {0};
	int r = pg_find_missing(pq, name, ddl_names_add, &names, err);
	ddl_names_end(&names);
	(void)snprintf(ret->missing, sizeof(ret->missing), "%s", names.text);
	return r;
}

int postgres_look(const char *url, struct store_look *ret, struct error *err)
{
	char name[PG_NAME_MAX];
	PGconn *pq = NULL;
	int64_t version = 0;
	int r = pg_name(url, name, err);
	if (r < 0)
		return r;
	*ret = (struct store_look){.known = POSTGRES_SCHEMA_VERSION};
	(void)snprintf(ret->name, sizeof(ret->name), "postgresql store %s", name);
	r = pg_connect(url, name, NULL, &pq, err);
	if (r == 0)
		r = pg_version(pq, name, &version, err);
	if (r == 0 && version)
		r = pg_rights(pq, name, &ret->reader, &ret->lack, err);
	if (r == 0 && version == POSTGRES_SCHEMA_VERSION)
		r = find_missing(pq, name, ret, err);
	PQfinish(pq);
	ret->version = (unsigned)version;
	return r;
}

int postgres_range(struct store *store, struct store_table table, uint64_t ret[static 2], struct error *err)
{
	struct postgres_store *s = CONTAINER_OF(store, struct postgres_store, base);
	static const char *const ends[2][2] = {{"min", "least"}, {"max", "greatest"}};
	int r = postgres_writer_begin(s, "SELECT 1", err);
	for (int i = 0; i < 2 && r == 0; i++) {
		CLEANUP(sql_done) struct sql sql = {0};
		int64_t ts = -1;
		/* Of each part alone, so that the merged one's index answers. */
		sql_add(&sql, "SELECT %s((SELECT %s(ts) FROM ", ends[i][1], ends[i][0]);
		schema_table(&sql, table.cube, table.level);
		sql_add(&sql, "_merged), (SELECT %s(ts - ts %% %u) FROM %s_new WHERE levels & %d <> 0))", ends[i][0],
			level_seconds[table.level], cube_names[table.cube], 1 << table.level);
		r = pg_number(s->pq, s->name, sql_text(&sql), "reading a table's range", &ts, err);
		if (r == 0 && ts < 0)
			return 0;
		ret[i] = (uint64_t)ts;
	}
	return r < 0 ? r : 1;
}

int postgres_collectors(struct store *store, store_collector_fn *fn, void *ctx, struct error *err)
{
	struct postgres_store *s = CONTAINER_OF(store, struct postgres_store, base);
	int r = postgres_writer_begin(s, "SELECT 1", err);
	if (r < 0)
		return r;
	CLEANUP(pg_result_done) PGresult *res = pg_exec(s->pq, "SELECT collector, max(id) FROM batches GROUP BY collector"
		" ORDER BY collector COLLATE \"C\"");
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return pg_error(s->pq, res, s->name, "listing the collectors", err);
	for (int i = 0; i < PQntuples(res) && r == 0; i++)
		r = fn(ctx, PQgetvalue(res, i, 0), strtoull(PQgetvalue(res, i, 1), NULL, 10));
	return r;
}

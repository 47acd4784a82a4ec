/* SPDX-License-Identifier: BSD-2-Clause */

/* The ClickHouse store: sums in columns, for more rows than one SQLite file or one PostgreSQL wants to hold.
 *
 * Files: clickhouse_url.c reads the URL, clickhouse_http.c speaks to a server, clickhouse_value.c says how values are
 * stored, clickhouse_schema.c makes the tables, clickhouse_dict.c and clickhouse_block.c make Native blocks, clickhouse_write.c applies
 * batches with them and clickhouse_writer.c waits for what is still under way, clickhouse_query.c and clickhouse_changes.c
 * answer, clickhouse_maintain.c drops what is too old, clickhouse_check.c tells what there is.
 *
 * Everything is in a database of its own. What is sent is kept to what both an 18.16 of Debian and a current version
 * take; where they differ the server is asked (settings) or both forms are avoided.
 *
 * There are no transactions. A batch is applied once all the same, whoever dies in the middle, but a reader may see a part of
 * one: see clickhouse_write.c. An answered INSERT is in the server's hands; whether it is on its disk as well, and survives
 * a loss of power, is for fsync_after_insert, which the tables have where the server knows it (18.16 does not). */

#include "store/clickhouse.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void clickhouse_close(struct store *store)
{
	if (!store)
		return;
	struct clickhouse_store *s = CONTAINER_OF(store, struct clickhouse_store, base);
	ch_posts_done(&s->posts);
	ch_nodes_done(s);
	groups_done(&s->scratch[0]);
	groups_done(&s->scratch[1]);
	ch_url_done(&s->url);
	free(s->own.name);
	ch_place_done(&s->own.marks);
	free(s);
}

static int clickhouse_open(const struct store_config *config, struct store **ret, struct error *err)
{
	struct clickhouse_store *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "clickhouse store: out of memory");
	(void)pthread_once(&curl_once, init_curl);
	s->base.ops = &clickhouse_ops;
	memcpy(s->retention_s, config->retention_s, sizeof(s->retention_s));
	groups_init(&s->scratch[0], 0, 0, INDEX_NONE - 1);
	groups_init(&s->scratch[1], 0, 0, INDEX_NONE - 1);
	s->read_only = config->read_only;
	int r = ch_url_parse(config->url, &s->url, err);
	s->url.give_up = config->give_up;
	if (r == 0)
		r = ch_posts_init(&s->posts, &s->url, err);
	if (r == 0)
		r = ch_writer_ready(s, err);
	if (r == 0)
		r = ch_load_cutoffs(s, err);
	if (r == 0 && !s->read_only)
		ch_nodes_tend(s);
	if (r < 0) {
		clickhouse_close(&s->base);
		return r;
	}
	*ret = &s->base;
	return 0;
}

/* ---- a reader ---- */

static void clickhouse_reader_close(struct store_reader *base)
{
	if (!base)
		return;
	struct clickhouse_reader *r = CONTAINER_OF(base, struct clickhouse_reader, base);
	ch_conn_done(&r->conn);
	ch_scratch_done(&r->scratch[0]);
	ch_scratch_done(&r->scratch[1]);
	free(r);
}

static int clickhouse_reader_open(struct store *store, struct store_reader **ret, struct error *err)
{
	struct clickhouse_store *s = CONTAINER_OF(store, struct clickhouse_store, base);
	struct clickhouse_reader *r = calloc(1, sizeof(*r));
	if (!r)
		return ch_no_memory(&s->url, err);
	r->base.ops = &clickhouse_ops;
	r->store = s;
	int result = ch_conn_init(&r->conn, &s->url, s->url.hosts[0], err);
	if (result < 0) {
		free(r);
		return result;
	}
	*ret = &r->base;
	return 0;
}

static const struct store_url_file url_files[] = {{"password_file", STORE_FILE_SECRET}, {"ca_file", STORE_FILE_PLAIN}, {0}};

static int clickhouse_check_url(const char *url, struct error *err)
{
	CLEANUP(ch_url_done) struct ch_url u = {0};
	return ch_url_parse(url, &u, err);
}

const struct store_ops clickhouse_ops = {
	.scheme = "clickhouse",
	.url_files = url_files,
	.check_url = clickhouse_check_url,
	.snapshots = false,
	.others = true,
	.ddl = clickhouse_ddl,
	.look = clickhouse_look,
	.open = clickhouse_open,
	.write_batch = clickhouse_write_batch,
	.last_batch = clickhouse_last_batch,
	.collectors = clickhouse_collectors,
	.range = clickhouse_range,
	.maintain = clickhouse_maintain,
	.close = clickhouse_close,
	.reader_open = clickhouse_reader_open,
	.query = clickhouse_query,
	.changes = clickhouse_changes,
	.reader_close = clickhouse_reader_close,
};

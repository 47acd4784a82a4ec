/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the files of the ClickHouse store share; only store.c and they include it. See clickhouse.c. */

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "store/cube.h"
#include "store/ddl.h"

extern const struct store_ops clickhouse_ops;

#define CLICKHOUSE_SCHEMA_VERSION 1

/* ---- the URL (clickhouse_url.c) ---- */

#define CH_NAME_MAX  256
#define CH_AT_MAX    128 /* HOST:PORT */
#define CH_HOSTS_MAX 16

struct ch_url {
	char *user, *password, *password_file, *database, *cluster, *ca_file; /* NULL: not given; user and database are */
	bool tls;
	const atomic_bool *give_up; /* NULL, or: of struct store_config */
	char hosts[CH_HOSTS_MAX][CH_AT_MAX];
	unsigned host_count;
	char name[CH_NAME_MAX]; /* user@host:port/database, for messages */
};

/* Errors do not quote what may be a password. */
int ch_url_parse(const char *text, struct ch_url *ret, struct error *err) MUST_USE;
void ch_url_done(struct ch_url *u);

/* ---- one server (clickhouse_http.c) ---- */

/* Settings that some versions have and others refuse. */
enum ch_setting {
	CH_async_insert,
	CH_cancel_http_readonly_queries_on_client_close,
	CH_connect_timeout_with_failover_ms,
	CH_load_balancing,
	CH_max_ast_elements,
	CH_max_expanded_ast_elements,
	CH_max_query_size,
	CH_merge_tree_fsync_after_insert,
	CH_merge_tree_fsync_part_directory,
	CH_merge_tree_non_replicated_deduplication_window,
	CH_merge_tree_replicated_deduplication_window,
	CH_prefer_localhost_replica,
	CH_skip_unavailable_shards,
	CH_SETTING_COUNT
};

/* A connection; used by one thread. It is made when it is needed, and made again. */
struct ch_conn {
	const struct ch_url *url;
	char at[CH_AT_MAX];
	CURL *curl;
	struct curl_slist *headers;
	uint32_t settings; /* bits of enum ch_setting: what this server knows */
	bool met;          /* it has been asked for that */
	int code;          /* ClickHouse's own of the last failure; 0: it did not say one */
};

int ch_conn_init(struct ch_conn *c, const struct ch_url *url, const char *at, struct error *err) MUST_USE;
void ch_conn_done(struct ch_conn *c);

struct ch_request {
	const char *sql;       /* NULL: -ENOMEM */
	const char *query_id;  /* NULL: the server chooses */
	const char *doing;     /* for messages */
	uint64_t deadline_ns;  /* 0: a time within which any such request ends */
	long within_ms;        /* and this time at most, when it is not 0 */
	bool without_database; /* it may not be there yet */
	bool with_data;        /* what follows the statement, one behind the other: */
	struct view data[2];
};

/* Reads one row of an answer. When the reader has failed the row is not whole yet: the function has done nothing and is
 * called again with more. A negative return ends the answer with it. */
typedef int ch_row_fn(void *ctx, struct rd *r, struct error *err);

/* A statement whose rows, if any, nobody wants. "clickhouse store NAME: DOING: what the server says" and the errno that
 * stands for it: -EBUSY away or busy, -EACCES not for us, -ENOSPC, -EROFS, -ETIMEDOUT past the deadline, -ENOENT a
 * table or database that is not there, -EBADMSG no answer of a ClickHouse, -EPROTO anything else. After a failure of
 * the connection (c->code is 0) the statement may have run, may be running or may run yet. */
int ch_run(struct ch_conn *c, const struct ch_request *q, struct error *err) MUST_USE;
/* A SELECT, row by row (FORMAT RowBinary is added). */
int ch_select(struct ch_conn *c, const struct ch_request *q, ch_row_fn *fn, void *ctx, struct error *err) MUST_USE;
/* One number of up to 64 bits; no row leaves *ret alone. */
int ch_number(struct ch_conn *c, const struct ch_request *q, unsigned bytes, uint64_t *ret, struct error *err) MUST_USE;

bool ch_given_up(const struct ch_url *u);
int ch_no_memory(const struct ch_url *u, struct error *err);
int ch_too_late(struct error *err);

/* A request under way. */
struct ch_answer {
	struct ch_conn *c;
	const struct ch_request *q;
	ch_row_fn *fn; /* NULL: rows are not wanted */
	void *ctx;
	struct error *err;
	struct buffer rows; /* what is not read yet */
	struct rd data[2];  /* of the request */
	int result;         /* of fn */
	int code;           /* in a header */
	size_t text_len;    /* what the server says instead of an answer: */
	char text[1024];
	char curl_text[CURL_ERROR_SIZE];
};
/* Sets c->curl up for it, whose end tells. The connection has been met (ch_conn_meet): its server was asked what it knows. */
int ch_answer_begin(struct ch_answer *a, struct error *err) MUST_USE;
int ch_answer_end(struct ch_answer *a, CURLcode curl, struct error *err) MUST_USE;
int ch_conn_meet(struct ch_conn *c, uint64_t deadline_ns, struct error *err) MUST_USE;

/* ---- several INSERTs at a time (clickhouse_post.c) ---- */

#define CH_POSTS 3

struct ch_node;

/* What the blocks of several posts have in common behind their beginnings. */
struct ch_rest {
	struct buffer bytes;
	unsigned users;
};

enum ch_post_state { CH_POST_FREE, CH_POST_GIVEN, CH_POST_MOVING, CH_POST_ENDED };

struct ch_post {
	struct ch_conn conn; /* a handle of its own to the node's server */
	struct ch_node *node; /* unless it is free */
	enum ch_post_state state; /* under the lock */
	CURLcode curl_result;     /* once it has ended */
	struct ch_request q;
	struct ch_answer answer;
	struct sql sql, query_id;
	struct buffer block;  /* or its beginning, and */
	struct ch_rest *rest; /* NULL: there is none */
};

struct ch_posts {
	CURLM *multi;
	struct ch_post posts[CH_POSTS];
	int result; /* the first failure's */
	pthread_t thread;
	bool started;
	bool last; /* under the lock: no more are given */
	pthread_mutex_t lock;
	pthread_cond_t ended;
};

int ch_posts_init(struct ch_posts *p, const struct ch_url *url, struct error *err) MUST_USE;
void ch_posts_done(struct ch_posts *p);
/* One whose block, sql and query_id are empty, to be filled, without a rest; waits for one. NULL: something failed. */
struct ch_post *ch_posts_take(struct ch_posts *p, struct error *err);
/* Sends it, and may return before it has arrived. */
int ch_posts_send(struct ch_posts *p, struct ch_post *post, struct ch_node *node, struct error *err) MUST_USE;
/* Until all have been answered; the first failure of any since the last call. Gives large blocks' memory back. */
int ch_posts_wait(struct ch_posts *p, struct error *err) MUST_USE;
/* With one user, the caller; a post that has one is a user until it is answered. NULL: no memory. */
struct ch_rest *ch_rest_new(void);
struct ch_rest *ch_rest_ref(struct ch_rest *rest);
void ch_rest_unref(struct ch_rest *rest);

/* ---- values as they are stored (clickhouse_value.c) ---- */

/* Room to read values into. */
struct ch_scratch {
	struct buffer text;
	uint8_t *path; /* PATH_BYTES_MAX; NULL until it is needed */
};
void ch_scratch_done(struct ch_scratch *s);

/* Bytes of a dimension's column; 0: a String. */
unsigned ch_width(enum dimension dim);
/* "UInt32" */
const char *ch_type(enum dimension dim);
/* Appends a String column's value; nothing for an unknown one. */
void ch_encode(enum dimension_kind kind, const struct dim_value *v, struct buffer *out);
/* Reads a column's value, which lives until the next one is read into the same scratch. -EBADMSG; fails r when it is not
 * whole. */
int ch_read_value(struct rd *r, enum dimension dim, struct ch_scratch *s, struct dim_value *ret) MUST_USE;
struct view ch_read_string(struct rd *r);
/* 'text', whatever bytes are in it. */
void ch_quote(struct sql *s, struct view v);
void ch_quote_text(struct sql *s, const char *text);
/* The expression that shows a column to people, NULL for unknown. */
void ch_readable(struct sql *s, const char *column, enum dimension dim);

/* ---- the store ---- */

#define CH_NODES_MAX 128

/* A server that holds rows. */
struct ch_node {
	struct ch_conn conn;
	unsigned shard;    /* from 0 */
	bool ready;        /* its tables are there and ours */
	uint64_t retry_ns; /* it was away: not before */
};

/* How rows are laid out; the same for all who use the tables, and written down in them. */
struct ch_layout {
	unsigned shards;
	bool cluster;    /* each shard's tables have another name; Distributed ones have theirs */
	bool replicated; /* by ZooKeeper or Keeper */
};

/* Where a batch's block is. */
struct ch_place {
	unsigned table, shard;
	uint64_t partition, batch;
};

struct ch_place_list {
	struct ch_place *v;
	size_t count, cap;
};

bool ch_place_has(const struct ch_place_list *list, const struct ch_place *place);
/* Each once. -ENOMEM. */
int ch_place_add(struct ch_place_list *list, const struct ch_place *place) MUST_USE;
void ch_place_done(struct ch_place_list *list);
/* Seconds, or milliseconds of path_change, that a partition of a table holds. */
uint64_t ch_place_width(unsigned table);
/* The time at which a partition's marks stand. */
uint64_t ch_place_time(const struct ch_place *place);

struct clickhouse_store {
	struct store base;
	struct ch_url url;
	struct ch_node *nodes; /* shard by shard */
	unsigned node_count;
	struct ch_layout layout;
	bool read_only; /* tables are not made */
	bool known; /* the layout */
	uint64_t retention_s[LEVEL_COUNT];
	_Atomic uint64_t cutoff_s[LEVEL_COUNT]; /* as of the last maintain, anybody's: buckets that end by then are gone */
	/* What this process knows of the collector it writes for. */
	struct {
		char *name;
		bool settled;  /* nothing sent before is still under way */
		bool known;    /* it wrote `last`, and all of it */
		uint64_t last;
		struct ch_place_list marks; /* of its batches, those that nobody will ask for any more */
	} own;
	bool fresh; /* this process made the tables: nobody wrote before */
	struct groups scratch[2]; /* kept for their memory */
	struct ch_posts posts;
};

struct clickhouse_reader {
	struct store_reader base;
	struct clickhouse_store *store; /* its URL and cutoffs only */
	struct ch_conn conn;
	unsigned way; /* which of the URL's hosts and the cluster's servers it is to */
	struct ch_scratch scratch[2];
};

/* Partitions: so many seconds of a level's buckets each. */
extern const uint32_t ch_partition_s[LEVEL_COUNT];
#define CH_CHANGES_PARTITION_MS (1000ull * ch_partition_s[LEVEL_hour])

/* Tables, in the order in which a batch is written: the cubes', path_change, batches, collectors. */
#define CH_TABLE_changes    (CUBE_COUNT * LEVEL_COUNT)
#define CH_TABLE_batches    (CH_TABLE_changes + 1)
#define CH_TABLE_collectors (CH_TABLE_batches + 1)
#define CH_TABLE_COUNT      (CH_TABLE_collectors + 1)

static inline unsigned ch_table(enum store_cube cube, enum store_level level)
{
	return (unsigned)cube * LEVEL_COUNT + (unsigned)level;
}
/* Its name for questions; that of the one with a server's own rows. */
void ch_table_name(struct sql *s, unsigned table);
void ch_table_local(struct sql *s, const struct ch_layout *layout, unsigned table);

/* Brings a server's tables up to date, or makes them (clickhouse_schema.c). *ret_fresh: there was nothing. */
int ch_migrate(struct ch_node *node, const struct ch_layout *layout, bool *ret_fresh, struct error *err) MUST_USE;
/* Its user may write: -EACCES and a sentence, or nothing. What a GRANT is missing for shows with the first batch. */
int ch_rights(struct ch_conn *c, struct error *ret_lack, struct error *err) MUST_USE;
/* They are there, and where this program looks for them. -ENOENT. */
int ch_check(struct ch_node *node, const struct ch_layout *layout, struct error *err) MUST_USE;
/* Of the schema; 0: nothing there. */
int ch_version(struct ch_conn *c, uint64_t *ret, struct error *err) MUST_USE;
/* And what of it is not there. */
int ch_missing(struct ch_node *node, const struct ch_layout *layout, ddl_fn *fn, void *ctx, uint64_t *ret_version, struct error *err) MUST_USE;
/* Values of the table meta; a key that is not there leaves *ret alone. */
int ch_meta_get(struct ch_conn *c, const char *key, uint64_t *ret, struct error *err) MUST_USE;
int ch_meta_set(struct ch_conn *c, const char *key, uint64_t value, struct error *err) MUST_USE;

/* A collector's mark of a batch: "17/NAME". */
void ch_mark(struct sql *s, uint64_t batch, const char *collector);
/* Takes the marks of applied batches out again (clickhouse_marks.c), once. */
int ch_marks_clear(struct clickhouse_store *s, struct error *err) MUST_USE;

/* The first start of a bucket that readers see, and how far the store was cleared as its tables have it
 * (clickhouse_maintain.c). */
uint64_t ch_first_kept(const struct clickhouse_store *s, enum store_level level);
int ch_load_cutoffs(struct clickhouse_store *s, struct error *err) MUST_USE;

/* ---- servers (clickhouse_nodes.c) ---- */

/* Finds the servers, and how the rows are or shall be laid out over them. */
int ch_nodes_find(struct clickhouse_store *s, struct error *err) MUST_USE;
void ch_nodes_done(struct clickhouse_store *s);
/* A server of the shard that answers and has its tables. -EBUSY: there is none now. */
int ch_node_get(struct clickhouse_store *s, unsigned shard, struct ch_node **ret, struct error *err) MUST_USE;
/* It failed: the next one is asked, and it again after a while. */
void ch_node_failed(struct ch_node *node);
/* A SELECT at one server, which may fail thereby. */
int ch_node_select(struct ch_node *node, const struct ch_request *q, ch_row_fn *fn, void *ctx, struct error *err) MUST_USE;
/* Makes the tables of servers that were away; nothing is said about those that still are. */
void ch_nodes_tend(struct clickhouse_store *s);
/* The shard that holds what has this key. */
unsigned ch_shard_of(const struct clickhouse_store *s, struct view key);

/* A SELECT at any server, by its tables for questions. */
int ch_select_any(struct clickhouse_store *s, const struct ch_request *q, ch_row_fn *fn, void *ctx, struct error *err) MUST_USE;

/* A reader's SELECT; of a cluster another server is asked when one is away. */
int ch_reader_select(struct clickhouse_reader *reader, const struct ch_request *q, ch_row_fn *fn, void *ctx,
	struct error *err) MUST_USE;

/* ---- a batch's texts (clickhouse_dict.c) ---- */

struct ch_dict {
	struct view *names, *prefixes, *paths; /* as stored, in the order of their bytes; what is unknown is the first */
	struct view *members;                  /* of each path, numbers of 32 bits */
	struct arena arena;
};
/* Of what src uses; makes its maps those to places in here. -ENOMEM. */
int ch_dict_init(struct ch_dict *d, struct cube_source *src) MUST_USE;
void ch_dict_done(struct ch_dict *d);
static inline const struct view *ch_dict_of(const struct ch_dict *d, enum dimension dim)
{
	return dim == DIM_prefix ? d->prefixes : dim == DIM_path ? d->paths : d->names;
}

/* ---- Native blocks (clickhouse_block.c) ---- */

/* A batch's rows of a cube within one partition and shard, and its mark. */
struct ch_block {
	enum store_cube cube;
	const struct groups *rows;
	const uint32_t *at; /* which rows */
	uint32_t count;
	uint32_t before; /* so many of them stand before the marks */
	uint64_t marker_ts;
	const struct view *marks; /* of these */
	uint32_t mark_count;
	uint8_t marker; /* CH_MARK, CH_UNMARK */
	const struct ch_dict *dict; /* of the numbers in the rows */
};
/* Appends its beginning with the times; what follows, which does not depend on them but for `before`. */
void ch_block_times(const struct ch_block *b, struct buffer *out);
void ch_block_rest(const struct ch_block *b, struct buffer *out);
/* They add up to 0, and a row of nothing but zeros is left out of a merge. */
#define CH_MARK   1
#define CH_UNMARK 255

/* Any block: begun, then column by column, the values behind each column's head. */
void ch_block_begin(struct buffer *out, unsigned columns, uint64_t rows);
void ch_block_column(struct buffer *out, const char *name, const char *type);
void ch_block_number(struct buffer *out, unsigned bytes, uint64_t value);
void ch_block_string(struct buffer *out, struct view v);

/* ---- the writer (clickhouse_writer.c) ---- */

/* The store can be written to: its servers are known, and one of each shard answers. */
int ch_writer_ready(struct clickhouse_store *s, struct error *err) MUST_USE;
/* Waits until nothing that was sent for this collector before, by whomever, is still under way. */
int ch_writer_settle(struct clickhouse_store *s, const char *collector, struct error *err) MUST_USE;
/* How the query_id of each of its INSERTs begins. */
void ch_writer_id(struct sql *s, const struct clickhouse_store *store, const char *collector);
/* After a failure: what the tables, and a batch under way, are has to be looked at again. */
void ch_writer_doubt(struct clickhouse_store *s);

/* ---- the hooks ---- */

enum store_result clickhouse_write_batch(struct store *store, const struct store_batch *batch, struct error *err);
int clickhouse_last_batch(struct store *store, const char *collector, uint64_t *ret, struct error *err);
int clickhouse_maintain(struct store *store, uint64_t now_s, struct error *err);
int clickhouse_ddl(const char *url, enum store_ddl what, struct sql *ret, struct error *err);
int clickhouse_look(const char *url, struct store_look *ret, struct error *err);
int clickhouse_collectors(struct store *s, store_collector_fn *fn, void *ctx, struct error *err);
int clickhouse_range(struct store *s, struct store_table table, uint64_t ret[static 2], struct error *err);
int clickhouse_query(struct store_reader *reader, const struct store_query *q, store_row_fn *fn, void *ctx,
	struct error *err);
int clickhouse_changes(struct store_reader *reader, const struct store_change_query *q, store_change_fn *fn, void *ctx,
	struct error *err);

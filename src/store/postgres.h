/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the files of the PostgreSQL store share; only store.c and they include it. See postgres.c. */

#include <errno.h>
#include <libpq-fe.h>

#include "base/arena.h"
#include "base/cursor.h"
#include "store/cube.h"
#include "store/ddl.h"
#include "store/kept.h"
#include "store/value_ids.h"

extern const struct store_ops postgres_ops;

#define POSTGRES_SCHEMA_VERSION 4

#define PG_NAME_MAX      256
#define PG_PART_NAME_MAX 64

struct pg_part {
	struct store_table table;
	uint64_t from_s, to_s; /* half open; 0, UINT64_MAX: without an end */
	char name[PG_PART_NAME_MAX];
};

struct pg_parts {
	struct pg_part *list;
	size_t count, cap;
};

enum pg_dict {
#define DICT(NAME, ...) PG_##NAME,
#include "store/postgres_dicts.def"
#undef DICT
	PG_DICT_COUNT
};

/* See postgres_dicts.def. */
struct pg_dict_info {
	enum dimension_kind kind;
	const char *table, *shown, *read, *is, *stage, *columns, *select, *same, *order;
};
extern const struct pg_dict_info pg_dicts[PG_DICT_COUNT]; /* postgres_dict.c */
/* PG_DICT_COUNT: none. */
enum pg_dict pg_dict_of(enum dimension dim);

struct postgres_store {
	struct store base;
	char *url;
	char name[PG_NAME_MAX]; /* user@host:port/database, for messages: a URL may hold a password */
	PGconn *pq;             /* NULL: not connected */
	const atomic_bool *give_up; /* as configured */
	bool read_only;
	bool in_doubt;          /* the connection may stand within something: make a new one */
	uint64_t retention_s[LEVEL_COUNT];
	uint64_t cutoff_s[LEVEL_COUNT]; /* as of the last maintain: buckets that end by then are gone */
	int64_t share_rows;             /* deleted by one call of maintain */
	struct groups scratch[2];    /* kept for their memory */
	struct value_ids ids[PG_DICT_COUNT];
	uint64_t ids_of[PG_DICT_COUNT]; /* the tables they were read of */
	struct pg_parts parts;       /* that are there, as far as is known */
	uint64_t unmerged;           /* rows brought since the last merge */
	uint64_t merged_at_s;
	int merge_next; /* cube at which a merge goes on */
	struct groups marks;      /* buckets that the present batch changes: width, start */
	struct kept_cache *cache; /* the readers' */
};

/* What ids of a dictionary stand for, as far as a reader has asked. */
struct pg_values {
	struct arena arena;
	struct groups at; /* by id: where in the arena, how long */
};

struct postgres_reader {
	struct store_reader base;
	const struct postgres_store *store; /* its url and name only */
	PGconn *pq;
	bool in_snapshot;
	int64_t timeout_ms; /* of statements, as the server knows it; -1: not known */
	struct kept_reader kept;
	struct pg_values values[PG_DICT_COUNT];
};

/* ---- connections (postgres.c) ---- */

/* -EBUSY: away; -EACCES: there, and not for us. give_up: see pg_watch. */
int pg_connect(const char *url, const char *name, const atomic_bool *give_up, PGconn **ret, struct error *err) MUST_USE;
/* "postgresql store NAME: DOING: what the server says", and the errno that stands for it (see postgres.c).
 * res may be NULL. */
int pg_error(PGconn *pq, const PGresult *res, const char *name, const char *doing, struct error *err);
/* Runs statements whose rows, if any, nobody wants. sql NULL: -ENOMEM. */
int pg_run(PGconn *pq, const char *name, const char *sql, const char *doing, struct error *err) MUST_USE;
/* One number; no row leaves *ret alone. */
int pg_number(PGconn *pq, const char *name, const char *sql, const char *doing, int64_t *ret, struct error *err) MUST_USE;
void pg_result_done(PGresult **res);

/* ---- waiting (postgres_wait.c) ---- */

/* What follows waits for this connection's server only until *give_up. NULL: as long as it takes. -ENOMEM. */
int pg_watch(PGconn *pq, const atomic_bool *give_up) MUST_USE;
/* As PQexec; NULL when it was given up, or there is no connection. */
PGresult *pg_exec(PGconn *pq, const char *sql) MUST_USE;
/* The same of a statement with one parameter, a text. */
PGresult *pg_exec_with(PGconn *pq, const char *sql, const char *value) MUST_USE;
/* Until all is sent. Negative: it will not be. */
int pg_flush(PGconn *pq) MUST_USE;
/* As PQgetResult, which does not tell its end from being given up. */
PGresult *pg_next_result(PGconn *pq) MUST_USE;

static inline int pg_no_memory(const char *name, struct error *err)
{
	return error_set(err, -ENOMEM, "postgresql store %s: out of memory", name);
}

/* Creates the tables or brings them up to date (postgres_schema.c). */
int pg_migrate(PGconn *pq, const char *name, struct error *err) MUST_USE;
/* The same, up to a version: how tests make an older store. */
int pg_migrate_to(PGconn *pq, const char *name, int to, struct error *err) MUST_USE;
/* What of the present version's schema is not there; that made again, as far as it can be (postgres_mend.c). */
int pg_find_missing(PGconn *pq, const char *name, ddl_fn *fn, void *ctx, struct error *err) MUST_USE;
int pg_mend(PGconn *pq, const char *name, struct error *err) MUST_USE;
/* What this role lacks to write and keep house, -EACCES and a sentence, or nothing; *ret_reader: it may not even write. */
int pg_rights(PGconn *pq, const char *name, bool *ret_reader, struct error *ret_lack, struct error *err) MUST_USE;
/* For people to run: "psql -d 'DATABASE' -c 'STATEMENT "ROLE"'"; again: one more statement. role NULL: none. */
void pg_add_command(struct sql *s, PGconn *pq, const char *statement, const char *role);
/* -EACCES: it lacks something. */
int pg_need_rights(PGconn *pq, const char *name, struct error *err) MUST_USE;
#define PG_LOCK_SCHEMA "SELECT pg_advisory_xact_lock(hashtext('whereto schema'))"
/* The statements of the present version, in a schema that is there and on the search path. */
void pg_add_schema(struct sql *s);
/* One step, to that version from the one before (postgres_steps.c). */
int pg_step(int to, PGconn *pq, const char *name, struct error *err) MUST_USE;
/* Bytes of a dimension's column: 8, 4 or 2. */
unsigned pg_column_width(enum dimension dim);

/* ---- pieces of DDL that steps share (postgres_schema.c) ---- */

/* A measure's column as it is, and as people see it. */
void pg_column_plain(struct sql *s, const char *name);
void pg_column_shown(struct sql *s, const char *name);
/* "(ts bigint NOT NULL, ...": left open. */
void pg_add_columns(struct sql *s, enum store_cube cube, const char *beside_the_key, void (*measure)(struct sql *s, const char *name));
void pg_add_prefix_index(struct sql *s, enum store_cube cube, enum store_level level, const char *part);
void pg_add_ts_index(struct sql *s, struct store_table table);
/* CUBE_LEVEL, and v_CUBE_LEVEL on top of it. */
void pg_add_view(struct sql *s, struct store_table table, void (*measure)(struct sql *s, const char *name));
void pg_add_cube_view(struct sql *s, enum store_cube cube, enum store_level level);
void pg_add_base_tables(struct sql *s);
extern const char pg_ddl_2[], pg_ddl_3[], pg_ddl_4[];
/* All rows of a table, merged and new: "SELECT ts, router, ... UNION ALL SELECT ..." */
void pg_add_parts(struct sql *s, struct store_table table, void (*measure)(struct sql *s, const char *name));

/* ---- partitions (postgres_parts.c) ---- */

/* The end of the partition that holds ts. */
uint64_t pg_part_end(enum store_level level, uint64_t ts);
void pg_parts_clear(struct pg_parts *parts);
void pg_parts_done(struct pg_parts *parts);
/* Adds to *ret the partition that ts needs and that is not known. -ENOMEM. */
int pg_parts_want(struct postgres_store *s, struct store_table table, uint64_t ts, struct pg_parts *ret) MUST_USE;
/* Makes those that are not there. Outside of a transaction, as what follows. */
int pg_parts_make(struct postgres_store *s, const struct pg_parts *wanted, struct error *err) MUST_USE;
/* Those of now and of a day later. */
int pg_parts_ahead(struct postgres_store *s, uint64_t now_s, struct error *err) MUST_USE;
/* Drops those whose end is not later than their level's cutoff. */
int pg_parts_drop(struct postgres_store *s, struct error *err) MUST_USE;

/* ---- marks (postgres_marks.c) ---- */

/* A number that no earlier mark had, also in a copy that goes its own way. */
#define PG_RANDOM "floor(random() * 4294967296)::bigint"
/* The columns `changes` and `number` of a new mark. */
extern const char pg_mark[];
/* Notes in the store's marks the buckets of these levels (as bits) that hold ts. -ENOMEM. */
int pg_marks_note(struct postgres_store *s, unsigned levels, uint64_t ts) MUST_USE;
/* Writes what was noted, in the transaction of that batch. */
int pg_marks_write(struct postgres_store *s, const struct store_batch *batch, struct error *err) MUST_USE;
/* Marks the buckets of a partition, in a statement after the one that drops it: no reader who saw it is left then. */
void pg_add_mark_part(struct sql *s, const struct pg_part *p);
/* Marks what a merge of a cube's minutes before that leaves out, in its transaction. */
int pg_marks_left_out(struct postgres_store *s, enum store_cube cube, uint64_t before_s, struct error *err) MUST_USE;
/* Outside of a transaction. */
int pg_marks_tidy(struct postgres_store *s, struct error *err) MUST_USE;

/* ---- merging (postgres_merge.c) ---- */

#define PG_MERGE_SLICE  200000  /* rows, about, merged in one call: of so many keys the sums have room in PG_BEGIN_MERGE's memory */
#define PG_UNMERGED_MAX 4000000 /* rows brought by this program before it merges them early */

#define PG_BEGIN_MERGE "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL work_mem = '64MB'"

/* 1: it did its share and there is more. now_s 0: pieces are not joined. Another collector's merge is not waited for. */
int pg_merge(struct postgres_store *s, uint64_t now_s, struct error *err) MUST_USE;
/* Sums of a column: the wide one ends at 2^63 - 1, where the other fails with -ERANGE. */
void pg_column_sum(struct sql *s, const char *name);
void pg_column_wide_sum(struct sql *s, const char *name);
void pg_add_insert(struct sql *s, struct store_table table);
/* In the order of the table's index, which then grows at its end: " ORDER BY 1, origin" */
void pg_add_order(struct sql *s, enum store_cube cube);

/* ---- pieces (postgres_pieces.c) ---- */

/* Notes what the CTEs hours and days (ts: one for each row) added to. */
void pg_add_pieces(struct sql *s, enum store_cube cube);
/* Notes what will be added to a table of hours or days: "(VALUES (TS, HOW MANY), ...)", each bucket once. In the transaction that brings
 * the rows, before they are there. */
int pg_note_pieces(struct postgres_store *s, struct store_table table, const char *rows, struct error *err) MUST_USE;
/* Joins the pieces of buckets that have many rows in them; *ret_more as in pg_merge. */
int pg_join_pieces(struct postgres_store *s, uint64_t now_s, bool *ret_more, struct error *err) MUST_USE;

/* ---- COPY ... FROM STDIN (FORMAT binary) (postgres_copy.c) ---- */

struct pg_copy {
	PGconn *pq;
	const char *name;
	struct wr w;
	bool failed; /* the connection broke */
	uint8_t buf[65536];
};

int pg_copy_begin(struct pg_copy *c, PGconn *pq, const char *name, const char *table, struct error *err) MUST_USE;
void pg_copy_row(struct pg_copy *c, unsigned columns);
void pg_copy_number(struct pg_copy *c, unsigned bytes, uint64_t value);
/* NULL for 0. */
void pg_copy_measure(struct pg_copy *c, uint64_t value);
void pg_copy_bytes(struct pg_copy *c, struct view v);
int pg_copy_end(struct pg_copy *c, struct error *err) MUST_USE;

/* ---- dictionaries, for the writer (postgres_dict.c) ---- */

/* Replaces the flow table's own numbers by the dictionaries' ids, for entries that rows or changes use. When the
 * transaction is not committed after all, its ids have to be forgotten. */
int pg_map_dictionaries(struct postgres_store *s, struct cube_source *src, struct error *err) MUST_USE;
void pg_forget_ids(struct postgres_store *s);
/* The id of one name, made if new. */
int pg_name_id(struct postgres_store *s, const char *text, uint64_t *ret, struct error *err) MUST_USE;
/* Makes the temporary tables of a new connection. */
int pg_make_stages(PGconn *pq, const char *name, struct error *err) MUST_USE;

/* ---- the hooks ---- */

enum store_result postgres_write_batch(struct store *store, const struct store_batch *batch, struct error *err);
int postgres_last_batch(struct store *store, const char *collector, uint64_t *ret, struct error *err);
int postgres_ddl(const char *url, enum store_ddl what, struct sql *ret, struct error *err);
void pg_legacy_views(struct sql *ret); /* postgres_legacy.c */
int postgres_maintain(struct store *store, uint64_t now_s, struct error *err);
int postgres_countries(struct store *store, const struct countries *countries, struct error *err);
/* A connection that works, made anew if need be; its transaction has begun with `begin`. */
int postgres_writer_begin(struct postgres_store *s, const char *begin, struct error *err) MUST_USE;
/* Ends what failed: rolls back, or gives the connection up. */
void postgres_writer_give_up(struct postgres_store *s);

int postgres_query(struct store_reader *reader, const struct store_query *q, store_row_fn *fn, void *ctx,
	struct error *err);
int postgres_changes(struct store_reader *reader, const struct store_change_query *q, store_change_fn *fn, void *ctx,
	struct error *err);

/* ---- one statement of a reader (postgres_read.c) ---- */

#define PG_PARAMS_MAX 1024

/* Values from outside: bytea parameters $1, $2, ... */
struct pg_params {
	const char *values[PG_PARAMS_MAX];
	int lengths[PG_PARAMS_MAX], count;
};

/* The number of the parameter; 0: too many. The view lives until the statement has run. */
int pg_param(struct pg_params *p, struct view v);

/* Column types of results, in binary. */
uint64_t pg_column_number(const PGresult *res, int column);
struct view pg_column_view(const PGresult *res, int column);
static inline bool pg_column_null(const PGresult *res, int column)
{
	return PQgetisnull(res, 0, column);
}
/* The value of a column made by pg_value_expression. -EBADMSG. */
int pg_column_value(const PGresult *res, int column, enum dimension dim, struct dim_value *ret) MUST_USE;
/* The joins and the expression that turn ALIAS.COLUMN's number into what pg_column_value reads. */
void pg_value_join(struct sql *s, const char *column, enum dimension dim);
void pg_value_expression(struct sql *s, const char *column, enum dimension dim);

/* ---- values, for a reader (postgres_values.c) ---- */

void pg_values_init(struct pg_values *v);
void pg_values_done(struct pg_values *v);
void pg_values_clear(struct pg_values *v);
/* Forgets them when they have outgrown their bound. */
void pg_values_trim(struct pg_values *v);
/* Asks what the numbers in a word of the keys of so many rows stand for; of other dimensions than names, prefixes and paths nothing. */
int pg_values_fetch(struct postgres_reader *r, enum dimension dim, const struct groups *g, unsigned word, const uint32_t *rows,
	size_t count, uint64_t deadline_ns, struct error *err) MUST_USE;
/* Of those that were asked for. -EBADMSG: the dictionary has none. */
int pg_values_get(struct postgres_reader *r, enum dimension dim, uint64_t number, struct dim_value *ret, struct error *err) MUST_USE;
/* As kept_ops.find. */
int pg_values_find(struct postgres_reader *r, const struct store_filter *filter, uint64_t deadline_ns, uint64_t *ret,
	struct error *err) MUST_USE;

/* Called for each row; res holds that one. */
typedef int pg_row_fn(void *ctx, const PGresult *res, struct error *err);
/* Runs one SELECT, row by row. A negative return of fn ends it with that; -ETIMEDOUT past the deadline. */
int pg_select(struct postgres_reader *r, const struct sql *sql, const struct pg_params *params, uint64_t deadline_ns,
	pg_row_fn *fn, void *ctx, struct error *err) MUST_USE;
/* A statement without an answer. */
int pg_reader_run(struct postgres_reader *r, const char *sql, uint64_t deadline_ns, struct error *err) MUST_USE;
/* Begins a transaction of one view of the tables; connects again when the server was away. */
int pg_reader_begin(struct postgres_reader *r, uint64_t deadline_ns, struct error *err) MUST_USE;
void pg_reader_end(struct postgres_reader *r);

/* For messages, from a URL that may hold a password. */
int pg_name(const char *url, char ret[static PG_NAME_MAX], struct error *err) MUST_USE;
/* Of the schema; 0: nothing there. */
int pg_version(PGconn *pq, const char *name, int64_t *ret, struct error *err) MUST_USE;
int postgres_look(const char *url, struct store_look *ret, struct error *err);
int postgres_collectors(struct store *s, store_collector_fn *fn, void *ctx, struct error *err);
int postgres_range(struct store *s, struct store_table table, uint64_t ret[static 2], struct error *err);
